/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill.c and slot.c against a made-up machine: who is signalled and who is not. Sharers born
 * meanwhile are in test-sharer.c, reapers in test-reap.c; tests/live/live-kill.c does it to real
 * processes.
 */
#include "kill-world.h"

#include <sys/resource.h>

static void a_pair_dies_and_nobody_else(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	assert_in_range(slot, 0, KILL_SLOTS - 1);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	assert_true(st.mm_visible);
	assert_false(st.all_exited);
	assert_false(st.handle_valid);
	assert_int_equal(st.anon_bytes + st.swap_bytes, (200000 + 96) * KIB);
	assert_int_equal(st.reap, REAP_NONE);

	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(w->sent_count, 2);
	assert_int_equal(sent_to(w, 100, SIGKILL), 1);
	assert_int_equal(sent_to(w, 101, SIGKILL), 1);
	assert_int_equal(r.signalled, 2);
	assert_int_equal(r.newborn, 0);
	assert_true(r.first_usec > 0 && r.first_usec <= r.last_usec);

	st = settled(w, slot);
	assert_int_equal(st.reap, REAP_DONE);
	assert_true(st.all_exited);
	assert_false(st.mm_visible);
	assert_false(st.mm_gone); /* without a handle nobody knows */
	assert_int_equal(st.anon_bytes + st.swap_bytes, 0);
	assert_int_equal(st.expected_bytes, 200000 * KIB);
	kill_release(w->k, slot);
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), -EINVAL);
}

/* It is enough that one of the pair does; who has left does not count. */
static void a_group_outlives_sigterm_if_a_member_ignores_it(void **state)
{
	struct world *w = *state;
	struct kill_status st;
	int pair, lone;

	make_pair(w);
	by_pid(w, 101)->deaf = true;
	show(w, by_pid(w, 101));
	pair = prepare(w, 100);
	lone = prepare(w, 103);
	assert_true(kill_ignores_term(w->k, pair));
	assert_false(kill_ignores_term(w->k, lone));
	by_pid(w, 101)->marks = 8; /* exec */
	by_pid(w, 101)->mm = 70;
	show(w, by_pid(w, 101));
	assert_int_equal(kill_observe(w->k, pair, NULL, NULL, &st), 0);
	assert_false(kill_ignores_term(w->k, pair));
	kill_release(w->k, lone);
	assert_false(kill_ignores_term(w->k, lone));
	assert_false(kill_ignores_term(w->k, KILL_SLOTS));
}

/* It has unblocked the signal while it sleeps, and so looks as if it ignored it. */
static void who_waits_for_sigterm_does_not_outlive_it(void **state)
{
	static const struct {
		char state;
		const char *wchan;
		bool deaf;
	} cases[] = {
		{ 'S', "do_sigtimedwait.isra.0", false },
		{ 'S', "0", false }, /* it may be that */
		{ 'S', "futex_wait_queue", true },
		{ 'R', "0", true },
		{ 'D', "folio_wait_bit_common", true },
	};
	struct world *w = *state;
	struct proc *p;

	make_pair(w);
	p = by_pid(w, 103);
	p->deaf = true;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int slot;

		p->state = cases[i].state;
		p->wchan = cases[i].wchan;
		show(w, p);
		slot = prepare(w, 103);
		assert_int_equal(kill_ignores_term(w->k, slot), cases[i].deaf);
		kill_release(w->k, slot);
	}
}

static void several_slots_go_in_one_call(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slots[3], results[3];

	make_pair(w);
	slots[0] = prepare(w, 100);
	slots[1] = KILL_SLOTS + 3;
	slots[2] = prepare(w, 103);
	kill_signal(w->k, slots, results, 3, SIGKILL, NULL, NULL, &r);
	assert_int_equal(results[0], 0);
	assert_int_equal(results[1], -EINVAL);
	assert_int_equal(results[2], 0);
	assert_int_equal(r.signalled, 3);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
}

static void a_recycled_pid_is_not_hit(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	reaped(w, by_pid(w, 103));
	born(w, 103, 1, 2000, 4)->marks = 9; /* as long as it runs the same program */
	show(w, by_pid(w, 103));
	assert_int_equal(prepare(w, 103), -ESRCH);

	reaped(w, by_pid(w, 101));
	born(w, 101, 1, 2001, 5);
	slot = prepare(w, 100);
	assert_true(slot >= 0);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(w->sent_count, 1);
	assert_int_equal(sent_to(w, 100, SIGKILL), 1);
}

static void reaped_meanwhile(struct world *w, struct proc *p)
{
	/* Its files stay: they are another process's, as far as anybody can tell from them. */
	p->reaped = true;
}

static void one_that_goes_while_it_is_checked_is_left_out(void **state)
{
	struct world *w = *state;

	make_pair(w);
	w->open_error = -ESRCH;
	assert_int_equal(prepare(w, 103), -ESRCH);
	w->open_error = -EINVAL; /* the pid is a thread's now */
	assert_int_equal(prepare(w, 103), -ESRCH);
	w->open_error = 0;
	w->on_open = reaped_meanwhile;
	assert_int_equal(prepare(w, 103), -ESRCH);
	assert_int_equal(w->sent_count, 0);
}

static void one_that_may_not_be_signalled_saves_its_group(void **state)
{
	struct world *w = *state;

	make_pair(w);
	by_pid(w, 101)->eperm = true;
	assert_int_equal(prepare(w, 100), -EPERM);
	by_pid(w, 101)->eperm = false;
	by_pid(w, 100)->eperm = true;
	assert_int_equal(prepare(w, 100), -EPERM);
	by_pid(w, 100)->eperm = false;
	by_pid(w, 101)->adj = -1000;
	show(w, by_pid(w, 101));
	assert_int_equal(prepare(w, 100), -EPERM);
	assert_int_equal(w->sent_count, 0);
}

static void neither_init_nor_the_daemon_is_prepared(void **state)
{
	struct world *w = *state;

	make_pair(w);
	born(w, getpid(), 1, 1005, 6)->marks = 11;
	show(w, by_pid(w, getpid()));
	pass(w);
	assert_int_equal(prepare(w, 1), -EPERM);
	assert_int_equal(prepare(w, getpid()), -EPERM);
	assert_int_equal(w->sent_count, 0);
}

static void who_called_exec_is_left_out(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	by_pid(w, 101)->marks = 8;
	by_pid(w, 101)->mm = 4;
	show(w, by_pid(w, 101));
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(r.signalled, 1);
	assert_int_equal(sent_to(w, 101, SIGKILL), 0);
}

static void who_has_another_mm_by_comparison_is_left_out(void **state)
{
	struct world *w = *state;
	const struct task *t;
	struct mm_group *g;
	struct kill_result r;
	int slot;

	make_pair(w);
	t = snapshot_find(&w->s, 100);
	g = sharedmm_group_of(w->sm, (uint32_t)(t - w->s.tasks), fake_cmp, w, MM_EVIDENCE_KCMP);
	assert_int_equal(g->count, 2);
	by_pid(w, 101)->mm = 4; /* same program, same marks, without address randomization */
	slot = kill_prepare(w->k, &w->s, w->sm, g, 1);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(r.signalled, 1);
}

static void without_kcmp_the_group_is_trusted(void **state)
{
	struct world *w = *state;
	const struct task *t;
	struct mm_group *g;
	struct kill_ops ops = w->ops;
	struct kill_result r;
	int slot;

	make_pair(w);
	t = snapshot_find(&w->s, 100);
	g = sharedmm_group_of(w->sm, (uint32_t)(t - w->s.tasks), fake_cmp, w, MM_EVIDENCE_SMAPS);
	ops.cmp = NULL;
	killer_set_ops(w->k, &ops);
	slot = kill_prepare(w->k, &w->s, w->sm, g, 1);
	born(w, 104, 100, 2000, 1); /* cannot be told from a fork */
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(r.signalled, 2);
	assert_int_equal(sent_to(w, 104, SIGKILL), 0);

	killer_set_ops(w->k, &w->ops);
	w->cmp_error = -EPERM;
	kill_release(w->k, slot);
}

static void reference_exits(struct world *w)
{
	/* Whoever was compared with first lets go of its mm just then. */
	if (by_pid(w, 100)->mm && by_pid(w, 101)->mm)
		lose_mm(w, by_pid(w, 100));
}

static void a_reference_that_lets_go_meanwhile_condemns_nobody_and_saves_nobody(void **state)
{
	struct world *w = *state;
	const struct task *t;
	struct mm_group *g;
	struct kill_result r;
	int slot;

	make_pair(w);
	t = snapshot_find(&w->s, 100);
	g = sharedmm_group_of(w->sm, (uint32_t)(t - w->s.tasks), fake_cmp, w, MM_EVIDENCE_KCMP);
	w->on_cmp = reference_exits; /* "different" is said of 101 */
	slot = kill_prepare(w->k, &w->s, w->sm, g, 1);
	w->on_cmp = NULL;
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 101, SIGKILL), 1);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
}

static void there_is_an_end_to_slots_and_members(void **state)
{
	struct world *w = *state;
	int slots[KILL_SLOTS];
	struct mm_group g;
	const struct task *t;

	make_pair(w);
	for (int i = 0; i < KILL_SLOTS; i++) {
		slots[i] = prepare(w, 103);
		assert_true(slots[i] >= 0);
	}
	assert_int_equal(prepare(w, 103), -ENOSPC);
	kill_release(w->k, slots[5]);
	assert_int_equal(prepare(w, 103), slots[5]);
	for (int i = 0; i < KILL_SLOTS; i++)
		kill_release(w->k, slots[i]);

	t = snapshot_find(&w->s, 103);
	g = *sharedmm_group_of(w->sm, (uint32_t)(t - w->s.tasks), fake_cmp, w, MM_EVIDENCE_KCMP);
	g.count = KILL_MEMBERS_MAX + 1;
	assert_int_equal(kill_prepare(w->k, &w->s, w->sm, &g, 1), -ENOSPC);
	assert_int_equal(w->sent_count, 0);
}

/* What is lacking for a moment only must not be taken for a group that never fits. */
static void what_could_not_be_opened_is_said_and_may_be_tried_again(void **state)
{
	static const int passing[] = { -EMFILE, -ENFILE, -ENOMEM };
	struct world *w = *state;

	make_pair(w);
	for (size_t i = 0; i < ARRAY_SIZE(passing); i++) {
		w->open_error = passing[i];
		assert_int_equal(prepare(w, 103), passing[i]);
		assert_true(kill_may_be_tried_again(passing[i], 1));
	}
	w->open_error = 0;
	assert_true(prepare(w, 103) >= 0);
	assert_int_equal(w->sent_count, 0);
	assert_true(kill_may_be_tried_again(-ENOSPC, KILL_MEMBERS_MAX));
	assert_false(kill_may_be_tried_again(-ENOSPC, KILL_MEMBERS_MAX + 1));
	assert_false(kill_may_be_tried_again(-EPERM, 1));
}

static void sigterm_wakes_those_that_are_stopped(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	int slot;

	make_pair(w);
	by_pid(w, 100)->state = 'T';
	show(w, by_pid(w, 100));
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	assert_int_equal(r.signalled, 2);
	assert_int_equal(sent_to(w, 100, SIGTERM), 1);
	assert_int_equal(sent_to(w, 100, SIGCONT), 1);
	assert_int_equal(sent_to(w, 101, SIGTERM), 1);
	assert_int_equal(sent_to(w, 101, SIGCONT), 0);
	assert_int_equal(w->sent[w->sent_count - 1].sig, SIGCONT);
	kill_release(w->k, slot);
	assert_int_equal(w->sent_count, 3);
}

static void who_calls_exec_after_sigterm_is_not_killed(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	by_pid(w, 100)->marks = 8;
	by_pid(w, 100)->mm = 70;
	show(w, by_pid(w, 100));
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(r.signalled, 1);
	assert_int_equal(sent_to(w, 101, SIGKILL), 1);
	assert_int_equal(sent_to(w, 100, SIGKILL), 0);

	slot = prepare(w, 103);
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	by_pid(w, 103)->marks = 8;
	show(w, by_pid(w, 103));
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	assert_false(st.mm_visible);
	assert_true(st.all_exited);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), -ESRCH);
	assert_int_equal(sent_to(w, 103, SIGKILL), 0);
}

static int thaw_after_kill(void *ctx, const struct proc_id *id)
{
	struct world *w = ctx;

	assert_int_equal(sent_to(w, id->pid, SIGKILL), 1);
	assert_int_equal(id->start_ticks, by_pid(w, id->pid)->start);
	w->sent[w->sent_count].pid = id->pid;
	w->sent[w->sent_count++].sig = -1;
	return 1;
}

static void a_frozen_group_is_thawed_after_sigkill_only(void **state)
{
	struct world *w = *state;
	struct kill_ops ops = w->ops;
	struct kill_result r;
	int slot;

	ops.thaw = thaw_after_kill;
	killer_set_ops(w->k, &ops);
	make_pair(w);
	by_pid(w, 100)->stuck = true;
	by_pid(w, 101)->stuck = true;
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 100, -1), 0);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 100, -1), 1);
	assert_int_equal(sent_to(w, 101, -1), 1);
}

static void the_rehearsal_signals_nobody(void **state)
{
	struct world *w = *state;
	struct snapshot s;
	struct killer *k;
	int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), wake_fd;

	assert_int_equal(snapshot_open(&s, proc_fd, CAPACITY), 0);
	assert_int_equal(killer_new(&w->ops, &s, &k, &wake_fd), 0);
	assert_int_equal(killer_rehearse(k), 0);
	assert_int_equal(w->sent_count, 0);
	killer_free(k);
	snapshot_close(&s);
	close(proc_fd);
	/* Where even oneself cannot be read it says so. */
	assert_int_equal(killer_rehearse(w->k), -ESRCH);
}

static int everybody(void *ctx, const struct task *t)
{
	return true;
}

/* An fd to open is what is lacking, while those that are open go on to work. */
static int kill_without_fds(struct world *w, int slot, struct kill_result *r)
{
	struct rlimit before, now;
	int lowest = dup(STDOUT_FILENO), result;

	assert_true(lowest >= 0);
	assert_int_equal(close(lowest), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	result = kill_one(w, slot, SIGKILL, NULL, NULL, r);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	return result;
}

/* SIGTERM; SIGKILL is answered with the error and sent to nobody; without that objection it is
 * sent. */
static void is_not_upgraded_while(
	struct world *w, kill_protected_fn *objects, bool without_fds, int error)
{
	struct kill_result r;
	int slot;

	make_pair(w);
	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
	r.signalled = UINT32_MAX;
	assert_int_equal(without_fds ? kill_without_fds(w, slot, &r)
				     : kill_one(w, slot, SIGKILL, objects, NULL, &r),
		error);
	assert_int_equal(r.signalled, 0);
	assert_int_equal(sent_to(w, 100, SIGKILL), 0);
	assert_int_equal(sent_to(w, 101, SIGKILL), 0);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(sent_to(w, 100, SIGKILL), 1);
	assert_int_equal(sent_to(w, 101, SIGKILL), 1);
}

/* Between SIGTERM and SIGKILL a reload, setuid or another unit may have made it protected. */
static void who_has_become_protected_is_spared_the_upgrade(void **state)
{
	is_not_upgraded_while(*state, everybody, false, -EPERM);
}

static int nobody_knows(void *ctx, const struct task *t)
{
	return -EAGAIN;
}

static void of_whom_nobody_knows_whether_it_is_protected_is_asked_again(void **state)
{
	is_not_upgraded_while(*state, nobody_knows, false, -EAGAIN);
}

static void whose_members_cannot_be_read_has_no_sigkill_yet(void **state)
{
	is_not_upgraded_while(*state, NULL, true, -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pair_dies_and_nobody_else),
		TEST(a_group_outlives_sigterm_if_a_member_ignores_it),
		TEST(who_waits_for_sigterm_does_not_outlive_it),
		TEST(several_slots_go_in_one_call),
		TEST(a_recycled_pid_is_not_hit),
		TEST(one_that_goes_while_it_is_checked_is_left_out),
		TEST(one_that_may_not_be_signalled_saves_its_group),
		TEST(neither_init_nor_the_daemon_is_prepared),
		TEST(who_called_exec_is_left_out),
		TEST(who_has_another_mm_by_comparison_is_left_out),
		TEST(without_kcmp_the_group_is_trusted),
		TEST(a_reference_that_lets_go_meanwhile_condemns_nobody_and_saves_nobody),
		TEST(there_is_an_end_to_slots_and_members),
		TEST(what_could_not_be_opened_is_said_and_may_be_tried_again),
		TEST(sigterm_wakes_those_that_are_stopped),
		TEST(who_calls_exec_after_sigterm_is_not_killed),
		TEST(a_frozen_group_is_thawed_after_sigkill_only),
		TEST(the_rehearsal_signals_nobody),
		TEST(who_has_become_protected_is_spared_the_upgrade),
		TEST(of_whom_nobody_knows_whether_it_is_protected_is_asked_again),
		TEST(whose_members_cannot_be_read_has_no_sigkill_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
