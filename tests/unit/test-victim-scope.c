/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A shortage in one cgroup: who of its members dies, and that nobody else does. */
#include "victim-world.h"

struct scoped {
	struct world *w;
	uint8_t in[TASKS_MAX];
};
static struct scoped s;

static void put_in(struct world *w, const struct task *t)
{
	s.in[t - w->tasks] = 1;
	w->need.scope = s.in;
}

static int setup_scope(void **state)
{
	memset(&s, 0, sizeof(s));
	return setup(state);
}

static void test_the_largest_inside_dies_not_the_largest_of_all(void **state)
{
	struct world *w = *state;
	struct task *inside;

	process(w, "outside", 8 * GIB);
	inside = process(w, "inside", 2 * GIB);
	put_in(w, inside);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, inside);
}

static void test_nobody_outside_dies_when_those_inside_do_not_suffice(void **state)
{
	struct world *w = *state;
	struct task *inside;

	process(w, "outside", 8 * GIB);
	inside = process(w, "inside", 300 * MIB);
	put_in(w, inside);
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_chosen_alone(w, inside);
}

static void test_an_empty_domain_has_no_victim(void **state)
{
	struct world *w = *state;

	process(w, "outside", 8 * GIB);
	w->need.scope = s.in;
	assert_int_equal(choose(w), VICTIM_NONE);
	assert_int_equal(w->choice.count, 0);
	assert_int_equal(w->choice.candidate_count, 0);
}

/* A clone(CLONE_VM) pair over two cgroups: killing the one inside frees nothing alone. */
static void test_a_sharer_outside_dies_with_the_one_inside(void **state)
{
	struct world *w = *state;
	struct task *outside = process(w, "pair", 2 * GIB), *inside = sharer_of(w, outside);

	put_in(w, inside);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, inside);
	assert_int_equal(victim(w, 0)->group.count, 2);
}

static void test_a_protected_sharer_outside_pins_the_one_inside(void **state)
{
	struct world *w = *state;
	struct task *outside = process(w, "pair", 2 * GIB), *inside = sharer_of(w, outside);
	struct task *next = process(w, "next", 1100 * MIB);

	outside->oom_score_adj = -1000;
	put_in(w, inside);
	put_in(w, next);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, next);
	assert_int_equal(verdict_on(w, inside)->reason, REASON_PINNED);
}

/* A fork bomb in the container next door. */
static void test_a_brood_outside_counts_for_nothing(void **state)
{
	struct world *w = *state;
	struct task *mother = process(w, "bomb", 40 * MIB), *inside;

	mother->id.start_ticks = 9999000;
	for (int i = 0; i < 100; i++)
		fork_of(w, mother)->id.start_ticks = 9999000;
	inside = process(w, "inside", 200 * MIB);
	put_in(w, inside);
	choose(w);
	assert_chosen_alone(w, inside);
}

static void test_half_of_a_brood_inside_dies_by_its_half(void **state)
{
	struct world *w = *state;
	struct task *mother = process(w, "bomb", 40 * MIB);

	mother->id.start_ticks = 9999000;
	for (int i = 0; i < 200; i++)
		fork_of(w, mother)->id.start_ticks = 9999000;
	for (uint32_t i = 0; i < 100; i++)
		put_in(w, &w->tasks[i]);
	put_in(w, process(w, "innocent", 60 * MIB));
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_sound(w);
	for (uint32_t i = 0; i < w->choice.count; i++) {
		assert_in_range(victim(w, i)->task, 0, 99);
		assert_string_equal(w->tasks[victim(w, i)->task].comm, "bomb");
	}
}

static void test_files_of_the_neighbours_do_not_make_it_hopeless(void **state)
{
	struct world *w = *state;
	struct task *a = process(w, "a", 600 * MIB), *b = process(w, "b", 500 * MIB);

	process(w, "outside", 8 * GIB);
	put_in(w, a);
	put_in(w, b);
	w->need.shmem_bytes = 10 * MIB; /* of the domain */
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 2);
	w->need.shmem_bytes = 4 * GIB; /* files of its own tmpfs hold it */
	assert_int_equal(choose(w), VICTIM_HOPELESS);
}

/* --- who dies along with a victim --- */

static enum victim_reason consider(struct world *w, const struct task *t, struct candidate *ret)
{
	struct victim_fns fns = fns_of(w);

	assert_int_equal(sharedmm_classify(w->sm, &w->s, SELF), 0);
	return victim_consider(&w->s, w->sm, &w->config, &w->hidden, &w->need, &fns,
		(uint32_t)(t - w->tasks), ret);
}

static void test_a_member_may_die_along_by_the_same_rules(void **state)
{
	struct world *w = *state;
	struct task *plain = process(w, "plain", 5 * MIB), *empty = process(w, "empty", 0);
	struct task *held = process(w, "held", 5 * MIB), *avoided = process(w, "avoided", 5 * MIB);
	struct candidate c;

	when(&rule(w, RULE_PROTECT, "keep")->comm, "^held$");
	when(&rule(w, RULE_AVOID, "late")->comm, "^avoided$");
	assert_int_equal(consider(w, plain, &c), REASON_CHOSEN);
	assert_int_equal(c.yield_bytes, 5 * MIB);
	assert_int_equal(consider(w, empty, &c), REASON_NO_YIELD);
	assert_int_equal(consider(w, held, &c), REASON_PROTECTED);
	assert_string_equal(c.rule->name, "keep");
	assert_int_equal(consider(w, avoided, &c), REASON_AVOIDED);
	w->need.avoided_eligible = true;
	assert_int_equal(consider(w, avoided, &c), REASON_CHOSEN);
	plain->oom_score_adj = -1000;
	assert_int_equal(consider(w, plain, &c), REASON_PINNED);
}

static void test_a_kernel_thread_does_not_die_along(void **state)
{
	struct world *w = *state;
	struct task *t = process(w, "kworker", 0);
	struct candidate c;

	t->flags = TASK_KTHREAD;
	assert_int_equal(consider(w, t, &c), REASON_NO_YIELD);
	assert_int_equal(c.group.count, 0);
}

#define scope_test(f) cmocka_unit_test_setup_teardown(f, setup_scope, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scope_test(test_the_largest_inside_dies_not_the_largest_of_all),
		scope_test(test_nobody_outside_dies_when_those_inside_do_not_suffice),
		scope_test(test_an_empty_domain_has_no_victim),
		scope_test(test_a_sharer_outside_dies_with_the_one_inside),
		scope_test(test_a_protected_sharer_outside_pins_the_one_inside),
		scope_test(test_a_brood_outside_counts_for_nothing),
		scope_test(test_half_of_a_brood_inside_dies_by_its_half),
		scope_test(test_files_of_the_neighbours_do_not_make_it_hopeless),
		scope_test(test_a_member_may_die_along_by_the_same_rules),
		scope_test(test_a_kernel_thread_does_not_die_along),
	};

	return cmocka_run_group_tests_name("victim-scope", tests, NULL, NULL);
}
