/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Units, looked through as text: what they say of systemd-oomd, and which cgroups they have. Of the
 * system's manager only; what a unit is linked to under another name is left to that name.
 */
#include "import-systemd.h"

#include <dirent.h>
#include <sys/stat.h>

static const char *const unit_dirs[] = { "/etc/systemd/system", "/run/systemd/system",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", NULL };

static const char *const suffixes[] = { ".service", ".slice", ".scope", ".socket", ".mount",
	".swap" };

/* --- what they say --- */

static bool is_kill(const char *value)
{
	return strcmp(value, "kill") == 0;
}

static int take_key(void *context, const char *section, const char *key, const char *value,
	const char *path, unsigned line)
{
	struct systemd_unit *u = context;

	/* A value that systemd cannot read it ignores. */
	if (strcmp(key, "ManagedOOMSwap") == 0) {
		u->kill_by_swap = is_kill(value);
	} else if (strcmp(key, "ManagedOOMMemoryPressure") == 0) {
		u->kill_by_pressure = is_kill(value);
		copy_cut(u->from, sizeof(u->from), path);
	} else if (strcmp(key, "ManagedOOMMemoryPressureLimit") == 0) {
		if (!*value || systemd_parse_share(value, &u->limit_percent) < 0)
			u->limit_percent = *value ? u->limit_percent : 0;
	} else if (strcmp(key, "ManagedOOMMemoryPressureDurationSec") == 0) {
		if (!*value || systemd_parse_span(value, &u->duration_sec) < 0)
			u->duration_sec = *value ? u->duration_sec : 0;
	} else if (strcmp(key, "ManagedOOMPreference") == 0) {
		u->has_preference = strcmp(value, "omit") == 0 || strcmp(value, "avoid") == 0;
	} else if (strcmp(key, "Slice") == 0) {
		copy_cut(u->slice, sizeof(u->slice), value);
	}
	return 0;
}

/* "x@.service" of "x@y.service"; false: it is no instance. */
static bool template_of(const char *name, char ret[SYSTEMD_NAME_MAX])
{
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

	if (!at || !dot || dot <= at + 1)
		return false;
	snprintf(ret, SYSTEMD_NAME_MAX, "%.*s%s", (int)(at + 1 - name), name, dot);
	return true;
}

/* All that holds of one unit. */
static int read_unit(struct import *im, const char *name, struct systemd_unit *ret)
{
	char path[PATH_MAX], template[SYSTEMD_NAME_MAX], sub[SYSTEMD_NAME_MAX + 2];
	bool instance = template_of(name, template);
	int r;

	*ret = (struct systemd_unit){ 0 };
	copy_cut(ret->name, sizeof(ret->name), name);
	r = systemd_find(im, unit_dirs, name, path);
	if (r < 0 && instance)
		r = systemd_find(im, unit_dirs, template, path);
	if (r == 0)
		r = systemd_read(im, path, false, take_key, ret);
	if (r < 0 && r != -ENOENT)
		return r;
	if (instance) {
		snprintf(sub, sizeof(sub), "%s.d", template);
		r = systemd_read_drop_ins(im, unit_dirs, sub, false, take_key, ret);
		if (r < 0)
			return r;
	}
	snprintf(sub, sizeof(sub), "%s.d", name);
	return systemd_read_drop_ins(im, unit_dirs, sub, false, take_key, ret);
}

/* --- which there are --- */

struct unit_names {
	char **list;
	size_t count, room;
};

static bool is_unit(const char *name)
{
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && dot > name && i < ARRAY_SIZE(suffixes); i++)
		if (strcmp(dot, suffixes[i]) == 0)
			return strlen(name) < SYSTEMD_NAME_MAX;
	return false;
}

/* Whether the entry is another name of a unit. */
static bool is_alias(const char *dir, const char *name)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *base;
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return true;
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	base = strrchr(target, '/');
	return strcmp(base ? base + 1 : target, name) != 0 && strcmp(target, "/dev/null") != 0;
}

static int add_unit(struct unit_names *n, const char *name)
{
	if (n->count == n->room) {
		size_t room = n->room ? 2 * n->room : 256;
		char **list = realloc(n->list, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		n->list = list;
		n->room = room;
	}
	n->list[n->count] = strdup(name);
	return n->list[n->count++] ? 0 : -ENOMEM;
}

static int list_dir(struct import *im, const char *dir, struct unit_names *ret)
{
	const struct dirent *e;
	DIR *d = opendir(dir);
	int r = 0;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR
			? 0
			: import_complain(im, dir, 0, "cannot be read: %s", strerror(errno));
	while (r == 0 && (e = readdir(d))) {
		char name[SYSTEMD_NAME_MAX + 2];
		size_t length = strlen(e->d_name);

		copy_cut(name, sizeof(name), e->d_name);
		if (length > 2 && strcmp(name + strlen(name) - 2, ".d") == 0)
			name[strlen(name) - 2] = '\0';
		else if (is_alias(dir, e->d_name))
			continue;
		if (is_unit(name))
			r = add_unit(ret, name);
	}
	closedir(d);
	return r < 0 ? import_complain(im, dir, 0, "no memory is left to read it") : 0;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

/* The names are sorted, so that one that is there twice follows itself. A unit that cannot be read
 * is no reason to do without the others. */
static int read_listed(struct import *im, const struct unit_names *names, struct systemd_units *ret)
{
	_cleanup_(fclosep) FILE *none = fopen("/dev/null", "we");
	struct import quiet = *im;

	if (!none)
		return import_complain(im, "/dev/null", 0, "cannot be opened");
	quiet.errors = none;
	for (size_t i = 0; i < names->count; i++) {
		struct systemd_unit u;

		if (i > 0 && strcmp(names->list[i], names->list[i - 1]) == 0)
			continue;
		if (read_unit(&quiet, names->list[i], &u) < 0) {
			import_no_equal(im, names->list[i],
				"cannot be read; what it says of systemd-oomd is left out.");
			continue;
		}
		if (!u.kill_by_swap && !u.kill_by_pressure && !u.has_preference)
			continue;
		if (ret->count == SYSTEMD_UNITS_MAX)
			ret->lost++;
		else
			ret->list[ret->count++] = u;
	}
	return 0;
}

int systemd_units_read(struct import *im, struct systemd_units *ret)
{
	struct unit_names names = { 0 };
	char path[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && unit_dirs[i]; i++)
		if (snprintf(path, sizeof(path), "%s%s", im->root, unit_dirs[i]) <
			(int)sizeof(path))
			r = list_dir(im, path, &names);
	if (names.count > 0)
		qsort(names.list, names.count, sizeof(char *), by_name);
	if (r == 0)
		r = read_listed(im, &names, ret);
	for (size_t i = 0; i < names.count; i++)
		free(names.list[i]);
	free(names.list);
	return r;
}

/* --- which cgroups they have --- */

/* "/a.slice/a-b.slice" of "a-b.slice"; of "-.slice" the root, "". */
static int slice_path(const char *name, char *ret, size_t size)
{
	size_t at = 0, length = strlen(name);

	ret[0] = '\0';
	if (strcmp(name, "-.slice") == 0)
		return 0;
	if (length <= strlen(".slice") || strcmp(name + length - strlen(".slice"), ".slice") != 0 ||
		name[0] == '-' || strchr(name, '/'))
		return -EINVAL;
	length -= strlen(".slice");
	for (size_t i = 1; i <= length; i++) {
		if (i < length && name[i] != '-')
			continue;
		at += (size_t)snprintf(ret + at, size - at, "/%.*s.slice", (int)i, name);
		if (at >= size)
			return -EINVAL;
	}
	return 0;
}

/* Which units the name is for, as a glob: an instance's part, and what may follow a dash. */
static int glob_of(const char *name, char *ret, size_t size)
{
	const char *dot = strrchr(name, '.'), *before = dot - 1;
	bool open = before > name && (*before == '@' || *before == '-');

	return snprintf(ret, size, "%.*s%s%s", (int)(dot - name), name, open ? "*" : "", dot) <
			(int)size
		? 0
		: -EINVAL;
}

/* The slice of the units of a template: "system-" and its name, with dashes escaped. */
static void template_slice(const char *name, char *ret, size_t size)
{
	size_t at = (size_t)snprintf(ret, size, "system-");

	for (; *name != '@' && at + sizeof("\\x2d.slice") < size; name++)
		at += (size_t)snprintf(ret + at, size - at, *name == '-' ? "\\x2d" : "%c", *name);
	snprintf(ret + at, size - at, ".slice");
}

/* Specifiers become whatever they may stand for. */
static void open_specifiers(const char *text, char *ret, size_t size)
{
	size_t at = 0;

	for (; *text && at + 1 < size; text++) {
		if (text[0] == '%' && text[1]) {
			ret[at++] = '*';
			text++;
		} else {
			ret[at++] = *text;
		}
	}
	ret[at] = '\0';
}

static void find_slice(const struct systemd_unit *u, char *ret, size_t size)
{
	if (u->slice[0])
		open_specifiers(u->slice, ret, size);
	else if (strcmp(u->name, "init.scope") == 0)
		snprintf(ret, size, "-.slice");
	else if (strncmp(u->name, "user@", 5) == 0 || strncmp(u->name, "session-", 8) == 0 ||
		strncmp(u->name, "user-runtime-dir@", 17) == 0)
		snprintf(ret, size, "user-*.slice");
	else if (strchr(u->name, '@'))
		template_slice(u->name, ret, size);
	else
		snprintf(ret, size, "system.slice");
}

int systemd_unit_path(const struct systemd_unit *u, char ret[PATH_MAX])
{
	char slice[2 * SYSTEMD_NAME_MAX] = "", glob[SYSTEMD_NAME_MAX + 2];
	size_t length;

	if (glob_of(u->name, glob, sizeof(glob)) < 0)
		return -EINVAL;
	if (strcmp(strrchr(u->name, '.'), ".slice") == 0)
		return slice_path(strcmp(u->name, "-.slice") == 0 ? u->name : glob, ret, PATH_MAX);
	find_slice(u, slice, sizeof(slice));
	if (slice_path(slice, ret, PATH_MAX) < 0)
		return -EINVAL;
	length = strlen(ret);
	return snprintf(ret + length, PATH_MAX - length, "/%s", glob) < (int)(PATH_MAX - length)
		? 0
		: -EINVAL;
}
