/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroup-thaw.h"

#include "cgroup-internal.h"
#include "procfs.h"
#include "thread.h"
#include "util.h"

#include <fcntl.h>
#include <pthread.h>

#define STACK_SIZE (32 * KIB)
#define STAT_SIZE  1024

struct thawer {
	pthread_mutex_t lock; /* of all below, but for what is the thread's alone */
	pthread_cond_t news;
	bool closing;
	uint32_t users; /* the owner and the thread */
	uint32_t first, count;
	struct proc_id queue[THAW_QUEUE]; /* a ring */
	/* The thread's. */
	int proc_fd;
	struct cgroup_mounts *mounts;
};

/* An fd of the directory in /proc keeps the process it was opened for, so what is read through it
 * after the start time was compared is about no other. */
static void thaw(const struct thawer *t, const struct proc_id *id)
{
	char name[16], text[STAT_SIZE];
	struct task seen;

	snprintf(name, sizeof(name), "%d", (int)id->pid);
	_cleanup_(fd_closep) int fd = openat(t->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || procfs_read_file(fd, "stat", text, sizeof(text)) <= 0 ||
		snapshot_parse_stat(text, &seen) < 0 || seen.id.start_ticks != id->start_ticks)
		return;
	(void)cgroup_thaw(t->mounts, fd);
}

static void free_memory(struct thawer *t)
{
	pthread_cond_destroy(&t->news);
	pthread_mutex_destroy(&t->lock);
	cgroup_mounts_free(t->mounts);
	fd_closep(&t->proc_fd);
	free(t);
}

/* Unlocks, and frees what nobody uses any more. */
static void unlock_and_leave(struct thawer *t)
{
	bool last = --t->users == 0;

	pthread_mutex_unlock(&t->lock);
	if (last)
		free_memory(t);
}

static void *work(void *arg)
{
	struct thawer *t = arg;

	pthread_mutex_lock(&t->lock);
	while (!t->closing) {
		struct proc_id next;

		if (t->count == 0) {
			pthread_cond_wait(&t->news, &t->lock);
			continue;
		}
		next = t->queue[t->first];
		t->first = (t->first + 1) % THAW_QUEUE;
		t->count--;
		pthread_mutex_unlock(&t->lock);
		thaw(t, &next);
		pthread_mutex_lock(&t->lock);
	}
	unlock_and_leave(t);
	return NULL;
}

int thawer_new(const struct cgroup_mounts *m, int proc_fd, struct thawer **ret)
{
	struct thawer *t;
	int r;

	*ret = NULL;
	if (m->freezer_fd < 0)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->users = 1;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->news, NULL);
	t->proc_fd = fcntl(proc_fd, F_DUPFD_CLOEXEC, 3);
	r = t->proc_fd < 0 ? -errno : cgroup_mounts_dup(m, &t->mounts);
	if (r == 0) {
		t->users++;
		r = thread_start(NULL, STACK_SIZE, "oomfwd-thaw", work, t);
	}
	if (r < 0) {
		free_memory(t);
		return r;
	}
	*ret = t;
	return 0;
}

void thawer_free(struct thawer *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->closing = true;
	pthread_cond_signal(&t->news);
	unlock_and_leave(t);
}

int thawer_add(struct thawer *t, const struct proc_id *id)
{
	int r = -ENOSPC;

	pthread_mutex_lock(&t->lock);
	if (t->count < THAW_QUEUE) {
		t->queue[(t->first + t->count) % THAW_QUEUE] = *id;
		t->count++;
		pthread_cond_signal(&t->news);
		r = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}
