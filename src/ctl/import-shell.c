/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of assignments such as /etc/default/earlyoom, as a shell reads it; and the words of a
 * value, as it splits them. A value that does not begin with a quote may hold blanks, as systemd
 * reads it.
 */
#include "import.h"

#include <ctype.h>

#define VARIABLE "EARLYOOM_ARGS"

/* Takes text in, hands characters out. */
struct reader {
	const char *at;
	unsigned line;
};

static char take(struct reader *r)
{
	char c = *r->at;

	if (c) {
		r->line += c == '\n';
		r->at++;
	}
	return c;
}

/* r is behind the quote that began it. False: it does not end. */
static bool take_quoted(struct reader *r, char quote, FILE *ret)
{
	char c;

	while ((c = take(r)) && c != quote) {
		if (quote == '"' && c == '\\' && *r->at && strchr("\"\\`$\n", *r->at)) {
			c = take(r);
			if (c == '\n')
				continue;
		}
		putc(c, ret);
	}
	return c == quote;
}

/* r is behind a backslash outside of quotes. */
static void take_escaped(struct reader *r, FILE *ret)
{
	char c = take(r);

	if (c && c != '\n')
		putc(c, ret);
}

static void skip_line(struct reader *r)
{
	while (*r->at && *r->at != '\n')
		take(r);
}

/* A value that does not begin with a quote: those in it stay, for the words. */
static void take_plain(struct reader *r, FILE *ret)
{
	char before = '\0', quote = '\0', c;

	while ((c = take(r)) && c != '\n') {
		if (c == '#' && !quote && isblank((unsigned char)before)) {
			skip_line(r);
		} else if (c == '\\') {
			take_escaped(r, ret);
		} else {
			if (quote ? c == quote : c == '"' || c == '\'')
				quote = quote ? '\0' : c;
			putc(c, ret);
		}
		before = c;
	}
}

/* The value of an assignment, to the end of its line. False: a quote in it does not end. */
static bool take_value(struct reader *r, FILE *ret)
{
	char before = '\0', c;

	r->at += strspn(r->at, " \t");
	if (*r->at != '"' && *r->at != '\'') {
		take_plain(r, ret);
		return true;
	}
	while ((c = take(r)) && c != '\n') {
		if (c == '#' && isblank((unsigned char)before)) {
			skip_line(r);
		} else if (c == '"' || c == '\'') {
			if (!take_quoted(r, c, ret))
				return false;
		} else if (c == '\\') {
			take_escaped(r, ret);
		} else {
			putc(c, ret);
		}
		before = c;
	}
	return true;
}

/* The length of the name in front of a "=" at text; 0: it is no assignment. */
static size_t name_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	return text[length] == '=' && !isdigit((unsigned char)text[0]) ? length : 0;
}

/*
 * Reads one line, or as many as its value takes. A value of our variable replaces *ret, which was
 * set in *ret_line. Returns -EINVAL after a complaint.
 */
static int take_line(
	struct import *im, const char *path, struct reader *r, char **ret, unsigned *ret_line)
{
	_cleanup_(freep) char *value = NULL;
	unsigned began = r->line;
	size_t length, size;
	const char *name;
	bool ends;
	FILE *f;

	r->at += strspn(r->at, " \t");
	if (strncmp(r->at, "export", 6) == 0 && isblank((unsigned char)r->at[6]))
		r->at += 6 + strspn(r->at + 6, " \t");
	name = r->at;
	length = name_length(name);
	if (length == 0) {
		skip_line(r);
		take(r);
		return 0;
	}
	r->at += length + 1;
	f = open_memstream(&value, &size);
	if (!f)
		return import_complain(im, path, began, "no memory is left to read it");
	ends = take_value(r, f);
	if (fclose(f) != 0)
		return import_complain(im, path, began, "no memory is left to read it");
	if (!ends)
		return import_complain(im, path, began,
			"the quote in the value of %.*s does not end",
			(int)(length < 64 ? length : 64), name);
	if (length != strlen(VARIABLE) || memcmp(name, VARIABLE, length) != 0)
		return 0;
	free(*ret);
	*ret = take_pointer(&value);
	*ret_line = began;
	return 0;
}

/* --- words --- */

/* Takes a word of a value; false: a quote in it does not end. */
static bool take_word(struct reader *r, FILE *ret)
{
	bool ends = true;

	while (ends && *r->at && !isspace((unsigned char)*r->at)) {
		char c = take(r);

		if (c == '"' || c == '\'')
			ends = take_quoted(r, c, ret);
		else if (c == '\\')
			take_escaped(r, ret);
		else
			putc(c, ret);
	}
	return ends;
}

/* The words one behind another in *ret, each terminated. Their number, or -errno. */
static int split(const char *value, char **ret)
{
	struct reader r = { .at = value };
	bool ends = true;
	int count = 0;
	size_t size;
	FILE *f = open_memstream(ret, &size);

	if (!f)
		return -ENOMEM;
	while (ends && *(r.at += strspn(r.at, " \t\r\n\v\f"))) {
		ends = take_word(&r, f);
		putc('\0', f);
		count++;
	}
	if (fclose(f) != 0)
		return -ENOMEM;
	return ends ? count : -EINVAL;
}

/* One block of memory for the pointers and what they point to. */
static char **vector_of(const char *words, int count)
{
	static const char zeroth[] = "earlyoom";
	size_t pointers = ((size_t)count + 2) * sizeof(char *), length = 0;
	char **vector;
	char *text;

	for (int i = 0; i < count; i++)
		length += strlen(words + length) + 1;
	vector = malloc(pointers + sizeof(zeroth) + length);
	if (!vector)
		return NULL;
	text = (char *)vector + pointers;
	memcpy(text, zeroth, sizeof(zeroth));
	memcpy(text + sizeof(zeroth), words, length);
	for (int i = 0; i <= count; i++, text += strlen(text) + 1)
		vector[i] = text;
	vector[count + 1] = NULL;
	return vector;
}

int import_shell_words(
	struct import *im, const char *path, const char *text, char ***ret, int *ret_count)
{
	_cleanup_(freep) char *value = NULL, *words = NULL;
	struct reader r = { .at = text, .line = 1 };
	unsigned line = 0;
	int count;

	while (*r.at) {
		int e = take_line(im, path, &r, &value, &line);

		if (e < 0)
			return e;
	}
	*ret_count = 0;
	if (!value)
		return 0;
	count = split(value, &words);
	if (count == -EINVAL)
		return import_complain(im, path, line,
			"a quote inside the value of " VARIABLE " does not end; write \\\" or "
			"'\"' for one that means itself");
	*ret = count < 0 ? NULL : vector_of(words, count);
	if (!*ret)
		return import_complain(im, path, line, "no memory is left to read it");
	*ret_count = count + 1;
	return 0;
}
