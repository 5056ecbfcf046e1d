/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small /proc of files in a temporary directory, for tests of what reads the real one.
 */
#pragma once

#include "util.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct proc_tree {
	char path[64];
	int fd;
};

static inline void tree_open(struct proc_tree *t)
{
	strcpy(t->path, "/tmp/oomfwd-proc-XXXXXX");
	assert_non_null(mkdtemp(t->path));
	t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->fd >= 0);
}

static inline int tree_remove_entry(
	const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static inline void tree_close(struct proc_tree *t)
{
	close(t->fd);
	assert_int_equal(nftw(t->path, tree_remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* Makes the directories of the path, relative to the tree, too. */
static inline void tree_write(const struct proc_tree *t, const char *path, const char *text)
{
	char part[128];

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		(void)mkdirat(t->fd, part, 0700);
	}
	_cleanup_(fd_closep) int fd =
		openat(t->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}
