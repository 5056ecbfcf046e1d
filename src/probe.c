/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"
#include "probe-internal.h"
#include "procfs.h"
#include "snapshot.h"
#include "thread.h"
#include "util.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* The readers, and behind them one who kills cgroups: readers that are stuck must not keep a cgroup
 * alive, nor a kill that is stuck those that are to be read. */
#define READERS    4
#define WORKERS    (READERS + 1)
#define STACK_SIZE (64 * KIB) /* goes down a tree of cgroups */

enum worker_state {
	WORKER_IDLE,
	WORKER_ASKED, /* has a request that it has not begun with */
	WORKER_BUSY,  /* is at work, and somebody waits for it */
	WORKER_DONE,  /* has the answer */
	WORKER_LOST,  /* nobody waits any more */
};

struct worker {
	struct probe *probe;
	pthread_t thread;
	pthread_cond_t changed;
	enum worker_state state;
	struct probe_request request;
	struct probe_answer answer;
	struct probe_reader reader;
};

struct probe {
	pthread_mutex_t lock; /* of all below, but for the readers' own */
	bool closing;
	uint32_t started; /* workers */
	uint32_t users;   /* those who may still use this memory: workers lost, and the owner */
	/* Our own: a lost worker may use them after the owner's are closed. */
	int proc_fd, cgroup_fd;
	struct cgroup_mounts *mounts;
	char cgroup_root[PROBE_PATH_SIZE];
	struct worker workers[WORKERS];
};

/* --- in a worker's thread --- */

static void free_memory(struct probe *p)
{
	for (uint32_t i = 0; i < WORKERS; i++) {
		pthread_cond_destroy(&p->workers[i].changed);
		if (p->workers[i].reader.buffer)
			munmap(p->workers[i].reader.buffer, PROBE_BUFFER_SIZE);
	}
	pthread_mutex_destroy(&p->lock);
	fd_closep(&p->proc_fd);
	fd_closep(&p->cgroup_fd);
	cgroup_mounts_free(p->mounts);
	free(p);
}

/* Unlocks, and frees what nobody uses any more. */
static void unlock_and_leave(struct probe *p)
{
	bool last = --p->users == 0;

	pthread_mutex_unlock(&p->lock);
	if (last)
		free_memory(p);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct probe *p = w->probe;
	bool lost = false;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (w->state != WORKER_ASKED && !p->closing)
			pthread_cond_wait(&w->changed, &p->lock);
		if (w->state != WORKER_ASKED)
			break;
		w->state = WORKER_BUSY;
		pthread_mutex_unlock(&p->lock);
		probe_serve(&w->reader, &w->request, &w->answer);
		pthread_mutex_lock(&p->lock);
		lost = w->state == WORKER_LOST && p->closing;
		w->state = w->state == WORKER_LOST ? WORKER_IDLE : WORKER_DONE;
		pthread_cond_signal(&w->changed);
		if (lost)
			break;
	}
	if (lost)
		unlock_and_leave(p); /* the owner has gone without us */
	else
		pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* --- in the caller's thread --- */

static struct timespec deadline_after(uint64_t usec)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	usec = add_sat_u64(usec, (uint64_t)t.tv_nsec / 1000);
	t.tv_sec += (time_t)(usec / USEC_PER_SEC);
	t.tv_nsec = (long)(usec % USEC_PER_SEC) * 1000;
	return t;
}

/* How many readers must be left to others. What takes an mmap lock may take long: a walk can be
 * done without, who is protected by his command line cannot be told without, and nobody at all
 * without the cgroup. */
static uint32_t reserve_of(enum probe_request_kind kind)
{
	switch (kind) {
	case REQUEST_SHMEM:
	case REQUEST_SAME_MM:
		return 2;
	case REQUEST_CMDLINE:
	case REQUEST_PIDS:
	case REQUEST_OOM_GROUP:
	case REQUEST_MEMORY:
		return 1;
	case REQUEST_CGROUP:
	case REQUEST_KILL_CGROUP:
		return 0;
	}
	return 0;
}

static struct worker *find_idle(struct probe *p, enum probe_request_kind kind)
{
	bool kills = kind == REQUEST_KILL_CGROUP;
	struct worker *found = NULL;
	uint32_t idle = 0;

	for (uint32_t i = kills ? READERS : 0; i < (kills ? WORKERS : READERS); i++)
		if (p->workers[i].state == WORKER_IDLE && idle++ == 0)
			found = &p->workers[i];
	return idle > reserve_of(kind) ? found : NULL;
}

/* Where the caller wants it; NULL: not at all. */
struct wanted {
	char *text;
	struct probe_shmem *shmem;
	enum cgroup_preference *preference;
	uint64_t *number;
	pid_t *pids; /* and how many, when there are no more */
};

/* Copies the answer, as far as there is one and it is wanted. */
static int take_answer(struct worker *w, const struct wanted *ret)
{
	const struct probe_answer *a = &w->answer;

	w->state = WORKER_IDLE;
	if (ret->number && (a->result >= 0 || ret->pids))
		*ret->number = a->number;
	if (ret->pids && (a->result == 0 || a->result == -E2BIG)) {
		memcpy(ret->pids, w->reader.buffer, a->pids * sizeof(*ret->pids));
		return a->result < 0 ? a->result : (int)a->pids;
	}
	if (a->result < 0)
		return a->result;
	if (ret->text)
		memcpy(ret->text, a->text, strlen(a->text) + 1); /* no longer than asked for */
	if (ret->shmem)
		*ret->shmem = a->shmem;
	if (ret->preference)
		*ret->preference = a->preference;
	return a->result;
}

static int ask(struct probe *p, const struct probe_request *q, uint64_t timeout_usec,
	const struct wanted *ret)
{
	const struct timespec deadline = deadline_after(timeout_usec);
	int r = 0;

	if (!q->path[0] && q->pid < 1)
		return -EINVAL;
	/* Woken all the same, a reader would be missed by the next who asks. */
	if (timeout_usec == 0)
		return -ETIMEDOUT;
	pthread_mutex_lock(&p->lock);
	struct worker *w = find_idle(p, q->kind);
	if (!w) {
		pthread_mutex_unlock(&p->lock);
		return -EBUSY;
	}
	w->request = *q;
	w->state = WORKER_ASKED;
	atomic_store(&w->reader.abandoned, false);
	pthread_cond_signal(&w->changed);
	while ((w->state == WORKER_ASKED || w->state == WORKER_BUSY) && r == 0)
		r = pthread_cond_timedwait(&w->changed, &p->lock, &deadline);
	if (w->state == WORKER_DONE) {
		r = take_answer(w, ret);
	} else if (w->state == WORKER_ASKED) {
		/* It has not had the CPU in all that time. It is not lost: it never began. */
		w->state = WORKER_IDLE;
		r = -ETIMEDOUT;
	} else {
		w->state = WORKER_LOST;
		atomic_store(&w->reader.abandoned, true);
		r = -ETIMEDOUT;
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

int probe_cmdline(struct probe *p, pid_t pid, uint64_t timeout_usec, char *ret, size_t size)
{
	const struct probe_request q = {
		.kind = REQUEST_CMDLINE, .pid = pid, .size = min_u64(size, PROBE_TEXT_MAX)
	};
	const struct wanted wanted = { .text = ret };

	return size == 0 ? -EINVAL : ask(p, &q, timeout_usec, &wanted);
}

int probe_cgroup(struct probe *p, pid_t pid, uint64_t timeout_usec, char *ret, size_t size,
	enum cgroup_preference *ret_preference)
{
	const struct probe_request q = {
		.kind = REQUEST_CGROUP,
		.pid = pid,
		.size = min_u64(size, PROBE_PATH_SIZE),
		.preference = ret_preference != NULL,
	};
	const struct wanted wanted = { .text = ret, .preference = ret_preference };

	return size == 0 ? -EINVAL : ask(p, &q, timeout_usec, &wanted);
}

int probe_shmem(struct probe *p, pid_t pid, uint64_t timeout_usec, struct probe_shmem *ret)
{
	const struct probe_request q = { .kind = REQUEST_SHMEM, .pid = pid };
	const struct wanted wanted = { .shmem = ret };

	return ask(p, &q, timeout_usec, &wanted);
}

int probe_same_mm(struct probe *p, pid_t a, pid_t b, uint64_t timeout_usec)
{
	const struct probe_request q = { .kind = REQUEST_SAME_MM, .pid = a, .other = b };
	const struct wanted nothing = { .text = NULL };

	return b < 1 ? -EINVAL : ask(p, &q, timeout_usec, &nothing);
}

/* A request about a cgroup. 0 or -errno. */
static int request_of(const struct probe *p, enum probe_request_kind kind, const char *path,
	struct probe_request *ret)
{
	*ret = (struct probe_request){ .kind = kind };
	if (!p->mounts)
		return -ENOENT;
	if (!path[0])
		return -EINVAL;
	copy_cut(ret->path, sizeof(ret->path), path);
	return strcmp(ret->path, path) != 0 ? -ENAMETOOLONG : 0;
}

int probe_cgroup_pids(
	struct probe *p, const char *path, uint64_t timeout_usec, pid_t *ret, uint64_t *ret_id)
{
	const struct wanted wanted = { .pids = ret, .number = ret_id };
	struct probe_request q;
	int r = request_of(p, REQUEST_PIDS, path, &q);

	q.wants_id = ret_id != NULL;
	return r < 0 ? r : ask(p, &q, timeout_usec, &wanted);
}

int probe_oom_group(struct probe *p, const char *path, const char *domain, uint64_t timeout_usec,
	char *ret, size_t size)
{
	const struct wanted wanted = { .text = ret };
	struct probe_request q;
	int r = request_of(p, REQUEST_OOM_GROUP, path, &q);

	if (r < 0)
		return r;
	copy_cut(q.domain, sizeof(q.domain), domain);
	q.size = min_u64(size, PROBE_PATH_SIZE);
	return strcmp(q.domain, domain) != 0 ? -ENAMETOOLONG : ask(p, &q, timeout_usec, &wanted);
}

int probe_cgroup_memory(
	struct probe *p, const char *path, uint64_t timeout_usec, uint64_t *ret_bytes)
{
	const struct wanted wanted = { .number = ret_bytes };
	struct probe_request q;
	int r = request_of(p, REQUEST_MEMORY, path, &q);

	return r < 0 ? r : ask(p, &q, timeout_usec, &wanted);
}

int probe_kill_cgroup(struct probe *p, const char *path, uint64_t id, uint64_t timeout_usec)
{
	const struct wanted nothing = { .text = NULL };
	struct probe_request q;
	int r = request_of(p, REQUEST_KILL_CGROUP, path, &q);

	q.id = id;
	return r < 0 ? r : ask(p, &q, timeout_usec, &nothing);
}

/* --- life --- */

static int start_reader(struct probe *p, struct worker *w)
{
	void *buffer = mmap(NULL, PROBE_BUFFER_SIZE, PROT_READ | PROT_WRITE,
		/* cppcheck-suppress invalidFunctionArg ; anonymous memory has no fd */
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buffer == MAP_FAILED)
		return -errno;
	w->reader.proc_fd = p->proc_fd;
	w->reader.cgroup_fd = p->cgroup_fd;
	w->reader.cgroup_root = p->cgroup_root;
	w->reader.buffer = buffer;
	return thread_start(&w->thread, STACK_SIZE, "oomfwd-probe", work, w);
}

static int start_workers(struct probe *p)
{
	int r = 0;

	for (uint32_t i = 0; i < WORKERS && r == 0; i++) {
		struct worker *w = &p->workers[i];

		w->probe = p;
		w->reader.mounts = p->mounts;
		r = i < READERS ? start_reader(p, w)
				: thread_start(&w->thread, STACK_SIZE, "oomfwd-cgkill", work, w);
		p->started += r == 0;
	}
	return r;
}

int probe_open(int proc_fd, const struct cgroup_mounts *mounts, const char *cgroup_root,
	struct probe **ret)
{
	struct probe *p = calloc(1, sizeof(*p));
	pthread_condattr_t monotonic;
	int r;

	if (!p)
		return -ENOMEM;
	p->users = 1;
	if (strlen(cgroup_root) < sizeof(p->cgroup_root))
		memcpy(p->cgroup_root, cgroup_root, strlen(cgroup_root) + 1);
	p->proc_fd = fcntl(proc_fd, F_DUPFD_CLOEXEC, 3);
	r = p->proc_fd < 0 ? -errno : mounts ? cgroup_mounts_dup(mounts, &p->mounts) : 0;
	if (r < 0) {
		fd_closep(&p->proc_fd);
		free(p);
		return r;
	}
	p->cgroup_fd = cgroup_mounts_dup_v2(mounts);
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	for (uint32_t i = 0; i < WORKERS; i++)
		pthread_cond_init(&p->workers[i].changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = start_workers(p);
	if (r < 0)
		probe_close(p);
	else
		*ret = p;
	return r;
}

void probe_close(struct probe *p)
{
	bool lost[WORKERS] = { false };

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	for (uint32_t i = 0; i < p->started; i++) {
		lost[i] = p->workers[i].state == WORKER_LOST;
		p->users += lost[i];
		pthread_cond_signal(&p->workers[i].changed);
	}
	pthread_mutex_unlock(&p->lock);
	for (uint32_t i = 0; i < p->started; i++) {
		if (lost[i])
			pthread_detach(p->workers[i].thread);
		else
			pthread_join(p->workers[i].thread, NULL);
	}
	pthread_mutex_lock(&p->lock);
	unlock_and_leave(p);
}
