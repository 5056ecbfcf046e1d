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
 * A chain of sharers bears on while we look. A look at all takes the longer the more it has borne,
 * and would be behind for good; so after the first only the pids given out since are looked at, and
 * again, until there are no more, and then all once more to be certain. This gains on the chain as
 * long as to find a link and kill it (0.15 to 0.25 ms) takes less than to bear the next. Measured
 * with a link each 0.6 ms: 10 ms among 100 processes, 30 ms among 10,000; where pids wrap around
 * just then 12 ms, and among 10,000 up to 2 s, for it takes three looks at all of 0.15 s each
 * before the chase. Where BPF tells of the newborns (kill_ops.newborn) a look at all is a pass of 1
 * µs a task, and their keys spare the comparisons, which were most of it: a fork bomb bears
 * hundreds while a hundred of its victims are killed. One that is faster gets away. Its mm is stuck
 * then like any other, and the ladder's whole-cgroup kill is what ends it.
 */
#include "kill-internal.h"
#include "procfs.h"

#include <limits.h>
#include <signal.h>

#define ANCESTORS_MAX 64
#define KTHREADD_PID  2
/* A pid without a task is looked at so many times more. */
#define UNSEEN_LOOKS 8
/* A look at the newest goes back no further: older ones are the next full look's. */
#define NEWEST_MAX 32768

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

/* Whether some member still has the mm, or may. */
static bool any_shows(struct killer *k, struct slot *s)
{
	slot_poll(k, s);
	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		struct member *m = &k->members[i];
		enum member_sight sight;
		struct task t;

		if (m->exited || m->no_mm)
			continue;
		sight = member_see(k, s, m, &t);
		if (sight == SIGHT_MM || sight == SIGHT_UNREAD)
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
	/* Before the first signal nobody of the group need die in vain, be it that one is protected
	 * or that there is no room for him. Afterwards it is too late: kill_explain will name who
	 * holds the mm. */
	if (r < 0 && l->sig == 0)
		l->results[i] = r == -EPERM ? r : -EAGAIN;
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

/* Whether the member that others are compared with still has its mm: 1, 0, or a negative errno. It
 * is compared with kthreadd, which never has one, and two without an mm are "equal". */
static int ref_has_mm(struct killer *k, const struct slot *s, const struct task *ref)
{
	const struct task *kthreadd = snapshot_find(k->s, KTHREADD_PID);
	int r;

	if (!kthreadd || !(kthreadd->flags & TASK_KTHREAD))
		return -ENOENT;
	r = slot_ops(k, s)->cmp(slot_ops(k, s)->cmp_ctx, ref, kthreadd);
	return r < 0 ? r : r != 0;
}

/*
 * The cheap answer: t is none of this slot's, on the word of one member that has its mm. A fork
 * bomb's newborns resemble the members of every slot; to read the member after each comparison
 * would cost more than all else. And to read it once when the look is over would not do alone:
 * where all members are being killed, the one that was asked is gone by then, a chain of sharers
 * was passed over on its word, and so at every look.
 */
static bool seems_other(struct killer *k, struct slot *s, const struct task *t)
{
	const struct kill_ops *ops = slot_ops(k, s);

	while (ops->cmp && find_ref(k, s)) {
		struct task ref = { .id = k->members[s->look_ref].id, .marks = s->marks };
		int has_mm;

		ref.mm_tid = s->look_tid;
		if (ops->cmp(ops->cmp_ctx, &ref, t) <= 0)
			return false;
		has_mm = ref_has_mm(k, s, &ref);
		if (has_mm != 0) {
			s->look_unsure |= has_mm < 0;
			return true;
		}
		s->look_ref = -1;
	}
	return false;
}

/* Keys tell for certain, and for nothing; their equality is verified like anything else. */
static bool is_other(struct killer *k, struct slot *s, const struct task *t)
{
	if (t->mm_key != 0 && s->mm_key != 0)
		return t->mm_key != s->mm_key;
	return seems_other(k, s, t);
}

static bool ref_held(struct killer *k, struct slot *s)
{
	struct task t;

	return !s->look_unsure ||
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
		s->look_unsure = false;
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
	bool found, doubtful;
};

static void place_newborn(void *ctx, const struct task *t)
{
	struct search *search = ctx;
	struct killer *k = search->k;
	const struct look *l = search->l;

	for (uint32_t i = 0; i < l->count; i++) {
		struct slot *s = &k->slots[l->slots[i]];

		if (l->results[i] != 0 || s->look_gone || !is_candidate(k, s, t) ||
			is_other(k, s, t))
			continue;
		if (place_in(k, l, i, t)) {
			search->found = true;
			return;
		}
		search->doubtful = true;
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
		if (!is_candidate(k, s, t) || is_other(k, s, t))
			continue;
		answer = sharer_compare(k, s, t);
		if (answer == SHARER_OTHER)
			continue;
		if (answer == SHARER_SAME || t->id.start_ticks >= s->since_ticks)
			found |= place_in(k, l, i, t);
	}
	return found;
}

/* A task can be seen some time after its pid was given out (kernel/fork.c:copy_process). */
static void remember_unseen(struct killer *k, pid_t pid)
{
	for (int i = 0; i < KILL_UNSEEN_PIDS && pid > 0; i++)
		if (k->unseen[i].pid == 0) {
			k->unseen[i] = (struct unseen){ .pid = pid, .looks = UNSEEN_LOOKS };
			return;
		}
}

bool sharer_look(struct killer *k, const struct look *l)
{
	struct search search = { .k = k, .l = l };

	k->looked_pid = snapshot_last_pid(k->s);
	memset(k->unseen, 0, sizeof(k->unseen));
	for (int i = 0; i < KILL_UNSEEN_PIDS; i++)
		remember_unseen(k, k->looked_pid - i);
	begin_look(k, l);
	/* After an error we have what was found: the handle will tell if that was too little. */
	if (k->ops.newborn)
		(void)k->ops.newborn(k->ops.ctx, place_newborn, &search);
	else
		(void)snapshot_newborn(k->s, place_newborn, &search);
	for (uint32_t i = 0; i < l->count; i++)
		if (l->results[i] == 0 && !k->slots[l->slots[i]].look_gone &&
			k->slots[l->slots[i]].generation != k->s->generation)
			search.found |= place_rows(k, l, i);
	return !end_look(k, l) || search.found;
}

/* Returns whether there was a process to be looked at. */
static bool look_at(struct search *search, pid_t pid)
{
	struct task t;
	int r = snapshot_read_task(search->k->s, pid, &t);

	if (r == 0)
		place_newborn(search, &t);
	return r != -ESRCH;
}

static void look_at_unseen(struct search *search)
{
	for (int i = 0; i < KILL_UNSEEN_PIDS; i++) {
		struct unseen *u = &search->k->unseen[i];

		if (u->pid != 0 && (look_at(search, u->pid) || --u->looks == 0))
			*u = (struct unseen){ 0 };
	}
}

/* Where pids begin anew after the greatest (kernel/pid.c:alloc_pid, RESERVED_PIDS), */
#define PID_MIN_WRAPPED 300

/* and which that is; 0: nobody knows. */
static pid_t greatest_pid(const struct killer *k)
{
	char text[24];
	uint64_t v;

	if (procfs_read_file(k->s->proc_fd, "sys/kernel/pid_max", text, sizeof(text)) < 0 ||
		!procfs_parse_u64(text, &v) || v < 2 || v > INT_MAX)
		return 0;
	return (pid_t)v - 1;
}

static pid_t pid_before(pid_t pid, pid_t greatest)
{
	return greatest && pid <= PID_MIN_WRAPPED ? greatest : pid - 1;
}

static pid_t pid_after(pid_t pid, pid_t greatest)
{
	return pid == greatest ? PID_MIN_WRAPPED : pid + 1;
}

/* Those of (from, last], the newest first: who bears the next is among them. Returns where it ended
 * without having come to from, or from. */
static pid_t look_back(struct search *search, pid_t from, pid_t last, pid_t greatest)
{
	struct killer *k = search->k;
	pid_t pid = last;

	for (int looked = 0; pid != from && looked < NEWEST_MAX; looked++) {
		/* After a wrap most of these are as old as the table; who took the pid of a row is
		 * the next full look's. */
		if (!snapshot_find(k->s, pid) && !look_at(search, pid) && looked < KILL_UNSEEN_PIDS)
			remember_unseen(k, pid);
		pid = pid_before(pid, greatest);
	}
	return pid;
}

bool sharer_look_newest(struct killer *k, const struct look *l)
{
	struct search search = { .k = k, .l = l };
	pid_t from = k->looked_pid, last = snapshot_last_pid(k->s), greatest = 0, end;

	if (last <= 0 || from <= 0)
		return false;
	if (last < from) {
		greatest = greatest_pid(k);
		/* Somebody has set it (ns_last_pid), or pids are counted otherwise: no way leads
		 * from one to the other. */
		if (greatest < from || last < PID_MIN_WRAPPED)
			return false;
	}
	k->looked_pid = last;
	begin_look(k, l);
	look_at_unseen(&search);
	end = look_back(&search, from, last, greatest);
	/* Where nobody is left to compare with it takes a known parent to know a child. */
	if (search.doubtful)
		for (pid_t pid = end; pid != last;) {
			pid = pid_after(pid, greatest);
			if (!snapshot_find(k->s, pid))
				look_at(&search, pid);
		}
	return !end_look(k, l) || search.found || end != from;
}
