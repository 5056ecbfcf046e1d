/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For live-oomfwdctl.py: a process of 64 MiB, another that shares its mm, and a thread of the
 * first. Prints "PID SHARER TID" and ends when its standard input does.
 */
#include "children.h"

#include <pthread.h>
#include <stdio.h>

static volatile pid_t tid;

static void *idle(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	for (;;)
		pause();
	return arg;
}

int main(void)
{
	pthread_t thread;
	pid_t sharer;
	char byte;

	touch_memory(64 * MIB, MAP_PRIVATE);
	if (pthread_create(&thread, NULL, idle, NULL) != 0)
		return 1;
	while (tid == 0)
		usleep(1000);
	sharer = clone_sharer(sleep_for_ever, NULL);
	if (sharer < 0)
		return 1;
	printf("%d %d %d\n", getpid(), sharer, tid);
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	kill(sharer, SIGKILL);
	waitpid(sharer, NULL, __WALL);
	return 0;
}
