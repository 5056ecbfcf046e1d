/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "procfs.h"
#include "snapshot-internal.h"
#include "util.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_PF_KTHREAD UINT64_C(0x00200000)
#define SIGKILL_BIT       (UINT64_C(1) << 8)
#define SIGTERM_BIT       (UINT64_C(1) << 14)

/* Numbers of the fields, as in proc_pid_stat(5). */
enum {
	STAT_PPID = 4,
	STAT_FLAGS = 9,
	STAT_THREADS = 20,
	STAT_START = 22,
	STAT_VSIZE,
	STAT_RSS,
	STAT_START_CODE = 26,
	STAT_END_CODE,
	STAT_START_STACK,
	STAT_START_DATA = 45,
	STAT_END_DATA,
	STAT_START_BRK,
	STAT_ARG_START,
	STAT_ENV_START = 50,
};

static void set_marks(struct mm_marks *m, const int64_t *field)
{
	*m = (struct mm_marks){
		.start_code = (uint64_t)field[STAT_START_CODE],
		.end_code = (uint64_t)field[STAT_END_CODE],
		.start_stack = (uint64_t)field[STAT_START_STACK],
		.start_data = (uint64_t)field[STAT_START_DATA],
		.end_data = (uint64_t)field[STAT_END_DATA],
		.start_brk = (uint64_t)field[STAT_START_BRK],
		.arg_start = (uint64_t)field[STAT_ARG_START],
		.env_start = (uint64_t)field[STAT_ENV_START],
	};
	/* Without permission the kernel shows the code's bounds as 1 and the rest as 0. */
	if (m->start_code == 1 && m->end_code == 1 && m->start_stack == 0)
		m->start_code = m->end_code = 0;
}

int snapshot_parse_stat(const char *text, struct task *ret)
{
	/* The name may hold anything, ") R 1" too; nothing after it holds a ')'. */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	int64_t field[STAT_ENV_START + 1] = { 0 }, pid;
	const char *p = procfs_parse_i64(text, &pid);

	if (!p || p[0] != ' ' || p + 1 != open || !close || close < open)
		return -EINVAL;
	if (close[1] != ' ' || close[2] < 'A' || close[2] > 'z')
		return -EINVAL;
	p = close + 3;
	for (int i = STAT_PPID; i <= STAT_ENV_START; i++) {
		if (*p++ != ' ')
			return -EINVAL;
		/* Limits and addresses may use all 64 bits. */
		p = *p == '-' ? procfs_parse_i64(p, &field[i])
			      : procfs_parse_u64(p, (uint64_t *)&field[i]);
		if (!p)
			return -EINVAL;
	}
	if (pid < 1 || pid > INT_MAX || field[STAT_PPID] < 0 || field[STAT_PPID] > INT_MAX ||
		field[STAT_THREADS] < 0 || field[STAT_THREADS] > INT_MAX)
		return -EINVAL;

	size_t length = min_u64((uint64_t)(close - open - 1), TASK_COMM_LEN - 1);
	memset(ret->comm, 0, sizeof(ret->comm));
	memcpy(ret->comm, open + 1, length);
	ret->id.pid = (pid_t)pid;
	ret->id.start_ticks = (uint64_t)field[STAT_START];
	ret->ppid = (pid_t)field[STAT_PPID];
	ret->state = close[2];
	ret->threads = (uint32_t)field[STAT_THREADS];
	ret->flags &= ~(uint32_t)TASK_KTHREAD;
	if ((uint64_t)field[STAT_FLAGS] & KERNEL_PF_KTHREAD)
		ret->flags |= TASK_KTHREAD;
	set_marks(&ret->marks, field);
	ret->mem = (struct mm_counters){
		.vsize_bytes = (uint64_t)field[STAT_VSIZE],
		.shmem_bytes = mul_sat_u64((uint64_t)field[STAT_RSS], (uint64_t)getpagesize()),
	};
	return 0;
}

enum status_key {
	KEY_TGID,
	KEY_UID,
	KEY_NSPID,
	KEY_SIZE,
	KEY_ANON,
	KEY_FILE,
	KEY_SHMEM,
	KEY_PTE,
	KEY_SWAP,
	KEY_CORE,
	KEY_THREADS,
	KEY_SIGPND,
	KEY_SHDPND,
	KEY_SIGBLK,
	KEY_SIGIGN,
	KEY_SIGCGT, /* the last in the file that we want */
	KEY_COUNT,
};

static const struct {
	const char *name;
	size_t length;
} status_keys[KEY_COUNT] = {
#define KEY(text)                                                                                  \
	{                                                                                          \
		text ":\t", sizeof(text ":\t") - 1                                                 \
	}
	[KEY_TGID] = KEY("Tgid"),
	[KEY_UID] = KEY("Uid"),
	[KEY_NSPID] = KEY("NSpid"),
	[KEY_SIZE] = KEY("VmSize"),
	[KEY_ANON] = KEY("RssAnon"),
	[KEY_FILE] = KEY("RssFile"),
	[KEY_SHMEM] = KEY("RssShmem"),
	[KEY_PTE] = KEY("VmPTE"),
	[KEY_SWAP] = KEY("VmSwap"),
	[KEY_CORE] = KEY("CoreDumping"),
	[KEY_THREADS] = KEY("Threads"),
	[KEY_SIGPND] = KEY("SigPnd"),
	[KEY_SHDPND] = KEY("ShdPnd"),
	[KEY_SIGBLK] = KEY("SigBlk"),
	[KEY_SIGIGN] = KEY("SigIgn"),
	[KEY_SIGCGT] = KEY("SigCgt"),
#undef KEY
};

/* The pids of a process in the namespaces that it is in, the innermost last. */
static bool is_ns_init(const char *pids)
{
	size_t length = strcspn(pids, "\n");

	return length > 0 && pids[length - 1] == '1' &&
		(length == 1 || pids[length - 2] == '\t' || pids[length - 2] == ' ');
}

static bool has_signal(const char *set, uint64_t bit)
{
	uint64_t v;

	return procfs_parse_hex(set, &v) && v & bit;
}

static void status_value(enum status_key key, const char *value, struct task *t)
{
	uint64_t v = 0;

	value += strspn(value, " \t");
	if (key == KEY_UID) { /* real, effective, ... */
		value += strcspn(value, "\t\n");
		value += *value == '\t';
	}
	if (!procfs_parse_u64(value, &v))
		v = 0;
	switch (key) {
	case KEY_TGID:
		t->id.pid = v <= INT_MAX ? (pid_t)v : 0;
		break;
	case KEY_UID:
		t->uid = (uid_t)v;
		break;
	case KEY_NSPID:
		t->flags |= is_ns_init(value) ? TASK_NS_INIT : 0;
		break;
	case KEY_SIZE:
		t->mem.vsize_bytes = mul_sat_u64(v, KIB);
		break;
	case KEY_ANON:
		t->mem.anon_bytes = mul_sat_u64(v, KIB);
		break;
	case KEY_FILE:
		t->mem.file_bytes = mul_sat_u64(v, KIB);
		break;
	case KEY_SHMEM:
		t->mem.shmem_bytes = mul_sat_u64(v, KIB);
		break;
	case KEY_PTE:
		t->mem.pgtables_bytes = mul_sat_u64(v, KIB);
		break;
	case KEY_SWAP:
		t->mem.swap_bytes = mul_sat_u64(v, KIB);
		break;
	case KEY_CORE:
		t->flags |= v ? TASK_CORE_DUMPING : 0;
		break;
	case KEY_THREADS:
		t->threads = (uint32_t)min_u64(v, INT_MAX);
		break;
	case KEY_SIGPND:
	case KEY_SHDPND:
		if (has_signal(value, SIGKILL_BIT))
			t->flags |= TASK_KILL_PENDING;
		break;
	case KEY_SIGBLK:
		t->flags |= has_signal(value, SIGTERM_BIT) ? TASK_BLOCKS_TERM : 0;
		break;
	case KEY_SIGIGN:
		if (!(t->flags & TASK_BLOCKS_TERM) && has_signal(value, SIGTERM_BIT))
			t->flags |= TASK_IGNORES_TERM;
		break;
	case KEY_SIGCGT:
		if (!(t->flags & TASK_BLOCKS_TERM) && t->flags & TASK_NS_INIT &&
			!has_signal(value, SIGTERM_BIT))
			t->flags |= TASK_IGNORES_TERM;
		break;
	case KEY_COUNT:
		break;
	}
}

/* Takes the lines of text into t and their keys into *seen, until the last key of interest. */
void snapshot_status_lines(const char *text, struct task *t, unsigned *seen)
{
	while (*text && !(*seen & 1u << KEY_SIGCGT)) {
		for (enum status_key k = 0; k < KEY_COUNT; k++) {
			if (*text != *status_keys[k].name ||
				strncmp(text, status_keys[k].name, status_keys[k].length) != 0)
				continue;
			status_value(k, text + status_keys[k].length, t);
			*seen |= 1u << k;
			break;
		}
		text = strchrnul(text, '\n');
		text += *text == '\n';
	}
}

void snapshot_status_begin(struct task *t)
{
	t->flags &= ~(uint32_t)(TASK_NO_MM | TASK_CORE_DUMPING | TASK_KILL_PENDING | TASK_NS_INIT |
		TASK_BLOCKS_TERM | TASK_IGNORES_TERM);
	t->mem = (struct mm_counters){ 0 };
}

int snapshot_status_end(struct task *t, unsigned seen)
{
	if (!(seen & 1u << KEY_ANON))
		t->flags |= TASK_NO_MM;
	return (seen & 1u << KEY_TGID) && (seen & 1u << KEY_UID) && t->id.pid > 0 ? 0 : -EINVAL;
}

int snapshot_parse_status(const char *text, struct task *ret)
{
	struct task t = *ret;
	unsigned seen = 0;
	int r;

	snapshot_status_begin(&t);
	snapshot_status_lines(text, &t, &seen);
	r = snapshot_status_end(&t, seen);
	if (r == 0)
		*ret = t;
	return r;
}

/* Whether the comma-separated controllers [p, end) have this one. */
static bool has_controller(const char *p, const char *end, const char *name)
{
	size_t length = strlen(name);

	while (p < end) {
		size_t n = strcspn(p, ",:");
		if (n == length && !memcmp(p, name, n))
			return true;
		p += n + 1;
	}
	return false;
}

int snapshot_parse_cgroup(const char *text, char *ret, size_t size)
{
	const char *best = NULL;
	int best_rank = INT_MAX;

	for (const char *next; *text; text = next) {
		const char *end = strchrnul(text, '\n');
		const char *list = memchr(text, ':', (size_t)(end - text)), *path = NULL;
		int rank = INT_MAX;

		next = end + (*end == '\n');
		if (list++)
			path = memchr(list, ':', (size_t)(end - list));
		if (!path || path[1] != '/')
			continue;
		if (path == list && list - text == 2 && *text == '0')
			rank = 0;
		else if (has_controller(list, path, "memory"))
			rank = 1;
		else if (has_controller(list, path, "name=systemd"))
			rank = 2;
		/* The root of a hierarchy says nothing that another might not say better. */
		if (rank < INT_MAX && path + 2 == end)
			rank += 3;
		if (rank < best_rank) {
			best_rank = rank;
			best = path + 1;
		}
	}
	if (!best || size == 0)
		return -EINVAL;
	size_t length = strcspn(best, "\n");
	if (length >= size)
		return -ENAMETOOLONG;
	memcpy(ret, best, length);
	ret[length] = '\0';
	return 0;
}
