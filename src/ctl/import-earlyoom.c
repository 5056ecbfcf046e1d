/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * earlyoom, versions 1.2 to 1.9 and --kernel-oom: its options are all the configuration it has.
 */
#include "import.h"

#include <getopt.h>
#include <math.h>

#define DEFAULT_FILE "/etc/default/earlyoom"
/* What it takes: the share of memory that SIGTERM may begin at, and that of swap. */
#define MEMORY_MAX_PERCENT 99
#define SWAP_MAX_PERCENT   100
/*
 * It adds 300 to oom_score, which since Linux 5.9 is two thirds of what oom_score_adj counts:
 * fs/proc/base.c:proc_oom_score.
 */
#define PREFER_POINTS 450

/* For SIGTERM and for SIGKILL: percent or KiB. */
struct pair {
	bool set;
	char text[64]; /* as given */
	double term, kill;
};

/* One of memory or swap. */
struct limits {
	struct pair share, size;
};

enum pattern { PREFER, AVOID, IGNORE, PATTERNS };

struct earlyoom {
	struct limits memory, swap;
	const char *patterns[PATTERNS]; /* NULL: not given */
	const char *script;             /* -N */
	bool ignore_root;
	unsigned flags; /* of the table below, by index */
};

/* Options that have no argument of interest, and no equal. */
static const struct flag {
	const char *name;
	char option;
	const char *instead;
} flags[] = {
	{ "-g", 'g',
		"killing the process group has no equal; oomfwd kills whoever shares the victim's "
		"memory, its whole cgroup where memory.oom.group is set, and with kill = cgroup in "
		"a [cgroup] section all of that." },
	{ "-n", 'n',
		"there are no desktop notifications; oomfwd-desk has signals on the D-Bus "
		"(org.oomfwd1), and runs the program named by post_kill in [desk]." },
	{ "-P", 'P', "no program is run before a kill, since memory is short then." },
	{ "-r", 'r',
		"there are no periodic reports; \"oomfwdctl status\" and the metrics of "
		"oomfwd-desk say how much memory is left." },
	{ "-d", 'd', "is no matter of the configuration; run oomfwd --verbose." },
	{ "-p", 'p', "is no matter of the configuration; oomfwd.service sets the priorities." },
	{ "-i", 'i', "earlyoom ignores this since 1.7, and so does oomfwd." },
	{ "-k", 'k', "earlyoom ignores this since 1.2, and so does oomfwd." },
	{ "--dryrun", 'D', "is no matter of the configuration; run oomfwd --dry-run." },
	{ "--syslog", 'L', "oomfwd logs to the journal, or to standard error." },
	{ "--sort-by-rss", 'R',
		"oomfwd goes by the memory that comes back when the victim and all who share it "
		"are gone, with oom_score_adj as in the kernel; set OOMScoreAdjust=0 where that "
		"should not count." },
	{ "--kernel-oom", 'K',
		"oomfwd asks the kernel's OOM killer only when no victim of its own is left: the "
		"step kernel of ladder in [escalate], which is there by default." },
	{ "-v", 'v', "earlyoom would only print its version and exit." },
	{ "-h", 'h', "earlyoom would only print its help and exit." },
};

/* --- options --- */

/* "10" or "10,5". ret_what: what is wrong. */
static int parse_pair(const char *text, double most, struct pair *ret, const char **ret_what)
{
	struct pair p = { .set = true };
	char term[sizeof(p.text)], *comma;

	*ret_what = "is no number, or two with a comma between";
	if (strlen(text) >= sizeof(p.text))
		return -EINVAL;
	memcpy(p.text, text, strlen(text) + 1);
	memcpy(term, text, strlen(text) + 1);
	comma = strchr(term, ',');
	if (comma)
		*comma = '\0';
	if (import_parse_number(term, &p.term) < 0)
		return -EINVAL;
	p.kill = p.term / 2;
	if (comma && import_parse_number(comma + 1, &p.kill) < 0)
		return -EINVAL;
	*ret_what = "is more than earlyoom takes";
	if (p.term > most || p.kill > most)
		return -EINVAL;
	*ret_what = "has no level that is above zero";
	if (p.term <= 0 && p.kill <= 0)
		return -EINVAL;
	/* As it does. */
	p.term = fmax(p.term, p.kill);
	*ret = p;
	return 0;
}

static int take_pair(struct import *im, int option, double most, struct pair *ret)
{
	char name[] = { '-', (char)option, '\0' }, quoted[IMPORT_QUOTE_MAX];
	const char *what;

	if (parse_pair(optarg, most, ret, &what) == 0)
		return 0;
	return import_complain(im, "earlyoom", 0, "%s %s: \"%s\" %s", name,
		option == 'm' || option == 's' ? "PERCENT[,PERCENT]" : "SIZE[,SIZE]",
		import_quote(optarg, quoted), what);
}

static int take_option(struct import *im, int option, struct earlyoom *e)
{
	switch (option) {
	case 'm':
		return take_pair(im, option, MEMORY_MAX_PERCENT, &e->memory.share);
	case 's':
		return take_pair(im, option, SWAP_MAX_PERCENT, &e->swap.share);
	case 'M':
		return take_pair(im, option, INFINITY, &e->memory.size);
	case 'S':
		return take_pair(im, option, INFINITY, &e->swap.size);
	case 'N':
		e->script = optarg;
		return 0;
	case '1':
	case '2':
	case '3':
		e->patterns[option - '1'] = optarg;
		return 0;
	case '4':
		e->ignore_root = true;
		return 0;
	default:
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			if (flags[i].option == option)
				e->flags |= 1u << i;
		return 0;
	}
}

static int parse_options(struct import *im, int argc, char **argv, struct earlyoom *ret)
{
	static const struct option longs[] = {
		{ "prefer", required_argument, NULL, '1' },
		{ "avoid", required_argument, NULL, '2' },
		{ "ignore", required_argument, NULL, '3' },
		{ "ignore-root-user", no_argument, NULL, '4' },
		{ "dryrun", no_argument, NULL, 'D' },
		{ "syslog", no_argument, NULL, 'L' },
		{ "sort-by-rss", no_argument, NULL, 'R' },
		{ "kernel-oom", no_argument, NULL, 'K' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char quoted[IMPORT_QUOTE_MAX];
	int option, r;

	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, ":m:s:M:S:kingN:P:dvr:ph", longs, NULL)) >= 0) {
		if (option == ':')
			return import_complain(im, "earlyoom", 0, "%s lacks its argument",
				import_quote(argv[optind - 1], quoted));
		if (option == '?' && optopt)
			return import_complain(im, "earlyoom", 0, "there is no option -%s",
				import_quote((char[]){ (char)optopt, '\0' }, quoted));
		if (option == '?')
			return import_complain(im, "earlyoom", 0, "there is no option %s",
				import_quote(argv[optind - 1], quoted));
		r = take_option(im, option, ret);
		if (r < 0)
			return r;
	}
	if (optind < argc)
		return import_complain(im, "earlyoom", 0, "\"%s\" is no option",
			import_quote(argv[optind], quoted));
	return 0;
}

/* --- levels --- */

/* What holds of -m and -M, or of -s and -S: the lower one where both are given. */
static struct import_amount lower_of(const struct limits *l, uint64_t total_bytes, bool kill)
{
	double share = kill ? 5 : 10, bytes;

	if (l->share.set)
		share = kill ? l->share.kill : l->share.term;
	if (!l->size.set)
		return (struct import_amount){ false, share };
	bytes = (kill ? l->size.kill : l->size.term) * (double)KIB;
	/* Without swap it goes by the share, which then makes no difference. */
	if (l->share.set && (total_bytes == 0 || share / 100 * (double)total_bytes < bytes))
		return (struct import_amount){ false, share };
	return (struct import_amount){ true, bytes };
}

static void name_origin(const struct limits *l, char share, char size, char *ret, size_t room)
{
	int n = 0;

	if (l->share.set)
		n = snprintf(ret, room, "-%c %s", share, l->share.text);
	if (l->size.set)
		snprintf(ret + n, room - (size_t)n, "%s-%c %s", n > 0 ? ", " : "", size,
			l->size.text);
	else if (n == 0)
		snprintf(ret, room, "no -%c: earlyoom's default, 10,5", share);
}

static void put_levels(struct import *im, const struct earlyoom *e)
{
	char memory[160], swap[160];
	const char *const from[] = { memory, swap, "earlyoom does not look at pressure." };
	struct config_level warn = { 0 }, kill = { 0 };

	name_origin(&e->memory, 'm', 'M', memory, sizeof(memory));
	name_origin(&e->swap, 's', 'S', swap, sizeof(swap));
	warn.memory = import_fit(
		im, memory, IMPORT_MEMORY, lower_of(&e->memory, im->memory_bytes, false));
	warn.swap = import_fit(im, swap, IMPORT_SWAP, lower_of(&e->swap, im->swap_bytes, false));
	kill.memory =
		import_fit(im, memory, IMPORT_MEMORY, lower_of(&e->memory, im->memory_bytes, true));
	kill.swap = import_fit(im, swap, IMPORT_SWAP, lower_of(&e->swap, im->swap_bytes, true));
	import_fit_levels(im, &warn, &kill);
	if (e->memory.share.set && e->memory.size.set)
		import_comment(im, "%s: the lower one on this machine holds.", memory);
	import_put_level(im, "warn", &warn, from);
	import_put_level(im, "kill", &kill, from);
	import_comment(
		im, "oomfwd can act on stalls as well, by default at: pressure = full 60%% 20s");
}

/* --- whom --- */

static void put_rules(struct import *im, const struct earlyoom *e)
{
	static const struct {
		const char *option, *action, *name;
	} rules[PATTERNS] = {
		[PREFER] = { "--prefer", "prefer", "earlyoom-prefer" },
		[AVOID] = { "--avoid", "avoid", "earlyoom-avoid" },
		[IGNORE] = { "--ignore", "protect", "earlyoom-ignore" },
	};
	bool put[PATTERNS] = { false };

	for (size_t i = 0; i < PATTERNS; i++)
		if (e->patterns[i])
			put[i] = import_put_rule(im, rules[i].option, rules[i].action,
				rules[i].name, "comm", e->patterns[i]);
	if (e->ignore_root)
		import_put_rule(im, "--ignore-root-user", "protect", "earlyoom-root", "uid", "0");
	if (put[PREFER]) {
		fputs("\n[victims]\n", im->config);
		import_comment(im,
			"--prefer: 300 points of oom_score are 450 thousandths of all memory, "
			"since Linux 5.9 counts them by two thirds.");
		fprintf(im->config, "prefer_points = %d\n", PREFER_POINTS);
	}
	fputc('\n', im->config);
	if (put[AVOID])
		import_no_equal(im, rules[AVOID].option,
			"earlyoom takes 300 off the oom_score, so that a process that is larger by "
			"45%% of memory dies all the same; oomfwd takes it only when nobody else "
			"is left, at the step avoided of ladder in [escalate].");
	if (put[IGNORE])
		import_no_equal(im, rules[IGNORE].option,
			"a process sets its name as it likes, and this one protects it for that; "
			"add a condition that it cannot forge, such as exe and uid, or cgroup. "
			"Whoever shares memory with it is protected as well.");
}

static void put_differences(struct import *im, const struct earlyoom *e)
{
	char quoted[IMPORT_QUOTE_MAX];

	if (e->script)
		import_no_equal(im, "-N",
			"oomfwd-desk runs a program after each episode, as the user oomfwd, with "
			"the episode as JSON on its standard input instead of EARLYOOM_PID and the "
			"like; adapt %s to that, and name it by post_kill in [desk].",
			import_quote(e->script, quoted));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (e->flags & 1u << i)
			import_no_equal(im, flags[i].name, "%s", flags[i].instead);
	if (!e->memory.size.set || e->memory.share.set)
		import_no_equal(im, "percent of memory",
			"earlyoom counts them of what processes can have (MemAvailable and "
			"AnonPages), oomfwd of all memory (MemTotal) less what huge pages hold, so "
			"that it acts a little earlier.");
	import_no_equal(im, "SIGTERM",
		"earlyoom sends SIGKILL by the level alone, and SIGTERM again and again before; "
		"oomfwd also sends SIGKILL when term_grace in [timing], 10s, is over.");
}

static int convert(struct import *im, int argc, char **argv)
{
	struct earlyoom e = { 0 };
	int r = parse_options(im, argc, argv, &e);

	if (r < 0)
		return r;
	fputc('\n', im->config);
	put_levels(im, &e);
	put_rules(im, &e);
	put_differences(im, &e);
	return 0;
}

int import_earlyoom(struct import *im, int argc, char **argv)
{
	import_begin(im, "earlyoom", "its arguments");
	return convert(im, argc, argv);
}

/* The words in the file; *ret_count 0: there are none. optional: the file may be missing. */
static int read_words(
	struct import *im, const char *path, bool optional, char ***ret, int *ret_count)
{
	_cleanup_(freep) char *text = NULL;
	int r = import_read(im, path, &text);

	*ret_count = 0;
	if (r == -ENOENT && optional) {
		import_begin(im, "earlyoom", "no " DEFAULT_FILE ", so by its defaults");
		return 0;
	}
	if (r == -ENOENT)
		import_complain(im, path, 0, "there is no such file");
	if (r < 0)
		return r;
	import_begin(im, "earlyoom", path);
	r = import_shell_words(im, path, text, ret, ret_count);
	if (r == 0 && *ret_count == 0)
		import_comment(im, "Nothing sets EARLYOOM_ARGS there: its defaults hold.");
	return r;
}

int import_earlyoom_file(struct import *im, const char *path)
{
	_cleanup_(freep) char *usual = NULL, **words = NULL;
	char name[] = "earlyoom", *none[] = { name, NULL };
	int count, r;

	if (asprintf(&usual, "%s" DEFAULT_FILE, im->root) < 0) {
		usual = NULL;
		return import_complain(im, DEFAULT_FILE, 0, "no memory is left to read it");
	}
	r = read_words(im, path ? path : usual, !path, &words, &count);
	if (r < 0)
		return r;
	return count > 0 ? convert(im, count, words) : convert(im, 1, none);
}
