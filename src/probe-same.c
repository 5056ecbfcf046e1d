/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether two tasks share one mm, where kcmp(2) cannot be asked. A mistake in one direction kills
 * an innocent process, in the other it frees nothing: in doubt the answer is "different".
 */
#include "probe-internal.h"
#include "procfs.h"
#include "util.h"

#include <string.h>
#include <sys/mman.h>

/* --- by pages: exact --- */

/*
 * Documentation/admin-guide/mm/pagemap.rst. The page number is 0 for readers without CAP_SYS_ADMIN.
 * A page that is mapped exclusively has one mapping, in one mm: two tasks that both show it at the
 * same address show the same mm. Pages that a fork has left to be shared are not exclusive.
 */
#define PAGE_NUMBER    ((UINT64_C(1) << 55) - 1)
#define PAGE_EXCLUSIVE (UINT64_C(1) << 56)
#define PAGE_FILE      (UINT64_C(1) << 61)
#define PAGE_PRESENT   (UINT64_C(1) << 63)

#define BATCH     512 /* entries read at once */
#define BATCHES   512 /* looked at, at most: 1 GiB of 4 KiB pages, whatever the layout */
#define DIFFERENT 16  /* pages that differ, after which no equal one is looked for */

struct pages {
	struct probe_reader *reader;
	int a_fd, b_fd;
	uint64_t page_size;
	uint64_t a[2][BATCH], b[2][BATCH];
	unsigned batches, different;
	bool same, hidden;
	int error;
};

static int read_entries(int fd, uint64_t *entries, uint64_t first, size_t count)
{
	ssize_t n = pread(fd, entries, count * sizeof(*entries), (off_t)(first * sizeof(*entries)));

	if (n < 0)
		return -errno;
	return n == (ssize_t)(count * sizeof(*entries)) ? 0 : -ESRCH; /* the mm is gone */
}

/* a and b as read first and again. */
static void judge_page(struct pages *p, size_t i)
{
	uint64_t a = p->a[0][i], b = p->b[0][i];

	if (a != p->a[1][i] || b != p->b[1][i])
		return; /* in motion */
	if ((a & PAGE_PRESENT) && !(a & PAGE_NUMBER))
		p->hidden = true;
	else if ((a & b & PAGE_PRESENT) == 0)
		p->different += (a & PAGE_PRESENT) != (b & PAGE_PRESENT);
	else if ((a & PAGE_NUMBER) != (b & PAGE_NUMBER))
		p->different++;
	else if ((a & b & PAGE_EXCLUSIVE) && !((a | b) & PAGE_FILE))
		p->same = true;
}

/* Whether to go on. */
static bool compare_batch(struct pages *p, uint64_t first, size_t count)
{
	for (int i = 0; i < 2 && p->error == 0; i++) {
		p->error = read_entries(p->a_fd, p->a[i], first, count);
		if (p->error == 0)
			p->error = read_entries(p->b_fd, p->b[i], first, count);
	}
	if (p->error < 0)
		return false;
	for (size_t i = 0; i < count && !p->same && !p->hidden; i++)
		judge_page(p, i);
	return !p->same && !p->hidden && p->different < DIFFERENT && ++p->batches < BATCHES;
}

/* Private writable memory, of each VMA the first and the last batch: heaps are used from the
 * bottom, stacks from the top. */
static bool compare_vma(void *ctx, const char *line)
{
	struct pages *p = ctx;
	struct vma v;

	if (!probe_parse_vma(line, &v) || v.shared || !v.writable || v.end <= v.start)
		return true;
	uint64_t first = v.start / p->page_size, count = (v.end - v.start) / p->page_size;
	if (!compare_batch(p, first, min_u64(count, BATCH)))
		return false;
	if (count <= BATCH)
		return true;
	uint64_t rest = min_u64(count - BATCH, BATCH);
	return compare_batch(p, first + count - rest, rest);
}

/* 1 same, 0 different or not to be told, -EPERM when page numbers are hidden, or another -errno. */
static int same_by_pages(struct probe_reader *r, pid_t a, pid_t b)
{
	_cleanup_(fd_closep) int a_fd = probe_open_file(r, a, "pagemap");
	_cleanup_(fd_closep) int b_fd = a_fd < 0 ? a_fd : probe_open_file(r, b, "pagemap");
	_cleanup_(fd_closep) int maps_fd = b_fd < 0 ? b_fd : probe_open_file(r, a, "maps");
	struct pages *p = (struct pages *)r->buffer;
	const size_t own = (sizeof(*p) + 63) / 64 * 64;
	struct lines l = { r, maps_fd, -EBADF, r->buffer + own, NULL, PROBE_BUFFER_SIZE - own, 0 };

	if (maps_fd < 0)
		return maps_fd;
	*p = (struct pages){ .reader = r, .a_fd = a_fd, .b_fd = b_fd };
	p->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	int e = probe_each_line(&l, compare_vma, p);
	if (e < 0 || p->error < 0)
		return e < 0 ? e : p->error;
	return p->hidden ? -EPERM : p->same;
}

/* --- by figures: weaker --- */

#define READINGS 8 /* at most, for two in a row without a difference */

/* The lines VmPeak .. VmSwap of status, which describe the mm. */
static int read_mm_lines(
	const struct probe_reader *r, pid_t pid, char *text, size_t size, const char **ret)
{
	_cleanup_(fd_closep) int fd = probe_open_file(r, pid, "status");
	ssize_t n = fd < 0 ? fd : procfs_read_full(fd, text, size - 1);

	if (n < 0)
		return (int)n;
	text[n] = '\0';
	char *first = strstr(text, "\nVmPeak:"), *last = first ? strstr(first, "\nVmSwap:") : NULL;
	if (!last)
		return -ESRCH; /* it has none */
	last[1 + strcspn(last + 1, "\n")] = '\0';
	*ret = first + 1;
	return 0;
}

/*
 * Equal layouts mean one mm, or a fork (whose figures may be equal too when both have been idle
 * since). What a fork cannot un-share is anonymous memory that is not writable: the relocations
 * that the dynamic linker has made and sealed. Where that memory has one mapping only there has
 * been no fork. Without address randomisation strangers may have equal layouts: then nothing is
 * told.
 */
struct evidence {
	struct usage usage;
	bool sealed;             /* this VMA is anonymous memory, or copies, not writable */
	bool has_private;        /* there was some with one mapping */
	bool forked, randomised; /* the layout: there was some with more; the stack's place */
};

static void evidence_flush(struct evidence *e)
{
	const struct usage *u = &e->usage;

	if (e->sealed && u->anon_bytes > 0) {
		if (u->shared_bytes > 0)
			e->forked = true;
		else
			e->has_private = true;
	}
	if (e->sealed && u->swap_bytes > 0)
		e->forked = true; /* swapped out, it does not say how many map it */
	e->usage = (struct usage){ 0 };
}

/* The stack ends at the end of the address space, a power of two less at most a page, unless its
 * place is random. */
static bool is_random_stack(const struct vma *v)
{
	uint64_t above = v->end + (uint64_t)sysconf(_SC_PAGESIZE);

	return (v->end & (v->end - 1)) != 0 && (above & (above - 1)) != 0;
}

static bool evidence_line(void *ctx, const char *line)
{
	struct evidence *e = ctx;
	struct vma v;

	if (!probe_parse_vma(line, &v)) {
		probe_usage_line(&e->usage, line);
		return true;
	}
	evidence_flush(e);
	e->sealed = !v.writable && !v.shared;
	if (!strcmp(v.path, "[stack]"))
		e->randomised = is_random_stack(&v);
	return true;
}

/* One reading of both: 1 nothing differs and there is evidence, 0, or -errno. */
static int compare_figures(struct probe_reader *r, pid_t a, pid_t b)
{
	const size_t half = PROBE_BUFFER_SIZE / 2;
	const char *a_lines = NULL, *b_lines = NULL;
	struct evidence evidence = { 0 };
	int e = read_mm_lines(r, a, r->buffer, half, &a_lines);

	if (e == 0)
		e = read_mm_lines(r, b, r->buffer + half, half, &b_lines);
	if (e < 0)
		return e;
	if (strcmp(a_lines, b_lines) != 0)
		return 0;
	_cleanup_(fd_closep) int a_fd = probe_open_file(r, a, "smaps");
	_cleanup_(fd_closep) int b_fd = a_fd < 0 ? a_fd : probe_open_file(r, b, "smaps");
	if (b_fd < 0)
		return b_fd;
	struct lines l = { r, a_fd, b_fd, r->buffer, r->buffer + half, half, 0 };
	e = probe_each_line(&l, evidence_line, &evidence);
	evidence_flush(&evidence);
	if (e <= 0)
		return e;
	return evidence.has_private && evidence.randomised && !evidence.forked;
}

int probe_read_same_mm(struct probe_reader *r, pid_t a, pid_t b)
{
	int e = same_by_pages(r, a, b);

	if (e != -EPERM && e != -EACCES)
		return e;
	/* Who else starts or ends with the same libraries moves figures between the two looks. */
	int equal = 0;
	for (int i = 0; i < READINGS && equal < 2; i++) {
		e = compare_figures(r, a, b);
		if (e < 0)
			return e;
		equal = e == 1 ? equal + 1 : 0;
	}
	return equal == 2;
}
