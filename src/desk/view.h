/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state as the properties on the bus show it, and what of it has changed. Pure. Apart from
 * bus.c because nothing here knows of a bus.
 */
#pragma once

#include "wire.h"

#define VIEW_NUMBERS     12
#define VIEW_CHANGES_MAX (VIEW_NUMBERS + 4)

struct view {
	bool running; /* false: there is no daemon, and all else is 0 */
	bool in_episode, dry_run;
	const char *level; /* "ok", "warn", "kill"; "" without a daemon */
	uint64_t number[VIEW_NUMBERS];
};

/* s NULL: there is no daemon. */
void view_make(const struct wire_state *s, struct view *ret);
/* A property, which there is. type: that of D-Bus, 's', 'b', 't' or 'u'. */
struct view_value {
	char type;
	const char *text;
	uint64_t number;
};
void view_get(const struct view *v, const char *name, struct view_value *ret);
/* The names of the properties whose change is told and that differ, with NULL behind them; their
 * number. */
size_t view_changes(
	const struct view *before, const struct view *now, const char *ret[VIEW_CHANGES_MAX + 1]);
