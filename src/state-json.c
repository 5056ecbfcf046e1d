/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state-json.h"
#include "build-config.h"

const char *state_level_name(enum engine_level level)
{
	switch (level) {
	case LEVEL_OK:
		return "ok";
	case LEVEL_WARN:
		return "warn";
	case LEVEL_KILL:
		return "kill";
	}
	return "?";
}

static const char *cause_name(enum engine_cause cause)
{
	switch (cause) {
	case CAUSE_NONE:
		break;
	case CAUSE_MEMORY:
		return "memory";
	case CAUSE_PRESSURE:
		return "pressure";
	}
	return NULL;
}

/* How long ago; null: never. */
static void set_ago(struct json *j, const char *key, uint64_t at_usec, uint64_t now_usec)
{
	if (at_usec == 0)
		json_set_text(j, key, NULL);
	else
		json_set_u64(j, key, sub_or_zero_u64(now_usec, at_usec));
}

static struct json *memory_json(const struct meminfo *m)
{
	struct json *j = json_object_new();

	json_set_u64(j, "total_bytes", m->total_bytes);
	json_set_u64(j, "available_bytes", m->available_bytes);
	json_set_u64(j, "anon_bytes", m->anon_bytes);
	json_set_u64(j, "shmem_bytes", m->shmem_bytes);
	json_set_u64(j, "swap_total_bytes", m->swap_total_bytes);
	json_set_u64(j, "swap_free_bytes", m->swap_free_bytes);
	return j;
}

static void set_amount(struct json *j, const char *key, uint64_t bytes)
{
	if (bytes == 0)
		json_set_text(j, key, NULL);
	else
		json_set_u64(j, key, bytes);
}

static struct json *level_json(
	uint64_t memory_bytes, uint64_t swap_bytes, const struct config_pressure *p)
{
	struct json *j = json_object_new(), *pressure = NULL;

	set_amount(j, "memory_bytes", memory_bytes);
	set_amount(j, "swap_bytes", swap_bytes);
	if (p->set) {
		pressure = json_object_new();
		json_set_text(pressure, "kind", p->full ? "full" : "some");
		json_set_number(pressure, "percent", p->percent);
		json_set_u64(pressure, "span_usec", p->span_usec);
		json_set(j, "pressure", pressure);
	} else {
		json_set_text(j, "pressure", NULL);
	}
	return j;
}

static struct json *counts_json(const struct wire_state *s)
{
	const struct report_counts *c = &s->counts;
	struct json *j = json_object_new();

	json_set_u64(j, "looks", s->looks);
	json_set_u64(j, "episodes", c->episodes);
	json_set_u64(j, "kills", c->kills);
	json_set_u64(j, "freed", c->freed);
	json_set_u64(j, "stuck", c->stuck);
	json_set_u64(j, "pinned", c->pinned);
	json_set_u64(j, "no_victim", c->no_victim);
	json_set_u64(j, "ladder_steps", c->steps);
	json_set_u64(j, "kernel_oom_kills", c->kernel_kills);
	json_set_u64(j, "freed_bytes", c->freed_bytes);
	json_set_u64(j, "events_lost", c->lost);
	return j;
}

/* The first of them, as many as the page has. */
static struct json *victims_json(
	const struct wire_victim *v, uint32_t count, uint32_t room, bool in_flight)
{
	struct json *array = json_array_new();

	for (uint32_t i = 0; i < count && i < room; i++) {
		struct json *j = json_object_new();
		char comm[TASK_COMM_LEN + 1] = "";

		json_set_number(j, "pid", v[i].id.pid);
		json_set_number(j, "members", v[i].members);
		if (in_flight) {
			memcpy(comm, v[i].comm, TASK_COMM_LEN);
			json_set_text(j, "comm", comm);
			json_set_u64(j, "expected_bytes", v[i].expected_bytes);
		}
		json_add(array, j);
	}
	return array;
}

static struct json *domains_json(const struct wire_state *s)
{
	struct json *array = json_array_new();

	for (uint32_t i = 0; i < s->domain_count && i < WIRE_DOMAINS; i++) {
		const struct wire_domain *d = &s->domains[i];
		struct json *j = json_object_new();

		json_set_text(j, "name", d->name);
		json_set_text(j, "path", d->path);
		json_set_number(j, "matched", d->matched);
		json_set_number(j, "troubled", d->troubled);
		json_set_bool(j, "trigger_armed", d->trigger_armed);
		json_add(array, j);
	}
	return array;
}

static struct json *config_json(const struct wire_state *s, uint64_t now_usec)
{
	struct json *j = json_object_new();

	json_set_text(j, "path", s->config_path);
	json_set_number(j, "rules", s->rules);
	set_ago(j, "age_usec", s->configured_usec, now_usec);
	json_set_bool(j, "reload_failed", s->reload_failed);
	return j;
}

static void set_running(struct json *j, const struct wire_state *s, pid_t pid, uint64_t now_usec)
{
	json_set_number(j, "pid", pid);
	set_ago(j, "uptime_usec", s->started_usec, now_usec);
	set_ago(j, "last_look_ago_usec", s->at_usec, now_usec);
	json_set_u64(j, "next_look_in_usec", sub_or_zero_u64(s->next_look_usec, now_usec));
	json_set_bool(j, "dry_run", s->dry_run);
	json_set_bool(j, "trigger_armed", s->trigger_armed);
	json_set_text(j, "evidence", s->evidence);
	json_set_text(j, "cgroups", s->cgroups);
	json_set(j, "config", config_json(s, now_usec));
	json_set(j, "memory", memory_json(&s->mem));
	json_set(
		j, "warn", level_json(s->warn_memory_bytes, s->warn_swap_bytes, &s->warn_pressure));
	json_set(
		j, "kill", level_json(s->kill_memory_bytes, s->kill_swap_bytes, &s->kill_pressure));
	json_set_text(j, "level", state_level_name(s->level));
	json_set_text(j, "cause", cause_name(s->cause));
	json_set_bool(j, "in_episode", s->in_episode);
	set_ago(j, "episode_usec", s->in_episode ? s->episode_began_usec : 0, now_usec);
	json_set(j, "counts", counts_json(s));
	json_set_number(j, "in_flight_count", s->flight_count);
	json_set(j, "in_flight", victims_json(s->flight, s->flight_count, WIRE_FLIGHT, true));
	json_set_number(j, "hidden_count", s->hidden_count);
	json_set(j, "hidden", victims_json(s->hidden, s->hidden_count, WIRE_HIDDEN, false));
	json_set(j, "domains", domains_json(s));
}

struct json *state_json(const struct wire_state *s, pid_t pid, uint64_t now_usec)
{
	struct json *j = json_object_new();

	json_set_text(j, "version", OOMFWD_VERSION);
	json_set_bool(j, "running", s != NULL);
	if (s)
		set_running(j, s, pid, now_usec);
	return j;
}
