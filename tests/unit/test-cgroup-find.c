/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cgroups that match patterns, as they come and go. On trees of plain directories, which tell of
 * mkdir and rmdir as cgroupfs does; at the end on the cgroups of this machine, where it has them.
 * After each step what the finder has told must be what a look at the whole tree finds.
 */
#include "cgroup-find.h"

#include "proc-tree.h"
#include "util.h"

#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define KNOWN_MAX 8192

static struct {
	struct proc_tree tree;
	struct cgroup_mounts *m;
	struct cgroup_finder *f;
	int fd;
	const char *const *patterns;
	uint32_t pattern_count;
	/* What was told of and not taken back. */
	struct {
		char path[128];
		uint32_t pattern, come;
	} known[KNOWN_MAX];
	uint32_t known_count, come, gone;
	char group[64]; /* made among this machine's cgroups */
} t;

static void on_found(void *ctx, uint32_t pattern, const char *path, bool appeared)
{
	uint32_t i = 0;

	assert_ptr_equal(ctx, &t);
	assert_true(pattern < t.pattern_count);
	while (i < t.known_count && strcmp(t.known[i].path, path) != 0)
		i++;
	if (appeared) {
		t.come++;
		assert_int_equal(i, t.known_count); /* never twice */
		assert_true(i < KNOWN_MAX);
		snprintf(t.known[i].path, sizeof(t.known[i].path), "%s", path);
		t.known[i].pattern = pattern;
		t.known[i].come = t.come;
		t.known_count++;
		return;
	}
	t.gone++;
	assert_true(i < t.known_count); /* never what was not there */
	assert_int_equal(t.known[i].pattern, pattern);
	t.known[i] = t.known[--t.known_count];
}

/* When it was told of, in calls; 0: it was not. */
static uint32_t come_of(const char *path, uint32_t pattern)
{
	for (uint32_t i = 0; i < t.known_count; i++)
		if (strcmp(t.known[i].path, path) == 0 && t.known[i].pattern == pattern)
			return t.known[i].come;
	return 0;
}

static bool knows(const char *path, uint32_t pattern)
{
	return come_of(path, pattern) > 0;
}

/* With the directories above it. */
static void make(const char *path)
{
	char part[256];

	for (const char *p = strchr(path, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (part[0])
			(void)mkdirat(t.tree.fd, part, 0700);
	}
	assert_int_equal(mkdirat(t.tree.fd, path, 0700), 0);
}

static void discard(const char *path)
{
	assert_int_equal(unlinkat(t.tree.fd, path, AT_REMOVEDIR), 0);
}

static void move(const char *from, const char *to)
{
	assert_int_equal(renameat(t.tree.fd, from, t.tree.fd, to), 0);
}

static int begin(const char *const *patterns, uint32_t count)
{
	t.patterns = patterns;
	t.pattern_count = count;
	return cgroup_finder_new(t.m, patterns, count, on_found, &t, &t.f, &t.fd);
}

#define BEGIN(...)                                                                                 \
	do {                                                                                       \
		static const char *const patterns[] = { __VA_ARGS__ };                             \
		assert_int_equal(begin(patterns, ARRAY_SIZE(patterns)), 0);                        \
	} while (0)

static void look(void)
{
	assert_int_equal(cgroup_finder_read(t.f), 0);
	assert_int_equal(poll(&(struct pollfd){ .fd = t.fd, .events = POLLIN }, 1, 0), 0);
}

/* What is there by a walk of its own, whole paths against whole patterns. */
static uint32_t matching_below(int dir_fd, const char *path)
{
	DIR *d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	uint32_t count = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char whole[512];
		uint32_t i = 0;

		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 ||
			strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(whole, sizeof(whole), "%s/%s", path, e->d_name);
		while (i < t.pattern_count &&
			fnmatch(t.patterns[i], whole, FNM_PATHNAME | FNM_NOESCAPE) != 0)
			i++;
		if (i < t.pattern_count) {
			assert_true(knows(whole, i));
			count++;
		}
		_cleanup_(fd_closep) int child_fd =
			openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		count += matching_below(child_fd, whole);
	}
	closedir(d);
	return count;
}

static void look_and_compare(void)
{
	uint32_t counts = 0;

	look();
	assert_int_equal(matching_below(t.tree.fd, ""), t.known_count);
	for (uint32_t i = 0; i < t.pattern_count; i++)
		counts += cgroup_finder_count(t.f, i);
	assert_int_equal(counts, t.known_count);
	assert_int_equal(cgroup_finder_left_out(t.f), 0);
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static unsigned watches(void)
{
	char path[64], line[512];
	unsigned count = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", t.fd);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		count += strncmp(line, "inotify ", 8) == 0;
	fclose(f);
	return count;
}

/* In memory if possible: tens of thousands of directories are made here. */
static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	strcpy(t.tree.path, "/dev/shm/oomfwd-find-XXXXXX");
	if (mkdtemp(t.tree.path))
		t.tree.fd = open(t.tree.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else
		tree_open(&t.tree);
	return cgroup_mounts_from_fds(fcntl(t.tree.fd, F_DUPFD_CLOEXEC, 3), -1, -1, &t.m);
}

static int teardown(void **state)
{
	static const char *const below[] = { "/p/c1", "/p", "" };
	char path[128];

	cgroup_finder_free(t.f);
	cgroup_mounts_free(t.m);
	for (size_t i = 0; i < ARRAY_SIZE(below) && t.group[0]; i++) {
		snprintf(path, sizeof(path), "%s%s", t.group, below[i]);
		(void)unlinkat(t.tree.fd, path, AT_REMOVEDIR); /* after a failure only */
	}
	tree_close(&t.tree);
	return 0;
}

static void those_that_are_there_are_found_at_the_start(void **state)
{
	make("kubepods.slice/pod1/cri-a.scope");
	make("kubepods.slice/pod2/cri-b.scope");
	make("kubepods.slice/pod2/other.scope");
	make("kubepods.slice/pod2/cri-b.scope/cri-deeper.scope");
	make("elsewhere/pod1/cri-a.scope");
	BEGIN("/kubepods.slice/*/cri-*.scope");
	assert_int_equal(t.come, 2);
	assert_true(knows("/kubepods.slice/pod1/cri-a.scope", 0));
	assert_true(knows("/kubepods.slice/pod2/cri-b.scope", 0));
	assert_int_equal(watches(), 4); /* the root, the slice, two pods */
	look_and_compare();
	assert_int_equal(t.come, 2);
}

static void they_come_and_go_at_each_level(void **state)
{
	BEGIN("/k/*/cri-*.scope"); /* the base is missing at first */
	assert_int_equal(t.come, 0);
	assert_int_equal(watches(), 1);
	make("x/p/cri-1.scope");
	look_and_compare();
	assert_int_equal(t.come, 0);
	make("k");
	look_and_compare();
	make("k/p");
	look_and_compare();
	make("k/p/cri-1.scope");
	make("k/p/not.scope");
	look_and_compare();
	assert_true(knows("/k/p/cri-1.scope", 0));
	/* Made at once with all above it: before there is a watch. */
	make("k/q/cri-2.scope");
	look_and_compare();
	assert_int_equal(t.come, 2);
	discard("k/q/cri-2.scope");
	discard("k/q");
	look_and_compare();
	assert_int_equal(t.gone, 1);
	discard("k/p/not.scope");
	discard("k/p/cri-1.scope");
	discard("k/p");
	discard("k");
	look_and_compare();
	assert_int_equal(t.known_count, 0);
	assert_int_equal(watches(), 1);
	make("k/p/cri-1.scope");
	look_and_compare();
	assert_int_equal(t.known_count, 1);
	assert_int_equal(t.come, 3);
}

static void one_that_comes_anew_is_told_as_gone_and_come(void **state)
{
	make("a/x");
	BEGIN("/a/*", "/a/*/*/*");
	discard("a/x");
	make("a/x");
	look_and_compare();
	assert_int_equal(t.come, 2);
	assert_int_equal(t.gone, 1);
	/* Gone again before we look: nothing need be told, and nothing may stay. */
	make("a/y/z/w");
	discard("a/y/z/w");
	discard("a/y/z");
	discard("a/y");
	look_and_compare();
	assert_int_equal(t.known_count, 1);
	assert_int_equal(watches(), 3);
}

static void what_is_renamed_is_followed(void **state)
{
	make("a/x/1/c");
	make("a/x/2/c");
	make("b");
	make("a/x/1/unasked");
	BEGIN("/a/*/*/c", "/b/*/*/c");
	assert_int_equal(t.known_count, 2);
	move("a/x", "a/y");
	look_and_compare();
	assert_true(knows("/a/y/1/c", 0));
	move("a/y", "b/z"); /* under the other pattern */
	look_and_compare();
	assert_true(knows("/b/z/1/c", 1));
	assert_int_equal(t.known_count, 2);
	make("b/z/3/c"); /* the watches have gone along */
	move("b/z/1/c", "b/z/1/d");
	look_and_compare();
	assert_int_equal(t.known_count, 2);
	move("b/z", "out"); /* where nobody asks for it */
	make("out/3/d");
	look_and_compare();
	assert_int_equal(t.known_count, 0);
	assert_int_equal(watches(), 3);
	/* Out and in, in one go, and into a directory that is new itself. */
	move("out", "a/x");
	make("b/n");
	move("a/x", "b/n/m");
	move("b/n/m", "a/k");
	move("b/n", "a/k/n");
	look_and_compare();
	assert_true(knows("/a/k/2/c", 0));
}

/* One that is listed under its new name before the news of its old one are read. */
static void a_move_seen_too_early_is_no_loss(void **state)
{
	make("a/x/1");
	make("a/x/2");
	BEGIN("/n/*/*", "/a/*/*");
	assert_int_equal(t.known_count, 2);
	make("n");
	move("a/x", "n/x"); /* "n" is listed, and x in it, at the first of the news */
	look_and_compare();
	assert_true(knows("/n/x/1", 0));
	assert_int_equal(t.known_count, 2);
	make("n/x/3");
	discard("n/x/1");
	look_and_compare();
	assert_int_equal(t.known_count, 2);
	assert_int_equal(watches(), 4);
}

static void the_first_pattern_has_it(void **state)
{
	make("a/app-1.service/sub");
	make("a/db.service/sub");
	BEGIN("/a/db*", "/a/*.service", "/a/app-1.service", "/a/*/sub", "/*", "/a/db.service/*");
	look_and_compare();
	assert_true(knows("/a/db.service", 0));
	assert_true(knows("/a/app-1.service", 1));
	assert_true(knows("/a/db.service/sub", 3));
	assert_true(knows("/a", 4));
	assert_int_equal(t.come, 5);
	assert_int_equal(cgroup_finder_count(t.f, 1), 1);
	assert_int_equal(cgroup_finder_count(t.f, 2), 0);
	assert_int_equal(cgroup_finder_count(t.f, 3), 2);
	assert_int_equal(cgroup_finder_count(t.f, 99), 0);
	make("a/db2.service/sub");
	look_and_compare();
	assert_true(knows("/a/db2.service", 0));
	discard("a/db.service/sub");
	discard("a/db.service");
	look_and_compare();
}

static void names_are_globs_of_one_component(void **state)
{
	make("s/app-foo\\x2dbar.scope");
	make("s/app-foox2dbar.scope");
	make("s/.hidden");
	make("s/[x]");
	make("s/deep/er");
	BEGIN("/s/app-foo\\x2d*.scope", "/s/.h*", "/s/*x]", "/s//[d]eep/", "/s*er");
	look();
	assert_true(knows("/s/app-foo\\x2dbar.scope", 0));
	assert_true(knows("/s/.hidden", 1));
	assert_true(knows("/s/[x]", 2));
	assert_true(knows("/s/deep", 3));
	assert_int_equal(t.come, 4);
}

static void bad_patterns_are_refused(void **state)
{
	static const char *const bad[] = { "", "a", "*", "../a", "/..", "/a/..", "/a/../b", "/a/.",
		"./a" };
	static const char *const root[] = { "/", "///" };
	char text[PATH_MAX + 2], deep[128] = "";
	const char *one = text;
	unsigned before = open_fds();

	make("a/b");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *two[] = { "/a", bad[i] };

		assert_int_equal(begin(two, 2), -EINVAL);
		assert_null(t.f);
		assert_int_equal(t.come, 0);
	}
	memset(text, 'x', sizeof(text));
	text[0] = '/';
	text[PATH_MAX] = '\0';
	assert_int_equal(begin(&one, 1), -EINVAL);
	for (int i = 0; i < 33; i++)
		strcat(deep, "/*");
	one = deep;
	assert_int_equal(begin(&one, 1), -EINVAL);
	assert_int_equal(open_fds(), before);
	assert_int_equal(begin(root, 2), 0);
	make("c");
	look();
	assert_int_equal(t.come, 0);
	cgroup_finder_free(t.f);
	assert_int_equal(begin(root, 0), 0); /* not one pattern */
	look();
	cgroup_finder_free(t.f);
	t.f = NULL;
	assert_int_equal(open_fds(), before);
	cgroup_finder_free(NULL);

	cgroup_mounts_free(t.m);
	assert_int_equal(cgroup_mounts_from_fds(-1, -1, -1, &t.m), 0);
	assert_int_equal(begin(root, 1), -ENOENT);
}

static void links_and_files_are_no_cgroups(void **state)
{
	make("k/p/c");
	make("outside/c");
	assert_int_equal(symlinkat("../outside", t.tree.fd, "k/link"), 0);
	tree_write(&t.tree, "k/file", "");
	BEGIN("/k/*/c", "/k/*");
	assert_int_equal(t.come, 2); /* k/p and k/p/c */
	assert_int_equal(symlinkat("../outside", t.tree.fd, "k/late"), 0);
	tree_write(&t.tree, "k/p/file", "");
	look_and_compare();
	assert_int_equal(t.come, 2);
}

static void the_v1_memory_hierarchy_is_the_one(void **state)
{
	make("two/a");
	make("one/b");
	cgroup_mounts_free(t.m);
	assert_int_equal(
		cgroup_mounts_from_fds(openat(t.tree.fd, "two", O_PATH | O_DIRECTORY | O_CLOEXEC),
			openat(t.tree.fd, "one", O_PATH | O_DIRECTORY | O_CLOEXEC), -1, &t.m),
		0);
	BEGIN("/*");
	assert_int_equal(t.come, 1);
	assert_true(knows("/b", 0));
}

static void make_many(const char *before, const char *after, int from, int to)
{
	char path[64];

	for (int i = from; i < to; i++) {
		snprintf(path, sizeof(path), "%s%d%s", before, i, after);
		assert_int_equal(mkdirat(t.tree.fd, path, 0700), 0);
	}
}

static void discard_many(const char *before, const char *after, int from, int to)
{
	char path[64];

	for (int i = from; i < to; i++) {
		snprintf(path, sizeof(path), "%s%d%s", before, i, after);
		discard(path);
	}
}

static int queue_length(void)
{
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	int length = 0;

	assert_true(f && fscanf(f, "%d", &length) == 1);
	fclose(f);
	return length;
}

static void an_overflow_is_made_good(void **state)
{
	int half = queue_length() / 2 + 100;

	if (half > 50000)
		skip();
	make("a/stays");
	make("a/goes/x");
	make("a/anew");
	BEGIN("/a/*", "/a/*/x", "/late/*/x");
	assert_int_equal(t.come, 4);
	make("n");
	discard("a/goes/x");
	/* These fill the queue; what comes after them nobody is told of. */
	make_many("a/", "", 0, half);
	discard_many("a/", "", 0, half);
	discard("a/goes");
	discard("a/anew");
	make("a/b/x");
	make("late/p/x");
	make("a/anew");
	look_and_compare();
	assert_true(knows("/a/stays", 0));
	assert_true(knows("/a/b/x", 1));
	assert_true(knows("/late/p/x", 2));
	assert_int_equal(t.known_count, 5);
	/* Another one of the same name; on disk it may even have the same inode. */
	if (strncmp(t.tree.path, "/dev/shm", 8) == 0)
		assert_true(come_of("/a/anew", 0) > 4);
	assert_true(come_of("/a/stays", 0) <= 4);
	/* And then all is as before. */
	make("late/q/x");
	discard("a/b/x");
	look_and_compare();
	assert_int_equal(watches(), 8); /* root, a, its three, late, its two */
}

/* After which what came meanwhile has its room. */
static void what_has_no_room_is_counted_and_waits(void **state)
{
	make("a");
	make_many("a/", "", 0, CGROUP_FOUND_MAX - 1);
	BEGIN("/a/*", "/b/*/x");
	assert_int_equal(t.come, CGROUP_FOUND_MAX - 1);
	assert_int_equal(cgroup_finder_left_out(t.f), 0);
	make_many("a/", "", CGROUP_FOUND_MAX - 1, CGROUP_FOUND_MAX + 3);
	make("b/p/x");
	look();
	assert_int_equal(t.known_count, CGROUP_FOUND_MAX);
	assert_int_equal(cgroup_finder_count(t.f, 0), CGROUP_FOUND_MAX);
	assert_int_equal(cgroup_finder_left_out(t.f), 4);
	/* One that waits goes without a word, ... */
	discard_many("a/", "", CGROUP_FOUND_MAX + 2, CGROUP_FOUND_MAX + 3);
	look();
	assert_int_equal(cgroup_finder_left_out(t.f), 3);
	assert_int_equal(t.gone, 0);
	/* ... and takes the place of one that goes. */
	discard_many("a/", "", 0, 2);
	look();
	assert_int_equal(t.known_count, CGROUP_FOUND_MAX);
	assert_int_equal(cgroup_finder_left_out(t.f), 1);
	discard_many("a/", "", 2, 3);
	look_and_compare();
	assert_int_equal(t.known_count, CGROUP_FOUND_MAX);
}

static void more_than_it_can_know_are_counted_too(void **state)
{
	enum { MANY = 17000 };

	make("a");
	BEGIN("/a/*");
	for (int i = 0; i < MANY; i += 1000) { /* the queue is to hold the news */
		make_many("a/", "", i, i + 1000);
		look();
	}
	assert_int_equal(t.known_count, CGROUP_FOUND_MAX);
	assert_int_equal(cgroup_finder_left_out(t.f), MANY - CGROUP_FOUND_MAX);
	discard_many("a/", "", MANY - 10, MANY); /* known to nobody */
	look();
	assert_int_equal(cgroup_finder_left_out(t.f), MANY - 10 - CGROUP_FOUND_MAX);
	make_many("a/", "", MANY - 10, MANY);
	look();
	for (int i = 0; i < MANY - 1000; i += 1000) {
		discard_many("a/", "", i, i + 1000);
		look();
	}
	look_and_compare();
	assert_int_equal(t.known_count, 1000);
	assert_false(knows("/a/0", 0));
}

static void directories_beyond_the_watches_are_counted(void **state)
{
	enum { MANY = 8200 }; /* two are the root and a */

	make("a");
	make_many("a/", "", 0, MANY);
	BEGIN("/a/*/x");
	assert_int_equal(watches(), 8192);
	assert_int_equal(cgroup_finder_left_out(t.f), MANY + 2 - 8192);
	make_many("a/", "/x", 0, MANY);
	look();
	/* Which of them were left out depends on the file system. */
	assert_int_equal(t.known_count, CGROUP_FOUND_MAX);
	for (int i = 0; i < MANY - 200; i += 1000) { /* the queue is to hold the news */
		discard_many("a/", "/x", i, i + 1000);
		discard_many("a/", "", i, i + 1000);
		look();
	}
	look_and_compare();
	assert_int_equal(t.known_count, 200);
	assert_int_equal(watches(), 202);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6 +
		(double)u.ru_stime.tv_sec + (double)u.ru_stime.tv_usec / 1e6;
}

/* Makes, removes or renames one of a few hundred directories of three levels. */
static void disturb(unsigned *seed)
{
	unsigned a = (unsigned)rand_r(seed) % 12, b = (unsigned)rand_r(seed) % 8;
	int level = rand_r(seed) % 3;
	char path[64], to[64];

	snprintf(path, sizeof(path), "k/p%u", a);
	snprintf(to, sizeof(to), "k/p%u", b);
	if (rand_r(seed) % 50 == 0)
		(void)renameat2(t.tree.fd, path, t.tree.fd, to, RENAME_NOREPLACE);
	if (level > 0)
		snprintf(path, sizeof(path), "k/p%u/c%u%s", a, b, level == 1 ? "" : "/c1");
	if (rand_r(seed) % 2)
		(void)mkdirat(t.tree.fd, path, 0700);
	else
		(void)unlinkat(t.tree.fd, path, AT_REMOVEDIR);
}

static void churn_leaves_nothing_behind(void **state)
{
	unsigned before, seed = 1;

	make("k");
	BEGIN("/k/p*/c*", "/k/*", "/k/*/*/c1", "/*/p1/c1/*");
	before = open_fds();
	for (int i = 0; i < 30000; i++) {
		disturb(&seed);
		if (rand_r(&seed) % 40 == 0)
			look();
		if (i % 500 == 0)
			look_and_compare();
	}
	look_and_compare();
	assert_int_equal(open_fds(), before);
	assert_true(t.come > 1000 && t.gone > 1000);
}

/* The same while we look: things change between the news, the watch and the list. */
static void changes_while_it_looks_are_not_lost(void **state)
{
	make("k");
	BEGIN("/k/p*/c*", "/k/*", "/k/*/*/c1", "/*/p1/c1/*");
	for (unsigned round = 1; round <= 10; round++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			for (int i = 0; i < 5000; i++)
				disturb(&round);
			_exit(0);
		}
		while (waitpid(child, NULL, WNOHANG) == 0)
			assert_int_equal(cgroup_finder_read(t.f), 0);
		look_and_compare();
	}
	assert_true(t.come > 100 && t.gone > 100);
}

static void nothing(void *ctx, uint32_t pattern, const char *path, bool appeared)
{
	(*(unsigned *)ctx)++;
}

/* 4,000 found and 10,000 made and removed: as 200 a second for 100 s. */
static void many_cost_little(void **state)
{
	static const char *const patterns[] = { "/a/*/*.scope", "/b/*" };
	unsigned calls = 0;
	double start, spent = 0;

	make("a/p");
	make("a/q");
	make_many("a/p/", ".scope", 0, 4000);
	start = cpu_seconds();
	assert_int_equal(cgroup_finder_new(t.m, patterns, 2, nothing, &calls, &t.f, &t.fd), 0);
	print_message("# first scan of 4000: %.2f ms\n", 1e3 * (cpu_seconds() - start));
	assert_int_equal(calls, 4000);
	for (int i = 0; i < 10000; i += 10) {
		make_many("a/p/n", ".scope", i, i + 5);
		make_many("a/q/n", ".scope", i + 5, i + 10);
		discard_many("a/p/n", ".scope", i, i + 5);
		start = cpu_seconds();
		assert_int_equal(cgroup_finder_read(t.f), 0);
		spent += cpu_seconds() - start;
		discard_many("a/q/n", ".scope", i + 5, i + 10);
		start = cpu_seconds();
		assert_int_equal(cgroup_finder_read(t.f), 0);
		spent += cpu_seconds() - start;
	}
	print_message("# 10000 made and removed: %.2f us each of CPU\n", 1e6 * spent / 20000);
	assert_int_equal(cgroup_finder_count(t.f, 0), 4000);
	assert_true(spent < 2); /* 10 ms each would be 200 s; with sanitizers it is 0.3 s */
}

static void the_base_is_what_is_sure(void **state)
{
	static const struct {
		const char *pattern, *base;
	} cases[] = {
		{ "/kubepods.slice/*/cri-*.scope", "/kubepods.slice" },
		{ "/a/b/c?/d", "/a/b" },
		{ "/a/[bc]", "/a" },
		{ "/a/b", "/a/b" },
		{ "/a\\x2d/b*", "/a\\x2d" },
		{ "/*/a", "/" },
		{ "/", "/" },
		{ "//a//b//*", "/a/b" },
		{ "/a/", "/a" },
		{ "relative/a", "/" },
	};
	char base[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cgroup_pattern_base(cases[i].pattern, base, sizeof(base));
		assert_string_equal(base, cases[i].base);
	}
	cgroup_pattern_base("/abc/def", base, 8); /* what does not fit is not cut within a name */
	assert_string_equal(base, "/abc");
	cgroup_pattern_base("/abc/def", base, 9);
	assert_string_equal(base, "/abc/def");
	cgroup_pattern_base("/abc", base, 2);
	assert_string_equal(base, "/");
	cgroup_pattern_base("/abc", base, 1);
	assert_string_equal(base, "");
}

/* --- on this machine's own cgroups --- */

static void live_cgroups_are_followed(void **state)
{
	static const char *const mounts[] = { "/sys/fs/cgroup/memory", "/sys/fs/cgroup" };
	char pattern[128], path[128], *top = t.group;
	const char *patterns[] = { pattern };
	bool made = false;

	snprintf(t.group, sizeof(t.group), "oomfwd-test-find-%d", getpid());
	for (size_t i = 0; i < ARRAY_SIZE(mounts) && !made; i++) {
		snprintf(path, sizeof(path), "%s/cgroup.procs", mounts[i]);
		if (access(path, F_OK) < 0)
			continue;
		close(t.tree.fd);
		t.tree.fd = open(mounts[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		made = mkdirat(t.tree.fd, top, 0755) == 0;
	}
	if (!made) {
		t.group[0] = '\0';
		skip();
	}
	discard(top);
	cgroup_mounts_free(t.m);
	assert_int_equal(cgroup_mounts_new(&t.m), 0);
	snprintf(pattern, sizeof(pattern), "/%s/*/c*", top);
	assert_int_equal(begin(patterns, 1), 0);
	for (int round = 1; round <= 20; round++) {
		snprintf(path, sizeof(path), "%s/p/c1", top);
		make(path);
		look();
		assert_int_equal(t.known_count, 1);
		assert_int_equal(watches(), 3);
		discard(path);
		snprintf(path, sizeof(path), "%s/p", top);
		discard(path);
		discard(top);
		look();
		assert_int_equal(t.known_count, 0);
		assert_int_equal(t.gone, round);
		assert_int_equal(watches(), 1); /* kernfs would keep those of removed ones */
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(those_that_are_there_are_found_at_the_start),
		TEST(they_come_and_go_at_each_level),
		TEST(one_that_comes_anew_is_told_as_gone_and_come),
		TEST(what_is_renamed_is_followed),
		TEST(a_move_seen_too_early_is_no_loss),
		TEST(the_first_pattern_has_it),
		TEST(names_are_globs_of_one_component),
		TEST(bad_patterns_are_refused),
		TEST(links_and_files_are_no_cgroups),
		TEST(the_v1_memory_hierarchy_is_the_one),
		TEST(an_overflow_is_made_good),
		TEST(what_has_no_room_is_counted_and_waits),
		TEST(more_than_it_can_know_are_counted_too),
		TEST(directories_beyond_the_watches_are_counted),
		TEST(churn_leaves_nothing_behind),
		TEST(changes_while_it_looks_are_not_lost),
		TEST(many_cost_little),
		TEST(the_base_is_what_is_sure),
		TEST(live_cgroups_are_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
