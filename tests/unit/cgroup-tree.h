/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A made-up cgroup hierarchy: directories and plain files below a directory of its own. */
#pragma once

#include "cgroup.h"
#include "util.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct tree {
	char root[64];
};

static inline int tree_remove_one(
	const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void tree_open(struct tree *t)
{
	snprintf(t->root, sizeof(t->root), "/tmp/oomfwd-tree-XXXXXX");
	assert_non_null(mkdtemp(t->root));
}

static inline int tree_fd(const struct tree *t, const char *path)
{
	char whole[PATH_MAX];
	int fd;

	snprintf(whole, sizeof(whole), "%s%s", t->root, path);
	fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Makes a directory and those above it. */
static inline void tree_dir(const struct tree *t, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s/", t->root, path);
	for (char *p = whole + strlen(t->root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(whole, 0700);
	}
}

/* Writes a file; its directory is there. */
static inline void tree_put(const struct tree *t, const char *path, const char *text)
{
	char whole[PATH_MAX];
	FILE *f;

	snprintf(whole, sizeof(whole), "%s%s", t->root, path);
	f = fopen(whole, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline void tree_remove(const struct tree *t, const char *path)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s%s", t->root, path);
	nftw(whole, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
