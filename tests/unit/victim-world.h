/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine made up for test-victim.c: processes with the mm they hold, what the rules would read
 * of them, and what a walk of their shared memory would tell. Every choice made in it is checked
 * for what must never happen.
 */
#pragma once

#include "util.h"
#include "victim.h"

#include <string.h>
/* cmocka wants these before itself: */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TASKS_MAX 12000
#define SELF      11999
#define TOTAL     (16 * GIB)

struct world {
	bool late;       /* cgroups cannot be read in time, */
	pid_t late_each; /* or not those of every so many pids */
	bool exe_unread[TASKS_MAX + 1];
	struct snapshot s;
	struct task tasks[TASKS_MAX];
	struct sharedmm *sm;
	struct config config;
	struct hidden_list hidden;
	struct victim_need need;
	struct victim_scratch scratch[TASKS_MAX + 1];
	struct choice choice;
	uint64_t mms; /* handed out */
	/* By pid: */
	uint64_t mm[TASKS_MAX + 1];
	const char *exe[TASKS_MAX + 1], *cmdline[TASKS_MAX + 1], *cgroup[TASKS_MAX + 1];
	struct task_detail room;
	enum cgroup_preference preference[TASKS_MAX + 1];
	struct victim_shmem shmem[TASKS_MAX + 1];
	int shmem_error[TASKS_MAX + 1];
	/* What the last choice cost: */
	uint32_t details, cmdlines, walks;
};

static inline int fake_cmp(void *ctx, const struct task *a, const struct task *b)
{
	const struct world *w = ctx;
	uint64_t x = w->mm[a->id.pid], y = w->mm[b->id.pid];

	return x == y ? 0 : x < y ? 1 : 2;
}

static inline void fake_copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
}

static inline void fake_detail(
	void *ctx, const struct task *t, bool want_cmdline, struct task_detail *ret)
{
	struct world *w = ctx;
	pid_t pid = t->id.pid;

	bool late = w->late || (w->late_each > 0 && pid % w->late_each == 0);

	w->details++;
	w->cmdlines += want_cmdline;
	fake_copy(ret->exe, sizeof(ret->exe), w->exe[pid]);
	fake_copy(ret->cmdline, sizeof(ret->cmdline), want_cmdline ? w->cmdline[pid] : NULL);
	fake_copy(ret->cgroup, sizeof(ret->cgroup), late ? NULL : w->cgroup[pid]);
	ret->preference = late ? CGROUP_PREFERENCE_NONE : w->preference[pid];
	ret->exe_unread = w->exe_unread[pid];
	ret->cgroup_unread = late;
	ret->cmdline_unread = false;
	ret->cmdline_cut = false;
}

static inline int fake_shmem(void *ctx, const struct task *t, struct victim_shmem *ret)
{
	struct world *w = ctx;

	w->walks++;
	if (w->shmem_error[t->id.pid])
		return w->shmem_error[t->id.pid];
	*ret = w->shmem[t->id.pid];
	return 0;
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(sharedmm_new(TASKS_MAX, &w->sm), 0);
	w->s.tasks = w->tasks;
	w->s.capacity = TASKS_MAX;
	w->s.generation = 7;
	w->config.prefer_points = 300;
	w->need = (struct victim_need){ .bytes = GIB, .alone_bytes = GIB, .total_bytes = TOTAL };
	*state = w;
	return 0;
}

static inline void forget_rules(struct world *w)
{
	for (uint32_t i = 0; i < w->config.rule_count; i++) {
		struct rule *r = &w->config.rules[i];
		struct rule_pattern *p[] = { &r->comm, &r->cmdline, &r->exe, &r->unit, &r->cgroup };

		for (size_t j = 0; j < ARRAY_SIZE(p); j++)
			if (p[j]->set)
				regfree(&p[j]->regex);
	}
	memset(w->config.rules, 0, sizeof(w->config.rules));
	w->config.rule_count = 0;
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	forget_rules(w);
	sharedmm_free(w->sm);
	free(w);
	return 0;
}

/* A process of its own kind. Old, unless said otherwise: the newest started at 10,000,000. */
static inline struct task *process(struct world *w, const char *comm, uint64_t bytes)
{
	struct task *t = &w->tasks[w->s.count++];
	pid_t pid = (pid_t)w->s.count + 99;

	assert_true(pid < SELF);
	*t = (struct task){
		.id = { .pid = pid, .start_ticks = 1000 + w->s.count },
		.mm_tid = pid,
		.ppid = 1,
		.uid = 1000,
		.state = 'S',
		.mem = { .anon_bytes = bytes },
		.marks = { .start_code = 0x400000,
			.start_stack = UINT64_C(0x7ff000000000) + (uint64_t)pid },
	};
	memcpy(t->comm, comm, min_u64(strlen(comm), TASK_COMM_LEN - 1));
	w->mm[pid] = ++w->mms;
	return t;
}

/* The same marks, an mm of its own. */
static inline struct task *fork_of(struct world *w, const struct task *parent)
{
	struct task *t = process(w, parent->comm, parent->mem.anon_bytes);

	t->marks = parent->marks;
	t->mem = parent->mem;
	t->uid = parent->uid;
	t->ppid = parent->id.pid;
	t->oom_score_adj = parent->oom_score_adj;
	return t;
}

/* The same mm. */
static inline struct task *sharer_of(struct world *w, const struct task *other)
{
	struct task *t = fork_of(w, other);

	w->mm[t->id.pid] = w->mm[other->id.pid];
	return t;
}

static inline struct rule *rule(struct world *w, enum rule_action action, const char *name)
{
	struct rule *r = &w->config.rules[w->config.rule_count++];

	r->action = action;
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static inline void when(struct rule_pattern *p, const char *regex)
{
	assert_int_equal(regcomp(&p->regex, regex, REG_EXTENDED | REG_NOSUB), 0);
	p->set = true;
}

/* --- choosing --- */

static inline struct victim_fns fns_of(struct world *w)
{
	return (struct victim_fns){
		.ctx = w,
		.cmp = fake_cmp,
		.evidence = MM_EVIDENCE_KCMP,
		.detail = fake_detail,
		.shmem = fake_shmem,
		.room = &w->room,
	};
}

static inline const struct candidate *victim(const struct world *w, uint32_t i)
{
	assert_in_range(i, 0, w->choice.count - 1);
	return &w->choice.candidates[w->choice.chosen[i]];
}

static inline bool is_protected(struct world *w, const struct task *t)
{
	struct task_detail d;

	fake_detail(w, t, true, &d);
	for (uint32_t i = 0; i < w->config.rule_count; i++)
		if (w->config.rules[i].action == RULE_PROTECT &&
			victim_rule_matches(&w->config.rules[i], t, &d))
			return true;
	return false;
}

/* What holds of each group chosen, whatever the world: by the world's own knowledge of who shares
 * with whom, not by what sharedmm.c found. */
static inline void assert_may_die(struct world *w, const struct candidate *c)
{
	uint64_t mm = w->mm[w->tasks[c->task].id.pid];
	bool alive = false;

	assert_int_equal(c->reason, REASON_CHOSEN);
	assert_true(c->yield_bytes > 0);
	for (uint32_t i = 0; i < w->s.count; i++) {
		const struct task *t = &w->tasks[i];

		if (w->mm[t->id.pid] != mm || (t->flags & (TASK_KTHREAD | TASK_NO_MM)))
			continue;
		assert_int_not_equal(t->id.pid, 1);
		assert_int_not_equal(t->id.pid, SELF);
		assert_int_not_equal(t->oom_score_adj, -1000);
		assert_false(hidden_contains(&w->hidden, t));
		assert_false(is_protected(w, t));
		alive |= !(t->flags & TASK_KILL_PENDING);
	}
	assert_true(alive);
}

static inline void assert_sound(struct world *w)
{
	const struct choice *c = &w->choice;
	uint64_t sum = 0, least = UINT64_MAX;
	uint32_t chosen = 0;

	assert_int_equal(c->generation, 7);
	assert_in_range(c->count, 0, VICTIM_SET_MAX);
	assert_in_range(c->candidate_count, c->count, ARRAY_SIZE(c->candidates));
	for (uint32_t i = 0; i < c->candidate_count; i++)
		chosen += c->candidates[i].reason == REASON_CHOSEN;
	assert_int_equal(chosen, c->count);
	for (uint32_t i = 0; i < c->count; i++) {
		assert_may_die(w, victim(w, i));
		sum = add_sat_u64(sum, victim(w, i)->yield_bytes);
		least = min_u64(least, victim(w, i)->yield_bytes);
		if (i > 0)
			assert_true(c->chosen[i] > c->chosen[i - 1]);
	}
	assert_int_equal(sum, c->yield_bytes);
	if (c->count == 0) {
		assert_true(c->result == VICTIM_NONE || c->result == VICTIM_HOPELESS ||
			c->result == VICTIM_ALL_DYING);
		return;
	}
	if (c->result == VICTIM_PARTIAL)
		return;
	assert_int_equal(c->result, VICTIM_CHOSEN);
	assert_true(sum >= w->need.bytes || (c->count == 1 && sum >= w->need.alone_bytes));
	/* Nobody dies in vain, but of a family that outgrows its dead. */
	if (c->count > 1 && c->brood.times <= 1)
		assert_true(sum - least < w->need.bytes);
}

static inline enum victim_result choose(struct world *w)
{
	struct victim_fns fns = fns_of(w);

	assert_int_equal(sharedmm_classify(w->sm, &w->s, SELF), 0);
	w->details = w->cmdlines = w->walks = 0;
	memset(&w->choice, 0xa5, sizeof(w->choice));
	memset(&w->scratch[w->s.count], 0xa5, sizeof(w->scratch[0]));
	victim_choose(&w->s, w->sm, &w->config, &w->hidden, &w->need, &fns, w->scratch, &w->choice);
	/* It holds as many entries as there are tasks. */
	assert_int_equal(w->scratch[w->s.count].key, UINT64_C(0xa5a5a5a5a5a5a5a5));
	return w->choice.result;
}

static inline void assert_chosen(struct world *w, const struct task *t)
{
	assert_sound(w);
	for (uint32_t i = 0; i < w->choice.count; i++)
		if (w->mm[w->tasks[victim(w, i)->task].id.pid] == w->mm[t->id.pid])
			return;
	fail_msg("%s (%d) is not chosen", t->comm, t->id.pid);
}

static inline void assert_chosen_alone(struct world *w, const struct task *t)
{
	assert_int_equal(w->choice.count, 1);
	assert_chosen(w, t);
}

/* The reason given for the group of t. */
static inline const struct candidate *verdict_on(struct world *w, const struct task *t)
{
	for (uint32_t i = 0; i < w->choice.candidate_count; i++)
		if (w->mm[w->tasks[w->choice.candidates[i].task].id.pid] == w->mm[t->id.pid])
			return &w->choice.candidates[i];
	fail_msg("%s (%d) is not among the candidates", t->comm, t->id.pid);
	return NULL;
}

/* A kill of it freed nothing. */
static inline void hide(struct world *w, const struct candidate *c)
{
	struct mm_id id;

	victim_mm_id(&w->s, w->sm, &c->group, &id);
	hidden_add(&w->hidden, &id);
}

static inline uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
