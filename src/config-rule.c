/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules: [protect NAME], [avoid NAME], [prefer NAME] and their conditions.
 */
#include "config-internal.h"

#include <pwd.h>
#include <string.h>

/* Deeper nesting, and more repetitions written out than this, are no names of processes. */
#define NESTING_MAX     64
#define REPETITIONS_MAX 1000

/* --- patterns --- */

/*
 * What a pattern costs once its {m,n} and + are written out, which is what regcomp(3) does: a few
 * characters can take gigabytes. A back-reference makes regexec(3) try all ways to match, which
 * whoever names a process could make last for ever; all others take time in proportion to the text.
 */
struct pattern_scan {
	const char *at;
	uint64_t before[NESTING_MAX]; /* weight of the branch outside each open group */
	unsigned depth;
	uint64_t weight; /* of this group, without the last piece */
	uint64_t piece;
};

static void begin_piece(struct pattern_scan *s, uint64_t weight)
{
	s->weight = add_sat_u64(s->weight, s->piece);
	s->piece = weight;
}

/* s->at is behind the "[". Leaves it behind the "]"; an open one is regcomp's to report. */
static void skip_brackets(struct pattern_scan *s)
{
	s->at += *s->at == '^';
	s->at += *s->at == ']';
	while (*s->at && *s->at != ']') {
		if (s->at[0] == '[' && s->at[1] && strchr(":.=", s->at[1])) {
			char end[] = { s->at[1], ']', '\0' };
			const char *p = strstr(s->at + 2, end);

			s->at = p ? p + 2 : s->at + 1;
		} else {
			s->at++;
		}
	}
	s->at += *s->at == ']';
}

/* s->at is behind the "{". Leaves it behind the "}". */
static void repeat_piece(struct pattern_scan *s)
{
	uint64_t most = 0, n = 0;

	for (; *s->at && strchr("0123456789", *s->at); s->at++)
		n = add_sat_u64(mul_sat_u64(n, 10), (uint64_t)(*s->at - '0'));
	most = n;
	if (*s->at == ',') {
		for (n = 0, s->at++; *s->at && strchr("0123456789", *s->at); s->at++)
			n = add_sat_u64(mul_sat_u64(n, 10), (uint64_t)(*s->at - '0'));
		most = max_u64(add_sat_u64(most, 1), n); /* {2,} is aaa* */
	}
	s->at += *s->at == '}';
	s->piece = mul_sat_u64(s->piece, max_u64(most, 1));
}

static bool leave_group(struct pattern_scan *s)
{
	if (s->depth == 0)
		return false; /* a ")" by itself */
	begin_piece(s, 0);
	s->piece = s->weight;
	s->weight = s->before[--s->depth];
	return true;
}

/* Why the pattern is not taken; NULL: it is. */
static const char *why_not_compile(const char *text)
{
	struct pattern_scan s = { .at = text };

	while (*s.at) {
		char c = *s.at++;

		if (c == '\\' && *s.at >= '1' && *s.at <= '9')
			return "has a back-reference, which can take for ever to match";
		if (c == '(' && s.depth == NESTING_MAX)
			return "is nested too deeply";
		if (c == '(') {
			begin_piece(&s, 0);
			s.before[s.depth++] = s.weight;
			s.weight = 0;
		} else if (c == '{') {
			repeat_piece(&s);
		} else if (c == '+') {
			s.piece = mul_sat_u64(s.piece, 2); /* aa* */
		} else if (c == '*' || c == '?') {
			continue;
		} else if (c != ')' || !leave_group(&s)) {
			begin_piece(&s, 1);
			if (c == '[')
				skip_brackets(&s);
			else if (c == '\\' && *s.at)
				s.at++;
		}
	}
	while (s.depth > 0)
		leave_group(&s);
	begin_piece(&s, 0);
	return s.weight > strlen(text) + REPETITIONS_MAX
		? "repeats too much: written out it has more than 1000 parts"
		: NULL;
}

bool config_rule_set_pattern(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	struct rule_pattern *p = field;
	const char *why = why_not_compile(text);
	char quoted[CONFIG_QUOTE_MAX], reason[128];
	int r;

	if (why)
		return config_key_refuse(l, k, text, why);
	r = regcomp(&p->regex, text, REG_EXTENDED | REG_NOSUB);
	if (r != 0) {
		regerror(r, &p->regex, reason, sizeof(reason));
		config_complain(l, &l->at, "%s = \"%s\": %s; write %s", k->name,
			config_quote(text, quoted), reason, k->wanted);
		return false;
	}
	p->set = true;
	p->text = strdup(text);
	if (!p->text) {
		l->error = -ENOMEM;
		return config_key_refuse(l, k, text, "finds no memory left");
	}
	if (regexec(&p->regex, "", 0, NULL, 0) == 0 && regexec(&p->regex, "\1", 0, NULL, 0) == 0)
		config_warn(l, &l->at,
			"%s = \"%s\" matches every process; leave it out, or say more", k->name,
			config_quote(text, quoted));
	return true;
}

/* --- users --- */

/* Only of this file: name services may ask the network, load code and never answer. */
static int find_user(const char *name, uid_t *ret)
{
	_cleanup_(fclosep) FILE *f = fopen("/etc/passwd", "re");
	struct passwd entry = { 0 }, *p;
	char line[4096];

	if (!f)
		return -errno;
	while (fgetpwent_r(f, &entry, line, sizeof(line), &p) == 0)
		if (strcmp(entry.pw_name, name) == 0) {
			*ret = entry.pw_uid;
			return 0;
		}
	return -ENOENT;
}

bool config_rule_set_uid(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	struct rule *r = (struct rule *)((char *)field - offsetof(struct rule, uid));
	uint64_t uid;
	uid_t user = 0;
	int e = config_parse_number(text, &uid);

	/* The last one means "no user" to the kernel. */
	if (e == -ERANGE || (e == 0 && uid >= UINT32_MAX))
		return config_key_refuse(l, k, text, "is out of bounds");
	if (e == 0)
		user = (uid_t)uid;
	else if (find_user(text, &user) < 0)
		return config_key_refuse(l, k, text, "is no user");
	r->uid = user;
	r->uid_set = true;
	return true;
}

bool config_rule_set_preference(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	enum cgroup_preference *p = field;

	if (strcmp(text, "omit") == 0)
		*p = CGROUP_PREFERENCE_OMIT;
	else if (strcmp(text, "low") == 0)
		*p = CGROUP_PREFERENCE_LOW;
	else if (strcmp(text, "avoid") == 0)
		*p = CGROUP_PREFERENCE_AVOID;
	else
		return config_key_refuse(l, k, text, "is no preference");
	return true;
}

/* --- rules --- */

const char *config_rule_action_name(enum rule_action a)
{
	switch (a) {
	case RULE_PROTECT:
		return "protect";
	case RULE_AVOID:
		return "avoid";
	case RULE_PREFER:
		return "prefer";
	}
	return "?";
}

static void clear_pattern(struct rule_pattern *p)
{
	if (p->set)
		regfree(&p->regex);
	free(p->text);
}

void config_rule_clear(struct rule *r)
{
	clear_pattern(&r->comm);
	clear_pattern(&r->cmdline);
	clear_pattern(&r->exe);
	clear_pattern(&r->unit);
	clear_pattern(&r->cgroup);
	*r = (struct rule){ 0 };
}

/* The rule to fill: a new one, or that of an earlier file emptied. NULL after a complaint. */
static struct rule *find_room(struct config_loader *l, enum rule_action action, const char *name)
{
	struct config *c = l->config;
	uint32_t i = 0;

	while (i < c->rule_count &&
		(c->rules[i].action != action || strcmp(c->rules[i].name, name) != 0))
		i++;
	if (i == CONFIG_RULES_MAX) {
		config_complain(
			l, &l->at, "more than %d rules; join some with (a|b)", CONFIG_RULES_MAX);
		return NULL;
	}
	if (i == c->rule_count) {
		c->rule_count++;
	} else if (l->rules_began[i].file_number == l->at.file_number) {
		config_complain(l, &l->at, "[%s %s] began in line %u already; take another name",
			config_rule_action_name(action), name, l->rules_began[i].line);
		return NULL;
	}
	l->rules_began[i] = l->at;
	config_rule_clear(&c->rules[i]);
	return &c->rules[i];
}

void config_rule_begin(struct config_loader *l, enum rule_action action, const char *name)
{
	l->rule_began = l->at;
	l->rule = config_name_check(l, config_rule_action_name(action), "rule", name)
		? find_room(l, action, name)
		: NULL;
	config_key_forget(l);
	if (!l->rule) {
		config_rule_clear(&l->spare);
		l->rule = &l->spare;
		return;
	}
	l->rule->action = action;
	memcpy(l->rule->name, name, strlen(name) + 1);
}

void config_rule_end(struct config_loader *l)
{
	const struct rule *r = l->rule;

	l->rule = NULL;
	if (!r || r == &l->spare)
		return;
	if (!config_key_has_condition(l))
		config_complain(l, &l->rule_began,
			"[%s %s] has no condition; give it at least one of exe, unit, cgroup, uid, "
			"preference, comm, cmdline",
			config_rule_action_name(r->action), r->name);
	else if (r->action == RULE_PROTECT && (r->comm.set || r->cmdline.set) && !r->exe.set &&
		!r->unit.set && !r->cgroup.set && !r->uid_set && !r->preference)
		config_warn(l, &l->rule_began,
			"[protect %s] goes by %s alone, which every process can forge; add exe and "
			"uid, or cgroup",
			r->name,
			!r->cmdline.set        ? "comm"
				: !r->comm.set ? "cmdline"
					       : "comm and cmdline");
}
