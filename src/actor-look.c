/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actor looks around: what there is now, and who is to be chosen of it.
 */
#include "actor.h"
#include "clock.h"
#include "util.h"

#include <string.h>
#include <unistd.h>

/* A fork family that was chosen from goes on to count as one for so long. */
#define BROOD_USEC (10 * USEC_PER_SEC)
/* Who bears as many in a longer time than this is not ahead of us. */
#define BROOD_QUICK_USEC USEC_PER_SEC
/* Of a choice in a domain, to find out who is in it. */
#define SCOPE_WAIT_USEC (100 * USEC_PER_MSEC)

/* An mm that is gone, or whose members all are or have another one now, need not be hidden. */
static void sweep_hidden(struct actor *a)
{
	for (uint32_t i = a->hidden->count; i-- > 0;) {
		int handle = a->hidden->ids[i].handle_fd;

		if (hidden_holds(a->hidden, i, &a->snapshot) &&
			(handle < 0 || kill_mm_alive(handle)))
			continue;
		hidden_remove(a->hidden, i);
		if (handle >= 0)
			close(handle);
	}
}

static void list_in_flight(struct actor *a)
{
	a->in_flight->count = 0;
	for (int i = 0; i < KILL_SLOTS; i++)
		if (a->slots[i].used)
			(void)hidden_add(a->in_flight, &a->slots[i].id);
}

int actor_list_pids(struct actor *a, const char *cgroup, uint64_t timeout_usec, uint64_t *ret_id)
{
	int count = probe_cgroup_pids(a->facts.probe, cgroup, timeout_usec, a->pids, ret_id);

	return count == -E2BIG ? PROBE_PIDS_MAX : count;
}

/* Who is in the domain now. 0, or -EAGAIN: that could not be read in time. Of more than can be
 * listed the first are in reach, and a domain that is gone has nobody to choose. */
static int set_scope(struct actor *a, const struct domain_place *place, struct victim_need *need)
{
	int count;

	if (!place)
		return 0;
	count = actor_list_pids(a, place->path, SCOPE_WAIT_USEC, NULL);
	if (probe_is_late(count))
		return -EAGAIN;
	memset(a->scope, 0, a->snapshot.count);
	for (int i = 0; i < count; i++) {
		const struct task *t = snapshot_find(&a->snapshot, a->pids[i]);

		if (t)
			a->scope[t - a->snapshot.tasks] = 1;
	}
	need->scope = a->scope;
	return 0;
}

/* Nobody, for now. */
static void choose_later(struct actor *a)
{
	a->choice->result = VICTIM_UNREAD;
	a->choice->unread = true;
	a->choice->waits = false;
	a->choice->count = a->choice->candidate_count = 0;
	a->choice->brood = (struct brood){ 0 };
}

/* Drops those who are gone. Returns what those hold whose mm is being taken down, which shows
 * nothing any more until it is done, and the task a zombie. */
static uint64_t sweep_dying(struct actor *a, uint64_t now_usec)
{
	uint64_t sum = 0;

	for (uint32_t i = a->dying_count; i-- > 0;) {
		const struct dying *d = &a->dying[i];
		const struct task *t = snapshot_find(&a->snapshot, d->id.pid);

		if (!t || t->id.start_ticks != d->id.start_ticks)
			a->dying[i] = a->dying[--a->dying_count];
		else if ((t->flags & TASK_NO_MM) && t->state != 'Z' &&
			now_usec < add_sat_u64(d->since_usec, a->config->victim_timeout_usec))
			sum = add_sat_u64(sum, d->bytes);
	}
	return sum;
}

/* When it was seen first; 0, so that nothing is expected of it: there is no room to remember it. */
static uint64_t dying_since(struct actor *a, const struct task *t, uint64_t now_usec)
{
	uint32_t i = 0;

	while (i < a->dying_count && a->dying[i].id.pid != t->id.pid)
		i++;
	if (i == DYING_MAX)
		return 0;
	if (i == a->dying_count)
		a->dying[a->dying_count++] = (struct dying){ .id = t->id, .since_usec = now_usec };
	a->dying[i].bytes = add_sat_u64(t->mem.anon_bytes, t->mem.swap_bytes);
	return a->dying[i].since_usec;
}

void actor_list_overdue(struct actor *a, struct victim_need *need)
{
	uint64_t now = monotonic_usec(), least = victim_negligible_bytes(need);

	need->teardown_bytes = sweep_dying(a, now);
	memset(a->overdue, 0, a->snapshot.count);
	for (uint32_t i = 0; i < a->snapshot.count; i++) {
		const struct task *t = &a->snapshot.tasks[i];

		if (victim_is_dying(t, least) && !hidden_contains(a->in_flight, t))
			a->overdue[i] = now >=
				add_sat_u64(dying_since(a, t, now), a->config->victim_timeout_usec);
	}
	need->overdue = need->count_dying ? a->overdue : NULL;
}

static int choose(struct actor *a, const struct victim_need *need)
{
	int r = sharedmm_classify(a->sharedmm, &a->snapshot, a->facts.self);

	if (r == 0)
		victim_choose(&a->snapshot, a->sharedmm, a->config, a->hidden, need, &a->fns,
			a->scratch, a->choice);
	return r;
}

int actor_look_around(struct actor *a, struct victim_need need, uint64_t swap_used_bytes,
	const struct domain_place *place)
{
	/* Who wants to see everybody has nobody left out. */
	uint64_t light_bytes = need.explain ? 0 : victim_negligible_bytes(&need), age;
	int r = reader_refresh(&a->reader, &a->snapshot, light_bytes, swap_used_bytes);

	if (r < 0)
		return r;
	sweep_hidden(a);
	list_in_flight(a);
	need.in_flight = a->in_flight;
	if (set_scope(a, place, &need) < 0) {
		choose_later(a);
		return 0;
	}
	actor_list_overdue(a, &need);
	age = monotonic_usec() - a->brood_usec;
	if (a->brood.bytes > 0 && age < BROOD_USEC && a->brood_place == place)
		need.brood = &a->brood;
	if (age >= BROOD_QUICK_USEC) {
		a->brood.taken_bytes = 0;
		a->brood.times = 1;
	}
	r = choose(a, &need);
	if (r == 0 && a->choice->incomplete) {
		snapshot_complete(&a->snapshot);
		r = choose(a, &need);
	}
	return r;
}
