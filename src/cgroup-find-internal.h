/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between cgroup-find.c and cgroup-find-table.c: the directories that matter to a finder, as a tree
 * and by name and by watch. Only cgroup-find.c knows why they matter.
 */
#pragma once

#include "cgroup-find.h"

#include <limits.h>

#define NO_PATTERN  UINT32_MAX
#define BUCKETS     4096
#define NODES_MAX   16384 /* found, watched, and those that wait for room */
#define WATCHED_MAX 8192
#define COMPONENTS  32 /* of a pattern: bounds the stack */

/* A directory that a pattern matches, or the beginning of one does. */
struct node {
	struct node *parent, *children, *next, **link_to_this;
	struct node *next_of_name, *next_of_wd; /* in the buckets */
	uint64_t inode;                         /* another one under the name is another cgroup */
	uint32_t generation;                    /* of the scan that saw it last */
	uint32_t pattern;                       /* the first that matches all of the path */
	int wd;                                 /* negative: not watched */
	uint16_t depth;
	bool found;            /* told of: pattern matches and there was room */
	bool unwatched;        /* no room for a watch */
	bool left_out;         /* one of left_out_count */
	uint32_t onward_count; /* patterns that go on below it ... */
	uint32_t onward[];     /* ... in ascending order; behind them is the name */
};

struct pattern {
	char *text; /* with \0 for each slash */
	uint32_t count;
	uint32_t found;
	const char *component[COMPONENTS];
};

struct cgroup_finder {
	int mount_fd, inotify_fd;
	cgroup_found_fn *fn;
	void *ctx;
	struct pattern *patterns;
	uint32_t pattern_count;
	uint32_t *onward, onward_count; /* what match() found, while nodes are made */
	struct node *root, *by_name[BUCKETS], *by_wd[BUCKETS];
	uint32_t node_count, found_count, watched_count, left_out_count;
	uint32_t uncounted; /* about how many match that there was not even a node for */
	uint32_t generation;
	bool rescan;         /* news were lost */
	bool incomplete;     /* there have been such since the last scan */
	bool no_watches;     /* the last attempt had none, and none was given back since */
	bool freed;          /* a place that one who waits may take */
	char path[PATH_MAX]; /* of node_path() */
};

const char *node_name(const struct node *n);
/* The path, valid until the next call; NULL when it is too long. */
const char *node_path(struct cgroup_finder *f, const struct node *n);
struct node *node_child(const struct cgroup_finder *f, const struct node *parent, const char *name);
struct node *node_of_wd(const struct cgroup_finder *f, int wd);
/* A new one in the tree, with the onward patterns that f has; parent NULL for the root. Neither
 * found nor watched. NULL: no memory. */
struct node *node_add(struct cgroup_finder *f, struct node *parent, const char *name);
/* Takes it out of the tree and frees it; it has no children. */
void node_remove(struct cgroup_finder *f, struct node *n);
/* The watch is this node's from now on, and nobody else's. Negative: it has none. */
void node_set_wd(struct cgroup_finder *f, struct node *n, int wd);
