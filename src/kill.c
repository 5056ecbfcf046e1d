/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prepare, signal, observe, release: what the daemon calls. Who belongs to a group is slot.c's
 * matter, sharers born meanwhile are sharer.c's, the memory is taken back by reap.c.
 */
#include "kill-internal.h"

#include <signal.h>

/* A member that was verified longer ago may have called exec: look again before the signal. */
#define VERIFIED_FRESH_USEC    (50 * USEC_PER_MSEC)
#define LOOK_INTERVAL_USEC     (2 * USEC_PER_MSEC)
#define LOOK_INTERVAL_MAX_USEC (50 * USEC_PER_MSEC)
#define LOOK_BUDGET_USEC       (50 * USEC_PER_MSEC)
/* A chain is caught up with as long as a link is killed in less time than it takes to bear one. */
#define CHASE_BUDGET_USEC (200 * USEC_PER_MSEC)
#define CHASE_LOOKS       20
/* So many members that show the mm are asked by kill_observe whether they dump core. */
#define OBSERVED_MEMBERS 4

/* Start time of the youngest process of the pass. */
static uint64_t youngest_ticks(struct killer *k, const struct snapshot *snap)
{
	if (k->ticks_generation == snap->generation)
		return k->ticks;
	k->ticks = 0;
	k->ticks_generation = snap->generation;
	for (uint32_t i = 0; i < snap->count; i++)
		k->ticks = max_u64(k->ticks, snap->tasks[i].id.start_ticks);
	return k->ticks;
}

static int admit_all(struct killer *k, struct slot *s, const struct snapshot *snap,
	const uint32_t *indices, uint32_t count)
{
	const struct admission how = { .group = true };

	if (count > k->free_count)
		return -ENOSPC;
	for (uint32_t i = 0; i < count; i++) {
		struct member *m;
		int r = member_admit(k, s, &snap->tasks[indices[i]], &how, &m);
		if (r < 0)
			return r;
	}
	return s->count > 0 ? 0 : -ESRCH;
}

int kill_prepare_tasks(struct killer *k, const struct snapshot *snap, const uint32_t *indices,
	uint32_t count, uint64_t expected_bytes, bool rehearsal)
{
	struct slot *s;
	int r;

	if (count == 0)
		return -ESRCH;
	s = slot_take(k, rehearsal);
	if (!s)
		return -ENOSPC;
	s->marks = snap->tasks[indices[0]].marks;
	s->mm_key = snap->tasks[indices[0]].mm_key;
	s->expected_bytes = expected_bytes;
	s->generation = snap->generation;
	s->since_ticks = youngest_ticks(k, snap);
	s->verified_usec = monotonic_usec();
	r = admit_all(k, s, snap, indices, count);
	if (r < 0) {
		slot_free(k, s);
		return r;
	}
	blame_note_kthread(k, s);
	return (int)(s - k->slots);
}

int kill_prepare(struct killer *k, const struct snapshot *s, const struct sharedmm *sm,
	const struct mm_group *g, uint64_t expected_bytes)
{
	return kill_prepare_tasks(k, s, sharedmm_members(sm, g), g->count, expected_bytes, false);
}

bool kill_ignores_term(struct killer *k, int slot)
{
	const struct slot *s = slot_get(k, slot);

	for (int32_t i = s ? s->first : -1; i >= 0; i = k->members[i].next)
		if (k->members[i].ignores_term && !k->members[i].exited && !k->members[i].no_mm)
			return true;
	return false;
}

/* Those who called exec since they were verified are no members any more; and whoever has become
 * protected since (a reload, setuid, another unit) saves what is left of the group. */
static int verify_again(struct killer *k, struct slot *s, const struct look *l)
{
	int32_t next;
	bool left = false;

	slot_poll(k, s);
	/* Marks alone do not tell an exec where addresses are not random. */
	if (s->handle_fd >= 0 && !kill_mm_alive(s->handle_fd))
		return -ESRCH;
	for (int32_t i = s->first; i >= 0; i = next) {
		struct member *m = &k->members[i];
		enum member_sight sight;
		struct task t;
		next = m->next;
		sight = m->exited ? SIGHT_GONE : member_see(k, s, m, &t);
		if (sight == SIGHT_UNREAD)
			return -EAGAIN;
		if (sight == SIGHT_MM && !s->rehearsal) {
			int r = slot_forbids(&t, l->is_protected, l->ctx);

			if (r < 0)
				return r;
		}
		if (sight == SIGHT_OTHER && s->sig != SIGKILL)
			member_drop(k, s, m);
		else if (sight != SIGHT_GONE)
			left = true;
	}
	s->verified_usec = monotonic_usec();
	if (left || (s->handle_fd >= 0 && kill_mm_alive(s->handle_fd)))
		return 0;
	return -ESRCH;
}

static int ready(struct killer *k, int slot, const struct look *l)
{
	struct slot *s = slot_get(k, slot);

	if (!s)
		return -EINVAL;
	if (s->sig == 0 && monotonic_usec() - s->verified_usec < VERIFIED_FRESH_USEC)
		return 0;
	return verify_again(k, s, l);
}

/* Stops the groups that have children, so that they bear no more of them. */
static void stop_fertile(struct killer *k, const struct look *l)
{
	for (uint32_t i = 0; i < l->count; i++) {
		struct slot *s = l->results[i] == 0 ? &k->slots[l->slots[i]] : NULL;
		const struct kill_ops *ops;
		bool fertile = false;
		if (!s)
			continue;
		for (int32_t j = s->first; j >= 0 && !fertile; j = k->members[j].next)
			fertile = k->members[j].newborn;
		ops = slot_ops(k, s);
		for (int32_t j = s->first; j >= 0 && fertile; j = k->members[j].next) {
			struct member *m = &k->members[j];
			if (!m->stopped)
				m->stopped = ops->send(ops->ctx, m->pidfd, SIGSTOP) == 0;
		}
	}
}

/* Lets those run on that we stopped; not those that somebody else had stopped before. */
static void resume(struct killer *k, struct slot *s)
{
	const struct kill_ops *ops = slot_ops(k, s);

	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		struct member *m = &k->members[i];
		if (m->stopped && !m->was_stopped)
			ops->send(ops->ctx, m->pidfd, SIGCONT);
		m->stopped = false;
	}
}

/* A stopped process acts on SIGTERM when it is continued, whoever stopped it. Of a leader that has
 * exited one cannot tell whether its process is stopped; SIGCONT harms no running one. */
static void wake_for_term(const struct kill_ops *ops, struct member *m)
{
	if (m->stopped || m->was_stopped || m->mm_tid != m->id.pid)
		ops->send(ops->ctx, m->pidfd, SIGCONT);
	m->stopped = false;
	m->was_stopped = false;
}

static int signal_slot(struct killer *k, struct slot *s, int sig, struct kill_result *result)
{
	const struct kill_ops *ops = slot_ops(k, s);
	uint32_t before = result->signalled;
	int error = -ESRCH;

	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		struct member *m = &k->members[i];
		int r = ops->send(ops->ctx, m->pidfd, sig);
		if (r == 0) {
			result->signalled++;
			result->newborn += m->newborn;
		} else if (r != -ESRCH) {
			error = r;
		}
	}
	if (sig == SIGTERM)
		for (int32_t i = s->first; i >= 0; i = k->members[i].next)
			wake_for_term(ops, &k->members[i]);
	s->sig = sig;
	if (result->signalled > before)
		return 0;
	/* All have gone by themselves: its memory comes as well, unless somebody else holds it. */
	if (error == -ESRCH && s->handle_fd >= 0 && kill_mm_alive(s->handle_fd))
		return 0;
	return error;
}

static void thaw_slot(struct killer *k, struct slot *s)
{
	const struct kill_ops *ops = slot_ops(k, s);

	if (!ops->thaw)
		return;
	for (int32_t i = s->first; i >= 0; i = k->members[i].next)
		if (!k->members[i].exited)
			ops->thaw(ops->ctx, &k->members[i].id);
}

/*
 * Looks until nobody new is found, but not for long: those who bear faster than we look would keep
 * us from all others. Once somebody was found only the newest are looked at until there are no
 * more, and then all again: a look at all takes longer the more were found, and those who bear
 * children would be ahead of it for good.
 */
static bool look_round_by_round(struct killer *k, const struct look *l)
{
	uint64_t until = monotonic_usec() + LOOK_BUDGET_USEC;
	bool any = false, all = true;

	for (int round = 0; round < KILL_LOOK_ROUNDS; round++) {
		bool found = all ? sharer_look(k, l) : sharer_look_newest(k, l);
		if (all && !found)
			break;
		all = !found;
		any |= found;
		if (found && l->sig == 0)
			stop_fertile(k, l);
		if (monotonic_usec() >= until)
			break;
	}
	return any;
}

void kill_signal(struct killer *k, const int *slots, int *results, uint32_t count, int sig,
	kill_protected_fn *is_protected, void *ctx, struct kill_result *ret)
{
	struct look l = { .slots = slots, .results = results, .count = count, .result = ret };

	l.is_protected = is_protected;
	l.ctx = ctx;
	*ret = (struct kill_result){ 0 };
	for (uint32_t i = 0; i < count; i++)
		results[i] = ready(k, slots[i], &l);
	look_round_by_round(k, &l);
	for (uint32_t i = 0; i < count; i++)
		if (results[i] < 0 && slot_get(k, slots[i]))
			resume(k, &k->slots[slots[i]]);

	ret->first_usec = monotonic_usec();
	for (uint32_t i = 0; i < count; i++)
		if (results[i] == 0)
			results[i] = signal_slot(k, &k->slots[slots[i]], sig, ret);
	ret->last_usec = monotonic_usec();
	for (uint32_t i = 0; i < count; i++)
		if (results[i] == 0)
			reaper_enqueue(k, &k->slots[slots[i]]);
	if (sig != SIGKILL)
		return;
	/* What was born by a dying process is there by now, or never will be. */
	l.sig = SIGKILL;
	if (look_round_by_round(k, &l))
		ret->last_usec = monotonic_usec();
	/* Thawed, they must find the signal. */
	for (uint32_t i = 0; i < count; i++)
		if (results[i] == 0)
			thaw_slot(k, &k->slots[slots[i]]);
}

/* What the living members show; those who called exec leave (SIGTERM leaves them the time). */
static void observe_members(struct killer *k, struct slot *s, struct kill_status *ret)
{
	int32_t next;
	int seen = 0;

	for (int32_t i = s->first; i >= 0 && seen < OBSERVED_MEMBERS; i = next) {
		struct member *m = &k->members[i];
		struct task t;
		enum member_sight sight;
		next = m->next;
		if (m->exited)
			continue;
		sight = member_see(k, s, m, &t);
		if (sight == SIGHT_OTHER && s->sig != SIGKILL)
			member_drop(k, s, m);
		if (sight != SIGHT_MM)
			continue;
		seen++;
		ret->mm_visible = true;
		ret->core_dumping |= (t.flags & TASK_CORE_DUMPING) != 0;
		ret->anon_bytes = max_u64(ret->anon_bytes, t.mem.anon_bytes);
		ret->swap_bytes = max_u64(ret->swap_bytes, t.mem.swap_bytes);
	}
}

static void observe_exits(struct killer *k, const struct slot *s, struct kill_status *ret)
{
	ret->all_exited = true;
	for (int32_t i = s->first; i >= 0; i = k->members[i].next) {
		ret->some_exited |= k->members[i].exited;
		ret->all_exited &= k->members[i].exited;
	}
}

/* A sharer that escaped shows itself in two ways: the reaper is refused, or all are gone and the
 * mm is not (exit_mm comes before the pidfd becomes readable). */
static bool wants_look(
	const struct killer *k, const struct slot *s, const struct kill_status *seen, bool refused)
{
	if (s->sig != SIGKILL || seen->mm_gone)
		return false;
	if (!refused && !(seen->all_exited && seen->handle_valid))
		return false;
	return monotonic_usec() >= max_u64(s->look_usec, k->rest_usec);
}

/* The slot, and all others that were killed: one look serves them all. */
static uint32_t list_killed(const struct killer *k, int slot, int *ret_slots, int *ret_results)
{
	uint32_t n = 0;

	ret_slots[n] = slot;
	ret_results[n++] = 0;
	for (int i = 0; i < KILL_SLOTS; i++) {
		const struct slot *s = &k->slots[i];

		if (i == slot || !s->used || s->rehearsal || s->sig != SIGKILL)
			continue;
		ret_slots[n] = i;
		ret_results[n++] = 0;
	}
	return n;
}

static bool look_for_escaped(
	struct killer *k, int slot, bool outlived, kill_protected_fn *is_protected, void *ctx)
{
	struct slot *s = &k->slots[slot];
	int slots[KILL_SLOTS], results[KILL_SLOTS];
	struct look l = { .slots = slots, .results = results, .sig = SIGKILL };
	uint64_t began = monotonic_usec(), until, ended;
	bool any;

	l.is_protected = is_protected;
	l.ctx = ctx;
	l.count = list_killed(k, slot, slots, results);
	any = look_round_by_round(k, &l);
	l.count = 1; /* the slot itself */
	/* A chain of sharers is caught up with here or never: among 10,000 processes the looks
	 * above take longer than all its time, and it may have none of theirs. */
	until = monotonic_usec() + CHASE_BUDGET_USEC;
	for (int i = 0; i < CHASE_LOOKS && outlived && kill_mm_alive(s->handle_fd) &&
		monotonic_usec() < until;
		i++)
		any |= sharer_look_newest(k, &l);
	/* Whoever is held by something else is not looked at all the time, and no crowd of newborns
	 * takes more than half of our time. */
	if (any)
		s->look_wait_usec = LOOK_INTERVAL_USEC;
	else
		s->look_wait_usec = min_u64(
			max_u64(2 * s->look_wait_usec, LOOK_INTERVAL_USEC), LOOK_INTERVAL_MAX_USEC);
	ended = monotonic_usec();
	s->look_usec = ended + s->look_wait_usec;
	k->rest_usec = ended + (ended - began);
	return any;
}

int kill_observe(struct killer *k, int slot, kill_protected_fn *is_protected, void *ctx,
	struct kill_status *ret)
{
	struct slot *s = slot_get(k, slot);
	struct kill_status seen = { 0 };
	bool refused;

	if (!s)
		return -EINVAL;
	slot_poll(k, s);
	observe_members(k, s, &seen);
	seen.expected_bytes = s->expected_bytes;
	observe_exits(k, s, &seen);
	seen.handle_valid = s->handle_fd >= 0;
	seen.mm_gone = seen.handle_valid && !kill_mm_alive(s->handle_fd);
	pthread_mutex_lock(&k->lock);
	seen.reap = s->reap;
	refused = s->reap_refused;
	pthread_mutex_unlock(&k->lock);
	if (wants_look(k, s, &seen, refused)) {
		pthread_mutex_lock(&k->lock);
		s->reap_refused = false;
		pthread_mutex_unlock(&k->lock);
		if (look_for_escaped(
			    k, slot, seen.all_exited && seen.handle_valid, is_protected, ctx))
			seen.all_exited = false;
	}
	*ret = seen;
	return 0;
}

void kill_release(struct killer *k, int slot)
{
	struct slot *s = slot_get(k, slot);

	if (!s)
		return;
	if (s->sig != SIGKILL)
		resume(k, s);
	slot_free(k, s);
}

int kill_take_handle(struct killer *k, int slot)
{
	struct slot *s = slot_get(k, slot);
	int fd = s ? s->handle_fd : -1;

	if (fd < 0)
		return -1;
	return take_fd(&s->handle_fd);
}
