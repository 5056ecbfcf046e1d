/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sharer.c and blame.c: sharers born while their group is killed, and who is named when nothing
 * comes back.
 */
#include "kill-internal.h"
#include "kill-world.h"

static int is_pid(void *ctx, const struct task *t)
{
	return t->id.pid == *(pid_t *)ctx;
}

static void a_newborn_sharer_dies_with_its_group(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	born(w, 104, 101, 2000, 1);
	born(w, 105, 101, 2000, 5); /* a fork: has a copy */
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(r.signalled, 3);
	assert_int_equal(r.newborn, 1);
	assert_int_equal(sent_to(w, 104, SIGKILL), 1);
	assert_int_equal(sent_to(w, 105, SIGKILL), 0);
	assert_int_equal(sent_to(w, 105, SIGSTOP), 0);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
	/* It was stopped before anybody was killed. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(w->sent[i].sig, SIGSTOP);
}

static void bears_when_stopped(struct world *w, struct proc *p, int sig)
{
	if (sig == SIGSTOP && p->pid == 100)
		born(w, 110, 100, 2001, 1);
}

static void one_born_while_its_parent_is_stopped_is_found_in_the_next_round(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	born(w, 104, 101, 2000, 1);
	w->on_send = bears_when_stopped;
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	assert_int_equal(r.signalled, 4);
	assert_int_equal(r.newborn, 2);
	assert_int_equal(sent_to(w, 110, SIGTERM), 1);
	/* SIGTERM is acted on by running processes only. */
	assert_int_equal(sent_to(w, 100, SIGCONT), 1);
	assert_int_equal(sent_to(w, 110, SIGCONT), 1);
}

static void bears_for_ever(struct world *w, struct proc *p, int sig)
{
	if (sig == SIGSTOP && w->proc_count < WORLD_MAX - 1)
		born(w, w->procs[w->proc_count - 1].pid + 1, p->pid, 2001, 1);
}

static void a_group_that_bears_without_end_is_killed_all_the_same(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	give_handle(w, by_pid(w, 100)); /* the last are found when nobody is left to compare with */
	slot = prepare(w, 100);
	born(w, 104, 101, 2000, 1);
	w->on_send = bears_for_ever;
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 100, SIGKILL), 1);
	assert_true(r.newborn > 8);
	for (int i = 0; i < w->proc_count; i++)
		if (w->procs[i].mm == 1)
			fail_msg("%d still has the mm", w->procs[i].pid);
}

static void bears_when_killed(struct world *w, struct proc *p, int sig)
{
	if (sig == SIGKILL && p->pid < 120)
		born(w, p->pid < 110 ? 110 + p->pid % 2 : p->pid + 2, p->pid, 2001, p->mm);
}

static void one_born_by_a_dying_process_is_found_after_the_kill(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	for (int i = 1; i <= 3; i++)
		by_pid(w, 99 + i)->stuck = true; /* they take their time */
	slot = prepare(w, 100);
	w->on_send = bears_when_killed;
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 110, SIGKILL), 1);
	assert_int_equal(sent_to(w, 111, SIGKILL), 1);
	assert_int_equal(sent_to(w, 112, SIGKILL), 1); /* the child's child */
	assert_true(r.newborn >= 3);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
	assert_int_equal(sent_to(w, 110, SIGSTOP), 0); /* no need: they are dying */
}

static void a_protected_newborn_saves_its_group(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	pid_t keep = 105;
	int slots[2], results[2];

	make_pair(w);
	slots[0] = prepare(w, 100);
	slots[1] = prepare(w, 103);
	born(w, 104, 101, 2000, 1);
	by_pid(w, 101)->state = 'T'; /* too late to matter */
	w->on_send = NULL;
	kill_signal(w->k, slots, results, 0, SIGKILL, is_pid, &keep, &r);
	assert_int_equal(w->sent_count, 0);

	born(w, 105, 101, 2000, 1);
	kill_signal(w->k, slots, results, 2, SIGKILL, is_pid, &keep, &r);
	assert_int_equal(results[0], -EPERM);
	assert_int_equal(results[1], 0); /* the other group has nothing to do with it */
	assert_int_equal(r.signalled, 1);
	assert_int_equal(sent_to(w, 103, SIGKILL), 1);
	for (pid_t pid = 100; pid <= 105; pid++)
		if (pid != 103) {
			assert_int_equal(sent_to(w, pid, SIGKILL), 0);
			/* Whoever was stopped runs on. */
			assert_int_equal(sent_to(w, pid, SIGSTOP), sent_to(w, pid, SIGCONT));
		}
	assert_int_equal(sent_to(w, 105, SIGSTOP), 0);
}

static void the_killed_die(struct world *w)
{
	for (int i = 0; i < w->proc_count; i++)
		if (!w->procs[i].exited && sent_to(w, w->procs[i].pid, SIGKILL))
			dies(w, &w->procs[i]);
}

static void bears_thirty(struct world *w, struct proc *p, int sig)
{
	if (sig == SIGKILL && p->pid == 101)
		for (pid_t pid = 110; pid < 140; pid++)
			born(w, pid, 101, 2000, 1)->stuck = true;
}

/* Every process that was killed has an mm when it is looked at, and none when another is compared
 * with it. */
static void a_dying_process_does_not_speak_for_its_sharers(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	born(w, 2, 0, 1, 0)->kthread = true;
	show(w, by_pid(w, 2));
	make_pair(w);
	give_handle(w, by_pid(w, 100));
	by_pid(w, 100)->stuck = true;
	by_pid(w, 101)->stuck = true;
	slot = prepare(w, 100);
	w->on_send = bears_thirty;
	w->on_cmp = the_killed_die;
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(r.newborn, 30);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
}

static void write_last_pid(struct world *w, pid_t last)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/loadavg", w->root);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "0.00 0.00 0.00 1/1 %d\n", last);
	fclose(f);
}

static void write_pid_max(struct world *w, pid_t max)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sys", w->root);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/sys/kernel", w->root);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/sys/kernel/pid_max", w->root);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "%d\n", max);
	fclose(f);
}

static void bears_the_next(struct world *w, struct proc *p, int sig)
{
	pid_t next = p->pid == 399 ? 300 : p->pid + 1;

	if (sig != SIGSTOP || p->pid < 300 || next == 308)
		return;
	born(w, next, p->pid, 2000, 1);
	write_last_pid(w, next);
}

/* Each link is born while the one before is stopped, and the pids begin anew on the way: more links
 * than there would be rounds if each took a look at all. */
static void a_chain_is_followed_where_pids_wrap_around(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	write_pid_max(w, 400);
	make_pair(w);
	write_last_pid(w, 394);
	pass(w);
	slot = prepare(w, 100);
	born(w, 395, 101, 2000, 1);
	write_last_pid(w, 395);
	w->on_send = bears_the_next;
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(r.newborn, 5 + 8);
	assert_int_equal(sent_to(w, 399, SIGKILL), 1);
	assert_int_equal(sent_to(w, 307, SIGKILL), 1);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
}

static void bears_three_generations(struct world *w, struct proc *p, int sig)
{
	pid_t pid = p->pid;

	if (sig == SIGKILL && pid >= 110 && pid < 128 && pid % 3 == 2)
		for (int i = 0; i < 3; i++)
			born(w, pid + i + 1, pid + i, 2000, 1);
}

/* Nobody is left to compare with, and only a known parent tells who its child is; so it is from the
 * oldest to the newest. Again more of them than there are looks at all. */
static void generations_are_found_in_their_order(void **state)
{
	struct world *w = *state;
	struct kill_status st;
	struct kill_result r;
	int slot;

	make_pair(w);
	give_handle(w, by_pid(w, 100));
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	reaped(w, by_pid(w, 100));
	reaped(w, by_pid(w, 101));
	w->on_send = bears_three_generations;
	born(w, 110, 1, 2000, 1);
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	for (pid_t pid = 111; pid <= 128; pid++)
		assert_int_equal(sent_to(w, pid, SIGKILL), 1);
}

static void bears_a_protected_one(struct world *w, struct proc *p, int sig)
{
	if (sig == SIGSTOP && p->pid == 101)
		born(w, 105, 101, 2000, 1);
}

static void a_group_that_was_stopped_and_is_saved_runs_on(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	pid_t keep = 105;
	int slot;

	make_pair(w);
	by_pid(w, 100)->state = 'T'; /* by its user */
	show(w, by_pid(w, 100));
	slot = prepare(w, 100);
	born(w, 104, 101, 2000, 1);
	w->on_send = bears_a_protected_one;
	assert_int_equal(kill_one(w, slot, SIGKILL, is_pid, &keep, &r), -EPERM);
	assert_int_equal(r.signalled, 0);
	assert_int_equal(sent_to(w, 101, SIGSTOP), 1);
	assert_int_equal(sent_to(w, 101, SIGCONT), 1);
	assert_int_equal(sent_to(w, 104, SIGCONT), 1);
	assert_int_equal(sent_to(w, 100, SIGCONT), 0); /* it was not us who stopped it */
	assert_int_equal(sent_to(w, 100, SIGKILL), 0);
	kill_release(w->k, slot);
	assert_int_equal(sent_to(w, 101, SIGCONT), 1);
}

static int nobody_knows(void *ctx, const struct task *t)
{
	return t->id.pid == *(pid_t *)ctx ? -EAGAIN : 0;
}

static void a_sharer_of_whom_nobody_knows_whether_it_is_protected_saves_its_group_for_now(
	void **state)
{
	struct world *w = *state;
	struct kill_result r;
	pid_t keep = 105;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	born(w, 104, 101, 2000, 1);
	w->on_send = bears_a_protected_one;
	assert_int_equal(kill_one(w, slot, SIGKILL, nobody_knows, &keep, &r), -EAGAIN);
	assert_int_equal(r.signalled, 0);
	assert_int_equal(sent_to(w, 100, SIGKILL), 0);
	assert_int_equal(sent_to(w, 101, SIGCONT), 1);
}

static void two_without_an_mm_are_no_sharers(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	slot = prepare(w, 103);
	/* Both have let go: kcmp calls that equal. The newborn still shows its marks. */
	lose_mm(w, by_pid(w, 103));
	by_pid(w, 103)->stuck = true;
	born(w, 104, 1, 2000, 8)->marks = 9;
	show(w, by_pid(w, 104));
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 104, SIGKILL), 0);
	born(w, 106, 1, 2000, 0)->marks = 9;
	show(w, by_pid(w, 106));
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 106, SIGKILL), 0);
}

static void with_everybody_gone_the_handle_tells_of_the_sharer(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st;
	int slot;

	make_pair(w);
	born(w, 105, 1, 1003,
		5); /* the youngest of the pass, of their marks: known, so no newborn */
	pass(w);
	give_handle(w, by_pid(w, 100));
	slot = prepare(w, 100);
	reaped(w, by_pid(w, 100));
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	reaped(w, by_pid(w, 101));
	born(w, 90, 1, 900, 1);     /* its marks, but it was there before */
	born(w, 140, 103, 2000, 1); /* no child of this group */
	born(w, 141, 1, 2000, 1);   /* left to init: may be one */
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	assert_true(st.handle_valid);
	assert_false(st.mm_gone);
	assert_int_equal(sent_to(w, 141, SIGKILL), 1);
	assert_int_equal(sent_to(w, 140, SIGKILL), 0);
	assert_int_equal(sent_to(w, 90, SIGKILL), 0);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
}

/* As with a vhost worker: the mm outlives its group, held by nobody who can be found. */
static void a_sibling_that_was_there_all_the_time_is_no_sharer(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st;
	int slot;

	make_pair(w);
	born(w, 105, 1, 1003, 5); /* as young as the youngest of the pass, with the group's marks */
	pass(w);
	give_handle(w, by_pid(w, 100));
	slot = prepare(w, 100);
	reaped(w, by_pid(w, 100));
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	reaped(w, by_pid(w, 101));
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	assert_true(st.all_exited);
	assert_false(st.mm_gone);
	assert_int_equal(sent_to(w, 105, SIGKILL), 0);
	/* Nor with a later pass as the table, when ticks alone must tell. */
	pass(w);
	usleep(300000);
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	assert_int_equal(sent_to(w, 105, SIGKILL), 0);
}

static void without_a_handle_nobody_is_suspected(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	reaped(w, by_pid(w, 100));
	reaped(w, by_pid(w, 101));
	born(w, 141, 1, 2000, 1);
	usleep(10000);
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	assert_true(st.all_exited);
	assert_int_equal(sent_to(w, 141, SIGKILL), 0);
}

static void a_refused_reaper_makes_observe_find_the_sharer(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st = { 0 };
	struct proc *p;
	int slot;

	make_pair(w);
	p = by_pid(w, 103);
	p->stuck = true;
	for (int i = 0; i < 4; i++)
		p->mrelease[i] = -EINVAL;
	slot = prepare(w, 103);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	born(w, 142, 103, 2000, 3)->marks = 9;
	show(w, by_pid(w, 142));
	for (int i = 0; i < 1000 && !sent_to(w, 142, SIGKILL); i++) {
		assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
		usleep(1000);
	}
	assert_int_equal(sent_to(w, 142, SIGKILL), 1);
	assert_int_equal(settled(w, slot).reap, REAP_DONE); /* through the new member */
}

static void one_that_a_later_pass_saw_is_found_too(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	born(w, 104, 101, 2000, 1);
	born(w, 105, 101, 2000, 5);
	pass(w);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 104, SIGKILL), 1);
	assert_int_equal(sent_to(w, 105, SIGKILL), 0);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
}

/* What the BPF reader says of an mm. */
static uint64_t key_of(struct world *w, pid_t pid)
{
	return 1000 + (uint64_t)by_pid(w, pid)->mm;
}

static void give_keys(struct world *w)
{
	for (uint32_t i = 0; i < w->s.count; i++)
		if (by_pid(w, w->s.tasks[i].id.pid))
			w->s.tasks[i].mm_key = key_of(w, w->s.tasks[i].id.pid);
}

struct relay {
	struct world *w;
	snapshot_found_fn *found;
	void *ctx;
};

static void relay_with_key(void *ctx, const struct task *t)
{
	struct relay *r = ctx;
	struct task keyed = *t;

	keyed.mm_key = key_of(r->w, t->id.pid);
	r->found(r->ctx, &keyed);
}

static int newborn_with_keys(void *ctx, snapshot_found_fn *found, void *found_ctx)
{
	struct relay r = { ctx, found, found_ctx };

	return snapshot_newborn(&r.w->s, relay_with_key, &r);
}

static int comparisons;

static void count_comparison(struct world *w)
{
	(void)w;
	comparisons++;
}

/* To compare hundreds of newborns with each of a hundred victims takes longer than to bear them. */
static void keys_tell_a_sharer_from_forks_without_a_comparison(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	w->ops.newborn = newborn_with_keys;
	killer_set_ops(w->k, &w->ops);
	make_pair(w);
	give_keys(w);
	slot = prepare(w, 100);
	born(w, 104, 101, 2000, 1);
	for (int i = 0; i < 40; i++)
		born(w, 105 + i, 101, 2000, 50 + i);
	w->on_cmp = count_comparison;
	comparisons = 0;
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	assert_int_equal(r.newborn, 1);
	assert_int_equal(sent_to(w, 104, SIGTERM), 1);
	/* So it is where a later pass has seen them. */
	born(w, 145, 101, 2001, 1);
	pass(w);
	give_keys(w);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 145, SIGKILL), 1);
	for (int i = 0; i < 40; i++)
		assert_int_equal(sent_to(w, 105 + i, SIGKILL), 0);
	assert_in_range(comparisons, 1, 39); /* of the sharers alone */
}

static int killed_and_stuck(struct world *w, pid_t pid)
{
	struct kill_result r;
	int slot;

	by_pid(w, pid)->stuck = true;
	slot = prepare(w, pid);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	return slot;
}

/* 103 is killed, and a protected child of it has its mm. */
static int stuck_and_held_by(struct world *w, pid_t keep)
{
	struct kill_status st;
	int slot;

	make_pair(w);
	slot = killed_and_stuck(w, 103);
	born(w, keep, 103, 2000, 3)->marks = 9;
	show(w, by_pid(w, keep));
	assert_int_equal(kill_observe(w->k, slot, is_pid, &keep, &st), 0);
	return slot;
}

static void blame_a_holder_that_is_not_dying(void **state)
{
	struct world *w = *state;
	struct kill_blame blame;
	pid_t keep = 143;
	int slot = stuck_and_held_by(w, keep);

	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_PINNED);
	assert_int_equal(blame.pid, keep);
	assert_string_equal(blame.comm, "victim");
	by_pid(w, keep)->pending = true;
	show(w, by_pid(w, keep));
	kill_explain(w->k, slot, &blame);
	assert_int_not_equal(blame.kind, BLAME_PINNED);
}

/* The search compares with every task that looks like a sharer: of a hundred that are stuck at once
 * the first few have it made. */
static void searches_for_holders_have_a_share_of_the_time_only(void **state)
{
	struct world *w = *state;
	struct kill_blame blame;
	pid_t keep = 143;
	int slot = stuck_and_held_by(w, keep);

	w->k->slots[slot].expected_bytes = 2 * MIB;
	w->k->blame_since_usec = monotonic_usec();
	w->k->blame_usec = 50 * USEC_PER_MSEC;
	kill_explain(w->k, slot, &blame);
	assert_int_not_equal(blame.kind, BLAME_PINNED);
	w->k->blame_usec--;
	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_PINNED);
	/* Of large ones there are few. */
	w->k->blame_usec = USEC_PER_SEC;
	w->k->slots[slot].expected_bytes = GIB;
	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_PINNED);
	w->k->slots[slot].expected_bytes = 2 * MIB;
	/* The next second has its own. */
	w->k->blame_usec = USEC_PER_SEC;
	w->k->blame_since_usec = monotonic_usec() - USEC_PER_SEC;
	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_PINNED);
	assert_int_equal(blame.pid, keep);
	assert_in_range(w->k->blame_usec, 0, USEC_PER_SEC / 2);
}

/* Shows three threads of a process, the one in D state waiting. */
static void show_threads(struct world *w, pid_t pid, int in_d_state)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%d/task", w->root, pid);
	mkdir(path, 0755);
	for (int tid = pid; tid < pid + 3; tid++) {
		snprintf(path, sizeof(path), "%s/%d/task/%d", w->root, pid, tid);
		mkdir(path, 0755);
		snprintf(path, sizeof(path), "task/%d/stat", tid);
		write_stat(w, by_pid(w, pid), path, tid, tid == in_d_state ? 'D' : 'S');
		snprintf(path, sizeof(path), "task/%d/wchan", tid);
		write_text(w, pid, path, tid == in_d_state ? "percpu_rwsem_wait" : "0");
	}
}

static void blame_a_thread_in_d_state(void **state)
{
	struct world *w = *state;
	struct kill_blame blame;
	int slot;

	make_pair(w);
	by_pid(w, 101)->stuck = true;
	slot = killed_and_stuck(w, 100);
	show_threads(w, 100, 0);
	show_threads(w, 101, 0);
	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_STATE);
	assert_int_equal(blame.state, 'S');
	assert_string_equal(blame.wchan, "");
	/* Whichever it is, in whichever order they are listed. */
	for (int member = 100; member < 102; member++)
		for (int thread = member; thread < member + 3; thread++) {
			show_threads(w, 100, 0);
			show_threads(w, 101, 0);
			show_threads(w, member, thread);
			kill_explain(w->k, slot, &blame);
			assert_int_equal(blame.kind, BLAME_STATE);
			assert_int_equal(blame.pid, thread);
			assert_int_equal(blame.state, 'D');
			assert_string_equal(blame.wchan, "percpu_rwsem_wait");
		}
}

static void blame_a_core_dump(void **state)
{
	struct world *w = *state;
	struct kill_blame blame;
	int slot;

	make_pair(w);
	slot = killed_and_stuck(w, 103);
	by_pid(w, 103)->dumping = true;
	show(w, by_pid(w, 103));
	show_threads(w, 103, 104);
	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_CORE_DUMP);
	assert_int_equal(blame.pid, 103);
	assert_string_equal(blame.comm, "victim");
}

static void blame_a_kernel_thread_or_nobody(void **state)
{
	struct world *w = *state;
	struct kill_blame blame;
	struct kill_result r;
	struct proc *vhost;
	const struct task *t;
	struct mm_group *g;
	int slot;

	make_pair(w);
	vhost = born(w, 150, 2, 500, 0);
	vhost->kthread = true;
	show(w, vhost);
	vhost->mm = 3;                       /* borrowed: kcmp sees it, /proc does not show it */
	born(w, 151, 1, 1003, 4)->marks = 9; /* a sibling: as like as a sharer, and innocent */
	show(w, by_pid(w, 151));
	give_handle(w, by_pid(w, 103));
	pass(w);
	t = snapshot_find(&w->s, 103);
	g = sharedmm_group_of(w->sm, (uint32_t)(t - w->s.tasks), fake_cmp, w, MM_EVIDENCE_KCMP);
	assert_non_null(g);
	slot = kill_prepare(w->k, &w->s, w->sm, g, GIB);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	reaped(w, by_pid(w, 103));
	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_KTHREAD);
	assert_int_equal(blame.pid, 150);
	assert_int_equal(sent_to(w, 150, SIGKILL), 0);
	reaped(w, vhost);
	reaped(w, by_pid(w, 151));
	kill_explain(w->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_HELD);
	/* The handle goes with whoever takes it. */
	int fd = kill_take_handle(w->k, slot);
	assert_true(fd >= 0);
	assert_true(kill_mm_alive(fd));
	assert_int_equal(kill_take_handle(w->k, slot), -1);
	kill_release(w->k, slot);
	assert_true(kill_mm_alive(fd));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_newborn_sharer_dies_with_its_group),
		TEST(one_born_while_its_parent_is_stopped_is_found_in_the_next_round),
		TEST(a_group_that_bears_without_end_is_killed_all_the_same),
		TEST(one_born_by_a_dying_process_is_found_after_the_kill),
		TEST(a_dying_process_does_not_speak_for_its_sharers),
		TEST(a_chain_is_followed_where_pids_wrap_around),
		TEST(generations_are_found_in_their_order),
		TEST(a_protected_newborn_saves_its_group),
		TEST(a_group_that_was_stopped_and_is_saved_runs_on),
		TEST(a_sharer_of_whom_nobody_knows_whether_it_is_protected_saves_its_group_for_now),
		TEST(two_without_an_mm_are_no_sharers),
		TEST(with_everybody_gone_the_handle_tells_of_the_sharer),
		TEST(a_sibling_that_was_there_all_the_time_is_no_sharer),
		TEST(without_a_handle_nobody_is_suspected),
		TEST(a_refused_reaper_makes_observe_find_the_sharer),
		TEST(one_that_a_later_pass_saw_is_found_too),
		TEST(keys_tell_a_sharer_from_forks_without_a_comparison),
		TEST(blame_a_holder_that_is_not_dying),
		TEST(searches_for_holders_have_a_share_of_the_time_only),
		TEST(blame_a_thread_in_d_state),
		TEST(blame_a_core_dump),
		TEST(blame_a_kernel_thread_or_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
