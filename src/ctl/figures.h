/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory next to the levels, and pressure, in words: for status, of what the daemon says, and for
 * top, of what is seen without it.
 */
#pragma once

#include "ctl.h"
#include "report-text.h"
#include "wire.h"

/* One file of pressure: the share of the last 10, 60 and 300 seconds that was stalled, in percent.
 */
struct averages {
	double some[3], full[3];
};
/* Pure. 0 or -EINVAL. */
int averages_parse(const char *text, struct averages *ret);
/* Of the machine. 0, or -errno: -ENOENT or -EOPNOTSUPP where there is none. */
int averages_read(struct averages *ret);
/* "some 0.00 % 0.00 % 0.00 %, full ..." or why there is none; error: what averages_read() gave. */
void averages_say(struct text *t, const struct averages *a, int error);
struct json *averages_json(const struct averages *a, int error); /* NULL when there is none */

/* Bytes as of this machine; 0: off. */
struct figures_level {
	uint64_t memory_bytes, swap_bytes;
	struct config_pressure pressure;
};

struct figures {
	struct meminfo mem;
	struct figures_level warn, kill;
};

void figures_of_state(struct figures *ret, const struct wire_state *s);
void figures_of_config(struct figures *ret, const struct config *c, const struct meminfo *m);

/* "12 GiB of 16 GiB available (75 %), 2.0 GiB of 4.0 GiB swap free (50 %)" */
void figures_say_memory(struct text *t, const struct meminfo *m);
/* How far it is to the level: "10 GiB above it", "reached". */
void figures_say_distance(struct text *t, const struct meminfo *m, const struct figures_level *l);
/* What makes the level: "1.6 GiB available and 410 MiB of swap free, or full stalls for 60 % of
 * 20 s". */
void figures_say_level(struct text *t, const struct meminfo *m, const struct figures_level *l);
/* What is left until the level: memory_bytes and swap_bytes, negative below it; null where it does
 * not count. */
struct json *figures_headroom_json(const struct meminfo *m, const struct figures_level *l);

/* "12 s", "5 min", "3 h 20 min", "3 days 4 h": for ages, where report_usec() is for durations. */
void say_span(struct text *t, uint64_t usec);
