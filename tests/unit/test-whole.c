/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the rest of a cgroup that dies whole is killed, with a clock of its own. */
#include "whole.h"

#include "act.h"
#include "util.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GRACE   (10 * USEC_PER_SEC)
#define TIMEOUT (10 * USEC_PER_SEC)
#define START   (100 * USEC_PER_SEC)
#define BORN    1000

static struct whole_table table;
static const struct domain_place domain = { .name = "pods", .path = "/pods" };

static int setup(void **state)
{
	memset(&table, 0, sizeof(table));
	return 0;
}

/* Slots of a cgroup that have had SIGTERM at START. */
static int note(const char *path, uint32_t slots)
{
	int i = whole_note(&table, path, NULL, true, BORN, START + GRACE);

	assert_true(i >= 0);
	while (slots-- > 0)
		whole_join(&table, i);
	return i;
}

static int next(uint64_t now_usec)
{
	return whole_next(&table, NULL, now_usec);
}

static void those_asked_to_go_have_their_grace(void **state)
{
	int i = note("/a", 2);

	assert_int_equal(next(START + 2 * GRACE), -1);
	whole_has_begun(&table, i);
	whole_leave(&table, i);
	assert_int_equal(next(START + GRACE - 1), -1);
	assert_int_equal(whole_next_usec(&table, NULL), START + GRACE);
	assert_int_equal(next(START + GRACE), i);
}

static void with_the_last_of_them_the_rest_is_due(void **state)
{
	int i = note("/a", 2);

	whole_has_begun(&table, i);
	whole_leave(&table, i);
	whole_leave(&table, i);
	assert_int_equal(next(START), i);
	whole_done(&table, i);
	assert_int_equal(next(START), -1);
	assert_int_equal(whole_next_usec(&table, NULL), UINT64_MAX);
}

static void sigkill_for_one_is_for_all(void **state)
{
	int i = note("/a", 2);

	whole_has_sigkill(&table, i);
	assert_int_equal(next(START), i);
}

static void nobody_is_killed_where_nobody_has_died(void **state)
{
	int i = note("/a", 2);

	whole_leave(&table, i);
	whole_leave(&table, i);
	assert_int_equal(next(START + 2 * GRACE), -1);
	assert_int_equal(table.at[i].state, WHOLE_FREE);
}

static void what_had_sigkill_is_due_though_nobody_was_seen_dead(void **state)
{
	int i = note("/a", 1);

	whole_has_sigkill(&table, i);
	whole_leave(&table, i);
	assert_int_equal(next(START), i);
}

/* Its processes are gone, and something holds its mm: the slot has not ended. */
static void who_was_seen_dead_has_died(void **state)
{
	int i = note("/a", 1);

	whole_has_begun(&table, i);
	whole_leave(&table, i);
	assert_int_equal(next(START), i);
}

static void what_was_killed_is_known_until_its_slots_have_ended(void **state)
{
	int i = note("/a", 1), again;

	whole_has_sigkill(&table, i);
	whole_done(&table, i);
	assert_int_equal(table.at[i].state, WHOLE_DONE);
	again = note("/a", 1); /* others, chosen since */
	assert_int_not_equal(again, i);
	whole_has_begun(&table, i);
	whole_leave(&table, i);
	assert_int_equal(table.at[i].state, WHOLE_FREE);
	assert_int_equal(next(START), -1);
}

static void a_cgroup_made_anew_has_lost_nobody_yet(void **state)
{
	int old = note("/a", 2), made;

	assert_int_equal(whole_seen(&table, old, 7, START + GRACE), old);
	whole_has_begun(&table, old);
	assert_int_equal(whole_seen(&table, old, 0, START + GRACE), old); /* unread, for once */
	assert_int_equal(whole_seen(&table, old, 7, START + GRACE), old);
	assert_true(table.at[old].begun);
	whole_join(&table, old); /* the victim of a later choice */
	made = whole_seen(&table, old, 8, START + 2 * GRACE);
	assert_int_not_equal(made, old);
	/* The old ones end, and it is none of its business. */
	whole_leave(&table, old);
	whole_leave(&table, old);
	assert_int_equal(table.at[old].state, WHOLE_FREE);
	assert_int_equal(next(START + 3 * GRACE), -1);
	whole_has_begun(&table, made);
	assert_int_equal(next(START + 2 * GRACE - 1), -1);
	assert_int_equal(next(START + 2 * GRACE), made);
}

/* The list of it came too late the first time: perhaps it was another one then. */
static void of_a_cgroup_that_was_not_seen_nobody_has_died(void **state)
{
	int i = note("/a", 1);

	whole_has_begun(&table, i);
	whole_has_sigkill(&table, i);
	whole_join(&table, i);
	assert_int_equal(whole_seen(&table, i, 7, START + GRACE), i);
	assert_int_equal(next(START), -1);
}

static void what_was_tried_in_vain_for_one_is_tried_anew_for_the_next(void **state)
{
	int i = note("/a", 1);

	whole_has_sigkill(&table, i);
	whole_leave(&table, i);
	assert_true(whole_failed(&table, i, TIMEOUT, START));
	whole_join(&table, i);
	assert_true(whole_failed(&table, i, TIMEOUT, START + TIMEOUT));
}

static void what_comes_to_nothing_is_tried_again_and_given_up(void **state)
{
	int i = note("/a", 1), tries = 1;
	uint64_t now = START;

	whole_has_sigkill(&table, i);
	while (whole_failed(&table, i, TIMEOUT, now)) {
		assert_int_equal(next(now), -1);
		now = whole_next_usec(&table, NULL);
		assert_int_equal(next(now), i);
		tries++;
	}
	assert_in_range(tries, 5, 11);
	assert_in_range(now, START + TIMEOUT / 2, START + TIMEOUT);
	assert_int_equal(whole_next_usec(&table, NULL), UINT64_MAX);
}

/* Each takes 100 ms: main is to do something else in between. */
static void many_that_fail_do_not_take_all_the_time(void **state)
{
	uint64_t now = START;
	int tries = 0, seen[8] = { 0 };
	char path[8];

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		whole_has_sigkill(&table, note(path, 1));
	}
	for (; now < START + 8 * USEC_PER_SEC; now += 10 * USEC_PER_MSEC) {
		int i = next(now);

		if (i < 0)
			continue;
		now += 100 * USEC_PER_MSEC;
		whole_took(&table, 100 * USEC_PER_MSEC, now);
		whole_failed(&table, i, TIMEOUT, now);
		seen[i]++;
		tries++;
	}
	assert_in_range(tries, 8, 8 * 1000 / 600 + 1);
	for (int i = 0; i < 8; i++)
		assert_in_range(seen[i], 1, 2);
}

static void what_is_done_at_once_holds_nobody_up(void **state)
{
	int nameless = note("", 1), i = note("/a", 1);

	whole_has_sigkill(&table, nameless);
	whole_has_sigkill(&table, i);
	assert_int_equal(next(START), nameless);
	assert_true(whole_failed(&table, nameless, TIMEOUT, START));
	whole_took(&table, USEC_PER_MSEC, START);
	assert_int_equal(next(START), i);
}

static void what_is_asked_is_asked_as_soon_as_somebody_dies(void **state)
{
	int i = whole_note(&table, "/a/b", NULL, false, BORN, START + GRACE);

	whole_join(&table, i);
	whole_join(&table, i);
	assert_int_equal(next(START), -1);
	whole_has_begun(&table, i);
	whole_leave(&table, i);
	assert_int_equal(next(START), i);
	whole_answered(&table, i, "/a");
	assert_string_equal(table.at[i].path, "/a");
	assert_int_equal(next(START), i);
	assert_true(table.at[i].alone);
}

static void nothing_dies_where_the_answer_is_nobody(void **state)
{
	int i = whole_note(&table, "/a/b", NULL, false, BORN, START + GRACE);

	whole_join(&table, i);
	whole_has_sigkill(&table, i);
	whole_answered(&table, i, NULL);
	assert_int_equal(whole_next_usec(&table, NULL), UINT64_MAX);
	whole_has_begun(&table, i);
	whole_leave(&table, i);
	assert_int_equal(table.at[i].state, WHOLE_FREE);
}

/* A later choice has found out, and given the others their grace; or it is another one by now. */
static void a_late_answer_leaves_others_their_grace(void **state)
{
	int late = whole_note(&table, "/a/b", NULL, false, BORN, START + GRACE), i;

	whole_join(&table, late);
	i = note("/a", 3);
	whole_has_begun(&table, late);
	whole_leave(&table, late);
	assert_int_equal(next(START), late);
	whole_answered(&table, late, "/a");
	assert_int_equal(table.at[late].state, WHOLE_FREE);
	assert_int_equal(next(START + 2 * GRACE), -1);
	whole_has_begun(&table, i);
	assert_int_equal(next(START + GRACE - 1), -1);
	assert_int_equal(next(START + GRACE), i);
}

static void places_do_not_see_to_each_others(void **state)
{
	int machine = note("/pods", 1), i = whole_note(&table, "/pods", &domain, true, BORN, START);

	assert_int_not_equal(machine, i);
	whole_join(&table, i);
	whole_has_sigkill(&table, i);
	assert_int_equal(next(START), -1);
	assert_int_equal(whole_next(&table, &domain, START), i);
	whole_done(&table, i);
	assert_int_equal(table.at[machine].state, WHOLE_DUE);
}

static void a_place_that_goes_is_forgotten(void **state)
{
	int i = whole_note(&table, "/pods", &domain, true, BORN, START);

	whole_join(&table, i);
	whole_has_begun(&table, i);
	whole_leave(&table, i);
	assert_int_equal(whole_next(&table, &domain, START), i);
	whole_forget(&table, &domain);
	assert_int_equal(whole_next(&table, &domain, START), -1);
	assert_int_equal(table.at[i].state, WHOLE_FREE);
}

static void with_the_configuration_all_places_are_forgotten(void **state)
{
	int machine = note("/a", 1), i = whole_note(&table, "/pods", &domain, true, BORN, START);

	whole_join(&table, i);
	whole_has_sigkill(&table, i);
	whole_leave(&table, i);
	whole_forget(&table, NULL);
	assert_int_equal(table.at[i].state, WHOLE_FREE);
	assert_int_equal(table.at[machine].state, WHOLE_DUE);
}

static void there_is_an_end_to_the_room(void **state)
{
	char path[8];

	for (int i = 0; i < WHOLE_MAX; i++) {
		snprintf(path, sizeof(path), "/%d", i);
		note(path, 1);
	}
	assert_int_equal(whole_note(&table, "/more", NULL, true, BORN, START), -ENOSPC);
	assert_true(whole_note(&table, "/7", NULL, true, BORN, START) >= 0);
	/* Of whom none is kept nothing happens. */
	assert_int_equal(whole_seen(&table, -ENOSPC, 1, START), -ENOSPC);
	whole_join(&table, -ENOSPC);
	whole_has_begun(&table, -ENOSPC);
	whole_has_sigkill(&table, -ENOSPC);
	whole_leave(&table, -ENOSPC);
	assert_int_equal(next(START), -1);
}

int main(void)
{
#define WHOLE(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		WHOLE(those_asked_to_go_have_their_grace),
		WHOLE(with_the_last_of_them_the_rest_is_due),
		WHOLE(sigkill_for_one_is_for_all),
		WHOLE(nobody_is_killed_where_nobody_has_died),
		WHOLE(what_had_sigkill_is_due_though_nobody_was_seen_dead),
		WHOLE(who_was_seen_dead_has_died),
		WHOLE(what_was_killed_is_known_until_its_slots_have_ended),
		WHOLE(a_cgroup_made_anew_has_lost_nobody_yet),
		WHOLE(of_a_cgroup_that_was_not_seen_nobody_has_died),
		WHOLE(what_was_tried_in_vain_for_one_is_tried_anew_for_the_next),
		WHOLE(what_comes_to_nothing_is_tried_again_and_given_up),
		WHOLE(many_that_fail_do_not_take_all_the_time),
		WHOLE(what_is_done_at_once_holds_nobody_up),
		WHOLE(what_is_asked_is_asked_as_soon_as_somebody_dies),
		WHOLE(nothing_dies_where_the_answer_is_nobody),
		WHOLE(a_late_answer_leaves_others_their_grace),
		WHOLE(places_do_not_see_to_each_others),
		WHOLE(a_place_that_goes_is_forgotten),
		WHOLE(with_the_configuration_all_places_are_forgotten),
		WHOLE(there_is_an_end_to_the_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
