/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ladder: what is done when no victim is left. Apart from act.c because these steps hit more
 * than a process: a cgroup, the kernel's choice, the machine.
 */
#pragma once

#include "cgroup.h"
#include "config.h"
#include "kill.h"
#include "snapshot.h"

struct escalation {
	const struct cgroup_mounts *mounts; /* borrowed */
	kill_protected_fn *is_protected;
	void *ctx;
	int sysrq_fd; /* of /proc/sysrq-trigger, opened while there was memory; -errno: none */
	bool dry_run;
};

struct escalation_result {
	bool acted;     /* something was done: its effect is worth waiting for */
	int error;      /* negative errno: why not */
	char what[256]; /* the cgroup killed, the path executed; "" otherwise */
	uint64_t bytes; /* memory of that cgroup */
	int processes;
};

void escalation_open(struct escalation *e, const struct cgroup_mounts *mounts,
	kill_protected_fn *is_protected, void *ctx, bool dry_run);
void escalation_close(struct escalation *e);

/* Takes the step; s is a snapshot of now. FINAL_REBOOT and FINAL_PANIC do not return when they
 * succeed. LADDER_AVOIDED needs nothing from here and counts as acted. */
void escalation_take(struct escalation *e, enum ladder_step step, const struct config *c,
	const struct snapshot *s, struct escalation_result *ret);
