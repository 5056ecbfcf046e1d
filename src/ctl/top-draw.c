/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cells.h"
#include "top.h"

#include <stdarg.h>

#define COLUMNS    10
#define LINE_SIZE  512
#define HEAD_LINES 6  /* with the heading of the table */
#define HEAD_FROM  12 /* the height from which there is room for all of them, and the keys */

enum column { RANK, PID, COMM, FREES, BADNESS, ADJ, MEMBERS, EVIDENCE, REASON, PLACE };

static const char *const headings[COLUMNS] = { "RANK", "PID", "COMM", "FREES", "BADNESS", "ADJ",
	"MEMBERS", "EVIDENCE", "REASON", "CGROUP" };
static const bool align_right[COLUMNS] = { [RANK] = true,
	[PID] = true,
	[FREES] = true,
	[BADNESS] = true,
	[ADJ] = true,
	[MEMBERS] = true };
static const unsigned least_widths[COLUMNS] = { 4, 7, 15, 8, 9, 5, 7, 8, 0, 0 };
static const char *const sort_names[TOP_SORTS] = { "badness", "freed", "members", "name" };

enum style { STYLE_PLAIN, STYLE_TITLE, STYLE_HEADING, STYLE_SELECTED, STYLE_CHOSEN, STYLE_BARRED };

static const char *const style_codes[] = { [STYLE_PLAIN] = "",
	[STYLE_TITLE] = "\033[1m",
	[STYLE_HEADING] = "\033[7m",
	[STYLE_SELECTED] = "\033[7m",
	[STYLE_CHOSEN] = "\033[1;31m",
	[STYLE_BARRED] = "\033[2m" };

/* The screen as it fills. */
struct frame {
	FILE *f;
	unsigned height, width, used;
	bool color;
};

static void put_line(struct frame *d, enum style style, const char *text)
{
	bool styled = d->color && style != STYLE_PLAIN;

	if (d->used == d->height)
		return;
	if (d->used++ > 0)
		fputc('\n', d->f);
	if (styled)
		fputs(style_codes[style], d->f);
	if (styled && (style == STYLE_HEADING || style == STYLE_SELECTED))
		cells_put(d->f, text, d->width, false, false);
	else
		fprintf(d->f, "%.*s", (int)cells_fit(text, d->width), text);
	if (styled)
		fputs("\033[0m", d->f);
}

/* --- the head --- */

static bool has_head(unsigned height)
{
	return height >= HEAD_FROM;
}

unsigned top_page(unsigned height)
{
	unsigned taken = has_head(height) ? HEAD_LINES + 1 : 1;

	return height > taken ? height - taken : 1;
}

static void say_levels(struct text *t, const struct figures *g)
{
	text_add(t, "Levels    warn: ");
	figures_say_distance(t, &g->mem, &g->warn);
	text_add(t, "; kill: ");
	figures_say_distance(t, &g->mem, &g->kill);
}

/* The lines above the table, one after the other; false: that was the last. */
static bool say_head(struct text *x, const struct top *t, unsigned line)
{
	switch (line) {
	case 0:
		text_add(x, "oomfwdctl top  %s  sorted by %s%s", t->clock, sort_names[t->sort],
			t->complete ? "" : "  NOT ALL IS SEEN: it takes CAP_SYS_PTRACE (sudo)");
		return true;
	case 1:
		text_add(x, "Memory    ");
		figures_say_memory(x, &t->figures.mem);
		return true;
	case 2:
		say_levels(x, &t->figures);
		return true;
	case 3:
		text_add(x, "Pressure  ");
		averages_say(x, &t->pressure, t->pressure_error);
		return true;
	case 4:
		text_add(x, "%s", t->verdict);
		return true;
	default:
		return false;
	}
}

/* --- the table --- */

struct cells {
	const char *text[COLUMNS]; /* of the row, or of number */
	char number[COLUMNS][32];
};

static _printf_(3, 4) void set_number(struct cells *c, enum column column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->number[column], sizeof(c->number[column]), format, args);
	va_end(args);
	c->text[column] = c->number[column];
}

static void fill_cells(struct cells *c, const struct top_row *r)
{
	uint64_t magnitude = r->badness < 0 ? 0 - (uint64_t)r->badness : (uint64_t)r->badness;
	char bytes[24];

	set_number(c, RANK, "%u", r->rank);
	set_number(c, PID, "%d", (int)r->id.pid);
	c->text[COMM] = r->comm;
	set_number(c, FREES, "%s", report_bytes(r->yield_bytes, bytes, sizeof(bytes)));
	set_number(c, BADNESS, "%s%s", r->badness < 0 ? "-" : "",
		report_bytes(magnitude, bytes, sizeof(bytes)));
	set_number(c, ADJ, "%d", r->oom_score_adj);
	set_number(c, MEMBERS, "%u", r->members);
	c->text[EVIDENCE] = r->evidence;
	c->text[REASON] = r->reason;
	c->text[PLACE] = r->place;
}

static void fill_headings(struct cells *c)
{
	memcpy(c->text, headings, sizeof(headings));
}

static void put_cells(FILE *f, const struct cells *c, const unsigned widths[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++) {
		if (widths[i] == 0)
			continue;
		if (i > 0)
			fputc(' ', f);
		cells_put(f, c->text[i], widths[i], align_right[i], i == PLACE);
	}
}

/* What the fixed columns leave: to the reason first, most of which is short, then to the cgroup. */
static void share_width(unsigned width, unsigned ret[COLUMNS])
{
	unsigned fixed = 2, left;

	memcpy(ret, least_widths, sizeof(least_widths));
	for (int i = 0; i < REASON; i++)
		fixed += ret[i] + 1;
	left = width > fixed ? width - fixed : 0;
	ret[REASON] = left >= 60 ? 36 : left >= 40 ? 24 : left;
	ret[PLACE] = left > ret[REASON] + 1 ? left - ret[REASON] - 1 : 0;
}

/* The memory of the text is the caller's; NULL when there is none. */
static char *format_row(const struct cells *c, const unsigned widths[COLUMNS], bool selected)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs(selected ? "> " : "  ", f);
	put_cells(f, c, widths);
	fclose(f);
	return text;
}

static void draw_row(struct frame *d, const struct cells *c, const unsigned widths[COLUMNS],
	enum style style, bool selected)
{
	_cleanup_(freep) char *text = format_row(c, widths, selected);

	put_line(d, style, text ? text : "");
}

static enum style style_of(const struct top *t, uint32_t i)
{
	if (i == t->selected)
		return STYLE_SELECTED;
	return t->rows[i].chosen ? STYLE_CHOSEN : t->rows[i].barred ? STYLE_BARRED : STYLE_PLAIN;
}

static void draw_table(struct frame *d, struct top *t)
{
	unsigned page = top_page(d->height), widths[COLUMNS];
	struct cells c;

	share_width(d->width, widths);
	fill_headings(&c);
	if (d->height > 1)
		draw_row(d, &c, widths, STYLE_HEADING, false);
	if (t->selected < t->first)
		t->first = t->selected;
	if (t->selected >= t->first + page)
		t->first = t->selected - page + 1;
	/* No empty rows below while there are some above. */
	t->first = (uint32_t)min_u64(t->first, sub_or_zero_u64(t->count, page));
	for (uint32_t i = t->first; i < t->count && i < t->first + page; i++) {
		fill_cells(&c, &t->rows[i]);
		draw_row(d, &c, widths, style_of(t, i), i == t->selected);
	}
	if (t->count == 0)
		put_line(d, STYLE_PLAIN, "  no process could give back anything");
}

static void draw_list(struct frame *d, struct top *t)
{
	char line[LINE_SIZE];

	for (unsigned i = 0; has_head(d->height); i++) {
		if (!say_head(&(struct text){ line, sizeof(line) }, t, i))
			break;
		put_line(d, i == 0 ? STYLE_TITLE : STYLE_PLAIN, line);
	}
	draw_table(d, t);
	if (!has_head(d->height))
		return;
	while (d->used < d->height - 1)
		put_line(d, STYLE_PLAIN, "");
	put_line(d, STYLE_TITLE, "Up/Down select   Enter details   s sort   q quit");
}

static void draw_details(struct frame *d, const struct top *t)
{
	const char *at = t->details ? t->details : "no memory is left to show this\n";
	uint32_t skip = t->details_first;

	while (*at && d->used < d->height - (d->height > 1)) {
		size_t length = strcspn(at, "\n");
		char line[4 * LINE_SIZE];

		if (skip > 0) {
			skip--;
		} else {
			snprintf(line, sizeof(line), "%.*s", (int)length, at);
			line[text_whole(line, strlen(line))] = '\0';
			put_line(d,
				d->used == 0 && t->details_first == 0 ? STYLE_TITLE : STYLE_PLAIN,
				line);
		}
		at += length + (at[length] == '\n');
	}
	while (d->used + 1 < d->height)
		put_line(d, STYLE_PLAIN, "");
	put_line(d, STYLE_TITLE, "Up/Down scroll   Enter back   q quit");
}

void top_draw(FILE *f, struct top *t, unsigned height, unsigned width, bool color)
{
	struct frame d = { .f = f, .height = height, .width = width, .color = color };

	if (height == 0 || width == 0)
		return;
	if (t->in_details)
		draw_details(&d, t);
	else
		draw_list(&d, t);
}

/* --- without a terminal --- */

static void widen(unsigned widths[COLUMNS], const struct cells *c)
{
	for (int i = 0; i < COLUMNS; i++)
		widths[i] = (unsigned)max_u64(widths[i], cells_width(c->text[i]));
}

void top_print(FILE *f, const struct top *t)
{
	struct cells c;
	unsigned widths[COLUMNS] = { 0 };
	char line[LINE_SIZE];

	for (unsigned i = 0; say_head(&(struct text){ line, sizeof(line) }, t, i); i++)
		fprintf(f, "%s\n", line);
	fill_headings(&c);
	widen(widths, &c);
	for (uint32_t i = 0; i < t->count; i++) {
		fill_cells(&c, &t->rows[i]);
		widen(widths, &c);
	}
	/* Nothing follows the last column: no blanks either. */
	widths[PLACE] = 0;
	for (uint32_t i = 0; i <= t->count; i++) {
		if (i == 0)
			fill_headings(&c);
		else
			fill_cells(&c, &t->rows[i - 1]);
		put_cells(f, &c, widths);
		fprintf(f, " %s\n", c.text[PLACE]);
	}
}
