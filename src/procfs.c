/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "procfs.h"
#include "util.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>

const char *procfs_parse_u64(const char *p, uint64_t *ret)
{
	uint64_t v = 0;
	const char *start = p;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
			return NULL;
	if (p == start)
		return NULL;
	*ret = v;
	return p;
}

const char *procfs_parse_i64(const char *p, int64_t *ret)
{
	bool negative = *p == '-';
	uint64_t v;

	p = procfs_parse_u64(p + negative, &v);
	if (!p || (negative && v > INT64_MAX))
		return NULL;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return p;
}

const char *procfs_parse_hex(const char *p, uint64_t *ret)
{
	const char *start = p;
	uint64_t v = 0;

	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			v = v << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			v = v << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	if (p == start)
		return NULL;
	*ret = v;
	return p;
}

static char *put_text(char *p, const char *text)
{
	return stpcpy(p, text);
}

static char *put_pid(char *p, pid_t pid)
{
	char digits[12];
	int n = 0;

	for (unsigned v = (unsigned)pid; v || n == 0; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	while (n)
		*p++ = digits[--n];
	return p;
}

struct procfs_path procfs_path_of(pid_t pid, pid_t tid, const char *file)
{
	struct procfs_path path = { .text = "" };
	char *p = put_pid(path.text, pid);

	if (tid)
		p = put_pid(put_text(p, "/task/"), tid);
	put_text(put_text(p, "/"), file);
	return path;
}

ssize_t procfs_read_text(int fd, char *text, size_t size)
{
	size_t have = 0;

	while (have < size - 1) {
		ssize_t n = read(fd, text + have, size - 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		have += (size_t)n;
		if (n == 0 || text[have - 1] == '\n')
			break;
	}
	text[have] = '\0';
	return (ssize_t)have;
}

int procfs_open(int proc_fd, const char *path)
{
	int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		return fd;
	return errno == ENOENT || errno == ENOTDIR ? -ESRCH : -errno;
}

int procfs_dir_open(
	int proc_fd, const char *path, char *buffer, size_t size, struct procfs_dir *ret)
{
	int fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = (struct procfs_dir){ .fd = fd, .buffer = buffer, .size = size };
	return 0;
}

void procfs_dir_close(struct procfs_dir *d)
{
	fd_closep(&d->fd);
}

int procfs_dir_next(struct procfs_dir *d, pid_t *ret)
{
	for (;;) {
		if (d->at >= d->end) {
			long n = syscall(SYS_getdents64, d->fd, d->buffer, d->size);
			if (n <= 0)
				return n < 0 ? -errno : 0;
			d->at = 0;
			d->end = (size_t)n;
		}
		const struct dirent64 *e = (const struct dirent64 *)(d->buffer + d->at);
		uint64_t v;
		const char *end = procfs_parse_u64(e->d_name, &v);

		d->at += e->d_reclen;
		if (end && !*end && v > 0 && v <= INT_MAX) {
			*ret = (pid_t)v;
			return 1;
		}
	}
}

ssize_t procfs_read_full(int fd, char *data, size_t size)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = read(fd, data + have, size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

ssize_t procfs_read_file(int proc_fd, const char *path, char *text, size_t size)
{
	_cleanup_(fd_closep) int fd = procfs_open(proc_fd, path);

	return fd < 0 ? fd : procfs_read_text(fd, text, size);
}
