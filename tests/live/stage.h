/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Real victims for live-kill.c: a process of its own that fills memory and shares it. What the test
 * and its children tell each other goes through a shared page; all pids a stage makes end up there,
 * so that the test can end what it began, and nothing else. Orphans come to the test (subreaper),
 * so no pid of a stage is recycled before the test has waited for it.
 */
#pragma once

#include "kill.h"
#include "util.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
/* cmocka wants these before itself: */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STAGE_PIDS    8192
#define STAGE_STACK   (16 * 1024)
#define STAGE_STACKS  2048
#define STAGE_BYTES   (64 * MIB)
#define PATIENCE_USEC (10 * USEC_PER_SEC)

/* Shared between the test and the stage's processes. */
struct stage {
	atomic_int pid_count;
	pid_t pids[STAGE_PIDS];
	atomic_int go;      /* the test tells the stage to take its next step */
	atomic_int done;    /* the stage has taken so many */
	atomic_int curtain; /* whoever bears children stops it */
	atomic_ulong beats; /* of a process that is not stopped */
	uint64_t bytes;
};

struct play {
	struct stage *stage;
	struct snapshot s;
	struct sharedmm *sm;
	struct killer *k;
	int proc_fd, wake_fd;
};

static inline uint64_t now_usec(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

/* --- in the stage's processes: no libc state, they share it --- */

static inline void enter(struct stage *st)
{
	int i = atomic_fetch_add(&st->pid_count, 1);
	if (i < STAGE_PIDS)
		st->pids[i] = (pid_t)syscall(SYS_getpid);
}

static inline void nap(long usec)
{
	struct timespec t = { .tv_sec = usec / 1000000, .tv_nsec = usec % 1000000 * 1000 };
	syscall(SYS_nanosleep, &t, NULL);
}

/* Until the curtain falls. */
static inline int rest(struct stage *st)
{
	while (!atomic_load(&st->curtain))
		nap(20000);
	return 0;
}

/* The step is done; nothing more is. */
static inline int hold(struct stage *st)
{
	atomic_fetch_add(&st->done, 1);
	return rest(st);
}

static inline int linger(void *arg)
{
	enter(arg);
	return hold(arg);
}

static inline char *fill(struct stage *st)
{
	char *p = mmap(NULL, st->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(1);
	memset(p, 0x5a, st->bytes);
	return p;
}

/* A new process on a stack of its own; stacks are used in turn. */
static inline pid_t spawn(struct stage *st, int (*fn)(void *), int flags)
{
	static char *stacks;
	static atomic_uint used;
	if (!stacks)
		stacks = mmap(NULL, STAGE_STACKS * STAGE_STACK, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned i = atomic_fetch_add(&used, 1) % STAGE_STACKS;
	return clone(fn, stacks + (i + 1) * STAGE_STACK, flags | SIGCHLD, st);
}

static inline void await(atomic_int *what, int value)
{
	while (atomic_load(what) < value)
		nap(500);
}

/* --- in the test --- */

static inline bool soon(atomic_int *what, int value)
{
	uint64_t until = now_usec() + PATIENCE_USEC;
	while (atomic_load(what) < value && now_usec() < until)
		nap(500);
	return atomic_load(what) >= value;
}

/* Runs body, which need not return, in a new process, and waits for its first step. */
static inline pid_t raise_curtain(struct play *p, void (*body)(struct stage *), int steps)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL); /* whatever whoever runs the tests has made of it */
		enter(p->stage);
		body(p->stage);
		_exit(0);
	}
	assert_true(soon(&p->stage->done, steps));
	return pid;
}

static inline void step(struct play *p, int go, int done)
{
	atomic_store(&p->stage->go, go);
	assert_true(soon(&p->stage->done, done));
}

static inline pid_t actor(const struct play *p, int i)
{
	assert_true(i < atomic_load(&p->stage->pid_count));
	return p->stage->pids[i];
}

/* The state letter; 0 when it is gone. */
static inline char state_of(struct play *p, pid_t pid)
{
	struct task t;
	return snapshot_read_task(&p->s, pid, &t) == 0 ? t.state : 0;
}

static inline bool lives(struct play *p, pid_t pid)
{
	char c = state_of(p, pid);
	return c != 0 && c != 'Z' && c != 'X';
}

static inline uint64_t anon_of(struct play *p, pid_t pid)
{
	struct task t;
	return snapshot_read_task(&p->s, pid, &t) == 0 ? t.mem.anon_bytes : 0;
}

static inline bool readable(int fd)
{
	struct pollfd f = { .fd = fd, .events = POLLIN };
	return poll(&f, 1, 0) == 1 && (f.revents & POLLIN);
}

static inline int open_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	assert_true(fd >= 0);
	return fd;
}

static inline int open_handle_of(struct play *p, pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%d/pagemap", pid);
	fd = openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void pass(struct play *p)
{
	assert_int_equal(snapshot_refresh(&p->s), 0);
	assert_int_equal(sharedmm_classify(p->sm, &p->s, getpid()), 0);
}

static inline struct mm_group *group_of(struct play *p, pid_t pid)
{
	const struct task *t = snapshot_find(&p->s, pid);

	assert_non_null(t);
	return sharedmm_group_of(
		p->sm, (uint32_t)(t - p->s.tasks), kill_kcmp, NULL, MM_EVIDENCE_KCMP);
}

static inline int prepare(struct play *p, pid_t pid)
{
	struct mm_group *g = group_of(p, pid);

	assert_non_null(g);
	return kill_prepare(p->k, &p->s, p->sm, g, p->stage->bytes);
}

static inline int kill_slot(struct play *p, int slot, int sig, struct kill_result *ret)
{
	int result = -1;
	kill_signal(p->k, &slot, &result, 1, sig, NULL, NULL, ret);
	return result;
}

/* Observes until the mm is gone and all have exited. Returns how long it took. */
static inline uint64_t until_gone(struct play *p, int slot, struct kill_status *ret)
{
	uint64_t begin = now_usec();

	do {
		assert_int_equal(kill_observe(p->k, slot, NULL, NULL, ret), 0);
		if (ret->mm_gone && ret->all_exited && ret->reap != REAP_RUNNING)
			break;
		nap(1000);
	} while (now_usec() < begin + PATIENCE_USEC);
	return now_usec() - begin;
}

static inline int play_setup(void **state)
{
	struct play *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	p->stage = mmap(
		NULL, sizeof(*p->stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(p->stage != MAP_FAILED);
	p->stage->bytes = STAGE_BYTES;
	p->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(snapshot_open(&p->s, p->proc_fd, 16384), 0);
	assert_int_equal(sharedmm_new(16384, &p->sm), 0);
	assert_int_equal(killer_new(&kill_ops_real, &p->s, &p->k, &p->wake_fd), 0);
	*state = p;
	return 0;
}

/* Only our own children: nobody else's pid passes waitid, and theirs cannot be recycled now. */
static inline void end_children(struct stage *st)
{
	int count = atomic_load(&st->pid_count);

	for (int i = 0; i < count && i < STAGE_PIDS; i++) {
		siginfo_t info = { 0 };
		if (waitid(P_PID, (id_t)st->pids[i], &info, WEXITED | WNOHANG | WNOWAIT) == 0)
			kill(st->pids[i], SIGKILL);
	}
}

static inline int play_teardown(void **state)
{
	struct play *p = *state;
	pid_t pid;

	killer_free(p->k);
	atomic_store(&p->stage->curtain, 1);
	nap(5000);
	/* Grandchildren become ours when their parents go. */
	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0)
		if (pid == 0) {
			end_children(p->stage);
			nap(1000);
		}
	sharedmm_free(p->sm);
	snapshot_close(&p->s);
	close(p->proc_fd);
	munmap(p->stage, sizeof(*p->stage));
	free(p);
	return 0;
}
