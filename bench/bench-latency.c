/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long it takes from the moment that a shortage is seen to the moment that the signal could be
 * sent: the snapshot, its groups, the choice by the rules given, and the pidfd opened and verified.
 * As --dry-run: nobody is signalled but those made here, at the end. The peer is earlyoom's scan,
 * in turns with ours. Usage: bench-latency CONFIG [PROCESSES ...], 2000 if none is given.
 */
#include "actor.h"
#include "bench.h"
#include "earlyoom-scan.h"
#include "report.h"
#include "sleepers.h"
#include "util.h"

#include "../tests/live/load-bpf.h"

#include <inttypes.h>
#include <sys/mman.h>

#define ROUNDS    21
#define HOG_BYTES (256 * MIB)

enum part { PART_BPF, PART_PROC, PART_SIGNAL, PART_PEER, PARTS };

static const char *const part_names[PARTS] = {
	[PART_BPF] = "all, tasks by BPF",
	[PART_PROC] = "all, tasks by /proc",
	[PART_SIGNAL] = "of it after the choice",
	[PART_PEER] = "earlyoom's scan",
};

static const char *const part_keys[PARTS] = { "bpf", "proc", "signal", "earlyoom" };

static pid_t start_hog(void)
{
	int ready[2];
	char byte;
	pid_t pid = pipe(ready) < 0 ? -1 : fork();

	if (pid == 0) {
		char *p = mmap(NULL, HOG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (p == MAP_FAILED)
			_exit(1);
		memset(p, 1, HOG_BYTES);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (pid > 0)
		close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) != 1)
		abort();
	return pid;
}

/* Once from detection to the signal. Whom it chooses is of no matter: others here may be larger
 * than the hog. False: nobody could be chosen. */
static bool one_kill(struct actor *a, const struct victim_need *need, double *all, double *signal)
{
	double start, chosen;
	struct kill_result result;
	int slot, outcome;

	reader_prepare(&a->reader); /* as the daemon does in calm times */
	start = now_usec();
	if (actor_look_around(a, *need, 0, NULL) < 0 || a->choice->count == 0)
		return false;
	chosen = now_usec();
	const struct candidate *c = &a->choice->candidates[a->choice->chosen[0]];
	slot = kill_prepare(a->killer, &a->snapshot, a->sharedmm, &c->group, c->yield_bytes);
	if (slot < 0)
		return false;
	/* A dry run's: it sends nothing. */
	kill_signal(a->killer, &slot, &outcome, 1, SIGTERM, NULL, NULL, &result);
	*all = now_usec() - start;
	*signal = now_usec() - chosen;
	kill_release(a->killer, slot);
	return outcome == 0;
}

/* By both readers, if there are both. */
static bool both_kills(struct actor *a, const struct victim_need *need, double *ret)
{
	struct snapshot_bpf *bpf = a->reader.bpf;
	bool good;

	if (bpf && !one_kill(a, need, &ret[PART_BPF], &ret[PART_SIGNAL]))
		return false;
	a->reader.bpf = NULL;
	good = one_kill(a, need, &ret[PART_PROC], &ret[PART_SIGNAL]);
	a->reader.bpf = bpf;
	return good;
}

static void print_figures(uint32_t processes, uint32_t tasks, double figures[PARTS][ROUNDS])
{
	for (int p = 0; p < PARTS; p++) {
		if (figures[p][0] == 0) /* it was not to be had */
			continue;
		qsort(figures[p], ROUNDS, sizeof(double), compare_double);
		printf("%9" PRIu32 " %7" PRIu32 "  %-22s %8.2f %8.2f %8.2f\n", processes, tasks,
			part_names[p], figures[p][ROUNDS / 2] / 1e3, figures[p][0] / 1e3,
			figures[p][ROUNDS - 1] / 1e3);
	}
	printf("bench=latency processes=%" PRIu32 " tasks=%" PRIu32, processes, tasks);
	for (int p = 0; p < PARTS; p++)
		printf(" %s_ms_median=%.3f", part_keys[p], figures[p][ROUNDS / 2] / 1e3);
	printf(" proc_to_earlyoom=%.2f",
		figures[PART_PROC][ROUNDS / 2] / figures[PART_PEER][ROUNDS / 2]);
	printf(" bpf_to_earlyoom=%.3f\n",
		figures[PART_BPF][ROUNDS / 2] / figures[PART_PEER][ROUNDS / 2]);
}

/* In turns, so that what else the machine does hits both. */
static bool measure(const struct config *c, uint32_t processes)
{
	static double figures[PARTS][ROUNDS];
	struct victim_need need = {
		.bytes = HOG_BYTES / 2, .alone_bytes = HOG_BYTES / 2, .total_bytes = 64 * GIB
	};
	struct actor *a = NULL;
	int wake_fd;
	bool good = actor_new(c, true, &a, &wake_fd) == 0;

	for (int round = 0; good && round < ROUNDS; round++) {
		double now[PARTS] = { 0 }, start;

		good = both_kills(a, &need, now);
		start = now_usec();
		(void)earlyoom_scan();
		now[PART_PEER] = now_usec() - start;
		for (int p = 0; p < PARTS; p++)
			figures[p][round] = now[p];
	}
	if (good)
		print_figures(processes, a->snapshot.count, figures);
	actor_free(a);
	return good;
}

static bool run(const struct config *c, uint32_t processes)
{
	pid_t *pids = calloc(processes, sizeof(*pids)), hog = start_hog();
	bool good = pids && hog > 0;
	uint32_t made = good ? fork_sleepers(pids, processes) : 0;

	good = good && made == processes && measure(c, processes);
	if (!good)
		fprintf(stderr,
			"bench-latency: %" PRIu32 " of %" PRIu32
			" processes could be made, and nobody could be chosen\n",
			made, processes);
	end_sleepers(pids, made);
	if (hog > 0)
		end_sleepers(&hog, 1);
	free(pids);
	return good;
}

int main(int argc, char **argv)
{
	struct config *c;
	char why[192] = "";
	bool good = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || config_load(argv[1], stderr, &c) < 0) {
		fprintf(stderr, "Usage: bench-latency CONFIG [PROCESSES ...]\n");
		return 1;
	}
	/* Where the daemon looks for it, but seen by us alone. */
	if (!load_bpf("/sys/fs/bpf", why, sizeof(why)))
		printf("no BPF: %s\n", why);
	printf("                                                    milliseconds\n"
	       "processes   tasks                           median      min      max\n");
	for (int i = 2; i < argc; i++)
		good &= run(c, (uint32_t)strtoul(argv[i], NULL, 10));
	if (argc == 2)
		good = run(c, 2000);
	config_free(c);
	return good ? 0 : 1;
}
