/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill.c on real processes and the real kernel: whole groups die, others live, and the memory is
 * back when the handle says so. Sharers born meanwhile are in live-sharer.c.
 */
#include "../unit/count-malloc.h"
#include "clock.h"
#include "stage.h"

#include <sys/ptrace.h>
#include <sys/resource.h>

/* --- plays --- */

/* 0 fills the memory, 1 shares it, 2 is a fork: has the same marks and a copy. */
static void pair_and_fork(struct stage *st)
{
	fill(st);
	if (spawn(st, linger, CLONE_VM) < 0)
		_exit(1);
	await(&st->done, 1);
	if (fork() == 0)
		linger(st);
	else
		hold(st);
}

static int linger_disguised(void *arg)
{
	syscall(SYS_prctl, PR_SET_NAME, "innocent) S 1 (");
	syscall(SYS_setresuid, 65534, 65534, 65534);
	return linger(arg);
}

static void trio(struct stage *st)
{
	fill(st);
	if (spawn(st, linger_disguised, CLONE_VM | CLONE_FILES | CLONE_FS) < 0)
		_exit(1);
	await(&st->done, 1);
	if (spawn(st, linger, CLONE_VM | CLONE_FILES) < 0)
		_exit(1);
	await(&st->done, 2);
	hold(st);
}

static void lone(struct stage *st)
{
	fill(st);
	hold(st);
}

static void deaf(struct stage *st)
{
	signal(SIGTERM, SIG_IGN);
	fill(st);
	hold(st);
}

/* It would ignore the signal, did it not wait for it. */
static void sigwaiter(struct stage *st)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	signal(SIGTERM, SIG_IGN);
	fill(st);
	atomic_fetch_add(&st->done, 1);
	sigwaitinfo(&term, NULL);
}

/* Process 1 of a pid namespace, which has not said what SIGTERM should do. It cannot tell its pid.
 */
static void container(struct stage *st)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(hold(st));
	pid = fork();
	if (pid == 0) {
		await(&st->pid_count, 2);
		fill(st);
		_exit(hold(st));
	}
	st->pids[1] = pid;
	atomic_fetch_add(&st->pid_count, 1);
	rest(st);
}

static int thread_of_zombie(void *arg)
{
	nap(20000); /* until the leader has left */
	return hold(arg);
}

static void zombie_leader(struct stage *st)
{
	static char stack[STAGE_STACK];
	fill(st);
	clone(thread_of_zombie, stack + sizeof(stack),
		CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, st);
	syscall(SYS_exit, 0); /* the leader alone */
}

static void vfork_in_progress(struct stage *st)
{
	fill(st);
	spawn(st, linger, CLONE_VM | CLONE_VFORK); /* returns when the child is gone */
	_exit(0);
}

static void beating(struct stage *st)
{
	fill(st);
	atomic_fetch_add(&st->done, 1);
	while (!atomic_load(&st->curtain)) {
		atomic_fetch_add(&st->beats, 1);
		nap(1000);
	}
}

static void dumper(struct stage *st)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	setrlimit(RLIMIT_CORE, &all);
	signal(SIGQUIT, SIG_DFL); /* a shell's job in the background is born with it ignored */
	fill(st);
	hold(st);
}

/* --- scenes --- */

static void assert_freed(struct play *p, int slot, const char *what)
{
	struct kill_status seen;
	uint64_t took = until_gone(p, slot, &seen);

	assert_true(seen.handle_valid);
	assert_true(seen.mm_gone);
	assert_true(seen.all_exited);
	assert_false(seen.mm_visible);
	assert_int_equal(seen.anon_bytes, 0);
	assert_true(seen.reap == REAP_DONE || seen.reap == REAP_GONE);
	print_message("# %s: gone after %llu us, reap %d\n", what, (unsigned long long)took,
		(int)seen.reap);
}

static void a_pair_dies_and_its_fork_lives(void **state)
{
	struct play *p = *state;
	struct kill_status seen;
	struct kill_result r;
	int slot, pidfds[2], handle;

	raise_curtain(p, pair_and_fork, 3);
	for (int i = 0; i < 2; i++)
		pidfds[i] = open_pidfd(actor(p, i));
	handle = open_handle_of(p, actor(p, 1));
	pass(p);
	assert_int_equal(group_of(p, actor(p, 0))->count, 2);
	slot = prepare(p, actor(p, 0));
	assert_true(slot >= 0);
	assert_int_equal(kill_observe(p->k, slot, NULL, NULL, &seen), 0);
	assert_true(seen.handle_valid && seen.mm_visible);
	assert_false(seen.mm_gone || seen.all_exited || seen.core_dumping);
	assert_true(seen.anon_bytes >= STAGE_BYTES && seen.anon_bytes < 2 * STAGE_BYTES);

	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_int_equal(r.signalled, 2);
	assert_int_equal(r.newborn, 0);
	assert_freed(p, slot, "pair");
	assert_false(kill_mm_alive(handle));
	assert_true(readable(pidfds[0]) && readable(pidfds[1]));
	assert_int_equal(anon_of(p, actor(p, 0)), 0);
	nap(20000);
	assert_true(lives(p, actor(p, 2)));
	assert_true(anon_of(p, actor(p, 2)) >= STAGE_BYTES);
	kill_release(p->k, slot);
	close(handle);
	close(pidfds[0]);
	close(pidfds[1]);
}

static void a_trio_in_disguise_dies(void **state)
{
	struct play *p = *state;
	struct kill_result r;
	int slot;

	raise_curtain(p, trio, 3);
	pass(p);
	slot = prepare(p, actor(p, 1)); /* the one of another user and name */
	assert_true(slot >= 0);
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_int_equal(r.signalled, 3);
	assert_freed(p, slot, "trio");
	for (int i = 0; i < 3; i++)
		assert_false(lives(p, actor(p, i)));
}

static void the_handle_outlives_its_owner(void **state)
{
	struct play *p = *state;
	int handle, fd;

	raise_curtain(p, pair_and_fork, 3);
	handle = open_handle_of(p, actor(p, 0));
	fd = open_pidfd(actor(p, 1));
	assert_true(kill_mm_alive(handle));
	kill(actor(p, 0), SIGKILL); /* our child, not waited for */
	assert_int_equal(waitpid(actor(p, 0), NULL, 0), actor(p, 0));
	nap(20000);
	assert_true(kill_mm_alive(handle)); /* dead and reaped, and yet */
	assert_true(anon_of(p, actor(p, 1)) >= STAGE_BYTES);
	assert_int_equal(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0), 0);
	for (int i = 0; i < 2000 && !readable(fd); i++)
		nap(1000);
	assert_false(kill_mm_alive(handle));
	close(handle);
	close(fd);
}

static void a_zombie_leader_with_a_thread_dies(void **state)
{
	struct play *p = *state;
	const struct task *t;
	struct kill_result r;
	int slot;

	raise_curtain(p, zombie_leader, 1);
	pass(p);
	t = snapshot_find(&p->s, actor(p, 0));
	assert_non_null(t);
	assert_true(t->flags & TASK_ZOMBIE_LEADER);
	slot = prepare(p, actor(p, 0));
	assert_true(slot >= 0);
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_int_equal(r.signalled, 1);
	assert_freed(p, slot, "zombie leader");
}

static void a_stopped_victim_dies(void **state)
{
	struct play *p = *state;
	struct kill_result r;
	int slot;

	raise_curtain(p, lone, 1);
	kill(actor(p, 0), SIGSTOP);
	for (int i = 0; i < 1000 && state_of(p, actor(p, 0)) != 'T'; i++)
		nap(1000);
	pass(p);
	slot = prepare(p, actor(p, 0));
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_freed(p, slot, "stopped");
}

static struct kill_status goes_by_sigterm(struct play *p, pid_t pid)
{
	struct kill_status seen;
	struct kill_result r;
	int slot;

	pass(p);
	slot = prepare(p, pid);
	assert_false(kill_ignores_term(p->k, slot));
	assert_int_equal(kill_slot(p, slot, SIGTERM, &r), 0);
	until_gone(p, slot, &seen);
	assert_true(seen.mm_gone && seen.all_exited);
	return seen;
}

static void a_stopped_victim_acts_on_sigterm(void **state)
{
	struct play *p = *state;

	raise_curtain(p, lone, 1);
	kill(actor(p, 0), SIGSTOP);
	for (int i = 0; i < 1000 && state_of(p, actor(p, 0)) != 'T'; i++)
		nap(1000);
	assert_int_not_equal(goes_by_sigterm(p, actor(p, 0)).reap, REAP_REFUSED);
}

static void a_traced_victim_dies(void **state)
{
	struct play *p = *state;
	struct kill_result r;
	int slot, status;

	raise_curtain(p, lone, 1);
	assert_int_equal(ptrace(PTRACE_ATTACH, actor(p, 0), NULL, NULL), 0);
	assert_int_equal(waitpid(actor(p, 0), &status, 0), actor(p, 0));
	assert_int_equal(state_of(p, actor(p, 0)), 't');
	pass(p);
	slot = prepare(p, actor(p, 0));
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_freed(p, slot, "traced");
}

/* Its tracer holds it in its exit: as good as a victim in D state. */
static void a_victim_that_cannot_exit_gives_its_memory_all_the_same(void **state)
{
	struct play *p = *state;
	struct kill_status seen;
	struct kill_blame blame;
	struct kill_result r;
	int slot, status;

	raise_curtain(p, lone, 1);
	assert_int_equal(
		ptrace(PTRACE_SEIZE, actor(p, 0), NULL, (void *)(long)PTRACE_O_TRACEEXIT), 0);
	pass(p);
	slot = prepare(p, actor(p, 0));
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(kill_observe(p->k, slot, NULL, NULL, &seen), 0);
		if (seen.reap != REAP_RUNNING && seen.anon_bytes < STAGE_BYTES / 64)
			break;
		nap(1000);
	}
	assert_int_equal(seen.reap, REAP_DONE);
	assert_true(seen.anon_bytes < STAGE_BYTES / 64);
	assert_true(seen.mm_visible);
	assert_false(seen.mm_gone || seen.all_exited);
	kill_explain(p->k, slot, &blame);
	assert_int_equal(blame.kind, BLAME_STATE);
	assert_int_equal(blame.pid, actor(p, 0));
	assert_int_equal(blame.state, 't');
	assert_int_equal(waitpid(actor(p, 0), &status, 0), actor(p, 0));
	assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
	ptrace(PTRACE_CONT, actor(p, 0), NULL, NULL);
	until_gone(p, slot, &seen);
	assert_true(seen.mm_gone && seen.all_exited);
}

/* Without a handler it is dying when the signal has been sent: the reaper need not wait for its
 * exit, which may be in D state. Either of them takes the memory down. */
static void sigterm_is_reaped_after_where_nobody_handles_it(void **state)
{
	struct play *p = *state;
	struct kill_status seen;

	raise_curtain(p, lone, 1);
	seen = goes_by_sigterm(p, actor(p, 0));
	assert_true(seen.reap == REAP_DONE || seen.reap == REAP_GONE);
}

static void assert_outlives_sigterm(struct play *p, pid_t pid)
{
	struct kill_status seen;
	struct kill_result r;
	int slot;

	pass(p);
	slot = prepare(p, pid);
	assert_true(kill_ignores_term(p->k, slot));
	assert_int_equal(kill_slot(p, slot, SIGTERM, &r), 0);
	nap(100000);
	assert_int_equal(kill_observe(p->k, slot, NULL, NULL, &seen), 0);
	assert_true(seen.mm_visible && seen.anon_bytes >= STAGE_BYTES);
	assert_false(seen.mm_gone || seen.all_exited);
	assert_int_equal(seen.reap, REAP_NONE);
	pass(p); /* the daemon has looked at the world meanwhile */
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_int_equal(r.signalled, 1);
	assert_freed(p, slot, "deaf");
}

static void one_deaf_to_sigterm_gets_sigkill(void **state)
{
	struct play *p = *state;

	raise_curtain(p, deaf, 1);
	assert_outlives_sigterm(p, actor(p, 0));
}

static void and_so_does_a_container_without_a_handler(void **state)
{
	struct play *p = *state;

	raise_curtain(p, container, 1);
	if (atomic_load(&p->stage->pid_count) < 2)
		skip(); /* no pid namespaces for us here */
	pass(p);
	assert_true(snapshot_find(&p->s, actor(p, 1))->flags & TASK_NS_INIT);
	assert_outlives_sigterm(p, actor(p, 1));
}

static void one_that_waits_for_sigterm_goes_by_it(void **state)
{
	struct play *p = *state;

	raise_curtain(p, sigwaiter, 1);
	nap(20000); /* until it sleeps */
	goes_by_sigterm(p, actor(p, 0));
}

static void a_vfork_in_progress_dies_with_its_parent(void **state)
{
	struct play *p = *state;
	struct kill_result r;
	int slot;

	raise_curtain(p, vfork_in_progress, 1);
	pass(p);
	slot = prepare(p, actor(p, 0));
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_int_equal(r.signalled, 2);
	assert_freed(p, slot, "vfork");
	assert_false(lives(p, actor(p, 1)));
}

static void one_that_exits_before_it_is_prepared_is_not_signalled(void **state)
{
	struct play *p = *state;

	raise_curtain(p, lone, 1);
	pass(p);
	kill(actor(p, 0), SIGKILL);
	assert_int_equal(waitpid(actor(p, 0), NULL, 0), actor(p, 0));
	assert_int_equal(prepare(p, actor(p, 0)), -ESRCH);
}

static void a_zombie_nobody_waited_for_is_not_prepared(void **state)
{
	struct play *p = *state;
	siginfo_t info;

	raise_curtain(p, lone, 1);
	pass(p);
	kill(actor(p, 0), SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)actor(p, 0), &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(prepare(p, actor(p, 0)), -ESRCH);
}

static void a_dry_run_hurts_nobody(void **state)
{
	struct play *p = *state;
	struct kill_status seen;
	struct kill_result r;
	uint64_t beats;
	int slot;

	killer_set_ops(p->k, &kill_ops_dry_run);
	raise_curtain(p, beating, 1);
	pass(p);
	slot = prepare(p, actor(p, 0));
	assert_int_equal(kill_slot(p, slot, SIGTERM, &r), 0);
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_int_equal(r.signalled, 1);
	beats = atomic_load(&p->stage->beats);
	nap(50000);
	assert_true(atomic_load(&p->stage->beats) > beats);
	assert_int_equal(kill_observe(p->k, slot, NULL, NULL, &seen), 0);
	assert_true(seen.mm_visible);
	assert_false(seen.all_exited);
	kill_release(p->k, slot);
	assert_true(lives(p, actor(p, 0)));
}

static void nothing_is_allocated_on_the_way(void **state)
{
	struct play *p = *state;
	struct kill_status seen;
	struct kill_blame blame;
	struct kill_result r;
	struct mm_group *g;
	unsigned before;
	int slot;

	raise_curtain(p, pair_and_fork, 3);
	pass(p);
	g = group_of(p, actor(p, 0));
	before = malloc_count;
	slot = kill_prepare(p->k, &p->s, p->sm, g, GIB);
	kill_slot(p, slot, SIGTERM, &r);
	kill_slot(p, slot, SIGKILL, &r);
	until_gone(p, slot, &seen);
	kill_explain(p->k, slot, &blame);
	kill_release(p->k, slot);
	assert_int_equal(killer_rehearse(p->k), 0);
	assert_int_equal(malloc_count, before);
	assert_true(seen.mm_gone);
	void *volatile counted = malloc(1); /* and it does count */
	free(counted);
	assert_true(malloc_count > before);
}

static void the_rehearsal_goes_all_the_way(void **state)
{
	struct play *p = *state;
	uint64_t begin = now_usec();

	assert_int_equal(killer_rehearse(p->k), 0);
	print_message("# rehearsal: %llu us\n", (unsigned long long)(now_usec() - begin));
	pass(p);
	assert_int_equal(killer_rehearse(p->k), 0);
}

static bool core_goes_to_cwd(void)
{
	char pattern[128] = "";
	_cleanup_(fd_closep) int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, pattern, sizeof(pattern) - 1) > 0 && !strchr(pattern, '/') &&
		pattern[0] != '|' && pattern[0] != '@';
}

static void remove_core(const char *dir)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
}

static void a_core_dump_is_seen_and_cut_short(void **state)
{
	struct play *p = *state;
	char dir[] = "/tmp/oomfwd-core-XXXXXX", *home = getcwd(NULL, 0);
	struct kill_status seen = { 0 };
	struct kill_blame blame;
	struct kill_result r;
	uint64_t until;
	int slot;

	if (!core_goes_to_cwd())
		skip();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	p->stage->bytes = 4 * STAGE_BYTES;
	raise_curtain(p, dumper, 1);
	assert_int_equal(chdir(home), 0);
	free(home);
	pass(p);
	slot = prepare(p, actor(p, 0));
	assert_int_equal(kill_observe(p->k, slot, NULL, NULL, &seen), 0);
	assert_false(seen.core_dumping);
	kill(actor(p, 0), SIGQUIT);
	/* On a busy machine it may take a while before it gets to its end. */
	until = monotonic_usec() + 60 * USEC_PER_SEC;
	while (!seen.core_dumping && !seen.all_exited && monotonic_usec() < until)
		assert_int_equal(kill_observe(p->k, slot, NULL, NULL, &seen), 0);
	kill_explain(p->k, slot, &blame);
	assert_int_equal(kill_slot(p, slot, SIGKILL, &r), 0);
	assert_freed(p, slot, "dumping");
	remove_core(dir);
	assert_true(seen.core_dumping);
	assert_int_equal(blame.kind, BLAME_CORE_DUMP);
	assert_int_equal(blame.pid, actor(p, 0));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, play_setup, play_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pair_dies_and_its_fork_lives),
		TEST(a_trio_in_disguise_dies),
		TEST(the_handle_outlives_its_owner),
		TEST(a_zombie_leader_with_a_thread_dies),
		TEST(a_stopped_victim_dies),
		TEST(a_stopped_victim_acts_on_sigterm),
		TEST(a_traced_victim_dies),
		TEST(a_victim_that_cannot_exit_gives_its_memory_all_the_same),
		TEST(sigterm_is_reaped_after_where_nobody_handles_it),
		TEST(one_deaf_to_sigterm_gets_sigkill),
		TEST(and_so_does_a_container_without_a_handler),
		TEST(one_that_waits_for_sigterm_goes_by_it),
		TEST(a_vfork_in_progress_dies_with_its_parent),
		TEST(one_that_exits_before_it_is_prepared_is_not_signalled),
		TEST(a_zombie_nobody_waited_for_is_not_prepared),
		TEST(a_core_dump_is_seen_and_cut_short),
		TEST(a_dry_run_hurts_nobody),
		TEST(nothing_is_allocated_on_the_way),
		TEST(the_rehearsal_goes_all_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
