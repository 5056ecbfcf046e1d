/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs in the kernel for every task when snapshot-bpf.c reads: one record for each process, and one
 * for a thread whose leader has given up the mm. Kernel threads are among them, with the mm that
 * they borrow (kthread_use_mm), which /proc does not show.
 */
#include "kernel.h"
#include "record.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* include/linux/sched.h, sched/signal.h, sched/coredump.h: macros, which no BTF has. */
#define PF_EXITING        0x00000004
#define PF_KTHREAD        0x00200000
#define SIGNAL_GROUP_EXIT 0x00000004
#define MMF_OOM_SKIP_BIT  21
#define SIGKILL_BIT       (1ULL << 8)

/*
 * Of a counter for each CPU this is the part that all have agreed upon, which is what the kernel's
 * oom_badness() goes by: off by a batch of max(32, 2 CPUs) pages for each CPU at most. The array of
 * old is copied: the verifier of 6.1 does not look through the name of its elements' type.
 */
static __always_inline void read_rss(struct task_record *r, struct mm_struct *mm)
{
	struct mm_struct___rss_percpu *percpu = (void *)mm;
	struct mm_struct___rss_atomic *atomic = (void *)mm;
	s64 pages[MM_COUNTERS] = {};

	if (bpf_core_field_exists(percpu->rss_stat)) {
		pages[MM_FILEPAGES] = percpu->rss_stat[MM_FILEPAGES].count;
		pages[MM_ANONPAGES] = percpu->rss_stat[MM_ANONPAGES].count;
		pages[MM_SWAPENTS] = percpu->rss_stat[MM_SWAPENTS].count;
		pages[MM_SHMEMPAGES] = percpu->rss_stat[MM_SHMEMPAGES].count;
	} else {
		bpf_core_read(pages, sizeof(pages), &atomic->rss_stat.count);
	}
	r->file_pages = pages[MM_FILEPAGES];
	r->anon_pages = pages[MM_ANONPAGES];
	r->swap_pages = pages[MM_SWAPENTS];
	r->shmem_pages = pages[MM_SHMEMPAGES];
}

static __always_inline u64 mm_flags(struct mm_struct *mm)
{
	struct mm_struct___flags_bitmap *bitmap = (void *)mm;
	struct mm_struct___flags_word *word = (void *)mm;

	if (bpf_core_field_exists(bitmap->flags))
		return bitmap->flags.__mm_flags[0];
	return word->flags;
}

static __always_inline int dumps_core(struct task_struct *task, struct mm_struct *mm)
{
	struct signal_struct___core *of_signal = (void *)task->signal;
	struct mm_struct___core *of_mm = (void *)mm;

	if (bpf_core_field_exists(of_signal->core_state))
		return of_signal->core_state != 0;
	if (bpf_core_field_exists(of_mm->core_state))
		return of_mm->core_state != 0;
	return 0;
}

static __always_inline u32 run_state(struct task_struct *task)
{
	struct task_struct___old_state *before = (void *)task;
	struct task_struct___state *now = (void *)task;

	if (bpf_core_field_exists(now->__state))
		return now->__state;
	return (u32)before->state;
}

static __always_inline void read_mm(struct task_record *r, struct mm_struct *mm)
{
	struct mm_struct___x86 *x86 = (void *)mm;

	r->mm = (u64)mm;
	if (bpf_core_field_exists(x86->context.ctx_id)) {
		r->context = x86->context.ctx_id;
		r->flags |= RECORD_HAS_CONTEXT;
	}
	read_rss(r, mm);
	r->total_pages = mm->total_vm;
	r->pgtables_bytes = mm->pgtables_bytes.counter;
	r->start_code = mm->start_code;
	r->end_code = mm->end_code;
	r->start_stack = mm->start_stack;
	r->start_data = mm->start_data;
	r->end_data = mm->end_data;
	r->start_brk = mm->start_brk;
	r->arg_start = mm->arg_start;
	r->env_start = mm->env_start;
	if (mm_flags(mm) & (1ULL << MMF_OOM_SKIP_BIT))
		r->flags |= RECORD_OOM_SKIP;
}

/* What is the leader's, whichever thread the mm is read from. */
static __always_inline void read_process(struct task_record *r, struct task_struct *leader)
{
	struct signal_struct *signal = leader->signal;

	r->pid = leader->tgid;
	r->ppid = leader->real_parent->tgid;
	r->uid = leader->cred->euid.val;
	r->state = run_state(leader);
	r->exit_state = leader->exit_state;
	r->start_nsec = leader->start_boottime;
	r->threads = signal->nr_threads;
	r->oom_score_adj = signal->oom_score_adj;
	bpf_core_read(r->comm, sizeof(r->comm), &leader->comm);
	if (signal->flags & SIGNAL_GROUP_EXIT)
		r->flags |= RECORD_EXITING;
	if (signal->shared_pending.signal.sig[0] & SIGKILL_BIT)
		r->flags |= RECORD_KILL_PENDING;
}

static __always_inline void read_task(struct task_record *r, struct task_struct *task)
{
	if (task->flags & PF_KTHREAD)
		r->flags |= RECORD_KTHREAD;
	if (task->flags & PF_EXITING)
		r->flags |= RECORD_EXITING;
	if (task->pending.signal.sig[0] & SIGKILL_BIT)
		r->flags |= RECORD_KILL_PENDING;
}

/* As long as a task has an mm that is not freed. So what was read is of no worth if the task has
 * another one afterwards: it may have been anybody's. */
static __always_inline void read_memory(struct task_record *r, struct task_struct *task)
{
	u32 flags = r->flags;

#pragma unroll
	for (int tries = 0; tries < 2; tries++) {
		struct mm_struct *mm = task->mm;

		r->flags = flags;
		if (!mm)
			return;
		r->flags |= RECORD_HAS_MM;
		read_mm(r, mm);
		if (dumps_core(task, mm))
			r->flags |= RECORD_CORE_DUMPING;
		if (task->vfork_done && task->real_parent->mm == mm)
			r->flags |= RECORD_VFORK_CHILD;
		barrier();
		if (task->mm == mm)
			return;
	}
	r->flags |= RECORD_INCONSISTENT;
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *leader;
	struct task_record r = {};

	if (!task)
		return 0;
	leader = task->group_leader;
	if (task->pid != task->tgid) {
		if (!task->mm || leader->mm)
			return 0;
		r.flags |= RECORD_THREAD;
	}
	r.tid = task->pid;
	read_process(&r, leader);
	read_task(&r, task);
	barrier();
	read_memory(&r, task);
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
