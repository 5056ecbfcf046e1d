/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon would see and choose now, without the daemon: for the commands that stand alone.
 * The same modules decide as in the daemon (snapshot, sharedmm, victim, facts).
 */
#pragma once

#include "ctl.h"
#include "facts.h"
#include "psi.h"
#include "verdict.h"
#include "victim.h"

/* Borrowed by whoever looks at it; the figures are of the last look_now(). */
struct look {
	struct config *config; /* owned */
	struct meminfo mem;
	struct shortage shortage; /* of mem: what the choice is for, unless need_bytes was given */
	struct victim_need need;
	struct snapshot snapshot;
	struct sharedmm *sharedmm;
	struct facts facts;
	struct victim_fns fns;
	struct hidden_list *hidden; /* none, but for what the caller puts in */
	struct victim_scratch *scratch;
	struct choice *choice;
	struct sensor *sensor;
	struct cgroup_mounts *mounts;
	int proc_fd;
	/* Else marks of others read as 0 and groups are uncertain: say so. Known from look_now().
	 */
	bool can_ptrace;
};

/* Loads the configuration and opens what is needed. 0, or -errno, which has been explained on
 * stderr; -EBADMSG: there are errors in the configuration. */
int look_new(const struct ctl *c, struct look **ret);
/* The exit status for that. */
static inline int look_status(int error)
{
	return error == -EBADMSG ? CTL_NOT_FOUND : CTL_FAILED;
}
/* Both, look_new() and look_now() of a shortage of now. CTL_OK, or a status that has been explained
 * on stderr. */
int look_begin(const struct ctl *c, struct look **ret);
void look_free(struct look *l);
static inline void look_freep(struct look **l)
{
	look_free(*l);
}

/*
 * Looks at all tasks and chooses for a need of need_bytes (0: what a shortage of now would need; at
 * least 1), with every candidate explained. 0 or -errno.
 */
int look_now(struct look *l, uint64_t need_bytes);
