/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top.h"

/* The step of a key over so many lines, none past either end. */
static uint32_t moved(uint32_t at, uint32_t count, enum terminal_key key, unsigned page)
{
	uint32_t last = count > 0 ? count - 1 : 0;

	switch (key) {
	case KEY_UP:
		return at > 0 ? at - 1 : 0;
	case KEY_DOWN:
		return (uint32_t)min_u64(at + 1, last);
	case KEY_PAGE_UP:
		return (uint32_t)sub_or_zero_u64(at, page);
	case KEY_PAGE_DOWN:
		return (uint32_t)min_u64((uint64_t)at + page, last);
	case KEY_HOME:
		return 0;
	case KEY_END:
		return last;
	case KEY_NONE:
	case KEY_ENTER:
	case KEY_ESCAPE:
	case KEY_DETAILS:
	case KEY_SORT:
	case KEY_QUIT:
		return at;
	}
	return at;
}

static uint32_t count_lines(const char *text)
{
	uint32_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static enum top_outcome press_in_details(struct top *t, enum terminal_key key, unsigned height)
{
	if (key == KEY_ENTER || key == KEY_DETAILS || key == KEY_ESCAPE)
		t->in_details = false;
	else
		t->details_first =
			moved(t->details_first, count_lines(t->details ? t->details : ""), key,
				height > 1 ? height - 1 : 1);
	return TOP_REDRAW;
}

enum top_outcome top_press(struct top *t, enum terminal_key key, unsigned height)
{
	if (key == KEY_QUIT)
		return TOP_QUIT;
	if (t->in_details)
		return press_in_details(t, key, height);
	if (key == KEY_SORT) {
		t->sort = (t->sort + 1) % TOP_SORTS;
		top_sort(t);
		return TOP_REDRAW;
	}
	if ((key == KEY_ENTER || key == KEY_DETAILS) && t->count > 0) {
		t->in_details = true;
		t->details_first = 0;
		return TOP_DETAILS;
	}
	t->selected = moved(t->selected, t->count, key, top_page(height));
	if (t->count > 0)
		t->selected_id = t->rows[t->selected].id;
	return TOP_REDRAW;
}
