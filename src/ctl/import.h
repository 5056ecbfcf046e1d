/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations of other daemons into one of ours. Each daemon has a file of its own
 * (import-NAME.c); what they share is in import.c.
 *
 * Text of those files gets into comments and messages with everything but printable ASCII escaped;
 * into a value only when our own parser takes it.
 */
#pragma once

#include "config.h"
#include "json.h"

#define IMPORT_FILE_MAX  (INT64_C(1) << 20)
#define IMPORT_QUOTE_MAX 160
/* The rest of the 64 is for those of etc/oomfwd.conf. */
#define IMPORT_RULES_MAX 48

/* What becomes of an import. The streams and the array are borrowed. */
struct import {
	FILE *config;          /* what is to be printed */
	FILE *errors;          /* "FILE:LINE: what is wrong", one line each */
	struct json *no_equal; /* sentences, each also a comment in config */
	const char *root;      /* put before all default paths; "" */
	uint64_t memory_bytes; /* of this machine: what counts as nearly all; 0: unknown */
	uint64_t swap_bytes;   /* the same, but 0: none */
	uint32_t rules, domains;
};

/* --- the daemons: 0, -ENOENT or another -errno, which has been complained about --- */

/* As earlyoom gets them; argv[0] is not looked at. Reorders argv. */
int import_earlyoom(struct import *im, int argc, char **argv);
/* EARLYOOM_ARGS in such a file; NULL: /etc/default/earlyoom, or the defaults without it. */
int import_earlyoom_file(struct import *im, const char *path);
/* path NULL: /etc/nohang/nohang.conf. */
int import_nohang(struct import *im, const char *path);
/* An oomd.conf and its drop-ins. path NULL: those of this system, and what its units say. */
int import_systemd_oomd(struct import *im, const char *path);

/* --- what is said --- */

/* text with all but printable ASCII as \xNN, cut with "...". Returns ret. */
char *import_quote(const char *text, char ret[IMPORT_QUOTE_MAX]);
/* "# " and the text, over as many lines as it takes. */
void import_comment(struct import *im, const char *format, ...) _printf_(2, 3);
/* The same in config as "ORIGIN: sentence", and into no_equal. */
void import_no_equal(struct import *im, const char *origin, const char *format, ...) _printf_(3, 4);
/* Returns -EINVAL. line 0: the file as a whole. */
int import_complain(struct import *im, const char *file, unsigned line, const char *format, ...)
	_printf_(4, 5);
/* The first lines of config: whose configuration it was, and how to use it. */
void import_begin(struct import *im, const char *daemon, const char *from);

/* --- what is read --- */

/* The whole file as a string for the caller. -ENOENT is not complained about, anything else is:
 * not readable, no regular file, larger than 1 MiB, or with a NUL byte in it. */
int import_read(struct import *im, const char *path, char **ret);
/* A number with an optional point, without anything before or after it. 0 or -EINVAL. */
int import_parse_number(const char *text, double *ret);
/* Cuts the next line off *text, without its end; NULL: none is left. */
char *import_next_line(char **text);

/* --- values --- */

/* A share of all in percent, or bytes. */
struct import_amount {
	bool bytes;
	double value;
};

enum import_key { IMPORT_MEMORY, IMPORT_SWAP, IMPORT_GUARD };

/* The nearest amount that the key can have; what was changed is said of origin. */
struct config_amount import_fit(
	struct import *im, const char *origin, enum import_key key, struct import_amount amount);
/* The same of a level: share of time in percent, span in seconds. */
struct config_pressure import_fit_pressure(
	struct import *im, const char *origin, bool full, double percent, double seconds);
/* seconds within both, which are in microseconds. */
uint64_t import_fit_duration(struct import *im, const char *origin, double seconds,
	uint64_t min_usec, uint64_t max_usec);
/* Lifts the amounts of warn to those of kill where ours would refuse less. */
void import_fit_levels(
	struct import *im, struct config_level *warn, const struct config_level *kill);

/* "key = value" lines. */
void import_put_amount(struct import *im, const char *key, const struct config_amount *amount);
void import_put_pressure(struct import *im, const struct config_pressure *pressure);
void import_put_duration(struct import *im, const char *key, uint64_t usec);
/* [warn] or [kill], with a comment (NULL: none) above each of memory, swap and pressure. */
void import_put_level(struct import *im, const char *name, const struct config_level *level,
	const char *const from[static 3]);

/* A section of a rule with one condition; false: it has no equal, which has been said. */
bool import_put_rule(struct import *im, const char *origin, const char *action, const char *name,
	const char *key, const char *value);

/* --- the whole --- */

/* Leaves one empty line where there are more in a row. */
void import_squeeze(char *text);

/* Whether our parser takes the text as a configuration; its errors go to errors (may be NULL). */
int import_check(const char *text, FILE *errors);

/* A pattern of Python's re module as a POSIX extended one, for the caller. NULL: there is none,
 * and *ret_why says what it uses (a literal, or "no memory is left"). */
char *import_python_pattern(const char *pattern, const char **ret_why);
/*
 * The words of EARLYOOM_ARGS in a file such as a shell sources: quotes, backslashes, comments and
 * continued lines are as there, dollars and backticks mean themselves. (*ret)[0] is "earlyoom", the
 * *ret_count words are followed by NULL, and one free(*ret) frees it all. *ret_count 0: nothing
 * sets it, and there is nothing to free. 0 or -EINVAL after a complaint.
 */
int import_shell_words(
	struct import *im, const char *path, const char *text, char ***ret, int *ret_count);
