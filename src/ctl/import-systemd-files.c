/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "import-systemd.h"

#include <dirent.h>
#include <sys/stat.h>

#define DROP_INS_MAX 128

/* --- lines --- */

struct file {
	struct import *im;
	const char *path;
	bool strict;
	systemd_key *take;
	void *context;
	char section[64];
};

static int take_section(struct file *f, char *line, unsigned number)
{
	char quoted[IMPORT_QUOTE_MAX];
	size_t length = strlen(line);

	if (line[length - 1] == ']') {
		line[length - 1] = '\0';
		copy_cut(f->section, sizeof(f->section), line + 1);
		return 0;
	}
	f->section[0] = '\0';
	return !f->strict ? 0
			  : import_complain(f->im, f->path, number, "\"%s\" lacks the closing ]",
				    import_quote(line, quoted));
}

/* line: whole, without blanks around it; changed. */
static int take_line(struct file *f, char *line, unsigned number)
{
	char quoted[IMPORT_QUOTE_MAX], *value;

	if (!*line)
		return 0;
	if (*line == '[')
		return take_section(f, line, number);
	value = strchr(line, '=');
	if (!value)
		return !f->strict ? 0
				  : import_complain(f->im, f->path, number,
					    "\"%s\" is neither a [section], nor key = value, nor a "
					    "comment",
					    import_quote(line, quoted));
	*value++ = '\0';
	return f->take(
		f->context, f->section, trim_blanks(line), trim_blanks(value), f->path, number);
}

/* Takes the lines that are continued by the first one together: a backslash at the end of one
 * becomes a blank, and comments between them are left out. */
static int take_text(struct file *f, char *text)
{
	_cleanup_(freep) char *whole = calloc(1, strlen(text) + 2);
	unsigned number = 0, began = 0;
	size_t length = 0;
	char *line;
	int r = 0;

	if (!whole)
		return import_complain(f->im, f->path, 0, "no memory is left to read it");
	while (r == 0 && (line = import_next_line(&text))) {
		size_t n;

		number++;
		line = trim_blanks(line);
		if (*line == '#' || *line == ';')
			continue;
		began = length > 0 ? began : number;
		n = strlen(line);
		memcpy(whole + length, line, n + 1);
		length += n;
		if (n > 0 && whole[length - 1] == '\\') {
			whole[length - 1] = ' ';
			continue;
		}
		length = 0;
		r = take_line(f, trim_blanks(whole), began);
	}
	return r < 0 || length == 0 ? r : take_line(f, trim_blanks(whole), began);
}

int systemd_read(struct import *im, const char *path, bool strict, systemd_key *take, void *context)
{
	struct file f = {
		.im = im, .path = path, .strict = strict, .take = take, .context = context
	};
	_cleanup_(freep) char *text = NULL;
	int r = import_read(im, path, &text);

	return r < 0 ? r : take_text(&f, text);
}

/* --- which file --- */

static bool is_null_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode);
}

int systemd_find(struct import *im, const char *const *dirs, const char *name, char ret[PATH_MAX])
{
	for (; *dirs; dirs++) {
		struct stat st;

		if (snprintf(ret, PATH_MAX, "%s%s/%s", im->root, *dirs, name) >= PATH_MAX)
			continue;
		if (lstat(ret, &st) == 0)
			return is_null_device(ret) ? -ENOENT : 0;
	}
	return -ENOENT;
}

struct names {
	char *list[DROP_INS_MAX];
	uint32_t count;
};

static bool is_drop_in(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

static bool has_name(const struct names *n, const char *name)
{
	for (uint32_t i = 0; i < n->count; i++)
		if (strcmp(n->list[i], name) == 0)
			return true;
	return false;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static int add_names(struct import *im, const char *dir, struct names *ret)
{
	_cleanup_(closedirp) DIR *d = opendir(dir);
	const struct dirent *e;

	if (!d)
		return errno == ENOENT || errno == ENOTDIR
			? 0
			: import_complain(im, dir, 0, "cannot be read: %s", strerror(errno));
	while ((e = readdir(d))) {
		if (!is_drop_in(e->d_name) || has_name(ret, e->d_name))
			continue;
		if (ret->count == DROP_INS_MAX)
			return import_complain(
				im, dir, 0, "holds more than %d drop-ins", DROP_INS_MAX);
		ret->list[ret->count] = strdup(e->d_name);
		if (!ret->list[ret->count])
			return import_complain(im, dir, 0, "no memory is left to read it");
		ret->count++;
	}
	return 0;
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

int systemd_read_drop_ins(struct import *im, const char *const *dirs, const char *sub, bool strict,
	systemd_key *take, void *context)
{
	struct names names = { .count = 0 };
	char path[PATH_MAX], name[2 * SYSTEMD_NAME_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && dirs[i]; i++)
		if (snprintf(path, sizeof(path), "%s%s/%s", im->root, dirs[i], sub) <
			(int)sizeof(path))
			r = add_names(im, path, &names);
	qsort(names.list, names.count, sizeof(char *), by_name);
	for (uint32_t i = 0; r == 0 && i < names.count; i++) {
		snprintf(name, sizeof(name), "%s/%s", sub, names.list[i]);
		if (systemd_find(im, dirs, name, path) == 0)
			r = systemd_read(im, path, strict, take, context);
		/* It was there a moment ago, or is a link to nowhere. */
		r = r == -ENOENT ? 0 : r;
	}
	for (uint32_t i = 0; i < names.count; i++)
		free(names.list[i]);
	return r;
}

/* --- values --- */

int systemd_parse_share(const char *text, double *ret_percent)
{
	static const struct {
		const char *sign;
		double one;
	} signs[] = { { "%", 1 }, { "\xE2\x80\xB0", 0.1 }, { "\xE2\x80\xB1", 0.01 } };
	char number[32];
	double value;

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		size_t length = strlen(text), sign = strlen(signs[i].sign);

		if (length <= sign || length - sign >= sizeof(number) ||
			strcmp(text + length - sign, signs[i].sign) != 0)
			continue;
		memcpy(number, text, length - sign);
		number[length - sign] = '\0';
		if (import_parse_number(number, &value) < 0 || value * signs[i].one > 100)
			return -EINVAL;
		*ret_percent = value * signs[i].one;
		return 0;
	}
	return -EINVAL;
}

static int unit_seconds(const char *text, size_t length, double *ret)
{
	static const struct {
		const char *names; /* with a blank behind each */
		double seconds;
	} units[] = {
		{ "us usec ", 1e-6 },
		{ "ms msec ", 1e-3 },
		{ "s sec second seconds ", 1 },
		{ "m min minute minutes ", 60 },
		{ "h hr hour hours ", 3600 },
		{ "d day days ", 86400 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		for (const char *n = units[i].names; *n; n += strcspn(n, " ") + 1)
			if (strcspn(n, " ") == length && memcmp(n, text, length) == 0) {
				*ret = units[i].seconds;
				return 0;
			}
	return -EINVAL;
}

int systemd_parse_span(const char *text, double *ret_seconds)
{
	double sum = 0, value, unit;
	char number[32];

	if (!*text)
		return -EINVAL;
	while (*(text += strspn(text, " \t"))) {
		size_t length = strspn(text, "0123456789.");

		if (length == 0 || length >= sizeof(number))
			return -EINVAL;
		memcpy(number, text, length);
		number[length] = '\0';
		text += length;
		text += strspn(text, " \t");
		length = strspn(text, "abcdefghijklmnopqrstuvwxyz");
		unit = 1;
		if (import_parse_number(number, &value) < 0 ||
			(length > 0 && unit_seconds(text, length, &unit) < 0))
			return -EINVAL;
		text += length;
		sum += value * unit;
		if (*text && !strchr(" \t0123456789", *text))
			return -EINVAL;
	}
	*ret_seconds = sum;
	return 0;
}
