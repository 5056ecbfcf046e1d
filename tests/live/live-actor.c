/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actor's tables and a machine that fills with processes after the daemon has started.
 */
#include "actor.h"
#include "util.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

/* More would be a burden to the machine that this runs on. */
#define CROWD_MAX 1000
/* Others may leave meanwhile. */
#define SPARE 8

static struct config config;
static struct actor *actor;
static pid_t crowd[CROWD_MAX];
static uint32_t crowd_count;

static int setup(void **state)
{
	int wake_fd;

	config_init(&config);
	config.reader = READER_PROC;
	crowd_count = 0;
	return actor_new(&config, true, &actor, &wake_fd);
}

static int teardown(void **state)
{
	for (uint32_t i = 0; i < crowd_count; i++)
		kill(crowd[i], SIGKILL);
	for (uint32_t i = 0; i < crowd_count; i++)
		waitpid(crowd[i], NULL, 0);
	actor_free(actor);
	return 0;
}

static void add_process(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	crowd[crowd_count++] = pid;
}

static void where_there_is_room_nothing_grows_and_nobody_is_read(void **state)
{
	uint32_t capacity = actor->snapshot.capacity;
	uint64_t generation = actor->snapshot.generation;
	const struct sharedmm *groups = actor->sharedmm;

	assert_true(capacity >= 2 * actor->snapshot.count);
	actor_make_room(actor);
	assert_int_equal(actor->snapshot.capacity, capacity);
	assert_int_equal(actor->snapshot.generation, generation);
	assert_ptr_equal(actor->sharedmm, groups);
}

/* The unit starts early at boot, the services come later, and no episode was in between. */
static void those_who_come_after_the_start_find_room(void **state)
{
	uint32_t capacity = actor->snapshot.capacity, tasks = actor->snapshot.count;
	uint64_t generation = actor->snapshot.generation;

	if (capacity >= tasks + CROWD_MAX) {
		print_message("# not to be tried here: too many processes would be needed\n");
		skip();
	}
	while (tasks + crowd_count <= capacity)
		add_process();
	actor_make_room(actor);
	assert_true(actor->snapshot.capacity >= 2 * capacity);
	/* They were counted, not read. */
	assert_int_equal(actor->snapshot.generation, generation);
	assert_int_equal(snapshot_refresh(&actor->snapshot), 0);
	assert_int_equal(actor->snapshot.dropped, 0);
	for (uint32_t i = 0; i < crowd_count; i++)
		assert_non_null(snapshot_find(&actor->snapshot, crowd[i]));
	/* And that is enough: once more changes nothing. */
	capacity = actor->snapshot.capacity;
	actor_make_room(actor);
	assert_int_equal(actor->snapshot.capacity, capacity);
}

/* All that grew fits together: the choice is made over the new tables. */
static void the_choice_is_made_in_the_larger_tables(void **state)
{
	struct meminfo m = { .total_bytes = GIB, .available_bytes = GIB / 2 };
	struct victim_need need = {
		.bytes = GIB, .alone_bytes = GIB, .total_bytes = GIB, .explain = true
	};
	uint32_t capacity = actor->snapshot.capacity;

	assert_int_equal(actor_rehearse(actor, &m), 0);
	while (crowd_count < CROWD_MAX - SPARE &&
		3 * (actor->snapshot.count + crowd_count) / 2 <= capacity)
		add_process();
	if (crowd_count == CROWD_MAX - SPARE)
		skip();
	for (int i = 0; i < SPARE; i++)
		add_process();
	actor_make_room(actor);
	assert_true(actor->snapshot.capacity > capacity);
	assert_int_equal(actor->choice->candidate_count, 0);
	assert_int_equal(actor_look_around(actor, need, 0, NULL), 0);
	assert_true(actor->choice->candidate_count > 0);
	assert_true(actor->snapshot.count > crowd_count);
}

static void tasks_are_counted_without_a_pass(void **state)
{
	int counted = snapshot_count_tasks(&actor->snapshot);

	assert_true(counted > 0);
	/* Some may come and go between the two. */
	assert_int_equal(snapshot_refresh(&actor->snapshot), 0);
	assert_in_range(counted + 50, actor->snapshot.count, actor->snapshot.count + 100);
	assert_true(snapshot_tasks_at_most(&actor->snapshot) + 50 >= actor->snapshot.count);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_there_is_room_nothing_grows_and_nobody_is_read),
		TEST(those_who_come_after_the_start_find_room),
		TEST(the_choice_is_made_in_the_larger_tables),
		TEST(tasks_are_counted_without_a_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
