/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The monotonic clock, for those who may read one: the pure modules are told the time instead.
 */
#pragma once

#include "util.h"

#include <time.h>

/* µs since some moment in the past; never goes back. */
static inline uint64_t monotonic_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

/* How long it is until then; 0: it is past. */
static inline uint64_t time_left_usec(uint64_t until_usec)
{
	return sub_or_zero_u64(until_usec, monotonic_usec());
}

/* The CPU time that the calling thread has used. */
static inline uint64_t thread_cpu_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
