/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people are told at the start: what oomfwd has to do without, and for --once --dry-run who
 * would be chosen. Apart from oomd.c because none of it is on the way to a kill.
 */
#pragma once

#include "act.h"
#include "domain.h"

/* lack: enum survive_lack of survive_raise() or survive_lock(), with errno of the latter. */
void show_lacks(unsigned lack);

/* Prints to standard output who would be chosen now, in the cgroup of that path if it is not NULL.
 * 0 or -errno. */
int show_choice(struct actor *a, const struct config *c, const struct meminfo *m, const char *path);

/* The configuration, or NULL: what is wrong has been logged. The caller's. */
struct config *show_load_config(const char *path);

/* The first line of the log: what is guarded, and by what means. */
void show_started(const struct actor *a, const struct config *c, const struct meminfo *m,
	const struct domains *d, bool dry_run, bool trigger_armed);
