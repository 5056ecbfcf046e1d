/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who of those that come up in rank is taken: the set, kept in the choice itself, and what is made
 * of it when nobody is left. Apart from victim-rank.c because order is one question, and how many
 * are enough another.
 */
#include "util.h"
#include "victim-internal.h"

#include <string.h>

/* Of the need: processes with so much have enough to choose from, whatever files hold. */
#define FILES_FACTOR 4

/* The chosen one that gives least; of equals the last in rank. */
static uint32_t smallest_chosen(const struct choice *c)
{
	uint32_t smallest = UINT32_MAX;

	for (uint32_t i = 0; i < c->candidate_count; i++)
		if (c->candidates[i].reason == REASON_CHOSEN &&
			(smallest == UINT32_MAX ||
				c->candidates[i].yield_bytes <=
					c->candidates[smallest].yield_bytes))
			smallest = i;
	return smallest;
}

uint64_t victim_set_least_bytes(const struct chooser *ch)
{
	return ch->ret->candidates[smallest_chosen(ch->ret)].yield_bytes;
}

static void leave_out(struct chooser *ch, struct candidate *c, enum victim_reason reason)
{
	c->reason = reason;
	ch->set_count--;
	ch->set_bytes -= c->yield_bytes;
}

static void leave_all_out(struct chooser *ch, enum victim_reason reason)
{
	for (uint32_t i = 0; i < ch->ret->candidate_count; i++)
		if (ch->ret->candidates[i].reason == REASON_CHOSEN)
			leave_out(ch, &ch->ret->candidates[i], reason);
}

bool victim_set_has_room(const struct chooser *ch)
{
	return ch->ret->candidate_count - ch->set_count < VICTIM_REPORT_MAX;
}

void victim_set_note(struct chooser *ch, const struct candidate *c)
{
	if (victim_set_has_room(ch))
		ch->ret->candidates[ch->ret->candidate_count++] = *c;
}

static void remove_candidate(struct choice *c, uint32_t i)
{
	c->candidate_count--;
	memmove(&c->candidates[i], &c->candidates[i + 1],
		(c->candidate_count - i) * sizeof(c->candidates[0]));
}

void victim_set_take(struct chooser *ch, struct candidate *c)
{
	struct choice *ret = ch->ret;

	if (ch->set_count == VICTIM_SET_MAX) {
		uint32_t i = smallest_chosen(ret);

		if (ret->candidates[i].yield_bytes >= c->yield_bytes) {
			c->reason = REASON_NO_ROOM;
			victim_set_note(ch, c);
			return;
		}
		leave_out(ch, &ret->candidates[i], REASON_NO_ROOM);
		if (!victim_set_has_room(ch))
			remove_candidate(ret, i);
	}
	if (c->yield_bytes >= ch->alone_bytes && ch->enough_bytes == ch->need->bytes) {
		leave_all_out(ch, REASON_REDUNDANT);
		ch->covered = true;
	}
	ret->candidates[ret->candidate_count++] = *c;
	ch->set_count++;
	ch->set_bytes += c->yield_bytes;
	if (ch->set_bytes >= ch->enough_bytes)
		ch->covered = true;
	while (ch->covered && ch->set_count > 1) {
		struct candidate *least = &ret->candidates[smallest_chosen(ret)];

		if (ch->set_bytes - least->yield_bytes < ch->enough_bytes)
			break;
		leave_out(ch, least, REASON_REDUNDANT);
	}
}

void victim_set_consider_share(struct chooser *ch, const struct candidate *c, bool avoided)
{
	const struct walked *w = victim_walk_of(ch, c->task);
	uint64_t pss = w && !w->failed ? min_u64(w->shmem.pss_bytes, c->group.mem.shmem_bytes) : 0;
	uint64_t bytes = add_sat_u64(c->yield_bytes, pss);
	struct candidate *share = &ch->share;

	pss = min_u64(pss, INT64_MAX / 4); /* like badness itself */
	if (pss == 0 || bytes < ch->small_bytes)
		return;
	/* Rank decides, as it would if it were chosen for what it gives; the first of equals. */
	if (ch->share_bytes > 0 &&
		(avoided > ch->share_avoided ||
			(avoided == ch->share_avoided &&
				c->badness + (int64_t)pss <= share->badness)))
		return;
	*share = *c;
	share->reason = REASON_CHOSEN;
	share->badness += (int64_t)pss;
	share->yield_bytes = bytes;
	share->shmem_bytes = add_sat_u64(share->shmem_bytes, pss);
	ch->share_bytes = bytes;
	ch->share_avoided = avoided;
}

/* The set becomes the best share of shared memory alone. */
static void choose_share(struct chooser *ch)
{
	struct choice *ret = ch->ret;
	uint32_t at = 0;

	leave_all_out(ch, REASON_NOT_NEEDED);
	for (uint32_t i = 0; i < ret->candidate_count; i++)
		if (ret->candidates[i].task == ch->share.task)
			remove_candidate(ret, i);
	if (ret->candidate_count == ARRAY_SIZE(ret->candidates))
		ret->candidate_count--;
	while (at < ret->candidate_count && ret->candidates[at].badness >= ch->share.badness)
		at++;
	memmove(&ret->candidates[at + 1], &ret->candidates[at],
		(ret->candidate_count - at) * sizeof(ret->candidates[0]));
	ret->candidates[at] = ch->share;
	ret->candidate_count++;
	ch->set_count = 1;
	ch->set_bytes = ch->share_bytes;
	ret->result = VICTIM_PARTIAL;
}

/* Those who cannot cover the need: who of them is worth it nonetheless. */
static void keep_who_helps(struct chooser *ch)
{
	/* With the next set there will be more: only the room is lacking. */
	bool more = ch->eligible_bytes >= ch->need->bytes && ch->set_bytes >= ch->small_bytes;

	for (uint32_t i = 0; i < ch->ret->candidate_count && !more; i++) {
		struct candidate *c = &ch->ret->candidates[i];

		if (c->reason == REASON_CHOSEN && c->yield_bytes < ch->small_bytes &&
			!victim_in_brood(ch, &ch->s->tasks[c->task]))
			leave_out(ch, c, REASON_TOO_SMALL);
	}
}

static enum victim_result result_of(const struct chooser *ch)
{
	if (ch->covered)
		return VICTIM_CHOSEN;
	if (ch->set_count > 0)
		return VICTIM_PARTIAL;
	if (ch->unread)
		return VICTIM_UNREAD;
	if (ch->dying_bytes >= ch->small_bytes)
		return VICTIM_ALL_DYING;
	if (ch->held_bytes >= ch->small_bytes)
		return VICTIM_NONE;
	if (ch->any_eligible)
		return VICTIM_HOPELESS;
	return ch->any_dying ? VICTIM_ALL_DYING : VICTIM_NONE;
}

/* Whether the memory is held by files that nobody maps rather than by processes: see victim.h. Both
 * sums count what is shared once for each who maps it, so that the doubt is for the processes. */
static bool files_hold_it(const struct chooser *ch)
{
	uint64_t processes = 0, mapped = 0, files;

	for (uint32_t i = 0; i < ch->s->count; i++) {
		const struct task *t = &ch->s->tasks[i];

		if (!victim_in_scope(ch, i))
			continue;
		mapped = add_sat_u64(mapped, t->mem.shmem_bytes);
		if (t->oom_score_adj != -1000)
			processes = add_sat_u64(
				processes, add_sat_u64(t->mem.anon_bytes, t->mem.swap_bytes));
	}
	files = sub_or_zero_u64(ch->need->shmem_bytes, mapped);
	return files > processes && processes / FILES_FACTOR < ch->need->bytes;
}

void victim_set_conclude(struct chooser *ch)
{
	struct choice *ret = ch->ret;
	bool alone = ch->covered && ch->set_count == 1;
	bool early = ch->unread && !ch->need->unread_protects;

	if (ch->waits && ch->set_count == 0) {
		ret->result = VICTIM_UNREAD;
		return;
	}
	if (ch->set_bytes >= ch->need->bytes)
		ch->covered = true;
	if (!ch->covered)
		keep_who_helps(ch);
	ret->result = result_of(ch);
	if (!alone && ret->result != VICTIM_ALL_DYING && ret->result != VICTIM_UNREAD &&
		files_hold_it(ch)) {
		leave_all_out(ch, REASON_TOO_SMALL);
		ret->result = VICTIM_HOPELESS;
	}
	if (ret->result != VICTIM_CHOSEN && ret->result != VICTIM_ALL_DYING && !early &&
		ch->share_bytes > ch->set_bytes)
		choose_share(ch);
	for (uint32_t i = 0; i < ret->candidate_count; i++) {
		if (ret->candidates[i].reason != REASON_CHOSEN)
			continue;
		ret->chosen[ret->count++] = i;
		ret->yield_bytes = add_sat_u64(ret->yield_bytes, ret->candidates[i].yield_bytes);
	}
}
