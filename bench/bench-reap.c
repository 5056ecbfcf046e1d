/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How soon the memory of a large process is back after SIGKILL: by the kernel's own teardown alone,
 * and with one or more threads in process_mrelease(2) beside it. The victim is made here, sleeps,
 * and is the only one that is signalled. Usage: bench-reap [MIB], 2048 if not given.
 */
#include "bench.h"
#include "util.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ROUNDS      5
#define REAPERS_MAX 3

static size_t size_bytes;

/* When half of the victim's memory was back, when it had exited, which comes after its teardown,
 * and how long a reaper was at it. */
struct figures {
	double half[ROUNDS], exited[ROUNDS], reap[ROUNDS];
};

struct reaper {
	pthread_t thread;
	int pidfd;
	double took_usec;
};

static uint64_t free_bytes(void)
{
	return (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Sleeps in small pages, as heaps that grew slowly do. */
static pid_t start_victim(void)
{
	int ready[2];
	char byte;
	pid_t pid = pipe2(ready, O_CLOEXEC) < 0 ? -1 : fork();

	if (pid == 0) {
		char *p;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
		p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
		if (p == MAP_FAILED)
			_exit(1);
		memset(p, 1, size_bytes);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (pid < 0)
		return -1;
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
	return pid;
}

static void *reap(void *arg)
{
	struct reaper *r = arg;
	double start = now_usec();

	while (syscall(SYS_process_mrelease, r->pidfd, 0) < 0 && errno == EAGAIN)
		;
	r->took_usec = now_usec() - start;
	return NULL;
}

static void one_kill(int reapers, int round, struct figures *f)
{
	struct reaper r[REAPERS_MAX];
	pid_t pid = start_victim();
	int fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t before;
	double start;

	if (fd < 0)
		abort();
	usleep(100000);
	before = free_bytes();
	f->half[round] = f->reap[round] = 0;
	start = now_usec();
	kill(pid, SIGKILL);
	for (int i = 0; i < reapers; i++) {
		r[i].pidfd = fd;
		if (pthread_create(&r[i].thread, NULL, reap, &r[i]) != 0)
			abort();
	}
	while (poll(&p, 1, 0) == 0) {
		uint64_t back = sub_or_zero_u64(free_bytes(), before);

		if (f->half[round] == 0 && back >= size_bytes / 2)
			f->half[round] = now_usec() - start;
		usleep(500);
	}
	f->exited[round] = now_usec() - start;
	for (int i = 0; i < reapers; i++) {
		pthread_join(r[i].thread, NULL);
		f->reap[round] = r[i].took_usec;
	}
	waitpid(pid, NULL, 0);
	close(fd);
}

static void print_figures(int reapers, struct figures *f)
{
	double *columns[] = { f->half, f->exited, f->reap };

	printf("%7d", reapers);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		qsort(columns[i], ROUNDS, sizeof(double), compare_double);
		printf("  %6.0f (%4.0f to %4.0f)", columns[i][ROUNDS / 2] / 1e3,
			columns[i][0] / 1e3, columns[i][ROUNDS - 1] / 1e3);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	static struct figures f[REAPERS_MAX + 1];

	size_bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 2048) * MIB;
	/* The victim takes this from what is free, and gives it back. */
	if (size_bytes == 0 || size_bytes > free_bytes() / 2) {
		fprintf(stderr,
			"bench-reap: that is nothing, or more than half of what is free.\n");
		return 1;
	}
	printf("%zu MiB, ms after SIGKILL: median (min to max)\n"
	       "reapers       half is back            exited             one mrelease\n",
		size_bytes / (size_t)MIB);
	for (int round = 0; round < ROUNDS; round++)
		for (int reapers = 0; reapers <= REAPERS_MAX; reapers++)
			one_kill(reapers, round, &f[reapers]);
	for (int reapers = 0; reapers <= REAPERS_MAX; reapers++)
		print_figures(reapers, &f[reapers]);
	return 0;
}
