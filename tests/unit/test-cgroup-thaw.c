/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thawing by a thread of its own. A FIFO in place of /proc/PID/cgroup blocks who opens it, as a
 * held cgroup_mutex blocks who reads the real one.
 */
#include "cgroup-thaw.h"

#include "count-malloc.h"
#include "proc-tree.h"
#include "util.h"

#include <time.h>

#define FROZEN "FROZEN"
#define THAWED "THAWED"

static struct proc_tree tree;
static struct cgroup_mounts *mounts;
static struct thawer *thawer;

static uint64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

static int open_in_tree(const char *name)
{
	return openat(tree.fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void write_process(int pid, uint64_t start_ticks, const char *freezer_cgroup)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "%d/stat", pid);
	snprintf(text, sizeof(text),
		"%d (victim) S 1 %d %d 0 -1 4194304 1 0 0 0 5 5 0 0 20 0 1 0 %llu 0 0 "
		"18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		pid, pid, pid, (unsigned long long)start_ticks);
	tree_write(&tree, path, text);
	snprintf(path, sizeof(path), "%d/cgroup", pid);
	snprintf(text, sizeof(text), "3:freezer:%s\n0::/\n", freezer_cgroup);
	tree_write(&tree, path, text);
}

static bool is_state(const char *path, const char *state)
{
	char text[16] = "";
	_cleanup_(fd_closep) int fd = openat(tree.fd, path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	return strcmp(text, state) == 0;
}

static void assert_thawed_soon(const char *path)
{
	for (int i = 0; i < 5000 && !is_state(path, THAWED); i++)
		usleep(1000);
	assert_true(is_state(path, THAWED));
}

static int setup(void **state)
{
	tree_open(&tree);
	tree_write(&tree, "freezer/a/freezer.state", FROZEN);
	tree_write(&tree, "freezer/b/freezer.state", FROZEN);
	tree_write(&tree, "v2/a/cgroup.procs", "10\n");
	write_process(10, 1000, "/a");
	write_process(11, 1001, "/b");
	assert_int_equal(
		cgroup_mounts_from_fds(open_in_tree("v2"), -1, open_in_tree("freezer"), &mounts),
		0);
	assert_int_equal(thawer_new(mounts, tree.fd, &thawer), 0);
	assert_non_null(thawer);
	return 0;
}

static int teardown(void **state)
{
	thawer_free(thawer);
	cgroup_mounts_free(mounts);
	tree_close(&tree);
	return 0;
}

static void add(pid_t pid, uint64_t start_ticks)
{
	const struct proc_id id = { .pid = pid, .start_ticks = start_ticks };

	assert_int_equal(thawer_add(thawer, &id), 0);
}

static void block(const char *path)
{
	assert_int_equal(unlinkat(tree.fd, path, 0), 0);
	assert_int_equal(mkfifoat(tree.fd, path, 0600), 0);
}

/* Waits until somebody is stuck there, who then is until he is told something. */
static int find_stuck(const char *path)
{
	int fd = -1;

	for (int i = 0; i < 5000 && fd < 0; i++, usleep(1000))
		fd = openat(tree.fd, path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void unblock(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void the_frozen_are_thawed_without_an_allocation(void **state)
{
	unsigned before = malloc_count;

	add(10, 1000);
	assert_int_equal(malloc_count, before);
	assert_thawed_soon("freezer/a/freezer.state");
	assert_true(is_state("freezer/b/freezer.state", FROZEN));
	add(11, 1001);
	assert_thawed_soon("freezer/b/freezer.state");
}

/* What its cgroup was frozen for is no business of ours. */
static void a_stranger_that_was_given_the_pid_stays_frozen(void **state)
{
	write_process(10, 5000, "/a");
	add(10, 1000);
	add(12, 1002); /* gone */
	add(11, 1001); /* in turn: by then the others have been looked at */
	assert_thawed_soon("freezer/b/freezer.state");
	assert_true(is_state("freezer/a/freezer.state", FROZEN));
}

static void who_hands_over_never_waits_and_nobody_is_forgotten(void **state)
{
	const struct proc_id one_more = { .pid = 11, .start_ticks = 1001 };
	uint64_t began;
	int fd;

	block("10/cgroup");
	add(10, 1000);
	fd = find_stuck("10/cgroup");
	began = now_usec();
	for (int i = 0; i < THAW_QUEUE; i++)
		add(11, 1001);
	assert_int_equal(thawer_add(thawer, &one_more), -ENOSPC);
	assert_in_range(now_usec() - began, 0, USEC_PER_SEC);
	assert_true(is_state("freezer/b/freezer.state", FROZEN));
	unblock(fd, "3:freezer:/a\n");
	assert_thawed_soon("freezer/a/freezer.state");
	assert_thawed_soon("freezer/b/freezer.state");
}

static void closing_does_not_wait_and_leaves_it_what_it_works_with(void **state)
{
	uint64_t began;
	int fd;

	block("10/cgroup");
	add(10, 1000);
	fd = find_stuck("10/cgroup");
	began = now_usec();
	thawer_free(thawer);
	thawer = NULL;
	cgroup_mounts_free(mounts);
	mounts = NULL;
	assert_in_range(now_usec() - began, 0, USEC_PER_SEC);
	unblock(fd, "3:freezer:/a\n");
	assert_thawed_soon("freezer/a/freezer.state");
}

static void without_a_v1_freezer_there_is_no_thread(void **state)
{
	struct cgroup_mounts *v2;
	struct thawer *none = thawer;

	assert_int_equal(cgroup_mounts_from_fds(open_in_tree("v2"), -1, -1, &v2), 0);
	assert_int_equal(thawer_new(v2, tree.fd, &none), 0);
	assert_null(none);
	cgroup_mounts_free(v2);
}

int main(void)
{
#define FREEZER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		FREEZER(the_frozen_are_thawed_without_an_allocation),
		FREEZER(a_stranger_that_was_given_the_pid_stays_frozen),
		FREEZER(who_hands_over_never_waits_and_nobody_is_forgotten),
		FREEZER(closing_does_not_wait_and_leaves_it_what_it_works_with),
		FREEZER(without_a_v1_freezer_there_is_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
