/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What engine.c (decides), engine-outcome.c (takes note of what came of it) and engine-state.c
 * (tells others) share; nobody else includes it.
 */
#pragma once

#include "engine.h"
#include "util.h"

/* Pages that came back rest in per-CPU lists, which MemAvailable does not count: for so long at
 * least, and twice as long at the most. */
#define ENGINE_SETTLE_USEC (100 * USEC_PER_MSEC)
/* Whom we cannot tell from the protected goes before the others for so long; then he counts as
 * protected. */
#define ENGINE_UNREAD_USEC        (250 * USEC_PER_MSEC)
#define ENGINE_KILL_TIME_MAX_USEC (2 * USEC_PER_SEC)

/* Whether something that began then (0: it has not) has had its time. */
static inline bool engine_is_over(uint64_t since_usec, uint64_t span_usec, uint64_t now_usec)
{
	return since_usec > 0 && now_usec >= add_sat_u64(since_usec, span_usec);
}

/* The victim of that slot: an index, or victim_count when there is none. */
uint32_t engine_index_of(const struct engine *e, int slot);

/* Its mm is gone, and has had the time that a teardown takes: what it gave back is to be seen,
 * though the process may take its time to end (in a close that hangs, under a tracer). */
bool engine_is_spent(const struct engine *e, const struct engine_victim *v, uint64_t now_usec);

/* Takes in the outcome of the pending action, if there is one, and what is seen of the victims. */
void engine_absorb(struct engine *e, const struct engine_input *in);
