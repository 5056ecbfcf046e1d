/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of memory, of the actors, and what the daemon under test costs. */
#include "lab.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where all daemons under test begin to act, by their settings or ours. */
#define ACT_PERMILLE       100
#define LOW_PERMILLE       120 /* below: the machine is short of memory */
#define RECOVERED_PERMILLE 200 /* at or above: it is not */
#define EXHAUSTED_PERMILLE 20  /* below: there is nothing left to act in */
#define STABLE_MSEC        2000
#define NO_END_MSEC        10000
#define LIMIT_MSEC         45000
#define LIMIT_NOT_LOW_MSEC 45000
#define SAMPLE_MSEC        10

struct sample {
	long available_kib, total_kib;
};

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

bool lab_is_dead(pid_t pid)
{
	char text[1024];
	const char *p = behind_name(pid, text, sizeof(text));

	/* A zombie leader whose threads live is not dead: num_threads is field 20. */
	return p[0] == '\0' || p[1] == 'X' || (p[1] == 'Z' && stat_field(pid, 20) <= 1);
}

unsigned lab_count_roles(enum lab_role role, bool dead)
{
	unsigned n = 0, count = __atomic_load_n(&lab->role_count, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; i < count && i < LAB_ROLES_MAX; i++)
		n += lab->roles[i].role == role && lab_is_dead(lab->roles[i].pid) == dead;
	return n;
}

/* --- the daemon --- */

static long first_number(const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return strtol(text, NULL, 10);
}

/* The first process of a unit, wherever its slice is in the hierarchy. */
static pid_t unit_pid(const char *unit)
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/systemd",
		"/sys/fs/cgroup/unified" };
	/* The latter is nohang's. */
	static const char *const slices[] = { "system.slice", "hostcritical.slice" };
	char path[256];

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		for (size_t k = 0; k < sizeof(slices) / sizeof(slices[0]); k++) {
			long pid;

			snprintf(path, sizeof(path), "%s/%s/%s/cgroup.procs", roots[i], slices[k],
				unit);
			pid = first_number(path);
			if (pid > 0)
				return (pid_t)pid;
		}
	return 0;
}

pid_t lab_subject_pid(const struct subject *subject)
{
	if (subject->unit)
		return unit_pid(subject->unit);
	return subject->child > 0 && !lab_is_dead(subject->child) ? subject->child : 0;
}

struct usage lab_usage(pid_t pid)
{
	struct usage u = { 0 };
	struct dirent *e;
	char path[300];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	u.majflt = stat_field(pid, 12);
	u.rss_kib = lab_file_number(path, "VmRSS:");
	u.locked_kib = lab_file_number(path, "VmLck:");
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, e->d_name);
		u.switches += lab_file_number(path, "\nvoluntary_ctxt_switches:");
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, e->d_name);
		u.cpu_usec += first_number(path) / 1000;
	}
	if (d)
		closedir(d);
	return u;
}

long lab_full_stall_usec(const char *path)
{
	char text[256], *p;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	p = strstr(text, "full ");
	p = p ? strstr(p, "total=") : NULL;
	return p ? strtol(p + 6, NULL, 10) : -1;
}

/* --- the episode --- */

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

/* All that depends on the moment. */
struct progress {
	long start, last, low_since, act_since, above_since;
	long barren_since; /* a bomb has borne nobody: it is dead, for else it would */
	unsigned born;
	bool daemon_killed;
};

static void note(
	struct outcome *o, struct progress *p, struct sample s, long now, long above_permille)
{
	bool low = s.available_kib * 1000 < s.total_kib * LOW_PERMILLE;
	bool high = s.available_kib * 1000 >= s.total_kib * RECOVERED_PERMILLE;
	bool enough = s.available_kib * 1000 >= s.total_kib * above_permille;

	if (low && !o->low_seen) {
		o->low_seen = true;
		p->low_since = now;
	}
	if (p->act_since < 0 && s.available_kib * 1000 < s.total_kib * ACT_PERMILLE)
		p->act_since = now;
	if (o->low_seen && high && o->first_msec < 0)
		o->first_msec = now - p->low_since;
	if (o->low_seen && o->exhausted_msec < 0 &&
		s.available_kib * 1000 < s.total_kib * EXHAUSTED_PERMILLE)
		o->exhausted_msec = now - p->low_since;
	o->below_msec += low ? now - p->last : 0;
	if (s.available_kib < o->lowest_kib)
		o->lowest_kib = s.available_kib;
	o->last_kib = s.available_kib;
	o->run_msec = now - p->start;
	p->above_since = enough ? (p->above_since < 0 ? now : p->above_since) : -1;
	if (lab->born != p->born)
		p->barren_since = now;
	p->born = lab->born;
	p->last = now;
}

static bool is_over(const struct outcome *o, const struct progress *p, const struct scenario *s)
{
	bool all_dead = !(s->flags & SCENARIO_ALL_DIE) || lab_count_roles(LAB_VICTIM, false) == 0;

	bool barren = p->barren_since > 0 && p->last - p->barren_since >= STABLE_MSEC;

	if ((!lab->scenario_ready && !barren) || !all_dead)
		return false;
	if (s->flags & SCENARIO_NOT_LOW)
		return lab_count_roles(LAB_VICTIM, true) > 0;
	if (s->flags & SCENARIO_NO_END)
		return o->low_seen && p->last - p->low_since >= NO_END_MSEC;
	return o->low_seen && p->above_since >= 0 && p->last - p->above_since >= STABLE_MSEC;
}

/* Once, and after the low mark: systemd is to bring it back while the episode lasts. */
static void kill_subject(struct progress *p, const struct outcome *o, const struct subject *subject)
{
	pid_t pid = lab_subject_pid(subject);

	if (p->daemon_killed || !o->low_seen || pid <= 1)
		return;
	p->daemon_killed = true;
	kill(pid, SIGKILL);
	lab_say("lab: killed the daemon, %d\n", (int)pid);
}

void lab_measure(struct outcome *o, const struct scenario *s, const struct subject *subject)
{
	long limit = s->flags & SCENARIO_NOT_LOW ? LIMIT_NOT_LOW_MSEC : LIMIT_MSEC;
	struct progress p = { .above_since = -1, .low_since = -1, .act_since = -1 };
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	long signalled;

	*o = (struct outcome){
		.lowest_kib = LONG_MAX,
		.first_msec = -1,
		.exhausted_msec = -1,
		.signal_msec = -1,
	};
	p.start = p.last = lab_now_msec();
	for (;;) {
		note(o, &p, read_sample(fd), lab_now_msec(),
			s->flags & SCENARIO_SHORT_END ? LOW_PERMILLE : RECOVERED_PERMILLE);
		while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
			;
		if (s->flags & SCENARIO_KILL_DAEMON)
			kill_subject(&p, o, subject);
		o->recovered = is_over(o, &p, s);
		if (o->recovered || o->run_msec > limit || lab->broken)
			break;
		lab_sleep_msec(SAMPLE_MSEC);
	}
	signalled = lab_signals_last_msec();
	/* A daemon that looked between two of our samples may have been faster. */
	if (signalled >= 0 && p.act_since >= 0)
		o->signal_msec = signalled > p.act_since ? signalled - p.act_since : 0;
	close(fd);
}
