/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reaching the daemon, and saying why it cannot be reached.
 */
#pragma once

#include "ctl.h"
#include "feed-client.h"

/* CTL_OK, or CTL_NO_DAEMON after a sentence on stderr (with --json: a document on stdout too). */
int daemon_open(const struct ctl *c, struct feed_client **ret);
/* The sentence for an error of feed_client_open(), and its name for programs. Returns ret. */
const char *daemon_explain(int error, const char *socket_path, char *ret, size_t size);
const char *daemon_error_name(int error);
