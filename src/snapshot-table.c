/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table that readers fill: its memory, its order, and who is left out when it is full. Apart
 * from snapshot.c because there are two readers.
 */
#include "snapshot-internal.h"
#include "util.h"

#include <limits.h>
#include <sys/mman.h>

/* Whether a belongs nearer to the root of the heap than b. */
typedef bool above_fn(const struct task *a, const struct task *b);

static bool pid_above(const struct task *a, const struct task *b)
{
	return a->id.pid > b->id.pid;
}

/* What is lost if the task is left out of the table. */
static uint64_t weight(const struct task *t)
{
	if (t->id.pid == 1)
		return UINT64_MAX;
	if (t->flags & TASK_KTHREAD)
		return 0;
	if (t->flags & TASK_NO_MM)
		return 1;
	uint64_t v = add_sat_u64(t->mem.anon_bytes, t->mem.file_bytes);
	v = add_sat_u64(v, add_sat_u64(t->mem.shmem_bytes, t->mem.swap_bytes));
	v = add_sat_u64(v, t->mem.pgtables_bytes);
	return min_u64(add_sat_u64(v, 2), UINT64_MAX - 1);
}

static bool light_above(const struct task *a, const struct task *b)
{
	uint64_t x = weight(a), y = weight(b);

	return x != y ? x < y : a->id.pid > b->id.pid;
}

static void sift_down(struct task *heap, uint32_t count, uint32_t at, above_fn *above)
{
	for (;;) {
		uint32_t top = at, child = 2 * at + 1;
		for (uint32_t i = child; i < count && i < child + 2; i++)
			if (above(&heap[i], &heap[top]))
				top = i;
		if (top == at)
			return;
		struct task moved = heap[at];
		heap[at] = heap[top];
		heap[top] = moved;
		at = top;
	}
}

static void heapify(struct task *tasks, uint32_t count, above_fn *above)
{
	for (uint32_t i = count / 2; i-- > 0;)
		sift_down(tasks, count, i, above);
}

/* In place: qsort(3) allocates. */
static void sort_by_pid(struct task *tasks, uint32_t count)
{
	heapify(tasks, count, pid_above);
	for (uint32_t n = count; n-- > 1;) {
		struct task last = tasks[0];
		tasks[0] = tasks[n];
		tasks[n] = last;
		sift_down(tasks, n, 0, pid_above);
	}
}

/* The table is full: it becomes a heap with the lightest on top, which t replaces or not. */
static void keep_heaviest(struct snapshot *s, const struct task *t)
{
	if (s->dropped++ == 0)
		heapify(s->tasks, s->count, light_above);
	if (!light_above(&s->tasks[0], t))
		return;
	s->tasks[0] = *t;
	sift_down(s->tasks, s->count, 0, light_above);
}

/* --- a pass --- */

void snapshot_table_begin(struct snapshot *s)
{
	int last = snapshot_last_pid(s);

	s->count = s->vanished = s->unread = s->dropped = s->light = 0;
	s->generation++;
	s->last_pid = last > 0 ? last : 0;
}

struct task *snapshot_table_room(struct snapshot *s, struct task *spare)
{
	return s->count < s->capacity ? &s->tasks[s->count] : spare;
}

void snapshot_table_take(struct snapshot *s, const struct task *t)
{
	if (s->count == s->capacity)
		keep_heaviest(s, t);
	else if (t != &s->tasks[s->count])
		s->tasks[s->count++] = *t;
	else
		s->count++;
}

void snapshot_table_end(struct snapshot *s, bool sorted)
{
	if (!sorted || s->dropped)
		sort_by_pid(s->tasks, s->count);
	for (uint32_t i = 0; i < s->count; i++)
		s->light += (s->tasks[i].flags & TASK_LIGHT) != 0;
}

const struct task *snapshot_find(const struct snapshot *s, pid_t pid)
{
	uint32_t low = 0, high = s->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (s->tasks[middle].id.pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->count && s->tasks[low].id.pid == pid ? &s->tasks[low] : NULL;
}

/* --- memory --- */

/* All of it present before it is needed. */
static void *map_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		/* cppcheck-suppress invalidFunctionArg ; anonymous memory has no fd */
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	/* cppcheck-suppress memleak ; it is returned */
	return p == MAP_FAILED ? NULL : p;
}

int snapshot_open(struct snapshot *s, int proc_fd, uint32_t capacity)
{
	*s = (struct snapshot){ .proc_fd = proc_fd };
	s->buffer_size =
		(uint32_t)(SNAPSHOT_TEXT_SIZE + SNAPSHOT_DIRENTS_SIZE + SNAPSHOT_TIDS_SIZE);
	s->buffer = map_memory(s->buffer_size);
	int r = s->buffer ? snapshot_reserve(s, capacity) : -ENOMEM;
	if (r < 0)
		snapshot_close(s);
	return r;
}

int snapshot_reserve(struct snapshot *s, uint32_t capacity)
{
	struct task *tasks;

	if (capacity == 0 || capacity > INT_MAX)
		return -EINVAL;
	if (capacity <= s->capacity)
		return 0;
	tasks = map_memory(capacity * sizeof(*tasks));
	if (!tasks)
		return -ENOMEM;
	if (s->tasks) {
		memcpy(tasks, s->tasks, s->count * sizeof(*tasks));
		munmap(s->tasks, s->capacity * sizeof(*tasks));
	}
	s->tasks = tasks;
	s->capacity = capacity;
	return 0;
}

void snapshot_close(struct snapshot *s)
{
	if (s->tasks)
		munmap(s->tasks, s->capacity * sizeof(*s->tasks));
	if (s->buffer)
		munmap(s->buffer, s->buffer_size);
	*s = (struct snapshot){ .proc_fd = -EBADF };
}
