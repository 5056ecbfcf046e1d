/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What snapshot.c makes of the texts of /proc, and of a /proc in which things go wrong.
 */
#include "snapshot.h"

#include "count-malloc.h"
#include "proc-tree.h"
#include "util.h"

#include <inttypes.h>

/* --- texts --- */

/* The fields after the name, of a user process; then of one whose marks we may not see. */
#define STAT_TAIL                                                                                  \
	" S 40 41 42 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 3 0 470941 3133440 382 "                  \
	"18446744073709551615 1001 1002 1003 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 "                    \
	"2001 2002 2003 3001 3002 3003 3004 0\n"
#define STAT_MAPPED   3133440
#define STAT_RESIDENT (382 * (uint64_t)getpagesize())
#define STAT_TAIL_HIDDEN                                                                           \
	" S 40 41 42 0 -1 4194304 101 0 0 0 0 0 0 0 20 0 1 0 470941 3133440 382 "                  \
	"18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
#define STAT_TAIL_KTHREAD                                                                          \
	" S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0 18446744073709551615 "              \
	"0 0 0 0 0 0 0 2147483647 0 1 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
#define STAT_TAIL_ZOMBIE                                                                           \
	" Z 40 41 42 0 -1 4194308 101 0 0 0 0 0 0 0 20 0 2 0 470941 0 0 "                          \
	"18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"

static void the_fields_of_stat_land_where_they_belong(void **state)
{
	struct task t = { .uid = 77 };

	assert_int_equal(snapshot_parse_stat("6162 (cat)" STAT_TAIL, &t), 0);
	assert_int_equal(t.id.pid, 6162);
	assert_int_equal(t.id.start_ticks, 470941);
	assert_int_equal(t.ppid, 40);
	assert_int_equal(t.threads, 3);
	assert_int_equal(t.state, 'S');
	assert_string_equal(t.comm, "cat");
	assert_int_equal(t.flags, 0);
	assert_int_equal(t.marks.start_code, 1001);
	assert_int_equal(t.marks.end_code, 1002);
	assert_int_equal(t.marks.start_stack, 1003);
	assert_int_equal(t.marks.start_data, 2001);
	assert_int_equal(t.marks.end_data, 2002);
	assert_int_equal(t.marks.start_brk, 2003);
	assert_int_equal(t.marks.arg_start, 3001);
	assert_int_equal(t.marks.env_start, 3003);
	assert_int_equal(t.uid, 77); /* not in stat: left alone */
}

static void a_name_cannot_forge_the_fields(void **state)
{
	static const struct {
		const char *text, *comm;
	} names[] = {
		{ "7 () R 1 1\n)" STAT_TAIL, ") R 1 1\n" },
		{ "7 (a) R 9 (b)" STAT_TAIL, "a) R 9 (b" },
		{ "7 ()" STAT_TAIL, "" },
		{ "7 ())))" STAT_TAIL, ")))" },
		{ "7 (\x1b[2J\xff\xfe)" STAT_TAIL, "\x1b[2J\xff\xfe" },
		{ "7 (0123456789abcde)" STAT_TAIL, "0123456789abcde" },
		{ "7 (kworker/u8:1-events_unbound_and_more)" STAT_TAIL, "kworker/u8:1-ev" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct task t = { 0 };
		assert_int_equal(snapshot_parse_stat(names[i].text, &t), 0);
		assert_string_equal(t.comm, names[i].comm);
		assert_int_equal(t.ppid, 40);
		assert_int_equal(t.marks.env_start, 3003);
	}
}

static void a_bad_stat_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"7",
		"7 (cat",
		"7 (cat)",
		"7 (cat) S",
		"7 (cat) S 40 41\n",
		"(cat)" STAT_TAIL,
		"x (cat)" STAT_TAIL,
		"-7 (cat)" STAT_TAIL,
		"0 (cat)" STAT_TAIL,
		"99999999999 (cat)" STAT_TAIL,
		"7 )cat(" STAT_TAIL,
		"7 (cat) S 40 41 42 0 -1 99999999999999999999 0 0 0 0 0 0 0 0 20 0 3 0 1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct task t, before;
		memset(&t, 0x5a, sizeof(t));
		before = t;
		assert_int_equal(snapshot_parse_stat(bad[i], &t), -EINVAL);
		assert_memory_equal(&t, &before, sizeof(t));
	}
}

static void hidden_marks_are_all_zero(void **state)
{
	struct task t = { 0 };
	const struct mm_marks zero = { 0 };

	assert_int_equal(snapshot_parse_stat("7 (sshd)" STAT_TAIL_HIDDEN, &t), 0);
	assert_memory_equal(&t.marks, &zero, sizeof(zero));
}

static void kernel_threads_are_known_by_their_flag(void **state)
{
	struct task t = { 0 };

	assert_int_equal(snapshot_parse_stat("2 (kthreadd)" STAT_TAIL_KTHREAD, &t), 0);
	assert_int_equal(t.flags, TASK_KTHREAD);
	/* pid 2 of a container is none, whatever it calls itself */
	assert_int_equal(snapshot_parse_stat("2 (kthreadd)" STAT_TAIL, &t), 0);
	assert_int_equal(t.flags, 0);
}

#define STATUS_HEAD                                                                                \
	"Name:\tcat\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\nNgid:\t0\nPid:\t7\nPPid:\t40\n" \
	"Uid:\t1\t2\t3\t4\nGid:\t5\t5\t5\t5\nGroups:\t1 2 \n"
#define STATUS_MM                                                                                  \
	"VmPeak:\t     999 kB\nVmSize:\t     100 kB\nVmRSS:\t      90 kB\nRssAnon:\t      30 kB\n" \
	"RssFile:\t      20 kB\nRssShmem:\t      10 kB\nVmPTE:\t       8 kB\nVmSwap:\t       5 "   \
	"kB\n"
#define STATUS_TAIL                                                                                \
	"Threads:\t3\nSigQ:\t0/96365\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\n"      \
	"SigBlk:\t0000000000000100\n"

static void the_lines_of_status_land_where_they_belong(void **state)
{
	struct task t = { .ppid = 77 };

	assert_int_equal(
		snapshot_parse_status(STATUS_HEAD STATUS_MM "CoreDumping:\t0\n" STATUS_TAIL, &t),
		0);
	assert_int_equal(t.id.pid, 7);
	assert_int_equal(t.uid, 2);
	assert_int_equal(t.threads, 3);
	assert_int_equal(t.mem.vsize_bytes, 100 * KIB);
	assert_int_equal(t.mem.anon_bytes, 30 * KIB);
	assert_int_equal(t.mem.file_bytes, 20 * KIB);
	assert_int_equal(t.mem.shmem_bytes, 10 * KIB);
	assert_int_equal(t.mem.pgtables_bytes, 8 * KIB);
	assert_int_equal(t.mem.swap_bytes, 5 * KIB);
	assert_int_equal(t.flags, 0); /* a blocked SIGKILL is not a pending one */
	assert_int_equal(t.ppid, 77);
}

static void status_tells_of_core_dumps_and_pending_kills(void **state)
{
	struct task t = { 0 };

	assert_int_equal(
		snapshot_parse_status(STATUS_HEAD STATUS_MM "CoreDumping:\t1\n" STATUS_TAIL, &t),
		0);
	assert_int_equal(t.flags, TASK_CORE_DUMPING);
	assert_int_equal(snapshot_parse_status(STATUS_HEAD STATUS_MM
				 "SigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n",
				 &t),
		0);
	assert_int_equal(t.flags, TASK_KILL_PENDING);
	assert_int_equal(snapshot_parse_status(STATUS_HEAD STATUS_MM
				 "SigPnd:\t0000000000000000\nShdPnd:\t0000000000004100\n",
				 &t),
		0);
	assert_int_equal(t.flags, TASK_KILL_PENDING);
	/* SIGTERM, SIGUSR1 and a real-time signal leave a choice */
	assert_int_equal(snapshot_parse_status(STATUS_HEAD STATUS_MM
				 "SigPnd:\t8000000000004200\nShdPnd:\t0000000000004200\n",
				 &t),
		0);
	assert_int_equal(t.flags, 0);
	assert_int_equal(snapshot_parse_status(STATUS_HEAD STATUS_TAIL, &t), 0);
	assert_int_equal(t.flags, TASK_NO_MM);
	assert_int_equal(t.mem.anon_bytes, 0);
}

static uint32_t flags_of_signals(
	const char *nspid, const char *blocked, const char *ignored, const char *caught)
{
	struct task t = { 0 };
	char text[1024];

	snprintf(text, sizeof(text),
		STATUS_HEAD "NStgid:\t%s\nNSpid:\t%s\nNSpgid:\t1\nNSsid:\t1\n" STATUS_MM
			    "Threads:\t3\nSigQ:\t0/9\nSigPnd:\t0000000000000000\n"
			    "ShdPnd:\t0000000000000000\nSigBlk:\t%s\nSigIgn:\t%s\nSigCgt:\t%s\n",
		nspid, nspid, blocked, ignored, caught);
	assert_int_equal(snapshot_parse_status(text, &t), 0);
	return t.flags;
}

static void status_tells_who_outlives_sigterm(void **state)
{
	const char *none = "0000000000000000", *term = "0000000000004000",
		   *others = "fffffffffffbbfff";

	assert_int_equal(flags_of_signals("7", others, none, none), 0);
	assert_int_equal(flags_of_signals("7", none, none, term), 0);
	assert_int_equal(flags_of_signals("7", none, others, none), 0);
	assert_int_equal(flags_of_signals("7", others, term, none), TASK_IGNORES_TERM);
	/* Process 1 of a container dies of no signal that it does not handle. */
	assert_int_equal(flags_of_signals("7\t1", none, none, term), TASK_NS_INIT);
	assert_int_equal(
		flags_of_signals("7\t1", none, none, others), TASK_NS_INIT | TASK_IGNORES_TERM);
	assert_int_equal(
		flags_of_signals("7\t15\t1", none, term, none), TASK_NS_INIT | TASK_IGNORES_TERM);
	assert_int_equal(flags_of_signals("1", none, none, none), TASK_NS_INIT | TASK_IGNORES_TERM);
	/* 11 is another number, and who has a namespace above him is not process 1 of his own. */
	assert_int_equal(flags_of_signals("7\t11", none, none, none), 0);
	assert_int_equal(flags_of_signals("7\t1\t2", none, none, none), 0);
	assert_int_equal(flags_of_signals("", none, none, none), 0);
}

/* By signalfd(2) or in sigwait(3): it is not lost then, whatever it would do otherwise. */
static void who_blocks_sigterm_may_wait_for_it(void **state)
{
	const char *none = "0000000000000000", *term = "0000000000004000";

	assert_int_equal(flags_of_signals("7", term, none, none), TASK_BLOCKS_TERM);
	assert_int_equal(flags_of_signals("7", term, term, none), TASK_BLOCKS_TERM);
	assert_int_equal(
		flags_of_signals("7\t1", term, none, none), TASK_NS_INIT | TASK_BLOCKS_TERM);
}

static void what_a_status_said_before_counts_no_longer(void **state)
{
	struct task t = { .flags = TASK_NS_INIT | TASK_BLOCKS_TERM | TASK_IGNORES_TERM |
			TASK_KILL_PENDING | TASK_CORE_DUMPING | TASK_NO_MM };

	assert_int_equal(snapshot_parse_status(STATUS_HEAD STATUS_MM STATUS_TAIL, &t), 0);
	assert_int_equal(t.flags, 0);
}

static void a_bad_status_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"Name:\tcat\n",
		"Tgid:\t7\nName:\tcat\n",
		"Uid:\t1\t1\t1\t1\nName:\tcat\n",
		"Tgid:\t99999999999\nUid:\t1\t1\t1\t1\n",
		"Tgid:\tx\nUid:\t1\t1\t1\t1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct task t, before;
		memset(&t, 0x5a, sizeof(t));
		before = t;
		assert_int_equal(snapshot_parse_status(bad[i], &t), -EINVAL);
		assert_memory_equal(&t, &before, sizeof(t));
	}
}

static void absurd_figures_stop_at_the_limit(void **state)
{
	struct task t = { 0 };

	assert_int_equal(
		snapshot_parse_status(STATUS_HEAD "RssAnon:\t18446744073709551615 kB\n", &t), 0);
	assert_true(t.mem.anon_bytes == UINT64_MAX);
}

static void the_cgroup_that_says_most_is_shown(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{ "0::/system.slice/a.service\n", "/system.slice/a.service" },
		{ "9:name=systemd:/s\n4:memory:/m\n0::/u\n", "/u" },
		{ "9:name=systemd:/s\n4:cpu,memory,pids:/m\n0::/\n", "/m" },
		{ "9:name=systemd:/s\n4:memory:/\n0::/\n", "/s" },
		{ "9:name=systemd:/s\n4:memory:/m\n", "/m" },
		{ "9:name=systemd:/s\n5:hugememory,memoryx:/no\n", "/s" },
		{ "4:memory:/\n0::/\n", "/" },
		{ "0::/with:colon:memory:/x\n", "/with:colon:memory:/x" },
		{ "0::/no newline", "/no newline" },
	};
	char path[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(snapshot_parse_cgroup(cases[i].text, path, sizeof(path)), 0);
		assert_string_equal(path, cases[i].path);
	}
	/* What is left of a path that is cut would be that of another. */
	assert_int_equal(snapshot_parse_cgroup("0::/a/long/path\n", path, 13), 0);
	assert_string_equal(path, "/a/long/path");
	assert_int_equal(snapshot_parse_cgroup("0::/a/long/path\n", path, 12), -ENAMETOOLONG);
}

static void no_cgroup_is_made_up(void **state)
{
	static const char *const bad[] = { "", "\n", "0::\n", "0:/x\n", "x\n", "1:cpu:/c\n",
		":::\n" };
	char path[8] = "before";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(snapshot_parse_cgroup(bad[i], path, sizeof(path)), -EINVAL);
	assert_int_equal(snapshot_parse_cgroup("0::/x\n", path, 0), -EINVAL);
	assert_string_equal(path, "before");
}

/* --- a tree --- */

static void write_process(const struct proc_tree *t, int pid, uint64_t start, unsigned anon_kib)
{
	char path[64], text[2048];

	snprintf(path, sizeof(path), "%d/stat", pid);
	snprintf(text, sizeof(text),
		"%d (p%d) S 1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 %" PRIu64
		" 1 1 1 11 12 13 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 14 15 16 17 18 19 20 0\n",
		pid, pid, start);
	tree_write(t, path, text);
	snprintf(path, sizeof(path), "%d/status", pid);
	snprintf(text, sizeof(text),
		"Name:\tp\nTgid:\t%d\nUid:\t0\t0\t0\t0\nRssAnon:\t%u kB\nThreads:\t1\n", pid,
		anon_kib);
	tree_write(t, path, text);
	snprintf(path, sizeof(path), "%d/oom_score_adj", pid);
	tree_write(t, path, "-500\n");
}

static void write_kthread(const struct proc_tree *t, int pid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "%d/stat", pid);
	snprintf(text, sizeof(text), "%d (kworker/0:0)" STAT_TAIL_KTHREAD, pid);
	tree_write(t, path, text);
}

static void write_last_pid(const struct proc_tree *t, int pid)
{
	char text[64];

	snprintf(text, sizeof(text), "0.00 0.01 0.05 1/89 %d\n", pid);
	tree_write(t, "loadavg", text);
}

struct world {
	struct proc_tree tree;
	struct snapshot s;
};

static int setup(void **state)
{
	static struct world w;

	tree_open(&w.tree);
	assert_int_equal(snapshot_open(&w.s, w.tree.fd, 100), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	snapshot_close(&w->s);
	tree_close(&w->tree);
	return 0;
}

static void a_pass_reads_all_in_the_order_of_pids(void **state)
{
	struct world *w = *state;
	const struct task *t;

	/* a directory of a disk filesystem has no order */
	for (int pid = 90; pid > 0; pid -= 3)
		write_process(&w->tree, pid, 5, pid);
	write_kthread(&w->tree, 2);
	write_last_pid(&w->tree, 90);
	tree_write(&w->tree, "sys/kernel/pid_max", "1\n");
	tree_write(&w->tree, "12x/stat", "1\n");
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.count, 31);
	assert_int_equal(w->s.vanished + w->s.unread + w->s.dropped, 0);
	assert_int_equal(w->s.last_pid, 90);
	assert_int_equal(w->s.generation, 1);
	for (uint32_t i = 1; i < w->s.count; i++)
		assert_true(w->s.tasks[i - 1].id.pid < w->s.tasks[i].id.pid);

	t = snapshot_find(&w->s, 33);
	assert_non_null(t);
	assert_int_equal(t->mem.anon_bytes, 33 * KIB);
	assert_int_equal(t->oom_score_adj, -500);
	assert_int_equal(t->mm_tid, 33);
	assert_int_equal(t->marks.env_start, 19);
	assert_int_equal(snapshot_find(&w->s, 2)->flags, TASK_KTHREAD);
	assert_null(snapshot_find(&w->s, 34));
	assert_null(snapshot_find(&w->s, 0));
	assert_null(snapshot_find(&w->s, 91));
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.generation, 2);
	assert_int_equal(w->s.count, 31);
}

static void who_vanishes_in_mid_read_is_skipped_and_counted(void **state)
{
	struct world *w = *state;

	write_process(&w->tree, 1, 5, 10);
	write_process(&w->tree, 5, 5, 10);
	write_process(&w->tree, 6, 5, 10);
	write_process(&w->tree, 7, 5, 10);
	write_process(&w->tree, 8, 5, 10);
	assert_int_equal(unlinkat(w->tree.fd, "5/stat", 0), 0);
	assert_int_equal(unlinkat(w->tree.fd, "6/status", 0), 0);
	assert_int_equal(unlinkat(w->tree.fd, "7/oom_score_adj", 0), 0);
	tree_write(&w->tree, "8/stat", ""); /* opened before, read after it went */
	write_process(&w->tree, 9, 5, 10);
	tree_write(&w->tree, "9/status", "State:\tX (dead)\nTgid:\t0\nUid:\t0\t0\t0\t0\n");
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.count, 1);
	assert_int_equal(w->s.vanished, 5);
	assert_int_equal(w->s.unread, 0);
	assert_int_equal(w->s.tasks[0].id.pid, 1);
}

static void one_unreadable_task_does_not_stop_the_pass(void **state)
{
	struct world *w = *state;

	write_process(&w->tree, 1, 5, 10);
	write_process(&w->tree, 5, 5, 10);
	write_process(&w->tree, 9, 5, 10);
	tree_write(&w->tree, "5/stat", "garbage\n");
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.count, 2);
	assert_int_equal(w->s.vanished, 0);
	assert_int_equal(w->s.unread, 1);
	assert_non_null(snapshot_find(&w->s, 9));
}

static void without_the_directory_the_table_is_empty(void **state)
{
	struct world *w = *state;

	write_process(&w->tree, 1, 5, 10);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.count, 1);
	w->s.proc_fd = -EBADF;
	assert_int_equal(snapshot_refresh(&w->s), -EBADF);
	assert_int_equal(w->s.count, 0);
	assert_null(snapshot_find(&w->s, 1));
}

static void a_full_table_keeps_the_large_and_pid_1(void **state)
{
	struct world *w = *state;

	snapshot_close(&w->s);
	assert_int_equal(snapshot_open(&w->s, w->tree.fd, 6), 0);
	write_process(&w->tree, 1, 5, 1);
	for (int pid = 2; pid < 10; pid++)
		write_kthread(&w->tree, pid);
	for (int pid = 10; pid < 40; pid++)
		write_process(&w->tree, pid, 5, pid % 7 == 0 ? 1000 : 20);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.count, 6);
	assert_int_equal(w->s.dropped, 33);
	/* the four of 1,000 KiB, pid 1, and of the equally small the one with the lowest pid */
	static const int kept[] = { 1, 10, 14, 21, 28, 35 };
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(w->s.tasks[i].id.pid, kept[i]);
}

static void a_full_table_lets_kernel_threads_go_first(void **state)
{
	struct world *w = *state;

	snapshot_close(&w->s);
	assert_int_equal(snapshot_open(&w->s, w->tree.fd, 3), 0);
	write_process(&w->tree, 1, 5, 1);
	write_kthread(&w->tree, 2);
	write_process(&w->tree, 3, 5, 0);
	write_process(&w->tree, 4, 5, 0);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.count, 3);
	assert_null(snapshot_find(&w->s, 2));
	assert_non_null(snapshot_find(&w->s, 4));
}

static void the_table_grows_and_keeps_its_rows(void **state)
{
	struct world *w = *state;

	write_process(&w->tree, 1, 5, 10);
	write_process(&w->tree, 3, 5, 10);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(snapshot_reserve(&w->s, 5000), 0);
	assert_int_equal(w->s.capacity, 5000);
	assert_int_equal(snapshot_find(&w->s, 3)->mem.anon_bytes, 10 * KIB);
	assert_int_equal(snapshot_reserve(&w->s, 10), 0); /* never smaller */
	assert_int_equal(w->s.capacity, 5000);
	assert_int_equal(snapshot_reserve(&w->s, 0), -EINVAL);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.count, 2);
}

static void of_who_cannot_hold_much_only_the_stat_is_read(void **state)
{
	struct world *w = *state;

	write_process(&w->tree, 1, 5, 10);
	write_kthread(&w->tree, 2);
	write_process(&w->tree, 30, 5, 33);
	tree_write(&w->tree, "30/stat", "30 (cat)" STAT_TAIL);
	write_process(&w->tree, 31, 5, 10);
	tree_write(&w->tree, "31/stat", "31 (sshd)" STAT_TAIL_HIDDEN);
	write_process(&w->tree, 32, 5, 0);
	tree_write(&w->tree, "32/stat", "32 (leader)" STAT_TAIL_ZOMBIE);
	/* Neither is to be missed by a pass that leaves it alone. */
	assert_int_equal(unlinkat(w->tree.fd, "30/status", 0), 0);

	assert_int_equal(snapshot_refresh_heavy(&w->s, 100 * MIB, 0), 0);
	assert_int_equal(w->s.count, 5);
	assert_int_equal(w->s.light, 1);
	const struct task *t = snapshot_find(&w->s, 30);
	assert_int_equal(t->flags, TASK_LIGHT);
	assert_int_equal(t->id.start_ticks, 470941);
	assert_int_equal(t->mm_tid, 30);
	assert_int_equal(t->marks.env_start, 3003);
	assert_int_equal(t->mem.vsize_bytes, STAT_MAPPED);
	assert_int_equal(t->mem.shmem_bytes, STAT_RESIDENT);
	assert_int_equal(t->oom_score_adj, 0);
	/* pid 1, a kernel thread, one with hidden marks, one without an mm: as ever */
	assert_int_equal(snapshot_find(&w->s, 1)->mem.anon_bytes, 10 * KIB);
	assert_int_equal(snapshot_find(&w->s, 2)->flags, TASK_KTHREAD);
	assert_int_equal(snapshot_find(&w->s, 2)->mem.shmem_bytes, 0);
	assert_true(snapshot_find(&w->s, 31)->flags & TASK_MARKS_HIDDEN);
	assert_int_equal(snapshot_find(&w->s, 31)->mem.shmem_bytes, 0);
	assert_false(snapshot_find(&w->s, 32)->flags & TASK_LIGHT);
}

static void the_bound_of_who_is_light_leaves_nothing_out(void **state)
{
	struct world *w = *state;
	uint64_t mapped = STAT_MAPPED, resident = STAT_RESIDENT, tables = mapped / 512;

	write_process(&w->tree, 30, 5, 10);
	tree_write(&w->tree, "30/stat", "30 (cat)" STAT_TAIL);
	assert_int_equal(snapshot_refresh_heavy(&w->s, resident + tables, 0), 0);
	assert_int_equal(w->s.light, 0);
	assert_int_equal(snapshot_refresh_heavy(&w->s, resident + tables + 1, 0), 0);
	assert_int_equal(w->s.light, 1);
	/* What is swapped out may all be its own, but for what it does not even map. */
	assert_int_equal(snapshot_refresh_heavy(&w->s, resident + tables + 1, 1), 0);
	assert_int_equal(w->s.light, 0);
	assert_int_equal(snapshot_refresh_heavy(&w->s, mapped + tables + 1, GIB), 0);
	assert_int_equal(w->s.light, 1);
	assert_int_equal(snapshot_refresh_heavy(&w->s, mapped + tables, GIB), 0);
	assert_int_equal(w->s.light, 0);
}

static void light_rows_are_completed_later(void **state)
{
	struct world *w = *state;
	struct task whole[4];

	for (int pid = 30; pid < 34; pid++)
		write_process(&w->tree, pid, 5, pid);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.light, 0);
	memcpy(whole, w->s.tasks, sizeof(whole));
	assert_int_equal(snapshot_refresh_heavy(&w->s, 100 * MIB, 0), 0);
	assert_int_equal(w->s.light, 4);

	snapshot_complete_task(&w->s, 2);
	assert_int_equal(w->s.light, 3);
	assert_memory_equal(&w->s.tasks[2], &whole[2], sizeof(whole[2]));
	assert_int_equal(unlinkat(w->tree.fd, "31/status", 0), 0); /* it went meanwhile */
	snapshot_complete(&w->s);
	assert_int_equal(w->s.light, 0);
	assert_memory_equal(&w->s.tasks[0], &whole[0], sizeof(whole[0]));
	assert_memory_equal(&w->s.tasks[3], &whole[3], sizeof(whole[3]));
	assert_int_equal(w->s.tasks[1].flags, TASK_NO_MM);
	assert_int_equal(w->s.tasks[1].id.pid, 31);
	assert_int_equal(w->s.tasks[1].mem.shmem_bytes, 0);
	assert_int_equal(w->s.vanished, 1);
	assert_int_equal(w->s.count, 4);
}

static void the_thread_of_a_zombie_leader_shows_the_mm(void **state)
{
	struct world *w = *state;
	struct task t;

	write_process(&w->tree, 50, 5, 0);
	tree_write(&w->tree, "50/stat", "50 (leader)" STAT_TAIL_ZOMBIE);
	tree_write(&w->tree, "50/status", "Tgid:\t50\nUid:\t0\t0\t0\t0\nThreads:\t3\n");
	tree_write(&w->tree, "50/task/50/status", "Tgid:\t50\nUid:\t0\t0\t0\t0\n");
	tree_write(&w->tree, "50/task/51/status", "Tgid:\t50\nUid:\t0\t0\t0\t0\n");
	tree_write(&w->tree, "50/task/52/status",
		"Tgid:\t50\nUid:\t0\t0\t0\t0\nRssAnon:\t9 kB\nSigPnd:\t0000000000000100\n");
	tree_write(&w->tree, "50/task/52/stat", "52 (worker)" STAT_TAIL);
	assert_int_equal(snapshot_read_task(&w->s, 50, &t), 0);
	assert_int_equal(t.flags, TASK_ZOMBIE_LEADER | TASK_KILL_PENDING);
	assert_int_equal(t.mm_tid, 52);
	assert_int_equal(t.id.pid, 50);
	assert_int_equal(t.state, 'Z');
	assert_string_equal(t.comm, "leader");
	assert_int_equal(t.mem.anon_bytes, 9 * KIB);
	assert_int_equal(t.marks.start_stack, 1003);

	assert_int_equal(unlinkat(w->tree.fd, "50/task/52/status", 0), 0);
	assert_int_equal(snapshot_read_task(&w->s, 50, &t), 0);
	assert_int_equal(t.flags, TASK_NO_MM);
	assert_int_equal(t.mm_tid, 50);
}

static void one_task_is_read_or_refused(void **state)
{
	struct world *w = *state;
	struct task t = { .ppid = 77 };

	write_process(&w->tree, 60, 5, 10);
	tree_write(&w->tree, "61/stat", "61 (thread)" STAT_TAIL);
	tree_write(&w->tree, "61/status", "Tgid:\t60\nUid:\t0\t0\t0\t0\nRssAnon:\t9 kB\n");
	tree_write(&w->tree, "61/oom_score_adj", "0\n");
	assert_int_equal(snapshot_read_task(&w->s, 61, &t), -EINVAL);
	assert_int_equal(snapshot_read_task(&w->s, 62, &t), -ESRCH);
	assert_int_equal(snapshot_read_task(&w->s, 0, &t), -EINVAL);
	assert_int_equal(snapshot_read_task(&w->s, -60, &t), -EINVAL);
	assert_int_equal(t.ppid, 77);
	assert_int_equal(snapshot_read_task(&w->s, 60, &t), 0);
	assert_int_equal(t.ppid, 1);

	tree_write(&w->tree, "60/stat", "60 (sshd)" STAT_TAIL_HIDDEN);
	assert_int_equal(snapshot_read_task(&w->s, 60, &t), 0);
	assert_int_equal(t.flags, TASK_MARKS_HIDDEN);
}

static void a_status_larger_than_the_buffer_is_read_in_pieces(void **state)
{
	struct world *w = *state;
	static char text[400000];
	size_t n = 0;
	struct task t;

	/* a process in 40,000 groups, and then one with lines without end */
	write_process(&w->tree, 70, 5, 10);
	n = (size_t)sprintf(text, "Name:\tx\nTgid:\t70\nUid:\t0\t8\t0\t0\nGroups:\t");
	for (int i = 0; i < 40000; i++)
		n += (size_t)sprintf(text + n, "%d ", 10000 + i);
	sprintf(text + n, "\nRssAnon:\t 123 kB\nThreads:\t6\nShdPnd:\t0000000000000100\n");
	tree_write(&w->tree, "70/status", text);
	assert_int_equal(snapshot_read_task(&w->s, 70, &t), 0);
	assert_int_equal(t.uid, 8);
	assert_int_equal(t.mem.anon_bytes, 123 * KIB);
	assert_int_equal(t.threads, 6);
	assert_int_equal(t.flags, TASK_KILL_PENDING);

	/* whole lines over the border, at every place where it can fall */
	for (int shift = 0; shift < 40; shift++) {
		n = (size_t)sprintf(text, "Tgid:\t70\nUid:\t0\t8\t0\t0\n");
		while (n < 65535 - 20u - (size_t)shift)
			n += (size_t)sprintf(text + n, "Filler:\t0\n");
		sprintf(text + n, "RssAnon:\t 123 kB\nThreads:\t6\nShdPnd:\t0000000000000100\n");
		tree_write(&w->tree, "70/status", text);
		assert_int_equal(snapshot_read_task(&w->s, 70, &t), 0);
		assert_int_equal(t.mem.anon_bytes, 123 * KIB);
		assert_int_equal(t.threads, 6);
	}
}

/* --- newborns --- */

static struct proc_id born[64];
static int born_count;

static void note_born(void *ctx, const struct task *t)
{
	assert_true(born_count < 64);
	born[born_count++] = t->id;
}

static int look_for_newborns(struct world *w)
{
	born_count = 0;
	int n = snapshot_newborn(&w->s, note_born, NULL);
	if (n >= 0)
		assert_int_equal(n, born_count);
	return n;
}

static void those_born_since_the_pass_are_found_once_each(void **state)
{
	struct world *w = *state;

	for (int pid = 1; pid <= 20; pid++)
		write_process(&w->tree, pid, 5, 10);
	write_last_pid(&w->tree, 20);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(look_for_newborns(w), 0);

	write_process(&w->tree, 23, 6, 10);
	write_process(&w->tree, 25, 6, 10);
	write_process(&w->tree, 26, 6, 10); /* a thread */
	tree_write(&w->tree, "26/status", "Tgid:\t25\nUid:\t0\t0\t0\t0\nRssAnon:\t9 kB\n");
	write_last_pid(&w->tree, 26);
	assert_int_equal(look_for_newborns(w), 2);
	assert_int_equal(born[0].pid, 23);
	assert_int_equal(born[1].pid, 25);
	assert_int_equal(w->s.count, 20); /* the table stays as it is */
}

static void a_fork_that_was_under_way_during_the_pass_is_found(void **state)
{
	struct world *w = *state;

	/* pid 19 has been given out, but its task could not be seen yet */
	write_process(&w->tree, 1, 5, 10);
	write_process(&w->tree, 20, 5, 10);
	write_last_pid(&w->tree, 20);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	write_process(&w->tree, 19, 5, 10);
	assert_int_equal(look_for_newborns(w), 1);
	assert_int_equal(born[0].pid, 19);
}

static void pids_that_wrapped_around_are_looked_at_anew(void **state)
{
	struct world *w = *state;

	write_process(&w->tree, 1, 5, 10);
	write_process(&w->tree, 400, 5, 10);
	write_process(&w->tree, 500, 5, 10);
	write_last_pid(&w->tree, 32000);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	write_process(&w->tree, 300, 9, 10); /* new */
	write_process(&w->tree, 400, 9, 10); /* its pid was another's */
	write_last_pid(&w->tree, 450);
	assert_int_equal(look_for_newborns(w), 2);
	assert_int_equal(born[0].pid + born[1].pid, 700);
	assert_int_equal(born[0].start_ticks, 9);
	assert_int_equal(born[1].start_ticks, 9);
}

static void many_pids_are_looked_for_in_the_directory(void **state)
{
	struct world *w = *state;

	write_process(&w->tree, 1, 5, 10);
	write_last_pid(&w->tree, 1);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	write_process(&w->tree, 4000000, 6, 10);
	write_last_pid(&w->tree, 4000000);
	assert_int_equal(look_for_newborns(w), 1);
	assert_int_equal(born[0].pid, 4000000);
}

static void without_the_last_pid_everything_is_looked_at(void **state)
{
	struct world *w = *state;
	char self[16];

	write_process(&w->tree, 1, 5, 10);
	assert_int_equal(snapshot_refresh(&w->s), 0);
	assert_int_equal(w->s.last_pid, 0);
	assert_int_equal(snapshot_last_pid(&w->s), -ESRCH);
	write_process(&w->tree, 7, 6, 10);
	assert_int_equal(look_for_newborns(w), 1);

	/* a /proc of another pid namespace: what loadavg says is not about it */
	write_last_pid(&w->tree, 9);
	assert_int_equal(snapshot_last_pid(&w->s), 9);
	snprintf(self, sizeof(self), "%d", getpid() + 1);
	assert_int_equal(symlinkat(self, w->tree.fd, "self"), 0);
	assert_int_equal(snapshot_last_pid(&w->s), -EXDEV);
	assert_int_equal(look_for_newborns(w), 1);
	tree_write(&w->tree, "loadavg", "nonsense\n");
	assert_int_equal(unlinkat(w->tree.fd, "self", 0), 0);
	assert_int_equal(snapshot_last_pid(&w->s), -EINVAL);
	w->s.proc_fd = -EBADF;
	assert_int_equal(look_for_newborns(w), -EBADF);
}

/* --- details, memory --- */

static void details_are_cut_to_size(void **state)
{
	struct world *w = *state;
	char text[8];

	write_process(&w->tree, 80, 5, 10);
	assert_int_equal(symlinkat("/usr/bin/thing", w->tree.fd, "80/exe"), 0);
	assert_int_equal(snapshot_read_exe(&w->s, 80, text, sizeof(text)), 0);
	assert_string_equal(text, "/usr/bi");
	tree_write(&w->tree, "80/cgroup", "0::/a/b/c/d/e\n");
	assert_int_equal(snapshot_read_cgroup(&w->s, 80, text, sizeof(text)), -ENAMETOOLONG);
	assert_int_equal(snapshot_read_exe(&w->s, 81, text, sizeof(text)), -ESRCH);
	assert_int_equal(snapshot_read_cgroup(&w->s, 81, text, sizeof(text)), -ESRCH);
	assert_int_equal(snapshot_read_exe(&w->s, 80, text, 0), -EINVAL);
	assert_string_equal(text, "/usr/bi");
}

static void nothing_is_allocated_after_open(void **state)
{
	struct world *w = *state;
	struct task t;
	char text[64];

	for (int pid = 1; pid <= 60; pid++)
		write_process(&w->tree, pid, 5, pid);
	write_last_pid(&w->tree, 20);
	tree_write(&w->tree, "9/cgroup", "0::/a\n");
	w->s.capacity = 30; /* sorting and dropping too */
	unsigned before = malloc_count;
	assert_int_equal(snapshot_refresh(&w->s), 0);
	(void)snapshot_newborn(&w->s, note_born, (born_count = 0, NULL));
	assert_int_equal(snapshot_read_task(&w->s, 9, &t), 0);
	assert_int_equal(snapshot_read_cgroup(&w->s, 9, text, sizeof(text)), 0);
	assert_int_equal(malloc_count, before);
	assert_int_equal(w->s.dropped, 30);
	void *volatile proof = malloc(1);
	free(proof);
	assert_int_not_equal(malloc_count, before); /* the count does count */
	w->s.capacity = 100;
}

static void a_table_without_rows_is_refused(void **state)
{
	struct snapshot s;

	assert_int_equal(snapshot_open(&s, -EBADF, 0), -EINVAL);
	assert_null(s.buffer);
}

int main(void)
{
#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fields_of_stat_land_where_they_belong),
		cmocka_unit_test(a_name_cannot_forge_the_fields),
		cmocka_unit_test(a_bad_stat_changes_nothing),
		cmocka_unit_test(hidden_marks_are_all_zero),
		cmocka_unit_test(kernel_threads_are_known_by_their_flag),
		cmocka_unit_test(the_lines_of_status_land_where_they_belong),
		cmocka_unit_test(status_tells_of_core_dumps_and_pending_kills),
		cmocka_unit_test(status_tells_who_outlives_sigterm),
		cmocka_unit_test(who_blocks_sigterm_may_wait_for_it),
		cmocka_unit_test(what_a_status_said_before_counts_no_longer),
		cmocka_unit_test(a_bad_status_changes_nothing),
		cmocka_unit_test(absurd_figures_stop_at_the_limit),
		cmocka_unit_test(the_cgroup_that_says_most_is_shown),
		cmocka_unit_test(no_cgroup_is_made_up),
		WITH_TREE(a_pass_reads_all_in_the_order_of_pids),
		WITH_TREE(who_vanishes_in_mid_read_is_skipped_and_counted),
		WITH_TREE(one_unreadable_task_does_not_stop_the_pass),
		WITH_TREE(without_the_directory_the_table_is_empty),
		WITH_TREE(a_full_table_keeps_the_large_and_pid_1),
		WITH_TREE(a_full_table_lets_kernel_threads_go_first),
		WITH_TREE(the_table_grows_and_keeps_its_rows),
		WITH_TREE(of_who_cannot_hold_much_only_the_stat_is_read),
		WITH_TREE(the_bound_of_who_is_light_leaves_nothing_out),
		WITH_TREE(light_rows_are_completed_later),
		WITH_TREE(the_thread_of_a_zombie_leader_shows_the_mm),
		WITH_TREE(one_task_is_read_or_refused),
		WITH_TREE(a_status_larger_than_the_buffer_is_read_in_pieces),
		WITH_TREE(those_born_since_the_pass_are_found_once_each),
		WITH_TREE(a_fork_that_was_under_way_during_the_pass_is_found),
		WITH_TREE(pids_that_wrapped_around_are_looked_at_anew),
		WITH_TREE(many_pids_are_looked_for_in_the_directory),
		WITH_TREE(without_the_last_pid_everything_is_looked_at),
		WITH_TREE(details_are_cut_to_size),
		WITH_TREE(nothing_is_allocated_after_open),
		cmocka_unit_test(a_table_without_rows_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
