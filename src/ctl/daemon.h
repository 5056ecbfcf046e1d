/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reaching the daemon, and saying why it cannot be reached.
 */
#pragma once

#include "ctl.h"
#include "feed-client.h"

/* CTL_OK, or CTL_NO_DAEMON after a sentence on stderr (with --json: a document on stdout too). */
int daemon_open(const struct ctl *c, struct feed_client **ret);
/* The sentence for an error of feed_client_open(), in the same way: CTL_NO_DAEMON. */
int daemon_fail(const struct ctl *c, int error);
/* The state as of a look, which a daemon that has just started still owes for a moment. The same
 * statuses; CTL_FAILED: it has not looked at all. */
int daemon_state(const struct feed_client *f, struct wire_state *ret);
