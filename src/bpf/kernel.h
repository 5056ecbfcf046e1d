/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of the kernel's types that tasks.bpf.c reads, and no others. Offsets here mean
 * nothing: libbpf puts in those of the kernel that runs. What differs between kernels has a
 * "flavour" of its type, the part of a name after ___, which libbpf ignores.
 */
#pragma once

typedef signed char s8;
typedef unsigned char u8;
typedef short s16;
typedef unsigned short u16;
typedef int s32;
typedef unsigned int u32;
typedef long long s64;
typedef unsigned long long u64;
/* bpf_helper_defs.h names them. */
typedef u8 __u8;
typedef u16 __u16;
typedef s16 __s16;
typedef u32 __u32;
typedef s32 __s32;
typedef u64 __u64;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u32 __wsum;

#define BPF_MAP_TYPE_RINGBUF 27

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	s64 counter;
} atomic64_t;

/* In this order since 4.5. */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, MM_COUNTERS };

struct mm_struct {
	u64 total_vm;
	u64 start_code, end_code, start_stack;
	u64 start_data, end_data, start_brk;
	u64 arg_start, env_start;
	atomic64_t pgtables_bytes;
};

/* Until 6.1. */
struct mm_rss_stat {
	atomic64_t count[MM_COUNTERS];
};

struct mm_struct___rss_atomic {
	struct mm_rss_stat rss_stat;
};

/* Since 6.2. */
struct percpu_counter {
	s64 count;
};

struct mm_struct___rss_percpu {
	struct percpu_counter rss_stat[MM_COUNTERS];
};

/* Until 6.17. */
struct mm_struct___flags_word {
	unsigned long flags;
};

/* Since 6.18. */
typedef struct {
	unsigned long __mm_flags[1];
} mm_flags_t;

struct mm_struct___flags_bitmap {
	mm_flags_t flags;
};

/* Until 5.15. */
struct core_state;

struct mm_struct___core {
	struct core_state *core_state;
};

/* x86: a number for each mm, never given out again. */
typedef struct {
	u64 ctx_id;
} mm_context_t___x86;

struct mm_struct___x86 {
	mm_context_t___x86 context;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct sigpending {
	sigset_t signal;
};

struct signal_struct {
	int nr_threads;
	s16 oom_score_adj;
	u32 flags;
	struct sigpending shared_pending;
};

/* Since 5.16. */
struct signal_struct___core {
	struct core_state *core_state;
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct completion;

struct task_struct {
	u32 flags;
	int exit_state;
	s32 pid, tgid;
	u64 start_boottime;
	struct mm_struct *mm;
	struct task_struct *real_parent, *group_leader;
	struct completion *vfork_done;
	const struct cred *cred;
	struct signal_struct *signal;
	struct sigpending pending;
	char comm[16];
};

/* Since 5.14. */
struct task_struct___state {
	u32 __state;
};

/* Until 5.13. */
struct task_struct___old_state {
	long state;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop
