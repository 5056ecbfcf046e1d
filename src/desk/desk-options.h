/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of oomfwd-desk.
 */
#pragma once

#include <stdbool.h>

struct desk_options {
	const char *config_path; /* NULL: the default */
	const char *socket_path; /* NULL: WIRE_SOCKET */
	const char *state_dir;   /* NULL: $STATE_DIRECTORY, or where the configuration says */
	const char *http_path;   /* NULL: as configured */
	bool no_bus;
};

/* Returns -1 to go on, else the exit status: what was asked for has been printed, or what is wrong
 * has been said on standard error. */
int desk_options_parse(int argc, char **argv, struct desk_options *ret);
