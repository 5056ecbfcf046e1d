/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys there are, what values they take, and where they were set.
 */
#include "config-internal.h"
#include "report.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

static bool set_amount(struct config_loader *, const struct config_key *, const char *, void *);
static bool set_pressure(struct config_loader *, const struct config_key *, const char *, void *);
static bool set_duration(struct config_loader *, const struct config_key *, const char *, void *);
static bool set_fill_rate(struct config_loader *, const struct config_key *, const char *, void *);
static bool set_word(struct config_loader *, const struct config_key *, const char *, void *);
static bool set_points(struct config_loader *, const struct config_key *, const char *, void *);
static bool set_ladder(struct config_loader *, const struct config_key *, const char *, void *);
static bool set_final(struct config_loader *, const struct config_key *, const char *, void *);

#define FIELD(name)     offsetof(struct config, name)
#define CONDITION(name) offsetof(struct rule, name)
#define DOMAIN(name)    offsetof(struct config_domain_draft, name)
#define MSEC(n)         ((n)*USEC_PER_MSEC)
#define SEC(n)          ((n)*USEC_PER_SEC)
#define WANTED_MEMORY   "a share from 0.1% to 90%, a size from 1M up (K, M, G, T), or off"
#define WANTED_SWAP     "a share from 0% to 100%, a size from 1M up (K, M, G, T), or off"
#define WANTED_PRESSURE                                                                            \
	"\"full\" or \"some\", a whole share from 1% to 100% and a span from 1s to 10m, "          \
	"such as full 60% 20s, or off"
#define WANTED_PATH    "an absolute path, or off"
#define WANTED_PATTERN "a POSIX extended regular expression, as for grep -E"

/* Amounts: min and max are shares in permille. */
static const struct config_key keys[] = {
	{ SECTION_WARN, "memory", set_amount, FIELD(warn.memory), 1, 900, WANTED_MEMORY },
	{ SECTION_WARN, "swap", set_amount, FIELD(warn.swap), 0, 1000, WANTED_SWAP },
	{ SECTION_WARN, "pressure", set_pressure, FIELD(warn.pressure), 0, 0, WANTED_PRESSURE },
	{ SECTION_KILL, "memory", set_amount, FIELD(kill.memory), 1, 900, WANTED_MEMORY },
	{ SECTION_KILL, "swap", set_amount, FIELD(kill.swap), 0, 1000, WANTED_SWAP },
	{ SECTION_KILL, "pressure", set_pressure, FIELD(kill.pressure), 0, 0, WANTED_PRESSURE },
	{ SECTION_PRESSURE, "guard", set_amount, FIELD(pressure_guard), 1, 1000,
		"a share from 0.1% to 100%, a size from 1M up (K, M, G, T), or off" },
	{ SECTION_TIMING, "victim_timeout", set_duration, FIELD(victim_timeout_usec), MSEC(50),
		SEC(60), "a duration from 50ms to 60s" },
	{ SECTION_TIMING, "victim_cap", set_duration, FIELD(victim_cap_usec), MSEC(50), SEC(600),
		"a duration from 50ms to 10m" },
	{ SECTION_TIMING, "term_grace", set_duration, FIELD(term_grace_usec), MSEC(100), SEC(600),
		"a duration from 100ms to 10m" },
	{ SECTION_TIMING, "step_timeout", set_duration, FIELD(step_timeout_usec), MSEC(100),
		SEC(60), "a duration from 100ms to 60s" },
	{ SECTION_TIMING, "fill_rate", set_fill_rate, FIELD(fill_rate_bytes), 16 * MIB, 1024 * GIB,
		"auto, or the size filled in a second, from 16M to 1T" },
	{ SECTION_TIMING, "max_sleep", set_duration, FIELD(max_sleep_usec), MSEC(100), SEC(10),
		"a duration from 100ms to 10s" },
	{ SECTION_ESCALATE, "ladder", set_ladder, FIELD(ladder), 0, 0,
		"steps out of avoided, cgroup, kernel, final, each once, with blanks between, or "
		"none" },
	{ SECTION_ESCALATE, "final", set_final, FIELD(final), 0, 0,
		"none, reboot, panic, or exec and the absolute path of a program" },
	{ SECTION_VICTIMS, "prefer_points", set_points, FIELD(prefer_points), 0, 1000,
		"a whole number from 0 to 1000" },
	{ SECTION_VICTIMS, "reader", set_word, FIELD(reader), 0, 0, "auto, bpf or proc" },
	{ SECTION_VICTIMS, "kernel_users", set_word, FIELD(kernel_users), 0, 0, "kill or spare" },
	{ SECTION_DESK, "post_kill", config_desk_set_hook, FIELD(desk.post_kill), 0, 0,
		"the absolute path of a program, or none" },
	{ SECTION_DESK, "hook_timeout", set_duration, FIELD(desk.hook_timeout_usec), MSEC(100),
		SEC(600), "a duration from 100ms to 10m" },
	{ SECTION_DESK, "metrics_file", config_desk_set_path, FIELD(desk.metrics_file), 0,
		CONFIG_DESK_PATH_MAX - 5, WANTED_PATH }, /* ".tmp" is added */
	{ SECTION_DESK, "metrics_socket", config_desk_set_path, FIELD(desk.metrics_socket), 0, 107,
		WANTED_PATH },
	{ SECTION_DESK, "history", config_desk_set_path, FIELD(desk.history), 0,
		CONFIG_DESK_PATH_MAX - 3, WANTED_PATH }, /* and ".1" */
	{ SECTION_DESK, "bus", config_desk_set_bool, FIELD(desk.bus), 0, 0, "yes or no" },
	{ SECTION_RULE, "exe", config_rule_set_pattern, CONDITION(exe), 0, 0, WANTED_PATTERN },
	{ SECTION_RULE, "unit", config_rule_set_pattern, CONDITION(unit), 0, 0, WANTED_PATTERN },
	{ SECTION_RULE, "cgroup", config_rule_set_pattern, CONDITION(cgroup), 0, 0,
		WANTED_PATTERN },
	{ SECTION_RULE, "comm", config_rule_set_pattern, CONDITION(comm), 0, 0, WANTED_PATTERN },
	{ SECTION_RULE, "cmdline", config_rule_set_pattern, CONDITION(cmdline), 0, 0,
		WANTED_PATTERN },
	{ SECTION_RULE, "uid", config_rule_set_uid, CONDITION(uid), 0, 0,
		"a number, or a user named in /etc/passwd" },
	{ SECTION_RULE, "preference", config_rule_set_preference, CONDITION(preference), 0, 0,
		"omit or avoid, as ManagedOOMPreference= of systemd, or low, for within "
		"memory.low" },
	{ SECTION_DOMAIN, "path", config_domain_set_path, DOMAIN(domain.path), 0, 0,
		"the path of cgroups from the root on, where * ? [] match within a component, such "
		"as /kubepods.slice/*" },
	{ SECTION_DOMAIN, "memory", set_amount, DOMAIN(domain.memory), 1, 900, WANTED_MEMORY },
	{ SECTION_DOMAIN, "pressure", set_pressure, DOMAIN(domain.pressure), 0, 0,
		WANTED_PRESSURE },
	{ SECTION_DOMAIN, "kill", config_domain_set_kill, DOMAIN(domain.kill), 0, 0,
		"process, group or cgroup" },
	{ SECTION_DOMAIN, "preference", config_domain_set_preference, DOMAIN(action), 0, 0,
		"none, protect, avoid or prefer" },
};
_Static_assert(ARRAY_SIZE(keys) <= CONFIG_KEYS_MAX, "room in struct config_loader");

static const char *section_name(enum config_section s)
{
	switch (s) {
	case SECTION_NONE:
	case SECTION_UNKNOWN:
		break;
	case SECTION_WARN:
		return "warn";
	case SECTION_KILL:
		return "kill";
	case SECTION_PRESSURE:
		return "pressure";
	case SECTION_TIMING:
		return "timing";
	case SECTION_ESCALATE:
		return "escalate";
	case SECTION_VICTIMS:
		return "victims";
	case SECTION_DESK:
		return "desk";
	case SECTION_RULE:
		return "protect NAME";
	case SECTION_DOMAIN:
		return "cgroup NAME";
	}
	return "";
}

/* Its keys are those of the section that is being read: there is one for each name. */
static bool has_name(enum config_section s)
{
	return s == SECTION_RULE || s == SECTION_DOMAIN;
}

const char *config_key(unsigned i, const char **ret_section)
{
	if (i >= ARRAY_SIZE(keys))
		return NULL;
	*ret_section = section_name(keys[i].section);
	return keys[i].name;
}

bool config_key_refuse(
	struct config_loader *l, const struct config_key *k, const char *text, const char *what)
{
	char quoted[CONFIG_QUOTE_MAX];

	config_complain(l, &l->at, "%s = \"%s\" %s; write %s", k->name, config_quote(text, quoted),
		what, k->wanted);
	return false;
}

/* --- values --- */

static bool refuse_parsed(
	struct config_loader *l, const struct config_key *k, const char *text, int error)
{
	return config_key_refuse(
		l, k, text, error == -ERANGE ? "is out of bounds" : "cannot be understood");
}

static uint64_t machine_bytes(void)
{
	struct sysinfo s;

	return sysinfo(&s) < 0 ? UINT64_MAX : mul_sat_u64(s.totalram, s.mem_unit);
}

static bool set_amount(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	struct config_amount a;
	int r = config_parse_amount(text, &a);

	if (r < 0)
		return refuse_parsed(l, k, text, r);
	if (a.kind == AMOUNT_PERMILLE && (a.value < k->min || a.value > k->max))
		return refuse_parsed(l, k, text, -ERANGE);
	/* A size that small is one whose unit was forgotten. */
	if (a.kind == AMOUNT_BYTES && a.value < MIB && (a.value > 0 || k->min > 0))
		return refuse_parsed(l, k, text, -ERANGE);
	/* Killing would never end. */
	if (a.kind == AMOUNT_BYTES && k->max < 1000 &&
		a.value > mul_div_u64(machine_bytes(), k->max, 1000)) {
		char total[32], what[128];

		snprintf(what, sizeof(what), "is nearly all memory of this machine, or more (%s)",
			report_bytes(machine_bytes(), total, sizeof(total)));
		return config_key_refuse(l, k, text, what);
	}
	memcpy(field, &a, sizeof(a));
	return true;
}

static bool set_pressure(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	int r = config_parse_pressure(text, field);

	return r == 0 || refuse_parsed(l, k, text, r);
}

/* Writes a number within the key's bounds to the field. */
static bool set_within(struct config_loader *l, const struct config_key *k, const char *text,
	int parsed, uint64_t value, uint64_t *field)
{
	if (parsed == 0 && (value < k->min || value > k->max))
		parsed = -ERANGE;
	if (parsed < 0)
		return refuse_parsed(l, k, text, parsed);
	*field = value;
	return true;
}

static bool set_duration(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	uint64_t usec = 0;
	int r = config_parse_duration(text, &usec);

	return set_within(l, k, text, r, usec, field);
}

static bool set_fill_rate(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	uint64_t bytes = 0;
	int r = config_parse_size(text, &bytes);

	if (strcmp(text, "auto") == 0) {
		*(uint64_t *)field = 0;
		return true;
	}
	return set_within(l, k, text, r, bytes, field);
}

static bool set_points(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	uint64_t parsed = 0, value = 0;
	int r = config_parse_number(text, &parsed);

	if (!set_within(l, k, text, r, parsed, &value))
		return false;
	*(uint32_t *)field = (uint32_t)value;
	return true;
}

/* One of the words that k->wanted names, in the order of the enum, which the field is. */
static bool set_word(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	char words[64];
	char *save = NULL;
	int value = 0;

	copy_cut(words, sizeof(words), k->wanted);
	for (char *w = strtok_r(words, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
		if (strcmp(w, "or") == 0)
			continue;
		if (strcmp(w, text) == 0) {
			memcpy(field, &value, sizeof(value));
			return true;
		}
		value++;
	}
	return refuse_parsed(l, k, text, -EINVAL);
}

/* The step of that name, or -EINVAL after a complaint. */
static int parse_step(struct config_loader *l, const char *word)
{
	struct config_nearest n = { .word = word };
	char quoted[CONFIG_QUOTE_MAX];

	for (int step = LADDER_AVOIDED; step <= LADDER_FINAL; step++) {
		const char *name = config_ladder_name((enum ladder_step)step);

		if (strcmp(word, name) == 0)
			return step;
		config_nearest_offer(&n, name);
	}
	config_complain(l, &l->at,
		"there is no step \"%s\"; the nearest is \"%s\", the others are among avoided, "
		"cgroup, kernel, final",
		config_quote(word, quoted), n.name);
	return -EINVAL;
}

static bool set_ladder(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	enum ladder_step steps[CONFIG_LADDER_MAX] = { 0 };
	unsigned seen = 0;
	uint32_t count = 0;
	char words[CONFIG_LINE_MAX + 1];
	char *save = NULL;

	snprintf(words, sizeof(words), "%s", strcmp(text, "none") == 0 ? "" : text);
	for (char *w = strtok_r(words, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		int step = parse_step(l, w);

		if (step < 0)
			return false;
		if (seen & 1u << step)
			return config_key_refuse(l, k, text, "names a step twice");
		seen |= 1u << step;
		steps[count++] = (enum ladder_step)step;
	}
	memcpy(field, steps, count * sizeof(steps[0]));
	l->config->ladder_count = count;
	return true;
}

const char *config_why_not_run(const char *path)
{
	struct stat st;

	if (path[0] != '/')
		return "is no absolute path";
	if (strlen(path) >= PATH_MAX || stat(path, &st) < 0)
		return "names no program that is there (arguments are not taken)";
	if (!S_ISREG(st.st_mode) || !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		return "names nothing that can be executed";
	if (st.st_mode & S_IWOTH)
		return "names a program that every user can change";
	return NULL;
}

static bool set_final(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	static const char *const names[] = { "none", "reboot", "panic" };
	size_t word = strcspn(text, " \t");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*(enum final_action *)field = (enum final_action)i;
			return true;
		}
	if (word != strlen("exec") || memcmp(text, "exec", word) != 0)
		return refuse_parsed(l, k, text, -EINVAL);

	const char *path = text + word + strspn(text + word, " \t");
	const char *why = config_why_not_run(path);

	if (why)
		return config_key_refuse(l, k, text, why);
	memcpy(l->config->final_path, path, strlen(path) + 1);
	*(enum final_action *)field = FINAL_EXEC;
	return true;
}

/* --- keys --- */

void config_key_forget(struct config_loader *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].section == l->section)
			l->set[i] = (struct config_place){ 0 };
}

bool config_key_has_condition(const struct config_loader *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].section == SECTION_RULE && l->set[i].file)
			return true;
	return false;
}

static const struct config_place *place_of(
	const struct config_loader *l, const struct config_key *k, bool *ret_wrong)
{
	size_t i = (size_t)(k - keys);

	*ret_wrong = l->wrong[i];
	return l->set[i].file ? &l->set[i] : NULL;
}

const struct config_place *config_key_place(
	const struct config_loader *l, size_t offset, bool *ret_wrong)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!has_name(keys[i].section) && keys[i].offset == offset)
			return place_of(l, &keys[i], ret_wrong);
	return NULL;
}

const struct config_place *config_key_place_here(
	const struct config_loader *l, size_t offset, bool *ret_wrong)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].section == l->section && keys[i].offset == offset)
			return place_of(l, &keys[i], ret_wrong);
	return NULL;
}

static void complain_unknown(struct config_loader *l, const char *name)
{
	struct config_nearest n = { .word = name };
	char quoted[CONFIG_QUOTE_MAX];
	const char *elsewhere = NULL;

	config_quote(name, quoted);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].section == l->section)
			config_nearest_offer(&n, keys[i].name);
		else if (!elsewhere && strcmp(keys[i].name, name) == 0)
			elsewhere = section_name(keys[i].section);
	}
	if (l->section == SECTION_NONE)
		config_complain(l, &l->at,
			"\"%s\" stands before the first section; put it below one such as [%s]",
			quoted, elsewhere ? elsewhere : section_name(SECTION_WARN));
	else if (elsewhere)
		config_complain(
			l, &l->at, "\"%s\" does not belong here but below [%s]", quoted, elsewhere);
	else
		config_complain(l, &l->at,
			"there is no key \"%s\" in this section; the nearest is \"%s\"", quoted,
			n.name);
}

/* What people write who know another format: it would become part of the value. */
static bool is_plain(struct config_loader *l, const struct config_key *k, const char *text)
{
	size_t length = strlen(text);

	if (length == 0)
		return config_key_refuse(l, k, text, "is empty");
	if (length > 1 && (text[0] == '"' || text[0] == '\'') && text[length - 1] == text[0])
		return config_key_refuse(l, k, text, "is quoted: leave the quotes out");
	for (size_t i = 0; i < length; i++)
		if ((text[i] == ';' || text[i] == '#') && (i == 0 || strchr(" \t", text[i - 1])))
			return config_key_refuse(l, k, text,
				text[i] == ';' ? "holds a comment, which needs a line of its own "
						 "(a pattern "
						 "for the sign itself is [;])"
					       : "holds a comment, which needs a line of its own "
						 "(a pattern "
						 "for the sign itself is [#])");
	return true;
}

void config_key_set(struct config_loader *l, const char *name, const char *text)
{
	const struct config_key *k = keys, *end = keys + ARRAY_SIZE(keys);
	struct config_place *before;
	void *base = l->section == SECTION_RULE ? (void *)l->rule
		: l->section == SECTION_DOMAIN  ? (void *)l->domain
						: l->config;

	if (l->section == SECTION_UNKNOWN)
		return;
	while (k < end && (k->section != l->section || strcmp(k->name, name) != 0))
		k++;
	if (k == end) {
		complain_unknown(l, name);
		return;
	}
	before = &l->set[k - keys];
	if (before->file && before->file_number == l->at.file_number) {
		config_complain(l, &l->at, "\"%s\" was set in line %u already; keep one of them",
			name, before->line);
		return;
	}
	*before = l->at;
	l->wrong[k - keys] = !is_plain(l, k, text) || !k->set(l, k, text, (char *)base + k->offset);
}
