/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "victim.h"

#include "util.h"
#include "victim-internal.h"

#include <string.h>

/* See victim.h. A tick is 1/100 s to user space on every architecture of today. */
#define BROOD_MIN         32
#define BROOD_FACTOR      4
#define BROOD_YOUNG_TICKS UINT64_C(6000)
/* A family bears again what it lost if it is this part of it: choices follow each other quickly. */
#define OUTGROWN_PART 4
#define OUTGROWN_MAX  6 /* 32 times the need; each time it has to have borne as much more */

#define NEGLIGIBLE_DIVISOR 16
/* Who gives this much of it less than another is not its equal. */
#define UNREAD_DIVISOR 8

static void note_unread(struct chooser *ch, const struct candidate *c)
{
	if (ch->unread && c->badness <= ch->unread_badness)
		return;
	ch->unread = true;
	ch->unread_badness = c->badness;
	ch->unread_badness_margin =
		(int64_t)(min_u64(c->yield_bytes, INT64_MAX / 4) / UNREAD_DIVISOR);
}

/* Why the group is not eligible; REASON_CHOSEN: it is. Reads what the rules want to know. */
static enum victim_reason reason_of(struct chooser *ch, struct candidate *c)
{
	enum victim_reason plain = victim_plain_reason(ch, &c->group);
	struct mm_group *g;
	uint32_t member;

	if (plain != REASON_CHOSEN)
		return plain;
	if (c->group.kthreads > 0 && ch->config->kernel_users == KERNEL_USERS_SPARE) {
		c->group.pin = MM_PIN_KTHREAD;
		c->group.pinned_by = c->group.kthread;
		return REASON_PINNED;
	}
	g = sharedmm_group_of(ch->sm, c->task, ch->fns->cmp, ch->fns->ctx, ch->fns->evidence);
	c->rule = victim_rule_of(&ch->world, g, ~0u, &member);
	if (c->rule && c->rule->action == RULE_PROTECT) {
		c->group.pin = MM_PIN_PROTECTED;
		c->group.pinned_by = member;
		if (g->ruled.unread && c->yield_bytes > 0)
			note_unread(ch, c);
		return g->ruled.unread && !ch->need->unread_protects ? REASON_UNREAD
								     : REASON_PROTECTED;
	}
	if (c->rule && c->rule->action == RULE_AVOID && !ch->need->avoided_eligible)
		return REASON_AVOIDED;
	return c->yield_bytes == 0 ? REASON_NO_YIELD : REASON_CHOSEN;
}

/* Whether this one, behind somebody who is not read yet, would die in his stead. With his equals it
 * is no matter which of them goes: a fork bomb is not waited for. */
static bool would_die_instead(const struct chooser *ch, const struct candidate *c)
{
	return ch->unread && !ch->need->unread_protects &&
		c->badness < ch->unread_badness - ch->unread_badness_margin;
}

/* The next in rank: takes it or notes why not. */
static void admit(struct chooser *ch, struct candidate *c, bool avoided)
{
	c->reason = reason_of(ch, c);
	switch (c->reason) {
	case REASON_CHOSEN:
		ch->any_eligible = true;
		ch->eligible_bytes += c->yield_bytes;
		ch->largest_bytes = max_u64(ch->largest_bytes, c->yield_bytes);
		if (ch->covered) {
			c->reason = REASON_NOT_NEEDED;
			victim_set_note(ch, c);
			return;
		}
		victim_set_consider_share(ch, c, avoided);
		victim_set_take(ch, c);
		return;
	case REASON_NO_YIELD:
		victim_set_consider_share(ch, c, avoided);
		break;
	case REASON_DYING:
		ch->any_dying = true;
		ch->dying_bytes = add_sat_u64(ch->dying_bytes, c->yield_bytes);
		break;
	case REASON_AVOIDED:
	case REASON_PINNED:
	case REASON_PROTECTED:
	case REASON_HIDDEN:
		ch->held_bytes = max_u64(ch->held_bytes, c->yield_bytes);
		break;
	case REASON_UNREAD:
		/* A family must not die in his stead either. */
		ch->largest_bytes = max_u64(ch->largest_bytes, c->yield_bytes);
		break;
	case REASON_REDUNDANT:
	case REASON_NOT_NEEDED:
	case REASON_TOO_SMALL:
	case REASON_NO_ROOM:
		break; /* not for a group by itself */
	}
	victim_set_note(ch, c);
}

/* With a fork family nobody else is taken: what is needed because it grows comes from itself, and
 * what is still needed then shows in the next choice. */
static void rank_and_take(struct chooser *ch, uint64_t least_bytes)
{
	struct candidate c;
	bool avoided;

	ch->least_bytes = least_bytes;
	ch->covered = ch->any_eligible = ch->any_dying = ch->unread = ch->waits = false;
	ch->set_count = ch->ret->candidate_count = 0;
	ch->set_bytes = ch->eligible_bytes = ch->skipped_bytes = 0;
	ch->largest_bytes = ch->dying_bytes = ch->held_bytes = ch->share_bytes = 0;
	victim_rank_begin(ch);
	while (!ch->covered && !ch->waits && victim_rank_next(ch, &c, &avoided)) {
		if (ch->set_count > 0 && ch->brood.bytes > 0 &&
			!victim_in_brood(ch, &ch->s->tasks[c.task]))
			break;
		ch->waits = would_die_instead(ch, &c);
		if (!ch->waits)
			admit(ch, &c, avoided);
	}
}

/* The next in rank behind those who suffice, for people who want to see them. */
static void note_rest(struct chooser *ch)
{
	struct candidate c;
	bool avoided;

	victim_rank_rest(ch);
	while (victim_set_has_room(ch) && victim_rank_next(ch, &c, &avoided))
		admit(ch, &c, avoided);
}

/* --- many small ones --- */

static uint64_t youngest_ticks(const struct snapshot *s)
{
	uint64_t ticks = 0;

	for (uint32_t i = 0; i < s->count; i++)
		ticks = max_u64(ticks, s->tasks[i].id.start_ticks);
	return ticks;
}

/* How many are the young of a class of equal marks; 0 if they are not of one uid. */
static uint32_t count_young(const struct chooser *ch, const uint32_t *tasks, uint32_t count,
	uint64_t since_ticks, struct brood *ret)
{
	uint32_t young = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct task *t = &ch->s->tasks[tasks[i]];

		if (t->id.start_ticks < since_ticks || !victim_in_scope(ch, tasks[i]))
			continue;
		if ((t->flags & TASK_MARKS_HIDDEN) || (young > 0 && t->uid != ret->uid))
			return 0;
		*ret = (struct brood){
			.marks = t->marks, .uid = t->uid, .since_ticks = since_ticks
		};
		young++;
	}
	return young;
}

/* What the young of a class give in all, those who are dying counted only if wanted. Returns how
 * many groups may be chosen: they may be few, for they share their mms. */
static uint32_t sum_of_family(struct chooser *ch, uint32_t class, bool dying, struct brood *b)
{
	const struct brood *before = ch->need->brood;
	uint32_t count, groups = 0;
	const uint32_t *tasks = sharedmm_class(ch->sm, class, &count);

	for (uint32_t i = 0; i < count;) {
		const struct mm_group *g;
		const struct task *t;
		enum victim_reason reason;
		uint64_t yield;
		bool in_scope;

		/* Settling may put others at this place: only the second answer is about it. */
		sharedmm_group_of(ch->sm, tasks[i], ch->fns->cmp, ch->fns->ctx, ch->fns->evidence);
		t = &ch->s->tasks[tasks[i]];
		in_scope = victim_in_scope(ch, tasks[i]);
		g = sharedmm_group_of(
			ch->sm, tasks[i], ch->fns->cmp, ch->fns->ctx, ch->fns->evidence);
		i += g->count;
		if (t->id.start_ticks < b->since_ticks || !in_scope)
			continue;
		reason = victim_plain_reason(ch, g);
		yield = victim_yield_bytes(ch, g, 0);
		if (reason == REASON_CHOSEN || (dying && reason == REASON_DYING))
			b->bytes = add_sat_u64(b->bytes, yield);
		if (reason != REASON_CHOSEN)
			continue;
		groups++;
		if (before && t->id.start_ticks > before->newest_ticks)
			b->born_bytes = add_sat_u64(b->born_bytes, yield);
	}
	return groups;
}

static bool is_that_before(const struct chooser *ch, const struct brood *b)
{
	const struct brood *before = ch->need->brood;

	return before && before->uid == b->uid &&
		memcmp(&before->marks, &b->marks, sizeof(b->marks)) == 0;
}

/* Finds the fork family that counts as one candidate. False: there is none. */
static bool find_brood(struct chooser *ch)
{
	uint64_t newest = youngest_ticks(ch->s), largest;
	uint64_t since = sub_or_zero_u64(newest, BROOD_YOUNG_TICKS);
	const uint32_t *tasks;
	uint32_t count;
	bool single;

	largest = max_u64(ch->largest_bytes, victim_rank_largest_ahead(ch));
	single = largest >= ch->alone_bytes;
	if (single && !ch->need->brood)
		return false;
	for (uint32_t i = 0; (tasks = sharedmm_class(ch->sm, i, &count)); i++) {
		struct brood b = { 0 };
		uint32_t young = count_young(ch, tasks, count, since, &b);
		/* Of the one before the last few go too, with what most of it gives by now. */
		bool before = young > 0 && is_that_before(ch, &b);

		if (!before && (young < BROOD_MIN || single))
			continue;
		if (sum_of_family(ch, i, before, &b) < (before ? 1 : BROOD_MIN))
			continue;
		if (b.bytes >= ch->small_bytes && b.bytes / BROOD_FACTOR >= largest &&
			b.bytes > ch->brood.bytes)
			ch->brood = b;
	}
	return ch->brood.bytes > 0;
}

/* How often in a row it has borne again a good part of what it lost, from one choice to the next.
 */
static uint32_t times_outgrown(const struct chooser *ch)
{
	const struct brood *before = ch->need->brood, *b = &ch->brood;
	bool outgrown;

	if (!is_that_before(ch, b))
		return 1;
	/* One of it, or nobody, was taken: that tells nothing. */
	if (before->taken_bytes == 0)
		return before->times;
	outgrown = b->born_bytes > 0 && b->born_bytes >= before->taken_bytes / OUTGROWN_PART;
	if (!outgrown)
		return before->times > 1 ? before->times - 1 : 1;
	return before->times < OUTGROWN_MAX ? before->times + 1 : OUTGROWN_MAX;
}

/* What a family is to give: twice as much each time that it has outgrown its dead, until there are
 * fewer than could bear as many. */
static uint64_t family_need_bytes(const struct chooser *ch)
{
	uint64_t need = ch->need->bytes;

	for (uint32_t i = 1; i < ch->brood.times && need < ch->brood.bytes; i++)
		need = add_sat_u64(need, need);
	return max_u64(min_u64(need, ch->brood.bytes), ch->need->bytes);
}

/* Whether all that is left covers the need with those only who were not looked at. */
static bool depends_on_skipped(const struct chooser *ch)
{
	return !ch->covered && ch->eligible_bytes < ch->need->bytes &&
		ch->eligible_bytes + ch->skipped_bytes >= ch->need->bytes;
}

static void choose_of_family(struct chooser *ch)
{
	ch->brood.times = times_outgrown(ch);
	ch->brood.newest_ticks = youngest_ticks(ch->s);
	ch->enough_bytes = family_need_bytes(ch);
	rank_and_take(ch, 0);
}

uint64_t victim_negligible_bytes(const struct victim_need *need)
{
	return need->bytes / NEGLIGIBLE_DIVISOR;
}

bool victim_is_dying(const struct task *t, uint64_t least_bytes)
{
	return (t->flags & TASK_KILL_PENDING) &&
		!(t->flags & (TASK_KTHREAD | TASK_NO_MM | TASK_LIGHT)) &&
		add_sat_u64(t->mem.anon_bytes, t->mem.swap_bytes) >= max_u64(least_bytes, 1);
}

/* What comes back of groups that others have killed, as far as it matters. */
static uint64_t dying_elsewhere_bytes(struct chooser *ch)
{
	const struct victim_need *need = ch->need;
	uint32_t mark = need->overdue ? sharedmm_new_mark(ch->sm) : 0;
	uint64_t sum = need->overdue ? need->teardown_bytes : 0;

	for (uint32_t i = 0; need->overdue && i < ch->s->count; i++) {
		struct mm_group *g;

		if (!victim_is_dying(&ch->s->tasks[i], victim_negligible_bytes(need)) ||
			need->overdue[i] || !victim_in_scope(ch, i))
			continue;
		g = sharedmm_group_of(ch->sm, i, ch->fns->cmp, ch->fns->ctx, ch->fns->evidence);
		if (!g || g->mark == mark)
			continue;
		g->mark = mark;
		if (victim_dies_elsewhere(ch, g))
			sum = add_sat_u64(sum, victim_yield_bytes(ch, g, 0));
	}
	return sum;
}

static struct victim_need need_without(const struct victim_need *need, uint64_t coming_bytes)
{
	struct victim_need rest = *need;

	if (rest.alone_bytes == 0)
		rest.alone_bytes = rest.bytes;
	rest.bytes = max_u64(sub_or_zero_u64(rest.bytes, coming_bytes), 1);
	rest.alone_bytes = max_u64(sub_or_zero_u64(rest.alone_bytes, coming_bytes), 1);
	return rest;
}

static void set_need(struct chooser *ch, const struct victim_need *need)
{
	ch->need = need;
	ch->alone_bytes = need->alone_bytes;
	ch->small_bytes = max_u64(need->bytes / SMALL_DIVISOR, 1);
	ch->enough_bytes = need->bytes;
}

static bool is_alone(const struct chooser *ch)
{
	return ch->covered && ch->set_count == 1;
}

/* Whether the set is as good as with the negligible ones. */
static bool does_without_negligible(const struct chooser *ch)
{
	const struct choice *c = ch->ret;

	for (uint32_t i = 0; i < c->candidate_count; i++)
		if (c->candidates[i].reason == REASON_CHOSEN &&
			(c->candidates[i].group.oom_score_adj < 0 ||
				(c->candidates[i].rule &&
					c->candidates[i].rule->action == RULE_AVOID)))
			return false;
	return ch->covered;
}

/* Whether light rows might change the choice: more than one is needed, one of them shares the mm of
 * the one chosen, or might share much with whoever was considered. */
static bool lacks_rows(const struct chooser *ch)
{
	const struct candidate *c = ch->ret->candidates;

	if (ch->s->light == 0)
		return false;
	if (!is_alone(ch) || !does_without_negligible(ch) || ch->guessed || ch->need->brood)
		return true;
	while (c->reason != REASON_CHOSEN)
		c++;
	for (uint32_t i = 0; i < c->group.count; i++)
		if (ch->s->tasks[sharedmm_members(ch->sm, &c->group)[i]].flags & TASK_LIGHT)
			return true;
	return false;
}

void victim_choose(const struct snapshot *s, struct sharedmm *sm, const struct config *c,
	const struct hidden_list *hidden, const struct victim_need *need,
	const struct victim_fns *fns, struct victim_scratch *scratch, struct choice *ret)
{
	struct chooser ch = {
		.world = { .s = s,
			.sm = sm,
			.config = c,
			.fns = fns,
			.in_domain = need->scope != NULL },
		.s = s,
		.sm = sm,
		.config = c,
		.hidden = hidden,
		.need = need,
		.fns = fns,
		.ret = ret,
		.heap = scratch,
	};
	uint64_t dying_bytes = dying_elsewhere_bytes(&ch);
	struct victim_need rest = need_without(need, dying_bytes);

	set_need(&ch, &rest);
	ret->generation = s->generation;
	ret->count = ret->candidate_count = 0;
	ret->waits = dying_bytes >= need->bytes;
	ret->yield_bytes = 0;
	ret->incomplete = false;
	ret->brood = (struct brood){ 0 };
	ret->unread = false;
	if (ret->waits) {
		ret->result = VICTIM_ALL_DYING;
		return;
	}
	rank_and_take(&ch, victim_negligible_bytes(need));
	if (lacks_rows(&ch)) {
		ret->incomplete = true;
		ret->result = VICTIM_NONE;
		ret->candidate_count = 0;
		return;
	}
	if (!does_without_negligible(&ch))
		rank_and_take(&ch, 0);
	if ((!is_alone(&ch) || need->brood) && find_brood(&ch))
		choose_of_family(&ch);
	else if (depends_on_skipped(&ch)) {
		ch.skips_none = true;
		rank_and_take(&ch, 0);
	}
	ret->unread = ch.unread;
	if (need->explain)
		note_rest(&ch);
	victim_set_conclude(&ch);
	ret->brood = ch.brood;
}

enum victim_reason victim_consider(const struct snapshot *s, struct sharedmm *sm,
	const struct config *c, const struct hidden_list *hidden, const struct victim_need *need,
	const struct victim_fns *fns, uint32_t task, struct candidate *ret)
{
	struct chooser ch = {
		.world = { .s = s,
			.sm = sm,
			.config = c,
			.fns = fns,
			.in_domain = need->scope != NULL },
		.s = s,
		.sm = sm,
		.config = c,
		.hidden = hidden,
		.need = need,
		.fns = fns,
	};
	const struct mm_group *g = sharedmm_group_of(sm, task, fns->cmp, fns->ctx, fns->evidence);

	*ret = (struct candidate){ .task = task, .reason = REASON_NO_YIELD };
	if (!g)
		return ret->reason;
	ret->group = *g;
	ret->shmem_bytes = sharedmm_shmem_alone_bytes(sm, g);
	ret->yield_bytes = victim_yield_bytes(&ch, g, ret->shmem_bytes);
	ret->reason = reason_of(&ch, ret);
	return ret->reason;
}
