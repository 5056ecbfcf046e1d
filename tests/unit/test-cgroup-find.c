/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which cgroups match, as they come and go: on directories, whose inotify is the same. */
#include "cgroup-find.h"
#include "cgroup-tree.h"

#define SEEN_MAX 8192

struct world {
	struct tree tree;
	struct cgroup_mounts *mounts;
	struct cgroup_finder *finder;
	int fd;
	/* What the finder has said, and what it still holds to be there. */
	uint32_t came, went, seen_count;
	struct {
		uint32_t pattern;
		char path[128];
	} seen[SEEN_MAX];
};

static void on_found(void *ctx, uint32_t pattern, const char *path, bool appeared)
{
	struct world *w = ctx;
	uint32_t i = 0;

	while (i < w->seen_count && strcmp(w->seen[i].path, path) != 0)
		i++;
	if (appeared) {
		assert_int_equal(i, w->seen_count); /* none comes twice */
		assert_true(i < SEEN_MAX);
		w->came++;
		w->seen[i].pattern = pattern;
		copy_cut(w->seen[i].path, sizeof(w->seen[i].path), path);
		w->seen_count++;
		return;
	}
	assert_true(i < w->seen_count); /* none goes that had not come */
	assert_int_equal(w->seen[i].pattern, pattern);
	w->went++;
	w->seen[i] = w->seen[--w->seen_count];
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	tree_open(&w->tree);
	assert_int_equal(cgroup_mounts_from_fds(tree_fd(&w->tree, "/"), -1, -1, &w->mounts), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	cgroup_finder_free(w->finder);
	cgroup_mounts_free(w->mounts);
	tree_remove(&w->tree, "");
	free(w);
	return 0;
}

static int follow(struct world *w, const char *const *patterns, uint32_t count)
{
	return cgroup_finder_new(w->mounts, patterns, count, on_found, w, &w->finder, &w->fd);
}

static void follow_one(struct world *w, const char *pattern)
{
	assert_int_equal(follow(w, &pattern, 1), 0);
}

static void take_news(struct world *w)
{
	assert_int_equal(cgroup_finder_read(w->finder), 0);
}

static bool has(const struct world *w, const char *path)
{
	for (uint32_t i = 0; i < w->seen_count; i++)
		if (strcmp(w->seen[i].path, path) == 0)
			return true;
	return false;
}

/* --- scenarios --- */

static void those_that_are_there_are_found_at_once(void **state)
{
	struct world *w = *state;

	tree_dir(&w->tree, "/system.slice/docker-1.scope/init");
	tree_dir(&w->tree, "/system.slice/docker-2.scope");
	tree_dir(&w->tree, "/system.slice/ssh.service");
	tree_dir(&w->tree, "/docker-3.scope");
	tree_put(&w->tree, "/system.slice/docker-file.scope", "");
	follow_one(w, "/system.slice/docker-*.scope");
	assert_int_equal(w->came, 2);
	assert_true(has(w, "/system.slice/docker-1.scope"));
	assert_true(has(w, "/system.slice/docker-2.scope"));
	assert_int_equal(cgroup_finder_count(w->finder, 0), 2);
	assert_int_equal(cgroup_finder_left_out(w->finder), 0);
}

static void they_are_followed_as_they_come_and_go(void **state)
{
	struct world *w = *state;

	tree_dir(&w->tree, "/a");
	follow_one(w, "/a/*");
	take_news(w);
	assert_int_equal(w->came, 0);
	tree_dir(&w->tree, "/a/x");
	tree_dir(&w->tree, "/a/y/below");
	take_news(w);
	assert_int_equal(w->came, 2);
	tree_remove(&w->tree, "/a/x");
	take_news(w);
	assert_int_equal(w->went, 1);
	assert_false(has(w, "/a/x"));
	tree_dir(&w->tree, "/a/x");
	tree_remove(&w->tree, "/a/x");
	tree_dir(&w->tree, "/a/x");
	take_news(w);
	assert_true(has(w, "/a/x"));
	assert_int_equal(cgroup_finder_count(w->finder, 0), 2);
}

static void a_path_of_which_nothing_is_there_yet_is_followed_from_above(void **state)
{
	struct world *w = *state;

	follow_one(w, "/kubepods.slice/*/pod*/c");
	assert_int_equal(w->came, 0);
	tree_dir(&w->tree, "/kubepods.slice");
	take_news(w);
	tree_dir(&w->tree, "/kubepods.slice/burstable");
	take_news(w);
	/* These two come before there is a watch for them. */
	tree_dir(&w->tree, "/kubepods.slice/burstable/pod1/c");
	tree_dir(&w->tree, "/kubepods.slice/besteffort/pod2/c");
	take_news(w);
	assert_int_equal(w->came, 2);
	assert_true(has(w, "/kubepods.slice/burstable/pod1/c"));
	assert_true(has(w, "/kubepods.slice/besteffort/pod2/c"));
	tree_remove(&w->tree, "/kubepods.slice");
	take_news(w);
	assert_int_equal(w->seen_count, 0);
	tree_dir(&w->tree, "/kubepods.slice/burstable/pod1/c");
	take_news(w);
	assert_true(has(w, "/kubepods.slice/burstable/pod1/c"));
}

static void what_is_moved_takes_what_is_below_along(void **state)
{
	struct world *w = *state;
	char from[128], to[128];

	tree_dir(&w->tree, "/a/x/leaf");
	tree_dir(&w->tree, "/a/y/leaf");
	follow_one(w, "/a/*/leaf");
	assert_int_equal(w->came, 2);
	snprintf(from, sizeof(from), "%s/a/x", w->tree.root);
	snprintf(to, sizeof(to), "%s/a/z", w->tree.root);
	assert_int_equal(rename(from, to), 0);
	take_news(w);
	assert_false(has(w, "/a/x/leaf"));
	assert_true(has(w, "/a/z/leaf"));
	/* And goes on under the new name. */
	tree_remove(&w->tree, "/a/z/leaf");
	take_news(w);
	assert_false(has(w, "/a/z/leaf"));
	assert_true(has(w, "/a/y/leaf"));
}

static void the_first_pattern_takes_a_cgroup_and_each_counts_its_own(void **state)
{
	static const char *const patterns[] = { "/a/b*", "/a/*", "/a/*/c", "/" };
	struct world *w = *state;

	tree_dir(&w->tree, "/a/b1/c");
	tree_dir(&w->tree, "/a/x/c");
	assert_int_equal(follow(w, patterns, 4), 0);
	assert_int_equal(w->came, 4);
	assert_int_equal(cgroup_finder_count(w->finder, 0), 1);
	assert_int_equal(cgroup_finder_count(w->finder, 1), 1);
	assert_int_equal(cgroup_finder_count(w->finder, 2), 2);
	assert_int_equal(cgroup_finder_count(w->finder, 3), 0); /* the root matches nothing */
	tree_remove(&w->tree, "/a");
	take_news(w);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(cgroup_finder_count(w->finder, i), 0);
}

static void backslashes_brackets_and_dots_are_as_in_the_section(void **state)
{
	static const char *const patterns[] = { "/system-x\\x2dy.slice/*", "/l/[0-9a-f][0-9a-f]*" };
	struct world *w = *state;

	tree_dir(&w->tree, "/system-x\\x2dy.slice/.hidden");
	tree_dir(&w->tree, "/system-x-y.slice/no");
	tree_dir(&w->tree, "/l/conmon-1");
	tree_dir(&w->tree, "/l/0f1");
	assert_int_equal(follow(w, patterns, 2), 0);
	assert_int_equal(w->came, 2);
	assert_true(has(w, "/system-x\\x2dy.slice/.hidden"));
	assert_true(has(w, "/l/0f1"));
}

static void an_overflow_of_the_queue_is_made_good_by_a_scan(void **state)
{
	struct world *w = *state;
	unsigned limit = 0;
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &limit), 1);
	fclose(f);
	if (limit > 100000)
		skip();
	tree_dir(&w->tree, "/a/goes");
	follow_one(w, "/a/*");
	for (unsigned i = 0; i < limit / 2 + 100; i++) {
		tree_dir(&w->tree, "/a/churn");
		tree_remove(&w->tree, "/a/churn");
	}
	tree_remove(&w->tree, "/a/goes");
	tree_dir(&w->tree, "/a/comes");
	take_news(w);
	assert_int_equal(w->seen_count, 1);
	assert_true(has(w, "/a/comes"));
}

static void no_more_than_the_room_there_is_and_it_is_said(void **state)
{
	struct world *w = *state;
	char path[64];

	tree_dir(&w->tree, "/a");
	for (int i = 0; i < CGROUP_FOUND_MAX + 10; i++) {
		snprintf(path, sizeof(path), "/a/%d", i);
		tree_dir(&w->tree, path);
	}
	follow_one(w, "/a/*");
	assert_int_equal(w->seen_count, CGROUP_FOUND_MAX);
	assert_int_equal(cgroup_finder_left_out(w->finder), 10);
	/* When many have gone, those left out are found. */
	for (int i = 0; i < CGROUP_FOUND_MAX / 2; i++) {
		snprintf(path, sizeof(path), "/a/%d", i);
		tree_remove(&w->tree, path);
		if (i % 500 == 0)
			take_news(w);
	}
	take_news(w);
	assert_int_equal(cgroup_finder_left_out(w->finder), 0);
	assert_int_equal(w->seen_count, CGROUP_FOUND_MAX + 10 - CGROUP_FOUND_MAX / 2);
}

static void churn_leaves_nothing_behind(void **state)
{
	struct world *w = *state;
	char path[64];
	int before;

	tree_dir(&w->tree, "/a");
	follow_one(w, "/a/*/leaf");
	before = open_fds();
	for (int i = 0; i < 3000; i++) {
		snprintf(path, sizeof(path), "/a/%d/leaf", i % 7);
		tree_dir(&w->tree, path);
		if (i % 3 == 0)
			take_news(w);
		*strrchr(path, '/') = '\0';
		tree_remove(&w->tree, path);
	}
	take_news(w);
	assert_int_equal(w->seen_count, 0);
	assert_int_equal(cgroup_finder_count(w->finder, 0), 0);
	assert_int_equal(cgroup_finder_left_out(w->finder), 0);
	assert_int_equal(open_fds(), before);
}

static void what_is_no_pattern_is_refused(void **state)
{
	static const char *const bad[] = { "", "a", "a/*", "/..", "/a/../b", "/a/.." };
	struct world *w = *state;
	char long_one[600] = "/";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(follow(w, &bad[i], 1), -EINVAL);
	memset(long_one + 1, 'a', sizeof(long_one) - 2);
	const char *p = long_one;
	assert_int_equal(follow(w, &p, 1), -EINVAL);
	assert_null(w->finder);
}

static void without_cgroups_there_is_nothing_to_follow(void **state)
{
	struct world *w = *state;
	struct cgroup_mounts *none;
	const char *p = "/a";

	assert_int_equal(cgroup_mounts_from_fds(-1, -1, -1, &none), 0);
	assert_int_equal(cgroup_finder_new(none, &p, 1, on_found, w, &w->finder, &w->fd), -ENOENT);
	cgroup_mounts_free(none);
}

static void the_base_is_what_all_that_match_have_above_them(void **state)
{
	static const struct {
		const char *pattern, *base;
	} cases[] = {
		{ "/a/*", "/a" },
		{ "/a/b/c*/d", "/a/b" },
		{ "/*", "/" },
		{ "/a", "/" },
		{ "/a/b", "/a" },
		{ "/a?/b", "/" },
		{ "/a/[x]/b", "/a" },
		{ "/kubepods.slice/kubepods-*.slice/*", "/kubepods.slice" },
		{ "/", "/" },
	};
	char base[64], small[4];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cgroup_pattern_base(cases[i].pattern, base, sizeof(base));
		assert_string_equal(base, cases[i].base);
	}
	cgroup_pattern_base("/abc/def/*", small, sizeof(small));
	assert_string_equal(small, "/ab");
}

#define find_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		find_test(those_that_are_there_are_found_at_once),
		find_test(they_are_followed_as_they_come_and_go),
		find_test(a_path_of_which_nothing_is_there_yet_is_followed_from_above),
		find_test(what_is_moved_takes_what_is_below_along),
		find_test(the_first_pattern_takes_a_cgroup_and_each_counts_its_own),
		find_test(backslashes_brackets_and_dots_are_as_in_the_section),
		find_test(an_overflow_of_the_queue_is_made_good_by_a_scan),
		find_test(no_more_than_the_room_there_is_and_it_is_said),
		find_test(churn_leaves_nothing_behind),
		find_test(what_is_no_pattern_is_refused),
		find_test(without_cgroups_there_is_nothing_to_follow),
		find_test(the_base_is_what_all_that_match_have_above_them),
	};

	return cmocka_run_group_tests_name("cgroup-find", tests, NULL, NULL);
}
