/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal as a whole screen: raw, and as it was before on every way out. One at a time.
 */
#pragma once

#include "util.h"

enum terminal_key {
	KEY_NONE, /* not one of ours */
	KEY_UP,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_ENTER,
	KEY_ESCAPE,
	KEY_DETAILS,
	KEY_SORT,
	KEY_QUIT,
};

/* The first key of what came in, and of how many bytes it was made; 0: more must come, unless
 * nothing follows for a moment (is_all). Pure. */
size_t terminal_decode(const char *data, size_t length, bool is_all, enum terminal_key *ret);

/* Whether standard input and output are one that can be drawn on. */
bool terminal_is_there(void);

struct terminal;

/* Blocks SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP and SIGWINCH: before threads are made. The
 * screen is not touched until terminal_draw(). 0 or -errno. */
int terminal_open(struct terminal **ret);
/* As it was before. */
void terminal_close(struct terminal *t);
static inline void terminal_closep(struct terminal **t)
{
	terminal_close(*t);
}

void terminal_size(unsigned *ret_height, unsigned *ret_width);
/* Lines of text, as top_draw() writes them. 0 or -errno. */
int terminal_draw(struct terminal *t, const char *text);

enum terminal_event {
	TERMINAL_TIMEOUT,
	TERMINAL_KEY,
	TERMINAL_RESIZED, /* or back from the background: draw */
	TERMINAL_ENDED,   /* a signal to end, or the terminal has gone */
};
/* Waits for the next at most until deadline_usec of CLOCK_MONOTONIC. */
enum terminal_event terminal_wait(
	struct terminal *t, uint64_t deadline_usec, enum terminal_key *ret);
