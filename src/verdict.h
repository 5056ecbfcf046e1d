/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reading means, and what a kill has come to. Pure; apart from the engine because these are
 * judgements on one moment, while the engine owns how moments follow one another.
 */
#pragma once

#include "config.h"
#include "psi.h"

#include <stdbool.h>
#include <stdint.h>

enum engine_level { LEVEL_OK, LEVEL_WARN, LEVEL_KILL };
enum engine_cause { CAUSE_NONE, CAUSE_MEMORY, CAUSE_PRESSURE };

/* What has become of a kill (docs/DESIGN.md, "Verdict"). */
enum verdict {
	VERDICT_FREED,   /* the memory is back */
	VERDICT_FREEING, /* it progresses, or has time left to begin */
	VERDICT_STUCK,   /* no progress for victim_timeout, or not done by victim_cap */
};

/* What is seen of a victim; from kill_status. */
struct engine_observation {
	uint64_t rss_bytes; /* anon + swap */
	bool handle_valid, mm_gone, all_exited, some_exited, mm_visible, core_dumping;
	bool reaped; /* process_mrelease succeeded */
};

/* One group that was signalled. */
struct attempt {
	int sig;                 /* SIGTERM or SIGKILL, the last sent */
	uint64_t expected_bytes; /* what should come back in all */
	uint64_t shmem_bytes;    /* the shared memory in it, which only the end of the mm frees */
	uint64_t signalled_usec, progress_usec;
};

/*
 * The level of a reading. pressure_warn and pressure_kill: whether the pressures configured are
 * reached (psi_history_reaches); the guard is applied here.
 */
enum engine_level verdict_level(const struct config *c, const struct meminfo *m, bool pressure_warn,
	bool pressure_kill, enum engine_cause *ret_cause);

/* Whether free swap helps to leave a level: not where no level of memory asks for swap to be low.
 */
bool verdict_swap_counts(const struct config *c);

/* What is missing to leave every level that holds with an eighth to spare; at least 1. */
uint64_t verdict_need_bytes(const struct config *c, const struct meminfo *m);

/* What the death of a victim should bring back under pressure, where there is no figure to reach:
 * as much as can be felt. */
uint64_t verdict_pressure_need_bytes(const struct meminfo *m);

/* A shortage of now, or, with memory to spare, as it would be at the kill level. */
struct shortage {
	struct meminfo at;   /* the figures then */
	bool pressure;       /* no level of memory is set: only pressure makes one */
	uint64_t need_bytes; /* at least 1 */
};
struct shortage verdict_shortage(const struct config *c, const struct meminfo *m);

/* The longest that somebody who walks an mm of this size holds it: twice what smaps_rollup took (10
 * ms a GiB). */
uint64_t verdict_walk_usec(uint64_t bytes);

/* How long no level can be reached, from the distance to the nearer one and the fastest fill. */
uint64_t verdict_calm_usec(
	const struct config *c, const struct meminfo *m, uint64_t fastest_bytes_per_sec);

enum verdict verdict_of(const struct attempt *a, const struct engine_observation *o,
	const struct config *c, uint64_t now_usec);
