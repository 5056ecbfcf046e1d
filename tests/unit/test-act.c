/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a victim that cannot be killed just now: whether its mm is chosen again. */
#include "actor.h"

#include "kill-world.h"

static struct actor actor;
static const struct config config = { .victim_timeout_usec = 30 * USEC_PER_MSEC };

static int setup(void **state)
{
	struct world *w;

	world_setup(state);
	w = *state;
	make_pair(w);
	actor = (struct actor){
		.snapshot = w->s,
		.sharedmm = w->sm,
		.killer = w->k,
		.config = &config,
		.hidden = calloc(1, sizeof(*actor.hidden)),
		.in_flight = calloc(1, sizeof(*actor.in_flight)),
		.overdue = calloc(w->s.capacity, 1),
		.slots = calloc(KILL_SLOTS, sizeof(*actor.slots)),
	};
	return actor.hidden && actor.in_flight && actor.overdue && actor.slots ? 0 : -1;
}

static int teardown(void **state)
{
	free(actor.hidden);
	free(actor.in_flight);
	free(actor.overdue);
	free(actor.slots);
	return world_teardown(state);
}

static struct candidate candidate_of(struct world *w, pid_t pid)
{
	const struct task *t = snapshot_find(&w->s, pid);
	struct candidate c = { .task = (uint32_t)(t - w->s.tasks), .yield_bytes = 200000 * KIB };

	c.group = *sharedmm_group_of(w->sm, c.task, fake_cmp, w, MM_EVIDENCE_KCMP);
	return c;
}

static void a_victim_that_could_not_be_opened_for_a_moment_is_chosen_again(void **state)
{
	static const int passing[] = { -EMFILE, -ENFILE, -ENOMEM };
	struct world *w = *state;
	const struct candidate c = candidate_of(w, 100);
	int slot;

	for (size_t i = 0; i < ARRAY_SIZE(passing); i++) {
		w->open_error = passing[i];
		assert_int_equal(act_prepare(&actor, &c, NULL), passing[i]);
		assert_int_equal(actor.hidden->count, 0);
	}
	w->open_error = 0;
	slot = act_prepare(&actor, &c, NULL);
	assert_true(slot >= 0);
	assert_true(actor.slots[slot].used);
	assert_int_equal(actor.hidden->count, 0);
}

static void a_group_that_never_fits_is_hidden_whoever_else_is_in_flight(void **state)
{
	struct world *w = *state;
	const struct candidate other = candidate_of(w, 103);
	struct candidate crowd = candidate_of(w, 100);

	assert_true(act_prepare(&actor, &other, NULL) >= 0);
	crowd.group.count = KILL_MEMBERS_MAX + 1;
	assert_int_equal(act_prepare(&actor, &crowd, NULL), -ENOSPC);
	assert_int_equal(actor.hidden->count, 1);
	assert_true(hidden_contains(actor.hidden, snapshot_find(&w->s, 100)));
}

static void who_may_not_be_signalled_is_hidden(void **state)
{
	struct world *w = *state;
	const struct candidate c = candidate_of(w, 100);

	by_pid(w, 101)->eperm = true;
	assert_int_equal(act_prepare(&actor, &c, NULL), -EPERM);
	assert_int_equal(actor.hidden->count, 1);
}

static void who_has_left_is_not_hidden(void **state)
{
	struct world *w = *state;
	const struct candidate c = candidate_of(w, 103);

	reaped(w, by_pid(w, 103));
	assert_int_equal(act_prepare(&actor, &c, NULL), -ESRCH);
	assert_int_equal(actor.hidden->count, 0);
}

static uint64_t teardown_bytes;

/* 1 or 0 of who dies by other hands; -1: nothing is expected of those. */
static int overdue(struct world *w, pid_t pid, bool counts)
{
	struct victim_need need = { .bytes = GIB, .count_dying = counts };

	pass(w);
	actor.snapshot = w->s;
	actor_list_overdue(&actor, &need);
	teardown_bytes = need.teardown_bytes;
	return need.overdue ? need.overdue[snapshot_find(&w->s, pid) - w->s.tasks] : -1;
}

/* Whenever that was: a process that cannot die must not hold up every choice to come. */
static void whom_others_have_killed_has_its_time_once(void **state)
{
	struct world *w = *state;

	by_pid(w, 103)->pending = true;
	show(w, by_pid(w, 103));
	assert_int_equal(overdue(w, 103, true), 0);
	assert_int_equal(actor.dying_count, 1);
	usleep(40 * 1000);
	assert_int_equal(overdue(w, 103, true), 1);
	assert_int_equal(overdue(w, 100, true), 0);
	/* They all have had theirs together. */
	assert_int_equal(overdue(w, 103, false), -1);
	/* It lets go of its mm, which takes a while, but no longer than it is given. */
	reaped(w, by_pid(w, 103));
	born(w, 103, 1, 8000, 8)->pending = true;
	show(w, by_pid(w, 103));
	assert_int_equal(overdue(w, 103, true), 0);
	assert_int_equal(teardown_bytes, 0);
	by_pid(w, 103)->pending = false;
	lose_mm(w, by_pid(w, 103));
	assert_int_equal(overdue(w, 100, true), 0);
	assert_true(teardown_bytes > 64 * MIB);
	usleep(40 * 1000);
	assert_int_equal(overdue(w, 100, true), 0);
	assert_int_equal(teardown_bytes, 0);
	/* Somebody else of that pid. */
	reaped(w, by_pid(w, 103));
	born(w, 103, 1, 9000, 9)->pending = true;
	show(w, by_pid(w, 103));
	assert_int_equal(overdue(w, 103, true), 0);
	assert_int_equal(actor.dying_count, 1);
	/* Who is gone needs no place. */
	reaped(w, by_pid(w, 103));
	assert_int_equal(overdue(w, 100, true), 0);
	assert_int_equal(actor.dying_count, 0);
}

static void whom_we_have_killed_is_none_of_them(void **state)
{
	struct world *w = *state;
	const struct candidate c = candidate_of(w, 103);
	struct mm_id id;

	victim_mm_id(&w->s, w->sm, &c.group, &id);
	(void)hidden_add(actor.in_flight, &id);
	by_pid(w, 103)->pending = true;
	show(w, by_pid(w, 103));
	assert_int_equal(overdue(w, 103, true), 0);
	assert_int_equal(actor.dying_count, 0);
}

int main(void)
{
#define ACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		ACT(a_victim_that_could_not_be_opened_for_a_moment_is_chosen_again),
		ACT(a_group_that_never_fits_is_hidden_whoever_else_is_in_flight),
		ACT(who_may_not_be_signalled_is_hidden),
		ACT(who_has_left_is_not_hidden),
		ACT(whom_others_have_killed_has_its_time_once),
		ACT(whom_we_have_killed_is_none_of_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
