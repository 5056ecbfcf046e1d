/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that a choice depends on, recorded: the tasks, who shares an mm with whom, and what is read
 * of a task on demand. It replays through the functions that the pure modules are handed. As a file
 * it is JSON; docs/SNAPSHOT.md describes it.
 *
 * Addresses in other processes are a secret that protects them: the file has a number instead of a
 * task's marks, equal where the marks were.
 */
#pragma once

#include "look.h"

#define RECORD_VERSION   1
#define RECORD_TASKS_MAX 4194304 /* pids that Linux can give out */

/* What is read on demand of the task with this pid. Texts are owned; NULL: "". */
struct record_detail {
	pid_t pid;
	pid_t mm; /* the group: its lowest pid; 0: no mm */
	enum mm_evidence evidence;
	bool gone; /* exited while it was recorded */
	char *exe, *cgroup, *cmdline;
	enum cgroup_preference preference;
	bool exe_unread, cgroup_unread, cmdline_unread;
	int shmem_error; /* 0: shmem holds; -ENODATA: nobody has asked */
	struct victim_shmem shmem;
};

struct record {
	char version[32], kernel[65]; /* of oomfwd, of Linux */
	int64_t taken_seconds;        /* since 1970 */
	struct meminfo mem;
	enum mm_evidence evidence; /* what comparisons stood for: KCMP or SMAPS */
	bool can_ptrace;           /* see struct look */
	bool has_cmdlines;
	pid_t self;                    /* who recorded it */
	struct snapshot snapshot;      /* the rows are the record's; it has no reader */
	struct record_detail *details; /* snapshot.count of them, ascending pid */
	struct task_detail room;       /* of record_fns() */
};

/* Room for count tasks, all zero. 0 or -errno. */
int record_new(uint32_t count, struct record **ret);
void record_free(struct record *r);
static inline void record_freep(struct record **r)
{
	record_free(*r);
}

/* NULL: it is not in the record. */
const struct record_detail *record_find(const struct record *r, pid_t pid);

/* The record as the world: what a choice from it is handed. r must outlive them. */
struct victim_fns record_fns(struct record *r);

/* --- record-take.c --- */

/*
 * Records the machine of now. Chooses for three needs (one of now, a tiny and an enormous one), so
 * that the shared memory is walked that a choice from the record will ask about. 0 or -errno.
 */
int record_take(struct look *l, bool cmdlines, struct record **ret);

/* --- record-write.c --- */

/* NULL: out of memory. The caller's. */
struct json *record_json(const struct record *r);

/* --- record-read.c --- */

#define RECORD_WHY_SIZE 256
/* The opposite. ret_why: a sentence on what is wrong with it. 0, -EINVAL or -ENOMEM. */
int record_parse(const struct json *j, struct record **ret, char ret_why[RECORD_WHY_SIZE]);
/* The same of length bytes. */
int record_parse_text(
	const char *text, size_t length, struct record **ret, char ret_why[RECORD_WHY_SIZE]);
/* The same of a file; "-": standard input. Also another -errno. */
int record_read(const char *path, struct record **ret, char ret_why[RECORD_WHY_SIZE]);

/* The names of values in the file, in the order of their enums; and of bits, from the lowest. */
extern const char *const record_evidence_names[MM_EVIDENCE_BPF + 1];
extern const char *const record_preference_names[CGROUP_PREFERENCE_OMIT + 1];
extern const char *const record_flag_names[6];

/* Whole numbers of a task in the file, where they are in a struct task, and what they may be. */
struct record_number {
	const char *key;
	size_t offset;
	enum { RECORD_PID, RECORD_UID, RECORD_U32, RECORD_I16, RECORD_U64 } type;
};
extern const struct record_number record_numbers[];
extern const size_t record_number_count;
/* The same of struct meminfo; all are RECORD_U64. */
extern const struct record_number record_memory_numbers[];
extern const size_t record_memory_number_count;
