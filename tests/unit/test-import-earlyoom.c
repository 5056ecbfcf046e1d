/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import-earlyoom: what becomes of its options, and how EARLYOOM_ARGS is read.
 */
#include "import-world.h"

#define PERMILLE(n)                                                                                \
	{                                                                                          \
		AMOUNT_PERMILLE, n                                                                 \
	}
#define BYTES(n)                                                                                   \
	{                                                                                          \
		AMOUNT_BYTES, n                                                                    \
	}

/* Of options written as in a shell; they go through the file. */
static int import_args(struct import_world *i, struct world *w, const char *args)
{
	_cleanup_(freep) char *text = NULL;

	assert_true(asprintf(&text, "EARLYOOM_ARGS=%s\n", args) > 0);
	import_start(i, w);
	return import_end(i, import_earlyoom_file(&i->import, root_file(w, "/defaults", text)));
}

/* --- levels --- */

struct levels {
	const char *args;
	struct config_amount warn_memory, kill_memory, warn_swap, kill_swap;
	const char *said; /* NULL: nothing but what is always said */
};

static void assert_levels(struct world *w, const struct levels *expected)
{
	char args[64];
	struct import_world i;
	const struct config *c;

	snprintf(args, sizeof(args), "\"%s\"", expected->args);
	assert_int_equal(import_args(&i, w, args), 0);
	assert_string_equal(w->said, "");
	c = w->config;
	assert_same_amount(c->warn.memory, expected->warn_memory);
	assert_same_amount(c->kill.memory, expected->kill_memory);
	assert_same_amount(c->warn.swap, expected->warn_swap);
	assert_same_amount(c->kill.swap, expected->kill_swap);
	/* It does not look at pressure. */
	assert_false(c->warn.pressure.set || c->kill.pressure.set);
	assert_int_equal(c->rule_count, 0);
	if (expected->said)
		assert_notes(&i, expected->said);
	else
		assert_false(import_notes(&i, " here."));
	import_free(&i);
}

static void levels_are_those_of_the_options_or_the_defaults(void **state)
{
	static const struct levels cases[] = {
		{ "", PERMILLE(100), PERMILLE(50), PERMILLE(100), PERMILLE(50) },
		{ "-m 5,2", PERMILLE(50), PERMILLE(20), PERMILLE(100), PERMILLE(50) },
		{ "-m30", PERMILLE(300), PERMILLE(150), PERMILLE(100), PERMILLE(50) },
		{ "-s 20,3", PERMILLE(100), PERMILLE(50), PERMILLE(200), PERMILLE(30) },
		{ "-m 2.5", PERMILLE(25), PERMILLE(13), PERMILLE(100), PERMILLE(50) },
		/* SIGKILL only. */
		{ "-m 7,7", PERMILLE(70), PERMILLE(70), PERMILLE(100), PERMILLE(50) },
		/* It lifts the first of two to the second. */
		{ "-m 5,10", PERMILLE(100), PERMILLE(100), PERMILLE(100), PERMILLE(50) },
		{ "-s 100", PERMILLE(100), PERMILLE(50), PERMILLE(1000), PERMILLE(500) },
		{ "-s 10,0", PERMILLE(100), PERMILLE(50), PERMILLE(100), PERMILLE(0) },
		/* In KiB. */
		{ "-M 204800", BYTES(200 * MIB), BYTES(100 * MIB), PERMILLE(100), PERMILLE(50) },
		{ "-M 204800,51200", BYTES(200 * MIB), BYTES(50 * MIB), PERMILLE(100),
			PERMILLE(50) },
		{ "-S 1048576", PERMILLE(100), PERMILLE(50), BYTES(GIB), BYTES(512 * MIB) },
		/* Both: the lower one, each for itself. 10% are 819 MiB, 4% are 328 MiB. */
		{ "-m 10 -M 204800", BYTES(200 * MIB), BYTES(100 * MIB), PERMILLE(100),
			PERMILLE(50) },
		{ "-m 10,1 -M 819200", BYTES(800 * MIB), PERMILLE(10), PERMILLE(100),
			PERMILLE(50) },
		{ "-M 4194304 -m 10", PERMILLE(100), PERMILLE(50), PERMILLE(100), PERMILLE(50) },
		{ "-s 10 -S 102400", PERMILLE(100), PERMILLE(50), BYTES(100 * MIB),
			BYTES(50 * MIB) },
		/* The last one counts. */
		{ "-m 5 -m 20", PERMILLE(200), PERMILLE(100), PERMILLE(100), PERMILLE(50) },
		{ "-d -r 3600 -p -n -g -i -k", PERMILLE(100), PERMILLE(50), PERMILLE(100),
			PERMILLE(50) },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++)
		assert_levels(*state, &cases[n]);
}

static void what_is_out_of_our_bounds_is_moved_there_and_said(void **state)
{
	static const struct levels cases[] = {
		{ "-m 95", PERMILLE(900), PERMILLE(475), PERMILLE(100), PERMILLE(50),
			"95% is out of the bounds of memory, 0.1% to 90%; it is 90% here" },
		{ "-m 10,0", PERMILLE(100), PERMILLE(1), PERMILLE(100), PERMILLE(50),
			"0% is out of the bounds" },
		{ "-M 8388608,102400", PERMILLE(900), BYTES(100 * MIB), PERMILLE(100), PERMILLE(50),
			"more than nearly all memory of this machine" },
		{ "-M 100", BYTES(MIB), BYTES(MIB), PERMILLE(100), PERMILLE(50),
			"the least size of memory is 1M" },
		{ "-S 100", PERMILLE(100), PERMILLE(50), BYTES(MIB), BYTES(MIB),
			"the least size of swap is 1M" },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++)
		assert_levels(*state, &cases[n]);
}

static void without_swap_the_share_holds_of_both(void **state)
{
	char name[] = "earlyoom", s[] = "-s", share[] = "30", size[] = "-S204800";
	char *argv[] = { name, s, share, size, NULL };
	struct import_world i;
	struct world *w = *state;

	import_start(&i, w);
	i.import.swap_bytes = 0;
	assert_int_equal(import_end(&i, import_earlyoom(&i.import, 4, argv)), 0);
	assert_same_amount(w->config->warn.swap, (struct config_amount)PERMILLE(300));
	import_free(&i);
}

/* --- rules --- */

static void patterns_become_rules_that_match_the_same(void **state)
{
	static const char *const patterns[] = {
		"^(sshd|x)$",
		"firefox",
		"(^|/)(init|X)$",
		"^Web Content$",
		" leading",
		"trailing ",
		"trailing\\ ",
		"#sharp",
		"a #b",
		"a ;b",
		";",
		"\"quoted\"",
		"'quoted'",
		"a=b:c",
		"[ #]x",
		"[[:digit:]]+",
		"[]x]",
		"\\.",
		"\\#",
		"x{2,3}",
		"\xC3\xA9t\xC3\xA9",
		"''",
		"a[",
		"back\\slash",
		"$",
		"100%s%n",
	};
	static const char *const comms[] = { "sshd", "sshdx", "x", "xx", "firefox-bin", "init",
		"Web Content", " leading", "leading", "trailing ", "trailing", "#sharp", "a #b",
		"a ;b", ";", "\"quoted\"", "quoted", "'quoted'", "a=b:c", " x", "#x", ";x", "7",
		"]", ".", "a", "#", "\xC3\xA9t\xC3\xA9", "''", "", "backslash", "100%s%n", "\\" };

	for (size_t n = 0; n < ARRAY_SIZE(patterns); n++) {
		char name[] = "earlyoom", option[] = "--prefer", pattern[64];
		char *argv[] = { name, option, pattern, NULL };
		struct import_world i;
		struct world *w = *state;
		const struct rule *r;
		regex_t theirs;

		snprintf(pattern, sizeof(pattern), "%s", patterns[n]);
		import_start(&i, w);
		assert_int_equal(import_end(&i, import_earlyoom(&i.import, 3, argv)), 0);
		r = rule_named(w, RULE_PREFER, "earlyoom-prefer");
		if (regcomp(&theirs, patterns[n], REG_EXTENDED | REG_NOSUB) != 0) {
			assert_null(r);
			assert_notes(&i, "--prefer: left out");
			import_free(&i);
			continue;
		}
		assert_non_null(r);
		for (size_t c = 0; c < ARRAY_SIZE(comms); c++)
			if ((regexec(&theirs, comms[c], 0, NULL, 0) == 0) !=
				pattern_matches(&r->comm, comms[c]))
				fail_msg("\"%s\", here \"%s\", differs on \"%s\"", patterns[n],
					r->comm.text, comms[c]);
		regfree(&theirs);
		import_free(&i);
	}
}

static void prefer_avoid_ignore_and_root_are_four_rules(void **state)
{
	struct import_world i;
	struct world *w = *state;
	const struct rule *r;

	assert_int_equal(import_args(&i, w,
				 "\"--prefer '^(java|cc1)$' --avoid=^sshd$ --ignore '^X$' "
				 "--ignore-root-user\""),
		0);
	assert_int_equal(w->config->rule_count, 4);
	r = rule_named(w, RULE_PREFER, "earlyoom-prefer");
	assert_string_equal(r->comm.text, "^(java|cc1)$");
	r = rule_named(w, RULE_AVOID, "earlyoom-avoid");
	assert_string_equal(r->comm.text, "^sshd$");
	r = rule_named(w, RULE_PROTECT, "earlyoom-ignore");
	assert_string_equal(r->comm.text, "^X$");
	r = rule_named(w, RULE_PROTECT, "earlyoom-root");
	assert_true(r->uid_set && r->uid == 0);
	/* 300 of oom_score, which is two thirds of thousandths of memory. */
	assert_int_equal(w->config->prefer_points, 450);
	assert_notes(&i, "--avoid: earlyoom takes 300 off");
	assert_notes(&i, "--ignore: a process sets its name as it likes");
	import_free(&i);
}

static void a_pattern_that_we_refuse_is_left_out_with_the_reason(void **state)
{
	static const struct {
		const char *pattern, *why;
	} cases[] = {
		{ "(a)\\1", "has a back-reference" },
		{ "(a{1,200}){1,200}", "repeats too much" },
		{ "", "the pattern is empty" },
		{ "a\nb", "holds a line end" },
		{ "a\x1b[31m", "control character" },
		{ "\xff", "is not UTF-8" },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		char name[] = "earlyoom", option[] = "--avoid", pattern[64];
		char *argv[] = { name, option, pattern, NULL };
		struct import_world i;
		struct world *w = *state;

		snprintf(pattern, sizeof(pattern), "%s", cases[n].pattern);
		import_start(&i, w);
		assert_int_equal(import_end(&i, import_earlyoom(&i.import, 3, argv)), 0);
		assert_int_equal(w->config->rule_count, 0);
		assert_notes(&i, "--avoid: left out");
		assert_notes(&i, cases[n].why);
		assert_false(import_notes(&i, "takes 300 off"));
		import_free(&i);
	}
}

/* --- what has no equal --- */

static void each_option_without_an_equal_is_named(void **state)
{
	static const struct {
		const char *args, *said;
	} cases[] = {
		{ "-g", "-g: killing the process group has no equal" },
		{ "-n", "-n: there are no desktop notifications" },
		{ "-N /usr/bin/told", "adapt /usr/bin/told to that, and name it by post_kill" },
		{ "-P /usr/bin/ask", "-P: no program is run before a kill" },
		{ "-r 60", "-r: there are no periodic reports" },
		{ "-d", "-d: is no matter of the configuration" },
		{ "-p", "-p: is no matter of the configuration" },
		{ "-i", "-i: earlyoom ignores this since 1.7" },
		{ "-k", "-k: earlyoom ignores this since 1.2" },
		{ "-v", "-v: earlyoom would only print its version" },
		{ "-h", "-h: earlyoom would only print its help" },
		{ "--help", "-h: earlyoom would only print its help" },
		{ "--dryrun", "--dryrun: is no matter of the configuration" },
		{ "--syslog", "--syslog: oomfwd logs to the journal" },
		{ "--sort-by-rss", "--sort-by-rss: oomfwd goes by the memory" },
		{ "--kernel-oom", "--kernel-oom: oomfwd asks the kernel's OOM killer only" },
		{ "", "percent of memory: " },
		{ "", "SIGTERM: " },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		char args[64];
		struct import_world i;
		struct world *w = *state;

		snprintf(args, sizeof(args), "\"%s\"", cases[n].args);
		assert_int_equal(import_args(&i, w, args), 0);
		assert_notes(&i, cases[n].said);
		assert_int_equal(
			json_count(i.import.no_equal), cases[n].args[0] ? 3 : 2); /* no other */
		import_free(&i);
	}
}

static void bad_options_are_refused_with_the_option(void **state)
{
	static const struct refused cases[] = {
		{ "EARLYOOM_ARGS='-m'", "earlyoom: -m lacks its argument" },
		{ "EARLYOOM_ARGS='--avoid'", "--avoid lacks its argument" },
		{ "EARLYOOM_ARGS='-x'", "there is no option -x" },
		{ "EARLYOOM_ARGS='-gx'", "there is no option -x" },
		{ "EARLYOOM_ARGS='--unknown'", "there is no option --unknown" },
		{ "EARLYOOM_ARGS='--dryrun=1'", "there is no option" },
		{ "EARLYOOM_ARGS='-m 100'",
			"-m PERCENT[,PERCENT]: \"100\" is more than earlyoom takes" },
		{ "EARLYOOM_ARGS='-s 101'",
			"-s PERCENT[,PERCENT]: \"101\" is more than earlyoom takes" },
		{ "EARLYOOM_ARGS='-m 0'", "\"0\" has no level that is above zero" },
		{ "EARLYOOM_ARGS='-m 5,'", "\"5,\" is no number" },
		{ "EARLYOOM_ARGS='-m ,5'", "\",5\" is no number" },
		{ "EARLYOOM_ARGS='-m 5,2,1'", "\"5,2,1\" is no number" },
		{ "EARLYOOM_ARGS='-m -5'", "\"-5\" is no number" },
		{ "EARLYOOM_ARGS='-m 5%'", "\"5%\" is no number" },
		{ "EARLYOOM_ARGS='-m nan'", "\"nan\" is no number" },
		{ "EARLYOOM_ARGS='-M 1G'", "-M SIZE[,SIZE]: \"1G\" is no number" },
		{ "EARLYOOM_ARGS='-m 5 10'", "\"10\" is no option" },
	};

	assert_refused(*state, import_earlyoom_file, cases, ARRAY_SIZE(cases));
}

/* --- EARLYOOM_ARGS --- */

static void words_are_those_of_a_shell(void **state)
{
	static const struct {
		const char *file;
		const char *words[6];
	} cases[] = {
		{ "EARLYOOM_ARGS=\"-m 5 -s 10\"\n", { "-m", "5", "-s", "10" } },
		{ "EARLYOOM_ARGS='-m 5'", { "-m", "5" } },
		{ "EARLYOOM_ARGS=-m5\n", { "-m5" } },
		{ "  export EARLYOOM_ARGS=-m5\n", { "-m5" } },
		/* Without quotes, as systemd takes it. */
		{ "EARLYOOM_ARGS=-m 5 --avoid '^a b$'\n", { "-m", "5", "--avoid", "^a b$" } },
		{ "EARLYOOM_ARGS= -m 5 # five\n", { "-m", "5" } },
		{ "EARLYOOM_ARGS=\"-m 5\" # five\n", { "-m", "5" } },
		{ "EARLYOOM_ARGS=\"-m 5#\"\n", { "-m", "5#" } },
		{ "EARLYOOM_ARGS=--avoid 'a #b'\n", { "--avoid", "a #b" } },
		/* Quotes in quotes. */
		{ "EARLYOOM_ARGS=\"--avoid '(^|/)(init|X)$'\"\n", { "--avoid", "(^|/)(init|X)$" } },
		{ "EARLYOOM_ARGS='--avoid \"a b\"'\n", { "--avoid", "a b" } },
		{ "EARLYOOM_ARGS=\"--avoid \\\"a b\\\"\"\n", { "--avoid", "a b" } },
		{ "EARLYOOM_ARGS=\"a\"' b'\n", { "a", "b" } },
		{ "EARLYOOM_ARGS=\"''  x\"\n", { "", "x" } },
		{ "EARLYOOM_ARGS=\"a'b c'd\"\n", { "ab cd" } },
		/* Backslashes: once by the assignment, once by the words. */
		{ "EARLYOOM_ARGS='a\\ b'\n", { "a b" } },
		{ "EARLYOOM_ARGS=\"--avoid '^a\\.b$'\"\n", { "--avoid", "^a\\.b$" } },
		{ "EARLYOOM_ARGS=\"--avoid ^a\\\\\\\\.b\"\n", { "--avoid", "^a\\.b" } },
		{ "EARLYOOM_ARGS=\"x\\$y \\`z\"\n", { "x$y", "`z" } },
		/* Lines. */
		{ "EARLYOOM_ARGS=\"-m 5 \\\n-s 10\"\n", { "-m", "5", "-s", "10" } },
		{ "EARLYOOM_ARGS=\"-m 5\n-s 10\"\n", { "-m", "5", "-s", "10" } },
		{ "EARLYOOM_ARGS=-m \\\n5\nOTHER=x\n", { "-m", "5" } },
		{ "# EARLYOOM_ARGS=\"-m 1\"\nEARLYOOM_ARGS=\"-m 2\"\r\n", { "-m", "2" } },
		{ "EARLYOOM_ARGS=\"-m 1\"\nEARLYOOM_ARGS=\"-m 2\"\n", { "-m", "2" } },
		{ "OTHER=\"\nEARLYOOM_ARGS=-m1\n\"\nEARLYOOM_ARGS=-m2\n", { "-m2" } },
		{ "if true; then :\nfi\nEARLYOOM_ARGS=-m2\n", { "-m2" } },
		{ "XEARLYOOM_ARGS=-m1\nEARLYOOM_ARGS=-m2\nEARLYOOM_ARGSX=-m3\n", { "-m2" } },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		_cleanup_(freep) char **words = NULL;
		struct import_world i;
		int count = 0, expected = 0;

		while (cases[n].words[expected])
			expected++;
		import_start(&i, *state);
		assert_int_equal(
			import_shell_words(&i.import, "f", cases[n].file, &words, &count), 0);
		if (count != expected + 1)
			fail_msg("%d words, not %d, in: %s", count - 1, expected, cases[n].file);
		for (int k = 0; k < expected; k++)
			assert_string_equal(words[k + 1], cases[n].words[k]);
		assert_null(words[count]);
		assert_int_equal(import_end(&i, 0), 0);
		import_free(&i);
	}
}

static void a_file_that_sets_nothing_is_the_defaults(void **state)
{
	static const char *const files[] = { "", "# EARLYOOM_ARGS=\"-m 1\"\n", "OTHER=1\n",
		"EARLYOOM_ARGS\n" };

	for (size_t n = 0; n < ARRAY_SIZE(files); n++) {
		struct import_world i;
		struct world *w = *state;
		const char *path = root_file(w, "/defaults", files[n]);

		import_start(&i, w);
		assert_int_equal(import_end(&i, import_earlyoom_file(&i.import, path)), 0);
		assert_int_equal(w->config->warn.memory.value, 100);
		assert_non_null(strstr(i.text, "Nothing sets EARLYOOM_ARGS there"));
		import_free(&i);
	}
}

static void the_default_file_is_used_where_there_is_one(void **state)
{
	struct import_world i;
	struct world *w = *state;

	import_start(&i, w);
	assert_int_equal(import_end(&i, import_earlyoom_file(&i.import, NULL)), 0);
	assert_int_equal(w->config->warn.memory.value, 100);
	assert_non_null(strstr(i.text, "no /etc/default/earlyoom"));
	import_free(&i);
	root_file(w, "/etc/default/earlyoom", "EARLYOOM_ARGS=\"-m 7\"\n");
	import_start(&i, w);
	assert_int_equal(import_end(&i, import_earlyoom_file(&i.import, NULL)), 0);
	assert_int_equal(w->config->warn.memory.value, 70);
	import_free(&i);
}

static void a_file_that_cannot_be_understood_is_refused_with_the_line(void **state)
{
	static const struct refused cases[] = {
		{ "A=1\nEARLYOOM_ARGS=\"-m 5\n", "/input:2: the quote in the value of EARLYOOM" },
		{ "\n\nOTHER='x\n\n", "/input:3: the quote in the value of OTHER" },
		{ "\nEARLYOOM_ARGS=\"--avoid 'x\"\n", "/input:2: a quote inside the value" },
	};

	assert_refused(*state, import_earlyoom_file, cases, ARRAY_SIZE(cases));
}

static void what_is_no_text_file_is_refused(void **state)
{
	static char large[1 << 21];
	struct world *w = *state;
	struct import_world i;
	char path[PATH_MAX];

	import_start(&i, w);
	assert_true(import_end(&i, import_earlyoom_file(&i.import, w->dir)) < 0);
	assert_non_null(strstr(i.errors, "must be a regular file"));
	import_free(&i);
	snprintf(path, sizeof(path), "%s/none", w->dir);
	import_start(&i, w);
	assert_int_equal(import_end(&i, import_earlyoom_file(&i.import, path)), -ENOENT);
	assert_non_null(strstr(i.errors, "there is no such file"));
	import_free(&i);
	write_whole(path, "A=\0", 3);
	import_start(&i, w);
	assert_true(import_end(&i, import_earlyoom_file(&i.import, path)) < 0);
	assert_non_null(strstr(i.errors, "is binary"));
	import_free(&i);
	write_whole(path, large, sizeof(large));
	import_start(&i, w);
	assert_true(import_end(&i, import_earlyoom_file(&i.import, path)) < 0);
	assert_non_null(strstr(i.errors, "is larger than 1 MiB"));
	import_free(&i);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(levels_are_those_of_the_options_or_the_defaults),
		TEST(what_is_out_of_our_bounds_is_moved_there_and_said),
		TEST(without_swap_the_share_holds_of_both),
		TEST(patterns_become_rules_that_match_the_same),
		TEST(prefer_avoid_ignore_and_root_are_four_rules),
		TEST(a_pattern_that_we_refuse_is_left_out_with_the_reason),
		TEST(each_option_without_an_equal_is_named),
		TEST(bad_options_are_refused_with_the_option),
		TEST(words_are_those_of_a_shell),
		TEST(a_file_that_sets_nothing_is_the_defaults),
		TEST(the_default_file_is_used_where_there_is_one),
		TEST(a_file_that_cannot_be_understood_is_refused_with_the_line),
		TEST(what_is_no_text_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
