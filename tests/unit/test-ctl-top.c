/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top of oomfwdctl without a terminal: what keys are made of, what they do, what is drawn.
 */
#include "cells.h"
#include "top.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOSTILE "\x1b[2J\x1b]0;pwn\a\r\nx\xe2\x80\xae\xff"

/* A machine of so many groups, of which the first would die. */
static struct top *made_top(uint32_t count)
{
	struct top *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->figures = (struct figures){ .mem = { .total_bytes = 16 * GIB,
					       .available_bytes = 4 * GIB,
					       .swap_total_bytes = 2 * GIB,
					       .swap_free_bytes = GIB },
		.warn = { .memory_bytes = GIB, .swap_bytes = 200 * MIB },
		.kill = { .memory_bytes = 512 * MIB } };
	t->complete = true;
	copy_cut(t->clock, sizeof(t->clock), "12:34:56");
	copy_cut(t->verdict, sizeof(t->verdict), "If it were short: one would die");
	t->count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct top_row *r = &t->rows[i];

		r->id = (struct proc_id){ (pid_t)(1000 + i), 7 };
		r->candidate = i;
		r->rank = i + 1;
		r->badness = (int64_t)((count - i) * MIB);
		r->yield_bytes = i * MIB; /* the other way round */
		r->members = i % 3 + 1;
		r->evidence = "kcmp";
		r->chosen = i == 0;
		snprintf(r->comm, sizeof(r->comm), "proc%02u", (count - i) % 100);
		copy_cut(r->reason, sizeof(r->reason), "chosen");
		snprintf(r->place, sizeof(r->place), "/system.slice/unit-%u.service", i);
	}
	top_sort(t);
	return t;
}

static void free_top(struct top *t)
{
	free(t->details);
	free(t);
}

static char *drawn(struct top *t, unsigned height, unsigned width, bool color)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	top_draw(f, t, height, width, color);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* The line with its number; the next call forgets it. */
static const char *line_of(const char *text, unsigned number)
{
	static char line[4096];

	for (unsigned i = 0; i < number; i++) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
	return line;
}

static unsigned count_lines(const char *text)
{
	unsigned n = text[0] != '\0';

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* No line is wider, there are not more, and no byte steers the terminal. */
static void assert_fits(const char *text, unsigned height, unsigned width)
{
	unsigned lines = count_lines(text);

	assert_in_range(lines, 1, height);
	for (unsigned i = 0; i < lines; i++)
		assert_in_range(cells_width(line_of(text, i)), 0, width);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		assert_true((*p >= 0x20 && *p != 0x7f) || *p == '\n');
	assert_null(strstr(text, "\xe2\x80\xae"));
}

/* --- cells --- */

static void characters_have_their_widths(void **state)
{
	assert_int_equal(cells_width(""), 0);
	assert_int_equal(cells_width("java"), 4);
	assert_int_equal(cells_width("\xc3\xa9t\xc3\xa9"), 3);
	assert_int_equal(cells_width("e\xcc\x81"), 1);         /* an accent of its own */
	assert_int_equal(cells_width("\xe6\xbc\xa2"), 2);      /* a Chinese character */
	assert_int_equal(cells_width("\xf0\x9f\x98\x80!"), 3); /* a face */
}

static void what_fits_ends_with_a_whole_character(void **state)
{
	assert_int_equal(cells_fit("\xe6\xbc\xa2\xe6\xbc\xa2", 4), 6);
	assert_int_equal(cells_fit("\xe6\xbc\xa2\xe6\xbc\xa2", 3), 3);
	assert_int_equal(cells_fit("\xe6\xbc\xa2", 1), 0);
	assert_int_equal(cells_fit("abc", 0), 0);
}

static void assert_put(const char *text, unsigned width, bool right, bool end, const char *expected)
{
	char got[64] = "";
	FILE *f = fmemopen(got, sizeof(got), "w");

	assert_non_null(f);
	cells_put(f, text, width, right, end);
	fclose(f);
	assert_string_equal(got, expected);
}

static void a_cell_has_its_width(void **state)
{
	assert_put("ab", 4, false, false, "ab  ");
	assert_put("ab", 4, true, false, "  ab");
	assert_put("abcdef", 4, false, false, "abcd");
	assert_put("abcdef", 4, false, true, "..ef");
	assert_put("abcd", 4, false, true, "abcd");
	/* Half of it does not fit: a blank in its place. */
	assert_put("a\xe6\xbc\xa2\xe6\xbc\xa2", 4, false, false, "a\xe6\xbc\xa2 ");
	assert_put("a\xe6\xbc\xa2\xe6\xbc\xa2", 4, false, true, "..\xe6\xbc\xa2");
	assert_put("", 0, false, true, "");
}

/* --- keys --- */

static void assert_key(const char *data, enum terminal_key expected)
{
	enum terminal_key key;

	assert_int_equal(terminal_decode(data, strlen(data), true, &key), strlen(data));
	assert_int_equal(key, expected);
}

static void keys_are_known(void **state)
{
	assert_key("j", KEY_DOWN);
	assert_key("k", KEY_UP);
	assert_key("\033[A", KEY_UP);
	assert_key("\033OB", KEY_DOWN); /* in application mode */
	assert_key("\033[5~", KEY_PAGE_UP);
	assert_key("\033[6~", KEY_PAGE_DOWN);
	assert_key("\033[H", KEY_HOME);
	assert_key("\033[4~", KEY_END);
	assert_key("\r", KEY_ENTER);
	assert_key("e", KEY_DETAILS);
	assert_key("s", KEY_SORT);
	assert_key("q", KEY_QUIT);
	assert_key("\033", KEY_ESCAPE);
	/* Whole sequences that are not ours, not their letters. */
	assert_key("\033[1;5A", KEY_UP);
	assert_key("\033[15~", KEY_NONE);
	assert_key("\033[<0;10;10q", KEY_NONE);
	assert_key("z", KEY_NONE);
}

static void a_sequence_that_is_cut_waits_for_its_end(void **state)
{
	enum terminal_key key;

	assert_int_equal(terminal_decode("", 0, true, &key), 0);
	assert_int_equal(terminal_decode("\033", 1, false, &key), 0);
	assert_int_equal(terminal_decode("\033[", 2, false, &key), 0);
	assert_int_equal(terminal_decode("\033[5", 3, false, &key), 0);
	assert_int_equal(terminal_decode("\033[5~q", 5, false, &key), 4);
	assert_int_equal(key, KEY_PAGE_UP);
	/* Nothing more comes: it is thrown away whole. */
	assert_int_equal(terminal_decode("\033[5", 3, true, &key), 3);
	assert_int_equal(key, KEY_NONE);
}

static void the_selection_stays_in_the_list(void **state)
{
	struct top *t = made_top(30);

	top_press(t, KEY_UP, 24);
	assert_int_equal(t->selected, 0);
	top_press(t, KEY_DOWN, 24);
	assert_int_equal(t->selected, 1);
	top_press(t, KEY_PAGE_DOWN, 24);
	assert_int_equal(t->selected, 1 + top_page(24));
	top_press(t, KEY_END, 24);
	assert_int_equal(t->selected, 29);
	top_press(t, KEY_PAGE_DOWN, 24);
	assert_int_equal(t->selected, 29);
	top_press(t, KEY_HOME, 24);
	assert_int_equal(t->selected, 0);
	assert_int_equal(top_press(t, KEY_NONE, 24), TOP_REDRAW);
	assert_int_equal(top_press(t, KEY_QUIT, 24), TOP_QUIT);
	free_top(t);
}

static void an_empty_list_has_nobody_to_select(void **state)
{
	struct top *t = made_top(0);
	char *text;

	for (enum terminal_key key = KEY_NONE; key < KEY_QUIT; key++)
		assert_int_equal(top_press(t, key, 24), TOP_REDRAW);
	assert_false(t->in_details);
	text = drawn(t, 24, 80, false);
	assert_non_null(strstr(text, "no process could give back anything"));
	free(text);
	free_top(t);
}

static void the_selection_follows_the_process_when_the_order_changes(void **state)
{
	struct top *t = made_top(5);

	top_press(t, KEY_DOWN, 24);
	assert_int_equal(t->selected_id.pid, 1001);
	top_press(t, KEY_SORT, 24); /* by what comes back: upside down */
	assert_int_equal(t->sort, TOP_BY_FREED);
	assert_int_equal(t->rows[0].id.pid, 1004);
	assert_int_equal(t->selected, 3);
	assert_int_equal(t->selected_id.pid, 1001);
	top_press(t, KEY_SORT, 24);
	assert_int_equal(t->rows[0].id.pid, 1002); /* the only one of three */
	assert_int_equal(t->rows[1].id.pid, 1001); /* of two: the better rank first */
	top_press(t, KEY_SORT, 24);
	assert_string_equal(t->rows[0].comm, "proc01");
	top_press(t, KEY_SORT, 24);
	assert_int_equal(t->sort, TOP_BY_BADNESS);
	assert_int_equal(t->rows[0].rank, 1);
	assert_int_equal(t->selected_id.pid, 1001);
	free_top(t);
}

static void who_ends_leaves_the_selection_to_the_next(void **state)
{
	struct top *t = made_top(5);

	top_press(t, KEY_END, 24);
	t->in_details = true;
	t->count = 3;
	top_sort(t);
	assert_int_equal(t->selected, 2);
	assert_int_equal(t->selected_id.pid, 1002);
	assert_false(t->in_details);
	/* A pid that was given out anew is somebody else. */
	t->in_details = true;
	t->rows[2].id.start_ticks++;
	top_sort(t);
	assert_false(t->in_details);
	free_top(t);
}

static void details_scroll_and_go_back(void **state)
{
	struct top *t = made_top(5);
	char *text;

	assert_int_equal(top_press(t, KEY_ENTER, 4), TOP_DETAILS);
	t->details = strdup("one\ntwo\nthree\nfour\nfive\n");
	text = drawn(t, 4, 80, false);
	assert_string_equal(text, "one\ntwo\nthree\nUp/Down scroll   Enter back   q quit");
	free(text);
	top_press(t, KEY_DOWN, 4);
	text = drawn(t, 4, 80, false);
	assert_string_equal(line_of(text, 0), "two");
	free(text);
	top_press(t, KEY_PAGE_DOWN, 4);
	top_press(t, KEY_PAGE_DOWN, 4);
	assert_int_equal(t->details_first, 4);
	assert_int_equal(t->selected, 0);
	top_press(t, KEY_ESCAPE, 4);
	assert_false(t->in_details);
	assert_int_equal(top_press(t, KEY_DETAILS, 4), TOP_DETAILS);
	assert_int_equal(t->details_first, 0);
	free_top(t);
}

/* --- drawing --- */

static void a_screen_of_24_lines_holds_head_table_and_keys(void **state)
{
	struct top *t = made_top(30);
	char *text = drawn(t, 24, 120, false);

	assert_fits(text, 24, 120);
	assert_int_equal(count_lines(text), 24);
	assert_non_null(strstr(line_of(text, 0), "12:34:56  sorted by badness"));
	assert_string_equal(line_of(text, 1),
		"Memory    4.0 GiB of 16 GiB available (25 %), 1.0 GiB of 2.0 GiB swap free (50 "
		"%)");
	assert_string_equal(
		line_of(text, 2), "Levels    warn: 3.0 GiB above it; kill: 3.5 GiB above it");
	assert_string_equal(line_of(text, 4), "If it were short: one would die");
	assert_non_null(strstr(line_of(text, 5), "RANK     PID COMM"));
	assert_non_null(strstr(line_of(text, 6), ">    1    1000 proc30"));
	assert_non_null(strstr(line_of(text, 22), "  17    1016"));
	assert_string_equal(line_of(text, 23), "Up/Down select   Enter details   s sort   q quit");
	free(text);
	free_top(t);
}

static void every_size_is_kept(void **state)
{
	static const unsigned sizes[] = { 1, 2, 3, 7, 11, 12, 13, 20, 24, 79, 80, 132, 500 };
	struct top *t = made_top(40);

	for (size_t h = 0; h < ARRAY_SIZE(sizes); h++)
		for (size_t w = 0; w < ARRAY_SIZE(sizes); w++) {
			char *text = drawn(t, sizes[h], sizes[w], false);

			assert_fits(text, sizes[h], sizes[w]);
			free(text);
			t->in_details = true;
			text = drawn(t, sizes[h], sizes[w], false);
			assert_fits(text, sizes[h], sizes[w]);
			free(text);
			t->in_details = false;
		}
	top_draw(stdout, t, 0, 80, false);
	top_draw(stdout, t, 24, 0, false);
	free_top(t);
}

static void the_selected_one_is_on_the_screen(void **state)
{
	struct top *t = made_top(100);
	static const unsigned heights[] = { 1, 2, 5, 12, 24, 50, 8 };

	for (uint32_t selected = 0; selected < 100; selected += 9)
		for (size_t h = 0; h < ARRAY_SIZE(heights); h++) {
			char *text, pid[16];

			t->selected = selected;
			text = drawn(t, heights[h], 80, false);
			if (heights[h] > 1) {
				snprintf(pid, sizeof(pid), " %u proc", 1000 + selected);
				assert_non_null(strstr(strchr(text, '>'), pid));
			}
			free(text);
		}
	free_top(t);
}

static void hostile_names_do_no_harm(void **state)
{
	struct top *t = made_top(3);
	char *text;

	report_escape("\x1b[2J\x1b]0;pwn\xff", t->rows[1].comm, sizeof(t->rows[1].comm));
	report_escape(HOSTILE HOSTILE HOSTILE, t->rows[1].place, sizeof(t->rows[1].place));
	for (size_t i = 0; i + 3 < sizeof(t->rows[2].comm); i += 3)
		memcpy(t->rows[2].comm + i, "\xe6\xbc\xa2", 4);
	memset(t->rows[0].place, 'x', sizeof(t->rows[0].place) - 1);
	memset(t->rows[0].reason, 'y', sizeof(t->rows[0].reason) - 1);
	for (unsigned width = 1; width < 260; width++) {
		text = drawn(t, 24, width, false);
		assert_fits(text, 24, width);
		free(text);
	}
	text = drawn(t, 24, 200, false);
	assert_non_null(strstr(text, "\\x1B[2J\\x1B]0;pw")); /* cut to its column */
	free(text);
	free_top(t);
}

static void columns_stand_below_their_headings(void **state)
{
	struct top *t = made_top(3);
	char *text;
	const char *heading;
	size_t members, place;

	for (size_t i = 0; i < 5; i++)
		memcpy(t->rows[1].comm + 3 * i, "\xe6\xbc\xa2", 4);
	text = drawn(t, 24, 160, false);
	heading = line_of(text, 5);
	members = (size_t)(strstr(heading, "EVIDENCE") - heading);
	place = (size_t)(strstr(heading, "CGROUP") - heading);
	for (unsigned i = 6; i < 9; i++) {
		const char *row = line_of(text, i);

		assert_memory_equal(row + cells_fit(row, (unsigned)members), "kcmp", 4);
		assert_memory_equal(row + cells_fit(row, (unsigned)place), "/system", 7);
	}
	free(text);
	free_top(t);
}

static void a_long_cgroup_keeps_its_end(void **state)
{
	struct top *t = made_top(1);
	char *text;

	snprintf(t->rows[0].place, sizeof(t->rows[0].place), "%s",
		"/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox.scope");
	text = drawn(t, 24, 140, false);
	assert_non_null(strstr(text, "app-firefox.scope"));
	assert_null(strstr(text, "/user.slice/"));
	free(text);
	free_top(t);
}

/* What is left of a line without its colours. */
static void strip(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (*p == '\033') {
			assert_int_equal(p[1], '[');
			p += strcspn(p, "m"); /* nothing but SGR may be there */
			assert_int_equal(*p, 'm');
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}

static void colours_are_added_and_nothing_else(void **state)
{
	struct top *t = made_top(30);
	char *plain, *coloured;

	t->rows[2].barred = true;
	top_press(t, KEY_DOWN, 24);
	plain = drawn(t, 24, 80, false);
	coloured = drawn(t, 24, 80, true);
	assert_non_null(strstr(coloured, "\033[1;31m     1    1000"));
	assert_non_null(strstr(coloured, "\033[7m>    2    1001"));
	assert_non_null(strstr(coloured, "\033[2m     3    1002"));
	assert_null(strchr(plain, '\033'));
	strip(coloured);
	assert_fits(coloured, 24, 80);
	for (unsigned i = 0; i < 24; i++) {
		char line[4096];

		copy_cut(line, sizeof(line), line_of(plain, i));
		/* A line in reverse is filled up. */
		assert_memory_equal(line_of(coloured, i), line, strlen(line));
	}
	free(plain);
	free(coloured);
	free_top(t);
}

static void what_is_printed_is_whole(void **state)
{
	struct top *t = made_top(40);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	memset(t->rows[0].place, 'x', sizeof(t->rows[0].place) - 1);
	t->complete = false;
	top_print(f, t);
	fclose(f);
	assert_int_equal(count_lines(text), 5 + 1 + 40 + 1); /* head, heading, rows, the end */
	assert_non_null(strstr(text, "NOT ALL IS SEEN"));
	assert_non_null(strstr(text, t->rows[0].place));
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, " \n"));
	free(text);
	free_top(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_their_widths),
		cmocka_unit_test(what_fits_ends_with_a_whole_character),
		cmocka_unit_test(a_cell_has_its_width),
		cmocka_unit_test(keys_are_known),
		cmocka_unit_test(a_sequence_that_is_cut_waits_for_its_end),
		cmocka_unit_test(the_selection_stays_in_the_list),
		cmocka_unit_test(an_empty_list_has_nobody_to_select),
		cmocka_unit_test(the_selection_follows_the_process_when_the_order_changes),
		cmocka_unit_test(who_ends_leaves_the_selection_to_the_next),
		cmocka_unit_test(details_scroll_and_go_back),
		cmocka_unit_test(a_screen_of_24_lines_holds_head_table_and_keys),
		cmocka_unit_test(every_size_is_kept),
		cmocka_unit_test(the_selected_one_is_on_the_screen),
		cmocka_unit_test(hostile_names_do_no_harm),
		cmocka_unit_test(columns_stand_below_their_headings),
		cmocka_unit_test(a_long_cgroup_keeps_its_end),
		cmocka_unit_test(colours_are_added_and_nothing_else),
		cmocka_unit_test(what_is_printed_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
