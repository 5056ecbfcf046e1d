/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock, the order of figures, and processes to be counted: what benchmarks share. */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* Sleepers that end with us. Returns how many came to be. */
static inline uint32_t fork_sleepers(pid_t *pids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return i;
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
	}
	return count;
}

static inline void end_sleepers(const pid_t *pids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (uint32_t i = 0; i < count; i++)
		waitpid(pids[i], NULL, 0);
}
