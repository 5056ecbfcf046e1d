/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over all tasks into one flat table that is reused from pass to pass; here by reading
 * /proc, in snapshot-bpf.h by a program in the kernel.
 * After snapshot_open() (and snapshot_reserve(), between episodes) nothing here allocates.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TASK_COMM_LEN 16

/* A process across time: a pid alone may have been recycled. */
struct proc_id {
	pid_t pid;
	uint64_t start_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot */
};

enum task_flag {
	TASK_KTHREAD = 1 << 0,       /* PF_KTHREAD: no mm of its own */
	TASK_ZOMBIE_LEADER = 1 << 1, /* leader has exited, a thread lives: mm seen through mm_tid */
	TASK_NO_MM = 1 << 2,         /* zombie, dead or past exit_mm in every thread */
	TASK_CORE_DUMPING = 1 << 3,  /* "CoreDumping: 1": the mm lives until the dump ends */
	TASK_KILL_PENDING = 1 << 4,  /* SIGKILL in SigPnd or ShdPnd */
	TASK_MARKS_HIDDEN = 1 << 5,  /* mm marks read as 0: no ptrace-read permission */
	/* The row is the stat's alone, see snapshot_refresh_heavy(). */
	TASK_LIGHT = 1 << 10,
	/* /proc alone knows of these: */
	TASK_NS_INIT = 1 << 11,     /* process 1 of its pid namespace */
	TASK_BLOCKS_TERM = 1 << 12, /* SIGTERM in the leader's SigBlk: it may wait for it */
	/* It has SIGTERM in SigIgn, or is process 1 and has no handler, and does not block it: the
	 * signal is lost (kernel/signal.c:sig_ignored). Who sleeps in sigwait(3) looks the same. */
	TASK_IGNORES_TERM = 1 << 13,
	/* The BPF reader alone knows of these: */
	TASK_EXITING = 1 << 6,     /* on its way out, whether a signal is pending or not */
	TASK_OOM_SKIP = 1 << 7,    /* the kernel's OOM killer has done with the mm (MMF_OOM_SKIP) */
	TASK_VFORK_CHILD = 1 << 8, /* its parent has the same mm and waits for it */
	TASK_BORROWED_MM = 1 << 9, /* a kernel thread that uses the mm of mm_key (kthread_use_mm) */
};

/*
 * What a fork copies and an exec replaces; equal in all tasks that share one mm
 * (fs/proc/array.c:do_task_stat). Different marks: different mm. Equal marks: same mm or a fork.
 */
struct mm_marks {
	uint64_t start_code, end_code, start_stack;
	uint64_t start_data, end_data, start_brk;
	uint64_t arg_start, env_start;
};

/* Counters of the mm, not of the task: sharers all show the same ones. */
struct mm_counters {
	uint64_t anon_bytes, file_bytes, shmem_bytes, swap_bytes, pgtables_bytes, vsize_bytes;
};

struct task {
	struct proc_id id; /* of the thread group (tgid) */
	pid_t mm_tid;      /* the thread whose files show the mm: id.pid, but for zombie leaders */
	pid_t ppid;
	uid_t uid;      /* effective */
	uint32_t flags; /* enum task_flag */
	uint32_t threads;
	int16_t oom_score_adj;
	char state;               /* of the leader: R S D T t Z X I ... */
	char comm[TASK_COMM_LEN]; /* as the kernel gives it: bytes under the process's control */
	struct mm_counters mem;
	struct mm_marks marks;
	/* Equal in tasks of one mm and in no others, within one pass; says nothing of the address.
	 * 0: not known, for only the BPF reader sees it. */
	uint64_t mm_key;
};

struct snapshot {
	struct task *tasks; /* ascending pid */
	uint32_t count, capacity;
	uint32_t vanished;   /* exited while we read them: not an error */
	uint32_t unread;     /* there, but could not be read (no fd, no permission) */
	uint32_t dropped;    /* small tasks left out because the table was full */
	uint32_t light;      /* rows that are TASK_LIGHT */
	uint64_t generation; /* +1 a pass; indices into tasks belong to one generation */
	pid_t last_pid;      /* newest pid of the pid namespace when the pass began; 0: unknown */
	int proc_fd;         /* borrowed */
	char *buffer;        /* one file's text, then room for directory entries */
	uint32_t buffer_size;
};

/*
 * Prepares the table for capacity tasks. proc_fd is an open directory (/proc, or a fixture tree in
 * tests) and stays the caller's; it must outlive the snapshot. Returns 0 or -errno.
 */
int snapshot_open(struct snapshot *s, int proc_fd, uint32_t capacity);
void snapshot_close(struct snapshot *s);

/* Grows the table; only between episodes. Returns 0 or -errno (the old table stays). */
int snapshot_reserve(struct snapshot *s, uint32_t capacity);

/*
 * Reads all tasks. A task that vanishes in mid-read is counted and skipped, and so is one that
 * cannot be read (s->unread): the others go on. When the table is full
 * the tasks with the smallest mm are dropped (a sharer shows the whole mm, so no sharer of a large
 * mm is lost); pid 1 never. Returns 0, or -errno when the directory itself cannot be read: the
 * table is then empty.
 */
int snapshot_refresh(struct snapshot *s);

/*
 * The same at a third of the cost, for who needs to know everything of large processes only: of
 * those that cannot hold light_bytes, whatever they have of the swap_used_bytes in use, only the
 * stat is read, and they are TASK_LIGHT. Their uid, oom_score_adj, signals and swap are unknown
 * (0), and all that is resident counts as shared memory. No such row is ever pid 1's, or one that
 * hides its marks or shows no mm.
 */
int snapshot_refresh_heavy(struct snapshot *s, uint64_t light_bytes, uint64_t swap_used_bytes);

/* Reads the rest of a light row, or of all of them. Who is gone by now, or cannot be read, is
 * counted as in a pass, and its row becomes TASK_NO_MM. */
void snapshot_complete_task(struct snapshot *s, uint32_t index);
void snapshot_complete(struct snapshot *s);

/*
 * How many rows a pass would need now, without one. At the most: what the directory says of itself,
 * which costs a system call and counts the processes of all pid namespaces
 * (fs/proc/root.c:proc_root_getattr). UINT32_MAX: unknown. Or exactly: the names in it are counted,
 * and none is opened. That many, or -errno.
 */
uint32_t snapshot_tasks_at_most(const struct snapshot *s);
int snapshot_count_tasks(const struct snapshot *s);

/* Reads one task as snapshot_refresh does; the table stays as it is. Returns 0, -ESRCH when it is
 * gone, -EINVAL when pid is a thread that is not a leader, or another -errno. */
int snapshot_read_task(struct snapshot *s, pid_t pid, struct task *ret);

/* The row of pid, or NULL. */
const struct task *snapshot_find(const struct snapshot *s, pid_t pid);

/* The newest pid given out in the pid namespace (last field of /proc/loadavg), or -errno; -EXDEV
 * when /proc belongs to another pid namespace than ours, whose pids loadavg does not count. */
int snapshot_last_pid(const struct snapshot *s);

typedef void snapshot_found_fn(void *ctx, const struct task *t);

/*
 * Calls found() for every process born since the pass began and not in the table (its pid is not,
 * or its start time differs), reading only the pids handed out since; the whole directory when that
 * is cheaper, or when pids have wrapped around. A process that cannot be read is skipped and
 * counted as unread; one that the pass dropped may be found too. found() may call
 * snapshot_read_task(), but not refresh. Returns how many were found, or -errno when the directory
 * cannot be read.
 */
int snapshot_newborn(struct snapshot *s, snapshot_found_fn *found, void *ctx);

/* What that would cost: so many pids are to be looked at; UINT32_MAX: all there are. */
uint32_t snapshot_newborn_cost(const struct snapshot *s);

/*
 * The details that rules match and that do not take the mmap lock of the task. pid may be an
 * mm_tid; a zombie leader has no exe of its own. Each writes a NUL-terminated string, cut to size.
 * Return 0, -ESRCH (gone, or there is none: kernel threads have no exe) or another -errno.
 */
/* The path in the mount namespace of the task, which its owner can arrange: it identifies a program
 * only together with the uid or the mount namespace. Without the " (deleted)" of a program that was
 * replaced by an upgrade while it runs. */
int snapshot_read_exe(const struct snapshot *s, pid_t pid, char *ret, size_t size);
/*
 * The cgroup path: the first that is not the root of the unified hierarchy, the v1 memory
 * controller, name=systemd; "/" when all are. A part of one would name another: -ENAMETOOLONG where
 * it finds no room. Kernels before 6.8 take cgroup_mutex for this
 * (kernel/cgroup/cgroup.c:proc_cgroup_show), under which others allocate memory: on the way to a
 * kill use probe_cgroup().
 */
int snapshot_read_cgroup(const struct snapshot *s, pid_t pid, char *ret, size_t size);

/* Pure parsers, for tests and fuzzers: text of one file in, 0 or -EINVAL out. The stat gives the
 * size of the mm too, all that is resident as shared memory; the status then says it better. */
int snapshot_parse_stat(const char *text, struct task *ret);
int snapshot_parse_status(const char *text, struct task *ret);
int snapshot_parse_cgroup(const char *text, char *ret, size_t size);
