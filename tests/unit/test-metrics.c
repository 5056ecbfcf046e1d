/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics, read by a reader that is strict. "test-metrics print" prints some instead, for
 * test-prometheus.py.
 */
#include "desk-world.h"
#include "metrics-text.h"
#include "metrics.h"

#include "build-config.h"
#include "clock.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static struct wire_state sample_state(void)
{
	uint64_t now = monotonic_usec();
	struct wire_state s = { .at_usec = now,
		.started_usec = now - 2 * USEC_PER_SEC,
		.configured_usec = now - USEC_PER_SEC,
		.next_look_usec = now + 10 * USEC_PER_SEC,
		.trigger_armed = true,
		.mem = { .total_bytes = 16 * GIB,
			.available_bytes = 5 * GIB,
			.swap_total_bytes = 2 * GIB,
			.swap_free_bytes = GIB },
		.warn_memory_bytes = 1600 * MIB,
		.kill_memory_bytes = 800 * MIB,
		.looks = 11,
		.counts = { .episodes = 12,
			.kills = 13,
			.freed = 14,
			.stuck = 15,
			.pinned = 16,
			.no_victim = 17,
			.steps = 18,
			.kernel_kills = 19,
			.freed_bytes = 20 * GIB,
			.lost = 21 },
		.hidden_count = 100, /* more than the page holds */
		.flight_count = 3,
		.domain_count = 2,
		.domains = { { .name = "docker", .matched = 40, .troubled = 1 },
			{ .name = "pods", .trigger_armed = true } } };

	return s;
}

static char *text_of(const struct metrics *m, const struct wire_state *state)
{
	size_t length;
	char *text;
	FILE *f = open_memstream(&text, &length);

	assert_int_equal(metrics_write(m, state, f), 0);
	fclose(f);
	return text;
}

static struct metrics_text *read_back(const struct metrics *m, const struct wire_state *state)
{
	char *text = text_of(m, state);
	struct metrics_text *t = malloc(sizeof(*t));

	assert_non_null(t);
	read_metrics(text, t);
	free(text);
	return t;
}

static void assert_value(const struct metrics_text *t, const char *name, double expected)
{
	if (fabs(value_of(t, name) - expected) > 1e-9)
		fail_msg("%s is %f, not %f", name, value_of(t, name), expected);
}

static void every_figure_of_the_page_is_there(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct metrics_text *t = read_back(&m, &s);

	assert_value(t, "oomfwd_up", 1);
	assert_value(t, "oomfwd_build_info{version=\"" OOMFWD_VERSION "\"}", 1);
	assert_value(t, "oomfwd_looks_total", 11);
	assert_value(t, "oomfwd_episodes_total", 12);
	assert_value(t, "oomfwd_kills_total", 13);
	assert_value(t, "oomfwd_freed_groups_total", 14);
	assert_value(t, "oomfwd_stuck_total", 15);
	assert_value(t, "oomfwd_pinned_total", 16);
	assert_value(t, "oomfwd_no_victim_total", 17);
	assert_value(t, "oomfwd_ladder_steps_total", 18);
	assert_value(t, "oomfwd_kernel_oom_kills_total", 19);
	assert_value(t, "oomfwd_freed_bytes_total", (double)(20 * GIB));
	assert_value(t, "oomfwd_events_lost_total", 21);
	assert_value(t, "oomfwd_pinned_mms", 100);
	assert_value(t, "oomfwd_victims_in_flight", 3);
	assert_value(t, "oomfwd_in_episode", 0);
	assert_value(t, "oomfwd_dry_run", 0);
	assert_value(t, "oomfwd_pressure_trigger_armed", 1);
	assert_value(t, "oomfwd_config_reload_failed", 0);
	assert_value(t, "oomfwd_memory_available_bytes", (double)(5 * GIB));
	assert_value(t, "oomfwd_memory_total_bytes", (double)(16 * GIB));
	assert_value(t, "oomfwd_swap_free_bytes", (double)GIB);
	assert_value(t, "oomfwd_swap_total_bytes", (double)(2 * GIB));
	assert_value(t, "oomfwd_domain_cgroups{section=\"docker\"}", 40);
	assert_value(t, "oomfwd_domain_troubled{section=\"docker\"}", 1);
	assert_value(t, "oomfwd_domain_trigger_armed{section=\"docker\"}", 0);
	assert_value(t, "oomfwd_domain_trigger_armed{section=\"pods\"}", 1);
	free(t);
}

static void flags_are_one_when_they_hold(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct metrics_text *t;

	s.in_episode = s.dry_run = s.reload_failed = true;
	s.trigger_armed = false;
	t = read_back(&m, &s);
	assert_value(t, "oomfwd_in_episode", 1);
	assert_value(t, "oomfwd_dry_run", 1);
	assert_value(t, "oomfwd_config_reload_failed", 1);
	assert_value(t, "oomfwd_pressure_trigger_armed", 0);
	free(t);
}

static void a_level_that_is_off_is_left_out(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct metrics_text *t = read_back(&m, &s);

	assert_value(
		t, "oomfwd_level_bytes{level=\"warn\",resource=\"memory\"}", (double)(1600 * MIB));
	assert_value(
		t, "oomfwd_level_bytes{level=\"kill\",resource=\"memory\"}", (double)(800 * MIB));
	assert_null(find_series(t, "oomfwd_level_bytes{level=\"kill\",resource=\"swap\"}"));
	free(t);
}

/* Counters end in _total and nothing else does: rate() is right for those alone. */
static void names_follow_their_types(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct metrics_text *t = read_back(&m, &s);

	for (uint32_t i = 0; i < t->family_count; i++) {
		const char *name = t->family[i].name, *end = name + strlen(name) - 6;
		bool counter = strcmp(t->family[i].type, "counter") == 0;

		assert_memory_equal(name, "oomfwd_", 7);
		if ((strcmp(end, "_total") == 0) != counter)
			fail_msg("%s is a %s", name, t->family[i].type);
	}
	assert_string_equal(type_of(t, "oomfwd_episode_seconds"), "histogram");
	free(t);
}

static void without_the_daemon_the_desk_tells_what_it_knows(void **state)
{
	struct episode *e = made_episode(1, 3);
	struct metrics m = { 0 };
	struct metrics_text *t;

	metrics_take(&m, e);
	t = read_back(&m, NULL);
	assert_value(t, "oomfwd_up", 0);
	assert_value(t, "oomfwd_episode_seconds_count", 1);
	assert_value(t, "oomfwd_signal_seconds_count", 3);
	assert_int_equal(t->family_count, 4); /* and the version */
	free(t);
	free(e);
}

static void times_are_of_the_wall_clock(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct metrics_text *t = read_back(&m, &s);
	double now = (double)time(NULL);

	assert_true(fabs(value_of(t, "oomfwd_process_start_time_seconds") - (now - 2)) < 30);
	assert_true(fabs(value_of(t, "oomfwd_next_look_timestamp_seconds") - (now + 10)) < 30);
	assert_true(fabs(value_of(t, "oomfwd_process_start_time_seconds") + 1 -
			    value_of(t, "oomfwd_config_loaded_timestamp_seconds")) < 0.2);
	free(t);
	/* Not yet, or never. */
	s.at_usec = 0;
	s.next_look_usec = USEC_NEVER;
	t = read_back(&m, &s);
	assert_null(find_series(t, "oomfwd_last_look_timestamp_seconds"));
	assert_null(find_series(t, "oomfwd_next_look_timestamp_seconds"));
	free(t);
}

static void labels_are_escaped(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct metrics_text *t;

	strcpy(s.domains[0].name, "say \"hi\"\n{x=\"1\"} \\ \xff");
	strcpy(s.domains[1].name, "größe");
	t = read_back(&m, &s);
	assert_value(t,
		"oomfwd_domain_cgroups{section=\"say \\\"hi\\\"\\\\x0A{x=\\\"1\\\"} \\\\x5C "
		"\\\\xFF\"}",
		40);
	assert_value(t, "oomfwd_domain_cgroups{section=\"größe\"}", 0);
	free(t);
}

/* A page that says more than it holds is not read past its end. */
static void more_domains_than_fit_are_cut(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct metrics_text *t;

	for (int i = 0; i < WIRE_DOMAINS; i++)
		snprintf(s.domains[i].name, sizeof(s.domains[i].name), "d%d", i);
	s.domain_count = WIRE_DOMAINS + 5;
	t = read_back(&m, &s);
	assert_value(t, "oomfwd_domain_cgroups{section=\"d15\"}", 0);
	free(t);
	s.domain_count = 0;
	t = read_back(&m, &s);
	assert_string_equal(type_of(t, "oomfwd_domain_cgroups"), "");
	free(t);
}

static void take_one_that_lasted(struct metrics *m, uint64_t usec)
{
	struct episode *e = made_episode(1, 0);

	e->ended_usec = e->began_usec + usec;
	metrics_take(m, e);
	free(e);
}

static void episodes_fall_into_buckets(void **state)
{
	struct metrics m = { 0 };
	struct metrics_text *t;

	take_one_that_lasted(&m, 0);
	take_one_that_lasted(&m, 100 * USEC_PER_MSEC); /* a bound is in its bucket */
	take_one_that_lasted(&m, 100 * USEC_PER_MSEC + 1);
	take_one_that_lasted(&m, 600 * USEC_PER_SEC);
	take_one_that_lasted(&m, 601 * USEC_PER_SEC);
	t = read_back(&m, NULL);
	assert_value(t, "oomfwd_episode_seconds_bucket{le=\"0.1\"}", 2);
	assert_value(t, "oomfwd_episode_seconds_bucket{le=\"0.25\"}", 3);
	assert_value(t, "oomfwd_episode_seconds_bucket{le=\"300\"}", 3);
	assert_value(t, "oomfwd_episode_seconds_bucket{le=\"600\"}", 4);
	assert_value(t, "oomfwd_episode_seconds_bucket{le=\"+Inf\"}", 5);
	assert_value(t, "oomfwd_episode_seconds_count", 5);
	assert_value(t, "oomfwd_episode_seconds_sum", 1201.200001);
	free(t);
}

static void signals_count_by_how_long_they_took(void **state)
{
	struct episode *e = made_episode(1, 2);
	struct metrics m = { 0 };
	struct metrics_text *t;

	e->steps[2].event.detect_usec = 6 * USEC_PER_SEC;
	metrics_take(&m, e);
	e->steps[1].event.dry_run = e->steps[2].event.dry_run = true;
	metrics_take(&m, e); /* no signal was sent */
	t = read_back(&m, NULL);
	assert_value(t, "oomfwd_signal_seconds_bucket{le=\"0.005\"}", 0);
	assert_value(t, "oomfwd_signal_seconds_bucket{le=\"0.01\"}", 1);
	assert_value(t, "oomfwd_signal_seconds_bucket{le=\"5\"}", 1);
	assert_value(t, "oomfwd_signal_seconds_bucket{le=\"+Inf\"}", 2);
	assert_value(t, "oomfwd_signal_seconds_sum", 6.01);
	assert_value(t, "oomfwd_episode_seconds_count", 2);
	free(t);
	free(e);
}

static void a_stream_that_is_full_is_an_error(void **state)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	FILE *f = fopen("/dev/full", "we");

	assert_non_null(f);
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(metrics_write(&m, &s, f), -EIO);
	fclose(f);
}

/* --- the file --- */

struct world {
	char dir[64], path[96], tmp[104];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	snprintf(w->dir, sizeof(w->dir), "/tmp/test-metrics-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/oomfwd.prom", w->dir);
	snprintf(w->tmp, sizeof(w->tmp), "%s.tmp", w->path);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	unlink(w->path);
	unlink(w->tmp);
	rmdir(w->dir);
	free(w);
	return 0;
}

static double up_in(int fd)
{
	struct metrics_text *t = malloc(sizeof(*t));
	char text[16384] = "";
	double up;

	assert_non_null(t);
	assert_in_range(pread(fd, text, sizeof(text) - 1, 0), 1, sizeof(text) - 2);
	read_metrics(text, t);
	up = value_of(t, "oomfwd_up");
	free(t);
	return up;
}

static void the_file_is_replaced_at_once(void **state)
{
	const struct world *w = *state;
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	mode_t before = umask(077);
	struct stat st;
	int old, new;

	assert_int_equal(metrics_write_file(&m, &s, w->path), 0);
	old = open(w->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(old, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(metrics_write_file(&m, NULL, w->path), 0);
	umask(before);
	new = open(w->path, O_RDONLY | O_CLOEXEC);
	assert_true(up_in(old) == 1); /* who reads it has all of one */
	assert_true(up_in(new) == 0);
	assert_int_equal(access(w->tmp, F_OK), -1);
	close(old);
	close(new);
}

static void what_a_crash_left_is_written_over(void **state)
{
	const struct world *w = *state;
	struct metrics m = { 0 };
	int fd = open(w->tmp, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "# HELP", 6), 6);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	assert_int_equal(metrics_write_file(&m, NULL, w->path), 0);
	fd = open(w->path, O_RDONLY | O_CLOEXEC);
	assert_true(up_in(fd) == 0);
	close(fd);
}

static void what_cannot_be_written_leaves_the_old_file(void **state)
{
	const struct world *w = *state;
	struct wire_state s = sample_state();
	struct metrics m = { 0 };
	struct rlimit before, small;
	int fd;

	assert_int_equal(metrics_write_file(&m, &s, w->path), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(metrics_write_file(&m, NULL, w->path), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	fd = open(w->path, O_RDONLY | O_CLOEXEC);
	assert_true(up_in(fd) == 1);
	close(fd);
	assert_int_equal(access(w->tmp, F_OK), -1);
	/* Nor does anybody follow a link out of the directory. */
	assert_int_equal(symlink("/tmp/test-metrics-nowhere", w->tmp), 0);
	assert_int_equal(metrics_write_file(&m, NULL, w->path), -ELOOP);
	assert_int_equal(metrics_write_file(&m, NULL, "/nowhere/oomfwd.prom"), -ENOENT);
}

static int print_sample(void)
{
	struct wire_state s = sample_state();
	struct metrics m = { 0 };

	s.warn_swap_bytes = s.kill_swap_bytes = GIB;
	take_one_that_lasted(&m, USEC_PER_SEC);
	return metrics_write(&m, &s, stdout) < 0;
}

int main(int argc, char **argv)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_figure_of_the_page_is_there),
		cmocka_unit_test(flags_are_one_when_they_hold),
		cmocka_unit_test(a_level_that_is_off_is_left_out),
		cmocka_unit_test(names_follow_their_types),
		cmocka_unit_test(without_the_daemon_the_desk_tells_what_it_knows),
		cmocka_unit_test(times_are_of_the_wall_clock),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(more_domains_than_fit_are_cut),
		cmocka_unit_test(episodes_fall_into_buckets),
		cmocka_unit_test(signals_count_by_how_long_they_took),
		cmocka_unit_test(a_stream_that_is_full_is_an_error),
		TEST(the_file_is_replaced_at_once),
		TEST(what_a_crash_left_is_written_over),
		TEST(what_cannot_be_written_leaves_the_old_file),
	};

	if (argc > 1 && strcmp(argv[1], "print") == 0)
		return print_sample();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
