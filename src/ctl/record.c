/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include "util.h"

#include <string.h>

const char *const record_evidence_names[] = { "sole", "kcmp", "smaps", "unknown", "bpf" };
const char *const record_preference_names[] = { "none", "low", "avoid", "omit" };
const char *const record_flag_names[] = { "kthread", "zombie_leader", "no_mm", "core_dumping",
	"kill_pending", "marks_hidden" };

#define OF_TASK(member) offsetof(struct task, member)
#define OF_MEM(member)  offsetof(struct meminfo, member)

const struct record_number record_numbers[] = {
	{ "pid", OF_TASK(id.pid), RECORD_PID },
	{ "start_ticks", OF_TASK(id.start_ticks), RECORD_U64 },
	{ "mm_tid", OF_TASK(mm_tid), RECORD_PID },
	{ "ppid", OF_TASK(ppid), RECORD_PID },
	{ "uid", OF_TASK(uid), RECORD_UID },
	{ "threads", OF_TASK(threads), RECORD_U32 },
	{ "oom_score_adj", OF_TASK(oom_score_adj), RECORD_I16 },
	{ "anon_bytes", OF_TASK(mem.anon_bytes), RECORD_U64 },
	{ "file_bytes", OF_TASK(mem.file_bytes), RECORD_U64 },
	{ "shmem_bytes", OF_TASK(mem.shmem_bytes), RECORD_U64 },
	{ "swap_bytes", OF_TASK(mem.swap_bytes), RECORD_U64 },
	{ "pgtables_bytes", OF_TASK(mem.pgtables_bytes), RECORD_U64 },
	{ "vsize_bytes", OF_TASK(mem.vsize_bytes), RECORD_U64 },
	{ "marks", OF_TASK(marks.start_code), RECORD_U64 },
};
const size_t record_number_count = ARRAY_SIZE(record_numbers);

const struct record_number record_memory_numbers[] = {
	{ "total_bytes", OF_MEM(total_bytes), RECORD_U64 },
	{ "available_bytes", OF_MEM(available_bytes), RECORD_U64 },
	{ "anon_bytes", OF_MEM(anon_bytes), RECORD_U64 },
	{ "shmem_bytes", OF_MEM(shmem_bytes), RECORD_U64 },
	{ "swap_total_bytes", OF_MEM(swap_total_bytes), RECORD_U64 },
	{ "swap_free_bytes", OF_MEM(swap_free_bytes), RECORD_U64 },
	{ "kernel_oom_kills", OF_MEM(kernel_oom_kills), RECORD_U64 },
};
const size_t record_memory_number_count = ARRAY_SIZE(record_memory_numbers);

int record_new(uint32_t count, struct record **ret)
{
	_cleanup_(record_freep) struct record *r = calloc(1, sizeof(*r));
	size_t n = count > 0 ? count : 1;

	if (!r)
		return -ENOMEM;
	r->snapshot.proc_fd = -EBADF;
	r->snapshot.tasks = calloc(n, sizeof(*r->snapshot.tasks));
	r->details = calloc(n, sizeof(*r->details));
	if (!r->snapshot.tasks || !r->details)
		return -ENOMEM;
	r->snapshot.count = r->snapshot.capacity = count;
	r->evidence = MM_EVIDENCE_KCMP;
	*ret = take_pointer(&r);
	return 0;
}

void record_free(struct record *r)
{
	if (!r)
		return;
	for (uint32_t i = 0; r->details && i < r->snapshot.count; i++) {
		free(r->details[i].exe);
		free(r->details[i].cgroup);
		free(r->details[i].cmdline);
	}
	free(r->details);
	free(r->snapshot.tasks);
	free(r);
}

static int by_pid(const void *key, const void *detail)
{
	pid_t a = *(const pid_t *)key, b = ((const struct record_detail *)detail)->pid;

	return a < b ? -1 : a > b;
}

const struct record_detail *record_find(const struct record *r, pid_t pid)
{
	return bsearch(&pid, r->details, r->snapshot.count, sizeof(*r->details), by_pid);
}

/* --- replay --- */

static int compare(void *ctx, const struct task *a, const struct task *b)
{
	const struct record *r = ctx;
	const struct record_detail *x = record_find(r, a->id.pid), *y = record_find(r, b->id.pid);

	if (!x || !y || x->gone || y->gone)
		return -ESRCH;
	if (x->mm == y->mm)
		return 0;
	if (x->evidence == MM_EVIDENCE_UNKNOWN || y->evidence == MM_EVIDENCE_UNKNOWN)
		return -EPERM;
	if (r->evidence == MM_EVIDENCE_SMAPS)
		return 3;
	return x->mm < y->mm ? 1 : 2;
}

static void read_detail(void *ctx, const struct task *t, bool want_cmdline, struct task_detail *ret)
{
	const struct record *r = ctx;
	const struct record_detail *d = record_find(r, t->id.pid);

	victim_detail_clear(ret);
	if (!d)
		return;
	copy_cut(ret->exe, sizeof(ret->exe), d->exe ? d->exe : "");
	copy_cut(ret->cgroup, sizeof(ret->cgroup), d->cgroup ? d->cgroup : "");
	ret->preference = d->preference;
	ret->exe_unread = d->exe_unread;
	ret->cgroup_unread = d->cgroup_unread;
	if (!want_cmdline)
		return;
	copy_cut(ret->cmdline, sizeof(ret->cmdline), d->cmdline ? d->cmdline : "");
	ret->cmdline_unread = d->cmdline_unread || !r->has_cmdlines;
}

static int read_shmem(void *ctx, const struct task *t, struct victim_shmem *ret)
{
	const struct record_detail *d = record_find(ctx, t->id.pid);

	if (!d || d->shmem_error)
		return d ? d->shmem_error : -ESRCH;
	*ret = d->shmem;
	return 0;
}

struct victim_fns record_fns(struct record *r)
{
	return (struct victim_fns){
		.ctx = r,
		.cmp = compare,
		.evidence = r->evidence,
		.detail = read_detail,
		.shmem = read_shmem,
		.room = &r->room,
	};
}
