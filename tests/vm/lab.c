/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab                      process 1 of a virtual machine: mounts what is needed, starts the daemon
 *                          of /daemon, runs the scenario named on the kernel's command line as
 *                          scenario=, powers off
 * lab SCENARIO [UNIT]      the same as root of a machine with systemd, whose UNIT is the daemon
 * lab slow-core            what the kernel pipes a core dump into
 * lab bomb | hog | thrash  the fork bomb, and what runs in containers: programs of their own
 * lab TOOL ...             see tools.c
 * Both start three innocents and two canaries beside the scenario, and end with one line,
 * "RESULT key=value ...". Static, and locked in memory.
 */
#include "lab.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define DAEMON_START_MSEC 2000
#define IDLE_SEC          60
#define INNOCENT_MIB      8
#define CANARY_FILE       "/var/tmp/canary"
#define CANARY_PAGES      512
#define LAST_RESORT_MSEC  20000

struct lab_shared *lab;

long lab_now_msec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void lab_sleep_msec(long msec)
{
	struct timespec t = { .tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

void lab_say(const char *format, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (n > 0 && write(STDOUT_FILENO, line, (size_t)n) < 0)
		return;
}

bool lab_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (!done)
		lab_say("lab: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return done;
}

long lab_file_number(const char *path, const char *name)
{
	char text[16384], *p;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	p = strstr(text, name);
	if (!p)
		return -1;
	p += strlen(name);
	while (*p && !isdigit((unsigned char)*p))
		p++;
	return strtol(p, NULL, 10);
}

/* The result is told in one write that begins a line: the daemon writes to the same console. */
static char result[1024];

static void result_add(const char *format, ...)
{
	size_t length = strlen(result);
	va_list ap;

	va_start(ap, format);
	vsnprintf(result + length, sizeof(result) - length, format, ap);
	va_end(ap);
}

static void result_tell(void)
{
	char line[sizeof(result) + 10];
	int n = snprintf(line, sizeof(line), "\nRESULT %s\n", result);

	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		return;
}

static void power_off(void)
{
	tcdrain(STDOUT_FILENO); /* what a serial line has not sent yet is lost with the power */
	sync();
	reboot(RB_POWER_OFF);
	lab_sleep_for_ever();
}

static void die(const char *what)
{
	lab_say("lab: %s: %s\n", what, strerror(errno));
	result_add("error=%s", what);
	result_tell();
	if (getpid() == 1)
		power_off();
	exit(1);
}

/* --- the machine --- */

void lab_break(const char *what)
{
	lab_say("lab: broken: %s: %s\n", what, strerror(errno));
	lab->broken = 1;
}

void lab_load_modules(void)
{
	FILE *f = fopen("/modules/order", "re");
	char name[64], path[96];

	while (f && fgets(name, sizeof(name), f)) {
		int fd;

		name[strcspn(name, "\n")] = '\0';
		snprintf(path, sizeof(path), "/modules/%s.ko", name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			lab_say("lab: module %s: %s\n", name, strerror(errno));
		close(fd);
	}
	if (f)
		fclose(f);
}

static void set_up_machine(void)
{
	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mkdir("/tmp", 01777);
	mkdir("/mnt", 0755);
	mkdir("/var", 0755);
	mkdir("/var/tmp", 01777);
	if (mount("proc", "/proc", "proc", 0, NULL) < 0 ||
		mount("sysfs", "/sys", "sysfs", 0, NULL) < 0 ||
		(mount("dev", "/dev", "devtmpfs", 0, NULL) < 0 && errno != EBUSY))
		die("mount");
	mount("tmp", "/tmp", "tmpfs", 0, "size=64m");
	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
		die("mount-cgroup2");
	lab_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	lab_load_modules();
}

/* Under systemd: out of every service's cgroup, so that nobody's kill of one ends the measuring. */
static void leave_services(void)
{
	const char *dir = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
		? "/sys/fs/cgroup/lab-measure"
		: "/sys/fs/cgroup/memory/lab-measure";
	char path[96];

	mkdir(dir, 0755);
	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	lab_write(path, "0");
	lab_write("/proc/self/oom_score_adj", "-1000");
	lab_load_modules();
}

/* The value of "key=" on the kernel's command line. */
static bool argument(const char *key, char *ret, size_t size)
{
	char line[2048];
	int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, line, sizeof(line) - 1);
	size_t length = strlen(key);

	close(fd);
	line[n > 0 ? n : 0] = '\0';
	for (char *w = strtok(line, " \n"); w; w = strtok(NULL, " \n")) {
		if (strncmp(w, key, length) != 0 || w[length] != '=')
			continue;
		snprintf(ret, size, "%s", w + length + 1);
		return true;
	}
	return false;
}

/* --- who lives in it --- */

static pid_t start_daemon(const char *name)
{
	char path[96], text[512], *argv[32];
	int argc = 0, fd;
	ssize_t n;
	pid_t pid;

	snprintf(path, sizeof(path), name[0] ? "/usr/local/lib/lab/%s" : "/daemon", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	for (char *w = strtok(text, " \n"); w && argc < 31; w = strtok(NULL, " \n"))
		argv[argc++] = w;
	argv[argc] = NULL;
	if (argc == 0)
		return 0;
	pid = fork();
	if (pid == 0) {
		setsid();
		execv(argv[0], argv);
		lab_say("lab: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	return pid;
}

/* Everybody but the measuring process itself may be chosen by the daemon. */
static pid_t fork_ordinary(const char *cgroup)
{
	pid_t pid = fork();

	if (pid == 0) {
		lab_write("/proc/self/oom_score_adj", "0");
		lab_enter_cgroup(cgroup);
	}
	return pid;
}

static void innocent(int i)
{
	lab_grow(INNOCENT_MIB, 0, MAP_PRIVATE);
	for (;;) {
		lab->heartbeat[i]++;
		lab_sleep_msec(10);
	}
}

static int canary_file(void)
{
	static char page[4096];
	int fd = open(CANARY_FILE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (int i = 0; i < CANARY_PAGES; i++)
		if (write(fd, page, sizeof(page)) < 0)
			lab_say("lab: %s: %s\n", CANARY_FILE, strerror(errno));
	fsync(fd);
	return fd;
}

/* How late a process that wants to run every 5 ms gets to run, and one that reads a file as well.
 */
static void canary(enum lab_canary kind)
{
	int fd = kind == LAB_CANARY_FILE ? canary_file() : -1;
	long last = lab_now_msec();
	static char page[4096];

	for (unsigned i = 0;; i++) {
		long now;

		lab_sleep_msec(5);
		if (fd >= 0 && pread(fd, page, sizeof(page), i * 7 % CANARY_PAGES * 4096L) < 0)
			lab_say("lab: canary: %s\n", strerror(errno));
		now = lab_now_msec();
		if (now - last > lab->canary_worst_msec[kind])
			lab->canary_worst_msec[kind] = now - last;
		last = now;
	}
}

static void start_bystanders(void)
{
	static const char *const cgroups[LAB_INNOCENTS] = { "lab-innocent1", "lab-innocent2",
		"lab-innocent3" };

	for (int i = 0; i < LAB_INNOCENTS; i++) {
		pid_t pid = fork_ordinary(cgroups[i]);

		if (pid == 0)
			innocent(i);
		lab->innocent[i] = pid; /* shared with the child: not its 0 */
	}
	for (int i = 0; i < LAB_CANARIES; i++) {
		pid_t pid = fork_ordinary("lab-canary");

		if (pid == 0)
			canary(i);
		lab->canary[i] = pid;
	}
}

static unsigned innocents_alive(void)
{
	unsigned long before[LAB_INNOCENTS];
	unsigned alive = 0;

	memcpy(before, (const void *)lab->heartbeat, sizeof(before));
	lab_sleep_msec(500);
	for (int i = 0; i < LAB_INNOCENTS; i++)
		alive += lab->heartbeat[i] > before[i] && !lab_is_dead(lab->innocent[i]);
	for (int i = 0; i < LAB_CANARIES; i++)
		alive += !lab_is_dead(lab->canary[i]);
	return alive;
}

static void entrench(void)
{
	struct sched_param p = { .sched_priority = 2 };

	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
	mlockall(MCL_CURRENT);
}

/* A machine that has not recovered may never come to run what is to turn it off: a fork bomb goes
 * on. It is ready before, and gives the others time to tell what they know. */
static void start_last_resort(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fork() != 0) {
		close(fd);
		return;
	}
	setsid();
	entrench();
	while (lab->over == 0)
		lab_sleep_msec(500);
	if (lab->over > 0)
		_exit(0);
	lab_sleep_msec(LAST_RESORT_MSEC);
	if (write(fd, "b", 1) < 0)
		lab_say("lab: sysrq: %s\n", strerror(errno));
	_exit(1);
}

static void start_scenario(const struct scenario *s)
{
	if (s->flags & SCENARIO_IN_INIT) {
		s->run();
		return;
	}
	if (fork_ordinary("lab-actors") != 0)
		return;
	setsid();
	signal(SIGCHLD, SIG_IGN);
	if (s->flags & SCENARIO_ALONE)
		lab_role(getpid(), LAB_VICTIM);
	s->run();
	lab_sleep_for_ever();
}

static const struct scenario *find_scenario(const char *name)
{
	for (const struct scenario *s = lab_scenarios; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	for (const struct scenario *s = lab_host_scenarios; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* --- the result --- */

static void report_usage(const struct subject *subject, const struct usage *before)
{
	pid_t pid = lab_subject_pid(subject);
	struct usage u = { 0 };

	if (subject->child == 0 && !subject->unit)
		return;
	if (pid > 0)
		u = lab_usage(pid);
	result_add(" daemon_alive=%d daemon_majflt=%ld daemon_cpu_ms=%ld daemon_rss_kib=%ld "
		   "daemon_locked_kib=%ld",
		pid > 0, u.majflt - before->majflt, (u.cpu_usec - before->cpu_usec) / 1000,
		u.rss_kib, u.locked_kib);
}

static void report(const struct scenario *s, const struct outcome *o, long kernel_kills)
{
	unsigned innocents = innocents_alive(), all = LAB_INNOCENTS + LAB_CANARIES;
	unsigned alive = lab_count_roles(LAB_VICTIM, false);
	unsigned survivors_dead = lab_count_roles(LAB_SURVIVOR, true);

	result_add(
		"scenario=%s recovered=%d right=%d below_ms=%ld first_ms=%ld "
		"exhausted_ms=%ld lowest_kib=%ld freed_kib=%ld kernel_oom_kills=%ld innocents=%u "
		"innocents_of=%u victims_alive=%u victims_dead=%u survivors_dead=%u canary_ms=%ld "
		"file_canary_ms=%ld signal_ms=%ld run_ms=%ld",
		s->name, o->recovered,
		innocents == all && survivors_dead == 0 &&
			(alive == 0 || !(s->flags & SCENARIO_ALL_DIE)),
		o->below_msec, o->first_msec, o->exhausted_msec, o->lowest_kib,
		o->last_kib - o->lowest_kib, kernel_kills, innocents, all, alive,
		lab_count_roles(LAB_VICTIM, true), survivors_dead,
		lab->canary_worst_msec[LAB_CANARY_CPU], lab->canary_worst_msec[LAB_CANARY_FILE],
		o->signal_msec, o->run_msec);
}

static void idle(const struct subject *subject)
{
	pid_t pid = lab_subject_pid(subject);
	struct usage a = lab_usage(pid), b;

	lab_sleep_msec(IDLE_SEC * 1000L);
	b = lab_usage(pid);
	result_add("scenario=idle recovered=1 right=1 seconds=%d wakeups=%ld "
		   "daemon_cpu_ms=%.1f "
		   "daemon_rss_kib=%ld daemon_locked_kib=%ld daemon_alive=%d",
		IDLE_SEC, b.switches - a.switches, (double)(b.cpu_usec - a.cpu_usec) / 1000,
		b.rss_kib, b.locked_kib, !lab_is_dead(pid));
	result_tell();
}

/* Returns whether the machine has recovered. */
static bool run(const struct scenario *s, const struct subject *subject)
{
	struct usage before = { 0 };
	struct outcome o;
	long kills;

	lab_signals_watch();
	start_bystanders();
	lab_sleep_msec(300);
	for (int i = 0; i < LAB_CANARIES; i++)
		lab->canary_worst_msec[i] = 0;
	if (lab_subject_pid(subject) > 0)
		before = lab_usage(lab_subject_pid(subject));
	kills = lab_file_number("/proc/vmstat", "\noom_kill ");
	lab_say("lab: scenario %s begins\n", s->name);
	lab->over = 0;
	if (getpid() != 1)
		start_last_resort();
	entrench();
	start_scenario(s);
	lab_measure(&o, s, subject);
	if (lab->broken) {
		result_add("scenario=%s recovered=0 right=0 error=broken", s->name);
		result_tell();
		lab->over = 1; /* the others are not harmed */
		return false;
	}
	if (s->flags & SCENARIO_KILL_DAEMON)
		before = (struct usage){ 0 }; /* another process by now */
	report(s, &o, lab_file_number("/proc/vmstat", "\noom_kill ") - kills);
	report_usage(subject, &before);
	result_tell();
	lab->over = o.recovered ? 1 : -1;
	return o.recovered;
}

/* Of a file, so that whom we start as another program finds it. */
static void map_shared(void)
{
	if (fcntl(LAB_SHARED_FD, F_GETFD) < 0) {
		int fd = memfd_create("lab", 0);

		if (fd < 0 || ftruncate(fd, sizeof(*lab)) < 0 || dup2(fd, LAB_SHARED_FD) < 0)
			die("memfd");
		close(fd);
	}
	lab = mmap(NULL, sizeof(*lab), PROT_READ | PROT_WRITE, MAP_SHARED, LAB_SHARED_FD, 0);
	if (lab == MAP_FAILED)
		die("mmap");
}

int main(int argc, char *argv[])
{
	char name[64] = "", daemon[64] = "";
	struct subject subject = { 0 };
	const struct scenario *s;
	bool first = getpid() == 1, recovered = true;
	int status = lab_tool(argc, argv);

	if (status >= 0)
		return status;
	if (argc == 2 && strcmp(argv[1], "slow-core") == 0)
		return lab_slow_core();
	if (argc == 2 && strcmp(argv[1], "thrash") == 0)
		lab_thrash(); /* in a container */
	map_shared();
	if (argc == 2 && strcmp(argv[1], "hog") == 0)
		lab_plain_hog(); /* in a container */
	if (argc == 2 && strcmp(argv[1], "bomb") == 0)
		lab_bomb();
	if (first) {
		set_up_machine();
		argument("scenario", name, sizeof(name));
		argument("daemon", daemon, sizeof(daemon));
		subject.child = start_daemon(daemon);
	} else {
		snprintf(name, sizeof(name), "%s", argc > 1 ? argv[1] : "");
		subject.unit = argc > 2 && argv[2][0] ? argv[2] : NULL;
		leave_services();
	}
	s = find_scenario(name);
	if (!s || (first && (s->flags & SCENARIO_SYSTEMD)) ||
		(!first && (s->flags & SCENARIO_IN_INIT)))
		die("unsupported");
	lab_sleep_msec(DAEMON_START_MSEC);
	if (s->flags & SCENARIO_IDLE)
		idle(&subject);
	else
		recovered = run(s, &subject);
	if (first)
		power_off();
	return recovered ? 0 : 3;
}
