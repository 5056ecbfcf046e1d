/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the victims were signalled, as the kernel saw it: its tracepoint signal_generate. The
 * victims cannot tell it themselves, for most daemons send SIGKILL at once. The command line of the
 * kernel turns it on (run-vm): to do so later patches code that the other CPU is in, and now and
 * then that never came back under multi-threaded TCG.
 */
#include "lab.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define TRACEFS "/sys/kernel/tracing"
#define TRACE   TRACEFS "/trace"

void lab_signals_watch(void)
{
	/* Process 1 has nobody who mounted it. */
	if (access(TRACE, R_OK) < 0 && mount("tracefs", TRACEFS, "tracefs", 0, NULL) < 0)
		lab_say("lab: no tracefs, so no time of the signal\n");
}

/* "  oomfwd-321  [001] d..1.    12.345678: signal_generate: sig=9 errno=0 code=0 comm=lab pid=99"
 */
static bool parse(const char *line, long *ret_msec, int *ret_sig, pid_t *ret_pid)
{
	const char *event = strstr(line, ": signal_generate: sig="), *time, *pid;

	pid = event ? strstr(event, " pid=") : NULL;
	if (!pid)
		return false;
	*ret_sig = (int)strtol(strchr(event, '=') + 1, NULL, 10);
	for (time = event; time > line && time[-1] != ' ';)
		time--;
	*ret_msec = (long)(strtod(time, NULL) * 1000);
	*ret_pid = (pid_t)strtol(pid + 5, NULL, 10);
	return true;
}

long lab_signals_last_msec(void)
{
	bool seen[LAB_ROLES_MAX] = { false };
	FILE *f = fopen(TRACE, "re");
	char line[512];
	long last = -1, msec;
	pid_t pid;
	int sig;

	while (f && fgets(line, sizeof(line), f)) {
		if (!parse(line, &msec, &sig, &pid))
			continue;
		if (sig != SIGKILL && sig != SIGTERM)
			continue;
		for (unsigned i = 0; i < lab->role_count && i < LAB_ROLES_MAX; i++) {
			if (lab->roles[i].pid != pid || lab->roles[i].role != LAB_VICTIM || seen[i])
				continue;
			seen[i] = true;
			last = msec;
		}
	}
	if (f)
		fclose(f);
	return last;
}
