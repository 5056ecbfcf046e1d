/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a cgroup may die whole is asked of its processes as they are now, not as a pass saw them.
 */
#include "escalate.h"

#include "clock.h"
#include "kill-world.h"

#define AMPLE         (10 * USEC_PER_SEC)
#define PRECIOUS_MARK 9 /* of the program that is protected */

static int is_precious(void *ctx, const struct task *t)
{
	return t->oom_score_adj == -1000 || t->marks.start_code == PRECIOUS_MARK * 0x100000;
}

static int unread; /* so many times it cannot be told */

static int is_precious_or_unread(void *ctx, const struct task *t)
{
	return unread > 0 && unread-- > 0 ? -EAGAIN : is_precious(ctx, t);
}

static struct cgroup_mounts *mounts;
static struct probe *probe;
static struct escalation escalation;
static pid_t pids[PROBE_PIDS_MAX];

/* A cgroup of the processes 100 and 101, both known to a pass and neither of them protected then.
 */
static int setup(void **state)
{
	struct world *w;
	char path[128];

	world_setup(state);
	w = *state;
	snprintf(path, sizeof(path), "%s/v2", w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(
		cgroup_mounts_from_fds(open(path, O_PATH | O_CLOEXEC), -1, -1, &mounts), 0);
	strcat(path, "/pod");
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(w, "v2/pod/cgroup.procs", "100\n101\n");
	assert_int_equal(probe_open(w->proc_fd, mounts, "", &probe), 0);
	escalation =
		(struct escalation){ .probe = probe, .pids = pids, .is_protected = is_precious };
	born(w, 100, 1, 1000, 1);
	born(w, 101, 1, 1001, 2);
	pass(w);
	return 0;
}

static int teardown(void **state)
{
	probe_close(probe);
	cgroup_mounts_free(mounts);
	return world_teardown(state);
}

static int may_kill(struct world *w)
{
	return escalation_may_kill(&escalation, &w->s, "/pod", NULL, monotonic_usec() + AMPLE);
}

static void a_cgroup_of_ordinary_processes_may_die(void **state)
{
	assert_int_equal(may_kill(*state), 1);
}

static void who_has_execd_a_protected_program_since_saves_it(void **state)
{
	struct world *w = *state;

	by_pid(w, 101)->marks = PRECIOUS_MARK;
	show(w, by_pid(w, 101));
	assert_int_equal(may_kill(w), 0);
}

static void who_was_made_unkillable_since_saves_it(void **state)
{
	struct world *w = *state;

	by_pid(w, 101)->adj = -1000;
	show(w, by_pid(w, 101));
	assert_int_equal(may_kill(w), 0);
}

static void a_protected_process_that_was_given_the_pid_saves_it(void **state)
{
	struct world *w = *state;

	reaped(w, by_pid(w, 101));
	born(w, 101, 1, 5000, 3)->marks = PRECIOUS_MARK;
	show(w, by_pid(w, 101));
	assert_int_equal(may_kill(w), 0);
}

/* The other way round: it is not spared for what is true no more. */
static void who_is_protected_no_more_or_gone_does_not_save_it(void **state)
{
	struct world *w = *state;

	by_pid(w, 101)->adj = -1000;
	show(w, by_pid(w, 101));
	pass(w);
	assert_int_equal(may_kill(w), 0);
	by_pid(w, 101)->adj = 0;
	show(w, by_pid(w, 101));
	assert_int_equal(may_kill(w), 1);
	by_pid(w, 101)->adj = -1000;
	show(w, by_pid(w, 101));
	pass(w);
	reaped(w, by_pid(w, 101));
	assert_int_equal(may_kill(w), 1);
}

static void who_is_dying_anyway_does_not_save_it(void **state)
{
	struct world *w = *state;

	by_pid(w, 101)->marks = PRECIOUS_MARK;
	by_pid(w, 101)->pending = true;
	show(w, by_pid(w, 101));
	assert_int_equal(may_kill(w), 1);
}

static void what_cannot_be_told_for_a_moment_is_asked_again(void **state)
{
	escalation.is_protected = is_precious_or_unread;
	unread = 5;
	assert_int_equal(may_kill(*state), 1);
	assert_int_equal(unread, 0);
}

static void what_could_not_be_asked_in_time_is_forbidden(void **state)
{
	struct world *w = *state;

	assert_int_equal(
		escalation_may_kill(&escalation, &w->s, "/pod", NULL, monotonic_usec()), -EAGAIN);
	escalation.is_protected = is_precious_or_unread;
	unread = 1000000;
	assert_int_equal(escalation_may_kill(&escalation, &w->s, "/pod", 0,
				 monotonic_usec() + 20 * USEC_PER_MSEC),
		-EAGAIN);
	unread = 0;
	write_text(w, 101, "stat", "nonsense\n");
	assert_int_equal(may_kill(w), -EAGAIN);
}

/* A container's, which its runtime removes as soon as all are dead. */
static void a_cgroup_that_is_gone_has_nobody_to_kill(void **state)
{
	struct world *w = *state;

	assert_int_equal(escalation_may_kill(
				 &escalation, &w->s, "/pod/gone", NULL, monotonic_usec() + AMPLE),
		-ENOENT);
	assert_int_equal(escalation_kill(&escalation, "/pod/gone", 0), -ENOENT);
}

static int may_kill_which(struct world *w, uint64_t id, uint64_t youngest_ticks)
{
	const struct whole_instance which = { .id = id, .youngest_ticks = youngest_ticks };

	return escalation_may_kill(&escalation, &w->s, "/pod", &which, monotonic_usec() + AMPLE);
}

/* A service that was started anew meanwhile is not the one that was to die. */
static void another_cgroup_of_that_path_does_not_die(void **state)
{
	struct world *w = *state;
	uint64_t id = cgroup_id(mounts, "/pod");

	assert_true(id != 0);
	assert_int_equal(may_kill_which(w, id, 0), 1);
	assert_int_equal(may_kill_which(w, id + 1, 0), -ENOENT);
	assert_int_equal(escalation_kill(&escalation, "/pod", id + 1), -ENOENT);
}

static void where_the_directory_was_not_known_all_of_it_being_young_tells(void **state)
{
	struct world *w = *state;

	assert_int_equal(may_kill_which(w, 0, by_pid(w, 100)->start), 1);
	assert_int_equal(may_kill_which(w, 0, by_pid(w, 100)->start - 1), -ENOENT);
	/* The directory is the better witness. */
	assert_int_equal(may_kill_which(w, cgroup_id(mounts, "/pod"), 1), 1);
}

/* A FIFO in place of cgroup.kill holds who writes it, as a held cgroup_mutex does. */
static void a_kill_that_waits_for_a_lock_is_waited_for_by_the_ladder_alone(void **state)
{
	struct world *w = *state;
	struct escalation_result r;
	const struct config config = { .final = FINAL_NONE };
	uint64_t began = monotonic_usec();
	char path[128], text[8] = "";

	snprintf(path, sizeof(path), "%s/v2/pod/cgroup.kill", w->root);
	assert_int_equal(mkfifo(path, 0600), 0);
	escalation_take(&escalation, LADDER_CGROUP, &config, &w->s, "/pod", &r);
	assert_in_range(monotonic_usec() - began, 10 * USEC_PER_MSEC, 2 * USEC_PER_SEC);
	assert_true(r.acted); /* what may come yet is waited for before anything worse */
	assert_int_equal(r.error, -ETIMEDOUT);
	assert_string_equal(r.what, "/pod");
	/* While that one waits, another try does not (unless it had not the time to begin). */
	for (int i = 0; i < 100 && r.error == -ETIMEDOUT; i++)
		escalation_take(&escalation, LADDER_CGROUP, &config, &w->s, "/pod", &r);
	assert_false(r.acted);
	assert_int_equal(r.error, -EALREADY);

	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, text, sizeof(text)), 1);
	assert_string_equal(text, "1");
}

static void a_cgroup_that_dies_at_once_is_said(void **state)
{
	struct world *w = *state;
	struct escalation_result r;
	const struct config config = { .final = FINAL_NONE };
	char path[128];

	snprintf(path, sizeof(path), "%s/v2/pod/cgroup.kill", w->root);
	_cleanup_(fd_closep) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	escalation_take(&escalation, LADDER_CGROUP, &config, &w->s, "/pod", &r);
	assert_true(r.acted);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.processes, 2);
	assert_int_equal(lseek(fd, 0, SEEK_END), 1);
}

static void bomb_in_pod(void *ctx, const struct task *t, char *ret, size_t size)
{
	snprintf(ret, size, "%s", t->id.pid >= 100 ? "/pod" : "/old");
}

/* Twenty old ones are as large as each of the bomb, and before them in every order but of birth. */
static void a_fork_bomb_is_found_though_none_of_it_is_large(void **state)
{
	struct world *w = *state;
	struct escalation_result r;
	const struct config config = { .final = FINAL_NONE };
	char path[128], procs[256] = "";

	for (pid_t pid = 10; pid < 30; pid++) {
		born(w, pid, 1, 500, pid);
		snprintf(procs + strlen(procs), sizeof(procs) - strlen(procs), "%d\n", pid);
	}
	pass(w);
	escalation.cgroup_of = bomb_in_pod;
	snprintf(path, sizeof(path), "%s/v2/old", w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(w, "v2/old/cgroup.procs", procs);
	write_file(w, "v2/old/memory.current", "52428800\n");
	write_file(w, "v2/old/cgroup.kill", "");
	write_file(w, "v2/pod/memory.current", "314572800\n");
	write_file(w, "v2/pod/cgroup.kill", "");
	escalation_take(&escalation, LADDER_CGROUP, &config, &w->s, NULL, &r);
	assert_true(r.acted);
	assert_string_equal(r.what, "/pod");
	assert_int_equal(r.bytes, 300 * MIB);
	/* Protected, it leaves the other one. */
	by_pid(w, 101)->adj = -1000;
	show(w, by_pid(w, 101));
	escalation_take(&escalation, LADDER_CGROUP, &config, &w->s, NULL, &r);
	assert_true(r.acted);
	assert_string_equal(r.what, "/old");
	assert_int_equal(r.bytes, 50 * MIB);
}

/* They hold what they hold, whatever is done: the ladder goes on to who can be helped. */
static void a_cgroup_that_dies_already_is_not_killed_again(void **state)
{
	struct world *w = *state;
	struct escalation_result r;
	const struct config config = { .final = FINAL_NONE };
	char path[128];

	born(w, 10, 1, 500, 10);
	escalation.cgroup_of = bomb_in_pod;
	snprintf(path, sizeof(path), "%s/v2/old", w->root);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(w, "v2/old/cgroup.procs", "10\n");
	write_file(w, "v2/old/memory.current", "52428800\n");
	write_file(w, "v2/old/cgroup.kill", "");
	write_file(w, "v2/pod/memory.current", "314572800\n");
	write_file(w, "v2/pod/cgroup.kill", "");
	for (int i = 0; i < w->proc_count; i++) {
		w->procs[i].pending = w->procs[i].pid >= 100;
		show(w, &w->procs[i]);
	}
	pass(w);
	escalation_take(&escalation, LADDER_CGROUP, &config, &w->s, NULL, &r);
	assert_true(r.acted);
	assert_string_equal(r.what, "/old");
}

int main(void)
{
#define POD(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		POD(a_cgroup_of_ordinary_processes_may_die),
		POD(who_has_execd_a_protected_program_since_saves_it),
		POD(who_was_made_unkillable_since_saves_it),
		POD(a_protected_process_that_was_given_the_pid_saves_it),
		POD(who_is_protected_no_more_or_gone_does_not_save_it),
		POD(who_is_dying_anyway_does_not_save_it),
		POD(what_cannot_be_told_for_a_moment_is_asked_again),
		POD(what_could_not_be_asked_in_time_is_forbidden),
		POD(a_cgroup_that_is_gone_has_nobody_to_kill),
		POD(another_cgroup_of_that_path_does_not_die),
		POD(where_the_directory_was_not_known_all_of_it_being_young_tells),
		POD(a_kill_that_waits_for_a_lock_is_waited_for_by_the_ladder_alone),
		POD(a_cgroup_that_dies_at_once_is_said),
		POD(a_fork_bomb_is_found_though_none_of_it_is_large),
		POD(a_cgroup_that_dies_already_is_not_killed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
