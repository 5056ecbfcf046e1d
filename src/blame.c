/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why a group gives nothing back: who else holds its mm, or what its threads wait for.
 */
#include "kill-internal.h"
#include "procfs.h"

/* Only mms of this size are worth some 1.5 us per kernel thread at kill_prepare: a kernel thread
 * that borrows an mm for long serves a virtual machine or an accelerator. */
#define KTHREAD_CHECK_BYTES (256 * MIB)
#define KTHREADS_MAX        512
/* So many living members, and threads of each, are looked at for one that hangs. */
#define BLAME_MEMBERS 16
#define BLAME_THREADS 1024
/* In each span of time searches for who else holds an mm begin until they have taken so much. */
#define BLAME_SPAN_USEC   USEC_PER_SEC
#define BLAME_BUDGET_USEC (50 * USEC_PER_MSEC)
/* There are not many of these. */
#define BLAME_ALWAYS_BYTES (64 * MIB)

/* Workers of a CPU ("kworker/0:1", "ksoftirqd/0"): many, and none borrows an mm for long. */
static bool is_cpu_worker(const struct task *t)
{
	return memchr(t->comm, '/', sizeof(t->comm)) != NULL;
}

static void note_kthread(struct slot *s, const struct task *holder)
{
	s->kthread = holder->id;
	memcpy(s->kthread_comm, holder->comm, sizeof(s->kthread_comm));
}

/* Whether the pass has seen the mm, and so who borrows it. */
static bool note_seen_kthread(struct killer *k, struct slot *s)
{
	const struct task *own = snapshot_find(k->s, k->members[s->first].id.pid);

	if (!own || own->mm_key == 0)
		return false;
	for (uint32_t i = 0; i < k->s->count; i++) {
		const struct task *row = &k->s->tasks[i];

		if (row->flags & TASK_BORROWED_MM && row->mm_key == own->mm_key) {
			note_kthread(s, row);
			break;
		}
	}
	return true;
}

void blame_note_kthread(struct killer *k, struct slot *s)
{
	const struct kill_ops *ops = slot_ops(k, s);
	struct member *m = &k->members[s->first];
	const struct task a = { .id = m->id, .mm_tid = m->mm_tid, .marks = s->marks };
	const struct task *holder = NULL;
	struct task t;
	uint32_t compared = 0;

	if (note_seen_kthread(k, s) || !ops->cmp || s->expected_bytes < KTHREAD_CHECK_BYTES)
		return;
	for (uint32_t i = 0; i < k->s->count && compared < KTHREADS_MAX && !holder; i++) {
		const struct task *row = &k->s->tasks[i];
		if (!(row->flags & TASK_KTHREAD) || is_cpu_worker(row))
			continue;
		compared++;
		if (ops->cmp(ops->cmp_ctx, &a, row) == 0)
			holder = row;
	}
	/* A kernel thread without an mm equals a member that has just let go of its own. */
	if (!holder || member_see(k, s, m, &t) != SIGHT_MM)
		return;
	note_kthread(s, holder);
}

static void blame(struct kill_blame *b, enum kill_blame_kind kind, pid_t pid, const char *comm)
{
	b->kind = kind;
	b->pid = pid;
	memcpy(b->comm, comm, TASK_COMM_LEN);
}

/* Processes that have the marks, with nobody left to compare with. */
struct suspects {
	uint32_t count;
	struct task first;
};

/* Whether t is proven to hold the mm, and is not dying. */
static bool holds(
	struct killer *k, struct slot *s, const struct task *t, struct suspects suspects[2])
{
	enum sharer answer;
	struct task now;

	if (!slot_shows(s, t) || slot_has(k, s, &t->id))
		return false;
	answer = sharer_compare(k, s, t);
	if (answer == SHARER_OTHER)
		return false;
	if (snapshot_read_task(k->s, t->id.pid, &now) < 0 ||
		now.id.start_ticks != t->id.start_ticks || !slot_shows(s, &now) ||
		(now.flags & TASK_KILL_PENDING))
		return false;
	if (answer == SHARER_SAME)
		return true;
	suspects += now.id.start_ticks < s->since_ticks;
	if (suspects->count++ == 0)
		suspects->first = now;
	return false;
}

struct search {
	struct killer *k;
	struct slot *s;
	struct suspects suspects[2]; /* born since the snapshot; older */
	struct kill_blame *ret;
};

static bool suspect(struct search *search, const struct task *t)
{
	if (search->ret->kind != BLAME_PINNED && holds(search->k, search->s, t, search->suspects))
		blame(search->ret, BLAME_PINNED, t->id.pid, t->comm);
	return search->ret->kind == BLAME_PINNED;
}

static void suspect_newborn(void *ctx, const struct task *t)
{
	suspect(ctx, t);
}

static bool blame_kthread(struct killer *k, const struct slot *s, struct kill_blame *ret)
{
	struct task t;

	if (s->kthread.pid == 0 || snapshot_read_task(k->s, s->kthread.pid, &t) < 0 ||
		t.id.start_ticks != s->kthread.start_ticks)
		return false;
	blame(ret, BLAME_KTHREAD, s->kthread.pid, s->kthread_comm);
	return true;
}

/*
 * Every process is a row of the last pass or born since, so there is no need to walk /proc. With
 * nobody to compare with, the handle still says that there is a user, and every user that is a
 * process has these marks: if there is one such process only, it is that. Those born since come
 * first, because the older ones were compared when the group was made.
 */
static bool find_holder(struct killer *k, struct slot *s, struct kill_blame *ret)
{
	struct search search = { .k = k, .s = s, .ret = ret };
	const struct suspects *born = &search.suspects[0], *older = &search.suspects[1];
	const struct suspects *likely;

	for (uint32_t i = 0; i < k->s->count; i++)
		if (suspect(&search, &k->s->tasks[i]))
			return true;
	(void)snapshot_newborn(k->s, suspect_newborn, &search);
	if (ret->kind == BLAME_PINNED)
		return true;
	/* Compared when the mm could be: worth more than any likeness of marks. */
	if (blame_kthread(k, s, ret))
		return true;
	likely = born->count > 0 ? born : older;
	if (likely->count != 1 || s->handle_fd < 0 || (likely->first.flags & TASK_MARKS_HIDDEN))
		return false;
	blame(ret, BLAME_PINNED, likely->first.id.pid, likely->first.comm);
	return true;
}

/* Of hundreds that are stuck at once only the first have this looked into: what else is known must
 * do for the others. */
static bool blame_holder(struct killer *k, struct slot *s, struct kill_blame *ret)
{
	uint64_t began = monotonic_usec();
	bool found;

	if (began - k->blame_since_usec >= BLAME_SPAN_USEC) {
		k->blame_since_usec = began;
		k->blame_usec = 0;
	}
	if (k->blame_usec >= BLAME_BUDGET_USEC && s->expected_bytes < BLAME_ALWAYS_BYTES)
		return false;
	found = find_holder(k, s, ret);
	k->blame_usec += monotonic_usec() - began;
	return found;
}

/* Notes the thread if it says more than what was known: D above all, dead ones not at all. */
static void blame_thread(struct killer *k, pid_t pid, pid_t tid, struct kill_blame *ret)
{
	int fd = k->s->proc_fd;
	struct task t;

	if (procfs_read_file(fd, procfs_path_of(pid, tid, "stat").text, k->text, sizeof(k->text)) <=
			0 ||
		snapshot_parse_stat(k->text, &t) < 0)
		return;
	if (t.state == 'Z' || t.state == 'X' || (ret->kind == BLAME_STATE && t.state != 'D'))
		return;
	blame(ret, BLAME_STATE, tid, t.comm);
	ret->state = t.state;
	(void)thread_wchan(k, pid, tid, ret->wchan, sizeof(ret->wchan));
}

static void blame_threads(struct killer *k, pid_t pid, struct kill_blame *ret)
{
	_cleanup_(procfs_dir_close) struct procfs_dir d = { .fd = -EBADF };
	pid_t tid;

	if (procfs_dir_open(k->s->proc_fd, procfs_path_of(pid, 0, "task").text, k->dirents,
		    sizeof(k->dirents), &d) < 0)
		return;
	for (int i = 0; i < BLAME_THREADS && procfs_dir_next(&d, &tid) > 0; i++) {
		blame_thread(k, pid, tid, ret);
		if (ret->state == 'D')
			return;
	}
}

/* The living members: one that dumps core, or a thread that hangs. */
static void blame_members(struct killer *k, struct slot *s, struct kill_blame *ret)
{
	int looked = 0;

	for (int32_t i = s->first; i >= 0 && looked < BLAME_MEMBERS; i = k->members[i].next) {
		struct member *m = &k->members[i];
		struct task t;
		enum member_sight sight = m->exited ? SIGHT_GONE : member_see(k, s, m, &t);

		if (sight == SIGHT_GONE || sight == SIGHT_UNREAD)
			continue;
		looked++;
		if (t.flags & TASK_CORE_DUMPING) {
			*ret = (struct kill_blame){ .state = t.state };
			blame(ret, BLAME_CORE_DUMP, m->id.pid, t.comm);
			return;
		}
		if (ret->state != 'D')
			blame_threads(k, m->id.pid, ret);
	}
}

void kill_explain(struct killer *k, int slot, struct kill_blame *ret)
{
	struct slot *s = slot_get(k, slot);
	struct kill_blame state = { .kind = BLAME_UNKNOWN };

	*ret = state;
	if (!s)
		return;
	slot_poll(k, s);
	if (s->handle_fd >= 0 && !kill_mm_alive(s->handle_fd))
		return;
	blame_members(k, s, &state);
	if (state.kind != BLAME_CORE_DUMP && blame_holder(k, s, ret))
		return;
	if (state.kind != BLAME_UNKNOWN)
		*ret = state;
	else if (s->handle_fd >= 0)
		ret->kind = BLAME_HELD;
}
