/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a shell is too slow for, and what runs in the containers of guest-domain-test. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READINGS     1024
#define READING_MSEC 10
#define PAGE         4096

static long number(const char *text)
{
	return strtol(text, NULL, 10);
}

/* --- in the containers --- */

/* Wants pages in no order, of more than its cgroup has room for: the others are in swap. */
static void thrash(long mib)
{
	const uint64_t pages = (uint64_t)mib << 8;
	uint64_t x = 88172645463325252ULL;
	volatile uint64_t *p = mmap(
		NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prctl(PR_SET_NAME, "thrasher");
	if (p == MAP_FAILED)
		exit(1);
	for (uint64_t i = 0; i < pages * PAGE / sizeof(x); i++)
		p[i] = lab_noise(&x);
	for (;;)
		p[lab_noise(&x) % pages * (PAGE / sizeof(x))]++;
}

/* So many processes; the last thrashes, the others only wait for each other. */
static int family(char *argv[])
{
	long processes = number(argv[0]);

	prctl(PR_SET_NAME, "sleeper");
	for (long i = 1; i < processes; i++) {
		if (fork() != 0)
			continue;
		if (i < processes - 1)
			lab_sleep_for_ever();
		thrash(number(argv[1]));
	}
	if (processes == 1)
		thrash(number(argv[1]));
	for (;;)
		if (wait(NULL) < 0)
			lab_sleep_for_ever();
	return 0;
}

/* Where a canary tells its worst delay, for whoever maps the file as well. */
static long *canary_cell(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	long *cell = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(*cell)) == 0)
		cell = mmap(NULL, sizeof(*cell), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (cell == MAP_FAILED) {
		lab_say("lab: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return cell;
}

static int canary(char *argv[])
{
	long *cell = canary_cell(argv[0]), last = lab_now_msec();

	prctl(PR_SET_NAME, "canary");
	for (;;) {
		long now;

		lab_sleep_msec(5);
		now = lab_now_msec();
		if (now - last > __atomic_load_n(cell, __ATOMIC_SEQ_CST))
			__atomic_store_n(cell, now - last, __ATOMIC_SEQ_CST);
		last = now;
	}
	return 0;
}

static int canary_worst(char *argv[])
{
	lab_say("%ld\n", __atomic_exchange_n(canary_cell(argv[0]), 0, __ATOMIC_SEQ_CST));
	return 0;
}

/* --- of which no container is made --- */

static int modules(char *argv[])
{
	lab_load_modules();
	return 0;
}

/* One mm in two cgroups: its owner thrashes where it was started, the other only is. */
static int pair(char *argv[])
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)lab_share_mm(lab_sharer, NULL, 0));
	if (!lab_write(argv[0], pid))
		return 1;
	thrash(number(argv[1]));
	return 0;
}

/* Makes and removes cgroups: so many a second, for so many seconds. */
static int churn(char *argv[])
{
	long rate = number(argv[1]), count = rate * number(argv[2]), start = lab_now_msec();
	char path[256];

	for (long i = 0; i < count; i++) {
		long early = start + i * 1000 / rate - lab_now_msec();

		if (early > 0)
			lab_sleep_msec(early);
		snprintf(path, sizeof(path), "%s/churn%ld", argv[0], i);
		if (mkdir(path, 0755) < 0 || rmdir(path) < 0) {
			lab_say("lab: %s: %s\n", path, strerror(errno));
			return 1;
		}
	}
	lab_say("%ld cgroups in %ld ms\n", count, lab_now_msec() - start);
	return 0;
}

/* Removes a cgroup in the moment in which that can be done. */
static int remove_at_once(char *argv[])
{
	long until = lab_now_msec() + 1000 * number(argv[1]);

	while (rmdir(argv[0]) < 0)
		if (errno != EBUSY || lab_now_msec() > until)
			return 1;
	return 0;
}

/* What a process costs in so many seconds. */
static int usage(char *argv[])
{
	pid_t pid = (pid_t)number(argv[0]);
	struct usage a = lab_usage(pid), b;

	lab_sleep_msec(1000 * number(argv[1]));
	b = lab_usage(pid);
	lab_say("%ld %ld\n", b.cpu_usec - a.cpu_usec, b.switches - a.switches);
	return 0;
}

/* --- when a level of pressure was reached --- */

struct reading {
	long at_msec, full_usec;
};

/* What of the last span was a full stall, going by readings of which the newest is number last. */
static long stalled_usec(const struct reading *r, long last, long span_msec)
{
	long start = r[last % READINGS].at_msec - span_msec;

	for (long i = last - 1; i >= 0 && i > last - READINGS; i--) {
		const struct reading *a = &r[i % READINGS], *b = &r[(i + 1) % READINGS];

		if (a->at_msec > start)
			continue;
		return r[last % READINGS].full_usec - b->full_usec +
			(b->full_usec - a->full_usec) * (b->at_msec - start) /
			(b->at_msec - a->at_msec);
	}
	return 0;
}

/* The process of this name in a cgroup.procs, 0: none yet; the others go to ret. */
static pid_t find_process(const char *procs, const char *name, char *ret, size_t size)
{
	FILE *f = fopen(procs, "re");
	pid_t pid = 0, found = 0;

	ret[0] = '\0';
	while (f && fscanf(f, "%d", &pid) == 1) {
		char path[48], comm[32] = "";
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && read(fd, comm, sizeof(comm) - 1) > 0 &&
			strncmp(comm, name, strlen(name)) == 0)
			found = pid;
		else
			snprintf(ret + strlen(ret), size - strlen(ret), " %d", (int)pid);
		if (fd >= 0)
			close(fd);
	}
	if (f)
		fclose(f);
	return found;
}

/*
 * Follows memory.pressure of a cgroup, which need not be there yet, until its thrasher is dead:
 * says who that is and who else is there; when all had stalled for so many percent of a span; and
 * how much later he died.
 */
static int level(char *argv[])
{
	static struct reading readings[READINGS];
	struct sched_param priority = { .sched_priority = 2 };
	long percent = number(argv[2]), span = number(argv[3]), most = 0, reached = -1, n = 0;
	long start = lab_now_msec(), now = start, until = start + 1000 * number(argv[4]);
	pid_t pid = 0;
	char others[256];

	sched_setscheduler(0, SCHED_FIFO, &priority);
	while (lab_full_stall_usec(argv[0]) < 0 && now < until) {
		lab_sleep_msec(READING_MSEC);
		now = lab_now_msec();
		/* What is not there does not stall. */
		readings[0].at_msec = now - span;
		n = 1;
	}
	start = now;
	for (; (pid == 0 || !lab_is_dead(pid)) && now < until; n++) {
		long stalled, full = lab_full_stall_usec(argv[0]);

		readings[n % READINGS].at_msec = now;
		readings[n % READINGS].full_usec =
			full < 0 && n > 0 ? readings[(n - 1) % READINGS].full_usec : full;
		stalled = stalled_usec(readings, n, span);
		most = stalled > most ? stalled : most;
		if (reached < 0 && stalled / 10 >= percent * span)
			reached = now;
		if (pid == 0 && (pid = find_process(argv[1], "thrasher", others, sizeof(others))))
			lab_say("%d%s\n", (int)pid, others);
		lab_sleep_msec(READING_MSEC);
		now = lab_now_msec();
	}
	lab_say("%s reached_ms=%ld end_ms=%ld late_ms=%ld most_percent=%ld\n",
		now < until ? "dead" : "alive", reached < 0 ? -1 : reached - start, now - start,
		reached < 0 || now >= until ? -1 : now - reached, most / 10 / span);
	return 0;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char *argv[]);
} tools[] = {
	{ "family", 2, family },                        /* PROCESSES MIB */
	{ "canary", 1, canary },                        /* FILE */
	{ "canary-worst", 1, canary_worst },            /* FILE */
	{ "modules", 0, modules }, { "pair", 2, pair }, /* PROCS_FILE MIB */
	{ "churn", 3, churn },                          /* CGROUP RATE SECONDS */
	{ "remove", 2, remove_at_once },                /* CGROUP SECONDS */
	{ "usage", 2, usage },                          /* PID SECONDS */
	{ "level", 5, level }, /* PRESSURE_FILE PROCS_FILE PERCENT SPAN_MSEC SECONDS */
};

int lab_tool(int argc, char *argv[])
{
	for (size_t i = 0; argc > 1 && i < sizeof(tools) / sizeof(tools[0]); i++)
		if (strcmp(argv[1], tools[i].name) == 0 && argc == tools[i].arguments + 2)
			return tools[i].run(argv + 2);
	return -1;
}
