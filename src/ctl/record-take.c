/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "build-config.h"
#include "record.h"

#include "util.h"

#include <string.h>
#include <sys/utsname.h>
#include <time.h>

/* One answer of probe_shmem(). */
struct answer {
	pid_t pid;
	int error;
	struct victim_shmem shmem;
};

/* Between the choice and the facts: remembers what was asked about shared memory. */
struct listener {
	struct victim_fns to;
	uint32_t count, capacity;
	struct answer *answers;
};

static int listen_cmp(void *ctx, const struct task *a, const struct task *b)
{
	const struct listener *l = ctx;

	return l->to.cmp(l->to.ctx, a, b);
}

static void listen_detail(
	void *ctx, const struct task *t, bool want_cmdline, struct task_detail *ret)
{
	const struct listener *l = ctx;

	l->to.detail(l->to.ctx, t, want_cmdline, ret);
}

static int listen_shmem(void *ctx, const struct task *t, struct victim_shmem *ret)
{
	struct listener *l = ctx;
	struct answer a = { .pid = t->id.pid };

	for (uint32_t i = 0; i < l->count; i++)
		if (l->answers[i].pid == t->id.pid && l->answers[i].error == 0) {
			*ret = l->answers[i].shmem;
			return 0;
		}
	a.error = l->to.shmem(l->to.ctx, t, &a.shmem);
	if (l->count == l->capacity) {
		uint32_t capacity = l->capacity ? 2 * l->capacity : 64;
		struct answer *more = realloc(l->answers, capacity * sizeof(*more));

		if (!more)
			return a.error;
		l->answers = more;
		l->capacity = capacity;
	}
	l->answers[l->count++] = a;
	*ret = a.shmem;
	return a.error;
}

static int look_and_listen(struct look *l, struct listener *ret)
{
	const uint64_t needs[] = { 0, 1, UINT64_MAX / 4 };
	const struct victim_fns fns = l->fns;
	int r = 0;

	*ret = (struct listener){ .to = fns };
	l->fns.ctx = ret;
	l->fns.cmp = listen_cmp;
	l->fns.detail = listen_detail;
	l->fns.shmem = listen_shmem;
	for (size_t i = ARRAY_SIZE(needs); i-- > 0 && r == 0;)
		r = look_now(l, needs[i]);
	l->fns = fns;
	return r;
}

/* --- from the look into the record --- */

static void take_details(struct look *l, const struct task *t, struct record_detail *d)
{
	struct task_detail read;

	if (t->flags & TASK_KTHREAD)
		return;
	l->fns.detail(l->fns.ctx, t, l->facts.wants_cmdline, &read);
	d->exe = read.exe[0] ? strdup(read.exe) : NULL;
	d->cgroup = read.cgroup[0] ? strdup(read.cgroup) : NULL;
	d->cmdline = read.cmdline[0] ? strdup(read.cmdline) : NULL;
	d->preference = read.preference;
	d->exe_unread = read.exe_unread;
	d->cgroup_unread = read.cgroup_unread;
	d->cmdline_unread = read.cmdline_unread;
}

static void take_group(struct look *l, uint32_t i, struct record_detail *d)
{
	const struct mm_group *g =
		sharedmm_group_of(l->sharedmm, i, l->fns.cmp, l->fns.ctx, l->fns.evidence);
	const struct snapshot *s = &l->snapshot;

	if (!g)
		return;
	d->mm = s->tasks[sharedmm_members(l->sharedmm, g)[0]].id.pid;
	d->evidence = g->evidence;
	/* Only who has exited counts as dying without a signal on its way. */
	d->gone = g->kill_pending && !(s->tasks[i].flags & TASK_KILL_PENDING) && g->count == 1;
}

/* Equal numbers for equal marks; the marks themselves stay secret. */
static void number_marks(const struct look *l, struct record *r)
{
	const uint32_t *tasks;
	uint32_t count;

	for (uint32_t i = 0; i < r->snapshot.count; i++)
		r->snapshot.tasks[i].marks = (struct mm_marks){ 0 };
	for (uint32_t class = 0; (tasks = sharedmm_class(l->sharedmm, class, &count)); class ++)
		for (uint32_t i = 0; i < count; i++)
			if (!(r->snapshot.tasks[tasks[i]].flags & TASK_MARKS_HIDDEN))
				r->snapshot.tasks[tasks[i]].marks.start_code = class + 1;
}

static void take_tasks(struct look *l, const struct listener *heard, struct record *r)
{
	const struct snapshot *s = &l->snapshot;

	memcpy(r->snapshot.tasks, s->tasks, s->count * sizeof(*s->tasks));
	r->snapshot.vanished = s->vanished;
	r->snapshot.unread = s->unread;
	r->snapshot.dropped = s->dropped;
	for (uint32_t i = 0; i < s->count; i++) {
		r->details[i].pid = s->tasks[i].id.pid;
		r->details[i].shmem_error = -ENODATA;
		take_group(l, i, &r->details[i]);
	}
	number_marks(l, r);
	for (uint32_t i = 0; i < heard->count; i++) {
		const struct answer *a = &heard->answers[i];
		const struct task *t = snapshot_find(s, a->pid);

		if (!t)
			continue;
		r->details[t - s->tasks].shmem_error = a->error;
		r->details[t - s->tasks].shmem = a->shmem;
	}
	/* Last, because the slowest: who exits meanwhile has been compared by then. */
	for (uint32_t i = 0; i < s->count; i++)
		take_details(l, &s->tasks[i], &r->details[i]);
}

int record_take(struct look *l, bool cmdlines, struct record **ret)
{
	_cleanup_(record_freep) struct record *r = NULL;
	const bool wants_preference = l->facts.wants_preference,
		   wants_cmdline = l->facts.wants_cmdline;
	struct listener heard;
	struct utsname u;
	int e = look_and_listen(l, &heard);

	if (e == 0)
		e = record_new(l->snapshot.count, &r);
	if (!r) {
		free(heard.answers);
		return e;
	}
	copy_cut(r->version, sizeof(r->version), OOMFWD_VERSION);
	if (uname(&u) == 0)
		copy_cut(r->kernel, sizeof(r->kernel), u.release);
	r->taken_seconds = time(NULL);
	r->mem = l->mem;
	r->evidence = l->fns.evidence;
	r->can_ptrace = l->can_ptrace;
	r->has_cmdlines = cmdlines;
	r->self = l->facts.self;
	/* Whatever the rules of here ask for, those of a simulation may ask for more. */
	l->facts.wants_preference = true;
	l->facts.wants_cmdline = cmdlines;
	take_tasks(l, &heard, r);
	l->facts.wants_preference = wants_preference;
	l->facts.wants_cmdline = wants_cmdline;
	free(heard.answers);
	*ret = take_pointer(&r);
	return 0;
}
