/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader of the text format of Prometheus that takes nothing but what the format allows, for
 * tests.
 */
#pragma once

#include "util.h"

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SERIES_MAX 256

struct series {
	char name[256]; /* with its labels, as written */
	char family[64];
	double value;
};

struct metrics_text {
	uint32_t series_count, family_count;
	struct series series[SERIES_MAX];
	struct {
		char name[64], type[16];
	} family[SERIES_MAX];
};

/* NULL: there is none. */
static _unused_ const struct series *find_series(const struct metrics_text *m, const char *name)
{
	for (uint32_t i = 0; i < m->series_count; i++)
		if (strcmp(m->series[i].name, name) == 0)
			return &m->series[i];
	return NULL;
}

static _unused_ double value_of(const struct metrics_text *m, const char *name)
{
	const struct series *s = find_series(m, name);

	if (!s)
		fail_msg("there is no %s", name);
	return s->value;
}

static _unused_ const char *type_of(const struct metrics_text *m, const char *family)
{
	for (uint32_t i = 0; i < m->family_count; i++)
		if (strcmp(m->family[i].name, family) == 0)
			return m->family[i].type;
	return "";
}

static void read_comment(struct metrics_text *m, const char *line, char help[64])
{
	char name[64], type[16];
	int end = 0;

	if (sscanf(line, "# HELP %63[a-z_] %n", name, &end) == 1 && end > 0) {
		assert_true(line[end] != '\0');
		assert_string_equal(help, ""); /* the one before had its TYPE */
		assert_string_equal(type_of(m, name), "");
		memcpy(help, name, 64);
		return;
	}
	if (sscanf(line, "# TYPE %63[a-z_] %15[a-z]%n", name, type, &end) != 2 || line[end])
		fail_msg("neither HELP nor TYPE: %s", line);
	assert_string_equal(name, help);
	help[0] = '\0';
	assert_true(strcmp(type, "gauge") == 0 || strcmp(type, "counter") == 0 ||
		strcmp(type, "histogram") == 0);
	memcpy(m->family[m->family_count].name, name, 64);
	memcpy(m->family[m->family_count++].type, type, 16);
}

/* {name="value",...}: where it ends. */
static const char *skip_labels(const char *p)
{
	do {
		p++;
		assert_true(islower((unsigned char)*p));
		while (islower((unsigned char)*p) || *p == '_')
			p++;
		assert_memory_equal(p, "=\"", 2);
		for (p += 2; *p != '"'; p++) {
			assert_true(*p != '\0');
			if (*p == '\\') {
				p++;
				assert_true(*p == '\\' || *p == '"' || *p == 'n');
			}
		}
		p++;
	} while (*p == ',');
	assert_int_equal(*p, '}');
	return p + 1;
}

/* A histogram has three kinds of series, any other one that is named as it. */
static bool belongs_to(const char *name, size_t length, const char *family, const char *type)
{
	static const char *const ends[] = { "_bucket", "_sum", "_count" };
	size_t n = strlen(family);

	if (strncmp(name, family, n) != 0)
		return false;
	if (strcmp(type, "histogram") != 0)
		return length == n;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (length == n + strlen(ends[i]) && strncmp(name + n, ends[i], length - n) == 0)
			return true;
	return false;
}

static void read_sample(struct metrics_text *m, const char *line)
{
	struct series *s = &m->series[m->series_count];
	const char *end = line + strspn(line, "abcdefghijklmnopqrstuvwxyz_");
	size_t length = (size_t)(end - line);
	char *rest;

	assert_in_range(m->series_count, 0, SERIES_MAX - 1);
	assert_in_range(m->family_count, 1, SERIES_MAX);
	if (!belongs_to(line, length, m->family[m->family_count - 1].name,
		    m->family[m->family_count - 1].type))
		fail_msg("not after the HELP and TYPE of its family: %s", line);
	if (*end == '{')
		end = skip_labels(end);
	assert_in_range(end - line, 1, sizeof(s->name) - 1);
	memcpy(s->name, line, (size_t)(end - line));
	memcpy(s->family, m->family[m->family_count - 1].name, sizeof(s->family));
	assert_int_equal(*end, ' ');
	s->value = strtod(end + 1, &rest);
	if (rest == end + 1 || *rest || isnan(s->value))
		fail_msg("no number: %s", line);
	if (find_series(m, s->name))
		fail_msg("twice: %s", s->name);
	m->series_count++;
}

/* Buckets grow, the last one has no bound and holds all. */
static void check_histogram(const struct metrics_text *m, const char *family)
{
	double bound = -INFINITY, so_far = 0;
	char name[128], format[96];

	snprintf(format, sizeof(format), "%s_bucket{le=\"", family);
	for (uint32_t i = 0; i < m->series_count; i++) {
		const struct series *s = &m->series[i];
		double le;

		if (strncmp(s->name, format, strlen(format)) != 0)
			continue;
		le = strtod(s->name + strlen(format), NULL);
		assert_true(le > bound);
		assert_true(s->value >= so_far);
		bound = le;
		so_far = s->value;
	}
	assert_true(isinf(bound));
	snprintf(name, sizeof(name), "%s_count", family);
	assert_true(value_of(m, name) == so_far);
	snprintf(name, sizeof(name), "%s_sum", family);
	assert_true(value_of(m, name) >= 0);
}

/* Reads all of it; text is torn up on the way. */
static _unused_ void read_metrics(char *text, struct metrics_text *ret)
{
	char help[64] = "", *at = text;

	memset(ret, 0, sizeof(*ret));
	assert_true(strlen(text) > 0 && text[strlen(text) - 1] == '\n');
	for (char *line; *at && (line = strsep(&at, "\n"));)
		if (line[0] == '#')
			read_comment(ret, line, help);
		else
			read_sample(ret, line);
	assert_string_equal(help, "");
	for (uint32_t i = 0; i < ret->family_count; i++)
		if (strcmp(ret->family[i].type, "histogram") == 0)
			check_histogram(ret, ret->family[i].name);
}
