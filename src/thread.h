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
