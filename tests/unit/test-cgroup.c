/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole cgroups: what is read, what is refused, who dies and who does not. On trees of plain files,
 * with real children to kill; at the end on the cgroups of this machine, where it has them.
 */
#include "cgroup-internal.h"

#include "count-malloc.h"
#include "util.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <mntent.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#include <cmocka.h>

#define CHILDREN_MAX 4

static struct {
	char root[64];
	struct cgroup_mounts *m;
	pid_t child[CHILDREN_MAX];
	/* What pidfd_open() makes of one cgroup.procs, see below. */
	const char *list, *list_becomes;
} t;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* Writes text into the file root/path, making the directories. */
static void put(const char *path, const char *text)
{
	char whole[PATH_MAX];
	FILE *f;

	snprintf(whole, sizeof(whole), "%s/%s", t.root, path);
	for (char *p = whole + strlen(t.root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(whole, 0700);
	}
	f = fopen(whole, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

/* Stands before libc's: the moment in which a listed process may exit and its pid be recycled. */
int pidfd_open(pid_t pid, unsigned flags);
int pidfd_open(pid_t pid, unsigned flags)
{
	if (t.list)
		put(t.list, t.list_becomes);
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

static const char *content(const char *path)
{
	static char text[64];
	char whole[PATH_MAX];
	FILE *f;

	snprintf(whole, sizeof(whole), "%s/%s", t.root, path);
	f = fopen(whole, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void put_pids(const char *path, const pid_t *pids, int count)
{
	char text[256] = "";

	for (int i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d\n", pids[i]);
	put(path, text);
}

static int directory(const char *name)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s/%s", t.root, name);
	mkdir(whole, 0700);
	return open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void mount_tree(bool v2, bool v1)
{
	assert_int_equal(
		cgroup_mounts_from_fds(v2 ? directory("v2") : -1, v1 ? directory("memory") : -1,
			v1 ? directory("freezer") : -1, &t.m),
		0);
}

static pid_t start_child(int i)
{
	t.child[i] = fork();
	if (t.child[i] == 0)
		for (;;)
			pause();
	assert_true(t.child[i] > 0);
	return t.child[i];
}

/* Within 5 s, by SIGKILL. */
static void assert_killed(int i)
{
	int status, r = 0;

	for (int n = 0; n < 500 && r == 0; n++) {
		r = waitpid(t.child[i], &status, WNOHANG);
		if (r == 0)
			nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	assert_int_equal(r, t.child[i]);
	t.child[i] = 0;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void assert_lives(int i)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	assert_int_equal(waitpid(t.child[i], NULL, WNOHANG), 0);
}

static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	strcpy(t.root, "/tmp/oomfwd-test-cgroup-XXXXXX");
	return mkdtemp(t.root) ? 0 : -1;
}

static int teardown(void **state)
{
	t.list = NULL;
	for (int i = 0; i < CHILDREN_MAX; i++)
		if (t.child[i] > 0) {
			kill(t.child[i], SIGKILL);
			waitpid(t.child[i], NULL, 0);
		}
	cgroup_mounts_free(t.m);
	return nftw(t.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void the_setup_is_named(void **state)
{
	static const char *const names[] = { "none", "v1", "v2", "hybrid" };

	for (int i = 0; i < 4; i++) {
		mount_tree(i & 2, i & 1);
		assert_string_equal(cgroup_mounts_text(t.m), names[i]);
		cgroup_mounts_free(t.m);
	}
	t.m = NULL;
}

static void memory_is_read_from_either_version(void **state)
{
	uint64_t bytes = 7;

	put("v2/a/memory.current", "123456789\n");
	put("v2/bad/memory.current", "-1\n");
	put("v2/worse/memory.current", "12 34\n");
	put("memory/old/memory.usage_in_bytes", "42\n");
	mount_tree(true, true);
	assert_int_equal(cgroup_memory_bytes(t.m, "/a", &bytes), 0);
	assert_int_equal(bytes, 123456789);
	assert_int_equal(cgroup_memory_bytes(t.m, "/old", &bytes), 0);
	assert_int_equal(bytes, 42);
	assert_int_equal(cgroup_memory_bytes(t.m, "/bad", &bytes), -EINVAL);
	assert_int_equal(cgroup_memory_bytes(t.m, "/worse", &bytes), -EINVAL);
	assert_int_equal(cgroup_memory_bytes(t.m, "/none", &bytes), -ENOENT);
	assert_int_equal(bytes, 42);
}

static bool sum_up(void *ctx, pid_t pid)
{
	*(uint64_t *)ctx += (uint64_t)pid;
	return pid != 99;
}

static void every_process_below_is_seen(void **state)
{
	char many[3000 * 8] = "";
	uint64_t sum = 0, expected = 0;
	size_t at = 0;

	for (int pid = 1000; pid < 4000; pid++, expected += (uint64_t)pid - 1)
		at += (size_t)snprintf(many + at, sizeof(many) - at, "%d\n", pid);
	put("v2/a/cgroup.procs", many); /* over several buffers */
	put("v2/a/b/c/cgroup.procs", "5\n6");
	put("v2/a/.hidden/cgroup.procs", "7\n");
	put("v2/a/empty/cgroup.procs", "");
	put("v2/a/without/other", "");
	put("v2/neighbour/cgroup.procs", "1000000\n");
	mount_tree(true, false);
	assert_int_equal(cgroup_each_process(t.m, "/a", sum_up, &sum), 0);
	assert_int_equal(sum, expected + 5 + 6 + 7);

	sum = 0;
	put("v2/s/cgroup.procs", "98\n99\n100\n");
	put("v2/s/below/cgroup.procs", "101\n");
	assert_int_equal(cgroup_each_process(t.m, "/s", sum_up, &sum), 0);
	assert_int_equal(sum, 98 + 99); /* enough at 99 */
	put("v2/huge/cgroup.procs", "99999999999999999999\n");
	assert_int_equal(cgroup_each_process(t.m, "/huge", sum_up, &sum), -EINVAL);
}

static void too_deep_a_tree_is_an_error(void **state)
{
	char path[512] = "v2/d";
	uint64_t sum = 0;

	for (int i = 0; i < 40; i++)
		strcat(path, "/d");
	strcat(path, "/cgroup.procs");
	put(path, "1\n");
	mount_tree(true, false);
	assert_int_equal(cgroup_each_process(t.m, "/d", sum_up, &sum), -ELOOP);
	assert_int_equal(cgroup_kill(t.m, "/d", 0, NULL), -ELOOP);
	assert_int_equal(sum, 0);
}

static void paths_that_lead_out_are_refused(void **state)
{
	static const char *const out[] = { "", "a", "/..", "/../..", "/a/..", "/a/../../x",
		"../a" };
	static const char *const root[] = { "/", "//", "/.", "/./" };
	uint64_t bytes;
	char target[PATH_MAX];

	put("secret/cgroup.procs", "1\n");
	put("secret/memory.current", "1\n");
	put("v2/a/..b/memory.current", "8\n");
	put("v2/cgroup.kill", "0");
	mount_tree(true, false);
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		assert_int_equal(cgroup_memory_bytes(t.m, out[i], &bytes), -EINVAL);
		assert_int_equal(cgroup_each_process(t.m, out[i], sum_up, &bytes), -EINVAL);
		assert_int_equal(cgroup_kill(t.m, out[i], 0, NULL), -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(root); i++)
		assert_int_equal(cgroup_kill(t.m, root[i], 0, NULL), -EINVAL);
	assert_string_equal(content("v2/cgroup.kill"), "0");
	/* Two dots in a name are no way up. */
	assert_int_equal(cgroup_memory_bytes(t.m, "/a/..b", &bytes), 0);

	snprintf(target, sizeof(target), "%s/v2/link", t.root);
	assert_int_equal(symlink("../secret", target), 0);
	assert_int_equal(cgroup_memory_bytes(t.m, "/link", &bytes), -ENOTDIR);
	assert_int_equal(cgroup_kill(t.m, "/link", 0, NULL), -ENOTDIR);
}

static void cgroup_kill_is_left_to_the_kernel(void **state)
{
	pid_t child = start_child(0);
	unsigned before;

	put_pids("v2/a/cgroup.procs", &child, 1);
	put_pids("v2/a/b/cgroup.procs", &child, 1);
	put("v2/a/cgroup.kill", "0");
	put("v2/a/cgroup.freeze", "0");
	mount_tree(true, false);
	before = malloc_count;
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), 2);
	assert_int_equal(malloc_count, before);
	assert_string_equal(content("v2/a/cgroup.kill"), "1");
	assert_string_equal(content("v2/a/cgroup.freeze"), "0");
	assert_lives(0); /* this tree's file has no kernel behind it */
}

/* Whoever was to be told has gone on: what was allowed then is not begun now. */
static void a_kill_that_was_given_up_is_not_begun(void **state)
{
	pid_t pids[] = { start_child(0), start_child(1) };
	atomic_bool given_up = true;

	put_pids("v2/a/cgroup.procs", pids, 1);
	put("v2/a/cgroup.kill", "0");
	put_pids("memory/old/cgroup.procs", pids + 1, 1);
	put_pids("freezer/old/cgroup.procs", pids + 1, 1);
	put("freezer/old/freezer.state", "THAWED");
	mount_tree(true, true);
	assert_int_equal(cgroup_kill(t.m, "/a", 0, &given_up), -ECANCELED);
	assert_int_equal(cgroup_kill(t.m, "/old", 0, &given_up), -ECANCELED);
	assert_string_equal(content("v2/a/cgroup.kill"), "0");
	assert_string_equal(content("freezer/old/freezer.state"), "THAWED");
	assert_lives(0);
	assert_lives(1);
	given_up = false;
	assert_int_equal(cgroup_kill(t.m, "/a", 0, &given_up), 1);
	assert_string_equal(content("v2/a/cgroup.kill"), "1");
}

static void v1_kills_each_and_thaws(void **state)
{
	pid_t pids[] = { start_child(0), start_child(1) };
	unsigned before;

	start_child(2);
	put_pids("memory/a/cgroup.procs", pids, 1);
	put_pids("memory/a/b/cgroup.procs", pids + 1, 1);
	put_pids("freezer/a/cgroup.procs", pids, 2);
	put("freezer/a/freezer.state", "......");
	put("freezer/a/b/freezer.state", "FROZEN"); /* before us: would not die */
	mount_tree(false, true);
	before = malloc_count;
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), 2);
	assert_int_equal(malloc_count, before);
	assert_killed(0);
	assert_killed(1);
	assert_lives(2);
	assert_string_equal(content("freezer/a/freezer.state"), "THAWED");
	assert_string_equal(content("freezer/a/b/freezer.state"), "THAWED");
}

static void an_old_v2_freezes_and_thaws(void **state)
{
	pid_t child = start_child(0);

	put_pids("v2/a/cgroup.procs", &child, 1);
	put("v2/a/cgroup.freeze", "-");
	mount_tree(true, false);
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), 1);
	assert_killed(0);
	assert_string_equal(content("v2/a/cgroup.freeze"), "0");
}

/* The list cannot be parsed any more just when everything is frozen. */
static void it_thaws_after_an_error_too(void **state)
{
	pid_t child = start_child(0);

	put_pids("memory/a/cgroup.procs", &child, 1);
	put_pids("freezer/a/cgroup.procs", &child, 1);
	put("freezer/a/freezer.state", "......");
	mount_tree(false, true);
	t.list = "memory/a/cgroup.procs";
	t.list_becomes = "99999999999999999999\n";
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), -EINVAL);
	assert_string_equal(content("freezer/a/freezer.state"), "THAWED");
	assert_lives(0);
}

/* Between the list and the pidfd the process may go and its number be another's. */
static void a_recycled_pid_is_not_hit(void **state)
{
	pid_t child = start_child(0);

	put_pids("memory/a/cgroup.procs", &child, 1);
	mount_tree(false, true);
	t.list = "memory/a/cgroup.procs";
	t.list_becomes = "";
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), 1);
	assert_lives(0);
}

static void init_ourselves_and_strangers_are_not_killed(void **state)
{
	pid_t untouchable[] = { 1, getpid(), 0 };

	start_child(0);
	for (size_t i = 0; i < ARRAY_SIZE(untouchable); i++) {
		pid_t pids[] = { t.child[0], untouchable[i] };
		put_pids("v2/a/cgroup.procs", pids, 1);
		put_pids("v2/a/b/cgroup.procs", pids + 1, 1);
		put_pids("memory/c/cgroup.procs", pids, 2);
		put("v2/a/cgroup.kill", "0");
		put("freezer/c/freezer.state", "THAWED");
		mount_tree(true, true);
		assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), -EPERM);
		assert_int_equal(cgroup_kill(t.m, "/c", 0, NULL), -EPERM);
		cgroup_mounts_free(t.m);
		t.m = NULL;
		assert_string_equal(content("v2/a/cgroup.kill"), "0");
	}
	assert_lives(0);
}

/* On v1 the freezer's cgroup of that name may hold us, and then must not be frozen. */
static void we_do_not_freeze_ourselves(void **state)
{
	pid_t child = start_child(0), self = getpid();

	put_pids("memory/a/cgroup.procs", &child, 1);
	put_pids("freezer/a/cgroup.procs", &self, 1);
	put("freezer/a/freezer.state", "unwritten");
	mount_tree(false, true);
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), 1);
	assert_killed(0);
	assert_string_equal(content("freezer/a/freezer.state"), "unwritten");
}

static void an_empty_or_missing_cgroup_is_said(void **state)
{
	put("v2/a/cgroup.procs", "");
	put("v2/a/cgroup.kill", "0");
	mount_tree(true, false);
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), -ENOENT);
	assert_int_equal(cgroup_kill(t.m, "/b", 0, NULL), -ENOENT);
	assert_string_equal(content("v2/a/cgroup.kill"), "0");
	cgroup_mounts_free(t.m);
	mount_tree(false, false);
	assert_int_equal(cgroup_kill(t.m, "/a", 0, NULL), -ENOENT);
	assert_int_equal(cgroup_thaw(t.m, AT_FDCWD), 0);
}

static int thaw(int proc_fd, pid_t pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	_cleanup_(fd_closep) int fd = openat(proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -ESRCH : cgroup_thaw(t.m, fd);
}

static void thawing_goes_up_the_tree(void **state)
{
	int proc_fd = directory("proc");

	put("proc/10/cgroup", "9:memory:/x\n8:pids,freezer:/a/b\n0::/x\n");
	put("proc/11/cgroup", "8:freezer:/\n");
	put("proc/12/cgroup", "8:freezer:/../../a\n");
	put("proc/13/cgroup", "0::/a\n");
	put("proc/14/cgroup", "8:freezer:/calm\n");
	put("freezer/a/freezer.self_freezing", "1\n");
	put("freezer/a/freezer.state", "FROZEN");
	put("freezer/a/b/freezer.self_freezing", "0\n"); /* frozen by its parent only */
	put("freezer/a/b/freezer.state", "FROZEN");
	put("freezer/calm/freezer.state", "THAWED");
	mount_tree(false, true);
	assert_int_equal(thaw(proc_fd, 12), -EINVAL);
	assert_int_equal(thaw(proc_fd, 11), 0);
	assert_int_equal(thaw(proc_fd, 13), 0);
	assert_int_equal(thaw(proc_fd, 14), 0);
	assert_int_equal(thaw(proc_fd, 15), -ESRCH);
	assert_string_equal(content("freezer/a/freezer.state"), "FROZEN");
	assert_int_equal(thaw(proc_fd, 10), 1);
	assert_string_equal(content("freezer/a/freezer.state"), "THAWED");
	close(proc_fd);
}

/* --- on this machine's own cgroups --- */

/* Makes a cgroup of ours below the first mount of that type (and, for v1, controller). */
static bool make_group(const char *type, const char *option, char *ret)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *e;
	bool made = false;

	while (!made && mounts && (e = getmntent(mounts)))
		if (strcmp(e->mnt_type, type) == 0 && (!option || hasmntopt(e, option))) {
			snprintf(ret, PATH_MAX, "%s/oomfwd-test-%d", e->mnt_dir, getpid());
			made = mkdir(ret, 0755) == 0;
		}
	if (mounts)
		endmntent(mounts);
	return made;
}

static bool write_in(const char *group, const char *file, const char *text)
{
	char path[PATH_MAX + 64];
	int fd;
	bool done;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, text, strlen(text)) > 0;
	fd_closep(&fd);
	return done;
}

static void live_v2_kill(void **state)
{
	char group[PATH_MAX], name[64], pid[16];

	if (!make_group("cgroup2", NULL, group))
		skip();
	snprintf(pid, sizeof(pid), "%d", start_child(0));
	start_child(1);
	if (!write_in(group, "cgroup.procs", pid)) {
		rmdir(group);
		skip();
	}
	assert_int_equal(cgroup_mounts_new(&t.m), 0);
	assert_string_not_equal(cgroup_mounts_text(t.m), "none");
	snprintf(name, sizeof(name), "/oomfwd-test-%d", getpid());
	assert_int_equal(cgroup_kill(t.m, name, 0, NULL), 1);
	assert_killed(0);
	assert_lives(1);
	assert_int_equal(rmdir(group), 0);
}

static void live_v1_kill_of_a_frozen_group(void **state)
{
	char memory[PATH_MAX], freezer[PATH_MAX], name[64], pid[16];
	_cleanup_(fd_closep) int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t bytes;

	if (!make_group("cgroup", "memory", memory))
		skip();
	if (!make_group("cgroup", "freezer", freezer)) {
		rmdir(memory);
		skip();
	}
	snprintf(pid, sizeof(pid), "%d", start_child(0));
	start_child(1);
	assert_true(write_in(memory, "cgroup.procs", pid));
	assert_true(write_in(freezer, "cgroup.procs", pid));
	assert_true(write_in(freezer, "freezer.state", "FROZEN"));
	assert_int_equal(cgroup_mounts_new(&t.m), 0);
	assert_int_equal(thaw(proc_fd, t.child[0]), 1);
	assert_int_equal(thaw(proc_fd, t.child[0]), 0);
	assert_true(write_in(freezer, "freezer.state", "FROZEN"));
	snprintf(name, sizeof(name), "/oomfwd-test-%d", getpid());
	assert_int_equal(cgroup_memory_bytes(t.m, name, &bytes), 0);
	assert_int_equal(cgroup_kill(t.m, name, 0, NULL), 1);
	assert_killed(0);
	assert_lives(1);
	assert_int_equal(rmdir(freezer), 0);
	assert_int_equal(rmdir(memory), 0);
}

/* The directory's own extended attribute; skips the test where there are none. */
static void mark(const char *path, const char *name, const char *value)
{
	char whole[PATH_MAX];

	snprintf(whole, sizeof(whole), "%s/%s", t.root, path);
	if (setxattr(whole, name, value, strlen(value), 0) < 0)
		skip();
}

static enum cgroup_preference preference(const char *path)
{
	_cleanup_(fd_closep) int fd = directory("v2");

	return cgroup_preference_at(fd, path);
}

static void a_unit_says_what_it_prefers(void **state)
{
	char whole[PATH_MAX];

	put("v2/system.slice/db.service/worker/cgroup.procs", "");
	put("v2/system.slice/db.service/spare/cgroup.procs", "");
	put("v2/user.slice/mine/cgroup.procs", "");
	assert_int_equal(preference("/system.slice/db.service"), CGROUP_PREFERENCE_NONE);
	mark("v2/system.slice/db.service", "user.oomd_omit", "1");
	assert_int_equal(preference("/system.slice/db.service"), CGROUP_PREFERENCE_OMIT);
	/* ... for all that is in it, unless that says something of its own, */
	assert_int_equal(preference("/system.slice/db.service/worker"), CGROUP_PREFERENCE_OMIT);
	mark("v2/system.slice/db.service/spare", "user.oomd_avoid", "1");
	assert_int_equal(preference("/system.slice/db.service/spare"), CGROUP_PREFERENCE_AVOID);
	/* but not for what is beside it, nor for a slice. */
	mark("v2/user.slice", "user.oomd_omit", "1");
	assert_int_equal(preference("/user.slice/mine"), CGROUP_PREFERENCE_NONE);
	mark("v2/user.slice/mine", "user.oomd_avoid", "0");
	assert_int_equal(preference("/user.slice/mine"), CGROUP_PREFERENCE_NONE);
	assert_int_equal(preference("/gone.service/x"), CGROUP_PREFERENCE_NONE);
	assert_int_equal(preference("/../v2/system.slice/db.service"), CGROUP_PREFERENCE_NONE);
	/* Nobody exempts himself. */
	if (getuid() != 0)
		return;
	snprintf(whole, sizeof(whole), "%s/v2/system.slice/db.service", t.root);
	assert_int_equal(chown(whole, 1000, 1000), 0);
	assert_int_equal(preference("/system.slice/db.service"), CGROUP_PREFERENCE_NONE);
}

static void paths_of_another_namespace_are_joined(void **state)
{
	static const struct {
		const char *root, *path, *joined; /* NULL: it leads out */
	} cases[] = {
		{ "", "/system.slice/x.service", "/system.slice/x.service" },
		{ "", "/", "/" },
		{ "/a/b/c", "/", "/a/b/c" },
		{ "/a/b/c", "/d", "/a/b/c/d" },
		{ "/a/b/c", "/../d", "/a/b/d" },
		{ "/a/b/c", "/../../../system.slice/x.service", "/system.slice/x.service" },
		{ "/a/b/c", "/../../..", "/" },
		{ "/a/b/c", "/../../../..", NULL },
		{ "/a", "/..b/x", "/a/..b/x" },
		{ "/a", "//x//y/", "/a/x/y" },
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = cgroup_join(cases[i].root, cases[i].path, text, sizeof(text));

		assert_int_equal(r, cases[i].joined ? 0 : -EINVAL);
		if (cases[i].joined)
			assert_string_equal(text, cases[i].joined);
	}
	assert_int_equal(cgroup_join("/a", "/0123456789", text, 13), -ENAMETOOLONG);
	assert_int_equal(cgroup_join("/a", "/0123456789", text, 14), 0);
}

/* Enters the group, then a namespace that begins there, and looks for itself. */
static int find_root_in(const char *group, char *ret, size_t size)
{
	if (!write_in(group, "cgroup.procs", "0") || unshare(CLONE_NEWCGROUP) < 0)
		return 77;
	if (cgroup_mounts_new(&t.m) < 0)
		return 1;
	return cgroup_namespace_root(t.m, ret, size) ? 0 : 2;
}

static void our_place_in_the_hierarchy_is_found(void **state)
{
	char group[PATH_MAX], name[64], *root;
	int status;

	if (!make_group("cgroup2", NULL, group))
		skip();
	root = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(root != MAP_FAILED);
	t.child[0] = fork();
	if (t.child[0] == 0)
		_exit(find_root_in(group, root, 4096));
	assert_int_equal(waitpid(t.child[0], &status, 0), t.child[0]);
	t.child[0] = 0;
	assert_int_equal(rmdir(group), 0);
	if (status == 77 << 8)
		skip();
	assert_int_equal(status, 0);
	snprintf(name, sizeof(name), "/oomfwd-test-%d", getpid());
	assert_string_equal(root, name);
	/* Where nothing separates us from the mount there is nothing to join. */
	assert_int_equal(cgroup_mounts_new(&t.m), 0);
	assert_true(cgroup_namespace_root(t.m, root, 4096));
	assert_string_equal(root, "");
	munmap(root, 4096);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_setup_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(
			memory_is_read_from_either_version, setup, teardown),
		cmocka_unit_test_setup_teardown(every_process_below_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(too_deep_a_tree_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(paths_that_lead_out_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(cgroup_kill_is_left_to_the_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_kill_that_was_given_up_is_not_begun, setup, teardown),
		cmocka_unit_test_setup_teardown(v1_kills_each_and_thaws, setup, teardown),
		cmocka_unit_test_setup_teardown(an_old_v2_freezes_and_thaws, setup, teardown),
		cmocka_unit_test_setup_teardown(it_thaws_after_an_error_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_recycled_pid_is_not_hit, setup, teardown),
		cmocka_unit_test_setup_teardown(
			init_ourselves_and_strangers_are_not_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(we_do_not_freeze_ourselves, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_empty_or_missing_cgroup_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(thawing_goes_up_the_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(
			paths_of_another_namespace_are_joined, setup, teardown),
		cmocka_unit_test_setup_teardown(
			our_place_in_the_hierarchy_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unit_says_what_it_prefers, setup, teardown),
		cmocka_unit_test_setup_teardown(live_v2_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(live_v1_kill_of_a_frozen_group, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
