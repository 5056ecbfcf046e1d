/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which cgroups match patterns, followed as they come and go: inotify on the directories above
 * them, no scan but the first (and one after an overflow of the queue). While nothing happens it
 * costs nothing, however many there are. A module of its own because it is about names only:
 * cgroup.c reads what is in a cgroup, and knows none by itself.
 */
#pragma once

#include "cgroup.h"

#define CGROUP_FOUND_MAX 4096 /* cgroups followed; those beyond are counted, not watched */

struct cgroup_finder;

/* A cgroup that matches has come (also at the start), or gone. pattern is the index of the first
 * that matches; path begins with "/" and is as in /proc/PID/cgroup. */
typedef void cgroup_found_fn(void *ctx, uint32_t pattern, const char *path, bool appeared);

/*
 * Follows patterns in the hierarchy that has the memory controller (else cgroup2). A pattern is an
 * absolute path whose components are globs as of fnmatch(3) with FNM_PERIOD off; it never matches
 * across "/". "/" by itself matches nothing. fn is called from within for those that are there.
 * *ret_fd, the finder's, is readable when there is news. Allocates. 0, -ENOENT where there are no
 * cgroups, -EINVAL for a pattern that is none (relative, with "..", too long), or another -errno.
 */
int cgroup_finder_new(const struct cgroup_mounts *m, const char *const *patterns, uint32_t count,
	cgroup_found_fn *fn, void *ctx, struct cgroup_finder **ret, int *ret_fd);
void cgroup_finder_free(struct cgroup_finder *f);
/* Takes in the news; calls fn. Allocates: never in an episode (the kernel keeps the events, and an
 * overflow is made good by a scan). 0 or -errno. */
int cgroup_finder_read(struct cgroup_finder *f);
/* How many match pattern now. */
uint32_t cgroup_finder_count(const struct cgroup_finder *f, uint32_t pattern);
/* Those that match but found no room, over CGROUP_FOUND_MAX or the user's inotify watches. */
uint32_t cgroup_finder_left_out(const struct cgroup_finder *f);
/* The part of the pattern before its first component with a wildcard, "/" at least: all that can
 * match is below it. */
void cgroup_pattern_base(const char *pattern, char *ret, size_t size);
