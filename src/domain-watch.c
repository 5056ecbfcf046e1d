/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domains that stall. Apart from domain.c because which cgroups there are is one question, and
 * how they fare another.
 */
#include "clock.h"
#include "domain-internal.h"
#include "util.h"

#include <string.h>

/* Reading the domains of the sections that have an alarm: so often, and for this part of the time
 * at most. */
#define SWEEP_EVERY_USEC (300 * USEC_PER_MSEC)
#define SWEEP_PART       10
/* Of the stall that a level asks for: this makes a domain worth an engine, and keeps it. */
#define TROUBLE_PART UINT64_C(2)

/* Whether what came to a reading since the last, so long ago, could lead to the level. */
static bool is_trouble(const struct config_pressure *p, const struct pressure *before,
	const struct pressure *now, uint64_t elapsed_usec)
{
	uint64_t stall = psi_stall_usec(p, before, now);
	uint64_t percent = p->set ? p->percent : 1;

	return stall > 0 &&
		mul_sat_u64(stall, 100 * TROUBLE_PART) >= mul_sat_u64(elapsed_usec, percent);
}

static int read_domain(void *ctx, struct meminfo *ret, struct pressure *ret_pressure,
	bool want_pressure, bool *ret_has_pressure)
{
	struct troubled *t = ctx;
	struct cgroup_memory m = { .limit_bytes = UINT64_MAX, .swap_limit_bytes = UINT64_MAX };
	char text[256];
	int r = cgroup_handle_memory(t->handle, &m);

	*ret_has_pressure = want_pressure &&
		cgroup_handle_pressure(t->handle, text, sizeof(text)) == 0 &&
		psi_parse(text, ret_pressure) == 0;
	/* Where no figure is to be had the pressure alone decides; with neither it is gone, and
	 * then there is no shortage in it. */
	t->gone = r < 0 && !*ret_has_pressure;
	domain_meminfo(&m, t->machine, ret);
	t->limited = m.limit_bytes < t->machine->total_bytes;
	/* A size that this one could never have left is meant for larger ones: it counts as not
	 * reached. */
	if (t->memory->kind == AMOUNT_BYTES && t->memory->value > ret->total_bytes / 10 * 9)
		ret->available_bytes = max_u64(ret->total_bytes, add_sat_u64(t->memory->value, 1));
	if (t->gone)
		t->watch.history.count = 0;
	if (!*ret_has_pressure)
		return 0;
	uint64_t now = monotonic_usec();

	if (now - t->read_usec < SWEEP_EVERY_USEC)
		return 0;
	if (is_trouble(t->pressure, &t->last, ret_pressure, now - t->read_usec))
		watch_alarm(&t->watch, now);
	t->last = *ret_pressure;
	t->read_usec = now;
	return 0;
}

static struct troubled *free_place(struct domains *d)
{
	for (uint32_t i = 0; i < TROUBLED_MAX; i++)
		if (!d->troubled[i].used)
			return &d->troubled[i];
	return NULL;
}

static bool is_same(const struct troubled *t, const struct domain *known)
{
	return t->section == known->section && strcmp(t->path, known->path) == 0;
}

static bool is_troubled(const struct domains *d, const struct domain *known)
{
	for (uint32_t i = 0; i < TROUBLED_MAX; i++)
		if (d->troubled[i].used && is_same(&d->troubled[i], known))
			return true;
	return false;
}

/* What was read while it was watched closely counts as read: its stalls have been dealt with. */
static void hand_back(struct domains *d, const struct troubled *t)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (is_same(t, &d->domain[i])) {
			d->domain[i].last = t->last;
			d->domain[i].read_usec = t->read_usec;
		}
}

/* Gives a domain an engine, with what is known of its past. */
static void watch_closely(
	struct domains *d, const struct domain *known, const struct pressure *p, uint64_t now_usec)
{
	const struct config_domain *s = &d->config->domains[known->section];
	const struct config *c = d->section[known->section].config;
	struct troubled *t = free_place(d);

	if (!t || cgroup_handle_open(d->mounts, known->path, &t->handle) < 0)
		return; /* the next sweep finds it again */
	t->used = true;
	t->gone = false;
	t->limited = false;
	t->section = known->section;
	memcpy(t->path, known->path, strlen(known->path) + 1);
	t->place = (struct domain_place){ .name = s->name, .path = t->path, .kill = s->kill };
	t->machine = d->machine;
	t->memory = &s->memory;
	t->pressure = &s->pressure;
	t->last = *p;
	t->read_usec = now_usec;
	watch_init(&t->watch, c, &t->place, c->fill_rate_bytes, read_domain, t);
	if (s->pressure.set)
		psi_history_add(
			&t->watch.history, known->read_usec, &known->last, s->pressure.span_usec);
	watch_alarm(&t->watch, now_usec);
}

void domain_leave(struct troubled *t)
{
	cgroup_handle_close(t->handle);
	t->handle = NULL;
	t->used = false;
}

/* Reads one domain; gives it an engine if it stalls. */
static void check(struct domains *d, struct domain *known)
{
	uint64_t now = monotonic_usec(), elapsed = now - known->read_usec;
	const struct config_pressure *level = &d->config->domains[known->section].pressure;
	struct pressure p;
	char text[256];

	if (is_troubled(d, known) ||
		cgroup_pressure_text(d->mounts, known->path, text, sizeof(text)) < 0 ||
		psi_parse(text, &p) < 0)
		return;
	/* What came since before the alarm says nothing about now. */
	if (known->read_usec >= d->section[known->section].alarmed_since_usec &&
		is_trouble(level, &known->last, &p, elapsed))
		watch_closely(d, known, &p, now);
	known->last = p;
	known->read_usec = now;
}

/* Reads all domains of the sections that have an alarm. Returns when to do so again. */
static uint64_t sweep(struct domains *d, uint64_t now_usec)
{
	uint64_t alarmed = 0, cpu = thread_cpu_usec();

	for (uint32_t i = 0; i < d->config->domain_count; i++)
		if (now_usec < d->section[i].alarmed_until_usec)
			alarmed |= UINT64_C(1) << i;
	if (alarmed == 0)
		return USEC_NEVER;
	if (now_usec < d->next_sweep_usec)
		return d->next_sweep_usec;
	for (uint32_t i = 0; i < d->count; i++)
		if (alarmed & UINT64_C(1) << d->domain[i].section)
			check(d, &d->domain[i]);
	cpu = thread_cpu_usec() - cpu;
	d->next_sweep_usec = now_usec + max_u64(SWEEP_EVERY_USEC, cpu * SWEEP_PART);
	return d->next_sweep_usec;
}

/* Without a limit of its own a cgroup stalls with the machine: the machine's victims end that. */
static bool is_held(const struct troubled *t, enum domains_hold hold)
{
	return hold == DOMAINS_HOLD_ALL || (hold == DOMAINS_HOLD_UNLIMITED && !t->limited);
}

uint64_t domains_look(
	struct domains *d, struct actor *a, enum domains_hold hold, uint64_t detected_usec)
{
	uint64_t until;

	if (!d)
		return USEC_NEVER;
	until = sweep(d, monotonic_usec());
	for (uint32_t i = 0; i < TROUBLED_MAX; i++) {
		struct troubled *t = &d->troubled[i];
		uint64_t next = USEC_NEVER;
		bool held;

		if (!t->used)
			continue;
		held = is_held(t, hold);
		watch_look(&t->watch, a, held ? UINT64_MAX : 0, detected_usec, &next);
		/* What ends the machine's shortage ends this one, if it has none of its own: its
		 * stalls count from then on. */
		if (held && !t->limited)
			t->watch.history.count = 0;
		if (!watch_is_busy(&t->watch) &&
			(t->gone || monotonic_usec() >= t->watch.stalling_until_usec)) {
			hand_back(d, t);
			actor_forget(a, &t->place);
			domain_leave(t);
		} else {
			until = min_u64(until, next);
		}
	}
	return until;
}

bool domains_may_keep_house(const struct domains *d, uint64_t now_usec)
{
	for (uint32_t i = 0; d && i < TROUBLED_MAX; i++)
		if (d->troubled[i].used && !watch_may_keep_house(&d->troubled[i].watch, now_usec))
			return false;
	return true;
}

uint64_t domains_coming_bytes(const struct domains *d)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; d && i < TROUBLED_MAX; i++) {
		const struct watch *w = &d->troubled[i].watch;

		if (d->troubled[i].used && w->input.mem)
			sum = add_sat_u64(sum, engine_coming_bytes(&w->engine, &w->input));
	}
	return sum;
}
