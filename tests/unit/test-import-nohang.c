/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import-nohang: its keys and lines, and patterns of Python's as ours.
 */
#include "import-world.h"

static int import_text(struct import_world *i, struct world *w, const char *text)
{
	import_start(i, w);
	return import_end(i, import_nohang(&i->import, root_file(w, "/nohang.conf", text)));
}

/* --- patterns --- */

static void patterns_of_python_match_the_same_as_posix_ones(void **state)
{
	static const struct {
		const char *python;
		const char *yes[4], *no[4];
	} cases[] = {
		{ "^java$", { "java" }, { "javac", "xjava" } },
		{ "\\d+x", { "12x" }, { "dx", "x" } },
		{ "^\\D$", { "a" }, { "7" } },
		{ "^\\w\\s\\w$", { "a b", "_\t_" }, { "- -", "asa" } },
		{ "^\\W\\S$", { "-x" }, { "xx", "- " } },
		{ "^[\\d_-]+$", { "1-2_" }, { "d", "\\" } },
		{ "^[^\\s]$", { "a", "s", "\\" }, { " " } },
		{ "^[a\\-z]$", { "a", "-", "z" }, { "m", "\\" } },
		{ "^[\\]x]$", { "]", "x" }, { "\\" } },
		{ "^[]x]$", { "]", "x" }, { "" } },
		{ "^[^]x]$", { "a" }, { "]", "x" } },
		{ "^[x^]$", { "x", "^" }, { "a" } },
		{ "^[\\^]$", { "^" }, { "\\", "a" } },
		{ "^[\\^-]$", { "^", "-" }, { "a", "\\" } },
		{ "^[[:x]$", { "[", ":", "x" }, { "a" } },
		{ "^[a-cx-z.]$", { "b", "y", "." }, { "d", "-" } },
		{ "^[\\\\]$", { "\\" }, { "x" } },
		{ "post(?:gres|master)", { "postgres", "postmaster" }, { "post" } },
		{ "(?P<what>ab)c", { "abc" }, { "ac" } },
		{ "^a+?$", { "a", "aa" }, { "" } },
		{ "^a*?b??$", { "", "ab" }, { "bb" } },
		{ "^a{2}b{1,2}c{2,}d{,1}$", { "aabcc", "aabbcccd" }, { "abcc", "aabccdd" } },
		{ "^a{2,3}?$", { "aa", "aaa" }, { "a" } },
		{ "^{x}$", { "{x}" }, { "x" } },
		{ "a{,}b", { "a{,}b" }, { "ab", "aab" } },
		{ "\\Ax\\Z", { "x" }, { "xx" } },
		{ "\\bfoo\\b", { "a foo b" }, { "afoo" } },
		{ "^\\.\\*\\[\\]\\(\\)$", { ".*[]()" }, { "a" } },
		{ "^\\/\\-\\<\\'$", { "/-<'" }, { "/-" } },
		{ "^a\\ b$", { "a b" }, { "a\\ b" } },
		{ "^\xC3\xA9+$", { "\xC3\xA9", "\xC3\xA9\xC3\xA9" }, { "\xC3\xA9\xA9", "\xC3" } },
		{ "", { "", "x" }, { NULL } },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		const char *why = NULL;
		_cleanup_(freep) char *posix = import_python_pattern(cases[n].python, &why);
		regex_t regex;

		if (!posix)
			fail_msg("\"%s\": %s", cases[n].python, why);
		if (regcomp(&regex, posix, REG_EXTENDED | REG_NOSUB) != 0)
			fail_msg("\"%s\" became \"%s\"", cases[n].python, posix);
		for (size_t k = 0; k < 4; k++) {
			const char *yes = cases[n].yes[k], *no = cases[n].no[k];

			if (yes && regexec(&regex, yes, 0, NULL, 0) != 0)
				fail_msg("\"%s\", here \"%s\", does not match \"%s\"",
					cases[n].python, posix, yes);
			if (no && regexec(&regex, no, 0, NULL, 0) == 0)
				fail_msg("\"%s\", here \"%s\", matches \"%s\"", cases[n].python,
					posix, no);
		}
		regfree(&regex);
	}
}

static void patterns_that_posix_does_not_have_are_not_translated(void **state)
{
	static const struct {
		const char *python, *why;
	} cases[] = {
		{ "(?i)java", "uses (?...)" },
		{ "(?=x)", "uses (?...)" },
		{ "(?!x)", "uses (?...)" },
		{ "(?<=x)y", "uses (?...)" },
		{ "(?P<x", "uses (?...)" },
		{ "(?", "uses (?...)" },
		{ "(a)\\1", "back-reference" },
		{ "\\x41", "escape that POSIX" },
		{ "\\n", "escape that POSIX" },
		{ "\\", "escape that POSIX" },
		{ "[a", "is not closed" },
		{ "[", "is not closed" },
		{ "[]", "is not closed" },
		{ "[a-", "is not closed" },
		{ "[\\", "escape in brackets" },
		{ "[\\W]", "escape in brackets" },
		{ "[\\b]", "escape in brackets" },
		{ "[\\w-z]+[^-\\d-x]", NULL },
		{ "[!-\\]]", "such an end" },
		{ "[a-\\d]", "such an end" },
		{ "[\xC3\xA9]", "beyond ASCII in brackets" },
		{ "a++", "possessive" },
		{ "a{2}+", "possessive" },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		const char *why = "";
		_cleanup_(freep) char *posix = import_python_pattern(cases[n].python, &why);

		if (!cases[n].why)
			continue; /* either way, as long as nothing breaks */
		if (posix)
			fail_msg("\"%s\" became \"%s\"", cases[n].python, posix);
		if (!strstr(why, cases[n].why))
			fail_msg("\"%s\": %s", cases[n].python, why);
	}
}

/* --- files --- */

static void an_empty_file_is_its_defaults(void **state)
{
	struct import_world i;
	struct world *w = *state;

	assert_int_equal(import_text(&i, w, ""), 0);
	assert_string_equal(w->said, "");
	assert_int_equal(json_count(i.import.no_equal), 0);
	assert_same_amount(w->config->warn.memory, (struct config_amount){ AMOUNT_PERMILLE, 50 });
	assert_same_amount(w->config->warn.swap, (struct config_amount){ AMOUNT_PERMILLE, 100 });
	assert_same_amount(w->config->kill.memory, (struct config_amount){ AMOUNT_PERMILLE, 20 });
	assert_same_amount(w->config->kill.swap, (struct config_amount){ AMOUNT_PERMILLE, 40 });
	assert_false(w->config->warn.pressure.set || w->config->kill.pressure.set);
	assert_int_equal(w->config->term_grace_usec, 10 * USEC_PER_SEC);
	assert_int_equal(w->config->max_sleep_usec, 3 * USEC_PER_SEC);
	assert_int_equal(w->config->fill_rate_bytes, 6000 * MIB);
	assert_int_equal(w->config->rule_count, 0);
	import_free(&i);
}

static void import_fixture(struct import_world *i, struct world *w)
{
	_cleanup_(freep) char *text = fixture_text("nohang.conf");

	assert_int_equal(import_text(i, w, text), 0);
}

static void levels_pressure_and_timing_have_equals(void **state)
{
	struct import_world i;
	struct world *w = *state;
	const struct config *c;

	import_fixture(&i, w);
	c = w->config;
	assert_same_amount(c->warn.memory, (struct config_amount){ AMOUNT_PERMILLE, 125 });
	assert_same_amount(c->warn.swap, (struct config_amount){ AMOUNT_BYTES, 300 * MIB });
	assert_same_amount(c->kill.memory, (struct config_amount){ AMOUNT_BYTES, 256 * MIB });
	assert_same_amount(c->kill.swap, (struct config_amount){ AMOUNT_PERMILLE, 40 });
	assert_true(c->warn.pressure.set && !c->warn.pressure.full);
	assert_int_equal(c->warn.pressure.percent, 40);
	assert_int_equal(c->kill.pressure.percent, 90);
	/* The mean of a minute cannot be exceeded for less. */
	assert_int_equal(c->kill.pressure.span_usec, 60 * USEC_PER_SEC);
	assert_same_amount(c->pressure_guard, (struct config_amount){ AMOUNT_PERMILLE, 125 });
	assert_int_equal(c->term_grace_usec, 2500 * USEC_PER_MSEC);
	assert_int_equal(c->max_sleep_usec, 10 * USEC_PER_SEC);
	assert_int_equal(c->fill_rate_bytes, 3000 * MIB);
	assert_notes(&i, "max_sleep = 30: 30s is out of bounds");
	assert_notes(&i, "psi_checking_enabled: nohang looks at stalls only where there is swap");
	import_free(&i);
}

static void what_adds_badness_becomes_rules(void **state)
{
	struct import_world i;
	struct world *w = *state;
	const struct config *c;

	import_fixture(&i, w);
	c = w->config;
	assert_int_equal(c->rule_count, 6);
	assert_int_equal(c->rules[0].action, RULE_PREFER);
	assert_string_equal(c->rules[0].comm.text, "^(Web Content|file:// Content)$");
	assert_int_equal(c->rules[1].action, RULE_AVOID);
	assert_string_equal(c->rules[1].exe.text, "^/usr/bin/post(gres|master)$");
	assert_int_equal(c->rules[2].action, RULE_PREFER);
	assert_string_equal(c->rules[2].cmdline.text, "--type=renderer");
	assert_int_equal(c->rules[3].action, RULE_AVOID);
	assert_string_equal(c->rules[3].cgroup.text, "^/system\\.slice/");
	assert_true(c->rules[4].uid_set && c->rules[4].uid == 0);
	assert_true(c->rules[5].uid_set && c->rules[5].uid == 33);
	/* 200 of oom_score. */
	assert_int_equal(c->prefer_points, 300);
	assert_notes(&i, "@BADNESS_ADJ_RE above 0: ");
	assert_notes(&i, "@BADNESS_ADJ_RE below 0: ");
	import_free(&i);
}

static void what_has_no_equal_is_named_with_its_line(void **state)
{
	static const char *const said[] = {
		"line 26: @BADNESS_ADJ_RE_UID -100 /// 1000: left out: a user is a number",
		"line 27: oomfwd has no rules that go by the working directory",
		"line 28: oomfwd has no rules that go by the environment",
		"line 29: @BADNESS_ADJ_RE_NAME 10 /// (?i)^java: left out: the pattern uses (?...)",
		"line 31: @SOFT_ACTION_RE_NAME ^foo$ /// systemctl restart foo: oomfwd runs no "
		"command",
		"line 32: @check_kmsg: oomfwd sees by itself",
		"line 33: @no_such_thing: is not known",
		"line 35: post_kill_exe = /usr/local/bin/told: oomfwd-desk runs the program",
		"line 37: separate_log = True: oomfwd logs to the journal",
		"line 38: colour_of_the_shed: is not known to be a key",
	};
	struct import_world i;

	import_fixture(&i, *state);
	for (size_t n = 0; n < ARRAY_SIZE(said); n++)
		assert_notes(&i, said[n]);
	/* As shipped, or without an effect. */
	assert_false(import_notes(&i, "print_statistics"));
	assert_false(import_notes(&i, "psi_post_action_delay"));
	assert_false(import_notes(&i, "min_sleep"));
	assert_false(import_notes(&i, "line 30"));
	import_free(&i);
}

static void a_soft_threshold_below_the_hard_one_is_lifted(void **state)
{
	struct import_world i;
	struct world *w = *state;

	assert_int_equal(
		import_text(&i, w,
			"soft_threshold_min_mem = 3 %\nhard_threshold_min_mem = 4 %\n"
			"soft_threshold_min_swap = 10 M\nhard_threshold_min_swap = 20 M\n"),
		0);
	assert_int_equal(w->config->warn.memory.value, 40);
	assert_int_equal(w->config->warn.swap.value, 20 * MIB);
	assert_notes(&i, "memory: the level of SIGTERM was below that of SIGKILL");
	assert_notes(&i, "swap: the level of SIGTERM was below that of SIGKILL");
	import_free(&i);
}

static void points_stop_at_all_of_memory(void **state)
{
	struct import_world i;
	struct world *w = *state;

	assert_int_equal(import_text(&i, w, "@BADNESS_ADJ_RE_NAME 900 /// ^stress$\n"), 0);
	assert_int_equal(w->config->prefer_points, 1000);
	import_free(&i);
	assert_int_equal(import_text(&i, w, "@BADNESS_ADJ_RE_NAME 667 /// ^stress$\n"), 0);
	assert_int_equal(w->config->prefer_points, 1000);
	import_free(&i);
	assert_int_equal(import_text(&i, w, "@BADNESS_ADJ_RE_NAME 9223372036854775807 /// x\n"), 0);
	assert_int_equal(w->config->prefer_points, 1000);
	import_free(&i);
}

static void what_was_left_out_leaves_no_trace(void **state)
{
	struct import_world i;
	struct world *w = *state;

	assert_int_equal(import_text(&i, w,
				 "@BADNESS_ADJ_RE_NAME 500 /// (?i)x\n"
				 "@BADNESS_ADJ_RE_NAME -500 /// (?i)x\n"
				 "@BADNESS_ADJ_RE_NAME 100 /// x\n"),
		0);
	assert_int_equal(w->config->rule_count, 1);
	assert_int_equal(w->config->prefer_points, 150);
	assert_false(import_notes(&i, "below 0"));
	import_free(&i);
	assert_int_equal(import_text(&i, w, "@BADNESS_ADJ_RE_NAME -100 /// x\n"), 0);
	assert_false(import_notes(&i, "above 0"));
	assert_notes(&i, "below 0");
	import_free(&i);
}

static void more_rules_than_fit_are_left_out(void **state)
{
	char text[64 * 64] = "", *at = text;
	struct import_world i;
	struct world *w = *state;

	for (int n = 0; n < 60; n++)
		at += sprintf(at, "@BADNESS_ADJ_RE_NAME -1 /// ^name-%d$\n", n);
	assert_int_equal(import_text(&i, w, text), 0);
	assert_int_equal(w->config->rule_count, IMPORT_RULES_MAX);
	assert_notes(&i, "^name-59$: left out: more than 48 rules");
	assert_false(import_notes(&i, "^name-47$"));
	import_free(&i);
}

static void what_cannot_be_understood_is_refused_with_the_line(void **state)
{
	static const struct refused cases[] = {
		{ "\n\nno key\n", ":3: \"no key\" is neither key = value" },
		{ "max_sleep = 3\nmax_sleep = 3\n", ":2: max_sleep was set in line 1 already" },
		{ "max_sleep = soon\n", ":1: max_sleep = \"soon\" is no number" },
		{ "max_sleep =\n", ":1: max_sleep = \"\" is no number" },
		{ "max_sleep = -1\n", ":1: max_sleep = \"-1\" is no number" },
		{ "max_sleep = 1.2.3\n", ":1: max_sleep = \"1.2.3\" is no number" },
		{ "\nsoft_threshold_min_mem = 5\n",
			":2: soft_threshold_min_mem = \"5\" is no share" },
		{ "soft_threshold_min_mem = %\n",
			":1: soft_threshold_min_mem = \"%\" is no share" },
		{ "soft_threshold_min_mem =\n", ":1: soft_threshold_min_mem = \"\" is no share" },
		{ "psi_metrics = full_avg11\n",
			":1: psi_metrics = \"full_avg11\" is no some_avg10" },
		{ "psi_checking_enabled = yes\n", ":1: psi_checking_enabled = \"yes\" is no True" },
		{ "\n@BADNESS_ADJ_RE_NAME 5 ^x$\n", ":2: write @BADNESS_ADJ_RE_WHAT POINTS ///" },
		{ "@BADNESS_ADJ_RE_COLOUR 5 /// x\n", ":1: write @BADNESS_ADJ_RE_WHAT" },
		{ "@BADNESS_ADJ_RE_NAME x /// x\n", ":1: the points in front of /// must be a" },
		{ "@BADNESS_ADJ_RE_NAME /// x\n", ":1: the points in front of /// must be a" },
		{ "@BADNESS_ADJ_RE_NAME 5 6 /// x\n", ":1: the points in front of /// must be a" },
	};

	assert_refused(*state, import_nohang, cases, ARRAY_SIZE(cases));
}

static void the_default_file_must_be_there(void **state)
{
	struct import_world i;
	struct world *w = *state;

	import_start(&i, w);
	assert_int_equal(import_end(&i, import_nohang(&i.import, NULL)), -ENOENT);
	assert_non_null(strstr(i.errors, "/etc/nohang/nohang.conf: there is no such file"));
	import_free(&i);
	root_file(w, "/etc/nohang/nohang.conf", "max_sleep = 1\n");
	import_start(&i, w);
	assert_int_equal(import_end(&i, import_nohang(&i.import, NULL)), 0);
	assert_int_equal(w->config->max_sleep_usec, USEC_PER_SEC);
	import_free(&i);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(patterns_of_python_match_the_same_as_posix_ones),
		TEST(patterns_that_posix_does_not_have_are_not_translated),
		TEST(an_empty_file_is_its_defaults),
		TEST(levels_pressure_and_timing_have_equals),
		TEST(what_adds_badness_becomes_rules),
		TEST(what_has_no_equal_is_named_with_its_line),
		TEST(a_soft_threshold_below_the_hard_one_is_lifted),
		TEST(points_stop_at_all_of_memory),
		TEST(what_was_left_out_leaves_no_trace),
		TEST(more_rules_than_fit_are_left_out),
		TEST(what_cannot_be_understood_is_refused_with_the_line),
		TEST(the_default_file_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
