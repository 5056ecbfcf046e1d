/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. Apart from oomd.c because it shares nothing with the event loop.
 */
#pragma once

#include <stdbool.h>

struct options {
	const char *config_path; /* NULL: the default */
	const char *domain_path; /* NULL: the machine */
	const char *feed_path;   /* "": none */
	bool dry_run, once, verbose, check_config;
};

/* Returns -1 to go on, else the exit status: what was asked for has been printed, or what is wrong
 * has been said on standard error. */
int options_parse(int argc, char **argv, struct options *ret);

/* Says on standard error what is wrong in the configuration. Returns the exit status. */
int options_check_config(const char *path);
