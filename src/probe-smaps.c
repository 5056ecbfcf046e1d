/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe-internal.h"
#include "procfs.h"
#include "util.h"

#include <string.h>

/* --- lines --- */

/* Hands out the whole lines of the text and keeps the rest. 1 go on, 0 told to stop. */
static int take_lines(struct lines *l, probe_line_fn *each, void *ctx)
{
	char *line = l->text, *end = l->text + l->have;

	for (char *next; line < end; line = next + 1) {
		next = memchr(line, '\n', (size_t)(end - line));
		if (!next)
			break;
		*next = '\0';
		if (!each(ctx, line))
			return 0;
	}
	l->have = (size_t)(end - line);
	if (l->have == l->size)
		l->have = 0; /* no line that we know is as long as that */
	memmove(l->text, line, l->have);
	return 1;
}

int probe_each_line(struct lines *l, probe_line_fn *each, void *ctx)
{
	for (;;) {
		ssize_t n = read(l->fd, l->text + l->have, l->size - l->have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (atomic_load(&l->reader->abandoned))
			return -ECANCELED;
		if (l->twin_fd >= 0) {
			/* One byte more where the file ends: the twin has to end there too. */
			ssize_t m = procfs_read_full(l->twin_fd, l->twin_text, n ? (size_t)n : 1);
			if (m < 0)
				return (int)m;
			if (m != n || memcmp(l->text + l->have, l->twin_text, (size_t)n) != 0)
				return 0;
		}
		if (n == 0)
			return 1;
		l->have += (size_t)n;
		if (take_lines(l, each, ctx) == 0)
			return 0;
	}
}

/* --- smaps --- */

/* "55c0fd716000-55c0fd718000 rw-p 00000000 fe:00 247134     /usr/bin/cat" */
bool probe_parse_vma(const char *line, struct vma *ret)
{
	uint64_t offset, minor;
	const char *perms, *p = procfs_parse_hex(line, &ret->start);

	if (!p || *p != '-' || !(p = procfs_parse_hex(p + 1, &ret->end)) || *p != ' ')
		return false;
	perms = p + 1;
	if (strnlen(perms, 5) < 5 || perms[4] != ' ')
		return false;
	if (!(p = procfs_parse_hex(perms + 5, &offset)) || *p != ' ' ||
		!(p = procfs_parse_hex(p + 1, &ret->major)) || *p != ':' ||
		!(p = procfs_parse_hex(p + 1, &minor)) || *p != ' ' ||
		!(p = procfs_parse_u64(p + 1, &ret->inode)))
		return false;
	ret->writable = perms[1] == 'w';
	ret->shared = perms[3] == 's';
	ret->path = p + strspn(p, " ");
	return true;
}

void probe_usage_line(struct usage *u, const char *line)
{
	static const struct {
		const char *name;
		size_t offset;
	} keys[] = {
		{ "Rss:", offsetof(struct usage, rss_bytes) },
		{ "Pss:", offsetof(struct usage, pss_bytes) },
		{ "Private_Clean:", offsetof(struct usage, private_bytes) },
		{ "Private_Dirty:", offsetof(struct usage, private_bytes) },
		{ "Shared_Clean:", offsetof(struct usage, shared_bytes) },
		{ "Shared_Dirty:", offsetof(struct usage, shared_bytes) },
		{ "Anonymous:", offsetof(struct usage, anon_bytes) },
		{ "Swap:", offsetof(struct usage, swap_bytes) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t length = strlen(keys[i].name);
		uint64_t v;
		if (strncmp(line, keys[i].name, length) != 0)
			continue;
		line += length;
		line += strspn(line, " \t");
		if (procfs_parse_u64(line, &v)) {
			uint64_t *sum = (uint64_t *)((char *)u + keys[i].offset);
			*sum = add_sat_u64(*sum, mul_sat_u64(v, KIB));
		}
		return;
	}
}

struct shmem_sum {
	bool any; /* VMA at all: the task has an mm */
	struct probe_shmem sum;
	enum { VMA_OTHER, VMA_FREED, VMA_KEPT } kind;
	struct usage usage;
};

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t a = strlen(text), b = strlen(suffix);

	return a >= b && memcmp(text + a - b, suffix, b) == 0;
}

/*
 * tmpfs, like every filesystem without a disk, has device major 0. Memory that no name keeps shows
 * as " (deleted)": memfd, /dev/zero for shared anonymous memory, unlinked files, GPU objects; SysV
 * segments look the same but stay until they are removed. A private mapping counts as far as its
 * pages are the file's own (Anonymous are its copies, which are anonymous memory).
 */
static void shmem_classify(struct shmem_sum *s, const struct vma *v)
{
	s->kind = VMA_OTHER;
	if (v->major != 0 || v->path[0] != '/')
		return;
	if (has_suffix(v->path, " (deleted)") && !has_prefix(v->path, "/SYSV"))
		s->kind = VMA_FREED;
	else if (v->shared)
		s->kind = VMA_KEPT;
}

static void shmem_flush(struct shmem_sum *s)
{
	uint64_t alone = sub_or_zero_u64(s->usage.private_bytes, s->usage.anon_bytes);
	uint64_t pss = sub_or_zero_u64(s->usage.pss_bytes, s->usage.anon_bytes);
	uint64_t rss = sub_or_zero_u64(s->usage.rss_bytes, s->usage.anon_bytes);

	if (s->kind == VMA_FREED) {
		s->sum.private_bytes = add_sat_u64(s->sum.private_bytes, alone);
		s->sum.pss_bytes = add_sat_u64(s->sum.pss_bytes, sub_or_zero_u64(pss, alone));
	} else if (s->kind == VMA_KEPT) {
		s->sum.kept_bytes = add_sat_u64(s->sum.kept_bytes, rss);
	}
	s->kind = VMA_OTHER;
	s->usage = (struct usage){ 0 };
}

static bool shmem_line(void *ctx, const char *line)
{
	struct shmem_sum *s = ctx;
	struct vma v;

	if (probe_parse_vma(line, &v)) {
		shmem_flush(s);
		shmem_classify(s, &v);
		s->any = true;
	} else if (s->kind != VMA_OTHER) {
		probe_usage_line(&s->usage, line);
	}
	return true;
}

void probe_parse_shmem(const char *smaps_text, struct probe_shmem *ret)
{
	struct shmem_sum s = { 0 };
	char line[512];

	while (*smaps_text) {
		size_t length = strcspn(smaps_text, "\n");
		/* A cut path would lose its " (deleted)": of a long line the end is kept too. */
		size_t head = min_u64(length, sizeof(line) / 2);
		size_t tail = min_u64(length - head, sizeof(line) / 2 - 1);
		memcpy(line, smaps_text, head);
		memcpy(line + head, smaps_text + length - tail, tail);
		line[head + tail] = '\0';
		(void)shmem_line(&s, line);
		smaps_text += length;
		smaps_text += *smaps_text == '\n';
	}
	shmem_flush(&s);
	*ret = s.sum;
}

int probe_open_file(const struct probe_reader *r, pid_t pid, const char *file)
{
	return procfs_open(r->proc_fd, procfs_path_of(pid, 0, file).text);
}

int probe_read_shmem(struct probe_reader *r, pid_t pid, struct probe_shmem *ret)
{
	_cleanup_(fd_closep) int fd = probe_open_file(r, pid, "smaps");
	struct lines l = { r, fd, -EBADF, r->buffer, NULL, PROBE_BUFFER_SIZE, 0 };
	struct shmem_sum s = { 0 };
	int e = fd < 0 ? fd : probe_each_line(&l, shmem_line, &s);

	if (e < 0 || !s.any)
		return e < 0 ? e : -ESRCH;
	shmem_flush(&s);
	*ret = s.sum;
	return 0;
}
