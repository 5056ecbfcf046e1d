/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kills groups and watches their memory come back: pidfds, signals, reaping by prepared threads,
 * and a handle on each victim's mm that tells exactly when its last user is gone.
 *
 * The handle: an fd of /proc/PID/pagemap opened before the kill keeps the mm_struct (not its
 * memory). A read of one byte fails with EINVAL while the mm has users and returns 0 once it has
 * none (fs/proc/task_mmu.c:pagemap_read tries mmget_not_zero first); it takes no lock, and needs
 * neither the process nor its pid to exist any more.
 */
#pragma once

#include "sharedmm.h"
#include "snapshot.h"

#include <errno.h>

#define KILL_SLOTS       256  /* groups in flight */
#define KILL_MEMBERS_MAX 2048 /* pidfds in flight, over all slots */

/* The irreversible, and what tests replace: dry run and rehearsal are tables of their own. */
struct kill_ops {
	void *ctx;
	int (*pidfd_open)(void *ctx, pid_t pid);    /* fd or -errno */
	int (*send)(void *ctx, int pidfd, int sig); /* 0 or -errno */
	int (*mrelease)(void *ctx, int pidfd);      /* 0 or -errno */
	/* Has its cgroup v1 freezer thawed, and does not wait for that; NULL: there is none. */
	int (*thaw)(void *ctx, const struct proc_id *id);
	sharedmm_cmp_fn *cmp; /* kcmp; NULL where it is missing */
	void *cmp_ctx;
	/* As snapshot_newborn() for the killer's snapshot; NULL: that. */
	int (*newborn)(void *ctx, snapshot_found_fn *found, void *found_ctx);
};
extern const struct kill_ops kill_ops_real;    /* thaw is NULL here: set by actor.c */
extern const struct kill_ops kill_ops_dry_run; /* opens pidfds, sends signal 0, reaps nothing */

/* kcmp(KCMP_VM) on the mm_tids; as sharedmm_cmp_fn. -ENOSYS or -EPERM where it is not to be had. */
int kill_kcmp(void *ctx, const struct task *a, const struct task *b);

struct killer;

/*
 * Starts the reaper threads and prepares all memory. *wake_fd is an eventfd, the killer's, readable
 * when a reaper has news until its 8 bytes are read. s gives the reader for the re-checks and is
 * borrowed: it must be the one whose passes kill_prepare gets, so that those born since are known.
 * 0 or -errno.
 */
int killer_new(
	const struct kill_ops *ops, struct snapshot *s, struct killer **ret, int *ret_wake_fd);
void killer_free(struct killer *k);
void killer_set_ops(struct killer *k, const struct kill_ops *ops);

/*
 * Prepares a kill of the group: opens a pidfd for each member, re-reads its start time, marks and
 * oom_score_adj, compares the mm again, opens the mm handle. Signals nothing. Returns the slot, or
 *   -ESRCH   nobody of the group is left (or all have another mm now)
 *   -EPERM   a member may not be signalled, or has become unkillable (oom_score_adj -1000)
 *   -ENOSPC  no slot, or no room for the members
 * or another -errno of the system calls: -EMFILE, -ENFILE, -ENOMEM have nothing to open them with.
 */
int kill_prepare(struct killer *k, const struct snapshot *s, const struct sharedmm *sm,
	const struct mm_group *g, uint64_t expected_bytes);

/* Whether a kill that failed with error is worth another try: they have left, or fds, kernel memory
 * or room, which come and go, were lacking,
 * or whether one is protected could not be told in time. members: of the group; too many never fit.
 */
static inline bool kill_may_be_tried_again(int error, uint32_t members)
{
	switch (error) {
	case -ESRCH:
	case -EAGAIN:
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
		return true;
	case -ENOSPC:
		return members <= KILL_MEMBERS_MAX;
	default:
		return false;
	}
}

/* Whether this process may not be signalled, even as a sharer (protected by a rule, pid 1, self):
 * 1, 0, or -EAGAIN when that could not be told in time. */
typedef int kill_protected_fn(void *ctx, const struct task *t);

struct kill_result {
	uint32_t signalled;             /* processes */
	uint32_t newborn;               /* of these, sharers born since the snapshot */
	uint64_t first_usec, last_usec; /* CLOCK_MONOTONIC of the first and last signal */
};

/*
 * Signals all members of all the slots given, in one go, with sig (SIGTERM or SIGKILL; SIGKILL also
 * upgrades a slot that has had SIGTERM). Before the first signal it looks for sharers born since
 * the snapshot; when there are some, the group is stopped first, so that it can bear no more while
 * we look again (at most 8 rounds, and no new one after 50 ms). Then it hands the group to a
 * reaper; after SIGTERM that one succeeds where there is no handler for it. After SIGKILL it thaws
 * v1 freezers and looks once more for those born meanwhile. After SIGTERM whoever is stopped, by us
 * or others, is continued, since it could not act on it otherwise. A newborn for which is_protected
 * holds makes its slot fail with -EPERM, unsignalled (and continued, if it was stopped), and one of
 * whom that cannot be told with -EAGAIN. Per-slot outcome in results[i]: 0, -ESRCH when all have
 * gone by themselves and nobody else holds the mm, or another -errno.
 */
void kill_signal(struct killer *k, const int *slots, int *results, uint32_t count, int sig,
	kill_protected_fn *is_protected, void *ctx, struct kill_result *ret);

/* Whether a living member ignored SIGTERM when it was prepared: its mm outlives that signal. */
bool kill_ignores_term(struct killer *k, int slot);

enum reap_state {
	REAP_NONE, /* SIGTERM has not ended it at once, or not possible here */
	REAP_RUNNING,
	REAP_DONE,    /* process_mrelease returned 0: its private memory is free */
	REAP_GONE,    /* ESRCH: the mm had left every member before */
	REAP_REFUSED, /* EINVAL to the end: a sharer that is not dying, a core dump, or init */
};

struct kill_status {
	/* That a living member still shows; 0 when none shows the mm. */
	uint64_t anon_bytes, swap_bytes;
	uint64_t expected_bytes; /* as given to kill_prepare */
	bool handle_valid;       /* the mm handle could be opened */
	bool mm_gone;            /* the mm has no user left (only with handle_valid) */
	bool all_exited;         /* every member's pidfd is readable */
	bool some_exited;        /* at least one member's is */
	bool mm_visible;         /* some member still shows the mm */
	bool core_dumping;
	enum reap_state reap;
};

/*
 * Looks at a slot without blocking. A reaper that was refused, and members that are all gone while
 * the mm is not, make it look for a new sharer and signal that too (promise 2), if the slot was
 * killed. Who calls exec after SIGTERM leaves the slot. 0 or -errno.
 */
int kill_observe(struct killer *k, int slot, kill_protected_fn *is_protected, void *ctx,
	struct kill_status *ret);

/* Why a slot gives nothing back, for people; the cold path. */
struct kill_blame {
	enum kill_blame_kind {
		BLAME_UNKNOWN,
		BLAME_PINNED,    /* pid (comm) holds the mm and is not dying */
		BLAME_STATE,     /* thread pid of the victim is in this state, at this wchan */
		BLAME_CORE_DUMP, /* the dump goes on */
		BLAME_KTHREAD,   /* a kernel thread borrows the mm (vhost) */
		BLAME_HELD,      /* all members are gone, yet the mm has users nobody can name */
	} kind;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	char state;
	char wchan[64];
};
void kill_explain(struct killer *k, int slot, struct kill_blame *ret);

/* Frees the slot. A group that was stopped but never killed is continued. */
void kill_release(struct killer *k, int slot);

/* The slot's mm handle, now the caller's; -1 if there is none. */
int kill_take_handle(struct killer *k, int slot);
/* Whether the mm behind a handle still has users. */
bool kill_mm_alive(int handle_fd);

/* Runs what kill_prepare and kill_signal touch, on ourselves and with signal 0, to bring every page
 * of the path into memory. 0 or -errno. */
int killer_rehearse(struct killer *k);
