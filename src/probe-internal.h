/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between probe.c, which owns the threads and their deadlines, and what such a thread is sent for:
 * probe-serve.c, which takes requests apart, probe-smaps.c, which reads maps and smaps, and
 * probe-same.c, which compares two mms.
 */
#pragma once

#include "probe.h"
#include "util.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define PROBE_BUFFER_SIZE (64 * KIB)

/* What a reader works with. */
struct probe_reader {
	int proc_fd, cgroup_fd;
	const struct cgroup_mounts *mounts;
	const char *cgroup_root;
	char *buffer;          /* PROBE_BUFFER_SIZE, page aligned */
	atomic_bool abandoned; /* nobody waits any more: the reader stops at the next piece */
	/* The last cgroup of which the preference was read: a fork family is in one. */
	char known_cgroup[512];
	enum cgroup_preference known_preference;
	uint64_t known_usec;
};

#define PROBE_TEXT_MAX   16384 /* of a command line */
#define PROBE_PATH_SIZE  4096  /* of a cgroup, or more than the kernel shows */
#define PROBE_CGROUP_MAX 512   /* of a cgroup to look into, or to kill */

enum probe_request_kind {
	REQUEST_CMDLINE,
	REQUEST_CGROUP,
	REQUEST_SHMEM,
	REQUEST_SAME_MM,
	REQUEST_PIDS,
	REQUEST_OOM_GROUP,
	REQUEST_MEMORY,
	REQUEST_KILL_CGROUP,
};

struct probe_request {
	enum probe_request_kind kind;
	pid_t pid, other;
	size_t size;     /* of the text that is wanted */
	uint64_t id;     /* of the cgroup that is to be killed, 0: whichever it is */
	bool preference; /* is wanted with a cgroup, */
	bool wants_id;   /* as is its id with its pids */
	char path[PROBE_CGROUP_MAX], domain[PROBE_CGROUP_MAX];
};

/* What a reader brings back: its own memory, from which the caller copies under the lock. */
struct probe_answer {
	int result;
	struct probe_shmem shmem;
	enum cgroup_preference preference;
	uint64_t number; /* bytes, the id of a cgroup */
	uint32_t pids;   /* in the reader's buffer */
	char text[PROBE_TEXT_MAX];
};

/* In the reader's thread. */
void probe_serve(struct probe_reader *r, const struct probe_request *q, struct probe_answer *ret);

int probe_read_shmem(struct probe_reader *r, pid_t pid, struct probe_shmem *ret);
int probe_read_same_mm(struct probe_reader *r, pid_t a, pid_t b);

/* An fd, -ESRCH or another -errno. */
int probe_open_file(const struct probe_reader *r, pid_t pid, const char *file);

/* Returns false to stop. */
typedef bool probe_line_fn(void *ctx, const char *line);

/* A file read in pieces and taken apart into lines, with another one beside it, if twin_fd is not
 * negative, that must hold the same bytes. */
struct lines {
	struct probe_reader *reader;
	int fd, twin_fd;
	char *text, *twin_text; /* of size bytes each */
	size_t size, have;
};
/* 1 at the end, 0 when each() stopped it or the twin differs, or -errno. */
int probe_each_line(struct lines *l, probe_line_fn *each, void *ctx);

struct vma {
	uint64_t start, end, major, inode;
	bool writable, shared;
	const char *path; /* "" for none */
};
/* Whether the line of maps or smaps begins a VMA, and which. */
bool probe_parse_vma(const char *line, struct vma *ret);

/* The figures of one VMA in smaps. */
struct usage {
	uint64_t rss_bytes, pss_bytes, private_bytes, shared_bytes, anon_bytes, swap_bytes;
};
/* Adds the line's figure, if it is one of them. */
void probe_usage_line(struct usage *u, const char *line);
