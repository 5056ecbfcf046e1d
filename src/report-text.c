/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that breaks nothing, and numbers with their units.
 */
#include "report-text.h"

#include <stdarg.h>
#include <string.h>

/* The bytes of the UTF-8 character at s, or 0: not valid (too long a form, surrogate, cut). */
static size_t utf8_length(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : 4;
	uint32_t c;

	if (length == 4 && s[0] >> 3 != 30)
		return 0;
	c = length == 1 ? s[0] : s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return length;
}

static bool is_plain(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == '\\')
		return false;
	/* Line and paragraph separator; what turns the direction of writing. */
	return !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) && c != 0x200e &&
		c != 0x200f && c != 0x61c;
}

char *report_escape(const char *text, char *ret, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char *s = (const unsigned char *)text;
	size_t at = 0;

	if (size == 0)
		return ret;
	while (*s) {
		uint32_t c = 0;
		size_t length = utf8_length(s, &c);
		bool plain = length > 0 && is_plain(c);

		if (length == 0)
			length = 1;
		if ((plain ? length : 4 * length) >= size - at)
			break;
		for (size_t i = 0; i < length; i++, s++) {
			if (plain) {
				ret[at++] = (char)*s;
				continue;
			}
			ret[at++] = '\\';
			ret[at++] = 'x';
			ret[at++] = hex[*s >> 4];
			ret[at++] = hex[*s & 15];
		}
	}
	ret[at] = '\0';
	return ret;
}

char *report_bytes(uint64_t bytes, char *ret, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t unit = 1, tenths, whole;
	size_t i = 0;

	/* 1023.5 and more would round to 1024 of the smaller unit. */
	while (i + 1 < ARRAY_SIZE(units) && mul_div_u64(bytes, 2, unit) >= 2047) {
		unit *= 1024;
		i++;
	}
	tenths = mul_div_u64(bytes, 20, unit);
	tenths = tenths / 2 + tenths % 2;
	whole = mul_div_u64(bytes, 2, unit);
	whole = whole / 2 + whole % 2;
	if (i > 0 && tenths < 100)
		snprintf(ret, size, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
			units[i]);
	else
		snprintf(ret, size, "%u %s", (unsigned)whole, units[i]);
	return ret;
}

char *report_usec(uint64_t usec, char *ret, size_t size)
{
	unsigned long long n = usec;

	if (n < 1000)
		snprintf(ret, size, "%llu us", n);
	else if (n < 999500)
		snprintf(ret, size, "%llu ms", (n + 500) / 1000);
	else if (n < 9950000)
		snprintf(
			ret, size, "%llu.%llu s", (n + 50000) / 1000000, (n + 50000) / 100000 % 10);
	else
		snprintf(ret, size, "%llu s", n / 1000000 + (n % 1000000 >= 500000));
	return ret;
}

size_t text_whole(const char *text, size_t length)
{
	size_t last = length;
	uint32_t c;

	while (last > 0 && (unsigned char)text[last - 1] >> 6 == 2)
		last--;
	if (last > 0 && utf8_length((const unsigned char *)text + last - 1, &c) == 0)
		return last - 1;
	return length;
}

void text_add(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, t->left, format, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n < t->left) {
		t->at += n;
		t->left -= (size_t)n;
		return;
	}
	t->at += text_whole(t->at, t->left - 1);
	*t->at = '\0';
	t->left = 1;
}

void text_bytes(struct text *t, uint64_t bytes)
{
	char text[32];

	text_add(t, "%s", report_bytes(bytes, text, sizeof(text)));
}

void text_usec(struct text *t, uint64_t usec)
{
	char text[32];

	text_add(t, "%s", report_usec(usec, text, sizeof(text)));
}

void text_percent(struct text *t, uint64_t part, uint64_t whole)
{
	uint64_t tenths = mul_div_u64(part, 1000, max_u64(whole, 1));

	if (tenths < 100)
		text_add(t, "%u.%u %%", (unsigned)tenths / 10, (unsigned)tenths % 10);
	else
		text_add(t, "%u %%", (unsigned)min_u64((tenths + 5) / 10, 100));
}

void text_error(struct text *t, int error)
{
	const char *text = strerrordesc_np(-error);

	text_add(t, "%s", text ? text : "unknown error");
}

void text_escaped(struct text *t, const char *text)
{
	char escaped[4 * 256];

	text_add(t, "%s", report_escape(text, escaped, sizeof(escaped)));
}

void text_process(struct text *t, pid_t pid, const char comm[TASK_COMM_LEN])
{
	char whole[TASK_COMM_LEN + 1] = "";

	memcpy(whole, comm, TASK_COMM_LEN);
	text_add(t, "%d (", pid);
	text_escaped(t, whole);
	text_add(t, ")");
}
