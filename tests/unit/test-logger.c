/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saying something never keeps anybody waiting: not a full pipe, not a full ring. And where it
 * goes: lines to stderr, entries to the journal, a table to a file.
 */
#include "report.h"

#include "count-malloc.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include <cmocka.h>

#define RING 512

/* stderr is a pipe of ours while a test runs. */
static struct {
	int saved_stderr, read_fd;
	char text[512 * 1024];
	size_t length;
} t;

/* Stands before libsystemd's. */
static struct {
	int result;
	uint32_t calls;
	char entry[8192]; /* fields of the last, a line each */
} journal;

int sd_journal_sendv(const struct iovec *iov, int n);
int sd_journal_sendv(const struct iovec *iov, int n)
{
	size_t at = 0;

	journal.calls++;
	journal.entry[0] = '\0';
	for (int i = 0; i < n; i++)
		at += (size_t)snprintf(journal.entry + at, sizeof(journal.entry) - at, "%.*s\n",
			(int)iov[i].iov_len, (const char *)iov[i].iov_base);
	return journal.result;
}

static uint64_t now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

static int setup(void **state)
{
	int fds[2];

	unsetenv("JOURNAL_STREAM");
	memset(&journal, 0, sizeof(journal));
	t.length = 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	t.saved_stderr = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	t.read_fd = fds[0];
	return 0;
}

/* Reads what has come, until quiet for so long or (after close_stderr()) the end. */
static const char *said(int quiet_msec)
{
	struct pollfd p = { .fd = t.read_fd, .events = POLLIN };

	while (t.length < sizeof(t.text) - 1 && poll(&p, 1, quiet_msec) > 0) {
		ssize_t n = read(t.read_fd, t.text + t.length, sizeof(t.text) - 1 - t.length);
		if (n <= 0)
			break;
		t.length += (size_t)n;
	}
	t.text[t.length] = '\0';
	return t.text;
}

static void close_stderr(void)
{
	if (t.saved_stderr >= 0) {
		dup2(t.saved_stderr, STDERR_FILENO);
		close(t.saved_stderr);
	}
	t.saved_stderr = -1;
}

static int teardown(void **state)
{
	report_close(0);
	said(50); /* lets a logger that was left behind end */
	close_stderr();
	close(t.read_fd);
	return 0;
}

static uint32_t lines_with(const char *what)
{
	uint32_t n = 0;

	for (const char *p = t.text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

/* So that a write of one more byte would wait. */
static void fill_stderr(void)
{
	char block[4096];
	int flags = fcntl(STDERR_FILENO, F_GETFL);

	memset(block, '.', sizeof(block));
	fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK);
	while (write(STDERR_FILENO, block, sizeof(block)) > 0)
		;
	fcntl(STDERR_FILENO, F_SETFL, flags);
}

static const struct report_event freed = { .kind = REPORT_FREED,
	.victim = { 4242, 77 },
	.comm = "ja\nva",
	.cgroup = "/shop",
	.uid = 1000,
	.sig = SIGKILL,
	.members = 2,
	.group = { 4242, 4243 },
	.freed_bytes = 3 * GIB,
	.latency_usec = 84000,
	.available_before_bytes = 1,
	.available_after_bytes = 2,
	.total_bytes = 4 };

static void lines_come_in_order_and_all_before_the_end(void **state)
{
	char expected[64 * 500] = "";

	assert_int_equal(report_open(REPORT_INFO), 0);
	for (int i = 0; i < RING; i++) {
		report_line(REPORT_INFO, "line %d", i);
		snprintf(expected + strlen(expected), 64, "oomfwd: line %d\n", i);
	}
	report_close(5 * USEC_PER_SEC);
	close_stderr();
	assert_string_equal(said(1000), expected);
}

static void an_event_is_one_line(void **state)
{
	assert_int_equal(report_open(REPORT_INFO), 0);
	report_event(&freed);
	report_line(REPORT_INFO, "a\nb\033[0m\x7f");
	report_close(5 * USEC_PER_SEC);
	close_stderr();
	assert_string_equal(said(1000),
		"oomfwd: killed 4242 (ja\\x0Ava) and 1 sharer, freed 3.0 GiB in 84 ms; "
		"mem available 25 % -> 50 %\noomfwd: a b [0m \n");
}

static void levels_above_the_limit_are_not_said(void **state)
{
	report_line(REPORT_ERROR, "before there is a log");
	report_event(&freed);
	report_set_level(REPORT_DEBUG);
	assert_int_equal(report_open(REPORT_WARNING), 0);
	report_line(REPORT_NOTICE, "notice");
	report_event(&freed); /* a notice too */
	report_line(REPORT_WARNING, "warning");
	report_set_level(REPORT_DEBUG);
	report_line(REPORT_DEBUG, "debug");
	report_close(5 * USEC_PER_SEC);
	report_line(REPORT_ERROR, "after it");
	close_stderr();
	assert_string_equal(said(1000), "oomfwd: warning\noomfwd: debug\n");
}

static void a_long_line_is_cut_at_a_character(void **state)
{
	char text[1500];

	memset(text, 'x', sizeof(text));
	memcpy(text + 998, "\xc3\xa9", 2);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(report_open(REPORT_INFO), 0);
	report_line(REPORT_INFO, "%s", text);
	report_close(5 * USEC_PER_SEC);
	close_stderr();
	said(1000);
	assert_int_equal(t.length, strlen("oomfwd: ") + 998 + 1);
	assert_null(strchr(t.text, '\xc3'));
}

/* Nobody reads the pipe: 3000 events cost the sender no time, the ring keeps what it can, and the
 * gap is told where it is. */
static void a_full_pipe_stops_nobody(void **state)
{
	uint64_t worst = 0, begin, start;
	unsigned mallocs;

	assert_int_equal(report_open(REPORT_INFO), 0);
	fill_stderr();
	report_event(&freed);
	mallocs = malloc_count;
	start = now_usec();
	for (int i = 0; i < 3000; i++) {
		begin = now_usec();
		report_event(&freed);
		worst = max_u64(worst, now_usec() - begin);
	}
	report_line(REPORT_INFO, "one more that is lost");
	assert_int_equal(malloc_count, mallocs);
	/* A machine with other work may take the CPU away; a wait would have no end at all. */
	assert_in_range(now_usec() - start, 0, 2 * USEC_PER_SEC);
	assert_in_range(worst, 0, USEC_PER_SEC);

	/* Read, and there is room again. */
	said(500);
	report_line(REPORT_INFO, "the next");
	said(500);
	assert_int_equal(lines_with("killed 4242"), RING);
	assert_int_equal(lines_with("one more that is lost"), 0);
	assert_non_null(strstr(t.text,
		"\noomfwd: 2490 messages were lost here: the log did not take them in "
		"time\noomfwd: the next\n"));
}

static void closing_gives_up_on_a_full_pipe(void **state)
{
	uint64_t start;

	assert_int_equal(report_open(REPORT_INFO), 0);
	fill_stderr();
	report_line(REPORT_INFO, "stuck");
	start = now_usec();
	report_close(200 * USEC_PER_MSEC);
	assert_in_range(now_usec() - start, 190 * USEC_PER_MSEC, 2 * USEC_PER_SEC);
	/* A new log works while the old thread still hangs. */
	assert_int_equal(report_open(REPORT_INFO), 0);
	report_line(REPORT_INFO, "anew");
	said(500);
	assert_int_equal(lines_with("oomfwd: anew\n"), 1);
}

static void drops_at_the_end_are_told_too(void **state)
{
	assert_int_equal(report_open(REPORT_INFO), 0);
	fill_stderr();
	for (int i = 0; i < RING + 10; i++)
		report_line(REPORT_INFO, "line %d", i);
	report_close(0); /* does not wait, but the logger goes on */
	said(500);
	assert_int_equal(lines_with("oomfwd: line "), RING);
	assert_non_null(strstr(t.text, "10 messages were lost here"));
}

static void a_pipe_without_reader_is_survived(void **state)
{
	assert_int_equal(report_open(REPORT_INFO), 0);
	close(t.read_fd);
	t.read_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 100; i++)
		report_line(REPORT_INFO, "SIGPIPE would end us here");
	report_close(5 * USEC_PER_SEC);
}

static void pretend_journal(void)
{
	struct stat st;
	char text[64];

	fstat(STDERR_FILENO, &st);
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
}

static void the_journal_gets_fields(void **state)
{
	static const char *const fields[] = {
		"MESSAGE=killed 4242 (ja\\x0Ava) and 1 sharer, freed 3.0 GiB in 84 ms; ",
		"; mem available 25 % -> 50 %\n",
		"\nPRIORITY=5\n",
		"\nSYSLOG_IDENTIFIER=oomfwd\n",
		"\nMESSAGE_ID=dda3e6777d1445a59b0b1980b133d62a\n",
		"\nOOMFWD_EVENT=freed\n",
		"\nOOMFWD_VICTIM_PID=4242\n",
		"\nOOMFWD_VICTIM_UID=1000\n",
		"\nOOMFWD_VICTIM_COMM=ja\\x0Ava\n",
		"\nOOMFWD_CGROUP=/shop\n",
		"\nOOMFWD_MEMBERS=2\n",
		"\nOOMFWD_GROUP=4242 4243\n",
		"\nOOMFWD_FREED_BYTES=3221225472\n",
		"\nOOMFWD_LATENCY_USEC=84000\n",
	};

	pretend_journal();
	assert_int_equal(report_open(REPORT_INFO), 0);
	report_event(&freed);
	report_close(5 * USEC_PER_SEC);
	assert_int_equal(journal.calls, 1);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		assert_non_null(strstr(journal.entry, fields[i]));
	assert_null(strstr(journal.entry, "PINNED_BY"));
	close_stderr();
	assert_string_equal(said(1000), ""); /* and not both */
}

static void the_journal_learns_who_pins(void **state)
{
	struct report_event e = freed;

	e.kind = REPORT_STUCK;
	e.blame = (struct kill_blame){ .kind = BLAME_PINNED, .pid = 1, .comm = "systemd" };
	pretend_journal();
	assert_int_equal(report_open(REPORT_INFO), 0);
	report_event(&e);
	report_close(5 * USEC_PER_SEC);
	assert_non_null(strstr(journal.entry, "\nPRIORITY=4\n"));
	assert_non_null(strstr(journal.entry, "\nOOMFWD_PINNED_BY=1\n"));
	assert_non_null(strstr(journal.entry, "\nOOMFWD_PINNED_BY_COMM=systemd\n"));
}

/* As in a sandbox that hides the journal's socket. */
static void a_journal_that_refuses_gets_lines_with_levels(void **state)
{
	pretend_journal();
	journal.result = -ENOENT;
	assert_int_equal(report_open(REPORT_INFO), 0);
	report_line(REPORT_WARNING, "beware");
	report_close(5 * USEC_PER_SEC);
	close_stderr();
	assert_string_equal(said(1000), "<4>beware\n");
}

/* Inherited from somebody whose stderr was the journal. */
static void another_ones_journal_is_not_ours(void **state)
{
	setenv("JOURNAL_STREAM", "1:1", 1);
	assert_int_equal(report_open(REPORT_INFO), 0);
	report_line(REPORT_WARNING, "beware");
	report_close(5 * USEC_PER_SEC);
	close_stderr();
	assert_int_equal(journal.calls, 0);
	assert_string_equal(said(1000), "oomfwd: beware\n");
}

/* --- the table --- */

static void the_table_lines_up(void **state)
{
	static struct choice c; /* too large for a stack */
	struct task tasks[] = {
		{ .id = { 1, 1 }, .comm = "systemd" },
		{ .id = { 4242, 1 }, .comm = "java" },
		{ .id = { 17, 1 }, .comm = "caf\xc3\xa9\n" },
	};
	struct snapshot s = { .tasks = tasks, .count = 3 };
	struct victim_need need = { .bytes = 2 * GIB };
	struct rule rule = { .action = RULE_PROTECT, .name = "base" };
	_cleanup_(freep) char *text = NULL;
	char expected[2048];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	c = (struct choice){ .result = VICTIM_CHOSEN,
		.yield_bytes = 3 * GIB,
		.count = 1,
		.candidate_count = 3,
		.candidates = {
			{ .task = 1,
				.badness = 4 * GIB,
				.yield_bytes = 3 * GIB,
				.group = { .count = 3,
					.evidence = MM_EVIDENCE_KCMP,
					.oom_score_adj = 62 } },
			{ .task = 2,
				.badness = -(int64_t)(5 * MIB),
				.yield_bytes = 412 * MIB,
				.reason = REASON_PINNED,
				.rule = &rule,
				.group = { .count = 2,
					.evidence = MM_EVIDENCE_SMAPS,
					.oom_score_adj = -900,
					.pin = MM_PIN_INIT } },
			{ .task = 0,
				.reason = REASON_NO_YIELD,
				.group = { .count = 1, .evidence = MM_EVIDENCE_SOLE } },
		} };
	report_choice(f, &s, NULL, &c, &need);
	fclose(f);

	snprintf(expected, sizeof(expected),
		"%s: 2.0 GiB needed, 3.0 GiB would come back from 1 group\n"
		"RANK   PID  COMM      GIVES BACK   BADNESS   ADJ  SHARERS    REASON\n"
		"   1  4242  java         3.0 GiB   4.0 GiB    62  2 (kcmp)   %s\n"
		"   2    17  caf\xc3\xa9\\x0A     412 MiB  -5.0 MiB  -900  1 (smaps)  %s by 1 "
		"(systemd), rule \"base\"\n"
		"   3     1  systemd          0 B       0 B     0  none       %s\n",
		victim_result_text(VICTIM_CHOSEN), victim_reason_text(REASON_CHOSEN),
		victim_reason_text(REASON_PINNED), victim_reason_text(REASON_NO_YIELD));
	assert_string_equal(text, expected);
}

static void nobody_to_choose_from_is_one_line(void **state)
{
	static struct choice c;
	struct snapshot s = { 0 };
	struct victim_need need = { .bytes = GIB };
	_cleanup_(freep) char *text = NULL;
	char expected[256];
	size_t size;
	FILE *f = open_memstream(&text, &size);

	c.result = VICTIM_NONE;
	report_choice(f, &s, NULL, &c, &need);
	fclose(f);
	snprintf(expected, sizeof(expected), "%s: 1.0 GiB needed\n",
		victim_result_text(VICTIM_NONE));
	assert_string_equal(text, expected);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			lines_come_in_order_and_all_before_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(an_event_is_one_line, setup, teardown),
		cmocka_unit_test_setup_teardown(
			levels_above_the_limit_are_not_said, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_line_is_cut_at_a_character, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_pipe_stops_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(closing_gives_up_on_a_full_pipe, setup, teardown),
		cmocka_unit_test_setup_teardown(drops_at_the_end_are_told_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pipe_without_reader_is_survived, setup, teardown),
		cmocka_unit_test_setup_teardown(the_journal_gets_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(the_journal_learns_who_pins, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_journal_that_refuses_gets_lines_with_levels, setup, teardown),
		cmocka_unit_test_setup_teardown(another_ones_journal_is_not_ours, setup, teardown),
		cmocka_unit_test(the_table_lines_up),
		cmocka_unit_test(nobody_to_choose_from_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
