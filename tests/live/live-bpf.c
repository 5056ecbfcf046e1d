/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two readers of the table, by BPF and by /proc, on the same machine at the same time: they
 * must tell the same, while processes come and go. Skipped, with the reason, where the kernel or
 * the privileges do not allow BPF.
 */
#include "kill.h"
#include "sharedmm.h"
#include "snapshot-bpf.h"

#include "children.h"
#include "load-bpf.h"
#include "util.h"

#include "../unit/count-malloc.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/vhost.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define ROUNDS   40
#define CHURNERS 4
#define TABLE    16384

/* What a CPU may have counted and not told yet, for each counter (lib/percpu_counter.c). */
static uint64_t slack_bytes(void)
{
	uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_CONF);

	return max_u64(32, 2 * cpus) * cpus * (uint64_t)sysconf(_SC_PAGESIZE);
}

static struct snapshot by_bpf, before, after;
static struct snapshot_bpf *bpf;
static char why[192];

static int open_all(void)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || snapshot_open(&by_bpf, fd, TABLE) < 0 ||
		snapshot_open(&before, fd, TABLE) < 0 || snapshot_open(&after, fd, TABLE) < 0)
		return -1;
	if (!load_bpf(BPFFS, why, sizeof(why)) ||
		snapshot_bpf_new(LOADED_PATH, &by_bpf, why, sizeof(why), &bpf) < 0)
		bpf = NULL;
	return 0;
}

static void close_all(void)
{
	int fd = by_bpf.proc_fd;

	snapshot_bpf_free(bpf);
	snapshot_close(&by_bpf);
	snapshot_close(&before);
	snapshot_close(&after);
	close(fd);
}

static void read_bpf(void)
{
	assert_int_equal(snapshot_bpf_read(bpf, &by_bpf), 0);
}

static const struct task *row_of(pid_t pid)
{
	const struct task *t = snapshot_find(&by_bpf, pid);

	assert_non_null(t);
	assert_int_equal(t->id.pid, pid);
	return t;
}

/* --- the same task by both --- */

static void assert_between(uint64_t v, uint64_t a, uint64_t b, const char *what, const char *comm)
{
	uint64_t slack = slack_bytes();

	if (v + slack < min_u64(a, b) || v > max_u64(a, b) + slack)
		fail_msg("%s of %s: %llu KiB by BPF, %llu and %llu by /proc", what, comm,
			(unsigned long long)(v / KIB), (unsigned long long)(a / KIB),
			(unsigned long long)(b / KIB));
}

static bool is_steady(const struct task *a, const struct task *b)
{
	return memcmp(&a->id, &b->id, sizeof(a->id)) == 0 && a->ppid == b->ppid &&
		a->uid == b->uid && a->threads == b->threads && a->flags == b->flags &&
		a->mm_tid == b->mm_tid && a->oom_score_adj == b->oom_score_adj &&
		memcmp(&a->marks, &b->marks, sizeof(a->marks)) == 0 &&
		strcmp(a->comm, b->comm) == 0;
}

/* What /proc said the same of before and after must be what BPF said in between. */
static void assert_told(const struct task *t, const struct task *a, const struct task *b)
{
	/* What BPF alone tells; and what /proc alone does, by which the first record of a prepared
	 * pass is read anew. */
	const uint32_t by_one = TASK_EXITING | TASK_OOM_SKIP | TASK_VFORK_CHILD | TASK_BORROWED_MM |
		TASK_MARKS_HIDDEN | TASK_NS_INIT | TASK_BLOCKS_TERM | TASK_IGNORES_TERM;

	assert_int_equal(t->id.start_ticks, a->id.start_ticks);
	assert_int_equal(t->ppid, a->ppid);
	assert_int_equal(t->uid, a->uid);
	assert_int_equal(t->threads, a->threads);
	assert_int_equal(t->oom_score_adj, a->oom_score_adj);
	if (a->flags & TASK_KTHREAD) {
		/* /proc appends to a worker's name what it is about. */
		assert_true(t->flags & TASK_KTHREAD);
		return;
	}
	assert_string_equal(t->comm, a->comm);
	assert_int_equal(t->mm_tid, a->mm_tid);
	assert_int_equal(t->flags & ~by_one, a->flags & ~by_one);
	if (a->state == b->state && strchr("ZTt", a->state))
		assert_int_equal(t->state, a->state);
	assert_int_equal(t->mm_key != 0, !(a->flags & TASK_NO_MM));
	if (a->flags & (TASK_NO_MM | TASK_MARKS_HIDDEN))
		return;
	assert_memory_equal(&t->marks, &a->marks, sizeof(t->marks));
	assert_between(t->mem.anon_bytes, a->mem.anon_bytes, b->mem.anon_bytes, "anon", a->comm);
	assert_between(t->mem.file_bytes, a->mem.file_bytes, b->mem.file_bytes, "file", a->comm);
	assert_between(
		t->mem.shmem_bytes, a->mem.shmem_bytes, b->mem.shmem_bytes, "shmem", a->comm);
	assert_between(t->mem.swap_bytes, a->mem.swap_bytes, b->mem.swap_bytes, "swap", a->comm);
	assert_between(t->mem.pgtables_bytes, a->mem.pgtables_bytes, b->mem.pgtables_bytes,
		"page tables", a->comm);
	assert_between(t->mem.vsize_bytes, a->mem.vsize_bytes, b->mem.vsize_bytes, "size", a->comm);
}

/* A row may be without a counterpart only if it is a task that came or went meanwhile. Pid 1 is by
 * /proc where a sandbox hides it, and has no key then. */
static uint32_t compare_tables(void)
{
	uint32_t steady = 0;

	for (uint32_t i = 0; i < before.count; i++) {
		const struct task *a = &before.tasks[i], *b = snapshot_find(&after, a->id.pid), *t;

		if (!b || !is_steady(a, b))
			continue;
		t = snapshot_find(&by_bpf, a->id.pid);
		if (!t)
			fail_msg("%d (%s) is not among those that BPF told of", (int)a->id.pid,
				a->comm);
		if (a->id.pid == 1 && t->mm_key == 0)
			continue;
		assert_told(t, a, b);
		steady++;
	}
	for (uint32_t i = 0; i < by_bpf.count; i++) {
		const struct task *t = &by_bpf.tasks[i];

		if (i > 0)
			assert_true(t[-1].id.pid < t->id.pid);
		assert_true(snapshot_find(&before, t->id.pid) || snapshot_find(&after, t->id.pid) ||
			t->id.pid > before.last_pid);
	}
	return steady;
}

static void read_all(void)
{
	assert_int_equal(snapshot_refresh(&before), 0);
	read_bpf();
	assert_int_equal(snapshot_refresh(&after), 0);
}

/* --- processes of all kinds --- */

static void hold_memory(int index)
{
	touch_memory(50 * MIB, MAP_PRIVATE);
	touch_memory(8 * MIB, MAP_SHARED);
	prctl(PR_SET_NAME, ") R 1 1\n\x1b[2J\xff");
	child_ready(index);
}

static void share_memory(int index)
{
	touch_memory(10 * MIB, MAP_PRIVATE);
	board->tid = clone_sharer(sleep_for_ever, NULL);
	child_ready(index);
}

static void *outlive_the_leader(void *arg)
{
	touch_memory(20 * MIB, MAP_PRIVATE);
	usleep(100 * 1000); /* until the leader has gone */
	child_ready((int)(intptr_t)arg);
	return NULL;
}

static void become_a_zombie_leader(int index)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, outlive_the_leader, (void *)(intptr_t)index) == 0)
		pthread_exit(NULL);
}

static void run_vfork(int index)
{
	board->ready[index] = 1;
	if (vfork() == 0) {
		board->tid = (pid_t)syscall(SYS_getpid);
		for (;;)
			syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
	}
}

/* --- tests --- */

static void both_tell_the_same_of_processes_that_rest(void **state)
{
	pid_t pids[5];

	pids[0] = child_fork(hold_memory);
	pids[1] = child_fork(share_memory);
	pids[2] = child_fork(become_a_zombie_leader);
	pids[3] = child_fork(child_ready);
	pids[4] = child_fork(hold_memory);
	kill(pids[3], SIGSTOP);
	usleep(50000);
	read_all();
	assert_true(compare_tables() >= 6);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		assert_told(row_of(pids[i]), snapshot_find(&before, pids[i]),
			snapshot_find(&after, pids[i]));
	assert_int_equal(row_of(pids[2])->flags, TASK_ZOMBIE_LEADER);
	assert_in_range(row_of(pids[2])->mem.anon_bytes, 19 * MIB, 40 * MIB);
	assert_int_equal(row_of(pids[3])->state, 'T');
	assert_int_equal(by_bpf.unread + by_bpf.dropped, 0);
}

/* Waits to be told, then has a sharer and a fork of its own. */
static void bear_when_told(int index)
{
	touch_memory(10 * MIB, MAP_PRIVATE);
	board->ready[index] = 1;
	while (!board->go)
		usleep(1000);
	board->tid = clone_sharer(sleep_for_ever, NULL);
	for (;;)
		pause();
}

static struct task newborn;

static void keep_sharer(void *ctx, const struct task *t)
{
	struct task fresh;

	/* Who is told reads on, while the pass is under way. */
	(void)snapshot_read_task(ctx, t->id.pid, &fresh);
	if (t->id.pid == board->tid)
		newborn = *t;
}

static void a_sharer_born_after_the_pass_has_the_key_of_its_group(void **state)
{
	pid_t parent = child_fork(bear_when_told), other = child_fork(child_ready);
	uint32_t rows;

	read_bpf();
	rows = by_bpf.count;
	board->go = true;
	for (int i = 0; i < 5000 && board->tid == 0; i++)
		usleep(1000);
	newborn = (struct task){ 0 };
	assert_true(snapshot_bpf_newborn(bpf, &by_bpf, keep_sharer, &by_bpf) > 0);
	assert_int_equal(newborn.id.pid, sharer_of_child());
	assert_int_equal(newborn.ppid, parent);
	assert_int_equal(newborn.mm_key, row_of(parent)->mm_key);
	assert_int_not_equal(newborn.mm_key, row_of(other)->mm_key);
	assert_int_equal(by_bpf.count, rows);
}

static int end_at_once(void *arg)
{
	return 0;
}

/* Forks, sharers, execs and threads, as fast as they come. */
static void churn(int index)
{
	static char stack[65536];

	board->ready[index] = 1;
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			if (index % 2)
				execl("/proc/self/exe", "live-bpf", "--exit", (char *)NULL);
			_exit(0);
		}
		if (index % 3 == 0)
			clone(end_at_once, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD,
				NULL);
		while (waitpid(-1, NULL, pid < 0 ? 0 : WNOHANG) > 0)
			;
		usleep(200);
	}
}

static void both_tell_the_same_while_processes_come_and_go(void **state)
{
	uint32_t least = UINT32_MAX;
	uint32_t births;
	int first;

	child_fork(hold_memory);
	child_fork(share_memory);
	for (int i = 0; i < CHURNERS; i++)
		child_fork(churn);
	first = snapshot_last_pid(&by_bpf);
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2)
			snapshot_bpf_prepare(bpf);
		read_all();
		least = (uint32_t)min_u64(least, compare_tables());
	}
	births = (uint32_t)(snapshot_last_pid(&by_bpf) - first);
	printf("# %u rounds, at least %u steady tasks compared in each, %u pids given out\n",
		ROUNDS, least, births);
	assert_true(least >= 4);
	assert_true(births > ROUNDS);
}

/* kcmp is the witness. Forks and sharers of one family, all with equal marks. */
static void keys_are_equal_exactly_where_kcmp_finds_one_mm(void **state)
{
	pid_t pids[8];
	uint32_t same = 0;

	pids[0] = child_fork(share_memory);
	pids[1] = sharer_of_child();
	for (int i = 2; i < 7; i++)
		pids[i] = child_fork(child_ready);
	pids[7] = getpid();
	read_bpf();
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		for (size_t j = 0; j < ARRAY_SIZE(pids); j++) {
			const struct task *a = row_of(pids[i]), *b = row_of(pids[j]);
			int r = kill_kcmp(NULL, a, b);

			assert_true(a->mm_key != 0);
			assert_int_equal(a->mm_key == b->mm_key, r == 0);
			same += r == 0;
		}
	assert_int_equal(same, ARRAY_SIZE(pids) + 2);
}

static void groups_need_no_comparison(void **state)
{
	struct sharedmm *sm;
	struct mm_group *g;
	pid_t pid;

	pid = child_fork(share_memory);
	for (int i = 0; i < 5; i++)
		child_fork(child_ready);
	assert_int_equal(sharedmm_new(TABLE, &sm), 0);
	read_bpf();
	assert_int_equal(sharedmm_classify(sm, &by_bpf, getpid()), 0);
	g = sharedmm_group_of(
		sm, (uint32_t)(row_of(pid) - by_bpf.tasks), kill_kcmp, NULL, MM_EVIDENCE_KCMP);
	assert_int_equal(g->count, 2);
	assert_int_equal(g->evidence, MM_EVIDENCE_BPF);
	assert_int_equal(sharedmm_comparisons(sm), 0);
	sharedmm_free(sm);
}

static void a_vfork_child_is_known_for_one(void **state)
{
	const struct task *parent, *child;

	board->tid = 0;
	pid_t pid = child_fork(run_vfork);
	wait_until((const volatile int *)&board->tid);
	read_bpf();
	parent = row_of(pid);
	child = row_of(board->tid);
	kill(board->tid, SIGKILL);
	assert_int_equal(child->flags & TASK_VFORK_CHILD, TASK_VFORK_CHILD);
	assert_int_equal(parent->flags & TASK_VFORK_CHILD, 0);
	assert_int_equal(parent->state, 'D');
	assert_true(parent->mm_key == child->mm_key);
}

static void a_pass_that_was_prepared_is_not_older_for_it(void **state)
{
	char name[TASK_COMM_LEN];

	snapshot_bpf_prepare(bpf);
	pid_t pid = child_fork(hold_memory);
	read_bpf();
	assert_true(row_of(pid)->mem.anon_bytes >= 49 * MIB);
	/* The one whose record lay waiting. */
	assert_int_equal(snapshot_refresh(&after), 0);
	assert_non_null(snapshot_find(&by_bpf, 1));
	assert_string_equal(row_of(1)->comm, snapshot_find(&after, 1)->comm);
	/* And what changed since, of a process that was there before. */
	snapshot_bpf_prepare(bpf);
	prctl(PR_GET_NAME, name);
	prctl(PR_SET_NAME, "renamed");
	read_bpf();
	prctl(PR_SET_NAME, name);
	assert_string_equal(row_of(getpid())->comm, "renamed");
}

static void a_pass_allocates_nothing(void **state)
{
	unsigned count;

	read_bpf();
	count = malloc_count;
	for (int i = 0; i < 10; i++) {
		snapshot_bpf_prepare(bpf);
		read_bpf();
		read_bpf();
	}
	assert_int_equal(malloc_count, count);
}

static void drop(struct __user_cap_data_struct *data, int capability)
{
	data[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
	data[CAP_TO_INDEX(capability)].permitted &= ~CAP_TO_MASK(capability);
}

/* As in the service: what loading takes it has never had. */
static void read_without_the_capabilities_of_loading(int index)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct snapshot_bpf *mine;

	if (syscall(SYS_capget, &header, data) < 0)
		_exit(1);
	drop(data, CAP_BPF);
	drop(data, CAP_PERFMON);
	drop(data, CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &header, data) < 0 ||
		snapshot_bpf_new(LOADED_PATH, &by_bpf, why, sizeof(why), &mine) < 0 ||
		snapshot_bpf_read(mine, &by_bpf) < 0 || row_of(getpid())->mm_key == 0)
		_exit(1);
	child_ready(index);
}

static void to_read_takes_none_of_the_capabilities_that_loading_does(void **state)
{
	child_fork(read_without_the_capabilities_of_loading);
}

static void it_fails(const char *path, int error, const char *clause)
{
	struct snapshot_bpf *none = NULL;
	char said[192] = "";

	assert_int_equal(snapshot_bpf_new(path, &before, said, sizeof(said), &none), error);
	assert_null(none);
	if (!strstr(said, clause))
		fail_msg("%s", said);
}

static void a_file_that_is_not_ours_is_not_believed(void **state)
{
	it_fails(BPFFS "/nothing", -ENOENT, "no BPF program is loaded");
	it_fails("/proc/version", -EPERM, "is not a file of root's in a bpffs");
	it_fails(BPFFS, -EPERM, "is not a file of root's in a bpffs");
	assert_int_equal(chmod(LOADED_PATH, 0666), 0);
	it_fails(LOADED_PATH, -EPERM, "is not a file of root's in a bpffs");
	assert_int_equal(chmod(LOADED_PATH, 0600), 0);
}

static void a_program_that_was_taken_out_is_missed_and_said_so(void **state)
{
	char said[192];

	assert_int_equal(unlink(LOADED_PATH), 0);
	snapshot_bpf_prepare(bpf);
	assert_int_equal(snapshot_bpf_read(bpf, &by_bpf), -ENOENT);
	assert_true(load_bpf(BPFFS, said, sizeof(said))); /* of the next version, say */
	read_bpf();
	assert_true(row_of(getpid())->mm_key != 0);
}

static void a_table_that_is_too_small_keeps_the_heaviest(void **state)
{
	struct snapshot small;

	pid_t pid = child_fork(hold_memory);
	read_bpf();
	/* Kernel threads go first, and others here may be as large. */
	uint32_t room = by_bpf.count / 2;
	assert_int_equal(snapshot_open(&small, by_bpf.proc_fd, room), 0);
	assert_int_equal(snapshot_bpf_read(bpf, &small), 0);
	assert_int_equal(small.count, room);
	assert_true(small.dropped > 0);
	assert_non_null(snapshot_find(&small, pid));
	assert_non_null(snapshot_find(&small, 1));
	snapshot_close(&small);
}

/* Before 6.4 vhost serves a device by a kernel thread with the mm of the owner. */
static void open_vhost(int index)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	touch_memory(4 * MIB, MAP_PRIVATE);
	board->tid = fd < 0 || ioctl(fd, VHOST_SET_OWNER) < 0 ? -1 : 1;
	child_ready(index);
}

static void a_kernel_thread_that_uses_an_mm_is_seen(void **state)
{
	const struct task *borrower = NULL;
	struct sharedmm *sm;
	struct mm_group *g;

	pid_t pid = child_fork(open_vhost);
	if (board->tid < 0) {
		printf("# not tested: there is no vhost-net here\n");
		skip();
	}
	usleep(100000);
	read_bpf();
	for (uint32_t i = 0; i < by_bpf.count; i++)
		if (by_bpf.tasks[i].flags & TASK_BORROWED_MM &&
			by_bpf.tasks[i].mm_key == row_of(pid)->mm_key)
			borrower = &by_bpf.tasks[i];
	if (!borrower) {
		printf("# not tested: vhost has no kernel thread here (6.4 made it one of the "
		       "process)\n");
		skip();
	}
	printf("# %d (%s) uses the mm of %d\n", (int)borrower->id.pid, borrower->comm, (int)pid);
	assert_true(borrower->flags & TASK_KTHREAD);
	assert_int_equal(borrower->mem.anon_bytes, 0);
	assert_int_equal(sharedmm_new(TABLE, &sm), 0);
	assert_int_equal(sharedmm_classify(sm, &by_bpf, getpid()), 0);
	g = sharedmm_group_of(
		sm, (uint32_t)(row_of(pid) - by_bpf.tasks), NULL, NULL, MM_EVIDENCE_KCMP);
	assert_int_equal(g->count, 1);
	assert_int_equal(g->kthreads, 1);
	assert_ptr_equal(&by_bpf.tasks[g->kthread], borrower);
	assert_int_equal(g->pin, MM_PIN_NONE);
	sharedmm_free(sm);
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, children_setup, children_teardown)
	const struct CMUnitTest tests[] = {
		TEST(both_tell_the_same_of_processes_that_rest),
		TEST(both_tell_the_same_while_processes_come_and_go),
		TEST(keys_are_equal_exactly_where_kcmp_finds_one_mm),
		TEST(groups_need_no_comparison),
		TEST(a_sharer_born_after_the_pass_has_the_key_of_its_group),
		TEST(a_vfork_child_is_known_for_one),
		TEST(a_pass_that_was_prepared_is_not_older_for_it),
		TEST(a_pass_allocates_nothing),
		TEST(to_read_takes_none_of_the_capabilities_that_loading_does),
		TEST(a_file_that_is_not_ours_is_not_believed),
		TEST(a_program_that_was_taken_out_is_missed_and_said_so),
		TEST(a_table_that_is_too_small_keeps_the_heaviest),
		TEST(a_kernel_thread_that_uses_an_mm_is_seen),
	};

	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "--exit") == 0)
		return 0;
	if (open_all() < 0)
		return 1;
	if (!bpf)
		printf("1..0 # SKIP %s\n", why);
	else
		failed = cmocka_run_group_tests(tests, NULL, NULL);
	close_all();
	return failed;
}
