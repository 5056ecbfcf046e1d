/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the last action came to, and what is seen of the victims, taken into the state. Apart from
 * engine.c because that decides, and this only takes note.
 */
#include "engine-internal.h"
#include "util.h"

#include <signal.h>

/* Growth seen right after a signal is that of the victims, which have not stopped yet. */
#define GROWTH_BLIND_USEC (20 * USEC_PER_MSEC)
/* A victim's rss must fall by this part of what is expected to count as progress. */
#define PROGRESS_PART 64
/* Victims who are gone, or refused, when we come to signal them: choose anew at once, but then the
 * ladder goes on as if nobody could be chosen. */
#define VANISHED_MAX 8
/* What dies by other hands suffices: looked at again this soon. */
#define DYING_RETRY_USEC (50 * USEC_PER_MSEC)
/* Somebody could not be told from the protected in time: asked again this soon. */
#define UNREAD_RETRY_USEC (20 * USEC_PER_MSEC)

static struct engine_victim *victim_by_slot(struct engine *e, int slot)
{
	uint32_t i = engine_index_of(e, slot);

	return i < e->victim_count ? &e->victim[i] : NULL;
}

static void victims_add(
	struct engine *e, const struct engine_outcome *o, const struct engine_input *in)
{
	uint64_t now_usec = in->now_usec;

	if (e->victim_count == 0)
		e->settle_base_bytes = in->mem->available_bytes;
	for (uint32_t i = 0; i < o->count && e->victim_count < ENGINE_VICTIMS_MAX; i++) {
		e->victim[e->victim_count++] = (struct engine_victim){
			.slot = o->slots[i],
			.kill = {
				.sig = e->pending.sig,
				.expected_bytes = o->expected_bytes[i],
				.shmem_bytes = o->shmem_bytes[i],
				.signalled_usec = now_usec,
				.progress_usec = now_usec,
			},
			.held_bytes = o->expected_bytes[i],
			.least_bytes = o->expected_bytes[i],
			.seen = { .mm_visible = true, .rss_bytes = o->expected_bytes[i] },
			.deaf = o->deaf[i],
		};
		e->victims++;
	}
	e->growth_from_usec = add_sat_u64(now_usec, GROWTH_BLIND_USEC);
	e->fruitless_in_a_row = 0;
	e->exhausted = false;
}

/* Whom we could not read may be readable in a moment, while the ladder ends in steps that spare
 * nobody: it comes when the time is up that any victim gets. */
static void wait_for_readers(struct engine *e, uint64_t now_usec)
{
	uint64_t until;

	if (e->vain_since_usec == 0)
		e->vain_since_usec = now_usec;
	until = add_sat_u64(e->vain_since_usec, e->config->victim_timeout_usec);
	if (now_usec >= until)
		e->exhausted = true;
	else
		e->hold_usec = max_u64(e->hold_usec, min_u64(until, now_usec + UNREAD_RETRY_USEC));
}

static void absorb_choice(struct engine *e, const struct engine_input *in)
{
	const struct engine_outcome *o = in->outcome;
	uint64_t now_usec = in->now_usec, until, took = sub_or_zero_u64(now_usec, e->asked_usec);

	/* Quick to learn that it takes long, slow to forget. */
	e->choose_usec =
		min_u64(max_u64(took, (3 * e->choose_usec + took) / 4), ENGINE_KILL_TIME_MAX_USEC);
	e->last_result = o->result;
	if (o->result != VICTIM_ALL_DYING)
		e->dying_since_usec = 0;
	else if (e->dying_since_usec == 0)
		e->dying_since_usec = now_usec;
	if (!o->unread)
		e->unread_since_usec = 0;
	else if (e->unread_since_usec == 0)
		e->unread_since_usec = now_usec;
	if (!o->unread || o->count > 0)
		e->vain_since_usec = 0;
	if (o->hold_usec > 0)
		e->hold_usec = add_sat_u64(now_usec, o->hold_usec);
	if (o->count > 0) {
		victims_add(e, o, in);
		return;
	}
	switch (o->result) {
	case VICTIM_CHOSEN:
	case VICTIM_PARTIAL:
		/* All were gone, refused or unread when we came to signal them. */
		if (o->unread)
			wait_for_readers(e, now_usec);
		else if (++e->fruitless_in_a_row >= VANISHED_MAX) {
			e->exhausted = true;
			e->fruitless_in_a_row = 0;
		}
		break;
	case VICTIM_ALL_DYING:
		/* Each of them has its time in the choice itself, all together have that of one of
		 * ours that progresses (relieve()). */
		if (o->waits) {
			e->hold_usec = max_u64(e->hold_usec, now_usec + DYING_RETRY_USEC);
			break;
		}
		/* Somebody else's victims get the time ours get; then the ladder goes on. */
		until = add_sat_u64(e->dying_since_usec, e->config->victim_timeout_usec);
		if (now_usec >= until)
			e->exhausted = true;
		else
			e->hold_usec = max_u64(e->hold_usec, until);
		break;
	case VICTIM_UNREAD:
		wait_for_readers(e, now_usec);
		break;
	case VICTIM_NONE:
	case VICTIM_HOPELESS:
		e->exhausted = true;
		break;
	}
}

static void absorb_step(struct engine *e, bool acted, uint64_t now_usec)
{
	if (e->pending.step == LADDER_AVOIDED) {
		e->avoided_eligible = true;
		e->exhausted = false;
	} else if (acted) {
		e->step_until_usec = add_sat_u64(now_usec, e->config->step_timeout_usec);
		e->exhausted = false; /* then whoever is new goes before the next step */
		e->growth_from_usec = add_sat_u64(now_usec, GROWTH_BLIND_USEC);
	}
}

/* Not sent: it is no victim of SIGKILL yet, and must not be waited for as one. */
static void absorb_unread(const struct engine *e, struct engine_victim *v, uint64_t now_usec)
{
	/* Asked about long ago it was not due in between: this is the first time again. */
	if (v->unread_since_usec == 0 || now_usec >= add_sat_u64(v->retry_usec, ENGINE_UNREAD_USEC))
		v->unread_since_usec = now_usec;
	v->retry_usec = now_usec + UNREAD_RETRY_USEC;
	v->unread_for_long =
		now_usec >= add_sat_u64(v->unread_since_usec, e->config->victim_timeout_usec);
}

static void absorb_upgrade(struct engine *e, const struct engine_outcome *o, uint64_t now_usec)
{
	for (uint32_t i = 0; i < e->pending.slot_count; i++) {
		struct engine_victim *v = victim_by_slot(e, e->pending.slots[i]);

		if (!v)
			continue;
		switch (o->upgraded[i]) {
		case UPGRADE_SENT:
			v->kill.sig = SIGKILL;
			v->unread_since_usec = 0;
			v->kill.signalled_usec = now_usec;
			v->kill.progress_usec = now_usec;
			e->growth_from_usec = add_sat_u64(now_usec, GROWTH_BLIND_USEC);
			break;
		case UPGRADE_REFUSED:
			v->refused = true;
			break;
		case UPGRADE_UNREAD:
			absorb_unread(e, v, now_usec);
			break;
		}
	}
}

static void absorb_outcome(struct engine *e, const struct engine_input *in)
{
	if (!in->outcome)
		return;
	if (e->pending.kind == ACTION_CHOOSE)
		absorb_choice(e, in);
	else if (e->pending.kind == ACTION_STEP)
		absorb_step(e, in->outcome->acted, in->now_usec);
	else if (e->pending.kind == ACTION_UPGRADE)
		absorb_upgrade(e, in->outcome, in->now_usec);
	e->pending.kind = ACTION_WAIT;
}

/* What a victim still holds of what was expected; the last known while nothing shows it. */
static uint64_t held_bytes(const struct engine_victim *v, const struct engine_observation *o)
{
	if (o->mm_gone)
		return 0;
	if (!o->mm_visible && !o->reaped)
		return v->held_bytes;
	return add_sat_u64(o->mm_visible ? o->rss_bytes : 0, v->kill.shmem_bytes);
}

static void absorb_seen(struct engine *e, const struct engine_input *in)
{
	for (uint32_t i = 0; i < in->seen_count; i++) {
		const struct engine_observation *o = &in->seen[i].o;
		struct engine_victim *v = victim_by_slot(e, in->seen[i].slot);
		uint64_t held;

		if (!v)
			continue;
		held = held_bytes(v, o);
		/* Less held, by more than noise, and each milestone is progress: it extends the
		 * deadline. */
		if (add_sat_u64(held, max_u64(v->kill.expected_bytes / PROGRESS_PART, 1)) <=
				v->least_bytes ||
			(o->mm_gone && !v->seen.mm_gone) ||
			(o->all_exited && !v->seen.all_exited) || (o->reaped && !v->seen.reaped))
			v->kill.progress_usec = in->now_usec;
		if (v->kill.progress_usec == in->now_usec)
			v->least_bytes = min_u64(v->least_bytes, held);
		v->held_bytes = held;
		v->seen = *o;
	}
}

void engine_absorb(struct engine *e, const struct engine_input *in)
{
	absorb_outcome(e, in);
	absorb_seen(e, in);
}
