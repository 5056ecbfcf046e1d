/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of made-up tasks: each has a number for its mm, which the fake comparison knows. */
#include "count-malloc.h"
#include "sharedmm.h"
#include "util.h"

#include <string.h>
/* cmocka wants these before itself: */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TASKS_MAX 8192

struct world {
	struct snapshot s;
	struct task tasks[TASKS_MAX];
	struct sharedmm *sm;
	/* By pid: */
	uint64_t mm[TASKS_MAX + 1];
	int error[TASKS_MAX + 1]; /* of every comparison it takes part in */
	/* How the comparison behaves: */
	bool no_order, at_random;
	uint64_t random;
	pid_t not_with[2]; /* these two cannot be compared with one another */
	uint64_t calls;
	uint64_t leaves_at; /* after so many calls this one leaves: */
	pid_t leaver;
	bool leaves_mm_only; /* as a zombie: it can be compared still, but has no mm, */
	uint64_t no_mm;      /* which may be anywhere in the order */
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

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static int fake_cmp(void *ctx, const struct task *a, const struct task *b)
{
	struct world *w = ctx;
	pid_t x = a->id.pid, y = b->id.pid;

	if (++w->calls == w->leaves_at) {
		if (w->leaves_mm_only)
			w->mm[w->leaver] = w->no_mm;
		else
			w->error[w->leaver] = -ESRCH;
	}
	if (w->at_random)
		return (int)(next_random(&w->random) % 8) -
			4; /* errors -1 to -4, among them ESRCH */
	if (w->error[x] || w->error[y])
		return w->error[x] ? w->error[x] : w->error[y];
	if (x != y && (x == w->not_with[0] || x == w->not_with[1]) &&
		(y == w->not_with[0] || y == w->not_with[1]))
		return -EPERM;
	if (w->mm[x] == w->mm[y])
		return 0;
	if (w->no_order)
		return 3;
	return w->mm[x] < w->mm[y] ? 1 : 2;
}

/* A task of the family (equal marks) that holds this mm. Pids count from 1. */
static struct task *add(struct world *w, uint64_t family, uint64_t mm)
{
	struct task *t = &w->tasks[w->s.count++];

	*t = (struct task){
		.id = { .pid = (pid_t)w->s.count + 1, .start_ticks = 1000 + w->s.count },
		.ppid = 1,
		.state = 'S',
		.marks = { .start_code = 0x400000, .start_stack = 0x7ffd00000000 + family },
		.mem = { .anon_bytes = 10 * MIB, .pgtables_bytes = MIB, .swap_bytes = 2 * MIB },
	};
	t->mm_tid = t->id.pid;
	w->mm[t->id.pid] = mm;
	return t;
}

static void classify_as(struct world *w, pid_t self)
{
	w->calls = 0;
	assert_int_equal(sharedmm_classify(w->sm, &w->s, self), 0);
}

static void classify(struct world *w)
{
	classify_as(w, 99999);
}

static struct mm_group *ask(struct world *w, uint32_t i)
{
	struct mm_group *g = sharedmm_group_of(w->sm, i, fake_cmp, w, MM_EVIDENCE_KCMP);

	if (g)
		assert_in_range(g->count, 1, w->s.count);
	assert_int_equal(sharedmm_comparisons(w->sm), w->calls);
	return g;
}

static bool together(struct world *w, uint32_t i, uint32_t j)
{
	return ask(w, i) == ask(w, j);
}

/* Every task with an mm is a member of exactly the group it is told, ascending by pid. */
static void assert_consistent(struct world *w)
{
	for (uint32_t i = 0; i < w->s.count; i++) {
		struct mm_group *g = ask(w, i);
		const uint32_t *m;
		bool found = false;

		if (!g)
			continue;
		m = sharedmm_members(w->sm, g);
		for (uint32_t j = 0; j < g->count; j++) {
			found |= m[j] == i;
			assert_ptr_equal(ask(w, m[j]), g);
			if (j > 0)
				assert_true(w->tasks[m[j - 1]].id.pid < w->tasks[m[j]].id.pid);
		}
		assert_true(found);
	}
}

/* Tasks are together exactly when they hold one mm; those that left are alone. */
static void assert_grouped_by_mm(struct world *w)
{
	for (uint32_t i = 0; i < w->s.count; i++)
		for (uint32_t j = i + 1; j < w->s.count; j++) {
			const struct task *a = &w->tasks[i], *b = &w->tasks[j];
			bool gone = w->error[a->id.pid] == -ESRCH || w->error[b->id.pid] == -ESRCH;
			bool no_mm = (a->flags | b->flags) & (TASK_KTHREAD | TASK_NO_MM);
			bool same = w->mm[a->id.pid] == w->mm[b->id.pid];

			if (no_mm || gone || w->mm[a->id.pid] == w->no_mm ||
				w->mm[b->id.pid] == w->no_mm)
				continue;
			assert_int_equal(together(w, i, j), same);
		}
	assert_consistent(w);
}

static void test_one_process_has_its_mm_alone(void **state)
{
	struct world *w = *state;
	struct mm_group *g;

	add(w, 1, 1);
	add(w, 2, 2);
	classify(w);
	g = ask(w, 0);
	assert_int_equal(g->count, 1);
	assert_int_equal(g->evidence, MM_EVIDENCE_SOLE);
	assert_int_equal(sharedmm_members(w->sm, g)[0], 0);
	assert_false(together(w, 0, 1));
	assert_int_equal(w->calls, 0); /* different marks need no comparison */
}

static void test_sharers_are_found_and_forks_are_not(void **state)
{
	struct world *w = *state;

	add(w, 1, 10);
	add(w, 1, 20); /* a fork of the first */
	add(w, 1, 10); /* shares with the first */
	add(w, 2, 30);
	add(w, 1, 10);
	classify(w);
	assert_int_equal(ask(w, 0)->count, 3);
	assert_int_equal(ask(w, 0)->evidence, MM_EVIDENCE_KCMP);
	assert_int_equal(ask(w, 1)->count, 1);
	assert_int_equal(ask(w, 1)->evidence, MM_EVIDENCE_KCMP);
	assert_grouped_by_mm(w);
}

static void test_kernel_threads_and_the_dead_have_no_group(void **state)
{
	struct world *w = *state;

	add(w, 1, 1)->flags = TASK_KTHREAD;
	add(w, 1, 1)->flags = TASK_NO_MM;
	add(w, 1, 1);
	classify(w);
	assert_null(ask(w, 0));
	assert_null(ask(w, 1));
	assert_int_equal(ask(w, 2)->count, 1);
	assert_int_equal(ask(w, 2)->evidence, MM_EVIDENCE_SOLE);
}

static void test_a_table_too_large_is_refused(void **state)
{
	struct world *w = *state;
	struct sharedmm *small;

	add(w, 1, 1);
	add(w, 2, 2);
	assert_int_equal(sharedmm_new(1, &small), 0);
	assert_int_equal(sharedmm_classify(small, &w->s, 1), -E2BIG);
	sharedmm_free(small);
	sharedmm_free(NULL);
}

static void add_pool(struct world *w, uint32_t workers)
{
	for (uint32_t i = 0; i < workers; i++)
		add(w, 7, 1000 + i);
}

static void test_workers_that_are_no_candidates_cost_nothing(void **state)
{
	struct world *w = *state;

	add_pool(w, 5000);
	add(w, 1, 1);
	classify(w);
	assert_int_equal(ask(w, 5000)->evidence, MM_EVIDENCE_SOLE);
	assert_int_equal(w->calls, 0);
	/* One of them as a candidate: it is compared with each of the others, once. */
	assert_int_equal(ask(w, 17)->count, 1);
	assert_int_equal(w->calls, 4999);
	/* Asked again, it is known. */
	ask(w, 17);
	assert_int_equal(w->calls, 4999);
}

static void test_a_class_asked_often_is_sorted(void **state)
{
	struct world *w = *state;
	const uint64_t log2_k = 12; /* of 4096 */

	add_pool(w, 4090);
	for (uint32_t i = 0; i < 6; i++)
		add(w, 7, 1000 + 600 * i); /* each shares with a worker */
	classify(w);
	for (uint32_t i = 0; i < w->s.count; i++)
		ask(w, i);
	/* Linear passes up to log2(k), a sort, and one pass over its outcome. */
	assert_in_range(w->calls, 4096, 4096 * (2 * log2_k + 3));
	for (uint32_t i = 0; i < 6; i++) {
		assert_true(together(w, 600 * i, 4090 + i));
		assert_int_equal(ask(w, 600 * i)->count, 2);
		assert_int_equal(ask(w, 600 * i + 1)->count, 1);
	}
	assert_consistent(w);
}

static void test_without_an_order_groups_are_the_same(void **state)
{
	struct world *w = *state;

	w->no_order = true;
	for (uint32_t i = 0; i < 200; i++)
		add(w, 1, 1 + i % 50);
	classify(w);
	assert_grouped_by_mm(w);
	assert_int_equal(ask(w, 3)->count, 4);
	assert_in_range(w->calls, 1, 200 * 51);
}

static void test_one_that_left_is_no_member_and_does_not_hide_the_sharer(void **state)
{
	struct world *w = *state;

	add(w, 1, 10);
	add(w, 1, 10);
	add(w, 1, 10);
	add(w, 1, 20);
	w->error[w->tasks[1].id.pid] = -ESRCH;
	classify(w);
	assert_int_equal(ask(w, 0)->count, 2);
	assert_true(together(w, 0, 2));
	assert_int_equal(ask(w, 0)->evidence, MM_EVIDENCE_KCMP);
	assert_false(ask(w, 0)->kill_pending);
	assert_int_equal(ask(w, 1)->count, 1);
	assert_true(ask(w, 1)->kill_pending); /* nothing to choose */
	/* Asked about first, it is alone too, and the others find one another. */
	classify(w);
	assert_int_equal(ask(w, 1)->count, 1);
	assert_int_equal(ask(w, 2)->count, 2);
	assert_grouped_by_mm(w);
}

/* Whenever in a pass or a sort somebody leaves, those who stay are grouped rightly. */
static void leave_at_any_call(struct world *w, bool mm_only)
{
	for (uint64_t seed = 1; seed <= 1500; seed++) {
		uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);

		memset(w->error, 0, sizeof(w->error));
		w->s.count = 0;
		for (uint32_t i = 0; i < 60; i++)
			add(w, 1, 2 + 2 * (next_random(&random) % 20));
		w->leaver = w->tasks[next_random(&random) % 60].id.pid;
		w->leaves_mm_only = mm_only;
		w->leaves_at = 1 + next_random(&random) % 700;
		classify(w);
		for (uint32_t i = 0; i < 12; i++)
			ask(w, (uint32_t)(next_random(&random) % 60));
		assert_grouped_by_mm(w);
	}
}

static void test_exit_at_any_moment(void **state)
{
	leave_at_any_call(*state, false);
}

static void test_exit_into_a_zombie_at_any_moment(void **state)
{
	struct world *w = *state;

	static const uint64_t places[] = { 0, 11, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		w->no_mm = places[i];
		leave_at_any_call(w, true);
	}
}

static void test_exit_of_the_first_of_many_sharers_while_they_are_sorted(void **state)
{
	struct world *w = *state;

	w->leaves_mm_only = true;
	for (w->leaves_at = 1; w->leaves_at < 900; w->leaves_at++) {
		w->s.count = 0;
		for (uint64_t i = 0; i < 60; i++)
			add(w, 1, i < 40 ? 100 + i : 7);
		w->leaver = w->tasks[40].id.pid;
		classify(w);
		for (uint32_t i = 0; i < 60; i++)
			ask(w, i);
		assert_grouped_by_mm(w);
	}
}

static void test_one_that_refuses_is_alone_and_the_others_are_not_sure(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 20; i++)
		add(w, 1, 1 + i / 2);
	w->error[w->tasks[4].id.pid] = -EPERM;
	classify(w);
	assert_int_equal(ask(w, 4)->count, 1);
	assert_int_equal(ask(w, 4)->evidence, MM_EVIDENCE_UNKNOWN);
	assert_int_equal(ask(w, 5)->count, 1);
	for (uint32_t i = 6; i < 20; i += 2) {
		assert_true(together(w, i, i + 1));
		assert_int_equal(ask(w, i)->count, 2);
		assert_int_equal(ask(w, i)->evidence, MM_EVIDENCE_UNKNOWN);
	}
	assert_consistent(w);
}

static void test_two_that_cannot_be_compared_with_one_another(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 20; i++)
		add(w, 1, 1 + i % 10);
	w->not_with[0] = w->tasks[3].id.pid;
	w->not_with[1] = w->tasks[8].id.pid;
	classify(w);
	for (uint32_t i = 0; i < 10; i++) {
		assert_true(together(w, i, i + 10));
		assert_false(together(w, i, (i + 1) % 10));
	}
	assert_int_equal(ask(w, 3)->evidence, MM_EVIDENCE_UNKNOWN);
	assert_int_equal(ask(w, 8)->evidence, MM_EVIDENCE_UNKNOWN);
	assert_consistent(w);
}

static void test_where_nothing_can_be_compared_nothing_is_merged(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 1000; i++) {
		add(w, 1, 1);
		w->error[w->tasks[i].id.pid] = -EPERM;
	}
	add(w, 2, 2);
	classify(w);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(ask(w, i)->count, 1);
		assert_int_equal(ask(w, i)->evidence, MM_EVIDENCE_UNKNOWN);
	}
	assert_int_equal(ask(w, 1000)->evidence, MM_EVIDENCE_SOLE);
	assert_in_range(w->calls, 1, 2100); /* not a thousand times a thousand */
	/* The same where there is no comparison at all. */
	classify(w);
	assert_int_equal(sharedmm_group_of(w->sm, 3, NULL, NULL, MM_EVIDENCE_KCMP)->evidence,
		MM_EVIDENCE_UNKNOWN);
	assert_int_equal(sharedmm_comparisons(w->sm), 0);
}

static void test_deadlines_that_pass_are_bounded(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 1000; i++) {
		add(w, 1, 1);
		w->error[w->tasks[i].id.pid] = -ETIMEDOUT;
	}
	classify(w);
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(ask(w, i)->evidence, MM_EVIDENCE_UNKNOWN);
	assert_in_range(w->calls, 1, 8);
}

static void test_the_weaker_comparison_is_bounded(void **state)
{
	struct world *w = *state;
	struct mm_group *g;

	w->no_order = true;
	add(w, 1, 1);
	add(w, 1, 1);
	add_pool(w, 5000);
	classify(w);
	g = sharedmm_group_of(w->sm, 0, fake_cmp, w, MM_EVIDENCE_SMAPS);
	assert_int_equal(g->count, 2);
	assert_int_equal(g->evidence, MM_EVIDENCE_SMAPS);
	for (uint32_t i = 0; i < w->s.count; i++)
		g = sharedmm_group_of(w->sm, i, fake_cmp, w, MM_EVIDENCE_SMAPS);
	assert_int_equal(g->count, 1);
	assert_int_equal(g->evidence, MM_EVIDENCE_UNKNOWN);
	assert_in_range(w->calls, 1, 520);
}

static void test_answers_without_sense_still_end(void **state)
{
	struct world *w = *state;

	w->at_random = true;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		w->random = seed * UINT64_C(0x9e3779b97f4a7c15);
		w->s.count = 0;
		for (uint32_t i = 0; i < 60; i++)
			add(w, i % 2, 1);
		classify(w);
		assert_consistent(w);
		assert_in_range(w->calls, 1, 60 * 60);
	}
}

static void test_hidden_marks(void **state)
{
	struct world *w = *state;

	for (uint32_t i = 0; i < 4; i++)
		add(w, i, 1 + i / 2)->flags = TASK_MARKS_HIDDEN;
	add(w, 9, 1); /* shows its marks: never compared with those that do not */
	classify(w);
	/* Who may compare finds the pairs; that nobody else shares is not sure. */
	assert_true(together(w, 0, 1));
	assert_true(together(w, 2, 3));
	assert_false(together(w, 1, 2));
	assert_int_equal(ask(w, 0)->evidence, MM_EVIDENCE_UNKNOWN);
	assert_int_equal(ask(w, 4)->count, 1);
	assert_int_equal(ask(w, 4)->evidence, MM_EVIDENCE_SOLE);
	/* Who may not has single tasks of which nothing is known. */
	for (uint32_t i = 0; i < 4; i++)
		w->error[w->tasks[i].id.pid] = -EPERM;
	classify(w);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(ask(w, i)->count, 1);
		assert_int_equal(ask(w, i)->evidence, MM_EVIDENCE_UNKNOWN);
	}
	w->s.count = 1;
	classify(w);
	assert_int_equal(ask(w, 0)->evidence, MM_EVIDENCE_UNKNOWN);
}

static void test_pins_by_priority(void **state)
{
	struct world *w = *state;

	add(w, 1, 1)->oom_score_adj = -1000;
	add(w, 1, 1)->id.pid = 4242; /* self */
	w->mm[4242] = 1;
	add(w, 1, 2)->oom_score_adj = -1000;
	add(w, 1, 2);
	add(w, 1, 3);
	add(w, 2, 4)->id.pid = 1;
	add(w, 2, 4)->id.pid = 4243;
	w->mm[1] = w->mm[4243] = 4;
	classify_as(w, 4242);
	assert_int_equal(ask(w, 0)->pin, MM_PIN_SELF);
	assert_int_equal(ask(w, 0)->pinned_by, 1);
	assert_int_equal(ask(w, 3)->pin, MM_PIN_ADJ);
	assert_int_equal(ask(w, 3)->pinned_by, 2);
	assert_int_equal(ask(w, 4)->pin, MM_PIN_NONE);
	assert_int_equal(ask(w, 6)->pin, MM_PIN_INIT);
	assert_int_equal(ask(w, 6)->pinned_by, 5);
	/* oomfwd that shares with pid 1: pid 1 is the stronger reason. */
	classify_as(w, 4243);
	assert_int_equal(ask(w, 6)->pin, MM_PIN_INIT);
}

static void test_vfork_in_progress(void **state)
{
	struct world *w = *state;
	struct task *parent = add(w, 1, 1), *child = add(w, 1, 1), *other = add(w, 2, 5);
	struct task *sharer = add(w, 2, 5), *server = add(w, 3, 7), *helper = add(w, 3, 7);

	parent->state = 'D';
	child->ppid = parent->id.pid;
	child->oom_score_adj = 900; /* meant for the program it is to become */
	other->state = 'D';         /* waits for the disk, not for a child */
	sharer->oom_score_adj = 300;
	helper->ppid = server->id.pid; /* shares, but nobody waits for it */
	helper->oom_score_adj = 200;
	classify(w);
	assert_true(ask(w, 0)->vfork);
	assert_int_equal(ask(w, 0)->count, 2);
	assert_int_equal(ask(w, 0)->oom_score_adj, 0);
	assert_false(ask(w, 2)->vfork);
	assert_int_equal(ask(w, 2)->oom_score_adj, 300);
	assert_false(ask(w, 4)->vfork);
	assert_int_equal(ask(w, 4)->oom_score_adj, 200);
}

static void test_adj_is_the_highest_also_when_all_are_negative(void **state)
{
	struct world *w = *state;

	add(w, 1, 1)->oom_score_adj = -500;
	add(w, 1, 1)->oom_score_adj = -700;
	classify(w);
	assert_int_equal(ask(w, 1)->oom_score_adj, -500);
}

static void test_dying_wholly_and_partly(void **state)
{
	struct world *w = *state;

	add(w, 1, 1)->flags = TASK_KILL_PENDING;
	add(w, 1, 1)->flags = TASK_KILL_PENDING;
	add(w, 2, 2)->flags = TASK_KILL_PENDING;
	add(w, 2, 2);
	add(w, 3, 3)->flags = TASK_KILL_PENDING;
	add(w, 3, 3)->flags = TASK_NO_MM; /* has left the mm: does not count */
	add(w, 4, 4);
	classify(w);
	assert_true(ask(w, 0)->kill_pending);
	assert_false(ask(w, 0)->dying_partly);
	assert_false(ask(w, 2)->kill_pending);
	assert_true(ask(w, 2)->dying_partly);
	assert_true(ask(w, 4)->kill_pending);
	assert_int_equal(ask(w, 4)->count, 1);
	assert_false(ask(w, 6)->kill_pending);
	assert_false(ask(w, 6)->dying_partly);
}

static void test_memory_counts_once_for_the_group(void **state)
{
	struct world *w = *state;
	struct mm_group *g;

	add(w, 1, 1);
	add(w, 1, 1)->mem.anon_bytes = 11 * MIB; /* read a moment later */
	add(w, 1, 1);
	classify(w);
	g = ask(w, 0);
	assert_int_equal(g->mem.anon_bytes, 11 * MIB);
	assert_int_equal(sharedmm_yield_bytes(g, 0), 14 * MIB);
	assert_int_equal(sharedmm_yield_bytes(g, 5 * MIB), 19 * MIB);
	g->mem.swap_bytes = UINT64_MAX;
	assert_int_equal(sharedmm_yield_bytes(g, UINT64_MAX), UINT64_MAX);
}

static void test_shared_memory_alone(void **state)
{
	struct world *w = *state;

	add(w, 1, 1)->mem.shmem_bytes = 500 * MIB;
	add(w, 1, 1)->mem.shmem_bytes = 500 * MIB; /* the same pages: shares the mm */
	add(w, 2, 2)->mem.shmem_bytes = 120 * MIB;
	add(w, 3, 3);
	classify(w);
	/* At worst the other maps 120 MiB of what these map. */
	assert_int_equal(sharedmm_shmem_alone_bytes(w->sm, ask(w, 0)), 380 * MIB);
	assert_int_equal(sharedmm_shmem_alone_bytes(w->sm, ask(w, 2)), 0);
	assert_int_equal(sharedmm_shmem_alone_bytes(w->sm, ask(w, 3)), 0);
}

static void test_classes_can_be_walked_group_by_group(void **state)
{
	struct world *w = *state;
	uint32_t classes = 0, tasks = 0, count;
	const uint32_t *c;

	for (uint32_t i = 0; i < 60; i++)
		add(w, i % 3, 1 + i % 3 + 3 * (i / 7));
	w->error[w->tasks[4].id.pid] = -ESRCH;
	w->error[w->tasks[9].id.pid] = -EPERM;
	classify(w);
	while ((c = sharedmm_class(w->sm, classes, &count))) {
		for (uint32_t i = 0; i < count;) {
			struct mm_group *g;

			ask(w, c[i]);
			g = ask(w, c[i]);
			assert_ptr_equal(sharedmm_members(w->sm, g), &c[i]);
			i += g->count;
			tasks += g->count;
		}
		classes++;
	}
	assert_int_equal(classes, 3);
	assert_int_equal(tasks, 60);
}

static void test_marks_are_new(void **state)
{
	struct world *w = *state;
	uint32_t first;

	add(w, 1, 1);
	classify(w);
	assert_int_equal(ask(w, 0)->mark, 0);
	first = sharedmm_new_mark(w->sm);
	assert_int_not_equal(first, 0);
	assert_int_not_equal(sharedmm_new_mark(w->sm), first);
}

static void shuffle(struct world *w, uint64_t *random)
{
	for (uint32_t i = w->s.count; i > 1; i--) {
		uint32_t j = (uint32_t)(next_random(random) % i);
		struct task t = w->tasks[i - 1];

		w->tasks[i - 1] = w->tasks[j];
		w->tasks[j] = t;
	}
}

/* The pids of a group, as a sum that tells groups apart. */
static uint64_t name_of_group(struct world *w, uint32_t i)
{
	struct mm_group *g = ask(w, i);
	uint64_t name = (uint64_t)g->evidence;

	for (uint32_t j = 0; j < g->count; j++) {
		uint64_t x = (uint64_t)w->tasks[sharedmm_members(w->sm, g)[j]].id.pid;
		name += next_random(&x);
	}
	return name;
}

static void test_order_never_changes_the_groups(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15);
		uint64_t names[128];

		w->s.count = 0;
		memset(w->error, 0, sizeof(w->error));
		for (uint32_t i = 0; i < 100; i++) {
			uint64_t family = next_random(&random) % 5;
			struct task *t =
				add(w, family, 1 + 40 * family + next_random(&random) % 25);

			if (next_random(&random) % 40 == 0)
				w->error[t->id.pid] = -EPERM;
			if (next_random(&random) % 20 == 0)
				w->error[t->id.pid] = -ESRCH;
		}
		for (int round = 0; round < 3; round++) {
			classify(w);
			for (uint32_t i = 0; i < w->s.count; i++) {
				pid_t pid = w->tasks[i].id.pid;

				if (round == 0)
					names[pid] = name_of_group(w, i);
				else
					assert_int_equal(name_of_group(w, i), names[pid]);
			}
			assert_consistent(w);
			shuffle(w, &random);
		}
	}
}

static void test_nothing_is_allocated(void **state)
{
	struct world *w = *state;
	unsigned before;

	add_pool(w, 3000);
	before = malloc_count;
	assert_int_equal(sharedmm_classify(w->sm, &w->s, 1), 0);
	for (uint32_t i = 0; i < w->s.count; i++)
		sharedmm_group_of(w->sm, i, fake_cmp, w, MM_EVIDENCE_KCMP);
	assert_int_equal(malloc_count, before);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_process_has_its_mm_alone),
		TEST(test_sharers_are_found_and_forks_are_not),
		TEST(test_kernel_threads_and_the_dead_have_no_group),
		TEST(test_a_table_too_large_is_refused),
		TEST(test_workers_that_are_no_candidates_cost_nothing),
		TEST(test_a_class_asked_often_is_sorted),
		TEST(test_without_an_order_groups_are_the_same),
		TEST(test_one_that_left_is_no_member_and_does_not_hide_the_sharer),
		TEST(test_exit_at_any_moment),
		TEST(test_exit_into_a_zombie_at_any_moment),
		TEST(test_exit_of_the_first_of_many_sharers_while_they_are_sorted),
		TEST(test_one_that_refuses_is_alone_and_the_others_are_not_sure),
		TEST(test_two_that_cannot_be_compared_with_one_another),
		TEST(test_where_nothing_can_be_compared_nothing_is_merged),
		TEST(test_deadlines_that_pass_are_bounded),
		TEST(test_the_weaker_comparison_is_bounded),
		TEST(test_answers_without_sense_still_end),
		TEST(test_hidden_marks),
		TEST(test_pins_by_priority),
		TEST(test_vfork_in_progress),
		TEST(test_adj_is_the_highest_also_when_all_are_negative),
		TEST(test_dying_wholly_and_partly),
		TEST(test_memory_counts_once_for_the_group),
		TEST(test_shared_memory_alone),
		TEST(test_classes_can_be_walked_group_by_group),
		TEST(test_marks_are_new),
		TEST(test_order_never_changes_the_groups),
		TEST(test_nothing_is_allocated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
