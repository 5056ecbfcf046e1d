/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include "clock.h"
#include "survive.h"
#include "util.h"

#include <string.h>

/* More steps than all slots can need; then the event loop gets its turn. */
#define STEPS_MAX 512
/* A core touches new pages at about this rate; the fastest fill is by all of them. */
#define FILL_PER_CPU_BYTES (1 * GIB)

void watch_init(struct watch *w, const struct config *c, const struct domain_place *place,
	uint64_t fill_rate_bytes, watch_read_fn *read, void *ctx)
{
	memset(w, 0, sizeof(*w));
	w->config = c;
	w->place = place;
	w->read = read;
	w->ctx = ctx;
	engine_init(&w->engine, c);
	fill_rate_init(&w->fill, fill_rate_bytes);
}

void watch_set_config(struct watch *w, const struct config *c, uint64_t fill_rate_bytes)
{
	w->config = c;
	engine_set_config(&w->engine, c);
	/* By other rules it is another choice, and worth saying again. */
	memset(w->said.none, 0, sizeof(w->said.none));
	fill_rate_init(&w->fill, fill_rate_bytes);
}

uint64_t watch_fill_rate_bytes(const struct config *c)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return c->fill_rate_bytes > 0 ? c->fill_rate_bytes
				      : FILL_PER_CPU_BYTES * (uint64_t)(cpus > 0 ? cpus : 1);
}

uint64_t watch_span_usec(const struct config *c)
{
	uint64_t warn = c->warn.pressure.set ? c->warn.pressure.span_usec : 0;
	uint64_t kill = c->kill.pressure.set ? c->kill.pressure.span_usec : 0;

	return max_u64(warn, kill);
}

void watch_alarm(struct watch *w, uint64_t now_usec)
{
	w->stalling_until_usec = now_usec + 2 * max_u64(watch_span_usec(w->config), USEC_PER_SEC);
}

bool watch_is_busy(const struct watch *w)
{
	return w->engine.in_episode || w->engine.victim_count > 0 || w->rest_is_due;
}

bool watch_may_keep_house(const struct watch *w, uint64_t now_usec)
{
	return !w->rest_is_due && engine_may_keep_house(&w->engine, now_usec);
}

static bool reaches(const struct watch *w, const struct config_level *l)
{
	return l->pressure.set && psi_history_reaches(&w->history, &l->pressure, w->input.now_usec);
}

static void measure_growth(struct watch *w)
{
	struct engine_input *in = &w->input;

	if (w->growth_from_usec != w->engine.growth_from_usec &&
		in->now_usec >= w->engine.growth_from_usec) {
		w->growth_from_usec = w->engine.growth_from_usec;
		fill_rate_restart(&w->fill);
	}
	fill_rate_add(&w->fill, in->now_usec,
		add_sat_u64(w->mem.available_bytes, w->mem.swap_free_bytes));
	in->fastest_bytes_per_sec = w->fill.fastest_bytes;
	in->growth_bytes_per_sec = fill_rate_growth(&w->fill, in->now_usec);
}

static bool goes_on(const struct config_level *l, const struct pressure *since,
	const struct pressure *p, uint64_t elapsed_usec)
{
	return l->pressure.set &&
		psi_stall_usec(&l->pressure, since, p) >=
		mul_div_u64(elapsed_usec, l->pressure.percent, 100);
}

/* A step has had its time: where it ended the stalls those from before it count no longer, or the
 * ladder would be climbed for as long as a span reaches back. */
static void judge_step(struct watch *w, const struct pressure *p)
{
	uint64_t elapsed = sub_or_zero_u64(w->input.now_usec, w->step_usec);

	if (w->step_taken) {
		w->step_taken = false;
		w->step_usec = w->input.now_usec;
		w->step_pressure = *p;
		return;
	}
	if (w->step_usec == 0 || elapsed < w->config->step_timeout_usec)
		return;
	if (!goes_on(&w->config->warn, &w->step_pressure, p, elapsed) &&
		!goes_on(&w->config->kill, &w->step_pressure, p, elapsed))
		w->history.count = 0;
	w->step_usec = 0;
}

/* Fills the input with the readings of now. 0 or -errno. */
static int sense(struct watch *w)
{
	struct engine_input *in = &w->input;
	uint64_t span = watch_span_usec(w->config);
	bool has_pressure = false;
	struct pressure p;
	int r = w->read(w->ctx, &w->mem, &p, span > 0, &has_pressure);

	if (r < 0)
		return r;
	in->now_usec = monotonic_usec();
	in->mem = &w->mem;
	measure_growth(w);
	if (has_pressure) {
		psi_history_add(&w->history, in->now_usec, &p, span);
		judge_step(w, &p);
	}
	in->pressure_warn = reaches(w, &w->config->warn);
	in->pressure_kill = reaches(w, &w->config->kill);
	in->stalling = in->now_usec < w->stalling_until_usec;
	in->seen_count = 0;
	return 0;
}

/* What has been seen once a look need not be looked at for each that is done. */
static bool changes_what_is_seen(enum action_kind kind)
{
	return kind == ACTION_CHOOSE || kind == ACTION_UPGRADE || kind == ACTION_STEP;
}

int watch_look(struct watch *w, struct actor *a, uint64_t coming_elsewhere_bytes,
	uint64_t detected_usec, uint64_t *ret_until_usec)
{
	struct act_context c = { .engine = &w->engine,
		.in = &w->input,
		.place = w->place,
		.said = &w->said,
		.detected_usec = detected_usec,
		.faults = survive_major_faults() };
	bool observe = true;

	*ret_until_usec = detected_usec;
	w->rest_is_due = false;
	actor_enter(a, w->place);
	w->input.coming_elsewhere_bytes = coming_elsewhere_bytes;
	for (int i = 0; i < STEPS_MAX; i++) {
		int r = sense(w);

		if (r < 0)
			return r;
		if (observe) {
			actor_observe(a, &w->engine, &w->input);
			w->input.look_usec = sub_or_zero_u64(monotonic_usec(), w->input.now_usec);
		}
		/* The outcome of the last action may yet have to be told, if sensing failed after
		 * it. */
		engine_step(&w->engine, &w->input, &w->action);
		w->input.outcome = NULL;
		if (w->action.kind == ACTION_WAIT) {
			*ret_until_usec = actor_settle(a, &c);
			w->rest_is_due = *ret_until_usec != UINT64_MAX;
			*ret_until_usec = min_u64(*ret_until_usec, w->action.deadline_usec);
			return 0;
		}
		actor_carry_out(a, &c, &w->action, &w->outcome);
		w->input.outcome = &w->outcome;
		observe = changes_what_is_seen(w->action.kind);
		/* Stalls from before a death say nothing about the time after it. */
		if (w->action.kind == ACTION_FREED)
			w->history.count = 0;
		if (w->action.kind == ACTION_STEP && w->action.step != LADDER_AVOIDED)
			w->step_taken |= w->outcome.acted;
	}
	return 0;
}
