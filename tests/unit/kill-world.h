/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up machine for test-kill.c, test-reap.c and test-sharer.c: a /proc of files in a temporary
 * directory, and a table of processes behind fake system calls. A pidfd is a pipe: readable once
 * the process has exited, and known by its inode, also through a duplicate. Nothing real is ever
 * signalled.
 */
#pragma once

#include "kill.h"
#include "util.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
/* cmocka wants these before itself: */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WORLD_MAX 64
#define SENT_MAX  4096
#define CAPACITY  256
#define WAIT_USEC 5000000

struct proc {
	pid_t pid, ppid;
	uint64_t start; /* ticks */
	uint64_t marks; /* of one program image: 0 is none (zombie) */
	int mm;         /* identity of the mm: 0 is none */
	int adj;
	char state;
	bool kthread, dumping, pending, deaf;
	const char *wchan; /* NULL: it sleeps for a time */
	bool eperm;        /* may not be signalled */
	bool stuck;        /* ignores SIGKILL */
	bool exited;       /* a zombie, or gone: */
	bool reaped;
	bool hold;                /* process_mrelease does not return while this is set */
	int mrelease[4];          /* answers, the last one again and again */
	int mreleases, mreleased; /* calls, returns */
	int pipe[2];
	ino_t ino;
};

struct world {
	char root[64];
	int proc_fd;
	struct snapshot s;
	struct sharedmm *sm;
	struct killer *k;
	int wake_fd;
	struct kill_ops ops;
	pthread_mutex_t lock; /* of procs: reapers call us too */
	struct proc procs[WORLD_MAX];
	int proc_count;
	struct {
		pid_t pid;
		int sig;
	} sent[SENT_MAX];
	int sent_count; /* signals other than 0 */
	void (*on_send)(struct world *w, struct proc *p, int sig);
	void (*on_cmp)(struct world *w);
	void (*on_open)(struct world *w, struct proc *p);
	int cmp_error, open_error;
};

/* path is below the root. */
static inline void write_file(const struct world *w, const char *path, const char *text)
{
	char full[400];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", w->root, path);
	f = fopen(full, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline void write_text(struct world *w, pid_t pid, const char *name, const char *text)
{
	char path[300];

	snprintf(path, sizeof(path), "%d/%s", pid, name);
	write_file(w, path, text);
}

static inline void write_stat(
	struct world *w, const struct proc *p, const char *name, pid_t id, char state)
{
	char text[1024];
	uint64_t m = p->mm ? p->marks * 0x100000 : 0;

	snprintf(text, sizeof(text),
		"%d (victim) %c %d %d %d 0 -1 %u 1 0 0 0 5 5 0 0 20 0 1 0 %llu %llu %d "
		"18446744073709551615 %llu %llu %llu 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 %llu %llu "
		"%llu %llu %llu %llu %llu 0\n",
		id, state, p->ppid, p->pid, p->pid, p->kthread ? 0x200040u : 0x400000u,
		(unsigned long long)p->start, p->mm ? 400ULL << 20 : 0, p->mm ? 51200 : 0,
		(unsigned long long)m, (unsigned long long)(m + 1), (unsigned long long)(m + 2),
		(unsigned long long)(m + 3), (unsigned long long)(m + 4),
		(unsigned long long)(m + 5), (unsigned long long)(m + 6),
		(unsigned long long)(m + 7), (unsigned long long)(m + 8),
		(unsigned long long)(m + 9));
	if (m == 0)
		for (char *c = strstr(text, "18446744073709551615 ") + 21; *c; c++)
			if (*c >= '1' && *c <= '9')
				*c = '0';
	write_text(w, p->pid, name, text);
}

static inline void write_status(struct world *w, const struct proc *p)
{
	char text[1024], vm[512] = "";

	if (p->mm)
		snprintf(vm, sizeof(vm),
			"VmPeak:\t  409600 kB\nVmSize:\t  409600 kB\nVmLck:\t       0 kB\n"
			"VmHWM:\t  204800 kB\nVmRSS:\t  204800 kB\nRssAnon:\t  200000 kB\n"
			"RssFile:\t    4800 kB\nRssShmem:\t       0 kB\nVmPTE:\t     400 kB\n"
			"VmSwap:\t      96 kB\nCoreDumping:\t%d\n",
			p->dumping);
	snprintf(text, sizeof(text),
		"Name:\tvictim\nUmask:\t0022\nState:\t%c (state)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n"
		"PPid:\t%d\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nKthread:\t%d\n%s"
		"Threads:\t1\nSigQ:\t0/1\nSigPnd:\t%016x\nShdPnd:\t%016x\n"
		"SigBlk:\t%016x\nSigIgn:\t%016x\nSigCgt:\t%016x\n",
		p->state, p->pid, p->pid, p->ppid, p->kthread, vm, p->pending ? 0x100 : 0,
		p->pending ? 0x100 : 0, 0, p->deaf ? 0x4000 : 0, 0);
	write_text(w, p->pid, "status", text);
}

/* Writes the files of a process as it is now. */
static inline void show(struct world *w, const struct proc *p)
{
	char path[160], text[32];

	snprintf(path, sizeof(path), "%s/%d", w->root, p->pid);
	mkdir(path, 0755);
	write_stat(w, p, "stat", p->pid, p->state);
	write_status(w, p);
	snprintf(text, sizeof(text), "%d\n", p->adj);
	write_text(w, p->pid, "oom_score_adj", text);
	write_text(w, p->pid, "wchan", p->wchan ? p->wchan : "hrtimer_nanosleep");
	write_text(
		w, p->pid, "statm", p->mm ? "102400 51200 1200 10 0 50000 0\n" : "0 0 0 0 0 0 0\n");
	snprintf(path, sizeof(path), "%s/loadavg", w->root);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	pid_t last = 0;
	for (int i = 0; i < w->proc_count; i++)
		last = w->procs[i].pid > last ? w->procs[i].pid : last;
	fprintf(f, "0.00 0.00 0.00 1/1 %d\n", last);
	fclose(f);
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline void hide(struct world *w, const struct proc *p)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%d", w->root, p->pid);
	nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* The handle of the process: that of a real mm, which is ours and so has users. */
static inline void give_handle(struct world *w, const struct proc *p)
{
	char path[160], target[64];

	snprintf(path, sizeof(path), "%s/%d/pagemap", w->root, p->pid);
	snprintf(target, sizeof(target), "/proc/%d/pagemap", getpid());
	assert_int_equal(symlink(target, path), 0);
}

static inline struct proc *born(struct world *w, pid_t pid, pid_t ppid, uint64_t start, int mm)
{
	struct proc *p = &w->procs[w->proc_count];
	struct stat st;

	assert_true(w->proc_count < WORLD_MAX);
	*p = (struct proc){
		.pid = pid, .ppid = ppid, .start = start, .marks = 7, .mm = mm, .state = 'S'
	};
	assert_int_equal(pipe2(p->pipe, O_CLOEXEC), 0);
	assert_int_equal(fstat(p->pipe[0], &st), 0);
	pthread_mutex_lock(&w->lock);
	p->ino = st.st_ino;
	w->proc_count++;
	pthread_mutex_unlock(&w->lock);
	show(w, p);
	return p;
}

static inline struct proc *by_pid(struct world *w, pid_t pid)
{
	struct proc *found = NULL;

	/* The youngest of that pid: the others were reaped. */
	for (int i = 0; i < w->proc_count; i++)
		if (w->procs[i].pid == pid && !w->procs[i].reaped)
			found = &w->procs[i];
	return found;
}

static inline struct proc *by_fd(struct world *w, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (int i = 0; i < w->proc_count; i++)
		if (w->procs[i].ino == st.st_ino)
			return &w->procs[i];
	return NULL;
}

static inline void lose_mm(struct world *w, struct proc *p)
{
	p->mm = 0;
	show(w, p);
}

/* Becomes a zombie nobody has reaped yet. */
static inline void dies(struct world *w, struct proc *p)
{
	if (!p->exited)
		assert_int_equal(write(p->pipe[1], "x", 1), 1);
	p->exited = true;
	p->state = 'Z';
	lose_mm(w, p);
}

static inline void reaped(struct world *w, struct proc *p)
{
	dies(w, p);
	p->reaped = true;
	hide(w, p);
}

static inline int fake_open(void *ctx, pid_t pid)
{
	struct world *w = ctx;
	struct proc *p;
	int fd;

	if (w->open_error)
		return w->open_error;
	p = by_pid(w, pid);
	if (!p)
		return -ESRCH;
	fd = fcntl(p->pipe[0], F_DUPFD_CLOEXEC, 0);
	if (w->on_open)
		w->on_open(w, p);
	return fd;
}

static inline int fake_send(void *ctx, int pidfd, int sig)
{
	struct world *w = ctx;
	struct proc *p = by_fd(w, pidfd);

	assert_non_null(p);
	if (p->reaped)
		return -ESRCH;
	if (p->eperm)
		return -EPERM;
	if (sig == 0)
		return 0;
	assert_true(w->sent_count < SENT_MAX);
	w->sent[w->sent_count].pid = p->pid;
	w->sent[w->sent_count++].sig = sig;
	if (w->on_send)
		w->on_send(w, p, sig);
	if (sig == SIGKILL && !p->stuck)
		dies(w, p);
	return 0;
}

static inline int fake_mrelease(void *ctx, int pidfd)
{
	struct world *w = ctx;
	struct proc *p;
	int answer;

	pthread_mutex_lock(&w->lock);
	p = by_fd(w, pidfd);
	answer = p->mrelease[p->mreleases < 3 ? p->mreleases : 3];
	p->mreleases++;
	while (p->hold) {
		pthread_mutex_unlock(&w->lock);
		usleep(1000);
		pthread_mutex_lock(&w->lock);
	}
	p->mreleased++;
	pthread_mutex_unlock(&w->lock);
	return answer;
}

static inline int fake_cmp(void *ctx, const struct task *a, const struct task *b)
{
	struct world *w = ctx;
	const struct proc *p = by_pid(w, a->id.pid), *q = by_pid(w, b->id.pid);
	int r;

	if (w->on_cmp)
		w->on_cmp(w);
	if (w->cmp_error)
		return w->cmp_error;
	if (!p || !q)
		return -ESRCH;
	r = p->mm == q->mm ? 0 : p->mm < q->mm ? 1 : 2; /* none equals none, as in the kernel */
	return r;
}

static inline int sent_to(const struct world *w, pid_t pid, int sig)
{
	int n = 0;

	for (int i = 0; i < w->sent_count; i++)
		n += w->sent[i].pid == pid && w->sent[i].sig == sig;
	return n;
}

static inline void pass(struct world *w)
{
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(sharedmm_classify(w->sm, &w->s, getpid()), 0);
}

static inline int prepare(struct world *w, pid_t pid)
{
	const struct task *t = snapshot_find(&w->s, pid);
	struct mm_group *g;

	assert_non_null(t);
	g = sharedmm_group_of(w->sm, (uint32_t)(t - w->s.tasks), fake_cmp, w, MM_EVIDENCE_KCMP);
	assert_non_null(g);
	return kill_prepare(w->k, &w->s, w->sm, g, 200000 * KIB);
}

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	strcpy(w->root, "/tmp/oomfwd-kill-XXXXXX");
	assert_non_null(mkdtemp(w->root));
	w->proc_fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pthread_mutex_init(&w->lock, NULL);
	w->ops = (struct kill_ops){
		.ctx = w,
		.pidfd_open = fake_open,
		.send = fake_send,
		.mrelease = fake_mrelease,
		.cmp = fake_cmp,
		.cmp_ctx = w,
	};
	assert_int_equal(snapshot_open(&w->s, w->proc_fd, CAPACITY), 0);
	assert_int_equal(sharedmm_new(CAPACITY, &w->sm), 0);
	assert_int_equal(killer_new(&w->ops, &w->s, &w->k, &w->wake_fd), 0);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	killer_free(w->k);
	sharedmm_free(w->sm);
	snapshot_close(&w->s);
	close(w->proc_fd);
	for (int i = 0; i < w->proc_count; i++) {
		close(w->procs[i].pipe[0]);
		close(w->procs[i].pipe[1]);
	}
	nftw(w->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static inline int kill_one(struct world *w, int slot, int sig, kill_protected_fn *fn, void *ctx,
	struct kill_result *ret)
{
	int result = -1;

	kill_signal(w->k, &slot, &result, 1, sig, fn, ctx, ret);
	return result;
}

/* Two sharers, a fork of them with the same marks, and a process of another program. */
static inline void make_pair(struct world *w)
{
	born(w, 1, 0, 1, 100)->marks = 1;
	show(w, &w->procs[0]);
	born(w, 100, 1, 1000, 1);
	born(w, 101, 100, 1001, 1);
	born(w, 102, 100, 1002, 2);
	born(w, 103, 1, 1003, 3)->marks = 9;
	show(w, &w->procs[4]);
	pass(w);
}

/* Observes until the reaper has come to an end. */
static inline struct kill_status settled(struct world *w, int slot)
{
	struct kill_status st;

	for (int i = 0; i < WAIT_USEC / 1000; i++) {
		assert_int_equal(kill_observe(w->k, slot, NULL, NULL, &st), 0);
		if (st.reap != REAP_RUNNING)
			break;
		usleep(1000);
	}
	return st;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
