/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it costs to find out who shares an mm, and to choose a victim: among forked workers that
 * really sleep, by the real kcmp, and in a table made up, with a comparison that costs nothing. The
 * peer is the plain way: each of a class compared with each other one.
 * Usage: bench-group [WORKERS [TASKS]], 5000 and 50000 if not given.
 */
#include "bench.h"
#include "kill.h"
#include "sharedmm.h"
#include "snapshot.h"
#include "util.h"
#include "victim.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS    7
#define TASKS_MAX (1 << 20)

/* A table, and what is asked of it. */
struct bench {
	const char *name;
	struct snapshot s;
	struct sharedmm *sm;
	sharedmm_cmp_fn *cmp;
	uint32_t hog;                    /* row of the one with marks of its own */
	uint32_t first_worker, a_worker; /* rows */
	uint32_t workers;
	uint64_t plain; /* comparisons of each with each, in the workers' class */
};

struct figure {
	double usec[ROUNDS];
	uint64_t comparisons;
};

/* --- what is measured --- */

static void classify(struct bench *b)
{
	if (sharedmm_classify(b->sm, &b->s, getpid()) < 0)
		abort();
}

static struct mm_group *ask(struct bench *b, uint32_t row)
{
	return sharedmm_group_of(b->sm, row, b->cmp, NULL, MM_EVIDENCE_KCMP);
}

static void ask_nobody(struct bench *b)
{
	classify(b);
}

static void ask_hog(struct bench *b)
{
	ask(b, b->hog);
}

static void ask_one(struct bench *b)
{
	ask(b, b->a_worker);
}

static void ask_all(struct bench *b)
{
	for (uint32_t i = 0; i < b->s.count; i++)
		ask(b, i);
}

static void choose(struct bench *b)
{
	static struct choice choice;
	static struct config config;
	static struct hidden_list hidden;
	static struct victim_scratch *scratch;
	struct victim_fns fns = { .cmp = b->cmp, .evidence = MM_EVIDENCE_KCMP };
	struct victim_need need = {
		.bytes = 64 * MIB, .alone_bytes = 64 * MIB, .total_bytes = 64 * GIB
	};

	if (!scratch)
		scratch = calloc(TASKS_MAX, sizeof(*scratch));
	if (!scratch)
		abort();
	victim_choose(&b->s, b->sm, &config, &hidden, &need, &fns, scratch, &choice);
	if (choice.count != 1 || choice.candidates[choice.chosen[0]].task != b->hog)
		fprintf(stderr, "bench-group: the hog was not chosen\n");
}

static const struct {
	const char *key, *text;
	void (*run)(struct bench *b);
} cases[] = {
	{ "classify", "sort all into classes", ask_nobody },
	{ "hog", "one that is no worker", ask_hog },
	{ "worker", "one of the workers", ask_one },
	{ "all", "all, one after the other", ask_all },
	{ "choose", "choose one victim", choose },
};

static void measure(struct bench *b)
{
	static struct figure figures[ARRAY_SIZE(cases)];

	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		struct figure *f = &figures[c];

		for (int round = 0; round < ROUNDS; round++) {
			double start;

			classify(b);
			start = now_usec();
			cases[c].run(b);
			f->usec[round] = now_usec() - start;
			f->comparisons = sharedmm_comparisons(b->sm);
		}
		qsort(f->usec, ROUNDS, sizeof(f->usec[0]), compare_double);
		printf("%-9s %7" PRIu32 " %7" PRIu32 "  %-26s %12" PRIu64 " %11.1f %11.1f\n",
			b->name, b->s.count, b->workers, cases[c].text, f->comparisons,
			f->usec[ROUNDS / 2], f->usec[0]);
	}
	printf("bench=group table=%s tasks=%" PRIu32 " workers=%" PRIu32, b->name, b->s.count,
		b->workers);
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++)
		printf(" %s_comparisons=%" PRIu64 " %s_usec=%.1f", cases[c].key,
			figures[c].comparisons, cases[c].key, figures[c].usec[ROUNDS / 2]);
	printf(" plain_comparisons=%" PRIu64 " ratio=%.1f\n", b->plain,
		(double)b->plain / (double)figures[3].comparisons);
}

static uint64_t each_with_each(uint64_t n)
{
	return n * (n - 1) / 2;
}

/* --- real workers --- */

static int wait_for_ever(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
	return 0;
}

/* We ourselves, once more: exec gives it marks of its own. */
static pid_t start_hog(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/proc/self/exe", "bench-group", "--hog", (char *)NULL);
		_exit(1);
	}
	return pid;
}

static int be_hog(void)
{
	const size_t size = 128 * MIB;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	memset(p, 1, size);
	return wait_for_ever(NULL);
}

static uint32_t row_of(const struct bench *b, pid_t pid)
{
	const struct task *t = snapshot_find(&b->s, pid);

	return t ? (uint32_t)(t - b->s.tasks) : UINT32_MAX;
}

/* Until the hog holds its memory; others on this machine may hold more, and are none of ours. */
static bool look(struct bench *b, pid_t hog, const pid_t *workers)
{
	for (int i = 0; i < 100; i++) {
		usleep(50000);
		if (snapshot_refresh(&b->s) < 0)
			return false;
		b->hog = row_of(b, hog);
		b->first_worker = row_of(b, workers[0]);
		b->a_worker = row_of(b, workers[b->workers / 2]);
		if (b->hog != UINT32_MAX && b->a_worker != UINT32_MAX &&
			b->s.tasks[b->hog].mem.anon_bytes >= 128 * MIB)
			break;
	}
	/* Only ours: the choice is to be among them. */
	for (uint32_t i = 0; i < b->s.count; i++)
		if (i != b->hog && b->s.tasks[i].ppid != getpid())
			b->s.tasks[i].mem = (struct mm_counters){ 0 };
	return b->hog != UINT32_MAX && b->a_worker != UINT32_MAX;
}

static int bench_real(uint32_t count)
{
	struct bench b = { .name = "forks", .cmp = kill_kcmp };
	pid_t *pids = calloc(count, sizeof(*pids)), hog;
	int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), failed = 1;

	if (!pids || proc_fd < 0 || snapshot_open(&b.s, proc_fd, count + 8192) < 0 ||
		sharedmm_new(count + 8192, &b.sm) < 0)
		abort();
	hog = start_hog();
	for (; b.workers < count; b.workers++) {
		pids[b.workers] = fork();
		if (pids[b.workers] < 0)
			break;
		if (pids[b.workers] == 0)
			wait_for_ever(NULL);
	}
	if (b.workers < count)
		fprintf(stderr, "bench-group: only %" PRIu32 " of %" PRIu32 " workers: %m\n",
			b.workers, count);
	b.plain = each_with_each(b.workers + 1); /* we ourselves are of the class */
	if (hog > 0 && b.workers > 0 && look(&b, hog, pids)) {
		measure(&b);
		failed = b.workers < count;
	}
	for (uint32_t i = 0; i < b.workers; i++)
		kill(pids[i], SIGKILL);
	if (hog > 0)
		kill(hog, SIGKILL);
	while (wait(NULL) > 0)
		;
	sharedmm_free(b.sm);
	snapshot_close(&b.s);
	close(proc_fd);
	free(pids);
	return failed;
}

/* --- a table made up --- */

/* The mm is the pid, but for each hundredth worker, which shares with the one before. */
static uint64_t mm_of(const struct task *t)
{
	return (uint64_t)t->id.pid - (t->id.pid % 100 == 0);
}

static int compare_numbers(void *ctx, const struct task *a, const struct task *b)
{
	uint64_t x = mm_of(a), y = mm_of(b);

	return x == y ? 0 : x < y ? 1 : 2;
}

/* A tenth of all are workers of one pool, the others forks of a hundred each. */
static int bench_table(uint32_t count)
{
	struct bench b = { .name = "synthetic", .cmp = compare_numbers };

	b.s.tasks = calloc(count, sizeof(*b.s.tasks));
	if (!b.s.tasks || sharedmm_new(count, &b.sm) < 0)
		abort();
	b.s.count = b.s.capacity = count;
	b.workers = count / 10;
	b.a_worker = b.workers / 2;
	b.hog = count - 1;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t family = i < b.workers ? 0 : 1 + i / 100;

		b.s.tasks[i] = (struct task){
			.id = { .pid = (pid_t)i + 2, .start_ticks = i },
			.ppid = 1,
			.state = 'S',
			.mem = { .anon_bytes = 10 * MIB + i * KIB / 8 },
			.marks = { .start_code = 0x400000,
				.start_stack = UINT64_C(0x7ff000000000) + family * 4096 },
		};
	}
	b.s.tasks[b.hog].mem.anon_bytes = 128 * MIB;
	b.s.tasks[b.hog].marks.start_code = 0x500000;
	b.plain = each_with_each(b.workers) + each_with_each(100) * (count - b.workers) / 100;
	measure(&b);
	sharedmm_free(b.sm);
	free(b.s.tasks);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t workers = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 5000;
	uint32_t tasks = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 50000;
	int failed;

	if (argc > 1 && strcmp(argv[1], "--hog") == 0)
		return be_hog();
	if (workers == 0 || workers > 100000 || tasks < 1000 || tasks > TASKS_MAX) {
		fprintf(stderr, "Usage: bench-group [WORKERS [TASKS]]\n");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("                                                                    microseconds\n"
	       "table       tasks workers  asked about                 comparisons      median"
	       "         min\n");
	failed = bench_real(workers);
	return bench_table(tasks) || failed;
}
