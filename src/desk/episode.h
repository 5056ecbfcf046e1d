/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Episodes out of events: what happened from the first low reading to recovery, as people and
 * programs look at it later. Pure but for the wall clock that it is handed.
 *
 * An episode of the machine and one of a domain may overlap: events belong to the one of the same
 * domain_path. Events of a domain or machine without an episode open one (the desk may have started
 * in the middle).
 */
#pragma once

#include "json.h"
#include "report.h"

#define EPISODE_STEPS_MAX 256

/* One event of it, as it goes into a timeline. */
struct episode_step {
	struct report_event event;
};

struct episode {
	uint64_t id;         /* counts up over restarts */
	uint64_t began_usec; /* CLOCK_MONOTONIC, of the first event */
	uint64_t began_realtime_usec;
	uint64_t ended_usec; /* 0: under way */
	bool recovered;      /* ended by REPORT_RECOVERED; else the daemon has gone */
	char domain[CONFIG_NAME_MAX];
	char domain_path[256];
	uint32_t step_count, steps_lost; /* lost: did not fit here, or into the socket */
	struct episode_step steps[EPISODE_STEPS_MAX];
};

struct episodes; /* those under way: at most 17 (the machine and 16 domains) */

int episodes_new(uint64_t next_id, struct episodes **ret);
void episodes_free(struct episodes *e);
/*
 * Takes an event in. realtime_usec: the wall clock of now, now_usec: CLOCK_MONOTONIC of now; the
 * difference dates the event. Returns the episode that it ended (valid until the next call), or
 * NULL.
 */
const struct episode *episodes_take(struct episodes *e, const struct report_event *event,
	uint32_t lost, uint64_t now_usec, uint64_t realtime_usec);
/* The daemon has gone: ends all under way, one a call, until NULL. */
const struct episode *episodes_end(struct episodes *e, uint64_t now_usec);
/* The i-th under way, or NULL. */
const struct episode *episodes_open(const struct episodes *e, uint32_t i);

/*
 * As JSON (docs/HISTORY.md describes it, and is tested): id, began (ISO 8601), duration_usec,
 * recovered, dry_run, domain, cause, level, victims, freed_bytes, available_before_bytes,
 * available_after_bytes, total_bytes, and "steps", each with event (the OOMFWD_EVENT name),
 * offset_usec from the beginning, message (report_format's sentence), and the fields that its kind
 * has: pid, comm, uid, cgroup, container, pod_uid, members, signal, evidence, expected_bytes,
 * freed_bytes, latency_usec, detect_usec, pinned_by {pid, comm}, oom_score_adj, rule, ...
 * NULL: out of memory. The caller's.
 */
struct json *episode_json(const struct episode *e);
