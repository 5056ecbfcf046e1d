/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of one that can run short of memory, with an actor that is played here, readings made
 * up, and a clock that only moves when the test says so: what is remembered of the stalls, and when
 * they are forgotten.
 */
#include "watch.h"

#include "util.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SPAN         (20 * USEC_PER_SEC)
#define DIES_AFTER   (30 * USEC_PER_MSEC)
#define VICTIM_BYTES (200 * MIB)

static struct {
	struct config config;
	struct watch watch;
	struct meminfo mem;
	struct pressure pressure;
	uint64_t now;
	uint32_t stalled_percent; /* of the time, from now on */
	bool has_victim;          /* there is somebody to choose */
	bool death_helps, step_helps;
	uint64_t killed_usec; /* 0: nobody is in flight */
	uint64_t rest_usec;   /* when the rest of a victim's cgroup is to be killed */
	int read_error;
	bool fails_after_choice; /* the reading that follows upon it */
	/* What was carried out. */
	uint32_t began, chosen, freed, recovered, steps[LADDER_FINAL + 1];
	uint64_t step_usec[LADDER_FINAL + 1];
} world;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (clock != CLOCK_MONOTONIC)
		return (int)syscall(SYS_clock_gettime, clock, ret);
	*ret = (struct timespec){ .tv_sec = (time_t)(world.now / USEC_PER_SEC),
		.tv_nsec = (long)(world.now % USEC_PER_SEC) * 1000 };
	return 0;
}

/* --- the actor --- */

void actor_enter(struct actor *a, const struct domain_place *place)
{
}

void actor_observe(struct actor *a, const struct engine *e, struct engine_input *in)
{
	bool gone = world.now >= world.killed_usec + DIES_AFTER;

	if (world.killed_usec == 0)
		return;
	in->seen_count = 1;
	in->seen[0].slot = 0;
	in->seen[0].o = (struct engine_observation){ .handle_valid = true,
		.mm_visible = !gone,
		.rss_bytes = gone ? 0 : VICTIM_BYTES,
		.mm_gone = gone,
		.some_exited = gone,
		.all_exited = gone };
}

static void choose(struct engine_outcome *ret)
{
	world.chosen++;
	ret->result = VICTIM_NONE;
	if (world.has_victim && world.killed_usec == 0) {
		ret->result = VICTIM_CHOSEN;
		ret->count = 1;
		ret->expected_bytes[0] = VICTIM_BYTES;
		world.killed_usec = world.now;
	}
	if (world.fails_after_choice)
		world.read_error = -EMFILE;
}

static void release(void)
{
	world.freed++;
	world.killed_usec = 0;
	if (world.death_helps)
		world.stalled_percent = 0;
}

static bool take_step(enum ladder_step step)
{
	if (world.steps[step]++ == 0)
		world.step_usec[step] = world.now;
	if (step == LADDER_AVOIDED)
		return false;
	if (world.step_helps)
		world.stalled_percent = 0;
	return true;
}

uint64_t actor_settle(struct actor *a, const struct act_context *c)
{
	return world.rest_usec > world.now ? world.rest_usec : UINT64_MAX;
}

void actor_carry_out(struct actor *a, const struct act_context *c, const struct action *action,
	struct engine_outcome *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (action->kind == ACTION_BEGAN)
		world.began++;
	else if (action->kind == ACTION_RECOVERED)
		world.recovered++;
	else if (action->kind == ACTION_CHOOSE)
		choose(ret);
	else if (action->kind == ACTION_FREED)
		release();
	else if (action->kind == ACTION_STEP)
		ret->acted = take_step(action->step);
	else
		fail_msg("action %d is none of this world", action->kind);
}

/* --- the world --- */

static int read_world(void *ctx, struct meminfo *ret, struct pressure *ret_pressure,
	bool want_pressure, bool *ret_has_pressure)
{
	if (world.read_error < 0)
		return world.read_error;
	*ret = world.mem;
	*ret_pressure = world.pressure;
	*ret_has_pressure = want_pressure;
	return 0;
}

static int setup(void **state)
{
	static const struct config_pressure pressure = { true, true, 60, SPAN };

	memset(&world, 0, sizeof(world));
	world.config = (struct config){
		.warn = { { AMOUNT_PERMILLE, 100 }, { AMOUNT_PERMILLE, 100 }, { false } },
		.kill = { { AMOUNT_PERMILLE, 50 }, { AMOUNT_PERMILLE, 50 }, pressure },
		.pressure_guard = { AMOUNT_PERMILLE, 300 },
		.victim_timeout_usec = USEC_PER_SEC,
		.victim_cap_usec = 10 * USEC_PER_SEC,
		.term_grace_usec = 10 * USEC_PER_SEC,
		.step_timeout_usec = 2 * USEC_PER_SEC,
		.max_sleep_usec = USEC_PER_SEC,
		.ladder = { LADDER_AVOIDED, LADDER_CGROUP, LADDER_KERNEL },
		.ladder_count = 3,
	};
	/* Never low by itself; but low enough for pressure to count. */
	world.mem.total_bytes = GIB;
	world.mem.available_bytes = GIB / 5;
	world.now = 1000 * USEC_PER_SEC;
	watch_init(&world.watch, &world.config, NULL, GIB, read_world, NULL);
	return 0;
}

static uint64_t look(void)
{
	uint64_t until = 0;

	assert_int_equal(watch_look(&world.watch, NULL, 0, world.now, &until), 0);
	assert_true(until > world.now);
	return until;
}

/* Looks when it is time to, and so often at least as a trigger would have it. */
static void live_for(uint64_t usec)
{
	uint64_t end = world.now + usec;

	while (world.now < end) {
		uint64_t until = min_u64(look(), end);

		until = min_u64(until, world.now + USEC_PER_SEC / 4);
		world.pressure.full_usec +=
			mul_div_u64(until - world.now, world.stalled_percent, 100);
		world.now = until;
	}
}

/* All tasks stall; to the moment at which the level of pressure has just been reached. */
static void stall_until_it_counts(void)
{
	world.stalled_percent = 100;
	for (int i = 0; i < 300 && world.chosen == 0; i++)
		live_for(USEC_PER_SEC / 10);
	assert_int_equal(world.began, 1);
	assert_true(world.chosen > 0);
}

/* --- tests --- */

static void stalls_that_a_step_has_ended_bring_no_other_step(void **state)
{
	world.step_helps = true;
	stall_until_it_counts();
	live_for(2 * SPAN);
	assert_int_equal(world.steps[LADDER_CGROUP], 1);
	assert_int_equal(world.steps[LADDER_KERNEL], 0);
	assert_int_equal(world.recovered, 1);
	assert_int_equal(world.began, 1);
	/* As soon as the step has had its time, and not when the span is over. */
	assert_false(watch_is_busy(&world.watch));
}

static void they_are_forgotten_when_the_step_has_had_its_time(void **state)
{
	world.step_helps = true;
	stall_until_it_counts();
	live_for(world.config.step_timeout_usec - USEC_PER_SEC / 2);
	assert_int_equal(world.steps[LADDER_CGROUP], 1);
	assert_int_equal(world.recovered, 0);
	live_for(USEC_PER_SEC);
	assert_int_equal(world.recovered, 1);
}

static void stalls_that_go_on_bring_the_next_step_in_time(void **state)
{
	stall_until_it_counts();
	live_for(world.config.step_timeout_usec + USEC_PER_SEC);
	assert_int_equal(world.steps[LADDER_CGROUP], 1);
	assert_int_equal(world.steps[LADDER_KERNEL], 1);
	assert_in_range(world.step_usec[LADDER_KERNEL] - world.step_usec[LADDER_CGROUP],
		world.config.step_timeout_usec, world.config.step_timeout_usec + USEC_PER_SEC / 2);
	assert_int_equal(world.recovered, 0);
}

/* Half of the stalls are gone, and the other half is no reason. */
static void stalls_that_a_step_has_made_fewer_than_the_level_are_forgotten(void **state)
{
	stall_until_it_counts();
	live_for(USEC_PER_SEC / 4);
	assert_int_equal(world.steps[LADDER_CGROUP], 1);
	world.stalled_percent = 50;
	live_for(2 * SPAN);
	assert_int_equal(world.steps[LADDER_KERNEL], 0);
	assert_int_equal(world.recovered, 1);
}

static void stalls_from_before_a_death_bring_no_second_one(void **state)
{
	world.has_victim = world.death_helps = true;
	stall_until_it_counts();
	live_for(2 * SPAN);
	assert_int_equal(world.freed, 1);
	assert_int_equal(world.chosen, 1);
	assert_int_equal(world.recovered, 1);
}

static void who_has_to_kill_the_rest_of_a_cgroup_is_busy_until_then(void **state)
{
	world.rest_usec = world.now + 10 * USEC_PER_MSEC;
	assert_int_equal(look(), world.rest_usec);
	assert_true(watch_is_busy(&world.watch));
	live_for(USEC_PER_SEC);
	assert_false(watch_is_busy(&world.watch));
	/* What is there to be done where nothing can be read waits for nobody. */
	world.rest_usec = world.now + USEC_PER_SEC;
	look();
	world.read_error = -EMFILE;
	watch_look(&world.watch, NULL, 0, world.now, &(uint64_t){ 0 });
	assert_false(watch_is_busy(&world.watch));
}

static void stalls_that_go_on_after_a_death_bring_the_next_when_they_have_lasted(void **state)
{
	uint64_t first;

	world.has_victim = true;
	stall_until_it_counts();
	first = world.now;
	while (world.chosen < 2 && world.now < first + 2 * SPAN)
		live_for(USEC_PER_SEC / 10);
	assert_int_equal(world.chosen, 2);
	assert_in_range(world.now - first, mul_div_u64(SPAN, 60, 100) - USEC_PER_SEC / 2, SPAN);
}

static void a_look_without_figures_decides_nothing(void **state)
{
	uint64_t until;

	world.mem.available_bytes = GIB / 100;
	world.read_error = -EMFILE;
	assert_int_equal(watch_look(&world.watch, NULL, 0, world.now, &until), -EMFILE);
	assert_int_equal(world.began + world.chosen, 0);
	assert_false(watch_is_busy(&world.watch));
}

/* Or its victim would be in nobody's book, and another one added. */
static void what_an_action_came_to_is_told_though_the_reading_after_it_failed(void **state)
{
	uint64_t until;

	world.mem.available_bytes = GIB / 100;
	world.has_victim = world.fails_after_choice = true;
	assert_int_equal(watch_look(&world.watch, NULL, 0, world.now, &until), -EMFILE);
	assert_int_equal(world.chosen, 1);
	world.read_error = 0;
	(void)look();
	assert_int_equal(world.chosen, 1);
	assert_true(engine_is_killing(&world.watch.engine, world.now));
}

static void a_trigger_has_the_pressure_watched_for_two_spans(void **state)
{
	world.config.max_sleep_usec = 10 * USEC_PER_SEC;
	/* Nothing fills this machine fast enough to be looked at often. */
	watch_set_config(&world.watch, &world.config, MIB);
	assert_true(look() > world.now + USEC_PER_SEC);
	watch_alarm(&world.watch, world.now);
	assert_true(look() <= world.now + USEC_PER_SEC / 2);
	world.now += 2 * SPAN - 1;
	assert_true(look() <= world.now + USEC_PER_SEC / 2);
	world.now += 2;
	assert_true(look() > world.now + USEC_PER_SEC);
}

static void the_longest_span_of_a_level_is_what_is_remembered(void **state)
{
	assert_int_equal(watch_span_usec(&world.config), SPAN);
	world.config.warn.pressure = (struct config_pressure){ true, false, 10, 2 * SPAN };
	assert_int_equal(watch_span_usec(&world.config), 2 * SPAN);
	world.config.warn.pressure.set = world.config.kill.pressure.set = false;
	assert_int_equal(watch_span_usec(&world.config), 0);
}

int main(void)
{
#define WATCH(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		WATCH(stalls_that_a_step_has_ended_bring_no_other_step),
		WATCH(they_are_forgotten_when_the_step_has_had_its_time),
		WATCH(stalls_that_go_on_bring_the_next_step_in_time),
		WATCH(stalls_that_a_step_has_made_fewer_than_the_level_are_forgotten),
		WATCH(stalls_from_before_a_death_bring_no_second_one),
		WATCH(who_has_to_kill_the_rest_of_a_cgroup_is_busy_until_then),
		WATCH(stalls_that_go_on_after_a_death_bring_the_next_when_they_have_lasted),
		WATCH(a_look_without_figures_decides_nothing),
		WATCH(what_an_action_came_to_is_told_though_the_reading_after_it_failed),
		WATCH(a_trigger_has_the_pressure_watched_for_two_spans),
		WATCH(the_longest_span_of_a_level_is_what_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
