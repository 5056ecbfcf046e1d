/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Patterns of Python's re module as POSIX extended ones, for a search that asks only whether there
 * is a match. What would match something else there is not translated.
 */
#include "import.h"

struct translation {
	const char *at;
	FILE *out;
	const char *why; /* it cannot be translated */
};

/* Members of a bracket expression: those that have a meaning where they stand go last. */
struct brackets {
	FILE *out;
	bool close, open, caret, dash;
};

/* Classes, as they are in brackets. */
static const char *class_of(char letter)
{
	switch (letter) {
	case 'd':
	case 'D':
		return "0-9";
	case 'w':
	case 'W':
		return "[:alnum:]_";
	case 's':
	case 'S':
		return "[:space:]";
	default:
		return NULL;
	}
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_wide(char c)
{
	return (unsigned char)c >= 0x80;
}

/* --- brackets --- */

static void put_member(struct brackets *b, char c)
{
	b->close |= c == ']';
	b->open |= c == '[';
	b->caret |= c == '^';
	b->dash |= c == '-';
	if (!strchr("][^-", c))
		putc(c, b->out);
}

/* The character of the next member, or -1: it was a class, and is written, or why is set. */
static int take_member(struct translation *t, struct brackets *b)
{
	char c = *t->at++;

	if (is_wide(c)) {
		t->why = "has letters beyond ASCII in brackets, where oomfwd goes by bytes";
		return -1;
	}
	if (c != '\\')
		return c;
	c = *t->at;
	t->at += c != '\0';
	if (c == 'd' || c == 'w' || c == 's') {
		fputs(class_of(c), b->out);
		return -1;
	}
	if (c == 't')
		return '\t';
	if (!c || is_letter(c) || is_digit(c) || is_wide(c)) {
		t->why = "has an escape in brackets that POSIX expressions do not know";
		return -1;
	}
	return c;
}

static void take_members(struct translation *t, struct brackets *b)
{
	bool first = true;

	for (; !t->why && (first || *t->at != ']'); first = false) {
		int c, end;

		if (!*t->at) {
			t->why = "has a [ that is not closed";
			return;
		}
		c = take_member(t, b);
		if (c < 0)
			continue;
		if (t->at[0] != '-' || !t->at[1] || t->at[1] == ']') {
			put_member(b, (char)c);
			continue;
		}
		t->at++;
		end = take_member(t, b);
		if (end < 0 || strchr("][^-", c) || strchr("][^-", end))
			t->why = t->why ? t->why : "has a range in brackets with such an end";
		else
			fprintf(b->out, "%c-%c", c, end);
	}
}

static void put_brackets(FILE *out, bool negated, const struct brackets *b, const char *members)
{
	bool caret_first = b->caret && !negated && !b->close && !b->open && !*members;

	/* Alone it would negate. */
	if (caret_first && !b->dash) {
		fputs("\\^", out);
		return;
	}
	fprintf(out, "[%s%s%s%s%s]", negated ? "^" : "", b->close ? "]" : "", members,
		b->open ? "[" : "",
		caret_first                   ? "-^"
			: b->caret && b->dash ? "^-"
			: b->caret            ? "^"
			: b->dash             ? "-"
					      : "");
}

static void take_brackets(struct translation *t)
{
	_cleanup_(freep) char *members = NULL;
	struct brackets b = { 0 };
	bool negated;
	size_t size;

	b.out = open_memstream(&members, &size);
	if (!b.out) {
		t->why = "no memory is left";
		return;
	}
	negated = *++t->at == '^';
	t->at += negated;
	take_members(t, &b);
	if (fclose(b.out) != 0)
		t->why = "no memory is left";
	if (t->why)
		return;
	t->at++;
	put_brackets(t->out, negated, &b, members);
}

/* --- the rest --- */

static void take_escape(struct translation *t)
{
	char c = t->at[1];

	t->at += c ? 2 : 1;
	if (c == 'd' || c == 'w' || c == 's')
		fprintf(t->out, "[%s]", class_of(c));
	else if (c == 'D' || c == 'W' || c == 'S')
		fprintf(t->out, "[^%s]", class_of(c));
	else if (c == 'A' || c == 'Z')
		putc(c == 'A' ? '^' : '$', t->out);
	else if (c && strchr("bB.^$*+?()[]{}|\\", c))
		fprintf(t->out, "\\%c", c);
	else if (c == 't')
		putc('\t', t->out);
	else if (is_digit(c))
		t->why = "has a back-reference, which can take for ever to match";
	else if (!c || is_letter(c))
		t->why = "has an escape that POSIX expressions do not know";
	else
		putc(c, t->out);
}

/* What follows a repetition makes it take as little as it can, which does not change whether there
 * is a match; or as much as it can for good, which does. */
static void end_repetition(struct translation *t)
{
	if (*t->at == '?')
		t->at++;
	else if (*t->at == '+')
		t->why = "has a possessive repetition, which POSIX expressions do not know";
}

/* "{2,3}", "{2}", "{2,}", "{,3}"; anything else that begins so means itself. */
static void take_braces(struct translation *t)
{
	size_t low = strspn(t->at + 1, "0123456789");
	const char *p = t->at + 1 + low;
	size_t high = *p == ',' ? strspn(p + 1, "0123456789") : 0;
	const char *end = *p == ',' ? p + 1 + high : p;

	if (*end != '}' || low + high == 0) {
		fputs("\\{", t->out);
		t->at++;
		return;
	}
	fprintf(t->out, "{%s%.*s", low ? "" : "0", (int)(end - t->at), t->at + 1);
	t->at = end + 1;
	end_repetition(t);
}

/* At "(?". */
static void take_group(struct translation *t)
{
	const char *name_end = strncmp(t->at, "(?P<", 4) == 0 ? strchr(t->at, '>') : NULL;

	if (t->at[2] == ':' || name_end) {
		t->at = name_end ? name_end + 1 : t->at + 3;
		putc('(', t->out);
		return;
	}
	t->why = "uses (?...), which POSIX expressions do not know";
}

/* A character of more than one byte, which a repetition would take for its last one. */
static void take_wide(struct translation *t)
{
	size_t length = 1;

	while (((unsigned char)t->at[length] & 0xC0) == 0x80)
		length++;
	if (t->at[length] && strchr("*+?{", t->at[length]))
		fprintf(t->out, "(%.*s)", (int)length, t->at);
	else
		fprintf(t->out, "%.*s", (int)length, t->at);
	t->at += length;
}

static void translate(struct translation *t)
{
	while (*t->at && !t->why) {
		char c = *t->at;

		if (c == '\\') {
			take_escape(t);
		} else if (c == '[') {
			take_brackets(t);
		} else if (c == '(' && t->at[1] == '?') {
			take_group(t);
		} else if (c == '{') {
			take_braces(t);
		} else if (is_wide(c)) {
			take_wide(t);
		} else {
			putc(c, t->out);
			t->at++;
			if (strchr("*+?", c))
				end_repetition(t);
		}
	}
}

char *import_python_pattern(const char *pattern, const char **ret_why)
{
	_cleanup_(freep) char *text = NULL;
	struct translation t = { .at = pattern };
	size_t size;

	t.out = open_memstream(&text, &size);
	if (t.out) {
		translate(&t);
		if (fclose(t.out) == 0 && !t.why)
			return take_pointer(&text);
	}
	*ret_why = t.why ? t.why : "no memory is left";
	return NULL;
}
