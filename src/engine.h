/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The episode: from the first low reading to recovery. Pure: a step takes what is known now and
 * returns one action; the caller carries it out and steps again with the outcome until the action
 * is to wait. No state waits without a deadline, and every wait names its deadline.
 */
#pragma once

#include "config.h"
#include "psi.h"
#include "verdict.h"
#include "victim.h"

#define ENGINE_VICTIMS_MAX 256 /* as KILL_SLOTS */

struct engine_victim {
	int slot; /* the caller's name for it */
	struct attempt kill;
	uint64_t held_bytes;  /* of what was expected, as last seen */
	uint64_t least_bytes; /* the least so far that counted as progress */
	struct engine_observation seen;
	/* SIGKILL could not be sent: */
	bool refused;               /* it is protected by now */
	uint64_t unread_since_usec; /* that could not be told in time; 0: it could */
	uint64_t retry_usec;        /* then not asked again before */
	bool unread_for_long;       /* for victim_timeout */
	bool deaf;                  /* SIGTERM does not end it: see engine_outcome */
};

enum action_kind {
	ACTION_WAIT,      /* until deadline_usec, or an event before */
	ACTION_CHOOSE,    /* take a snapshot, choose for need, signal with sig */
	ACTION_UPGRADE,   /* SIGKILL to slots[] that had SIGTERM */
	ACTION_FREED,     /* slot is done: report, release */
	ACTION_STUCK,     /* slot is stuck: explain, hide its mm, release */
	ACTION_SPARE,     /* slot had SIGTERM and is left alone from now on: release */
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

/* What became of SIGKILL to a slot that had SIGTERM. */
enum engine_upgrade {
	UPGRADE_SENT,    /* or all had gone by themselves */
	UPGRADE_REFUSED, /* a member may not be signalled */
	UPGRADE_UNREAD,  /* whether one is protected could not be read in time: ask again */
};

/* What the last action came to; fields by its kind. */
struct engine_outcome {
	/* ACTION_CHOOSE: */
	enum victim_result result;
	uint32_t count; /* signalled */
	int slots[ENGINE_VICTIMS_MAX];
	uint64_t expected_bytes[ENGINE_VICTIMS_MAX], shmem_bytes[ENGINE_VICTIMS_MAX];
	/* A sharer of its mm ignores SIGTERM, and so outlives it with the mm, or it is to die along
	 * with such a one. Of others who die along nothing is wanted: they keep their grace. */
	bool deaf[ENGINE_VICTIMS_MAX];
	uint64_t hold_usec; /* do not choose again for so long (dry run) */
	bool waits;         /* nobody was signalled, because what dies by other hands suffices */
	bool unread; /* somebody could not be told from the protected in time (choice.unread, or
			when he was to be signalled) */
	/* ACTION_UPGRADE, in the order of its slots: */
	enum engine_upgrade upgraded[ENGINE_VICTIMS_MAX];
	/* ACTION_STEP: something was done (wait for it), or the step has nothing to do here. */
	bool acted;
};

struct engine_input {
	uint64_t now_usec;
	const struct meminfo *mem;
	bool pressure_warn, pressure_kill; /* psi_history_reaches, guard not yet applied */
	uint64_t growth_bytes_per_sec;     /* measured after engine.growth_from_usec */
	uint64_t fastest_bytes_per_sec;
	uint64_t look_usec;              /* that it took to see what becomes of the victims */
	uint64_t coming_elsewhere_bytes; /* on their way back from victims that are not ours */
	bool stalling;       /* a PSI trigger fired within the last span of a pressure level */
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

	/* The episode. */
	bool in_episode;
	uint64_t began_usec;
	uint64_t available_at_start_bytes;
	uint32_t victims;     /* groups signalled, in all */
	uint64_t freed_bytes; /* by them, in all */

	/* What is under way. */
	struct action pending; /* the action whose outcome is awaited */
	uint32_t victim_count;
	struct engine_victim victim[ENGINE_VICTIMS_MAX];
	uint64_t growth_from_usec; /* growth measured before is the victims' own */
	uint64_t kill_time_usec;   /* SIGKILL to freed, learned */
	uint64_t asked_usec;       /* when the pending action was handed out */
	uint64_t choose_usec;      /* how long it takes to look, choose and signal, learned */
	/* Freed a moment ago, perhaps not yet to be seen in MemAvailable. */
	uint64_t settle_bytes, settle_before_bytes; /* came back since the turn, and before it */
	uint64_t settle_base_bytes, settle_turn_usec;

	/* When nobody can be chosen. */
	enum victim_result last_result;
	bool exhausted;              /* the last choice found nobody */
	bool avoided_eligible;       /* the ladder has lifted the avoid rules */
	uint32_t fruitless_in_a_row; /* choices of victims who were gone, or dying already */
	uint32_t ladder_next;        /* index into config->ladder */
	uint64_t dying_since_usec; /* all candidates are dying by other hands since; 0: they are not
				    */
	/* Each choice since met somebody who could not be read, and took nobody for that reason; 0:
	 * not so. */
	uint64_t unread_since_usec, vain_since_usec;
	uint64_t hold_usec;       /* choose again not before */
	uint64_t step_until_usec; /* the last step has so much time */
};

void engine_init(struct engine *e, const struct config *c);
/* In an episode, too, but with no victim in flight: the choice is made anew at once. */
void engine_set_config(struct engine *e, const struct config *c);

/* What its victims in flight still hold, and what they gave back a moment ago and does not show. */
uint64_t engine_coming_bytes(const struct engine *e, const struct engine_input *in);

/* Whether somebody has had SIGKILL whose memory is not back yet. */
bool engine_is_killing(const struct engine *e, uint64_t now_usec);

/* Whether there is a victim in flight that has its mm, or let go of it a moment ago. */
bool engine_waits_for_victims(const struct engine *e, uint64_t now_usec);

/* Whether all of that victim had exited when it was looked at last. */
bool engine_has_exited(const struct engine *e, int slot);

/*
 * Whether what allocates or takes its time may be done now: no episode is under way, or one that
 * has lasted for 10 s and rests, because nobody could be chosen, until it tries anew. Never while a
 * victim is in flight or a step of the ladder has time left.
 */
bool engine_may_keep_house(const struct engine *e, uint64_t now_usec);

/* One step. Call again with the outcome until the action's kind is ACTION_WAIT. */
void engine_step(struct engine *e, const struct engine_input *in, struct action *ret);
