/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock and the order of figures: what benchmarks share. */
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline double now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* For qsort(3). */
static inline int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}
