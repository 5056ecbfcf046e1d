/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A directory of one's own as the root of another daemon's files, and what an import of them came
 * to: the text, which our own parser must take, and the configuration that it is.
 */
#pragma once

#include "config-world.h"
#include "import.h"

struct import_world {
	struct world *world;
	struct import import;
	char *text, *errors;
	size_t text_size, errors_size;
};

/* Of a machine with 8 GiB and 2 GiB of swap, unless the test says otherwise. */
static inline void import_start(struct import_world *i, struct world *w)
{
	*i = (struct import_world){ .world = w };
	i->import = (struct import){
		.config = open_memstream(&i->text, &i->text_size),
		.errors = open_memstream(&i->errors, &i->errors_size),
		.no_equal = json_array_new(),
		.root = w->dir,
		.memory_bytes = 8 * GIB,
		.swap_bytes = 2 * GIB,
	};
	assert_non_null(i->import.config);
	assert_non_null(i->import.errors);
	assert_non_null(i->import.no_equal);
}

static inline void import_free(struct import_world *i)
{
	free(i->text);
	free(i->errors);
	json_unref(i->import.no_equal);
}

/* r: what the import returned. Loads what it wrote with our own parser; returns r. */
static inline int import_end(struct import_world *i, int r)
{
	struct world *w = i->world;

	assert_int_equal(fclose(i->import.config), 0);
	assert_int_equal(fclose(i->import.errors), 0);
	assert_harmless(i->errors);
	assert_true((r == 0) == (i->errors[0] == '\0'));
	if (r < 0)
		return r;
	import_squeeze(i->text);
	assert_null(strstr(i->text, "\n\n\n"));
	write_whole(w->path, i->text, strlen(i->text));
	chmod(w->path, 0600);
	if (world_load(w) < 0)
		fail_msg("our parser says: %s\nof: %s", w->said, i->text);
	return 0;
}

static inline bool import_notes(const struct import_world *i, const char *part)
{
	for (size_t n = 0; n < json_count(i->import.no_equal); n++)
		if (strstr(json_text(json_at(i->import.no_equal, n)), part))
			return true;
	return false;
}

#define assert_notes(i, part)                                                                      \
	do {                                                                                       \
		if (!import_notes(i, part))                                                        \
			fail_msg(                                                                  \
				"\"%s\" is not among what has no equal, in: %s", part, (i)->text); \
	} while (0)

/* Writes a file below the world's directory; dirs are made. Returns its path. */
static inline const char *root_file(struct world *w, const char *name, const char *text)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", w->dir, name);
	for (char *p = path + strlen(w->dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	write_whole(path, text, strlen(text));
	return path;
}

typedef int import_fn(struct import *im, const char *path);

struct refused {
	const char *text, *said;
};

/* Each text as a file is refused, with that. */
static inline void assert_refused(
	struct world *w, import_fn *import, const struct refused *cases, size_t count)
{
	for (size_t n = 0; n < count; n++) {
		struct import_world i;

		import_start(&i, w);
		assert_int_equal(
			import_end(&i, import(&i.import, root_file(w, "/input", cases[n].text))),
			-EINVAL);
		if (!strstr(i.errors, cases[n].said))
			fail_msg("\"%s\" is not in: %s", cases[n].said, i.errors);
		import_free(&i);
	}
}

static inline const struct rule *rule_named(
	const struct world *w, enum rule_action action, const char *name)
{
	for (uint32_t i = 0; i < w->config->rule_count; i++)
		if (w->config->rules[i].action == action &&
			strcmp(w->config->rules[i].name, name) == 0)
			return &w->config->rules[i];
	return NULL;
}

static inline bool pattern_matches(const struct rule_pattern *p, const char *text)
{
	assert_true(p->set);
	return regexec(&p->regex, text, 0, NULL, 0) == 0;
}

static inline char *fixture_text(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/import/%s", getenv("OOMFWD_FIXTURES"), name);
	return read_whole(path);
}
