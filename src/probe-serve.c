/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reader does for a request. In its thread, and so whatever may block is at home here.
 */
#include "clock.h"
#include "probe-internal.h"
#include "procfs.h"
#include "snapshot.h"

#include <string.h>
#include <unistd.h>

/* Within one choice what a cgroup prefers does not change. */
#define PREFERENCE_USEC (20 * USEC_PER_MSEC)

static int read_cmdline(struct probe_reader *r, pid_t pid, size_t size, char *ret)
{
	_cleanup_(fd_closep) int fd = probe_open_file(r, pid, "cmdline");
	ssize_t n = fd < 0 ? fd : procfs_read_full(fd, ret, size - 1);
	char next;
	int cut = 0;

	if (n < 0)
		return (int)n;
	/* The last byte of a whole one is a NUL, which need not have room. */
	if ((size_t)n == size - 1 && pread(fd, &next, 1, n) == 1 && next != '\0')
		cut = 1;
	while (n > 0 && ret[n - 1] == '\0')
		n--;
	for (ssize_t i = 0; i < n; i++)
		if (ret[i] == '\0')
			ret[i] = ' ';
	ret[n] = '\0';
	return cut;
}

/* Some ten calls for each of a family, who have one answer between them. */
static enum cgroup_preference read_preference(struct probe_reader *r, const char *cgroup)
{
	uint64_t now_usec = monotonic_usec();
	size_t length = strlen(cgroup);

	if (length >= sizeof(r->known_cgroup))
		return cgroup_preference_at(r->cgroup_fd, cgroup);
	if (now_usec - r->known_usec < PREFERENCE_USEC && strcmp(r->known_cgroup, cgroup) == 0)
		return r->known_preference;
	r->known_preference = cgroup_preference_at(r->cgroup_fd, cgroup);
	r->known_usec = now_usec;
	memcpy(r->known_cgroup, cgroup, length + 1);
	return r->known_preference;
}

static int read_cgroup(
	struct probe_reader *r, const struct probe_request *q, struct probe_answer *ret)
{
	ssize_t n = procfs_read_file(
		r->proc_fd, procfs_path_of(q->pid, 0, "cgroup").text, r->buffer, PROBE_BUFFER_SIZE);
	int e;

	if (n < 0)
		return (int)n;
	e = n == 0 ? -ESRCH : snapshot_parse_cgroup(r->buffer, ret->text, q->size);
	if (e == 0 && r->cgroup_root[0]) {
		char shown[PROBE_PATH_SIZE];

		memcpy(shown, ret->text, strlen(ret->text) + 1);
		e = cgroup_join(r->cgroup_root, shown, ret->text, q->size);
	}
	ret->preference = e == 0 && q->preference && r->cgroup_fd >= 0
		? read_preference(r, ret->text)
		: CGROUP_PREFERENCE_NONE;
	return e;
}

struct pids {
	pid_t *pid;
	uint32_t count;
	bool more;
};

static bool add_pid(void *ctx, pid_t pid)
{
	struct pids *p = ctx;

	p->more = p->count == PROBE_PIDS_MAX;
	if (!p->more)
		p->pid[p->count++] = pid;
	return !p->more;
}

_Static_assert(PROBE_PIDS_MAX * sizeof(pid_t) <= PROBE_BUFFER_SIZE, "a buffer is full of pids");

static void read_pids(
	struct probe_reader *r, const struct probe_request *q, struct probe_answer *ret)
{
	struct pids p = { .pid = (void *)r->buffer };

	ret->number = q->wants_id ? cgroup_id(r->mounts, q->path) : 0;
	ret->result = cgroup_each_process(r->mounts, q->path, add_pid, &p);
	ret->pids = p.count;
	if (ret->result == 0 && p.more)
		ret->result = -E2BIG;
}

void probe_serve(struct probe_reader *r, const struct probe_request *q, struct probe_answer *ret)
{
	switch (q->kind) {
	case REQUEST_CMDLINE:
		ret->result = read_cmdline(r, q->pid, q->size, ret->text);
		break;
	case REQUEST_CGROUP:
		ret->result = read_cgroup(r, q, ret);
		break;
	case REQUEST_SHMEM:
		ret->result = probe_read_shmem(r, q->pid, &ret->shmem);
		break;
	case REQUEST_SAME_MM:
		ret->result = probe_read_same_mm(r, q->pid, q->other);
		break;
	case REQUEST_PIDS:
		read_pids(r, q, ret);
		break;
	case REQUEST_OOM_GROUP:
		ret->text[0] = '\0';
		ret->result = cgroup_oom_group(r->mounts, q->path, q->domain, ret->text, q->size);
		break;
	case REQUEST_MEMORY:
		ret->result = cgroup_memory_bytes(r->mounts, q->path, &ret->number);
		break;
	case REQUEST_KILL_CGROUP:
		ret->result = cgroup_kill(r->mounts, q->path, q->id, &r->abandoned);
		break;
	}
}
