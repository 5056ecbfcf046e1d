/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcgroup finds the mounts; everything after that is openat() below their fds, since libcgroup
 * allocates, prints and re-reads the mount table.
 *
 * Measured with libcgroup 2.0.2: it logs to stdout unless it is given a logger; it knows only the
 * controllers of /proc/cgroups, so neither "name=systemd" nor a cgroup2 mount without controllers
 * (every hybrid machine has one); it does not say which version a mount is.
 */
#include "cgroup-internal.h"
#include "util.h"

#include <dirent.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define DEPTH_MAX 32 /* of nested cgroups: bounds the stack */

static void log_nothing(void *ctx, int level, const char *format, va_list args)
{
}

/* Gives the mount point to the hierarchy that it turns out to be. */
static void adopt_mount(const char *path, int *v2_fd, int *v1_fd)
{
	_cleanup_(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return;
	if (fs.f_type == CGROUP2_SUPER_MAGIC && *v2_fd < 0)
		*v2_fd = take_fd(&fd);
	if (fs.f_type == CGROUP_SUPER_MAGIC && v1_fd && *v1_fd < 0)
		*v1_fd = take_fd(&fd);
}

static void find_controller(const char *name, char *ret, size_t size)
{
	_cleanup_(freep) char *path = NULL;

	if (cgroup_get_subsys_mount_point(name, &path) == 0)
		copy_cut(ret, size, path);
}

/* A cgroup2 mount has no name that libcgroup knows when it has no controllers. */
static void find_v2(int *v2_fd)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry, *e;
	char text[PATH_MAX + 512];

	if (!mounts)
		return;
	while (*v2_fd < 0 && (e = getmntent_r(mounts, &entry, text, sizeof(text))))
		if (strcmp(e->mnt_type, "cgroup2") == 0)
			adopt_mount(e->mnt_dir, v2_fd, NULL);
	endmntent(mounts);
}

/* Where libcgroup finds the controllers; "": nowhere. */
struct found {
	char memory[PATH_MAX], freezer[PATH_MAX];
};

/* libcgroup keeps 0.8 MB of tables, which would be locked for ever: it is asked in a child. */
static void ask_libcgroup(struct found *ret)
{
	struct found *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
		/* cppcheck-suppress invalidFunctionArg ; anonymous memory has no fd */
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = f == MAP_FAILED ? -1 : fork();

	*ret = (struct found){ .memory = "" };
	if (pid == 0) {
		cgroup_set_logger(log_nothing, CGROUP_LOG_ERROR, NULL);
		if (cgroup_init() == 0) {
			find_controller("memory", f->memory, sizeof(f->memory));
			find_controller("freezer", f->freezer, sizeof(f->freezer));
		}
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (pid > 0)
		*ret = *f;
	if (f != MAP_FAILED)
		munmap(f, sizeof(*f));
}

int cgroup_mounts_new(struct cgroup_mounts **ret)
{
	int v2_fd = -EBADF, memory_fd = -EBADF, freezer_fd = -EBADF;
	struct found found;

	ask_libcgroup(&found);
	if (found.memory[0])
		adopt_mount(found.memory, &v2_fd, &memory_fd);
	if (found.freezer[0])
		adopt_mount(found.freezer, &v2_fd, &freezer_fd);
	find_v2(&v2_fd);
	return cgroup_mounts_from_fds(v2_fd, memory_fd, freezer_fd, ret);
}

int cgroup_mounts_from_fds(
	int v2_fd, int v1_memory_fd, int v1_freezer_fd, struct cgroup_mounts **ret)
{
	struct cgroup_mounts *m = malloc(sizeof(*m));

	if (!m) {
		fd_closep(&v2_fd);
		fd_closep(&v1_memory_fd);
		fd_closep(&v1_freezer_fd);
		return -ENOMEM;
	}
	*m = (struct cgroup_mounts){ v2_fd, v1_memory_fd, v1_freezer_fd };
	*ret = m;
	return 0;
}

void cgroup_mounts_free(struct cgroup_mounts *m)
{
	if (!m)
		return;
	fd_closep(&m->v2_fd);
	fd_closep(&m->memory_fd);
	fd_closep(&m->freezer_fd);
	free(m);
}

static int dup_fd(int fd)
{
	return fd < 0 ? -EBADF : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

int cgroup_mounts_dup(const struct cgroup_mounts *m, struct cgroup_mounts **ret)
{
	return cgroup_mounts_from_fds(
		dup_fd(m->v2_fd), dup_fd(m->memory_fd), dup_fd(m->freezer_fd), ret);
}

const char *cgroup_mounts_text(const struct cgroup_mounts *m)
{
	bool v1 = m->memory_fd >= 0 || m->freezer_fd >= 0;

	if (m->v2_fd >= 0)
		return v1 ? "hybrid" : "v2";
	return v1 ? "v1" : "none";
}

bool cgroup_path_is_safe(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; (p = strstr(p, "/..")); p += 3)
		if (p[3] == '/' || p[3] == '\0')
			return false;
	return true;
}

/*
 * Component by component and through no link, so never out of the mount. openat2(2) would do that
 * in one call, but RestrictSUIDSGID= of systemd answers it with ENOSYS, as do seccomp profiles of
 * containers.
 */
int cgroup_open(int mount_fd, const char *path)
{
	_cleanup_(fd_closep) int at_fd = -EBADF;

	if (!cgroup_path_is_safe(path))
		return -EINVAL;
	if (mount_fd < 0)
		return -ENOENT;
	at_fd = openat(mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (path += strspn(path, "/"); at_fd >= 0 && *path; path += strspn(path, "/")) {
		char name[NAME_MAX + 1];
		size_t n = strcspn(path, "/");
		int fd;

		if (n >= sizeof(name))
			return -ENAMETOOLONG;
		copy_cut(name, n + 1, path);
		fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		fd_closep(&at_fd);
		at_fd = fd;
		path += n;
	}
	return at_fd < 0 ? -errno : take_fd(&at_fd);
}

int cgroup_read_file(int dir_fd, const char *name, char *ret, size_t size)
{
	_cleanup_(fd_closep) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t length = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (length < size - 1 && (n = read(fd, ret + length, size - 1 - length)) != 0) {
		if (n < 0)
			return -errno;
		length += (size_t)n;
	}
	ret[length] = '\0';
	return 0;
}

int cgroup_write_file(int dir_fd, const char *name, const char *text)
{
	_cleanup_(fd_closep) int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int cgroup_parse_bytes(const char *text, uint64_t *ret)
{
	uint64_t bytes;
	char *end;

	if (strcmp(text, "max\n") == 0 || strcmp(text, "max") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	bytes = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || (*end != '\n' && *end != '\0'))
		return -EINVAL;
	*ret = bytes;
	return 0;
}

int cgroup_read_bytes(int dir_fd, const char *name, uint64_t *ret)
{
	char text[32] = "";
	int r = cgroup_read_file(dir_fd, name, text, sizeof(text));

	return r < 0 ? r : cgroup_parse_bytes(text, ret);
}

static int read_bytes_at(int mount_fd, const char *path, const char *name, uint64_t *ret)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(mount_fd, path);

	return dir_fd < 0 ? dir_fd : cgroup_read_bytes(dir_fd, name, ret);
}

int cgroup_memory_bytes(const struct cgroup_mounts *m, const char *path, uint64_t *ret)
{
	int r = read_bytes_at(m->v2_fd, path, "memory.current", ret);

	return r == -ENOENT ? read_bytes_at(m->memory_fd, path, "memory.usage_in_bytes", ret) : r;
}

int cgroup_mounts_dup_v2(const struct cgroup_mounts *m)
{
	int fd = m && m->v2_fd >= 0 ? fcntl(m->v2_fd, F_DUPFD_CLOEXEC, 3) : -1;

	return fd < 0 ? -ENOENT : fd;
}

/* systemd and oomd write "1". */
static bool has_mark(int dir_fd, const char *name)
{
	char value[8];

	return fgetxattr(dir_fd, name, value, sizeof(value)) > 0 && value[0] == '1';
}

static enum cgroup_preference preference_of_dir(int dir_fd)
{
	struct stat st;
	bool root = fstat(dir_fd, &st) == 0 && st.st_uid == 0;

	if (has_mark(dir_fd, "trusted.oomd_omit") || (root && has_mark(dir_fd, "user.oomd_omit")))
		return CGROUP_PREFERENCE_OMIT;
	if (has_mark(dir_fd, "trusted.oomd_avoid") || (root && has_mark(dir_fd, "user.oomd_avoid")))
		return CGROUP_PREFERENCE_AVOID;
	return CGROUP_PREFERENCE_NONE;
}

static bool ends_with(const char *text, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);

	return length > n && memcmp(text + length - n, suffix, n) == 0;
}

/* The length of the path up to its innermost unit; 0: it is in none. */
static size_t unit_length(const char *path)
{
	size_t length = strlen(path);

	while (length > 0 && !ends_with(path, length, ".service") &&
		!ends_with(path, length, ".scope"))
		while (length > 0 && path[--length] != '/')
			;
	return length;
}

int cgroup_open_unit(int mount_fd, const char *path)
{
	char unit[PATH_MAX];
	size_t length = unit_length(path);

	if (length == 0 || length >= sizeof(unit) || !path[length])
		return -ENOENT;
	memcpy(unit, path, length);
	unit[length] = '\0';
	return cgroup_open(mount_fd, unit);
}

enum cgroup_preference cgroup_preference_at(int mount_fd, const char *path)
{
	enum cgroup_preference p = CGROUP_PREFERENCE_NONE;
	_cleanup_(fd_closep) int own_fd = cgroup_open(mount_fd, path);
	_cleanup_(fd_closep) int unit_fd = cgroup_open_unit(mount_fd, path);

	if (own_fd >= 0)
		p = preference_of_dir(own_fd);
	if (p == CGROUP_PREFERENCE_NONE && unit_fd >= 0)
		p = preference_of_dir(unit_fd);
	if (p == CGROUP_PREFERENCE_NONE &&
		(cgroup_dir_within_low(own_fd) || cgroup_dir_within_low(unit_fd)))
		p = CGROUP_PREFERENCE_LOW;
	return p;
}

bool cgroup_is_gone(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -EOPNOTSUPP;
}

/* Hands the number that has just ended to each(), unless it is to be skipped. */
static bool take_pid(int64_t *pid, uint32_t *skip, cgroup_each_fn *each, void *ctx)
{
	int64_t complete = *pid;

	*pid = -1;
	if (complete < 0)
		return true;
	if (*skip > 0) {
		(*skip)--;
		return true;
	}
	return each(ctx, (pid_t)complete);
}

int cgroup_each_listed(int dir_fd, uint32_t skip, cgroup_each_fn *each, void *ctx)
{
	_cleanup_(fd_closep) int fd =
		openat(dir_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int64_t pid = -1; /* the digits so far: a number may go over the end of a buffer */
	char text[4096];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = (pid < 0 ? 0 : pid) * 10 + (text[i] - '0');
				if (pid > INT_MAX)
					return -EINVAL;
			} else if (!take_pid(&pid, &skip, each, ctx)) {
				return 1;
			}
		}
	}
	if (n < 0)
		return -errno;
	return take_pid(&pid, &skip, each, ctx) ? 0 : 1;
}

static bool is_child(const struct dirent64 *e)
{
	return e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int walk(int dir_fd, unsigned depth, cgroup_visit_fn *visit, void *ctx)
{
	_Alignas(struct dirent64) char entries[1024];
	ssize_t n;
	int r;

	if (depth >= DEPTH_MAX)
		return -ELOOP;
	if ((r = visit(ctx, dir_fd)) != 0)
		return r;
	while ((n = getdents64(dir_fd, entries, sizeof(entries))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *e = (const void *)(entries + at);
			_cleanup_(fd_closep) int child_fd = -EBADF;

			at += e->d_reclen;
			if (!is_child(e))
				continue;
			child_fd = openat(
				dir_fd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			r = child_fd < 0 ? -errno : walk(child_fd, depth + 1, visit, ctx);
			if (r != 0 && !cgroup_is_gone(r))
				return r;
		}
	}
	return n < 0 && !cgroup_is_gone(-errno) ? -errno : 0;
}

int cgroup_walk(int mount_fd, const char *path, cgroup_visit_fn *visit, void *ctx)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(mount_fd, path);

	return dir_fd < 0 ? dir_fd : walk(dir_fd, 0, visit, ctx);
}

struct each {
	cgroup_each_fn *fn;
	void *ctx;
};

static int visit_each(void *ctx, int dir_fd)
{
	const struct each *e = ctx;
	int r = cgroup_each_listed(dir_fd, 0, e->fn, e->ctx);

	return cgroup_is_gone(r) ? 0 : r;
}

int cgroup_each_below(int mount_fd, const char *path, cgroup_each_fn *fn, void *ctx)
{
	struct each e = { fn, ctx };
	int r = cgroup_walk(mount_fd, path, visit_each, &e);

	return r > 0 ? 0 : r;
}

static bool note_one(void *ctx, pid_t pid)
{
	*(bool *)ctx = true;
	return false;
}

int cgroup_mount_of(const struct cgroup_mounts *m, const char *path)
{
	bool populated = false;

	if (m->memory_fd >= 0 &&
		(cgroup_each_below(m->v2_fd, path, note_one, &populated) < 0 || !populated))
		return m->memory_fd;
	return m->v2_fd;
}

uint64_t cgroup_id_of(int dir_fd)
{
	struct stat st;

	return fstat(dir_fd, &st) == 0 ? st.st_ino : 0;
}

uint64_t cgroup_id(const struct cgroup_mounts *m, const char *path)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(cgroup_mount_of(m, path), path);

	return dir_fd >= 0 ? cgroup_id_of(dir_fd) : 0;
}

int cgroup_each_process(const struct cgroup_mounts *m, const char *path,
	bool (*each)(void *ctx, pid_t pid), void *ctx)
{
	return cgroup_each_below(cgroup_mount_of(m, path), path, each, ctx);
}
