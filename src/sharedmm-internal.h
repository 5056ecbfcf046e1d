/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What sharedmm.c (classes) and sharedmm-settle.c (comparing them into groups) share; nobody else
 * includes it.
 */
#pragma once

#include "sharedmm.h"

#define NONE UINT32_MAX

/* Tasks of equal marks: members[first .. first + count). The first `settled` are in groups, group
 * after group; the rest is in the order of pids. */
struct class
{
	uint32_t first, count, settled;
	uint32_t asked;  /* linear passes made */
	uint32_t sorts;  /* tried */
	uint32_t errors; /* other than a refusal, which costs nothing */
	bool unknown;    /* some comparison could not be made */
	bool swept;      /* those that refuse to be compared are settled */
};

struct entry {
	uint64_t key;
	uint32_t task;
};

struct sharedmm {
	uint32_t capacity;
	const struct snapshot *s;
	pid_t self;
	uint32_t class_count, group_count, mark;
	uint64_t comparisons;
	bool keyed;                    /* every task that could be compared has an mm_key */
	unsigned __int128 shmem_bytes; /* of all tasks, sharers counted each */
	struct entry *entries, *spare; /* for sorting; nothing lives there between calls */
	uint32_t *members;
	uint32_t *borrowers, borrower_count; /* kernel threads that use somebody's mm */
	uint32_t *speaker; /* by task: whose marks count, one for each mm where that is known */
	uint32_t *class_of, *group_of; /* by task; NONE */
	bool *gone;                    /* by task: cmp said so */
	struct class *classes;
	struct mm_group *groups;
};

typedef bool before_fn(void *ctx, const struct entry *a, const struct entry *b);

static inline const struct task *task_at(const struct sharedmm *sm, uint32_t i)
{
	return &sm->s->tasks[i];
}

/* Sorts entries[0 .. n) by merging, so that it ends whatever before() answers: stable, at most
 * n log2(n) comparisons. */
void sharedmm_sort(struct sharedmm *sm, uint32_t n, before_fn *before, void *ctx);

/* By key, in one of pids; ctx is the sharedmm. */
bool sharedmm_key_before(void *ctx, const struct entry *a, const struct entry *b);

/* One call of sharedmm_group_of. */
struct settling {
	struct sharedmm *sm;
	struct class *k;
	sharedmm_cmp_fn *cmp;
	void *ctx;
	enum mm_evidence evidence;
	bool no_order;   /* a sort met an answer it cannot use */
	uint32_t spoilt; /* passes in which somebody exited */
};

/* Puts task asked, of class st->k and not in a group yet, into one. */
void sharedmm_settle(struct settling *st, uint32_t asked);
