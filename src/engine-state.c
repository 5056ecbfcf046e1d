/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What others ask of an engine between its steps. Pure, and changes nothing; apart from engine.c
 * because that one decides, and this is for those who must know what has been decided.
 */
#include "engine-internal.h"
#include "util.h"

#include <signal.h>

/* A shortage that can be ended by a kill has been by then, as a rule. */
#define HOUSE_AFTER_USEC (10 * USEC_PER_SEC)
/* Measured: some 60 ms. */
#define TEARDOWN_USEC_PER_GIB (120 * USEC_PER_MSEC)

static uint64_t settling_bytes(const struct engine *e, uint64_t now_usec)
{
	uint64_t age = sub_or_zero_u64(now_usec, e->settle_turn_usec);

	if (age >= 2 * ENGINE_SETTLE_USEC)
		return 0;
	if (age >= ENGINE_SETTLE_USEC)
		return e->settle_bytes;
	return add_sat_u64(e->settle_bytes, e->settle_before_bytes);
}

/* It ignores SIGTERM, and has been due for SIGKILL for some time but could not be asked about. */
static bool is_overdue(const struct engine_victim *v, uint64_t now_usec)
{
	/* Asked about lately: it is due no more at a lower level. */
	bool due = now_usec < add_sat_u64(v->retry_usec, ENGINE_UNREAD_USEC);

	return v->unread_since_usec > 0 && due && !v->seen.mm_gone && !v->seen.all_exited &&
		now_usec >= add_sat_u64(v->unread_since_usec, ENGINE_UNREAD_USEC);
}

bool engine_is_spent(const struct engine *e, const struct engine_victim *v, uint64_t now_usec)
{
	uint64_t teardown = mul_div_u64(v->kill.expected_bytes, TEARDOWN_USEC_PER_GIB, GIB);

	return v->seen.mm_gone &&
		now_usec >= add_sat_u64(v->kill.progress_usec,
				    add_sat_u64(e->config->victim_timeout_usec, teardown));
}

uint64_t engine_coming_bytes(const struct engine *e, const struct engine_input *in)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < e->victim_count; i++) {
		const struct engine_victim *v = &e->victim[i];

		if (is_overdue(v, in->now_usec) || engine_is_spent(e, v, in->now_usec))
			continue;
		/* The teardown has begun and shows no counters: all of it may still be on its way.
		 */
		sum = add_sat_u64(sum, v->seen.mm_gone ? v->kill.expected_bytes : v->held_bytes);
	}
	return add_sat_u64(sum,
		sub_or_zero_u64(settling_bytes(e, in->now_usec),
			sub_or_zero_u64(in->mem->available_bytes, e->settle_base_bytes)));
}

static bool any_unspent(const struct engine *e, uint64_t now_usec, bool killed)
{
	for (uint32_t i = 0; i < e->victim_count; i++)
		if ((!killed || e->victim[i].kill.sig == SIGKILL) &&
			!engine_is_spent(e, &e->victim[i], now_usec))
			return true;
	return false;
}

bool engine_is_killing(const struct engine *e, uint64_t now_usec)
{
	return any_unspent(e, now_usec, true);
}

bool engine_waits_for_victims(const struct engine *e, uint64_t now_usec)
{
	return any_unspent(e, now_usec, false);
}

uint32_t engine_index_of(const struct engine *e, int slot)
{
	uint32_t i = 0;

	while (i < e->victim_count && e->victim[i].slot != slot)
		i++;
	return i;
}

bool engine_has_exited(const struct engine *e, int slot)
{
	uint32_t i = engine_index_of(e, slot);

	return i < e->victim_count && e->victim[i].seen.all_exited;
}

static bool is_recent(uint64_t since_usec, uint64_t span_usec, uint64_t now_usec)
{
	return since_usec > 0 && !engine_is_over(since_usec, span_usec, now_usec);
}

bool engine_may_keep_house(const struct engine *e, uint64_t now_usec)
{
	/* Candidates who die by other hands, or cannot be read, are waited for like victims. */
	bool waits = is_recent(e->dying_since_usec, e->config->victim_cap_usec, now_usec) ||
		is_recent(e->unread_since_usec, e->config->victim_timeout_usec, now_usec);

	if (e->victim_count > 0)
		return false;
	if (!e->in_episode)
		return true;
	/* An action whose outcome is not known here yet may have victims. */
	if (e->pending.kind != ACTION_WAIT || waits)
		return false;
	/* It rests only where nobody could be chosen and no step is under way. */
	return now_usec < e->hold_usec && now_usec >= add_sat_u64(e->began_usec, HOUSE_AFTER_USEC);
}
