/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define LAB_ROLES_MAX 512

/* What must have become of a process in the end. */
enum lab_role { LAB_VICTIM, LAB_SURVIVOR, LAB_EITHER };

/* Shared by all processes of the lab. */
struct lab_shared {
	volatile unsigned long heartbeat[8];
	pid_t innocent[8];
	volatile long canary_worst_msec;
	volatile int scenario_ready; /* all of its actors are on the stage */
	unsigned role_count;
	struct {
		pid_t pid;
		enum lab_role role;
	} roles[LAB_ROLES_MAX];
};
extern struct lab_shared *lab;

void lab_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void lab_sleep_msec(long msec);
void lab_role(pid_t pid, enum lab_role role);

/* Maps and touches mib MiB of incompressible memory, at so many MiB a second (0: as fast as it
 * goes), with these mmap flags besides MAP_ANONYMOUS. Stops when there is no more to be had. */
void lab_grow(long mib, long mib_per_sec, int flags);

/* Starts a scenario in processes of its own; false: there is none of that name. ret_wait_victims:
 * whether its end is that all victims are dead (else: that memory has recovered). */
bool scenario_start(const char *name, bool *ret_wait_victims);
