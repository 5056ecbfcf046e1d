/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "snapshot-bpf.h"

#include "bpf/record.h"
#include "snapshot-internal.h"
#include "util.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

/* The kernel gives no more than this in one read (kernel/bpf/bpf_iter.c: 8 pages of 4 KiB; of 64
 * KiB pages we take a part at a time). */
#define READ_SIZE SNAPSHOT_TEXT_SIZE
/* It ends a read of a million tasks without a record by EAGAIN; there are not that many pids. */
#define EAGAIN_MAX 8

#define USER_TICKS        100 /* USER_HZ of every architecture of today */
#define NSEC_PER_TICK     (UINT64_C(1000000000) / USER_TICKS)
#define KERNEL_NOLOAD     0x400u
#define KERNEL_RTLOCK     0x1000u
#define KERNEL_FROZEN     0x8000u
#define KERNEL_SLEEP_DISK 0x2u
#define KERNEL_REPORT     0x7fu

struct snapshot_bpf {
	const char *path;   /* borrowed */
	int iter_fd;        /* ready for a pass; or none */
	bool primed;        /* the first record of iter_fd is as old as iter_fd */
	uint64_t secret[2]; /* so that keys tell nothing of addresses */
	uint64_t page_bytes;
	uint64_t pass_nsec; /* since boot, when the pass began */
};

/* --- one record --- */

static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

static uint64_t hash_marks(const struct task_record *r)
{
	return mix(mix(mix(r->start_code + r->start_stack) + r->start_brk) + r->arg_start);
}

/*
 * An address alone may be that of an mm freed after one row was read, given out again before the
 * next: a group with a stranger in it. The context number of x86 tells them apart. Elsewhere the
 * marks do, but for a fork of the same family; so one that was born while we read has no key.
 */
static uint64_t key_of(const struct snapshot_bpf *b, const struct task_record *r)
{
	uint64_t more, key;

	if (!(r->flags & RECORD_HAS_CONTEXT) && r->start_nsec >= b->pass_nsec)
		return 0;
	more = r->flags & RECORD_HAS_CONTEXT ? r->context : hash_marks(r);
	key = mix(mix(r->mm ^ b->secret[0]) + more + b->secret[1]);
	return key != 0 ? key : 1;
}

/* As fs/proc/array.c:get_task_state(). */
static char state_of(const struct task_record *r)
{
	static const char letters[] = "RSDTtXZP";
	uint32_t bits = (r->state | r->exit_state) & KERNEL_REPORT;

	if ((r->state & (KERNEL_SLEEP_DISK | KERNEL_NOLOAD)) == (KERNEL_SLEEP_DISK | KERNEL_NOLOAD))
		return 'I';
	if (r->state & (KERNEL_RTLOCK | KERNEL_FROZEN))
		bits |= KERNEL_SLEEP_DISK;
	return bits == 0 ? letters[0] : letters[32 - __builtin_clz(bits)];
}

static uint64_t pages(const struct snapshot_bpf *b, long long n)
{
	/* Parts that CPUs have not added up yet can make it negative. */
	return n > 0 ? mul_sat_u64((uint64_t)n, b->page_bytes) : 0;
}

static void take_mm(const struct snapshot_bpf *b, const struct task_record *r, struct task *t)
{
	t->mm_key = key_of(b, r);
	if (r->flags & RECORD_KTHREAD) {
		t->flags |= TASK_BORROWED_MM;
		return;
	}
	t->mem = (struct mm_counters){
		.anon_bytes = pages(b, r->anon_pages),
		.file_bytes = pages(b, r->file_pages),
		.shmem_bytes = pages(b, r->shmem_pages),
		.swap_bytes = pages(b, r->swap_pages),
		.pgtables_bytes = r->pgtables_bytes,
		.vsize_bytes = mul_sat_u64(r->total_pages, b->page_bytes),
	};
	t->marks = (struct mm_marks){
		.start_code = r->start_code,
		.end_code = r->end_code,
		.start_stack = r->start_stack,
		.start_data = r->start_data,
		.end_data = r->end_data,
		.start_brk = r->start_brk,
		.arg_start = r->arg_start,
		.env_start = r->env_start,
	};
}

static uint32_t flags_of(const struct task_record *r)
{
	static const struct {
		uint32_t record, task;
	} pairs[] = {
		{ RECORD_KTHREAD, TASK_KTHREAD },
		{ RECORD_THREAD, TASK_ZOMBIE_LEADER },
		{ RECORD_EXITING, TASK_EXITING },
		{ RECORD_CORE_DUMPING, TASK_CORE_DUMPING },
		{ RECORD_OOM_SKIP, TASK_OOM_SKIP },
		{ RECORD_VFORK_CHILD, TASK_VFORK_CHILD },
		{ RECORD_KILL_PENDING, TASK_KILL_PENDING },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (r->flags & pairs[i].record)
			flags |= pairs[i].task;
	if (!(r->flags & (RECORD_HAS_MM | RECORD_KTHREAD)))
		flags |= TASK_NO_MM;
	return flags;
}

static void take_record(const struct snapshot_bpf *b, const struct task_record *r, struct task *t)
{
	*t = (struct task){
		.id = { .pid = (pid_t)r->pid, .start_ticks = r->start_nsec / NSEC_PER_TICK },
		.mm_tid = (pid_t)(r->flags & RECORD_THREAD ? r->tid : r->pid),
		.ppid = (pid_t)r->ppid,
		.uid = r->uid,
		.flags = flags_of(r),
		.threads = r->threads,
		.oom_score_adj = r->oom_score_adj,
		.state = state_of(r),
	};
	copy_cut(t->comm, sizeof(t->comm), r->comm);
	if (r->flags & RECORD_HAS_MM)
		take_mm(b, r, t);
}

/* --- a pass --- */

struct pass {
	const struct snapshot_bpf *b;
	struct snapshot *s;
	pid_t previous;
	bool sorted;
	bool twice; /* a process may have two rows */
	uint32_t records;
	pid_t stale; /* whose record is older than the pass */
	void (*take)(struct pass *p, const struct task_record *r);
	/* Of a search for newborns: */
	snapshot_found_fn *found;
	void *ctx;
	int count;
};

/* The row of a leader that came before its thread: it does mostly, for pids ascend. */
static struct task *leader_row(const struct pass *p, pid_t pid)
{
	const struct snapshot *s = p->s;

	if (p->sorted && s->dropped == 0)
		return (struct task *)snapshot_find(s, pid);
	for (uint32_t i = s->count; i-- > 0;)
		if (s->tasks[i].id.pid == pid)
			return &s->tasks[i];
	return NULL;
}

static void take(struct pass *p, const struct task_record *r)
{
	struct snapshot *s = p->s;
	struct task spare, *t;

	if (r->flags & RECORD_INCONSISTENT || r->pid == 0 || r->pid > INT_MAX) {
		s->unread++;
		return;
	}
	if (r->flags & RECORD_THREAD) {
		struct task *leader = leader_row(p, (pid_t)r->pid);
		/* The first of its threads has told already, or the leader has an mm once more: an
		 * exec in another thread makes that one the leader. */
		if (leader) {
			if (leader->flags & TASK_NO_MM)
				take_record(p->b, r, leader);
			return;
		}
		p->twice = true;
	}
	t = snapshot_table_room(s, &spare);
	take_record(p->b, r, t);
	p->sorted &= t->id.pid > p->previous;
	p->previous = t->id.pid;
	snapshot_table_take(s, t);
}

/* Of two rows of one process the one that has an mm stays. */
static void drop_second_rows(struct snapshot *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->count; i++) {
		if (n > 0 && s->tasks[n - 1].id.pid == s->tasks[i].id.pid) {
			if (s->tasks[n - 1].flags & TASK_NO_MM)
				s->tasks[n - 1] = s->tasks[i];
			continue;
		}
		s->tasks[n++] = s->tasks[i];
	}
	s->count = n;
}

static void remove_row(struct snapshot *s, uint32_t at)
{
	memmove(&s->tasks[at], &s->tasks[at + 1], (--s->count - at) * sizeof(s->tasks[0]));
}

/*
 * Puts pid in order by /proc: its record is older than the pass, or there is none, which happens
 * where something in the kernel keeps it from us. The key stays if the mm shows the same marks.
 */
static void read_by_proc(struct snapshot *s, pid_t pid)
{
	struct task *row = (struct task *)snapshot_find(s, pid), fresh;
	int r = row && row->flags & TASK_KTHREAD ? -EINVAL : snapshot_read_task(s, pid, &fresh);

	if (r == -ESRCH && row)
		remove_row(s, (uint32_t)(row - s->tasks));
	if (r < 0)
		return;
	if (!row) {
		struct task spare, *t = snapshot_table_room(s, &spare);
		*t = fresh;
		snapshot_table_take(s, t);
		snapshot_table_end(s, false);
		return;
	}
	if (row->mm_key != 0 && row->id.start_ticks == fresh.id.start_ticks &&
		!(fresh.flags & TASK_NO_MM) &&
		(fresh.flags & TASK_MARKS_HIDDEN ||
			memcmp(&row->marks, &fresh.marks, sizeof(fresh.marks)) == 0)) {
		fresh.mm_key = row->mm_key;
		fresh.marks = row->marks;
		fresh.flags &= ~(uint32_t)TASK_MARKS_HIDDEN;
	}
	*row = fresh;
}

/* Calls take() for every record. */
static int read_records(struct pass *p, int fd, char *buffer, size_t size)
{
	size_t kept = 0;

	for (int again = 0; again < EAGAIN_MAX;) {
		ssize_t n = read(fd, buffer + kept, size - kept);
		size_t have, at = 0;

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			again++;
			continue;
		}
		if (n < 0)
			return -errno;
		if (n == 0)
			return kept > 0 || p->records == 0 ? -EIO : 0;
		have = kept + (size_t)n;
		for (; have - at >= sizeof(struct task_record); at += sizeof(struct task_record)) {
			struct task_record r;

			memcpy(&r, buffer + at, sizeof(r));
			if (p->records++ == 0)
				p->stale = (pid_t)r.pid;
			p->take(p, &r);
		}
		kept = have - at;
		memmove(buffer, buffer + at, kept);
	}
	return -EAGAIN;
}

static uint64_t boot_nsec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static int read_pass(struct snapshot_bpf *b, struct snapshot *s, int fd, bool primed)
{
	struct pass p = { .b = b, .s = s, .sorted = true, .take = take };
	int r;

	b->pass_nsec = boot_nsec();
	snapshot_table_begin(s);
	r = read_records(&p, fd, s->buffer, READ_SIZE);
	snapshot_table_end(s, p.sorted);
	if (r < 0)
		return r;
	if (p.twice)
		drop_second_rows(s);
	if (primed)
		read_by_proc(s, p.stale);
	if (!snapshot_find(s, 1))
		read_by_proc(s, 1);
	return 0;
}

int snapshot_bpf_read_file(struct snapshot_bpf *b, struct snapshot *s, int fd)
{
	return read_pass(b, s, fd, false);
}

static int begin_iter(const struct snapshot_bpf *b)
{
	int fd = open(b->path, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * A read of no bytes makes the kernel allocate its buffer and look at the first task, whose record
 * stays in the buffer until there is a read that takes it.
 */
void snapshot_bpf_prepare(struct snapshot_bpf *b)
{
	char none;

	if (b->iter_fd >= 0)
		return;
	b->iter_fd = begin_iter(b);
	b->primed = b->iter_fd >= 0 && read(b->iter_fd, &none, 0) == 0;
}

int snapshot_bpf_read(struct snapshot_bpf *b, struct snapshot *s)
{
	_cleanup_(fd_closep) int fd = take_fd(&b->iter_fd);
	bool primed = b->primed;

	b->primed = false;
	if (fd < 0)
		fd = begin_iter(b);
	return fd < 0 ? fd : read_pass(b, s, fd, primed);
}

/* --- those born since --- */

static void take_newborn(struct pass *p, const struct task_record *r)
{
	const struct task *row;
	struct task t;

	if (r->flags & (RECORD_INCONSISTENT | RECORD_KTHREAD) || r->pid == 0 || r->pid > INT_MAX)
		return;
	take_record(p->b, r, &t);
	row = snapshot_find(p->s, t.id.pid);
	if (row && row->id.start_ticks == t.id.start_ticks)
		return;
	p->count++;
	p->found(p->ctx, &t);
}

int snapshot_bpf_newborn(
	struct snapshot_bpf *b, struct snapshot *s, snapshot_found_fn *found, void *ctx)
{
	struct pass p = { .b = b, .s = s, .take = take_newborn, .found = found, .ctx = ctx };
	_cleanup_(fd_closep) int fd = begin_iter(b);
	int r;

	if (fd < 0)
		return fd;
	b->pass_nsec = boot_nsec();
	/* found() reads tasks into the text's part of the buffer. */
	r = read_records(&p, fd, s->buffer + SNAPSHOT_TEXT_SIZE, SNAPSHOT_DIRENTS_SIZE);
	return r < 0 ? r : p.count;
}

/* --- open --- */

/* Whether both readers say the same of a process that does nothing else meanwhile: ourselves. */
static bool is_same(const struct task *a, const struct task *b)
{
	return a->id.pid == b->id.pid && a->id.start_ticks == b->id.start_ticks &&
		a->ppid == b->ppid && a->uid == b->uid && a->threads == b->threads &&
		a->oom_score_adj == b->oom_score_adj && strcmp(a->comm, b->comm) == 0 &&
		memcmp(&a->marks, &b->marks, sizeof(a->marks)) == 0 &&
		a->mem.vsize_bytes == b->mem.vsize_bytes &&
		a->mem.pgtables_bytes / KIB == b->mem.pgtables_bytes / KIB;
}

static int check(struct snapshot_bpf *b, struct snapshot *s, char *why, size_t size)
{
	/* A page that we touch between the two makes a difference; not the next time. */
	for (int tries = 0; tries < 3; tries++) {
		struct task by_proc;
		int seen = snapshot_read_task(s, getpid(), &by_proc);
		int r = snapshot_bpf_read(b, s);
		const struct task *row;

		if (r < 0) {
			snprintf(why, size, "the BPF program cannot be read (%s)", strerror(-r));
			return r;
		}
		row = snapshot_find(s, getpid());
		if (seen == 0 && row && row->mm_key != 0 && is_same(row, &by_proc))
			return 0;
	}
	snprintf(why, size,
		"the BPF program and /proc do not agree about oomfwd itself, as in a namespace of "
		"pids or time of its own");
	return -EPROTO;
}

/* Whatever the file tells is believed; so nobody else may have made it. */
static int check_file(const char *path, char *why, size_t size)
{
	struct statfs fs;
	struct stat st;

	if (stat(path, &st) < 0 || statfs(path, &fs) < 0) {
		int r = -errno;

		if (r == -ENOENT)
			snprintf(why, size,
				"no BPF program is loaded (oomfwd-bpf.service does that, and its "
				"log tells why not)");
		else
			snprintf(why, size, "%s cannot be opened (%s)", path, strerror(-r));
		return r;
	}
	if (fs.f_type == BPF_FS_MAGIC && S_ISREG(st.st_mode) && st.st_uid == 0 &&
		(st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return 0;
	snprintf(why, size, "%s is not a file of root's in a bpffs", path);
	return -EPERM;
}

int snapshot_bpf_new(
	const char *path, struct snapshot *s, char *why, size_t size, struct snapshot_bpf **ret)
{
	struct snapshot_bpf *b;
	int r = s ? check_file(path, why, size) : 0;

	if (r < 0)
		return r;
	b = calloc(1, sizeof(*b));
	if (!b) {
		snprintf(why, size, "there is no memory for it");
		return -ENOMEM;
	}
	b->path = path;
	b->iter_fd = -EBADF;
	b->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	/* At the worst keys can be guessed. */
	(void)!getrandom(b->secret, sizeof(b->secret), GRND_NONBLOCK);
	r = s ? check(b, s, why, size) : 0;
	if (r < 0) {
		snapshot_bpf_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void snapshot_bpf_free(struct snapshot_bpf *b)
{
	if (!b)
		return;
	fd_closep(&b->iter_fd);
	free(b);
}
