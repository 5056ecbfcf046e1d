/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "status.h"
#include "build-config.h"

#include "past.h"
#include "state-json.h"

#include <stdarg.h>

#define LINE_SIZE 1024

/* "Label      what there is to say"; without a label one more line of the last. */
static void print_line(FILE *f, const char *label, const char *text)
{
	fprintf(f, "%-12s%s\n", label, text);
}

static _printf_(3, 4) void print_format(FILE *f, const char *label, const char *format, ...)
{
	va_list args;

	fprintf(f, "%-12s", label);
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	fputc('\n', f);
}

static uint64_t age_of(const struct status *s, uint64_t at_usec)
{
	return sub_or_zero_u64(s->now_usec, at_usec);
}

/* --- parts --- */

/* More than the time of a reading, and than a busy machine makes it wait. */
#define OVERDUE_USEC (5 * USEC_PER_SEC)

static void print_daemon(FILE *f, const struct status *s)
{
	const struct wire_state *w = &s->state;
	char line[LINE_SIZE];
	struct text t = { line, sizeof(line) };

	/* Its version is ours, or it would not have talked to us. */
	text_add(&t, "%s, pid %d, for ", OOMFWD_VERSION, (int)s->pid);
	say_span(&t, age_of(s, w->started_usec));
	text_add(&t, "; last look ");
	say_span(&t, age_of(s, w->at_usec));
	text_add(&t, " ago");
	if (w->next_look_usec >= s->now_usec && w->next_look_usec != USEC_NEVER) {
		text_add(&t, ", the next within ");
		say_span(&t, w->next_look_usec - s->now_usec + USEC_PER_SEC - 1);
	}
	print_line(f, "oomfwd", line);
	if (w->dry_run)
		print_line(f, "", "DRY RUN: it only says whom it would kill; nobody is guarded");
	if (w->next_look_usec < s->now_usec && age_of(s, w->next_look_usec) > OVERDUE_USEC)
		print_line(f, "",
			"IT IS LATE: the next look is overdue; see journalctl -u oomfwd, then "
			"systemctl restart oomfwd");
}

static void print_episode_now(FILE *f, const struct status *s)
{
	const struct wire_state *w = &s->state;
	char line[LINE_SIZE];
	struct text t = { line, sizeof(line) };

	if (!w->in_episode)
		return;
	text_add(&t, "memory is short: %s level, by %s, for ",
		w->level == LEVEL_KILL ? "kill" : "warn",
		w->cause == CAUSE_PRESSURE ? "pressure" : "available memory");
	text_usec(&t, age_of(s, w->episode_began_usec));
	print_line(f, "Now", line);
}

static void print_level(
	FILE *f, const char *label, const struct meminfo *m, const struct figures_level *l)
{
	char line[LINE_SIZE] = "";
	struct text t = { line, sizeof(line) };

	figures_say_distance(&t, m, l);
	if (l->memory_bytes > 0 || l->pressure.set) {
		text_add(&t, " (at ");
		figures_say_level(&t, m, l);
		text_add(&t, ")");
	}
	print_line(f, label, line);
}

static void print_figures(FILE *f, const struct status *s)
{
	char line[LINE_SIZE] = "";
	struct text t = { line, sizeof(line) };
	struct figures figures;

	figures_of_state(&figures, &s->state);
	figures_say_memory(&t, &figures.mem);
	print_line(f, "Memory", line);
	print_level(f, "Warn level", &figures.mem, &figures.warn);
	print_level(f, "Kill level", &figures.mem, &figures.kill);
	t = (struct text){ line, sizeof(line) };
	averages_say(&t, &s->pressure, s->pressure_error);
	text_add(&t, "%s", s->pressure_error < 0 ? "" : " (in 10 s, 1 min, 5 min)");
	print_line(f, "Pressure", line);
}

static void print_domain(FILE *f, const char *label, const struct wire_domain *d)
{
	char line[LINE_SIZE] = "";
	struct text t = { line, sizeof(line) };

	text_add(&t, "[cgroup ");
	text_escaped(&t, d->name);
	text_add(&t, "] ");
	text_escaped(&t, d->path);
	text_add(&t, ": trigger %s, %u cgroup%s", d->trigger_armed ? "armed" : "NOT armed",
		d->matched, d->matched == 1 ? "" : "s");
	if (d->matched == 0)
		text_add(&t, " (nothing matches its path now)");
	if (d->troubled > 0)
		text_add(&t, ", %u watched closely", d->troubled);
	print_line(f, label, line);
}

static void print_triggers(FILE *f, const struct wire_state *w)
{
	print_line(f, "Triggers",
		w->trigger_armed ? "machine: armed"
				 : "machine: NOT armed, it looks by timer alone (no PSI?)");
	for (uint32_t i = 0; i < w->domain_count && i < WIRE_DOMAINS; i++)
		print_domain(f, "", &w->domains[i]);
}

static void say_more(struct text *t, uint32_t all, uint32_t shown)
{
	if (all > shown)
		text_add(t, " and %u more", all - shown);
}

static void print_hidden(FILE *f, const struct wire_state *w)
{
	char line[LINE_SIZE];
	struct text t = { line, sizeof(line) };
	uint32_t shown = 0;

	if (w->hidden_count == 0) {
		print_line(f, "Hidden", "no mm: nobody's kill has failed to free memory");
		return;
	}
	text_add(&t, "%u mm%s that a kill did not free, of pid", w->hidden_count,
		w->hidden_count == 1 ? "" : "s");
	for (; shown < w->hidden_count && shown < WIRE_HIDDEN && t.left > 64; shown++) {
		text_add(&t, "%s %d", shown > 0 ? "," : "", (int)w->hidden[shown].id.pid);
		if (w->hidden[shown].members > 1)
			text_add(&t, " (%u processes)", w->hidden[shown].members);
	}
	say_more(&t, w->hidden_count, shown);
	print_line(f, "Hidden", line);
	print_line(f, "", "(oomfwdctl explain PID says who holds one)");
}

static void print_flight(FILE *f, const struct wire_state *w)
{
	char line[LINE_SIZE];
	struct text t = { line, sizeof(line) };
	uint32_t shown = 0;

	if (w->flight_count == 0) {
		print_line(f, "In flight", "nobody");
		return;
	}
	for (; shown < w->flight_count && shown < WIRE_FLIGHT && t.left > 160; shown++) {
		const struct wire_victim *v = &w->flight[shown];

		text_add(&t, "%s", shown > 0 ? ", " : "");
		text_process(&t, v->id.pid, v->comm);
		if (v->members > 1)
			text_add(&t, " and %u sharer%s", v->members - 1, v->members > 2 ? "s" : "");
		text_add(&t, " holding ");
		text_bytes(&t, v->expected_bytes);
	}
	say_more(&t, w->flight_count, shown);
	print_line(f, "In flight", line);
}

static void print_counts(FILE *f, const struct wire_state *w)
{
	const struct report_counts *c = &w->counts;
	char freed[32];

	print_format(f, "Since start",
		"%llu episode%s, %llu killed, %llu freed (%s), %llu stuck, %llu pinned,",
		(unsigned long long)c->episodes, c->episodes == 1 ? "" : "s",
		(unsigned long long)c->kills, (unsigned long long)c->freed,
		report_bytes(c->freed_bytes, freed, sizeof(freed)), (unsigned long long)c->stuck,
		(unsigned long long)c->pinned);
	print_format(f, "", "%llu without a victim, %llu ladder steps, %llu kills by the kernel,",
		(unsigned long long)c->no_victim, (unsigned long long)c->steps,
		(unsigned long long)c->kernel_kills);
	print_format(f, "", "looked %llu times; %llu events lost to the log",
		(unsigned long long)w->looks, (unsigned long long)c->lost);
}

static void print_config(FILE *f, const struct status *s)
{
	const struct wire_state *w = &s->state;
	char line[LINE_SIZE];
	struct text t = { line, sizeof(line) };

	text_escaped(&t, w->config_path);
	text_add(&t, ", %u rule%s, read ", w->rules, w->rules == 1 ? "" : "s");
	say_span(&t, age_of(s, w->configured_usec));
	text_add(&t, " ago");
	print_line(f, "Config", line);
	if (w->reload_failed)
		print_line(f, "",
			"THE FILE ON DISK WAS REFUSED at the last reload, the one before is in "
			"force: oomfwdctl check says what is wrong");
	print_format(f, "Means", "sharing told by %s, cgroups: %s", w->evidence, w->cgroups);
}

static void print_episodes(FILE *f, const struct status *s)
{
	if (s->history_off) {
		print_line(f, "Episodes", "no history is kept (history = off in [desk])");
		return;
	}
	if (s->history_error == -ENOENT || (!s->history_error && json_count(s->episodes) == 0)) {
		print_line(f, "Episodes", "none is recorded yet");
		return;
	}
	if (s->history_error < 0) {
		print_format(f, "Episodes", "cannot be read: %s (oomfwdctl history says more)",
			strerror(-s->history_error));
		return;
	}
	print_line(f, "Episodes", "the last (oomfwdctl history ID shows one)");
	past_print_heading(f);
	for (size_t i = 0; i < json_count(s->episodes); i++)
		past_print_line(f, json_at(s->episodes, i));
}

void status_print(FILE *f, const struct status *s)
{
	print_daemon(f, s);
	print_episode_now(f, s);
	print_figures(f, s);
	print_triggers(f, &s->state);
	print_hidden(f, &s->state);
	print_flight(f, &s->state);
	print_counts(f, &s->state);
	print_config(f, s);
	print_episodes(f, s);
}

struct json *status_json(struct status *s)
{
	struct json *j = state_json(&s->state, s->pid, s->now_usec), *headroom = json_object_new();
	struct figures figures;

	figures_of_state(&figures, &s->state);
	json_set(headroom, "warn", figures_headroom_json(&figures.mem, &figures.warn));
	json_set(headroom, "kill", figures_headroom_json(&figures.mem, &figures.kill));
	json_set(j, "headroom", headroom);
	/* null: they could not be read. */
	json_set_text(j, "pressure", NULL);
	json_set(j, "pressure", averages_json(&s->pressure, s->pressure_error));
	json_set_text(j, "episodes", NULL);
	json_set(j, "episodes",
		s->history_error == -ENOENT ? json_array_new() : take_pointer(&s->episodes));
	return j;
}
