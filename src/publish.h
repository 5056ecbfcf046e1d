/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the daemon for those who look at it from outside (wire.h): gathered from its parts
 * after each look. Apart from oomd.c because nothing depends on it.
 */
#pragma once

#include "domain.h"
#include "feed.h"
#include "watch.h"

struct publisher {
	struct feed *feed; /* NULL: nobody can look */
	const char *config_path;
	uint64_t started_usec, configured_usec, looks;
	bool dry_run, trigger_armed, reload_failed;
	bool reload_pending; /* as of the last look; the daemon's to set */
};

/* Opens the feed at path; what is wrong is said, for the daemon goes on without.
 * *ret_reload_fd: as of feed_new(), or negative. */
void publish_open(struct publisher *p, const char *path, int *ret_reload_fd);
void publish_close(struct publisher *p);
/* A configuration was put in force, or refused. */
void publish_configured(struct publisher *p, bool done);

/* No allocation, no wait. */
void publish_state(struct publisher *p, const struct watch *w, const struct actor *a,
	const struct domains *d, uint64_t next_look_usec);
