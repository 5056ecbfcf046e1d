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

struct snapshot_bpf;

/*
 * Loads the program into the kernel and returns the fd that stands for it, or -errno with a clause
 * for the log in why ("this kernel has no BTF ..."). Needs CAP_BPF and CAP_PERFMON, which can be
 * given up afterwards. The work is done by a child process: it takes some 30 MiB for a moment, and
 * our heap keeps what it once had.
 */
int snapshot_bpf_load(char *why, size_t size);

/*
 * The reader for such an fd, which it owns from here on, also when it fails. s is filled once, and
 * our own row compared with what /proc says of it: when they differ nothing that the program tells
 * can be trusted. 0, or -errno with a clause in why.
 */
int snapshot_bpf_new(
	int link_fd, struct snapshot *s, char *why, size_t size, struct snapshot_bpf **ret);
void snapshot_bpf_free(struct snapshot_bpf *b);

/* Fills s as snapshot_refresh() does. 0, or -errno: the table is then in disorder, and to be filled
 * by snapshot_refresh(). */
int snapshot_bpf_read(struct snapshot_bpf *b, struct snapshot *s);

/* For calm times: makes the kernel allocate what the next pass needs. */
void snapshot_bpf_prepare(struct snapshot_bpf *b);

/* For tests: takes the records that a file holds (as the program writes them) for those of a pass.
 */
int snapshot_bpf_read_file(struct snapshot_bpf *b, struct snapshot *s, int fd);
