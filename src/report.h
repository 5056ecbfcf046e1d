/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people and the journal get to see. Events are copied into a fixed ring and written by a
 * thread of its own: a stopped journal or a full pipe never delays a kill, it only costs lines
 * (and the next line that gets through says how many).
 */
#pragma once

#include "engine.h"
#include "kill.h"
#include "util.h"
#include "victim.h"

#include <stdbool.h>
#include <stdint.h>

enum report_level {
	REPORT_ERROR = 3, /* as syslog counts */
	REPORT_WARNING = 4,
	REPORT_NOTICE = 5,
	REPORT_INFO = 6,
	REPORT_DEBUG = 7,
};

/*
 * Starts the logger. Levels above max are dropped. Writes structured entries when stderr is the
 * journal (JOURNAL_STREAM), else lines to stderr; lines with "<N>" prefixes when it is the journal
 * but takes no entries. All of report_open, _close, _line, _event and _set_level belong to one
 * thread. 0 or -errno.
 */
int report_open(enum report_level max);
void report_set_level(enum report_level max);
/* Waits until the ring is empty, at most timeout_usec; then what is left is lost. */
void report_close(uint64_t timeout_usec);

/* For start, reload and other calm times: formats now, writes later. Never blocks. Line ends and
 * other control characters become blanks. */
void report_line(enum report_level level, const char *format, ...) _printf_(2, 3);

enum report_kind {
	REPORT_EPISODE_BEGAN, /* level, cause, available (after), swap */
	REPORT_SIGNALLED,     /* victim, sig, members, expected, level, cause, detect_usec */
	REPORT_FREED,         /* victim, sig, freed, latency, available before and after */
	REPORT_STUCK,         /* victim, blame, latency (0: not told); its mm is hidden now */
	REPORT_HIDDEN_PIN,    /* a candidate that is pinned: not chosen, said once per mm */
	REPORT_LOST,          /* the kill could not be carried out: error */
	REPORT_NO_VICTIM,     /* result, need, shmem_total */
	/* Ladder step taken. error: 0, -ENOENT nothing for it to do here, or why it failed; cgroup
	 * (or the program run), members and expected: what it hit. */
	REPORT_STEP,
	REPORT_RECOVERED, /* victims, freed, latency: the episode; available before and after */
	/* A whole cgroup dies with a victim: cgroup, members; error: why it does not. */
	REPORT_WHOLE,
	REPORT_KERNEL_OOM, /* the kernel's own OOM killer ran: kernel_oom_kills times */
};

/* So many members of a group are named. */
#define REPORT_GROUP_MAX 16

/* Plain data: only the members that the kind names are meaningful. */
struct report_event {
	enum report_kind kind;
	uint64_t at_usec; /* CLOCK_MONOTONIC */
	bool dry_run;
	struct proc_id victim;
	char comm[TASK_COMM_LEN];
	char cgroup[256];
	uid_t uid;
	int sig;
	int error; /* negative errno */
	uint32_t members;
	pid_t group[REPORT_GROUP_MAX]; /* of the first of them; 0 ends */
	uint32_t newborn;
	bool ignores_term; /* a member does: SIGTERM does not free the mm */
	uint32_t outside;  /* members that are not in the domain */
	bool along;        /* it dies with another: worth a line for the curious only */
	enum domain_kill kill;
	enum mm_evidence evidence;
	enum mm_pin pin;
	pid_t pin_pid;
	char pin_comm[TASK_COMM_LEN];
	pid_t kthread_pid; /* of a kernel thread that uses the mm; 0: none known */
	char kthread_comm[TASK_COMM_LEN];
	uint64_t expected_bytes, shmem_bytes; /* what should come back; the shared memory in it */
	uint64_t freed_bytes, latency_usec;
	uint64_t detect_usec;  /* detection to last signal */
	uint64_t major_faults; /* ours, meanwhile: should be 0 */
	uint64_t available_before_bytes, available_after_bytes, total_bytes;
	uint64_t swap_free_bytes, swap_total_bytes, shmem_total_bytes, need_bytes;
	int16_t oom_score_adj;
	enum victim_result result;
	enum engine_level level;
	enum engine_cause cause;
	enum ladder_step step;
	struct kill_blame blame;
	uint32_t victims;
	uint64_t kernel_oom_kills; /* new ones */
	char rule[CONFIG_NAME_MAX];
	char domain[CONFIG_NAME_MAX]; /* the [cgroup] section, and the cgroup, that is short; "" */
	char domain_path[256];        /* and "": the machine */
};

/* Since report_open(), whatever the level of the log. Counted by report_event(). */
struct report_counts {
	uint64_t episodes;     /* that began, of the machine and of domains */
	uint64_t kills;        /* groups that had a signal */
	uint64_t freed;        /* groups whose memory came back */
	uint64_t stuck;        /* groups that did not give theirs back */
	uint64_t pinned;       /* mms not chosen for who pins them, each counted once */
	uint64_t no_victim;    /* choices that found nobody */
	uint64_t steps;        /* of the ladder */
	uint64_t kernel_kills; /* of the kernel's own OOM killer, seen in episodes */
	uint64_t freed_bytes;
	uint64_t lost; /* events that the log did not take in time */
};

/* Copies the event into the ring: no formatting, no allocation, no wait. Drops it when full; the
 * next that gets through is preceded by how many were. */
void report_event(const struct report_event *e);
void report_get_counts(struct report_counts *ret); /* of the thread that reports */

/*
 * A second reader of the events (not of the lines), on a thread of its own: returns an eventfd that
 * is readable when there are some, or -errno. One at most; the ring is kept for it too, so it must
 * not be slower than the logger. report_tap_close() from that thread, or when it has ended.
 */
int report_tap_open(void);
void report_tap_close(void);
/* Takes the next one out: whether there was one. *ret_lost: that were lost before it. */
bool report_tap_next(struct report_event *ret, uint32_t *ret_lost);

/*
 * Writes text that a process controls so that it cannot break a line, a parser or a terminal:
 * control characters (C0, DEL, C1), invalid UTF-8, characters that break or turn a line (U+2028,
 * U+2029, the bidirectional controls) and backslashes as \xNN. What does not fit is cut between
 * characters, so the outcome is valid UTF-8. Returns ret.
 */
char *report_escape(const char *text, char *ret, size_t size);
/* "3.1 GiB", "412 MiB", "0 B". Returns ret. */
char *report_bytes(uint64_t bytes, char *ret, size_t size);
/* "84 ms", "1.2 s". Returns ret. */
char *report_usec(uint64_t usec, char *ret, size_t size);
/* "began", "signalled"...: OOMFWD_EVENT in the journal, and the word for it everywhere else. */
const char *report_kind_name(enum report_kind kind);
/* The human line of an event, one sentence, and how important it is. For the logger and tests. */
enum report_level report_level_of(const struct report_event *e);
void report_format(const struct report_event *e, char *ret, size_t size);

/* --dry-run: the table of candidates with their reasons, to f. */
void report_choice(FILE *f, const struct snapshot *s, const struct sharedmm *sm,
	const struct choice *c, const struct victim_need *need);
