/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cgroup holds, may hold and waits for. A file of its own because it knows the names and
 * meanings of the memory controller's files, of both versions; cgroup.c knows the hierarchies.
 */
#include "cgroup-internal.h"
#include "util.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* v1 writes its "unlimited" as a number: PAGE_COUNTER_MAX pages, near 2^63. */
#define V1_UNLIMITED_BYTES (UINT64_C(1) << 62)

/* memory.stat has some 60 lines, and gains some with every release. */
#define TEXT_SIZE 8192

enum file {
	FILE_CURRENT,
	FILE_MAX,
	FILE_HIGH,
	FILE_SWAP,
	FILE_SWAP_MAX,
	FILE_STAT,
	FILE_OOM,
	MEMORY_FILES, /* those below are of cgroup2 itself: without the controller, too */
	FILE_PRESSURE = MEMORY_FILES,
	FILE_POPULATED,
	FILES,
};

/* On v1 the swap files count memory and swap together. */
static const char *const v2_files[FILES] = { "memory.current", "memory.max", "memory.high",
	"memory.swap.current", "memory.swap.max", "memory.stat", "memory.events", "memory.pressure",
	"cgroup.events" };
static const char *const v1_files[MEMORY_FILES] = { "memory.usage_in_bytes",
	"memory.limit_in_bytes", NULL, "memory.memsw.usage_in_bytes", "memory.memsw.limit_in_bytes",
	"memory.stat", "memory.oom_control" };

enum line {
	LINE_ANON,
	LINE_SHMEM,
	LINE_FILE,
	LINE_ACTIVE_FILE,
	LINE_INACTIVE_FILE,
	LINE_SLAB,
	LINES,
};

static const char *const v2_lines[LINES] = { "anon", "shmem", "file", "active_file",
	"inactive_file", "slab_reclaimable" };
/* v1 does not say how much of the slab can be reclaimed: none is counted. */
static const char *const v1_lines[LINES] = { "total_rss", "total_shmem", "total_cache",
	"total_active_file", "total_inactive_file", NULL };

struct cgroup_handle {
	bool v1;          /* the memory controller is */
	int v2_fd, v1_fd; /* its directories, or negative */
	int fd[FILES];    /* or -errno of opening it */
};

/* Says nothing about the cgroup, only about us. */
static bool is_shortage(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM;
}

/* What is not there is no error: one may lack swap accounting, the root its limits. */
static int open_files(
	struct cgroup_handle *h, int dir_fd, const char *const *names, int from, int to)
{
	for (int i = from; i < to; i++) {
		if (!names[i])
			continue;
		h->fd[i] = openat(dir_fd, names[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (h->fd[i] < 0)
			h->fd[i] = -errno;
		if (is_shortage(h->fd[i]))
			return h->fd[i];
	}
	return 0;
}

static int open_all(struct cgroup_handle *h, const struct cgroup_mounts *m, const char *path)
{
	int r = 0;

	h->v2_fd = cgroup_open(m->v2_fd, path);
	h->v1_fd = cgroup_open(m->memory_fd, path);
	if (is_shortage(h->v2_fd) || (h->v2_fd < 0 && h->v1_fd < 0))
		return h->v2_fd == -ENOENT ? h->v1_fd : h->v2_fd;
	if (is_shortage(h->v1_fd))
		return h->v1_fd;
	if (h->v2_fd >= 0)
		r = open_files(h, h->v2_fd, v2_files, 0, FILES);
	/* The controller is in one of the hierarchies only. */
	h->v1 = h->v1_fd >= 0 && h->fd[FILE_CURRENT] == -ENOENT;
	if (r == 0 && h->v1)
		r = open_files(h, h->v1_fd, v1_files, 0, MEMORY_FILES);
	return r;
}

int cgroup_handle_open(const struct cgroup_mounts *m, const char *path, struct cgroup_handle **ret)
{
	struct cgroup_handle *h;
	int r;

	if (!cgroup_path_is_safe(path))
		return -EINVAL;
	h = malloc(sizeof(*h));
	if (!h)
		return -ENOMEM;
	for (int i = 0; i < FILES; i++)
		h->fd[i] = -ENOENT;
	r = open_all(h, m, path);
	if (r < 0) {
		cgroup_handle_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

void cgroup_handle_close(struct cgroup_handle *h)
{
	if (!h)
		return;
	for (int i = 0; i < FILES; i++)
		fd_closep(&h->fd[i]);
	fd_closep(&h->v2_fd);
	fd_closep(&h->v1_fd);
	free(h);
}

/* From the beginning; -errno of the opening where it was not opened. */
static int read_again(int fd, char *ret, size_t size)
{
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	while (length < size - 1 &&
		(n = pread(fd, ret + length, size - 1 - length, (off_t)length)) != 0) {
		if (n < 0)
			return -errno;
		length += (size_t)n;
	}
	ret[length] = '\0';
	return 0;
}

/* A removed directory knows no names any more. */
static bool is_there(int dir_fd)
{
	return dir_fd >= 0 && faccessat(dir_fd, "cgroup.procs", F_OK, 0) == 0;
}

/* The files go with the cgroup, but also when the controller is taken away from it. */
static int explain_memory(const struct cgroup_handle *h, int r)
{
	return r == -ENODEV && is_there(h->v1 ? h->v1_fd : h->v2_fd) ? -ENODATA : r;
}

static int read_number(
	const struct cgroup_handle *h, enum file file, uint64_t missing, uint64_t *ret)
{
	char text[32];
	int r = read_again(h->fd[file], text, sizeof(text));

	if (r == 0)
		return cgroup_parse_bytes(text, ret);
	*ret = missing;
	return r == -ENOENT ? 0 : r;
}

/* "name 123" at the beginning of a line. */
static uint64_t find_line(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, length) == 0 && p[length] == ' ')
			return strtoull(p + length + 1, NULL, 10);
	}
	return UINT64_MAX;
}

static uint64_t line_or_zero(const char *text, const char *name)
{
	uint64_t value = name ? find_line(text, name) : UINT64_MAX;

	return value == UINT64_MAX ? 0 : value;
}

/*
 * Page cache that is no shmem, and of that what is on the file lists: not what is mlocked. Dirty
 * pages and those under writeback count, as in MemAvailable: reclaim writes them and gets them.
 * Without them one who copies a large file would look short of memory at the dirty limit; where the
 * writing is too slow for those who wait, that is in the pressure.
 */
static uint64_t reclaimable(const char *text, const char *const *lines, uint64_t shmem_bytes)
{
	uint64_t file_bytes = sub_or_zero_u64(line_or_zero(text, lines[LINE_FILE]), shmem_bytes);
	uint64_t lists_bytes = add_sat_u64(find_line(text, lines[LINE_ACTIVE_FILE]),
		find_line(
			text, lines[LINE_INACTIVE_FILE])); /* UINT64_MAX when they are not there */

	return add_sat_u64(min_u64(file_bytes, lists_bytes), line_or_zero(text, lines[LINE_SLAB]));
}

static int read_stat(const struct cgroup_handle *h, struct cgroup_memory *c)
{
	const char *const *lines = h->v1 ? v1_lines : v2_lines;
	char text[TEXT_SIZE] = "";
	int r = read_again(h->fd[FILE_STAT], text, sizeof(text));

	if (r < 0 && r != -ENOENT)
		return r;
	c->anon_bytes = line_or_zero(text, lines[LINE_ANON]);
	c->shmem_bytes = line_or_zero(text, lines[LINE_SHMEM]);
	c->reclaimable_bytes = min_u64(reclaimable(text, lines, c->shmem_bytes), c->current_bytes);
	return 0;
}

static int read_oom_kills(const struct cgroup_handle *h, struct cgroup_memory *c)
{
	char text[512] = "";
	int r = read_again(h->fd[FILE_OOM], text, sizeof(text));

	c->oom_kills = r == 0 ? line_or_zero(text, "oom_kill") : 0;
	return r == -ENOENT ? 0 : r;
}

static void count_as_v1(struct cgroup_memory *c, bool swap_is_counted)
{
	if (c->limit_bytes >= V1_UNLIMITED_BYTES)
		c->limit_bytes = UINT64_MAX;
	if (!swap_is_counted)
		return;
	/* Read one after the other: the sum may be the older. */
	c->swap_bytes = sub_or_zero_u64(c->swap_bytes, c->current_bytes);
	/* What is left for swap when memory is at its limit, which is never above that of both. */
	c->swap_limit_bytes = c->swap_limit_bytes >= V1_UNLIMITED_BYTES
		? UINT64_MAX
		: sub_or_zero_u64(c->swap_limit_bytes, c->limit_bytes);
}

int cgroup_handle_memory(const struct cgroup_handle *h, struct cgroup_memory *ret)
{
	struct cgroup_memory c;
	uint64_t high_bytes;
	int r;

	if (h->fd[FILE_CURRENT] == -ENOENT)
		return -ENODATA;
	if ((r = read_number(h, FILE_CURRENT, 0, &c.current_bytes)) < 0 ||
		(r = read_number(h, FILE_SWAP, 0, &c.swap_bytes)) < 0 ||
		(r = read_number(h, FILE_MAX, UINT64_MAX, &c.limit_bytes)) < 0 ||
		(r = read_number(h, FILE_HIGH, UINT64_MAX, &high_bytes)) < 0 ||
		(r = read_number(h, FILE_SWAP_MAX, UINT64_MAX, &c.swap_limit_bytes)) < 0 ||
		(r = read_stat(h, &c)) < 0 || (r = read_oom_kills(h, &c)) < 0)
		return explain_memory(h, r);
	c.limit_bytes = min_u64(c.limit_bytes, high_bytes);
	if (h->v1)
		count_as_v1(&c, h->fd[FILE_SWAP] >= 0);
	*ret = c;
	return 0;
}

int cgroup_handle_pressure(const struct cgroup_handle *h, char *ret, size_t size)
{
	int r = read_again(h->fd[FILE_PRESSURE], ret, size);

	/* cgroup.pressure switches it off; and of two hierarchies one may go first. */
	return r == -ENODEV && (is_there(h->v2_fd) || is_there(h->v1_fd)) ? -ENOENT : r;
}

static bool note_one(void *ctx, pid_t pid)
{
	*(bool *)ctx = true;
	return false;
}

bool cgroup_handle_populated(const struct cgroup_handle *h)
{
	char text[256];
	bool populated = false;

	if (read_again(h->fd[FILE_POPULATED], text, sizeof(text)) == 0)
		populated = line_or_zero(text, "populated") == 1;
	else /* the root has no such file */
		cgroup_each_below(h->v2_fd, "/", note_one, &populated);
	if (!populated)
		cgroup_each_below(h->v1_fd, "/", note_one, &populated);
	return populated;
}

int cgroup_pressure_text(const struct cgroup_mounts *m, const char *path, char *ret, size_t size)
{
	_cleanup_(fd_closep) int v2_fd = cgroup_open(m->v2_fd, path);
	_cleanup_(fd_closep) int v1_fd = cgroup_open(m->memory_fd, path);

	if (v2_fd >= 0)
		return cgroup_read_file(v2_fd, "memory.pressure", ret, size);
	/* Gone, or never shown here? */
	return v2_fd == -ENOENT && m->v2_fd >= 0 && v1_fd < 0 ? -ENODEV : v2_fd;
}

int cgroup_file_path(
	const struct cgroup_mounts *m, const char *path, const char *name, char *ret, size_t size)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(m->v2_fd, path);
	char link[32], dir[PATH_MAX];
	ssize_t n;

	if (dir_fd < 0)
		return dir_fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n < 0)
		return -errno;
	dir[n] = '\0';
	return (size_t)snprintf(ret, size, "%s/%s", dir, name) < size ? 0 : -ENAMETOOLONG;
}

static bool is_oom_group(int v2_fd, const char *path)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(v2_fd, path);
	char text[8];

	return dir_fd >= 0 &&
		cgroup_read_file(dir_fd, "memory.oom.group", text, sizeof(text)) == 0 &&
		text[0] == '1';
}

/* Without the slashes at the end; 0: the root. */
static size_t path_length(const char *path)
{
	size_t length = strlen(path);

	while (length > 0 && path[length - 1] == '/')
		length--;
	return length;
}

bool cgroup_oom_group(
	const struct cgroup_mounts *m, const char *path, const char *domain, char *ret, size_t size)
{
	size_t length = path_length(path), at = path_length(domain);
	char here[PATH_MAX];

	if (!cgroup_path_is_safe(path) || !cgroup_path_is_safe(domain) || length >= sizeof(here) ||
		length < at || memcmp(path, domain, at) != 0 ||
		(path[at] != '/' && path[at] != '\0'))
		return false;
	/* From the top, since the highest wins. */
	for (; at <= length; at += 1 + strcspn(path + at + 1, "/")) {
		memcpy(here, path, at);
		here[at] = '\0';
		if (at > 0 && is_oom_group(m->v2_fd, here)) {
			if (at >= size)
				return false;
			memcpy(ret, here, at + 1);
			return true;
		}
		if (at == length)
			break;
	}
	return false;
}

bool cgroup_dir_within_low(int dir_fd)
{
	uint64_t low_bytes = 0, min_bytes = 0, current_bytes = 0, kept_bytes;
	struct stat st;

	if (dir_fd < 0 || fstat(dir_fd, &st) < 0 || st.st_uid != 0)
		return false;
	cgroup_read_bytes(dir_fd, "memory.low", &low_bytes);
	cgroup_read_bytes(dir_fd, "memory.min", &min_bytes);
	kept_bytes = max_u64(low_bytes, min_bytes);
	if (kept_bytes > 0) /* seldom: most are spared the third file */
		cgroup_read_bytes(dir_fd, "memory.current", &current_bytes);
	return current_bytes > 0 && kept_bytes >= current_bytes;
}
