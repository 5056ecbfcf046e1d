/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that oomfwd knows about one process, as one document.
 */
#pragma once

#include "look.h"

/*
 * The document on the process with this pid, or on the one whose thread it is; look_now() must have
 * been called. Keys: pid, thread (if it was one), kind ("process", "kernel_thread", "no_mm"), uid,
 * comm..., cgroup, unit, container; of a process also "candidate" (describe_candidate), "chosen",
 * "rank" of "ranked" (null: behind them), "shmem", "situation"; "unseen": sentences. NULL: no
 * memory. 0, or -ESRCH when there is no such process, or another -errno.
 */
int explain_pid(struct look *l, pid_t pid, struct json **ret);

void explain_print(FILE *f, const struct json *j);
