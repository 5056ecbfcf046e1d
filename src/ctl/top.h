/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `oomfwdctl top`: what it shows (top-rows.c takes it from a look), what keys do to it and how it
 * is drawn, both pure (top-keys.c, top-draw.c). ctl-top.c is the loop, terminal.c the terminal.
 */
#pragma once

#include "figures.h"
#include "look.h"
#include "terminal.h"

enum top_sort { TOP_BY_BADNESS, TOP_BY_FREED, TOP_BY_MEMBERS, TOP_BY_NAME, TOP_SORTS };

#define TOP_ROWS_MAX (VICTIM_SET_MAX + VICTIM_REPORT_MAX)

/* One group. All texts are escaped. */
struct top_row {
	struct proc_id id;
	uint32_t candidate; /* index in the choice of the look */
	uint32_t rank;      /* from 1 on, as it would be chosen */
	char comm[4 * TASK_COMM_LEN + 1];
	uint64_t yield_bytes;
	int64_t badness;
	int16_t oom_score_adj;
	uint32_t members;
	const char *evidence;
	bool chosen, barred; /* would die now; could not, whatever happens */
	char reason[192];
	char place[640]; /* container or cgroup */
};

struct top {
	struct figures figures;
	struct averages pressure;
	int pressure_error;
	bool complete;     /* all processes could be seen */
	char verdict[160]; /* what would happen */
	char clock[32];    /* the time of day, of this look */
	uint32_t count;
	struct top_row rows[TOP_ROWS_MAX];

	/* What keys change. */
	enum top_sort sort;
	uint32_t selected, first; /* rows; the first on the screen */
	struct proc_id selected_id;
	bool in_details;
	char *details;          /* lines on the selected group; owned, NULL: none */
	uint32_t details_first; /* the first line on the screen */
};

/* Fills the rows and the head from a look that was just taken; keeps sort and selection (by the
 * process, not its place). */
void top_take(struct top *t, struct look *l);
void top_sort(struct top *t);
/* The lines for t->details on the selected group, of the last look. 0 or -errno. */
int top_take_details(struct top *t, struct look *l);

enum top_outcome {
	TOP_REDRAW,
	TOP_DETAILS, /* top_take_details() is due, then redraw */
	TOP_QUIT,
};
/* height: rows of the terminal. */
enum top_outcome top_press(struct top *t, enum terminal_key key, unsigned height);

/*
 * Draws at most height lines of at most width columns, line ends between them, none at the end.
 * Colours are escape sequences of SGR and nothing else.
 */
void top_draw(FILE *f, struct top *t, unsigned height, unsigned width, bool color);
/* All of it without cutting, for --once and pipes. */
void top_print(FILE *f, const struct top *t);
/* How many groups a screen of that height shows; at least 1. */
unsigned top_page(unsigned height);
