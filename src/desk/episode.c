/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "episode.h"

#include <string.h>

#define OPEN_MAX (CONFIG_DOMAINS_MAX + 1)

struct place {
	bool used;
	uint64_t heard_usec; /* of its last event */
	struct episode episode;
};

struct episodes {
	uint64_t next_id;
	struct place *ended;              /* handed out by this call: still to be read */
	struct place *signalled;          /* to whose victim the last signal went */
	struct place place[OPEN_MAX + 1]; /* one more, for the one that ended */
};

int episodes_new(uint64_t next_id, struct episodes **ret)
{
	struct episodes *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->next_id = max_u64(next_id, 1);
	*ret = e;
	return 0;
}

void episodes_free(struct episodes *e)
{
	free(e);
}

static struct place *find(struct episodes *e, const char *domain_path)
{
	for (size_t i = 0; i < ARRAY_SIZE(e->place); i++)
		if (e->place[i].used && strcmp(e->place[i].episode.domain_path, domain_path) == 0)
			return &e->place[i];
	return NULL;
}

/* The one under way that an event belongs to, or NULL. That a whole cgroup died is told without
 * the domain, right after the signal to the victim that it died with. */
static struct place *place_of(struct episodes *e, const struct report_event *event)
{
	if (event->kind == REPORT_WHOLE && !event->domain_path[0] && e->signalled)
		return e->signalled;
	return find(e, event->domain_path);
}

/* Kills of the kernel's are told after the recovery, whose event counts them too; and of a cgroup
 * that died nobody knows whose victim it was, where the signal to that was not heard. */
static bool may_open(enum report_kind kind)
{
	return kind != REPORT_KERNEL_OOM && kind != REPORT_WHOLE;
}

/* There is always room: take_one_out() sees to that. */
static struct place *open_place(struct episodes *e, const struct report_event *event,
	uint64_t now_usec, uint64_t realtime_usec)
{
	struct place *p = e->place;
	uint64_t age_usec = sub_or_zero_u64(now_usec, event->at_usec);

	while (p->used || p == e->ended)
		p++;
	p->used = true;
	p->episode.id = e->next_id++;
	p->episode.began_usec = event->at_usec;
	p->episode.began_realtime_usec = sub_or_zero_u64(realtime_usec, age_usec);
	p->episode.ended_usec = 0;
	p->episode.recovered = false;
	p->episode.step_count = 0;
	p->episode.steps_lost = 0;
	copy_cut(p->episode.domain, sizeof(p->episode.domain), event->domain);
	copy_cut(p->episode.domain_path, sizeof(p->episode.domain_path), event->domain_path);
	return p;
}

/* The last step is kept for the recovery, which sums up. */
static void add_step(struct place *p, const struct report_event *event, uint32_t lost)
{
	struct episode *e = &p->episode;
	uint32_t room = EPISODE_STEPS_MAX - (event->kind != REPORT_RECOVERED);

	p->heard_usec = event->at_usec;
	e->steps_lost += lost;
	if (e->step_count < room)
		e->steps[e->step_count++].event = *event;
	else
		e->steps_lost++;
}

static const struct episode *end_place(struct episodes *e, struct place *p, uint64_t at_usec)
{
	p->used = false;
	p->episode.ended_usec = max_u64(at_usec, p->episode.began_usec);
	if (e->signalled == p)
		e->signalled = NULL;
	e->ended = p;
	return &p->episode;
}

/* The recovery tells how long it took, also to whom the beginning has not seen. */
static const struct episode *recover(
	struct episodes *e, struct place *p, const struct report_event *event)
{
	uint64_t began_usec = sub_or_zero_u64(event->at_usec, event->latency_usec);
	uint64_t earlier_usec = sub_or_zero_u64(p->episode.began_usec, began_usec);

	p->episode.began_usec -= earlier_usec;
	p->episode.began_realtime_usec =
		sub_or_zero_u64(p->episode.began_realtime_usec, earlier_usec);
	p->episode.recovered = true;
	return end_place(e, p, event->at_usec);
}

/* More are under way than there can be: the end of one was lost, most likely of the one that was
 * not heard of for longest. NULL: there are not. */
static const struct episode *take_one_out(struct episodes *e)
{
	struct place *oldest = NULL;
	uint32_t open = 0;

	for (size_t i = 0; i < ARRAY_SIZE(e->place); i++) {
		struct place *p = &e->place[i];

		if (!p->used)
			continue;
		open++;
		if (!oldest || p->heard_usec < oldest->heard_usec)
			oldest = p;
	}
	return open > OPEN_MAX ? end_place(e, oldest, oldest->heard_usec) : NULL;
}

const struct episode *episodes_take(struct episodes *e, const struct report_event *event,
	uint32_t lost, uint64_t now_usec, uint64_t realtime_usec)
{
	const struct episode *ended = NULL;
	struct place *p = place_of(e, event);

	e->ended = NULL;
	/* A second beginning: the end of the first was lost. */
	if (p && event->kind == REPORT_EPISODE_BEGAN) {
		ended = end_place(e, p, p->heard_usec);
		p = NULL;
	}
	if (!p && !may_open(event->kind))
		return NULL;
	if (!p)
		p = open_place(e, event, now_usec, realtime_usec);
	add_step(p, event, lost);
	if (event->kind == REPORT_SIGNALLED)
		e->signalled = p;
	if (event->kind == REPORT_RECOVERED)
		return recover(e, p, event);
	return ended ? ended : take_one_out(e);
}

const struct episode *episodes_end(struct episodes *e, uint64_t now_usec)
{
	for (size_t i = 0; i < ARRAY_SIZE(e->place); i++)
		if (e->place[i].used)
			return end_place(e, &e->place[i], now_usec);
	return NULL;
}

const struct episode *episodes_open(const struct episodes *e, uint32_t i)
{
	for (size_t n = 0; n < ARRAY_SIZE(e->place); n++)
		if (e->place[n].used && i-- == 0)
			return &e->place[n].episode;
	return NULL;
}
