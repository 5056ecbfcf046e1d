/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hook by itself: programs that succeed, fail, hang, hide behind children, and pile up.
 */
#include "desk-stage.h"
#include "hook.h"

struct hook_stage {
	struct desk_stage st; /* its directory */
	struct hooks *hooks;
	int said_fd, stderr_fd;
};

static int hook_setup(void **state)
{
	static struct hook_stage h;
	void *inner;
	int r = desk_setup(&inner);

	h = (struct hook_stage){ .st = *(struct desk_stage *)inner };
	*state = &h;
	if (r < 0 || hooks_new(&h.hooks) < 0)
		return -1;
	h.stderr_fd = dup(STDERR_FILENO);
	h.said_fd = open(in_dir(&h.st, "said"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return h.said_fd < 0 || dup2(h.said_fd, STDERR_FILENO) < 0 ? -1 : 0;
}

static int hook_teardown(void **state)
{
	struct hook_stage *h = *state;
	void *inner = &h->st;

	dup2(h->stderr_fd, STDERR_FILENO);
	close(h->stderr_fd);
	close(h->said_fd);
	hooks_free(h->hooks);
	return desk_teardown(&inner);
}

static void episode_ends(const struct hook_stage *h, int id)
{
	struct json *j = json_object_new();

	json_set_number(j, "id", id);
	json_set_bool(j, "recovered", true);
	json_set_number(j, "victims", 2);
	json_set(j, "steps", json_array_new());
	hooks_add(h->hooks, j);
	json_unref(j);
}

/* What the desk's loop does: sleeps on the fd until the time that was asked for. */
static void turn(const struct hook_stage *h)
{
	struct pollfd p = { .fd = hooks_fd(h->hooks), .events = POLLIN };
	uint64_t now = monotonic_usec(), next = hooks_next_usec(h->hooks);
	uint64_t wait = min_u64(sub_or_zero_u64(next, now), 50 * USEC_PER_MSEC);

	poll(&p, 1, (int)(wait / 1000 + (wait > 0)));
	hooks_dispatch(h->hooks, monotonic_usec());
}

static void run_until_said(struct hook_stage *h, const char *what)
{
	uint64_t until = monotonic_usec() + PATIENCE_USEC;

	while (!has_said(&h->st, what)) {
		assert_true(monotonic_usec() < until);
		turn(h);
	}
}

_printf_(3, 4) static void use_hook(
	const struct hook_stage *h, unsigned timeout_msec, const char *format, ...)
{
	char body[512];
	va_list args;

	va_start(args, format);
	vsnprintf(body, sizeof(body), format, args);
	va_end(args);
	write_file(&h->st, "hook", "#!/bin/sh\ncd %s || exit 9\n%s\n", h->st.dir, body);
	hooks_configure(h->hooks, in_dir(&h->st, "hook"), timeout_msec * USEC_PER_MSEC);
}

static bool is_alive(struct hook_stage *h, const char *pid_file)
{
	pid_t pid = (pid_t)strtol(read_file(&h->st, pid_file), NULL, 10);

	assert_true(pid > 1);
	snprintf(h->st.text, sizeof(h->st.text), "/proc/%d/stat", (int)pid);
	int fd = open(h->st.text, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, h->st.text, sizeof(h->st.text) - 1);

	if (fd >= 0)
		close(fd);
	h->st.text[n > 0 ? n : 0] = '\0';
	/* A zombie is as dead as can be. */
	return n > 0 && !strstr(h->st.text, ") Z ");
}

static void the_status_and_the_duration_are_said(void **state)
{
	struct hook_stage *h = *state;

	use_hook(h, 5000, "exit 3");
	episode_ends(h, 7);
	run_until_said(h, "/hook for episode 7: exit status 3 after ");
	use_hook(h, 5000, "kill -USR1 $$");
	episode_ends(h, 8);
	run_until_said(h, "for episode 8: ended by SIGUSR1 after ");
	assert_int_equal(hooks_next_usec(h->hooks), USEC_NEVER);
}

static void one_runs_at_a_time_in_the_order_of_the_episodes(void **state)
{
	struct hook_stage *h = *state;

	use_hook(h, 5000,
		"mkdir busy || echo overlap >>order\necho $OOMFWD_EPISODE_ID >>order\n"
		"sleep 0.1\nrmdir busy");
	for (int i = 1; i <= 4; i++)
		episode_ends(h, i);
	run_until_said(h, "for episode 4: exit status 0");
	assert_string_equal(read_file(&h->st, "order"), "1\n2\n3\n4\n");
}

static void of_more_than_sixteen_the_oldest_fall_out(void **state)
{
	struct hook_stage *h = *state;

	use_hook(h, 5000, "echo $OOMFWD_EPISODE_ID >>order\n[ -e go ] || sleep 0.5");
	episode_ends(h, 1);
	turn(h); /* the first runs, and waits no more */
	for (int i = 2; i <= 19; i++)
		episode_ends(h, i);
	assert_true(has_said(&h->st, "the hook is not run for episode 2: "));
	assert_true(has_said(&h->st, "the hook is not run for episode 3: "));
	assert_false(has_said(&h->st, "the hook is not run for episode 4: "));
	write_file(&h->st, "go", "%s", "");
	run_until_said(h, "for episode 19: exit status 0");
	assert_string_equal(read_file(&h->st, "order"),
		"1\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n");
}

static void one_that_hangs_is_asked_and_then_killed_with_its_children(void **state)
{
	struct hook_stage *h = *state;
	uint64_t began = monotonic_usec();

	/* Both ignore SIGTERM; the child is in the same group. */
	use_hook(h, 300,
		"trap '' TERM\n(trap '' TERM; while :; do sleep 0.1; done) &\necho $! >child\n"
		"while :; do sleep 0.1; done");
	episode_ends(h, 1);
	run_until_said(h, "ended by SIGKILL after 2.3 s: it took longer than hook_timeout");
	assert_true(monotonic_usec() - began >= 2300 * USEC_PER_MSEC);
	wait_until(!is_alive(h, "child"));
}

static void one_that_ends_on_sigterm_is_not_killed(void **state)
{
	struct hook_stage *h = *state;

	use_hook(h, 300, "trap 'exit 5' TERM\nwhile :; do sleep 0.05; done");
	episode_ends(h, 1);
	run_until_said(h, "exit status 5 after ");
	assert_true(has_said(&h->st, "it took longer than hook_timeout allows"));
}

static void what_it_leaves_behind_is_killed(void **state)
{
	struct hook_stage *h = *state;

	use_hook(h, 5000, "sleep 100 &\necho $! >child");
	episode_ends(h, 1);
	run_until_said(h, "exit status 0 after ");
	wait_until(!is_alive(h, "child"));
}

static void one_that_cannot_be_run_does_not_hold_up_the_next(void **state)
{
	struct hook_stage *h = *state;

	hooks_configure(h->hooks, "/no/such/hook", USEC_PER_SEC);
	episode_ends(h, 1);
	episode_ends(h, 2);
	run_until_said(h, "cannot run the hook /no/such/hook for episode 2: No such file");
	use_hook(h, 5000, "exit 0");
	episode_ends(h, 3);
	run_until_said(h, "for episode 3: exit status 0");
}

static void none_starts_while_held_and_none_without_a_path(void **state)
{
	struct hook_stage *h = *state;

	use_hook(h, 5000, "echo $OOMFWD_EPISODE_ID >>order");
	hooks_hold(h->hooks, true);
	episode_ends(h, 1);
	for (int i = 0; i < 4; i++)
		turn(h);
	assert_string_equal(read_file(&h->st, "order"), "");
	assert_int_equal(hooks_next_usec(h->hooks), USEC_NEVER);
	hooks_hold(h->hooks, false);
	run_until_said(h, "for episode 1: exit status 0");
	hooks_configure(h->hooks, "", USEC_PER_SEC);
	episode_ends(h, 2);
	assert_int_equal(hooks_next_usec(h->hooks), USEC_NEVER);
}

/* The environment has no door to the desk's own service manager, nor anything forged. */
static void the_environment_is_cleaned(void **state)
{
	struct hook_stage *h = *state;

	setenv("NOTIFY_SOCKET", "/run/x", 1);
	setenv("WATCHDOG_USEC", "1", 1);
	setenv("OOMFWD_VICTIM_PID", "1", 1);
	setenv("KEPT", "yes", 1);
	use_hook(h, 5000, "env >env");
	episode_ends(h, 1);
	run_until_said(h, "for episode 1: exit status 0");
	read_file(&h->st, "env");
	assert_null(strstr(h->st.text, "NOTIFY_SOCKET"));
	assert_null(strstr(h->st.text, "WATCHDOG_USEC"));
	assert_null(strstr(h->st.text, "OOMFWD_VICTIM_PID"));
	assert_non_null(strstr(h->st.text, "KEPT=yes\n"));
	assert_non_null(strstr(h->st.text, "OOMFWD_VICTIMS=2\n"));
	unsetenv("OOMFWD_VICTIM_PID");
	unsetenv("WATCHDOG_USEC");
}

/* The kernel may choose a hook, whatever it is told about the desk. */
static void the_kernel_may_choose_it(void **state)
{
	struct hook_stage *h = *state;
	int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	char before[16] = "", after[16] = "";

	assert_true(fd >= 0 && pread(fd, before, sizeof(before) - 1, 0) > 0);
	if (pwrite(fd, "-900", 4, 0) < 0) {
		close(fd);
		print_message("# not to be tried here: it takes CAP_SYS_RESOURCE\n");
		skip();
	}
	use_hook(h, 5000, "cat /proc/self/oom_score_adj >adj");
	episode_ends(h, 1);
	run_until_said(h, "for episode 1: exit status 0");
	assert_true(pread(fd, after, sizeof(after) - 1, 0) > 0);
	assert_true(pwrite(fd, before, strlen(before), 0) > 0);
	close(fd);
	assert_string_equal(read_file(&h->st, "adj"), "0\n");
	assert_string_equal(after, "-900\n");
}

int main(void)
{
#define hook_test(f) cmocka_unit_test_setup_teardown(f, hook_setup, hook_teardown)
	const struct CMUnitTest tests[] = {
		hook_test(the_status_and_the_duration_are_said),
		hook_test(one_runs_at_a_time_in_the_order_of_the_episodes),
		hook_test(of_more_than_sixteen_the_oldest_fall_out),
		hook_test(one_that_hangs_is_asked_and_then_killed_with_its_children),
		hook_test(one_that_ends_on_sigterm_is_not_killed),
		hook_test(what_it_leaves_behind_is_killed),
		hook_test(one_that_cannot_be_run_does_not_hold_up_the_next),
		hook_test(none_starts_while_held_and_none_without_a_path),
		hook_test(the_environment_is_cleaned),
		hook_test(the_kernel_may_choose_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
