/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cgroup holds and may hold. Apart from cgroup.c because it is about numbers, and that about
 * where things are.
 */
#include "cgroup-internal.h"
#include "util.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/eventfd.h>

/* PAGE_COUNTER_MAX in pages of any size: v1's way to say that there is no limit. */
#define V1_UNLIMITED (UINT64_C(1) << 62)
#define STAT_SIZE    8192

enum {
	FILE_CURRENT,
	FILE_MAX,
	FILE_HIGH,         /* v2 */
	FILE_SWAP_CURRENT, /* v1: memory.memsw.usage_in_bytes */
	FILE_SWAP_MAX,
	FILE_STAT,
	FILE_EVENTS, /* v1: memory.oom_control */
	FILES
};

static const char *const v2_files[FILES] = { "memory.current", "memory.max", "memory.high",
	"memory.swap.current", "memory.swap.max", "memory.stat", "memory.events" };
static const char *const v1_files[FILES] = { "memory.usage_in_bytes", "memory.limit_in_bytes", NULL,
	"memory.memsw.usage_in_bytes", "memory.memsw.limit_in_bytes", "memory.stat",
	"memory.oom_control" };

struct cgroup_handle {
	bool v1;
	int file_fd[FILES];
	int pressure_fd, events_fd; /* cgroup2: memory.pressure, cgroup.events */
	int dir_fd;                 /* of the hierarchy that has its processes */
};

static int open_file(int dir_fd, const char *name)
{
	int fd = name ? openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -EBADF;

	return name && fd < 0 ? -errno : fd;
}

void cgroup_handle_close(struct cgroup_handle *h)
{
	if (!h)
		return;
	for (int i = 0; i < FILES; i++)
		fd_closep(&h->file_fd[i]);
	fd_closep(&h->pressure_fd);
	fd_closep(&h->events_fd);
	fd_closep(&h->dir_fd);
	free(h);
}

int cgroup_handle_open(const struct cgroup_mounts *m, const char *path, struct cgroup_handle **ret)
{
	_cleanup_(fd_closep) int v2_dir = cgroup_open(m->v2_fd, path);
	_cleanup_(fd_closep) int v1_dir = cgroup_open(m->memory_fd, path);
	int memory_dir = v1_dir >= 0 ? v1_dir : v2_dir;
	struct cgroup_handle *h;

	if (memory_dir < 0)
		return v2_dir;
	h = malloc(sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->v1 = v1_dir >= 0;
	for (int i = 0; i < FILES; i++)
		h->file_fd[i] = open_file(memory_dir, h->v1 ? v1_files[i] : v2_files[i]);
	h->pressure_fd = v2_dir < 0 ? -ENOENT : open_file(v2_dir, "memory.pressure");
	h->events_fd = v2_dir < 0 ? -ENOENT : open_file(v2_dir, "cgroup.events");
	h->dir_fd = h->v1 ? take_fd(&v1_dir) : take_fd(&v2_dir);
	*ret = h;
	return 0;
}

static int read_fd(int fd, char *ret, size_t size)
{
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return fd == -EBADF ? -ENOENT : fd;
	while (length < size - 1 &&
		(n = pread(fd, ret + length, size - 1 - length, (off_t)length)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		length += (size_t)n;
	}
	ret[length] = '\0';
	return 0;
}

/* "max" is UINT64_MAX. */
static int parse_bytes(const char *text, uint64_t *ret)
{
	char *end;

	if (strncmp(text, "max", 3) == 0 && (text[3] == '\n' || text[3] == '\0')) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return errno == 0 && (*end == '\n' || *end == '\0') ? 0 : -EINVAL;
}

static int read_number(const struct cgroup_handle *h, int file, uint64_t *ret)
{
	char text[32];
	int r = read_fd(h->file_fd[file], text, sizeof(text));

	return r < 0 ? r : parse_bytes(text, ret);
}

/* A number that need not be there. */
static uint64_t read_or(const struct cgroup_handle *h, int file, uint64_t otherwise)
{
	uint64_t n;

	return read_number(h, file, &n) < 0 ? otherwise : n;
}

/* The number in the line that begins with name; 0 when there is none. */
static uint64_t number_of(const char *text, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = text; *line;) {
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return strtoull(line + length + 1, NULL, 10);
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return 0;
}

/*
 * Dirty pages and those under writeback count as reclaimable: reclaim waits for them, which is a
 * stall and shows in the pressure, but does not kill for them.
 */
static void read_stat(const struct cgroup_handle *h, struct cgroup_memory *ret)
{
	char text[STAT_SIZE];

	if (read_fd(h->file_fd[FILE_STAT], text, sizeof(text)) < 0)
		return;
	if (h->v1) {
		ret->anon_bytes = number_of(text, "total_rss");
		ret->shmem_bytes = number_of(text, "total_shmem");
		ret->reclaimable_bytes =
			sub_or_zero_u64(number_of(text, "total_cache"), ret->shmem_bytes);
	} else {
		ret->anon_bytes = number_of(text, "anon");
		ret->shmem_bytes = number_of(text, "shmem");
		ret->reclaimable_bytes =
			add_sat_u64(sub_or_zero_u64(number_of(text, "file"), ret->shmem_bytes),
				number_of(text, "slab_reclaimable"));
	}
	ret->reclaimable_bytes = min_u64(ret->reclaimable_bytes, ret->current_bytes);
	if (read_fd(h->file_fd[FILE_EVENTS], text, sizeof(text)) == 0)
		ret->oom_kills = number_of(text, "oom_kill");
}

int cgroup_handle_memory(const struct cgroup_handle *h, struct cgroup_memory *ret)
{
	struct cgroup_memory m = { 0 };
	int r = read_number(h, FILE_CURRENT, &m.current_bytes);

	if (r < 0)
		return r == -ENOENT ? -ENODATA : r;
	m.limit_bytes =
		min_u64(read_or(h, FILE_MAX, UINT64_MAX), read_or(h, FILE_HIGH, UINT64_MAX));
	m.swap_bytes = read_or(h, FILE_SWAP_CURRENT, 0);
	m.swap_limit_bytes = read_or(h, FILE_SWAP_MAX, UINT64_MAX);
	if (h->v1) { /* memory and swap together */
		m.limit_bytes = m.limit_bytes >= V1_UNLIMITED ? UINT64_MAX : m.limit_bytes;
		m.swap_bytes = sub_or_zero_u64(m.swap_bytes, m.current_bytes);
		m.swap_limit_bytes = m.swap_limit_bytes >= V1_UNLIMITED
			? UINT64_MAX
			: sub_or_zero_u64(m.swap_limit_bytes, m.limit_bytes);
	}
	read_stat(h, &m);
	*ret = m;
	return 0;
}

int cgroup_handle_pressure(const struct cgroup_handle *h, char *ret, size_t size)
{
	return read_fd(h->pressure_fd, ret, size);
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

	if (!h->v1)
		return read_fd(h->events_fd, text, sizeof(text)) == 0 &&
			number_of(text, "populated") > 0;
	return cgroup_each_below(h->dir_fd, "/", note_one, &populated) == 0 && populated;
}

int cgroup_pressure_text(const struct cgroup_mounts *m, const char *path, char *ret, size_t size)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(m->v2_fd, path);

	return dir_fd < 0 ? dir_fd : cgroup_read_file(dir_fd, "memory.pressure", ret, size);
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
	char text[16];

	return dir_fd >= 0 &&
		cgroup_read_file(dir_fd, "memory.oom.group", text, sizeof(text)) == 0 &&
		text[0] == '1';
}

bool cgroup_oom_group(
	const struct cgroup_mounts *m, const char *path, const char *domain, char *ret, size_t size)
{
	size_t length = strcmp(domain, "/") == 0 ? 0 : strlen(domain), at = strlen(path);
	bool found = false;
	char here[PATH_MAX];

	if (m->v2_fd < 0 || !cgroup_path_is_safe(path) || at >= sizeof(here) || at >= size ||
		strncmp(path, domain, length) != 0 || (path[length] != '/' && path[length]))
		return false;
	/* From below upward: the last one found is the highest. */
	memcpy(here, path, at + 1);
	for (; at > 1 && at >= length; here[at] = '\0') {
		if (is_oom_group(m->v2_fd, here)) {
			memcpy(ret, here, at + 1);
			found = true;
		}
		while (at > 0 && here[--at] != '/')
			;
	}
	return found;
}

static uint64_t bytes_in(int dir_fd, const char *name)
{
	char text[32];
	uint64_t n;

	return cgroup_read_file(dir_fd, name, text, sizeof(text)) < 0 || parse_bytes(text, &n) < 0
		? 0
		: n;
}

bool cgroup_is_within_low(int v2_fd, const char *path)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(v2_fd, path);
	uint64_t low, current;

	if (dir_fd < 0)
		return false;
	low = max_u64(bytes_in(dir_fd, "memory.low"), bytes_in(dir_fd, "memory.min"));
	current = low > 0 ? bytes_in(dir_fd, "memory.current") : 0;
	return current > 0 && current <= low;
}

int cgroup_pressure_level_fd(const struct cgroup_mounts *m, const char *path, const char *level)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(m->memory_fd, path);
	_cleanup_(fd_closep) int level_fd = -EBADF, event_fd = -EBADF;
	char text[64];
	int r;

	if (dir_fd < 0)
		return dir_fd;
	level_fd = open_file(dir_fd, "memory.pressure_level");
	if (level_fd < 0)
		return level_fd;
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		return -errno;
	snprintf(text, sizeof(text), "%d %d %s", event_fd, level_fd, level);
	r = cgroup_write_file(dir_fd, "cgroup.event_control", text);
	return r < 0 ? r : take_fd(&event_fd);
}
