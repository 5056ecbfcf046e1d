/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "engine-internal.h"

#include "util.h"

#include <signal.h>
#include <string.h>

/* While memory is short, or a victim is on its way out, levels are read this often. */
#define TICK_URGENT_USEC (10 * USEC_PER_MSEC)
/* Looks at victims take no more than this part of the time: who is dying needs the CPU too. */
#define LOOK_PART          4
#define TICK_BUSY_MAX_USEC (100 * USEC_PER_MSEC) /* but levels want to be read */
#define TICK_WARN_USEC     (50 * USEC_PER_MSEC)
#define TICK_NOBODY_USEC   (250 * USEC_PER_MSEC)
/* While tasks stall: often enough to judge the shortest span of a pressure level. */
#define TICK_STALL_USEC (250 * USEC_PER_MSEC)
/* Nobody could be chosen: look for new candidates this often; each look costs a snapshot. */
#define RETRY_USEC USEC_PER_SEC
/* Members of a group that share its mm die of SIGTERM together, or never. */
#define PARTED_GRACE_USEC (300 * USEC_PER_MSEC)
/* For those who hold an mm for a moment, to read it; a walk takes some 10 ms a GiB in addition. */
#define HELD_GRACE_USEC (20 * USEC_PER_MSEC)
/* Asked to go, so many are looked at as often as who is killed: hundreds of a fork bomb would take
 * all of our time. */
#define FEW_VICTIMS     4
#define KILL_TIME_FIRST (200 * USEC_PER_MSEC)
#define KILL_TIME_MIN   (20 * USEC_PER_MSEC)

void engine_init(struct engine *e, const struct config *c)
{
	memset(e, 0, sizeof(*e));
	e->config = c;
	e->kill_time_usec = KILL_TIME_FIRST;
}

void engine_set_config(struct engine *e, const struct config *c)
{
	e->config = c;
	e->ladder_next = 0; /* it may have become shorter */
	e->avoided_eligible = false;
	/* Whoever was not to be chosen by the old one may be by this. */
	e->exhausted = false;
	e->hold_usec = 0;
}

static void learn_kill_time(struct engine *e, uint64_t latency_usec)
{
	uint64_t t = (3 * e->kill_time_usec + min_u64(latency_usec, ENGINE_KILL_TIME_MAX_USEC)) / 4;

	e->kill_time_usec = min_u64(max_u64(t, KILL_TIME_MIN), ENGINE_KILL_TIME_MAX_USEC);
}

/* The world has changed: whoever was not to be chosen before may be worth it now. */
static void victim_finished(struct engine *e, uint32_t i)
{
	e->exhausted = false;
	e->hold_usec = 0;
	e->victim[i] = e->victim[--e->victim_count];
}

/* Notes that so much has come back. Where victims die all the time, what came back first counts no
 * longer when the last does. */
static void settle(struct engine *e, uint64_t bytes, uint64_t now_usec)
{
	uint64_t age = sub_or_zero_u64(now_usec, e->settle_turn_usec);

	if (age >= ENGINE_SETTLE_USEC) {
		e->settle_before_bytes = age >= 2 * ENGINE_SETTLE_USEC ? 0 : e->settle_bytes;
		e->settle_bytes = 0;
		e->settle_turn_usec = age >= 2 * ENGINE_SETTLE_USEC
			? now_usec
			: e->settle_turn_usec + ENGINE_SETTLE_USEC;
	}
	e->settle_bytes = add_sat_u64(e->settle_bytes, bytes);
}

static void finish_freed(
	struct engine *e, uint32_t i, const struct engine_input *in, struct action *ret)
{
	const struct engine_victim *v = &e->victim[i];

	ret->kind = ACTION_FREED;
	ret->slot = v->slot;
	ret->freed_bytes = sub_or_zero_u64(v->kill.expected_bytes, v->held_bytes);
	ret->latency_usec = sub_or_zero_u64(in->now_usec, v->kill.signalled_usec);
	if (v->kill.sig == SIGKILL)
		learn_kill_time(e, ret->latency_usec);
	settle(e, ret->freed_bytes, in->now_usec);
	e->freed_bytes = add_sat_u64(e->freed_bytes, ret->freed_bytes);
	victim_finished(e, i);
}

/* Victims on which the verdict is in. Returns whether there is one to act upon. */
static bool finish_victim(struct engine *e, const struct engine_input *in, struct action *ret)
{
	for (uint32_t i = 0; i < e->victim_count; i++) {
		const struct engine_victim *v = &e->victim[i];

		if (v->refused || v->unread_for_long) {
			/* What it does is its own business again; only the refused is hidden. */
			ret->kind = v->refused ? ACTION_STUCK : ACTION_SPARE;
			ret->slot = v->slot;
			victim_finished(e, i);
			return true;
		}
		switch (verdict_of(&v->kill, &v->seen, e->config, in->now_usec)) {
		case VERDICT_FREED:
			finish_freed(e, i, in, ret);
			return true;
		case VERDICT_STUCK:
			ret->kind = ACTION_STUCK;
			ret->slot = v->slot;
			victim_finished(e, i);
			return true;
		case VERDICT_FREEING:
			/* It was asked to go, but is needed no more: it may take its time. */
			if (v->kill.sig != SIGKILL && e->level == LEVEL_OK &&
				in->now_usec >= add_sat_u64(v->kill.signalled_usec,
							e->config->term_grace_usec)) {
				ret->kind = ACTION_SPARE;
				ret->slot = v->slot;
				victim_finished(e, i);
				return true;
			}
			break;
		}
	}
	return false;
}

/* SIGTERM becomes SIGKILL at the kill level, when its grace is over and memory still low, or when
 * half a group is gone: what is left holds all of the memory and is of no use by itself. Where all
 * are gone and the mm is not, nobody is left to heed it: a kernel thread holds it, or somebody born
 * since. A core dump ends by SIGKILL alone (fs/coredump.c:dump_interrupted), and so does who
 * ignores SIGTERM: nothing is waited for there. */
static bool is_impatient(const struct engine *e, const struct engine_victim *v, uint64_t now_usec)
{
	bool held = v->seen.all_exited && v->seen.handle_valid && !v->seen.mm_gone;
	uint64_t grace = e->config->term_grace_usec;

	if ((v->seen.core_dumping || v->deaf) && e->level != LEVEL_OK)
		return true;
	if (held &&
		now_usec >= add_sat_u64(v->kill.progress_usec,
				    add_sat_u64(HELD_GRACE_USEC,
					    verdict_walk_usec(v->kill.expected_bytes))))
		return true;
	if (v->seen.some_exited && !held)
		grace = min_u64(grace, PARTED_GRACE_USEC);
	return e->level == LEVEL_KILL || now_usec >= add_sat_u64(v->kill.signalled_usec, grace);
}

static bool upgrade(const struct engine *e, const struct engine_input *in, struct action *ret)
{
	ret->slot_count = 0;
	for (uint32_t i = 0; i < e->victim_count; i++) {
		const struct engine_victim *v = &e->victim[i];

		if (v->kill.sig != SIGKILL && !v->seen.mm_gone && in->now_usec >= v->retry_usec &&
			is_impatient(e, v, in->now_usec))
			ret->slots[ret->slot_count++] = v->slot;
	}
	if (ret->slot_count == 0)
		return false;
	ret->kind = ACTION_UPGRADE;
	ret->sig = SIGKILL;
	ret->need.bytes = verdict_need_bytes(e->config, in->mem);
	return true;
}

/* What is missing now that is not on its way already; 0: nothing. */
static uint64_t open_need(
	const struct engine *e, const struct engine_input *in, uint64_t *ret_deficit_bytes)
{
	uint64_t coming = add_sat_u64(engine_coming_bytes(e, in), in->coming_elsewhere_bytes);
	uint64_t growth = 0;
	/* Under pressure one victim at a time, until it subsides: what it still holds says nothing,
	 * for the stalls of the past are in the reading until it is gone. */
	uint64_t deficit = engine_waits_for_victims(e, in->now_usec)
		? 0
		: verdict_pressure_need_bytes(in->mem);

	if (e->cause == CAUSE_MEMORY) {
		deficit = verdict_need_bytes(e->config, in->mem);
		growth = mul_div_u64(
			in->growth_bytes_per_sec, e->kill_time_usec + e->choose_usec, USEC_PER_SEC);
		growth = min_u64(growth, in->mem->total_bytes / 2);
		if (in->now_usec < e->growth_from_usec)
			growth = 0;
	}
	*ret_deficit_bytes = sub_or_zero_u64(deficit, coming);
	return sub_or_zero_u64(add_sat_u64(deficit, growth), coming);
}

/* The next step of the ladder that can help. Returns false at its end. */
static bool next_step(struct engine *e, struct action *ret)
{
	const struct config *c = e->config;

	while (e->ladder_next < c->ladder_count) {
		enum ladder_step step = c->ladder[e->ladder_next++];

		if (step == LADDER_AVOIDED && e->avoided_eligible)
			continue;
		/* Where the memory is held by no process, more dead processes do not help. */
		if (e->last_result == VICTIM_HOPELESS &&
			(step == LADDER_CGROUP || step == LADDER_KERNEL))
			continue;
		if (step == LADDER_FINAL && c->final == FINAL_NONE)
			continue;
		ret->kind = ACTION_STEP;
		ret->step = step;
		return true;
	}
	return false;
}

/* Low memory: who is to go, or what else is to be done. Returns false when it is time to wait. */
static bool relieve(struct engine *e, const struct engine_input *in, struct action *ret)
{
	uint64_t deficit, need = open_need(e, in, &deficit), now = in->now_usec;

	if (need == 0 || now < max_u64(e->hold_usec, e->step_until_usec))
		return false;
	/* What was killed a moment ago may be enough, and has a deadline of its own. */
	if (e->exhausted && engine_is_killing(e, now))
		return false;
	if (e->exhausted && e->level == LEVEL_KILL && next_step(e, ret))
		return true;
	if (e->exhausted) {
		/* The ladder is at its end, or not for this level: begin again a little later. */
		e->exhausted = false;
		e->ladder_next = 0;
		e->hold_usec = add_sat_u64(now, RETRY_USEC);
		return false;
	}
	ret->kind = ACTION_CHOOSE;
	ret->sig = e->level == LEVEL_KILL ? SIGKILL : SIGTERM;
	ret->need = (struct victim_need){
		.bytes = need,
		.alone_bytes = max_u64(deficit, (need + 1) / 2),
		.total_bytes = add_sat_u64(in->mem->total_bytes, in->mem->swap_total_bytes),
		.shmem_bytes = in->mem->shmem_bytes,
		.avoided_eligible = e->avoided_eligible,
		.count_dying =
			!engine_is_over(e->dying_since_usec, e->config->victim_cap_usec, now),
		.no_swap = !verdict_swap_counts(e->config),
		.unread_protects = engine_is_over(e->unread_since_usec, ENGINE_UNREAD_USEC, now),
	};
	return true;
}

static void episode_begin(struct engine *e, const struct engine_input *in)
{
	e->in_episode = true;
	e->began_usec = in->now_usec;
	e->available_at_start_bytes = in->mem->available_bytes;
	e->victims = 0;
	e->freed_bytes = 0;
	e->fruitless_in_a_row = 0;
}

static void episode_end(struct engine *e)
{
	e->in_episode = false;
	e->exhausted = false;
	e->avoided_eligible = false;
	e->ladder_next = 0;
	e->hold_usec = 0;
	e->step_until_usec = 0;
	e->dying_since_usec = 0;
	e->unread_since_usec = e->vain_since_usec = 0;
}

static uint64_t earlier(uint64_t a, uint64_t b, uint64_t now_usec)
{
	return b > now_usec && b < a ? b : a;
}

static void wait_action(const struct engine *e, const struct engine_input *in, struct action *ret)
{
	const struct config *c = e->config;
	uint64_t now = in->now_usec, until = USEC_NEVER,
		 calm = verdict_calm_usec(c, in->mem, in->fastest_bytes_per_sec);
	uint64_t urgent =
		max_u64(TICK_URGENT_USEC, min_u64(LOOK_PART * in->look_usec, TICK_BUSY_MAX_USEC));
	bool killing = false;

	for (uint32_t i = 0; i < e->victim_count; i++) {
		const struct engine_victim *v = &e->victim[i];
		bool killed = v->kill.sig == SIGKILL;

		killing = killing || killed ||
			(v->seen.some_exited && e->victim_count <= FEW_VICTIMS);
		until = earlier(until,
			add_sat_u64(killed ? v->kill.progress_usec : v->kill.signalled_usec,
				killed ? c->victim_timeout_usec : c->term_grace_usec),
			now);
		until = earlier(until, v->retry_usec, now);
	}
	if (killing ||
		(e->level == LEVEL_KILL && !e->exhausted &&
			now >= max_u64(e->hold_usec, e->step_until_usec)))
		until = earlier(until, now + urgent, now);
	else if (e->level == LEVEL_KILL)
		until = earlier(until, now + TICK_NOBODY_USEC, now);
	else if (e->level == LEVEL_WARN || e->victim_count > 0)
		until = earlier(until, now + TICK_WARN_USEC, now);
	else
		until = earlier(
			until, now + (in->stalling ? min_u64(calm, TICK_STALL_USEC) : calm), now);
	until = earlier(until, e->hold_usec, now);
	until = earlier(until, e->step_until_usec, now);
	until = earlier(until, add_sat_u64(e->settle_turn_usec, ENGINE_SETTLE_USEC), now);
	until = earlier(until, add_sat_u64(e->settle_turn_usec, 2 * ENGINE_SETTLE_USEC), now);
	ret->kind = ACTION_WAIT;
	ret->deadline_usec = until;
}

static void decide(struct engine *e, const struct engine_input *in, struct action *ret)
{
	if (finish_victim(e, in, ret))
		return;
	if (e->level == LEVEL_OK) {
		e->dying_since_usec = 0;
		if (e->in_episode && e->victim_count == 0) {
			episode_end(e);
			ret->kind = ACTION_RECOVERED;
			return;
		}
	} else {
		if (!e->in_episode) {
			episode_begin(e, in);
			ret->kind = ACTION_BEGAN;
			return;
		}
		if (upgrade(e, in, ret) || relieve(e, in, ret))
			return;
	}
	wait_action(e, in, ret);
}

void engine_step(struct engine *e, const struct engine_input *in, struct action *ret)
{
	enum engine_level before = e->level;

	engine_absorb(e, in);
	e->level =
		verdict_level(e->config, in->mem, in->pressure_warn, in->pressure_kill, &e->cause);
	/* What could wait at the warn level cannot now. */
	if (before == LEVEL_WARN && e->level == LEVEL_KILL)
		e->hold_usec = 0;
	*ret = (struct action){ .kind = ACTION_WAIT };
	decide(e, in, ret);
	e->asked_usec = in->now_usec;
	e->pending = *ret;
}
