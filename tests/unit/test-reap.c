/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reap.c: what each answer of process_mrelease leads to, and that a thread that hangs in it holds
 * up nobody.
 */
#include "kill-world.h"

static void a_stuck_victim_is_seen_as_such(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st;
	struct kill_blame blame;
	struct proc *p;
	int slot;

	make_pair(w);
	p = by_pid(w, 103);
	p->stuck = true;
	p->state = 'D';
	for (int i = 0; i < 4; i++)
		p->mrelease[i] = -EINVAL;
	show(w, p);
	write_text(w, 103, "wchan", "percpu_rwsem_wait");
	slot = prepare(w, 103);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
	assert_int_equal(st.reap, REAP_RUNNING);
	st = settled(w, slot);
	assert_int_equal(st.reap, REAP_REFUSED);
	assert_true(p->mreleases > 10);
	assert_true(st.mm_visible);
	assert_false(st.all_exited);
	assert_int_equal(st.anon_bytes + st.swap_bytes, (200000 + 96) * KIB);
	assert_int_equal(w->sent_count, 1);
	kill_explain(w->k, slot, &blame);
	assert_int_not_equal(blame.kind, BLAME_PINNED);
}

static void reaping(void **state)
{
	static const struct {
		int first[4], second[4];
		enum reap_state want;
	} cases[] = {
		{ { 0 }, { 0 }, REAP_DONE },
		{ { -ESRCH, -ESRCH, -ESRCH, -ESRCH }, { 0 }, REAP_DONE },
		{ { 0 }, { -ESRCH, -ESRCH, -ESRCH, -ESRCH }, REAP_DONE },
		{ { -ESRCH, -ESRCH, -ESRCH, -ESRCH }, { -ESRCH, -ESRCH, -ESRCH, -ESRCH },
			REAP_GONE },
		{ { -EAGAIN, -EAGAIN, -EINTR, 0 }, { -EAGAIN, -EAGAIN, -EINTR, 0 }, REAP_DONE },
		{ { -EINVAL, -EINVAL, -EINVAL, 0 }, { -ESRCH, -ESRCH, -ESRCH, -ESRCH }, REAP_DONE },
		{ { -ENOSYS }, { -ENOSYS }, REAP_NONE },
	};
	struct world *w = *state;

	make_pair(w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kill_result r;
		struct proc *a = born(w, 200 + 2 * (pid_t)i, 1, 3000, 50 + (int)i);
		struct proc *b = born(w, 201 + 2 * (pid_t)i, 1, 3000, 50 + (int)i);
		int slot;
		memcpy(a->mrelease, cases[i].first, sizeof(a->mrelease));
		memcpy(b->mrelease, cases[i].second, sizeof(b->mrelease));
		pass(w);
		slot = prepare(w, a->pid);
		assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
		assert_int_equal(r.signalled, 2);
		assert_int_equal(settled(w, slot).reap, cases[i].want);
		kill_release(w->k, slot);
	}
}

static int peek(struct world *w, const int *count)
{
	int n;

	pthread_mutex_lock(&w->lock);
	n = *count;
	pthread_mutex_unlock(&w->lock);
	return n;
}

/* Without a handler SIGTERM ends a process as SIGKILL does, and it may sit in D state as well: what
 * can be reaped is. Who has one is asked a few times at most, and is none to be blamed. */
static void sigterm_reaps_who_has_no_handler(void **state)
{
	static const struct {
		int answers[4];
		enum reap_state want;
	} cases[] = {
		{ { 0 }, REAP_DONE },
		{ { -EINVAL, 0, 0, 0 }, REAP_DONE }, /* it had to be continued */
		{ { -EINVAL, -EINVAL, -EINVAL, -EINVAL }, REAP_NONE },
	};
	struct world *w = *state;

	make_pair(w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc *p = born(w, 200 + (pid_t)i, 1, 3000, 50 + (int)i);
		struct kill_result r;
		int slot;

		memcpy(p->mrelease, cases[i].answers, sizeof(p->mrelease));
		pass(w);
		slot = prepare(w, p->pid);
		assert_int_equal(kill_one(w, slot, SIGTERM, NULL, NULL, &r), 0);
		assert_int_equal(settled(w, slot).reap, cases[i].want);
		assert_in_range(peek(w, &p->mreleases), 1, 10);
		if (cases[i].want == REAP_NONE) {
			/* SIGKILL begins anew. */
			memset(p->mrelease, 0, sizeof(p->mrelease));
			assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
			assert_int_equal(settled(w, slot).reap, REAP_DONE);
		}
		kill_release(w->k, slot);
	}
}

static void set_hold(struct world *w, struct proc *p, bool hold)
{
	pthread_mutex_lock(&w->lock);
	p->hold = hold;
	pthread_mutex_unlock(&w->lock);
}

static void a_reaper_that_hangs_holds_up_neither_the_others_nor_its_slot(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct kill_status st;
	struct proc *p;
	uint64_t news;
	int stuck, slot;

	make_pair(w);
	p = by_pid(w, 103);
	set_hold(w, p, true);
	stuck = prepare(w, 103);
	assert_int_equal(kill_one(w, stuck, SIGKILL, NULL, NULL, &r), 0);
	for (int i = 0; i < WAIT_USEC / 1000 && peek(w, &p->mreleases) == 0; i++)
		usleep(1000);
	assert_int_equal(peek(w, &p->mreleases), 1);
	assert_int_equal(read(w->wake_fd, &news, sizeof(news)), -1);

	slot = prepare(w, 100);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	assert_int_equal(settled(w, slot).reap, REAP_DONE);
	assert_int_equal(read(w->wake_fd, &news, sizeof(news)), sizeof(news));
	assert_int_equal(kill_observe(w->k, stuck, NULL, NULL, &st), 0);
	assert_int_equal(st.reap, REAP_RUNNING);

	/* Its slot becomes another's, and what the thread comes back with is not for that one. */
	kill_release(w->k, stuck);
	assert_int_equal(prepare(w, 102), stuck);
	set_hold(w, p, false);
	usleep(20000);
	assert_int_equal(kill_observe(w->k, stuck, NULL, NULL, &st), 0);
	assert_int_equal(st.reap, REAP_NONE);
	assert_int_equal(peek(w, &p->mreleases), 1);
	assert_int_equal(sent_to(w, 102, SIGKILL), 0);
}

static void a_reaper_that_never_comes_back_does_not_hold_up_the_end(void **state)
{
	struct world *w = *state;
	struct kill_result r;
	struct killer *old = w->k;
	struct proc *p;
	int slot;

	make_pair(w);
	p = by_pid(w, 103);
	set_hold(w, p, true);
	slot = prepare(w, 103);
	assert_int_equal(kill_one(w, slot, SIGKILL, NULL, NULL, &r), 0);
	while (peek(w, &p->mreleases) == 0)
		usleep(1000);
	assert_int_equal(killer_new(&w->ops, &w->s, &w->k, &w->wake_fd), 0);
	killer_free(old); /* waits a second, not for ever */
	assert_int_equal(peek(w, &p->mreleased), 0);
	set_hold(w, p, false);
	while (peek(w, &p->mreleased) == 0)
		usleep(1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stuck_victim_is_seen_as_such),
		TEST(reaping),
		TEST(sigterm_reaps_who_has_no_handler),
		TEST(a_reaper_that_hangs_holds_up_neither_the_others_nor_its_slot),
		TEST(a_reaper_that_never_comes_back_does_not_hold_up_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
