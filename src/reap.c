/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reaper threads. process_mrelease(2) runs in the caller's time (some 60 ms a GiB) and may
 * wait for the mmap lock for ever, so it is never called by the main thread, and a thread that
 * hangs in it is given up without harm: the others go on with the other slots.
 *
 * There is no queue: what is to be reaped is a state of the slot, and a thread takes the one with
 * most to give among those that are due. One call is made per turn, so that a slot in its retries
 * occupies nobody.
 */
#include "kill-internal.h"
#include "thread.h"

#include <fcntl.h>
#include <signal.h>

/* EINVAL says that a sharer is not dying, or that a core dump runs: main looks for the one, and
 * waits for the other. Two seconds are two victim_timeouts: then the verdict was made. */
#define REAP_PATIENCE_USEC (2 * USEC_PER_SEC)
/* After SIGTERM it says as well that there is a handler. Who has none is dying when the signal has
 * been sent, as after SIGKILL (kernel/signal.c:complete_signal), or when he has been continued. */
#define TERM_PATIENCE_USEC (20 * USEC_PER_MSEC)
#define REFUSED_RETRY_USEC (4 * USEC_PER_MSEC)
#define AGAIN_RETRY_USEC   (1 * USEC_PER_MSEC)
#define JOIN_PATIENCE_SEC  1

void killer_unref_unlock(struct killer *k)
{
	bool last = --k->refs == 0;

	pthread_mutex_unlock(&k->lock);
	if (!last)
		return;
	pthread_cond_destroy(&k->work);
	pthread_cond_destroy(&k->settled);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

static void wake_main(struct killer *k)
{
	uint64_t one = 1;

	/* The counter cannot overflow in practice; if it did, it would still be readable. */
	if (write(k->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void finish(struct killer *k, struct slot *s, enum reap_state state)
{
	s->reap = state;
	pthread_cond_broadcast(&k->settled);
	wake_main(k);
}

/* The next member; at the end of a round the first again, and true. */
static bool next_member(struct killer *k, struct slot *s)
{
	if (s->reap_cursor >= 0)
		s->reap_cursor = k->members[s->reap_cursor].next;
	return s->reap_cursor < 0;
}

static void settle(struct killer *k, struct slot *s, int r)
{
	uint64_t now = monotonic_usec();

	switch (r) {
	case 0:
		finish(k, s, REAP_DONE);
		return;
	case -ESRCH:
		s->reap_gone++;
		s->reap_due_usec = now;
		if (!next_member(k, s))
			return;
		if (s->reap_gone >= s->count) {
			finish(k, s, REAP_GONE);
			return;
		}
		s->reap_due_usec = now + AGAIN_RETRY_USEC;
		break;
	case -EINVAL:
		if (!s->reap_refused && !s->reap_term) {
			s->reap_refused = true;
			wake_main(k);
		}
		s->reap_due_usec = now + REFUSED_RETRY_USEC;
		next_member(k, s);
		break;
	case -ENOSYS:
	case -EPERM:
		finish(k, s, REAP_NONE);
		return;
	default: /* EAGAIN, EINTR, or no fd for the duplicate */
		s->reap_due_usec = now + AGAIN_RETRY_USEC;
		break;
	}
	if (now >= s->reap_until_usec)
		finish(k, s, s->reap_term ? REAP_NONE : REAP_REFUSED);
}

/* The slot that is due and has most to give; else NULL and when the next one will be due. */
static struct slot *next_due(struct killer *k, uint64_t *ret_due_usec)
{
	uint64_t now = monotonic_usec(), due = USEC_NEVER;
	struct slot *best = NULL;

	for (size_t i = 0; i < KILL_SLOTS; i++) {
		struct slot *s = &k->slots[i];
		if (!s->used || s->reap != REAP_RUNNING || s->reap_busy)
			continue;
		if (s->reap_due_usec > now)
			due = min_u64(due, s->reap_due_usec);
		else if (!best || s->expected_bytes > best->expected_bytes)
			best = s;
	}
	*ret_due_usec = due;
	return best;
}

static void wait_until(struct killer *k, uint64_t due_usec)
{
	struct timespec t;

	if (due_usec == USEC_NEVER) {
		pthread_cond_wait(&k->work, &k->lock);
		return;
	}
	t.tv_sec = (time_t)(due_usec / USEC_PER_SEC);
	t.tv_nsec = (long)(due_usec % USEC_PER_SEC * 1000);
	pthread_cond_timedwait(&k->work, &k->lock, &t);
}

/* One call for one member. The lock is given up meanwhile: the slot may be another one then. */
static void attempt(struct killer *k, struct slot *s)
{
	const struct kill_ops *ops = slot_ops(k, s);
	int (*mrelease)(void *, int) = ops->mrelease;
	void *ctx = ops->ctx;
	uint32_t serial = s->serial;
	int fd, r = -EAGAIN;

	if (s->reap_cursor < 0) {
		s->reap_cursor = s->first;
		s->reap_gone = 0;
	}
	if (s->reap_cursor < 0) {
		finish(k, s, REAP_GONE);
		return;
	}
	/* dup is cheap and waits for nobody: fine under the lock. */
	fd = fcntl(k->members[s->reap_cursor].pidfd, F_DUPFD_CLOEXEC, 0);
	s->reap_busy = true;
	pthread_mutex_unlock(&k->lock);
	if (fd >= 0) {
		r = mrelease(ctx, fd);
		close(fd);
	}
	pthread_mutex_lock(&k->lock);
	if (k->stopping || s->serial != serial)
		return;
	s->reap_busy = false;
	settle(k, s, r);
}

static void *reaper_main(void *arg)
{
	struct killer *k = arg;

	thread_go_ordinary();
	pthread_mutex_lock(&k->lock);
	while (!k->stopping) {
		uint64_t due_usec;
		struct slot *s = next_due(k, &due_usec);
		if (s)
			attempt(k, s);
		else
			wait_until(k, due_usec);
	}
	killer_unref_unlock(k);
	return NULL;
}

static int start_thread(struct killer *k)
{
	int r;

	pthread_mutex_lock(&k->lock);
	k->refs++;
	pthread_mutex_unlock(&k->lock);
	r = thread_start(
		&k->threads[k->thread_count], KILL_STACK_BYTES, "oomfwd-reap", reaper_main, k);
	if (r == 0) {
		k->thread_count++;
		return 0;
	}
	pthread_mutex_lock(&k->lock);
	k->refs--;
	pthread_mutex_unlock(&k->lock);
	return r;
}

int reaper_start_threads(struct killer *k)
{
	int r = 0;

	for (size_t i = 0; i < KILL_REAPERS && r == 0; i++)
		r = start_thread(k);
	return r;
}

void reaper_stop_threads(struct killer *k)
{
	struct timespec until;

	pthread_mutex_lock(&k->lock);
	k->stopping = true;
	pthread_cond_broadcast(&k->work);
	pthread_mutex_unlock(&k->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_PATIENCE_SEC;
	/* A thread that hangs in the kernel keeps its reference, and frees the killer if it ever
	 * comes back. */
	for (size_t i = 0; i < k->thread_count; i++)
		if (pthread_timedjoin_np(k->threads[i], NULL, &until) != 0)
			pthread_detach(k->threads[i]);
}

void reaper_enqueue(struct killer *k, struct slot *s)
{
	pthread_mutex_lock(&k->lock);
	if (s->reap != REAP_DONE && slot_ops(k, s)->mrelease) {
		uint64_t now = monotonic_usec();
		s->reap = REAP_RUNNING;
		s->reap_cursor = -1;
		s->reap_gone = 0;
		s->reap_due_usec = now;
		s->reap_term = s->sig != SIGKILL;
		s->reap_until_usec = now + (s->reap_term ? TERM_PATIENCE_USEC : REAP_PATIENCE_USEC);
		pthread_cond_signal(&k->work);
	}
	pthread_mutex_unlock(&k->lock);
}
