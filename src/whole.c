/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "whole.h"

#include "util.h"

#include <errno.h>
#include <string.h>

#define RETRY_USEC  USEC_PER_SEC
#define SLOW_USEC   (10 * USEC_PER_MSEC)
#define PAUSE_TIMES 5

static struct whole *find(struct whole_table *t, enum whole_state state, const char *path,
	const struct domain_place *place)
{
	for (int i = 0; i < WHOLE_MAX; i++)
		if (t->at[i].state == state && t->at[i].place == place &&
			strcmp(t->at[i].path, path) == 0)
			return &t->at[i];
	return NULL;
}

/* NULL: there is no room. */
static struct whole *make(struct whole_table *t, enum whole_state state, const char *path,
	const struct domain_place *place, uint64_t grace_until_usec)
{
	for (int i = 0; i < WHOLE_MAX; i++) {
		struct whole *w = &t->at[i];

		if (w->state != WHOLE_FREE)
			continue;
		*w = (struct whole){
			.state = state, .place = place, .grace_until_usec = grace_until_usec
		};
		copy_cut(w->path, sizeof(w->path), path);
		return w;
	}
	return NULL;
}

int whole_note(struct whole_table *t, const char *path, const struct domain_place *place,
	bool known, uint64_t youngest_ticks, uint64_t grace_until_usec)
{
	enum whole_state state = known ? WHOLE_DUE : WHOLE_ASKED;
	struct whole *w = find(t, state, path, place);

	if (!w) {
		w = make(t, state, path, place, grace_until_usec);
		if (!w)
			return -ENOSPC;
		w->alone = !known;
		w->which.youngest_ticks = youngest_ticks;
	}
	return (int)(w - t->at);
}

void whole_join(struct whole_table *t, int i)
{
	/* What could not be done for those before may be for this one. */
	if (i >= 0 && t->at[i].slots++ == 0)
		t->at[i].until_usec = t->at[i].failed = 0;
}

/* Where no slot knows it, it is nobody's any more. */
static void set_done(struct whole *w)
{
	w->state = w->slots > 0 ? WHOLE_DONE : WHOLE_FREE;
}

void whole_leave(struct whole_table *t, int i)
{
	struct whole *w;

	if (i < 0)
		return;
	w = &t->at[i];
	if (--w->slots == 0 && (w->state == WHOLE_DONE || !(w->begun || w->killed)))
		set_done(w);
}

/* For the one slot of a cgroup that was made under the path of an older one. */
static int move_to_new(
	struct whole_table *t, struct whole *old, uint64_t id, uint64_t grace_until_usec)
{
	char path[CGROUP_PATH_SIZE];
	struct whole *w;

	memcpy(path, old->path, sizeof(path)); /* of which the place may be taken */
	old->slots--;
	set_done(old);
	w = make(t, WHOLE_DUE, path, old->place, grace_until_usec);
	if (!w)
		return -ENOSPC;
	w->which.id = id;
	w->slots = 1;
	return (int)(w - t->at);
}

int whole_seen(struct whole_table *t, int i, uint64_t id, uint64_t grace_until_usec)
{
	struct whole *w;

	if (i < 0 || id == 0 || t->at[i].which.id == id)
		return i;
	w = &t->at[i];
	if (w->which.id != 0)
		return move_to_new(t, w, id, grace_until_usec);
	w->which.id = id;
	w->begun = w->killed = w->alone = false;
	return i;
}

void whole_has_begun(struct whole_table *t, int i)
{
	if (i >= 0)
		t->at[i].begun = true;
}

void whole_has_sigkill(struct whole_table *t, int i)
{
	if (i >= 0)
		t->at[i].killed = true;
}

/* When it is to be seen to; UINT64_MAX: not as things are. */
static uint64_t due_usec(const struct whole_table *t, const struct whole *w)
{
	uint64_t due = max_u64(w->retry_usec, t->pause_usec);

	if (w->state != WHOLE_ASKED && w->state != WHOLE_DUE)
		return UINT64_MAX;
	if (w->killed || (w->begun && (w->state == WHOLE_ASKED || w->slots == 0)))
		return due;
	return w->begun ? max_u64(due, w->grace_until_usec) : UINT64_MAX;
}

uint64_t whole_next_usec(const struct whole_table *t, const struct domain_place *place)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < WHOLE_MAX; i++)
		if (t->at[i].place == place)
			next = min_u64(next, due_usec(t, &t->at[i]));
	return next;
}

/* Who has waited longest comes first. */
int whole_next(const struct whole_table *t, const struct domain_place *place, uint64_t now_usec)
{
	uint64_t first = UINT64_MAX;
	int next = -1;

	for (int i = 0; i < WHOLE_MAX; i++) {
		const struct whole *w = &t->at[i];

		if (w->place != place || due_usec(t, w) > now_usec || w->retry_usec >= first)
			continue;
		first = w->retry_usec;
		next = i;
	}
	return next;
}

void whole_answered(struct whole_table *t, int i, const char *path)
{
	struct whole *w = &t->at[i];

	/* The other is perhaps made anew since: whether anybody of that has died is not known. */
	if (!path || find(t, WHOLE_DUE, path, w->place)) {
		set_done(w);
		return;
	}
	w->state = WHOLE_DUE;
	copy_cut(w->path, sizeof(w->path), path);
	/* Nobody else of it has a slot, nor a grace that could be waited for. */
	w->killed = true;
	w->retry_usec = w->until_usec = w->failed = 0;
}

void whole_forget(struct whole_table *t, const struct domain_place *place)
{
	for (int i = 0; i < WHOLE_MAX; i++)
		if (t->at[i].place && (!place || t->at[i].place == place))
			set_done(&t->at[i]);
}

void whole_done(struct whole_table *t, int i)
{
	set_done(&t->at[i]);
}

bool whole_failed(struct whole_table *t, int i, uint64_t timeout_usec, uint64_t now_usec)
{
	struct whole *w = &t->at[i];

	if (w->until_usec == 0)
		w->until_usec = add_sat_u64(now_usec, timeout_usec);
	w->failed++;
	w->retry_usec = add_sat_u64(now_usec, RETRY_USEC);
	if (w->retry_usec <= w->until_usec)
		return true;
	set_done(w);
	return false;
}

void whole_took(struct whole_table *t, uint64_t took_usec, uint64_t now_usec)
{
	if (took_usec >= SLOW_USEC)
		t->pause_usec = add_sat_u64(now_usec, PAUSE_TIMES * took_usec);
}
