/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one pass over all tasks costs by the BPF program, by /proc as snapshot.c reads it, and by
 * earlyoom's scan, in turns in the same run. Usage: bench-bpf [PROCESSES ...], 1000 and 10000 if
 * none is given.
 */
#include "bench.h"
#include "earlyoom-scan.h"
#include "sleepers.h"
#include "snapshot-bpf.h"
#include "util.h"

#include "../tests/live/load-bpf.h"
#include "../tests/unit/count-malloc.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#define ROUNDS 21

static struct snapshot snapshot;
static struct snapshot_bpf *bpf;

static uint32_t pass_bpf(void)
{
	return snapshot_bpf_read(bpf, &snapshot) < 0 ? 0 : snapshot.count;
}

static uint32_t pass_proc(void)
{
	return snapshot_refresh(&snapshot) < 0 ? 0 : snapshot.count;
}

static struct reader_figures {
	const char *name;
	uint32_t (*pass)(void); /* returns how many tasks */
	double usec[ROUNDS];    /* a task */
	unsigned mallocs;
} readers[] = {
	{ "bpf", pass_bpf },
	{ "proc", pass_proc },
	{ "earlyoom", earlyoom_scan },
};

/* In turns, so that what else the machine does hits all. */
static void measure(uint32_t *tasks)
{
	for (int round = -1; round < ROUNDS; round++)
		for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
			struct reader_figures *r = &readers[i];
			unsigned before = malloc_count;
			double start;

			snapshot_bpf_prepare(bpf);
			start = now_usec();
			*tasks = r->pass();
			if (round < 0)
				continue; /* first pages and first allocations do not count */
			r->usec[round] = (now_usec() - start) / *tasks;
			r->mallocs = malloc_count - before;
		}
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		qsort(readers[i].usec, ROUNDS, sizeof(readers[i].usec[0]), compare_double);
}

static void report(uint32_t sleepers, uint32_t tasks)
{
	double base = readers[0].usec[ROUNDS / 2];
	struct utsname u;

	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		const struct reader_figures *r = &readers[i];
		printf("%7" PRIu32 " %7" PRIu32 "  %-7s %8.2f %8.2f %8.2f %9.2f %9u\n", sleepers,
			tasks, r->name, r->usec[ROUNDS / 2], r->usec[0], r->usec[ROUNDS - 1],
			r->usec[ROUNDS / 2] * tasks / 1000, r->mallocs);
	}
	uname(&u);
	printf("bench=bpf kernel=%s processes=%" PRIu32 " tasks=%" PRIu32, u.release, sleepers,
		tasks);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		const struct reader_figures *r = &readers[i];
		printf(" %s_usec_median=%.2f %s_usec_min=%.2f %s_usec_max=%.2f %s_ratio=%.1f",
			r->name, r->usec[ROUNDS / 2], r->name, r->usec[0], r->name,
			r->usec[ROUNDS - 1], r->name, r->usec[ROUNDS / 2] / base);
	}
	printf("\n");
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
	char why[192] = "";
	double start;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (snapshot_open(&snapshot, proc_fd, 8192) < 0)
		return 1;
	start = now_usec();
	if (!load_bpf(BPFFS, why, sizeof(why)) ||
		snapshot_bpf_new(LOADED_PATH, &snapshot, why, sizeof(why), &bpf) < 0) {
		printf("bench-bpf: cannot be measured here: %s\n", why);
		return 77;
	}
	printf("loaded and checked in %.1f ms\n"
	       "                              microseconds a task      ms a   mallocs\n"
	       "  forks   tasks  reader    median      min      max      pass    a pass\n",
		(now_usec() - start) / 1000);
	for (size++; *size; size++) {
		uint32_t count = (uint32_t)strtoul(*size, NULL, 10);
		if (count == 0 || snapshot_reserve(&snapshot, count + 4096) < 0) {
			fprintf(stderr, "bench-bpf: cannot begin with %s processes.\n", *size);
			return 1;
		}
		failed |= beside_sleepers(count, run);
	}
	snapshot_bpf_free(bpf);
	snapshot_close(&snapshot);
	return failed;
}
