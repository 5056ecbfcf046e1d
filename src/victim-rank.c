/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who comes next. The ranking is a heap that holds each task with the best badness its counters
 * allow, and each group that was looked at with its real one. What comes off the top is looked at
 * in the first case, and final in the second: so nothing is settled, compared or read for tasks
 * that cannot outrank those that suffice.
 */
#include "util.h"
#include "victim-internal.h"

#include <string.h>

/* Badness fits into 62 bits; bit 0 of a key tells a bound, bit 63 one that is not avoided. */
#define BADNESS_MAX ((INT64_C(1) << 61) - 1)
#define KEY_BOUND   UINT64_C(1)
#define KEY_REGULAR (UINT64_C(1) << 63)

/* Shared memory that may be walked for one choice, at some 10 ms a GiB, and walks that may fail (at
 * their deadline). */
#define WALK_MAX_BYTES    (8 * GIB)
#define WALK_FAILURES_MAX 4
/* Below, shared memory is never worth a walk. */
#define WALK_MIN_BYTES MIB

/* Of the need: who holds less is not worth a preference, which takes reading. */
#define PREFER_DIVISOR 128

/* --- badness --- */

static int64_t badness_of(
	const struct chooser *ch, uint64_t bytes, int16_t oom_score_adj, bool preferred)
{
	__int128 points = oom_score_adj;

	if (preferred)
		points += ch->config->prefer_points;
	points = points * ch->need->total_bytes / 1000 + bytes;
	if (points > BADNESS_MAX)
		return BADNESS_MAX;
	return points < -BADNESS_MAX ? -BADNESS_MAX : (int64_t)points;
}

static uint64_t key_of(int64_t badness, bool avoided, bool bound)
{
	return (avoided ? 0 : KEY_REGULAR) | (uint64_t)(badness + BADNESS_MAX) << 1 |
		(bound ? KEY_BOUND : 0);
}

static int64_t badness_of_key(uint64_t key)
{
	return (int64_t)((key & ~KEY_REGULAR) >> 1) - BADNESS_MAX;
}

/* --- the heap --- */

static bool above(
	const struct chooser *ch, const struct victim_scratch *a, const struct victim_scratch *b)
{
	const struct proc_id *x = &ch->s->tasks[a->task].id, *y = &ch->s->tasks[b->task].id;

	/* A bound waits behind a group that is as bad and goes before it among equals, for it can
	 * only come out lower: or all of a fork family would be looked at before the first. */
	if ((a->key | KEY_BOUND) != (b->key | KEY_BOUND))
		return a->key > b->key;
	if (a->yield_bytes != b->yield_bytes)
		return a->yield_bytes > b->yield_bytes;
	if (x->start_ticks != y->start_ticks)
		return x->start_ticks > y->start_ticks;
	return x->pid > y->pid;
}

static void heap_push(struct chooser *ch, struct victim_scratch e)
{
	struct victim_scratch *h = ch->heap;
	uint32_t i = ch->heap_count++;

	ch->ahead_bytes += e.yield_bytes;
	while (i > 0 && above(ch, &e, &h[(i - 1) / 2])) {
		h[i] = h[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h[i] = e;
}

static struct victim_scratch heap_pop(struct chooser *ch)
{
	struct victim_scratch *h = ch->heap, top = h[0];
	struct victim_scratch last = h[--ch->heap_count];
	uint32_t n = ch->heap_count;

	ch->ahead_bytes -= top.yield_bytes;
	for (uint32_t i = 0, child; i < n; i = child) {
		child = 2 * i + 1;
		if (child + 1 < n && above(ch, &h[child + 1], &h[child]))
			child++;
		if (child >= n || !above(ch, &h[child], &last)) {
			h[i] = last;
			break;
		}
		h[i] = h[child];
	}
	return top;
}

/* --- what may come back --- */

bool victim_in_scope(const struct chooser *ch, uint32_t task)
{
	return !ch->need->scope || ch->need->scope[task];
}

bool victim_in_brood(const struct chooser *ch, const struct task *t)
{
	const struct brood *b = &ch->brood;

	return b->bytes > 0 && t->uid == b->uid && t->id.start_ticks >= b->since_ticks &&
		!(t->flags & TASK_MARKS_HIDDEN) &&
		memcmp(&t->marks, &b->marks, sizeof(b->marks)) == 0;
}

static uint64_t own_bytes(const struct chooser *ch, const struct task *t)
{
	uint64_t swap = ch->need->no_swap ? 0 : t->mem.swap_bytes;

	return add_sat_u64(add_sat_u64(t->mem.anon_bytes, swap), t->mem.pgtables_bytes);
}

uint64_t victim_yield_bytes(
	const struct chooser *ch, const struct mm_group *g, uint64_t shmem_bytes)
{
	return sub_or_zero_u64(
		sharedmm_yield_bytes(g, shmem_bytes), ch->need->no_swap ? g->mem.swap_bytes : 0);
}

/* One of its fork family was walked, and what that maps is not its alone: so it is with the others.
 */
static const struct walked *shared_in_family(const struct chooser *ch, const struct task *t)
{
	for (uint32_t i = 0; i < ch->walk_count; i++) {
		const struct walked *w = &ch->walks[i];

		if ((w->failed || w->shmem.private_bytes < w->mapped_bytes / 2) &&
			memcmp(&ch->s->tasks[w->task].marks, &t->marks, sizeof(t->marks)) == 0)
			return w;
	}
	return NULL;
}

const struct walked *victim_walk_of(const struct chooser *ch, uint32_t task)
{
	for (uint32_t i = 0; i < ch->walk_count; i++)
		if (ch->walks[i].task == task)
			return &ch->walks[i];
	return NULL;
}

/* The most that the death of t's group may bring back, by the row alone. */
static uint64_t bound_bytes(const struct chooser *ch, uint32_t task)
{
	const struct task *t = &ch->s->tasks[task];
	const struct walked *w = victim_walk_of(ch, task);
	uint64_t shmem = t->mem.shmem_bytes;

	if (!w && shmem > 0) {
		w = shared_in_family(ch, t);
		if (w)
			shmem = sub_or_zero_u64(shmem, w->mapped_bytes);
	}
	return add_sat_u64(own_bytes(ch, t), shmem);
}

static bool walk_allowed(const struct chooser *ch, const struct task *t, const struct mm_group *g)
{
	uint64_t matters = max_u64(ch->need->bytes / 16, WALK_MIN_BYTES);

	return ch->fns->shmem && g->mem.shmem_bytes >= matters && ch->walk_count < WALKS_MAX &&
		ch->walk_failures < WALK_FAILURES_MAX && ch->walked_bytes < WALK_MAX_BYTES &&
		!shared_in_family(ch, t);
}

/* Bytes of the group's shared memory that come back. */
static uint64_t shmem_bytes_of(struct chooser *ch, uint32_t task, const struct mm_group *g)
{
	const struct task *t = &ch->s->tasks[task];
	const struct walked *known = victim_walk_of(ch, task);
	struct walked *w;

	if (!known && walk_allowed(ch, t, g)) {
		w = &ch->walks[ch->walk_count++];
		*w = (struct walked){ .task = task, .mapped_bytes = g->mem.shmem_bytes };
		w->failed = ch->fns->shmem(ch->fns->ctx, t, &w->shmem) < 0;
		if (w->failed)
			ch->walk_failures++;
		ch->walked_bytes = add_sat_u64(ch->walked_bytes, g->mem.shmem_bytes);
		known = w;
	}
	if (known && !known->failed)
		return min_u64(known->shmem.private_bytes, g->mem.shmem_bytes);
	/* Light rows do not tell how little they share. */
	ch->guessed |= g->mem.shmem_bytes >= victim_negligible_bytes(ch->need);
	return sharedmm_shmem_alone_bytes(ch->sm, g);
}

/* --- ranking --- */

uint64_t victim_preferable_bytes(const struct victim_need *need)
{
	return need->bytes / PREFER_DIVISOR;
}

static bool worth_preferring(const struct chooser *ch, uint64_t bytes)
{
	return bytes >= victim_preferable_bytes(ch->need);
}

static bool may_be_preferred(const struct chooser *ch, const struct task *t)
{
	for (uint32_t i = 0; i < ch->config->rule_count; i++) {
		const struct rule *r = &ch->config->rules[i];

		if (r->action == RULE_PREFER && victim_rule_could_match(r, t))
			return true;
	}
	return false;
}

static void push_bound(struct chooser *ch, uint32_t task)
{
	const struct task *t = &ch->s->tasks[task];
	uint64_t bytes = bound_bytes(ch, task);
	bool preferred = worth_preferring(ch, bytes) && may_be_preferred(ch, t);
	uint64_t rank = victim_in_brood(ch, t) ? ch->brood.bytes : bytes;
	int64_t badness = badness_of(ch, rank, t->oom_score_adj, preferred);

	heap_push(ch,
		(struct victim_scratch){
			.key = key_of(badness, false, true), .yield_bytes = bytes, .task = task });
}

static bool any_in(const struct chooser *ch, const struct hidden_list *h, const uint32_t *members,
	uint32_t count)
{
	for (uint32_t i = 0; h->count > 0 && i < count; i++)
		if (hidden_contains(h, &ch->s->tasks[members[i]]))
			return true;
	return false;
}

enum victim_reason victim_plain_reason(const struct chooser *ch, const struct mm_group *g)
{
	const uint32_t *members = sharedmm_members(ch->sm, g);

	if (g->pin != MM_PIN_NONE)
		return REASON_PINNED;
	if (any_in(ch, ch->hidden, members, g->count))
		return REASON_HIDDEN;
	/* Asked to go by SIGTERM, or past the point where a pending SIGKILL can be seen. */
	if (ch->need->in_flight && any_in(ch, ch->need->in_flight, members, g->count))
		return REASON_DYING;
	return g->kill_pending ? REASON_DYING : REASON_CHOSEN;
}

bool victim_dies_elsewhere(const struct chooser *ch, const struct mm_group *g)
{
	const struct hidden_list *ours = ch->need->in_flight;

	return g->kill_pending && victim_plain_reason(ch, g) == REASON_DYING &&
		!(ours && any_in(ch, ours, sharedmm_members(ch->sm, g), g->count));
}

/* All that is left cannot cover the need, and this one is too small to be taken then. */
static bool beneath_notice(const struct chooser *ch, const struct victim_scratch *e)
{
	return !ch->need->explain && e->yield_bytes < ch->small_bytes &&
		ch->eligible_bytes + ch->skipped_bytes + ch->ahead_bytes + e->yield_bytes <
		ch->need->bytes &&
		!victim_in_brood(ch, &ch->s->tasks[e->task]);
}

/* The set is full, and of those who give more. */
static bool finds_no_room(const struct chooser *ch, const struct victim_scratch *e)
{
	return !ch->need->explain && !ch->skips_none && ch->set_count == VICTIM_SET_MAX &&
		e->yield_bytes <= victim_set_least_bytes(ch);
}

/*
 * The shared memory that comes back with the group, and the rule that has a say in its rank. A walk
 * is spared those who are not eligible, for it costs more than anything else here.
 */
static uint64_t shmem_of_ranked(
	struct chooser *ch, uint32_t task, struct mm_group *g, const struct rule **ret_rule)
{
	bool walk = walk_allowed(ch, &ch->s->tasks[task], g);
	/* Who is asked at all is asked everything, so that once is enough. */
	bool protect = walk || !victim_rules_protect_by_cmdline(ch->config);
	uint32_t member;

	*ret_rule = NULL;
	if (victim_plain_reason(ch, g) != REASON_CHOSEN)
		return sharedmm_shmem_alone_bytes(ch->sm, g);
	*ret_rule = victim_rule_of(&ch->world, g,
		RULE_BIT(RULE_AVOID) | RULE_BIT(RULE_PREFER) |
			(protect ? RULE_BIT(RULE_PROTECT) : 0),
		&member);
	if (*ret_rule &&
		((*ret_rule)->action == RULE_PROTECT ||
			((*ret_rule)->action == RULE_AVOID && !ch->need->avoided_eligible)))
		return sharedmm_shmem_alone_bytes(ch->sm, g);
	return shmem_bytes_of(ch, task, g);
}

/* A task came up by its bound: gives its group the place it deserves. */
static void weigh(struct chooser *ch, const struct victim_scratch *e)
{
	const struct rule *rule = NULL;
	struct mm_group *g;
	uint64_t yield, rank;
	bool avoided, preferred;

	if (bound_bytes(ch, e->task) < e->yield_bytes) {
		push_bound(ch, e->task); /* a walk has told more about it since */
		return;
	}
	if (beneath_notice(ch, e)) {
		ch->any_eligible = true; /* as good as certain, and all that matters of it */
		ch->largest_bytes = max_u64(ch->largest_bytes, e->yield_bytes);
		return;
	}
	if (finds_no_room(ch, e)) {
		ch->skipped_bytes += e->yield_bytes;
		return;
	}
	g = sharedmm_group_of(ch->sm, e->task, ch->fns->cmp, ch->fns->ctx, ch->fns->evidence);
	if (!g || g->mark == ch->mark)
		return;
	g->mark = ch->mark;
	yield = victim_yield_bytes(ch, g, shmem_of_ranked(ch, e->task, g, &rule));
	rank = victim_in_brood(ch, &ch->s->tasks[e->task]) ? ch->brood.bytes : yield;
	preferred = rule && rule->action == RULE_PREFER &&
		worth_preferring(ch, victim_yield_bytes(ch, g, g->mem.shmem_bytes));
	avoided = rule && rule->action == RULE_AVOID && ch->need->avoided_eligible;
	heap_push(ch,
		(struct victim_scratch){
			.key = key_of(
				badness_of(ch, rank, g->oom_score_adj, preferred), avoided, false),
			.yield_bytes = yield,
			.task = e->task,
		});
}

static bool may_be_ranked(const struct chooser *ch, uint32_t task)
{
	return !(ch->s->tasks[task].flags & (TASK_KTHREAD | TASK_NO_MM | TASK_LIGHT)) &&
		victim_in_scope(ch, task);
}

/* By the row alone, whatever walks have told since: who is ranked first and who last must be all,
 * and each once. */
static bool gives_least(const struct chooser *ch, uint32_t task)
{
	const struct task *t = &ch->s->tasks[task];

	return add_sat_u64(own_bytes(ch, t), t->mem.shmem_bytes) >= ch->least_bytes;
}

void victim_rank_begin(struct chooser *ch)
{
	ch->heap_count = 0;
	ch->ahead_bytes = 0;
	ch->mark = sharedmm_new_mark(ch->sm);
	for (uint32_t i = 0; i < ch->s->count; i++)
		if (may_be_ranked(ch, i) && gives_least(ch, i))
			push_bound(ch, i);
}

void victim_rank_rest(struct chooser *ch)
{
	for (uint32_t i = 0; i < ch->s->count; i++)
		if (may_be_ranked(ch, i) && !gives_least(ch, i))
			push_bound(ch, i);
	ch->least_bytes = 0;
}

bool victim_rank_next(struct chooser *ch, struct candidate *ret, bool *ret_avoided)
{
	while (ch->heap_count > 0) {
		struct victim_scratch e = heap_pop(ch);
		const struct mm_group *g;

		if (e.key & KEY_BOUND) {
			weigh(ch, &e);
			continue;
		}
		g = sharedmm_group_of(
			ch->sm, e.task, ch->fns->cmp, ch->fns->ctx, ch->fns->evidence);
		*ret = (struct candidate){
			.task = e.task,
			.badness = badness_of_key(e.key),
			.yield_bytes = e.yield_bytes,
			.shmem_bytes = sub_or_zero_u64(e.yield_bytes, victim_yield_bytes(ch, g, 0)),
			.group = *g,
		};
		*ret_avoided = !(e.key & KEY_REGULAR);
		return true;
	}
	return false;
}

uint64_t victim_rank_largest_ahead(const struct chooser *ch)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < ch->heap_count; i++)
		if (ch->s->tasks[ch->heap[i].task].oom_score_adj != -1000)
			largest = max_u64(largest, ch->heap[i].yield_bytes);
	return largest;
}
