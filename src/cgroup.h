/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the cgroup hierarchies are (libcgroup), and what can be done to a whole cgroup.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_mounts;

/* What the owner of a cgroup wants of whoever chooses victims: systemd's ManagedOOMPreference=, and
 * the avoid of Meta's oomd. The strongest word that holds is the one that counts. */
enum cgroup_preference {
	CGROUP_PREFERENCE_NONE,
	CGROUP_PREFERENCE_LOW,   /* within its memory.low or memory.min: as good as reserved */
	CGROUP_PREFERENCE_AVOID, /* last of all */
	CGROUP_PREFERENCE_OMIT,  /* never */
};

/* Asks libcgroup where the controllers are mounted and opens the mount points. Allocates: at start
 * and at reload only. A machine without cgroups is no error. 0 or -errno. */
int cgroup_mounts_new(struct cgroup_mounts **ret);
/* The same from directory fds, which it then owns, or -1 where there is none: for tests. */
int cgroup_mounts_from_fds(
	int v2_fd, int v1_memory_fd, int v1_freezer_fd, struct cgroup_mounts **ret);
void cgroup_mounts_free(struct cgroup_mounts *m);
/* The same mounts by fds of their own, for a thread that may outlive the owner's. Allocates. 0 or
 * -errno. */
int cgroup_mounts_dup(const struct cgroup_mounts *m, struct cgroup_mounts **ret);
/* "v2", "v1", "hybrid" or "none". */
const char *cgroup_mounts_text(const struct cgroup_mounts *m);

/* memory.current (v1: memory.usage_in_bytes) of a cgroup path as /proc/PID/cgroup shows it. */
int cgroup_memory_bytes(const struct cgroup_mounts *m, const char *path, uint64_t *ret);

/* What a cgroup holds and may hold, cgroups below it included. */
struct cgroup_memory {
	uint64_t limit_bytes; /* the lesser of memory.max and memory.high; UINT64_MAX: none */
	uint64_t current_bytes;
	uint64_t reclaimable_bytes; /* of current: page cache that is no shmem, reclaimable slab */
	uint64_t anon_bytes, shmem_bytes;
	uint64_t swap_limit_bytes, swap_bytes; /* limit UINT64_MAX: none of its own */
	uint64_t oom_kills;                    /* by the kernel in it, as far as counted */
};

/*
 * Fds on the files of one cgroup, for reading them again and again: v2, v1 (memory.limit_in_bytes,
 * memory.memsw.*, memory.stat's total_ lines, memory.oom_control) or hybrid (memory from v1,
 * pressure from the cgroup2 tree where the same path exists there). At most 12 fds.
 */
struct cgroup_handle;
/* Allocates. 0, -ENOENT when there is no such cgroup, -EINVAL for ".." in path, or -errno. */
int cgroup_handle_open(const struct cgroup_mounts *m, const char *path, struct cgroup_handle **ret);
void cgroup_handle_close(struct cgroup_handle *h);
/* No allocation. 0, -ENODEV when the cgroup is gone, -ENODATA where there is no memory controller
 * for it, or another -errno. */
int cgroup_handle_memory(const struct cgroup_handle *h, struct cgroup_memory *ret);
/* The text of its memory.pressure, for psi_parse(). 0, -ENODEV gone, -ENOENT or -EOPNOTSUPP where
 * there is none. */
int cgroup_handle_pressure(const struct cgroup_handle *h, char *ret, size_t size);
/* Whether a process is in it or below; false also when it is gone. */
bool cgroup_handle_populated(const struct cgroup_handle *h);
/* The absolute name of a file of a cgroup in the cgroup2 tree, for who must open it by name. 0,
 * -ENOENT where there is no such tree or cgroup, -EINVAL, -ENAMETOOLONG. */
int cgroup_file_path(
	const struct cgroup_mounts *m, const char *path, const char *name, char *ret, size_t size);
/* The text of memory.pressure of a cgroup that nobody holds a handle of. As above. */
int cgroup_pressure_text(const struct cgroup_mounts *m, const char *path, char *ret, size_t size);

/*
 * The cgroup that dies as a whole when a process in path is to die of a shortage in domain ("/":
 * the machine's): the highest from path up to domain with memory.oom.group=1, never the root
 * (mm/memcontrol.c:mem_cgroup_get_oom_group). True: written to ret.
 */
bool cgroup_oom_group(const struct cgroup_mounts *m, const char *path, const char *domain,
	char *ret, size_t size);
/*
 * Where the cgroup namespace we are in has its root, as seen from the cgroup2 mount: "" when that
 * is the mount's root or cannot be told. In a namespace of our own (a container with the host's
 * /sys/fs/cgroup mounted) /proc shows others' paths relative to it, "/../../system.slice/x". Reads
 * every cgroup.procs until it finds us, if process 1 looks to be outside: at start only. Returns
 * false when it does not fit.
 */
bool cgroup_namespace_root(const struct cgroup_mounts *m, char *ret, size_t size);

/* path as the namespace at root shows it, from the mount's root on: base "/a/b", path "/../c" gives
 * "/a/c". Pure. 0, -EINVAL when it leads out of the mount, -ENAMETOOLONG. */
int cgroup_join(const char *root, const char *path, char *ret, size_t size);

/* The cgroup2 mount: an fd of its own for the caller to close, or -ENOENT where there is none. */
int cgroup_mounts_dup_v2(const struct cgroup_mounts *m);

/*
 * The preference in the extended attributes of a cgroup, or else of the unit it is in (its
 * innermost .service or .scope): trusted.oomd_omit and trusted.oomd_avoid, or user.oomd_omit and
 * user.oomd_avoid where root owns the cgroup, as systemd has it (src/oom/oomd-util.c). Where
 * neither is marked, LOW where memory.min or memory.low of one of the two covers all it holds and
 * root owns it. Reads below mount_fd of a cgroup2; what cannot be read says nothing. Never
 * allocates.
 */
enum cgroup_preference cgroup_preference_at(int mount_fd, const char *path);

/*
 * Kills every process of the cgroup and below: cgroup.kill, else freeze, SIGKILL to each of
 * cgroup.procs through pidfds, thaw (always, also after an error). The root and paths with ".."
 * (as a process outside the cgroup namespace shows) are refused with -EINVAL; a cgroup that holds
 * pid 1, ourselves or a process outside the pid namespace with -EPERM. Whether a protected process
 * is in it the caller asks cgroup_each_process() first. Returns how many processes it held, or
 * -errno (-ENOENT also for an empty one, and where id is not 0 for one of another cgroup_id()).
 * Never allocates. The write waits for cgroup_mutex, which somebody in reclaim may hold for long:
 * this is for a thread that nobody waits for for ever (probe_kill_cgroup). Unless given_up is NULL
 * and as long as nothing has been done, it is asked whether to go on: what was allowed when the
 * caller looked need not be so for ever. Then -ECANCELED.
 */
int cgroup_kill(
	const struct cgroup_mounts *m, const char *path, uint64_t id, const atomic_bool *given_up);
/* What tells a cgroup from another one of its path, made later: the inode of its directory, which
 * kernfs gives nobody else (fs/kernfs/dir.c:__kernfs_new_node); 0: it is not there. */
uint64_t cgroup_id(const struct cgroup_mounts *m, const char *path);
/* Calls each() for every process of the cgroup and below until it returns false; pid 0 is one
 * outside the pid namespace. 0 or -errno (-ELOOP: nested too deep to be seen whole). */
int cgroup_each_process(const struct cgroup_mounts *m, const char *path,
	bool (*each)(void *ctx, pid_t pid), void *ctx);
