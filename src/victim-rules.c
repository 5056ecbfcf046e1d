/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the administrator's rules say of a task and of a group. Apart from victim.c because it is
 * about names, and that about numbers.
 */
#include "victim-internal.h"

#include "util.h"

#include <string.h>

#define UNIT_MAX 256

void victim_unit_of(const char *cgroup, char *ret, size_t size)
{
	static const char *const suffixes[] = { ".service", ".scope", ".socket", ".mount",
		".swap" };
	const char *unit = NULL;
	size_t unit_length = 0;

	for (const char *p = cgroup; *p;) {
		size_t length = strcspn(p, "/");

		for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
			size_t n = strlen(suffixes[i]);
			if (length > n && memcmp(p + length - n, suffixes[i], n) == 0) {
				unit = p;
				unit_length = length;
			}
		}
		p += length + (p[length] == '/');
	}
	/* A name cut short might be that of another unit. */
	if (unit_length >= size)
		unit_length = 0;
	if (unit_length > 0)
		memcpy(ret, unit, unit_length);
	if (size > 0)
		ret[unit_length] = '\0';
}

static bool pattern_matches(const struct rule_pattern *p, const char *text)
{
	return !p->set || (text[0] != '\0' && regexec(&p->regex, text, 0, NULL, 0) == 0);
}

static bool needs_detail(const struct rule *r)
{
	return r->cmdline.set || r->exe.set || r->unit.set || r->cgroup.set || r->preference ||
		r->domain;
}

bool victim_rule_could_match(const struct rule *r, const struct task *t)
{
	char comm[TASK_COMM_LEN + 1];

	if (!r->uid_set && !r->comm.set && !needs_detail(r))
		return false;
	if (r->uid_set && r->uid != t->uid)
		return false;
	memcpy(comm, t->comm, TASK_COMM_LEN);
	comm[TASK_COMM_LEN] = '\0';
	return pattern_matches(&r->comm, comm);
}

bool victim_rule_matches(const struct rule *r, const struct task *t, const struct task_detail *d)
{
	bool protects = r->action == RULE_PROTECT;
	char unit[UNIT_MAX] = "";
	size_t length;

	if (!victim_rule_could_match(r, t) || !pattern_matches(&r->exe, d->exe))
		return false;
	if (!(protects && d->cmdline_unread) && !pattern_matches(&r->cmdline, d->cmdline))
		return false;
	if (protects && d->cgroup_unread)
		return true;
	if (r->preference && r->preference != d->preference)
		return false;
	if (r->domain && !config_domain_matches(r->domain, d->cgroup, &length))
		return false;
	if (r->unit.set)
		victim_unit_of(d->cgroup, unit, sizeof(unit));
	return pattern_matches(&r->unit, unit) && pattern_matches(&r->cgroup, d->cgroup);
}

unsigned victim_rule_actions(const struct config *c)
{
	unsigned actions = 0;

	for (uint32_t i = 0; i < c->rule_count; i++)
		actions |= RULE_BIT(c->rules[i].action);
	return actions;
}

bool victim_rules_protect_by_cmdline(const struct config *c)
{
	for (uint32_t i = 0; i < c->rule_count; i++)
		if (c->rules[i].action == RULE_PROTECT && c->rules[i].cmdline.set)
			return true;
	return false;
}

/* Reading a command line may cost a deadline: only where it can decide. */
static bool wants_cmdline(const struct config *c, const struct task *t, unsigned actions)
{
	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct rule *r = &c->rules[i];

		if (r->cmdline.set && (actions & RULE_BIT(r->action)) &&
			victim_rule_could_match(r, t))
			return true;
	}
	return false;
}

/* As victim_rule_of, for one task. */
static const struct rule *rule_of_task(
	const struct rule_world *w, const struct task *t, unsigned actions)
{
	const struct config *c = w->config;
	const struct rule *best = NULL;
	struct task_detail d;
	bool have_detail = false;

	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct rule *r = &c->rules[i];

		if (!(actions & RULE_BIT(r->action)) || (best && best->action <= r->action) ||
			(w->in_domain && r->domain) || !victim_rule_could_match(r, t))
			continue;
		if (needs_detail(r) && !have_detail) {
			d.exe[0] = d.cmdline[0] = d.cgroup[0] = '\0';
			d.cmdline_unread = d.cgroup_unread = false;
			d.preference = CGROUP_PREFERENCE_NONE;
			if (w->fns->detail)
				w->fns->detail(w->fns->ctx, t, wants_cmdline(c, t, actions), &d);
			have_detail = true;
		}
		if (!needs_detail(r) || victim_rule_matches(r, t, &d))
			best = r;
	}
	return best;
}

/* Whether the decision about more actions, or the same, is one about these too. */
static bool is_known(const struct mm_group *g, unsigned actions)
{
	const struct rule *r = g->ruled.rule;

	return (g->ruled.actions & actions) == actions && (!r || actions & RULE_BIT(r->action));
}

const struct rule *victim_rule_of(
	const struct rule_world *w, struct mm_group *g, unsigned actions, uint32_t *ret_member)
{
	const uint32_t *members = sharedmm_members(w->sm, g);
	const struct rule *best = NULL;

	actions &= victim_rule_actions(w->config);
	if (actions == 0)
		return NULL;
	if (is_known(g, actions)) {
		*ret_member = g->ruled.member;
		return g->ruled.rule;
	}
	for (uint32_t i = 0; i < g->count; i++) {
		const struct rule *r = rule_of_task(w, &w->s->tasks[members[i]], actions);

		if (!r || (best && best->action <= r->action))
			continue;
		best = r;
		*ret_member = members[i];
		if (best->action == RULE_PROTECT)
			break; /* nothing goes before it */
	}
	g->ruled.actions = actions;
	g->ruled.rule = best;
	g->ruled.member = best ? *ret_member : 0;
	return best;
}
