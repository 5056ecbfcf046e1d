/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second reader of the table in snapshot.h: a program in the kernel (bpf/tasks.bpf.c) looks at
 * every task and hands over packed records, some hundred in each read(2). It knows more than /proc:
 * the mm itself (mm_key), kernel threads that borrow one, who is exiting.
 *
 * Nothing on the path allocates. The kernel needs a file and 32 KiB for each pass, which
 * snapshot_bpf_prepare() has it take beforehand.
 */
#pragma once

#include "snapshot.h"

/* The name that oomfwd-bpf (bpf/load.c) gives to the program in the kernel: every open(2) of it
 * begins a pass. */
#define SNAPSHOT_BPF_PATH "/sys/fs/bpf/oomfwd-tasks"

struct snapshot_bpf;

/*
 * The reader for the program that path stands for; path must outlive it. s is filled once, and our
 * own row compared with what /proc says of it: when they differ nothing that the program tells can
 * be trusted. 0, or -errno with a clause for the log in why.
 */
int snapshot_bpf_new(
	const char *path, struct snapshot *s, char *why, size_t size, struct snapshot_bpf **ret);
void snapshot_bpf_free(struct snapshot_bpf *b);

/* Fills s as snapshot_refresh() does. 0, or -errno: the table is then in disorder, and to be filled
 * by snapshot_refresh(). */
int snapshot_bpf_read(struct snapshot_bpf *b, struct snapshot *s);

/* As snapshot_newborn(), by a pass of its own: the tasks found have their keys, which are
 * comparable with those of the table where the processor numbers its mms (x86), and never equal by
 * mistake elsewhere unless the marks are, too. s's table stays as it is. */
int snapshot_bpf_newborn(
	struct snapshot_bpf *b, struct snapshot *s, snapshot_found_fn *found, void *ctx);

/* For calm times: makes the kernel allocate what the next pass needs. */
void snapshot_bpf_prepare(struct snapshot_bpf *b);

/* For tests: takes the records that a file holds (as the program writes them) for those of a pass.
 */
int snapshot_bpf_read_file(struct snapshot_bpf *b, struct snapshot *s, int fd);
