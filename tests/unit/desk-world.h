/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon tells the desk, for the tests of the latter.
 */
#pragma once

#include "episode.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

/* An event of the machine, so long after the clock began. */
static _unused_ struct report_event event_at(enum report_kind kind, uint64_t msec)
{
	struct report_event e = { .kind = kind,
		.at_usec = msec * USEC_PER_MSEC,
		.level = kind == REPORT_RECOVERED ? LEVEL_OK : LEVEL_KILL,
		.cause = kind == REPORT_RECOVERED ? CAUSE_NONE : CAUSE_MEMORY,
		.total_bytes = 16 * GIB,
		.available_after_bytes = GIB };

	return e;
}

static _unused_ struct report_event with_victim(struct report_event e, pid_t pid, const char *comm)
{
	e.victim = (struct proc_id){ pid, 7 };
	e.members = 1;
	e.sig = SIGKILL;
	memcpy(e.comm, comm, strnlen(comm, sizeof(e.comm)));
	return e;
}

static _unused_ struct report_event in_domain(
	struct report_event e, const char *section, const char *path)
{
	copy_cut(e.domain, sizeof(e.domain), section);
	copy_cut(e.domain_path, sizeof(e.domain_path), path);
	return e;
}

/* An episode of so many kills that has recovered. Too large for the stack: the caller's, by free().
 */
static _unused_ struct episode *made_episode(uint64_t id, uint32_t kills)
{
	struct episode *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	e->id = id;
	e->began_usec = 1000 * USEC_PER_MSEC;
	e->began_realtime_usec = UINT64_C(1764500000123456);
	e->ended_usec = 3500 * USEC_PER_MSEC;
	e->recovered = true;
	e->steps[e->step_count++].event = event_at(REPORT_EPISODE_BEGAN, 1000);
	for (uint32_t i = 0; i < kills; i++) {
		struct report_event s = event_at(REPORT_SIGNALLED, 1010 + i);

		s.detect_usec = 10 * USEC_PER_MSEC;
		e->steps[e->step_count++].event = with_victim(s, 100 + (pid_t)i, "hog");
	}
	e->steps[e->step_count].event = event_at(REPORT_RECOVERED, 3500);
	e->steps[e->step_count++].event.victims = kills;
	return e;
}
