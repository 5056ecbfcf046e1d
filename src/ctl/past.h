/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Episodes of the history, as text: written from their JSON (docs/HISTORY.md), because that is all
 * that is left of them.
 */
#pragma once

#include "ctl.h"

/* Where the desk writes the history, as it is configured; the default if that cannot be
 * read, "" for off. */
void past_path(const struct ctl *c, char ret[CONFIG_DESK_PATH_MAX]);

/* The heading of past_print_line(), and one episode: id, local time, where, duration, freed,
 * available, victims. */
void past_print_heading(FILE *f);
void past_print_line(FILE *f, const struct json *episode);

/* What happened when, in milliseconds since the first low reading. */
void past_print_timeline(FILE *f, const struct json *episode);
