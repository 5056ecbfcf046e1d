/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is protected, asked about real processes by rows that a pass has left light. */
#include "facts.h"

#include "children.h"
#include "util.h"

#include <fcntl.h>
#include <sys/stat.h>

static struct snapshot s;
static struct config *config;
static struct cgroup_mounts *mounts;
static struct facts facts;

static int setup(void **state)
{
	char path[] = "/tmp/live-facts-XXXXXX";
	_cleanup_(fd_closep) int conf = mkstemp(path);
	static const char rules[] = "[protect precious]\ncomm = ^precious$\n";
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(conf >= 0 && fd >= 0);
	assert_int_equal(write(conf, rules, sizeof(rules) - 1), sizeof(rules) - 1);
	assert_int_equal(config_load(path, stderr, &config), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(snapshot_open(&s, fd, 8192), 0);
	assert_int_equal(cgroup_mounts_new(&mounts), 0);
	assert_int_equal(facts_open(&facts, config, &s, mounts), 0);
	return children_setup(state);
}

static int teardown(void **state)
{
	int fd = s.proc_fd, r = children_teardown(state);

	facts_close(&facts);
	cgroup_mounts_free(mounts);
	snapshot_close(&s);
	close(fd);
	config_free(config);
	return r;
}

static void take_the_name(int index)
{
	prctl(PR_SET_NAME, "precious");
	child_ready(index);
}

static void take_the_adj(int index)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "-1000", 5) != 5)
		board->go = true; /* not allowed */
	child_ready(index);
}

/* As a pass that knows everybody's stat alone: the bound of the sanitizers' processes is above all
 * that a pass would leave light. */
static struct task light_row_of(pid_t pid)
{
	const struct task *row;
	struct task t;

	assert_int_equal(snapshot_refresh_heavy(&s, UINT64_MAX, 0), 0);
	row = snapshot_find(&s, pid);
	assert_non_null(row);
	assert_true(row->flags & TASK_LIGHT);
	t = *row;
	return t;
}

static void a_light_row_is_protected_by_the_rules(void **state)
{
	pid_t plain = child_fork(child_ready), named = child_fork(take_the_name);
	struct task t = light_row_of(plain);

	assert_false(facts_is_protected(&facts, &t));
	t = light_row_of(named);
	assert_true(facts_is_protected(&facts, &t));
}

static void a_light_row_is_protected_by_what_it_does_not_show(void **state)
{
	pid_t spared = child_fork(take_the_adj);
	struct task t = light_row_of(spared);

	if (board->go)
		skip();
	assert_int_equal(t.oom_score_adj, 0);
	assert_true(facts_is_protected(&facts, &t));
	t.flags &= ~(uint32_t)TASK_LIGHT; /* it is the flag that makes the difference */
	assert_false(facts_is_protected(&facts, &t));
}

static void who_is_gone_is_not_protected(void **state)
{
	pid_t pid = child_fork(child_ready);
	struct task t = light_row_of(pid);

	child_end(pid);
	assert_false(facts_is_protected(&facts, &t));
}

/* An exited leader's thread was to be asked, and has left since the pass. */
static void what_a_thread_that_left_would_have_told_is_unread(void **state)
{
	const struct victim_fns fns = facts_victim_fns(&facts);
	pid_t pid = child_fork(child_ready), left = child_fork(child_ready);
	struct task t = light_row_of(pid);

	child_end(left);
	fns.detail(fns.ctx, &t, true, fns.room);
	assert_string_not_equal(fns.room->exe, "");
	assert_false(fns.room->exe_unread || fns.room->cgroup_unread || fns.room->cmdline_unread);
	t.mm_tid = left;
	fns.detail(fns.ctx, &t, true, fns.room);
	assert_string_equal(fns.room->exe, "");
	assert_true(fns.room->exe_unread && fns.room->cgroup_unread && fns.room->cmdline_unread);
	/* Who has gone altogether is no secret. */
	t.id.pid = left;
	fns.detail(fns.ctx, &t, true, fns.room);
	assert_false(fns.room->exe_unread || fns.room->cgroup_unread || fns.room->cmdline_unread);
}

int main(void)
{
#define LIVE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		LIVE(a_light_row_is_protected_by_the_rules),
		LIVE(a_light_row_is_protected_by_what_it_does_not_show),
		LIVE(who_is_gone_is_not_protected),
		LIVE(what_a_thread_that_left_would_have_told_is_unread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
