/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab: one static program that is process 1 of an initramfs (the test suite) or a service of a
 * Debian with systemd (the matrix), starts a scenario, and measures what becomes of the machine.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LAB_SHARED_FD 100
#define LAB_ROLES_MAX 512
#define LAB_INNOCENTS 3
#define LAB_ALL       3000 /* MiB: more than the machine has */

/* What must have become of a process in the end. */
enum lab_role { LAB_VICTIM, LAB_SURVIVOR, LAB_EITHER };

enum lab_canary { LAB_CANARY_CPU, LAB_CANARY_FILE, LAB_CANARIES };

/* Shared by all processes of the lab. */
struct lab_shared {
	volatile unsigned long heartbeat[LAB_INNOCENTS];
	pid_t innocent[LAB_INNOCENTS];
	pid_t canary[LAB_CANARIES];
	volatile long canary_worst_msec[LAB_CANARIES];
	volatile int scenario_ready; /* all of its actors are on the stage */
	volatile int first_ready;    /* the first of them is as big as it gets */
	volatile unsigned born;      /* of the fork bomb */
	volatile int broken;         /* the scenario is not what it is to be */
	volatile int over;           /* 1: recovered, -1: not */
	unsigned role_count;
	struct {
		pid_t pid;
		enum lab_role role;
	} roles[LAB_ROLES_MAX];
};
extern struct lab_shared *lab;

/* --- lab.c --- */

void lab_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void lab_sleep_msec(long msec);
long lab_now_msec(void);
/* The scenario lacks something that it is made of: the run ends, and is none. errno says why. */
void lab_break(const char *what);
/* Writes text into a file that exists; says so when it cannot. */
bool lab_write(const char *path, const char *text);
/* Loads those of /modules/order. */
void lab_load_modules(void);
/* The first number after name in a file, -1 when there is none. */
long lab_file_number(const char *path, const char *name);

/* --- actors.c --- */

void lab_role(pid_t pid, enum lab_role role);

/* Cheap noise: pages of it neither compress nor merge. */
uint64_t lab_noise(uint64_t *x);

/* Maps and touches mib MiB of incompressible memory, at so many MiB a second (0: as fast as it
 * goes), with these mmap flags besides MAP_ANONYMOUS. Stops when there is no more to be had. */
void lab_grow(long mib, long mib_per_sec, int flags);

/* Says that memory may be judged from now on, then eats all of it. */
void lab_hog(long mib_per_sec);
void lab_plain_hog(void);
void lab_sleep_for_ever(void) __attribute__((noreturn));

/* Runs in a child of its own. */
pid_t lab_spawn(void (*run)(void), enum lab_role role);

/* Runs in a process with the mm of the caller: clone(CLONE_VM | flags) without CLONE_THREAD. */
pid_t lab_share_mm(int (*run)(void *), void *arg, int flags);
int lab_sharer(void *arg); /* sleeps */

/* A victim that says first_ready when it is big, then an ordinary hog. */
void lab_with_hog(void (*first)(void), enum lab_role first_role);

/* Moves the caller into a cgroup of its own beside the services (v2 and v1), made if need be.
 * Returns false where there are none. */
bool lab_enter_cgroup(const char *name);
/* The first process in such a cgroup, -1 when it is empty. */
pid_t lab_cgroup_pid(const char *name);
/* Writes a file of such a cgroup, by its name in v2 and in v1 (NULL: v1 has none). */
bool lab_set_cgroup(const char *name, const char *v2_file, const char *v1_file, const char *text);

/* --- scenarios.c, scenarios-host.c --- */

enum {
	SCENARIO_ALONE = 1 << 0,     /* run() is the one victim */
	SCENARIO_ALL_DIE = 1 << 1,   /* its end is that all victims are dead */
	SCENARIO_SHORT_END = 1 << 2, /* its end is that memory has been above the low mark */
	SCENARIO_NO_END = 1 << 3,    /* memory stays low: what counts is who lives after a while */
	SCENARIO_NOT_LOW = 1 << 4,   /* the machine does not run short of memory */
	SCENARIO_KILL_DAEMON = 1 << 5, /* the daemon is killed at the low mark */
	SCENARIO_IN_INIT = 1 << 6,     /* run() is called in process 1 itself, and must return */
	SCENARIO_SYSTEMD = 1 << 7,     /* needs a machine with systemd */
	SCENARIO_IDLE = 1 << 8,        /* nothing happens, for a minute */
};

struct scenario {
	const char *name;
	void (*run)(void); /* in a process of its own, but for SCENARIO_IN_INIT */
	unsigned flags;
};
extern const struct scenario lab_scenarios[], lab_host_scenarios[]; /* end with a NULL name */

/* What the kernel starts for a core dump: "lab slow-core". */
int lab_slow_core(void);
/* "lab bomb", "lab thrash": programs of their own. */
void lab_bomb(void) __attribute__((noreturn));
void lab_thrash(void) __attribute__((noreturn));

/* --- tools.c --- */

/* Runs what argv[1] names, with its arguments; -1 when that is no tool. */
int lab_tool(int argc, char *argv[]);

/* --- signals.c --- */

/* Makes sure that signals can be looked up later. */
void lab_signals_watch(void);
/* When the last of the victims that got SIGTERM or SIGKILL got it for the first time; -1: none did,
 * or the kernel noted nothing. */
long lab_signals_last_msec(void);

/* --- measure.c --- */

struct outcome {
	long below_msec, first_msec, exhausted_msec, lowest_kib, last_kib;
	long signal_msec; /* from 10 % available to the last victim's first signal; -1: unknown */
	bool low_seen, recovered;
	long run_msec;
};

struct usage {
	long majflt, switches, cpu_usec, rss_kib, locked_kib;
};

/* The process under test: how to find it again, it may be restarted. 0: there is none. */
struct subject {
	pid_t child;      /* of process 1 */
	const char *unit; /* of systemd */
};

void lab_measure(struct outcome *o, const struct scenario *s, const struct subject *subject);
pid_t lab_subject_pid(const struct subject *subject);
struct usage lab_usage(pid_t pid);
bool lab_is_dead(pid_t pid);
/* "full total" of a memory.pressure, -1 when it cannot be read. */
long lab_full_stall_usec(const char *path);
unsigned lab_count_roles(enum lab_role role, bool dead);
