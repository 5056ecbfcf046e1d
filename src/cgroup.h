/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the cgroup hierarchies are (libcgroup), and what can be done to a whole cgroup.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_mounts;

/* What the owner of a cgroup wants of whoever chooses victims: systemd's ManagedOOMPreference=, and
 * the avoid of Meta's oomd. */
enum cgroup_preference {
	CGROUP_PREFERENCE_NONE,
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
/* "v2", "v1", "hybrid" or "none". */
const char *cgroup_mounts_text(const struct cgroup_mounts *m);

/* memory.current (v1: memory.usage_in_bytes) of a cgroup path as /proc/PID/cgroup shows it. */
int cgroup_memory_bytes(const struct cgroup_mounts *m, const char *path, uint64_t *ret);

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
 * user.oomd_avoid where root owns the cgroup, as systemd has it (src/oom/oomd-util.c). Reads below
 * mount_fd of a cgroup2; what cannot be read says nothing. Never allocates.
 */
enum cgroup_preference cgroup_preference_at(int mount_fd, const char *path);

/*
 * Kills every process of the cgroup and below: cgroup.kill, else freeze, SIGKILL to each of
 * cgroup.procs through pidfds, thaw (always, also after an error). The root and paths with ".."
 * (as a process outside the cgroup namespace shows) are refused with -EINVAL; a cgroup that holds
 * pid 1, ourselves or a process outside the pid namespace with -EPERM. Whether a protected process
 * is in it the caller asks cgroup_each_process() first. Returns how many processes it held, or
 * -errno (-ENOENT also for an empty one). Never allocates.
 */
int cgroup_kill(const struct cgroup_mounts *m, const char *path);
/* Calls each() for every process of the cgroup and below until it returns false; pid 0 is one
 * outside the pid namespace. 0 or -errno (-ELOOP: nested too deep to be seen whole). */
int cgroup_each_process(const struct cgroup_mounts *m, const char *path,
	bool (*each)(void *ctx, pid_t pid), void *ctx);

/* Thaws the v1 freezer cgroup of pid, and those above it, where they are frozen: a frozen task dies
 * only when none is. 1 thawed, 0 was not frozen (or no v1 freezer), or -errno. */
int cgroup_thaw(const struct cgroup_mounts *m, int proc_fd, pid_t pid);
