/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "procfs.h"
#include "snapshot-internal.h"
#include "util.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_SIZE    SNAPSHOT_TEXT_SIZE
#define DIRENTS_SIZE SNAPSHOT_DIRENTS_SIZE
#define TIDS_SIZE    SNAPSHOT_TIDS_SIZE

/* A pid is given out some time before its task can be seen (kernel/fork.c:copy_process), so a fork
 * that was under way when the pass began may have one a little older than last_pid. */
#define NEWBORN_MARGIN 64

/* A page of tables, 4 KiB, maps 2 MiB. */
#define PAGE_TABLE_SHARE 512

/* --- files --- */

static ssize_t read_file(const struct snapshot *s, const char *path)
{
	return procfs_read_file(s->proc_fd, path, s->buffer, TEXT_SIZE);
}

static int read_stat(const struct snapshot *s, pid_t pid, pid_t tid, struct task *t)
{
	ssize_t n = read_file(s, procfs_path_of(pid, tid, "stat").text);

	if (n < 0)
		return (int)n;
	/* Empty: the task went between open and read, in a kernel that says so by no text. */
	return n == 0 ? -ESRCH : snapshot_parse_stat(s->buffer, t);
}

/* A task in thousands of supplementary groups has a status larger than any buffer. */
static int read_status(const struct snapshot *s, pid_t pid, pid_t tid, struct task *t)
{
	_cleanup_(fd_closep) int fd =
		procfs_open(s->proc_fd, procfs_path_of(pid, tid, "status").text);
	size_t kept = 0;
	unsigned seen = 0;

	if (fd < 0)
		return fd;
	snapshot_status_begin(t);
	for (;;) {
		ssize_t n = procfs_read_text(fd, s->buffer + kept, TEXT_SIZE - kept);
		if (n < 0)
			return (int)n;
		size_t have = kept + (size_t)n;
		if (have == 0 && seen == 0)
			return -ESRCH;
		char *tail = have < TEXT_SIZE - 1 ? NULL : strrchr(s->buffer, '\n');
		if (tail)
			*tail = '\0';
		snapshot_status_lines(s->buffer, t, &seen);
		if (have < TEXT_SIZE - 1)
			return snapshot_status_end(t, seen);
		/* The piece of a line stays for the next round; a line as long as the buffer is the
		 * list of groups, of which nothing looks like a key. */
		kept = tail ? (size_t)(s->buffer + have - ++tail) : 0;
		if (kept)
			memmove(s->buffer, tail, kept);
	}
}

static int read_adj(const struct snapshot *s, pid_t pid, struct task *t)
{
	int64_t v;
	ssize_t n = read_file(s, procfs_path_of(pid, 0, "oom_score_adj").text);

	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ESRCH;
	if (!procfs_parse_i64(s->buffer, &v) || v < INT16_MIN || v > INT16_MAX)
		return -EINVAL;
	t->oom_score_adj = (int16_t)v;
	return 0;
}

/* --- one task --- */

/* The leader shows no mm: looks for a thread that does. */
static void find_mm_thread(const struct snapshot *s, struct task *t)
{
	_cleanup_(procfs_dir_close) struct procfs_dir d = { .fd = -EBADF };
	pid_t tid, pid = t->id.pid;

	if (procfs_dir_open(s->proc_fd, procfs_path_of(pid, 0, "task").text,
		    s->buffer + TEXT_SIZE + DIRENTS_SIZE, TIDS_SIZE, &d) < 0)
		return;
	while (procfs_dir_next(&d, &tid) > 0) {
		struct task thread = { 0 };
		if (tid == pid || read_stat(s, pid, tid, &thread) < 0 ||
			read_status(s, pid, tid, &thread) < 0 || thread.flags & TASK_NO_MM)
			continue;
		t->mm_tid = tid;
		t->mem = thread.mem;
		t->marks = thread.marks;
		t->flags &= ~(uint32_t)TASK_NO_MM;
		/* Whether a signal to the process is lost the leader's mask decides, still. */
		t->flags |= TASK_ZOMBIE_LEADER |
			(thread.flags & (TASK_CORE_DUMPING | TASK_KILL_PENDING));
		return;
	}
}

static bool marks_are_zero(const struct mm_marks *m)
{
	static const struct mm_marks zero;

	return memcmp(m, &zero, sizeof(zero)) == 0;
}

/* What the stat tells. */
static int read_first(const struct snapshot *s, pid_t pid, struct task *t)
{
	int r;

	*t = (struct task){ 0 };
	r = read_stat(s, pid, 0, t);
	if (r < 0)
		return r;
	t->mm_tid = t->id.pid;
	if (t->flags & TASK_KTHREAD)
		t->mem = (struct mm_counters){ 0 };
	return 0;
}

/* And all the rest. */
static int read_rest(const struct snapshot *s, pid_t pid, struct task *t)
{
	int r = read_status(s, pid, 0, t); /* its Tgid replaces id.pid */

	/* A task that was reaped while its status was written has no ids any more. */
	if (r == -EINVAL && t->id.pid == 0)
		return -ESRCH;
	if (r < 0)
		return r;
	if (t->id.pid != pid)
		return -EINVAL;
	r = read_adj(s, pid, t);
	if (r < 0)
		return r;
	if (t->flags & TASK_NO_MM && t->threads > 1)
		find_mm_thread(s, t);
	if (!(t->flags & TASK_NO_MM) && marks_are_zero(&t->marks))
		t->flags |= TASK_MARKS_HIDDEN;
	return 0;
}

/* Fills *t, all of it, but leaves it in disorder when it fails. */
static int read_task(const struct snapshot *s, pid_t pid, struct task *t)
{
	int r = read_first(s, pid, t);

	return r < 0 || t->flags & TASK_KTHREAD ? r : read_rest(s, pid, t);
}

int snapshot_read_task(struct snapshot *s, pid_t pid, struct task *ret)
{
	struct task t;
	int r = pid > 0 ? read_task(s, pid, &t) : -EINVAL;

	if (r == 0)
		*ret = t;
	return r;
}

static void count_failure(struct snapshot *s, int error)
{
	if (error == -ESRCH)
		s->vanished++;
	else
		s->unread++;
}

/* --- all tasks --- */

/* Who is light: all that a process with this stat can hold is less than bytes. */
struct limit {
	uint64_t bytes, swap_used_bytes;
};

/* An upper bound: page tables are taken for those of memory that lies together. */
static bool is_light(const struct task *t, const struct limit *l)
{
	uint64_t vsize = t->mem.vsize_bytes, resident = t->mem.shmem_bytes;
	uint64_t held = min_u64(vsize, add_sat_u64(resident, l->swap_used_bytes));

	return vsize > 0 && t->id.pid != 1 && !marks_are_zero(&t->marks) &&
		add_sat_u64(held, vsize / PAGE_TABLE_SHARE) < l->bytes;
}

static void add_task(struct snapshot *s, pid_t pid, const struct limit *l)
{
	struct task spare = { 0 }, *t = snapshot_table_room(s, &spare);
	int r = read_first(s, pid, t);

	if (r == 0 && is_light(t, l))
		t->flags |= TASK_LIGHT;
	else if (r == 0 && !(t->flags & TASK_KTHREAD))
		r = read_rest(s, pid, t);
	if (r < 0)
		count_failure(s, r);
	else
		snapshot_table_take(s, t);
}

void snapshot_complete_task(struct snapshot *s, uint32_t index)
{
	struct task *t = &s->tasks[index], was = *t;
	int r;

	if (!(t->flags & TASK_LIGHT))
		return;
	s->light--;
	t->flags &= ~(uint32_t)TASK_LIGHT;
	r = read_rest(s, was.id.pid, t);
	if (r == 0)
		return;
	count_failure(s, r);
	*t = was;
	t->mem = (struct mm_counters){ 0 };
	t->flags = TASK_NO_MM;
}

void snapshot_complete(struct snapshot *s)
{
	for (uint32_t i = 0; i < s->count && s->light > 0; i++)
		snapshot_complete_task(s, i);
}

int snapshot_refresh(struct snapshot *s)
{
	return snapshot_refresh_heavy(s, 0, 0);
}

int snapshot_refresh_heavy(struct snapshot *s, uint64_t light_bytes, uint64_t swap_used_bytes)
{
	const struct limit limit = { light_bytes, swap_used_bytes };
	_cleanup_(procfs_dir_close) struct procfs_dir d = { .fd = -EBADF };
	pid_t pid, previous = 0;
	bool sorted = true;
	int r;

	snapshot_table_begin(s);
	r = procfs_dir_open(s->proc_fd, ".", s->buffer + TEXT_SIZE, DIRENTS_SIZE, &d);
	if (r < 0)
		return r;
	while ((r = procfs_dir_next(&d, &pid)) > 0) {
		sorted &= pid > previous;
		previous = pid;
		add_task(s, pid, &limit);
	}
	if (r < 0)
		s->count = 0;
	snapshot_table_end(s, sorted);
	return r;
}

/* --- how many --- */

uint32_t snapshot_tasks_at_most(const struct snapshot *s)
{
	struct stat st;

	return fstat(s->proc_fd, &st) < 0 ? UINT32_MAX : (uint32_t)min_u64(st.st_nlink, UINT32_MAX);
}

int snapshot_count_tasks(const struct snapshot *s)
{
	_cleanup_(procfs_dir_close) struct procfs_dir d = { .fd = -EBADF };
	int r = procfs_dir_open(s->proc_fd, ".", s->buffer + TEXT_SIZE, DIRENTS_SIZE, &d);
	int count = 0;
	pid_t pid;

	if (r < 0)
		return r;
	while ((r = procfs_dir_next(&d, &pid)) > 0)
		count++;
	return r < 0 ? r : count;
}

/* --- those born since --- */

int snapshot_last_pid(const struct snapshot *s)
{
	char self[16];
	ssize_t n = readlinkat(s->proc_fd, "self", self, sizeof(self) - 1);
	uint64_t v;

	if (n >= 0) {
		self[n] = '\0';
		if (!procfs_parse_u64(self, &v) || v != (uint64_t)getpid())
			return -EXDEV;
	}
	n = read_file(s, "loadavg");
	if (n < 0)
		return (int)n;
	const char *last = strrchr(s->buffer, ' ');
	if (!last || !procfs_parse_u64(last + 1, &v) || v > INT_MAX)
		return -EINVAL;
	return (int)v;
}

struct newborn {
	bool reused; /* pids have wrapped: a row's pid may be another process's by now */
	snapshot_found_fn *found;
	void *ctx;
	int count;
};

static void newborn_look(struct snapshot *s, pid_t pid, struct newborn *n)
{
	const struct task *row = snapshot_find(s, pid);
	struct task t;
	int r = 0;

	if (row && !n->reused)
		return;
	if (row)
		r = read_stat(s, pid, 0, &t);
	if (r == 0 && row && row->id.start_ticks == t.id.start_ticks)
		return;
	if (r == 0)
		r = read_task(s, pid, &t);
	if (r < 0) {
		/* A pid that is nobody's, or a thread's (-EINVAL), is none of our business. */
		if (r != -ESRCH && r != -EINVAL)
			count_failure(s, r);
		return;
	}
	n->count++;
	n->found(n->ctx, &t);
}

uint32_t snapshot_newborn_cost(const struct snapshot *s)
{
	int last = snapshot_last_pid(s);

	if (last <= 0 || s->last_pid == 0 || last < s->last_pid)
		return UINT32_MAX;
	return (uint32_t)(last - s->last_pid) + NEWBORN_MARGIN;
}

int snapshot_newborn(struct snapshot *s, snapshot_found_fn *found, void *ctx)
{
	_cleanup_(procfs_dir_close) struct procfs_dir d = { .fd = -EBADF };
	struct newborn n = { .found = found, .ctx = ctx };
	int r, last = snapshot_last_pid(s);
	pid_t pid = s->last_pid > NEWBORN_MARGIN ? s->last_pid - NEWBORN_MARGIN : 1;

	n.reused = last <= 0 || s->last_pid == 0 || last < s->last_pid;
	/* To open a file that is not there costs about as much as an entry of the directory. */
	if (!n.reused && (uint32_t)(last - pid) <= s->count + NEWBORN_MARGIN) {
		for (; pid <= last; pid++)
			newborn_look(s, pid, &n);
		return n.count;
	}
	r = procfs_dir_open(s->proc_fd, ".", s->buffer + TEXT_SIZE, DIRENTS_SIZE, &d);
	if (r < 0)
		return r;
	while ((r = procfs_dir_next(&d, &pid)) > 0)
		newborn_look(s, pid, &n);
	return r < 0 ? r : n.count;
}

/* --- details --- */

/* Whether the file of path has no name any more. Asks for what is known, not a remote server. */
static bool is_unlinked(const struct snapshot *s, const char *path)
{
	struct statx x;

	return statx(s->proc_fd, path, AT_STATX_DONT_SYNC, STATX_NLINK, &x) == 0 &&
		x.stx_nlink == 0;
}

int snapshot_read_exe(const struct snapshot *s, pid_t pid, char *ret, size_t size)
{
	static const char deleted[] = " (deleted)";
	const struct procfs_path path = procfs_path_of(pid, 0, "exe");
	const size_t tail = sizeof(deleted) - 1;

	if (pid < 1 || size == 0)
		return -EINVAL;
	ssize_t n = readlinkat(s->proc_fd, path.text, s->buffer, TEXT_SIZE - 1);
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if ((size_t)n > tail && !memcmp(s->buffer + n - tail, deleted, tail) &&
		is_unlinked(s, path.text))
		n -= (ssize_t)tail;
	size_t length = min_u64((uint64_t)n, size - 1);
	memcpy(ret, s->buffer, length);
	ret[length] = '\0';
	return 0;
}

int snapshot_read_cgroup(const struct snapshot *s, pid_t pid, char *ret, size_t size)
{
	ssize_t n = pid > 0 ? read_file(s, procfs_path_of(pid, 0, "cgroup").text) : -EINVAL;

	if (n < 0)
		return (int)n;
	return n == 0 ? -ESRCH : snapshot_parse_cgroup(s->buffer, ret, size);
}
