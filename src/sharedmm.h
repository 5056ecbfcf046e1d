/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which tasks share an mm, by what evidence, and which kind of task pins it. Pure: a snapshot and
 * a comparison function in, groups of indices out.
 *
 * Where the reader has seen the mms themselves (mm_key in every row) nothing is compared: a group
 * is the tasks of one key, all in one class whatever marks they showed.
 * Classes of equal marks are found for all tasks at once (a sort); a class is settled into groups
 * only when one of its tasks is asked about, so 5,000 prefork workers that are no candidates cost
 * no comparison.
 */
#pragma once

#include "snapshot.h"

/*
 * Compares the mms of two tasks: 0 the same; 1 or 2 different, in a stable order as kcmp(2) gives
 * it (1: a before b); 3 different without an order; -errno: cannot be told (-ESRCH: one is gone).
 */
typedef int sharedmm_cmp_fn(void *ctx, const struct task *a, const struct task *b);

enum mm_evidence {
	MM_EVIDENCE_SOLE,    /* no other task has these marks */
	MM_EVIDENCE_KCMP,    /* compared exactly with every task of the same marks */
	MM_EVIDENCE_SMAPS,   /* compared by probe_same_mm(): weaker */
	MM_EVIDENCE_UNKNOWN, /* could not be compared with all: sharing is possible */
	MM_EVIDENCE_BPF,     /* the mms themselves were seen: exact, kernel threads included */
};

enum mm_pin {
	MM_PIN_NONE,
	MM_PIN_INIT,      /* pid 1 */
	MM_PIN_SELF,      /* oomfwd */
	MM_PIN_ADJ,       /* a member has oom_score_adj -1000 */
	MM_PIN_PROTECTED, /* a member is protected by a rule (set by victim.c) */
	MM_PIN_KTHREAD,   /* a kernel thread uses it, and policy spares such (set by victim.c) */
};

/* One mm. Members are indices into snapshot->tasks, kept in sharedmm.members. */
struct mm_group {
	uint32_t first, count; /* members[first .. first + count) */
	enum mm_evidence evidence;
	enum mm_pin pin;
	uint32_t pinned_by; /* index of the task that pins; valid when pin is not NONE */
	bool vfork;         /* a member waits in vfork for another: one process for the ranking */
	bool kill_pending;  /* every member already has a fatal signal pending, or is gone by now */
	bool dying_partly;  /* some but not all have: the rest still holds the memory */
	/* The highest of the members (the kernel keeps them equal). A vfork child may set its own
	 * for the program it will become: it does not count. */
	int16_t oom_score_adj;
	/* Kernel threads that use the mm, and the first of them as an index; known by BPF alone. No
	 * pin by itself: most let go when the last fd of their device is closed, which a kill sees
	 * to. */
	uint32_t kthreads, kthread;
	struct mm_counters mem; /* once for the group: of each counter the largest reading */
	uint32_t mark;          /* the caller's, see sharedmm_new_mark() */
	/* The caller's, 0 at first: what its rules said, so that nobody is asked twice. */
	struct {
		unsigned actions;
		uint32_t member;
		const void *rule;
		bool unread; /* the rule may hold: what it asks for was not read in time */
	} ruled;
};

struct sharedmm; /* the arena: sized once for a snapshot's capacity */

int sharedmm_new(uint32_t capacity, struct sharedmm **ret);
void sharedmm_free(struct sharedmm *sm);

/* Forgets the last generation and sorts the tasks of s into classes. s must stay unchanged as long
 * as the groups are used. 0, or -E2BIG when s holds more tasks than the arena's capacity. */
int sharedmm_classify(struct sharedmm *sm, const struct snapshot *s, pid_t self);

/*
 * The group of the task at index, settled now if need be: a linear pass over the unsettled rest of
 * its class first; a class asked often is sorted by cmp instead, O(k log k) in all. evidence is
 * what cmp stands for (KCMP or SMAPS; the latter is asked at most 512 times in all, for it is
 * slow). cmp may be NULL: then nothing is merged. Never NULL for a task that has an mm; NULL for
 * kernel threads and tasks without an mm. Valid until the next classify.
 *
 * A task whose marks are hidden is compared with all others of that kind, but its evidence stays
 * UNKNOWN. A task that cmp finds gone (-ESRCH) has a group of its own, which counts as dying.
 */
struct mm_group *sharedmm_group_of(struct sharedmm *sm, uint32_t index, sharedmm_cmp_fn *cmp,
	void *ctx, enum mm_evidence evidence);

/* Has the members' rows, which were completed since g was settled, tell anew what g holds and what
 * pins it. */
void sharedmm_review(struct sharedmm *sm, struct mm_group *g);

/* The members of g as task indices (g->count of them), ascending pid. */
const uint32_t *sharedmm_members(const struct sharedmm *sm, const struct mm_group *g);

/*
 * Class i of tasks with equal marks, as indices; NULL when there are no more classes. Settled
 * groups lie side by side from the start of the class and keep their places; settling changes the
 * order of the others. So a walk settles the task at a place, reads that place again, and goes on
 * by the count of the group it finds there. Tasks with hidden marks are a class too.
 */
const uint32_t *sharedmm_class(const struct sharedmm *sm, uint32_t i, uint32_t *ret_count);

/* A value no group is marked with yet; groups start with 0. */
uint32_t sharedmm_new_mark(struct sharedmm *sm);

/*
 * A lower bound, from counters alone, of the shmem that only g maps: its own less all that tasks
 * outside g map. probe_shmem() knows better, but takes the mmap lock.
 */
uint64_t sharedmm_shmem_alone_bytes(const struct sharedmm *sm, const struct mm_group *g);

/* Bytes that come back when the whole group dies: anonymous memory, swap and page tables, once for
 * the group, and shmem_bytes of shared memory (as sharedmm_shmem_alone_bytes or a probe tells). */
uint64_t sharedmm_yield_bytes(const struct mm_group *g, uint64_t shmem_bytes);

/* How many comparisons were made since classify: for tests and the benchmark. */
uint64_t sharedmm_comparisons(const struct sharedmm *sm);
