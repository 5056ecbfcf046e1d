/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the desk knows: the connection to the daemon, the episodes under way, those on disk, and the
 * figures. It reconnects when the daemon has gone, and keeps the metrics file up to date.
 */
#pragma once

#include "config.h"
#include "json.h"
#include "wire.h"

struct ledger;

/* Whom it tells what it hears. */
struct ledger_listener {
	/* episode_id: 0 where the event belongs to none. */
	void (*event)(void *ctx, const struct report_event *e, uint64_t episode_id);
	void (*ended)(void *ctx, const struct json *episode);
};

/* socket_path NULL: WIRE_SOCKET; state_dir NULL: none, else where the history is if the
 * configuration has the default. All borrowed. */
int ledger_new(const char *socket_path, const char *state_dir,
	const struct ledger_listener *listener, void *ctx, struct ledger **ret);
/* Ends what is under way, into the history. */
void ledger_free(struct ledger *l);
/* Once before all else. 0 or -errno. */
int ledger_configure(struct ledger *l, const struct config_desk *c);

/* The daemon is of another version: this desk can do no more. */
bool ledger_is_outdated(const struct ledger *l);
/* Whether the machine or a domain is in an episode. */
bool ledger_is_busy(const struct ledger *l);
/* The daemon's state, with what its events have told since. false: there is no daemon. */
bool ledger_state(const struct ledger *l, struct wire_state *ret);
/* 0; -ENOTCONN; or another -errno. */
int ledger_reload(struct ledger *l);

/* For the caller; NULL: no memory. Of the episodes the newest max, oldest first, with those that
 * are under way at the end. */
struct json *ledger_status(const struct ledger *l);
struct json *ledger_episodes(const struct ledger *l, size_t max);
int ledger_write_metrics(const struct ledger *l, FILE *f);

/* Readable when ledger_dispatch() has something to do; constant, borrowed. */
int ledger_fd(const struct ledger *l);
/* When it has to be called at the latest (CLOCK_MONOTONIC). */
uint64_t ledger_next_usec(const struct ledger *l);
void ledger_dispatch(struct ledger *l, uint64_t now_usec);
