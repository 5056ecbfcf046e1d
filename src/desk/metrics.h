/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metrics in the text format of Prometheus. Counters are those of the state page, which count since
 * the daemon has started; the histogram is the desk's.
 */
#pragma once

#include "episode.h"
#include "wire.h"

#define METRICS_BUCKETS 12

/* Of all episodes seen to end. */
struct metrics {
	uint64_t episode_bucket[METRICS_BUCKETS + 1]; /* the last: above all bounds */
	double episode_seconds_sum;
	uint64_t episodes;
	/* From detection to the last signal, of each kill. */
	uint64_t signal_bucket[METRICS_BUCKETS + 1];
	double signal_seconds_sum;
	uint64_t signals;
};

void metrics_take(struct metrics *m, const struct episode *ended);
/*
 * Writes them all, each with its HELP and TYPE. state NULL: the daemon is not there: oomfwd_up is 0
 * and only what the desk itself knows follows. 0 or -errno of the stream.
 */
int metrics_write(const struct metrics *m, const struct wire_state *state, FILE *f);
/* The same into a file that is replaced at once (path.tmp, then rename), mode 0644, for the
 * textfile collector of node_exporter. 0 or -errno. */
int metrics_write_file(const struct metrics *m, const struct wire_state *state, const char *path);
