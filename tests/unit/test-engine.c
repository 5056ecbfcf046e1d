/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine against a small world with a clock of its own: memory, hogs that behave in known ways,
 * and a chooser that takes the largest first. Every run holds the same invariants (see world_run).
 */
#include "engine.h"
#include "util.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HOGS_MAX 100
#define MS       USEC_PER_MSEC

struct hog {
	uint64_t rss, growth; /* bytes, bytes a second */
	uint64_t dies_after;  /* µs from SIGKILL to mm gone; USEC_NEVER: never */
	uint64_t term_after;  /* the same for SIGTERM */
	uint64_t reap_after;  /* µs from SIGKILL to reaped though it lives on (D state) */
	uint64_t trickle;     /* bytes a second it gives back after SIGKILL: slow teardown */
	bool avoided, blind;  /* blind: no mm handle */
	bool dumping;         /* its core is being dumped: SIGTERM does nothing */
	bool deaf;            /* it ignores SIGTERM, as can be seen */
	bool parted;          /* SIGTERM ends some of its members, not all */
	bool pinned;          /* its mm outlives it */
	bool lingers;         /* it outlives its mm */
	bool by_cgroup;       /* a rule about its cgroup might protect it */
	bool refuses;         /* it is protected when SIGKILL is to follow SIGTERM */
	/* state */
	bool hidden, exited, gone, reaped;
	int sig;
	uint64_t sig_usec, kill_usec;
};

struct world {
	struct config config;
	struct engine engine;
	struct engine_input in;
	struct engine_outcome outcome;
	struct action action;
	struct meminfo mem;
	uint64_t now, used_elsewhere;
	uint32_t hogs;
	struct hog hog[HOGS_MAX];
	/* what happened */
	uint32_t chosen, kills, terms, upgrades, freed, stuck, spared, began, recovered;
	uint32_t steps[4], looks;
	enum victim_result none_result; /* what choose says when nobody is eligible */
	bool dry_run;
	bool others_suffice; /* as long as what dies by other hands counts */
	uint64_t longest_wait;
	uint64_t unread_from, unread_until; /* no cgroup can be read in time */
	uint32_t asked;                     /* in vain, for that reason */
};

static void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->config = (struct config){
		.warn = { { AMOUNT_PERMILLE, 100 }, { AMOUNT_PERMILLE, 100 }, { false } },
		.kill = { { AMOUNT_PERMILLE, 50 }, { AMOUNT_PERMILLE, 50 }, { false } },
		.pressure_guard = { AMOUNT_PERMILLE, 300 },
		.victim_timeout_usec = 1000 * MS,
		.victim_cap_usec = 10000 * MS,
		.term_grace_usec = 10000 * MS,
		.step_timeout_usec = 2000 * MS,
		.max_sleep_usec = 10000 * MS,
		.ladder = { LADDER_AVOIDED, LADDER_CGROUP, LADDER_KERNEL, LADDER_FINAL },
		.ladder_count = 3,
	};
	w->now = 1000 * MS;
	w->mem.total_bytes = GIB;
	w->none_result = VICTIM_NONE;
	engine_init(&w->engine, &w->config);
}

static struct hog *world_hog(struct world *w, uint64_t mib, uint64_t mib_per_sec)
{
	struct hog *h = &w->hog[w->hogs++];

	*h = (struct hog){ .rss = mib * MIB,
		.growth = mib_per_sec * MIB,
		.dies_after = 30 * MS,
		.term_after = 30 * MS,
		.reap_after = USEC_NEVER };
	return h;
}

static uint64_t world_held(const struct world *w)
{
	uint64_t sum = w->used_elsewhere;

	for (uint32_t i = 0; i < w->hogs; i++)
		sum += w->hog[i].rss;
	return sum;
}

static void hog_advance(struct hog *h, uint64_t from, uint64_t to)
{
	uint64_t span = to - from;

	if (h->exited || h->gone)
		return;
	if (h->sig != SIGKILL)
		h->rss += mul_div_u64(h->growth, span, USEC_PER_SEC);
	else
		h->rss = sub_or_zero_u64(h->rss, mul_div_u64(h->trickle, span, USEC_PER_SEC));
	if (h->sig == SIGKILL && h->reap_after != USEC_NEVER &&
		to >= h->kill_usec + h->reap_after) {
		h->reaped = true;
		h->rss = 0;
	}
	if ((h->sig == SIGKILL && h->dies_after != USEC_NEVER &&
		    to >= h->kill_usec + h->dies_after) ||
		(h->sig == SIGTERM && h->term_after != USEC_NEVER &&
			to >= h->sig_usec + h->term_after)) {
		h->exited = !h->lingers;
		h->gone = !h->pinned;
		if (h->gone)
			h->rss = 0;
	}
}

/* Time passes, in small steps so that growth and deaths interleave. */
static void world_advance(struct world *w, uint64_t to)
{
	while (w->now < to) {
		uint64_t next = min_u64(to, w->now + MS);

		for (uint32_t i = 0; i < w->hogs; i++)
			hog_advance(&w->hog[i], w->now, next);
		w->now = next;
	}
}

static void world_sense(struct world *w)
{
	uint64_t held = world_held(w), growth = 0;

	w->mem.available_bytes = sub_or_zero_u64(w->mem.total_bytes, held);
	for (uint32_t i = 0; i < w->hogs; i++)
		if (!w->hog[i].exited && w->hog[i].sig != SIGKILL)
			growth += w->hog[i].growth;
	w->in.mem = &w->mem;
	w->in.now_usec = w->now;
	w->in.growth_bytes_per_sec = growth;
	w->in.fastest_bytes_per_sec = 2 * GIB;
	w->in.seen_count = 0;
	for (uint32_t i = 0; i < w->engine.victim_count; i++) {
		const struct hog *h = &w->hog[w->engine.victim[i].slot];
		uint32_t n = w->in.seen_count++;

		w->in.seen[n].slot = w->engine.victim[i].slot;
		w->in.seen[n].o = (struct engine_observation){
			.rss_bytes = h->gone ? 0 : h->rss,
			.handle_valid = !h->blind,
			.mm_gone = h->gone && !h->blind,
			.all_exited = h->exited,
			.some_exited = h->exited || (h->parted && h->sig != 0),
			.mm_visible = !h->exited && !h->gone,
			.core_dumping = h->dumping && !h->gone,
			.reaped = h->reaped,
		};
	}
}

static bool is_unread(const struct world *w)
{
	return w->now >= w->unread_from && w->now < w->unread_until;
}

static struct hog *largest(struct world *w, bool avoided_too)
{
	struct hog *best = NULL;

	for (uint32_t i = 0; i < w->hogs; i++) {
		struct hog *h = &w->hog[i];

		if (h->gone || h->hidden || h->sig || (h->avoided && !avoided_too) ||
			(h->by_cgroup && is_unread(w)))
			continue;
		if (!best || h->rss > best->rss)
			best = h;
	}
	return best;
}

static void world_signal(struct world *w, struct hog *h, int sig)
{
	if (h->sig == 0)
		h->sig_usec = w->now;
	h->sig = sig;
	if (sig == SIGKILL)
		h->kill_usec = w->now;
}

static void world_upgrade(struct world *w, uint32_t i)
{
	struct hog *h = &w->hog[w->action.slots[i]];

	w->outcome.upgraded[i] = is_unread(w) ? UPGRADE_UNREAD
		: h->refuses                  ? UPGRADE_REFUSED
					      : UPGRADE_SENT;
	w->asked += is_unread(w);
	if (w->outcome.upgraded[i] != UPGRADE_SENT)
		return;
	world_signal(w, h, SIGKILL);
	w->upgrades++;
}

static void world_choose(struct world *w)
{
	uint64_t sum = 0;
	struct hog *h;

	w->outcome.count = 0;
	w->outcome.hold_usec = 0;
	w->outcome.waits = w->others_suffice && w->action.need.count_dying;
	w->outcome.unread = is_unread(w);
	w->outcome.result = w->outcome.unread ? VICTIM_UNREAD : w->none_result;
	if (w->outcome.unread && !w->action.need.unread_protects) {
		w->asked++;
		return;
	}
	assert_true(w->action.need.bytes >= w->action.need.alone_bytes);
	assert_true(w->action.need.alone_bytes >= 1);
	if (w->dry_run) {
		w->outcome.result = VICTIM_CHOSEN;
		w->outcome.hold_usec = 10 * USEC_PER_SEC;
		return;
	}
	while (sum < w->action.need.bytes &&
		(h = largest(w, w->action.need.avoided_eligible)) != NULL) {
		uint32_t n = w->outcome.count++;

		w->outcome.slots[n] = (int)(h - w->hog);
		w->outcome.expected_bytes[n] = h->rss;
		w->outcome.shmem_bytes[n] = 0;
		w->outcome.deaf[n] = h->deaf;
		sum += h->rss;
		w->outcome.result = VICTIM_CHOSEN;
		world_signal(w, h, w->action.sig);
		w->chosen++;
		if (w->action.sig == SIGKILL)
			w->kills++;
		else
			w->terms++;
		if (n == 0 && h->rss >= w->action.need.alone_bytes)
			break;
	}
}

static void world_carry_out(struct world *w)
{
	w->outcome.acted = false;
	switch (w->action.kind) {
	case ACTION_WAIT:
		break;
	case ACTION_CHOOSE:
		world_choose(w);
		break;
	case ACTION_UPGRADE:
		for (uint32_t i = 0; i < w->action.slot_count; i++)
			world_upgrade(w, i);
		break;
	case ACTION_FREED:
		w->freed++;
		break;
	case ACTION_STUCK:
		w->hog[w->action.slot].hidden = true;
		w->stuck++;
		break;
	case ACTION_SPARE:
		w->hog[w->action.slot].sig = 0;
		w->spared++;
		break;
	case ACTION_STEP:
		w->steps[w->action.step]++;
		w->outcome.acted = w->action.step != LADDER_CGROUP;
		break;
	case ACTION_BEGAN:
		w->began++;
		break;
	case ACTION_RECOVERED:
		w->recovered++;
		break;
	}
}

/* Promise 1: nothing in flight is older than its deadlines allow, and no wait is without end. */
static void world_check(const struct world *w)
{
	for (uint32_t i = 0; i < w->engine.victim_count; i++) {
		const struct engine_victim *v = &w->engine.victim[i];
		const struct hog *h = &w->hog[v->slot];

		if (v->kill.sig != SIGKILL)
			continue;
		assert_true(w->now < v->kill.signalled_usec + w->config.victim_cap_usec);
		if (h->trickle == 0 && h->reap_after == USEC_NEVER && !h->gone)
			assert_true(w->now < h->kill_usec + w->config.victim_timeout_usec);
	}
}

/* One look: steps until the engine waits. Returns its deadline. */
static uint64_t world_look(struct world *w)
{
	w->looks++;
	w->in.outcome = NULL;
	for (int i = 0; i < 400; i++) {
		world_sense(w);
		engine_step(&w->engine, &w->in, &w->action);
		if (w->action.kind == ACTION_WAIT) {
			assert_true(w->action.deadline_usec > w->now);
			assert_true(w->action.deadline_usec <= w->now + w->config.max_sleep_usec);
			world_check(w);
			return w->action.deadline_usec;
		}
		world_carry_out(w);
		w->in.outcome = &w->outcome;
	}
	fail_msg("the engine never comes to wait");
	return 0;
}

static void world_run(struct world *w, uint64_t usec)
{
	uint64_t end = w->now + usec;

	while (w->now < end) {
		uint64_t deadline = world_look(w);

		w->longest_wait = max_u64(w->longest_wait, deadline - w->now);
		world_advance(w, min_u64(deadline, end));
	}
	world_look(w);
}

static void plenty_of_memory_waits_long_and_does_nothing(void **state)
{
	struct world w;

	world_init(&w);
	w.mem.total_bytes = 64 * GIB;
	world_hog(&w, 100, 0);
	world_run(&w, 60 * USEC_PER_SEC);
	assert_int_equal(w.began, 0);
	assert_int_equal(w.chosen, 0);
	assert_true(w.looks <= 8);
	assert_int_equal(w.longest_wait, w.config.max_sleep_usec);
}

static void a_plain_hog_is_asked_first_and_alone(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 700, 50);
	world_hog(&w, 20, 0);
	world_run(&w, 8 * USEC_PER_SEC);
	assert_int_equal(w.terms, 1);
	assert_int_equal(w.kills + w.upgrades, 0);
	assert_true(w.hog[0].gone);
	assert_false(w.hog[1].gone);
	assert_int_equal(w.began, 1);
	assert_int_equal(w.recovered, 1);
	assert_false(w.engine.in_episode);
}

static void who_is_deaf_to_sigterm_is_killed_at_the_kill_level(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 850, 50)->term_after = USEC_NEVER;
	world_run(&w, 5 * USEC_PER_SEC);
	assert_int_equal(w.terms, 1);
	assert_int_equal(w.upgrades, 1);
	assert_true(w.hog[0].gone);
	/* On the way from the warn to the kill level, long before the grace is over. */
	assert_in_range(w.hog[0].kill_usec - w.hog[0].sig_usec, 100 * MS, 2000 * MS);
	assert_int_equal(w.recovered, 1);
}

static void who_is_deaf_to_sigterm_is_killed_when_its_grace_ends(void **state)
{
	struct world w;

	world_init(&w);
	/* Between the levels, and staying there. */
	world_hog(&w, 950, 0)->term_after = USEC_NEVER;
	world_run(&w, 12 * USEC_PER_SEC);
	assert_int_equal(w.upgrades, 1);
	assert_in_range(w.hog[0].kill_usec - w.hog[0].sig_usec, w.config.term_grace_usec,
		w.config.term_grace_usec + 60 * MS);
	assert_int_equal(w.recovered, 1);
}

static void a_group_that_sigterm_has_parted_is_killed_soon(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = world_hog(&w, 950, 0);
	h->term_after = USEC_NEVER;
	h->parted = true;
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.upgrades, 1);
	assert_in_range(h->kill_usec - h->sig_usec, 300 * MS, 350 * MS);
	assert_int_equal(w.recovered, 1);
}

static void an_mm_that_outlives_its_group_is_given_up_soon_after_sigterm(void **state)
{
	struct world w;

	world_init(&w);
	/* The warn level, and staying there: no kill level puts an end to the wait. */
	world_hog(&w, 500, 0)->pinned = true;
	world_hog(&w, 440, 0);
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.upgrades, 1);
	assert_in_range(w.hog[0].kill_usec - w.hog[0].sig_usec, 50 * MS, 80 * MS);
	assert_int_equal(w.stuck, 1);
	assert_true(w.hog[0].hidden);
	assert_true(w.hog[1].gone);
	assert_in_range(w.hog[1].sig_usec - w.hog[0].kill_usec, 100 * MS, 140 * MS);
	assert_int_equal(w.hog[1].kill_usec, 0);
	assert_int_equal(w.recovered, 1);
}

static void who_cannot_be_read_for_a_moment_is_waited_for(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 920, 0)->by_cgroup = true;
	world_hog(&w, 60, 0);
	w.unread_until = w.now + 100 * MS;
	world_run(&w, USEC_PER_SEC);
	assert_in_range(w.asked, 4, 6);
	assert_int_equal(w.hog[0].sig, SIGKILL);
	assert_int_equal(w.hog[1].sig, 0);
	assert_int_equal(w.steps[LADDER_KERNEL] + w.steps[LADDER_AVOIDED], 0);
	assert_int_equal(w.recovered, 1);
}

static void who_cannot_be_read_for_long_makes_room_for_the_next(void **state)
{
	uint64_t began;
	struct world w;

	world_init(&w);
	world_hog(&w, 710, 0)->by_cgroup = true;
	world_hog(&w, 270, 0);
	began = w.now;
	w.unread_until = w.now + 600 * MS;
	world_run(&w, 500 * MS);
	assert_int_equal(w.hog[0].sig, 0);
	assert_in_range(w.hog[1].kill_usec - began, 250 * MS, 280 * MS);
	assert_int_equal(w.recovered, 1);
}

static void where_nobody_can_be_read_the_ladder_waits_as_long_as_for_a_victim(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 980, 0)->by_cgroup = true;
	w.unread_until = w.now + 5 * USEC_PER_SEC;
	world_run(&w, w.config.victim_timeout_usec - 10 * MS);
	assert_in_range(w.asked, 10, 60);
	for (int i = 0; i < 4; i++)
		assert_int_equal(w.steps[i], 0);
	world_run(&w, 100 * MS);
	assert_int_equal(w.steps[LADDER_AVOIDED], 1);
	world_run(&w, 8 * USEC_PER_SEC);
	assert_int_equal(w.hog[0].sig, SIGKILL);
	assert_int_equal(w.recovered, 1);
}

/* Of a fork bomb somebody cannot be read at any time: as long as others are taken all is well. */
static void the_ladder_waits_from_the_last_victim_on(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 975, 0)->by_cgroup = true;
	world_hog(&w, 20, 0);
	w.unread_until = w.now + 5 * USEC_PER_SEC;
	world_run(&w, 1150 * MS);
	assert_int_equal(w.hog[1].sig, SIGKILL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(w.steps[i], 0);
	world_run(&w, 350 * MS);
	assert_int_equal(w.steps[LADDER_AVOIDED], 1);
}

/* Between the levels, until the grace of SIGTERM is over. */
static void an_upgrade_that_could_not_be_asked_about_is_no_kill(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = world_hog(&w, 950, 0);
	h->term_after = USEC_NEVER;
	w.unread_from = w.now + w.config.term_grace_usec - 100 * MS;
	w.unread_until = w.unread_from + 300 * MS;
	world_run(&w, 12 * USEC_PER_SEC);
	assert_in_range(w.asked, 7, 11);
	assert_in_range(h->kill_usec, w.unread_until, w.unread_until + 30 * MS);
	assert_int_equal(w.stuck + w.spared, 0);
	assert_false(h->hidden);
	assert_int_equal(w.recovered, 1);
}

static void an_upgrade_that_cannot_be_asked_about_for_long_is_given_up_and_nobody_hidden(
	void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = world_hog(&w, 950, 0);
	h->term_after = USEC_NEVER;
	w.unread_from = w.now + w.config.term_grace_usec - 100 * MS;
	w.unread_until = w.unread_from + 1500 * MS;
	world_run(&w, 11200 * MS);
	assert_int_equal(w.spared, 1);
	assert_int_equal(w.stuck, 0);
	assert_false(h->hidden);
	/* It is as good as any other by then, and asked to go anew. */
	world_run(&w, 12 * USEC_PER_SEC);
	assert_int_equal(h->sig, SIGKILL);
	assert_int_equal(w.recovered, 1);
}

/* Memory is short: another one is looked for after 250 ms, as for him who cannot be read when he is
 * chosen; of him all are unread here, so that it takes as long again. */
static void what_an_upgrade_that_cannot_be_asked_about_holds_is_not_coming(void **state)
{
	struct world w;
	uint64_t due;

	world_init(&w);
	world_hog(&w, 500, 0)->term_after = USEC_NEVER;
	world_hog(&w, 450, 0);
	due = w.now + w.config.term_grace_usec;
	w.unread_from = due - 10 * MS;
	w.unread_until = due + 800 * MS;
	world_run(&w, 10900 * MS);
	assert_in_range(w.hog[1].sig_usec - due, 500 * MS, 580 * MS);
	assert_true(w.hog[1].gone);
	/* Then he is needed no more. */
	assert_int_equal(w.hog[0].sig, 0);
	assert_int_equal(w.hog[0].kill_usec, 0);
	assert_int_equal(w.recovered, 1);
}

/* Hundreds of victims: a look at them takes longer than the time between two. */
static void looks_leave_the_cpu_to_those_who_are_dying(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 990, 0)->dies_after = 500 * MS;
	assert_int_equal(world_look(&w), w.now + 10 * MS);
	w.in.look_usec = 2 * MS;
	assert_int_equal(world_look(&w), w.now + 10 * MS);
	w.in.look_usec = 30 * MS;
	assert_int_equal(world_look(&w), w.now + 100 * MS);
	w.in.look_usec = 20 * MS;
	assert_int_equal(world_look(&w), w.now + 80 * MS);
	/* No deadline is missed for it. */
	world_advance(&w, w.now + w.config.victim_timeout_usec - 30 * MS);
	assert_int_equal(w.hog[0].sig, SIGKILL);
	w.hog[0] = (struct hog){ .rss = 990 * MIB, .dies_after = USEC_NEVER, .sig = SIGKILL };
	assert_in_range(world_look(&w), w.now + 1, w.now + 30 * MS);
}

/* What each of them gives back is gone at once, for somebody is born in his place. */
static void what_came_back_long_ago_does_not_hold_others_up(void **state)
{
	struct world w;
	uint32_t first = 0;
	uint64_t now;

	world_init(&w);
	for (int i = 0; i < 20; i++)
		world_hog(&w, 10, 0)->dies_after = (uint64_t)(i + 1) * 60 * MS;
	w.used_elsewhere = 810 * MIB;
	while (w.chosen <= 11) {
		uint32_t freed = w.freed;

		(void)world_look(&w);
		w.used_elsewhere += (w.freed - freed) * 10 * MIB;
		if (first == 0)
			first = w.chosen;
		now = w.now;
		world_advance(&w, now + 10 * MS);
	}
	assert_int_equal(first, 11);
	assert_in_range(w.freed, 3, 7);
}

static void who_may_not_be_killed_after_all_is_given_up_at_once(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 500, 0)->term_after = USEC_NEVER;
	w.hog[0].refuses = true;
	world_hog(&w, 450, 0);
	world_run(&w, w.config.term_grace_usec + 100 * MS);
	assert_int_equal(w.stuck, 1);
	assert_true(w.hog[0].hidden);
	assert_int_equal(w.hog[0].sig, SIGTERM);
	assert_in_range(w.hog[1].sig_usec - w.hog[0].sig_usec, w.config.term_grace_usec,
		w.config.term_grace_usec + 60 * MS);
	assert_int_equal(w.recovered, 1);
}

/* Who reads all of a large mm holds it for as long as that takes. */
static void a_large_mm_may_be_held_for_longer_by_those_who_read_it(void **state)
{
	struct world w;

	world_init(&w);
	w.mem.total_bytes = 100 * GIB;
	world_hog(&w, 94 * KIB, 0)->pinned = true;
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.stuck, 0);
	assert_int_equal(w.upgrades, 0);
	world_run(&w, 4 * USEC_PER_SEC);
	assert_int_equal(w.upgrades, 1);
	assert_int_equal(w.stuck, 1);
}

static void a_core_dump_is_ended_at_once_where_sigterm_cannot(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = world_hog(&w, 930, 0); /* the warn level, and no nearer to the next */
	h->term_after = USEC_NEVER;
	h->dumping = true;
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.terms, 1);
	assert_int_equal(w.upgrades, 1);
	assert_in_range(h->kill_usec - h->sig_usec, 0, 50 * MS);
	assert_int_equal(w.recovered, 1);
}

static struct hog *deaf_hog(struct world *w, uint64_t mib)
{
	struct hog *h = world_hog(w, mib, 0);

	h->term_after = USEC_NEVER;
	h->deaf = true;
	return h;
}

static void who_ignores_sigterm_is_not_waited_for(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = deaf_hog(&w, 930); /* the warn level, and no nearer to the next */
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.terms, 1);
	assert_int_equal(w.upgrades, 1);
	assert_int_equal(h->kill_usec, h->sig_usec);
	assert_int_equal(w.recovered, 1);
}

static void of_two_only_the_deaf_one_has_sigkill(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 900 * MIB; /* neither gives what is needed by himself */
	deaf_hog(&w, 15);
	world_hog(&w, 15, 0)->term_after = 300 * MS;
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.terms, 2);
	assert_int_equal(w.upgrades, 1);
	assert_int_equal(w.hog[0].sig, SIGKILL);
	assert_int_equal(w.hog[1].sig, SIGTERM);
	assert_int_equal(w.recovered, 1);
}

static void who_is_slow_to_go_is_spared_when_memory_came_back_otherwise(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 600, 0)->term_after = USEC_NEVER;
	w.used_elsewhere = 330 * MIB;
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.terms, 1);
	w.used_elsewhere = 0;
	world_run(&w, 15 * USEC_PER_SEC);
	assert_int_equal(w.upgrades, 0);
	assert_int_equal(w.spared, 1);
	assert_int_equal(w.recovered, 1);
}

static void a_stuck_victim_is_hidden_and_the_next_is_chosen_in_time(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 500, 0)->dies_after = USEC_NEVER;
	world_hog(&w, 480, 0);
	world_run(&w, 3 * USEC_PER_SEC);
	assert_int_equal(w.kills, 2);
	assert_int_equal(w.stuck, 1);
	assert_true(w.hog[0].hidden);
	assert_true(w.hog[1].gone);
	assert_in_range(w.hog[1].kill_usec - w.hog[0].kill_usec, w.config.victim_timeout_usec,
		w.config.victim_timeout_usec + 20 * MS);
	assert_int_equal(w.recovered, 1);
}

static void a_victim_in_d_state_counts_as_freed_once_reaped(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = world_hog(&w, 500, 0);
	h->dies_after = USEC_NEVER;
	h->reap_after = 40 * MS;
	world_hog(&w, 480, 0);
	world_run(&w, 3 * USEC_PER_SEC);
	assert_int_equal(w.freed, 1);
	assert_int_equal(w.stuck, 0);
	assert_false(w.hog[1].gone);
	assert_int_equal(w.hog[1].sig, 0);
}

static void slow_teardown_is_waited_for_while_it_progresses(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = world_hog(&w, 900, 0);
	h->dies_after = 5000 * MS;
	h->trickle = 20 * MIB;
	world_hog(&w, 100, 0);
	world_run(&w, 8 * USEC_PER_SEC);
	assert_int_equal(w.stuck, 0);
	assert_int_equal(w.freed, 1);
	assert_int_equal(w.hog[1].sig, 0);
}

static void progress_without_end_is_cut_at_the_cap(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	h = world_hog(&w, 990, 0);
	h->dies_after = USEC_NEVER;
	h->trickle = MIB;
	h->trickle /= 4;
	world_run(&w, 12 * USEC_PER_SEC);
	assert_int_equal(w.stuck, 1);
}

static void no_second_victim_while_the_first_suffices(void **state)
{
	struct world w;

	/* Promise 4: 900 ms until it is gone, and not one more is signalled meanwhile. */
	world_init(&w);
	world_hog(&w, 500, 0)->dies_after = 900 * MS;
	for (int i = 0; i < 10; i++)
		world_hog(&w, 48, 0);
	world_run(&w, 3 * USEC_PER_SEC);
	assert_int_equal(w.chosen, 1);
	assert_int_equal(w.recovered, 1);
}

static void sixty_small_hogs_lose_the_race(void **state)
{
	struct world w;
	uint64_t lowest = UINT64_MAX, end;
	uint32_t alive = 0;

	/* 60 of 10 MiB growing at 10 MiB/s each; each death takes 50 ms. */
	world_init(&w);
	for (int i = 0; i < 60; i++)
		world_hog(&w, 10, 10)->dies_after = 50 * MS;
	for (int i = 0; i < 60; i++)
		w.hog[i].term_after = USEC_NEVER;
	end = w.now + 6 * USEC_PER_SEC;
	while (w.now < end) {
		uint64_t deadline = world_look(&w);

		lowest = min_u64(lowest, w.mem.available_bytes);
		world_advance(&w, min_u64(deadline, end));
	}
	for (int i = 0; i < 60; i++)
		alive += w.hog[i].sig == 0;
	assert_true(lowest > 0);
	assert_int_equal(w.stuck, 0);
	/* Nor does it end in a massacre: some of them have room to live. */
	assert_true(alive > 0);
}

static void a_fresh_set_covers_growth_but_one_that_suffices_alone_stays_alone(void **state)
{
	struct world w;

	/* 300 MiB/s for 200 ms are 60 MiB more than the deficit; the hog that grows gives 400. */
	world_init(&w);
	world_hog(&w, 980, 300);
	world_hog(&w, 20, 0);
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.chosen, 1);
	assert_int_equal(w.hog[1].sig, 0);
}

static void with_nobody_left_the_ladder_is_climbed_step_by_step(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	world_run(&w, 60 * MS);
	assert_int_equal(w.steps[LADDER_AVOIDED], 1);
	assert_int_equal(w.steps[LADDER_CGROUP], 1);
	assert_int_equal(w.steps[LADDER_KERNEL], 1);
	assert_int_equal(w.steps[LADDER_FINAL], 0);
	/* The step that did something gets its time before the ladder begins anew. */
	world_run(&w, 1900 * MS);
	assert_int_equal(w.steps[LADDER_KERNEL], 1);
	world_run(&w, 6000 * MS);
	assert_in_range(w.steps[LADDER_KERNEL], 2, 4);
	assert_int_equal(w.steps[LADDER_AVOIDED], 1);
}

static void the_avoided_die_before_the_ladder_goes_on(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 990, 0)->avoided = true;
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.steps[LADDER_AVOIDED], 1);
	assert_int_equal(w.steps[LADDER_KERNEL], 0);
	assert_true(w.hog[0].gone);
	assert_int_equal(w.recovered, 1);
	assert_false(w.engine.avoided_eligible);
}

static void the_final_action_comes_last_and_only_if_there_is_one(void **state)
{
	struct world w;

	world_init(&w);
	w.config.ladder_count = 4;
	w.config.final = FINAL_REBOOT;
	w.used_elsewhere = 1000 * MIB;
	world_run(&w, 3 * USEC_PER_SEC);
	assert_int_equal(w.steps[LADDER_FINAL], 1);
}

static void memory_held_by_no_process_is_no_reason_to_massacre(void **state)
{
	struct world w;

	world_init(&w);
	w.none_result = VICTIM_HOPELESS;
	w.used_elsewhere = 1000 * MIB;
	world_run(&w, 10 * USEC_PER_SEC);
	assert_int_equal(w.steps[LADDER_CGROUP] + w.steps[LADDER_KERNEL], 0);
	/* Looks go on, but not in a frenzy. */
	assert_in_range(w.looks, 10, 80);
}

static void the_warn_level_never_climbs_the_ladder(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 950 * MIB;
	world_run(&w, 10 * USEC_PER_SEC);
	assert_int_equal(w.steps[0] + w.steps[1] + w.steps[2] + w.steps[3], 0);
}

static void others_victims_get_their_time_then_the_ladder_goes_on(void **state)
{
	struct world w;

	world_init(&w);
	w.none_result = VICTIM_ALL_DYING;
	w.used_elsewhere = 1000 * MIB;
	world_run(&w, 950 * MS);
	assert_int_equal(w.steps[LADDER_KERNEL], 0);
	world_run(&w, 200 * MS);
	assert_int_equal(w.steps[LADDER_KERNEL], 1);
}

/* What others have killed suffices: nobody is added, the ladder is not climbed, and it is looked at
 * again soon; but not for ever. */
static void what_dies_by_other_hands_is_waited_for_like_ours(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	w.none_result = VICTIM_ALL_DYING;
	w.others_suffice = true;
	world_run(&w, 5 * USEC_PER_SEC);
	assert_int_equal(w.steps[LADDER_CGROUP], 0);
	assert_true(w.longest_wait <= 50 * MS);
	world_run(&w, 8 * USEC_PER_SEC);
	assert_true(w.steps[LADDER_CGROUP] > 0);
}

static void swap_that_is_free_keeps_the_level_away(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	w.mem.swap_total_bytes = GIB;
	w.mem.swap_free_bytes = GIB / 2;
	world_hog(&w, 10, 0);
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.began, 0);
	w.mem.swap_free_bytes = GIB / 50;
	world_run(&w, 100 * MS);
	assert_int_equal(w.kills, 1);
}

static void pressure_kills_one_at_a_time_and_only_below_the_guard(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 400, 0);
	world_hog(&w, 390, 0);
	w.in.pressure_kill = true;
	world_run(&w, 20 * MS);
	assert_int_equal(w.chosen, 1);
	assert_int_equal(w.kills, 1);

	world_init(&w);
	world_hog(&w, 400, 0);
	w.in.pressure_kill = true;
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.began, 0);
}

/* The stalls of before are in the reading until it is gone, whatever it still holds. */
static void pressure_kills_nobody_else_while_a_victim_is_torn_down(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	w.used_elsewhere = 720 * MIB;
	h = world_hog(&w, 60, 0);
	h->trickle = 1000 * MIB;
	h->dies_after = 300 * MS;
	world_hog(&w, 50, 0);
	w.in.pressure_kill = true;
	world_run(&w, 250 * MS);
	assert_int_equal(w.kills, 1);
	w.in.pressure_kill = false;
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.freed, 1);
	assert_int_equal(w.kills, 1);
}

/* Its memory came back and is used up again, while it hangs in a close or under a tracer. */
static void who_outlives_his_mm_does_not_hold_up_the_next(void **state)
{
	struct world w;
	struct hog *first;

	world_init(&w);
	w.used_elsewhere = 450 * MIB;
	first = world_hog(&w, 480, 0);
	first->lingers = true;
	world_hog(&w, 1, 200);
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.terms, 1);
	assert_true(first->gone);
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.chosen, 2);
	assert_int_equal(w.upgrades, 0);
	assert_int_equal(w.recovered, 0);
	/* It is let go in the end. */
	world_run(&w, 8 * USEC_PER_SEC);
	assert_int_equal(w.freed, 2);
	assert_int_equal(w.recovered, 1);
}

/* Killed, and so a victim like any other; but the ladder and who stalls do not wait for it. */
static void the_ladder_does_not_wait_for_who_outlives_his_mm(void **state)
{
	struct world w;
	struct hog *h;

	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	h = world_hog(&w, 20, 0);
	h->lingers = true;
	world_run(&w, 900 * MS);
	assert_int_equal(w.kills, 1);
	assert_int_equal(w.steps[LADDER_KERNEL], 0);
	world_run(&w, 600 * MS);
	assert_int_equal(w.steps[LADDER_KERNEL], 1);
}

/* [warn] as a size, [kill] as a share: which of them is the higher depends on the machine. */
static void a_kill_level_above_the_warn_level_asks_for_what_ends_it(void **state)
{
	struct world w;

	/* 64 GiB, of which 3 are available: below 5%, far above 1 GiB. */
	world_init(&w);
	w.mem.total_bytes = 64 * GIB;
	w.config.warn.memory = (struct config_amount){ AMOUNT_BYTES, GIB };
	for (int i = 0; i < 8; i++)
		world_hog(&w, 300, 0);
	w.used_elsewhere = 61 * GIB - 2400 * MIB;
	world_look(&w);
	assert_int_equal(w.engine.level, LEVEL_KILL);
	/* 3.6 GiB are an eighth above the kill level: 614 MiB more, all in one go. */
	assert_int_equal(w.kills, 3);
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.kills, 3);
	assert_int_equal(w.recovered, 1);
}

static void the_need_is_that_of_the_levels_that_hold(void **state)
{
	struct world w;
	struct meminfo m = { .total_bytes = 1000 * MIB,
		.available_bytes = 40 * MIB,
		.swap_total_bytes = 1000 * MIB,
		.swap_free_bytes = 500 * MIB };

	/* Only kill goes by memory alone: warn does not hold, and asks for nothing. */
	world_init(&w);
	w.config.kill.swap.kind = AMOUNT_OFF;
	assert_int_equal(verdict_need_bytes(&w.config, &m), (50 * MIB * 9 / 8) - 40 * MIB);
	/* Swap is nearer to the end of warn, but kill does not heed it: both must end. */
	m.swap_free_bytes = 100 * MIB;
	assert_int_equal(verdict_need_bytes(&w.config, &m), (50 * MIB * 9 / 8) - 40 * MIB);
	/* With both that low, warn is the farther one. */
	m.swap_free_bytes = 20 * MIB;
	assert_int_equal(verdict_need_bytes(&w.config, &m), (100 * MIB * 9 / 8) - 40 * MIB);
	/* Swap of kill is a share that is more than the size of warn. */
	w.config.kill.swap = (struct config_amount){ AMOUNT_PERMILLE, 50 };
	w.config.warn.swap = (struct config_amount){ AMOUNT_BYTES, 16 * MIB };
	m.available_bytes = 10 * MIB;
	assert_int_equal(verdict_need_bytes(&w.config, &m), (50 * MIB * 9 / 8) - 20 * MIB);
	/* No level by memory holds: there is no figure to reach. */
	m.available_bytes = 500 * MIB;
	assert_int_equal(verdict_need_bytes(&w.config, &m), 1);
}

static void without_a_handle_exit_is_the_witness(void **state)
{
	struct world w;

	world_init(&w);
	world_hog(&w, 990, 0)->blind = true;
	world_run(&w, USEC_PER_SEC);
	assert_int_equal(w.freed, 1);
}

static void verdict_of_shared_memory_waits_for_the_mm(void **state)
{
	struct world w;
	struct attempt a = {
		.sig = SIGKILL, .expected_bytes = 700 * MIB, .shmem_bytes = 690 * MIB
	};
	struct engine_observation o = { .handle_valid = true, .reaped = true, .mm_visible = true };

	world_init(&w);
	assert_int_equal(verdict_of(&a, &o, &w.config, 10 * MS), VERDICT_FREEING);
	o.mm_gone = o.all_exited = true;
	assert_int_equal(verdict_of(&a, &o, &w.config, 10 * MS), VERDICT_FREED);
}

static void verdict_exited_is_not_freed_while_the_mm_has_users(void **state)
{
	struct world w;
	struct attempt a = { .sig = SIGKILL, .expected_bytes = 512 * MIB };
	struct engine_observation o = { .handle_valid = true, .all_exited = true };

	world_init(&w);
	assert_int_equal(verdict_of(&a, &o, &w.config, 109 * MS), VERDICT_FREEING);
	/* Nobody of the group is left to wait for, but who reads it from end to end. */
	assert_int_equal(verdict_of(&a, &o, &w.config, 110 * MS), VERDICT_STUCK);
	a.expected_bytes = 12 * GIB;
	assert_int_equal(verdict_of(&a, &o, &w.config, 339 * MS), VERDICT_FREEING);
	assert_int_equal(verdict_of(&a, &o, &w.config, 340 * MS), VERDICT_STUCK);
	a.expected_bytes = 512 * MIB;
	/* While one lives, it may yet let go. */
	o.all_exited = false;
	assert_int_equal(verdict_of(&a, &o, &w.config, 999 * MS), VERDICT_FREEING);
	assert_int_equal(verdict_of(&a, &o, &w.config, 1000 * MS), VERDICT_STUCK);
}

static void verdict_teardown_that_hangs_in_exit_is_not_hidden(void **state)
{
	struct world w;
	struct attempt a = { .sig = SIGKILL, .expected_bytes = 512 * MIB };
	struct engine_observation o = { .handle_valid = true, .mm_gone = true };

	world_init(&w);
	assert_int_equal(verdict_of(&a, &o, &w.config, 10 * MS), VERDICT_FREEING);
	/* Nor is it taken for done while the teardown of a large mm may still go on. */
	assert_int_equal(verdict_of(&a, &o, &w.config, 9000 * MS), VERDICT_FREEING);
	assert_int_equal(verdict_of(&a, &o, &w.config, 10000 * MS), VERDICT_FREED);
}

/* The victims a choice names may all be gone, or refuse: for ever, if there are enough of them. */
static void choices_that_come_to_nothing_end_on_the_ladder(void **state)
{
	struct world w;
	struct action a;
	struct engine_outcome lost = { .result = VICTIM_CHOSEN };
	uint32_t choices = 0;

	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	for (int i = 0; i < 40 && w.steps[LADDER_KERNEL] == 0; i++) {
		world_sense(&w);
		engine_step(&w.engine, &w.in, &a);
		w.in.outcome = a.kind == ACTION_CHOOSE ? &lost : &w.outcome;
		choices += a.kind == ACTION_CHOOSE;
		w.steps[LADDER_KERNEL] += a.kind == ACTION_STEP && a.step == LADDER_KERNEL;
	}
	assert_int_equal(w.steps[LADDER_KERNEL], 1);
	assert_in_range(choices, 8, 20);
}

/* The same at the warn level, where there is no ladder: as where fds are lacking for a while. */
static void choices_that_come_to_nothing_at_the_warn_level_wait_a_second(void **state)
{
	struct world w;
	struct action a = { .kind = ACTION_CHOOSE };
	struct engine_outcome lost = { .result = VICTIM_CHOSEN };
	uint32_t choices = 0;

	world_init(&w);
	w.used_elsewhere = 930 * MIB;
	for (int i = 0; i < 40 && a.kind != ACTION_WAIT; i++) {
		world_sense(&w);
		engine_step(&w.engine, &w.in, &a);
		w.in.outcome = a.kind == ACTION_CHOOSE ? &lost : &w.outcome;
		choices += a.kind == ACTION_CHOOSE;
		assert_int_not_equal(a.kind, ACTION_STEP);
	}
	assert_int_equal(w.engine.level, LEVEL_WARN);
	assert_int_equal(choices, 8);
	assert_int_equal(a.kind, ACTION_WAIT);
	assert_in_range(a.deadline_usec, w.in.now_usec + 1, w.in.now_usec + USEC_PER_SEC);
	/* Nobody is chosen before that second is over, and then anew. */
	w.in.outcome = NULL;
	world_sense(&w);
	engine_step(&w.engine, &w.in, &a);
	assert_int_equal(a.kind, ACTION_WAIT);
	w.now += USEC_PER_SEC;
	world_sense(&w);
	engine_step(&w.engine, &w.in, &a);
	assert_int_equal(a.kind, ACTION_CHOOSE);
}

static void the_ladder_waits_for_who_was_just_killed(void **state)
{
	struct world w;

	/* 250 MiB are killed and not enough; nobody else is eligible. */
	world_init(&w);
	w.config.ladder_count = 4;
	w.config.final = FINAL_REBOOT;
	w.used_elsewhere = 740 * MIB;
	world_hog(&w, 250, 0)->dies_after = 500 * MS;
	w.mem.total_bytes = GIB;
	world_run(&w, 450 * MS);
	assert_int_equal(w.kills, 1);
	assert_int_equal(w.steps[LADDER_KERNEL] + w.steps[LADDER_FINAL], 0);
	w.used_elsewhere = 1000 * MIB;
	world_run(&w, 300 * MS);
	assert_int_equal(w.steps[LADDER_KERNEL], 1);
	assert_int_equal(w.steps[LADDER_FINAL], 0);
}

static void a_step_keeps_its_time_when_a_victim_ends(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	world_run(&w, 100 * MS);
	assert_int_equal(w.steps[LADDER_KERNEL], 1);
	/* A newcomer is no reason to hurry either: the step may have freed what is needed. */
	world_hog(&w, 20, 0);
	world_run(&w, 1800 * MS);
	assert_int_equal(w.kills, 0);
	world_run(&w, 400 * MS);
	assert_int_equal(w.kills, 1);
}

static void avoided_ones_do_not_die_for_memory_on_its_way(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	w.none_result = VICTIM_ALL_DYING;
	world_run(&w, 900 * MS);
	assert_int_equal(w.steps[LADDER_AVOIDED], 0);
	/* It came back, was lost again to others, and they are dying too: they get as long. */
	w.none_result = VICTIM_HOPELESS;
	world_hog(&w, 500, 0)->dies_after = 20 * MS;
	w.used_elsewhere = 500 * MIB;
	world_run(&w, 300 * MS);
	assert_int_equal(w.recovered, 1);
	w.none_result = VICTIM_ALL_DYING;
	w.used_elsewhere = 1000 * MIB;
	world_run(&w, 950 * MS);
	assert_int_equal(w.steps[LADDER_AVOIDED], 0);
	world_run(&w, 200 * MS);
	assert_int_equal(w.steps[LADDER_AVOIDED], 1);
}

static void the_nearer_level_bounds_the_sleep(void **state)
{
	struct world w;

	/* Warn wants swap to be low too, and there is plenty; kill goes by memory alone. */
	world_init(&w);
	w.mem.total_bytes = 8 * GIB;
	w.config.kill.swap.kind = AMOUNT_OFF;
	w.mem.swap_total_bytes = w.mem.swap_free_bytes = 16 * GIB;
	w.used_elsewhere = 8 * GIB - 8 * GIB / 20 - 10 * MIB;
	world_run(&w, 2 * USEC_PER_SEC);
	assert_int_equal(w.began, 0);
	assert_true(w.longest_wait < 300 * MS);
}

static void one_page_back_and_forth_is_no_progress(void **state)
{
	struct world w;
	struct hog *h;
	uint64_t killed;

	world_init(&w);
	h = world_hog(&w, 990, 0);
	h->dies_after = USEC_NEVER;
	world_run(&w, 15 * MS);
	assert_int_equal(w.kills, 1);
	killed = h->kill_usec;
	while (!h->hidden && w.now < killed + 5 * USEC_PER_SEC) {
		h->rss += w.looks % 2 ? 4096 : -4096;
		world_run(&w, 10 * MS);
	}
	assert_in_range(w.now - killed, 990 * MS, 1100 * MS);
}

/* --- house may be kept: a reload, news of cgroups, larger tables --- */

static bool may_keep_house(const struct world *w)
{
	return engine_may_keep_house(&w->engine, w->now);
}

/* Runs for so long; whether there was a time after a look at which house might be kept. */
static bool house_is_kept_within(struct world *w, uint64_t usec)
{
	uint64_t end = w->now + usec;
	bool kept = false;

	while (w->now < end) {
		uint64_t deadline = world_look(w);

		kept = kept || may_keep_house(w);
		/* Never beside a victim. */
		assert_false(may_keep_house(w) && w->engine.victim_count > 0);
		world_advance(w, min_u64(deadline, end));
	}
	return kept;
}

/* A database that a rule protects fills the machine up to the warn level, and stays there. */
static void an_episode_without_end_lets_house_be_kept(void **state)
{
	struct world w;

	world_init(&w);
	assert_true(may_keep_house(&w));
	w.used_elsewhere = 950 * MIB;
	assert_false(house_is_kept_within(&w, 9 * USEC_PER_SEC));
	assert_true(house_is_kept_within(&w, 2 * USEC_PER_SEC));
	/* Not now and then: whenever it is not just looking for somebody. */
	for (int i = 0; i < 100; i++) {
		world_run(&w, USEC_PER_SEC / 3);
		assert_true(may_keep_house(&w));
	}
	assert_int_equal(w.recovered, 0);
	/* The rule is corrected: who may go now goes at once, and then it is no time for chores. */
	w.used_elsewhere -= 60 * MIB;
	world_hog(&w, 60, 0)->term_after = USEC_NEVER;
	engine_set_config(&w.engine, &w.config);
	world_look(&w);
	assert_int_equal(w.terms, 1);
	assert_false(may_keep_house(&w));
}

static void so_does_one_at_the_kill_level_between_its_steps(void **state)
{
	struct world w;

	/* Held by no process. */
	world_init(&w);
	w.none_result = VICTIM_HOPELESS;
	w.used_elsewhere = 1000 * MIB;
	assert_false(house_is_kept_within(&w, 9 * USEC_PER_SEC));
	assert_true(house_is_kept_within(&w, 2 * USEC_PER_SEC));

	/* The ladder begins anew again and again: a step that did something has its time first. */
	world_init(&w);
	w.used_elsewhere = 1000 * MIB;
	assert_false(house_is_kept_within(&w, 9 * USEC_PER_SEC));
	assert_true(house_is_kept_within(&w, 6 * USEC_PER_SEC));
	while (w.now >= w.engine.step_until_usec)
		world_run(&w, 10 * MS);
	assert_false(may_keep_house(&w));
}

static void while_somebody_may_have_to_be_killed_house_is_not_kept(void **state)
{
	struct world w;

	/* A victim that takes 10 s to be taken down. */
	world_init(&w);
	world_hog(&w, 990, 0)->trickle = 20 * MIB;
	w.hog[0].dies_after = 9500 * MS;
	assert_false(house_is_kept_within(&w, 9 * USEC_PER_SEC));
	assert_true(house_is_kept_within(&w, USEC_PER_SEC));
	assert_int_equal(w.recovered, 1);

	/* One who cannot be read for a moment, long after the episode has begun. */
	world_init(&w);
	w.used_elsewhere = 950 * MIB;
	assert_true(house_is_kept_within(&w, 11 * USEC_PER_SEC));
	w.unread_from = w.now;
	w.unread_until = w.now + 5 * USEC_PER_SEC;
	while (w.asked == 0)
		world_run(&w, 10 * MS);
	world_run(&w, 500 * MS);
	assert_false(may_keep_house(&w));
	world_run(&w, USEC_PER_SEC);
	assert_true(may_keep_house(&w));

	/* One who ignores SIGTERM and has 20 s, and nobody else to take the rest from. */
	world_init(&w);
	w.config.term_grace_usec = 20 * USEC_PER_SEC;
	w.used_elsewhere = 920 * MIB;
	world_hog(&w, 30, 0)->term_after = USEC_NEVER;
	assert_false(house_is_kept_within(&w, 20 * USEC_PER_SEC - 10 * MS));

	/* All are dying by other hands: they get their time, late in an episode, too. */
	world_init(&w);
	w.used_elsewhere = 950 * MIB;
	assert_true(house_is_kept_within(&w, 12 * USEC_PER_SEC));
	w.none_result = VICTIM_ALL_DYING;
	while (w.engine.dying_since_usec == 0)
		world_run(&w, 10 * MS);
	assert_false(house_is_kept_within(&w, w.config.victim_timeout_usec - 20 * MS));
}

/* Late in an episode somebody could be chosen after all, and others took what that one gave back.
 */
static void nor_while_what_was_freed_may_not_show_yet(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 950 * MIB;
	assert_true(house_is_kept_within(&w, 12 * USEC_PER_SEC));
	w.used_elsewhere -= 60 * MIB;
	world_hog(&w, 60, 0);
	while (!w.hog[0].gone) {
		world_look(&w);
		world_advance(&w, w.now + MS);
	}
	w.used_elsewhere += 60 * MIB;
	world_look(&w);
	assert_int_equal(w.freed, 1);
	assert_int_equal(w.engine.victim_count, 0);
	assert_int_equal(w.recovered, 0);
	assert_false(may_keep_house(&w));
	assert_true(house_is_kept_within(&w, USEC_PER_SEC));
}

/* The figures could not be read after a choice: the engine does not know its victims yet. */
static void an_outcome_that_is_not_known_yet_puts_house_off(void **state)
{
	struct world w;

	world_init(&w);
	w.used_elsewhere = 950 * MIB;
	world_run(&w, 15 * USEC_PER_SEC);
	world_advance(&w, w.engine.hold_usec);
	world_sense(&w);
	engine_step(&w.engine, &w.in, &w.action);
	assert_int_equal(w.action.kind, ACTION_CHOOSE);
	w.engine.hold_usec = w.now + USEC_PER_SEC;
	assert_false(may_keep_house(&w));
}

/* Nobody dies in a dry run, so its episodes end by themselves only. */
static void a_dry_run_can_be_reloaded(void **state)
{
	struct world w;

	world_init(&w);
	w.dry_run = true;
	world_hog(&w, 950, 0);
	assert_true(house_is_kept_within(&w, 15 * USEC_PER_SEC));
}

/* xorshift: the same worlds in every run. */
static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void a_thousand_random_worlds_hold_the_promises(void **state)
{
	uint64_t x = 88172645463325252;

	for (int n = 0; n < 1000; n++) {
		struct world w;
		uint32_t hogs = (uint32_t)(1 + next_random(&x) % 40);

		world_init(&w);
		for (uint32_t i = 0; i < hogs; i++) {
			struct hog *h = world_hog(&w, next_random(&x) % 200, next_random(&x) % 40);

			h->dies_after =
				next_random(&x) % 6 ? next_random(&x) % (1500 * MS) : USEC_NEVER;
			h->term_after = next_random(&x) % 2 ? 20 * MS : USEC_NEVER;
			h->deaf = h->term_after == USEC_NEVER && next_random(&x) % 2;
			h->reap_after = next_random(&x) % 8 ? USEC_NEVER : 30 * MS;
			h->avoided = next_random(&x) % 5 == 0;
			h->blind = next_random(&x) % 7 == 0;
		}
		world_run(&w, 20 * USEC_PER_SEC);
		/* No one is signalled with SIGKILL twice, and all is accounted for. */
		assert_true(w.freed + w.stuck + w.spared + w.engine.victim_count == w.chosen);
		assert_true(w.recovered <= w.began && w.began <= w.recovered + 1);
		/* With nobody left to choose the ladder is next, once what was freed has settled.
		 */
		if (w.engine.level == LEVEL_KILL && w.engine.victim_count == 0)
			world_run(&w, 5 * USEC_PER_SEC);
		if (w.engine.level == LEVEL_KILL && w.engine.victim_count == 0)
			assert_true(w.steps[LADDER_KERNEL] > 0);
	}
}

static void swap_counts_where_a_level_of_memory_asks_for_it(void **state)
{
	struct world w;

	world_init(&w);
	w.mem.swap_total_bytes = GIB;
	assert_true(verdict_swap_counts(&w.config));
	w.config.kill.swap.kind = AMOUNT_OFF;
	assert_true(verdict_swap_counts(&w.config));
	world_hog(&w, 980, 0);
	world_look(&w);
	assert_int_equal(w.chosen, 1);
	assert_false(w.action.need.no_swap);
	w.config.warn.swap.kind = AMOUNT_OFF;
	assert_false(verdict_swap_counts(&w.config));
	w.config.warn.swap.kind = AMOUNT_PERMILLE;
	w.config.warn.memory.kind = AMOUNT_OFF;
	assert_false(verdict_swap_counts(&w.config));
	/* By pressure alone. */
	w.config.kill.memory.kind = AMOUNT_OFF;
	assert_true(verdict_swap_counts(&w.config));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swap_counts_where_a_level_of_memory_asks_for_it),
		cmocka_unit_test(plenty_of_memory_waits_long_and_does_nothing),
		cmocka_unit_test(a_plain_hog_is_asked_first_and_alone),
		cmocka_unit_test(who_is_deaf_to_sigterm_is_killed_at_the_kill_level),
		cmocka_unit_test(who_is_deaf_to_sigterm_is_killed_when_its_grace_ends),
		cmocka_unit_test(a_group_that_sigterm_has_parted_is_killed_soon),
		cmocka_unit_test(an_mm_that_outlives_its_group_is_given_up_soon_after_sigterm),
		cmocka_unit_test(who_cannot_be_read_for_a_moment_is_waited_for),
		cmocka_unit_test(who_cannot_be_read_for_long_makes_room_for_the_next),
		cmocka_unit_test(where_nobody_can_be_read_the_ladder_waits_as_long_as_for_a_victim),
		cmocka_unit_test(the_ladder_waits_from_the_last_victim_on),
		cmocka_unit_test(an_upgrade_that_could_not_be_asked_about_is_no_kill),
		cmocka_unit_test(
			an_upgrade_that_cannot_be_asked_about_for_long_is_given_up_and_nobody_hidden),
		cmocka_unit_test(what_an_upgrade_that_cannot_be_asked_about_holds_is_not_coming),
		cmocka_unit_test(looks_leave_the_cpu_to_those_who_are_dying),
		cmocka_unit_test(what_came_back_long_ago_does_not_hold_others_up),
		cmocka_unit_test(who_may_not_be_killed_after_all_is_given_up_at_once),
		cmocka_unit_test(a_large_mm_may_be_held_for_longer_by_those_who_read_it),
		cmocka_unit_test(a_core_dump_is_ended_at_once_where_sigterm_cannot),
		cmocka_unit_test(who_ignores_sigterm_is_not_waited_for),
		cmocka_unit_test(of_two_only_the_deaf_one_has_sigkill),
		cmocka_unit_test(who_is_slow_to_go_is_spared_when_memory_came_back_otherwise),
		cmocka_unit_test(a_stuck_victim_is_hidden_and_the_next_is_chosen_in_time),
		cmocka_unit_test(a_victim_in_d_state_counts_as_freed_once_reaped),
		cmocka_unit_test(slow_teardown_is_waited_for_while_it_progresses),
		cmocka_unit_test(progress_without_end_is_cut_at_the_cap),
		cmocka_unit_test(no_second_victim_while_the_first_suffices),
		cmocka_unit_test(sixty_small_hogs_lose_the_race),
		cmocka_unit_test(a_fresh_set_covers_growth_but_one_that_suffices_alone_stays_alone),
		cmocka_unit_test(with_nobody_left_the_ladder_is_climbed_step_by_step),
		cmocka_unit_test(the_avoided_die_before_the_ladder_goes_on),
		cmocka_unit_test(the_final_action_comes_last_and_only_if_there_is_one),
		cmocka_unit_test(memory_held_by_no_process_is_no_reason_to_massacre),
		cmocka_unit_test(the_warn_level_never_climbs_the_ladder),
		cmocka_unit_test(others_victims_get_their_time_then_the_ladder_goes_on),
		cmocka_unit_test(what_dies_by_other_hands_is_waited_for_like_ours),
		cmocka_unit_test(swap_that_is_free_keeps_the_level_away),
		cmocka_unit_test(pressure_kills_one_at_a_time_and_only_below_the_guard),
		cmocka_unit_test(pressure_kills_nobody_else_while_a_victim_is_torn_down),
		cmocka_unit_test(who_outlives_his_mm_does_not_hold_up_the_next),
		cmocka_unit_test(the_ladder_does_not_wait_for_who_outlives_his_mm),
		cmocka_unit_test(a_kill_level_above_the_warn_level_asks_for_what_ends_it),
		cmocka_unit_test(the_need_is_that_of_the_levels_that_hold),
		cmocka_unit_test(without_a_handle_exit_is_the_witness),
		cmocka_unit_test(verdict_of_shared_memory_waits_for_the_mm),
		cmocka_unit_test(verdict_exited_is_not_freed_while_the_mm_has_users),
		cmocka_unit_test(verdict_teardown_that_hangs_in_exit_is_not_hidden),
		cmocka_unit_test(choices_that_come_to_nothing_end_on_the_ladder),
		cmocka_unit_test(choices_that_come_to_nothing_at_the_warn_level_wait_a_second),
		cmocka_unit_test(the_ladder_waits_for_who_was_just_killed),
		cmocka_unit_test(a_step_keeps_its_time_when_a_victim_ends),
		cmocka_unit_test(avoided_ones_do_not_die_for_memory_on_its_way),
		cmocka_unit_test(the_nearer_level_bounds_the_sleep),
		cmocka_unit_test(one_page_back_and_forth_is_no_progress),
		cmocka_unit_test(an_episode_without_end_lets_house_be_kept),
		cmocka_unit_test(so_does_one_at_the_kill_level_between_its_steps),
		cmocka_unit_test(while_somebody_may_have_to_be_killed_house_is_not_kept),
		cmocka_unit_test(nor_while_what_was_freed_may_not_show_yet),
		cmocka_unit_test(an_outcome_that_is_not_known_yet_puts_house_off),
		cmocka_unit_test(a_dry_run_can_be_reloaded),
		cmocka_unit_test(a_thousand_random_worlds_hold_the_promises),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
