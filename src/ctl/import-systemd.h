/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of systemd: its syntax, which of several files of a name holds, and what units say of
 * systemd-oomd. Between import-systemd-oomd.c and the import-systemd-*.c beside it.
 */
#pragma once

#include "import.h"

#define SYSTEMD_NAME_MAX  256
#define SYSTEMD_UNITS_MAX 128

/* --- import-systemd-files.c --- */

/* Called for each "key = value" of a file; section without brackets. Returns 0, or -errno after a
 * complaint, which ends the reading. */
typedef int systemd_key(void *context, const char *section, const char *key, const char *value,
	const char *path, unsigned line);

/*
 * Reads a file: comments, sections, lines continued by a backslash. strict: a line that is none of
 * these is complained about, else passed over. 0, -ENOENT without a complaint, or another -errno
 * after one.
 */
int systemd_read(
	struct import *im, const char *path, bool strict, systemd_key *take, void *context);
/* The first of the directories that has name: 0 and its path in ret, or -ENOENT. One that is
 * /dev/null hides those in later ones: -ENOENT too. */
int systemd_find(struct import *im, const char *const *dirs, const char *name, char ret[PATH_MAX]);
/* The *.conf in sub of all directories, in the order of their names, of each name the first that is
 * found; all of them are read as by systemd_read(). */
int systemd_read_drop_ins(struct import *im, const char *const *dirs, const char *sub, bool strict,
	systemd_key *take, void *context);

/* "60%", "600‰" or "6000‱" in percent; "1min 30s", "20" in seconds. 0 or -EINVAL. */
int systemd_parse_share(const char *text, double *ret_percent);
int systemd_parse_span(const char *text, double *ret_seconds);

/* --- import-systemd-units.c --- */

/* What a unit says of itself. */
struct systemd_unit {
	char name[SYSTEMD_NAME_MAX];  /* "x.service"; "x@.service" and "x-.slice": all those */
	char slice[SYSTEMD_NAME_MAX]; /* Slice=; "": not said */
	char from[PATH_MAX];          /* the file that says kill */
	bool kill_by_swap, kill_by_pressure, has_preference;
	double limit_percent, duration_sec; /* 0: the default of systemd-oomd */
};

struct systemd_units {
	struct systemd_unit list[SYSTEMD_UNITS_MAX];
	uint32_t count, lost;
};

/* All units in the unit directories that say something of it, by name. 0 or -errno. */
int systemd_units_read(struct import *im, struct systemd_units *ret);
/*
 * The cgroups that the processes of the unit are in or below, as the path of a [cgroup] section.
 * "" is the root. 0, or -EINVAL: nothing tells.
 */
int systemd_unit_path(const struct systemd_unit *u, char ret[PATH_MAX]);
