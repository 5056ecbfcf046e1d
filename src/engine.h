/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The episode: from the first low reading to recovery. Pure: a step takes what is known now and
 * returns one action; the caller carries it out and steps again with the outcome until the action
 * is to wait. No state waits without a deadline, and every wait names its deadline.
 */
#pragma once

#include "config.h"
#include "psi.h"
#include "victim.h"

#define ENGINE_VICTIMS_MAX 128 /* as KILL_SLOTS */

enum engine_level { LEVEL_OK, LEVEL_WARN, LEVEL_KILL };
enum engine_cause { CAUSE_NONE, CAUSE_MEMORY, CAUSE_PRESSURE };

/* What has become of a kill (see docs/DESIGN.md for how it is judged). */
enum verdict {
	VERDICT_FREED,   /* the memory is back */
	VERDICT_FREEING, /* it progresses, or has time left to begin */
	VERDICT_STUCK,   /* no progress for victim_timeout, or not done by victim_cap */
	VERDICT_SPARED,  /* had SIGTERM only, lives on, and the episode is over */
};

/* What the caller sees of a victim; from kill_status. */
struct engine_observation {
	uint64_t rss_bytes;
	bool handle_valid, mm_gone, all_exited, mm_visible, core_dumping;
	bool reaped; /* process_mrelease succeeded */
};

struct engine_victim {
	int slot;                           /* the caller's name for it */
	int sig;                            /* SIGTERM or SIGKILL, the last sent */
	uint64_t expected_bytes, rss_bytes; /* at the kill; at the last progress */
	uint64_t signalled_usec, progress_usec;
	struct engine_observation seen;
};

enum action_kind {
	ACTION_WAIT,      /* until deadline_usec, or an event before */
	ACTION_CHOOSE,    /* take a snapshot, choose for need, signal with sig */
	ACTION_UPGRADE,   /* SIGKILL to slots[] that had SIGTERM */
	ACTION_FREED,     /* slot is done: report, release */
	ACTION_STUCK,     /* slot is stuck: explain, hide its mm, release */
	ACTION_SPARE,     /* slot had SIGTERM and is no longer needed: release */
	ACTION_STEP,      /* take the ladder step */
	ACTION_BEGAN,     /* an episode began: report */
	ACTION_RECOVERED, /* it is over: report */
};

struct action {
	enum action_kind kind;
	uint64_t deadline_usec;
	struct victim_need need;
	int sig;
	int slot;
	uint32_t slot_count;
	int slots[ENGINE_VICTIMS_MAX];
	uint64_t freed_bytes, latency_usec; /* for FREED */
	enum ladder_step step;
};

/* What the last action came to; fields by its kind. */
struct engine_outcome {
	/* ACTION_CHOOSE: */
	enum victim_result result;
	uint32_t count; /* signalled */
	int slots[ENGINE_VICTIMS_MAX];
	uint64_t expected_bytes[ENGINE_VICTIMS_MAX];
	/* ACTION_STEP: something was done (wait for it), or the step has nothing to do here. */
	bool acted;
};

struct engine_input {
	uint64_t now_usec;
	const struct meminfo *mem;
	bool pressure_warn, pressure_kill; /* psi_history_reaches, guard not yet applied */
	uint64_t growth_bytes_per_sec, fastest_bytes_per_sec;
	uint32_t seen_count; /* observations of all slots in flight */
	struct {
		int slot;
		struct engine_observation o;
	} seen[ENGINE_VICTIMS_MAX];
	const struct engine_outcome *outcome; /* of the last action; NULL when there is none */
};

struct engine {
	const struct config *config; /* borrowed; engine_set_config() after a reload */
	enum engine_level level;
	enum engine_cause cause;
	bool in_episode;
	uint64_t began_usec;
	uint32_t victims;     /* of the episode, in all */
	uint64_t freed_bytes; /* of the episode */
	uint64_t available_at_start_bytes;
	struct action pending;                    /* the action whose outcome is awaited */
	uint64_t kill_time_usec;                  /* signal to freed, learned */
	uint64_t settle_until_usec, settle_bytes; /* freed, but perhaps not yet in MemAvailable */
	uint64_t pressure_hold_usec;              /* pressure needs a fresh span after a kill */
	bool avoided_eligible;
	uint32_t ladder_next;       /* index into config->ladder */
	uint64_t ladder_until_usec; /* the last step's deadline */
	uint64_t retry_usec;        /* nobody left: choose again not before */
	enum victim_result last_result;
	uint32_t victim_count;
	struct engine_victim victim[ENGINE_VICTIMS_MAX];
};

void engine_init(struct engine *e, const struct config *c);
void engine_set_config(struct engine *e, const struct config *c);

/* One step. Call again with the outcome until the action's kind is ACTION_WAIT. */
void engine_step(struct engine *e, const struct engine_input *in, struct action *ret);

/* The verdict on one victim, now (exported for tests). */
enum verdict engine_judge(const struct engine_victim *v, const struct engine_observation *o,
	const struct config *c, uint64_t now_usec);

/* The level of a reading, and what is missing to leave the warn level with some margin. */
enum engine_level engine_level_of(
	const struct config *c, const struct engine_input *in, enum engine_cause *ret_cause);
uint64_t engine_need_bytes(const struct config *c, const struct meminfo *m);
