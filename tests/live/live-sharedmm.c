/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who shares an mm, among real processes: by the table that snapshot.c makes and the real kcmp.
 * Sharers are made with CLONE_PARENT, so that all are children of the test, which ends them.
 */
#include "sharedmm.h"

#include "kill.h"
#include "util.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
/* cmocka wants these before itself: */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CAPACITY   8192
#define PIDS_MAX   128
#define STACK      ((size_t)64 * 1024)
#define HELD_BYTES (30 * MIB)

/* Pages the test and its children share: the pids of those that are in place. */
struct board {
	volatile uint32_t count;
	volatile pid_t pids[PIDS_MAX];
};

struct live {
	struct snapshot s;
	struct sharedmm *sm;
	struct board *board;
	uint32_t forks;
	pid_t fork_pids[PIDS_MAX];
};

static struct board *board; /* for those who run in a child */

static int setup(void **state)
{
	struct live *l = calloc(1, sizeof(*l));
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_non_null(l);
	assert_true(fd >= 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans come to us, to be waited for */
	assert_int_equal(snapshot_open(&l->s, fd, CAPACITY), 0);
	assert_int_equal(sharedmm_new(CAPACITY, &l->sm), 0);
	board = mmap(
		NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(board, MAP_FAILED);
	l->board = board;
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct live *l = *state;
	int fd = l->s.proc_fd;

	/* All are our children and not waited for yet: their pids are still theirs. */
	for (uint32_t i = 0; i < l->board->count; i++)
		if (l->board->pids[i] > 0)
			kill(l->board->pids[i], SIGKILL);
	for (uint32_t i = 0; i < l->forks; i++)
		kill(l->fork_pids[i], SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	munmap(l->board, sizeof(*l->board));
	sharedmm_free(l->sm);
	snapshot_close(&l->s);
	close(fd);
	free(l);
	return 0;
}

/* --- in the children: system calls only, some share all with their parent --- */

static void in_place(void)
{
	board->pids[board->count] = (pid_t)syscall(SYS_getpid);
	board->count++;
	for (;;)
		syscall(SYS_pause);
}

static int share_and_wait(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	in_place();
	return 0;
}

static void hold_memory(void)
{
	char *p =
		mmap(NULL, HELD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(2);
	memset(p, 1, HELD_BYTES);
}

/* A process that shares the caller's mm, and is the test's child as the caller is. */
static void sharer(int (*body)(void *), int flags)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t before = board->count;

	if (stack == MAP_FAILED ||
		clone(body, stack + STACK, CLONE_VM | CLONE_PARENT | flags | SIGCHLD, NULL) < 0)
		_exit(3);
	while (board->count == before)
		syscall(SYS_sched_yield);
}

/* --- in the test --- */

/* Runs body in a fork; returns when `processes` more are in place. */
static void play(struct live *l, void (*body)(void), uint32_t processes)
{
	uint32_t until = l->board->count + processes;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body();
		in_place();
	}
	l->fork_pids[l->forks++] = pid;
	for (int i = 0; i < 10000 && l->board->count < until; i++)
		usleep(1000);
	assert_int_equal(l->board->count, until);
}

static void look(struct live *l)
{
	assert_int_equal(snapshot_refresh(&l->s), 0);
	assert_int_equal(sharedmm_classify(l->sm, &l->s, getpid()), 0);
}

static uint32_t row_of(struct live *l, pid_t pid)
{
	const struct task *t = snapshot_find(&l->s, pid);

	assert_non_null(t);
	return (uint32_t)(t - l->s.tasks);
}

static struct mm_group *group_of(struct live *l, pid_t pid)
{
	return sharedmm_group_of(l->sm, row_of(l, pid), kill_kcmp, NULL, MM_EVIDENCE_KCMP);
}

/* The group of the first has exactly these members, whoever of them is asked. */
static struct mm_group *assert_group(struct live *l, const volatile pid_t *pids, uint32_t count)
{
	struct mm_group *g = group_of(l, pids[0]);

	assert_non_null(g);
	assert_int_equal(g->count, count);
	for (uint32_t i = 0; i < count; i++)
		assert_ptr_equal(group_of(l, pids[i]), g);
	return g;
}

static void pair(void)
{
	hold_memory();
	sharer(share_and_wait, 0);
}

static void test_a_pair_is_one_mm(void **state)
{
	struct live *l = *state;
	struct mm_group *g;

	play(l, pair, 2);
	look(l);
	g = assert_group(l, l->board->pids, 2);
	assert_int_equal(g->evidence, MM_EVIDENCE_KCMP);
	assert_int_equal(g->pin, MM_PIN_NONE);
	assert_false(g->vfork);
	assert_false(g->kill_pending);
	/* Its memory counts once. */
	assert_in_range(sharedmm_yield_bytes(g, 0), HELD_BYTES, HELD_BYTES + 10 * MIB);
}

static int rename_and_wait(void *arg)
{
	prctl(PR_SET_NAME, "another (name) 1");
	return share_and_wait(arg);
}

static int become_another_user_and_wait(void *arg)
{
	if (syscall(SYS_setresuid, 1234, 1234, 1234) < 0)
		_exit(4);
	return share_and_wait(arg);
}

static void crowd(void)
{
	hold_memory();
	sharer(share_and_wait, CLONE_FILES);
	sharer(share_and_wait, CLONE_FILES | CLONE_FS | CLONE_SIGHAND);
	sharer(rename_and_wait, 0);
}

static void test_what_else_they_share_or_are_called_does_not_matter(void **state)
{
	struct live *l = *state;

	play(l, crowd, 4);
	look(l);
	assert_group(l, l->board->pids, 4);
}

static void pair_of_two_users(void)
{
	hold_memory();
	sharer(become_another_user_and_wait, 0);
}

static void test_sharers_of_different_users(void **state)
{
	struct live *l = *state;

	if (geteuid() != 0)
		skip();
	play(l, pair_of_two_users, 2);
	look(l);
	assert_int_equal(l->s.tasks[row_of(l, l->board->pids[0])].uid, 1234);
	assert_int_equal(l->s.tasks[row_of(l, l->board->pids[1])].uid, 0);
	assert_group(l, l->board->pids, 2);
}

/* Moves pid into a cgroup of its own below the test's; false where that is not to be had. */
static bool move(pid_t pid, char *dir, size_t size)
{
	static const char *const roots[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory",
		"/sys/fs/cgroup" };

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		char path[256], text[32];
		int n = snprintf(text, sizeof(text), "%d", pid);

		snprintf(dir, size, "%s/oomfwd-live-sharedmm-%d", roots[i], getpid());
		if (mkdir(dir, 0755) < 0)
			continue;
		snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
		_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, text, (size_t)n) == n)
			return true;
		rmdir(dir);
	}
	return false;
}

static void test_sharers_in_different_cgroups(void **state)
{
	struct live *l = *state;
	char dir[128];
	int r;

	play(l, pair, 2);
	if (!move(l->board->pids[0], dir, sizeof(dir)))
		skip();
	look(l);
	assert_group(l, l->board->pids, 2);
	/* An emptied cgroup can be removed only when its last process is gone. */
	kill(l->board->pids[0], SIGKILL);
	waitpid(l->board->pids[0], NULL, __WALL);
	l->board->pids[0] = 0;
	for (int i = 0; i < 1000 && (r = rmdir(dir)) < 0; i++)
		usleep(1000);
	assert_int_equal(r, 0);
}

static void nothing(void)
{
}

static void test_forks_are_not_grouped(void **state)
{
	struct live *l = *state;
	uint32_t in_class = 0;

	/* Forks of the test, and a pair among them: all have the same marks. */
	for (int i = 0; i < 30; i++)
		play(l, nothing, 1);
	play(l, pair, 2);
	for (int i = 0; i < 30; i++)
		play(l, nothing, 1);
	look(l);
	for (uint32_t i = 0; i < l->board->count; i++)
		in_class += memcmp(&l->s.tasks[row_of(l, l->board->pids[i])].marks,
				    &l->s.tasks[row_of(l, getpid())].marks,
				    sizeof(struct mm_marks)) == 0;
	assert_int_equal(in_class, 62);
	for (uint32_t i = 0; i < 62; i++) {
		struct mm_group *g = group_of(l, l->board->pids[i]);

		assert_int_equal(g->count, i == 30 || i == 31 ? 2 : 1);
		assert_int_equal(g->evidence, MM_EVIDENCE_KCMP);
		assert_int_equal(g->pin, MM_PIN_NONE);
	}
	assert_group(l, &l->board->pids[30], 2);
	assert_int_equal(group_of(l, getpid())->pin, MM_PIN_SELF);
	assert_int_equal(group_of(l, getpid())->count, 1);
	/* Asked one after the other, but compared in far fewer steps than each with each. */
	assert_in_range(sharedmm_comparisons(l->sm), 62, 62 * 20);
}

static int wait_before_exec(void *arg)
{
	return share_and_wait(arg);
}

static void vforking(void)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	hold_memory();
	clone(wait_before_exec, stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

static void test_vfork_in_progress(void **state)
{
	struct live *l = *state;
	struct mm_group *g;
	pid_t both[2];

	play(l, vforking, 1); /* the child is in place, the parent waits for it */
	both[0] = l->fork_pids[0];
	both[1] = l->board->pids[0];
	for (int i = 0; i < 1000; i++) {
		look(l);
		if (l->s.tasks[row_of(l, both[0])].state == 'D')
			break;
		usleep(1000);
	}
	g = assert_group(l, both, 2);
	assert_true(g->vfork);
	/* It is its parent's child, not ours yet: it dies with that one. */
	l->board->pids[0] = 0;
}

static void *outlive(void *arg)
{
	in_place();
	return NULL;
}

static void zombie_leader(void)
{
	pthread_t thread;

	hold_memory();
	sharer(share_and_wait, 0);
	if (pthread_create(&thread, NULL, outlive, NULL) != 0)
		_exit(5);
	while (board->count < 2)
		syscall(SYS_sched_yield);
	syscall(SYS_exit, 0); /* of the leader alone */
}

static void test_a_zombie_leader_shares_through_its_thread(void **state)
{
	struct live *l = *state;
	const struct task *leader;

	play(l, zombie_leader, 2);
	for (int i = 0; i < 1000; i++) {
		look(l);
		if (l->s.tasks[row_of(l, l->board->pids[1])].state == 'Z')
			break;
		usleep(1000);
	}
	leader = &l->s.tasks[row_of(l, l->board->pids[1])];
	assert_int_equal(leader->id.pid, l->fork_pids[0]);
	assert_true(leader->flags & TASK_ZOMBIE_LEADER);
	assert_int_not_equal(leader->mm_tid, leader->id.pid);
	assert_group(l, l->board->pids, 2);
}

static int exec_and_wait(void *arg)
{
	char name[] = "sleep", seconds[] = "1000", *argv[] = { name, seconds, NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	board->pids[board->count] = (pid_t)syscall(SYS_getpid);
	board->count++;
	execv("/bin/sleep", argv);
	_exit(6);
}

static void pair_of_which_one_execs(void)
{
	hold_memory();
	sharer(exec_and_wait, 0);
}

static void test_exec_ends_it(void **state)
{
	struct live *l = *state;
	pid_t pid;

	play(l, pair_of_which_one_execs, 2);
	pid = l->board->pids[0];
	for (int i = 0; i < 1000; i++) {
		look(l);
		if (strcmp(l->s.tasks[row_of(l, pid)].comm, "sleep") == 0)
			break;
		usleep(1000);
	}
	assert_string_equal(l->s.tasks[row_of(l, pid)].comm, "sleep");
	assert_int_equal(group_of(l, pid)->count, 1);
	assert_int_equal(group_of(l, pid)->evidence, MM_EVIDENCE_SOLE);
	assert_int_equal(group_of(l, l->board->pids[1])->count, 1);
}

static void trio(void)
{
	hold_memory();
	sharer(share_and_wait, 0);
	sharer(share_and_wait, 0);
}

/* One of three leaves between the table and the question. */
static void test_one_that_has_left_since_does_not_part_the_others(void **state)
{
	struct live *l = *state;
	struct mm_group *g;
	pid_t gone;

	play(l, trio, 3);
	gone = l->board->pids[0];
	look(l);
	kill(gone, SIGKILL);
	waitpid(gone, NULL, __WALL);
	l->board->pids[0] = 0;
	g = assert_group(l, &l->board->pids[1], 2);
	assert_false(g->kill_pending);
	assert_int_equal(group_of(l, gone)->count, 1);
	assert_true(group_of(l, gone)->kill_pending);
	/* And asked about first: */
	assert_int_equal(sharedmm_classify(l->sm, &l->s, getpid()), 0);
	assert_true(group_of(l, gone)->kill_pending);
	assert_group(l, &l->board->pids[1], 2);
}

static void test_those_who_are_no_candidates(void **state)
{
	struct live *l = *state;

	look(l);
	for (uint32_t i = 0; i < l->s.count; i++) {
		const struct task *t = &l->s.tasks[i];
		struct mm_group *g = sharedmm_group_of(l->sm, i, kill_kcmp, NULL, MM_EVIDENCE_KCMP);

		assert_int_equal(g == NULL, (t->flags & (TASK_KTHREAD | TASK_NO_MM)) != 0);
		if (t->id.pid == 1 && g)
			assert_int_equal(g->pin, MM_PIN_INIT);
		if (g && t->oom_score_adj == -1000)
			assert_int_not_equal(g->pin, MM_PIN_NONE);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_pair_is_one_mm),
		TEST(test_what_else_they_share_or_are_called_does_not_matter),
		TEST(test_sharers_of_different_users),
		TEST(test_sharers_in_different_cgroups),
		TEST(test_forks_are_not_grouped),
		TEST(test_vfork_in_progress),
		TEST(test_a_zombie_leader_shares_through_its_thread),
		TEST(test_exec_ends_it),
		TEST(test_one_that_has_left_since_does_not_part_the_others),
		TEST(test_those_who_are_no_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
