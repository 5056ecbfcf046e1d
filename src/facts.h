/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions that the pure modules are handed: what is read of a task on demand, how two mms are
 * compared, and who may never be signalled.
 */
#pragma once

#include "cgroup.h"
#include "config.h"
#include "probe.h"
#include "snapshot.h"
#include "victim.h"

struct facts {
	const struct config *config;
	struct snapshot *snapshot; /* borrowed: for its reader, not its rows */
	struct probe *probe;       /* owned */
	pid_t self;
	bool kcmp;      /* else smaps is the evidence */
	bool in_domain; /* the shortage of now is a domain's: see struct rule */
	bool wants_preference, wants_cmdline; /* some rule does; the latter: a protect rule */
	/* Of facts_is_protected(), and of the choice. */
	struct task_detail detail, room;
	bool cgroup_known; /* paths of cgroups are those of the host, as far as can be told */
};

/* Starts the probe threads and finds out whether kcmp is to be had. 0 or -errno. */
int facts_open(struct facts *f, const struct config *c, struct snapshot *s,
	const struct cgroup_mounts *mounts);
void facts_set_config(struct facts *f, const struct config *c);
void facts_close(struct facts *f);

/* The cgroup of a task, "" when it cannot be had in time. ctx is struct facts. */
void facts_cgroup(void *ctx, const struct task *t, char *ret, size_t size);

struct victim_fns facts_victim_fns(struct facts *f);

/* kill_protected_fn; ctx is struct facts. Pid 1, the daemon, kernel threads, oom_score_adj -1000
 * and what a protect rule matches; -EAGAIN where what a rule asks for could not be read in time. */
int facts_is_protected(void *ctx, const struct task *t);
