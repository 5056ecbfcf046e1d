/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the parts of the snapshot: snapshot.c, which reads /proc, snapshot-parse.c, which is
 * pure, snapshot-bpf.c, which reads what the BPF program tells, and snapshot-table.c, which keeps
 * what either has read. Apart because each is as much as a reader can hold at once.
 */
#pragma once

#include "snapshot.h"

#include "util.h"

/* The buffer: text of one file or the records of one read, entries of /proc, entries of one task/.
 */
#define SNAPSHOT_TEXT_SIZE    (33 * KIB)
#define SNAPSHOT_DIRENTS_SIZE (32 * KIB)
#define SNAPSHOT_TIDS_SIZE    (16 * KIB)

/* snapshot_parse_status() in pieces, for a text that comes in pieces of whole lines: begin, lines
 * for each (*seen starts as 0 and collects the keys), end. */
void snapshot_status_begin(struct task *t);
void snapshot_status_lines(const char *text, struct task *t, unsigned *seen);
int snapshot_status_end(struct task *t, unsigned seen);

/* A pass: begin, then for each task room and take, then end. The row to fill is the next of the
 * table, or the spare when that is full; sorted: the tasks came in ascending order. */
void snapshot_table_begin(struct snapshot *s);
struct task *snapshot_table_room(struct snapshot *s, struct task *spare);
void snapshot_table_take(struct snapshot *s, const struct task *t);
void snapshot_table_end(struct snapshot *s, bool sorted);
