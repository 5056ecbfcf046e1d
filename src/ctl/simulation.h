/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shortage played through with the daemon's own choice: who is chosen, then the same without
 * them, until the level is left or nobody is. Nobody is signalled, and nothing is read but through
 * the functions handed in.
 *
 * Simpler than life: each kill frees all that was expected, at once, and memory does not fill
 * meanwhile.
 */
#pragma once

#include "config.h"
#include "psi.h"
#include "verdict.h"
#include "victim.h"

enum simulation_end {
	SIMULATION_GOES_ON,
	SIMULATION_OVER,   /* the level is left */
	SIMULATION_NOBODY, /* nobody is left to choose: choice->result says why */
	SIMULATION_LIMIT,  /* as many victims as were asked for */
};

struct simulation {
	const struct config *config;
	struct victim_fns fns;
	pid_t self;
	struct meminfo mem; /* as it stands by now */
	bool pressure;      /* no level of memory is set: only pressure makes a shortage */
	uint64_t pressure_need_bytes; /* what is left of its need */
	enum engine_level level;
	struct victim_need need;  /* of the last choice */
	bool avoided_eligible;    /* the ladder has come that far */
	uint32_t step;            /* of the ladder: the next one */
	uint32_t rounds, victims; /* so far */
	uint32_t limit;
	enum simulation_end end;
	struct snapshot snapshot; /* rows of its own: who is left */
	struct sharedmm *sharedmm;
	struct hidden_list *hidden; /* none */
	struct victim_scratch *scratch;
	struct choice *choice; /* the last: indices into snapshot, until simulation_kill() */
};

/*
 * Begins at the figures m. limit: stop after so many victims; 0: none. c, and the ctx of fns, must
 * outlive it; s is copied. 0 or -ENOMEM.
 */
int simulation_new(const struct config *c, const struct snapshot *s, const struct meminfo *m,
	const struct victim_fns *fns, pid_t self, uint32_t limit, struct simulation **ret);
void simulation_free(struct simulation *sim);
static inline void simulation_freep(struct simulation **sim)
{
	simulation_free(*sim);
}

/*
 * The figures at which it begins. available NULL: at the kill level, if that is not reached
 * already. Else with so much available, and no more swap free than that level lets.
 */
struct meminfo simulation_start(
	const struct config *c, const struct meminfo *m, const struct config_amount *available);

/* The next choice. False: it is over, sim->end says how; the choice may say who was left out. */
bool simulation_choose(struct simulation *sim);
/* They die. */
void simulation_kill(struct simulation *sim);
