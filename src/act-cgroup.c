/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "act-cgroup.h"

#include "clock.h"
#include "util.h"

#include <string.h>

/* Finding out who dies with the victims takes so long at the most, and whether nobody in a cgroup
 * is protected this long. */
#define LOOK_USEC  (20 * USEC_PER_MSEC)
#define CHECK_USEC (100 * USEC_PER_MSEC)
/* What was not known then is asked again once this long for all victims of a cgroup: of a fork bomb
 * there are hundreds. */
#define ASK_AGAIN_USEC USEC_PER_SEC

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

static int in_time(int r)
{
	return r == -ETIMEDOUT || r == -EBUSY ? -EAGAIN : 0;
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
		return r > 0 ? 1 : in_time(r);
	}
	return 0;
}

/* The same, with the last answer kept: victims of one cgroup come in a row. */
static int ask(const struct actor *a, struct whole_answer *last, const char *cgroup,
	const struct domain_place *place, uint64_t until_usec)
{
	if (strcmp(cgroup, last->cgroup) == 0 && place == last->place)
		return last->result;
	copy_cut(last->cgroup, sizeof(last->cgroup), cgroup);
	last->place = place;
	last->result = whole_of(a, cgroup, place, until_usec, last->whole, sizeof(last->whole));
	return last->result;
}

/* One cgroup whose members are prepared. */
struct members {
	struct actor *a;
	const struct act_context *c;
	struct victim_need need;
	uint32_t mark;
	bool deaf; /* SIGTERM does not end whom they die with: nobody waits for them either */
	int *slots;
	uint32_t count;
	uint32_t found; /* processes */
};

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
	a->slots[slot].event.along = true;
	a->slots[slot].deaf = m->deaf;
	m->slots[m->count++] = slot;
	return true;
}

static void prepare_members(struct members *m, const char *cgroup, uint64_t until_usec)
{
	int count = actor_list_pids(m->a, cgroup, time_left_usec(until_usec));

	m->found = 0;
	for (int i = 0; i < count && prepare_member(m, m->a->pids[i]); i++)
		;
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
	return r < 0 ? in_time(r) : 0;
}

/* What dies with the victim of a slot (-1: of a dry run): whether last says it. What cannot be told
 * is asked again; but not of the many of a fork bomb who come late, and are where the first were.
 */
static bool note_whole(struct actor *a, int slot, const struct task *t,
	const struct domain_place *place, uint64_t until_usec, struct whole_answer *last)
{
	/* Where the files of a cgroup cannot be read, that victims are in it can. */
	uint64_t more_usec = last->result == -EAGAIN ? LOOK_USEC : 0;
	char cgroup[CGROUP_PATH_SIZE];
	int r = cgroup_of(a, slot >= 0 ? &a->slots[slot] : NULL, t, until_usec + more_usec, cgroup);
	bool unread = r < 0;

	if (!unread)
		r = cgroup[0] ? ask(a, last, cgroup, place, until_usec) : 0;
	if (slot >= 0) {
		struct slot_info *info = &a->slots[slot];

		info->asks_whole = unread ? !last->cgroup[0] : r < 0;
		copy_cut(info->whole, sizeof(info->whole), r > 0 ? last->whole : cgroup);
		if (r == 0)
			info->whole[0] = '\0';
	}
	return r > 0;
}

uint32_t act_cgroup_prepare(struct actor *a, const struct engine_outcome *ret,
	const struct action *action, const struct act_context *c, int *slots)
{
	struct members m = { .a = a, .c = c, .need = action->need, .slots = slots };
	uint64_t until_usec = monotonic_usec() + LOOK_USEC;
	struct whole_answer answer = { 0 };
	char last[CGROUP_PATH_SIZE] = "";

	m.need.avoided_eligible =
		true; /* a cgroup that dies whole spares nobody but the protected */
	m.need.in_flight = a->in_flight;
	m.need.scope = c->place ? a->scope : NULL;
	m.mark = sharedmm_new_mark(a->sharedmm);
	for (uint32_t i = 0; i < a->choice->count; i++)
		mark_group(&m, a->choice->candidates[a->choice->chosen[i]].task);
	for (uint32_t i = 0; i < a->choice->count; i++) {
		uint32_t task = a->choice->candidates[a->choice->chosen[i]].task;
		const struct task *t = &a->snapshot.tasks[task];
		int slot = slot_of(a, ret, t);

		if ((slot < 0 && !a->dry_run) ||
			!note_whole(a, slot, t, c->place, until_usec, &answer) ||
			strcmp(answer.whole, last) == 0)
			continue;
		memcpy(last, answer.whole, sizeof(last));
		m.deaf = slot >= 0 && a->slots[slot].deaf;
		prepare_members(&m, last, until_usec);
		if (a->dry_run)
			say_would(a, last, m.found, c);
	}
	return m.count;
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

/* What could not be told when the victim was signalled. */
static void ask_again(struct actor *a, struct slot_info *info, const struct domain_place *place)
{
	uint64_t now_usec = monotonic_usec();
	int r;

	if (now_usec >= a->asked_usec + ASK_AGAIN_USEC) {
		a->asked = (struct whole_answer){ 0 };
		a->asked_usec = now_usec;
	}
	r = info->whole[0] ? ask(a, &a->asked, info->whole, place, now_usec + CHECK_USEC) : -EAGAIN;
	if (r < 0)
		return;
	info->asks_whole = false;
	copy_cut(info->whole, sizeof(info->whole), r > 0 ? a->asked.whole : "");
}

void act_cgroup_kill(struct actor *a, const int *slots, uint32_t count, const struct act_context *c)
{
	const char *last = "";

	for (uint32_t i = 0; i < count; i++) {
		struct slot_info *info = &a->slots[slots[i]];
		bool late = info->asks_whole;
		int r;

		if (late)
			ask_again(a, info, c->place);
		if (info->asks_whole || !info->whole[0] || strcmp(info->whole, last) == 0)
			continue;
		last = info->whole;
		r = escalation_may_kill(
			    &a->escalation, &a->snapshot, last, monotonic_usec() + CHECK_USEC)
			? escalation_kill(&a->escalation, last)
			: late ? -ECANCELED
			       : -EBUSY;
		if (r != -ENOENT) /* all have gone already */
			say_whole(a, last, r, c);
	}
}

void act_cgroup_finish(struct actor *a, int slot, const struct act_context *c)
{
	struct slot_info *info = &a->slots[slot];

	if (!info->asks_whole)
		return;
	act_cgroup_kill(a, &slot, 1, c);
	if (info->asks_whole && monotonic_usec() >= a->unasked_said_usec + ASK_AGAIN_USEC) {
		a->unasked_said_usec = monotonic_usec();
		say_whole(a, info->whole, -EAGAIN, c);
	}
}
