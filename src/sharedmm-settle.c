/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares the tasks of one class with one another, and makes groups of what is the same mm. Apart
 * from sharedmm.c because here every answer may be an error, or come from a world that changes
 * while it is asked; there nothing can.
 */
#include "sharedmm-internal.h"
#include "util.h"

/* Errors that may have cost a deadline each: so many, and the class is left as it is. */
#define ERRORS_MAX 4
/* A sort that somebody's exit has spoilt is worth another try, but not for ever. */
#define SORTS_MAX 4
/* Passes that exits have spoilt, for one task that is asked about. */
#define SPOILT_MAX 4
/* A comparison of smaps costs as much as a hundred of kcmp: the bound keeps a pool of thousands
 * from taking seconds. */
#define SMAPS_MAX 512

enum relation { SAME, BEFORE, AFTER, DIFFERENT, FIRST_GONE, SECOND_GONE, CANNOT_TELL };

static int compare(const struct settling *st, uint32_t a, uint32_t b)
{
	const struct task *x = task_at(st->sm, a), *y = task_at(st->sm, b);

	/* Free of charge, but in no order with what cmp would say. */
	if (x->mm_key != 0 && y->mm_key != 0)
		return x->mm_key == y->mm_key ? 0 : 3;
	st->sm->comparisons++;
	return st->cmp(st->ctx, x, y);
}

static bool can_compare(const struct settling *st)
{
	return st->cmp && st->k->errors < ERRORS_MAX &&
		(st->evidence != MM_EVIDENCE_SMAPS || st->sm->comparisons < SMAPS_MAX);
}

static bool find_gone(const struct settling *st, uint32_t task)
{
	const struct task *t = task_at(st->sm, task);

	st->sm->comparisons++;
	if (st->cmp(st->ctx, t, t) == -ESRCH)
		st->sm->gone[task] = true;
	return st->sm->gone[task];
}

static enum relation relate(struct settling *st, uint32_t a, uint32_t b)
{
	static const enum relation answer[] = { SAME, BEFORE, AFTER, DIFFERENT };
	int r;

	if (st->sm->gone[a])
		return FIRST_GONE;
	if (st->sm->gone[b])
		return SECOND_GONE;
	r = can_compare(st) ? compare(st, a, b) : -EPERM;
	if (r >= 0)
		return answer[r < 3 ? r : 3];
	if (r == -ESRCH && find_gone(st, a))
		return FIRST_GONE;
	if (r == -ESRCH && find_gone(st, b))
		return SECOND_GONE;
	st->k->unknown = true;
	if (r != -EPERM)
		st->k->errors++;
	return CANNOT_TELL;
}

/* --- groups --- */

static void pin(struct mm_group *g, enum mm_pin by, uint32_t task)
{
	/* The enum is in the order of priority. */
	if (g->pin != MM_PIN_NONE && g->pin <= by)
		return;
	g->pin = by;
	g->pinned_by = task;
}

/* Whether t is the child of a member that waits for it in vfork. */
static bool is_vfork_child(
	const struct sharedmm *sm, const struct mm_group *g, const struct task *t)
{
	uint32_t low = g->first, high = g->first + g->count;

	/* Seen, not guessed from a parent in state D. */
	if (t->mm_key != 0)
		return t->flags & TASK_VFORK_CHILD;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct task *m = task_at(sm, sm->members[middle]);

		if (m->id.pid == t->ppid)
			return m->state == 'D';
		if (m->id.pid < t->ppid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void add_counters(struct mm_counters *sum, const struct mm_counters *m)
{
	sum->anon_bytes = max_u64(sum->anon_bytes, m->anon_bytes);
	sum->file_bytes = max_u64(sum->file_bytes, m->file_bytes);
	sum->shmem_bytes = max_u64(sum->shmem_bytes, m->shmem_bytes);
	sum->swap_bytes = max_u64(sum->swap_bytes, m->swap_bytes);
	sum->pgtables_bytes = max_u64(sum->pgtables_bytes, m->pgtables_bytes);
	sum->vsize_bytes = max_u64(sum->vsize_bytes, m->vsize_bytes);
}

static bool is_dying(const struct task *t)
{
	/* Who dumps core is on its way out, too, but the dump may take for ever. */
	return t->flags & TASK_KILL_PENDING ||
		(t->flags & TASK_EXITING && !(t->flags & TASK_CORE_DUMPING));
}

static void find_borrowers(const struct sharedmm *sm, struct mm_group *g)
{
	uint64_t key = task_at(sm, sm->members[g->first])->mm_key;

	for (uint32_t i = 0; key != 0 && i < sm->borrower_count; i++)
		if (task_at(sm, sm->borrowers[i])->mm_key == key && g->kthreads++ == 0)
			g->kthread = sm->borrowers[i];
}

void sharedmm_review(struct sharedmm *sm, struct mm_group *g)
{
	uint32_t n = g->count, pending = 0;
	bool adj_known = false;

	*g = (struct mm_group){
		.first = g->first, .count = n, .evidence = g->evidence, .mark = g->mark
	};
	for (uint32_t i = g->first; i < g->first + n; i++) {
		uint32_t task = sm->members[i];
		const struct task *t = task_at(sm, task);

		add_counters(&g->mem, &t->mem);
		if (t->id.pid == 1)
			pin(g, MM_PIN_INIT, task);
		if (t->id.pid == sm->self)
			pin(g, MM_PIN_SELF, task);
		if (t->oom_score_adj == -1000)
			pin(g, MM_PIN_ADJ, task);
		if (is_dying(t) || sm->gone[task])
			pending++;
		if (t->flags & TASK_MARKS_HIDDEN || sm->gone[task])
			g->evidence = MM_EVIDENCE_UNKNOWN;
		if (n > 1 && is_vfork_child(sm, g, t)) {
			g->vfork = true;
			continue;
		}
		if (!adj_known || t->oom_score_adj > g->oom_score_adj)
			g->oom_score_adj = t->oom_score_adj;
		adj_known = true;
	}
	find_borrowers(sm, g);
	g->kill_pending = pending == n;
	g->dying_partly = pending > 0 && pending < n;
}

/* Makes a group of the next n members behind those settled. */
static void settle_group(struct settling *st, uint32_t n, enum mm_evidence evidence)
{
	struct sharedmm *sm = st->sm;
	struct mm_group *g = &sm->groups[sm->group_count];

	*g = (struct mm_group){
		.first = st->k->first + st->k->settled, .count = n, .evidence = evidence
	};
	for (uint32_t i = g->first; i < g->first + n; i++)
		sm->group_of[sm->members[i]] = sm->group_count;
	sharedmm_review(sm, g);
	st->k->settled += n;
	sm->group_count++;
}

/* What the comparison with the rest of the class has shown, if it was made to the end. */
static enum mm_evidence evidence_now(const struct settling *st)
{
	if (st->k->count == 1)
		return MM_EVIDENCE_SOLE;
	return st->k->unknown ? MM_EVIDENCE_UNKNOWN : st->evidence;
}

/*
 * Settles the members whose entries[] have key 0, each on its own, then those with equal keys from
 * 1 on as groups, in this order; those with key NONE stay unsettled. All keep their order, so the
 * members of a group and the rest stay in that of pids.
 */
static void settle_entries(struct settling *st, uint32_t n, uint32_t groups)
{
	struct sharedmm *sm = st->sm;
	uint32_t *to = &sm->members[st->k->first + st->k->settled];
	enum mm_evidence evidence = evidence_now(st);
	uint32_t singles = 0, at = 0;

	for (uint32_t i = 0; i < n; i++)
		if (sm->entries[i].key == 0)
			to[at++] = sm->entries[i].task;
	singles = at;
	/* Keys from 1 on ascend: one pass is enough. */
	for (uint32_t i = 0; i < n; i++) {
		if (sm->entries[i].key == 0 || sm->entries[i].key == NONE)
			continue;
		sm->spare[at].key = sm->entries[i].key;
		to[at++] = sm->entries[i].task;
	}
	for (uint32_t i = 0, rest = at; i < n; i++)
		if (sm->entries[i].key == NONE)
			to[rest++] = sm->entries[i].task;
	for (uint32_t i = 0; i < singles; i++)
		settle_group(st, 1, evidence);
	for (uint32_t key = 1, i = singles; key <= groups; key++) {
		uint32_t begin = i;

		while (i < at && sm->spare[i].key == key)
			i++;
		if (i > begin)
			settle_group(st, i - begin, evidence);
	}
}

/* Puts the unsettled rest into entries[]; returns how many. */
static uint32_t load_rest(struct settling *st, uint64_t key)
{
	uint32_t n = st->k->count - st->k->settled;
	const uint32_t *from = &st->sm->members[st->k->first + st->k->settled];

	for (uint32_t i = 0; i < n; i++)
		st->sm->entries[i] = (struct entry){ .key = key, .task = from[i] };
	return n;
}

/* Settles those on their own that refuse every comparison: asked about themselves, they fail. */
static void settle_refusing(struct settling *st)
{
	uint32_t n = load_rest(st, NONE);

	st->k->swept = true;
	for (uint32_t i = 0; i < n; i++) {
		struct entry *e = &st->sm->entries[i];

		if (st->sm->gone[e->task] || relate(st, e->task, e->task) > DIFFERENT)
			e->key = 0;
	}
	settle_entries(st, n, 0);
}

/* Somebody who can be compared in place of one that is gone: of the same mm, as said before. */
static uint32_t stand_in(const struct settling *st, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (st->sm->entries[i].key == 1 && !st->sm->gone[st->sm->entries[i].task])
			return st->sm->entries[i].task;
	return NONE;
}

/*
 * Whether those found the same (key 1) still are. A task that exits in the midst of a pass has no
 * mm from then on and differs from its sharers: some may have been missed. *ret_other is one that
 * now differs.
 */
static bool still_same(struct settling *st, uint32_t with, uint32_t n, uint32_t *ret_other)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct entry *e = &st->sm->entries[i];
		enum relation r;

		if (e->key != 1 || e->task == with)
			continue;
		r = relate(st, with, e->task);
		if (r == BEFORE || r == AFTER || r == DIFFERENT) {
			*ret_other = e->task;
			return false;
		}
	}
	return true;
}

enum pass { PASS_DONE, PASS_REFUSED, PASS_SPOILT };

/* Compares asked with the others of entries[0 .. n) and gives key 1 to those of the same mm. */
static enum pass compare_rest(struct settling *st, uint32_t asked, uint32_t n, uint32_t *ret_other)
{
	struct sharedmm *sm = st->sm;
	uint32_t with = asked;

	for (uint32_t i = 0; i < n; i++)
		if (sm->entries[i].task == asked)
			sm->entries[i].key = 1;
	for (uint32_t i = 0; i < n && with != NONE; i++) {
		struct entry *e = &sm->entries[i];
		enum relation r;

		if (e->task == asked || sm->gone[e->task])
			continue;
		r = relate(st, with, e->task);
		while (r == FIRST_GONE && (with = stand_in(st, n)) != NONE)
			r = relate(st, with, e->task);
		if (r == SAME)
			e->key = 1;
		else if (r == CANNOT_TELL && !st->k->swept)
			return PASS_REFUSED;
	}
	return with == NONE || still_same(st, with, n, ret_other) ? PASS_DONE : PASS_SPOILT;
}

/* Settles one task by comparing it with the rest of its class. */
static void settle_linear(struct settling *st, uint32_t asked)
{
	struct sharedmm *sm = st->sm;
	uint32_t n = load_rest(st, NONE), other;
	enum pass pass = compare_rest(st, asked, n, &other);

	if (pass == PASS_SPOILT && st->spoilt++ >= SPOILT_MAX) {
		st->k->unknown = true;
		pass = PASS_DONE;
	}
	if (pass != PASS_DONE) {
		if (pass == PASS_REFUSED)
			settle_refusing(st);
		else
			settle_linear(st, other);
		if (sm->group_of[asked] == NONE)
			settle_linear(st, asked);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		if (sm->entries[i].key == 1 && sm->gone[sm->entries[i].task])
			sm->entries[i].key = 0;
	st->k->asked++;
	settle_entries(st, n, 1);
}

static bool mm_before(void *ctx, const struct entry *a, const struct entry *b)
{
	struct settling *st = ctx;

	if (st->no_order)
		return false;
	switch (relate(st, a->task, b->task)) {
	case BEFORE:
	case FIRST_GONE:
		return true;
	case SAME:
	case AFTER:
	case SECOND_GONE:
		return false;
	case DIFFERENT:
	case CANNOT_TELL:
		break;
	}
	st->no_order = true;
	return false;
}

/* Whether the run that ends before entry `end` is still of one mm, see still_same(). */
static bool run_holds(struct settling *st, uint32_t head, uint32_t end)
{
	const struct entry *e = st->sm->entries;

	for (uint32_t i = head + 1; i < end; i++)
		if (e[i].key == e[head].key && relate(st, e[head].task, e[i].task) != SAME)
			return false;
	return true;
}

/*
 * Numbers the runs of equal mms in the sorted entries: each against the first of its run. That the
 * first of each run is before that of the next shows that the order was one, also where somebody
 * exited in the midst of the sort; so do the pids, which a stable sort leaves ascending in a run.
 */
static bool number_runs(struct settling *st, uint32_t n, uint32_t *ret_runs)
{
	struct sharedmm *sm = st->sm;
	uint32_t head = NONE, last = NONE, runs = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct entry *e = &sm->entries[i];
		enum relation r =
			head == NONE ? BEFORE : relate(st, sm->entries[head].task, e->task);

		if (sm->gone[e->task]) {
			e->key = 0;
			continue;
		}
		if (r == BEFORE) {
			if (head != NONE && !run_holds(st, head, i))
				return false;
			head = i;
			runs++;
		} else if (r != SAME || task_at(sm, e->task)->id.pid < task_at(sm, last)->id.pid) {
			return false;
		}
		last = e->task;
		e->key = runs;
	}
	*ret_runs = runs;
	return true;
}

/* Settles the whole rest of the class by sorting it. Returns false when no order is to be had:
 * nothing is settled then. */
static bool settle_sorted(struct settling *st)
{
	uint32_t n = load_rest(st, 0), runs;

	st->k->sorts++;
	st->no_order = false;
	sharedmm_sort(st->sm, n, mm_before, st);
	if (st->no_order || !number_runs(st, n, &runs))
		return false;
	settle_entries(st, n, runs);
	return true;
}

/* A sort costs as much as log2(k) linear passes. */
static bool asked_often(const struct class *k)
{
	uint32_t rest = k->count - k->settled;

	return rest > 4 && k->sorts < SORTS_MAX &&
		k->asked > 31 - (uint32_t)__builtin_clz(rest) + k->sorts;
}

/* Settles the whole class, for there is nothing to ask anybody. */
static void settle_by_key(struct settling *st)
{
	struct sharedmm *sm = st->sm;
	uint32_t n = load_rest(st, 0), runs = 0;
	uint64_t last = 0;

	for (uint32_t i = 0; i < n; i++)
		sm->entries[i].key = task_at(sm, sm->entries[i].task)->mm_key;
	sharedmm_sort(sm, n, sharedmm_key_before, sm);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t key = sm->entries[i].key;

		runs += i == 0 || key != last;
		last = key;
		sm->entries[i].key = runs;
	}
	st->evidence = MM_EVIDENCE_BPF;
	settle_entries(st, n, runs);
}

void sharedmm_settle(struct settling *st, uint32_t asked)
{
	if (task_at(st->sm, asked)->mm_key != 0 && st->sm->keyed) {
		settle_by_key(st);
		return;
	}
	if (st->k->count > 1 && !can_compare(st)) {
		st->k->unknown = true;
		settle_entries(st, load_rest(st, 0), 0);
		return;
	}
	if (!asked_often(st->k) || !settle_sorted(st))
		settle_linear(st, asked);
}
