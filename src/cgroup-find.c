/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroup-find.h"

#include "cgroup-internal.h"
#include "util.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <search.h>
#include <string.h>
#include <sys/inotify.h>

#define PATTERN_SIZE 512
/* Watched: the directories above those that match, so fewer than these where paths are sensible. */
#define DIRS_MAX 8192
#define EVENTS   (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR)

struct pattern {
	char text[PATTERN_SIZE];
	unsigned depth; /* components */
	uint32_t count;
};

/* A cgroup that matches. */
struct found {
	uint32_t pattern, generation;
	char path[];
};

/* A directory in which one that matches, or leads to one, may appear. */
struct dir {
	int wd;
	char path[];
};

struct cgroup_finder {
	int mount_fd, inotify_fd;
	cgroup_found_fn *fn;
	void *ctx;
	void *found, *dirs; /* tsearch(3) */
	uint32_t found_count, dir_count, left_out;
	uint32_t generation; /* of the last scan */
	bool rescan;
	uint32_t pattern_count;
	struct pattern *pattern;
};

static unsigned depth_of(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += path[0] == '/' && path[1];
	return n;
}

/* The part of a pattern that stands for the first depth components. */
static void cut_pattern(const char *pattern, unsigned depth, char *ret, size_t size)
{
	const char *p = pattern;

	for (; depth > 0 && *p; depth--)
		p += 1 + strcspn(p + 1, "/");
	copy_cut(ret, min_u64(size, (uint64_t)(p - pattern) + 1), pattern);
}

void cgroup_pattern_base(const char *pattern, char *ret, size_t size)
{
	size_t length = 0;

	while (pattern[length]) {
		size_t n = 1 + strcspn(pattern + length + 1, "/");

		if (strcspn(pattern + length, "*?[") < n || !pattern[length + n])
			break;
		length += n;
	}
	if (length == 0)
		copy_cut(ret, size, "/");
	else
		copy_cut(ret, min_u64(size, length + 1), pattern);
}

static bool matches(const char *pattern, const char *path)
{
	return fnmatch(pattern, path, FNM_PATHNAME | FNM_NOESCAPE) == 0;
}

/* --- what is known --- */

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int compare_dir(const void *a, const void *b)
{
	const struct dir *x = a, *y = b;

	return (x->wd > y->wd) - (x->wd < y->wd);
}

/* An entry to look for another by; its path is cut. */
#define KEY_SIZE (sizeof(struct found) + PATH_MAX)

static struct found *find(const struct cgroup_finder *f, const char *path)
{
	_Alignas(struct found) char room[KEY_SIZE];
	struct found *key = (struct found *)(void *)room;
	struct found *const *node;

	copy_cut(key->path, PATH_MAX, path);
	node = tfind(key, &f->found, compare_found);
	return node ? *node : NULL;
}

static void appear(struct cgroup_finder *f, uint32_t pattern, const char *path)
{
	size_t size = strlen(path) + 1;
	struct found *e = find(f, path);

	if (e) {
		e->generation = f->generation;
		return;
	}
	e = f->found_count < CGROUP_FOUND_MAX ? malloc(sizeof(*e) + size) : NULL;
	if (!e) {
		f->left_out++;
		return;
	}
	e->pattern = pattern;
	e->generation = f->generation;
	memcpy(e->path, path, size);
	if (!tsearch(e, &f->found, compare_found)) {
		free(e);
		f->left_out++;
		return;
	}
	f->found_count++;
	f->pattern[pattern].count++;
	f->fn(f->ctx, pattern, path, true);
}

static void vanish(struct cgroup_finder *f, struct found *e)
{
	tdelete(e, &f->found, compare_found);
	f->found_count--;
	f->pattern[e->pattern].count--;
	f->fn(f->ctx, e->pattern, e->path, false);
	free(e);
	/* Room for those that were left out; not for each single one. */
	if (f->left_out > 0 && f->found_count == CGROUP_FOUND_MAX / 8 * 7)
		f->rescan = true;
}

/* Watches a directory. False: there is no room for one more. */
static bool watch(struct cgroup_finder *f, int dir_fd, const char *path)
{
	size_t size = strlen(path) + 1;
	struct dir *d, **node;
	char link[32];
	int wd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	wd = inotify_add_watch(f->inotify_fd, link, EVENTS);
	if (wd < 0)
		return errno == ENOENT;
	d = malloc(sizeof(*d) + size);
	if (!d)
		return false;
	d->wd = wd;
	memcpy(d->path, path, size);
	node = tsearch(d, &f->dirs, compare_dir);
	if (!node) {
		free(d);
		return false;
	}
	if (*node != d) { /* watched already, perhaps by another name */
		free(*node);
		*node = d;
		return true;
	}
	if (++f->dir_count > DIRS_MAX) {
		inotify_rm_watch(f->inotify_fd, wd);
		return false;
	}
	return true;
}

static void forget_dir(struct cgroup_finder *f, struct dir *d)
{
	tdelete(d, &f->dirs, compare_dir);
	f->dir_count--;
	free(d);
}

/* --- looking --- */

static void visit(struct cgroup_finder *f, const char *path);

/* Watches the directory first and lists it then: what appears in between is seen twice, not never.
 */
static void enter(struct cgroup_finder *f, const char *path)
{
	_cleanup_(fd_closep) int fd = cgroup_open(f->mount_fd, path);
	const struct dirent *e;
	DIR *d;

	if (fd < 0)
		return; /* gone again */
	if (!watch(f, fd, path))
		f->left_out++;
	d = fdopendir(fd);
	if (!d)
		return;
	(void)take_fd(&fd);
	/* cppcheck-suppress readdirCalled ; nobody else reads this stream */
	while ((e = readdir(d))) {
		char child[PATH_MAX];

		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 ||
			strcmp(e->d_name, "..") == 0)
			continue;
		if ((size_t)snprintf(child, sizeof(child), "%s/%s", path[1] ? path : "",
			    e->d_name) < sizeof(child))
			visit(f, child);
	}
	closedir(d);
}

/* A cgroup that is there: does it match, or may one below? */
static void visit(struct cgroup_finder *f, const char *path)
{
	unsigned depth = depth_of(path);
	bool leads_on = false, is_found = false;

	for (uint32_t i = 0; i < f->pattern_count; i++) {
		const struct pattern *p = &f->pattern[i];
		char head[PATTERN_SIZE];

		if (p->depth == depth && depth > 0 && !is_found && matches(p->text, path)) {
			appear(f, i, path);
			is_found = true;
		}
		if (p->depth <= depth || leads_on)
			continue;
		cut_pattern(p->text, depth, head, sizeof(head));
		leads_on = depth == 0 || matches(head, path);
	}
	if (leads_on)
		enter(f, path);
}

struct stale {
	uint32_t generation, count;
	struct found *list[CGROUP_FOUND_MAX];
};

static void note_stale(const void *node, VISIT which, void *ctx)
{
	struct found *e = *(struct found *const *)node;
	struct stale *s = ctx;

	if ((which == postorder || which == leaf) && e->generation != s->generation)
		s->list[s->count++] = e;
}

/* Everything anew; what is not there any more has gone. */
static int scan(struct cgroup_finder *f)
{
	_cleanup_(freep) struct stale *s = malloc(sizeof(*s));

	if (!s)
		return -ENOMEM;
	f->rescan = false;
	f->left_out = 0;
	f->generation++;
	visit(f, "/");
	s->generation = f->generation;
	s->count = 0;
	twalk_r(f->found, note_stale, s);
	for (uint32_t i = 0; i < s->count; i++)
		vanish(f, s->list[i]);
	return 0;
}

/* --- events --- */

static void take_event(struct cgroup_finder *f, const struct inotify_event *e)
{
	struct dir key = { .wd = e->wd }, *const *node = tfind(&key, &f->dirs, compare_dir);
	struct found *known;
	char path[PATH_MAX];

	if (e->mask & IN_Q_OVERFLOW)
		f->rescan = true;
	if (!node)
		return;
	if (e->mask & IN_IGNORED) {
		forget_dir(f, *node);
		return;
	}
	if (!(e->mask & IN_ISDIR) || e->len == 0 ||
		(size_t)snprintf(path, sizeof(path), "%s/%s", (*node)->path[1] ? (*node)->path : "",
			e->name) >= sizeof(path))
		return;
	if (e->mask & (IN_MOVED_FROM | IN_MOVED_TO)) {
		f->rescan = true; /* with all that is below */
	} else if (e->mask & IN_CREATE) {
		visit(f, path);
	} else if (e->mask & IN_DELETE) {
		known = find(f, path);
		if (known)
			vanish(f, known);
	}
}

int cgroup_finder_read(struct cgroup_finder *f)
{
	_Alignas(struct inotify_event) char events[16384];
	ssize_t n;

	while ((n = read(f->inotify_fd, events, sizeof(events))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(events + at);

			take_event(f, e);
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	return f->rescan ? scan(f) : 0;
}

/* --- start and end --- */

static int set_patterns(struct cgroup_finder *f, const char *const *patterns, uint32_t count)
{
	f->pattern = calloc(count, sizeof(*f->pattern));
	if (!f->pattern && count > 0)
		return -ENOMEM;
	f->pattern_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct pattern *p = &f->pattern[i];

		if (!cgroup_path_is_safe(patterns[i]) || strlen(patterns[i]) >= sizeof(p->text))
			return -EINVAL;
		copy_cut(p->text, sizeof(p->text), patterns[i]);
		p->depth = depth_of(p->text); /* 0: of the root, and matches nothing */
	}
	return 0;
}

static int open_finder(struct cgroup_finder *f, const struct cgroup_mounts *m)
{
	int fd = m->memory_fd >= 0 ? m->memory_fd : m->v2_fd;

	if (fd < 0)
		return -ENOENT;
	f->mount_fd = fd;
	f->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return f->inotify_fd < 0 ? -errno : scan(f);
}

int cgroup_finder_new(const struct cgroup_mounts *m, const char *const *patterns, uint32_t count,
	cgroup_found_fn *fn, void *ctx, struct cgroup_finder **ret, int *ret_fd)
{
	struct cgroup_finder *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->inotify_fd = -EBADF;
	f->fn = fn;
	f->ctx = ctx;
	if ((r = set_patterns(f, patterns, count)) < 0 || (r = open_finder(f, m)) < 0) {
		cgroup_finder_free(f);
		return r;
	}
	*ret = f;
	*ret_fd = f->inotify_fd;
	return 0;
}

void cgroup_finder_free(struct cgroup_finder *f)
{
	if (!f)
		return;
	tdestroy(f->found, free);
	tdestroy(f->dirs, free);
	fd_closep(&f->inotify_fd);
	free(f->pattern);
	free(f);
}

uint32_t cgroup_finder_count(const struct cgroup_finder *f, uint32_t pattern)
{
	return f->pattern[pattern].count;
}

uint32_t cgroup_finder_left_out(const struct cgroup_finder *f)
{
	return f->left_out;
}
