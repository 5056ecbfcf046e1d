/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thaws cgroups of the v1 freezer by a thread of its own. To find them it reads /proc/PID/cgroup,
 * which on kernels before 6.8 waits for cgroup_mutex, and somebody who waits for memory may hold
 * that: so the killer hands those over who have had SIGKILL, and waits for nothing. Where there is
 * no v1 freezer there is no such thread, and nothing is read.
 */
#pragma once

#include "cgroup.h"
#include "snapshot.h"

/* So many wait for the thread at the most. */
#define THAW_QUEUE 2048

struct thawer;

/* Mounts and proc_fd are borrowed for the call only. Allocates. 0, and *ret NULL where there is no
 * v1 freezer, or -errno. */
int thawer_new(const struct cgroup_mounts *m, int proc_fd, struct thawer **ret);
/* Does not wait for the thread: its memory is left to it. */
void thawer_free(struct thawer *t);

/* Has the freezer cgroup of the process thawed, and those above it, if it still is that process
 * when its turn comes. Never blocks, never allocates. 0, or -ENOSPC: too many are waiting. */
int thawer_add(struct thawer *t, const struct proc_id *id);
