/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the two halves of the snapshot: snapshot.c, which has effects, and snapshot-parse.c,
 * which is pure. Apart because either is as much as a reader can hold at once.
 */
#pragma once

#include "snapshot.h"

/* snapshot_parse_status() in pieces, for a text that comes in pieces of whole lines: begin, lines
 * for each (*seen starts as 0 and collects the keys), end. */
void snapshot_status_begin(struct task *t);
void snapshot_status_lines(const char *text, struct task *t, unsigned *seen);
int snapshot_status_end(struct task *t, unsigned seen);
