/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that sleep, for benchmarks of the process table. */
#pragma once

#include <signal.h>
#include <stdint.h>
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
