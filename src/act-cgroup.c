/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "act-cgroup.h"

#include "clock.h"
#include "util.h"

#include <signal.h>
#include <string.h>
#include <time.h>

/* Finding out who dies with the victims takes so long at the most. What that leaves open may take
 * so long for each cgroup, and longer the next time; but then not soon again (whole_took()). */
#define LOOK_USEC      (20 * USEC_PER_MSEC)
#define CHECK_USEC     (100 * USEC_PER_MSEC)
#define CHECK_MAX_USEC (500 * USEC_PER_MSEC)

/* With many mates there is a rest after so long. */
#define WORK_USEC (10 * USEC_PER_MSEC)

/* What the rest of a cgroup gives back nobody else need give. */
#define REST_USEC (100 * USEC_PER_MSEC)

/* What is known of a choice while it is asked who dies with its victims. */
struct asking {
	const struct act_context *c;
	uint64_t until_usec, grace_until_usec;
	uint64_t youngest_ticks; /* birth of the youngest process of all, 0: not looked for yet */
	/* The last answer: victims of one cgroup come in a row. */
	char cgroup[CGROUP_PATH_SIZE], whole[CGROUP_PATH_SIZE];
	int result;
};

/* How those in a cgroup die: in a domain as its section says, elsewhere as memory.oom.group does.
 * *ret_length is how much of the path is the domain's. */
static enum domain_kill kill_of(const struct actor *a, const char *cgroup,
	const struct domain_place *place, size_t *ret_length)
{
	const struct config_domain *section;

	if (place) {
		*ret_length = strlen(place->path);
		return place->kill;
	}
	section = config_domain_of(a->config, cgroup, ret_length);
	if (section && section->kill == DOMAIN_KILL_CGROUP)
		return DOMAIN_KILL_CGROUP;
	*ret_length = 0; /* a shortage of the machine: any cgroup may be the group */
	return section ? section->kill : DOMAIN_KILL_GROUP;
}

/* Of what a reader says: whether it is worth being asked again, or nothing is to be had there. */
static int again_or_none(int r)
{
	return probe_is_late(r) ? -EAGAIN : 0;
}

/* The cgroup that dies with a process in cgroup: 1, 0: none does, or -EAGAIN: that cannot be told
 * in time. */
static int whole_of(const struct actor *a, const char *cgroup, const struct domain_place *place,
	uint64_t until_usec, char *ret, size_t size)
{
	char domain[CGROUP_PATH_SIZE];
	size_t length;
	int r;

	switch (kill_of(a, cgroup, place, &length)) {
	case DOMAIN_KILL_PROCESS:
		return 0;
	case DOMAIN_KILL_CGROUP:
		/* The victim may have got there by sharing an mm with somebody inside. */
		if (length >= size || strncmp(cgroup, place ? place->path : cgroup, length) != 0)
			return 0;
		memcpy(ret, cgroup, length);
		ret[length] = '\0';
		return length > 1;
	case DOMAIN_KILL_GROUP:
		memcpy(domain, "/", 2);
		if (length > 0 && length < sizeof(domain)) {
			memcpy(domain, place->path, length);
			domain[length] = '\0';
		}
		r = probe_oom_group(
			a->facts.probe, cgroup, domain, time_left_usec(until_usec), ret, size);
		return r > 0 ? 1 : again_or_none(r);
	}
	return 0;
}

/* The same, with the last answer kept. */
static int ask(const struct actor *a, struct asking *q, const char *cgroup)
{
	if (strcmp(cgroup, q->cgroup) == 0)
		return q->result;
	copy_cut(q->cgroup, sizeof(q->cgroup), cgroup);
	q->result = whole_of(a, cgroup, q->c->place, q->until_usec, q->whole, sizeof(q->whole));
	return q->result;
}

/* One cgroup whose members are prepared. */
struct members {
	struct actor *a;
	const struct act_context *c;
	struct victim_need need;
	uint32_t mark;
	const char *cgroup;
	int whole; /* which that is, < 0: there is no room for it */
	uint64_t rested_usec;
	bool deaf; /* SIGTERM does not end whom they die with: nobody waits for them either */
	int *slots;
	uint32_t count;
	uint32_t found; /* processes */
};

/* The victim has its signal, and its memory is most likely back: hundreds of mates need not keep a
 * CPU from all of ordinary priority. */
static void share_cpu(uint64_t *rested_usec)
{
	const struct timespec rest = { .tv_nsec = 2000000 };

	if (monotonic_usec() - *rested_usec < WORK_USEC)
		return;
	nanosleep(&rest, NULL);
	*rested_usec = monotonic_usec();
}

/* The group of a task, whose rows then know all. */
static struct mm_group *whole_group_of(struct actor *a, uint32_t task)
{
	struct mm_group *g =
		sharedmm_group_of(a->sharedmm, task, a->fns.cmp, a->fns.ctx, a->fns.evidence);
	bool light = false;

	for (uint32_t i = 0; g && i < g->count; i++) {
		uint32_t member = sharedmm_members(a->sharedmm, g)[i];

		light |= (a->snapshot.tasks[member].flags & TASK_LIGHT) != 0;
		snapshot_complete_task(&a->snapshot, member);
	}
	if (light)
		sharedmm_review(a->sharedmm, g);
	return g;
}

/* Returns false when it is of no use to go on. */
static bool prepare_member(struct members *m, pid_t pid)
{
	struct actor *a = m->a;
	const struct task *t = snapshot_find(&a->snapshot, pid);
	struct candidate c;
	struct slot_info *info;
	struct mm_group *g;
	uint32_t index;
	int slot;

	m->found++;
	if (!t || m->count == VICTIM_SET_MAX)
		return true; /* left to cgroup.kill */
	index = (uint32_t)(t - a->snapshot.tasks);
	g = whole_group_of(a, index);
	if (!g || g->mark == m->mark)
		return true;
	g->mark = m->mark;
	if (victim_consider(&a->snapshot, a->sharedmm, a->config, a->hidden, &m->need, &a->fns,
		    index, &c) != REASON_CHOSEN &&
		c.reason != REASON_NO_YIELD)
		return true;
	slot = act_prepare(a, &c, m->c->place);
	if (slot < 0)
		/* Where room or fds are lacking the rest, too, is left to cgroup.kill. */
		return slot == -ESRCH || !kill_may_be_tried_again(slot, c.group.count);
	info = &a->slots[slot];
	info->event.along = true;
	info->deaf = m->deaf;
	info->whole = m->whole;
	whole_join(&a->wholes, info->whole);
	m->slots[m->count++] = slot;
	return true;
}

static void prepare_members(struct members *m, int slot, const struct asking *q)
{
	struct actor *a = m->a;
	uint64_t id = 0;
	int count = actor_list_pids(a, m->cgroup, time_left_usec(q->until_usec), &id);

	m->whole = -1;
	if (slot >= 0) {
		struct slot_info *info = &a->slots[slot];

		info->whole = m->whole =
			whole_seen(&a->wholes, info->whole, id, q->grace_until_usec);
		m->deaf = info->deaf;
	}
	m->found = 0;
	for (int i = 0; i < count && prepare_member(m, a->pids[i]); i++)
		share_cpu(&m->rested_usec);
}

static void say_would(
	const struct actor *a, const char *path, uint32_t processes, const struct act_context *c)
{
	struct report_event e = { .kind = REPORT_WHOLE,
		.dry_run = true,
		.at_usec = monotonic_usec(),
		.members = processes };
	size_t length;

	act_set_place(&e, c->place);
	copy_cut(e.cgroup, sizeof(e.cgroup), path);
	e.kill = kill_of(a, path, c->place, &length);
	report_event(&e);
}

static void mark_group(struct members *m, uint32_t task)
{
	struct actor *a = m->a;
	struct mm_group *g =
		sharedmm_group_of(a->sharedmm, task, a->fns.cmp, a->fns.ctx, a->fns.evidence);

	if (g)
		g->mark = m->mark;
}

/* The slot in ret of a task that was chosen, or -1. */
static int slot_of(const struct actor *a, const struct engine_outcome *ret, const struct task *t)
{
	for (uint32_t i = 0; i < ret->count; i++)
		if (a->slots[ret->slots[i]].event.victim.pid == t->id.pid)
			return ret->slots[i];
	return -1;
}

/* Of a victim: as it was read for the log a moment ago, or is read now; "": it has none. 0 or
 * -EAGAIN: that cannot be told in time. */
static int cgroup_of(const struct actor *a, const struct slot_info *info, const struct task *t,
	uint64_t until_usec, char ret[static CGROUP_PATH_SIZE])
{
	size_t length = info ? strlen(info->event.cgroup) : 0;
	int r;

	ret[0] = '\0';
	if (length > 0 && length + 1 < sizeof(info->event.cgroup)) {
		memcpy(ret, info->event.cgroup, length + 1);
		return 0;
	}
	r = probe_cgroup(
		a->facts.probe, t->mm_tid, time_left_usec(until_usec), ret, CGROUP_PATH_SIZE, NULL);
	if (r < 0)
		ret[0] = '\0';
	return r < 0 ? again_or_none(r) : 0;
}

static void say_whole(
	const struct actor *a, const char *path, int result, const struct act_context *c)
{
	struct report_event e = { .kind = REPORT_WHOLE, .at_usec = monotonic_usec() };
	size_t length;

	e.error = result < 0 ? result : 0;
	e.members = result > 0 ? (uint32_t)result : 0;
	e.kill = kill_of(a, path, c->place, &length);
	act_set_place(&e, c->place);
	copy_cut(e.cgroup, sizeof(e.cgroup), path);
	report_event(&e);
}

static uint64_t youngest_ticks(const struct snapshot *s)
{
	uint64_t ticks = 0;

	for (uint32_t i = 0; i < s->count; i++)
		ticks = max_u64(ticks, s->tasks[i].id.start_ticks);
	return ticks;
}

/* Takes note of a cgroup that dies with the victim of a slot, or of that to be asked. */
static void note_slot(struct actor *a, int slot, const char *cgroup, bool known, struct asking *q)
{
	struct slot_info *info = &a->slots[slot];

	if (q->youngest_ticks == 0)
		q->youngest_ticks = youngest_ticks(&a->snapshot);
	info->whole = whole_note(
		&a->wholes, cgroup, q->c->place, known, q->youngest_ticks, q->grace_until_usec);
	whole_join(&a->wholes, info->whole);
}

/* What dies with the victim of a slot (-1: of a dry run): whether q says it. What cannot be
 * told is asked again; but not of the many of a fork bomb who come late, and are where the first
 * were. */
static bool note_whole(struct actor *a, int slot, const struct task *t, struct asking *q)
{
	/* Where the files of a cgroup cannot be read, that victims are in it can. */
	uint64_t more_usec = q->result == -EAGAIN ? LOOK_USEC : 0;
	char cgroup[CGROUP_PATH_SIZE];
	int r = cgroup_of(
		a, slot >= 0 ? &a->slots[slot] : NULL, t, q->until_usec + more_usec, cgroup);
	bool unread = r < 0;

	if (!unread)
		r = cgroup[0] ? ask(a, q, cgroup) : 0;
	if (slot >= 0 && (r > 0 || (unread ? !q->cgroup[0] : r < 0)))
		note_slot(a, slot, r > 0 ? q->whole : cgroup, r > 0, q);
	return r > 0;
}

uint32_t act_cgroup_prepare(struct actor *a, const struct engine_outcome *ret,
	const struct action *action, const struct act_context *c, int *slots)
{
	char last[CGROUP_PATH_SIZE] = "";
	struct members m = { .a = a, .c = c, .need = action->need, .cgroup = last, .slots = slots };
	uint64_t now_usec = monotonic_usec();
	struct asking q = {
		.c = c, .until_usec = now_usec + LOOK_USEC, .grace_until_usec = now_usec
	};

	if (action->sig == SIGTERM)
		q.grace_until_usec = add_sat_u64(now_usec, a->config->term_grace_usec);
	/* A cgroup that dies whole spares nobody but the protected. */
	m.need.avoided_eligible = true;
	m.need.in_flight = a->in_flight;
	m.need.scope = c->place ? a->scope : NULL;
	m.mark = sharedmm_new_mark(a->sharedmm);
	m.rested_usec = now_usec;
	for (uint32_t i = 0; i < a->choice->count; i++)
		mark_group(&m, a->choice->candidates[a->choice->chosen[i]].task);
	for (uint32_t i = 0; i < a->choice->count; i++) {
		uint32_t task = a->choice->candidates[a->choice->chosen[i]].task;
		const struct task *t = &a->snapshot.tasks[task];
		int slot = slot_of(a, ret, t);

		if ((slot < 0 && !a->dry_run) || !note_whole(a, slot, t, &q) ||
			strcmp(q.whole, last) == 0)
			continue;
		memcpy(last, q.whole, sizeof(last));
		prepare_members(&m, slot, &q);
		if (a->dry_run)
			say_would(a, last, m.found, c);
		else if (m.whole < 0)
			say_whole(a, last, m.whole, c);
	}
	return m.count;
}

/* What could not be told when the victim was signalled. */
static void ask_again(struct actor *a, int i, const struct act_context *c)
{
	uint64_t until_usec = monotonic_usec() + CHECK_USEC;
	const char *path = a->wholes.at[i].path;
	char whole[CGROUP_PATH_SIZE];
	int r = path[0] ? whole_of(a, path, c->place, until_usec, whole, sizeof(whole)) : -EAGAIN;

	if (r >= 0)
		whole_answered(&a->wholes, i, r > 0 ? whole : NULL);
	else if (!whole_failed(&a->wholes, i, a->config->victim_timeout_usec, monotonic_usec()))
		say_whole(a, path, -EAGAIN, c);
}

/* SIGKILL to all that are left, unless somebody of them is protected. How many there were, or
 * -errno: as it is to be said, -EAGAIN, -ETIMEDOUT and -EALREADY after another try. */
static int kill_rest(struct actor *a, const struct whole *w)
{
	uint64_t until_usec =
		monotonic_usec() + min_u64(CHECK_USEC << min_u64(w->failed, 3), CHECK_MAX_USEC);
	int r = escalation_may_kill(&a->escalation, &a->snapshot, w->path, &w->which, until_usec);

	if (r == 0)
		return w->alone ? -ECANCELED : -EBUSY;
	return r < 0 ? r : escalation_kill(&a->escalation, w->path, w->which.id);
}

static int see_to_rest(struct actor *a, int i, const struct act_context *c)
{
	struct whole *w = &a->wholes.at[i];
	bool told = w->told;
	int r = kill_rest(a, w);

	if (r == -EAGAIN || r == -ETIMEDOUT || r == -EALREADY) {
		bool again = whole_failed(
			&a->wholes, i, a->config->victim_timeout_usec, monotonic_usec());

		w->told |= r == -ETIMEDOUT;
		if (told || (again && r != -ETIMEDOUT))
			return 0;
	} else {
		whole_done(&a->wholes, i);
	}
	if (r != -ENOENT) /* all have gone already */
		say_whole(a, w->path, r == -EAGAIN ? -ETIME : r, c);
	return r > 0 ? r : 0;
}

uint64_t act_cgroup_settle(struct actor *a, const struct act_context *c)
{
	uint64_t now_usec;
	int i, killed = 0;

	while ((i = whole_next(&a->wholes, c->place, now_usec = monotonic_usec())) >= 0) {
		if (a->wholes.at[i].state == WHOLE_ASKED)
			ask_again(a, i, c);
		else
			killed += see_to_rest(a, i, c);
		whole_took(&a->wholes, monotonic_usec() - now_usec, monotonic_usec());
	}
	return killed > 0 ? REST_USEC : 0;
}

uint64_t actor_settle(struct actor *a, const struct act_context *c)
{
	act_cgroup_settle(a, c);
	return whole_next_usec(&a->wholes, c->place);
}

void actor_forget(struct actor *a, const struct domain_place *place)
{
	whole_forget(&a->wholes, place);
}
