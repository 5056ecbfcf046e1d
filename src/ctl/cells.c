/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cells.h"

struct range {
	uint32_t first, last;
};

static bool is_in(uint32_t c, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* As terminals have it, in the large; a terminal that knows better cuts the line by itself. */
static unsigned width_of(uint32_t c)
{
	static const struct range none[] = { { 0x300, 0x36f }, { 0x483, 0x489 }, { 0x591, 0x5bd },
		{ 0x610, 0x61a }, { 0x64b, 0x65f }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
		{ 0x200b, 0x200f }, { 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
		{ 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff }, { 0xe0100, 0xe01ef } };
	static const struct range twice[] = { { 0x1100, 0x115f }, { 0x231a, 0x231b },
		{ 0x2e80, 0xa4cf }, { 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },
		{ 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff },
		{ 0x20000, 0x3fffd } };

	if (c < 0x300)
		return 1;
	if (is_in(c, none, ARRAY_SIZE(none)))
		return 0;
	return is_in(c, twice, ARRAY_SIZE(twice)) ? 2 : 1;
}

/* The character at text, which is valid; *ret_length bytes of it. */
static uint32_t decode(const char *text, size_t *ret_length)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
	size_t i = 1;

	for (; i < length && s[i] >> 6 == 2; i++)
		c = c << 6 | (s[i] & 0x3f);
	*ret_length = i;
	return c;
}

unsigned cells_width(const char *text)
{
	unsigned width = 0;
	size_t length;

	for (; *text; text += length)
		width += width_of(decode(text, &length));
	return width;
}

size_t cells_fit(const char *text, unsigned width)
{
	const char *p = text;
	unsigned used = 0;
	size_t length;

	while (*p) {
		used += width_of(decode(p, &length));
		if (used > width)
			break;
		p += length;
	}
	return (size_t)(p - text);
}

/* The longest end of text that takes width columns at the most. */
static const char *end_that_fits(const char *text, unsigned width)
{
	unsigned all = cells_width(text);
	size_t length;

	while (all > width) {
		all -= width_of(decode(text, &length));
		text += length;
	}
	return text;
}

void cells_put(FILE *f, const char *text, unsigned width, bool align_right, bool keep_end)
{
	static const char cut[] = "..";
	bool cuts = keep_end && width > 2 && cells_width(text) > width;
	size_t length;
	unsigned pad;

	if (cuts) {
		text = end_that_fits(text, width - 2);
		fputs(cut, f);
		width -= 2;
	}
	length = cells_fit(text, width);
	pad = width;
	for (size_t at = 0, n; at < length; at += n)
		pad -= width_of(decode(text + at, &n));
	fprintf(f, "%*s%.*s%*s", align_right ? (int)pad : 0, "", (int)length, text,
		align_right ? 0 : (int)pad, "");
}
