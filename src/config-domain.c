/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains: [cgroup NAME], what a path may be, and the rule that the preference amounts to.
 */
#include "config-internal.h"

#include <fnmatch.h>
#include <string.h>

/* Unit names hold "\x2d" and the like, so a backslash means itself. */
#define GLOB_FLAGS (FNM_NOESCAPE | FNM_PATHNAME)

/* --- globs --- */

/* Behind the "]" that closes the "[" at; NULL: none does before end. */
static const char *bracket_end(const char *at, const char *end)
{
	at++;
	at += at < end && (*at == '!' || *at == '^');
	at += at < end && *at == ']';
	while (at < end && *at != ']') {
		const char close[] = { at[1], ']' };
		const char *p = NULL;

		if (at[0] == '[' && end - at > 3 && strchr(":.=", at[1]))
			p = memmem(at + 2, (size_t)(end - at) - 2, close, sizeof(close));
		at = p ? p + sizeof(close) : at + 1;
	}
	return at < end ? at + 1 : NULL;
}

/* Whether a bracket expression matches any byte, asked of fnmatch(3) itself. */
static bool bracket_matches(const char *at, const char *end)
{
	char glob[CONFIG_DOMAIN_PATH_MAX], text[2] = "";

	snprintf(glob, sizeof(glob), "%.*s", (int)(end - at), at);
	for (unsigned c = 1; c <= UCHAR_MAX; c++) {
		text[0] = (char)c;
		if (fnmatch(glob, text, GLOB_FLAGS) == 0)
			return true;
	}
	return false;
}

static const char *why_not_component(const char *at, const char *end)
{
	size_t length = (size_t)(end - at);

	if (length == 0)
		return *end ? "has an empty component, //" : "ends with a /";
	if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
		return "has a component that is . or ..";
	while (at < end) {
		const char *p = at + 1;

		if (*at == '[') {
			p = bracket_end(at, end);
			if (!p)
				return "has a [ that is not closed before the next / (one that "
				       "means itself is [[])";
			if (!bracket_matches(at, p))
				return "has a [] that matches nothing";
		}
		at = p;
	}
	return NULL;
}

/* Why the text is no path of cgroups; NULL: it is. */
static const char *why_not_path(const char *text)
{
	const char *why = NULL;

	if (text[0] != '/')
		return "does not begin with a /";
	if (!text[1])
		return "is the root, which is the machine, and for [kill] to watch";
	if (strlen(text) >= CONFIG_DOMAIN_PATH_MAX)
		return "is longer than 255 bytes";
	while (!why && *text) {
		const char *end = text + 1 + strcspn(text + 1, "/");

		why = why_not_component(text + 1, end);
		text = end;
	}
	return why;
}

/* --- keys --- */

bool config_domain_set_path(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	const char *why = why_not_path(text);

	if (why)
		return config_key_refuse(l, k, text, why);
	memcpy(field, text, strlen(text) + 1);
	return true;
}

bool config_domain_set_kill(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	static const struct {
		const char *name;
		enum domain_kill kill;
	} kinds[] = {
		{ "process", DOMAIN_KILL_PROCESS },
		{ "group", DOMAIN_KILL_GROUP },
		{ "cgroup", DOMAIN_KILL_CGROUP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(text, kinds[i].name) == 0) {
			*(enum domain_kill *)field = kinds[i].kill;
			return true;
		}
	return config_key_refuse(l, k, text, "cannot be understood");
}

bool config_domain_set_preference(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	int *action = field;

	for (int a = RULE_PROTECT; a <= RULE_PREFER; a++)
		if (strcmp(text, config_rule_action_name((enum rule_action)a)) == 0) {
			*action = a;
			return true;
		}
	if (strcmp(text, "none") != 0)
		return config_key_refuse(l, k, text, "cannot be understood");
	*action = CONFIG_NO_ACTION;
	return true;
}

/* --- sections --- */

/* The domain to fill: a new one, or the place of that of an earlier file. NULL after a complaint.
 */
static struct config_domain_draft *find_room(struct config_loader *l, const char *name)
{
	uint32_t i = 0;

	while (i < l->domain_count && strcmp(l->domains[i].domain.name, name) != 0)
		i++;
	if (i == CONFIG_DOMAINS_MAX) {
		config_complain(l, &l->at,
			"more than %d cgroup sections; join some whose path can be one with a *",
			CONFIG_DOMAINS_MAX);
		return NULL;
	}
	if (i == l->domain_count) {
		l->domain_count++;
	} else if (l->domains[i].began.file_number == l->at.file_number) {
		config_complain(l, &l->at,
			"[cgroup %s] began in line %u already; take another name", name,
			l->domains[i].began.line);
		return NULL;
	}
	return &l->domains[i];
}

void config_domain_begin(struct config_loader *l, const char *name)
{
	bool good = config_name_check(l, "cgroup", "cgroup section", name);

	l->domain = good ? find_room(l, name) : NULL;
	good = l->domain;
	if (!good)
		l->domain = &l->spare_domain;
	*l->domain = (struct config_domain_draft){
		.domain = { .memory = { .kind = AMOUNT_OFF },
			.pressure = { .set = true,
				.full = true,
				.percent = 50,
				.span_usec = 5 * USEC_PER_SEC },
			.kill = DOMAIN_KILL_GROUP },
		.action = CONFIG_NO_ACTION,
		.began = l->at,
	};
	if (good)
		memcpy(l->domain->domain.name, name, strlen(name) + 1);
	config_key_forget(l);
}

/* Whether the key was set to a value that is wrong, so that the default there says nothing. */
static bool is_wrong(const struct config_loader *l, size_t offset)
{
	bool wrong = false;

	return config_key_place_here(l, offset, &wrong) && wrong;
}

void config_domain_end(struct config_loader *l)
{
	const struct config_domain_draft *d = l->domain;
	bool wrong;

	l->domain = NULL;
	if (!d || d == &l->spare_domain)
		return;
	if (!config_key_place_here(l, offsetof(struct config_domain_draft, domain.path), &wrong))
		config_complain(l, &d->began,
			"[cgroup %s] has no path; say which cgroups it is for, such as "
			"path = /kubepods.slice/*",
			d->domain.name);
	if (d->domain.memory.kind == AMOUNT_OFF && !d->domain.pressure.set &&
		d->action == CONFIG_NO_ACTION &&
		!is_wrong(l, offsetof(struct config_domain_draft, domain.memory)) &&
		!is_wrong(l, offsetof(struct config_domain_draft, action)))
		config_complain(l, &d->began,
			"[cgroup %s] has memory = off and pressure = off, so that nothing would "
			"ever be done; set one of them, or preference",
			d->domain.name);
}

/* --- when all files are read --- */

/* The rule to fill; NULL after a complaint. */
static struct rule *find_rule_room(struct config_loader *l, const struct config_domain_draft *d)
{
	struct config *c = l->config;
	const char *action = config_rule_action_name((enum rule_action)d->action);

	for (uint32_t i = 0; i < c->rule_count; i++)
		if ((int)c->rules[i].action == d->action &&
			strcmp(c->rules[i].name, d->domain.name) == 0) {
			config_complain(l, &d->began,
				"preference = %s of [cgroup %s] makes a rule [%s %s], but there is "
				"one of that name already; rename one of them",
				action, d->domain.name, action, d->domain.name);
			return NULL;
		}
	if (c->rule_count == CONFIG_RULES_MAX) {
		config_complain(l, &d->began,
			"preference = %s of [cgroup %s] makes a rule, and there are %d already, "
			"which is the most; join some with (a|b)",
			action, d->domain.name, CONFIG_RULES_MAX);
		return NULL;
	}
	l->rules_began[c->rule_count] = d->began;
	return &c->rules[c->rule_count++];
}

static void add_rule(struct config_loader *l, const struct config_domain_draft *d,
	const struct config_domain *domain)
{
	struct rule *r = find_rule_room(l, d);

	if (!r)
		return;
	r->action = (enum rule_action)d->action;
	memcpy(r->name, domain->name, sizeof(r->name));
	r->domain = domain;
}

/* Those of one path: the finder gives a cgroup to the first that matches. */
static void warn_same_path(struct config_loader *l, uint32_t i)
{
	const struct config_domain *d = &l->domains[i].domain;

	for (uint32_t j = 0; j < i && d->path[0]; j++)
		if (strcmp(l->domains[j].domain.path, d->path) == 0) {
			config_warn(l, &l->domains[i].began,
				"[cgroup %s] has the same path as [cgroup %s], which comes first "
				"and takes all; take one of them out",
				d->name, l->domains[j].domain.name);
			return;
		}
}

void config_domain_finish(struct config_loader *l)
{
	for (uint32_t i = 0; i < l->domain_count; i++) {
		const struct config_domain_draft *d = &l->domains[i];
		struct config_domain *domain = &l->config->domains[l->config->domain_count++];

		*domain = d->domain;
		warn_same_path(l, i);
		if (d->domain.path[0] && d->action != CONFIG_NO_ACTION)
			add_rule(l, d, domain);
	}
}
