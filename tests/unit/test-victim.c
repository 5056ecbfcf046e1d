/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is chosen, in scenes that users of such daemons complained about. */
#include "victim-world.h"

/* --- one hog --- */

static void test_the_hog_dies_and_nobody_else_is_looked_at(void **state)
{
	struct world *w = *state;
	struct task *hog;

	rule(w, RULE_PROTECT, "root")->uid_set = true;
	when(&rule(w, RULE_PROTECT, "sshd")->exe, "^/usr/sbin/sshd$");
	for (int i = 0; i < 10000; i++)
		process(w, "small", 10 * MIB);
	hog = process(w, "hog", 2 * GIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.candidate_count, 1);
	assert_int_equal(w->details, 1);
	assert_int_equal(sharedmm_comparisons(w->sm), 0);
	assert_chosen_alone(w, hog);
	assert_int_equal(victim(w, 0)->badness, 2 * GIB);
}

static void test_all_that_dies_with_it_counts(void **state)
{
	struct world *w = *state;
	struct task *t = process(w, "swapped", 100 * MIB);

	t->mem.swap_bytes = 900 * MIB;
	t->mem.pgtables_bytes = 30 * MIB;
	t->mem.file_bytes = 4 * GIB; /* clean pages come back without any death */
	process(w, "other", 800 * MIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, t);
	assert_int_equal(victim(w, 0)->yield_bytes, 1030 * MIB);
}

/* earlyoom 344, 261, 230: small ones with a high oom_score_adj die before the hog. */
static void test_small_ones_with_a_high_adj_do_not_die_with_the_hog(void **state)
{
	struct world *w = *state;
	struct task *hog, *tab = NULL;

	for (int i = 0; i < 150; i++) { /* more than a set holds */
		tab = process(w, "Web Content", 5 * MIB);
		tab->oom_score_adj = 300;
	}
	hog = process(w, "hog", 2 * GIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	w->s.count = 10;
	w->tasks[3].mem.anon_bytes = 70 * MIB;
	hog = process(w, "hog", 2 * GIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_int_equal(verdict_on(w, &w->tasks[3])->reason, REASON_REDUNDANT);
}

/* Pods without requests are killed first, but not by dozens where one of another class suffices. */
static void test_who_holds_next_to_nothing_waits_for_those_who_suffice(void **state)
{
	struct world *w = *state;
	struct task *a, *b, *pod = NULL;

	for (int i = 0; i < 80; i++) { /* 1,200 MiB in all */
		pod = process(w, "pod", 15 * MIB);
		pod->oom_score_adj = 1000;
		pod->uid = (uid_t)i;
	}
	a = process(w, "a", 600 * MIB);
	b = process(w, "b", 500 * MIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_sound(w);
	assert_int_equal(w->choice.count, 2);
	assert_chosen(w, a);
	assert_chosen(w, b);
	/* 64 MiB are a 16th of the need: not next to nothing. */
	pod->mem.anon_bytes = 64 * MIB;
	a->mem.anon_bytes = 500 * MIB;
	b->mem.anon_bytes = 508 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 3);
	assert_chosen(w, pod);
	/* Where the others do not suffice, each has its turn. */
	b->mem.anon_bytes = 100 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_sound(w);
	assert_true(w->choice.count > 30);
	/* Nor is one sacrificed that is to be spared. */
	b->mem.anon_bytes = 2 * GIB;
	b->oom_score_adj = -1;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_true(w->choice.count > 30);
	b->oom_score_adj = 0;
	when(&rule(w, RULE_AVOID, "b")->comm, "^b$");
	w->need.avoided_eligible = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_true(w->choice.count > 30);
	forget_rules(w);
	/* Who wants to see all sees them, too. */
	w->need.explain = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, b);
	assert_int_equal(verdict_on(w, &w->tasks[70])->reason, REASON_NOT_NEEDED);
}

/* What the reader has left out of a row. */
static void make_light(struct world *w, struct task *t)
{
	t->mem = (struct mm_counters){ .shmem_bytes = t->mem.anon_bytes };
	t->oom_score_adj = 0;
	t->flags |= TASK_LIGHT;
	w->s.light++;
}

static void test_light_rows_are_asked_for_only_if_they_matter(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 2 * GIB);

	for (int i = 0; i < 100; i++)
		make_light(w, process(w, "small", 10 * MIB));
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_false(w->choice.incomplete);
	assert_chosen_alone(w, hog);
	assert_int_equal(w->choice.candidate_count, 1);
	/* One alone is not enough. */
	hog->mem.anon_bytes = 900 * MIB;
	choose(w);
	assert_true(w->choice.incomplete);
	assert_int_equal(w->choice.count, 0);
	assert_int_equal(w->choice.candidate_count, 0);
	/* It is, but it shares its mm with one whose protection is not known. */
	hog->mem.anon_bytes = 2 * GIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_false(w->choice.incomplete);
	make_light(w, sharer_of(w, hog));
	choose(w);
	assert_true(w->choice.incomplete);
	assert_int_equal(w->choice.count, 0);
}

static void test_kubernetes_classes(void **state)
{
	struct world *w = *state;
	struct task *guaranteed = process(w, "database", 6 * GIB);
	struct task *burstable = process(w, "web", 2 * GIB);
	struct task *best_effort = process(w, "batch", 1100 * MIB);

	guaranteed->oom_score_adj = -997;
	burstable->oom_score_adj = 700;
	best_effort->oom_score_adj = 1000;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, best_effort);
	/* The last, but not never. */
	hide(w, victim(w, 0));
	choose(w);
	assert_chosen_alone(w, burstable);
	hide(w, victim(w, 0));
	choose(w);
	assert_chosen_alone(w, guaranteed);
}

static void test_what_covers_the_need_without_growth_is_enough_alone(void **state)
{
	struct world *w = *state;
	struct task *leak = process(w, "leak", 1200 * MIB);

	process(w, "innocent", GIB);
	w->need.bytes = 2 * GIB;
	w->need.alone_bytes = GIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, leak);
	/* Where it is not, the next is taken too. */
	w->need.alone_bytes = 2 * GIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 2);
	assert_sound(w);
}

static void test_equals_are_chosen_in_a_settled_order(void **state)
{
	struct world *w = *state;
	struct task *a = process(w, "a", 2 * GIB), *b = process(w, "b", 2 * GIB);

	a->id.start_ticks = 5000;
	b->id.start_ticks = 4000;
	choose(w);
	assert_chosen_alone(w, a); /* the younger */
	b->id.start_ticks = 5000;
	choose(w);
	assert_chosen_alone(w, b); /* the higher pid */
	a->mem.anon_bytes = 2 * GIB + TOTAL / 1000 * 10;
	b->oom_score_adj = 10;
	w->need.total_bytes = TOTAL / 1000 * 1000;
	choose(w);
	assert_chosen_alone(w, a); /* the same badness: who gives more */
}

/* --- many --- */

static void test_sixty_small_hogs_as_many_as_needed(void **state)
{
	struct world *w = *state;
	struct task *innocent = process(w, "innocent", 30 * MIB);

	for (int i = 0; i < 60; i++)
		process(w, "hog", 40 * MIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_sound(w);
	assert_int_equal(w->choice.count, 26); /* 26 * 40 MiB >= 1 GiB */
	for (uint32_t i = 0; i < w->choice.count; i++)
		assert_ptr_not_equal(&w->tasks[victim(w, i)->task], innocent);
}

static void test_those_the_last_one_makes_superfluous_live(void **state)
{
	struct world *w = *state;
	struct task *a = process(w, "a", 500 * MIB), *b = process(w, "b", 300 * MIB);
	struct task *c = process(w, "c", 900 * MIB);

	a->oom_score_adj = b->oom_score_adj = 500;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 2);
	assert_chosen(w, a);
	assert_chosen(w, c);
	assert_int_equal(verdict_on(w, b)->reason, REASON_REDUNDANT);
}

static void test_where_the_need_cannot_be_covered_only_the_larger_die(void **state)
{
	struct world *w = *state;
	struct task *large = process(w, "large", 300 * MIB);
	struct task *small = process(w, "small", 100 * MIB);

	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_chosen_alone(w, large);
	w->need.explain = true;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_chosen_alone(w, large);
	assert_int_equal(verdict_on(w, small)->reason, REASON_TOO_SMALL);
}

static void test_more_than_a_set_holds_the_largest_first(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 0; i < 800; i++)
		process(w, "worker", 2 * MIB + i * 2 * KIB)->uid = (uid_t)i;
	assert_int_equal(choose(w), VICTIM_PARTIAL);
	assert_sound(w);
	assert_int_equal(w->choice.count, VICTIM_SET_MAX);
	for (uint32_t i = 0; i < w->choice.count; i++)
		assert_true(victim(w, i)->yield_bytes >= 2 * MIB + 1088 * KIB);
	/* Where even a set of them is next to nothing, none dies. */
	for (uint64_t i = 0; i < 2000; i++)
		process(w, "worker", 4 * MIB)->uid = 2000 + (uid_t)i;
	w->need.bytes = w->need.alone_bytes = 9 * GIB;
	assert_int_equal(choose(w), VICTIM_HOPELESS);
}

/* --- nobody --- */

static void test_a_full_tmpfs_is_nobodys_fault(void **state)
{
	struct world *w = *state;
	struct task *writer = process(w, "writer", 20 * MIB);

	process(w, "sshd", 8 * MIB);
	process(w, "shell", 5 * MIB);
	/* It maps the file it wrote; the file stays when it dies. */
	writer->mem.shmem_bytes = 4 * GIB;
	w->shmem[writer->id.pid] = (struct victim_shmem){ 0 };
	assert_int_equal(choose(w), VICTIM_HOPELESS);
	assert_int_equal(w->choice.count, 0);
	assert_int_equal(w->walks, 1);
	/* Nor is anything read of thousands who could not help together. */
	for (int i = 0; i < 5000; i++)
		process(w, "small", 100 * KIB);
	when(&rule(w, RULE_PROTECT, "sshd")->exe, "sshd$");
	assert_int_equal(choose(w), VICTIM_HOPELESS);
	assert_true(w->details < 5);
}

static void test_files_in_memory_are_no_reason_to_kill_all_that_is_small(void **state)
{
	struct world *w = *state;
	struct task *server;

	w->need.bytes = w->need.alone_bytes = 40 * MIB;
	w->need.shmem_bytes = 740 * MIB;
	for (int i = 0; i < 6; i++)
		process(w, "innocent", 8 * MIB);
	assert_int_equal(choose(w), VICTIM_HOPELESS);
	assert_int_equal(w->choice.count, 0);
	/* Memory that somebody maps can come back. */
	server = process(w, "server", 4 * MIB);
	server->mem.shmem_bytes = 700 * MIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 5);
	server->mem.shmem_bytes = 0;
	assert_int_equal(choose(w), VICTIM_HOPELESS);
	/* One that suffices by itself may go. */
	process(w, "hog", 50 * MIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 1);
	/* So may small ones where there are many: it is not the files then. */
	w->need.bytes = w->need.alone_bytes = 60 * MIB;
	for (int i = 0; i < 20; i++)
		process(w, "small", 9 * MIB);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_true(w->choice.count > 1);
	assert_sound(w);
}

/* A virtual machine with vhost: a kernel thread uses its mm, which only the BPF reader shows. */
static void test_an_mm_that_a_kernel_thread_uses_is_spared_only_where_that_is_wanted(void **state)
{
	struct world *w = *state;
	struct task *vm = process(w, "qemu", 8 * GIB), *other = process(w, "hog", 4 * GIB);
	struct task *vhost = process(w, "vhost-100", 0);

	vm->mm_key = vhost->mm_key = 111;
	other->mm_key = 222;
	vhost->flags = TASK_KTHREAD | TASK_BORROWED_MM;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(verdict_on(w, vm)->reason, REASON_CHOSEN);
	assert_int_equal(verdict_on(w, vm)->group.kthreads, 1);
	w->config.kernel_users = KERNEL_USERS_SPARE;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(verdict_on(w, vm)->reason, REASON_PINNED);
	assert_int_equal(verdict_on(w, vm)->group.pin, MM_PIN_KTHREAD);
	assert_ptr_equal(&w->tasks[verdict_on(w, vm)->group.pinned_by], vhost);
	assert_int_equal(verdict_on(w, other)->reason, REASON_CHOSEN);
}

static void test_where_those_who_hold_it_may_not_die_that_is_the_result(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 8 * GIB);

	process(w, "shell", 5 * MIB);
	hog->oom_score_adj = -1000;
	assert_int_equal(choose(w), VICTIM_NONE);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_PINNED);
	assert_int_equal(verdict_on(w, hog)->group.pin, MM_PIN_ADJ);
	w->s.count = 0;
	assert_int_equal(choose(w), VICTIM_NONE);
	assert_int_equal(w->choice.candidate_count, 0);
}

static void test_who_is_dying_is_waited_for(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 4 * GIB);
	struct task *shell = process(w, "shell", 5 * MIB);

	hog->flags = TASK_KILL_PENDING;
	assert_int_equal(choose(w), VICTIM_ALL_DYING);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_DYING);
	/* A sharer that is not dying holds it all: the group can be chosen. */
	sharer_of(w, hog)->flags = 0;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_true(victim(w, 0)->group.dying_partly);
	/* Stuck and therefore hidden is not dying. */
	hide(w, victim(w, 0));
	assert_int_equal(choose(w), VICTIM_NONE);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_HIDDEN);
	w->s.count = 0;
	shell->flags = TASK_KILL_PENDING;
	w->s.count = 2;
	w->hidden.count = 0;
	assert_int_equal(choose(w), VICTIM_ALL_DYING);
}

/* The kernel or an administrator was quicker: what they killed is on its way like what we did. */
static void test_what_others_killed_is_subtracted_from_the_need(void **state)
{
	struct world *w = *state;
	struct task *innocent = process(w, "innocent", 4 * GIB);
	struct task *small = process(w, "small", 700 * MIB);
	struct task *killed = process(w, "killed", 2 * GIB);
	static uint8_t overdue[TASKS_MAX];
	struct hidden_list in_flight = { 0 };

	killed->flags = TASK_KILL_PENDING;
	w->need.overdue = overdue;
	assert_int_equal(choose(w), VICTIM_ALL_DYING);
	assert_true(w->choice.waits);
	assert_int_equal(w->choice.count, 0);
	/* It does not suffice: the rest is wanted of others. */
	w->need.bytes = w->need.alone_bytes = 2 * GIB + 600 * MIB;
	innocent->oom_score_adj = -500;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_false(w->choice.waits);
	assert_int_equal(w->choice.count, 1);
	assert_string_equal(w->tasks[victim(w, 0)->task].comm, "small");
	/* What is in flight has been subtracted already. */
	w->need.bytes = w->need.alone_bytes = GIB;
	innocent->oom_score_adj = 0;
	victim_mm_id(&w->s, w->sm, sharedmm_group_of(w->sm, 2, fake_cmp, w, MM_EVIDENCE_KCMP),
		&in_flight.ids[in_flight.count++]);
	w->need.in_flight = &in_flight;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, innocent);
	w->need.in_flight = NULL;
	/* Nor does it matter whether its mm is still to be seen. */
	w->need.teardown_bytes = GIB;
	killed->flags = TASK_KILL_PENDING | TASK_NO_MM;
	assert_int_equal(choose(w), VICTIM_ALL_DYING);
	w->need.teardown_bytes = 0;
	killed->flags = TASK_KILL_PENDING;
	/* It has had its time, and may never end. */
	overdue[2] = 1;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, innocent);
	overdue[2] = 0;
	/* A sharer that lives holds it all. */
	sharer_of(w, killed)->flags = 0;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(small->oom_score_adj, 0);
}

static void test_who_gives_nothing_is_not_chosen(void **state)
{
	struct world *w = *state;

	process(w, "empty", 0)->oom_score_adj = 1000;
	process(w, "kthread", 8 * GIB)->flags = TASK_KTHREAD;
	process(w, "zombie", 8 * GIB)->flags = TASK_NO_MM;
	w->need.explain = true;
	assert_int_equal(choose(w), VICTIM_NONE);
	assert_int_equal(w->choice.candidate_count, 1);
	assert_int_equal(verdict_on(w, &w->tasks[0])->reason, REASON_NO_YIELD);
}

/* --- groups --- */

static void test_sharers_are_one_candidate(void **state)
{
	struct world *w = *state;
	struct task *a = process(w, "a", 600 * MIB);
	struct task *pair = sharer_of(w, a), *other = process(w, "b", 500 * MIB);

	/* Counted twice, the pair would seem to be enough. */
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_int_equal(w->choice.count, 2);
	assert_chosen(w, pair);
	assert_chosen(w, other);
	assert_int_equal(w->choice.yield_bytes, 1100 * MIB);
}

static void test_what_pid_1_shares_is_never_chosen(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 8 * GIB), *init = sharer_of(w, hog);
	struct task *next = process(w, "next", 2 * GIB);

	init->id.pid = 1;
	w->mm[1] = w->mm[hog->id.pid];
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, next);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_PINNED);
	assert_int_equal(verdict_on(w, hog)->group.pin, MM_PIN_INIT);
	assert_int_equal(verdict_on(w, hog)->group.pinned_by, init - w->tasks);
	/* And so it is with the daemon itself. */
	w->mm[SELF] = w->mm[hog->id.pid];
	init->id.pid = SELF;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, next);
	assert_int_equal(verdict_on(w, hog)->group.pin, MM_PIN_SELF);
}

static void test_a_protected_sharer_protects_the_group(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 8 * GIB), *guard = NULL;
	struct task *next = process(w, "next", 2 * GIB);

	for (int i = 0; i < 20; i++)
		guard = sharer_of(w, hog);
	w->exe[guard->id.pid] = "/usr/sbin/sshd";
	when(&rule(w, RULE_PROTECT, "ssh")->exe, "^/usr/sbin/sshd$");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, next);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_PROTECTED);
	assert_string_equal(verdict_on(w, hog)->rule->name, "ssh");
	assert_int_equal(verdict_on(w, hog)->group.pin, MM_PIN_PROTECTED);
	assert_int_equal(verdict_on(w, hog)->group.pinned_by, guard - w->tasks);
	/* The pin is of this choice: without the rule the hog is the one. */
	forget_rules(w);
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
}

static void test_a_vfork_child_is_no_second_process(void **state)
{
	struct world *w = *state;
	struct task *parent = process(w, "server", 900 * MIB), *child = sharer_of(w, parent);
	struct task *hog = process(w, "hog", 2 * GIB);

	parent->state = 'D';
	child->oom_score_adj = 1000; /* for what it will exec */
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
}

static void test_hidden_until_exec(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 4 * GIB), *pair = sharer_of(w, hog);
	struct task *next = process(w, "next", 2 * GIB);

	choose(w);
	assert_chosen_alone(w, hog);
	hide(w, victim(w, 0));
	choose(w);
	assert_chosen_alone(w, next);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_HIDDEN);
	assert_true(hidden_contains(&w->hidden, pair));
	assert_false(hidden_contains(&w->hidden, next));
	/* exec: the same process with another mm may be chosen. */
	hog->marks.start_stack += 4096;
	w->mm[hog->id.pid] = ++w->mms;
	choose(w);
	assert_chosen_alone(w, hog);
	/* A recycled pid is another process. */
	hog->marks.start_stack -= 4096;
	hog->id.start_ticks++;
	assert_false(hidden_contains(&w->hidden, hog));
}

/* --- the report --- */

static void test_explaining_changes_nothing_but_the_report(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 2 * GIB);

	for (uint64_t i = 0; i < 200; i++)
		process(w, "other", (50 + i) * MIB);
	w->need.explain = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_int_equal(w->choice.candidate_count, 1 + VICTIM_REPORT_MAX);
	for (uint32_t i = 1; i < w->choice.candidate_count; i++) {
		const struct candidate *c = &w->choice.candidates[i];

		assert_int_equal(c->reason, REASON_NOT_NEEDED);
		assert_int_equal(c->yield_bytes, (250 - i) * MIB); /* the best are kept */
	}
}

static void test_texts(void **state)
{
	for (int i = REASON_CHOSEN; i <= REASON_NO_ROOM; i++)
		assert_true(strlen(victim_reason_text((enum victim_reason)i)) > 3);
	for (int i = VICTIM_CHOSEN; i <= VICTIM_ALL_DYING; i++)
		assert_true(strlen(victim_result_text((enum victim_result)i)) > 3);
	for (int i = MM_PIN_NONE; i <= MM_PIN_PROTECTED; i++)
		assert_true(strlen(victim_pin_text((enum mm_pin)i)) > 3);
}

/* [warn] and [kill] with swap = off: what a pod has in swap lifts MemAvailable by nothing. */
static void test_what_is_in_swap_is_not_worth_a_kill_where_swap_does_not_count(void **state)
{
	struct world *w = *state;
	struct task *swapped = process(w, "swapped", 200 * MIB);
	struct task *leak = process(w, "leak", 4 * GIB);

	swapped->mem.swap_bytes = 12 * GIB;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, swapped);
	w->need.no_swap = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, leak);
	assert_true(victim(w, 0)->yield_bytes < 5 * GIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_in_swap_is_not_worth_a_kill_where_swap_does_not_count),
		TEST(test_the_hog_dies_and_nobody_else_is_looked_at),
		TEST(test_an_mm_that_a_kernel_thread_uses_is_spared_only_where_that_is_wanted),
		TEST(test_all_that_dies_with_it_counts),
		TEST(test_small_ones_with_a_high_adj_do_not_die_with_the_hog),
		TEST(test_who_holds_next_to_nothing_waits_for_those_who_suffice),
		TEST(test_light_rows_are_asked_for_only_if_they_matter),
		TEST(test_kubernetes_classes),
		TEST(test_what_covers_the_need_without_growth_is_enough_alone),
		TEST(test_equals_are_chosen_in_a_settled_order),
		TEST(test_sixty_small_hogs_as_many_as_needed),
		TEST(test_those_the_last_one_makes_superfluous_live),
		TEST(test_where_the_need_cannot_be_covered_only_the_larger_die),
		TEST(test_more_than_a_set_holds_the_largest_first),
		TEST(test_a_full_tmpfs_is_nobodys_fault),
		TEST(test_files_in_memory_are_no_reason_to_kill_all_that_is_small),
		TEST(test_where_those_who_hold_it_may_not_die_that_is_the_result),
		TEST(test_who_is_dying_is_waited_for),
		TEST(test_what_others_killed_is_subtracted_from_the_need),
		TEST(test_who_gives_nothing_is_not_chosen),
		TEST(test_sharers_are_one_candidate),
		TEST(test_what_pid_1_shares_is_never_chosen),
		TEST(test_a_protected_sharer_protects_the_group),
		TEST(test_a_vfork_child_is_no_second_process),
		TEST(test_hidden_until_exec),
		TEST(test_explaining_changes_nothing_but_the_report),
		TEST(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
