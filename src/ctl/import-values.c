/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of others into values that our parser takes, and as lines of a configuration.
 */
#include "import.h"

#include <math.h>

#define PRESSURE_MIN_SEC 1
#define PRESSURE_MAX_SEC 600

/* --- fitting --- */

/* In permille for a share, in bytes for a size. */
static const struct bounds {
	const char *name;
	uint64_t min_permille, max_permille, min_bytes;
} bounds[] = {
	[IMPORT_MEMORY] = { "memory", 1, 900, MIB },
	[IMPORT_SWAP] = { "swap", 0, 1000, 0 },
	[IMPORT_GUARD] = { "guard", 1, 1000, MIB },
};

/* "2.5%", "512M", "off" */
static char *amount_text(const struct config_amount *a, char *ret, size_t size)
{
	static const struct {
		uint64_t factor;
		char unit;
	} units[] = { { GIB, 'G' }, { MIB, 'M' }, { KIB, 'K' } };
	size_t u = 0;

	switch (a->kind) {
	case AMOUNT_OFF:
		snprintf(ret, size, "off");
		break;
	case AMOUNT_PERMILLE:
		snprintf(ret, size, a->value % 10 ? "%u.%u%%" : "%u%%", (unsigned)(a->value / 10),
			(unsigned)(a->value % 10));
		break;
	case AMOUNT_BYTES:
		while (u + 1 < ARRAY_SIZE(units) && a->value % units[u].factor != 0)
			u++;
		snprintf(ret, size, "%llu%c", (unsigned long long)(a->value / units[u].factor),
			units[u].unit);
		break;
	}
	return ret;
}

static struct config_amount fit_share(
	struct import *im, const char *origin, const struct bounds *b, double percent)
{
	double permille = round(percent * 10);
	struct config_amount a = { .kind = AMOUNT_PERMILLE };
	char text[32];

	a.value = permille < (double)b->min_permille ? b->min_permille
		: permille > (double)b->max_permille ? b->max_permille
						     : (uint64_t)permille;
	amount_text(&a, text, sizeof(text));
	if ((double)a.value != permille)
		import_no_equal(im, origin,
			"%g%% is out of the bounds of %s, %g%% to %g%%; it is %s here.", percent,
			b->name, (double)b->min_permille / 10, (double)b->max_permille / 10, text);
	else if (fabs(percent * 10 - permille) > 1e-6)
		import_comment(im, "%g%%, rounded to a tenth.", percent);
	return a;
}

static struct config_amount fit_size(
	struct import *im, const char *origin, const struct bounds *b, double bytes)
{
	uint64_t most = im->memory_bytes && b->max_permille < 1000
		? mul_div_u64(im->memory_bytes, b->max_permille, 1000)
		: UINT64_MAX;
	struct config_amount a = { .kind = AMOUNT_BYTES };

	if (bytes > (double)min_u64(most, UINT64_C(1) << 60)) {
		import_no_equal(im, origin,
			"the size is more than nearly all memory of this machine; %s is %g%% here.",
			b->name, (double)b->max_permille / 10);
		return (struct config_amount){ AMOUNT_PERMILLE, b->max_permille };
	}
	a.value = (uint64_t)bytes / KIB * KIB;
	if (a.value < max_u64(b->min_bytes, a.value > 0 ? MIB : 0)) {
		a.value = MIB;
		import_no_equal(
			im, origin, "the least size of %s is 1M, which it is here.", b->name);
	}
	return a;
}

struct config_amount import_fit(
	struct import *im, const char *origin, enum import_key key, struct import_amount amount)
{
	return amount.bytes ? fit_size(im, origin, &bounds[key], amount.value)
			    : fit_share(im, origin, &bounds[key], amount.value);
}

struct config_pressure import_fit_pressure(
	struct import *im, const char *origin, bool full, double percent, double seconds)
{
	double share = fmin(fmax(round(percent), 1), 100);
	double span = fmin(fmax(round(seconds * 10) / 10, PRESSURE_MIN_SEC), PRESSURE_MAX_SEC);

	if (share != percent || fabs(span - seconds) > 1e-6)
		import_no_equal(im, origin,
			"oomfwd takes whole percents from 1%% to 100%% and spans from %ds to %dm; "
			"%g%% of %gs is %g%% of %gs here.",
			PRESSURE_MIN_SEC, PRESSURE_MAX_SEC / 60, percent, seconds, share, span);
	return (struct config_pressure){
		.set = true,
		.full = full,
		.percent = (uint16_t)share,
		.span_usec = (uint64_t)(span * 10) * USEC_PER_SEC / 10,
	};
}

uint64_t import_fit_duration(
	struct import *im, const char *origin, double seconds, uint64_t min_usec, uint64_t max_usec)
{
	double least = (double)min_usec / 1e6, most = (double)max_usec / 1e6;
	double fitted = fmin(fmax(seconds, least), most);

	if (fitted != seconds)
		import_no_equal(im, origin, "%gs is out of bounds, %gs to %gs; it is %gs here.",
			seconds, least, most, fitted);
	return (uint64_t)(fitted * 1000) * USEC_PER_MSEC;
}

static void lift(struct import *im, const char *what, struct config_amount *warn,
	const struct config_amount *kill)
{
	char text[32];

	if (warn->kind != kill->kind || warn->value >= kill->value)
		return;
	*warn = *kill;
	import_no_equal(im, what,
		"the level of SIGTERM was below that of SIGKILL; both are %s here.",
		amount_text(kill, text, sizeof(text)));
}

void import_fit_levels(
	struct import *im, struct config_level *warn, const struct config_level *kill)
{
	lift(im, "memory", &warn->memory, &kill->memory);
	lift(im, "swap", &warn->swap, &kill->swap);
}

/* --- lines --- */

void import_put_amount(struct import *im, const char *key, const struct config_amount *amount)
{
	char text[32];

	fprintf(im->config, "%s = %s\n", key, amount_text(amount, text, sizeof(text)));
}

static char *duration_text(uint64_t usec, char *ret, size_t size)
{
	bool whole = usec % USEC_PER_SEC == 0;

	snprintf(ret, size, "%llu%s",
		(unsigned long long)(usec / (whole ? USEC_PER_SEC : USEC_PER_MSEC)),
		whole ? "s" : "ms");
	return ret;
}

void import_put_duration(struct import *im, const char *key, uint64_t usec)
{
	char text[32];

	fprintf(im->config, "%s = %s\n", key, duration_text(usec, text, sizeof(text)));
}

void import_put_pressure(struct import *im, const struct config_pressure *pressure)
{
	char text[32];

	if (pressure->set)
		fprintf(im->config, "pressure = %s %u%% %s\n", pressure->full ? "full" : "some",
			pressure->percent, duration_text(pressure->span_usec, text, sizeof(text)));
	else
		fputs("pressure = off\n", im->config);
}

void import_put_level(struct import *im, const char *name, const struct config_level *level,
	const char *const from[static 3])
{
	fprintf(im->config, "\n[%s]\n", name);
	if (from[0])
		import_comment(im, "%s", from[0]);
	import_put_amount(im, "memory", &level->memory);
	if (from[1])
		import_comment(im, "%s", from[1]);
	import_put_amount(im, "swap", &level->swap);
	if (from[2])
		import_comment(im, "%s", from[2]);
	import_put_pressure(im, &level->pressure);
}

/* --- rules --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Behind the bracket expression at s, or its end if it is not closed. */
static const char *skip_brackets(const char *s)
{
	s++;
	s += *s == '^';
	s += *s == ']';
	while (*s && *s != ']') {
		const char end[] = { s[0] == '[' ? s[1] : '\0', ']', '\0' };
		const char *p = end[0] && strchr(":.=", end[0]) ? strstr(s + 2, end) : NULL;

		s = p ? p + 2 : s + 1;
	}
	return s + (*s == ']');
}

/* Whether our files would take what is at s for the beginning of a comment. */
static bool is_sign(const char *pattern, const char *s)
{
	return (*s == '#' || *s == ';') && (s == pattern || is_blank(s[-1]));
}

/*
 * The pattern as a value: what our files would take for blanks to cut off, for quotes or for a
 * comment goes into brackets; in brackets, into others. For the caller; NULL: no memory.
 */
static char *pattern_value(const char *pattern)
{
	size_t length = strlen(pattern), at = 0;
	char *value = malloc(3 * length + 1);
	bool quoted = length > 1 && (pattern[0] == '"' || pattern[0] == '\'') &&
		pattern[length - 1] == pattern[0];

	for (const char *s = pattern; value && *s;) {
		const char *rest = *s == '[' ? skip_brackets(s) : s + (*s == '\\' && s[1]) + 1;
		bool edge = (s == pattern || !*rest) && is_blank(rest[-1]);

		if (*s != '[' && (edge || is_sign(pattern, s) || (quoted && s == pattern))) {
			at += (size_t)sprintf(value + at, "[%c]", rest[-1]);
			s = rest;
		}
		for (; s < rest; s++)
			at += (size_t)sprintf(
				value + at, is_sign(pattern, s) ? "[.%c.]" : "%c", *s);
	}
	if (value)
		value[at] = '\0';
	return value;
}

/* What our parser says of it behind "file:line: ", for the caller; NULL: nothing, it takes it. */
static char *why_not_value(const char *key, const char *value)
{
	_cleanup_(freep) char *text = NULL, *said = NULL;
	size_t size;
	FILE *f;
	int r;

	if (asprintf(&text, "[prefer x]\n%s = %s\n", key, value) < 0) {
		text = NULL;
		return strdup("no memory is left");
	}
	f = open_memstream(&said, &size);
	if (!f)
		return strdup("no memory is left");
	r = import_check(text, f);
	if (fclose(f) != 0 || r == 0)
		return r == 0 ? NULL : strdup("no memory is left");

	const char *why = strstr(said, ":2: ");

	said[strcspn(said, "\n")] = '\0';
	return strdup(why ? why + strlen(":2: ") : said);
}

bool import_put_rule(struct import *im, const char *origin, const char *action, const char *name,
	const char *key, const char *text)
{
	_cleanup_(freep) char *value = pattern_value(text);
	_cleanup_(freep) char *why = NULL;
	char quoted[IMPORT_QUOTE_MAX];

	fputc('\n', im->config);
	if (im->rules == IMPORT_RULES_MAX) {
		import_no_equal(im, origin,
			"left out: more than %d rules; join some of them by (a|b).",
			IMPORT_RULES_MAX);
		return false;
	}
	if (!*text) {
		import_no_equal(
			im, origin, "left out: the pattern is empty, which every process matches.");
		return false;
	}
	/* A line end in it would begin a line of its own. */
	why = value ? strchr(value, '\n') ? strdup("the pattern holds a line end")
					  : why_not_value(key, value)
		    : strdup("no memory is left");
	if (why) {
		import_no_equal(im, origin, "left out, because oomfwd does not take it: %s.",
			import_quote(why, quoted));
		return false;
	}
	import_comment(im, "%s", import_quote(origin, quoted));
	fprintf(im->config, "[%s %s]\n%s = %s\n", action, name, key, value);
	im->rules++;
	return true;
}
