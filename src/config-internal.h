/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the parts of config.c: config-text.c reads files and says what is wrong, config-value.c
 * parses values, config-key.c knows the keys, config-rule.c the rules, config-domain.c the cgroup
 * sections, config-desk.c the [desk] section, config-check.c what must hold between values. Nobody
 * else includes this.
 */
#pragma once

#include "config.h"
#include "util.h"

#include <stddef.h>

#define CONFIG_FILE_MAX   (INT64_C(1) << 20)
#define CONFIG_LINE_MAX   4095 /* bytes */
#define CONFIG_FILES_MAX  128
#define CONFIG_ERRORS_MAX 100 /* said; the rest is counted */
#define CONFIG_KEYS_MAX   40

struct config_loader;

enum config_section {
	SECTION_NONE, /* before the first */
	SECTION_UNKNOWN,
	SECTION_WARN,
	SECTION_KILL,
	SECTION_PRESSURE,
	SECTION_TIMING,
	SECTION_ESCALATE,
	SECTION_VICTIMS,
	SECTION_DESK,
	SECTION_RULE,   /* protect, avoid, prefer */
	SECTION_DOMAIN, /* cgroup */
};

struct config_key {
	enum config_section section;
	const char *name;
	/* Parses text into the field; says what is wrong with it and returns false otherwise. */
	bool (*set)(
		struct config_loader *l, const struct config_key *k, const char *text, void *field);
	/* Of the field in struct config, of conditions in struct rule, of what a cgroup section
	 * says in struct config_domain_draft. */
	size_t offset;
	uint64_t min, max;
	const char *wanted; /* what would be right, bounds included */
};

/* A line; line 0: the file as a whole. A value that was never set has no file. */
struct config_place {
	const char *file;
	uint32_t file_number, line;
};

/* [cgroup NAME] as far as it is read. */
struct config_domain_draft {
	struct config_domain domain;
	int action; /* of the rule that its preference is: an enum rule_action, or none */
	struct config_place began;
};
#define CONFIG_NO_ACTION (-1)

struct config_loader {
	FILE *errors;
	uint32_t error_count;
	int error; /* the first that is more telling than -EINVAL */
	struct config *config;
	struct config_place at;
	enum config_section section;
	/* Where each key was set last, and whether to a value that is wrong. */
	struct config_place set[CONFIG_KEYS_MAX];
	bool wrong[CONFIG_KEYS_MAX];
	/* The rule that is being read, and where each began. The spare one takes the conditions
	 * below a heading that is wrong, so that they are checked too. */
	struct rule *rule;
	struct rule spare;
	struct config_place rule_began;
	struct config_place rules_began[CONFIG_RULES_MAX];
	/* The same of domains; they get into the config once all files are read. */
	struct config_domain_draft *domain;
	struct config_domain_draft spare_domain;
	struct config_domain_draft domains[CONFIG_DOMAINS_MAX];
	uint32_t domain_count;
};

/* --- config-text.c --- */

/* "file:line: ", the sentence, and a line end: an error, which makes the load fail, or with
 * "warning: " before it a word of caution, which does not. */
void config_complain(struct config_loader *l, const struct config_place *at, const char *format,
	...) _printf_(3, 4);
void config_warn(struct config_loader *l, const struct config_place *at, const char *format, ...)
	_printf_(3, 4);
/* For a message: cut when long, between characters. Text of a file that was accepted has no
 * control characters. Returns ret. */
#define CONFIG_QUOTE_MAX 80
char *config_quote(const char *text, char ret[CONFIG_QUOTE_MAX]);
/* The whole file as a string for the caller to free, or -errno, which has been complained about
 * except for a -ENOENT. Never blocks on a FIFO or a device. */
int config_text_read(struct config_loader *l, const char *path, char **ret);
/* Whether a line (without its end) is UTF-8 text without control characters; complains if not. */
bool config_text_check(struct config_loader *l, const char *line, size_t length);
/* Whether name can be the NAME of [kind NAME]; complains if not, and calls it a what. */
bool config_name_check(
	struct config_loader *l, const char *kind, const char *what, const char *name);

/* The name of those offered that is nearest to a word, by the letters to change. */
struct config_nearest {
	const char *word;
	const char *name; /* NULL: none was offered */
	unsigned distance;
};
void config_nearest_offer(struct config_nearest *n, const char *name);

/* --- config-value.c --- */

/* A whole number without sign; 0, -EINVAL or -ERANGE. */
int config_parse_number(const char *text, uint64_t *ret);

/* --- config-key.c --- */

/* Sets the key in the current section; complains about a wrong one. */
void config_key_set(struct config_loader *l, const char *name, const char *text);
/* Forgets that the keys of the current section were set: a new one with a name begins. */
void config_key_forget(struct config_loader *l);
/* Whether a condition was set since, right or wrong. */
bool config_key_has_condition(const struct config_loader *l);
/* Where the field at the offset in struct config was set last; NULL: it has its default.
 * *ret_wrong: that value was refused. */
const struct config_place *config_key_place(
	const struct config_loader *l, size_t offset, bool *ret_wrong);
/* The same of a key of the current section, which has a name, since that began. */
const struct config_place *config_key_place_here(
	const struct config_loader *l, size_t offset, bool *ret_wrong);
/* Complains: key = "text", what is wrong with it, and what the key wants. False. */
bool config_key_refuse(
	struct config_loader *l, const struct config_key *k, const char *text, const char *what);
/* Why the path names no program that could be run without harm; NULL: it does. */
const char *config_why_not_run(const char *path);

/* --- config-desk.c --- */

bool config_desk_set_hook(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);
/* max of the key: the longest path. */
bool config_desk_set_path(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);
bool config_desk_set_bool(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);

/* --- config-rule.c --- */

/* Begins [protect NAME]; name may be "" or wrong: then it complains. */
void config_rule_begin(struct config_loader *l, enum rule_action action, const char *name);
/* Ends the current rule, if there is one: it needs a condition. */
void config_rule_end(struct config_loader *l);
void config_rule_clear(struct rule *r);
bool config_rule_set_pattern(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);
bool config_rule_set_preference(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);
bool config_rule_set_uid(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);
const char *config_rule_action_name(enum rule_action a);

/* --- config-domain.c --- */

/* Begins [cgroup NAME]; name may be "" or wrong: then it complains. */
void config_domain_begin(struct config_loader *l, const char *name);
/* Ends the current domain, if there is one: it needs a path, and something to do. */
void config_domain_end(struct config_loader *l);
/* Puts the domains into the config, and a rule for each that has a preference. Last of all: the
 * rules of all files must be there. */
void config_domain_finish(struct config_loader *l);
bool config_domain_set_path(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);
bool config_domain_set_kill(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);
bool config_domain_set_preference(
	struct config_loader *l, const struct config_key *k, const char *text, void *field);

/* --- config-check.c --- */

/* What must hold between the values, once all files are read. */
void config_check(struct config_loader *l);

/* --- config.c --- */

/* config_load() with the path given; optional: the file may be missing. */
int config_read(const char *path, bool optional, FILE *errors, struct config **ret);
