/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What keeps the daemon itself going when memory is gone: resident pages, a heap that does not
 * grow, priority, limits, and a word to the service manager that never waits for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum survive_lack {
	LACK_MLOCK = 1 << 0,    /* pages may be evicted */
	LACK_ADJ = 1 << 1,      /* the kernel may choose us */
	LACK_PRIORITY = 1 << 2, /* we may have to wait for a CPU */
	LACK_FDS = 1 << 3,      /* few victims in one go */
};

/* Before any allocation that matters: one arena, no trimming, a reserve of freed heap. */
void survive_prepare_heap(void);

/* Both return a set of enum survive_lack: what could not be had, which costs safety but not
 * function. survive_raise: limits, oom_score_adj and priority; before the threads, which inherit
 * the latter (a reader that has to wait for a CPU makes the main thread wait for its deadline). */
unsigned survive_raise(void);
/* Locks all memory; after threads and tables exist: everything mapped then becomes resident. */
unsigned survive_lock(void);

/* Gives up CAP_BPF and CAP_PERFMON, of this thread and those it will start: whoever loaded the BPF
 * program needs them no more. Returns 0, or -errno: they are kept then. */
int survive_drop_loading(void);

/* Major page faults of the whole process so far. */
uint64_t survive_major_faults(void);

/*
 * Sends a state ("READY=1", "WATCHDOG=1", ...) to the service manager. Unlike sd_notify(3) it never
 * blocks: pid 1 may itself be waiting for memory that we are to free. 1 sent, 0 no service manager,
 * or -errno.
 */
int survive_notify(const char *state);

/* Blocks SIGTERM, SIGINT and SIGHUP for the event loop's signalfd, before any thread starts, and
 * ignores SIGPIPE. */
void survive_block_signals(void);
