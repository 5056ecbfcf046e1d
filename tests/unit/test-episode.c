/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events put together to episodes. What is written of them, key by key: test-episode-json.c.
 */
#include "desk-world.h"

#define WALL UINT64_C(1764500000000000)

static const char *const docker = "/system.slice/docker-x.scope";

static int set_up(void **state)
{
	struct episodes *e;

	if (episodes_new(40, &e) < 0)
		return -1;
	*state = e;
	return 0;
}

static int tear_down(void **state)
{
	episodes_free(*state);
	return 0;
}

/* As if it came the moment that it happened. */
static const struct episode *take(struct episodes *e, struct report_event event)
{
	return episodes_take(e, &event, 0, event.at_usec, WALL + event.at_usec);
}

static struct report_event docker_event(enum report_kind kind, uint64_t msec)
{
	return in_domain(event_at(kind, msec), "docker", docker);
}

static void from_the_first_low_reading_to_recovery(void **state)
{
	struct episodes *e = *state;
	const struct episode *ended;

	assert_null(episodes_open(e, 0));
	assert_null(take(e, event_at(REPORT_EPISODE_BEGAN, 1000)));
	assert_null(take(e, with_victim(event_at(REPORT_SIGNALLED, 1010), 5, "hog")));
	assert_null(take(e, with_victim(event_at(REPORT_FREED, 1100), 5, "hog")));
	assert_int_equal(episodes_open(e, 0)->step_count, 3);
	assert_int_equal(episodes_open(e, 0)->ended_usec, 0);
	assert_null(episodes_open(e, 1));
	ended = take(e, event_at(REPORT_RECOVERED, 1500));
	assert_non_null(ended);
	assert_int_equal(ended->id, 40);
	assert_true(ended->recovered);
	assert_int_equal(ended->began_usec, 1000000);
	assert_int_equal(ended->ended_usec, 1500000);
	assert_int_equal(ended->began_realtime_usec, WALL + 1000000);
	assert_int_equal(ended->step_count, 4);
	assert_int_equal(ended->steps[2].event.kind, REPORT_FREED);
	assert_null(episodes_open(e, 0));
	assert_null(episodes_end(e, 2000000));
	take(e, event_at(REPORT_EPISODE_BEGAN, 3000));
	assert_int_equal(episodes_open(e, 0)->id, 41);
	assert_int_equal(episodes_open(e, 0)->step_count, 1);
}

static void an_event_that_waited_is_dated_back(void **state)
{
	struct report_event began = event_at(REPORT_EPISODE_BEGAN, 1000);

	episodes_take(*state, &began, 0, 61000000, WALL);
	assert_int_equal(episodes_open(*state, 0)->began_realtime_usec, WALL - 60 * USEC_PER_SEC);
}

static void machine_and_domain_overlap(void **state)
{
	struct episodes *e = *state;
	const struct episode *ended;

	take(e, event_at(REPORT_EPISODE_BEGAN, 1000));
	take(e, docker_event(REPORT_EPISODE_BEGAN, 1100));
	take(e, with_victim(docker_event(REPORT_SIGNALLED, 1200), 7, "inside"));
	take(e, with_victim(event_at(REPORT_SIGNALLED, 1300), 5, "hog"));
	assert_non_null(episodes_open(e, 1));
	ended = take(e, event_at(REPORT_RECOVERED, 1400));
	assert_string_equal(ended->domain_path, "");
	assert_int_equal(ended->step_count, 3);
	assert_string_equal(ended->steps[1].event.comm, "hog");
	assert_null(take(e, with_victim(docker_event(REPORT_FREED, 1500), 7, "inside")));
	ended = take(e, docker_event(REPORT_RECOVERED, 1600));
	assert_int_equal(ended->id, 41);
	assert_string_equal(ended->domain, "docker");
	assert_string_equal(ended->domain_path, docker);
	assert_int_equal(ended->step_count, 4);
	assert_int_equal(ended->began_usec, 1100000);
}

/* The daemon tells it without the domain. */
static void a_cgroup_dies_in_the_episode_of_its_victim(void **state)
{
	struct episodes *e = *state;

	take(e, event_at(REPORT_EPISODE_BEGAN, 1000));
	take(e, docker_event(REPORT_EPISODE_BEGAN, 1100));
	take(e, with_victim(docker_event(REPORT_SIGNALLED, 1200), 7, "inside"));
	take(e, event_at(REPORT_WHOLE, 1201));
	assert_int_equal(episodes_open(e, 0)->step_count, 1);
	assert_int_equal(episodes_open(e, 1)->step_count, 3);
	take(e, with_victim(event_at(REPORT_SIGNALLED, 1300), 5, "hog"));
	take(e, event_at(REPORT_WHOLE, 1301));
	assert_int_equal(episodes_open(e, 0)->step_count, 3);
	assert_int_equal(episodes_open(e, 1)->step_count, 3);
	/* Whose episode is over has no claim any more. */
	take(e, event_at(REPORT_RECOVERED, 1400));
	take(e, event_at(REPORT_WHOLE, 1401));
	assert_int_equal(episodes_open(e, 0)->step_count, 3);
	assert_null(episodes_open(e, 1));
	/* Nor has the next one in its place. */
	take(e, in_domain(event_at(REPORT_EPISODE_BEGAN, 1500), "pods", "/pod"));
	take(e, event_at(REPORT_WHOLE, 1501));
	assert_int_equal(episodes_open(e, 0)->step_count, 1);
	assert_int_equal(episodes_open(e, 1)->step_count, 3);
}

static void an_event_in_the_middle_opens_one(void **state)
{
	struct episodes *e = *state;
	struct report_event recovered = event_at(REPORT_RECOVERED, 5000);
	const struct episode *ended;

	take(e, with_victim(event_at(REPORT_FREED, 4000), 5, "hog"));
	assert_int_equal(episodes_open(e, 0)->began_usec, 4000000);
	/* The recovery knows since when. */
	recovered.latency_usec = 3000000;
	ended = take(e, recovered);
	assert_int_equal(ended->began_usec, 2000000);
	assert_int_equal(ended->began_realtime_usec, WALL + 2000000);
	assert_int_equal(ended->step_count, 2);
	/* Even one of which nothing else was heard is one. */
	ended = take(e, recovered);
	assert_int_equal(ended->id, 41);
	assert_int_equal(ended->ended_usec - ended->began_usec, 3000000);
}

static void what_is_told_after_the_end_opens_none(void **state)
{
	struct episodes *e = *state;

	take(e, event_at(REPORT_EPISODE_BEGAN, 1000));
	assert_non_null(take(e, event_at(REPORT_RECOVERED, 2000)));
	assert_null(take(e, event_at(REPORT_KERNEL_OOM, 2000)));
	assert_null(take(e, event_at(REPORT_WHOLE, 2000)));
	assert_null(episodes_open(e, 0));
}

static void a_second_beginning_ends_the_first(void **state)
{
	struct episodes *e = *state;
	struct report_event second = event_at(REPORT_EPISODE_BEGAN, 9000);
	const struct episode *ended;

	take(e, event_at(REPORT_EPISODE_BEGAN, 1000));
	take(e, with_victim(event_at(REPORT_SIGNALLED, 1500), 5, "hog"));
	ended = episodes_take(e, &second, 3, 9000000, WALL);
	assert_int_equal(ended->id, 40);
	assert_false(ended->recovered);
	assert_int_equal(ended->ended_usec, 1500000); /* when it was last heard of */
	assert_int_equal(ended->step_count, 2);
	assert_int_equal(episodes_open(e, 0)->id, 41);
	assert_int_equal(episodes_open(e, 0)->steps_lost, 3);
	assert_null(episodes_open(e, 1));
}

static void the_recovery_finds_room_after_too_many_steps(void **state)
{
	struct episodes *e = *state;
	const struct episode *ended;

	take(e, event_at(REPORT_EPISODE_BEGAN, 1000));
	for (int i = 0; i < EPISODE_STEPS_MAX + 44; i++)
		take(e, with_victim(event_at(REPORT_SIGNALLED, 1001 + (uint64_t)i), i, "bomb"));
	ended = take(e, event_at(REPORT_RECOVERED, 5000));
	assert_int_equal(ended->step_count, EPISODE_STEPS_MAX);
	assert_int_equal(ended->steps_lost, 46);
	assert_int_equal(ended->steps[EPISODE_STEPS_MAX - 1].event.kind, REPORT_RECOVERED);
	assert_int_equal(ended->steps[EPISODE_STEPS_MAX - 2].event.victim.pid, 253);
	/* The next one in its place begins empty. */
	take(e, event_at(REPORT_EPISODE_BEGAN, 6000));
	assert_int_equal(episodes_open(e, 0)->steps_lost, 0);
}

static void events_lost_on_the_way_are_counted(void **state)
{
	struct report_event began = event_at(REPORT_EPISODE_BEGAN, 1000),
			    freed = event_at(REPORT_FREED, 1100);

	episodes_take(*state, &began, 0, 1000000, WALL);
	episodes_take(*state, &freed, 17, 1100000, WALL);
	assert_int_equal(episodes_open(*state, 0)->steps_lost, 17);
	assert_int_equal(episodes_open(*state, 0)->step_count, 2);
}

static void the_daemon_goes_and_all_end(void **state)
{
	struct episodes *e = *state;
	const struct episode *ended;
	int n = 0;

	take(e, event_at(REPORT_EPISODE_BEGAN, 1000));
	take(e, docker_event(REPORT_EPISODE_BEGAN, 1100));
	while ((ended = episodes_end(e, 2000000))) {
		n++;
		assert_false(ended->recovered);
		assert_int_equal(ended->ended_usec, 2000000);
		assert_int_equal(ended->step_count, 1);
	}
	assert_int_equal(n, 2);
	assert_null(episodes_open(e, 0));
}

static void the_longest_silent_makes_room(void **state)
{
	struct episodes *e = *state;
	const struct episode *ended = NULL;
	char path[256];
	uint32_t open = 0;

	for (unsigned i = 0; i <= CONFIG_DOMAINS_MAX; i++) {
		snprintf(path, sizeof(path), "/pod%u", i);
		assert_null(
			take(e, in_domain(event_at(REPORT_EPISODE_BEGAN, 1000 + i), "p", path)));
	}
	/* The first is heard again: now the second is the one whose end was lost. */
	take(e, in_domain(event_at(REPORT_NO_VICTIM, 2000), "p", "/pod0"));
	ended = take(e, event_at(REPORT_EPISODE_BEGAN, 3000));
	assert_non_null(ended);
	assert_string_equal(ended->domain_path, "/pod1");
	assert_int_equal(ended->ended_usec, 1001000);
	assert_false(ended->recovered);
	/* One that opens and ends at once needs nobody's place. */
	ended = take(e, in_domain(event_at(REPORT_RECOVERED, 3100), "p", "/new"));
	assert_string_equal(ended->domain_path, "/new");
	while (episodes_open(e, open))
		open++;
	assert_int_equal(open, CONFIG_DOMAINS_MAX + 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(from_the_first_low_reading_to_recovery),
		TEST(an_event_that_waited_is_dated_back),
		TEST(machine_and_domain_overlap),
		TEST(a_cgroup_dies_in_the_episode_of_its_victim),
		TEST(an_event_in_the_middle_opens_one),
		TEST(what_is_told_after_the_end_opens_none),
		TEST(a_second_beginning_ends_the_first),
		TEST(the_recovery_finds_room_after_too_many_steps),
		TEST(events_lost_on_the_way_are_counted),
		TEST(the_daemon_goes_and_all_end),
		TEST(the_longest_silent_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
