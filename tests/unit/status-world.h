/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A daemon's state in the midst of trouble, for tests of those who show it.
 */
#pragma once

#include "wire.h"

/* So many seconds after the clock began. */
#define AT(seconds) ((uint64_t)(seconds)*USEC_PER_SEC)

/* Up for a day (or as long as the machine), in an episode for two seconds, with one of everything.
 */
static _unused_ void fill_busy_state(struct wire_state *s, uint64_t now_usec)
{
	*s = (struct wire_state){
		.at_usec = now_usec - AT(1),
		.started_usec = sub_or_zero_u64(now_usec, AT(86400 + 2 * 3600)),
		.configured_usec = sub_or_zero_u64(now_usec, AT(3600)),
		.next_look_usec = now_usec + AT(1),
		.in_episode = true,
		.episode_began_usec = now_usec - AT(2),
		.level = LEVEL_KILL,
		.cause = CAUSE_MEMORY,
		.evidence = "kcmp",
		.cgroups = "unified",
		.config_path = "/etc/oomfwd.conf",
		.rules = 11,
		.reload_failed = true,
		.mem = { .total_bytes = 16 * GIB,
			.available_bytes = 600 * MIB,
			.swap_total_bytes = 2 * GIB,
			.swap_free_bytes = 1200 * MIB },
		.warn_memory_bytes = 1600 * MIB,
		.warn_swap_bytes = 1500 * MIB,
		.kill_memory_bytes = 800 * MIB,
		.kill_swap_bytes = 200 * MIB,
		.kill_pressure = { .set = true, .full = true, .percent = 60, .span_usec = AT(20) },
		.looks = 4711,
		.counts = { .episodes = 3,
			.kills = 4,
			.freed = 2,
			.stuck = 1,
			.pinned = 5,
			.no_victim = 6,
			.steps = 7,
			.kernel_kills = 8,
			.freed_bytes = 3 * GIB,
			.lost = 9 },
		.hidden_count = 2,
		.hidden = { { .id = { 812, 7 }, .members = 3 },
			{ .id = { 813, 7 }, .members = 1 } },
		.flight_count = 1,
		.flight = { { .id = { 4242, 7 },
			.comm = "java\033[2J",
			.members = 2,
			.expected_bytes = 3 * GIB } },
		.domain_count = 2,
		.domains = { { .name = "web",
				     .path = "/system.slice/docker-*.scope",
				     .matched = 3,
				     .troubled = 1,
				     .trigger_armed = true },
			{ .name = "batch", .path = "/batch.slice/*" } },
	};
}

/* All is well. */
static _unused_ void fill_calm_state(struct wire_state *s, uint64_t now_usec)
{
	fill_busy_state(s, now_usec);
	s->in_episode = s->reload_failed = false;
	s->level = LEVEL_OK;
	s->cause = CAUSE_NONE;
	s->episode_began_usec = 0;
	s->mem.available_bytes = 12 * GIB;
	s->hidden_count = s->flight_count = 0;
	s->domain_count = 0;
	s->trigger_armed = true;
}
