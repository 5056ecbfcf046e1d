/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ladder: what is done when no victim is left. Apart from act.c because these steps hit more
 * than a process: a cgroup, the kernel's choice, the machine.
 */
#pragma once

#include "config.h"
#include "kill.h"
#include "probe.h"
#include "snapshot.h"
#include "whole.h"

struct escalation {
	struct probe *probe; /* borrowed, */
	pid_t *pids;         /* as is this: room for PROBE_PIDS_MAX */
	kill_protected_fn *is_protected;
	/* The cgroup of a task, "" when it cannot be had in time. */
	void (*cgroup_of)(void *ctx, const struct task *t, char *ret, size_t size);
	void *ctx;    /* for both */
	int sysrq_fd; /* of /proc/sysrq-trigger, opened while there was memory; -errno: none */
	bool dry_run;
};

struct escalation_result {
	bool acted; /* something was done: its effect is worth waiting for */
	/* Negative errno: why not; -ETIMEDOUT with acted: the kernel has not confirmed it. */
	int error;
	char what[512]; /* the cgroup killed, the path executed; "" otherwise */
	uint64_t bytes; /* memory of that cgroup */
	int processes;
};

/* probe, pids, is_protected, cgroup_of, ctx and dry_run are the caller's to set; this opens the
 * rest. */
void escalation_open(struct escalation *e);
void escalation_close(struct escalation *e);

/*
 * 1: nobody in the cgroup or below is protected, 0: somebody is, -EAGAIN: not all could be seen by
 * then, -ENOENT: it is gone, -E2BIG and others: it can never be seen whole. Of s only the reader is
 * used: each process is read anew. which NULL: whatever is under that path.
 */
int escalation_may_kill(const struct escalation *e, struct snapshot *s, const char *cgroup,
	const struct whole_instance *which, uint64_t until_usec);

/* cgroup_kill() with a deadline: as probe_kill_cgroup(), but for -EALREADY while an earlier one has
 * not been confirmed. */
int escalation_kill(const struct escalation *e, const char *cgroup, uint64_t id);

/* Takes the step; s is a snapshot of now. domain: the cgroup that is short of memory, NULL: the
 * machine; LADDER_CGROUP is about that one then. FINAL_REBOOT and FINAL_PANIC do not return when
 * they succeed. LADDER_AVOIDED needs nothing from here and counts as acted. */
void escalation_take(struct escalation *e, enum ladder_step step, const struct config *c,
	struct snapshot *s, const char *domain, struct escalation_result *ret);
