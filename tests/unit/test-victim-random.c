/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What holds in any world, in thousands of them; the seeds are fixed. */
#include "victim-world.h"

static void random_task(struct world *w, uint64_t *r)
{
	struct task *other = w->s.count ? &w->tasks[next_random(r) % w->s.count] : NULL;
	uint64_t kind = next_random(r) % 8;
	struct task *t;

	if (other && kind == 0) {
		/* Sharers show the same counters, and the kernel keeps their adj equal. */
		t = sharer_of(w, other);
	} else {
		t = other && kind < 4 ? fork_of(w, other) : process(w, "p", 0);
		t->mem = (struct mm_counters){ .anon_bytes = next_random(r) % 64 * 8 * MIB,
			.swap_bytes = next_random(r) % 8 * MIB,
			.pgtables_bytes = next_random(r) % 4 * MIB };
		if (next_random(r) % 6 == 0)
			t->mem.shmem_bytes = next_random(r) % 16 * 64 * MIB;
		t->oom_score_adj = 0;
		if (next_random(r) % 4 == 0)
			t->oom_score_adj = (int16_t)(next_random(r) % 2001 - 1000);
		if (next_random(r) % 40 == 0)
			t->oom_score_adj = -1000;
		w->shmem[t->id.pid].private_bytes = t->mem.shmem_bytes / (1 + next_random(r) % 3);
		w->shmem[t->id.pid].pss_bytes = t->mem.shmem_bytes / 4;
		w->shmem_error[t->id.pid] = next_random(r) % 5 == 0 ? -ETIMEDOUT : 0;
	}
	if (next_random(r) % 25 == 0)
		t->flags |= TASK_KILL_PENDING;
	if (next_random(r) % 40 == 0)
		t->flags |= TASK_NO_MM;
	t->uid = 1000 + (uid_t)(next_random(r) % 3);
	t->id.start_ticks = 5000 + next_random(r) % 4;
	snprintf(t->comm, sizeof(t->comm), "p%d", (int)(next_random(r) % 12));
	w->exe[t->id.pid] = next_random(r) % 2 ? "/usr/bin/p" : "/opt/p";
}

static void random_world(struct world *w, uint64_t seed, uint64_t *r)
{
	uint32_t tasks;

	*r = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	w->s.count = 0;
	w->hidden.count = 0;
	memset(w->shmem, 0, sizeof(w->shmem));
	forget_rules(w);
	tasks = 1 + (uint32_t)(next_random(r) % 60);
	while (w->s.count < tasks)
		random_task(w, r);
	if (next_random(r) % 8 == 0) { /* pid 1 shares with somebody */
		struct task *t = &w->tasks[next_random(r) % w->s.count];
		w->mm[1] = w->mm[t->id.pid];
		t->id.pid = 1;
	}
	if (next_random(r) % 2)
		when(&rule(w, RULE_PROTECT, "protect")->comm, "^p1$");
	if (next_random(r) % 2)
		when(&rule(w, RULE_AVOID, "avoid")->comm, "^p[23]$");
	if (next_random(r) % 2) {
		struct rule *p = rule(w, RULE_PREFER, "prefer");
		when(&p->comm, "^p[45]$");
		when(&p->exe, "^/opt/");
	}
	w->need.avoided_eligible = next_random(r) % 2;
	w->need.bytes = (1 + next_random(r) % 200) * 16 * MIB;
	w->need.alone_bytes = w->need.bytes / (1 + next_random(r) % 3);
}

/* The pids of those chosen, and the result, as a number. */
static uint64_t name_of_choice(struct world *w)
{
	uint64_t name = (uint64_t)w->choice.result * 31 + w->choice.yield_bytes;

	for (uint32_t i = 0; i < w->choice.count; i++) {
		uint64_t x = (uint64_t)w->tasks[victim(w, i)->task].id.pid * 1000 + i + 1;
		name += next_random(&x);
	}
	return name;
}

static void test_order_of_the_tasks_never_changes_the_choice(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 0; seed < 2000; seed++) {
		uint64_t r, name;

		random_world(w, seed, &r);
		choose(w);
		assert_sound(w);
		name = name_of_choice(w);
		for (int round = 0; round < 2; round++) {
			for (uint32_t i = w->s.count; i > 1; i--) {
				uint32_t j = (uint32_t)(next_random(&r) % i);
				struct task t = w->tasks[i - 1];
				w->tasks[i - 1] = w->tasks[j];
				w->tasks[j] = t;
			}
			choose(w);
			assert_int_equal(name_of_choice(w), name);
		}
	}
}

static void test_explaining_never_changes_the_choice(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 10000; seed < 12000; seed++) {
		uint64_t r, yield;
		uint32_t count;

		random_world(w, seed, &r);
		w->need.explain = false;
		choose(w);
		yield = w->choice.yield_bytes;
		count = w->choice.count;
		w->need.explain = true;
		choose(w);
		assert_sound(w);
		assert_int_equal(w->choice.count, count);
		assert_int_equal(w->choice.yield_bytes, yield);
	}
}

/* Laziness must not cost the truth: whoever is eligible, and by itself outranks all chosen, would
 * have been taken. */
static void test_nobody_better_is_overlooked(void **state)
{
	struct world *w = *state;
	uint32_t compared = 0;

	for (uint64_t seed = 20000; seed < 22000; seed++) {
		struct candidate best;
		uint64_t r;

		random_world(w, seed, &r);
		w->need.bytes = w->need.alone_bytes =
			MIB; /* anybody is enough: the first in rank */
		w->need.explain = false;
		if (choose(w) != VICTIM_CHOSEN)
			continue;
		best = *victim(w, 0);
		w->need.explain = true;
		choose(w);
		assert_int_equal(victim(w, 0)->task, best.task);
		for (uint32_t i = 0; i < w->choice.candidate_count; i++) {
			const struct candidate *c = &w->choice.candidates[i];

			if (c->reason != REASON_NOT_NEEDED ||
				(c->rule && c->rule->action == RULE_AVOID) || best.rule)
				continue;
			assert_true(c->badness <= best.badness);
			compared++;
		}
	}
	assert_true(compared > 10000);
}

static void test_hiding_those_chosen_ends(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 30000; seed < 31500; seed++) {
		uint64_t r;
		uint32_t rounds = 0;

		random_world(w, seed, &r);
		w->need.explain = false;
		while (choose(w) == VICTIM_CHOSEN || w->choice.result == VICTIM_PARTIAL) {
			assert_sound(w);
			for (uint32_t i = 0; i < w->choice.count; i++)
				hide(w, victim(w, i));
			assert_in_range(++rounds, 1, w->s.count);
		}
		assert_sound(w);
		assert_int_equal(w->choice.count, 0);
	}
}

static void test_absurd_counters_do_no_harm(void **state)
{
	struct world *w = *state;

	for (uint64_t seed = 40000; seed < 40500; seed++) {
		uint64_t r;

		random_world(w, seed, &r);
		for (uint32_t i = 0; i < w->s.count; i += 3) {
			w->tasks[i].mem.anon_bytes = next_random(&r);
			w->tasks[i].mem.shmem_bytes = UINT64_MAX;
			w->shmem[w->tasks[i].id.pid].private_bytes = next_random(&r);
			w->shmem[w->tasks[i].id.pid].pss_bytes = UINT64_MAX;
		}
		w->need.total_bytes = next_random(&r) % 4 ? UINT64_MAX : 0;
		w->need.bytes = next_random(&r) % 4 ? UINT64_MAX : 1;
		w->need.alone_bytes = w->need.bytes;
		w->config.prefer_points = UINT32_MAX;
		choose(w);
		for (uint32_t i = 0; i < w->choice.count; i++)
			assert_may_die(w, victim(w, i));
	}
}

/* What a reader leaves out that knows how much each process holds at the most. */
static bool leave_out_what_is_negligible(struct world *w)
{
	for (uint32_t i = 0; i < w->s.count; i++) {
		struct task *t = &w->tasks[i];
		uint64_t held = t->mem.anon_bytes + t->mem.shmem_bytes + t->mem.swap_bytes +
			t->mem.pgtables_bytes;

		if (t->flags & TASK_NO_MM || t->id.pid == 1 ||
			held >= victim_negligible_bytes(&w->need))
			continue;
		t->flags |= TASK_LIGHT;
		t->flags &= ~(uint32_t)TASK_KILL_PENDING;
		t->uid = 0;
		t->oom_score_adj = 0;
		t->mem = (struct mm_counters){ .shmem_bytes =
						       t->mem.anon_bytes + t->mem.shmem_bytes };
		w->s.light++;
	}
	return w->s.light > 0;
}

/* A choice that does without the light rows is the one that would be made with all of them. */
static void test_light_rows_never_change_the_choice(void **state)
{
	static struct task whole[TASKS_MAX];
	struct world *w = *state;
	uint32_t complete = 0, incomplete = 0;

	for (uint64_t seed = 60000; seed < 66000; seed++) {
		uint64_t r, name;

		random_world(w, seed, &r);
		w->need.explain = false;
		w->s.light = 0;
		/* So much that it is walked, or none. */
		for (uint32_t i = 0; i < w->s.count; i++)
			if (w->tasks[i].mem.shmem_bytes < victim_negligible_bytes(&w->need))
				w->tasks[i].mem.shmem_bytes = 0;
		choose(w);
		name = name_of_choice(w);
		memcpy(whole, w->tasks, w->s.count * sizeof(whole[0]));
		if (!leave_out_what_is_negligible(w))
			continue;
		choose(w);
		if (!w->choice.incomplete) {
			assert_int_equal(name_of_choice(w), name);
			complete++;
		} else {
			assert_int_equal(w->choice.count, 0);
			incomplete++;
		}
		memcpy(w->tasks, whole, w->s.count * sizeof(whole[0]));
		w->s.light = 0;
	}
	assert_true(complete > 500 && incomplete > 500); /* both kinds were met */
}

/* --- the plain way, for comparison: all groups, sorted, without laziness --- */

struct plain {
	int64_t badness;
	uint64_t yield_bytes, start_ticks, mm;
	pid_t pid;
	int16_t oom_score_adj;
	bool chosen;
};

static int compare_plain(const void *x, const void *y)
{
	const struct plain *a = x, *b = y;

	if (a->badness != b->badness)
		return a->badness > b->badness ? -1 : 1;
	if (a->yield_bytes != b->yield_bytes)
		return a->yield_bytes > b->yield_bytes ? -1 : 1;
	if (a->start_ticks != b->start_ticks)
		return a->start_ticks > b->start_ticks ? -1 : 1;
	return a->pid > b->pid ? -1 : 1;
}

static uint32_t list_plain(struct world *w, struct plain *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < w->s.count; i++) {
		const struct task *t = &w->tasks[i];
		uint64_t mm = w->mm[t->id.pid];
		bool first = !(t->flags & TASK_NO_MM), pinned = false, alive = false;

		for (uint32_t j = 0; j < w->s.count; j++) {
			const struct task *o = &w->tasks[j];

			if (w->mm[o->id.pid] != mm || (o->flags & TASK_NO_MM))
				continue;
			/* The youngest, and of these the highest pid, stands for the group. */
			first &= t->id.start_ticks > o->id.start_ticks ||
				(t->id.start_ticks == o->id.start_ticks && t->id.pid >= o->id.pid);
			pinned |= o->oom_score_adj == -1000 || o->id.pid == 1;
			alive |= !(o->flags & TASK_KILL_PENDING);
		}
		if (!first || pinned || !alive || t->mem.anon_bytes + t->mem.swap_bytes == 0)
			continue;
		list[n] = (struct plain){
			.yield_bytes =
				t->mem.anon_bytes + t->mem.swap_bytes + t->mem.pgtables_bytes,
			.start_ticks = t->id.start_ticks,
			.pid = t->id.pid,
			.oom_score_adj = t->oom_score_adj,
			.mm = mm,
		};
		list[n].badness = (int64_t)list[n].yield_bytes +
			t->oom_score_adj * (int64_t)w->need.total_bytes / 1000;
		n++;
	}
	qsort(list, n, sizeof(list[0]), compare_plain);
	return n;
}

/* Marks those to be chosen; returns whether they cover the need. */
static bool choose_of(const struct world *w, struct plain **list, uint32_t n)
{
	uint64_t sum = 0;
	uint32_t end = 0;

	while (end < n && sum < w->need.bytes) {
		list[end]->chosen = true;
		sum += list[end++]->yield_bytes;
		if (list[end - 1]->yield_bytes < w->need.alone_bytes)
			continue;
		for (uint32_t i = 0; i + 1 < end; i++)
			list[i]->chosen = false;
		return true;
	}
	for (bool cover = sum >= w->need.bytes; cover;) {
		uint32_t least = n;

		for (uint32_t i = 0; i < end; i++)
			if (list[i]->chosen &&
				(least == n || list[i]->yield_bytes <= list[least]->yield_bytes))
				least = i;
		if (sum - list[least]->yield_bytes < w->need.bytes)
			return true;
		sum -= list[least]->yield_bytes;
		list[least]->chosen = false;
	}
	for (uint32_t i = 0; i < n; i++)
		list[i]->chosen = list[i]->yield_bytes >= w->need.bytes / 8;
	return false;
}

/* Without the negligible first, then all. */
static bool choose_plain(const struct world *w, struct plain *list, uint32_t n)
{
	struct plain *some[64], *all[64];
	uint32_t count = 0;
	bool spared = false;

	for (uint32_t i = 0; i < n; i++) {
		all[i] = &list[i];
		if (list[i].yield_bytes >= w->need.bytes / 16)
			some[count++] = &list[i];
	}
	bool cover = choose_of(w, some, count);
	for (uint32_t i = 0; i < n; i++)
		spared |= list[i].chosen && list[i].oom_score_adj < 0;
	if (cover && !spared)
		return true;
	for (uint32_t i = 0; i < n; i++)
		list[i].chosen = false;
	return choose_of(w, all, n);
}

static void test_the_lazy_choice_is_that_of_the_plain_way(void **state)
{
	struct world *w = *state;
	uint32_t covered = 0;

	for (uint64_t seed = 50000; seed < 54000; seed++) {
		struct plain list[64] = { 0 };
		uint32_t n, chosen = 0;
		uint64_t r;
		bool cover;

		random_world(w, seed, &r);
		forget_rules(w);
		for (uint32_t i = 0; i < w->s.count; i++)
			w->tasks[i].mem.shmem_bytes = 0;
		w->need.explain = next_random(&r) % 2;
		choose(w);
		assert_sound(w);
		n = list_plain(w, list);
		cover = choose_plain(w, list, n);
		covered += cover;
		assert_int_equal(w->choice.result == VICTIM_CHOSEN, cover);
		for (uint32_t i = 0; i < n; i++) {
			if (!list[i].chosen)
				continue;
			assert_in_range(chosen, 0, w->choice.count - 1);
			assert_int_equal(
				w->mm[w->tasks[victim(w, chosen)->task].id.pid], list[i].mm);
			assert_int_equal(victim(w, chosen)->badness, list[i].badness);
			chosen++;
		}
		assert_int_equal(w->choice.count, chosen);
	}
	assert_in_range(covered, 1000, 3999); /* both kinds were met */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order_of_the_tasks_never_changes_the_choice),
		TEST(test_explaining_never_changes_the_choice),
		TEST(test_nobody_better_is_overlooked),
		TEST(test_hiding_those_chosen_ends),
		TEST(test_absurd_counters_do_no_harm),
		TEST(test_light_rows_never_change_the_choice),
		TEST(test_the_lazy_choice_is_that_of_the_plain_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
