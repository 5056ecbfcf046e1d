/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon would see and choose now, without the daemon: for the commands that stand alone.
 * The same modules decide as in the daemon (snapshot, sharedmm, victim, facts).
 */
#pragma once

#include "ctl.h"
#include "facts.h"
#include "psi.h"
#include "victim.h"

/* Borrowed by whoever looks at it; the figures are of the last look_now(). */
struct look {
	struct config *config; /* owned */
	struct meminfo mem;
	struct victim_need need;
	struct snapshot snapshot;
	struct sharedmm *sharedmm;
	struct facts facts;
	struct victim_fns fns;
	struct hidden_list *hidden; /* none, but for what the caller puts in */
	struct victim_scratch *scratch;
	struct choice *choice;
	struct sensor *sensor;
	struct cgroup_mounts mounts;
	int proc_fd;
	bool can_ptrace; /* else marks of others read as 0 and groups are uncertain: say so */
};

/* Loads the configuration (its errors go to stderr) and opens what is needed. 0 or -errno. */
int look_new(const struct ctl *c, struct look **ret);
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
