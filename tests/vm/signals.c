/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the victims were signalled, as the kernel saw it: its tracepoint signal_generate, in an
 * instance of tracefs of our own. The victims cannot tell it themselves, for most daemons send
 * SIGKILL at once.
 */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRACEFS  "/sys/kernel/tracing"
#define INSTANCE TRACEFS "/instances/lab"
#define EVENT    INSTANCE "/events/signal/signal_generate"

void lab_signals_watch(void)
{
	/* Process 1 has nobody who mounted it. */
	if (mkdir(INSTANCE, 0700) < 0 &&
		(mount("tracefs", TRACEFS, "tracefs", 0, NULL) < 0 || mkdir(INSTANCE, 0700) < 0)) {
		lab_say("lab: no tracefs, so no time of the signal\n");
		return;
	}
	lab_write(INSTANCE "/buffer_size_kb", "64");
	lab_write(INSTANCE "/trace_clock", "mono");
	lab_write(EVENT "/filter", "sig == 9 || sig == 15");
	lab_write(EVENT "/enable", "1");
}

/* "  oomfwd-321  [001] d..1.    12.345678: signal_generate: sig=9 errno=0 code=0 comm=lab pid=99"
 */
static bool parse(const char *line, long *ret_msec, pid_t *ret_pid)
{
	const char *event = strstr(line, ": signal_generate:"), *time, *pid;

	pid = event ? strstr(event, " pid=") : NULL;
	if (!pid)
		return false;
	for (time = event; time > line && time[-1] != ' ';)
		time--;
	*ret_msec = (long)(strtod(time, NULL) * 1000);
	*ret_pid = (pid_t)strtol(pid + 5, NULL, 10);
	return true;
}

long lab_signals_last_msec(void)
{
	bool seen[LAB_ROLES_MAX] = { false };
	FILE *f = fopen(INSTANCE "/trace", "re");
	char line[512];
	long last = -1, msec;
	pid_t pid;

	while (f && fgets(line, sizeof(line), f)) {
		if (!parse(line, &msec, &pid))
			continue;
		for (unsigned i = 0; i < lab->role_count && i < LAB_ROLES_MAX; i++) {
			if (lab->roles[i].pid != pid || lab->roles[i].role != LAB_VICTIM || seen[i])
				continue;
			seen[i] = true;
			last = msec;
		}
	}
	if (!f)
		return -1;
	fclose(f);
	rmdir(INSTANCE); /* with its buffers, and the event goes off */
	return last;
}
