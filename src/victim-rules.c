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

void victim_detail_clear(struct task_detail *d)
{
	d->exe[0] = d->cmdline[0] = d->cgroup[0] = '\0';
	d->preference = CGROUP_PREFERENCE_NONE;
	d->exe_unread = d->cmdline_unread = d->cgroup_unread = d->cmdline_cut = false;
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

	if (!victim_rule_could_match(r, t))
		return false;
	if (!(protects && d->exe_unread) && !pattern_matches(&r->exe, d->exe))
		return false;
	if (!(protects && (d->cmdline_unread || d->cmdline_cut)) &&
		!pattern_matches(&r->cmdline, d->cmdline))
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

bool victim_rule_doubts(const struct rule *r, const struct task *t, struct task_detail *d)
{
	bool exe = d->exe_unread, cmdline = d->cmdline_unread, cgroup = d->cgroup_unread, certain;

	if (r->action != RULE_PROTECT || (!exe && !cmdline && !cgroup))
		return false;
	d->exe_unread = d->cmdline_unread = d->cgroup_unread = false;
	certain = victim_rule_matches(r, t, d);
	d->exe_unread = exe;
	d->cmdline_unread = cmdline;
	d->cgroup_unread = cgroup;
	return !certain;
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

/* A rule that was found, and whether it holds for certain. */
struct verdict_of_rules {
	const struct rule *rule;
	bool unread;
};

/* Whether a rule of this kind decides, now that there is the best so far. */
static bool goes_before(enum rule_action action, bool unread, const struct verdict_of_rules *best)
{
	if (!best->rule || action != best->rule->action)
		return !best->rule || action < best->rule->action;
	return best->unread && !unread;
}

/* As victim_rule_of, for one task. */
static struct verdict_of_rules rule_of_task(
	const struct rule_world *w, const struct task *t, unsigned actions)
{
	const struct config *c = w->config;
	struct verdict_of_rules best = { .rule = NULL };
	struct task_detail *d = w->fns->room;
	bool have_detail = false;

	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct rule *r = &c->rules[i];

		if (!(actions & RULE_BIT(r->action)) || !goes_before(r->action, false, &best) ||
			(w->in_domain && r->domain) || !victim_rule_could_match(r, t))
			continue;
		if (needs_detail(r) && !have_detail) {
			victim_detail_clear(d);
			if (w->fns->detail)
				w->fns->detail(w->fns->ctx, t, wants_cmdline(c, t, actions), d);
			have_detail = true;
		}
		if (!needs_detail(r))
			best = (struct verdict_of_rules){ .rule = r };
		else if (victim_rule_matches(r, t, d)) {
			bool unread = victim_rule_doubts(r, t, d);

			if (goes_before(r->action, unread, &best))
				best = (struct verdict_of_rules){ r, unread };
		}
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
	struct verdict_of_rules best = { .rule = NULL };

	actions &= victim_rule_actions(w->config);
	if (actions == 0)
		return NULL;
	if (is_known(g, actions)) {
		*ret_member = g->ruled.member;
		return g->ruled.rule;
	}
	for (uint32_t i = 0; i < g->count; i++) {
		struct verdict_of_rules v = rule_of_task(w, &w->s->tasks[members[i]], actions);

		if (!v.rule || !goes_before(v.rule->action, v.unread, &best))
			continue;
		best = v;
		*ret_member = members[i];
		if (best.rule->action == RULE_PROTECT && !best.unread)
			break; /* nothing goes before it */
	}
	g->ruled.actions = actions;
	g->ruled.rule = best.rule;
	g->ruled.unread = best.unread;
	g->ruled.member = best.rule ? *ret_member : 0;
	return best.rule;
}
