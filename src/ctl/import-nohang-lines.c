/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lines of nohang.conf that begin with "@": who is chosen rather than others, and what is done.
 */
#include "import-nohang.h"

#define MATCH "@BADNESS_ADJ_RE_"
/* oom_score counts by two thirds of what oom_score_adj does, since Linux 5.9. */
#define POINTS_OF(score) ((score)*3 / 2)

/* @BADNESS_ADJ_RE_WHAT: the condition of a rule that is its equal. */
static const struct property {
	const char *name, *key; /* key NULL: none */
} properties[] = {
	{ "NAME", "comm" },
	{ "CMDLINE", "cmdline" },
	{ "UID", "uid" },
	{ "CGROUP_V1", "cgroup" },
	{ "CGROUP_V2", "cgroup" },
	{ "REALPATH", "exe" },
	{ "CWD", NULL },
	{ "ENVIRON", NULL },
};

/* "^0$", "^(0|33)$": a rule for each; false: it is something else. */
static bool put_users(struct import *im, const char *origin, const char *action, const char *name,
	const char *pattern)
{
	char text[128], rule[2 * CONFIG_NAME_MAX], *users = text, *save = NULL;
	size_t length = strlen(pattern);

	if (length < 3 || length >= sizeof(text) || pattern[0] != '^' || pattern[length - 1] != '$')
		return false;
	memcpy(text, pattern + 1, length - 2);
	text[length - 2] = '\0';
	length = strlen(text);
	if (text[0] == '(' && text[length - 1] == ')') {
		text[length - 1] = '\0';
		users++;
	} else if (strchr(text, '|')) {
		return false; /* "^0|33$" has an end on each side only */
	}
	if (!*users || users[strspn(users, "0123456789|")] || strstr(users, "||"))
		return false;
	for (char *u = strtok_r(users, "|", &save); u; u = strtok_r(NULL, "|", &save)) {
		snprintf(rule, sizeof(rule), "%s-%.10s", name, u);
		import_put_rule(im, origin, action, rule, "uid", u);
	}
	return true;
}

static void put_pattern(struct import *im, const struct nohang_line *line, const char *key,
	bool prefer, const char *pattern)
{
	const char *action = prefer ? "prefer" : "avoid", *why = NULL;
	_cleanup_(freep) char *translated = NULL;
	char origin[IMPORT_QUOTE_MAX + 32], name[CONFIG_NAME_MAX], quoted[IMPORT_QUOTE_MAX];

	snprintf(origin, sizeof(origin), "line %u: %s", line->line,
		import_quote(line->value, quoted));
	snprintf(name, sizeof(name), "nohang-line-%u", line->line);
	if (strcmp(key, "uid") == 0) {
		if (!put_users(im, origin, action, name, pattern))
			import_no_equal(im, origin,
				"left out: a user is a number or a name, not a pattern; write a "
				"rule for each.");
		return;
	}
	translated = import_python_pattern(pattern, &why);
	if (translated)
		import_put_rule(im, origin, action, name, key, translated);
	else
		import_no_equal(im, origin, "left out: the pattern %s.", why);
}

/* What "BADNESS_ADJ_RE_NAME 200 /// ^x$" says. */
static int parse_match(struct import *im, const char *path, const struct nohang_line *line,
	const struct property **ret, long *ret_points, const char **ret_pattern)
{
	const char *text = line->value + strlen(MATCH), *separator = strstr(text, "///");
	size_t length = strcspn(text, " \t"), i = 0;
	char *end;

	while (i < ARRAY_SIZE(properties) &&
		(strlen(properties[i].name) != length ||
			memcmp(properties[i].name, text, length) != 0))
		i++;
	if (i == ARRAY_SIZE(properties) || !separator)
		return import_complain(im, path, line->line,
			"write " MATCH "WHAT POINTS /// PATTERN, with NAME, CMDLINE or the like "
			"for WHAT");
	*ret_points = strtol(text + length, &end, 10);
	if (end == text + length || end + strspn(end, " \t") != separator)
		return import_complain(
			im, path, line->line, "the points in front of /// must be a number");
	*ret = &properties[i];
	separator += strlen("///");
	*ret_pattern = separator + strspn(separator, " \t");
	return 0;
}

/* What the rules that were put amount to. */
struct put {
	long most; /* points of a preferred one; 0: there is none */
	bool avoided;
};

static int put_match(
	struct import *im, const char *path, const struct nohang_line *line, struct put *put)
{
	const struct property *property = NULL;
	const char *pattern = NULL;
	uint32_t before = im->rules;
	char origin[32];
	long p = 0;
	int r = parse_match(im, path, line, &property, &p, &pattern);

	if (r < 0 || p == 0 || !property)
		return r;
	fputc('\n', im->config);
	if (property->key) {
		put_pattern(im, line, property->key, p > 0, pattern);
		if (im->rules > before) {
			put->most = p > put->most ? p : put->most;
			put->avoided |= p < 0;
		}
		return 0;
	}
	snprintf(origin, sizeof(origin), "line %u", line->line);
	import_no_equal(im, origin, "oomfwd has no rules that go by %s.",
		strcmp(property->name, "CWD") == 0 ? "the working directory" : "the environment");
	return 0;
}

static void put_other_line(struct import *im, const struct nohang_line *line)
{
	char origin[IMPORT_QUOTE_MAX + 32], quoted[IMPORT_QUOTE_MAX];

	snprintf(origin, sizeof(origin), "line %u: %s", line->line,
		import_quote(line->value, quoted));
	fputc('\n', im->config);
	if (strncmp(line->value, "@SOFT_ACTION_RE_", strlen("@SOFT_ACTION_RE_")) == 0)
		import_no_equal(im, origin,
			"oomfwd runs no command instead of SIGTERM; post_kill in [desk] names a "
			"program for after each episode, and Restart= of a unit starts it again.");
	else if (strcmp(line->value, "@check_kmsg") == 0 || strcmp(line->value, "@debug_kmsg") == 0)
		import_no_equal(im, origin,
			"oomfwd sees by itself when the kernel has killed, and logs it.");
	else
		import_no_equal(im, origin, "is not known to be a parameter of nohang.");
}

static void put_points(struct import *im, long most)
{
	fputs("\n[victims]\n", im->config);
	import_comment(im,
		"The most that one of the lines adds: %ld points of oom_score, of which two count "
		"for three thousandths of all memory since Linux 5.9.",
		most);
	fprintf(im->config, "prefer_points = %ld\n", most < 667 ? POINTS_OF(most) : 1000);
	fputc('\n', im->config);
	import_no_equal(im, "@BADNESS_ADJ_RE above 0",
		"nohang adds the points of all lines that match, and oomfwd the same number to "
		"whoever is preferred, once, whatever its oom_score_adj.");
}

int nohang_put_lines(
	struct import *im, const char *path, const struct nohang_line *lines, uint32_t count)
{
	struct put put = { 0 };

	for (uint32_t i = 0; i < count; i++) {
		int r = 0;

		if (strncmp(lines[i].value, MATCH, strlen(MATCH)) == 0)
			r = put_match(im, path, &lines[i], &put);
		else
			put_other_line(im, &lines[i]);
		if (r < 0)
			return r;
	}
	if (put.most > 0)
		put_points(im, put.most);
	fputc('\n', im->config);
	if (!put.avoided)
		return 0;
	import_no_equal(im, "@BADNESS_ADJ_RE below 0",
		"nohang takes the points off, so that a process that is larger by as much dies all "
		"the same; oomfwd takes one that is avoided only when nobody else is left, at the "
		"step avoided of ladder in [escalate].");
	return 0;
}
