/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"
#include "status.h"

static void set_count(struct json *j, const char *key, uint64_t value)
{
	json_set_number(j, key, (int64_t)min_u64(value, INT64_MAX));
}

static struct json *domains_json(const struct wire_state *w)
{
	struct json *list = json_array_new();

	for (uint32_t i = 0; i < w->domain_count && i < WIRE_DOMAINS; i++) {
		const struct wire_domain *d = &w->domains[i];
		struct json *j = json_object_new();

		json_set_text(j, "name", d->name);
		json_set_text(j, "path", d->path);
		json_set_bool(j, "trigger_armed", d->trigger_armed);
		json_set_number(j, "matched", d->matched);
		json_set_number(j, "troubled", d->troubled);
		json_add(list, j);
	}
	return list;
}

static struct json *victim_json(const struct wire_victim *v, bool in_flight)
{
	char comm[TASK_COMM_LEN + 1] = "";
	struct json *j = json_object_new();

	json_set_number(j, "pid", v->id.pid);
	json_set_number(j, "members", v->members);
	if (!in_flight)
		return j;
	memcpy(comm, v->comm, TASK_COMM_LEN);
	json_set_text(j, "comm", comm);
	set_count(j, "expected_bytes", v->expected_bytes);
	return j;
}

static struct json *victims_json(
	const struct wire_victim *list, uint32_t count, uint32_t room, bool in_flight)
{
	struct json *j = json_array_new();

	for (uint32_t i = 0; i < count && i < room; i++)
		json_add(j, victim_json(&list[i], in_flight));
	return j;
}

static struct json *counts_json(const struct wire_state *w)
{
	const struct report_counts *c = &w->counts;
	struct json *j = json_object_new();

	set_count(j, "looks", w->looks);
	set_count(j, "episodes", c->episodes);
	set_count(j, "kills", c->kills);
	set_count(j, "freed", c->freed);
	set_count(j, "freed_bytes", c->freed_bytes);
	set_count(j, "stuck", c->stuck);
	set_count(j, "pinned", c->pinned);
	set_count(j, "no_victim", c->no_victim);
	set_count(j, "steps", c->steps);
	set_count(j, "kernel_kills", c->kernel_kills);
	set_count(j, "events_lost", c->lost);
	return j;
}

static struct json *config_json(const struct status *s)
{
	struct json *j = json_object_new();

	json_set_text(j, "path", s->state.config_path);
	json_set_number(j, "rules", s->state.rules);
	set_count(j, "age_usec", sub_or_zero_u64(s->now_usec, s->state.configured_usec));
	json_set_bool(j, "refused", s->state.reload_failed);
	return j;
}

struct json *status_json(struct status *s)
{
	static const char *const levels[] = {
		[LEVEL_OK] = "ok", [LEVEL_WARN] = "warn", [LEVEL_KILL] = "kill"
	};
	static const char *const causes[] = {
		[CAUSE_NONE] = NULL, [CAUSE_MEMORY] = "memory", [CAUSE_PRESSURE] = "pressure"
	};
	const struct wire_state *w = &s->state;
	struct json *j = json_object_new();
	struct figures figures;

	figures_of_state(&figures, w);
	json_set_bool(j, "reached", true);
	json_set_text(j, "version", s->version);
	json_set_number(j, "pid", s->pid);
	set_count(j, "age_usec", sub_or_zero_u64(s->now_usec, w->started_usec));
	set_count(j, "last_look_usec", sub_or_zero_u64(s->now_usec, w->at_usec));
	json_set_bool(j, "dry_run", w->dry_run);
	json_set_bool(j, "in_episode", w->in_episode);
	json_set_text(j, "level", levels[w->level]);
	json_set_text(j, "cause", causes[w->cause]);
	json_set(j, "memory", describe_memory(&w->mem));
	json_set(j, "warn", figures_level_json(&w->mem, &figures.warn));
	json_set(j, "kill", figures_level_json(&w->mem, &figures.kill));
	json_set_text(j, "pressure", NULL);
	json_set(j, "pressure", averages_json(&s->pressure, s->pressure_error));
	json_set_bool(j, "trigger_armed", w->trigger_armed);
	json_set(j, "domains", domains_json(w));
	json_set_number(j, "hidden_count", w->hidden_count);
	json_set(j, "hidden", victims_json(w->hidden, w->hidden_count, WIRE_HIDDEN, false));
	json_set_number(j, "in_flight_count", w->flight_count);
	json_set(j, "in_flight", victims_json(w->flight, w->flight_count, WIRE_FLIGHT, true));
	json_set(j, "since_start", counts_json(w));
	json_set(j, "config", config_json(s));
	json_set_text(j, "evidence", w->evidence);
	json_set_text(j, "cgroups", w->cgroups);
	/* null: they could not be read. */
	json_set_text(j, "episodes", NULL);
	json_set(j, "episodes",
		s->history_error == -ENOENT ? json_array_new() : take_pointer(&s->episodes));
	return j;
}
