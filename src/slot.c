/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slots and their members: who belongs to a group in flight, and how that is made sure of.
 *
 * Why a recycled pid is never hit: a pidfd is opened first, then the pid is read and compared, then
 * signal 0 is sent through the pidfd. If that succeeds the process was not reaped, so its pid was
 * not given to another, and all that was read meanwhile was read of the process behind the pidfd.
 */
#include "kill-internal.h"
#include "procfs.h"

const struct kill_ops *slot_ops(const struct killer *k, const struct slot *s)
{
	return s->rehearsal ? &kill_ops_rehearsal : &k->ops;
}

struct slot *slot_get(struct killer *k, int slot)
{
	return slot >= 0 && slot < KILL_SLOTS && k->slots[slot].used ? &k->slots[slot] : NULL;
}

bool slot_has(const struct killer *k, const struct slot *s, const struct proc_id *id)
{
	for (int32_t i = s->first; i >= 0; i = k->members[i].next)
		if (k->members[i].id.pid == id->pid &&
			k->members[i].id.start_ticks == id->start_ticks)
			return true;
	return false;
}

void slot_poll(struct killer *k, const struct slot *s)
{
	nfds_t n = 0;

	/* Only those who live: a chain that is chased leaves hundreds that do not. */
	for (int32_t i = s->first; i >= 0; i = k->members[i].next)
		if (!k->members[i].exited)
			k->polls[n++] = (struct pollfd){
				.fd = k->members[i].pidfd,
				.events = POLLIN,
			};
	if (n == 0 || poll(k->polls, n, 0) <= 0)
		return;
	n = 0;
	/* Since 6.9 POLLHUP comes along once the process has been reaped. */
	for (int32_t i = s->first; i >= 0; i = k->members[i].next)
		if (!k->members[i].exited && k->polls[n++].revents & (POLLIN | POLLHUP))
			k->members[i].exited = true;
}

/* ESRCH, or a pid that is a mere thread now: it left. */
static int left_or_error(int r)
{
	return r == -ESRCH || r == -ENOENT || r == -EINVAL ? 0 : r;
}

enum member_sight member_see(
	struct killer *k, const struct slot *s, struct member *m, struct task *ret)
{
	int r = snapshot_read_task(k->s, m->id.pid, ret);

	if (r < 0 && left_or_error(r) < 0)
		return SIGHT_UNREAD;
	if (r < 0 || ret->id.start_ticks != m->id.start_ticks) {
		m->no_mm = m->no_mm || r == 0 || r == -ESRCH;
		return SIGHT_GONE;
	}
	if (ret->flags & TASK_NO_MM) {
		m->no_mm = true;
		return SIGHT_NO_MM;
	}
	if (!slot_shows(s, ret)) {
		m->no_mm = true;
		return SIGHT_OTHER;
	}
	m->mm_tid = ret->mm_tid;
	return SIGHT_MM;
}

/* An fd that does not say EINVAL now would tell nothing later: sandboxes differ. */
static bool open_handle(struct killer *k, struct slot *s, const struct task *t)
{
	pid_t thread = t->mm_tid == t->id.pid ? 0 : t->mm_tid;
	int fd = procfs_open(k->s->proc_fd, procfs_path_of(t->id.pid, thread, "pagemap").text);
	char byte;

	if (fd < 0)
		return false;
	if (pread(fd, &byte, 1, 0) < 0 && errno == EINVAL) {
		s->handle_fd = fd;
		return true;
	}
	close(fd);
	return false;
}

static void close_handle(struct slot *s)
{
	fd_closep(&s->handle_fd);
	s->handle_fd = -EBADF;
}

bool kill_mm_alive(int handle_fd)
{
	char byte;

	/* An answer that is neither (there should be none) proves no release. The read holds the mm
	 * for some 100 ns; were the last user to leave just then, what the reaper has left of it
	 * would be taken down in our time. So it is for whoever reads any file of the process. */
	return pread(handle_fd, &byte, 1, 0) != 0;
}

static bool is_untouchable(const struct killer *k, const struct slot *s, const struct task *t)
{
	return !s->rehearsal && (t->id.pid == 1 || t->id.pid == k->self);
}

int slot_forbids(const struct task *t, kill_protected_fn *is_protected, void *ctx)
{
	int r = t->oom_score_adj == -1000 ? 1 : is_protected ? is_protected(ctx, t) : 0;

	return r > 0 ? -EPERM : r;
}

/* 1: t, now read anew, is a member and may be signalled; 0: it is none; or why it may not. */
static int examine(
	struct killer *k, struct slot *s, struct task *t, int pidfd, const struct admission *how)
{
	const struct kill_ops *ops = slot_ops(k, s);
	uint64_t start_ticks = t->id.start_ticks;
	enum sharer answer = SHARER_OTHER;
	bool settled = false;
	int r;

	/* The thread that shows the mm may exit between: then compare with the next one. */
	for (int tries = 0; tries < 3 && !settled; tries++) {
		pid_t compared = t->mm_tid;
		answer = sharer_compare(k, s, t);
		r = snapshot_read_task(k->s, t->id.pid, t);
		if (r < 0)
			return left_or_error(r);
		if (t->id.start_ticks != start_ticks || !slot_shows(s, t))
			return 0;
		settled = t->mm_tid == compared;
	}
	if (answer == SHARER_OTHER)
		return 0;
	if (answer != SHARER_SAME && !how->group && !sharer_by_handle(k, s, t))
		return 0;
	if (is_untouchable(k, s, t))
		return -EPERM;
	r = s->rehearsal ? 0 : slot_forbids(t, how->is_protected, how->ctx);
	if (r < 0)
		return r;
	r = ops->send(ops->ctx, pidfd, 0);
	return r == 0 ? 1 : left_or_error(r);
}

bool thread_wchan(const struct killer *k, pid_t pid, pid_t tid, char *ret, size_t size)
{
	ssize_t n =
		procfs_read_file(k->s->proc_fd, procfs_path_of(pid, tid, "wchan").text, ret, size);

	if (n <= 0 || strcmp(ret, "0") == 0)
		ret[0] = '\0';
	return n > 0;
}

/* Who sleeps until a signal comes has it unblocked meanwhile (kernel/signal.c:do_sigtimedwait), and
 * gets it. Where that cannot be seen, it may be so. */
static bool may_await_signals(const struct killer *k, const struct task *t)
{
	char wchan[64];

	if (!thread_wchan(k, t->id.pid, 0, wchan, sizeof(wchan)))
		return true;
	return wchan[0] ? strstr(wchan, "sigtimedwait") != NULL : t->state == 'S';
}

static struct member *member_add(struct killer *k, struct slot *s, const struct task *t, int pidfd)
{
	int32_t i = k->free_first;
	struct member *m = &k->members[i];

	pthread_mutex_lock(&k->lock);
	k->free_first = m->next;
	k->free_count--;
	*m = (struct member){
		.id = t->id,
		.mm_tid = t->mm_tid,
		.ppid = t->ppid,
		.pidfd = pidfd,
		.next = s->first,
		.was_stopped = t->state == 'T',
		.ignores_term = t->flags & TASK_IGNORES_TERM && !may_await_signals(k, t),
	};
	s->first = i;
	s->count++;
	pthread_mutex_unlock(&k->lock);
	return m;
}

int member_admit(struct killer *k, struct slot *s, const struct task *seen,
	const struct admission *how, struct member **ret)
{
	const struct kill_ops *ops = slot_ops(k, s);
	struct task t = *seen;
	bool opened;
	int r;

	if (k->free_count == 0)
		return -ENOSPC;
	_cleanup_(fd_closep) int pidfd = ops->pidfd_open(ops->ctx, t.id.pid);
	if (pidfd < 0)
		return left_or_error(pidfd);
	/* Before the marks are read: they vouch for what was opened. */
	opened = s->handle_fd < 0 && open_handle(k, s, &t);
	r = examine(k, s, &t, pidfd, how);
	if (r > 0)
		*ret = member_add(k, s, &t, take_fd(&pidfd));
	else if (opened)
		close_handle(s);
	return r;
}

void member_drop(struct killer *k, struct slot *s, struct member *m)
{
	int32_t index = (int32_t)(m - k->members);
	int32_t *link = &s->first;

	pthread_mutex_lock(&k->lock);
	while (*link != index)
		link = &k->members[*link].next;
	*link = m->next;
	s->count--;
	s->reap_cursor = -1;
	close(m->pidfd);
	m->pidfd = -EBADF;
	m->next = k->free_first;
	k->free_first = index;
	k->free_count++;
	pthread_mutex_unlock(&k->lock);
}

struct slot *slot_take(struct killer *k, bool rehearsal)
{
	struct slot *s = NULL;

	for (size_t i = 0; i < KILL_SLOTS && !s; i++)
		if (!k->slots[i].used)
			s = &k->slots[i];
	if (!s)
		return NULL;
	pthread_mutex_lock(&k->lock);
	*s = (struct slot){
		.used = true,
		.serial = s->serial,
		.rehearsal = rehearsal,
		.handle_fd = -EBADF,
		.first = -1,
		.reap_cursor = -1,
	};
	pthread_mutex_unlock(&k->lock);
	return s;
}

void slot_free(struct killer *k, struct slot *s)
{
	while (s->first >= 0)
		member_drop(k, s, &k->members[s->first]);
	close_handle(s);
	pthread_mutex_lock(&k->lock);
	s->used = false;
	s->serial++;
	s->reap = REAP_NONE;
	pthread_mutex_unlock(&k->lock);
}
