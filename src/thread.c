/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "thread.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define NICE_BEST (-20)

/* glibc takes no less than 16 KiB on x86, 128 KiB on arm64. */
static size_t stack_size(size_t wanted_bytes)
{
	long least = sysconf(_SC_THREAD_STACK_MIN);

	return least > 0 && (size_t)least > wanted_bytes ? (size_t)least : wanted_bytes;
}

int thread_start(
	pthread_t *ret, size_t stack_bytes, const char *name, void *(*run)(void *), void *ctx)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	/* It inherits the mask, so there is no moment in which a signal could find it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!ret)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_attr_setstacksize(&attr, stack_size(stack_bytes));
	if (r == 0)
		r = pthread_create(&thread, &attr, run, ctx);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (r != 0)
		return -r;
	(void)pthread_setname_np(thread, name);
	if (ret)
		*ret = thread;
	return 0;
}

void thread_go_ordinary(void)
{
	const struct sched_param p = { .sched_priority = 0 };

	/* 0 is the calling thread to both. The unit has set nice already, and may not lower it. */
	(void)sched_setscheduler(0, SCHED_OTHER, &p);
	(void)setpriority(PRIO_PROCESS, 0, NICE_BEST);
}
