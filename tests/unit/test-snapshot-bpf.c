/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What snapshot-bpf.c makes of records: of each kind of task, in each order, and of a stream that
 * is cut or makes no sense.
 */
#include "bpf/record.h"
#include "snapshot-bpf.h"

#include "proc-tree.h"
#include "util.h"

#include <sys/mman.h>

#define NEVER_BORN UINT64_C(1000) /* ns after boot: long before any pass */

static struct proc_tree tree;
static struct snapshot s;
static struct snapshot_bpf *b;
static struct task_record records[601];
static uint32_t count;

static int setup(void **state)
{
	char why[64];

	tree_open(&tree);
	assert_int_equal(snapshot_open(&s, tree.fd, 512), 0);
	assert_int_equal(snapshot_bpf_new(NULL, NULL, why, sizeof(why), &b), 0);
	memset(records, 0, sizeof(records));
	count = 0;
	return 0;
}

static int teardown(void **state)
{
	snapshot_bpf_free(b);
	snapshot_close(&s);
	tree_close(&tree);
	return 0;
}

static struct task_record *add(unsigned pid, uint64_t mm)
{
	struct task_record *r = &records[count++];

	*r = (struct task_record){
		.pid = pid,
		.tid = pid,
		.ppid = 1,
		.uid = 1000,
		.flags = mm ? RECORD_HAS_MM | RECORD_HAS_CONTEXT : 0,
		.state = 1,
		.threads = 1,
		.start_nsec = NEVER_BORN,
		.mm = mm ? 0xffff888000000000 + mm * 1024 : 0,
		.context = mm,
		.anon_pages = 256,
		.start_code = 0x400000,
		.comm = "task",
	};
	return r;
}

/* The rest is of the last record, cut short by so many bytes. */
static int read_cut(size_t cut)
{
	_cleanup_(fd_closep) int fd = memfd_create("records", MFD_CLOEXEC);
	size_t size = count * sizeof(records[0]) - cut;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, records, size), size);
	lseek(fd, 0, SEEK_SET);
	return snapshot_bpf_read_file(b, &s, fd);
}

static const struct task *row(pid_t pid)
{
	const struct task *t = snapshot_find(&s, pid);

	assert_non_null(t);
	return t;
}

static void members_land_where_they_belong(void **state)
{
	struct task_record *r = add(7, 3);
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	const struct task *t;

	r->start_nsec = 4711 * UINT64_C(10000000) + 9999999;
	r->oom_score_adj = -17;
	r->threads = 5;
	r->file_pages = 10;
	r->shmem_pages = 20;
	r->swap_pages = 30;
	r->total_pages = 4000;
	r->pgtables_bytes = 12345;
	r->start_stack = 0x7ffc00000000;
	r->env_start = 0x7ffc00000fff;
	memcpy(r->comm, "fifteen letters", 16);
	assert_int_equal(read_cut(0), 0);
	t = row(7);
	assert_int_equal(t->id.start_ticks, 4711);
	assert_int_equal(t->mm_tid, 7);
	assert_int_equal(t->ppid, 1);
	assert_int_equal(t->uid, 1000);
	assert_int_equal(t->flags, 0);
	assert_int_equal(t->threads, 5);
	assert_int_equal(t->oom_score_adj, -17);
	assert_int_equal(t->state, 'S');
	assert_string_equal(t->comm, "fifteen letters");
	assert_int_equal(t->mem.anon_bytes, 256 * page);
	assert_int_equal(t->mem.file_bytes, 10 * page);
	assert_int_equal(t->mem.shmem_bytes, 20 * page);
	assert_int_equal(t->mem.swap_bytes, 30 * page);
	assert_int_equal(t->mem.vsize_bytes, 4000 * page);
	assert_int_equal(t->mem.pgtables_bytes, 12345);
	assert_int_equal(t->marks.start_code, 0x400000);
	assert_int_equal(t->marks.start_stack, 0x7ffc00000000);
	assert_int_equal(t->marks.env_start, 0x7ffc00000fff);
}

static void states_are_those_of_proc(void **state)
{
	static const struct {
		unsigned state, exit_state;
		char letter;
	} states[] = { { 0, 0, 'R' }, { 1, 0, 'S' }, { 2, 0, 'D' }, { 4, 0, 'T' }, { 8, 0, 't' },
		{ 0x80, 0x10, 'X' }, { 0x80, 0x20, 'Z' }, { 0x402, 0, 'I' }, { 0x102, 0, 'D' },
		{ 0x8000, 0, 'D' }, { 0x40, 0, 'P' }, { 0x2001, 0, 'S' }, { 0x200, 0, 'R' } };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct task_record *r = add((unsigned)i + 2, i + 1);
		r->state = states[i].state;
		r->exit_state = states[i].exit_state;
	}
	assert_int_equal(read_cut(0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		assert_int_equal(row((pid_t)i + 2)->state, states[i].letter);
}

static void keys_tell_who_shares_and_no_address(void **state)
{
	add(2, 10);
	add(3, 20);
	add(4, 10);
	add(5, 10)->context = 11; /* the address was given out again while we read */
	assert_int_equal(read_cut(0), 0);
	assert_true(row(2)->mm_key != 0);
	assert_true(row(2)->mm_key == row(4)->mm_key);
	assert_true(row(2)->mm_key != row(3)->mm_key);
	assert_true(row(2)->mm_key != row(5)->mm_key);
	assert_true(row(2)->mm_key != records[0].mm);
}

/* Other machines than x86 have no number for each mm. */
static void without_a_context_one_born_in_the_pass_has_no_key(void **state)
{
	for (unsigned pid = 2; pid <= 5; pid++)
		add(pid, 10)->flags = RECORD_HAS_MM;
	records[1].start_code = 0x500000; /* an exec: it cannot be the same mm */
	records[2].start_nsec = UINT64_MAX / 2;
	assert_int_equal(read_cut(0), 0);
	assert_true(row(2)->mm_key == row(5)->mm_key);
	assert_true(row(2)->mm_key != row(3)->mm_key);
	assert_true(row(4)->mm_key == 0);
}

static void what_is_known_of_a_task_is_flagged(void **state)
{
	add(2, 0)->flags = RECORD_KTHREAD;
	add(3, 10)->flags |= RECORD_KTHREAD;
	add(4, 10);
	add(5, 0)->exit_state = 0x20;
	add(6, 20)->flags |= RECORD_EXITING | RECORD_KILL_PENDING | RECORD_OOM_SKIP;
	add(7, 30)->flags |= RECORD_CORE_DUMPING;
	add(8, 30)->flags |= RECORD_VFORK_CHILD;
	assert_int_equal(read_cut(0), 0);
	assert_int_equal(row(2)->flags, TASK_KTHREAD);
	assert_int_equal(row(3)->flags, TASK_KTHREAD | TASK_BORROWED_MM);
	assert_true(row(3)->mm_key == row(4)->mm_key);
	/* The memory is the process's: it must not count twice. */
	assert_int_equal(row(3)->mem.anon_bytes, 0);
	assert_int_equal(row(3)->marks.start_code, 0);
	assert_int_equal(row(5)->flags, TASK_NO_MM);
	assert_int_equal(row(6)->flags, TASK_EXITING | TASK_KILL_PENDING | TASK_OOM_SKIP);
	assert_int_equal(row(7)->flags, TASK_CORE_DUMPING);
	assert_int_equal(row(8)->flags, TASK_VFORK_CHILD);
}

static struct task_record *add_thread(unsigned pid, unsigned tid, uint64_t mm)
{
	struct task_record *r = add(pid, mm);

	r->tid = tid;
	r->flags |= RECORD_THREAD;
	r->exit_state = 0x20;
	return r;
}

/* Threads mostly come behind their leader; before it when pids have wrapped around. */
static void a_zombie_leader_gets_the_mm_of_its_thread_in_any_order(void **state)
{
	add_thread(40, 20, 4);
	add(30, 0)->exit_state = 0x20;
	add_thread(30, 31, 3);
	add_thread(30, 32, 3);
	add_thread(40, 33, 4);
	add(40, 0)->exit_state = 0x20;
	add_thread(40, 41, 4);
	add(50, 5);
	assert_int_equal(read_cut(0), 0);
	assert_int_equal(s.count, 3);
	assert_int_equal(row(30)->flags, TASK_ZOMBIE_LEADER);
	assert_int_equal(row(30)->mm_tid, 31);
	assert_int_equal(row(30)->state, 'Z');
	assert_int_equal(row(40)->flags, TASK_ZOMBIE_LEADER);
	assert_int_not_equal(row(40)->mm_tid, 40); /* whichever of its threads */
	assert_true(row(40)->mem.anon_bytes > 0);
	assert_int_equal(row(50)->flags, 0);
}

/* Per CPU counters that were not added up yet. */
static void counters_below_zero_are_none(void **state)
{
	struct task_record *r = add(2, 1);

	r->anon_pages = -3;
	r->swap_pages = INT64_MIN;
	r->file_pages = INT64_MAX;
	assert_int_equal(read_cut(0), 0);
	assert_int_equal(row(2)->mem.anon_bytes, 0);
	assert_int_equal(row(2)->mem.swap_bytes, 0);
	assert_true(row(2)->mem.file_bytes == UINT64_MAX);
}

static void what_changed_while_it_was_read_is_left_out(void **state)
{
	add(2, 1);
	add(3, 2)->flags |= RECORD_INCONSISTENT;
	add(0, 3);
	add(0x80000000u, 3);
	assert_int_equal(read_cut(0), 0);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.unread, 3);
}

static void a_stream_that_is_cut_or_empty_is_an_error(void **state)
{
	assert_int_equal(read_cut(0), -EIO);
	add(2, 1);
	add(3, 2);
	assert_int_equal(read_cut(1), -EIO);
	assert_int_equal(read_cut(sizeof(records[0])), 0);
	assert_int_equal(s.count, 1);
}

/* More than one read takes, and more than there is room for. */
static void a_full_table_keeps_the_heaviest(void **state)
{
	for (unsigned pid = 2; pid < 602; pid++)
		add(pid, pid)->anon_pages = pid % 7 ? 1 : 1000;
	add_thread(9, 700, 9);
	assert_int_equal(read_cut(0), 0);
	assert_int_equal(s.count, 512);
	assert_int_equal(s.dropped, 88);
	for (pid_t pid = 7; pid < 602; pid += 7)
		assert_non_null(snapshot_find(&s, pid));
	for (uint32_t i = 1; i < s.count; i++)
		assert_true(s.tasks[i - 1].id.pid < s.tasks[i].id.pid);
}

#define STATUS(pid) "Tgid:\t" pid "\nUid:\t0\t0\t0\t0\nRssAnon:\t8 kB\n"
#define STAT_TAIL                                                                                  \
	" S 0 0 0 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 24 0 0 0 4194304 2 3 0 0 0 0 0 0 0 0 "     \
	"0 0 17 0 0 0 0 0 0 4 5 6 7 8 9 10 0\n"

/* Something may keep pid 1 from the program, but it must never be missing: it pins. */
static void pid_1_is_read_from_proc_where_it_is_missing(void **state)
{
	tree_write(&tree, "1/stat", "1 (init)" STAT_TAIL);
	tree_write(&tree, "1/status", STATUS("1"));
	tree_write(&tree, "1/oom_score_adj", "0\n");
	add(2, 1);
	assert_int_equal(read_cut(0), 0);
	assert_int_equal(s.count, 2);
	assert_string_equal(s.tasks[0].comm, "init");
	assert_int_equal(s.tasks[0].mem.anon_bytes, 8 * KIB);
	assert_int_equal(s.tasks[0].mm_key, 0);
}

static pid_t born_pids[8];
static uint64_t born_keys[8];
static int born;

static void note_newborn(void *ctx, const struct task *t)
{
	(void)ctx;
	/* As whoever is told does: it reads the task. */
	struct task fresh;
	(void)snapshot_read_task(&s, t->id.pid, &fresh);
	assert_in_range(born, 0, 7);
	born_pids[born] = t->id.pid;
	born_keys[born++] = t->mm_key;
}

static void those_born_since_are_found_with_their_keys(void **state)
{
	char path[] = "/tmp/test-snapshot-bpf-XXXXXX", why[64];
	_cleanup_(fd_closep) int fd = mkstemp(path);
	uint32_t before;

	assert_true(fd >= 0);
	snapshot_bpf_free(b);
	assert_int_equal(snapshot_bpf_new(path, NULL, why, sizeof(why), &b), 0);
	add(1, 1);
	add(7, 3);
	add(8, 4);
	add(9, 5);
	assert_int_equal(read_cut(0), 0);
	before = s.count;

	records[2].start_nsec += 20000000; /* 8 is another by now */
	records[3].flags |= RECORD_INCONSISTENT;
	add(10, 3); /* shares with 7 */
	add(11, 6);
	add(12, 0)->flags |= RECORD_KTHREAD;
	for (unsigned pid = 100; pid < 500; pid++) /* more than one read gives */
		add(pid, 3)->flags |= RECORD_INCONSISTENT;
	assert_int_equal(
		write(fd, records, count * sizeof(records[0])), count * sizeof(records[0]));
	born = 0;
	assert_int_equal(snapshot_bpf_newborn(b, &s, note_newborn, NULL), 3);
	assert_int_equal(born, 3);
	assert_int_equal(born_pids[0], 8);
	assert_int_equal(born_pids[1], 10);
	assert_int_equal(born_pids[2], 11);
	assert_int_equal(born_keys[1], row(7)->mm_key);
	assert_int_not_equal(born_keys[2], row(7)->mm_key);
	assert_int_equal(born_keys[0], row(8)->mm_key); /* of the mm, whoever has it */
	assert_int_equal(s.count, before);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(snapshot_bpf_newborn(b, &s, note_newborn, NULL), -ENOENT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(members_land_where_they_belong),
		TEST(states_are_those_of_proc),
		TEST(keys_tell_who_shares_and_no_address),
		TEST(without_a_context_one_born_in_the_pass_has_no_key),
		TEST(what_is_known_of_a_task_is_flagged),
		TEST(a_zombie_leader_gets_the_mm_of_its_thread_in_any_order),
		TEST(counters_below_zero_are_none),
		TEST(what_changed_while_it_was_read_is_left_out),
		TEST(a_stream_that_is_cut_or_empty_is_an_error),
		TEST(a_full_table_keeps_the_heaviest),
		TEST(pid_1_is_read_from_proc_where_it_is_missing),
		TEST(those_born_since_are_found_with_their_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
