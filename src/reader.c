/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reader.h"

#include "report.h"
#include "snapshot-bpf.h"
#include "util.h"

/* A task costs a pass so much less than a pid costs /proc (docs/BENCHMARKS.md: 1.1 and 26 µs). */
#define BPF_ADVANTAGE 16

int reader_open(struct reader *r, enum config_reader wanted, struct snapshot *s)
{
	char why[192];

	*r = (struct reader){ 0 };
	if (wanted == READER_PROC) {
		report_line(REPORT_INFO, "tasks by /proc, as the configuration says");
	} else if (snapshot_bpf_new(SNAPSHOT_BPF_PATH, s, why, sizeof(why), &r->bpf) == 0) {
		report_line(REPORT_INFO, "tasks by BPF");
		return 0;
	} else {
		report_line(wanted == READER_BPF ? REPORT_WARNING : REPORT_INFO,
			"tasks by /proc: %s", why);
	}
	return snapshot_refresh(s);
}

void reader_close(struct reader *r)
{
	snapshot_bpf_free(r->bpf);
	r->bpf = NULL;
}

int reader_refresh(
	struct reader *r, struct snapshot *s, uint64_t light_bytes, uint64_t swap_used_bytes)
{
	int error = r->bpf ? snapshot_bpf_read(r->bpf, s) : 0;

	if (r->bpf && error == 0)
		return 0;
	if (error < 0 && !r->failed_said) {
		r->failed_said = true;
		report_line(REPORT_WARNING,
			"tasks by /proc this time, for the BPF program could not be read (%s)",
			strerror(-error));
	}
	return snapshot_refresh_heavy(s, light_bytes, swap_used_bytes);
}

int reader_newborn(struct reader *r, struct snapshot *s, snapshot_found_fn *found, void *ctx)
{
	if (r->bpf && snapshot_newborn_cost(s) > s->count / BPF_ADVANTAGE) {
		int found_by_bpf = snapshot_bpf_newborn(r->bpf, s, found, ctx);

		if (found_by_bpf >= 0)
			return found_by_bpf;
	}
	return snapshot_newborn(s, found, ctx);
}

void reader_prepare(struct reader *r)
{
	if (r->bpf)
		snapshot_bpf_prepare(r->bpf);
}
