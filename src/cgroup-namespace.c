/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of cgroups when we are in a cgroup namespace of our own. Apart from cgroup.c because it
 * reads /proc/self, and that nothing but the mounts.
 */
#include "cgroup-internal.h"
#include "util.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

struct search {
	int mount_fd;
	pid_t pid;
	char path[PATH_MAX]; /* from the mount's root on */
};

static bool is_pid(void *ctx, pid_t pid)
{
	return pid != *(const pid_t *)ctx;
}

/* The path of dir_fd below the mount: what both their names have not in common. */
static bool path_below(int mount_fd, int dir_fd, char *ret, size_t size)
{
	char link[32], mount[PATH_MAX], whole[PATH_MAX];
	ssize_t m, n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", mount_fd);
	m = readlink(link, mount, sizeof(mount));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	n = readlink(link, whole, sizeof(whole));
	if (m <= 0 || n < m || (size_t)(n - m) >= size || memcmp(whole, mount, (size_t)m) != 0)
		return false;
	memcpy(ret, whole + m, (size_t)(n - m));
	ret[n - m] = '\0';
	return true;
}

static int look_in(void *ctx, int dir_fd)
{
	struct search *s = ctx;

	if (cgroup_each_listed(dir_fd, 0, is_pid, &s->pid) != 1)
		return 0;
	return path_below(s->mount_fd, dir_fd, s->path, sizeof(s->path)) ? 1 : -ENAMETOOLONG;
}

/* The path that /proc shows of a process. */
static bool shown_path(const char *file, char *ret, size_t size)
{
	FILE *f = fopen(file, "re");
	char line[PATH_MAX + 8];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "0::/", 4) == 0 && strlen(line + 3) < size;
		if (found)
			memcpy(ret, line + 3, strlen(line + 3) + 1);
	}
	if (f)
		fclose(f);
	return found;
}

bool cgroup_namespace_root(const struct cgroup_mounts *m, char *ret, size_t size)
{
	struct search s = { .mount_fd = m->v2_fd, .pid = getpid() };
	char shown[PATH_MAX];
	size_t length, tail;

	ret[0] = '\0';
	/* Process 1 is in no namespace below ours: only from inside one does it look to be above.
	 */
	if (m->v2_fd < 0 || !shown_path("/proc/1/cgroup", shown, sizeof(shown)) ||
		strncmp(shown, "/..", 3) != 0 ||
		!shown_path("/proc/self/cgroup", shown, sizeof(shown)))
		return true;
	if (cgroup_walk(m->v2_fd, "/", look_in, &s) != 1)
		return false;
	/* The namespace's root is what is before the path it shows. */
	length = strlen(s.path);
	tail = strcmp(shown, "/") == 0 ? 0 : strlen(shown);
	if (tail > length || strcmp(s.path + length - tail, tail > 0 ? shown : "") != 0 ||
		length - tail >= size)
		return false;
	memcpy(ret, s.path, length - tail);
	ret[length - tail] = '\0';
	return true;
}

int cgroup_join(const char *root, const char *path, char *ret, size_t size)
{
	size_t length = strlen(root);

	if (length + 1 > size)
		return -ENAMETOOLONG;
	memcpy(ret, root, length + 1);
	for (const char *p = path; *p;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 2 && memcmp(p, "..", 2) == 0) {
			if (length == 0)
				return -EINVAL;
			while (length > 0 && ret[--length] != '/')
				;
		} else if (n > 0) {
			if (length + 1 + n + 1 > size)
				return -ENAMETOOLONG;
			ret[length++] = '/';
			memcpy(ret + length, p, n);
			length += n;
		}
		ret[length] = '\0';
		p += n;
	}
	if (length == 0 && size > 1)
		memcpy(ret, "/", 2);
	return 0;
}
