/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "act-cgroup.h"
#include "actor.h"
#include "clock.h"
#include "survive.h"
#include "util.h"

#include <signal.h>
#include <string.h>

/* Reading names of cgroups for the report delays the first signal by so much at the most. */
#define NAMES_USEC (10 * USEC_PER_MSEC)
/* Who has been made ready so long ago is signalled before others are: he would have to be looked at
 * again, and his memory is wanted. */
#define BATCH_USEC (25 * USEC_PER_MSEC)
/* Then it is time to look at what has come back, and to choose anew. */
#define SET_USEC USEC_PER_SEC
/* In a dry run nobody dies, so the same choice would be reported with every look. */
#define DRY_RUN_HOLD_USEC (10 * USEC_PER_SEC)

static uint32_t count_outside(const struct actor *a, const struct mm_group *g)
{
	const uint32_t *members = sharedmm_members(a->sharedmm, g);
	uint32_t outside = 0;

	for (uint32_t i = 0; i < g->count; i++)
		outside += !a->scope[members[i]];
	return outside;
}

void act_set_place(struct report_event *e, const struct domain_place *place)
{
	if (!place)
		return;
	copy_cut(e->domain, sizeof(e->domain), place->name);
	copy_cut(e->domain_path, sizeof(e->domain_path), place->path);
}

static void event_of_candidate(struct actor *a, const struct candidate *c,
	const struct domain_place *place, struct report_event *ret)
{
	const struct task *t = &a->snapshot.tasks[c->task];
	const uint32_t *members = sharedmm_members(a->sharedmm, &c->group);
	char cgroup[CGROUP_PATH_SIZE];

	ret->victim = t->id;
	memcpy(ret->comm, t->comm, sizeof(ret->comm));
	ret->uid = t->uid;
	ret->oom_score_adj = c->group.oom_score_adj;
	ret->members = c->group.count;
	for (uint32_t i = 0; i < c->group.count && i < REPORT_GROUP_MAX; i++)
		ret->group[i] = a->snapshot.tasks[members[i]].id.pid;
	ret->evidence = c->group.evidence;
	ret->pin = c->group.pin;
	ret->expected_bytes = c->yield_bytes;
	ret->shmem_bytes = c->shmem_bytes;
	if (c->group.pin != MM_PIN_NONE) {
		const struct task *p = &a->snapshot.tasks[c->group.pinned_by];

		ret->pin_pid = p->id.pid;
		memcpy(ret->pin_comm, p->comm, sizeof(ret->pin_comm));
	}
	if (c->group.kthreads > 0) {
		const struct task *k = &a->snapshot.tasks[c->group.kthread];

		ret->kthread_pid = k->id.pid;
		memcpy(ret->kthread_comm, k->comm, sizeof(ret->kthread_comm));
	}
	if (c->rule)
		memcpy(ret->rule, c->rule->name, sizeof(ret->rule));
	act_set_place(ret, place);
	if (place)
		ret->outside = count_outside(a, &c->group);
	/* For the log only: nobody waits for it for long. */
	if (monotonic_usec() >= a->names_until_usec)
		return;
	facts_cgroup(&a->facts, t, cgroup, sizeof(cgroup));
	copy_cut(ret->cgroup, sizeof(ret->cgroup), cgroup);
}

static void event_readings(struct report_event *e, const struct act_context *c)
{
	const struct engine_input *in = c->in;

	e->level = c->engine->level;
	e->cause = c->engine->cause;
	act_set_place(e, c->place);
	e->total_bytes = in->mem->total_bytes;
	e->available_after_bytes = in->mem->available_bytes;
	e->swap_total_bytes = in->mem->swap_total_bytes;
	e->swap_free_bytes = in->mem->swap_free_bytes;
	e->shmem_total_bytes = in->mem->shmem_bytes;
}

/* The mm is pinned and therefore not chosen: said once as long as it is that mm. */
static void say_pins(struct actor *a, const struct domain_place *place)
{
	for (uint32_t i = 0; i < a->choice->candidate_count; i++) {
		const struct candidate *c = &a->choice->candidates[i];
		struct report_event e = { .kind = REPORT_HIDDEN_PIN, .dry_run = a->dry_run };
		struct mm_id id;

		if (c->reason != REASON_PINNED ||
			hidden_contains(a->pins_said, &a->snapshot.tasks[c->task]))
			continue;
		victim_mm_id(&a->snapshot, a->sharedmm, &c->group, &id);
		hidden_add(a->pins_said, &id);
		e.at_usec = monotonic_usec();
		event_of_candidate(a, c, place, &e);
		report_event(&e);
	}
}

static void release(struct actor *a, int slot)
{
	a->slots[slot].used = false;
	whole_leave(&a->wholes, a->slots[slot].whole);
	kill_release(a->killer, slot);
}

int act_prepare(struct actor *a, const struct candidate *c, const struct domain_place *place)
{
	int slot = kill_prepare(a->killer, &a->snapshot, a->sharedmm, &c->group, c->yield_bytes);
	struct report_event lost = { .kind = REPORT_LOST, .dry_run = a->dry_run };
	struct slot_info *info;

	if (slot >= 0) {
		info = &a->slots[slot];
		memset(info, 0, sizeof(*info));
		info->used = true;
		info->whole = -1;
		victim_mm_id(&a->snapshot, a->sharedmm, &c->group, &info->id);
		event_of_candidate(a, c, place, &info->event);
		info->event.dry_run = a->dry_run;
		return slot;
	}
	if (slot == -ESRCH)
		return slot;
	event_of_candidate(a, c, place, &lost);
	lost.at_usec = monotonic_usec();
	lost.error = slot;
	report_event(&lost);
	/* Any other answer would be the same again. */
	if (!kill_may_be_tried_again(slot, c->group.count)) {
		struct mm_id id;

		victim_mm_id(&a->snapshot, a->sharedmm, &c->group, &id);
		actor_hide(a, &id);
	}
	return slot;
}

static void say_lost(struct actor *a, int slot, int error)
{
	struct report_event e = a->slots[slot].event;

	e.kind = REPORT_LOST;
	e.at_usec = monotonic_usec();
	e.error = error;
	report_event(&e);
}

/* A slot that could not be signalled is hidden: trying again would give the same answer, unless
 * that was only that we do not know. */
static void lose_slot(struct actor *a, int slot, int error)
{
	say_lost(a, slot, error);
	if (error != -ESRCH && error != -EAGAIN)
		actor_hide(a, &a->slots[slot].id);
	release(a, slot);
}

static void say_signalled(struct actor *a, int slot, const struct action *action,
	const struct kill_result *r, const struct act_context *c)
{
	struct report_event *e = &a->slots[slot].event;

	e->kind = REPORT_SIGNALLED;
	e->at_usec = r->last_usec;
	e->sig = action->sig;
	e->newborn = r->newborn;
	e->detect_usec = sub_or_zero_u64(r->last_usec, c->detected_usec);
	e->major_faults = sub_or_zero_u64(survive_major_faults(), c->faults);
	e->need_bytes = action->need.bytes;
	event_readings(e, c);
	e->available_before_bytes = c->in->mem->available_bytes;
	report_event(e);
}

/* Nobody was chosen: said once an episode for each cause. */
static void say_nobody(struct actor *a, const struct action *action, const struct act_context *c)
{
	struct report_event e = {
		.kind = REPORT_NO_VICTIM,
		.dry_run = a->dry_run,
		.at_usec = monotonic_usec(),
		.result = a->choice->result,
		.need_bytes = action->need.bytes,
	};

	if (a->choice->count > 0 || c->said->none[a->choice->result])
		return;
	c->said->none[a->choice->result] = true;
	event_readings(&e, c);
	report_event(&e);
}

/* Signals the slots and sorts out which of them are in flight now. */
static void signal_slots(struct actor *a, const int *slots, uint32_t count,
	const struct action *action, const struct act_context *c, struct engine_outcome *ret)
{
	int results[VICTIM_SET_MAX];
	struct kill_result k;

	if (count == 0)
		return;
	kill_signal(
		a->killer, slots, results, count, action->sig, facts_is_protected, &a->facts, &k);
	for (uint32_t i = 0; i < count; i++) {
		struct slot_info *info = &a->slots[slots[i]];
		struct report_event *e = &info->event;

		if (results[i] < 0) {
			ret->unread |= results[i] == -EAGAIN;
			lose_slot(a, slots[i], results[i]);
			continue;
		}
		e->ignores_term = kill_ignores_term(a->killer, slots[i]);
		info->deaf |= e->ignores_term && !e->along;
		say_signalled(a, slots[i], action, &k, c);
		if (a->dry_run) {
			release(a, slots[i]);
			continue;
		}
		ret->slots[ret->count] = slots[i];
		ret->deaf[ret->count] = info->deaf;
		ret->expected_bytes[ret->count] = e->expected_bytes;
		ret->shmem_bytes[ret->count++] = e->shmem_bytes;
	}
	if (a->dry_run)
		ret->hold_usec = DRY_RUN_HOLD_USEC;
}

/* For the next choice: the family that was taken from, and what it lost. Under a bomb all of that
 * may have taken a second. */
static void remember_family(
	struct actor *a, const struct domain_place *place, const struct engine_outcome *o)
{
	if (a->choice->brood.bytes == 0)
		return;
	a->brood = a->choice->brood;
	a->brood_usec = monotonic_usec();
	a->brood_place = place;
	if (o->count < 2)
		return;
	for (uint32_t i = 0; i < o->count; i++)
		a->brood.taken_bytes = add_sat_u64(a->brood.taken_bytes, o->expected_bytes[i]);
}

/* Prepares and signals those chosen. Many of them in batches, each within the time for which what
 * was read of its members holds: the first ones' memory comes back while the last are made ready.
 * Who has not had his turn after some time may not be needed any more. */
static void signal_chosen(struct actor *a, const struct action *action, const struct act_context *c,
	struct engine_outcome *ret)
{
	uint64_t began_usec = monotonic_usec(), batch_usec = began_usec, now_usec = began_usec;
	int slots[VICTIM_SET_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < a->choice->count && now_usec - began_usec < SET_USEC; i++) {
		int slot = act_prepare(a, &a->choice->candidates[a->choice->chosen[i]], c->place);

		if (slot >= 0)
			slots[count++] = slot;
		now_usec = monotonic_usec();
		if (now_usec - batch_usec < BATCH_USEC)
			continue;
		signal_slots(a, slots, count, action, c, ret);
		batch_usec = monotonic_usec();
		count = 0;
	}
	signal_slots(a, slots, count, action, c, ret);
	remember_family(a, c->place, ret);
}

static void carry_out_choose(struct actor *a, const struct action *action,
	const struct act_context *c, struct engine_outcome *ret)
{
	int slots[VICTIM_SET_MAX];
	uint32_t count;
	uint64_t swap_used =
		sub_or_zero_u64(c->in->mem->swap_total_bytes, c->in->mem->swap_free_bytes);
	int r = actor_look_around(a, action->need, swap_used, c->place);

	if (r < 0) {
		report_line(REPORT_ERROR,
			"cannot read the processes in /proc: %s; the ladder goes on without a "
			"victim",
			strerror(-r));
		ret->result = VICTIM_NONE;
		return;
	}
	ret->result = a->choice->result;
	ret->unread = a->choice->unread;
	ret->waits = a->choice->waits;
	a->names_until_usec = monotonic_usec() + NAMES_USEC;
	signal_chosen(a, action, c, ret);
	/* Then whoever dies with them: the memory is most likely back already. */
	count = act_cgroup_prepare(a, ret, action, c, slots);
	signal_slots(a, slots, count, action, c, ret);
	for (uint32_t i = 0; i < ret->count && action->sig == SIGKILL; i++)
		whole_has_sigkill(&a->wholes, a->slots[ret->slots[i]].whole);
	say_pins(a, c->place);
	say_nobody(a, action, c);
}

/* --- the other actions --- */

static enum engine_upgrade upgrade_of(int result)
{
	if (result == -EAGAIN)
		return UPGRADE_UNREAD;
	return result == 0 || result == -ESRCH ? UPGRADE_SENT : UPGRADE_REFUSED;
}

static void carry_out_upgrade(struct actor *a, const struct action *action,
	const struct act_context *c, struct engine_outcome *ret)
{
	int results[ENGINE_VICTIMS_MAX];
	struct kill_result k;

	kill_signal(a->killer, action->slots, results, action->slot_count, SIGKILL,
		facts_is_protected, &a->facts, &k);
	for (uint32_t i = 0; i < action->slot_count; i++) {
		int slot = action->slots[i];

		ret->upgraded[i] = upgrade_of(results[i]);
		if (results[i] == 0)
			say_signalled(a, slot, action, &k, c);
		else if (results[i] != -ESRCH && !a->slots[slot].unread_said)
			say_lost(a, slot, results[i]);
		a->slots[slot].unread_said = ret->upgraded[i] == UPGRADE_UNREAD;
		/* Who goes along with one that has exited has its grace still. */
		if (results[i] == 0 && !engine_has_exited(c->engine, slot))
			whole_has_sigkill(&a->wholes, a->slots[slot].whole);
	}
}

static void carry_out_freed(
	struct actor *a, const struct act_context *c, const struct action *action)
{
	struct report_event *e = &a->slots[action->slot].event;
	int handle;

	e->kind = REPORT_FREED;
	e->at_usec = c->in->now_usec;
	e->freed_bytes = action->freed_bytes;
	e->latency_usec = action->latency_usec;
	event_readings(e, c);
	report_event(e);
	handle = kill_take_handle(a->killer, action->slot);
	/* Reaped, but not exited (D state): nothing more is to be had from this mm. */
	if (handle >= 0 && kill_mm_alive(handle)) {
		a->slots[action->slot].id.handle_fd = handle;
		actor_hide(a, &a->slots[action->slot].id);
	} else {
		fd_closep(&handle);
	}
	release(a, action->slot);
}

static void carry_out_stuck(
	struct actor *a, const struct act_context *c, const struct action *action)
{
	struct slot_info *info = &a->slots[action->slot];

	kill_explain(a->killer, action->slot, &info->event.blame);
	info->event.kind = REPORT_STUCK;
	info->event.latency_usec = sub_or_zero_u64(c->in->now_usec, info->event.at_usec);
	info->event.at_usec = c->in->now_usec;
	event_readings(&info->event, c);
	report_event(&info->event);
	info->id.handle_fd = kill_take_handle(a->killer, action->slot);
	actor_hide(a, &info->id);
	release(a, action->slot);
}

static void carry_out_step(struct actor *a, const struct act_context *c,
	const struct action *action, struct engine_outcome *ret)
{
	struct report_event e = {
		.kind = REPORT_STEP, .dry_run = a->dry_run, .step = action->step
	};
	struct escalation_result r;

	/* Those who die of a step must not be taken for alive, nor newcomers for protected. */
	if (reader_refresh(&a->reader, &a->snapshot, 0, 0) < 0)
		a->snapshot.count = 0;
	escalation_take(&a->escalation, action->step, a->config, &a->snapshot,
		c->place ? c->place->path : NULL, &r);
	ret->acted = r.acted;
	e.at_usec = monotonic_usec();
	e.error = r.error;
	e.expected_bytes = r.bytes;
	e.members = r.processes > 0 ? (uint32_t)r.processes : 0;
	copy_cut(e.cgroup, sizeof(e.cgroup), r.what);
	event_readings(&e, c);
	if (r.acted || !c->said->step[action->step])
		report_event(&e);
	c->said->step[action->step] = true;
}

static void say_episode(struct actor *a, enum report_kind kind, const struct act_context *c)
{
	const struct engine *engine = c->engine;
	const struct engine_input *in = c->in;
	struct report_event e = { .kind = kind, .dry_run = a->dry_run, .at_usec = in->now_usec };

	event_readings(&e, c);
	e.available_before_bytes = engine->available_at_start_bytes;
	e.freed_bytes = engine->freed_bytes;
	e.victims = engine->victims;
	e.latency_usec = sub_or_zero_u64(in->now_usec, engine->began_usec);
	e.kernel_oom_kills = sub_or_zero_u64(in->mem->kernel_oom_kills, c->said->kernel_oom_kills);
	/* Somebody else was quicker: worth a word on the levels. */
	if (kind == REPORT_RECOVERED && e.kernel_oom_kills > 0) {
		e.kind = REPORT_KERNEL_OOM;
		report_event(&e);
		e.kind = kind;
	}
	report_event(&e);
	if (kind == REPORT_EPISODE_BEGAN)
		*c->said = (struct act_said){ .kernel_oom_kills = in->mem->kernel_oom_kills };
}

void actor_carry_out(struct actor *a, const struct act_context *c, const struct action *action,
	struct engine_outcome *ret)
{
	ret->count = 0;
	ret->hold_usec = 0;
	ret->acted = ret->unread = ret->waits = false;
	switch (action->kind) {
	case ACTION_WAIT:
		break;
	case ACTION_CHOOSE:
		carry_out_choose(a, action, c, ret);
		break;
	case ACTION_UPGRADE:
		carry_out_upgrade(a, action, c, ret);
		break;
	case ACTION_FREED:
		carry_out_freed(a, c, action);
		break;
	case ACTION_STUCK:
		carry_out_stuck(a, c, action);
		break;
	case ACTION_SPARE:
		release(a, action->slot);
		break;
	case ACTION_STEP:
		carry_out_step(a, c, action, ret);
		break;
	case ACTION_BEGAN:
		say_episode(a, REPORT_EPISODE_BEGAN, c);
		break;
	case ACTION_RECOVERED:
		say_episode(a, REPORT_RECOVERED, c);
		break;
	}
	ret->hold_usec = max_u64(ret->hold_usec, act_cgroup_settle(a, c));
}

void actor_observe(struct actor *a, const struct engine *e, struct engine_input *in)
{
	in->seen_count = 0;
	for (uint32_t i = 0; i < e->victim_count; i++) {
		struct engine_observation *o = &in->seen[in->seen_count].o;
		struct kill_status s;

		if (kill_observe(a->killer, e->victim[i].slot, facts_is_protected, &a->facts, &s) <
			0)
			continue;
		/* Who has called exec is no member any more, and not dead. */
		if (s.some_exited || s.reap == REAP_DONE || (s.mm_gone && !s.all_exited))
			whole_has_begun(&a->wholes, a->slots[e->victim[i].slot].whole);
		in->seen[in->seen_count++].slot = e->victim[i].slot;
		*o = (struct engine_observation){
			.rss_bytes = add_sat_u64(
				s.anon_bytes, verdict_swap_counts(e->config) ? s.swap_bytes : 0),
			.handle_valid = s.handle_valid,
			.mm_gone = s.mm_gone,
			.all_exited = s.all_exited,
			.some_exited = s.some_exited,
			.mm_visible = s.mm_visible,
			.core_dumping = s.core_dumping,
			.reaped = s.reap == REAP_DONE,
		};
	}
}
