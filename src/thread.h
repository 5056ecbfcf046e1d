/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads of the daemon: small stacks, and signals are the main thread's business. */
#pragma once

#include <pthread.h>
#include <stddef.h>

/* Starts run(ctx) on a stack of stack_bytes, all signals blocked, under a name of at most 15
 * characters; it must not end before this returns. ret NULL: detached, for nobody could wait for
 * it. Returns 0 or -errno. */
int thread_start(
	pthread_t *ret, size_t stack_bytes, const char *name, void *(*run)(void *), void *ctx);

/*
 * For the calling thread: ordinary scheduling, at the best nice value that it may have. Threads
 * start with the real-time priority of the daemon, which beats all others for as long as there is
 * work. That is right for who decides, within milliseconds, and wrong for who gives gigabytes back
 * or writes to the journal: nobody else would run on that CPU meanwhile. Best effort: without the
 * right to do so it stays as it was.
 */
void thread_go_ordinary(void);
