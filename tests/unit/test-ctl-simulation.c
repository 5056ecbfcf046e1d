/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shortages on recorded machines of 16 GiB. With the built-in levels (10%, 5%) the kill level is at
 * 819 MiB, and from there 1 GiB is needed.
 */
#include "record.h"
#include "simulation.h"

#include <string.h>
/* cmocka wants these before itself: */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct scene {
	struct record *record;
	struct config *config;
	struct simulation *sim;
};

static const char *fixture(const char *name, const char *suffix)
{
	static char path[2][512];
	static int next;

	next = !next;
	snprintf(path[next], sizeof(path[next]), "%s/snapshot/%s%s", getenv("OOMFWD_FIXTURES"),
		name, suffix);
	return path[next];
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct scene));
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	simulation_free(s->sim);
	record_free(s->record);
	config_free(s->config);
	free(s);
	return 0;
}

/* conf NULL: no rules. available NULL: the kill level. */
static void begin(
	struct scene *s, const char *name, const char *conf, const char *available, uint32_t limit)
{
	char why[RECORD_WHY_SIZE];
	struct config_amount amount;
	struct victim_fns fns;
	struct meminfo at;

	if (record_read(fixture(name, ".json"), &s->record, why) < 0)
		fail_msg("%s: %s", name, why);
	if (conf) {
		assert_int_equal(config_load(fixture(conf, ".conf"), stderr, &s->config), 0);
	} else {
		s->config = calloc(1, sizeof(*s->config));
		config_init(s->config);
	}
	if (available)
		assert_int_equal(config_parse_amount(available, &amount), 0);
	at = simulation_start(s->config, &s->record->mem, available ? &amount : NULL);
	fns = record_fns(s->record);
	assert_int_equal(simulation_new(s->config, &s->record->snapshot, &at, &fns, s->record->self,
				 limit, &s->sim),
		0);
}

/* The next round takes exactly these, of whom each is named by the task it was ranked by. */
static void assert_round(struct scene *s, uint32_t count, const char *comm)
{
	assert_true(simulation_choose(s->sim));
	assert_int_equal(s->sim->choice->count, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct candidate *c = &s->sim->choice->candidates[s->sim->choice->chosen[i]];

		assert_string_equal(s->sim->snapshot.tasks[c->task].comm, comm);
	}
}

static void assert_ends(struct scene *s, enum simulation_end end)
{
	assert_false(simulation_choose(s->sim));
	assert_int_equal(s->sim->end, end);
	/* It stays so. */
	assert_false(simulation_choose(s->sim));
	assert_int_equal(s->sim->end, end);
}

static const struct candidate *verdict_on(struct scene *s, pid_t pid)
{
	const struct choice *c = s->sim->choice;

	for (uint32_t i = 0; i < c->candidate_count; i++) {
		const struct mm_group *g = &c->candidates[i].group;

		for (uint32_t k = 0; k < g->count; k++) {
			uint32_t task = sharedmm_members(s->sim->sharedmm, g)[k];

			if (s->sim->snapshot.tasks[task].id.pid == pid)
				return &c->candidates[i];
		}
	}
	fail_msg("%d is not among the candidates", pid);
	return NULL;
}

static void test_whom_pid_1_shares_with_is_left_alone_and_the_next_dies(void **state)
{
	struct scene *s = *state;
	const struct candidate *hog;

	begin(s, "pinned-by-init", NULL, NULL, 0);
	assert_round(s, 1, "builder");
	hog = verdict_on(s, 500);
	assert_int_equal(hog->reason, REASON_PINNED);
	assert_int_equal(hog->group.pin, MM_PIN_INIT);
	assert_int_equal(s->sim->snapshot.tasks[hog->group.pinned_by].id.pid, 1);
	assert_int_equal(hog->group.count, 2);
	simulation_kill(s->sim);
	assert_ends(s, SIMULATION_OVER);
	assert_int_equal(s->sim->victims, 1);
}

static void test_a_protected_database_is_spared(void **state)
{
	struct scene *s = *state;

	begin(s, "protected", "protect", NULL, 0);
	assert_round(s, 1, "batch");
	assert_int_equal(verdict_on(s, 400)->reason, REASON_PROTECTED);
	assert_string_equal(verdict_on(s, 400)->rule->name, "database");
	simulation_kill(s->sim);
	assert_ends(s, SIMULATION_OVER);
}

static void test_without_the_rule_it_dies(void **state)
{
	struct scene *s = *state;

	begin(s, "protected", NULL, NULL, 0);
	assert_round(s, 1, "postgres");
}

static void test_two_that_share_an_mm_die_together_and_count_once(void **state)
{
	struct scene *s = *state;

	begin(s, "shared-by-two", NULL, "1%", 0);
	/* 1843 - 164 MiB are needed: one mm of 1200 MiB is not enough, two are. */
	assert_round(s, 2, "java");
	assert_int_equal(verdict_on(s, 300)->group.count, 2);
	assert_int_equal(verdict_on(s, 302)->group.count, 1);
	assert_int_equal(s->sim->choice->yield_bytes, 2400 * MIB);
	simulation_kill(s->sim);
	/* pid 1, kthreadd and the other are left: the pair and the fork have gone. */
	assert_int_equal(s->sim->snapshot.count, 3);
	assert_int_equal(s->sim->victims, 2);
	assert_ends(s, SIMULATION_OVER);
}

static void test_of_ten_equals_no_more_die_than_are_needed(void **state)
{
	struct scene *s = *state;

	begin(s, "ten-equals", NULL, NULL, 0);
	assert_round(s, 4, "worker"); /* 4 * 300 MiB >= 1 GiB > 3 * 300 MiB */
	simulation_kill(s->sim);
	assert_ends(s, SIMULATION_OVER);
	assert_int_equal(s->sim->victims, 4);
	assert_int_equal(s->sim->snapshot.count, 8);
}

static void test_a_limit_ends_it_early(void **state)
{
	struct scene *s = *state;

	begin(s, "ten-equals", NULL, NULL, 2);
	assert_round(s, 2, "worker");
	simulation_kill(s->sim);
	assert_ends(s, SIMULATION_LIMIT);
	assert_int_equal(s->sim->victims, 2);
}

static void test_with_plenty_nobody_dies(void **state)
{
	struct scene *s = *state;

	begin(s, "ten-equals", NULL, "50%", 0);
	assert_ends(s, SIMULATION_OVER);
	assert_int_equal(s->sim->victims, 0);
	assert_int_equal(s->sim->level, LEVEL_OK);
}

static void test_between_the_levels_it_is_a_warning(void **state)
{
	struct scene *s = *state;

	begin(s, "ten-equals", NULL, "8%", 0);
	assert_round(s, 2, "worker"); /* (11.25% - 8%) of 16 GiB: 532 MiB */
	assert_int_equal(s->sim->level, LEVEL_WARN);
}

static void test_what_was_swapped_out_makes_swap_free(void **state)
{
	struct scene *s = *state;

	begin(s, "swapped", NULL, NULL, 0);
	assert_true(s->sim->mem.swap_free_bytes <= 4096 * MIB / 20);
	uint64_t available_bytes = s->sim->mem.available_bytes;
	uint64_t swap_free_bytes = s->sim->mem.swap_free_bytes;
	assert_round(s, 1, "sleeper");
	simulation_kill(s->sim);
	assert_int_equal(s->sim->mem.available_bytes, available_bytes + 100 * MIB);
	assert_int_equal(s->sim->mem.swap_free_bytes, swap_free_bytes + 3000 * MIB);
	assert_ends(s, SIMULATION_OVER);
}

static void test_the_avoided_die_only_when_the_ladder_says_so(void **state)
{
	struct scene *s = *state;

	begin(s, "protected", "avoid", NULL, 0);
	assert_round(s, 1, "postgres");
	assert_true(s->sim->avoided_eligible);
	simulation_kill(s->sim);
	assert_ends(s, SIMULATION_OVER);
}

static void test_at_the_warn_level_the_ladder_waits(void **state)
{
	struct scene *s = *state;

	begin(s, "protected", "avoid", "8%", 0);
	assert_ends(s, SIMULATION_NOBODY);
	assert_int_equal(s->sim->choice->result, VICTIM_NONE);
	assert_int_equal(verdict_on(s, 400)->reason, REASON_AVOIDED);
	assert_int_equal(verdict_on(s, 401)->reason, REASON_AVOIDED);
	assert_false(s->sim->avoided_eligible);
}

static void test_shared_memory_comes_back_as_a_share_of_the_first_then_more(void **state)
{
	struct scene *s = *state;

	begin(s, "shared-memory", NULL, NULL, 0);
	assert_round(s, 1, "oracle");
	assert_int_equal(s->sim->choice->result, VICTIM_PARTIAL);
	assert_int_equal(s->sim->choice->yield_bytes, 2050 * MIB);
	simulation_kill(s->sim);
	assert_ends(s, SIMULATION_OVER);
}

static void test_without_command_lines_whoever_may_be_protected_is(void **state)
{
	struct scene *s = *state;

	begin(s, "protected", "cmdline", NULL, 0);
	assert_ends(s, SIMULATION_NOBODY);
	assert_int_equal(verdict_on(s, 401)->reason, REASON_PROTECTED);
	assert_string_equal(verdict_on(s, 401)->rule->name, "tagged");
}

static void test_the_machine_recorded_is_not_changed(void **state)
{
	struct scene *s = *state;

	begin(s, "ten-equals", NULL, NULL, 0);
	while (simulation_choose(s->sim))
		simulation_kill(s->sim);
	assert_int_equal(s->record->snapshot.count, 12);
	for (uint32_t i = 0; i < 12; i++)
		assert_true(s->record->snapshot.tasks[i].id.pid > 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whom_pid_1_shares_with_is_left_alone_and_the_next_dies),
		TEST(test_a_protected_database_is_spared),
		TEST(test_without_the_rule_it_dies),
		TEST(test_two_that_share_an_mm_die_together_and_count_once),
		TEST(test_of_ten_equals_no_more_die_than_are_needed),
		TEST(test_a_limit_ends_it_early),
		TEST(test_with_plenty_nobody_dies),
		TEST(test_between_the_levels_it_is_a_warning),
		TEST(test_what_was_swapped_out_makes_swap_free),
		TEST(test_the_avoided_die_only_when_the_ladder_says_so),
		TEST(test_at_the_warn_level_the_ladder_waits),
		TEST(test_shared_memory_comes_back_as_a_share_of_the_first_then_more),
		TEST(test_without_command_lines_whoever_may_be_protected_is),
		TEST(test_the_machine_recorded_is_not_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
