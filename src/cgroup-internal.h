/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of cgroup: reading and walking below the mount points. Nothing here allocates.
 */
#pragma once

#include "cgroup.h"

#include <stddef.h>

struct cgroup_mounts {
	int v2_fd, memory_fd, freezer_fd; /* the latter two v1; negative where there is none */
};

typedef bool cgroup_each_fn(void *ctx, pid_t pid);
typedef int cgroup_visit_fn(void *ctx, int dir_fd);

/* Begins with "/" and has no ".." part. */
bool cgroup_path_is_safe(const char *path);
/* Vanished between two looks, or threaded (its processes are listed in the one above): to skip. */
bool cgroup_is_gone(int error);
/* The directory of a cgroup below a mount, never above or beside it. An fd or -errno. */
int cgroup_open(int mount_fd, const char *path);
uint64_t cgroup_id_of(int dir_fd);
int cgroup_read_file(int dir_fd, const char *name, char *ret, size_t size);
int cgroup_write_file(int dir_fd, const char *name, const char *text);
/* A number and nothing else, or "max": UINT64_MAX. 0 or -EINVAL. */
int cgroup_parse_bytes(const char *text, uint64_t *ret);
/* A file that holds one such. */
int cgroup_read_bytes(int dir_fd, const char *name, uint64_t *ret);
/* The innermost .service or .scope that path is in. An fd, -ENOENT also when path is in none or is
 * one itself, or another -errno. */
int cgroup_open_unit(int mount_fd, const char *path);
/* Whether memory.min or memory.low covers all that the cgroup of this directory holds, and root
 * owns it: nobody exempts himself. */
bool cgroup_dir_within_low(int dir_fd);

/* The hierarchy that holds the processes of path: on a hybrid machine either may. */
int cgroup_mount_of(const struct cgroup_mounts *m, const char *path);
/* Calls each() for the pids of one cgroup.procs but the first skip. 1 when each() said enough, 0,
 * or -errno. */
int cgroup_each_listed(int dir_fd, uint32_t skip, cgroup_each_fn *each, void *ctx);
/* The same for all of a cgroup and below; 0 or -errno. */
int cgroup_each_below(int mount_fd, const char *path, cgroup_each_fn *each, void *ctx);
/* Calls visit() for a cgroup and each below. Stops at what is not 0 (and not -errno of something
 * gone) and returns it. */
int cgroup_walk(int mount_fd, const char *path, cgroup_visit_fn *visit, void *ctx);

/* Thaws the v1 freezer cgroup of the process whose directory in /proc this is, and those above it,
 * where they are frozen: a frozen task dies only when none is. On kernels before 6.8 it waits for
 * cgroup_mutex. 1 thawed, 0 was not frozen (or no v1 freezer), or -errno. */
int cgroup_thaw(const struct cgroup_mounts *m, int process_fd);
