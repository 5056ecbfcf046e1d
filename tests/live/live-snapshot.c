/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table and real processes: what it shows of memory, of who shares it, and of who was born or
 * has died meanwhile.
 */
#include "snapshot.h"

#include "children.h"
#include "util.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static struct snapshot s;

static int setup(void **state)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(snapshot_open(&s, fd, 8192), 0);
	return children_setup(state);
}

static int teardown(void **state)
{
	int fd = s.proc_fd;

	snapshot_close(&s);
	close(fd);
	return children_teardown(state);
}

static const struct task *row_of(pid_t pid)
{
	const struct task *t = snapshot_find(&s, pid);

	assert_non_null(t);
	assert_int_equal(t->id.pid, pid);
	return t;
}

static void hold_50_mib(int index)
{
	touch_memory(50 * MIB, MAP_PRIVATE);
	touch_memory(8 * MIB, MAP_SHARED);
	child_ready(index);
}

static void memory_is_shown_by_its_kind(void **state)
{
	pid_t pid = child_fork(hold_50_mib);

	assert_int_equal(snapshot_refresh(&s), 0);
	const struct task *t = row_of(pid);
	assert_in_range(t->mem.anon_bytes, 50 * MIB, 60 * MIB);
	assert_in_range(t->mem.shmem_bytes, 8 * MIB, 9 * MIB);
	assert_in_range(t->mem.pgtables_bytes, 100 * KIB, MIB);
	assert_true(t->mem.vsize_bytes >= 58 * MIB);
	assert_int_equal(t->mem.swap_bytes, 0);
	assert_int_equal(t->ppid, getpid());
	assert_int_equal(t->uid, geteuid());
	assert_int_equal(t->threads, 1);
	assert_int_equal(t->mm_tid, pid);
	assert_int_equal(t->flags, 0);
	assert_int_equal(t->state, 'S');

	child_end(pid);
	assert_int_equal(snapshot_refresh(&s), 0);
	assert_null(snapshot_find(&s, pid));
	assert_non_null(snapshot_find(&s, getpid()));
	assert_true(s.last_pid > 0);
}

static void a_pass_for_the_large_knows_the_small_by_their_stat(void **state)
{
	pid_t large = child_fork(hold_50_mib), small = child_fork(child_ready);
	struct snapshot heavy;

	assert_int_equal(snapshot_refresh(&s), 0);
	assert_int_equal(snapshot_open(&heavy, s.proc_fd, s.capacity), 0);
	assert_int_equal(snapshot_refresh_heavy(&heavy, 40 * MIB, 0), 0);
	assert_int_equal(snapshot_find(&heavy, large)->flags, 0);
	assert_true(snapshot_find(&heavy, large)->mem.anon_bytes >= 50 * MIB);
	assert_int_equal(snapshot_find(&heavy, 1)->flags & TASK_LIGHT, 0);

	const struct task *light = snapshot_find(&heavy, small), *full = row_of(small);
	assert_memory_equal(&light->marks, &full->marks, sizeof(full->marks));
	assert_int_equal(light->id.start_ticks, full->id.start_ticks);
	assert_int_equal(light->mem.vsize_bytes, full->mem.vsize_bytes);
	/* The sanitizers map terabytes, for which there could be many page tables. */
	assert_int_equal(light->flags, full->mem.vsize_bytes < GIB ? TASK_LIGHT : 0);
	snapshot_complete(&heavy);
	assert_int_equal(heavy.light, 0);
	assert_int_equal(light->flags, 0);
	assert_int_equal(light->uid, full->uid);
	assert_int_equal(light->mem.anon_bytes, full->mem.anon_bytes);
	snapshot_close(&heavy);
}

static void share_memory(int index)
{
	touch_memory(10 * MIB, MAP_PRIVATE);
	board->tid = clone_sharer(sleep_for_ever, NULL);
	child_ready(index);
}

static void sharers_show_the_same_marks_and_figures(void **state)
{
	pid_t pid = child_fork(share_memory), sharer = sharer_of_child();

	assert_int_equal(snapshot_refresh(&s), 0);
	const struct task *a = row_of(pid), *b = row_of(sharer);
	assert_memory_equal(&a->marks, &b->marks, sizeof(a->marks));
	assert_memory_equal(&a->mem, &b->mem, sizeof(a->mem));
	assert_true(a->marks.start_stack != 0 && a->marks.env_start != 0);
	assert_true(a->id.start_ticks <= b->id.start_ticks);
	assert_int_equal(b->ppid, pid);
	assert_int_equal(b->mm_tid, sharer);
}

static void forked_siblings_show_the_same_marks(void **state)
{
	pid_t a = child_fork(child_ready), b = child_fork(child_ready);

	assert_int_equal(snapshot_refresh(&s), 0);
	assert_memory_equal(&row_of(a)->marks, &row_of(b)->marks, sizeof(struct mm_marks));
}

static void exec_sleep(int index)
{
	board->ready[index] = 1;
	while (!board->go)
		usleep(1000);
	execlp("sleep", "sleep", "60", (char *)NULL);
}

static void exec_changes_the_marks_and_not_the_identity(void **state)
{
	pid_t pid = child_fork(exec_sleep);
	struct task before, after;

	assert_int_equal(snapshot_read_task(&s, pid, &before), 0);
	board->go = true;
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(snapshot_read_task(&s, pid, &after), 0);
		if (!strcmp(after.comm, "sleep") && after.mem.anon_bytes)
			break;
		usleep(1000);
	}
	assert_string_equal(after.comm, "sleep");
	assert_memory_equal(&before.id, &after.id, sizeof(before.id));
	assert_memory_not_equal(&before.marks, &after.marks, sizeof(before.marks));
}

static void *outlive_the_leader(void *arg)
{
	touch_memory(20 * MIB, MAP_PRIVATE);
	board->tid = (pid_t)syscall(SYS_gettid);
	usleep(100 * 1000); /* until the leader has gone */
	child_ready((int)(intptr_t)arg);
	return NULL;
}

static void become_a_zombie_leader(int index)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, outlive_the_leader, (void *)(intptr_t)index) == 0)
		pthread_exit(NULL);
}

static void a_zombie_leader_does_not_hide_its_memory(void **state)
{
	pid_t pid = child_fork(become_a_zombie_leader);

	assert_int_equal(snapshot_refresh(&s), 0);
	const struct task *t = row_of(pid);
	assert_int_equal(t->state, 'Z');
	assert_int_equal(t->flags, TASK_ZOMBIE_LEADER);
	assert_int_equal(t->mm_tid, board->tid);
	assert_int_not_equal(t->mm_tid, pid);
	assert_in_range(t->mem.anon_bytes, 20 * MIB, 30 * MIB);
	assert_true(t->marks.start_stack != 0);

	/* the thread is not a process of its own */
	struct task thread;
	assert_int_equal(snapshot_read_task(&s, board->tid, &thread), -EINVAL);
	assert_null(snapshot_find(&s, board->tid));
}

static void a_zombie_alone_has_no_mm(void **state)
{
	pid_t pid = child_fork(child_ready);
	struct task t;
	siginfo_t info;

	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(snapshot_read_task(&s, pid, &t), 0);
	assert_int_equal(t.state, 'Z');
	assert_int_equal(t.flags & TASK_NO_MM, TASK_NO_MM);
	assert_int_equal(t.flags & TASK_ZOMBIE_LEADER, 0);
	child_end(pid);
	assert_int_equal(snapshot_read_task(&s, pid, &t), -ESRCH);
}

static void take_a_hostile_name(int index)
{
	prctl(PR_SET_NAME, ") R 1 1\n\x1b[2J\xff");
	child_ready(index);
}

static void a_hostile_name_is_only_a_name(void **state)
{
	pid_t pid = child_fork(take_a_hostile_name);

	assert_int_equal(snapshot_refresh(&s), 0);
	const struct task *t = row_of(pid);
	assert_string_equal(t->comm, ") R 1 1\n\x1b[2J\xff");
	assert_int_equal(t->ppid, getpid());
	assert_int_equal(t->state, 'S');
	assert_int_equal(s.unread, 0);
}

static void kernel_threads_are_flagged(void **state)
{
	struct stat st;

	if (stat("/proc/2/exe", &st) == 0 || access("/proc/2/stat", R_OK) < 0)
		skip(); /* a pid namespace shows none */
	assert_int_equal(snapshot_refresh(&s), 0);
	const struct task *t = row_of(2);
	assert_int_equal(t->flags, TASK_KTHREAD);
	assert_int_equal(t->mem.anon_bytes, 0);
	assert_false(row_of(getpid())->flags & TASK_KTHREAD);
}

static void a_stopped_process_shows_its_memory_and_pending_kill(void **state)
{
	pid_t pid = child_fork(hold_50_mib);
	struct task t;
	siginfo_t info;

	kill(pid, SIGSTOP);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
	assert_int_equal(snapshot_read_task(&s, pid, &t), 0);
	assert_int_equal(t.state, 'T');
	assert_int_equal(t.flags, 0);
	assert_true(t.mem.anon_bytes >= 50 * MIB);
	kill(pid, SIGTERM); /* pends, but is no SIGKILL */
	assert_int_equal(snapshot_read_task(&s, pid, &t), 0);
	assert_int_equal(t.flags, 0);
}

static void the_newborn_are_found(void *ctx, const struct task *t)
{
	pid_t *wanted = ctx;

	if (t->id.pid == wanted[0]) {
		assert_true(t->mem.anon_bytes >= 50 * MIB);
		wanted[1]++;
	}
	assert_int_not_equal(t->id.pid, getpid());
}

static void a_process_born_after_the_pass_is_found(void **state)
{
	pid_t old = child_fork(child_ready);

	assert_int_equal(snapshot_refresh(&s), 0);
	pid_t wanted[2] = { child_fork(hold_50_mib), 0 };
	assert_true(snapshot_newborn(&s, the_newborn_are_found, wanted) >= 1);
	assert_int_equal(wanted[1], 1);
	pid_t none[2] = { old, 0 };
	assert_true(snapshot_newborn(&s, the_newborn_are_found, none) >= 1);
	assert_int_equal(none[1], 0);

	/* the same when every entry has to be looked at */
	s.last_pid = 0;
	wanted[1] = 0;
	assert_true(snapshot_newborn(&s, the_newborn_are_found, wanted) >= 1);
	assert_int_equal(wanted[1], 1);
	assert_true(snapshot_newborn(&s, the_newborn_are_found, none) >= 1);
	assert_int_equal(none[1], 0);
}

static void a_tiny_table_keeps_the_large(void **state)
{
	pid_t large = child_fork(hold_50_mib);
	const int fd = s.proc_fd;

	snapshot_close(&s);
	assert_int_equal(snapshot_open(&s, fd, 40), 0);
	assert_int_equal(snapshot_refresh(&s), 0);
	if (s.dropped == 0)
		s.capacity = s.count - 1; /* fewer processes here than that */
	assert_int_equal(snapshot_refresh(&s), 0);
	assert_true(s.dropped > 0);
	assert_non_null(snapshot_find(&s, large));
	assert_non_null(snapshot_find(&s, 1));
	for (uint32_t i = 1; i < s.count; i++)
		assert_true(s.tasks[i - 1].id.pid < s.tasks[i].id.pid);
}

/* Prefork servers churn: a pass among them is not disturbed. */
static void churn(int index)
{
	board->ready[index] = 1;
	for (;;) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void a_pass_survives_those_who_come_and_go(void **state)
{
	pid_t a = child_fork(churn), b = child_fork(churn);
	uint32_t vanished = 0;

	for (int i = 0; i < 300; i++) {
		assert_int_equal(snapshot_refresh(&s), 0);
		row_of(getpid());
		row_of(a);
		row_of(b);
		assert_int_equal(s.unread, 0);
		vanished += s.vanished;
	}
	print_message("# vanished in mid-read: %u\n", vanished);
}

static void a_replaced_program_keeps_its_path(void **state)
{
	char path[] = "/tmp/oomfwd-live-exe-XXXXXX", command[128], text[128];
	int fd = mkstemp(path);
	pid_t pid;

	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "cp /bin/sleep %s && chmod 700 %s", path, path);
	assert_int_equal(system(command), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(path, path, "60", (char *)NULL);
		_exit(1);
	}
	children[child_count++] = pid;
	for (int i = 0; i < 5000; i++, usleep(1000))
		if (snapshot_read_exe(&s, pid, text, sizeof(text)) == 0 && !strcmp(text, path))
			break;
	assert_string_equal(text, path);
	unlink(path);
	assert_int_equal(snapshot_read_exe(&s, pid, text, sizeof(text)), 0);
	assert_string_equal(text, path);
	assert_int_equal(snapshot_read_exe(&s, pid, text, 5), 0);
	assert_string_equal(text, "/tmp");
}

static void a_cgroup_is_a_path(void **state)
{
	char text[4096];

	if (access("/proc/self/cgroup", R_OK) < 0)
		skip(); /* a kernel without cgroups */
	int r = snapshot_read_cgroup(&s, getpid(), text, sizeof(text));
	assert_int_equal(r, 0);
	assert_int_equal(text[0], '/');
	assert_null(strchr(text, '\n'));
}

int main(void)
{
#define LIVE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		LIVE(memory_is_shown_by_its_kind),
		LIVE(a_pass_for_the_large_knows_the_small_by_their_stat),
		LIVE(sharers_show_the_same_marks_and_figures),
		LIVE(forked_siblings_show_the_same_marks),
		LIVE(exec_changes_the_marks_and_not_the_identity),
		LIVE(a_zombie_leader_does_not_hide_its_memory),
		LIVE(a_zombie_alone_has_no_mm),
		LIVE(a_hostile_name_is_only_a_name),
		LIVE(kernel_threads_are_flagged),
		LIVE(a_stopped_process_shows_its_memory_and_pending_kill),
		LIVE(a_process_born_after_the_pass_is_found),
		LIVE(a_tiny_table_keeps_the_large),
		LIVE(a_pass_survives_those_who_come_and_go),
		LIVE(a_replaced_program_keeps_its_path),
		LIVE(a_cgroup_is_a_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
