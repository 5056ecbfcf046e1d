/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thing that can run short of memory, the machine or a cgroup: senses, lets its engine decide
 * and has the actions carried out, until the engine says to wait. A module of its own because the
 * machine and every domain are served by the same loop.
 */
#pragma once

#include "act.h"
#include "engine.h"
#include "psi.h"

#include <stdbool.h>
#include <stdint.h>

/* Reads the figures of now. *ret_pressure is set when it could be read, and is wanted. 0 or
 * -errno: then the engine is not asked. */
typedef int watch_read_fn(void *ctx, struct meminfo *ret, struct pressure *ret_pressure,
	bool want_pressure, bool *ret_has_pressure);

struct watch {
	struct engine engine;
	struct engine_input input;
	struct engine_outcome outcome;
	struct action action;
	struct meminfo mem;
	struct psi_history history;
	struct fill_rate fill;
	struct act_said said;
	const struct config *config;
	const struct domain_place *place; /* NULL: the machine */
	watch_read_fn *read;
	void *ctx;
	uint64_t growth_from_usec; /* growth is measured from here on */
	uint64_t stalling_until_usec;
	/* A step of the ladder was taken that may end the stalls: when they were read first after
	 * it (0: none was taken), and what they were then. */
	bool step_taken;
	uint64_t step_usec;
	struct pressure step_pressure;
	bool rest_is_due; /* of a cgroup that dies whole */
};

/* Begins anew: no episode, nothing learned. fill_rate_bytes: config.h. */
void watch_init(struct watch *w, const struct config *c, const struct domain_place *place,
	uint64_t fill_rate_bytes, watch_read_fn *read, void *ctx);
void watch_set_config(struct watch *w, const struct config *c, uint64_t fill_rate_bytes);

/* The fill rate that is configured, or what all CPUs of the machine together may reach. */
uint64_t watch_fill_rate_bytes(const struct config *c);

/* A trigger has fired: pressure is worth watching for the next two spans. */
void watch_alarm(struct watch *w, uint64_t now_usec);
/* The longest span that a level of pressure looks at; 0: none does. */
uint64_t watch_span_usec(const struct config *c);

/* Whether an episode is under way, a victim still in flight, or the rest of its cgroup to be
 * killed. */
bool watch_is_busy(const struct watch *w);
/* As engine_may_keep_house(). */
bool watch_may_keep_house(const struct watch *w, uint64_t now_usec);

/*
 * Looks, acts, and tells until when to wait. coming_elsewhere_bytes: engine.h. detected_usec is
 * when the caller was woken. 0, or what read() failed with: *ret_until_usec is not set then.
 */
int watch_look(struct watch *w, struct actor *a, uint64_t coming_elsewhere_bytes,
	uint64_t detected_usec, uint64_t *ret_until_usec);
