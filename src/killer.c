/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The killer as a whole: its system calls, its memory, and the rehearsal.
 */
#include "kill-internal.h"

#include <linux/kcmp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#define REHEARSE_WAIT_USEC (2 * USEC_PER_SEC)

static int errno_or(long r)
{
	return r < 0 ? -errno : (int)r;
}

static int real_pidfd_open(void *ctx _unused_, pid_t pid)
{
	return errno_or(syscall(SYS_pidfd_open, pid, 0));
}

static int real_send(void *ctx _unused_, int pidfd, int sig)
{
	return errno_or(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

static int real_mrelease(void *ctx _unused_, int pidfd)
{
	return errno_or(syscall(SYS_process_mrelease, pidfd, 0));
}

/* Whether the process may be signalled is all that signal 0 asks. */
static int mute_send(void *ctx, int pidfd, int sig _unused_)
{
	return real_send(ctx, pidfd, 0);
}

static int mute_mrelease(void *ctx _unused_, int pidfd _unused_)
{
	return -ESRCH;
}

/* Goes as far into the kernel as it can without a process. */
static int rehearsal_mrelease(void *ctx, int pidfd _unused_)
{
	(void)real_mrelease(ctx, -1);
	return -ESRCH;
}

int kill_kcmp(void *ctx _unused_, const struct task *a, const struct task *b)
{
	return errno_or(syscall(SYS_kcmp, a->mm_tid, b->mm_tid, KCMP_VM, 0, 0));
}

const struct kill_ops kill_ops_real = {
	.pidfd_open = real_pidfd_open,
	.send = real_send,
	.mrelease = real_mrelease,
	.cmp = kill_kcmp,
};
const struct kill_ops kill_ops_dry_run = {
	.pidfd_open = real_pidfd_open,
	.send = mute_send,
	.mrelease = mute_mrelease,
	.cmp = kill_kcmp,
};
const struct kill_ops kill_ops_rehearsal = {
	.pidfd_open = real_pidfd_open,
	.send = mute_send,
	.mrelease = rehearsal_mrelease,
	.cmp = kill_kcmp,
};

/* Writes every entry, so that no page of them is touched for the first time in an episode. */
static void init_tables(struct killer *k)
{
	memset(k, 0xff, sizeof(*k));
	memset(k, 0, sizeof(*k));
	for (int32_t i = 0; i < KILL_MEMBERS_MAX; i++)
		k->members[i] = (struct member){
			.pidfd = -EBADF,
			.next = i + 1 < KILL_MEMBERS_MAX ? i + 1 : -1,
		};
	k->free_count = KILL_MEMBERS_MAX;
	for (size_t i = 0; i < KILL_SLOTS; i++)
		k->slots[i] = (struct slot){ .handle_fd = -EBADF, .first = -1, .reap_cursor = -1 };
	k->wake_fd = -EBADF;
	k->refs = 1;
	k->ticks_generation = UINT64_MAX;
}

static int init_locks(struct killer *k)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;
	int r;

	r = pthread_mutexattr_init(&mutex);
	if (r != 0)
		return -r;
	/* The main thread may have a raised priority; a reaper that holds the lock inherits it. */
	pthread_mutexattr_setprotocol(&mutex, PTHREAD_PRIO_INHERIT);
	r = pthread_mutex_init(&k->lock, &mutex);
	pthread_mutexattr_destroy(&mutex);
	if (r != 0)
		return -r;
	pthread_condattr_init(&cond);
	pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
	pthread_cond_init(&k->work, &cond);
	pthread_cond_init(&k->settled, &cond);
	pthread_condattr_destroy(&cond);
	return 0;
}

int killer_new(
	const struct kill_ops *ops, struct snapshot *s, struct killer **ret, int *ret_wake_fd)
{
	struct killer *k = malloc(sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	init_tables(k);
	k->ops = *ops;
	k->s = s;
	k->self = getpid();
	r = init_locks(k);
	if (r < 0) {
		free(k);
		return r;
	}
	k->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = k->wake_fd < 0 ? -errno : reaper_start_threads(k);
	if (r < 0) {
		killer_free(k);
		return r;
	}
	*ret = k;
	*ret_wake_fd = k->wake_fd;
	return 0;
}

void killer_free(struct killer *k)
{
	if (!k)
		return;
	for (int i = 0; i < KILL_SLOTS; i++)
		kill_release(k, i);
	reaper_stop_threads(k);
	fd_closep(&k->wake_fd);
	pthread_mutex_lock(&k->lock);
	killer_unref_unlock(k);
}

void killer_set_ops(struct killer *k, const struct kill_ops *ops)
{
	pthread_mutex_lock(&k->lock);
	k->ops = *ops;
	pthread_mutex_unlock(&k->lock);
}

/* Until a reaper has answered, but not for ever. */
static int wait_for_reaper(struct killer *k, struct slot *s)
{
	uint64_t until = monotonic_usec() + REHEARSE_WAIT_USEC;
	struct timespec t = {
		.tv_sec = (time_t)(until / USEC_PER_SEC),
		.tv_nsec = (long)(until % USEC_PER_SEC * 1000),
	};
	int r = 0;

	pthread_mutex_lock(&k->lock);
	while (s->reap == REAP_RUNNING && r == 0)
		r = pthread_cond_timedwait(&k->settled, &k->lock, &t);
	r = s->reap == REAP_RUNNING ? -ETIMEDOUT : 0;
	pthread_mutex_unlock(&k->lock);
	return r;
}

int killer_rehearse(struct killer *k)
{
	struct snapshot self = *k->s;
	struct kill_status status;
	struct kill_blame blame;
	struct kill_result result;
	const uint32_t index = 0;
	struct task t;
	int slot, r, outcome;

	r = snapshot_read_task(k->s, k->self, &t);
	if (r < 0)
		return r;
	self.tasks = &t;
	self.count = 1;
	slot = kill_prepare_tasks(k, &self, &index, 1, UINT64_MAX, true);
	if (slot < 0)
		return slot;
	kill_signal(k, &slot, &outcome, 1, SIGKILL, NULL, NULL, &result);
	r = outcome < 0 ? outcome : wait_for_reaper(k, &k->slots[slot]);
	if (r == 0)
		r = kill_observe(k, slot, NULL, NULL, &status);
	kill_explain(k, slot, &blame);
	kill_release(k, slot);
	k->ticks_generation = UINT64_MAX; /* it was that of a table of one row */
	return r;
}
