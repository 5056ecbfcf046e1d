/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's end of wire.h: a socket that others on this machine read events from, and a page of
 * state. A thread of its own serves it, so that a reader who does not read, or a send that has to
 * wait for memory, costs readers events and the daemon nothing.
 */
#pragma once

#include "wire.h"

#define FEED_CLIENTS_MAX 8

struct feed;

/*
 * Listens at path; a socket there that nobody serves any more is replaced, its directory made. Its
 * group is that of the directory if that has the setgid bit; mode 0660. After report_open().
 * *ret_reload_fd is readable when somebody asks for a reload; the feed's. 0, -EADDRINUSE: another
 * daemon serves it; or another -errno.
 */
int feed_new(const char *path, struct feed **ret, int *ret_reload_fd);
/* Ends the thread; before report_close(). */
void feed_free(struct feed *f);

/* The state to write to, whole, between these two. No allocation, no wait. */
struct wire_state *feed_begin(struct feed *f);
void feed_end(struct feed *f);
