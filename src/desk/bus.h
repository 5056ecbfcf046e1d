/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * org.oomfwd1 on the system bus (docs/DBUS.md): properties, methods and signals. Without a bus, or
 * with one that comes and goes, everything here does nothing until there is one again.
 */
#pragma once

#include "json.h"
#include "wire.h"

#define BUS_NAME "org.oomfwd1"
#define BUS_PATH "/org/oomfwd1"

/* What it asks the desk for; none may wait. */
struct bus_source {
	/* false: there is no daemon */
	bool (*state)(void *ctx, struct wire_state *ret);
	/* Values for the caller; NULL: no memory. */
	struct json *(*dump)(void *ctx);
	struct json *(*episodes)(void *ctx, uint32_t max);
	/* Asks the daemon to reload. 0; -ENOTCONN: there is none; or another -errno. */
	int (*reload)(void *ctx);
};

struct bus;

int bus_new(const struct bus_source *source, void *ctx, struct bus **ret);
void bus_free(struct bus *b);

/* Signals. An event that there is no signal for is left alone. episode_id: 0 where it is in none.
 */
void bus_event(struct bus *b, const struct report_event *e, uint64_t episode_id);
void bus_ended(struct bus *b, const struct json *episode);
/* The state may have changed: tells who listens for changes of properties. */
void bus_changed(struct bus *b);

/* Readable when bus_dispatch() has something to do; constant, borrowed. */
int bus_fd(const struct bus *b);
/* To be asked before every sleep: what is to be sent changes what is waited for. When
 * bus_dispatch() has to be called at the latest (CLOCK_MONOTONIC); USEC_NEVER. */
uint64_t bus_next_usec(struct bus *b);
void bus_dispatch(struct bus *b, uint64_t now_usec);
