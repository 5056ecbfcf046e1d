/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomfwdctl: what its commands are handed. Each command is one function in a file of its own
 * (ctl-NAME.c), and a row of the table in ctl.c.
 */
#pragma once

#include "config.h"
#include "json.h"

/* What every command ends with. */
enum ctl_status {
	CTL_OK = 0,
	CTL_FAILED = 1,    /* said why on stderr */
	CTL_USAGE = 2,     /* wrong arguments */
	CTL_NO_DAEMON = 3, /* it needs a running daemon, or may not talk to it */
	CTL_NOT_FOUND = 4, /* no such process, file or episode; a configuration with errors */
};

struct ctl {
	bool json;               /* --json: one JSON document on stdout */
	bool color;              /* stdout is a terminal that takes colours (NO_COLOR is not set) */
	const char *config_path; /* --config; NULL: CONFIG_PATH */
	const char *socket_path; /* --socket; NULL: WIRE_SOCKET */
};

/* argv[0] is the command's name. Returns enum ctl_status. */
typedef int ctl_command(const struct ctl *c, int argc, char **argv);

ctl_command ctl_check, ctl_explain, ctl_history, ctl_import, ctl_reload, ctl_sharing, ctl_simulate,
	ctl_snapshot, ctl_status, ctl_top;

/* "oomfwdctl: " and a sentence to stderr; returns status. */
int ctl_fail(int status, const char *format, ...) _printf_(2, 3);
/* CTL_USAGE, after a line on what is wrong and how the command is used. */
int ctl_usage(const char *command, const char *format, ...) _printf_(2, 3);
/* The configuration that the daemon would use, or NULL: its errors are on stderr then. */
struct config *ctl_load_config(const struct ctl *c);
