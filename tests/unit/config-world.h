/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of one's own with a test.conf in it, and what loading it came to.
 */
#pragma once

#include "config-internal.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

struct world {
	char dir[64];
	char path[PATH_MAX]; /* DIR/test.conf */
	struct config *config;
	char *said;
	size_t said_size;
};

static inline void world_path(struct world *w)
{
	snprintf(w->path, sizeof(w->path), "%s/test.conf", w->dir);
}

static inline int world_setup(void **state)
{
	static struct world w;

	w = (struct world){ .dir = "/tmp/test-config-XXXXXX" };
	*state = &w;
	if (!mkdtemp(w.dir))
		return -1;
	world_path(&w);
	return 0;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	config_free(w->config);
	free(w->said);
	return nftw(w->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void write_whole(const char *path, const void *text, size_t size)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, size, f), size);
	assert_int_equal(fflush(f), 0);
}

static inline char *read_whole(const char *path)
{
	_cleanup_(fclosep) FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 16);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
	assert_true(feof(f));
	return text;
}

_printf_(2, 0) static inline void write_formatted(const char *path, const char *format, va_list ap)
{
	_cleanup_(freep) char *text = NULL;
	int n = vasprintf(&text, format, ap);

	assert_true(n >= 0);
	write_whole(path, text, (size_t)n);
}

/* Writes test.conf. */
_printf_(2, 3) static inline void world_text(struct world *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	write_formatted(w->path, format, ap);
	va_end(ap);
}

/* Writes test.conf.d/NAME. */
_printf_(3, 4) static inline void world_drop_in(
	struct world *w, const char *name, const char *format, ...)
{
	char path[sizeof(w->path) + 256];
	va_list ap;

	snprintf(path, sizeof(path), "%s.d", w->path);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s.d/%s", w->path, name);
	va_start(ap, format);
	write_formatted(path, format, ap);
	va_end(ap);
}

/* What is said is whole lines of text that a terminal only shows. */
static inline void assert_harmless(const char *said)
{
	size_t length = strlen(said);

	assert_true(length == 0 || said[length - 1] == '\n');
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)said[i], next = (unsigned char)said[i + 1];

		assert_true(c >= 0x20 || c == '\n' || c == '\t');
		assert_true(c != 0x7F && !(c == 0xC2 && next < 0xA0));
		assert_true(c < 0xF5);
	}
}

static inline int world_read(struct world *w, const char *path, bool optional, bool through_load)
{
	FILE *f;
	int r;

	config_free(w->config);
	w->config = NULL;
	free(w->said);
	w->said = NULL;
	f = open_memstream(&w->said, &w->said_size);
	assert_non_null(f);
	r = through_load ? config_load(path, f, &w->config)
			 : config_read(path, optional, f, &w->config);
	assert_int_equal(fclose(f), 0);
	assert_harmless(w->said);
	assert_true((r == 0) == (w->config != NULL));
	assert_true(r == 0 || w->said[0]);
	return r;
}

static inline int world_load_file(struct world *w, const char *path)
{
	return world_read(w, path, false, true);
}

static inline int world_load(struct world *w)
{
	return world_load_file(w, w->path);
}

/* As config_load(NULL) does with its default path. */
static inline int world_load_optional(struct world *w, const char *path)
{
	return world_read(w, path, true, false);
}

static inline unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

#define assert_says(w, part)                                                                       \
	do {                                                                                       \
		if (!strstr((w)->said, part))                                                      \
			fail_msg("\"%s\" is not in what was said: %s", part, (w)->said);           \
	} while (0)

static inline const char *fixture(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/config/%s", getenv("OOMFWD_FIXTURES"), name);
	return path;
}

/* The same letter n times. */
static inline const char *text_of(char c, size_t n)
{
	static char texts[2][512]; /* two in one call of world_text() */
	static unsigned turn;
	char *text = texts[turn++ % 2];

	assert_true(n < sizeof(texts[0]));
	memset(text, c, n);
	text[n] = '\0';
	return text;
}

static inline void assert_same_amount(struct config_amount x, struct config_amount y)
{
	assert_int_equal(x.kind, y.kind);
	assert_int_equal(x.value, y.value);
}

static inline void assert_same_level(const struct config_level *x, const struct config_level *y)
{
	assert_same_amount(x->memory, y->memory);
	assert_same_amount(x->swap, y->swap);
	assert_int_equal(x->pressure.set, y->pressure.set);
	assert_int_equal(x->pressure.full, y->pressure.full);
	assert_int_equal(x->pressure.percent, y->pressure.percent);
	assert_int_equal(x->pressure.span_usec, y->pressure.span_usec);
}

/* All but the rules. */
static inline void assert_same_scalars(const struct config *x, const struct config *y)
{
	assert_same_level(&x->warn, &y->warn);
	assert_same_level(&x->kill, &y->kill);
	assert_same_amount(x->pressure_guard, y->pressure_guard);
	assert_int_equal(x->victim_timeout_usec, y->victim_timeout_usec);
	assert_int_equal(x->victim_cap_usec, y->victim_cap_usec);
	assert_int_equal(x->term_grace_usec, y->term_grace_usec);
	assert_int_equal(x->step_timeout_usec, y->step_timeout_usec);
	assert_int_equal(x->fill_rate_bytes, y->fill_rate_bytes);
	assert_int_equal(x->max_sleep_usec, y->max_sleep_usec);
	assert_int_equal(x->ladder_count, y->ladder_count);
	for (uint32_t i = 0; i < x->ladder_count; i++)
		assert_int_equal(x->ladder[i], y->ladder[i]);
	assert_int_equal(x->final, y->final);
	assert_string_equal(x->final_path, y->final_path);
	assert_int_equal(x->prefer_points, y->prefer_points);
	assert_string_equal(x->desk.post_kill, y->desk.post_kill);
	assert_int_equal(x->desk.hook_timeout_usec, y->desk.hook_timeout_usec);
	assert_string_equal(x->desk.metrics_file, y->desk.metrics_file);
	assert_string_equal(x->desk.metrics_socket, y->desk.metrics_socket);
	assert_string_equal(x->desk.history, y->desk.history);
	assert_int_equal(x->desk.bus, y->desk.bus);
	assert_int_equal(x->reader, y->reader);
	assert_int_equal(x->kernel_users, y->kernel_users);
}
