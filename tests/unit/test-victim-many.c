/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is held by many: shared segments, pools and fork bombs. */
#include "count-malloc.h"
#include "victim-world.h"

/* --- shared memory --- */

static struct task *shmem_process(
	struct world *w, const char *comm, uint64_t bytes, uint64_t private_bytes)
{
	struct task *t = process(w, comm, 10 * MIB);

	t->mem.shmem_bytes = bytes;
	w->shmem[t->id.pid] = (struct victim_shmem){ .private_bytes = private_bytes };
	return t;
}

static void test_private_shared_memory_comes_back(void **state)
{
	struct world *w = *state;
	struct task *hog = shmem_process(w, "shmhog", 2 * GIB, 2 * GIB);

	process(w, "other", 1500 * MIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_int_equal(victim(w, 0)->shmem_bytes, 2 * GIB);
	assert_int_equal(victim(w, 0)->yield_bytes, 2 * GIB + 10 * MIB);
}

static void test_without_a_walk_counters_tell_the_least(void **state)
{
	struct world *w = *state;
	struct task *hog = shmem_process(w, "shmhog", 2 * GIB, 0);

	shmem_process(w, "other", 200 * MIB, 0)->uid = 3;
	for (uint32_t i = 0; i < w->s.count; i++)
		w->shmem_error[w->tasks[i].id.pid] = -ETIMEDOUT;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_int_equal(victim(w, 0)->shmem_bytes, 2 * GIB - 200 * MIB);
}

static void test_little_shared_memory_is_not_walked(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 200; i++)
		shmem_process(w, "app", 30 * MIB, 0);
	process(w, "hog", 2 * GIB);
	choose(w);
	assert_sound(w);
	assert_int_equal(w->walks, 0);
}

/* A database with many workers that map one large segment, beside a leak. */
static void test_the_leak_dies_and_not_the_database(void **state)
{
	struct world *w = *state;
	struct task *leak, *postmaster = shmem_process(w, "postgres", 6 * GIB, 0);

	for (int i = 0; i < 40; i++) {
		struct task *t = fork_of(w, postmaster);

		t->mem.anon_bytes = 30 * MIB;
		w->shmem[t->id.pid].pss_bytes = 6 * GIB / 41;
	}
	leak = process(w, "leak", 1200 * MIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, leak);
	assert_int_equal(w->walks, 1); /* one of the family tells for all */
	assert_int_equal(sharedmm_comparisons(w->sm), 40);
	/* Fresh workers, each larger: still the leak, as long as it is enough by itself. */
	for (int i = 1; i <= 40; i++) {
		w->tasks[i].id.start_ticks = 9999000;
		w->tasks[i].mem.anon_bytes = 200 * MIB;
	}
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, leak);
}

static void test_who_may_not_die_is_not_walked(void **state)
{
	struct world *w = *state;
	struct task *t = shmem_process(w, "database", 6 * GIB, 6 * GIB);
	struct task *hog = process(w, "hog", 2 * GIB);

	w->exe[t->id.pid] = "/usr/bin/database";
	when(&rule(w, RULE_PROTECT, "db")->exe, "^/usr/bin/database$");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_int_equal(w->walks, 0);
}

static void test_two_that_map_the_same_die_one_after_the_other(void **state)
{
	struct world *w = *state;
	struct task *a = shmem_process(w, "a", 4 * GIB, 0);
	struct task *b = shmem_process(w, "b", 4 * GIB, 0), *shell;

	shell = process(w, "shell", 5 * MIB);
	w->shmem[a->id.pid].pss_bytes = w->shmem[b->id.pid].pss_bytes = 2 * GIB;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_chosen_alone(w, b); /* the younger */
	assert_int_equal(victim(w, 0)->yield_bytes, 2 * GIB + 10 * MIB);
	assert_int_equal(victim(w, 0)->shmem_bytes, 2 * GIB);
	/* It is gone: now the rest is the other's alone. */
	b->flags = TASK_NO_MM;
	w->shmem[a->id.pid] = (struct victim_shmem){ .private_bytes = 4 * GIB };
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, a);
	/* Who covers the need by what it gives goes first. */
	b->flags = 0;
	w->shmem[a->id.pid] = w->shmem[b->id.pid];
	shell->mem.anon_bytes = GIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, shell);
	/* Who gives some of it, too, if that is more than the share. */
	shell->mem.anon_bytes = 900 * MIB;
	w->shmem[a->id.pid].pss_bytes = w->shmem[b->id.pid].pss_bytes = 200 * MIB;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_chosen_alone(w, shell);
	/* Who gives less dies no sooner than the share has shown what comes of it. */
	shell->mem.anon_bytes = 190 * MIB;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_chosen_alone(w, b);
	assert_int_equal(verdict_on(w, shell)->reason, REASON_NOT_NEEDED);
	/* A share in what is too little to matter is no reason to die. */
	shell->mem.anon_bytes = 5 * MIB;
	w->shmem[a->id.pid].pss_bytes = w->shmem[b->id.pid].pss_bytes = 100 * MIB;
	assert_int_equal(choose(w), VICTIM_HOPELESS);
	assert_sound(w);
}

static void test_walks_are_bounded(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 60; i++)
		w->shmem_error[shmem_process(w, "x", 900 * MIB, 0)->id.pid] = -ETIMEDOUT;
	choose(w);
	assert_sound(w);
	assert_int_equal(w->walks, 4);
	memset(w->shmem_error, 0, sizeof(w->shmem_error));
	choose(w);
	assert_int_equal(w->walks, 10); /* 8 GiB and what began before */
}

static void test_sixty_shared_memory_hogs(void **state)
{
	struct world *w = *state;
	struct task *first = process(w, "shmhog", MIB);

	w->need.bytes = w->need.alone_bytes = 500 * MIB;
	first->mem.shmem_bytes = 40 * MIB;
	for (int i = 0; i < 60; i++) {
		struct task *t = fork_of(w, first);

		w->shmem[t->id.pid].private_bytes = 40 * MIB;
	}
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_sound(w);
	assert_int_equal(w->choice.count, 13);
}

/* --- many small ones --- */

static void bomb(struct world *w, int count, uint64_t bytes)
{
	struct task *first = process(w, "bomb", bytes);

	first->id.start_ticks = 9999000;
	for (int i = 1; i < count; i++)
		fork_of(w, first)->id.start_ticks = 9999000 + (uint64_t)i;
}

static uint32_t chosen_of(struct world *w, const char *comm)
{
	uint32_t n = 0;

	assert_sound(w);
	for (uint32_t i = 0; i < w->choice.count; i++)
		n += strcmp(w->tasks[victim(w, i)->task].comm, comm) == 0;
	return n;
}

static void test_a_fork_bomb_dies_rather_than_innocents(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		process(w, "innocent", 20 * MIB);
	bomb(w, 400, 2 * MIB);
	when(&rule(w, RULE_PROTECT, "sshd")->exe, "sshd$");
	w->need.bytes = w->need.alone_bytes = 200 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	/* Details are read of those who die, once, and not of all that are as good. */
	assert_in_range(w->details, 100, 200);
	assert_int_equal(chosen_of(w, "bomb"), 100);
	assert_int_equal(w->choice.count, 100);
	/* More is needed than a set of them gives: as many as there is room for. */
	w->need.bytes = w->need.alone_bytes = GIB;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_true(chosen_of(w, "bomb") >= 125);
}

/* While hundreds of its processes give their memory back, what is still needed may be next to
 * nothing: less than the smallest innocent has. */
static void test_a_bomb_remains_one_to_the_end(void **state)
{
	struct world *w = *state;
	struct task *innocent = process(w, "innocent", 8 * MIB);
	struct brood before;

	bomb(w, 400, 2 * MIB);
	w->need.bytes = w->need.alone_bytes = 200 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(chosen_of(w, "innocent"), 0);
	assert_int_equal(w->choice.brood.bytes, 800 * MIB);
	before = w->choice.brood;

	w->need.bytes = w->need.alone_bytes = MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, innocent);
	assert_int_equal(w->choice.brood.bytes, 0);
	w->need.brood = &before;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 1);
	assert_int_equal(chosen_of(w, "bomb"), 1);
	assert_int_equal(w->choice.brood.bytes, 800 * MIB);
	/* Of rows that are light nobody knows the family. */
	w->s.light = 1;
	choose(w);
	assert_true(w->choice.incomplete);
	w->s.light = 0;
	/* One who is larger than all of it together is the cause after all; */
	innocent->mem.anon_bytes = GIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, innocent);
	innocent->mem.anon_bytes = 8 * MIB;
	/* another family is none of it; */
	before.uid++;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, innocent);
	before.uid--;
	/* The last few of it go as well, as long as it is about what most of it gives by now; */
	for (uint32_t i = 1; i < w->s.count - 3; i++)
		w->tasks[i].flags |= TASK_KILL_PENDING;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 1);
	assert_int_equal(chosen_of(w, "bomb"), 1);
	/* few and nothing more are no bomb. */
	w->s.count = 12;
	for (uint32_t i = 1; i < w->s.count; i++)
		w->tasks[i].flags &= ~(uint32_t)TASK_KILL_PENDING;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, innocent);
}

/* Some of the bomb are born after all that was seen before. */
static void born_since(struct world *w, int first, int count)
{
	uint64_t newest = 0;

	for (uint32_t i = 0; i < w->s.count; i++)
		newest = max_u64(newest, w->tasks[i].id.start_ticks);
	for (int i = first; i < first + count; i++)
		w->tasks[1 + i].id.start_ticks = newest + 1;
}

/* What its dead gave back is gone again when the next are chosen. */
static void test_a_bomb_that_outgrows_its_dead_loses_twice_as_many_each_time(void **state)
{
	static const uint32_t counts[] = { 10, 20, 40, 80, 100 };
	struct world *w = *state;
	struct brood before = { 0 };

	process(w, "innocent", 8 * MIB);
	bomb(w, 100, 2 * MIB);
	w->need.bytes = w->need.alone_bytes = 20 * MIB;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		born_since(w, (int)i * 10, 20);
		assert_int_equal(choose(w), VICTIM_CHOSEN);
		assert_int_equal(w->choice.count, counts[i]);
		assert_int_equal(chosen_of(w, "bomb"), counts[i]);
		assert_int_equal(w->choice.brood.times, i + 1);
		before = w->choice.brood;
		before.taken_bytes = w->choice.yield_bytes;
		w->need.brood = &before;
	}
	/* No more than there are, and no more than 32 times the need; */
	born_since(w, 50, 50);
	w->need.bytes = w->need.alone_bytes = 4 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(chosen_of(w, "bomb"), 64);
	assert_int_equal(w->choice.brood.times, 6);
	before.times = 6;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(chosen_of(w, "bomb"), 64);
	w->need.bytes = w->need.alone_bytes = 26 * MIB;
	/* who cover the need though not all that was asked of them. */
	for (uint32_t i = 1; i < w->s.count; i += 2)
		w->tasks[i].flags |= TASK_KILL_PENDING;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(chosen_of(w, "bomb"), 50);
	w->need.bytes = w->need.alone_bytes = 20 * MIB;
	/* Another family begins anew. */
	before.uid++;
	for (uint32_t i = 1; i < w->s.count; i++)
		w->tasks[i].flags &= ~(uint32_t)TASK_KILL_PENDING;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 10);
	assert_int_equal(w->choice.brood.times, 1);
}

static void test_a_family_that_bears_few_or_none_gives_what_is_needed(void **state)
{
	struct world *w = *state;
	struct brood before;

	process(w, "innocent", 8 * MIB);
	bomb(w, 200, 2 * MIB);
	w->need.bytes = w->need.alone_bytes = 40 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	before = w->choice.brood;
	before.taken_bytes = w->choice.yield_bytes;
	w->need.brood = &before;
	/* None: sixty hogs that grow are no bomb. */
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.brood.times, 1);
	assert_int_equal(w->choice.count, 20);
	/* Fewer than a quarter of those who died, then as many. */
	before.times = 3;
	born_since(w, 0, 4);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.brood.times, 2);
	assert_int_equal(w->choice.count, 40);
	born_since(w, 0, 5);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.brood.times, 4);
	assert_int_equal(w->choice.count, 160);
	/* Where one was taken, or nobody, there was nothing to outgrow. */
	before.taken_bytes = 0;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.brood.times, 3);
}

/* None of it is worth a death unless all that is left covers the need, and who is protected is not
 * left: though he is not looked at as long as the set is full. */
static void test_the_protected_are_not_counted_on(void **state)
{
	struct world *w = *state;

	when(&rule(w, RULE_PROTECT, "mine")->exe, "^/opt/mine$");
	for (int i = 0; i < 300; i++)
		process(w, "small", 2 * MIB);
	w->need.bytes = w->need.alone_bytes = 4 * GIB;
	for (int i = 0; i < 3000; i++)
		w->exe[process(w, "mine", 1900 * KIB)->id.pid] = "/opt/mine";
	assert_int_equal(choose(w), VICTIM_HOPELESS);
	assert_int_equal(w->choice.count, 0);
	/* Were they anybody, the set would be the first of many. */
	memset(w->exe, 0, sizeof(w->exe));
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_int_equal(chosen_of(w, "small"), VICTIM_SET_MAX);
}

/* A walk tells that a family shares what it maps, when all of it stands in line already: those who
 * see everybody see each once. */
static void test_who_is_shown_behind_those_chosen_is_shown_once(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 2 * GIB), *first = process(w, "backend", 5 * MIB);
	uint32_t backends = 0;

	first->mem.shmem_bytes = 4 * GIB;
	w->shmem[first->id.pid].pss_bytes = 40 * MIB;
	for (int i = 1; i < 50; i++) {
		struct task *t = fork_of(w, first);

		t->mem = first->mem;
		w->shmem[t->id.pid].pss_bytes = 40 * MIB;
	}
	w->need.explain = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	for (uint32_t i = 0; i < w->choice.candidate_count; i++)
		backends += w->choice.candidates[i].task != 0;
	assert_int_equal(backends, 50);
}

/* To tell whether somebody is protected takes calls: not of a family for whom there is no room. */
static void test_nobody_is_looked_at_for_whom_there_is_no_room(void **state)
{
	struct world *w = *state;

	when(&rule(w, RULE_PROTECT, "sshd")->exe, "sshd$");
	bomb(w, 700, 3 * MIB);
	w->need.bytes = w->need.alone_bytes = 1000 * MIB;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_in_range(w->details, VICTIM_SET_MAX, VICTIM_SET_MAX + 1);
	assert_int_equal(chosen_of(w, "bomb"), VICTIM_SET_MAX);
	/* Who gives more has room made for him. */
	w->s.count = 0;
	for (int i = 0; i < 400; i++)
		process(w, "small", 3 * MIB);
	process(w, "larger", 4 * MIB)->oom_score_adj = -10;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_int_equal(chosen_of(w, "larger"), 1);
	assert_int_equal(w->choice.count, VICTIM_SET_MAX);
}

static void test_a_prefork_server_is_no_fork_bomb(void **state)
{
	struct world *w = *state;
	struct task *leak = process(w, "leak", 1100 * MIB), *old;

	bomb(w, 40, 100 * MIB); /* freshly started workers, larger in all than the leak */
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, leak);
	/* A leak that is not enough, but gives more than a quarter of what they do. */
	leak->mem.anon_bytes = 1020 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 2);
	assert_int_equal(chosen_of(w, "leak"), 1);
	/* A leak that oom_score_adj puts behind them, and that would be enough: no reason to count
	 * them as one; each ranks by its own size. */
	w->s.count = 0;
	leak = process(w, "leak", 250 * MIB);
	leak->oom_score_adj = -100;
	process(w, "innocent", 20 * MIB);
	bomb(w, 400, 3 * MIB);
	w->need.bytes = w->need.alone_bytes = 200 * MIB;
	choose(w);
	assert_int_equal(chosen_of(w, "innocent"), 1);
	/* Old workers are never a bomb, innocents or not. */
	w->s.count = 0;
	bomb(w, 400, 2 * MIB);
	old = process(w, "innocent", 60 * MIB);
	for (int i = 0; i < 390; i++)
		w->tasks[i].id.start_ticks = 1000;
	w->need.bytes = w->need.alone_bytes = 400 * MIB;
	choose(w);
	assert_chosen(w, old);
}

static void test_what_looks_like_a_bomb_but_is_one_mm(void **state)
{
	struct world *w = *state;
	struct task *first = process(w, "threads", 20 * MIB);

	first->id.start_ticks = 9999000;
	for (int i = 0; i < 100; i++)
		sharer_of(w, first)->id.start_ticks = 9999000;
	process(w, "innocent", 30 * MIB);
	w->need.bytes = w->need.alone_bytes = 400 * MIB;
	assert_int_equal(choose(w), VICTIM_HOPELESS); /* 20 MiB are 20 MiB */
	assert_sound(w);
	/* A hundred processes, but ten mms. */
	w->s.count = 0;
	for (int i = 0; i < 10; i++) {
		first = i == 0 ? process(w, "threads", 20 * MIB) : fork_of(w, first);
		first->id.start_ticks = 9999000;
		for (int j = 0; j < 9; j++)
			sharer_of(w, first)->id.start_ticks = 9999000;
	}
	process(w, "innocent", 30 * MIB);
	w->need.bytes = w->need.alone_bytes = 200 * MIB;
	choose(w);
	assert_int_equal(chosen_of(w, "innocent"), 1);
}

static void test_a_bomb_is_of_one_user(void **state)
{
	struct world *w = *state;

	process(w, "innocent", 60 * MIB);
	bomb(w, 200, 2 * MIB);
	w->tasks[77].uid = 0;
	w->need.bytes = w->need.alone_bytes = 200 * MIB;
	choose(w);
	assert_int_equal(chosen_of(w, "innocent"), 1);
	w->tasks[77].uid = 1000;
	choose(w);
	assert_int_equal(chosen_of(w, "innocent"), 0);
}

static void test_a_protected_bomb_is_protected(void **state)
{
	struct world *w = *state;

	process(w, "innocent", 60 * MIB);
	bomb(w, 200, 2 * MIB);
	when(&rule(w, RULE_PROTECT, "bomb")->comm, "bomb");
	w->need.bytes = w->need.alone_bytes = 300 * MIB;
	choose(w);
	assert_int_equal(chosen_of(w, "bomb"), 0);
}

/* With a thousand that die and are born there is always one who cannot be read just now. */
static void test_a_bomb_is_not_waited_for_because_some_cannot_be_read(void **state)
{
	struct world *w = *state;
	struct task *innocent = process(w, "innocent", 8 * MIB);

	bomb(w, 400, 2 * MIB);
	when(&rule(w, RULE_PROTECT, "base")->cgroup, "^/base$");
	w->need.bytes = w->need.alone_bytes = 100 * MIB;
	w->late_each = innocent->id.pid;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_true(w->choice.unread);
	assert_true(chosen_of(w, "bomb") >= 48);
	assert_int_equal(chosen_of(w, "innocent"), 0);
	/* But a hog that cannot be read is, and the bomb does not die in his stead. */
	w->late_each = process(w, "hog", 400 * MIB)->id.pid;
	assert_int_equal(choose(w), VICTIM_UNREAD);
	assert_int_equal(w->choice.count, 0);
}

static void test_nothing_is_allocated(void **state)
{
	struct world *w = *state;
	unsigned before;
	struct victim_fns fns = fns_of(w);

	for (uint64_t i = 0; i < 3000; i++)
		process(w, "p", i * MIB / 8);
	bomb(w, 300, 2 * MIB);
	before = malloc_count;
	assert_int_equal(sharedmm_classify(w->sm, &w->s, SELF), 0);
	victim_choose(&w->s, w->sm, &w->config, &w->hidden, &w->need, &fns, w->scratch, &w->choice);
	assert_int_equal(malloc_count, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_private_shared_memory_comes_back),
		TEST(test_without_a_walk_counters_tell_the_least),
		TEST(test_little_shared_memory_is_not_walked),
		TEST(test_the_leak_dies_and_not_the_database),
		TEST(test_who_may_not_die_is_not_walked),
		TEST(test_two_that_map_the_same_die_one_after_the_other),
		TEST(test_walks_are_bounded),
		TEST(test_sixty_shared_memory_hogs),
		TEST(test_a_fork_bomb_dies_rather_than_innocents),
		TEST(test_a_bomb_remains_one_to_the_end),
		TEST(test_a_bomb_that_outgrows_its_dead_loses_twice_as_many_each_time),
		TEST(test_a_family_that_bears_few_or_none_gives_what_is_needed),
		TEST(test_the_protected_are_not_counted_on),
		TEST(test_nobody_is_looked_at_for_whom_there_is_no_room),
		TEST(test_who_is_shown_behind_those_chosen_is_shown_once),
		TEST(test_a_prefork_server_is_no_fork_bomb),
		TEST(test_what_looks_like_a_bomb_but_is_one_mm),
		TEST(test_a_bomb_is_of_one_user),
		TEST(test_a_protected_bomb_is_protected),
		TEST(test_a_bomb_is_not_waited_for_because_some_cannot_be_read),
		TEST(test_nothing_is_allocated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
