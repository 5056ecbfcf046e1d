/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that sleep, for benchmarks of the process table. */
#pragma once

#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Measures beside so many of them. Returns 0, or 1 when they could not be made. */
static inline int beside_sleepers(uint32_t count, void (*measure)(uint32_t count))
{
	pid_t *pids = mmap(NULL, count * sizeof(*pids), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t made;

	if (pids == MAP_FAILED)
		return 1;
	made = fork_sleepers(pids, count);
	if (made == count)
		measure(count);
	else
		fprintf(stderr,
			"Only %" PRIu32 " of %" PRIu32
			" processes could be made (%m); raise ulimit -u or kernel.pid_max.\n",
			made, count);
	end_sleepers(pids, made);
	munmap(pids, count * sizeof(*pids));
	return made == count ? 0 : 1;
}
