/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one pass over all tasks costs, by snapshot.c, by libproc2 with as much of the same as it
 * has, and by the calls that earlyoom 1.7 makes to find the largest, in the same run.
 * Usage: bench-snapshot [PROCESSES ...], 1000 and 10000 if none is given.
 */
#include "bench.h"
#include "earlyoom-scan.h"
#include "sleepers.h"
#include "snapshot.h"
#include "util.h"

#include "../tests/unit/count-malloc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libproc2/pids.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 21

/* What sharedmm.c and victim.c need and libproc2 has. It has no VmPTE, CoreDumping, start_data,
 * start_brk, arg_start or env_start, and shows no thread's mm without reading all threads. */
static enum pids_item items[] = {
	PIDS_ID_PID,
	PIDS_ID_TGID,
	PIDS_ID_PPID,
	PIDS_ID_EUID,
	PIDS_TICS_BEGAN,
	PIDS_STATE,
	PIDS_FLAGS,
	PIDS_NLWP,
	PIDS_CMD,
	PIDS_OOM_ADJ,
	PIDS_VM_RSS_ANON,
	PIDS_VM_RSS_FILE,
	PIDS_VM_RSS_SHARED,
	PIDS_VM_SWAP,
	PIDS_VM_SIZE,
	PIDS_SIGPENDING,
	PIDS_SIGNALS,
	PIDS_ADDR_CODE_START,
	PIDS_ADDR_CODE_END,
	PIDS_ADDR_STACK_START,
};

struct reader {
	const char *name;
	uint32_t (*pass)(void); /* returns how many tasks */
	double usec[ROUNDS];    /* a task */
	unsigned mallocs;
	long syscalls;
};

static struct snapshot snapshot;
static struct pids_info *info;

static uint32_t pass_ours(void)
{
	return snapshot_refresh(&snapshot) < 0 ? 0 : snapshot.count;
}

static uint32_t pass_libproc2(void)
{
	const struct pids_fetch *f = procps_pids_reap(info, PIDS_FETCH_TASKS_ONLY);

	return f ? (uint32_t)f->counts->total : 0;
}

static struct reader readers[] = { { "snapshot", pass_ours }, { "libproc2", pass_libproc2 },
	{ "earlyoom", earlyoom_scan } };

/* The system calls of one pass, made by a traced copy of ourselves between two stops. */
static long count_syscalls(uint32_t (*pass)(void))
{
	long stops = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		(void)pass();
		raise(SIGSTOP);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
		return -1;
	ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 || waitpid(pid, &status, 0) < 0 ||
			!WIFSTOPPED(status) || WSTOPSIG(status) == SIGSTOP)
			break;
		stops += WSTOPSIG(status) == (SIGTRAP | 0x80);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return stops / 2; /* entry and exit */
}

static void measure_pass(struct reader *r, int round, uint32_t *tasks)
{
	unsigned before = malloc_count;
	double start = now_usec();

	*tasks = r->pass();
	r->usec[round] = (now_usec() - start) / *tasks;
	r->mallocs = malloc_count - before;
}

/* In turns, so that what else the machine does hits both. */
static void measure(uint32_t *tasks)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		(void)readers[i].pass(); /* first pages and first allocations do not count */
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
			measure_pass(&readers[i], round, tasks);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		struct reader *r = &readers[i];
		qsort(r->usec, ROUNDS, sizeof(r->usec[0]), compare_double);
		r->syscalls = count_syscalls(r->pass);
	}
}

static void report(uint32_t sleepers, uint32_t tasks)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		const struct reader *r = &readers[i];
		printf("%7" PRIu32 " %7" PRIu32 "  %-9s %7.2f %7.2f %7.2f %9.1f %10.2f %9u\n",
			sleepers, tasks, r->name, r->usec[ROUNDS / 2], r->usec[0],
			r->usec[ROUNDS - 1], r->usec[ROUNDS / 2] * tasks / 1000,
			(double)r->syscalls / tasks, r->mallocs);
	}
	printf("bench=snapshot processes=%" PRIu32 " tasks=%" PRIu32, sleepers, tasks);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		const struct reader *r = &readers[i];
		printf(" %s_usec_median=%.2f %s_usec_min=%.2f %s_usec_max=%.2f %s_syscalls=%.2f"
		       " %s_mallocs=%u",
			r->name, r->usec[ROUNDS / 2], r->name, r->usec[0], r->name,
			r->usec[ROUNDS - 1], r->name, (double)r->syscalls / tasks, r->name,
			r->mallocs);
	}
	printf(" ratio=%.2f ratio_earlyoom=%.2f\n",
		readers[1].usec[ROUNDS / 2] / readers[0].usec[ROUNDS / 2],
		readers[2].usec[ROUNDS / 2] / readers[0].usec[ROUNDS / 2]);
}

static void run(uint32_t count)
{
	uint32_t tasks = 0;

	measure(&tasks);
	report(count, tasks);
}

int main(int argc, char **argv)
{
	static const char *const sizes[] = { NULL, "1000", "10000", NULL };
	const char *const *size = argc > 1 ? (const char *const *)argv : sizes;
	int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("                              microseconds a task      ms a   syscalls   mallocs\n"
	       "  forks   tasks  reader     median     min     max      pass     a task    a "
	       "pass\n");
	for (size++; *size; size++) {
		uint32_t count = (uint32_t)strtoul(*size, NULL, 10);
		if (count == 0 || snapshot_open(&snapshot, proc_fd, count + 4096) < 0 ||
			procps_pids_new(&info, items, ARRAY_SIZE(items)) < 0) {
			fprintf(stderr, "bench-snapshot: cannot begin with %s processes.\n", *size);
			return 1;
		}
		failed |= beside_sleepers(count, run);
		procps_pids_unref(&info);
		snapshot_close(&snapshot);
	}
	return failed;
}
