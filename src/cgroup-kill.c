/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Killing and thawing whole cgroups. A file of its own because it is the part that has victims.
 */
#include "cgroup-internal.h"
#include "util.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#define BATCH      64 /* pidfds open at a time */
#define PASSES_MAX 8

static bool path_is_root(const char *path)
{
	return path[strspn(path, "/.")] == '\0';
}

struct survey {
	pid_t self;
	uint32_t count;
	bool untouchable;
};

static bool count_process(void *ctx, pid_t pid)
{
	struct survey *s = ctx;

	s->count++;
	s->untouchable = pid <= 1 || pid == s->self;
	return !s->untouchable;
}

/* How many processes there are, or -EPERM: one must not be killed, or even frozen. */
static int survey(int mount_fd, const char *path)
{
	struct survey s = { .self = getpid() };
	int r = cgroup_each_below(mount_fd, path, count_process, &s);

	if (r < 0)
		return r;
	return s.untouchable ? -EPERM : (int)min_u64(s.count, INT_MAX);
}

struct batch {
	uint32_t count;
	struct {
		pid_t pid;
		int fd;
		bool still_listed;
	} victim[BATCH];
};

static bool open_victim(void *ctx, pid_t pid)
{
	struct batch *b = ctx;
	/* Surveyed, but one can be moved in since. */
	int fd = pid <= 1 || pid == getpid() ? -1 : pidfd_open(pid, 0);

	b->victim[b->count].pid = pid;
	b->victim[b->count].fd = fd;
	b->victim[b->count++].still_listed = false;
	return b->count < BATCH;
}

static bool confirm_victim(void *ctx, pid_t pid)
{
	struct batch *b = ctx;

	for (uint32_t i = 0; i < b->count; i++)
		b->victim[i].still_listed |= b->victim[i].pid == pid;
	return true;
}

/*
 * SIGKILL to those of one cgroup.procs. A pid may be recycled between the list and pidfd_open():
 * only when it is in the list again after that does the pidfd mean a process of this cgroup (or one
 * that is dead by now, and takes no signal).
 */
static int visit_kill(void *ctx, int dir_fd)
{
	uint32_t *found = ctx;
	struct batch b;
	int r, failed = 0;

	for (uint32_t skip = 0;; skip += BATCH) {
		b.count = 0;
		r = cgroup_each_listed(dir_fd, skip, open_victim, &b);
		if (r < 0)
			return cgroup_is_gone(r) ? failed : r;
		if (b.count == 0)
			return failed;
		*found += b.count;
		r = cgroup_each_listed(dir_fd, 0, confirm_victim, &b);
		for (uint32_t i = 0; i < b.count; i++) {
			if (r >= 0 && b.victim[i].fd >= 0 && b.victim[i].still_listed &&
				pidfd_send_signal(b.victim[i].fd, SIGKILL, NULL, 0) < 0 &&
				errno != ESRCH)
				failed = -errno;
			fd_closep(&b.victim[i].fd);
		}
		if (r < 0)
			return cgroup_is_gone(r) ? failed : r;
	}
}

static bool is_freezing(int dir_fd)
{
	char text[16];

	if (cgroup_read_file(dir_fd, "freezer.self_freezing", text, sizeof(text)) == 0)
		return text[0] == '1';
	return cgroup_read_file(dir_fd, "freezer.state", text, sizeof(text)) == 0 && text[0] == 'F';
}

static int visit_thaw(void *ctx, int dir_fd)
{
	return is_freezing(dir_fd) ? cgroup_write_file(dir_fd, "freezer.state", "THAWED") : 0;
}

/* The cgroup and all above it but the root, which cannot be frozen. */
static int thaw_upward(int freezer_fd, const char *path)
{
	char here[PATH_MAX];
	int r, thawed = 0;

	if ((size_t)snprintf(here, sizeof(here), "%s", path) >= sizeof(here))
		return -ENAMETOOLONG;
	for (; !path_is_root(here); *strrchr(here, '/') = '\0') {
		_cleanup_(fd_closep) int dir_fd = cgroup_open(freezer_fd, here);
		if (dir_fd < 0)
			return dir_fd;
		if (!is_freezing(dir_fd))
			continue;
		if ((r = cgroup_write_file(dir_fd, "freezer.state", "THAWED")) < 0)
			return r;
		thawed = 1;
	}
	return thawed;
}

static void set_frozen_v2(int v2_fd, const char *path, const char *value)
{
	_cleanup_(fd_closep) int dir_fd = cgroup_open(v2_fd, path);

	if (dir_fd >= 0)
		cgroup_write_file(dir_fd, "cgroup.freeze", value);
}

/* The freezer cgroup of the same path may hold other processes than the one to kill, even us. */
static void freeze_v1(int freezer_fd, const char *path)
{
	_cleanup_(fd_closep) int dir_fd = -EBADF;

	if (survey(freezer_fd, path) <= 0)
		return;
	dir_fd = cgroup_open(freezer_fd, path);
	if (dir_fd >= 0)
		cgroup_write_file(dir_fd, "freezer.state", "FROZEN");
}

/*
 * Without cgroup.kill. Frozen, nothing forks while we go through the list; but not to be able to
 * freeze is no reason not to kill. What was frozen before, below or above, is thawed too, since on
 * v1 it could not die.
 */
static int kill_each(const struct cgroup_mounts *m, int mount_fd, const char *path)
{
	uint32_t found = 0;
	int r;

	if (mount_fd == m->v2_fd) {
		set_frozen_v2(mount_fd, path, "1");
		r = cgroup_walk(mount_fd, path, visit_kill, &found);
		set_frozen_v2(mount_fd, path, "0");
	} else {
		freeze_v1(m->freezer_fd, path);
		r = cgroup_walk(mount_fd, path, visit_kill, &found);
		cgroup_walk(m->freezer_fd, path, visit_thaw, NULL);
		thaw_upward(m->freezer_fd, path);
	}
	/* Those born while it froze, or where it could not be frozen. */
	for (int pass = 1; pass < PASSES_MAX && r >= 0 && found > 0; pass++) {
		found = 0;
		r = cgroup_walk(mount_fd, path, visit_kill, &found);
	}
	return cgroup_is_gone(r) ? 0 : r;
}

int cgroup_kill(
	const struct cgroup_mounts *m, const char *path, uint64_t id, const atomic_bool *given_up)
{
	_cleanup_(fd_closep) int dir_fd = -EBADF;
	int mount_fd, held, r = -ENOENT;

	if (!cgroup_path_is_safe(path) || path_is_root(path))
		return -EINVAL;
	mount_fd = cgroup_mount_of(m, path);
	held = survey(mount_fd, path);
	if (held <= 0)
		return held < 0 ? held : -ENOENT;
	dir_fd = cgroup_open(mount_fd, path);
	if (dir_fd < 0)
		return dir_fd;
	if (id != 0 && cgroup_id_of(dir_fd) != id)
		return -ENOENT;
	if (given_up && atomic_load(given_up))
		return -ECANCELED;
	if (mount_fd == m->v2_fd)
		r = cgroup_write_file(dir_fd, "cgroup.kill", "1");
	if (r == -ENOENT) /* v1, or older than Linux 5.14 */
		r = kill_each(m, mount_fd, path);
	return r < 0 ? r : held;
}

/* The path in the line "7:freezer:/path"; controllers may be several, "7:freezer,pids:/path". */
static int find_freezer_path(char *text, char **ret)
{
	for (char *line = text, *next; line; line = next) {
		char *controllers = strchr(line, ':'), *path, *save, *name;
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		path = controllers ? strchr(++controllers, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		for (name = strtok_r(controllers, ",", &save); name;
			name = strtok_r(NULL, ",", &save))
			if (strcmp(name, "freezer") == 0) {
				*ret = path;
				return 0;
			}
	}
	return -ENODATA;
}

int cgroup_thaw(const struct cgroup_mounts *m, int process_fd)
{
	char text[8192], *path;
	int r;

	if (m->freezer_fd < 0)
		return 0;
	if ((r = cgroup_read_file(process_fd, "cgroup", text, sizeof(text))) < 0)
		return r == -ENOENT ? -ESRCH : r;
	r = find_freezer_path(text, &path);
	return r < 0 ? 0 : thaw_upward(m->freezer_fd, path);
}
