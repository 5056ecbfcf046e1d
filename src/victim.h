/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy and groups in, a ranked choice with reasons out. Pure: what must be read or compared is
 * handed in as functions.
 *
 * Rank: the badness of a group, as the kernel counts it, but by what would come back instead of
 * what is mapped; a prefer rule adds prefer_points of the total, if the group holds at least a
 * 128th of the need (else a hundred of its kind could not cover it). Those that
 * an avoid rule matches come after all others, once they are eligible. Equal badness: the larger
 * yield first, then the younger, then the higher pid. Rules see every member of a group; protect
 * goes before avoid, avoid before prefer.
 *
 * Negligible: who holds less than a 16th of the need is a candidate only where the others cannot
 * cover it, or where one of those chosen is to be spared (a negative oom_score_adj, an avoid rule).
 * So no crowd of small ones dies where a few suffice, and a reader may leave out what it takes to
 * rank them (TASK_LIGHT).
 *
 * Many small ones ("brood"): when no single group gives alone_bytes, the processes of one fork
 * family (equal marks, one uid, at least 32 of them, none older than a minute) count as one
 * candidate with the sum of what they give, if that is at least an eighth of the need and four
 * times what any single group gives. Its members are then taken one by one, as many as are needed
 * or there are, and nobody else with them. So a fork bomb dies rather than innocents that are each
 * bigger than one of its processes, and a prefork server is never touched while any single group
 * covers the need. A family that counted so a moment ago goes on to (victim_need.brood), though
 * what is still needed, while its dead give their memory back, may be less than an innocent has.
 * Where it bears again a quarter of what it lost, from one choice to the next, it is to give twice
 * as much each time, up to 32 times: what is free then is used up by those who are born, and
 * taking no more than is needed would go on for as long as they are.
 *
 * Shared memory mapped by several groups comes back with none of them, but with all. When the
 * choice would otherwise fall short, the eligible group with the largest share of such memory
 * (victim_shmem.pss_bytes, at least an eighth of the need, and more than all others together give)
 * is chosen alone, as PARTIAL, its share counted as yield: its death shows what the rest then
 * gives.
 */
#pragma once

#include "config.h"
#include "sharedmm.h"
#include "snapshot.h"

#define VICTIM_SET_MAX    256 /* groups signalled in one go */
#define VICTIM_REPORT_MAX 64  /* candidates kept with their reasons */
#define VICTIM_HIDDEN_MAX 256 /* as KILL_SLOTS: those in flight are listed alike */
#define VICTIM_IDS_MAX    16  /* members remembered of a hidden mm */

/* The identity of an mm across snapshots: its marks and those who held it. */
struct mm_id {
	struct mm_marks marks;
	uint32_t id_count;
	struct proc_id ids[VICTIM_IDS_MAX]; /* the first so many members */
	int handle_fd; /* opaque here (kill_mm_alive() of the caller); -1: none */
};

enum victim_reason {
	REASON_CHOSEN,
	REASON_REDUNDANT,  /* ranked high, but the others chosen suffice without it */
	REASON_NOT_NEEDED, /* those ranked higher suffice */
	REASON_AVOIDED,    /* matched by an avoid rule, which is still in force */
	REASON_PINNED,     /* by pid 1, oomfwd or an oom_score_adj of -1000: group.pin says */
	REASON_PROTECTED,  /* by the rule named; group.pinned_by is the member it matches */
	REASON_UNREAD,     /* perhaps by the rule named: what that asks for was not read in time */
	REASON_HIDDEN,     /* a kill of this mm freed nothing before */
	REASON_DYING,      /* a fatal signal is pending: its memory is on the way */
	REASON_NO_YIELD,   /* nothing would come back */
	REASON_TOO_SMALL,  /* all that is left together would not help */
	REASON_NO_ROOM,    /* VICTIM_SET_MAX reached */
};

enum victim_result {
	VICTIM_CHOSEN,    /* the set covers the need */
	VICTIM_PARTIAL,   /* a set was chosen that helps but does not cover it */
	VICTIM_NONE,      /* who holds the memory is protected, pinned, avoided or hidden */
	VICTIM_HOPELESS,  /* nobody holds enough to matter, eligible or not: it is elsewhere */
	VICTIM_ALL_DYING, /* nobody new: what could be chosen is already on its way out */
	VICTIM_UNREAD,    /* who is next in rank, or all who are left, could not be told from the
			     protected in time: ask again in a moment */
};

/* What the rules match. Read lazily; strings may be "" when there is no such thing: no condition on
 * them holds then. */
struct task_detail {
	char exe[4096];
	char cmdline[16384];
	char cgroup[4096];
	enum cgroup_preference preference; /* of that cgroup; unread with it */
	/* Not read, or not in time, though it may be there: a protect rule on it is taken to hold,
	 * others are not. Whoever cannot be told from the protected is not killed. */
	bool exe_unread, cmdline_unread, cgroup_unread;
	/* There is more of it than is here: who is not cleared by all of it never is, so that a
	 * protect rule on it does hold. */
	bool cmdline_cut;
};

/* Nothing is there, and all of that is known. */
void victim_detail_clear(struct task_detail *d);

/* Resident shared memory of an mm that no file keeps (struct probe_shmem). */
struct victim_shmem {
	uint64_t private_bytes; /* mapped by this mm alone: comes back */
	uint64_t pss_bytes;     /* its share of what other mms map too */
};

struct victim_fns {
	void *ctx;
	sharedmm_cmp_fn *cmp;
	enum mm_evidence evidence; /* what cmp stands for */
	/* Fills what the rules ask for; what cannot be read stays "". */
	void (*detail)(void *ctx, const struct task *t, bool want_cmdline, struct task_detail *ret);
	/* What becomes of the mm's shmem, asked only where it could change the rank. 0 or -errno:
	 * then counters must do. */
	int (*shmem)(void *ctx, const struct task *t, struct victim_shmem *ret);
	struct task_detail *room; /* where detail() is to write: borrowed, as it is large */
};

/* A fork family that counts as one. */
struct brood {
	struct mm_marks marks;
	uid_t uid;
	uint64_t since_ticks; /* its young were born since */
	uint64_t bytes;       /* that these give, or did; 0: there is no such family */
	/* For the next choice, soon after this one: */
	uint64_t newest_ticks; /* who is younger was born since */
	uint64_t born_bytes;   /* what those gave in this one who were born since that before */
	uint32_t times;        /* it has outgrown its dead, and once more */
	uint64_t taken_bytes; /* what was taken of it, for the caller to say; 0: no more than one */
};

struct victim_need {
	uint64_t bytes;       /* to bring back, expected growth included; at least 1 */
	uint64_t alone_bytes; /* with half of the growth or less: enough if one of those reached
				 gives it by itself, because the growth is then most likely its own;
				 at most bytes */
	uint64_t total_bytes; /* memory and swap: the base of oom_score_adj */
	uint64_t shmem_bytes; /* of the machine, tmpfs files included (meminfo's Shmem); 0: unknown
			       */
	bool avoided_eligible;
	bool count_dying; /* for the caller: is overdue to be set? */
	bool no_swap; /* free swap ends no shortage (verdict_swap_counts): what is in swap is not
			 worth a kill */
	/* What dies by other hands (the kernel's, an administrator's, those of the daemon before a
	 * crash) is on its way back, as what we signalled is: subtracted from the need. By index of
	 * the task: 1 where that one has had its time. NULL: nothing is subtracted. */
	const uint8_t *overdue;
	uint64_t teardown_bytes; /* subtracted then as well: of those who let go of their mm */
	bool unread_protects;    /* pass over whom we cannot tell from the protected, rather than to
				    choose nobody (VICTIM_UNREAD) */
	const struct brood *brood; /* that of a choice before, a moment ago; NULL: none */
	const uint8_t *scope; /* by index of the task: 0 is out of reach. Who shares the mm of one
				 in reach dies with it, wherever it is. NULL: all are in reach */
	const struct hidden_list *in_flight; /* mms signalled already, DYING here; NULL: none */
	bool explain; /* list VICTIM_REPORT_MAX that were not chosen too: slower */
};

struct candidate {
	uint32_t task;   /* index of the member it was ranked by */
	int64_t badness; /* yield (of a brood: in all) + adj * total / 1000 + what prefer adds
			    (mm/oom_kill.c:oom_badness) */
	uint64_t yield_bytes;
	uint64_t shmem_bytes; /* the part of yield_bytes that is shared memory */
	enum victim_reason reason;
	const struct rule *rule; /* for REASON_PROTECTED, REASON_AVOIDED, preferred; else NULL */
	struct mm_group group;
};

struct choice {
	enum victim_result result;
	struct brood brood;   /* that counted as one candidate */
	bool unread;          /* somebody could not be told from the protected in time */
	bool waits;           /* VICTIM_ALL_DYING though others are left: what dies suffices */
	bool incomplete;      /* light rows matter: complete them all, classify and choose again */
	uint64_t generation;  /* of the snapshot the indices belong to */
	uint64_t yield_bytes; /* of those chosen, in all */
	uint32_t count;       /* chosen: candidates[chosen[0 .. count)] */
	uint32_t chosen[VICTIM_SET_MAX];
	uint32_t candidate_count; /* ranked by badness, best first */
	struct candidate candidates[VICTIM_SET_MAX + VICTIM_REPORT_MAX];
};

/* Mms not to choose again. */
struct hidden_list {
	uint32_t count;
	struct mm_id ids[VICTIM_HIDDEN_MAX];
};

/* Whether a fatal signal is pending, and it holds so much. */
bool victim_is_dying(const struct task *t, uint64_t least_bytes);

/* Who holds less than this is negligible. */
uint64_t victim_negligible_bytes(const struct victim_need *need);

/* Who holds less than this gets nothing from a prefer rule. */
uint64_t victim_preferable_bytes(const struct victim_need *need);

struct victim_scratch {
	uint64_t key, yield_bytes;
	uint32_t task;
};

/*
 * Chooses the smallest set of groups, in the order of badness, whose yield covers need->bytes:
 * taken from the top until it is covered, then every one the others make superfluous is dropped,
 * the smallest first. When all that is eligible cannot cover it, only those that give at least an
 * eighth of the need are taken (PARTIAL), or nobody: many small deaths that do not help are not
 * wanted. Where only the room for VICTIM_SET_MAX is lacking, the largest of them are taken.
 *
 * Where files in memory that nobody maps hold more than all processes together, and those have
 * less than four times the need, the files are the cause: then one group may die that covers the
 * need alone, but no set of small ones (HOPELESS).
 *
 * sm must be classified from s; scratch must hold s->count entries. Candidates are those that were
 * looked at: groups are settled and details read only for tasks whose counters could put them among
 * those chosen. Order of the tasks in s never changes the outcome.
 *
 * Light rows of s are negligible. Where one group of the others suffices they are not asked for;
 * otherwise nobody is chosen, and ret->incomplete is set.
 */
void victim_choose(const struct snapshot *s, struct sharedmm *sm, const struct config *c,
	const struct hidden_list *hidden, const struct victim_need *need,
	const struct victim_fns *fns, struct victim_scratch *scratch, struct choice *ret);

/*
 * The group of one task by the same rules, for who is to die along with a victim: fills *ret and
 * returns its reason. REASON_CHOSEN: it may die; so may one of REASON_NO_YIELD, for nothing.
 */
enum victim_reason victim_consider(const struct snapshot *s, struct sharedmm *sm,
	const struct config *c, const struct hidden_list *hidden, const struct victim_need *need,
	const struct victim_fns *fns, uint32_t task, struct candidate *ret);

/* Whether all conditions that r sets hold for the task; a rule without any matches nobody. */
bool victim_rule_matches(const struct rule *r, const struct task *t, const struct task_detail *d);
/* Whether a rule that matches may yet not: it is a protect rule, and what it asks for was not read
 * in time. */
bool victim_rule_doubts(const struct rule *r, const struct task *t, struct task_detail *d);
/*
 * The systemd unit in a cgroup path: its last .service, .scope, .socket, .mount or .swap component;
 * "" if there is none. Below a unit that is delegated (user@UID.service, a container) names are in
 * the hands of its owner: who protects by unit should name a uid too, or a cgroup from its "/" on.
 */
void victim_unit_of(const char *cgroup, char *ret, size_t size);

void victim_mm_id(const struct snapshot *s, const struct sharedmm *sm, const struct mm_group *g,
	struct mm_id *ret);
/* Whether a task of id is t and its marks are still those: the same mm, not one got by exec. */
bool victim_mm_id_holds(const struct mm_id *id, const struct task *t);
/* Adds a copy, in place of one of the same mm if there is one; when the list is full the oldest
 * makes room: returns the handle_fd to close of the entry that went, or -1. */
int hidden_add(struct hidden_list *h, const struct mm_id *id);
bool hidden_contains(const struct hidden_list *h, const struct task *t);
/* Whether entry i still has a member in s (ascending pids) with the same marks. */
bool hidden_holds(const struct hidden_list *h, uint32_t i, const struct snapshot *s);
void hidden_remove(struct hidden_list *h, uint32_t i);

const char *victim_reason_text(enum victim_reason r);
const char *victim_result_text(enum victim_result r);
const char *victim_pin_text(enum mm_pin pin);
