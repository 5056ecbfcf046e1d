/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sharedmm.h"

#include "sharedmm-internal.h"
#include "util.h"

#include <string.h>

void sharedmm_free(struct sharedmm *sm)
{
	if (!sm)
		return;
	free(sm->entries);
	free(sm->spare);
	free(sm->members);
	free(sm->borrowers);
	free(sm->speaker);
	free(sm->class_of);
	free(sm->group_of);
	free(sm->gone);
	free(sm->classes);
	free(sm->groups);
	free(sm);
}

int sharedmm_new(uint32_t capacity, struct sharedmm **ret)
{
	size_t n = capacity > 0 ? capacity : 1;
	struct sharedmm *sm = calloc(1, sizeof(*sm));

	if (!sm)
		return -ENOMEM;
	sm->capacity = capacity;
	sm->entries = calloc(n, sizeof(*sm->entries));
	sm->spare = calloc(n, sizeof(*sm->spare));
	sm->members = calloc(n, sizeof(*sm->members));
	sm->borrowers = calloc(n, sizeof(*sm->borrowers));
	sm->speaker = calloc(n, sizeof(*sm->speaker));
	sm->class_of = calloc(n, sizeof(*sm->class_of));
	sm->group_of = calloc(n, sizeof(*sm->group_of));
	sm->gone = calloc(n, sizeof(*sm->gone));
	sm->classes = calloc(n, sizeof(*sm->classes));
	sm->groups = calloc(n, sizeof(*sm->groups));
	if (!sm->entries || !sm->spare || !sm->members || !sm->borrowers || !sm->speaker ||
		!sm->class_of || !sm->group_of || !sm->gone || !sm->classes || !sm->groups) {
		sharedmm_free(sm);
		return -ENOMEM;
	}
	*ret = sm;
	return 0;
}

static void merge(const struct entry *from, struct entry *to, uint32_t middle, uint32_t end,
	before_fn *before, void *ctx)
{
	uint32_t a = 0, b = middle;

	for (uint32_t i = 0; i < end; i++) {
		bool right = a == middle || (b < end && before(ctx, &from[b], &from[a]));
		to[i] = right ? from[b++] : from[a++];
	}
}

void sharedmm_sort(struct sharedmm *sm, uint32_t n, before_fn *before, void *ctx)
{
	for (uint64_t width = 1; width < n; width *= 2) {
		struct entry *from = sm->entries;

		for (uint64_t i = 0; i < n; i += 2 * width)
			merge(from + i, sm->spare + i, (uint32_t)min_u64(width, n - i),
				(uint32_t)min_u64(2 * width, n - i), before, ctx);
		sm->entries = sm->spare;
		sm->spare = from;
	}
}

static const struct mm_marks *marks_of(const struct sharedmm *sm, uint32_t task)
{
	static const struct mm_marks hidden;
	const struct task *t = task_at(sm, sm->speaker[task]);

	return t->flags & TASK_MARKS_HIDDEN ? &hidden : &t->marks;
}

static uint64_t hash_marks(const struct mm_marks *m)
{
	const uint64_t *word = (const uint64_t *)m;
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof(*m) / sizeof(*word); i++) {
		h = (h ^ word[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return h;
}

static int compare_marks(const struct sharedmm *sm, const struct entry *a, const struct entry *b)
{
	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return memcmp(marks_of(sm, a->task), marks_of(sm, b->task), sizeof(struct mm_marks));
}

static bool marks_before(void *ctx, const struct entry *a, const struct entry *b)
{
	const struct sharedmm *sm = ctx;
	int r = compare_marks(sm, a, b);

	if (r != 0)
		return r < 0;
	return task_at(sm, a->task)->id.pid < task_at(sm, b->task)->id.pid;
}

/* Whether keys alone tell who shares with whom. A task that hides its marks and has no key cannot
 * be compared in the other way either. */
static bool all_keyed(const struct snapshot *s)
{
	bool any = false;

	for (uint32_t i = 0; i < s->count; i++) {
		const struct task *t = &s->tasks[i];

		if (t->flags & (TASK_KTHREAD | TASK_NO_MM))
			continue;
		if (t->mm_key == 0 && !(t->flags & TASK_MARKS_HIDDEN))
			return false;
		any |= t->mm_key != 0;
	}
	return any;
}

bool sharedmm_key_before(void *ctx, const struct entry *a, const struct entry *b)
{
	const struct sharedmm *sm = ctx;

	if (a->key != b->key)
		return a->key < b->key;
	return task_at(sm, a->task)->id.pid < task_at(sm, b->task)->id.pid;
}

/* The marks of an mm may have been changed between the reads of two sharers: the first of them
 * speaks for all. */
static void choose_speakers(struct sharedmm *sm)
{
	uint32_t n = 0, first = 0;

	for (uint32_t i = 0; i < sm->s->count; i++) {
		sm->speaker[i] = i;
		if (sm->keyed && task_at(sm, i)->mm_key != 0 &&
			!(task_at(sm, i)->flags & TASK_KTHREAD))
			sm->entries[n++] =
				(struct entry){ .key = task_at(sm, i)->mm_key, .task = i };
	}
	sharedmm_sort(sm, n, sharedmm_key_before, sm);
	for (uint32_t i = 0; i < n; i++) {
		if (sm->entries[i].key != sm->entries[first].key)
			first = i;
		sm->speaker[sm->entries[i].task] = sm->entries[first].task;
	}
}

int sharedmm_classify(struct sharedmm *sm, const struct snapshot *s, pid_t self)
{
	uint32_t n = 0;

	if (s->count > sm->capacity)
		return -E2BIG;
	sm->s = s;
	sm->self = self;
	sm->class_count = sm->group_count = sm->mark = sm->borrower_count = 0;
	sm->keyed = all_keyed(s);
	choose_speakers(sm);
	sm->comparisons = 0;
	sm->shmem_bytes = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct task *t = &s->tasks[i];

		sm->class_of[i] = sm->group_of[i] = NONE;
		sm->gone[i] = false;
		if (t->flags & TASK_BORROWED_MM && t->mm_key != 0)
			sm->borrowers[sm->borrower_count++] = i;
		if (t->flags & (TASK_KTHREAD | TASK_NO_MM))
			continue;
		sm->shmem_bytes += t->mem.shmem_bytes;
		sm->entries[n++] = (struct entry){ .key = hash_marks(marks_of(sm, i)), .task = i };
	}
	sharedmm_sort(sm, n, marks_before, sm);
	for (uint32_t i = 0; i < n; i++) {
		if (i == 0 || compare_marks(sm, &sm->entries[i - 1], &sm->entries[i]) != 0)
			sm->classes[sm->class_count++] = (struct class){ .first = i };
		sm->classes[sm->class_count - 1].count++;
		sm->members[i] = sm->entries[i].task;
		sm->class_of[sm->members[i]] = sm->class_count - 1;
	}
	return 0;
}

const uint32_t *sharedmm_class(const struct sharedmm *sm, uint32_t i, uint32_t *ret_count)
{
	if (i >= sm->class_count)
		return NULL;
	*ret_count = sm->classes[i].count;
	return &sm->members[sm->classes[i].first];
}

struct mm_group *sharedmm_group_of(struct sharedmm *sm, uint32_t index, sharedmm_cmp_fn *cmp,
	void *ctx, enum mm_evidence evidence)
{
	struct settling st = { .sm = sm, .cmp = cmp, .ctx = ctx, .evidence = evidence };

	if (sm->class_of[index] == NONE)
		return NULL;
	st.k = &sm->classes[sm->class_of[index]];
	if (sm->group_of[index] == NONE)
		sharedmm_settle(&st, index);
	return &sm->groups[sm->group_of[index]];
}

const uint32_t *sharedmm_members(const struct sharedmm *sm, const struct mm_group *g)
{
	return &sm->members[g->first];
}

uint32_t sharedmm_new_mark(struct sharedmm *sm)
{
	return ++sm->mark;
}

uint64_t sharedmm_shmem_alone_bytes(const struct sharedmm *sm, const struct mm_group *g)
{
	unsigned __int128 outside = sm->shmem_bytes;

	for (uint32_t i = 0; i < g->count; i++)
		outside -= task_at(sm, sharedmm_members(sm, g)[i])->mem.shmem_bytes;
	return outside < g->mem.shmem_bytes ? g->mem.shmem_bytes - (uint64_t)outside : 0;
}

uint64_t sharedmm_yield_bytes(const struct mm_group *g, uint64_t shmem_bytes)
{
	uint64_t private = add_sat_u64(g->mem.anon_bytes, g->mem.swap_bytes);

	return add_sat_u64(add_sat_u64(private, g->mem.pgtables_bytes), shmem_bytes);
}

uint64_t sharedmm_comparisons(const struct sharedmm *sm)
{
	return sm->comparisons;
}
