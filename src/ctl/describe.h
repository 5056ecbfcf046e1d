/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tasks, groups and candidates as JSON, the same in every command, and what their text output has
 * in common: it is written from that JSON.
 */
#pragma once

#include "ctl.h"
#include "psi.h"
#include "victim.h"

/* pid, comm, uid, ppid, state, oom_score_adj; thread that shows the mm, if it is another. */
struct json *describe_task(const struct task *t);

/* members, evidence, vfork, dying, oom_score_adj, the counters in *_bytes, pin (or null) with why,
 * pid and comm. */
struct json *describe_group(
	const struct snapshot *s, const struct sharedmm *sm, const struct mm_group *g);

/* What was decided about it: pid, comm, reason, reason_text, rule (or null), badness_bytes,
 * yield_bytes, yield_shmem_bytes, group. rule has the pid and comm of the member it matches. */
struct json *describe_candidate(const struct snapshot *s, const struct sharedmm *sm,
	const struct victim_fns *fns, const struct candidate *c);

struct json *describe_memory(const struct meminfo *m);

/* "chosen", "not_needed"...; "partial"...; "kcmp"...: the values of keys. */
const char *describe_reason(enum victim_reason r);
const char *describe_result(enum victim_result r);

/* --- text --- */

/* "3.1 GiB", of the key's value; into ret, which it returns. */
#define DESCRIBE_SIZE 96
char *describe_bytes(const struct json *j, const char *key, char ret[DESCRIBE_SIZE]);
/* "4242 (java)", of the keys pid and comm. */
char *describe_process(const struct json *j, char ret[DESCRIBE_SIZE]);
/* The value of the key, escaped, to f. */
void describe_escaped(FILE *f, const struct json *j, const char *key);
/* A line for each member: pid, uid, state, comm. */
void describe_print_members(FILE *f, const struct json *group);
/* "; pinned by pid 1", or nothing. */
void describe_print_pin(FILE *f, const struct json *group);
/* ", told by kcmp", or that it cannot be told. */
void describe_print_evidence(FILE *f, const struct json *group);
/* ", rule [protect database], which matches 4243 (postgres)", or nothing. */
void describe_print_rule(FILE *f, const struct json *candidate);

/* The document as JSON on stdout, for --json. Returns enum ctl_status. */
int describe_write(const struct json *document);
