/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "thread.h"

#include <signal.h>

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
	r = pthread_attr_setstacksize(&attr, stack_bytes);
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
