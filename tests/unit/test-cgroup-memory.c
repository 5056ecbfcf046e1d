/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a cgroup holds, may hold and waits for, of both versions and with files missing. On trees of
 * plain files; at the end on the cgroups of this machine, where it has them.
 */
#include "cgroup.h"

#include "count-malloc.h"
#include "proc-tree.h"
#include "util.h"

#include <dirent.h>
#include <limits.h>
#include <sys/xattr.h>

#include <cmocka.h>

static struct {
	struct proc_tree tree;
	struct cgroup_mounts *m;
	struct cgroup_handle *h;
	char group[128]; /* made among this machine's cgroups */
} t;

static void put(const char *path, const char *text)
{
	tree_write(&t.tree, path, text);
}

static int directory(const char *name)
{
	(void)mkdirat(t.tree.fd, name, 0700);
	return openat(t.tree.fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void mount_tree(bool v2, bool v1)
{
	assert_int_equal(cgroup_mounts_from_fds(v2 ? directory("v2") : -1,
				 v1 ? directory("memory") : -1, -1, &t.m),
		0);
}

static struct cgroup_memory memory_of(const char *path)
{
	struct cgroup_memory c;
	unsigned before;

	cgroup_handle_close(t.h);
	t.h = NULL;
	assert_int_equal(cgroup_handle_open(t.m, path, &t.h), 0);
	before = malloc_count;
	assert_int_equal(cgroup_handle_memory(t.h, &c), 0);
	assert_int_equal(malloc_count, before);
	return c;
}

static unsigned open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

static int setup(void **state)
{
	memset(&t, 0, sizeof(t));
	tree_open(&t.tree);
	return 0;
}

static int teardown(void **state)
{
	cgroup_handle_close(t.h);
	cgroup_mounts_free(t.m);
	if (t.group[0])
		(void)rmdir(t.group); /* after a failure only */
	tree_close(&t.tree);
	return 0;
}

static void put_v2(const char *name)
{
	static const struct {
		const char *file, *text;
	} files[] = {
		{ "memory.current", "1000000\n" },
		{ "memory.max", "2000000\n" },
		{ "memory.high", "1500000\n" },
		{ "memory.swap.current", "300\n" },
		{ "memory.swap.max", "max\n" },
		{ "memory.stat",
			"anon 400000\nfile 500000\nkernel 50\nshmem 120000\nfile_mapped 7\n"
			"file_dirty 90000\nfile_writeback 10000\nanon_thp 1\n"
			"inactive_file 200000\nactive_file 180000\nslab_reclaimable 6000\n"
			"slab_unreclaimable 9999\nslab 15999\n" },
		{ "memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n" },
		{ "memory.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n" },
		{ "cgroup.events", "populated 1\nfrozen 0\n" },
		{ "cgroup.procs", "" },
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "v2/%s/%s", name, files[i].file);
		put(path, files[i].text);
	}
}

static void put_v1(const char *name)
{
	static const struct {
		const char *file, *text;
	} files[] = {
		{ "memory.usage_in_bytes", "1000000\n" },
		{ "memory.limit_in_bytes", "2000000\n" },
		{ "memory.soft_limit_in_bytes", "10\n" },
		{ "memory.memsw.usage_in_bytes", "1000300\n" },
		{ "memory.memsw.limit_in_bytes", "2500000\n" },
		{ "memory.stat",
			"cache 1\nrss 2\nshmem 3\nhierarchical_memory_limit 4096\n"
			"total_cache 500000\ntotal_rss 400000\ntotal_rss_huge 5\n"
			"total_shmem 120000\ntotal_mapped_file 9\ntotal_dirty 90000\n"
			"total_inactive_file 200000\ntotal_active_file 180000\n" },
		{ "memory.oom_control", "oom_kill_disable 0\nunder_oom 1\noom_kill 5\n" },
		{ "cgroup.procs", "" },
	};
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "memory/%s/%s", name, files[i].file);
		put(path, files[i].text);
	}
}

static void v2_is_read(void **state)
{
	struct cgroup_memory c;
	char text[128];

	put_v2("a/b");
	mount_tree(true, false);
	c = memory_of("/a/b");
	assert_int_equal(c.limit_bytes, 1500000);
	assert_int_equal(c.current_bytes, 1000000);
	assert_int_equal(c.anon_bytes, 400000);
	assert_int_equal(c.shmem_bytes, 120000);
	assert_int_equal(c.reclaimable_bytes, 380000 + 6000); /* the dirty ones too */
	assert_int_equal(c.swap_bytes, 300);
	assert_true(c.swap_limit_bytes == UINT64_MAX);
	assert_int_equal(c.oom_kills, 5);
	assert_true(cgroup_handle_populated(t.h));
	assert_int_equal(cgroup_handle_pressure(t.h, text, sizeof(text)), 0);
	assert_string_equal(text, "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
	assert_int_equal(cgroup_pressure_text(t.m, "/a/b", text, sizeof(text)), 0);

	/* The same handle sees what comes after. */
	put("v2/a/b/memory.current", "7\n");
	put("v2/a/b/memory.max", "5000\n");
	put("v2/a/b/memory.swap.max", "0\n");
	put("v2/a/b/memory.events", "oom_kill 6\n");
	put("v2/a/b/cgroup.events", "populated 0\nfrozen 0\n");
	assert_int_equal(cgroup_handle_memory(t.h, &c), 0);
	assert_int_equal(c.current_bytes, 7);
	assert_int_equal(c.reclaimable_bytes, 7); /* never more than it holds */
	assert_int_equal(c.limit_bytes, 5000);
	assert_int_equal(c.swap_limit_bytes, 0);
	assert_int_equal(c.oom_kills, 6);
	assert_false(cgroup_handle_populated(t.h));
}

static void v1_is_read(void **state)
{
	struct cgroup_memory c;
	char text[128];

	put_v1("a/b");
	mount_tree(false, true);
	c = memory_of("/a/b");
	assert_int_equal(c.limit_bytes, 2000000); /* the soft limit is none */
	assert_int_equal(c.current_bytes, 1000000);
	assert_int_equal(c.anon_bytes, 400000); /* the total_ lines */
	assert_int_equal(c.shmem_bytes, 120000);
	assert_int_equal(c.reclaimable_bytes, 380000);
	assert_int_equal(c.swap_bytes, 300);
	assert_int_equal(c.swap_limit_bytes, 500000);
	assert_int_equal(c.oom_kills, 5);
	assert_int_equal(cgroup_handle_pressure(t.h, text, sizeof(text)), -ENOENT);
	assert_int_equal(cgroup_pressure_text(t.m, "/a/b", text, sizeof(text)), -ENOENT);

	assert_false(cgroup_handle_populated(t.h));
	put("memory/a/b/c/d/cgroup.procs", "12\n");
	assert_true(cgroup_handle_populated(t.h));
	put("memory/a/b/c/d/cgroup.procs", "");
	assert_false(cgroup_handle_populated(t.h));
	put("memory/a/b/cgroup.procs", "13\n");
	assert_true(cgroup_handle_populated(t.h));

	/* Unlimited, as 4 KiB and as 64 KiB pages round it; sums read late; a kernel before 4.13.
	 */
	put("memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
	put("memory/a/b/memory.memsw.limit_in_bytes", "9223372036854710272\n");
	put("memory/a/b/memory.memsw.usage_in_bytes", "999999\n");
	put("memory/a/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
	assert_int_equal(cgroup_handle_memory(t.h, &c), 0);
	assert_true(c.limit_bytes == UINT64_MAX);
	assert_true(c.swap_limit_bytes == UINT64_MAX);
	assert_int_equal(c.swap_bytes, 0);
	assert_int_equal(c.oom_kills, 0);
}

static void what_is_missing_is_no_error(void **state)
{
	struct cgroup_memory c;

	put("v2/a/memory.current", "1000\n");
	put("memory/old/memory.usage_in_bytes", "1000\n");
	put("memory/old/memory.limit_in_bytes", "2000\n");
	put("memory/old/memory.stat", "total_cache 700\ntotal_shmem 100\n"); /* nor the lists */
	mount_tree(true, true);
	c = memory_of("/a");
	assert_true(c.limit_bytes == UINT64_MAX && c.swap_limit_bytes == UINT64_MAX);
	assert_int_equal(c.current_bytes, 1000);
	assert_int_equal(c.anon_bytes + c.shmem_bytes + c.reclaimable_bytes + c.swap_bytes, 0);
	c = memory_of("/old");
	assert_int_equal(c.limit_bytes, 2000);
	assert_true(c.swap_limit_bytes == UINT64_MAX);
	assert_int_equal(c.swap_bytes, 0); /* without swap accounting */
	assert_int_equal(c.reclaimable_bytes, 600);
	put("memory/old/memory.stat", "total_cache 100\ntotal_shmem 700\n");
	c = memory_of("/old");
	assert_int_equal(c.reclaimable_bytes, 0);
}

static void texts_that_are_no_numbers_are_refused(void **state)
{
	static const char *const bad[] = { "", "-1\n", "12 34\n", "maximum\n", "0x10\n", "\n" };
	struct cgroup_memory c = { .current_bytes = 42 };

	put_v2("a");
	mount_tree(true, false);
	memory_of("/a");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put("v2/a/memory.max", bad[i]);
		assert_int_equal(cgroup_handle_memory(t.h, &c), -EINVAL);
	}
	assert_int_equal(c.current_bytes, 42); /* written on success only */
	put("v2/a/memory.max", "99999999999999999999999\n");
	put("v2/a/memory.high", "max\n");
	put("v2/a/memory.stat", "anon\nfile x\nshmem -5\n slab_reclaimable 3\nactive_file 1");
	assert_int_equal(cgroup_handle_memory(t.h, &c), 0);
	assert_true(c.limit_bytes == UINT64_MAX);
	assert_int_equal(c.reclaimable_bytes, 0);
}

static void a_hybrid_reads_each_where_it_is(void **state)
{
	struct cgroup_memory c;
	char text[128];

	put_v1("a");
	put("v2/a/memory.pressure", "some\n");
	put("v2/a/cgroup.events", "populated 0\n");
	put("v2/only2/cgroup.events", "populated 1\n");
	put("v2/only2/cgroup.procs", "");
	mount_tree(true, true);
	c = memory_of("/a");
	assert_int_equal(c.limit_bytes, 2000000);
	assert_int_equal(cgroup_handle_pressure(t.h, text, sizeof(text)), 0);
	assert_string_equal(text, "some\n");
	assert_false(cgroup_handle_populated(t.h));
	put("memory/a/cgroup.procs", "5\n");
	assert_true(cgroup_handle_populated(t.h)); /* in either */

	cgroup_handle_close(t.h);
	assert_int_equal(cgroup_handle_open(t.m, "/only2", &t.h), 0);
	assert_int_equal(cgroup_handle_memory(t.h, &c), -ENODATA);
	assert_int_equal(cgroup_handle_pressure(t.h, text, sizeof(text)), -ENOENT);
	assert_true(cgroup_handle_populated(t.h));
}

static bool within_low(const char *path)
{
	int fd = cgroup_mounts_dup_v2(t.m);
	enum cgroup_preference p = cgroup_preference_at(fd, path);

	if (fd >= 0)
		close(fd);
	return p == CGROUP_PREFERENCE_LOW;
}

static void paths_that_lead_out_are_refused(void **state)
{
	static const char *const out[] = { "", "a", "/..", "/a/..", "/a/../../secret", "../a" };
	char text[64];

	put_v2("a");
	put("secret/memory.current", "1\n");
	put("secret/memory.pressure", "1\n");
	mount_tree(true, true);
	assert_int_equal(symlinkat("../secret", t.tree.fd, "v2/link"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(out); i++) {
		assert_int_equal(cgroup_handle_open(t.m, out[i], &t.h), -EINVAL);
		assert_int_equal(cgroup_pressure_text(t.m, out[i], text, sizeof(text)), -EINVAL);
		assert_false(within_low(out[i]));
		assert_false(cgroup_oom_group(t.m, out[i], "/", text, sizeof(text)));
		assert_false(cgroup_oom_group(t.m, "/a", out[i], text, sizeof(text)));
	}
	assert_int_equal(cgroup_handle_open(t.m, "/link", &t.h), -ENOTDIR);
	assert_int_equal(cgroup_handle_open(t.m, "/none", &t.h), -ENOENT);
	assert_int_equal(cgroup_pressure_text(t.m, "/none", text, sizeof(text)), -ENODEV);
	assert_null(t.h);
	cgroup_mounts_free(t.m);
	mount_tree(false, false);
	assert_int_equal(cgroup_handle_open(t.m, "/a", &t.h), -ENOENT);
	assert_int_equal(cgroup_pressure_text(t.m, "/a", text, sizeof(text)), -ENOENT);
	cgroup_handle_close(NULL);
}

static void a_handle_has_twelve_fds_at_most_and_gives_them_back(void **state)
{
	unsigned before;

	put_v1("a");
	put_v2("b");
	put("v2/a/memory.pressure", "some\n");
	put("v2/a/cgroup.events", "populated 0\n");
	mount_tree(true, true);
	before = open_fds();
	for (int i = 0; i < 2; i++) {
		memory_of(i == 0 ? "/a" : "/b");
		assert_in_range(open_fds(), before + 6, before + 12);
		cgroup_handle_close(t.h);
		t.h = NULL;
		assert_int_equal(open_fds(), before);
	}
}

static const char *oom_group(const char *path, const char *domain)
{
	static char group[PATH_MAX];

	return cgroup_oom_group(t.m, path, domain, group, sizeof(group)) ? group : "";
}

static void the_highest_oom_group_within_the_domain_dies(void **state)
{
	char small[8];

	put("v2/memory.oom.group", "1\n"); /* the root never */
	put("v2/a/memory.oom.group", "0\n");
	put("v2/a/b/memory.oom.group", "1\n");
	put("v2/a/b/c/memory.oom.group", "0\n");
	put("v2/a/b/c/d/memory.oom.group", "1\n");
	put("v2/a/bb/memory.oom.group", "1\n");
	mount_tree(true, true);
	assert_string_equal(oom_group("/a/b/c/d/e", "/"), "/a/b");
	assert_string_equal(oom_group("/a/b", "/"), "/a/b");
	assert_string_equal(oom_group("/a/b", "/a/b"), "/a/b");
	assert_string_equal(oom_group("/a/b/", "/a/b/"), "/a/b");
	assert_string_equal(oom_group("/a/b/c/d", "/a"), "/a/b");
	assert_string_equal(oom_group("/a/b/c/d", "/a/b/c"), "/a/b/c/d");
	assert_string_equal(oom_group("/a/b/c", "/a/b/c"), "");
	assert_string_equal(oom_group("/a", "/"), "");
	assert_string_equal(oom_group("/", "/"), "");
	assert_string_equal(oom_group("/none/x", "/"), "");
	/* Moved out of the domain meanwhile. */
	assert_string_equal(oom_group("/a/bb", "/a/b"), "");
	assert_string_equal(oom_group("/a", "/a/b"), "");
	assert_string_equal(oom_group("/x", "/a/b"), "");
	/* What has no room is not cut. */
	assert_false(cgroup_oom_group(t.m, "/a/b", "/", small, 4));
	assert_true(cgroup_oom_group(t.m, "/a/b", "/", small, 5));
	/* A process of a removed one: what is above it still counts. */
	assert_string_equal(oom_group("/a/b/removed", "/"), "/a/b");
	cgroup_mounts_free(t.m);
	mount_tree(false, true);
	assert_string_equal(oom_group("/a/b", "/"), "");
}

static enum cgroup_preference preference(const char *path)
{
	_cleanup_(fd_closep) int fd = directory("v2");

	return cgroup_preference_at(fd, path);
}

static void a_cgroup_within_its_low_is_as_good_as_reserved(void **state)
{
	static const struct {
		const char *low, *min, *current;
		bool within;
	} cases[] = {
		{ "1000\n", "0\n", "1000\n", true },
		{ "1000\n", "0\n", "1001\n", false },
		{ "0\n", "2000\n", "1001\n", true },
		{ "max\n", "0\n", "1001\n", true },
		{ "1000\n", "max\n", "99999999\n", true },
		{ "0\n", "0\n", "0\n", false },
		{ "max\n", "max\n", "0\n", false },
		{ "rubbish\n", "0\n", "1\n", false },
		{ "1000\n", "rubbish\n", "1\n", true },
		{ "1000\n", "0\n", "rubbish\n", false },
	};
	_cleanup_(fd_closep) int dir_fd = -EBADF;

	if (getuid() != 0)
		skip();
	put("v2/s/db.service/worker/cgroup.procs", "");
	put("v2/s/cgroup.procs", "");
	mount_tree(true, true);
	assert_false(within_low("/s/db.service"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put("v2/s/db.service/memory.low", cases[i].low);
		put("v2/s/db.service/memory.min", cases[i].min);
		put("v2/s/db.service/memory.current", cases[i].current);
		assert_int_equal(within_low("/s/db.service"), cases[i].within);
		/* ... and all that is in it, */
		assert_int_equal(within_low("/s/db.service/worker"), cases[i].within);
		assert_int_equal(preference("/s/db.service/worker"),
			cases[i].within ? CGROUP_PREFERENCE_LOW : CGROUP_PREFERENCE_NONE);
	}
	/* but no unit is what a slice or the root is. */
	put("v2/s/memory.low", "max\n");
	put("v2/s/memory.current", "1\n");
	assert_true(within_low("/s"));
	assert_false(within_low("/s/x"));
	assert_false(within_low("/"));

	/* A mark says more. */
	put("v2/s/db.service/memory.current", "1\n");
	assert_int_equal(preference("/s/db.service/worker"), CGROUP_PREFERENCE_LOW);
	dir_fd = openat(t.tree.fd, "v2/s/db.service", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Nobody exempts himself. */
	assert_int_equal(fchown(dir_fd, 1000, 1000), 0);
	assert_false(within_low("/s/db.service"));
	assert_int_equal(preference("/s/db.service"), CGROUP_PREFERENCE_NONE);
	assert_int_equal(fchown(dir_fd, 0, 0), 0);
	if (fsetxattr(dir_fd, "user.oomd_avoid", "1", 1, 0) < 0)
		skip();
	assert_int_equal(preference("/s/db.service/worker"), CGROUP_PREFERENCE_AVOID);
}

/* --- on this machine's own cgroups --- */

static void live_v1_limits_and_removal(void **state)
{
	char name[64], text[256];
	_cleanup_(fd_closep) int dir_fd = -EBADF, file_fd = -EBADF;
	struct cgroup_memory c;
	int r;

	snprintf(name, sizeof(name), "/oomfwd-test-memory-%d", getpid());
	snprintf(t.group, sizeof(t.group), "/sys/fs/cgroup/memory%s", name);
	if (mkdir(t.group, 0755) < 0)
		skip();
	assert_int_equal(cgroup_mounts_new(&t.m), 0);
	if (cgroup_handle_open(t.m, name, &t.h) < 0) { /* a directory, but of no hierarchy */
		rmdir(t.group);
		skip();
	}
	dir_fd = open(t.group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(cgroup_handle_memory(t.h, &c), 0);
	assert_true(c.limit_bytes == UINT64_MAX && c.swap_limit_bytes == UINT64_MAX);
	file_fd = openat(dir_fd, "memory.limit_in_bytes", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(file_fd, "67108864", 8), 8);
	assert_int_equal(cgroup_handle_memory(t.h, &c), 0);
	assert_int_equal(c.limit_bytes, 64 * MIB);
	assert_false(cgroup_handle_populated(t.h));

	assert_int_equal(rmdir(t.group), 0);
	assert_int_equal(cgroup_handle_memory(t.h, &c), -ENODEV);
	assert_false(cgroup_handle_populated(t.h));
	r = cgroup_handle_pressure(t.h, text, sizeof(text));
	assert_true(r == -ENODEV || r == -ENOENT);
	assert_int_equal(cgroup_handle_open(t.m, name, &(struct cgroup_handle *){ NULL }), -ENOENT);
}

static void live_v2_pressure_and_removal(void **state)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	char name[64], text[256];
	_cleanup_(fd_closep) int dir_fd = -EBADF, switch_fd = -EBADF;
	struct cgroup_memory c;
	int r = -1;

	snprintf(name, sizeof(name), "/oomfwd-test-memory-%d", getpid());
	for (size_t i = 0; i < ARRAY_SIZE(mounts) && r < 0; i++) {
		snprintf(t.group, sizeof(t.group), "%s/cgroup.controllers", mounts[i]);
		r = access(t.group, F_OK);
		snprintf(t.group, sizeof(t.group), "%s%s", mounts[i], name);
	}
	if (r < 0 || mkdir(t.group, 0755) < 0)
		skip();
	assert_int_equal(cgroup_mounts_new(&t.m), 0);
	assert_int_equal(cgroup_handle_open(t.m, name, &t.h), 0);
	r = cgroup_handle_pressure(t.h, text, sizeof(text));
	assert_true(r == -ENOENT || r == -EOPNOTSUPP || (r == 0 && strstr(text, "some avg10=")));
	assert_false(cgroup_handle_populated(t.h));
	dir_fd = open(t.group, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	switch_fd = openat(dir_fd, "cgroup.pressure", O_WRONLY | O_CLOEXEC);
	if (switch_fd >= 0 && write(switch_fd, "0", 1) == 1) /* no pressure, but there */
		assert_int_equal(cgroup_handle_pressure(t.h, text, sizeof(text)), -ENOENT);
	r = cgroup_handle_memory(t.h, &c);
	assert_true(r == 0 || r == -ENODATA);
	assert_int_equal(rmdir(t.group), 0);
	assert_int_equal(cgroup_handle_memory(t.h, &c), r == 0 ? -ENODEV : -ENODATA);
	assert_int_equal(cgroup_handle_pressure(t.h, text, sizeof(text)), -ENODEV);
	assert_int_equal(cgroup_pressure_text(t.m, name, text, sizeof(text)), -ENODEV);
	assert_false(cgroup_handle_populated(t.h));
}

static void live_the_root_can_be_opened(void **state)
{
	struct cgroup_memory c;
	int r;

	assert_int_equal(cgroup_mounts_new(&t.m), 0);
	if (strcmp(cgroup_mounts_text(t.m), "none") == 0)
		skip();
	assert_int_equal(cgroup_handle_open(t.m, "/", &t.h), 0);
	r = cgroup_handle_memory(t.h, &c);
	assert_true(r == -ENODATA || (r == 0 && c.current_bytes > 0));
	assert_true(cgroup_handle_populated(t.h));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(v2_is_read),
		TEST(v1_is_read),
		TEST(what_is_missing_is_no_error),
		TEST(texts_that_are_no_numbers_are_refused),
		TEST(a_hybrid_reads_each_where_it_is),
		TEST(paths_that_lead_out_are_refused),
		TEST(a_handle_has_twelve_fds_at_most_and_gives_them_back),
		TEST(the_highest_oom_group_within_the_domain_dies),
		TEST(a_cgroup_within_its_low_is_as_good_as_reserved),
		TEST(live_v1_limits_and_removal),
		TEST(live_v2_pressure_and_removal),
		TEST(live_the_root_can_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
