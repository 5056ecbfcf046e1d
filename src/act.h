/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries out what the engine decides: the one caller of snapshot, victim and kill in an episode,
 * and the one who reports on it. Apart from oomd.c so that the event loop and the start-up read on
 * their own.
 */
#pragma once

#include "config.h"
#include "engine.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct actor;

/* A cgroup that is short of memory by itself. */
struct domain_place {
	const char *name; /* of its [cgroup NAME] section, for the log */
	const char *path; /* as in /proc/PID/cgroup */
	enum domain_kill kill;
};

/* What was said in an episode, once for each cause. All zero to begin with. */
struct act_said {
	bool none[VICTIM_UNREAD + 1];
	bool step[LADDER_FINAL + 1];
	uint64_t kernel_oom_kills; /* the count when it began */
};

/* The look that an action is part of. */
struct act_context {
	const struct engine *engine;
	const struct engine_input *in;
	const struct domain_place *place; /* NULL: the machine */
	struct act_said *said;
	uint64_t detected_usec; /* when the look began */
	uint64_t faults;        /* survive_major_faults() of then */
};

/*
 * Opens and allocates all that an episode needs: tables for twice the tasks there are now, threads,
 * fds. *ret_wake_fd is readable when a reaper has news (killer_new). 0 or -errno.
 */
int actor_new(const struct config *c, bool dry_run, struct actor **ret, int *ret_wake_fd);
void actor_free(struct actor *a);

/* Puts a reloaded configuration in force; the old one, and places of its domains, are not touched
 * any more after this. */
void actor_set_config(struct actor *a, const struct config *c);

/* "bpf", or "kcmp", or "smaps" where both are missing: the evidence of shared mms to be had here.
 */
const char *actor_evidence(const struct actor *a);
/* "v2", "v1", "hybrid", "none". */
const char *actor_cgroups(const struct actor *a);
/* Where the cgroup hierarchies are; the actor's. */
const struct cgroup_mounts *actor_mounts(const struct actor *a);

/* What follows is about a shortage in this place. */
void actor_enter(struct actor *a, const struct domain_place *place);

/* Looks at every group in flight of the engine; fills in->seen. Does not block. */
void actor_observe(struct actor *a, const struct engine *e, struct engine_input *in);

void actor_carry_out(struct actor *a, const struct act_context *c, const struct action *action,
	struct engine_outcome *ret);

/* What is due to the rest of cgroups that die whole, when nobody is to be signalled. Returns when
 * there will be more to do, UINT64_MAX: not before something happens to those who were. */
uint64_t actor_settle(struct actor *a, const struct act_context *c);
/* No victims of a place are left, and it goes. */
void actor_forget(struct actor *a, const struct domain_place *place);

/* Runs the path short of the signal, so that every page of it has been touched. 0 or -errno. */
int actor_rehearse(struct actor *a, const struct meminfo *m);

/* Warns when the paths of cgroups are not those of the host. */
void actor_warn_of_namespace(const struct actor *a);
/* Warns of other daemons that choose victims on this machine. After a rehearsal. */
void actor_warn_of_rivals(const struct actor *a);

/* Fills in who is hidden and who is in flight. */
struct wire_state;
void actor_show(const struct actor *a, struct wire_state *ret);

/* After an episode, or a try in one that found nobody: makes the next pass ready, and room in the
 * tables for as many as there were. */
void actor_calm(struct actor *a);
/* Every now and then: makes room in the tables when they would be filling up by the tasks that
 * there are now. Costs one system call where there is room; allocates where there is not. */
void actor_make_room(struct actor *a);

/* Prints who would be chosen now, with the reasons of all candidates; in a domain, if place is not
 * NULL, whose figures m are then. 0 or -errno. */
int actor_print_choice(struct actor *a, const struct config *c, const struct meminfo *m,
	const struct domain_place *place, FILE *f);
