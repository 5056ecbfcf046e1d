/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes on real processes: their shared memory by what becomes of it, and who shares an mm when
 * kcmp cannot be asked, with and without the right to see page numbers.
 */
#include "probe.h"

#include "children.h"
#include "util.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define AMPLE (10 * USEC_PER_SEC)

static struct probe *probe;

static int open_probe(void)
{
	_cleanup_(fd_closep) int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return probe_open(fd, NULL, "", &probe);
}

static int setup(void **state)
{
	assert_int_equal(open_probe(), 0);
	return children_setup(state);
}

static int teardown(void **state)
{
	probe_close(probe);
	return children_teardown(state);
}

static void change_capability(int capability, bool have)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];
	const __u32 bit = 1u << (capability % 32);

	assert_int_equal(syscall(SYS_capget, &h, d), 0);
	if (have)
		d[capability / 32].effective |= bit & d[capability / 32].permitted;
	else
		d[capability / 32].effective &= ~bit;
	assert_int_equal(syscall(SYS_capset, &h, d), 0);
}

/* Threads started now cannot see page numbers. */
static int setup_without_pages(void **state)
{
	change_capability(CAP_SYS_ADMIN, false);
	int r = open_probe();
	change_capability(CAP_SYS_ADMIN, true);
	assert_int_equal(r, 0);
	return children_setup(state);
}

static bool pages_are_visible(void)
{
	_cleanup_(fd_closep) int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;
	off_t at = (off_t)((uintptr_t)&entry / (uintptr_t)getpagesize() * sizeof(entry));

	return pread(fd, &entry, sizeof(entry), at) == sizeof(entry) && (entry & 0xffffffff) != 0;
}

/* --- command lines, shared memory --- */

static void our_own_command_line_is_found(void **state)
{
	char text[256];

	assert_int_equal(probe_cmdline(probe, getpid(), AMPLE, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "live-probe"));
	assert_int_equal(probe_cgroup(probe, getpid(), AMPLE, text, sizeof(text), NULL), 0);
	assert_int_equal(text[0], '/');
}

static void hold_shared_memory(int index)
{
	char path[] = "/dev/shm/oomfwd-live-XXXXXX";
	int linked = mkstemp(path), memfd = memfd_create("x", MFD_CLOEXEC);
	int segment = shmget(IPC_PRIVATE, 2 * MIB, IPC_CREAT | 0600);
	char *p = touch_memory(16 * MIB, MAP_SHARED);

	board->address = (uintptr_t)p;
	if (linked < 0 || memfd < 0 || segment < 0 || ftruncate(linked, MIB) < 0 ||
		ftruncate(memfd, 4 * MIB) < 0)
		_exit(3);
	memset(mmap(NULL, MIB, PROT_WRITE, MAP_SHARED, linked, 0), 1, MIB);
	memset(mmap(NULL, 4 * MIB, PROT_WRITE, MAP_SHARED, memfd, 0), 1, 4 * MIB);
	memset(shmat(segment, NULL, 0), 1, 2 * MIB);
	shmctl(segment, IPC_RMID, NULL); /* shows no different until the last detaches */
	board->ready[index] = 1;
	while (!board->go)
		usleep(1000);
	unlink(path);
	board->ready[CHILDREN_MAX - 1] = 1;
	for (;;)
		pause();
}

static void shared_memory_is_told_apart_by_what_becomes_of_it(void **state)
{
	if (access("/dev/shm", W_OK) < 0)
		skip();
	pid_t pid = child_fork(hold_shared_memory);
	struct probe_shmem m;

	assert_int_equal(probe_shmem(probe, pid, AMPLE, &m), 0);
	assert_in_range(m.private_bytes, 20 * MIB, 20 * MIB + 64 * KIB);
	assert_in_range(m.kept_bytes, 3 * MIB, 3 * MIB + 64 * KIB);

	board->go = true; /* the file loses its name: its memory is free with its last user */
	wait_until(&board->ready[CHILDREN_MAX - 1]);
	assert_int_equal(probe_shmem(probe, pid, AMPLE, &m), 0);
	assert_in_range(m.private_bytes, 21 * MIB, 21 * MIB + 64 * KIB);
	assert_in_range(m.kept_bytes, 2 * MIB, 2 * MIB + 64 * KIB);
}

static char *inherited;

static void touch_inherited(int index)
{
	memset(inherited, 2, 8 * MIB);
	child_ready(index);
}

static void shared_memory_of_two_comes_back_from_neither_alone(void **state)
{
	struct probe_shmem m;

	inherited = mmap(NULL, 8 * MIB, PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t a = child_fork(touch_inherited), b = child_fork(touch_inherited);
	munmap(inherited, 8 * MIB);
	assert_int_equal(probe_shmem(probe, a, AMPLE, &m), 0);
	assert_in_range(m.private_bytes, 0, 64 * KIB);
	assert_in_range(m.pss_bytes, 4 * MIB - 64 * KIB, 4 * MIB + 64 * KIB);
	child_end(b);
	assert_int_equal(probe_shmem(probe, a, AMPLE, &m), 0);
	assert_in_range(m.private_bytes, 8 * MIB, 8 * MIB + 64 * KIB);
}

static void who_has_no_mm_has_no_shared_memory(void **state)
{
	pid_t pid = child_fork(child_ready);
	struct probe_shmem m = { .private_bytes = 77 };
	siginfo_t info;

	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(probe_shmem(probe, pid, AMPLE, &m), -ESRCH);
	assert_true(probe_same_mm(probe, pid, getpid(), AMPLE) <= 0);
	assert_int_equal(m.private_bytes, 77);
}

/* --- who shares an mm --- */

/* A program of its own, so that no fork of the test's memory is left in it. */
static int run_self(void **state, const char *role)
{
	int index = child_count++, fds[2];
	pid_t pids[2] = { 0, 0 };

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[1], STDOUT_FILENO);
		execl("/proc/self/exe", "live-probe", role, (char *)NULL);
		_exit(1);
	}
	close(fds[1]);
	children[index] = pid;
	assert_int_equal(read(fds[0], pids, sizeof(pids)), sizeof(pids));
	close(fds[0]);
	board->tid = pids[1];
	return pids[0];
}

static volatile char *role_memory;

/* Grows without end, a page a millisecond. */
static int grow(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < 100 * MIB; i += 4096, usleep(1000))
		role_memory[i] = 1;
	return sleep_for_ever(arg);
}

static int play_role(const char *role)
{
	pid_t pids[2] = { getpid(), 0 };
	role_memory =
		mmap(NULL, 100 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset((char *)role_memory, 1, 2 * MIB);
	if (!strcmp(role, "sharers")) {
		pids[1] = clone_sharer(sleep_for_ever, NULL);
	} else if (!strcmp(role, "growing-sharers")) {
		pids[1] = clone_sharer(grow, NULL);
	} else {
		/* Two children of one parent, which then is out of their way. */
		for (int i = 0; i < 2; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				if (!strcmp(role, "working-forks"))
					memset((char *)role_memory, 2, 2 * MIB);
				for (;;)
					pause();
			}
		}
	}
	usleep(50 * 1000);
	if (write(STDOUT_FILENO, pids, sizeof(pids)) != sizeof(pids))
		return 1;
	for (;;)
		pause();
}

static void a_pair_that_shares_is_the_same(void **state)
{
	pid_t a = run_self(state, "sharers"), b = sharer_of_child();

	assert_int_equal(probe_same_mm(probe, a, b, AMPLE), 1);
	assert_int_equal(probe_same_mm(probe, b, a, AMPLE), 1);
	assert_int_equal(probe_same_mm(probe, a, getpid(), AMPLE), 0);
	assert_int_equal(probe_same_mm(probe, getpid(), b, AMPLE), 0);
}

static void a_pair_that_shares_and_grows_is_the_same(void **state)
{
	if (!pages_are_visible())
		skip(); /* figures that move are no evidence */
	pid_t a = run_self(state, "growing-sharers"), b = sharer_of_child();

	for (int i = 0; i < 20; i++)
		assert_int_equal(probe_same_mm(probe, a, b, AMPLE), 1);
}

static void forks_that_did_the_same_work_are_different(void **state)
{
	pid_t a = run_self(state, "working-forks"), b = sharer_of_child();

	for (int i = 0; i < 20; i++)
		assert_int_equal(probe_same_mm(probe, a, b, AMPLE), 0);
}

static void idle_forks_are_different(void **state)
{
	pid_t a = run_self(state, "idle-forks"), b = sharer_of_child();

	for (int i = 0; i < 20; i++)
		assert_int_equal(probe_same_mm(probe, a, b, AMPLE), 0);
}

static void a_fork_is_not_its_parent(void **state)
{
	pid_t a = child_fork(child_ready), b = child_fork(child_ready);

	assert_int_equal(probe_same_mm(probe, a, getpid(), AMPLE), 0);
	assert_int_equal(probe_same_mm(probe, a, b, AMPLE), 0);
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return play_role(argv[1]);
#define LIVE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define NO_PAGES(f)                                                                                \
	{                                                                                          \
#f "_without_page_numbers", f, setup_without_pages, teardown, NULL                 \
	}
	const struct CMUnitTest tests[] = {
		LIVE(our_own_command_line_is_found),
		LIVE(shared_memory_is_told_apart_by_what_becomes_of_it),
		LIVE(shared_memory_of_two_comes_back_from_neither_alone),
		LIVE(who_has_no_mm_has_no_shared_memory),
		LIVE(a_pair_that_shares_is_the_same),
		LIVE(a_pair_that_shares_and_grows_is_the_same),
		LIVE(forks_that_did_the_same_work_are_different),
		LIVE(idle_forks_are_different),
		LIVE(a_fork_is_not_its_parent),
		NO_PAGES(a_pair_that_shares_is_the_same),
		NO_PAGES(forks_that_did_the_same_work_are_different),
		NO_PAGES(idle_forks_are_different),
		NO_PAGES(a_fork_is_not_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
