/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actor's inside: actor.c makes and keeps it, actor-look.c looks around and chooses, act.c
 * carries actions out with it. Nobody else includes this.
 */
#pragma once

#include "act.h"
#include "cgroup-thaw.h"
#include "cgroup.h"
#include "escalate.h"
#include "facts.h"
#include "kill.h"
#include "reader.h"
#include "report.h"
#include "sharedmm.h"
#include "snapshot.h"
#include "victim.h"
#include "whole.h"

#define DYING_MAX 64

struct dying {
	struct proc_id id;
	uint64_t since_usec; /* seen first */
	uint64_t bytes;      /* that it held when it had its mm still */
};

/* What is remembered of a slot for the report, and to hide its mm. */
struct slot_info {
	bool used;
	struct mm_id id;
	int whole;                 /* in the table: the cgroup that dies with it; < 0: none does */
	bool unread_said;          /* SIGKILL waits for what could not be read */
	bool deaf;                 /* SIGTERM does not end it, or not the one that it dies with */
	struct report_event event; /* victim, comm, uid, cgroup, members, evidence, adj, expected */
};

struct actor {
	const struct config *config;
	bool dry_run;
	int proc_fd;
	struct snapshot snapshot;
	struct reader reader;
	struct sharedmm *sharedmm;
	struct victim_scratch *scratch;
	/* By index of the task: it is in the domain; it dies by other hands, and has had its time.
	 */
	uint8_t *scope, *overdue;
	struct dying dying[DYING_MAX]; /* who was seen to die so */
	uint32_t dying_count;
	struct choice *choice;
	struct brood brood;                     /* of the last choice that had one, */
	uint64_t brood_usec;                    /* when it was signalled, */
	const struct domain_place *brood_place; /* and where */
	struct hidden_list *hidden;
	struct hidden_list *pins_said; /* pinned mms that were reported already */
	struct hidden_list *in_flight; /* mms of the slots in use: never chosen a second time */
	struct whole_table wholes;
	uint64_t names_until_usec; /* cgroups are read for the report up to here */
	struct facts facts;
	struct cgroup_mounts *mounts;
	pid_t *pids;           /* PROBE_PIDS_MAX: who is in some cgroup */
	struct thawer *thawer; /* NULL: no v1 freezer, or a dry run */
	struct kill_ops ops;
	struct killer *killer;
	struct victim_fns fns;
	struct escalation escalation;
	struct slot_info *slots; /* KILL_SLOTS */
	uint64_t reserve_bytes;  /* of the heap, as the last rehearsal found */
};

/* A fresh snapshot, its groups, and the choice for need in a->choice, out of those in place if that
 * is not NULL. The snapshot may hold light rows. swap_used_bytes: of the machine. 0 or -errno. */
int actor_look_around(struct actor *a, struct victim_need need, uint64_t swap_used_bytes,
	const struct domain_place *place);
/* Of whom others have killed: notes when it was seen first, and in need who has had the time that
 * ours get. Once and for all, for it may never end. in_flight must be listed. */
void actor_list_overdue(struct actor *a, struct victim_need *need);
/* Who is in a cgroup, into a->pids: their number (of more than find room the first), or -errno of
 * probe_cgroup_pids(), as are the arguments. */
int actor_list_pids(struct actor *a, const char *cgroup, uint64_t timeout_usec, uint64_t *ret_id);
/* Puts an mm on the hidden list, which takes its handle over. */
void actor_hide(struct actor *a, const struct mm_id *id);
/* Prepares the group of a candidate. Returns its slot, or -errno of kill_prepare(): left out, for a
 * reason reported. */
int act_prepare(struct actor *a, const struct candidate *c, const struct domain_place *place);
/* Says of an event which domain is short. place NULL: the machine. */
void act_set_place(struct report_event *e, const struct domain_place *place);
