/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a cgroup holds and may hold, by the files of both hierarchies. */
#include "cgroup-tree.h"
#include "count-malloc.h"

#define PAGE_COUNTER_MAX "9223372036854771712\n"

struct world {
	struct tree v2, v1;
	struct cgroup_mounts *mounts; /* unified */
	struct cgroup_mounts *hybrid; /* memory in v1, pressure in v2 */
	struct cgroup_handle *h;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	tree_open(&w->v2);
	tree_open(&w->v1);
	assert_int_equal(cgroup_mounts_from_fds(tree_fd(&w->v2, "/"), -1, -1, &w->mounts), 0);
	assert_int_equal(
		cgroup_mounts_from_fds(tree_fd(&w->v2, "/"), tree_fd(&w->v1, "/"), -1, &w->hybrid),
		0);
	tree_dir(&w->v2, "/c");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	cgroup_handle_close(w->h);
	cgroup_mounts_free(w->mounts);
	cgroup_mounts_free(w->hybrid);
	tree_remove(&w->v2, "");
	tree_remove(&w->v1, "");
	free(w);
	return 0;
}

static void put_v2(const struct world *w)
{
	tree_put(&w->v2, "/c/memory.current", "104857600\n");
	tree_put(&w->v2, "/c/memory.max", "209715200\n");
	tree_put(&w->v2, "/c/memory.high", "157286400\n");
	tree_put(&w->v2, "/c/memory.swap.current", "4096\n");
	tree_put(&w->v2, "/c/memory.swap.max", "8192\n");
	tree_put(&w->v2, "/c/memory.stat",
		"anon 52428800\nfile 41943040\nkernel 1\nshmem 10485760\nfile_mapped 7\n"
		"slab_reclaimable 1048576\nslab_unreclaimable 5\n");
	tree_put(&w->v2, "/c/memory.events", "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\n");
	tree_put(&w->v2, "/c/cgroup.events", "populated 1\nfrozen 0\n");
}

static void put_v1(const struct world *w)
{
	tree_dir(&w->v1, "/c");
	tree_put(&w->v1, "/c/memory.usage_in_bytes", "104857600\n");
	tree_put(&w->v1, "/c/memory.limit_in_bytes", "209715200\n");
	tree_put(&w->v1, "/c/memory.memsw.usage_in_bytes", "115343360\n");
	tree_put(&w->v1, "/c/memory.memsw.limit_in_bytes", "262144000\n");
	tree_put(&w->v1, "/c/memory.stat",
		"cache 1\nrss 2\nshmem 3\nhierarchical_memory_limit 209715200\ntotal_cache "
		"41943040\n"
		"total_rss 52428800\ntotal_shmem 10485760\n");
	tree_put(&w->v1, "/c/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n");
	tree_put(&w->v1, "/c/cgroup.procs", "");
}

static struct cgroup_memory read_it(struct world *w, const struct cgroup_mounts *m)
{
	struct cgroup_memory c;

	cgroup_handle_close(w->h);
	w->h = NULL;
	assert_int_equal(cgroup_handle_open(m, "/c", &w->h), 0);
	assert_int_equal(cgroup_handle_memory(w->h, &c), 0);
	return c;
}

static void the_files_of_v2(void **state)
{
	struct world *w = *state;
	struct cgroup_memory c;

	put_v2(w);
	c = read_it(w, w->mounts);
	assert_int_equal(c.current_bytes, 100 * MIB);
	assert_int_equal(c.limit_bytes, 150 * MIB); /* memory.high comes first */
	assert_int_equal(c.anon_bytes, 50 * MIB);
	assert_int_equal(c.shmem_bytes, 10 * MIB);
	assert_int_equal(c.reclaimable_bytes, 31 * MIB); /* file less shmem, and slab */
	assert_int_equal(c.swap_bytes, 4096);
	assert_int_equal(c.swap_limit_bytes, 8192);
	assert_int_equal(c.oom_kills, 5);
	tree_put(&w->v2, "/c/memory.high", "max\n");
	assert_int_equal(read_it(w, w->mounts).limit_bytes, 200 * MIB);
	tree_put(&w->v2, "/c/memory.max", "max\n");
	tree_put(&w->v2, "/c/memory.swap.max", "max\n");
	c = read_it(w, w->mounts);
	assert_true(c.limit_bytes == UINT64_MAX);
	assert_true(c.swap_limit_bytes == UINT64_MAX);
}

static void the_files_of_v1(void **state)
{
	struct world *w = *state;
	struct cgroup_memory c;

	put_v1(w);
	c = read_it(w, w->hybrid);
	assert_int_equal(c.current_bytes, 100 * MIB);
	assert_int_equal(c.limit_bytes, 200 * MIB);
	assert_int_equal(c.swap_bytes, 10 * MIB); /* memory and swap less memory */
	assert_int_equal(c.swap_limit_bytes, 50 * MIB);
	assert_int_equal(c.anon_bytes, 50 * MIB);
	assert_int_equal(c.reclaimable_bytes, 30 * MIB);
	assert_int_equal(c.oom_kills, 7);
	/* Swap used, as long as it is not counted, is none. */
	tree_put(&w->v1, "/c/memory.memsw.usage_in_bytes", "1\n");
	assert_int_equal(read_it(w, w->hybrid).swap_bytes, 0);
	tree_put(&w->v1, "/c/memory.limit_in_bytes", PAGE_COUNTER_MAX);
	tree_put(&w->v1, "/c/memory.memsw.limit_in_bytes", PAGE_COUNTER_MAX);
	c = read_it(w, w->hybrid);
	assert_true(c.limit_bytes == UINT64_MAX);
	assert_true(c.swap_limit_bytes == UINT64_MAX);
}

static void files_that_are_missing_say_nothing(void **state)
{
	struct world *w = *state;
	struct cgroup_memory c;

	tree_put(&w->v2, "/c/memory.current", "7\n");
	c = read_it(w, w->mounts);
	assert_int_equal(c.current_bytes, 7);
	assert_true(c.limit_bytes == UINT64_MAX);
	assert_true(c.swap_limit_bytes == UINT64_MAX);
	assert_int_equal(c.swap_bytes, 0);
	assert_int_equal(c.reclaimable_bytes, 0);
	assert_false(cgroup_handle_populated(w->h));
}

static void figures_that_cannot_be_are_no_figures(void **state)
{
	static const char *const bad[] = { "", "\n", "x\n", "-1\n", "1x\n", "maxi\n",
		"99999999999999999999999\n", " 1\n" };
	struct world *w = *state;
	struct cgroup_memory c;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		tree_put(&w->v2, "/c/memory.current", bad[i]);
		assert_int_equal(cgroup_handle_open(w->mounts, "/c", &w->h), 0);
		assert_int_equal(cgroup_handle_memory(w->h, &c), -EINVAL);
		cgroup_handle_close(w->h);
		w->h = NULL;
	}
	/* More cache than memory, shmem than cache: never less than none. */
	put_v2(w);
	tree_put(&w->v2, "/c/memory.stat", "file 1\nshmem 4096\nslab_reclaimable 999999999999\n");
	assert_int_equal(read_it(w, w->mounts).reclaimable_bytes, 100 * MIB);
	tree_put(&w->v2, "/c/memory.stat", "files 5\nfile\nxfile 5\n");
	assert_int_equal(read_it(w, w->mounts).reclaimable_bytes, 0);
}

static void a_cgroup_without_the_controller_has_no_figures(void **state)
{
	struct world *w = *state;
	struct cgroup_memory c;

	assert_int_equal(cgroup_handle_open(w->mounts, "/c", &w->h), 0);
	assert_int_equal(cgroup_handle_memory(w->h, &c), -ENODATA);
}

static void what_is_no_cgroup_is_not_opened(void **state)
{
	struct world *w = *state;

	assert_int_equal(cgroup_handle_open(w->mounts, "/gone", &w->h), -ENOENT);
	assert_int_equal(cgroup_handle_open(w->mounts, "/c/../c", &w->h), -EINVAL);
	assert_int_equal(cgroup_handle_open(w->mounts, "c", &w->h), -EINVAL);
	assert_null(w->h);
	cgroup_handle_close(NULL);
}

static void a_reading_allocates_nothing_and_few_files_are_open(void **state)
{
	struct world *w = *state;
	struct cgroup_memory c;
	int before = open_fds();
	unsigned mallocs;

	put_v2(w);
	put_v1(w);
	tree_put(&w->v2, "/c/memory.pressure", "some total=1\nfull total=2\n");
	read_it(w, w->hybrid);
	assert_in_range(open_fds() - before, 1, 12);
	mallocs = malloc_count;
	for (int i = 0; i < 10; i++)
		assert_int_equal(cgroup_handle_memory(w->h, &c), 0);
	assert_int_equal(malloc_count, mallocs);
	cgroup_handle_close(w->h);
	w->h = NULL;
	assert_int_equal(open_fds(), before);
}

static void pressure_is_read_from_the_cgroup2_tree(void **state)
{
	struct world *w = *state;
	char text[128], name[256];

	put_v1(w);
	read_it(w, w->hybrid);
	assert_int_equal(cgroup_handle_pressure(w->h, text, sizeof(text)), -ENOENT);
	assert_int_equal(cgroup_pressure_text(w->hybrid, "/c", text, sizeof(text)), -ENOENT);
	tree_put(&w->v2, "/c/memory.pressure", "some total=1\n");
	read_it(w, w->hybrid);
	assert_int_equal(cgroup_handle_pressure(w->h, text, sizeof(text)), 0);
	assert_string_equal(text, "some total=1\n");
	assert_int_equal(cgroup_pressure_text(w->hybrid, "/c", text, sizeof(text)), 0);
	assert_string_equal(text, "some total=1\n");
	assert_int_equal(cgroup_pressure_text(w->hybrid, "/x", text, sizeof(text)), -ENOENT);
	assert_int_equal(
		cgroup_file_path(w->hybrid, "/c", "memory.pressure", name, sizeof(name)), 0);
	assert_string_equal(name + strlen(w->v2.root), "/c/memory.pressure");
	assert_int_equal(cgroup_file_path(w->hybrid, "/x", "f", name, sizeof(name)), -ENOENT);
	assert_int_equal(cgroup_file_path(w->hybrid, "/c", "f", name, 5), -ENAMETOOLONG);
}

static void who_has_a_process_is_populated(void **state)
{
	struct world *w = *state;

	put_v2(w);
	read_it(w, w->mounts);
	assert_true(cgroup_handle_populated(w->h));
	tree_put(&w->v2, "/c/cgroup.events", "populated 0\nfrozen 1\n");
	assert_false(cgroup_handle_populated(w->h));
	put_v1(w);
	read_it(w, w->hybrid);
	assert_false(cgroup_handle_populated(w->h));
	tree_dir(&w->v1, "/c/below");
	tree_put(&w->v1, "/c/below/cgroup.procs", "12\n");
	assert_true(cgroup_handle_populated(w->h));
}

/* --- memory.oom.group --- */

static void set_group(const struct world *w, const char *path, const char *value)
{
	char file[128];

	tree_dir(&w->v2, path);
	snprintf(file, sizeof(file), "%s/memory.oom.group", path);
	tree_put(&w->v2, file, value);
}

static void expect_group(
	const struct world *w, const char *path, const char *domain, const char *expected)
{
	char found[64] = "";

	assert_int_equal(
		cgroup_oom_group(w->mounts, path, domain, found, sizeof(found)), expected != NULL);
	assert_string_equal(found, expected ? expected : "");
}

static void the_highest_group_up_to_the_domain_dies(void **state)
{
	struct world *w = *state;

	set_group(w, "/pod", "1\n");
	set_group(w, "/pod/c", "0\n");
	set_group(w, "/pod/c/d", "1\n");
	tree_put(&w->v2, "/memory.oom.group", "1\n"); /* the root never is one */
	expect_group(w, "/pod/c/d", "/", "/pod");
	expect_group(w, "/pod/c/d", "/pod", "/pod");
	expect_group(w, "/pod/c/d", "/pod/c", "/pod/c/d");
	expect_group(w, "/pod/c/d", "/pod/c/d", "/pod/c/d");
	expect_group(w, "/pod/c", "/pod/c", NULL);
	expect_group(w, "/pod/c", "/", "/pod");
	expect_group(w, "/", "/", NULL);
	expect_group(w, "/other", "/", NULL);
}

static void a_group_is_looked_for_inside_the_domain_only(void **state)
{
	struct world *w = *state;
	char small[8];

	set_group(w, "/pod", "1\n");
	set_group(w, "/podx/c", "1\n");
	expect_group(w, "/pod", "/podx", NULL);
	expect_group(w, "/podx/c", "/pod", NULL); /* a name that begins the same */
	expect_group(w, "/pod/../podx/c", "/", NULL);
	expect_group(w, "pod", "/", NULL);
	set_group(w, "/a-long-name", "1\n");
	assert_false(cgroup_oom_group(w->mounts, "/a-long-name", "/", small, sizeof(small)));
}

/* --- memory.low --- */

static void who_is_within_memory_low_says_so(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *low, *min, *current;
		bool within;
	} cases[] = {
		{ "200\n", "0\n", "100\n", true },
		{ "0\n", "200\n", "200\n", true },
		{ "max\n", "0\n", "100\n", true },
		{ "99\n", "50\n", "100\n", false },
		{ "0\n", "0\n", "100\n", false },
		{ "200\n", "0\n", "0\n", false }, /* holds nothing: nothing to spare */
		{ "x\n", "0\n", "100\n", false },
	};
	int fd = tree_fd(&w->v2, "/");

	tree_dir(&w->v2, "/s/db.service/worker");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		tree_put(&w->v2, "/s/db.service/memory.low", cases[i].low);
		tree_put(&w->v2, "/s/db.service/memory.min", cases[i].min);
		tree_put(&w->v2, "/s/db.service/memory.current", cases[i].current);
		assert_int_equal(cgroup_preference_at(fd, "/s/db.service"),
			cases[i].within ? CGROUP_PREFERENCE_LOW : CGROUP_PREFERENCE_NONE);
		/* What the unit has counts for what is inside. */
		assert_int_equal(cgroup_preference_at(fd, "/s/db.service/worker"),
			cases[i].within ? CGROUP_PREFERENCE_LOW : CGROUP_PREFERENCE_NONE);
		assert_int_equal(cgroup_preference_at(fd, "/s"), CGROUP_PREFERENCE_NONE);
	}
	close(fd);
}

#define memory_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		memory_test(the_files_of_v2),
		memory_test(the_files_of_v1),
		memory_test(files_that_are_missing_say_nothing),
		memory_test(figures_that_cannot_be_are_no_figures),
		memory_test(a_cgroup_without_the_controller_has_no_figures),
		memory_test(what_is_no_cgroup_is_not_opened),
		memory_test(a_reading_allocates_nothing_and_few_files_are_open),
		memory_test(pressure_is_read_from_the_cgroup2_tree),
		memory_test(who_has_a_process_is_populated),
		memory_test(the_highest_group_up_to_the_domain_dies),
		memory_test(a_group_is_looked_for_inside_the_domain_only),
		memory_test(who_is_within_memory_low_says_so),
	};

	return cmocka_run_group_tests_name("cgroup-memory", tests, NULL, NULL);
}
