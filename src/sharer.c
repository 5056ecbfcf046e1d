/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sharers of a victim's mm that its group does not know: born since the snapshot.
 *
 * What a comparison is worth. kcmp compares two pointers; a task past exit_mm has none, and two of
 * those are "equal". So "equal" counts only if one of the two is seen with an mm after the
 * comparison (a task that has an mm had it all the time: exit_mm is final, and exec changes the
 * marks). "Different" counts only if the member is seen with its mm afterwards; else it had let go,
 * and the next member is asked.
 *
 * When a look is complete. A process can bear children until a signal stops or kills it, and a
 * clone that has passed its own check for signals completes although SIGSTOP was sent. After
 * SIGKILL was sent it does not: copy_process() looks for a fatal signal last, under the lock that
 * makes the child visible (kernel/fork.c). So stopping the group before the first signal only
 * makes it likely that all are known then; what makes it certain is the look after SIGKILL: a child
 * of a killed process is in /proc by then or will never be. A child found so is killed at once, and
 * one more look is due for its own.
 *
 * When all members are gone nobody is left to compare with. Then the handle decides, see
 * sharer_by_handle().
 *
 * A chain whose links live for less than a look takes would always be one ahead of it. So when the
 * mm has outlived its group the newest pids are looked at again and again for a moment: each of
 * these looks takes some 50 us while nobody is born. To make sure of a sharer and signal it takes
 * some 0.2 ms; a chain that is faster than that gets away. Its mm is stuck then like any other, and
 * the ladder's whole-cgroup kill is what ends it.
 */
#include "kill-internal.h"

#include <signal.h>

#define ANCESTORS_MAX 64
/* So many of the pids given out when we looked last may have had no task to be seen yet. */
#define UNSEEN_PIDS 8

enum sharer sharer_compare(struct killer *k, struct slot *s, const struct task *t)
{
	const struct kill_ops *ops = slot_ops(k, s);

	if (!ops->cmp)
		return SHARER_UNKNOWN;
	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		struct member *m = &k->members[i];
		/* A thread we see the mm through may exit while another lives on: once more. */
		for (int tries = 0; tries < 2 && !m->exited && !m->no_mm; tries++) {
			struct task a = { .id = m->id, .mm_tid = m->mm_tid, .marks = s->marks };
			struct task seen;
			int r = ops->cmp(ops->cmp_ctx, &a, t);

			/* A pid that was free again may be t's own by now. */
			if (r == 0) {
				slot_poll(k, s);
				if (!m->exited)
					return SHARER_SAME;
				break;
			}
			if (r < 0 && r != -ESRCH)
				return SHARER_UNKNOWN;
			if (member_see(k, s, m, &seen) == SIGHT_MM && m->mm_tid == a.mm_tid)
				return SHARER_OTHER;
		}
	}
	return SHARER_NO_REF;
}

/* Whether some member still has the mm. */
static bool any_shows(struct killer *k, struct slot *s)
{
	slot_poll(k, s);
	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		struct member *m = &k->members[i];
		struct task t;
		if (!m->exited && !m->no_mm && member_see(k, s, m, &t) == SIGHT_MM)
			return true;
	}
	return false;
}

static bool is_ancestor(const struct killer *k, pid_t pid, pid_t of_ppid)
{
	pid_t p = of_ppid;

	for (int i = 0; i < ANCESTORS_MAX && p > 0; i++) {
		const struct task *row;
		if (p == pid)
			return true;
		row = snapshot_find(k->s, p);
		p = row ? row->ppid : 1;
		if (!row)
			return pid == 1;
	}
	return false;
}

/* A child of a member: born by it, with its parent (CLONE_PARENT), or left to who takes orphans,
 * which is an ancestor. */
static bool is_descendant(const struct killer *k, const struct slot *s, const struct task *t)
{
	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		const struct member *m = &k->members[i];
		if (t->ppid == m->id.pid || is_ancestor(k, t->ppid, m->ppid))
			return true;
	}
	return false;
}

/*
 * Whether t was born after the slot's pass. Start times are coarse (10 ms): while that pass is
 * still the table, the table knows; afterwards only a younger one is new for certain. A sibling
 * that was there all the time must never pay for what it did not hold.
 */
static bool is_new(const struct killer *k, const struct slot *s, const struct task *t)
{
	const struct task *row;

	if (k->s->generation != s->generation)
		return t->id.start_ticks > s->since_ticks;
	row = snapshot_find(k->s, t->id.pid);
	return t->id.start_ticks >= s->since_ticks &&
		!(row && row->id.start_ticks == t->id.start_ticks);
}

/*
 * All members have let go of the mm, yet it has users. Whoever that is shows the mm's marks, for no
 * user but a kernel thread can have others; so a process with these marks, born since the
 * snapshot as a child of this group, is the sharer or a fork of it, and only a sharer explains
 * what the handle says. The price of an error is a newborn child of the victim.
 */
bool sharer_by_handle(struct killer *k, struct slot *s, const struct task *t)
{
	return s->sig == SIGKILL && !(t->flags & TASK_MARKS_HIDDEN) && is_new(k, s, t) &&
		is_descendant(k, s, t) && s->handle_fd >= 0 && !any_shows(k, s) &&
		kill_mm_alive(s->handle_fd);
}

/* Whether t could be the slot's, and is not yet. */
static bool is_candidate(const struct killer *k, const struct slot *s, const struct task *t)
{
	return slot_shows(s, t) && !slot_has(k, s, &t->id);
}

static void admitted(struct killer *k, const struct look *l, struct slot *s, struct member *m)
{
	const struct kill_ops *ops = slot_ops(k, s);

	m->newborn = true;
	if (l->sig == 0) {
		/* At once, or it bears the next while we look on. */
		m->stopped = ops->send(ops->ctx, m->pidfd, SIGSTOP) == 0;
		return;
	}
	if (ops->send(ops->ctx, m->pidfd, l->sig) == 0 && l->result) {
		l->result->signalled++;
		l->result->newborn++;
	}
	reaper_enqueue(k, s);
}

/* Whether t is a sharer of the i-th slot; it is a member then. */
static bool place_in(struct killer *k, const struct look *l, uint32_t i, const struct task *t)
{
	const struct admission how = { .is_protected = l->is_protected, .ctx = l->ctx };
	struct slot *s = &k->slots[l->slots[i]];
	struct member *m;
	int r = member_admit(k, s, t, &how, &m);

	if (r > 0)
		admitted(k, l, s, m);
	/* Before the first signal nobody of the group need die in vain. Afterwards it is too late:
	 * kill_explain will name who holds the mm. */
	if (r == -EPERM && l->sig == 0)
		l->results[i] = r;
	return r > 0;
}

/* A member that shows the mm, for all comparisons of this look. */
static bool find_ref(struct killer *k, struct slot *s)
{
	struct task t;

	if (s->look_ref >= 0)
		return true;
	slot_poll(k, s);
	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		struct member *m = &k->members[i];

		if (m->exited || m->no_mm || member_see(k, s, m, &t) != SIGHT_MM)
			continue;
		s->look_ref = i;
		s->look_tid = t.mm_tid;
		return true;
	}
	return false;
}

/*
 * The cheap answer: t is none of this slot's, on the word of one member, provided that the member
 * still shows its mm when the look is over (ref_held). A fork bomb's newborns resemble the members
 * of every slot; to see the member after each comparison would cost more than all else.
 */
static bool seems_other(struct killer *k, struct slot *s, const struct task *t)
{
	const struct kill_ops *ops = slot_ops(k, s);
	struct task a = { .marks = s->marks };

	if (!ops->cmp || !find_ref(k, s))
		return false;
	a.id = k->members[s->look_ref].id;
	a.mm_tid = s->look_tid;
	return ops->cmp(ops->cmp_ctx, &a, t) > 0;
}

static bool ref_held(struct killer *k, struct slot *s)
{
	struct task t;

	return s->look_ref < 0 ||
		(member_see(k, s, &k->members[s->look_ref], &t) == SIGHT_MM &&
			t.mm_tid == s->look_tid);
}

static void begin_look(struct killer *k, const struct look *l)
{
	for (uint32_t i = 0; i < l->count; i++) {
		struct slot *s;

		if (l->results[i] != 0)
			continue;
		s = &k->slots[l->slots[i]];
		s->look_ref = -1;
		s->look_gone =
			l->sig == SIGKILL && s->handle_fd >= 0 && !kill_mm_alive(s->handle_fd);
	}
}

/* Whether all that were passed over were passed over for good reason. */
static bool end_look(struct killer *k, const struct look *l)
{
	bool sure = true;

	for (uint32_t i = 0; i < l->count; i++)
		if (l->results[i] == 0 && !k->slots[l->slots[i]].look_gone)
			sure &= ref_held(k, &k->slots[l->slots[i]]);
	return sure;
}

struct search {
	struct killer *k;
	const struct look *l;
	bool found;
};

static void place_newborn(void *ctx, const struct task *t)
{
	struct search *search = ctx;
	struct killer *k = search->k;
	const struct look *l = search->l;

	for (uint32_t i = 0; i < l->count; i++) {
		struct slot *s = &k->slots[l->slots[i]];

		if (l->results[i] == 0 && !s->look_gone && is_candidate(k, s, t) &&
			!seems_other(k, s, t) && place_in(k, l, i, t)) {
			search->found = true;
			return;
		}
	}
}

/* Sharers born between the slot's snapshot and a later pass are rows now, not newborns. The first
 * comparison needs no pidfd and sorts out the forks, which may be many. */
static bool place_rows(struct killer *k, const struct look *l, uint32_t i)
{
	struct slot *s = &k->slots[l->slots[i]];
	bool found = false;

	for (uint32_t row = 0; row < k->s->count && l->results[i] == 0; row++) {
		const struct task *t = &k->s->tasks[row];
		enum sharer answer;
		if (!is_candidate(k, s, t))
			continue;
		answer = sharer_compare(k, s, t);
		if (answer == SHARER_OTHER)
			continue;
		if (answer == SHARER_SAME || t->id.start_ticks >= s->since_ticks)
			found |= place_in(k, l, i, t);
	}
	return found;
}

bool sharer_look(struct killer *k, const struct look *l)
{
	struct search search = { .k = k, .l = l };

	k->looked_pid = snapshot_last_pid(k->s);
	begin_look(k, l);
	/* After an error we have what was found: the handle will tell if that was too little. */
	(void)snapshot_newborn(k->s, place_newborn, &search);
	for (uint32_t i = 0; i < l->count; i++)
		if (l->results[i] == 0 && !k->slots[l->slots[i]].look_gone &&
			k->slots[l->slots[i]].generation != k->s->generation)
			search.found |= place_rows(k, l, i);
	return !end_look(k, l) || search.found;
}

bool sharer_look_newest(struct killer *k, const struct look *l)
{
	struct search search = { .k = k, .l = l };
	int last = snapshot_last_pid(k->s);

	/* Pids have wrapped, or are not known: leave it to the next full look. */
	if (last <= 0 || k->looked_pid <= 0 || last < k->looked_pid)
		return false;
	begin_look(k, l);
	for (pid_t pid = last; pid > k->looked_pid - UNSEEN_PIDS && pid > 0; pid--) {
		struct task t;
		if (snapshot_read_task(k->s, pid, &t) == 0)
			place_newborn(&search, &t);
	}
	k->looked_pid = last;
	return !end_look(k, l) || search.found;
}
