/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `oomfwdctl status` says of a state, and the words it has for figures.
 */
#include "build-config.h"
#include "status.h"

#include "status-world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NOW AT(1000000)

struct world {
	struct status status;
	char *text;
	struct json *json;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	fill_busy_state(&w->status.state, NOW);
	w->status.pid = 812;
	w->status.now_usec = NOW;
	w->status.history_error = -ENOENT;
	w->status.pressure =
		(struct averages){ .some = { 1.5, 0.25, 0 }, .full = { 99.99, 50, 12 } };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	free(w->text);
	json_unref(w->json);
	json_unref(w->status.episodes);
	free(w);
	return 0;
}

static void print(struct world *w)
{
	size_t size;
	FILE *f = open_memstream(&w->text, &size);

	assert_non_null(f);
	status_print(f, &w->status);
	assert_int_equal(fclose(f), 0);
}

static void assert_said(struct world *w, const char *line)
{
	free(w->text);
	w->text = NULL;
	print(w);
	if (!strstr(w->text, line))
		fail_msg("\"%s\" is not in:\n%s", line, w->text);
}

static void assert_not_said(struct world *w, const char *line)
{
	free(w->text);
	w->text = NULL;
	print(w);
	if (strstr(w->text, line))
		fail_msg("\"%s\" is in:\n%s", line, w->text);
}

/* --- status --- */

static void a_daemon_in_trouble_says_all_of_it(void **state)
{
	struct world *w = *state;

	print(w);
	assert_string_equal(w->text,
		"oomfwd      " OOMFWD_VERSION
		", pid 812, for 1 day 2 h; last look 1 s ago, the next "
		"within 1 s\n"
		"Now         memory is short: kill level, by available memory, for 2.0 s\n"
		"Memory      600 MiB of 16 GiB available (3.6 %), 1.2 GiB of 2.0 GiB swap free (59 "
		"%)\n"
		"Warn level  reached (at 1.6 GiB available and 1.5 GiB of swap free)\n"
		"Kill level  memory is below it, 1000 MiB of swap above it (at 800 MiB available "
		"and 200 MiB of swap free, or full stalls for 60 % of 20 s)\n"
		"Pressure    some 1.50 % 0.25 % 0.00 %, full 99.99 % 50.00 % 12.00 % (in 10 s, 1 "
		"min, 5 min)\n"
		"Triggers    machine: NOT armed, it looks by timer alone (no PSI?)\n"
		"            [cgroup web] /system.slice/docker-*.scope: trigger armed, 3 cgroups, "
		"1 "
		"watched closely\n"
		"            [cgroup batch] /batch.slice/*: trigger NOT armed, 0 cgroups (nothing "
		"matches its path now)\n"
		"Hidden      2 mms that a kill did not free, of pid 812 (3 processes), 813\n"
		"            (oomfwdctl explain PID says who holds one)\n"
		"In flight   4242 (java\\x1B[2J) and 1 sharer holding 3.0 GiB\n"
		"Since start 3 episodes, 4 killed, 2 freed (3.0 GiB), 1 stuck, 5 pinned,\n"
		"            6 without a victim, 7 ladder steps, 8 kills by the kernel,\n"
		"            looked 4711 times; 9 events lost to the log\n"
		"Config      /etc/oomfwd.conf, 11 rules, read 1 h 0 min ago\n"
		"            THE FILE ON DISK WAS REFUSED at the last reload, the one before is in "
		"force: oomfwdctl check says what is wrong\n"
		"Means       sharing told by kcmp, cgroups: unified\n"
		"Episodes    none is recorded yet\n");
}

static void a_calm_daemon_has_no_trouble_to_tell(void **state)
{
	struct world *w = *state;

	fill_calm_state(&w->status.state, NOW);
	assert_said(w, "Warn level  10 GiB above it (at 1.6 GiB");
	assert_said(w, "machine: armed\n");
	assert_said(w, "no mm: nobody's kill has failed");
	assert_said(w, "In flight   nobody\n");
	assert_not_said(w, "\nNow ");
	assert_not_said(w, "REFUSED");
	assert_not_said(w, "DRY RUN");
	assert_not_said(w, "LATE");
}

static void a_dry_run_and_a_daemon_that_is_late_stand_out(void **state)
{
	struct world *w = *state;

	w->status.state.dry_run = true;
	assert_said(w, "DRY RUN: it only says whom it would kill");
	w->status.state.next_look_usec = NOW - AT(6);
	assert_said(w, "IT IS LATE");
	w->status.state.next_look_usec = NOW - AT(4);
	assert_not_said(w, "IT IS LATE");
	w->status.state.next_look_usec = USEC_NEVER;
	assert_not_said(w, "IT IS LATE");
}

static void more_than_the_page_holds_is_counted(void **state)
{
	struct world *w = *state;
	struct wire_state *s = &w->status.state;

	s->hidden_count = 200;
	s->flight_count = 100;
	for (int i = 0; i < WIRE_HIDDEN; i++)
		s->hidden[i] = (struct wire_victim){ .id = { 30000 + i, 1 }, .members = 1 };
	for (int i = 0; i < WIRE_FLIGHT; i++)
		s->flight[i] = s->flight[0];
	assert_said(w, "200 mms that a kill did not free, of pid 30000, 30001");
	assert_said(w, "and 136 more");
	assert_said(w, " more\nSince start");
	s->domain_count = 99; /* reads no further than the page goes */
	assert_said(w, "[cgroup web]");
}

static void without_psi_the_reason_is_given(void **state)
{
	struct world *w = *state;

	w->status.pressure_error = -ENOENT;
	assert_said(
		w, "Pressure    unknown: the kernel does not measure it (boot it with psi=1)\n");
	w->status.pressure_error = -EACCES;
	assert_said(w, "/proc/pressure/memory cannot be read: Permission denied\n");
}

static struct json *parsed(const char *text)
{
	struct json *j = NULL;

	assert_int_equal(json_parse(text, strlen(text), &j, NULL, NULL), 0);
	return j;
}

static void the_last_episodes_are_listed(void **state)
{
	struct world *w = *state;

	w->status.history_error = 0;
	w->status.episodes = parsed(
		"[{\"id\":7,\"began\":\"2026-11-23T12:34:56.789Z\",\"duration_usec\":1200000,"
		"\"recovered\":true,\"freed_bytes\":1073741824,\"available_before_bytes\":10,"
		"\"available_after_bytes\":50,\"total_bytes\":100,\"domain_path\":null,\"steps\":["
		"{\"event\":\"signalled\",\"pid\":5,\"comm\":\"hog\"},"
		"{\"event\":\"freed\",\"pid\":5,\"freed_bytes\":1073741824}]}]");
	assert_said(w,
		"\n     7  2026-11-23 12:34:56    1.2 s   1.0 GiB  10 % -> 50 %      machine  "
		"5 (hog) 1.0 GiB\n");
	w->status.history_error = -EACCES;
	assert_said(w, "cannot be read: Permission denied");
	w->status.history_error = -ENOENT;
	w->status.history_off = true;
	assert_said(w, "no history is kept (history = off in [desk])");
}

static void the_document_has_the_figures(void **state)
{
	struct world *w = *state;
	const struct json *j = w->json = status_json(&w->status);
	const struct json *headroom = json_get(j, "headroom"), *kill = json_get(headroom, "kill");

	assert_true(json_get_bool(j, "running"));
	assert_int_equal(json_get_number(j, "pid"), 812);
	assert_string_equal(json_get_text(j, "version"), OOMFWD_VERSION);
	assert_string_equal(json_get_text(j, "level"), "kill");
	assert_int_equal(json_get_number(kill, "memory_bytes"), -200 * (int64_t)MIB);
	assert_int_equal(json_get_number(kill, "swap_bytes"), 1000 * MIB);
	assert_true(json_get_real(json_get(json_get(j, "pressure"), "full"), "avg10") > 99);
	assert_int_equal(json_count(json_get(j, "domains")), 2);
	assert_int_equal(json_get_number(json_get(j, "counts"), "stuck"), 1);
	assert_true(json_get_bool(json_get(j, "config"), "reload_failed"));
	assert_int_equal(json_kind_of(json_get(j, "episodes")), JSON_LIST);
}

static void a_level_that_is_off_has_no_headroom(void **state)
{
	struct world *w = *state;
	const struct json *kill;

	w->status.state.kill_memory_bytes = w->status.state.kill_swap_bytes = 0;
	w->json = status_json(&w->status);
	kill = json_get(json_get(w->json, "headroom"), "kill");
	assert_int_equal(json_kind_of(json_get(kill, "memory_bytes")), JSON_NOTHING);
	assert_int_equal(json_kind_of(json_get(kill, "swap_bytes")), JSON_NOTHING);
}

static void what_could_not_be_read_is_null(void **state)
{
	struct world *w = *state;

	w->status.pressure_error = -EOPNOTSUPP;
	w->status.history_error = -EIO;
	w->json = status_json(&w->status);
	assert_int_equal(json_kind_of(json_get(w->json, "pressure")), JSON_NOTHING);
	assert_int_equal(json_kind_of(json_get(w->json, "episodes")), JSON_NOTHING);
}

/* --- figures --- */

static void assert_distance(
	const struct meminfo *m, const struct figures_level *l, const char *expected)
{
	char text[128] = "";

	figures_say_distance(&(struct text){ text, sizeof(text) }, m, l);
	assert_string_equal(text, expected);
}

static void the_distance_to_a_level_is_told(void **state)
{
	struct meminfo m = { .total_bytes = 16 * GIB,
		.available_bytes = 2 * GIB,
		.swap_total_bytes = GIB,
		.swap_free_bytes = 300 * MIB };
	struct figures_level l = { .memory_bytes = GIB, .swap_bytes = 100 * MIB };

	assert_distance(&m, &l, "1.0 GiB above it");
	m.available_bytes = GIB; /* at it is reached */
	assert_distance(&m, &l, "memory is below it, 200 MiB of swap above it");
	m.swap_free_bytes = 100 * MIB;
	assert_distance(&m, &l, "reached");
	/* swap = off: memory decides alone; so it does where there is no swap. */
	m.swap_free_bytes = 300 * MIB;
	l.swap_bytes = 0;
	assert_distance(&m, &l, "reached");
	l.swap_bytes = 100 * MIB;
	m.swap_total_bytes = m.swap_free_bytes = 0;
	assert_distance(&m, &l, "reached");
	l.memory_bytes = 0;
	assert_distance(&m, &l, "off");
	l.pressure.set = true;
	assert_distance(&m, &l, "pressure alone decides");
}

static void pressure_is_parsed(void **state)
{
	struct averages a;

	assert_int_equal(averages_parse("some avg10=1.50 avg60=2.00 avg300=0.07 total=12\n"
					"full avg10=0.00 avg60=100.00 avg300=3.00 total=4\n",
				 &a),
		0);
	assert_true(a.some[0] == 1.5 && a.some[2] == 0.07 && a.full[1] == 100);
	assert_int_equal(averages_parse("", &a), -EINVAL);
	assert_int_equal(averages_parse("some avg10=1.50 avg60=2.00\n", &a), -EINVAL);
	assert_int_equal(averages_parse("some avg10=1 avg60=2 avg300=3 total=4\n", &a), -EINVAL);
	assert_int_equal(averages_parse("some avg10=nan avg60=2 avg300=3 total=4\n"
					"full avg10=1 avg60=-2 avg300=3 total=4\n",
				 &a),
		-EINVAL);
}

static void ages_are_rounded_to_what_matters(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = { { 0, "0 s" }, { 59, "59 s" }, { 60, "1 min" }, { 3599, "59 min" },
		{ 3600, "1 h 0 min" }, { 86399, "23 h 59 min" }, { 86400, "1 day 0 h" },
		{ 3 * 86400 + 7200, "3 days 2 h" } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		say_span(&(struct text){ text, sizeof(text) }, AT(cases[i].seconds));
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_daemon_in_trouble_says_all_of_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_calm_daemon_has_no_trouble_to_tell, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_dry_run_and_a_daemon_that_is_late_stand_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			more_than_the_page_holds_is_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_psi_the_reason_is_given, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_episodes_are_listed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_document_has_the_figures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_level_that_is_off_has_no_headroom, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_could_not_be_read_is_null, set_up, tear_down),
		cmocka_unit_test(the_distance_to_a_level_is_told),
		cmocka_unit_test(pressure_is_parsed),
		cmocka_unit_test(ages_are_rounded_to_what_matters),
	};

	/* The local time of the episodes. */
	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
