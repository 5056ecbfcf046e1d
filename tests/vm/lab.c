/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Process 1 of the virtual machine in which scenarios run: mounts what is needed, starts the daemon
 * under test, three innocents, a canary and the scenario named on the kernel's command line,
 * samples what happens, prints one line "RESULT key=value ..." on the console and powers off.
 * Static, and everything it needs during the measurement is locked and forked beforehand.
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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOW_PERMILLE       120 /* below: the machine is short of memory */
#define RECOVERED_PERMILLE 200 /* at or above: it is not */
#define STABLE_MSEC        2000
#define DAEMON_START_MSEC  2500
#define LIMIT_MSEC         60000
#define SAMPLE_MSEC        10
#define INNOCENTS          3
#define INNOCENT_MIB       8

struct lab_shared *lab;

struct sample {
	long available_kib, total_kib;
};

struct outcome {
	long below_msec, first_msec, lowest_kib;
	bool low_seen, recovered;
	long run_msec;
};

static long now_msec(void)
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
	char line[256];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (n > 0 && write(STDOUT_FILENO, line, (size_t)n) < 0)
		return;
}

void lab_role(pid_t pid, enum lab_role role)
{
	unsigned at = __atomic_fetch_add(&lab->role_count, 1, __ATOMIC_SEQ_CST);

	if (at >= LAB_ROLES_MAX)
		return;
	lab->roles[at].role = role;
	__atomic_store_n(&lab->roles[at].pid, pid, __ATOMIC_SEQ_CST);
	if (role != LAB_EITHER)
		lab_say("lab: %d is a %s\n", (int)pid, role == LAB_VICTIM ? "victim" : "survivor");
}

static void die(const char *what)
{
	lab_say("lab: %s: %s\n", what, strerror(errno));
	lab_say("RESULT error=%s\n", what);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* --- the machine --- */

static void load_modules(void)
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
	if (mount("proc", "/proc", "proc", 0, NULL) < 0 ||
		mount("sysfs", "/sys", "sysfs", 0, NULL) < 0 ||
		mount("dev", "/dev", "devtmpfs", 0, NULL) < 0)
		die("mount");
	mount("tmp", "/tmp", "tmpfs", 0, "size=64m");
	if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) < 0)
		die("mount cgroup2");
	load_modules();
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

/* What stands behind the name in /proc/PID/stat: " R 1 ..."; "" when there is no such process. */
static const char *behind_name(pid_t pid, char *text, size_t size)
{
	char path[48], *p;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strrchr(text, ')');
	return p ? p + 1 : "";
}

/* Field number 4 or higher; -1 when there is no such process. */
static long stat_field(pid_t pid, int field)
{
	char text[1024];
	const char *p = behind_name(pid, text, sizeof(text));

	for (int i = 3; i < field && p; i++)
		p = *p ? strchr(p + 1, ' ') : NULL;
	return p ? strtol(p, NULL, 10) : -1;
}

static char task_state(pid_t pid)
{
	char text[1024];
	const char *p = behind_name(pid, text, sizeof(text));

	return p[0] && p[1] ? p[1] : 'X';
}

static long file_number(const char *path, const char *name)
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

/* --- who lives in it --- */

static pid_t start_daemon(void)
{
	char text[512], *argv[32];
	int argc = 0, fd = open("/daemon", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	pid_t pid;

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

static void innocent(int i)
{
	lab_grow(INNOCENT_MIB, 0, MAP_PRIVATE);
	for (;;) {
		lab->heartbeat[i]++;
		lab_sleep_msec(10);
	}
}

/* How late a process that wants to run every 5 ms gets to run. */
static void canary(void)
{
	long last = now_msec();

	for (;;) {
		long now;

		lab_sleep_msec(5);
		now = now_msec();
		if (now - last > lab->canary_worst_msec)
			lab->canary_worst_msec = now - last;
		last = now;
	}
}

static void start_bystanders(void)
{
	for (int i = 0; i < INNOCENTS; i++) {
		pid_t pid = fork();

		if (pid == 0)
			innocent(i);
		lab->innocent[i] = pid; /* shared with the child: not its 0 */
	}
	if (fork() == 0)
		canary();
}

/* --- measuring --- */

static struct sample read_sample(int meminfo_fd)
{
	char text[512];
	struct sample s = { 0, 1 };
	ssize_t n = pread(meminfo_fd, text, sizeof(text) - 1, 0);
	char *p;

	text[n > 0 ? n : 0] = '\0';
	p = strstr(text, "MemTotal:");
	if (p)
		s.total_kib = strtol(p + 9, NULL, 10);
	p = strstr(text, "MemAvailable:");
	if (p)
		s.available_kib = strtol(p + 13, NULL, 10);
	return s;
}

static bool is_dead(pid_t pid)
{
	char state = task_state(pid);

	/* A zombie leader whose threads live is not dead: num_threads is field 20. */
	return state == 'X' || (state == 'Z' && stat_field(pid, 20) <= 1);
}

static unsigned count_roles(enum lab_role role, bool dead)
{
	unsigned n = 0, count = __atomic_load_n(&lab->role_count, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; i < count && i < LAB_ROLES_MAX; i++)
		n += lab->roles[i].role == role && is_dead(lab->roles[i].pid) == dead;
	return n;
}

static void reap_children(pid_t daemon, bool *daemon_died)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
		if (pid == daemon)
			*daemon_died = true;
}

static void measure(struct outcome *o, int fd, pid_t daemon, bool *daemon_died, bool wait_victims)
{
	long start = now_msec(), last = start, above_since = -1, first_low = -1;

	*o = (struct outcome){ .lowest_kib = LONG_MAX, .first_msec = -1 };
	for (;;) {
		struct sample s = read_sample(fd);
		long now = now_msec();
		bool low = s.available_kib * 1000 < s.total_kib * LOW_PERMILLE;
		bool high = s.available_kib * 1000 >= s.total_kib * RECOVERED_PERMILLE;

		if (low && first_low < 0)
			first_low = now;
		if (first_low >= 0 && high && o->first_msec < 0)
			o->first_msec = now - first_low;
		o->low_seen = o->low_seen || low;
		o->below_msec += low ? now - last : 0;
		if (s.available_kib < o->lowest_kib)
			o->lowest_kib = s.available_kib;
		above_since = high ? (above_since < 0 ? now : above_since) : -1;
		last = now;
		o->run_msec = now - start;
		reap_children(daemon, daemon_died);
		if (o->low_seen && lab->scenario_ready && above_since >= 0 &&
			now - above_since >= STABLE_MSEC &&
			(!wait_victims || count_roles(LAB_VICTIM, false) == 0)) {
			o->recovered = true;
			return;
		}
		if (o->run_msec > LIMIT_MSEC)
			return;
		lab_sleep_msec(SAMPLE_MSEC);
	}
}

static unsigned innocents_alive(void)
{
	unsigned long before[INNOCENTS];
	unsigned alive = 0;

	memcpy(before, (const void *)lab->heartbeat, sizeof(before));
	lab_sleep_msec(500);
	for (int i = 0; i < INNOCENTS; i++)
		alive += lab->heartbeat[i] > before[i] && !is_dead(lab->innocent[i]);
	return alive;
}

static void entrench(void)
{
	struct sched_param p = { .sched_priority = 2 };

	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &p);
	mlockall(MCL_CURRENT);
}

static void report(const char *scenario, const struct outcome *o, pid_t daemon, bool daemon_died,
	long faults_before, long kills_before)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon);
	lab_say("RESULT scenario=%s recovered=%d below_ms=%ld first_ms=%ld lowest_kib=%ld "
		"kernel_oom_kills=%ld innocents=%u victims_alive=%u victims_dead=%u "
		"survivors_dead=%u canary_ms=%ld run_ms=%ld",
		scenario, o->recovered, o->below_msec, o->first_msec, o->lowest_kib,
		file_number("/proc/vmstat", "\noom_kill ") - kills_before, innocents_alive(),
		count_roles(LAB_VICTIM, false), count_roles(LAB_VICTIM, true),
		count_roles(LAB_SURVIVOR, true), lab->canary_worst_msec, o->run_msec);
	if (daemon > 0)
		lab_say(" daemon_alive=%d daemon_majflt=%ld daemon_cpu_ticks=%ld "
			"daemon_rss_kib=%ld daemon_locked_kib=%ld",
			!daemon_died && !is_dead(daemon), stat_field(daemon, 12) - faults_before,
			stat_field(daemon, 14) + stat_field(daemon, 15),
			file_number(path, "VmRSS:"), file_number(path, "VmLck:"));
	lab_say("\n");
}

int main(void)
{
	char scenario[64] = "";
	struct outcome o;
	pid_t daemon;
	bool daemon_died = false, wait_victims;
	long faults, kills;
	int fd;

	lab = mmap(NULL, sizeof(*lab), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset((void *)lab, 0, sizeof(*lab));
	set_up_machine();
	if (!argument("scenario", scenario, sizeof(scenario)))
		die("no scenario= given");
	fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	daemon = start_daemon();
	lab_sleep_msec(DAEMON_START_MSEC);
	start_bystanders();
	lab_sleep_msec(300);
	lab->canary_worst_msec = 0;
	faults = daemon > 0 ? stat_field(daemon, 12) : 0;
	kills = file_number("/proc/vmstat", "\noom_kill ");
	lab_say("lab: scenario %s begins\n", scenario);
	entrench();
	if (!scenario_start(scenario, &wait_victims))
		die("unknown scenario");
	measure(&o, fd, daemon, &daemon_died, wait_victims);
	report(scenario, &o, daemon, daemon_died, faults, kills);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
