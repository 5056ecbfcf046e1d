/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the cgroup hierarchies are (libcgroup), and what can be done to a whole cgroup.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_mounts;

/* Asks libcgroup where the controllers are mounted and opens the mount points. Allocates: at start
 * and at reload only. A machine without cgroups is no error. 0 or -errno. */
int cgroup_mounts_new(struct cgroup_mounts **ret);
void cgroup_mounts_free(struct cgroup_mounts *m);
/* "v2", "v1", "hybrid" or "none". */
const char *cgroup_mounts_text(const struct cgroup_mounts *m);

/* memory.current (v1: memory.usage_in_bytes) of a cgroup path as /proc/PID/cgroup shows it. */
int cgroup_memory_bytes(const struct cgroup_mounts *m, const char *path, uint64_t *ret);

/*
 * Kills every process of the cgroup and below: cgroup.kill, else freeze, SIGKILL to each of
 * cgroup.procs through pidfds, thaw (always, also after an error). The root and paths with ".."
 * are refused with -EINVAL. Returns how many processes it held when that can be told (else 1), or
 * -errno. Never allocates.
 */
int cgroup_kill(const struct cgroup_mounts *m, const char *path);
/* Calls each() for every process of the cgroup and below until it returns false. 0 or -errno. */
int cgroup_each_process(const struct cgroup_mounts *m, const char *path,
	bool (*each)(void *ctx, pid_t pid), void *ctx);

/* Thaws the v1 freezer cgroup of pid if it is frozen. 1 thawed, 0 was not frozen (or no v1
 * freezer), or -errno. */
int cgroup_thaw(const struct cgroup_mounts *m, int proc_fd, pid_t pid);
