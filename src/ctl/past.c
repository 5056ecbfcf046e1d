/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "past.h"

#include "container.h"
#include "describe.h"
#include "report-text.h"

#include <time.h>

#define VICTIMS_NAMED 3
#define TEXT_SIZE     512

static uint64_t get_size(const struct json *j, const char *key)
{
	int64_t v = json_get_number(j, key);

	return v > 0 ? (uint64_t)v : 0;
}

static bool has_text(const struct json *j, const char *key)
{
	return json_get_text(j, key)[0];
}

static bool is_event(const struct json *step, const char *event)
{
	return strcmp(json_get_text(step, "event"), event) == 0;
}

void past_path(const struct ctl *c, char ret[CONFIG_DESK_PATH_MAX])
{
	_cleanup_(fclosep) FILE *errors = fopen("/dev/null", "w");
	struct config *config = NULL;

	copy_cut(ret, CONFIG_DESK_PATH_MAX, CONFIG_DESK_HISTORY);
	/* What is wrong in it is for check to say: the history is there all the same. */
	if (errors && config_load(c->config_path, errors, &config) == 0) {
		copy_cut(ret, CONFIG_DESK_PATH_MAX, config->desk.history);
		config_free(config);
	}
}

/* --- parts --- */

/* In the time zone of who reads; what is no date stays as it is. */
static void say_began(struct text *t, const struct json *episode)
{
	const char *began = json_get_text(episode, "began");
	struct tm tm = { 0 };
	char local[64];
	time_t seconds;

	if (!strptime(began, "%Y-%m-%dT%H:%M:%S", &tm)) {
		text_escaped(t, began);
		return;
	}
	seconds = timegm(&tm);
	if (localtime_r(&seconds, &tm) && strftime(local, sizeof(local), "%F %T", &tm) > 0)
		text_add(t, "%s", local);
}

static void say_where(struct text *t, const struct json *episode)
{
	const char *path = json_get_text(episode, "domain_path");
	struct container_name c;
	char name[CONTAINER_TEXT_SIZE];

	if (!path[0]) {
		text_add(t, "machine");
	} else if (container_parse(path, &c)) {
		container_format(&c, name, sizeof(name));
		text_add(t, "%s", name);
	} else {
		text_escaped(t, path);
	}
}

static void say_available(struct text *t, const struct json *episode)
{
	uint64_t total = get_size(episode, "total_bytes");

	text_percent(t, get_size(episode, "available_before_bytes"), total);
	text_add(t, " -> ");
	text_percent(t, get_size(episode, "available_after_bytes"), total);
}

/* What the victim of a step gave back later; 0: nothing that is known. */
static uint64_t freed_by(const struct json *steps, const struct json *victim)
{
	int64_t pid = json_get_number(victim, "pid");

	for (size_t i = 0; i < json_count(steps); i++) {
		const struct json *s = json_at(steps, i);

		if (is_event(s, "freed") && json_get_number(s, "pid") == pid)
			return get_size(s, "freed_bytes");
	}
	return 0;
}

/* Whether an earlier step was about the same victim: SIGTERM, then SIGKILL. */
static bool named_before(const struct json *steps, size_t index)
{
	int64_t pid = json_get_number(json_at(steps, index), "pid");

	for (size_t i = 0; i < index; i++)
		if (is_event(json_at(steps, i), "signalled") &&
			json_get_number(json_at(steps, i), "pid") == pid)
			return true;
	return false;
}

static void say_victims(struct text *t, const struct json *episode)
{
	const struct json *steps = json_get(episode, "steps");
	char process[DESCRIBE_SIZE];
	unsigned count = 0;

	if (json_get_bool(episode, "dry_run"))
		text_add(t, "dry run: ");
	for (size_t i = 0; i < json_count(steps); i++) {
		const struct json *s = json_at(steps, i);

		if (!is_event(s, "signalled") || named_before(steps, i) || ++count > VICTIMS_NAMED)
			continue;
		text_add(t, "%s%s", count > 1 ? ", " : "", describe_process(s, process));
		if (freed_by(steps, s) > 0) {
			text_add(t, " ");
			text_bytes(t, freed_by(steps, s));
		}
	}
	if (count > VICTIMS_NAMED)
		text_add(t, " and %u more", count - VICTIMS_NAMED);
	else if (count == 0)
		text_add(t, "nobody");
	if (!json_get_bool(episode, "recovered"))
		text_add(t, "; not seen to end");
}

/* --- one line --- */

static void print_row(FILE *f, const char *id, const char *began, const char *lasted,
	const char *freed, const char *available, const char *where, const char *victims)
{
	fprintf(f, "%6s  %-19s  %7s  %8s  %-16s  %-7s  %s\n", id, began, lasted, freed, available,
		where, victims);
}

void past_print_heading(FILE *f)
{
	print_row(f, "ID", "BEGAN", "LASTED", "FREED", "AVAILABLE", "WHERE", "VICTIMS");
}

void past_print_line(FILE *f, const struct json *episode)
{
	char id[32], began[TEXT_SIZE] = "", lasted[32], freed[32], available[64] = "";
	char where[TEXT_SIZE] = "", victims[TEXT_SIZE] = "";

	snprintf(id, sizeof(id), "%llu", (unsigned long long)get_size(episode, "id"));
	say_began(&(struct text){ began, sizeof(began) }, episode);
	report_usec(get_size(episode, "duration_usec"), lasted, sizeof(lasted));
	report_bytes(get_size(episode, "freed_bytes"), freed, sizeof(freed));
	say_available(&(struct text){ available, sizeof(available) }, episode);
	say_where(&(struct text){ where, sizeof(where) }, episode);
	say_victims(&(struct text){ victims, sizeof(victims) }, episode);
	print_row(f, id, began, lasted, freed, available, where, victims);
}

/* --- the timeline --- */

static const char *step_word(const struct json *step)
{
	static const char *const words[][2] = {
		{ "began", "sensed" },
		{ "pinned", "passed over" },
		{ "no-victim", "nobody" },
		{ "step", "ladder" },
		{ "whole-cgroup", "cgroup" },
		{ "kernel-oom", "kernel" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (is_event(step, words[i][0]))
			return words[i][1];
	return json_get_text(step, "event");
}

/* Escaped by who wrote it, or so it should be: what is escaped already stays as it is. */
static void print_message(FILE *f, const char *text)
{
	char part[TEXT_SIZE], escaped[4 * TEXT_SIZE];

	for (;;) {
		size_t length = strcspn(text, "\\");

		snprintf(part, sizeof(part), "%.*s", (int)min_u64(length, sizeof(part) - 1), text);
		fputs(report_escape(part, escaped, sizeof(escaped)), f);
		if (!text[length])
			return;
		fputc('\\', f);
		text += length + 1;
	}
}

static void print_moment(FILE *f, uint64_t offset_usec, const char *word, const char *sentence)
{
	char escaped[64];

	fprintf(f, "%10.1f ms  %-11s  ", (double)offset_usec / (double)USEC_PER_MSEC,
		report_escape(word, escaped, sizeof(escaped)));
	print_message(f, sentence);
	fputc('\n', f);
}

/* Readings are 10 ms apart at the least, while victims are in flight. */
#define SAME_READING_USEC (5 * USEC_PER_MSEC)

/* When memory was read that made this one a victim. */
static uint64_t reading_of(const struct json *step)
{
	return sub_or_zero_u64(get_size(step, "offset_usec"), get_size(step, "detect_usec"));
}

static bool is_of_same_choice(const struct json *a, const struct json *b)
{
	uint64_t x = reading_of(a), y = reading_of(b);

	return is_event(a, "signalled") && is_event(b, "signalled") &&
		max_u64(x, y) - min_u64(x, y) < SAME_READING_USEC;
}

/*
 * Those signalled in one go were chosen together, and the event that tells so is that of their
 * signals: the choice is told from the first of them.
 */
static void print_choice(FILE *f, const struct json *steps, size_t first)
{
	const struct json *step = json_at(steps, first);
	uint64_t offset = get_size(step, "offset_usec"), expected = 0;
	unsigned groups = 0;
	char line[TEXT_SIZE];
	struct text t = { line, sizeof(line) };

	for (size_t i = first; i < json_count(steps); i++) {
		const struct json *s = json_at(steps, i);

		if (!is_of_same_choice(step, s))
			break;
		if (named_before(steps, i))
			continue; /* SIGKILL, right after SIGTERM */
		groups += !json_get_bool(s, "along");
		expected = add_sat_u64(expected, get_size(s, "expected_bytes"));
	}
	text_add(&t, "%u group%s, to give back ", groups, groups == 1 ? "" : "s");
	text_bytes(&t, expected);
	text_add(&t, " of ");
	text_bytes(&t, get_size(step, "need_bytes"));
	text_add(&t, " needed; signalled ");
	text_usec(&t, get_size(step, "detect_usec"));
	text_add(&t, " after the reading that showed it");
	print_moment(f, offset, "chosen", line);
}

/* SIGKILL after SIGTERM is no new choice. */
static bool begins_choice(const struct json *steps, size_t i)
{
	const struct json *step = json_at(steps, i);

	return is_event(step, "signalled") && !named_before(steps, i) &&
		(i == 0 || !is_of_same_choice(json_at(steps, i - 1), step));
}

static void print_head(FILE *f, const struct json *episode)
{
	char began[TEXT_SIZE] = "", where[TEXT_SIZE] = "", available[64] = "", lasted[32],
	     freed[32];

	say_began(&(struct text){ began, sizeof(began) }, episode);
	say_where(&(struct text){ where, sizeof(where) }, episode);
	say_available(&(struct text){ available, sizeof(available) }, episode);
	fprintf(f, "Episode %llu of %s, %s", (unsigned long long)get_size(episode, "id"), began,
		has_text(episode, "domain") ? "cgroup section " : "the machine");
	if (has_text(episode, "domain")) {
		describe_escaped(f, episode, "domain");
		fprintf(f, ", %s", where);
	}
	fprintf(f, "%s\n",
		json_get_bool(episode, "dry_run") ? " (dry run: nobody was signalled)" : "");
	fprintf(f, "%s after %s: %llu victim%s, %s freed; memory available %s\n",
		json_get_bool(episode, "recovered") ? "Recovered" : "Not seen to end, last known",
		report_usec(get_size(episode, "duration_usec"), lasted, sizeof(lasted)),
		(unsigned long long)get_size(episode, "victims"),
		get_size(episode, "victims") == 1 ? "" : "s",
		report_bytes(get_size(episode, "freed_bytes"), freed, sizeof(freed)), available);
}

void past_print_timeline(FILE *f, const struct json *episode)
{
	const struct json *steps = json_get(episode, "steps");
	uint64_t lost = get_size(episode, "steps_lost");

	print_head(f, episode);
	for (size_t i = 0; i < json_count(steps); i++) {
		const struct json *s = json_at(steps, i);

		if (begins_choice(steps, i))
			print_choice(f, steps, i);
		print_moment(
			f, get_size(s, "offset_usec"), step_word(s), json_get_text(s, "message"));
	}
	if (lost > 0)
		fprintf(f, "%llu event%s of it %s not recorded.\n", (unsigned long long)lost,
			lost == 1 ? "" : "s", lost == 1 ? "was" : "were");
}
