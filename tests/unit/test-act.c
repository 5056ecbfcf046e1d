/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of a victim that cannot be killed just now: whether its mm is chosen again. */
#include "actor.h"

#include "kill-world.h"

static struct actor actor;

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
		.hidden = calloc(1, sizeof(*actor.hidden)),
		.slots = calloc(KILL_SLOTS, sizeof(*actor.slots)),
	};
	return actor.hidden && actor.slots ? 0 : -1;
}

static int teardown(void **state)
{
	free(actor.hidden);
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

int main(void)
{
#define ACT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		ACT(a_victim_that_could_not_be_opened_for_a_moment_is_chosen_again),
		ACT(a_group_that_never_fits_is_hidden_whoever_else_is_in_flight),
		ACT(who_may_not_be_signalled_is_hidden),
		ACT(who_has_left_is_not_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
