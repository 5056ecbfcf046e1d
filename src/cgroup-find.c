/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which cgroups match: what is looked into, and what the news mean.
 *
 * Every directory that the beginning of a pattern matches is watched first and listed then, so that
 * what is made in between is seen at least once. News and listing may both tell of the same; what
 * is known already is passed over.
 */
#include "cgroup-find-internal.h"
#include "cgroup-internal.h"
#include "util.h"

#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define READS_MAX 64 /* in one go: who makes cgroups without end shall not keep us */
#define WATCH     (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR)

/* --- patterns --- */

static bool component_is_valid(const char *text)
{
	return text[0] != '\0' && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static int parse_pattern(const char *text, struct pattern *p)
{
	char *save, *component;

	if (text[0] != '/' || strlen(text) >= PATH_MAX)
		return -EINVAL;
	p->text = strdup(text);
	if (!p->text)
		return -ENOMEM;
	for (component = strtok_r(p->text, "/", &save); component;
		component = strtok_r(NULL, "/", &save)) {
		if (!component_is_valid(component) || p->count == COMPONENTS)
			return -EINVAL;
		p->component[p->count++] = component;
	}
	return 0;
}

/* What the name is below the directory: the first pattern that ends with it, or NO_PATTERN; and
 * into f those that go on below it. False: neither. */
static bool match(
	struct cgroup_finder *f, const struct node *dir, const char *name, uint32_t *ret_pattern)
{
	*ret_pattern = NO_PATTERN;
	f->onward_count = 0;
	for (uint32_t i = 0; i < dir->onward_count; i++) {
		const struct pattern *p = &f->patterns[dir->onward[i]];

		/* A backslash is one: systemd escapes with it. */
		if (fnmatch(p->component[dir->depth], name, FNM_NOESCAPE) != 0)
			continue;
		if (p->count > dir->depth + 1U)
			f->onward[f->onward_count++] = dir->onward[i];
		else if (*ret_pattern == NO_PATTERN)
			*ret_pattern = dir->onward[i];
	}
	return *ret_pattern != NO_PATTERN || f->onward_count > 0;
}

void cgroup_pattern_base(const char *pattern, char *ret, size_t size)
{
	size_t length = 0;

	if (size == 0)
		return;
	for (const char *p = pattern; *p == '/';) {
		size_t n = 1 + strcspn(p + 1, "/");

		if (memchr(p, '*', n) || memchr(p, '?', n) || memchr(p, '[', n) ||
			length + n >= size)
			break;
		if (n > 1) {
			memcpy(ret + length, p, n);
			length += n;
		}
		p += n;
	}
	if (length == 0 && size > 1)
		ret[length++] = '/';
	ret[length] = '\0';
}

/* --- what there is --- */

static void update_left_out(struct cgroup_finder *f, struct node *n)
{
	bool left_out = n->unwatched || (n->pattern != NO_PATTERN && !n->found);

	f->left_out_count += (uint32_t)left_out - (uint32_t)n->left_out;
	n->left_out = left_out;
}

static void tell(struct cgroup_finder *f, const struct node *n, bool appeared)
{
	const char *path = node_path(f, n);

	if (f->fn && path)
		f->fn(f->ctx, n->pattern, path, appeared);
}

/* Counts it among the found, if there is room. */
static void take_in(struct cgroup_finder *f, struct node *n)
{
	if (n->pattern != NO_PATTERN && !n->found && f->found_count < CGROUP_FOUND_MAX) {
		n->found = true;
		f->found_count++;
		f->patterns[n->pattern].found++;
		tell(f, n, true);
	}
	update_left_out(f, n);
}

/* It and all below is not there any more. A watch is always taken away: on older kernels that of a
 * removed cgroup stays otherwise (kernfs has no IN_DELETE_SELF there), and so it does of one moved.
 */
static void drop(struct cgroup_finder *f, struct node *n)
{
	while (n->children)
		drop(f, n->children);
	if (n->wd >= 0) {
		inotify_rm_watch(f->inotify_fd, n->wd);
		f->no_watches = false;
	}
	f->freed |= n->wd >= 0 || n->found;
	if (n->found) {
		f->found_count--;
		f->patterns[n->pattern].found--;
		tell(f, n, false);
	}
	n->pattern = NO_PATTERN;
	n->unwatched = false;
	update_left_out(f, n);
	node_remove(f, n);
}

static int look_into(struct cgroup_finder *f, struct node *n);

/* There is a directory of that name, as far as somebody knows. */
static int meet(struct cgroup_finder *f, struct node *dir, int dir_fd, const char *name)
{
	struct node *n = node_child(f, dir, name);
	uint32_t pattern;
	struct stat st;

	if (!match(f, dir, name, &pattern))
		return 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return cgroup_is_gone(-errno) ? 0 : -errno;
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (n && n->inode != st.st_ino) {
		drop(f, n);
		n = NULL;
	}
	if (n && n->generation == f->generation)
		return 0;
	if (!n && f->node_count >= NODES_MAX) {
		f->uncounted++;
		f->incomplete = true;
		return 0;
	}
	if (!n) {
		n = node_add(f, dir, name);
		if (!n)
			return -ENOMEM;
		n->inode = st.st_ino;
		n->pattern = pattern;
		take_in(f, n);
	}
	n->generation = f->generation;
	return n->onward_count > 0 ? look_into(f, n) : 0;
}

static bool may_be_child(const struct dirent64 *e)
{
	return (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) && strcmp(e->d_name, ".") != 0 &&
		strcmp(e->d_name, "..") != 0;
}

static int list(struct cgroup_finder *f, struct node *dir, int dir_fd)
{
	_Alignas(struct dirent64) char entries[2048];
	ssize_t n;
	int r;

	while ((n = getdents64(dir_fd, entries, sizeof(entries))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *e = (const void *)(entries + at);

			at += e->d_reclen;
			if (may_be_child(e) && (r = meet(f, dir, dir_fd, e->d_name)) < 0)
				return r;
		}
	return n < 0 && !cgroup_is_gone(-errno) ? -errno : 0;
}

/* 1 watched (perhaps already), 0 no room, or -errno. */
static int watch(struct cgroup_finder *f, struct node *n, int dir_fd)
{
	char link[32];
	int wd = -ENOSPC;

	/* The link is to be followed, hence no IN_DONT_FOLLOW: dir_fd was opened without. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dir_fd);
	if (n->wd >= 0 || f->watched_count < WATCHED_MAX) {
		wd = inotify_add_watch(f->inotify_fd, link, WATCH);
		wd = wd < 0 ? -errno : wd;
	}
	f->no_watches |= wd == -ENOSPC;
	n->unwatched = wd == -ENOSPC || wd == -EACCES;
	update_left_out(f, n);
	if (n->unwatched)
		return 0;
	if (wd < 0)
		return wd;
	/* One that was moved here has its watch already, under its old name. */
	node_set_wd(f, n, wd);
	return 1;
}

/* -ENOENT: it is not there any more. */
static int open_node(struct cgroup_finder *f, const struct node *n)
{
	const char *path = node_path(f, n);
	int fd = path ? cgroup_open(f->mount_fd, path) : -ENOENT;

	return cgroup_is_gone(fd) || fd == -ENOTDIR || fd == -ELOOP ? -ENOENT : fd;
}

static int look_into(struct cgroup_finder *f, struct node *n)
{
	_cleanup_(fd_closep) int dir_fd = open_node(f, n);
	int r;

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? 0 : dir_fd;
	r = watch(f, n, dir_fd);
	return r > 0 ? list(f, n, dir_fd) : r;
}

/* Those that the last scan has not seen are gone. */
static void sweep(struct cgroup_finder *f, struct node *dir)
{
	for (struct node *n = dir->children, *next; n; n = next) {
		next = n->next;
		if (n->generation != f->generation)
			drop(f, n);
		else
			sweep(f, n);
	}
}

static int scan(struct cgroup_finder *f)
{
	int r;

	f->rescan = true;
	f->generation++;
	f->uncounted = 0;
	f->incomplete = f->no_watches = false;
	r = look_into(f, f->root);
	if (r < 0)
		return r;
	sweep(f, f->root);
	f->rescan = false;
	return 0;
}

/* To those who wait what has become free. */
static int fill_up(struct cgroup_finder *f, struct node *dir)
{
	int r;

	for (struct node *n = dir->children; n; n = n->next) {
		take_in(f, n);
		if (n->unwatched)
			r = f->no_watches ? 0 : look_into(f, n);
		else
			r = fill_up(f, n);
		if (r < 0)
			return r;
	}
	return 0;
}

/* --- news --- */

static int on_appeared(struct cgroup_finder *f, struct node *dir, const char *name)
{
	_cleanup_(fd_closep) int dir_fd = -EBADF;
	uint32_t pattern;

	if (!match(f, dir, name, &pattern))
		return 0;
	dir_fd = open_node(f, dir);
	if (dir_fd < 0) /* when it is not there, more news will say so */
		return dir_fd == -ENOENT ? 0 : dir_fd;
	return meet(f, dir, dir_fd, name);
}

static void on_vanished(struct cgroup_finder *f, struct node *dir, const char *name)
{
	struct node *n = node_child(f, dir, name);
	uint32_t pattern;

	if (n)
		drop(f, n);
	else if (f->uncounted > 0 && match(f, dir, name, &pattern))
		f->uncounted--; /* or its IN_DELETE_SELF came first: the next scan counts anew */
}

/* The watch has ended: the directory is not there, or not to be reached any more. */
static void on_ended(struct cgroup_finder *f, struct node *dir)
{
	if (dir->parent) {
		drop(f, dir);
		return;
	}
	while (dir->children)
		drop(f, dir->children);
	node_set_wd(f, dir, -1);
}

static int on_event(struct cgroup_finder *f, const struct inotify_event *e)
{
	struct node *dir = node_of_wd(f, e->wd);

	if (e->mask & IN_Q_OVERFLOW)
		f->rescan = true;
	if (!dir)
		return 0;
	if (e->mask & (IN_DELETE_SELF | IN_IGNORED | IN_UNMOUNT))
		on_ended(f, dir);
	else if (!(e->mask & IN_ISDIR) || e->len == 0)
		return 0;
	else if (e->mask & (IN_DELETE | IN_MOVED_FROM))
		on_vanished(f, dir, e->name);
	else if (e->mask & (IN_CREATE | IN_MOVED_TO))
		return on_appeared(f, dir, e->name);
	return 0;
}

/* 0 when there is no more for now. */
static int read_news(struct cgroup_finder *f)
{
	_Alignas(struct inotify_event) char news[16384];
	int r, failed = 0;

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(f->inotify_fd, news, sizeof(news));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? failed : -errno;
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(news + at);

			at += (ssize_t)sizeof(*e) + e->len;
			if ((r = on_event(f, e)) < 0) {
				f->rescan = true; /* it was news, and is lost */
				failed = r;
			}
		}
	}
	return failed;
}

int cgroup_finder_read(struct cgroup_finder *f)
{
	int r = read_news(f);

	if (f->incomplete && f->node_count < NODES_MAX / 4 * 3)
		f->rescan = true;
	if (r == 0 && f->rescan)
		r = scan(f);
	if (r == 0 && f->freed && f->left_out_count > 0)
		r = fill_up(f, f->root);
	f->freed = r < 0;
	return r;
}

/* --- making one --- */

static int set_up(struct cgroup_finder *f, const struct cgroup_mounts *m,
	const char *const *patterns, uint32_t count)
{
	int r, mount_fd = m->memory_fd >= 0 ? m->memory_fd : m->v2_fd;

	if (mount_fd < 0)
		return -ENOENT;
	f->patterns = calloc(count + 1UL, sizeof(f->patterns[0]));
	f->onward = calloc(count + 1UL, sizeof(f->onward[0]));
	if (!f->patterns || !f->onward)
		return -ENOMEM;
	for (f->pattern_count = 0; f->pattern_count < count;) {
		struct pattern *p = &f->patterns[f->pattern_count++];

		if ((r = parse_pattern(patterns[f->pattern_count - 1], p)) < 0)
			return r;
		if (p->count > 0) /* "/" is none */
			f->onward[f->onward_count++] = f->pattern_count - 1;
	}
	f->root = node_add(f, NULL, "");
	if (!f->root)
		return -ENOMEM;
	f->mount_fd = fcntl(mount_fd, F_DUPFD_CLOEXEC, 3);
	if (f->mount_fd < 0)
		return -errno;
	f->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return f->inotify_fd < 0 ? -errno : 0;
}

int cgroup_finder_new(const struct cgroup_mounts *m, const char *const *patterns, uint32_t count,
	cgroup_found_fn *fn, void *ctx, struct cgroup_finder **ret, int *ret_fd)
{
	struct cgroup_finder *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->mount_fd = f->inotify_fd = -EBADF;
	f->fn = fn;
	f->ctx = ctx;
	r = set_up(f, m, patterns, count);
	if (r == 0)
		r = scan(f);
	if (r == 0 && f->root->unwatched)
		r = -ENOSPC; /* not one watch for us: nothing would ever be found */
	if (r < 0) {
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
	f->fn = NULL;
	fd_closep(&f->inotify_fd); /* and with it the watches, at once */
	f->inotify_fd = -EBADF;
	fd_closep(&f->mount_fd);
	if (f->root)
		drop(f, f->root);
	for (uint32_t i = 0; i < f->pattern_count; i++)
		free(f->patterns[i].text);
	free(f->patterns);
	free(f->onward);
	free(f);
}

uint32_t cgroup_finder_count(const struct cgroup_finder *f, uint32_t pattern)
{
	return pattern < f->pattern_count ? f->patterns[pattern].found : 0;
}

uint32_t cgroup_finder_left_out(const struct cgroup_finder *f)
{
	return f->left_out_count + f->uncounted;
}
