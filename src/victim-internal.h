/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What victim.c (the choice), victim-rank.c (who comes next), victim-set.c (who of them is taken)
 * and victim-rules.c (what the rules say) share; nobody else includes it.
 */
#pragma once

#include "victim.h"

#define RULE_BIT(action) (1u << (action))

/* Where rules look. */
struct rule_world {
	const struct snapshot *s;
	const struct sharedmm *sm;
	const struct config *config;
	const struct victim_fns *fns;
	bool in_domain; /* the shortage is a domain's */
};

/* The RULE_BIT()s of the actions that occur in the configuration. */
unsigned victim_rule_actions(const struct config *c);

/* Whether it takes command lines, which may cost a deadline each, to know who is protected. */
bool victim_rules_protect_by_cmdline(const struct config *c);

/* Whether r may match t, judged by what the row shows: comm and uid. */
bool victim_rule_could_match(const struct rule *r, const struct task *t);

/*
 * The rule that decides about a group, of those whose action is in the set: protect goes before
 * avoid, avoid before prefer, an earlier rule before a later one. *ret_member is the task it
 * matches. NULL: none. Reads details of a member only if the decision needs them, and remembers the
 * decision in the group: to read them of a whole fork family takes longer than all else.
 */
const struct rule *victim_rule_of(
	const struct rule_world *w, struct mm_group *g, unsigned actions, uint32_t *ret_member);

/* Shared memory walked for one choice. */
#define WALKS_MAX 128

/* Of the need: who gives less is too small where the need cannot be covered. */
#define SMALL_DIVISOR 8

/* What a walk of a group's shared memory told. */
struct walked {
	uint32_t task;
	uint64_t mapped_bytes;
	bool failed;
	struct victim_shmem shmem;
};

/* One call of victim_choose. */
struct chooser {
	struct rule_world world;
	const struct snapshot *s;
	struct sharedmm *sm;
	const struct config *config;
	const struct hidden_list *hidden;
	const struct victim_need *need;
	const struct victim_fns *fns;
	struct choice *ret;
	uint64_t alone_bytes, small_bytes;
	uint64_t enough_bytes; /* need->bytes, or more of a family that outgrows its dead */
	uint64_t least_bytes;  /* who may give less is not ranked */
	bool guessed;          /* much shared memory was judged by the counters of all rows */

	uint32_t walk_count, walk_failures;
	uint64_t walked_bytes;
	struct walked walks[WALKS_MAX];
	struct brood brood;

	/* Of one ranking: victim-rank.c sets these, */
	struct victim_scratch *heap;
	uint32_t heap_count;
	unsigned __int128 ahead_bytes; /* what the heap's entries may give */
	uint32_t mark;
	/* and the taking: victim.c begins, victim-set.c goes on with these. */
	bool covered;
	uint32_t set_count; /* candidates with REASON_CHOSEN */
	unsigned __int128 set_bytes, eligible_bytes;
	unsigned __int128 skipped_bytes; /* of those who found no room, eligible or not */
	bool skips_none;
	uint64_t largest_bytes; /* that an eligible group gives */
	uint64_t dying_bytes, held_bytes;
	bool any_eligible, any_dying;
	/* Somebody could not be told from the protected in time: the first in rank of these. */
	bool unread;
	int64_t unread_badness, unread_badness_margin;
	bool waits;             /* it is too early to choose from those behind him */
	struct candidate share; /* the best share of shared memory */
	bool share_avoided;
	uint64_t share_bytes;
};

/* Begins a ranking: puts the tasks that may give least_bytes in the order of the most that they may
 * give. */
void victim_rank_begin(struct chooser *ch);
/* Adds the others, for people who want to see them. */
void victim_rank_rest(struct chooser *ch);

/* The next group in rank: *ret has its final badness and yield. False: there is none. */
bool victim_rank_next(struct chooser *ch, struct candidate *ret, bool *ret_avoided);

/* The most that a row still unseen may give; rows that are pinned for certain do not count. */
uint64_t victim_rank_largest_ahead(const struct chooser *ch);

/* The reasons against a group that need no reading; REASON_CHOSEN: none. */
enum victim_reason victim_plain_reason(const struct chooser *ch, const struct mm_group *g);

/* Whether others have killed it. */
bool victim_dies_elsewhere(const struct chooser *ch, const struct mm_group *g);

/* Whether the need lets the task be chosen. */
bool victim_in_scope(const struct chooser *ch, uint32_t task);

/* What comes back with the group that the need has a use for. */
uint64_t victim_yield_bytes(
	const struct chooser *ch, const struct mm_group *g, uint64_t shmem_bytes);

bool victim_in_brood(const struct chooser *ch, const struct task *t);

/* What a walk has told about the group that is ranked by this task; NULL: it was not walked. */
const struct walked *victim_walk_of(const struct chooser *ch, uint32_t task);

/* Adds one that is not chosen to the report, if there is room. */
void victim_set_note(struct chooser *ch, const struct candidate *c);
bool victim_set_has_room(const struct chooser *ch);

/* What the chosen one gives that gives least; the set is not empty. */
uint64_t victim_set_least_bytes(const struct chooser *ch);

/* Takes the next eligible group in rank into the set; ch->covered tells when it is enough. */
void victim_set_take(struct chooser *ch, struct candidate *c);

/* Remembers an eligible group that holds a share of shared memory. */
void victim_set_consider_share(struct chooser *ch, const struct candidate *c, bool avoided);

/* Nobody is left: what the set is worth. Fills in result, count and chosen. */
void victim_set_conclude(struct chooser *ch);
