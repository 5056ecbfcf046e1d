/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the BPF program tells of one task, and snapshot-bpf.c reads: both sides of the kernel's edge
 * are compiled from this file at once. Units are the kernel's own; whoever reads converts them.
 */
#pragma once

#define RECORD_COMM_LEN 16

enum record_flag {
	RECORD_KTHREAD = 1 << 0,
	RECORD_HAS_MM = 1 << 1,
	RECORD_THREAD = 1 << 2,       /* mm of a thread whose leader has none any more */
	RECORD_EXITING = 1 << 3,      /* PF_EXITING, or the whole group is on its way out */
	RECORD_CORE_DUMPING = 1 << 4, /* others wait for a dump of this mm */
	RECORD_OOM_SKIP = 1 << 5,     /* MMF_OOM_SKIP: the kernel expects no more of this mm */
	RECORD_VFORK_CHILD = 1 << 6,  /* its parent waits for it, and has the same mm */
	RECORD_KILL_PENDING = 1 << 7, /* SIGKILL, its own or the group's */
	RECORD_HAS_CONTEXT = 1 << 8,  /* context is valid */
	RECORD_INCONSISTENT = 1 << 9, /* it had another mm each time it was looked at */
};

struct task_record {
	unsigned int pid, tid; /* of the process, and the thread the mm was read from */
	unsigned int ppid, uid;
	unsigned int flags; /* enum record_flag */
	unsigned int state, exit_state;
	unsigned int threads;
	unsigned long long start_nsec; /* since boot */
	unsigned long long mm;         /* an address of the kernel: not for anybody's eyes */
	unsigned long long context;    /* a number no other mm has had since boot */
	long long anon_pages, file_pages, shmem_pages, swap_pages;
	unsigned long long total_pages, pgtables_bytes;
	unsigned long long start_code, end_code, start_stack, start_data, end_data, start_brk,
		arg_start, env_start;
	short oom_score_adj;
	char comm[RECORD_COMM_LEN];
	char padding[6];
};

_Static_assert(sizeof(struct task_record) == 192, "no hole, so nothing of a stack gets out");
