/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Groups where the reader has seen the mms themselves (mm_key): nothing is compared, kernel threads
 * that use an mm are known, and a row without a key leaves the others what they know.
 */
#include "sharedmm.h"

#include "util.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TASKS_MAX 6000

struct world {
	struct snapshot s;
	struct task tasks[TASKS_MAX];
	struct sharedmm *sm;
	uint64_t mm[TASKS_MAX + 1]; /* by pid: the truth that kcmp would tell */
	uint64_t calls;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(sharedmm_new(TASKS_MAX, &w->sm), 0);
	w->s.tasks = w->tasks;
	w->s.capacity = TASKS_MAX;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	sharedmm_free(w->sm);
	free(w);
	return 0;
}

/* Keys tell nothing of the order in which mms were made. */
static uint64_t key_of_mm(uint64_t mm)
{
	return mm * UINT64_C(0x9e3779b97f4a7c15);
}

static struct task *add_seen(struct world *w, uint64_t family, uint64_t mm)
{
	struct task *t = &w->tasks[w->s.count++];

	t->id.pid = (pid_t)w->s.count + 1;
	t->mm_tid = t->id.pid;
	t->ppid = 1;
	t->state = 'S';
	t->marks.start_stack = 0x7ffd00000000 + family;
	t->mem.anon_bytes = MIB;
	t->mm_key = key_of_mm(mm);
	w->mm[t->id.pid] = mm;
	return t;
}

static struct task *add_kthread(struct world *w, uint64_t mm)
{
	struct task *t = add_seen(w, 0, mm);

	t->flags = TASK_KTHREAD | TASK_BORROWED_MM;
	t->marks.start_stack = 0;
	t->mem.anon_bytes = 0;
	return t;
}

static int compare_truth(void *ctx, const struct task *a, const struct task *b)
{
	struct world *w = ctx;
	uint64_t x = w->mm[a->id.pid], y = w->mm[b->id.pid];

	w->calls++;
	return x == y ? 0 : x < y ? 1 : 2;
}

static void classify(struct world *w)
{
	w->calls = 0;
	assert_int_equal(sharedmm_classify(w->sm, &w->s, 99999), 0);
}

static struct mm_group *ask(struct world *w, uint32_t i)
{
	return sharedmm_group_of(w->sm, i, compare_truth, w, MM_EVIDENCE_KCMP);
}

static void sharers_are_found_without_a_comparison(void **state)
{
	struct world *w = *state;

	add_seen(w, 1, 10);
	add_seen(w, 1, 20); /* a fork */
	add_seen(w, 1, 10);
	add_seen(w, 2, 30);
	add_seen(w, 1, 10);
	classify(w);
	assert_int_equal(ask(w, 2)->count, 3);
	assert_int_equal(ask(w, 2)->evidence, MM_EVIDENCE_BPF);
	assert_int_equal(sharedmm_members(w->sm, ask(w, 2))[0], 0);
	assert_int_equal(sharedmm_members(w->sm, ask(w, 2))[2], 4);
	assert_int_equal(ask(w, 1)->count, 1);
	assert_int_equal(ask(w, 1)->evidence, MM_EVIDENCE_BPF);
	assert_int_equal(ask(w, 3)->evidence, MM_EVIDENCE_SOLE);
	assert_int_equal(w->calls, 0);
	assert_int_equal(sharedmm_comparisons(w->sm), 0);
}

static void nothing_to_compare_with_is_no_lack(void **state)
{
	struct world *w = *state;

	add_seen(w, 1, 10);
	add_seen(w, 1, 10);
	classify(w);
	assert_int_equal(sharedmm_group_of(w->sm, 0, NULL, NULL, MM_EVIDENCE_SMAPS)->count, 2);
	assert_int_equal(ask(w, 0)->evidence, MM_EVIDENCE_BPF);
}

/* PR_SET_MM_MAP between the reads of two sharers. */
static void marks_that_differ_do_not_part_sharers(void **state)
{
	struct world *w = *state;
	uint32_t count;

	add_seen(w, 1, 10);
	add_seen(w, 2, 10);
	add_seen(w, 2, 20);
	classify(w);
	assert_int_equal(ask(w, 0)->count, 2);
	assert_ptr_equal(ask(w, 0), ask(w, 1));
	assert_ptr_not_equal(ask(w, 0), ask(w, 2));
	assert_non_null(sharedmm_class(w->sm, 1, &count));
	assert_null(sharedmm_class(w->sm, 2, &count));
}

/* What victim.c looks for fork bombs by. */
static void forks_stay_one_class(void **state)
{
	struct world *w = *state;
	uint32_t count = 0;

	for (uint64_t mm = 1; mm <= 200; mm++)
		add_seen(w, 7, mm);
	classify(w);
	assert_non_null(sharedmm_class(w->sm, 0, &count));
	assert_int_equal(count, 200);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(ask(w, i)->count, 1);
}

static void a_kernel_thread_that_uses_the_mm_is_known_and_no_pin(void **state)
{
	struct world *w = *state;

	add_kthread(w, 10);
	add_seen(w, 1, 10);
	add_seen(w, 1, 20);
	add_kthread(w, 10);
	add_kthread(w, 77); /* its process has gone */
	classify(w);
	assert_int_equal(ask(w, 1)->count, 1);
	assert_int_equal(ask(w, 1)->kthreads, 2);
	assert_int_equal(ask(w, 1)->kthread, 0);
	assert_int_equal(ask(w, 1)->pin, MM_PIN_NONE);
	assert_int_equal(ask(w, 2)->kthreads, 0);
	assert_null(ask(w, 0));
	assert_null(ask(w, 4));
}

static void who_exits_counts_as_dying_but_not_who_dumps_core(void **state)
{
	struct world *w = *state;

	add_seen(w, 1, 10)->flags = TASK_EXITING;
	add_seen(w, 1, 20)->flags = TASK_EXITING | TASK_CORE_DUMPING;
	add_seen(w, 1, 30)->flags = TASK_EXITING;
	add_seen(w, 1, 30);
	classify(w);
	assert_true(ask(w, 0)->kill_pending);
	assert_false(ask(w, 1)->kill_pending);
	assert_false(ask(w, 2)->kill_pending);
	assert_true(ask(w, 2)->dying_partly);
}

static void vfork_is_seen_and_not_guessed(void **state)
{
	struct world *w = *state;
	struct task *parent = add_seen(w, 1, 10), *child = add_seen(w, 1, 10);
	struct task *other = add_seen(w, 1, 20), *sharer = add_seen(w, 1, 20);

	parent->state = other->state = 'D'; /* the second for some reason of its own */
	child->ppid = parent->id.pid;
	child->flags = TASK_VFORK_CHILD;
	child->oom_score_adj = 500;
	sharer->ppid = other->id.pid;
	classify(w);
	assert_true(ask(w, 0)->vfork);
	assert_int_equal(ask(w, 0)->oom_score_adj, 0);
	assert_false(ask(w, 2)->vfork);
}

static void one_without_a_key_is_compared_and_the_others_are_not(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 50; i++)
		add_seen(w, 1, 10);
	add_seen(w, 1, 20);
	add_seen(w, 1, 10)->mm_key = 0; /* by /proc, born while the pass was under way */
	classify(w);
	assert_int_equal(ask(w, 0)->count, 51);
	assert_int_equal(ask(w, 0)->evidence, MM_EVIDENCE_KCMP);
	assert_ptr_equal(ask(w, 51), ask(w, 0));
	assert_int_equal(ask(w, 50)->count, 1);
	assert_true(w->calls <= 3);
}

/* Pid 1 where something keeps it from the program, and from ptrace. */
static void one_that_hides_has_a_class_of_its_own_and_spoils_nothing(void **state)
{
	struct world *w = *state;
	struct task *t = add_seen(w, 1, 5);

	t->mm_key = 0;
	t->flags = TASK_MARKS_HIDDEN;
	add_seen(w, 1, 10);
	add_seen(w, 2, 10);
	classify(w);
	assert_int_equal(ask(w, 0)->count, 1);
	assert_int_equal(ask(w, 0)->evidence, MM_EVIDENCE_UNKNOWN);
	assert_int_equal(ask(w, 1)->count, 2);
	assert_int_equal(ask(w, 1)->evidence, MM_EVIDENCE_BPF);
	assert_int_equal(w->calls, 0);
}

/* Any mixture of families, mms and missing keys gives the groups that the truth has. */
static void groups_are_those_of_the_truth(void **state)
{
	struct world *w = *state;
	uint64_t x = 88172645463325252u;

	for (int round = 0; round < 200; round++) {
		memset(w->tasks, 0, 64 * sizeof(w->tasks[0]));
		w->s.count = 0;
		for (int i = 0; i < 40; i++) {
			uint64_t mm;

			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			mm = 1 + x % 12;
			/* Of one mm, of one family; keys are missing in every other round. */
			struct task *t = add_seen(w, mm % 3, mm);
			if (round % 2 && x >> 40 & 1)
				t->mm_key = 0;
		}
		classify(w);
		for (uint32_t i = 0; i < 40; i++)
			for (uint32_t j = 0; j < 40; j++)
				assert_int_equal(ask(w, i) == ask(w, j),
					w->mm[w->tasks[i].id.pid] == w->mm[w->tasks[j].id.pid]);
		if (round % 2 == 0)
			assert_int_equal(w->calls, 0);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(sharers_are_found_without_a_comparison),
		TEST(nothing_to_compare_with_is_no_lack),
		TEST(marks_that_differ_do_not_part_sharers),
		TEST(forks_stay_one_class),
		TEST(a_kernel_thread_that_uses_the_mm_is_known_and_no_pin),
		TEST(who_exits_counts_as_dying_but_not_who_dumps_core),
		TEST(vfork_is_seen_and_not_guessed),
		TEST(one_without_a_key_is_compared_and_the_others_are_not),
		TEST(one_that_hides_has_a_class_of_its_own_and_spoils_nothing),
		TEST(groups_are_those_of_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
