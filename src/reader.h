/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who fills the table of tasks: the BPF program where one is loaded, /proc otherwise. Decided once,
 * at the start; oomfwd-bpf.service, which loads it, is ordered before.
 */
#pragma once

#include "config.h"
#include "snapshot.h"

struct snapshot_bpf;

struct reader {
	struct snapshot_bpf *bpf; /* NULL: by /proc */
	bool failed_said;
};

/* Chooses, and says which and why in the log. s is filled by whoever was chosen. 0, or -errno when
 * even /proc cannot be read. */
int reader_open(struct reader *r, enum config_reader wanted, struct snapshot *s);
void reader_close(struct reader *r);

/* By the reader chosen, or by /proc when that one fails, which is snapshot_refresh_heavy(): only it
 * leaves light rows. */
int reader_refresh(
	struct reader *r, struct snapshot *s, uint64_t light_bytes, uint64_t swap_used_bytes);

/* As snapshot_newborn(), by a pass of the BPF program where so many pids are to be looked at that
 * it costs less. */
int reader_newborn(struct reader *r, struct snapshot *s, snapshot_found_fn *found, void *ctx);

/* For calm times: has the next pass made ready. */
void reader_prepare(struct reader *r);
