/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What servers and container hosts meet: swap, many processes, shared memory of a database,
 * filesystems in memory, and helpers that fail at the same moment.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define CRUN       "/usr/bin/crun"
#define THRASH_MIB UINT64_C(200)
#define IDLERS     2000
#define WORKERS    40
#define THREADS    400
#define BOMB       1500
#define MATES      3
#define POD        300 /* more than a daemon may have room for */

static void run_command(const char *path, char *const argv[])
{
	void (*before)(int) = signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execv(path, argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		lab_break(path);
	signal(SIGCHLD, before);
}

static void swap_on(const char *path)
{
	char *const mkswap[] = { (char *)"mkswap", (char *)path, NULL };

	run_command("/sbin/mkswap", mkswap);
	if (swapon(path, 0) < 0)
		lab_break(path);
}

static void swap_on_disk(void)
{
	int fd = open("/var/tmp/swap", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || posix_fallocate(fd, 0, 256 << 20) != 0)
		lab_break("room for swap");
	close(fd);
	swap_on("/var/tmp/swap");
}

static void hog_with_swap(void)
{
	swap_on_disk();
	lab_spawn(lab_plain_hog, LAB_VICTIM);
}

static void swap_on_zram(void)
{
	if (!lab_write("/sys/block/zram0/disksize", "256M"))
		lab_break("zram");
	swap_on("/dev/zram0");
}

static void hog_with_zram(void)
{
	swap_on_zram();
	lab_spawn(lab_plain_hog, LAB_VICTIM);
}

static void first_hog(void)
{
	lab_enter_cgroup("lab-first");
	lab_hog(60);
}

static void second_hog(void)
{
	lab_enter_cgroup("lab-second");
	lab_hog(60);
}

static void run_two(void)
{
	lab_spawn(first_hog, LAB_VICTIM);
	lab_spawn(second_hog, LAB_VICTIM);
}

/* A part of an application, and of no use without the others. */
static void small_mate(void)
{
	lab_enter_cgroup("lab-whole");
}

static void mate(void)
{
	small_mate();
	lab_grow(8, 0, MAP_PRIVATE);
}

static void mate_that_eats(void)
{
	small_mate();
	lab_hog(0);
}

static void deaf_mate(void)
{
	signal(SIGTERM, SIG_IGN);
	mate_that_eats();
}

static void run_mates(int count, void (*one)(void), void (*hog)(void))
{
	if (!lab_set_cgroup("lab-whole", "memory.oom.group", NULL, "1"))
		lab_break("memory.oom.group");
	for (int i = 0; i < count; i++)
		lab_spawn(one, LAB_VICTIM);
	lab_spawn(hog, LAB_VICTIM);
}

static void run_whole(void)
{
	run_mates(MATES, mate, deaf_mate);
}

static void run_pod(void)
{
	run_mates(POD, small_mate, mate_that_eats);
}

/* Over the limit of its own cgroup: none of the machine's business. */
static void over_limit(void)
{
	lab_enter_cgroup("lab-limited");
	if (!lab_set_cgroup("lab-limited", "memory.max", "memory.limit_in_bytes", "209715200"))
		lab_break("memory limit");
	lab_hog(0);
}

/* Before that it is still crun, and may fail. */
static bool is_lab(pid_t pid)
{
	char path[32], comm[16] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, comm, sizeof(comm) - 1) : -1;
	if (fd >= 0)
		close(fd);
	return n > 0 && strncmp(comm, "lab\n", 4) == 0;
}

/* An OCI container of /var/lib/lab/NAME, run by crun, whose first process is the victim. */
static void run_container(const char *name)
{
	char bundle[64],
		*const argv[] = { (char *)"crun", (char *)"--cgroup-manager=cgroupfs",
			(char *)"run", (char *)"--bundle", bundle, (char *)name, NULL };
	bool started = false;
	pid_t pid = 0;

	snprintf(bundle, sizeof(bundle), "/var/lib/lab/%s", name);
	if (fork() == 0) {
		execv(CRUN, argv);
		_exit(127);
	}
	for (int i = 0; i < 500 && !started; i++) {
		lab_sleep_msec(20);
		pid = lab_cgroup_pid(name);
		started = pid > 0 && is_lab(pid);
	}
	/* No victim to be found dead: the run counts for nothing. */
	if (!started) {
		lab_break("crun");
		return;
	}
	lab_role(pid, LAB_VICTIM);
	lab->scenario_ready = 1;
}

static void run_limit(void)
{
	if (access(CRUN, X_OK) == 0)
		run_container("lab-limited");
	else
		lab_spawn(over_limit, LAB_VICTIM);
}

/* Wants pages in no order, of more than its cgroup has room for: the others are in swap. */
void lab_thrash(void)
{
	const size_t words = (THRASH_MIB << 20) / sizeof(unsigned long);
	volatile unsigned long *p = mmap(NULL, words * sizeof(*p), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long x = 88172645463325252UL;

	/* Nothing that can be compressed. */
	for (size_t i = 0;; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i < words ? i : x % words] = x;
	}
}

static void run_thrash(void)
{
	swap_on_zram();
	run_container("lab-thrasher");
}

/* 2 MiB of its own, in place of those that it has in common with its parent. */
static void grow_two(void)
{
	static char *mine;
	const size_t bytes = 2 << 20;

	if (mine)
		munmap(mine, bytes);
	mine = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mine != MAP_FAILED)
		memset(mine, 1, bytes);
}

/* Each bears another every 100 ms until there have been so many. */
void lab_bomb(void)
{
	lab_enter_cgroup("lab-bomb");
	grow_two();
	for (;;) {
		lab_sleep_msec(100);
		if (__atomic_fetch_add(&lab->born, 1, __ATOMIC_SEQ_CST) >= BOMB) {
			lab->scenario_ready = 1;
			lab_sleep_for_ever();
		}
		if (fork() == 0)
			grow_two();
	}
}

/* A program of its own: the innocents must not resemble it. */
static void run_bomb(void)
{
	char *const argv[] = { (char *)"lab", (char *)"bomb", NULL };

	signal(SIGCHLD, SIG_IGN);
	execv("/proc/self/exe", argv);
	lab_break("bomb");
}

static void run_respawn(void)
{
	signal(SIGCHLD, SIG_DFL);
	for (int i = 0; i < 5; i++) {
		pid_t pid;

		lab->scenario_ready = i == 4;
		pid = fork();
		if (pid == 0) {
			lab_role(getpid(), LAB_VICTIM);
			lab_grow(LAB_ALL, 0, MAP_PRIVATE);
			lab_sleep_for_ever();
		}
		waitpid(pid, NULL, 0);
		lab_sleep_msec(100);
	}
}

/* Leaves 45 MiB; nobody holds what it has written. */
static void fill_tmpfs(void)
{
	static char buffer[1 << 20];
	int fd;

	mkdir("/mnt/full", 0755);
	if (mount("full", "/mnt/full", "tmpfs", 0, "size=95%") < 0)
		lab_break("tmpfs");
	fd = open("/mnt/full/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	memset(buffer, 'x', sizeof(buffer));
	while (lab_file_number("/proc/meminfo", "MemAvailable:") > 45 << 10)
		if (write(fd, buffer, sizeof(buffer)) < 0)
			break;
	lab->scenario_ready = 1;
	_exit(0);
}

static void run_tmpfs(void)
{
	lab_spawn(fill_tmpfs, LAB_EITHER);
}

static void locked_hog(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		lab_break("mlockall");
	lab_hog(0);
}

/* Its pages go back to the pool of huge pages, not to the machine. */
static void hugetlb_server(void)
{
	const size_t bytes = 240 << 20;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED)
		lab_break("huge pages");
	else
		memset(p, 1, bytes);
	lab_enter_cgroup("lab-server");
	lab->first_ready = 1;
}

static void run_hugetlb(void)
{
	if (!lab_write("/proc/sys/vm/nr_hugepages", "120"))
		lab_break("huge pages");
	lab_with_hog(hugetlb_server, LAB_SURVIVOR);
}

static void leak(void)
{
	lab_enter_cgroup("lab-leak");
	lab_hog(60);
}

/* A database: 300 MiB that all of its workers map. */
static void run_database(void)
{
	const size_t bytes = 300 << 20;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	lab_enter_cgroup("lab-database");
	lab_role(getpid(), LAB_SURVIVOR);
	for (size_t at = 0; p != MAP_FAILED && at < bytes; at += 4096)
		p[at] = 1;
	for (int i = 0; i < WORKERS; i++) {
		pid_t pid = fork();
		volatile char sum = 0;

		if (pid != 0) {
			lab_role(pid, LAB_SURVIVOR);
			continue;
		}
		/* The kernel maps the pages around each fault, too. */
		for (size_t at = 0; at < bytes; at += 65536)
			sum += p[at];
		lab_grow(1, 0, MAP_PRIVATE);
		lab_sleep_for_ever();
	}
	lab_sleep_msec(1000);
	munmap(p, bytes);
	lab_spawn(leak, LAB_VICTIM);
}

static void *idle_thread(void *arg)
{
	lab_sleep_for_ever();
}

static void jvm(void)
{
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 65536);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t, &a, idle_thread, NULL) != 0)
			lab_break("threads");
	lab_hog(0);
}

static void run_crowd(void)
{
	for (int i = 0; i < IDLERS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			lab_sleep_for_ever();
		if (pid < 0) {
			lab_break("processes");
			return;
		}
	}
	lab_spawn(lab_plain_hog, LAB_VICTIM);
}

/* What "dd conv=fsync" does, over and over. */
static void write_disk(void)
{
	static char buffer[1 << 20];

	lab_enter_cgroup("lab-writer");
	for (;;) {
		int fd = open("/var/tmp/dd", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		for (int i = 0; i < 64; i++)
			if (write(fd, buffer, sizeof(buffer)) < 0)
				break;
		fsync(fd);
		close(fd);
	}
}

static void run_io(void)
{
	lab_spawn(write_disk, LAB_SURVIVOR);
	lab_sleep_msec(1000);
	lab_spawn(lab_plain_hog, LAB_VICTIM);
}

static void hog_at_leisure(void)
{
	signal(SIGTERM, SIG_IGN);
	lab_hog(100);
}

static void run_crash(void)
{
	lab_spawn(hog_at_leisure, LAB_VICTIM);
}

/* The process that serves the journal, by its name: this is a machine of our own. */
static pid_t journal_pid(void)
{
	for (pid_t pid = 2; pid < 5000; pid++) {
		char path[48], comm[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read(fd, comm, sizeof(comm) - 1) > 0 &&
			strncmp(comm, "systemd-journal", 15) == 0) {
			close(fd);
			return pid;
		}
		close(fd);
	}
	return 0;
}

static void run_journal(void)
{
	pid_t journal = journal_pid();

	if (journal == 0 || kill(journal, SIGSTOP) < 0)
		lab_break("journal");
	lab_spawn(lab_plain_hog, LAB_VICTIM);
}

static void nothing(void)
{
	lab->scenario_ready = 1;
}

const struct scenario lab_host_scenarios[] = {
	{ "swap", hog_with_swap, SCENARIO_ALL_DIE | SCENARIO_SYSTEMD },
	{ "zram", hog_with_zram, SCENARIO_ALL_DIE | SCENARIO_SYSTEMD },
	{ "two", run_two, SCENARIO_ALL_DIE },
	{ "whole", run_whole, SCENARIO_ALL_DIE },
	{ "pod", run_pod, SCENARIO_ALL_DIE },
	{ "limit", run_limit, SCENARIO_ALL_DIE | SCENARIO_NOT_LOW },
	{ "thrash", run_thrash, SCENARIO_ALL_DIE | SCENARIO_NOT_LOW | SCENARIO_SYSTEMD },
	{ "bomb", run_bomb, SCENARIO_SHORT_END },
	{ "respawn", run_respawn, SCENARIO_ALL_DIE },
	{ "tmpfs", run_tmpfs, SCENARIO_NO_END },
	{ "locked", locked_hog, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "hugetlb", run_hugetlb, SCENARIO_ALL_DIE },
	{ "database", run_database, SCENARIO_ALL_DIE },
	{ "jvm", jvm, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "crowd", run_crowd, SCENARIO_ALL_DIE },
	{ "io", run_io, SCENARIO_ALL_DIE | SCENARIO_SYSTEMD },
	{ "crash", run_crash, SCENARIO_ALL_DIE | SCENARIO_KILL_DAEMON | SCENARIO_SYSTEMD },
	{ "journal", run_journal, SCENARIO_ALL_DIE | SCENARIO_SYSTEMD },
	{ "idle", nothing, SCENARIO_IDLE },
	{ NULL, NULL, 0 },
};
