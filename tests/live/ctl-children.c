/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For live-oomfwdctl.py: a process of 64 MiB, another that shares its mm, and a thread of the
 * first. Prints "PID SHARER TID" and ends when its standard input does. With the argument
 * leaderless there is no other, and the first thread exits.
 */
#include "children.h"

#include <pthread.h>
#include <stdio.h>

static volatile pid_t tid;

static void wait_for_end(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void *idle(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	if (arg) {
		wait_for_end();
		exit(0);
	}
	for (;;)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	pid_t sharer;

	touch_memory(64 * MIB, MAP_PRIVATE);
	if (pthread_create(&thread, NULL, idle, argc > 1 ? argv : NULL) != 0)
		return 1;
	while (tid == 0)
		usleep(1000);
	if (argc > 1) {
		printf("%d 0 %d\n", getpid(), tid);
		fflush(stdout);
		syscall(SYS_exit, 0); /* this thread alone */
	}
	sharer = clone_sharer(sleep_for_ever, NULL);
	if (sharer < 0)
		return 1;
	printf("%d %d %d\n", getpid(), sharer, tid);
	fflush(stdout);
	wait_for_end();
	kill(sharer, SIGKILL);
	waitpid(sharer, NULL, __WALL);
	return 0;
}
