/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomfwd-desk beside a daemon that is played: what it serves, keeps and survives.
 */
#include "desk-stage.h"

static void with_daemon(struct desk_stage *st, const char *more)
{
	daemon_appears(st);
	desk_starts(st, more);
	daemon_says_hello(st, NULL);
	wait_until(is_running(st));
}

static void state_and_metrics_are_served(void **state)
{
	struct desk_stage *st = *state;
	_cleanup_(json_unrefp) struct json *j = NULL;
	const char *answer;

	with_daemon(st, "bus = no\n");
	answer = http_ask(st, "GET /metrics HTTP/1.0\r\n\r\n");
	assert_ptr_equal(strstr(answer, "HTTP/1.0 200 OK\r\n"), answer);
	assert_non_null(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4\r\n"));
	assert_non_null(strstr(answer, "\noomfwd_up 1\n"));
	assert_non_null(strstr(answer, "\noomfwd_kills_total 41\n"));
	j = http_json(st, "/status");
	assert_int_equal(json_get_number(j, "pid"), 4711);
	assert_string_equal(json_get_text(j, "version"), OOMFWD_VERSION);
	assert_string_equal(json_get_text(j, "level"), "ok");
	assert_int_equal(json_get_number(json_get(j, "memory"), "available_bytes"), 3 * GIB);
	assert_int_equal(json_get_number(json_get(j, "kill"), "memory_bytes"), 800 * MIB);
	assert_int_equal(json_get_number(j, "hidden_count"), 2);
	assert_int_equal(episode_count(st), 0);
}

static void the_socket_is_for_the_group_and_goes_with_the_desk(void **state)
{
	struct desk_stage *st = *state;
	struct stat s;

	with_daemon(st, "bus = no\n");
	assert_int_equal(stat(in_dir(st, "http"), &s), 0);
	assert_int_equal(s.st_mode & 07777, 0660);
	assert_int_equal(desk_is_ended(st), 0);
	assert_int_equal(stat(in_dir(st, "http"), &s), -1);
}

static void what_is_no_request_gets_its_status(void **state)
{
	static char large[6000];
	struct desk_stage *st = *state;

	with_daemon(st, "bus = no\n");
	assert_non_null(strstr(http_ask(st, "GET / HTTP/1.1\r\n\r\n"), " 404 Not Found\r\n"));
	assert_non_null(strstr(http_ask(st, "POST /metrics HTTP/1.1\r\n\r\n"), " 405 "));
	assert_non_null(strstr(st->text, "\r\nAllow: GET\r\n"));
	assert_non_null(strstr(http_ask(st, "hello\r\n\r\n"), " 400 "));
	snprintf(large, sizeof(large), "GET /metrics HTTP/1.1\r\nX: %04990d", 1);
	assert_non_null(strstr(http_ask(st, large), " 431 "));
	assert_true(is_running(st));
}

static void who_says_nothing_costs_five_seconds_of_a_place(void **state)
{
	struct desk_stage *st = *state;
	uint64_t began;
	int silent[8];
	char byte;

	with_daemon(st, "bus = no\n");
	began = monotonic_usec();
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++)
		silent[i] = http_connect(st);
	/* Meanwhile the desk does what it is there for ... */
	whole_episode(st);
	wait_until(strstr(read_file(st, "history"), "\"id\":1,"));
	assert_true(monotonic_usec() - began < 3 * USEC_PER_SEC);
	/* ... and who comes ninth waits until there is a place. */
	assert_int_equal(episode_count(st), 1);
	assert_true(monotonic_usec() - began >= 4 * USEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_SIZE(silent); i++) {
		assert_int_equal(recv(silent[i], &byte, 1, 0), 0);
		close(silent[i]);
	}
}

static void who_does_not_read_does_not_hold_up_others(void **state)
{
	struct desk_stage *st = *state;
	_cleanup_(fd_closep) int lazy = -EBADF;
	uint64_t asked;
	char buffer[65536];
	size_t got = 0;
	ssize_t n;

	with_daemon(st, "bus = no\n");
	/* More than a socket takes at once. */
	for (int i = 0; i < 60; i++) {
		daemon_begins(st);
		for (int k = 0; k < 10; k++)
			daemon_kills(st);
		daemon_recovers(st);
	}
	wait_until(strstr(http_body(st, "/metrics"), "\noomfwd_episode_seconds_count 60\n"));
	lazy = http_connect(st);
	assert_int_equal(send(lazy, "GET /history HTTP/1.0\r\n\r\n", 25, 0), 25);
	asked = monotonic_usec();
	assert_true(is_running(st));
	assert_true(monotonic_usec() - asked < 3 * USEC_PER_SEC);
	sleep(6);
	while ((n = recv(lazy, buffer, sizeof(buffer), 0)) > 0)
		got += (size_t)n;
	/* It got what the socket held, and not all of it. */
	assert_in_range(got, 1000, 2 * MIB);
	assert_int_not_equal(buffer[0], '\0');
	assert_true(is_running(st));
}

static void an_episode_goes_into_history_metrics_and_file(void **state)
{
	struct desk_stage *st = *state;
	_cleanup_(json_unrefp) struct json *during = NULL;
	_cleanup_(json_unrefp) struct json *after = NULL;
	const struct json *e;

	with_daemon(st, "bus = no\n");
	daemon_begins(st);
	daemon_kills(st);
	wait_until(episode_count(st) == 1);
	during = http_json(st, "/history");
	assert_true(json_get_bool(json_at(during, 0), "under_way"));
	assert_string_equal(read_file(st, "history"), "");
	daemon_recovers(st);
	wait_until(strstr(read_file(st, "prom"), "\noomfwd_episode_seconds_count 1\n"));
	after = http_json(st, "/history");
	e = json_at(after, 0);
	assert_int_equal(json_count(after), 1);
	assert_true(json_get_bool(e, "recovered"));
	assert_int_equal(json_get_number(e, "victims"), 1);
	assert_int_equal(json_get_number(e, "freed_bytes"), 2 * GIB);
	assert_int_equal(json_count(json_get(e, "steps")), 4);
	/* A desk that is started anew counts on. */
	assert_int_equal(desk_is_ended(st), 0);
	close(st->client_fd);
	desk_starts(st, "bus = no\n");
	daemon_says_hello(st, NULL);
	whole_episode(st);
	wait_until(strstr(read_file(st, "history"), "\"id\":2,"));
}

static void the_level_is_known_before_the_page_tells(void **state)
{
	struct desk_stage *st = *state;
	_cleanup_(json_unrefp) struct json *j = NULL;

	with_daemon(st, "bus = no\n");
	daemon_begins(st);
	wait_until(episode_count(st) == 1);
	j = http_json(st, "/status");
	assert_string_equal(json_get_text(j, "level"), "kill");
	assert_true(json_get_bool(j, "in_episode"));
}

static void the_daemon_may_go_and_come_back(void **state)
{
	struct desk_stage *st = *state;

	with_daemon(st, "bus = no\n");
	daemon_begins(st);
	daemon_kills(st);
	daemon_goes(st);
	wait_until(!is_running(st));
	assert_non_null(strstr(http_body(st, "/metrics"), "oomfwd_up 0\n"));
	/* Nobody will tell the end of what was under way. */
	wait_until(strstr(read_file(st, "history"), "\"recovered\":false"));
	wait_until(strstr(read_file(st, "prom"), "oomfwd_up 0\n"));
	daemon_appears(st);
	daemon_says_hello(st, NULL);
	wait_until(is_running(st));
	wait_until(strstr(read_file(st, "prom"), "\noomfwd_up 1\n"));
	whole_episode(st);
	wait_until(strstr(read_file(st, "history"), "\"recovered\":true"));
}

static void a_desk_without_daemon_waits_for_it(void **state)
{
	struct desk_stage *st = *state;

	desk_starts(st, "bus = no\n");
	assert_false(is_running(st));
	assert_true(has_said(st, "; waiting for it"));
	daemon_appears(st);
	daemon_says_hello(st, NULL);
	wait_until(is_running(st));
}

static void a_daemon_of_another_version_ends_the_desk_without_failure(void **state)
{
	struct desk_stage *st = *state;

	daemon_appears(st);
	desk_starts(st, "bus = no\n");
	daemon_says_hello(st, "0.0.9");
	assert_int_equal(desk_ends(st), 0);
	assert_true(has_said(st, "is of another version"));
}

static uint64_t switches(const struct desk_stage *st)
{
	char path[64], line[256];
	unsigned long long n = 0, sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)st->desk);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %llu", &n) == 1)
			sum += n;
	fclose(f);
	return sum;
}

static void a_desk_with_nothing_to_do_sleeps(void **state)
{
	struct desk_stage *st = *state;
	uint64_t before;

	with_daemon(st, ""); /* and no bus either */
	whole_episode(st);
	wait_until(strstr(read_file(st, "prom"), "\noomfwd_episode_seconds_count 1\n"));
	sleep(4); /* it looks for the bus after 1 and 3 s, then at 7 and so on */
	before = switches(st);
	sleep(2);
	assert_true(switches(st) - before <= 1);
}

static void hangup_puts_the_new_configuration_in_force(void **state)
{
	struct desk_stage *st = *state;

	with_daemon(st, "bus = no\n");
	write_file(st, "conf", "[desk]\nbus = no\nmetrics_file = %s/other\nmetrics_socket = off\n",
		st->dir);
	assert_int_equal(kill(st->desk, SIGHUP), 0);
	wait_until(strstr(read_file(st, "other"), "\noomfwd_up 1\n"));
	assert_int_equal(access(in_dir(st, "http"), F_OK), -1);
	wait_until(was_notified(st, "READY=1"));
	/* What is wrong changes nothing, and is said with its line. */
	write_file(st, "conf", "[desk]\nmetrics_file = x\n");
	assert_int_equal(kill(st->desk, SIGHUP), 0);
	wait_until(has_said(st, "conf:2: metrics_file"));
	assert_true(has_said(st, "the old one stays in force"));
}

/* A program that appends what it is told to DIR/ran. */
static void write_hook(struct desk_stage *st, const char *more)
{
	write_file(st, "hook",
		"#!/bin/sh\n{ env | grep -a ^OOMFWD_ | sort; printf 'stdin='; cat; } "
		">>%s/ran\n%s\n",
		st->dir, more);
}

static const char *with_hook(const struct desk_stage *st)
{
	static char text[256];

	snprintf(text, sizeof(text), "bus = no\npost_kill = %s/hook\nhook_timeout = 1s\n", st->dir);
	return text;
}

static void the_hook_runs_after_the_episode_and_is_told_of_it(void **state)
{
	struct desk_stage *st = *state;
	struct json *j = NULL;
	const char *text;

	write_hook(st, "");
	with_daemon(st, with_hook(st));
	daemon_begins(st);
	daemon_kills(st);
	wait_until(episode_count(st) == 1);
	usleep(200000);
	assert_int_equal(access(in_dir(st, "ran"), F_OK), -1);
	daemon_recovers(st);
	wait_until(has_said(st, "for episode 1: exit status 0 after "));
	text = read_file(st, "ran");
	assert_ptr_equal(
		strstr(text, "OOMFWD_DOMAIN=\nOOMFWD_DRY_RUN=0\nOOMFWD_DURATION_USEC="), text);
	assert_non_null(strstr(text,
		"\nOOMFWD_EPISODE_ID=1\nOOMFWD_FREED_BYTES=2147483648\nOOMFWD_RECOVERED=1\n"
		"OOMFWD_VICTIMS=1\nOOMFWD_VICTIM_COMM=ja\\x1Bva\nOOMFWD_VICTIM_PID=4242\nstdin={"));
	text = strstr(text, "stdin=") + 6;
	assert_int_equal(json_parse(text, strlen(text), &j, NULL, NULL), 0);
	assert_int_equal(json_get_number(j, "id"), 1);
	assert_int_equal(json_count(json_get(j, "steps")), 4);
	json_unref(j);
}

static void the_hook_waits_until_the_machine_has_recovered_too(void **state)
{
	struct desk_stage *st = *state;
	struct report_event e = { .kind = REPORT_EPISODE_BEGAN, .level = LEVEL_KILL };

	write_hook(st, "");
	with_daemon(st, with_hook(st));
	daemon_begins(st);
	/* A domain's episode begins and ends within the machine's. */
	snprintf(e.domain, sizeof(e.domain), "pods");
	snprintf(e.domain_path, sizeof(e.domain_path), "/pods/a");
	daemon_tells(st, e);
	e.kind = REPORT_RECOVERED;
	daemon_tells(st, e);
	wait_until(strstr(read_file(st, "history"), "\"domain\":\"pods\""));
	usleep(200000);
	assert_int_equal(access(in_dir(st, "ran"), F_OK), -1);
	daemon_recovers(st);
	wait_until(has_said(st, "for episode 1: exit status 0"));
	assert_true(has_said(st, "for episode 2: exit status 0"));
	assert_non_null(strstr(read_file(st, "ran"), "OOMFWD_DOMAIN=pods\n"));
}

static void a_hook_that_takes_too_long_is_ended(void **state)
{
	struct desk_stage *st = *state;

	write_hook(st, "sleep 100");
	with_daemon(st, with_hook(st));
	whole_episode(st);
	wait_until(has_said(st, "longer than hook_timeout allows"));
	assert_true(has_said(st, "for episode 1: ended by SIGTERM after 1"));
}

int main(void)
{
#define desk_test(f) cmocka_unit_test_setup_teardown(f, desk_setup, desk_teardown)
	const struct CMUnitTest tests[] = {
		desk_test(state_and_metrics_are_served),
		desk_test(the_socket_is_for_the_group_and_goes_with_the_desk),
		desk_test(what_is_no_request_gets_its_status),
		desk_test(who_says_nothing_costs_five_seconds_of_a_place),
		desk_test(who_does_not_read_does_not_hold_up_others),
		desk_test(an_episode_goes_into_history_metrics_and_file),
		desk_test(the_level_is_known_before_the_page_tells),
		desk_test(the_daemon_may_go_and_come_back),
		desk_test(a_desk_without_daemon_waits_for_it),
		desk_test(a_daemon_of_another_version_ends_the_desk_without_failure),
		desk_test(a_desk_with_nothing_to_do_sleeps),
		desk_test(hangup_puts_the_new_configuration_in_force),
		desk_test(the_hook_runs_after_the_episode_and_is_told_of_it),
		desk_test(the_hook_waits_until_the_machine_has_recovered_too),
		desk_test(a_hook_that_takes_too_long_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
