/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kill.c, killer.c, slot.c, sharer.c, reap.c and blame.c share; nobody else includes it.
 *
 * Who may touch what: the main thread alone calls everything here but the reaper's loop. It writes
 * what is marked "locked" only under killer.lock and reads it freely; reapers read and write it
 * under the lock only. A reaper holds no pointer and no fd of a slot while it is in the kernel: it
 * works on a duplicate of the pidfd and knows the slot by its serial number, so that a slot can be
 * released, and used again, while a reaper hangs.
 */
#pragma once

#include "clock.h"
#include "kill.h"
#include "util.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define KILL_REAPERS      3
#define KILL_STACK_BYTES  (32 * KIB)
#define KILL_LOOK_ROUNDS  16
#define KILL_UNSEEN_PIDS  8
#define KILL_DIRENT_BYTES 4096
#define KILL_TEXT_BYTES   2048 /* a thread's stat */

struct member {
	struct proc_id id;
	pid_t mm_tid, ppid;
	int pidfd;    /* locked; -EBADF: the entry is free */
	int32_t next; /* locked; index of the slot's next member or the next free one, -1 ends */
	bool exited;  /* its pidfd is readable */
	bool no_mm;   /* has let go of the mm: nothing to compare with, for good */
	bool newborn; /* was not in the snapshot the slot was prepared from */
	bool stopped; /* by us */
	bool was_stopped; /* by somebody else, before */
	bool ignores_term;
};

struct slot {
	int sig;        /* the last that was sent; 0: none */
	bool rehearsal; /* set before the slot is used, constant then */
	struct mm_marks marks;
	uint64_t mm_key; /* 0: unknown */
	uint64_t expected_bytes;
	uint64_t generation;    /* of the snapshot it was prepared from, */
	uint64_t since_ticks;   /* and the start time of the youngest process in that */
	uint64_t verified_usec; /* when its members were last re-read, all of them */
	uint64_t look_usec;     /* kill_observe looks for sharers not before */
	uint64_t look_wait_usec;
	bool look_gone;   /* of one look: the mm has no user, so no sharer either */
	int32_t look_ref; /* the member on whose word others were passed over, -1: none, */
	pid_t look_tid;   /* and the thread it was compared by; */
	bool look_unsure; /* it must still have the mm when the look is over */
	int handle_fd;
	struct proc_id kthread; /* that borrowed the mm at kill_prepare; pid 0: none */
	char kthread_comm[TASK_COMM_LEN];

	/* locked: */
	bool used;
	uint32_t serial; /* +1 when the slot is released */
	int32_t first;   /* members; -1: none */
	uint32_t count;
	enum reap_state reap;
	bool reap_busy;      /* a reaper is in the kernel for it */
	bool reap_refused;   /* EINVAL since kill_observe looked last */
	bool reap_term;      /* it has had SIGTERM only */
	int32_t reap_cursor; /* member to try next; -1: the first */
	uint32_t reap_gone;  /* members that said ESRCH in this round */
	uint64_t reap_due_usec, reap_until_usec;
};

/* A pid that had been given out before its task was to be seen. */
struct unseen {
	pid_t pid; /* 0: none */
	int looks; /* so many more, then it will have been a process that came and went */
};

struct killer {
	struct kill_ops ops; /* locked */
	struct snapshot *s;
	pid_t self;
	int wake_fd;
	pthread_t threads[KILL_REAPERS];
	uint32_t thread_count;
	uint64_t ticks_generation, ticks; /* cache of slot.since_ticks */
	pid_t looked_pid;                 /* the newest pid when we looked for sharers last */
	struct unseen unseen[KILL_UNSEEN_PIDS];
	uint64_t rest_usec;                    /* kill_observe does not look again before */
	uint64_t blame_since_usec, blame_usec; /* a span, and what kill_explain took of it */

	pthread_mutex_t lock;
	pthread_cond_t work;    /* something is to be reaped, or to be stopped */
	pthread_cond_t settled; /* a slot's reaping came to its end */
	uint32_t refs;          /* locked: this and the threads' */
	bool stopping;          /* locked */

	struct slot slots[KILL_SLOTS];
	struct member members[KILL_MEMBERS_MAX];
	int32_t free_first; /* of members */
	uint32_t free_count;
	struct pollfd polls[KILL_MEMBERS_MAX];
	char text[KILL_TEXT_BYTES];
	_Alignas(8) char dirents[KILL_DIRENT_BYTES];
};

static inline bool marks_equal(const struct mm_marks *a, const struct mm_marks *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Whether t shows an mm that may be the slot's. */
static inline bool slot_shows(const struct slot *s, const struct task *t)
{
	return !(t->flags & (TASK_KTHREAD | TASK_NO_MM)) && marks_equal(&s->marks, &t->marks);
}

/* killer.c */
extern const struct kill_ops kill_ops_rehearsal;

/* kill.c */
/* kill_prepare() for count tasks of snap, by their indices. */
int kill_prepare_tasks(struct killer *k, const struct snapshot *snap, const uint32_t *indices,
	uint32_t count, uint64_t expected_bytes, bool rehearsal);

/* slot.c */
/* Why a process may not be signalled: -EPERM, -EAGAIN (it could not be told in time), or 0. */
int slot_forbids(const struct task *t, kill_protected_fn *is_protected, void *ctx);
const struct kill_ops *slot_ops(const struct killer *k, const struct slot *s);
struct slot *slot_get(struct killer *k, int slot);      /* NULL unless it is in use */
void slot_poll(struct killer *k, const struct slot *s); /* brings member.exited up to date */
bool slot_has(const struct killer *k, const struct slot *s, const struct proc_id *id);

/* Where a thread (tid 0: the leader) sleeps in the kernel; "": it does not, or that cannot be told.
 * Whether there was anything to read. */
bool thread_wchan(const struct killer *k, pid_t pid, pid_t tid, char *ret, size_t size);

enum member_sight {
	SIGHT_MM,    /* shows the slot's mm */
	SIGHT_NO_MM, /* is past it, but not yet gone */
	SIGHT_OTHER, /* has another mm now: it called exec */
	SIGHT_GONE,
	SIGHT_UNREAD, /* that cannot be told: no fd or no memory is to be had */
};
/* Reads the member anew; *ret is valid unless the answer is SIGHT_GONE or SIGHT_UNREAD. */
enum member_sight member_see(
	struct killer *k, const struct slot *s, struct member *m, struct task *ret);

/*
 * Makes the process seen (at an earlier moment) a member if it is one: opens a pidfd, compares,
 * reads it again, asks whether it may be signalled. group says that the snapshot's grouping
 * vouches for it where nobody is left to compare with. Returns 1 and the member, or 0 when it is
 * gone or has another mm, what slot_forbids() says against it, -ENOSPC, or another -errno.
 */
struct admission {
	bool group;
	kill_protected_fn *is_protected;
	void *ctx;
};
int member_admit(struct killer *k, struct slot *s, const struct task *seen,
	const struct admission *how, struct member **ret);
void member_drop(struct killer *k, struct slot *s, struct member *m);

struct slot *slot_take(struct killer *k, bool rehearsal); /* NULL: all are in use */
void slot_free(struct killer *k, struct slot *s);         /* and all it has */

/* sharer.c */
enum sharer {
	SHARER_SAME, /* the mm of a member, provided that t had an mm all the time */
	SHARER_OTHER,
	SHARER_UNKNOWN, /* no kcmp */
	SHARER_NO_REF,  /* no member has its mm any more */
};
enum sharer sharer_compare(struct killer *k, struct slot *s, const struct task *t);
/* Whether all points to t as the holder of the slot's mm although nobody is left to compare. */
bool sharer_by_handle(struct killer *k, struct slot *s, const struct task *t);

struct look {
	const int *slots;
	int *results; /* those not 0 are left alone */
	uint32_t count;
	int sig; /* send this to new members at once; 0: do not */
	kill_protected_fn *is_protected;
	void *ctx;
	struct kill_result *result;
};
/* Looks for sharers the slots do not know yet and makes them members. Returns whether another look
 * is called for: there were some, or not all answers could be relied on. */
bool sharer_look(struct killer *k, const struct look *l);
/* The same for the pids given out since the last look only, the newest first: what it costs does
 * not grow with what the looks before have found. */
bool sharer_look_newest(struct killer *k, const struct look *l);
/* reap.c */
int reaper_start_threads(struct killer *k);
void reaper_stop_threads(struct killer *k);
void killer_unref_unlock(struct killer *k); /* called locked; the last one frees */
void reaper_enqueue(struct killer *k, struct slot *s);

/* blame.c */
/* Remembers a kernel thread that borrows the mm now: later nobody is left to compare it with. */
void blame_note_kthread(struct killer *k, struct slot *s);
