/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Episodes as JSON, and docs/HISTORY.md about it: each key that there can be is described there,
 * with the events that have it, and no other.
 */
#include "desk-world.h"

#include <ctype.h>

#define KINDS     (REPORT_KERNEL_OOM + 1)
#define CONTAINER "3f2a9c1b04de5566778899aabbccddeeff00112233445566778899aabbccddee"
#define POD_CGROUP                                                                                 \
	"/kubepods.slice/kubepods-pod5d6b37ce_5df0_4e4c_8d1a_4f6f0d0b0b0e.slice/"                  \
	"cri-containerd-" CONTAINER ".scope"

/* --- names of keys --- */

struct keys {
	uint32_t count;
	char name[64][32];
};

static bool has_key(const struct keys *k, const char *name)
{
	for (uint32_t i = 0; i < k->count; i++)
		if (strcmp(k->name[i], name) == 0)
			return true;
	return false;
}

static void add_key(struct keys *k, const char *name, size_t length)
{
	char whole[32];

	assert_in_range(length, 1, sizeof(whole) - 1);
	memcpy(whole, name, length);
	whole[length] = '\0';
	if (has_key(k, whole))
		return;
	assert_in_range(k->count, 0, 63);
	memcpy(k->name[k->count++], whole, sizeof(whole));
}

/* The keys of the episode, of its steps, and of what is in those. */
static void collect(const char *text, struct keys ret[3])
{
	int depth = 0;

	for (const char *p = text; *p; p++) {
		const char *begin = p + 1;

		depth += *p == '{';
		depth -= *p == '}';
		if (*p != '"')
			continue;
		for (p++; *p != '"'; p++)
			p += *p == '\\';
		if (p[1] == ':') {
			assert_in_range(depth, 1, 3);
			add_key(&ret[depth - 1], begin, (size_t)(p - begin));
		}
	}
}

/* As one line of text, for the caller to free. */
static char *text_of(const struct episode *e)
{
	struct json *j = episode_json(e);
	size_t length;
	char *text;
	FILE *f = open_memstream(&text, &length);

	assert_int_equal(json_write(j, f, false), 0);
	fclose(f);
	json_unref(j);
	return text;
}

/* --- events that have everything --- */

static struct report_event full_event(enum report_kind kind)
{
	struct report_event e = with_victim(event_at(kind, 1200), 4242, "java");

	e.uid = 1000;
	e.error = -EPERM;
	e.members = 2;
	e.pin = MM_PIN_PROTECTED;
	e.pin_pid = 1;
	e.pin_comm[0] = 's';
	e.blame = (struct kill_blame){ .pid = 99, .comm = "holder", .state = 'D', .wchan = "nfs" };
	strcpy(e.rule, "base");
	strcpy(e.cgroup, POD_CGROUP);
	return in_domain(e, "pods", POD_CGROUP);
}

/* One event alone. Too large for the stack: the caller's, by free(). */
static struct episode *episode_of(struct report_event event)
{
	struct episode *e = calloc(1, sizeof(*e));

	assert_non_null(e);
	e->id = 1;
	e->began_usec = USEC_PER_SEC;
	e->step_count = 1;
	e->steps[0].event = event;
	copy_cut(e->domain, sizeof(e->domain), event.domain);
	copy_cut(e->domain_path, sizeof(e->domain_path), event.domain_path);
	return e;
}

static void collect_from(struct report_event event, struct keys ret[3])
{
	struct episode *e = episode_of(event);
	char *text = text_of(e);

	collect(text, ret);
	free(text);
	free(e);
}

/* All keys that an event of the kind can have. */
static void collect_kind(enum report_kind kind, struct keys ret[3])
{
	struct report_event e = full_event(kind);

	for (int step = LADDER_AVOIDED; step <= LADDER_FINAL; step++)
		for (int blame = BLAME_UNKNOWN; blame <= BLAME_HELD; blame++) {
			e.step = (enum ladder_step)step;
			e.blame.kind = (enum kill_blame_kind)blame;
			collect_from(e, ret);
		}
}

/* --- the documentation --- */

struct row {
	char section[32], table[32], key[32], second[256];
};

static struct row *read_rows(uint32_t *ret_count)
{
	char path[512], line[1024], section[32] = "", table[32] = "";
	struct row *rows = calloc(128, sizeof(*rows));
	FILE *f;

	snprintf(path, sizeof(path), "%s/docs/HISTORY.md", getenv("OOMFWD_SOURCE"));
	f = fopen(path, "re");
	assert_non_null(f);
	*ret_count = 0;
	while (fgets(line, sizeof(line), f)) {
		struct row *r = &rows[*ret_count];

		assert_in_range(*ret_count, 0, 127);
		if (sscanf(line, "## %31s", section) == 1)
			continue;
		if (sscanf(line, "| `%31[a-z_-]` | %255[^|]", r->key, r->second) != 2) {
			(void)sscanf(line, "| %31[a-z] |", table);
			continue;
		}
		memcpy(r->section, section, sizeof(section));
		memcpy(r->table, table, sizeof(table));
		++*ret_count;
	}
	fclose(f);
	return rows;
}

static bool is_row(const struct row *r, const char *section, const char *table)
{
	return strcmp(r->section, section) == 0 && strcmp(r->table, table) == 0;
}

/* Whether "freed, stuck " names it as a whole word. */
static bool names(const char *list, const char *word)
{
	size_t length = strlen(word);

	if (strcmp(list, "all ") == 0)
		return true;
	for (const char *p = list; (p = strstr(p, word)); p += length)
		if ((p == list || p[-1] == ' ') && (p[length] == ',' || p[length] == ' '))
			return true;
	return false;
}

static const struct row *row_of(
	const struct row *rows, uint32_t count, const char *section, const char *key)
{
	for (uint32_t i = 0; i < count; i++)
		if (is_row(&rows[i], section, "key") && strcmp(rows[i].key, key) == 0)
			return &rows[i];
	return NULL;
}

static void assert_described(
	const struct row *rows, uint32_t count, const char *section, const struct keys *k)
{
	uint32_t described = 0;

	for (uint32_t i = 0; i < k->count; i++)
		if (!row_of(rows, count, section, k->name[i]))
			fail_msg("HISTORY.md, %s: %s is not described", section, k->name[i]);
	for (uint32_t i = 0; i < count; i++) {
		if (!is_row(&rows[i], section, "key"))
			continue;
		described++;
		if (!has_key(k, rows[i].key))
			fail_msg("HISTORY.md, %s: there is no %s", section, rows[i].key);
	}
	assert_int_equal(described, k->count); /* none twice */
}

static void each_key_is_described_and_no_other(void **state)
{
	struct keys all[3] = { 0 };
	uint32_t count;
	struct row *rows = read_rows(&count);

	for (int kind = 0; kind < KINDS; kind++)
		collect_kind((enum report_kind)kind, all);
	assert_described(rows, count, "Episode", &all[0]);
	assert_described(rows, count, "Steps", &all[1]);
	assert_described(rows, count, "pinned_by", &all[2]);
	free(rows);
}

static void each_key_is_described_for_the_events_that_have_it(void **state)
{
	uint32_t count, compared = 0;
	struct row *rows = read_rows(&count);

	for (int kind = 0; kind < KINDS; kind++) {
		const char *name = report_kind_name((enum report_kind)kind);
		struct keys k[3] = { 0 };

		collect_kind((enum report_kind)kind, k);
		for (uint32_t i = 0; i < count; i++) {
			const struct row *r = &rows[i];

			if (!is_row(r, "Steps", "key"))
				continue;
			compared++;
			if (names(r->second, name) != has_key(&k[1], r->key))
				fail_msg("HISTORY.md: \"%s\" of %s is %s", r->key, name,
					has_key(&k[1], r->key) ? "missing" : "not there");
		}
	}
	assert_in_range(compared, KINDS * 30, KINDS * 60);
	free(rows);
}

static void each_event_is_described_and_no_other(void **state)
{
	uint32_t count, described = 0;
	struct row *rows = read_rows(&count);

	for (uint32_t i = 0; i < count; i++) {
		bool known = false;

		if (!is_row(&rows[i], "Steps", "event"))
			continue;
		for (int kind = 0; kind < KINDS; kind++)
			known = known ||
				strcmp(rows[i].key, report_kind_name((enum report_kind)kind)) == 0;
		if (!known)
			fail_msg("HISTORY.md: there is no event %s", rows[i].key);
		described++;
	}
	assert_int_equal(described, KINDS);
	free(rows);
}

/* --- values --- */

static void an_episode_says_what_it_came_to(void **state)
{
	struct episode *e = made_episode(7, 2);
	struct report_event *recovered = &e->steps[3].event;
	struct json *j;

	e->steps[1].event.available_before_bytes = e->steps[2].event.available_before_bytes = GIB;
	recovered->freed_bytes = 3 * GIB;
	recovered->available_before_bytes = GIB;
	recovered->available_after_bytes = 4 * GIB;
	recovered->kernel_oom_kills = 1;
	j = episode_json(e);
	assert_int_equal(json_get_number(j, "id"), 7);
	assert_string_equal(json_get_text(j, "began"), "2025-11-30T10:53:20.123Z");
	assert_int_equal(json_get_number(j, "duration_usec"), 2500000);
	assert_true(json_get_bool(j, "recovered"));
	assert_false(json_get_bool(j, "under_way"));
	assert_false(json_get_bool(j, "dry_run"));
	assert_true(json_has(j, "domain") && json_has(j, "domain_path")); /* null */
	assert_string_equal(json_get_text(j, "domain"), "");
	assert_false(json_has(j, "container"));
	assert_string_equal(json_get_text(j, "level"), "kill");
	assert_string_equal(json_get_text(j, "cause"), "memory");
	assert_int_equal(json_get_number(j, "victims"), 2);
	assert_int_equal(json_get_number(j, "freed_bytes"), 3 * GIB);
	assert_int_equal(json_get_number(j, "kernel_oom_kills"), 1);
	assert_int_equal(json_get_number(j, "available_before_bytes"), GIB);
	assert_int_equal(json_get_number(j, "available_after_bytes"), 4 * GIB);
	assert_int_equal(json_get_number(j, "total_bytes"), 16 * GIB);
	assert_int_equal(json_count(json_get(j, "steps")), 4);
	json_unref(j);
	free(e);
}

static void a_step_says_what_its_kind_has(void **state)
{
	struct report_event event = full_event(REPORT_STUCK);
	struct episode *e;
	const struct json *step;
	struct json *j;

	event.blame.kind = BLAME_PINNED;
	e = episode_of(event);
	j = episode_json(e);
	assert_string_equal(json_get_text(j, "domain"), "pods");
	assert_string_equal(json_get_text(j, "domain_path"), POD_CGROUP);
	assert_string_equal(json_get_text(j, "container"), CONTAINER);
	step = json_at(json_get(j, "steps"), 0);
	assert_string_equal(json_get_text(step, "event"), "stuck");
	assert_int_equal(json_get_number(step, "offset_usec"), 200000);
	assert_non_null(strstr(json_get_text(step, "message"),
		"mm of 4242 (java) and 1 sharer: mm pinned by 99 (holder)"));
	assert_int_equal(json_get_number(step, "pid"), 4242);
	assert_string_equal(json_get_text(step, "comm"), "java");
	assert_string_equal(json_get_text(step, "signal"), "SIGKILL");
	assert_string_equal(json_get_text(step, "evidence"), "sole");
	assert_string_equal(json_get_text(step, "rule"), "base");
	assert_string_equal(json_get_text(step, "why"), "pinned");
	assert_int_equal(json_get_number(json_get(step, "pinned_by"), "pid"), 99);
	assert_string_equal(json_get_text(json_get(step, "pinned_by"), "comm"), "holder");
	assert_string_equal(json_get_text(step, "runtime"), "containerd");
	assert_string_equal(json_get_text(step, "pod_uid"), "5d6b37ce-5df0-4e4c-8d1a-4f6f0d0b0b0e");
	assert_false(json_has(step, "error")); /* of another kind */
	assert_false(json_has(step, "wchan")); /* of another reason */
	json_unref(j);
	free(e);
}

/* The recovery was lost with the daemon: what the steps say counts. */
static void without_a_recovery_the_steps_are_summed_up(void **state)
{
	struct episode *e = made_episode(1, 2);
	struct report_event freed = event_at(REPORT_FREED, 1200);
	struct json *j;

	freed.freed_bytes = GIB;
	freed.available_after_bytes = 2 * GIB;
	e->recovered = false;
	e->steps[2].event.victim = e->steps[1].event.victim; /* SIGTERM first */
	e->steps[1].event.sig = SIGTERM;
	e->steps[3].event = freed;
	j = episode_json(e);
	assert_false(json_get_bool(j, "recovered"));
	assert_int_equal(json_get_number(j, "victims"), 1);
	assert_int_equal(json_get_number(j, "freed_bytes"), GIB);
	assert_int_equal(json_get_number(j, "available_before_bytes"), GIB);
	assert_int_equal(json_get_number(j, "available_after_bytes"), 2 * GIB);
	json_unref(j);
	free(e);
}

static void a_dry_run_has_no_victims(void **state)
{
	struct episode *e = made_episode(1, 1);
	struct json *j;

	e->step_count = 2;
	e->steps[0].event.dry_run = e->steps[1].event.dry_run = true;
	j = episode_json(e);
	assert_true(json_get_bool(j, "dry_run"));
	assert_int_equal(json_get_number(j, "victims"), 0);
	assert_non_null(strstr(json_get_text(json_at(json_get(j, "steps"), 1), "message"),
		"would have sent SIGKILL to 100 (hog)"));
	json_unref(j);
	free(e);
}

static void under_way_it_lasts_until_its_last_event(void **state)
{
	struct episode *e = made_episode(1, 1);
	struct json *j;

	e->ended_usec = 0;
	e->recovered = false;
	e->step_count = 2;
	j = episode_json(e);
	assert_true(json_get_bool(j, "under_way"));
	assert_int_equal(json_get_number(j, "duration_usec"), 10000);
	json_unref(j);
	free(e);
}

/* The levels, the cause and a time before the beginning: nothing that an event does not say is made
 * up. */
static void what_was_not_seen_is_null(void **state)
{
	struct report_event pin = full_event(REPORT_HIDDEN_PIN);
	struct episode *e;
	struct json *j;

	pin.level = LEVEL_OK;
	pin.cause = CAUSE_NONE;
	pin.total_bytes = 0;
	pin.at_usec = 1; /* before the beginning */
	e = episode_of(pin);
	j = episode_json(e);
	assert_true(json_has(j, "level") && json_has(j, "cause"));
	assert_string_equal(json_get_text(j, "level"), "");
	assert_string_equal(json_get_text(j, "cause"), "");
	assert_int_equal(json_get_number(j, "available_after_bytes"), 0);
	assert_int_equal(json_get_number(json_at(json_get(j, "steps"), 0), "offset_usec"), 0);
	json_unref(j);
	free(e);
}

static void odd_names_stay_one_line_of_json(void **state)
{
	struct report_event event = full_event(REPORT_SIGNALLED);
	struct json *parsed = NULL;
	struct episode *e;
	const struct json *step;
	char *text;

	memcpy(event.comm, "a\n\"\x1b\xff\\bcdefghijk", sizeof(event.comm)); /* without an end */
	strcpy(event.cgroup, "/x\ny");
	e = episode_of(event);
	text = text_of(e);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	for (const char *p = text; p[1]; p++)
		assert_false(iscntrl((unsigned char)*p));
	assert_int_equal(json_parse(text, strlen(text), &parsed, NULL, NULL), 0);
	step = json_at(json_get(parsed, "steps"), 0);
	assert_string_equal(json_get_text(step, "comm"), "a\\x0A\"\\x1B\\xFF\\x5Cbcdefghijk");
	assert_string_equal(json_get_text(step, "cgroup"), "/x\ny");
	json_unref(parsed);
	free(text);
	free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_described_and_no_other),
		cmocka_unit_test(each_key_is_described_for_the_events_that_have_it),
		cmocka_unit_test(each_event_is_described_and_no_other),
		cmocka_unit_test(an_episode_says_what_it_came_to),
		cmocka_unit_test(a_step_says_what_its_kind_has),
		cmocka_unit_test(without_a_recovery_the_steps_are_summed_up),
		cmocka_unit_test(a_dry_run_has_no_victims),
		cmocka_unit_test(under_way_it_lasts_until_its_last_event),
		cmocka_unit_test(what_was_not_seen_is_null),
		cmocka_unit_test(odd_names_stay_one_line_of_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
