/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts of values into numbers, and the defaults. Pure. Apart from config.c because nothing here
 * knows of files.
 */
#include "config-internal.h"

#include <string.h>

struct decimal {
	uint64_t whole;
	uint32_t milli;
};

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "K", KIB },
	{ "M", MIB },
	{ "G", GIB },
	{ "T", GIB * 1024 },
	{ "KiB", KIB },
	{ "MiB", MIB },
	{ "GiB", GIB },
	{ "TiB", GIB * 1024 },
	{ NULL, 0 },
};

static const struct unit duration_units[] = {
	{ "us", 1 },
	{ "ms", USEC_PER_MSEC },
	{ "s", USEC_PER_SEC },
	{ "m", 60 * USEC_PER_SEC },
	{ "min", 60 * USEC_PER_SEC },
	{ "h", 3600 * USEC_PER_SEC },
	{ NULL, 0 },
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits, and up to three more after a point. Not strtoull(): that takes signs and blanks. */
static int parse_decimal(const char **at, struct decimal *ret)
{
	const char *p = *at;
	struct decimal d = { 0 };

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++)
		if (__builtin_mul_overflow(d.whole, 10, &d.whole) ||
			__builtin_add_overflow(d.whole, (uint64_t)(*p - '0'), &d.whole))
			return -ERANGE;
	if (*p == '.') {
		uint32_t place = 100;

		if (!is_digit(*++p))
			return -EINVAL;
		for (; is_digit(*p); p++, place /= 10) {
			if (place == 0)
				return -EINVAL;
			d.milli += place * (uint32_t)(*p - '0');
		}
	}
	*at = p;
	*ret = d;
	return 0;
}

static int parse_scaled(const char *text, const struct unit *units, uint64_t *ret)
{
	struct decimal d;
	uint64_t value;
	int r = parse_decimal(&text, &d);

	if (r < 0)
		return r;
	while (units->name && strcmp(units->name, text) != 0)
		units++;
	if (!units->name || (units->factor == 1 && d.milli > 0))
		return -EINVAL;
	if (__builtin_mul_overflow(d.whole, units->factor, &value) ||
		__builtin_add_overflow(value, mul_div_u64(d.milli, units->factor, 1000), &value))
		return -ERANGE;
	*ret = value;
	return 0;
}

int config_parse_number(const char *text, uint64_t *ret)
{
	static const struct unit units[] = { { "", 1 }, { NULL, 0 } };

	return strchr(text, '.') ? -EINVAL : parse_scaled(text, units, ret);
}

int config_parse_size(const char *text, uint64_t *ret_bytes)
{
	return parse_scaled(text, size_units, ret_bytes);
}

int config_parse_duration(const char *text, uint64_t *ret_usec)
{
	return parse_scaled(text, duration_units, ret_usec);
}

static int parse_permille(const char *text, uint64_t *ret)
{
	struct decimal d;
	int r = parse_decimal(&text, &d);

	if (r < 0)
		return r;
	if (strcmp(text, "%") != 0 || d.milli % 100 != 0)
		return -EINVAL;
	if (d.whole > 100 || (d.whole == 100 && d.milli > 0))
		return -ERANGE;
	*ret = d.whole * 10 + d.milli / 100;
	return 0;
}

int config_parse_amount(const char *text, struct config_amount *ret)
{
	struct config_amount a = { .kind = AMOUNT_BYTES };
	int r;

	if (strcmp(text, "off") == 0) {
		*ret = (struct config_amount){ .kind = AMOUNT_OFF };
		return 0;
	}
	if (strchr(text, '%')) {
		a.kind = AMOUNT_PERMILLE;
		r = parse_permille(text, &a.value);
	} else {
		r = config_parse_size(text, &a.value);
	}
	if (r == 0)
		*ret = a;
	return r;
}

/* Takes a word and the blanks after it off *at; -EINVAL if it does not fit. */
static int take_word(const char **at, char *ret, size_t size)
{
	size_t length = strcspn(*at, " \t");

	if (length == 0 || length >= size)
		return -EINVAL;
	memcpy(ret, *at, length);
	ret[length] = '\0';
	*at += length;
	*at += strspn(*at, " \t");
	return 0;
}

int config_parse_pressure(const char *text, struct config_pressure *ret)
{
	struct config_pressure p = { .set = true };
	char kind[8], percent[8];
	uint64_t permille;
	int r;

	if (strcmp(text, "off") == 0) {
		*ret = (struct config_pressure){ 0 };
		return 0;
	}
	if (take_word(&text, kind, sizeof(kind)) < 0 ||
		take_word(&text, percent, sizeof(percent)) < 0)
		return -EINVAL;
	p.full = strcmp(kind, "full") == 0;
	if (!p.full && strcmp(kind, "some") != 0)
		return -EINVAL;
	r = parse_permille(percent, &permille);
	if (r < 0)
		return r;
	if (permille % 10 != 0)
		return -EINVAL;
	if (permille == 0)
		return -ERANGE;
	p.percent = (uint16_t)(permille / 10);
	r = config_parse_duration(text, &p.span_usec);
	if (r < 0)
		return r;
	/* Shorter is noise; and what was over minutes ago is no reason to kill. */
	if (p.span_usec < USEC_PER_SEC || p.span_usec > 600 * USEC_PER_SEC)
		return -ERANGE;
	*ret = p;
	return 0;
}

uint64_t config_amount_bytes(const struct config_amount *a, uint64_t total_bytes)
{
	switch (a->kind) {
	case AMOUNT_OFF:
		break;
	case AMOUNT_PERMILLE:
		return mul_div_u64(total_bytes, a->value, 1000);
	case AMOUNT_BYTES:
		return a->value;
	}
	return 0;
}

const char *config_ladder_name(enum ladder_step step)
{
	switch (step) {
	case LADDER_AVOIDED:
		return "avoided";
	case LADDER_CGROUP:
		return "cgroup";
	case LADDER_KERNEL:
		return "kernel";
	case LADDER_FINAL:
		return "final";
	}
	return "?";
}

void config_init(struct config *c)
{
	*c = (struct config){
		.warn = { .memory = { AMOUNT_PERMILLE, 100 }, .swap = { AMOUNT_PERMILLE, 100 } },
		.kill = { .memory = { AMOUNT_PERMILLE, 50 },
			.swap = { AMOUNT_PERMILLE, 50 },
			.pressure = { .set = true,
				.full = true,
				.percent = 60,
				.span_usec = 20 * USEC_PER_SEC } },
		.pressure_guard = { AMOUNT_PERMILLE, 300 },
		.victim_timeout_usec = 1 * USEC_PER_SEC,
		.victim_cap_usec = 10 * USEC_PER_SEC,
		.term_grace_usec = 10 * USEC_PER_SEC,
		.step_timeout_usec = 2 * USEC_PER_SEC,
		.max_sleep_usec = 10 * USEC_PER_SEC,
		.ladder = { LADDER_AVOIDED, LADDER_CGROUP, LADDER_KERNEL },
		.ladder_count = 3,
		.final = FINAL_NONE,
		.prefer_points = 300,
		.desk = { .hook_timeout_usec = 10 * USEC_PER_SEC,
			.metrics_file = "/run/oomfwd-desk/oomfwd.prom",
			.metrics_socket = "/run/oomfwd-desk/http",
			.history = CONFIG_DESK_HISTORY,
			.bus = true },
	};
}
