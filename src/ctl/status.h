/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `oomfwdctl status` says, of facts that it is handed.
 */
#pragma once

#include "figures.h"

struct status {
	struct wire_state state;
	pid_t pid;
	uint64_t now_usec; /* CLOCK_MONOTONIC */
	struct averages pressure;
	int pressure_error;    /* what averages_read() gave */
	struct json *episodes; /* the last, oldest first; owned. NULL: could not be read */
	int history_error;     /* why; -ENOENT: there was none yet */
	bool history_off;      /* none is kept */
};

void status_print(FILE *f, const struct status *s);
/* state_json(), and headroom, pressure and episodes. The caller's; takes the episodes over. */
struct json *status_json(struct status *s);
