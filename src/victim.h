/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy and groups in, a ranked choice with reasons out. Pure: what must be read or compared is
 * handed in as functions.
 */
#pragma once

#include "config.h"
#include "sharedmm.h"
#include "snapshot.h"

#define VICTIM_SET_MAX    128 /* groups signalled in one go */
#define VICTIM_REPORT_MAX 64  /* candidates kept with their reasons */
#define VICTIM_HIDDEN_MAX 256
#define VICTIM_IDS_MAX    32 /* members remembered of a hidden mm */

/* The identity of an mm across snapshots: its marks and those who held it. */
struct mm_id {
	struct mm_marks marks;
	uint32_t id_count;
	struct proc_id ids[VICTIM_IDS_MAX]; /* the first so many members */
	int handle_fd; /* opaque here (kill_mm_alive() of the caller); -1: none */
};

enum victim_reason {
	REASON_CHOSEN,
	REASON_REDUNDANT,  /* ranked high, but the others chosen suffice without it */
	REASON_NOT_NEEDED, /* those ranked higher suffice */
	REASON_AVOIDED,    /* matched by an avoid rule, which is still in force */
	REASON_PINNED,     /* group->pin says by what */
	REASON_PROTECTED,  /* by the rule named */
	REASON_HIDDEN,     /* a kill of this mm freed nothing before */
	REASON_DYING,      /* a fatal signal is pending: its memory is on the way */
	REASON_NO_YIELD,   /* nothing would come back */
	REASON_TOO_SMALL,  /* all that is left together would not help */
	REASON_NO_ROOM,    /* VICTIM_SET_MAX reached */
};

enum victim_result {
	VICTIM_CHOSEN,    /* the set covers the need */
	VICTIM_PARTIAL,   /* a set was chosen that helps but does not cover it */
	VICTIM_NONE,      /* nobody is eligible: all protected, pinned, avoided or hidden */
	VICTIM_HOPELESS,  /* those eligible hold too little to matter: the memory is elsewhere */
	VICTIM_ALL_DYING, /* nobody new: what could be chosen is already on its way out */
};

/* What the rules match. Read lazily; strings may be "" when they could not be read. */
struct task_detail {
	char exe[512];
	char cmdline[512];
	char cgroup[512];
};

struct victim_fns {
	void *ctx;
	sharedmm_cmp_fn *cmp;
	enum mm_evidence evidence; /* what cmp stands for */
	/* Fills what the rules ask for; what cannot be read stays "". */
	void (*detail)(void *ctx, const struct task *t, bool want_cmdline, struct task_detail *ret);
	/* Bytes of the mm's shmem that come back (probe_shmem private_bytes), or -errno. */
	int (*shmem)(void *ctx, const struct task *t, uint64_t *ret_bytes);
};

struct victim_need {
	uint64_t bytes;       /* to bring back; at least 1 */
	uint64_t total_bytes; /* memory and swap: the base of oom_score_adj */
	bool avoided_eligible;
};

struct candidate {
	uint32_t task;   /* index of the member it was ranked by */
	int64_t badness; /* yield + adj * total / 1000 (mm/oom_kill.c:oom_badness) */
	uint64_t yield_bytes;
	uint64_t shmem_bytes; /* the part of yield_bytes that is shared memory */
	enum victim_reason reason;
	const struct rule *rule; /* for REASON_PROTECTED, REASON_AVOIDED, preferred; else NULL */
	struct mm_group group;
};

struct choice {
	enum victim_result result;
	uint64_t generation;  /* of the snapshot the indices belong to */
	uint64_t yield_bytes; /* of those chosen, in all */
	uint32_t count;       /* chosen: candidates[chosen[0 .. count)] */
	uint32_t chosen[VICTIM_SET_MAX];
	uint32_t candidate_count; /* ranked by badness, best first */
	struct candidate candidates[VICTIM_SET_MAX + VICTIM_REPORT_MAX];
};

/* Mms not to choose again. */
struct hidden_list {
	uint32_t count;
	struct mm_id ids[VICTIM_HIDDEN_MAX];
};

/*
 * Chooses the smallest set of groups, in the order of badness, whose yield covers need->bytes:
 * taken from the top until it is covered, then every one the others make superfluous is dropped.
 * When all that is eligible cannot cover it, only those that give at least an eighth of the need
 * are taken (PARTIAL), or nobody (HOPELESS): many small deaths that do not help are not wanted.
 * scratch must hold s->count entries. Order of the tasks in s never changes the outcome.
 */
struct victim_scratch {
	uint64_t key;
	uint32_t task;
};
void victim_choose(const struct snapshot *s, struct sharedmm *sm, const struct config *c,
	const struct hidden_list *hidden, const struct victim_need *need,
	const struct victim_fns *fns, struct victim_scratch *scratch, struct choice *ret);

/* Whether rule r matches the task. */
bool victim_rule_matches(const struct rule *r, const struct task *t, const struct task_detail *d);
/* The systemd unit (last .service, .scope, ... component) in a cgroup path; "" if none. */
void victim_unit_of(const char *cgroup, char *ret, size_t size);

void victim_mm_id(const struct snapshot *s, const struct sharedmm *sm, const struct mm_group *g,
	struct mm_id *ret);
/* Whether a task of id is t and its marks are still those: the same mm, not one got by exec. */
bool victim_mm_id_holds(const struct mm_id *id, const struct task *t);
/* Adds a copy; when the list is full the oldest makes room: returns its handle_fd to close, or -1.
 */
int hidden_add(struct hidden_list *h, const struct mm_id *id);
bool hidden_contains(const struct hidden_list *h, const struct task *t);
/* Whether entry i still has a member in s with the same marks. */
bool hidden_holds(const struct hidden_list *h, uint32_t i, const struct snapshot *s);
void hidden_remove(struct hidden_list *h, uint32_t i);

const char *victim_reason_text(enum victim_reason r);
const char *victim_result_text(enum victim_result r);
const char *victim_pin_text(enum mm_pin pin);
