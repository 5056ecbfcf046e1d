/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nohang, versions 0.1 to 0.3: "key = value", lines that begin with "@" and may be repeated, and
 * comments, which are all lines that begin with a blank or "#".
 */
#include "import-nohang.h"

#include <math.h>

#define DEFAULT_FILE "/etc/nohang/nohang.conf"
#define LINES_MAX    256

enum key {
	SOFT_MEMORY,
	SOFT_SWAP,
	SOFT_PSI,
	HARD_MEMORY,
	HARD_SWAP,
	HARD_PSI,
	PSI,
	PSI_METRICS,
	PSI_DURATION,
	SOFT_EXIT,
	MAX_SLEEP,
	FILL_RATE,
	TRANSLATED, /* those above have an equal */
};

#define SAID_ELSEWHERE "what is logged is no matter of the configuration; see oomfwd --verbose."
#define NO_WARNINGS                                                                                \
	"there are no warnings before anything is done; \"oomfwdctl status\" and the metrics of "  \
	"oomfwd-desk say how much memory is left."
#define BY_SAVINGS "oomfwd counts zram by the memory that it saves, always, as a part of free swap."

/* Its keys, with the value that it ships; a value that is another one and has no equal is named. */
static const struct known {
	const char *name, *initial, *instead;
} known[] = {
	[SOFT_MEMORY] = { "soft_threshold_min_mem", "5 %", NULL },
	[SOFT_SWAP] = { "soft_threshold_min_swap", "10 %", NULL },
	[SOFT_PSI] = { "soft_threshold_max_psi", "40", NULL },
	[HARD_MEMORY] = { "hard_threshold_min_mem", "2 %", NULL },
	[HARD_SWAP] = { "hard_threshold_min_swap", "4 %", NULL },
	[HARD_PSI] = { "hard_threshold_max_psi", "90", NULL },
	[PSI] = { "psi_checking_enabled", "False", NULL },
	[PSI_METRICS] = { "psi_metrics", "full_avg10", NULL },
	[PSI_DURATION] = { "psi_excess_duration", "30", NULL },
	[SOFT_EXIT] = { "max_soft_exit_time", "10", NULL },
	[MAX_SLEEP] = { "max_sleep", "3", NULL },
	[FILL_RATE] = { "fill_rate_mem", "6000", NULL },
	{ "psi_path", "/proc/pressure/memory",
		"[kill] and [warn] look at the pressure of the machine; for that of a cgroup write "
		"a [cgroup] section, which kills inside of it only." },
	{ "psi_post_action_delay", "15",
		"oomfwd waits until it has seen what a kill brought back, not for a fixed time." },
	{ "fill_rate_swap", "2000", "oomfwd goes by the rate of memory alone." },
	{ "fill_rate_zram", "4000", "oomfwd goes by the rate of memory alone." },
	{ "min_sleep", "0.1",
		"oomfwd looks as soon as the fastest plausible fill could have used what is "
		"left." },
	{ "zram_checking_enabled", "False", BY_SAVINGS },
	{ "soft_threshold_max_zram", "55 %", BY_SAVINGS },
	{ "hard_threshold_max_zram", "60 %", BY_SAVINGS },
	{ "warning_threshold_max_zram", "45 %", NO_WARNINGS },
	{ "warning_threshold_min_mem", "20 %", NO_WARNINGS },
	{ "warning_threshold_min_swap", "25 %", NO_WARNINGS },
	{ "warning_threshold_max_psi", "10", NO_WARNINGS },
	{ "low_memory_warnings_enabled", "False", NO_WARNINGS },
	{ "warning_exe", "", NO_WARNINGS },
	{ "min_post_warning_delay", "60", NO_WARNINGS },
	{ "env_cache_time", "300", NO_WARNINGS },
	{ "post_action_gui_notifications", "False",
		"there are no desktop notifications; oomfwd-desk has signals on the D-Bus "
		"(org.oomfwd1), and runs the program named by post_kill in [desk]." },
	{ "hide_corrective_action_type", "False", "there are no desktop notifications." },
	{ "post_kill_exe", "",
		"oomfwd-desk runs the program named by post_kill in [desk] after each episode, "
		"without arguments, as the user oomfwd, and with the episode as JSON on its "
		"standard input; adapt yours to that." },
	{ "exe_timeout", "20",
		"that of the program named by post_kill is hook_timeout in [desk]." },
	{ "ignore_positive_oom_score_adj", "False",
		"oomfwd counts oom_score_adj as the kernel does; set OOMScoreAdjust=0 where that "
		"should not be." },
	{ "min_badness", "1", "oomfwd chooses whoever brings back what is missing." },
	{ "post_soft_action_delay", "3",
		"oomfwd waits until it has seen what a kill brought back, not for a fixed time." },
	{ "post_zombie_delay", "0.1",
		"oomfwd sees whether the memory is back, whatever becomes of the process." },
	{ "victim_cache_time", "10", "oomfwd chooses anew for each kill." },
	{ "print_config_at_startup", "False", SAID_ELSEWHERE },
	{ "print_mem_check_results", "False", SAID_ELSEWHERE },
	{ "min_mem_report_interval", "60", SAID_ELSEWHERE },
	{ "print_proc_table", "False", "see \"oomfwdctl top\" and \"oomfwdctl simulate\"." },
	{ "extra_table_info", "None", "see \"oomfwdctl top\" and \"oomfwdctl simulate\"." },
	{ "print_victim_status", "True", SAID_ELSEWHERE },
	{ "print_victim_cmdline", "False", SAID_ELSEWHERE },
	{ "max_victim_ancestry_depth", "3", SAID_ELSEWHERE },
	{ "print_statistics", "True", "see \"oomfwdctl status\" and \"oomfwdctl history\"." },
	{ "debug_psi", "False", SAID_ELSEWHERE },
	{ "debug_gui_notifications", "False", SAID_ELSEWHERE },
	{ "debug_sleep", "False", SAID_ELSEWHERE },
	{ "debug_threading", "False", SAID_ELSEWHERE },
	{ "separate_log", "False", "oomfwd logs to the journal, or to standard error." },
};

/* What a file says; values and lines are in its text. */
struct nohang {
	const char *path;
	struct nohang_line settings[ARRAY_SIZE(known)];
	struct nohang_line lines[LINES_MAX]; /* that begin with "@", whole */
	uint32_t line_count;
	struct nohang_line unknown[LINES_MAX];
	uint32_t unknown_count;
};

/* --- reading --- */

static int take_setting(struct import *im, struct nohang *n, char *text, unsigned line)
{
	char quoted[IMPORT_QUOTE_MAX], *value = strchr(text, '=');
	size_t i = 0;

	if (!value)
		return import_complain(im, n->path, line,
			"\"%s\" is neither key = value, nor @PARAMETER, nor a comment",
			import_quote(text, quoted));
	*value++ = '\0';
	text = trim_blanks(text);
	while (i < ARRAY_SIZE(known) && strcmp(known[i].name, text) != 0)
		i++;
	if (i == ARRAY_SIZE(known)) {
		if (n->unknown_count < LINES_MAX)
			n->unknown[n->unknown_count++] = (struct nohang_line){ text, line };
		return 0;
	}
	if (n->settings[i].value)
		return import_complain(im, n->path, line, "%s was set in line %u already", text,
			n->settings[i].line);
	n->settings[i] = (struct nohang_line){ trim_blanks(value), line };
	return 0;
}

static int take_text(struct import *im, struct nohang *n, char *text)
{
	unsigned number = 0;
	char *line;

	while ((line = import_next_line(&text))) {
		int r = 0;

		number++;
		if (!*line || strchr("# \t", *line))
			continue;
		if (*line != '@')
			r = take_setting(im, n, line, number);
		else if (n->line_count < LINES_MAX)
			n->lines[n->line_count++] =
				(struct nohang_line){ trim_blanks(line), number };
		else
			r = import_complain(
				im, n->path, number, "more than %d lines with @", LINES_MAX);
		if (r < 0)
			return r;
	}
	return 0;
}

static const char *value_of(const struct nohang *n, enum key key)
{
	return n->settings[key].value ? n->settings[key].value : known[key].initial;
}

/* "soft_threshold_min_mem = 5 % (line 7)" */
static char *origin_of(const struct nohang *n, enum key key, char ret[IMPORT_QUOTE_MAX])
{
	char text[IMPORT_QUOTE_MAX + 32];

	if (n->settings[key].value)
		snprintf(text, sizeof(text), "line %u: %s = %.64s", n->settings[key].line,
			known[key].name, n->settings[key].value);
	else
		snprintf(text, sizeof(text), "not set: %s = %s", known[key].name,
			known[key].initial);
	return import_quote(text, ret);
}

static int refuse(struct import *im, const struct nohang *n, enum key key, const char *wanted)
{
	char quoted[IMPORT_QUOTE_MAX];

	return import_complain(im, n->path, n->settings[key].line, "%s = \"%s\" is no %s",
		known[key].name, import_quote(value_of(n, key), quoted), wanted);
}

static int number_of(struct import *im, const struct nohang *n, enum key key, double *ret)
{
	return import_parse_number(value_of(n, key), ret) == 0 ? 0 : refuse(im, n, key, "number");
}

/* "5 %" or "300 M" */
static int amount_of(
	struct import *im, const struct nohang *n, enum key key, struct import_amount *ret)
{
	char text[64];
	size_t length = strlen(value_of(n, key));
	char unit = length > 0 ? value_of(n, key)[length - 1] : '\0';

	if ((unit != '%' && unit != 'M') || length >= sizeof(text))
		return refuse(im, n, key, "share (%) or size (M)");
	memcpy(text, value_of(n, key), length);
	text[length - 1] = '\0';
	if (import_parse_number(trim_blanks(text), &ret->value) < 0)
		return refuse(im, n, key, "share (%) or size (M)");
	ret->bytes = unit == 'M';
	if (ret->bytes)
		ret->value *= (double)MIB;
	return 0;
}

/* --- levels --- */

/* "some_avg60": the kind and the seconds of it. */
static int metrics_of(struct import *im, const struct nohang *n, bool *ret_full, double *ret_span)
{
	static const char *const names[] = { "some_avg10", "some_avg60", "some_avg300",
		"full_avg10", "full_avg60", "full_avg300" };
	static const double spans[] = { 10, 60, 300 };
	const char *value = value_of(n, PSI_METRICS);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(value, names[i]) == 0) {
			*ret_full = i >= ARRAY_SIZE(spans);
			*ret_span = spans[i % ARRAY_SIZE(spans)];
			return 0;
		}
	return refuse(im, n, PSI_METRICS, "some_avg10, full_avg60 or the like");
}

/* The stalls that count as this level; none when they are not looked at. */
static int pressure_of(
	struct import *im, const struct nohang *n, enum key key, struct config_pressure *ret)
{
	double percent = 0, duration = 0, span = 0;
	char origin[IMPORT_QUOTE_MAX];
	bool full = false, on = strcmp(value_of(n, PSI), "True") == 0;

	if (!on && strcmp(value_of(n, PSI), "False") != 0)
		return refuse(im, n, PSI, "True or False");
	if (number_of(im, n, key, &percent) < 0 || number_of(im, n, PSI_DURATION, &duration) < 0 ||
		metrics_of(im, n, &full, &span) < 0)
		return -EINVAL;
	if (on)
		*ret = import_fit_pressure(
			im, origin_of(n, key, origin), full, percent, fmax(span, duration));
	return 0;
}

static int level_of(
	struct import *im, const struct nohang *n, enum key first, struct config_level *ret)
{
	struct import_amount memory = { 0 }, swap = { 0 };
	char origin[IMPORT_QUOTE_MAX];

	if (amount_of(im, n, first, &memory) < 0 || amount_of(im, n, first + 1, &swap) < 0)
		return -EINVAL;
	ret->memory = import_fit(im, origin_of(n, first, origin), IMPORT_MEMORY, memory);
	ret->swap = import_fit(im, origin_of(n, first + 1, origin), IMPORT_SWAP, swap);
	return pressure_of(im, n, first + 2, &ret->pressure);
}

static void put_level(struct import *im, const struct nohang *n, const char *name, enum key first,
	const struct config_level *level)
{
	char memory[IMPORT_QUOTE_MAX], swap[IMPORT_QUOTE_MAX], pressure[IMPORT_QUOTE_MAX];
	const char *const from[] = { memory, swap, pressure };

	origin_of(n, first, memory);
	origin_of(n, first + 1, swap);
	origin_of(n, level->pressure.set ? first + 2 : PSI, pressure);
	import_put_level(im, name, level, from);
}

static void put_guard(struct import *im, const struct config_level *warn)
{
	fputs("\n[pressure]\n", im->config);
	import_comment(im, "nohang acts on stalls only while memory is below the threshold.");
	import_put_amount(im, "guard", &warn->memory);
	fputc('\n', im->config);
	import_no_equal(im, known[PSI].name,
		"nohang looks at stalls only where there is swap, and sends SIGKILL for them only "
		"below hard_threshold_min_mem; oomfwd has one guard for both levels.");
}

static int put_levels(struct import *im, const struct nohang *n)
{
	struct config_level warn = { 0 }, kill = { 0 };

	fputc('\n', im->config);
	if (level_of(im, n, SOFT_MEMORY, &warn) < 0 || level_of(im, n, HARD_MEMORY, &kill) < 0)
		return -EINVAL;
	import_fit_levels(im, &warn, &kill);
	put_level(im, n, "warn", SOFT_MEMORY, &warn);
	put_level(im, n, "kill", HARD_MEMORY, &kill);
	if (warn.pressure.set)
		put_guard(im, &warn);
	return 0;
}

static int put_timing(struct import *im, const struct nohang *n)
{
	double grace, sleep, rate;
	char origin[IMPORT_QUOTE_MAX];
	uint64_t usec;

	if (number_of(im, n, SOFT_EXIT, &grace) < 0 || number_of(im, n, MAX_SLEEP, &sleep) < 0 ||
		number_of(im, n, FILL_RATE, &rate) < 0)
		return -EINVAL;
	fputs("\n[timing]\n", im->config);
	import_comment(im, "%s", origin_of(n, SOFT_EXIT, origin));
	usec = import_fit_duration(im, origin, grace, USEC_PER_SEC / 10, 600 * USEC_PER_SEC);
	import_put_duration(im, "term_grace", usec);
	import_comment(im, "%s", origin_of(n, MAX_SLEEP, origin));
	usec = import_fit_duration(im, origin, sleep, USEC_PER_SEC / 10, 10 * USEC_PER_SEC);
	import_put_duration(im, "max_sleep", usec);
	import_comment(im, "%s (MiB a second)", origin_of(n, FILL_RATE, origin));
	fprintf(im->config, "fill_rate = %.0fM\n", fmin(fmax(rate, 16), (double)(MIB)));
	return 0;
}

/* --- the rest --- */

/* "5 %" and "5%" and "5.0%" are the same. */
static bool is_initial(const char *value, const char *initial)
{
	char *value_end, *initial_end;
	double a = strtod(value, &value_end), b = strtod(initial, &initial_end);

	if (value_end == value || initial_end == initial)
		return strcmp(value, initial) == 0;
	return a == b &&
		strcmp(value_end + strspn(value_end, " "),
			initial_end + strspn(initial_end, " ")) == 0;
}

static void put_rest(struct import *im, const struct nohang *n)
{
	char origin[IMPORT_QUOTE_MAX];

	fputc('\n', im->config);
	for (enum key i = TRANSLATED; i < ARRAY_SIZE(known); i++)
		if (n->settings[i].value && !is_initial(n->settings[i].value, known[i].initial))
			import_no_equal(im, origin_of(n, i, origin), "%s", known[i].instead);
	for (uint32_t i = 0; i < n->unknown_count; i++) {
		snprintf(origin, sizeof(origin), "line %u: %.64s", n->unknown[i].line,
			n->unknown[i].value);
		import_no_equal(im, origin, "is not known to be a key of nohang.");
	}
}

static int convert(struct import *im, struct nohang *n, char *text)
{
	int r = take_text(im, n, text);

	if (r < 0)
		return r;
	import_begin(im, "nohang", n->path);
	r = put_levels(im, n);
	if (r == 0)
		r = put_timing(im, n);
	if (r == 0)
		r = nohang_put_lines(im, n->path, n->lines, n->line_count);
	if (r == 0)
		put_rest(im, n);
	return r;
}

int import_nohang(struct import *im, const char *path)
{
	_cleanup_(freep) char *usual = NULL, *text = NULL;
	_cleanup_(freep) struct nohang *n = calloc(1, sizeof(*n));
	int r;

	if (asprintf(&usual, "%s" DEFAULT_FILE, im->root) < 0)
		usual = NULL;
	if (!n || !usual)
		return import_complain(im, DEFAULT_FILE, 0, "no memory is left to read it");
	n->path = path ? path : usual;
	r = import_read(im, n->path, &text);
	if (r == -ENOENT)
		import_complain(im, n->path, 0, "there is no such file");
	return r < 0 ? r : convert(im, n, text);
}
