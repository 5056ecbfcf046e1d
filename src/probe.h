/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may wait for a lock that others hold: reads that take the target's mmap lock and so may
 * never return (cmdline, maps, smaps), what takes cgroup_mutex (/proc/PID/cgroup, cgroup.kill), and
 * what opens files of cgroups.
 * Done by prepared threads, with a deadline for the caller. A thread that is stuck is lost until
 * its call returns; the others go on, and with none left every probe fails at once with -EBUSY. A
 * module of its own because snapshot.c must never block and kill.c must not wait for a reader.
 */
#pragma once

#include "cgroup.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct probe;

/* Starts the threads (small locked stacks, preallocated buffers). The fd and the mounts are
 * borrowed for the call only; mounts may be NULL, cgroup_root is as cgroup_namespace_root() tells.
 * 0 or -errno. */
int probe_open(int proc_fd, const struct cgroup_mounts *mounts, const char *cgroup_root,
	struct probe **ret);
/* Does not wait for threads that are stuck in a read: their memory is left to them. */
void probe_close(struct probe *p);

/*
 * All probes: pid may be a thread's, as task.mm_tid is. What ret points to is written by the
 * caller's thread alone and on success only, never by a reader that comes back late. Nothing is
 * allocated.
 */

/* The command line, NULs as blanks. 0, 1 when it was cut to size, -ETIMEDOUT, -EBUSY, -ESRCH or
 * another -errno. */
int probe_cmdline(struct probe *p, pid_t pid, uint64_t timeout_usec, char *ret, size_t size);

/* As snapshot_read_cgroup(), which on kernels before 6.8 waits for cgroup_mutex; the path is from
 * the mount's root on, and -ENAMETOOLONG where it finds no room. Unless ret_preference is NULL,
 * cgroup_preference_at() as well. Same errors.
 */
int probe_cgroup(struct probe *p, pid_t pid, uint64_t timeout_usec, char *ret, size_t size,
	enum cgroup_preference *ret_preference);

/* Resident shared memory of one mm, by what becomes of it when the mm goes (from smaps). */
struct probe_shmem {
	uint64_t private_bytes; /* mapped by this mm alone and kept by no file: comes back */
	uint64_t pss_bytes;     /* its share of what other mms map too (kept by no file) */
	uint64_t kept_bytes;    /* outlives it: linked tmpfs files, /SYSV... segments */
};

/* Walks the page tables of the target: some 10 ms a GiB of shared memory. Same errors; -ESRCH also
 * when the task has no mm. */
int probe_shmem(struct probe *p, pid_t pid, uint64_t timeout_usec, struct probe_shmem *ret);

/*
 * The evidence of a shared mm for kernels or sandboxes without kcmp.
 * With CAP_SYS_ADMIN it is exact: /proc/PID/pagemap shows page numbers, and two tasks that have the
 * same exclusively mapped page at the same address have the same mm.
 * Else it is weaker: in two readings in a row, all mm lines of status (VmPeak .. VmSwap) and all of
 * smaps are the same in both tasks; the layout is a random one; and there is memory that a fork
 * could not have helped sharing (sealed relocations) and that is mapped once only. A busy mm, one
 * that has been forked, or a static program without such memory is taken for different: an innocent
 * is never grouped for lack of a difference. Returns 1 same, 0 different or not to be told, or the
 * errors above.
 */
int probe_same_mm(struct probe *p, pid_t a, pid_t b, uint64_t timeout_usec);

/*
 * Files of cgroups themselves: to open one takes kernfs_rwsem, behind whoever waits to make or
 * remove a cgroup, who waits for those who open one and are in reclaim.
 */
#define PROBE_PIDS_MAX 16384

/* cgroup_each_process() into ret, which has room for PROBE_PIDS_MAX, and cgroup_id() unless ret_id
 * is NULL. The number of pids, -E2BIG (there are more; the first are in ret), or the errors above
 * or of that call. */
int probe_cgroup_pids(
	struct probe *p, const char *path, uint64_t timeout_usec, pid_t *ret, uint64_t *ret_id);

/* cgroup_oom_group(): 1 and the path in ret, 0: there is none, or the errors above. */
int probe_oom_group(struct probe *p, const char *path, const char *domain, uint64_t timeout_usec,
	char *ret, size_t size);

/* cgroup_memory_bytes(), with the errors above as well. */
int probe_cgroup_memory(
	struct probe *p, const char *path, uint64_t timeout_usec, uint64_t *ret_bytes);

/*
 * cgroup_kill(), by a thread that serves nothing else. Unless id is 0 the cgroup must be the one of
 * that cgroup_id(), else -ENOENT: that one is gone. -ETIMEDOUT: not confirmed. It may yet be
 * done, if its write waits in the kernel by now; but no write is begun after that. -EBUSY: the one
 * before still waits.
 */
int probe_kill_cgroup(struct probe *p, const char *path, uint64_t id, uint64_t timeout_usec);

/* Whether an error says nothing about what was asked: no answer in time, or no reader free. */
static inline bool probe_is_late(int error)
{
	return error == -ETIMEDOUT || error == -EBUSY;
}

/* Pure halves, for tests and fuzzers. */
void probe_parse_shmem(const char *smaps_text, struct probe_shmem *ret);
