/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading from the daemon: its state now, and its events as they come. For oomfwd-desk and
 * oomfwdctl; the daemon's end is feed.h.
 */
#pragma once

#include "wire.h"

struct feed_client; /* the connection and the page */

/*
 * Connects to the socket at path (NULL: WIRE_SOCKET). Waits a second for the hello at the most.
 * 0, -ENOENT or -ECONNREFUSED: no daemon; -EACCES: not allowed; -EPROTO: a daemon of another
 * version; -ETIMEDOUT; or another -errno.
 */
int feed_client_open(const char *path, struct feed_client **ret);
void feed_client_close(struct feed_client *f);
static inline void feed_client_closep(struct feed_client **f)
{
	feed_client_close(*f);
}

/* To poll for POLLIN; borrowed. */
int feed_client_fd(const struct feed_client *f);
pid_t feed_client_pid(const struct feed_client *f);

/* A copy of the state that is whole. 0, or -EAGAIN when the writer was always in the way. */
int feed_client_state(const struct feed_client *f, struct wire_state *ret);

/*
 * The next event, without waiting: 1 and *ret, with *ret_lost events before it that are lost; 0:
 * none now; -ECONNRESET: the daemon has gone; or another -errno.
 */
int feed_client_next(struct feed_client *f, struct report_event *ret, uint32_t *ret_lost);

/* Asks the daemon to read its configuration again. 0 or -errno. */
int feed_client_reload(struct feed_client *f);
