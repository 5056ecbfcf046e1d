/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is made of smaps, and readers that get stuck: a FIFO in place of a file blocks whoever opens
 * it, as a held mmap lock does.
 */
#include "probe.h"

#include "count-malloc.h"
#include "proc-tree.h"
#include "util.h"

#include <time.h>

#define SOON  (200 * USEC_PER_MSEC) /* a thread has begun by then even on a busy machine */
#define AMPLE (10 * USEC_PER_SEC)

/* --- smaps --- */

#define VMA(perms, dev, path) "7f0000000000-7f0000400000 " perms " 00000000 " dev " 77 " path "\n"
#define FIGURES(rss, pss, shared, private, anonymous)                                              \
	"Size:               4096 kB\nRss:                " #rss " kB\nPss:                " #pss  \
	" kB\nPss_Dirty:          900 kB\nShared_Clean:       0 kB\nShared_Dirty:       " #shared  \
	" kB\nPrivate_Clean:      0 kB\nPrivate_Dirty:      " #private " kB\nReferenced:         " \
								       "5 kB\nAnonymous:         " \
								       " " #anonymous              \
								       " kB\nAnonHugePages:      " \
								       "7 kB\nSwap:              " \
								       " 9 kB\nSwapPss:          " \
								       "  9 kB\n"                  \
								       "VmFlags: rd wr sh mr mw "  \
								       "me ms\n"

static void expect(const char *smaps, uint64_t private_kib, uint64_t pss_kib, uint64_t kept_kib)
{
	struct probe_shmem m;

	memset(&m, 0x5a, sizeof(m));
	probe_parse_shmem(smaps, &m);
	assert_int_equal(m.private_bytes, private_kib * KIB);
	assert_int_equal(m.pss_bytes, pss_kib * KIB);
	assert_int_equal(m.kept_bytes, kept_kib * KIB);
}

static void memory_without_a_name_comes_back(void **state)
{
	expect(VMA("rw-s", "00:01", "/dev/zero (deleted)") FIGURES(100, 100, 0, 100, 0), 100, 0, 0);
	expect(VMA("rw-s", "00:01", "/memfd:buffers (deleted)") FIGURES(100, 100, 0, 100, 0), 100,
		0, 0);
	expect(VMA("rw-s", "00:1a", "/dev/shm/x (deleted)") FIGURES(100, 100, 0, 100, 0), 100, 0,
		0);
	expect(VMA("rw-s", "00:01", "/drm mm object (deleted)") FIGURES(100, 100, 0, 100, 0), 100,
		0, 0);
	/* a name made to look like another line, as the kernel escapes it */
	expect(VMA("rw-s", "00:01", "/memfd:a\\012Rss: 999 (deleted)") FIGURES(100, 100, 0, 100, 0),
		100, 0, 0);
}

static void what_others_map_too_counts_by_its_share(void **state)
{
	expect(VMA("rw-s", "00:01", "/dev/zero (deleted)") FIGURES(100, 60, 80, 20, 0), 20, 40, 0);
}

static void what_a_file_keeps_does_not_come_back(void **state)
{
	expect(VMA("rw-s", "00:1a", "/dev/shm/x") FIGURES(100, 100, 0, 100, 0), 0, 0, 100);
	expect(VMA("rw-s", "00:01", "/SYSV00000000 (deleted)") FIGURES(100, 100, 0, 100, 0), 0, 0,
		100);
}

static void other_memory_is_no_shmem(void **state)
{
	expect("", 0, 0, 0);
	expect("nonsense\n\n-\n", 0, 0, 0);
	expect(FIGURES(100, 100, 0, 100, 0), 0, 0, 0);
	expect(VMA("rw-p", "00:00", "") FIGURES(100, 100, 0, 100, 100), 0, 0, 0);
	expect(VMA("rw-p", "00:00", "[heap]") FIGURES(100, 100, 0, 100, 100), 0, 0, 0);
	expect(VMA("r-xp", "fe:00", "/usr/lib/libc.so.6") FIGURES(100, 100, 0, 100, 0), 0, 0, 0);
	expect(VMA("r-xp", "fe:00", "/usr/lib/libc.so.6 (deleted)") FIGURES(100, 100, 0, 100, 0), 0,
		0, 0);
	expect(VMA("r-xp", "00:2f", "/usr/lib/overlay.so") FIGURES(100, 100, 0, 100, 0), 0, 0, 0);
	expect(VMA("rw-s", "00:0e", "anon_inode:[perf_event]") FIGURES(100, 100, 0, 100, 0), 0, 0,
		0);
}

static void private_copies_of_a_memfd_are_anonymous_memory(void **state)
{
	expect(VMA("rw-p", "00:01", "/memfd:x (deleted)") FIGURES(100, 100, 0, 100, 70), 30, 0, 0);
}

static void mappings_add_up_and_do_not_mix(void **state)
{
	expect(VMA("rw-p", "00:00", "") FIGURES(5, 5, 0, 5, 5)
			VMA("rw-s", "00:01", "/dev/zero (deleted)") FIGURES(100, 60, 80, 20, 0)
				VMA("rw-p", "00:00", "[stack]") FIGURES(5, 5, 0, 5, 5)
					VMA("rw-s", "00:1a", "/dev/shm/x") FIGURES(8, 8, 0, 8, 0)
						VMA("rw-s", "00:01", "/memfd:x (deleted)")
							FIGURES(1, 1, 0, 1, 0),
		21, 40, 8);
}

static void a_very_long_path_keeps_its_end(void **state)
{
	static char text[20000];
	size_t n = (size_t)sprintf(text, "7f0000000000-7f0000400000 rw-s 00000000 00:01 77 /");

	memset(text + n, 'a', 16000);
	strcpy(text + n + 16000, " (deleted)\nRss: 4 kB\nPss: 4 kB\nPrivate_Dirty: 4 kB\n");
	expect(text, 4, 0, 0);
}

/* --- readers --- */

struct world {
	struct proc_tree tree;
	struct probe *probe;
};

static int setup(void **state)
{
	static struct world w;

	tree_open(&w.tree);
	assert_int_equal(probe_open(w.tree.fd, NULL, "", &w.probe), 0);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	probe_close(w->probe);
	tree_close(&w->tree);
	return 0;
}

static uint64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

static void write_cmdline(struct world *w, const char *path, const char *text, size_t size)
{
	tree_write(&w->tree, path, "");
	_cleanup_(fd_closep) int fd = openat(w->tree.fd, path, O_WRONLY);
	assert_int_equal(write(fd, text, size), size);
}

static void a_command_line_is_one_string(void **state)
{
	struct world *w = *state;
	char text[64] = "before";

	write_cmdline(w, "7/cmdline", "postgres\0-D\0/var/lib\0", 21);
	assert_int_equal(probe_cmdline(w->probe, 7, AMPLE, text, sizeof(text)), 0);
	assert_string_equal(text, "postgres -D /var/lib");
	assert_int_equal(probe_cmdline(w->probe, 7, AMPLE, text, 21), 0);
	assert_string_equal(text, "postgres -D /var/lib");
	/* What is missing is said. */
	assert_int_equal(probe_cmdline(w->probe, 7, AMPLE, text, 20), 1);
	assert_string_equal(text, "postgres -D /var/li");
	assert_int_equal(probe_cmdline(w->probe, 7, AMPLE, text, 1), 1);
	assert_string_equal(text, "");

	/* kernel threads and zombies have none */
	write_cmdline(w, "8/cmdline", "", 0);
	strcpy(text, "before");
	assert_int_equal(probe_cmdline(w->probe, 8, AMPLE, text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

static void a_long_command_line_is_cut(void **state)
{
	struct world *w = *state;
	static char text[100000];

	memset(text, 'x', sizeof(text));
	write_cmdline(w, "7/cmdline", text, sizeof(text));
	memset(text, '?', sizeof(text));
	assert_int_equal(probe_cmdline(w->probe, 7, AMPLE, text, sizeof(text)), 1);
	assert_in_range(strlen(text), 1000, sizeof(text) - 1);
	assert_int_equal(text[strlen(text) + 1], '?');
}

static void who_is_gone_is_gone(void **state)
{
	struct world *w = *state;
	struct probe_shmem m = { 1, 2, 3 };
	char text[8] = "before";

	assert_int_equal(probe_cmdline(w->probe, 9, AMPLE, text, sizeof(text)), -ESRCH);
	assert_int_equal(probe_cgroup(w->probe, 9, AMPLE, text, sizeof(text), NULL), -ESRCH);
	assert_int_equal(probe_shmem(w->probe, 9, AMPLE, &m), -ESRCH);
	assert_int_equal(probe_same_mm(w->probe, 9, 9, AMPLE), -ESRCH);
	assert_int_equal(probe_cmdline(w->probe, 0, AMPLE, text, sizeof(text)), -EINVAL);
	assert_int_equal(probe_same_mm(w->probe, 9, 0, AMPLE), -EINVAL);
	assert_int_equal(probe_cmdline(w->probe, 9, AMPLE, text, 0), -EINVAL);
	/* no mm, no VMA */
	tree_write(&w->tree, "10/smaps", "");
	assert_int_equal(probe_shmem(w->probe, 10, AMPLE, &m), -ESRCH);
	assert_string_equal(text, "before");
	assert_int_equal(m.private_bytes + m.pss_bytes + m.kept_bytes, 6);
}

static void a_cgroup_is_read_with_a_deadline_too(void **state)
{
	struct world *w = *state;
	char text[16];

	tree_write(&w->tree, "7/cgroup", "4:memory:/m\n0::/a/b\n");
	assert_int_equal(probe_cgroup(w->probe, 7, AMPLE, text, sizeof(text), NULL), 0);
	assert_string_equal(text, "/a/b");
}

static void smaps_larger_than_any_buffer_are_added_up(void **state)
{
	struct world *w = *state;
	struct probe_shmem m;
	static char text[3 * 1024 * 1024];
	size_t n = 0;

	for (int i = 0; i < 4000; i++)
		n += (size_t)sprintf(text + n, "%s%s", VMA("rw-s", "00:01", "/dev/zero (deleted)"),
			FIGURES(100, 60, 80, 20, 0));
	assert_true(n > 1500000);
	tree_write(&w->tree, "7/smaps", text);
	assert_int_equal(probe_shmem(w->probe, 7, AMPLE, &m), 0);
	assert_int_equal(m.private_bytes, 4000 * 20 * KIB);
	assert_int_equal(m.pss_bytes, 4000 * 40 * KIB);
}

static void lines_over_the_border_of_the_buffer_are_whole(void **state)
{
	struct world *w = *state;
	static char text[400000];
	struct probe_shmem m;

	for (int shift = 0; shift < 420; shift += 7) {
		size_t n = (size_t)sprintf(text, "VmFlags: %*s\n", shift, "x");
		int count = 0;
		for (; n < 300000; count++)
			n += (size_t)sprintf(text + n, "%s%s",
				VMA("rw-s", "00:01", "/dev/zero (deleted)"),
				FIGURES(100, 60, 80, 20, 0));
		tree_write(&w->tree, "7/smaps", text);
		assert_int_equal(probe_shmem(w->probe, 7, AMPLE, &m), 0);
		assert_int_equal(m.private_bytes, count * 20 * KIB);
		assert_int_equal(m.pss_bytes, count * 40 * KIB);
	}
}

/* --- one mm or two --- */

#define PRESENT   (UINT64_C(1) << 63)
#define SWAPPED   (UINT64_C(1) << 62)
#define FILE_PAGE (UINT64_C(1) << 61)
#define EXCLUSIVE (UINT64_C(1) << 56)

/* Two pages of private writable memory at pages 2 and 3, and what others are not to be looked at.
 */
#define MAPS                                                                                       \
	"00001000-00002000 r-xp 00000000 fe:00 77 /bin/a\n00002000-00004000 rw-p 00000000 00:00 "  \
	"0\n"                                                                                      \
	"00004000-00005000 rw-s 00000000 00:01 9 /dev/zero (deleted)\n"

static void write_pages(struct world *w, int pid, uint64_t first, uint64_t second)
{
	const uint64_t other = PRESENT | EXCLUSIVE | 1; /* equal, but not memory of ones own */
	uint64_t entries[5] = { other, other, first, second, other };
	char path[32];

	snprintf(path, sizeof(path), "%d/pagemap", pid);
	write_cmdline(w, path, (const char *)entries, sizeof(entries));
	snprintf(path, sizeof(path), "%d/maps", pid);
	tree_write(&w->tree, path, MAPS);
}

static int same_pages(struct world *w, uint64_t a1, uint64_t a2, uint64_t b1, uint64_t b2)
{
	write_pages(w, 1, a1, a2);
	write_pages(w, 2, b1, b2);
	return probe_same_mm(w->probe, 1, 2, AMPLE);
}

static void one_exclusive_page_in_both_is_one_mm(void **state)
{
	struct world *w = *state;
	const uint64_t x = PRESENT | EXCLUSIVE | 100, y = PRESENT | EXCLUSIVE | 200;

	if (getpagesize() != 4096)
		skip();
	assert_int_equal(same_pages(w, x, 0, x, 0), 1);
	assert_int_equal(same_pages(w, 0, y, 0, y), 1);
	/* also beside one that was in motion */
	assert_int_equal(same_pages(w, x, y, y, y), 1);

	assert_int_equal(same_pages(w, x, 0, y, 0), 0);
	assert_int_equal(same_pages(w, x, 0, 0, 0), 0);
	assert_int_equal(same_pages(w, 0, 0, 0, 0), 0);
	/* pages that a fork has left to be shared, or of a file, or in swap, tell nothing */
	assert_int_equal(same_pages(w, PRESENT | 100, 0, PRESENT | 100, 0), 0);
	assert_int_equal(same_pages(w, x | FILE_PAGE, 0, x | FILE_PAGE, 0), 0);
	assert_int_equal(
		same_pages(w, SWAPPED | EXCLUSIVE | 64, 0, SWAPPED | EXCLUSIVE | 64, 0), 0);
}

static void an_mm_that_goes_meanwhile_is_no_answer(void **state)
{
	struct world *w = *state;

	if (getpagesize() != 4096)
		skip();
	write_pages(w, 1, PRESENT | EXCLUSIVE | 100, 0);
	write_pages(w, 2, PRESENT | EXCLUSIVE | 100, 0);
	tree_write(&w->tree, "2/pagemap", ""); /* reads nothing once the mm has no users */
	assert_int_equal(probe_same_mm(w->probe, 1, 2, AMPLE), -ESRCH);
}

#define STATUS "Name:\tx\nVmPeak:\t 9 kB\nRssAnon:\t 5 kB\nVmSwap:\t 0 kB\nThreads:\t1\n"
#define SEALED "7f0000000000-7f0000004000 r--p 00000000 fe:00 77 /lib/libc.so.6\n"
#define STACK  "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]\n"
#define FIXED  "7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack]\n"
#define USAGE(shared, private, anonymous, swap)                                                    \
	"Rss: 16 kB\nShared_Dirty: " #shared                                                       \
	" kB\nPrivate_Dirty: " #private " kB\nAnonymous: " #anonymous " kB\nSwap: " #swap " kB\n"

/* Page numbers are hidden, so the figures decide. */
static int same_figures(struct world *w, const char *a, const char *b)
{
	write_pages(w, 1, PRESENT | EXCLUSIVE, 0);
	write_pages(w, 2, PRESENT | EXCLUSIVE, 0);
	tree_write(&w->tree, "1/status", STATUS);
	tree_write(&w->tree, "2/status", STATUS);
	tree_write(&w->tree, "1/smaps", a);
	tree_write(&w->tree, "2/smaps", b);
	return probe_same_mm(w->probe, 1, 2, AMPLE);
}

static int same_figures_in_both(struct world *w, const char *smaps)
{
	return same_figures(w, smaps, smaps);
}

static void equal_figures_alone_are_not_one_mm(void **state)
{
	struct world *w = *state;
	const char *enough = SEALED USAGE(0, 16, 16, 0) STACK USAGE(0, 8, 8, 0);

	if (getpagesize() != 4096)
		skip();
	assert_int_equal(same_figures_in_both(w, enough), 1);
	/* a fork of it lives: it shares the sealed memory of one library, if not of another */
	assert_int_equal(
		same_figures_in_both(w, SEALED USAGE(16, 0, 16, 0) STACK USAGE(0, 8, 8, 0)), 0);
	assert_int_equal(same_figures_in_both(w,
				 SEALED USAGE(16, 0, 16, 0) SEALED USAGE(0, 16, 16, 0)
					 STACK USAGE(0, 8, 8, 0)),
		0);
	/* it may: in swap that is not to be seen */
	assert_int_equal(
		same_figures_in_both(w, SEALED USAGE(0, 16, 16, 4) STACK USAGE(0, 8, 8, 0)), 0);
	/* nothing that a fork would share for ever */
	assert_int_equal(
		same_figures_in_both(w, SEALED USAGE(0, 16, 0, 0) STACK USAGE(0, 8, 8, 0)), 0);
	assert_int_equal(same_figures_in_both(w, STACK USAGE(0, 8, 8, 0)), 0);
	/* strangers look alike without randomisation */
	assert_int_equal(
		same_figures_in_both(w, SEALED USAGE(0, 16, 16, 0) FIXED USAGE(0, 8, 8, 0)), 0);
	assert_int_equal(same_figures_in_both(w, SEALED USAGE(0, 16, 16, 0)), 0);
	assert_int_equal(same_figures_in_both(w, ""), 0);
}

static void any_difference_is_two_mms(void **state)
{
	struct world *w = *state;
	const char *a = SEALED USAGE(0, 16, 16, 0) STACK USAGE(0, 8, 8, 0);

	if (getpagesize() != 4096)
		skip();
	assert_int_equal(same_figures(w, a, SEALED USAGE(0, 16, 16, 0) STACK USAGE(0, 9, 9, 0)), 0);
	assert_int_equal(
		same_figures(w, a, SEALED USAGE(0, 16, 16, 0) STACK USAGE(0, 8, 8, 0) "x\n"), 0);
	assert_int_equal(same_figures(w, a, SEALED USAGE(0, 16, 16, 0)), 0);
	assert_int_equal(same_figures(w, a, ""), 0);
	assert_int_equal(same_figures(w, a, a), 1);
	tree_write(&w->tree, "2/status",
		"Name:\tx\nVmPeak:\t 8 kB\nRssAnon:\t 5 kB\nVmSwap:\t 0 kB\n");
	assert_int_equal(probe_same_mm(w->probe, 1, 2, AMPLE), 0);
	tree_write(&w->tree, "2/status", "Name:\tzombie\nThreads:\t1\n");
	assert_int_equal(probe_same_mm(w->probe, 1, 2, AMPLE), -ESRCH);
}

/* --- readers that get stuck --- */

static void write_fifo(struct world *w, const char *path)
{
	tree_write(&w->tree, path, "");
	assert_int_equal(unlinkat(w->tree.fd, path, 0), 0);
	assert_int_equal(mkfifoat(w->tree.fd, path, 0600), 0);
}

/* Lets those who have it open for reading go on, with this text. */
static void feed_fifo(struct world *w, const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = openat(w->tree.fd, path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void the_deadline_holds_and_a_late_answer_goes_nowhere(void **state)
{
	struct world *w = *state;
	char text[32] = "before";

	write_fifo(w, "7/cmdline");
	uint64_t start = now_usec();
	assert_int_equal(probe_cmdline(w->probe, 7, SOON, text, sizeof(text)), -ETIMEDOUT);
	assert_in_range(now_usec() - start, SOON, SOON + 2 * USEC_PER_SEC);

	feed_fifo(w, "7/cmdline", "late");
	usleep(50 * 1000);
	assert_string_equal(text, "before");
}

static void a_stuck_reader_leaves_the_others_working_and_comes_back(void **state)
{
	struct world *w = *state;
	char text[32] = "before";

	write_fifo(w, "1/cmdline");
	write_cmdline(w, "2/cmdline", "ok", 2);
	for (int stuck = 1; stuck <= 3; stuck++) {
		assert_int_equal(probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text)), 0);
		assert_string_equal(text, "ok");
		assert_int_equal(probe_cmdline(w->probe, 1, SOON, text, sizeof(text)), -ETIMEDOUT);
		assert_string_equal(text, "ok");
	}
	/* none left but the one for cgroups: at once */
	uint64_t start = now_usec();
	assert_int_equal(probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text)), -EBUSY);
	assert_in_range(now_usec() - start, 0, USEC_PER_SEC);
	write_cmdline(w, "2/cgroup", "0::/in\n", 7);
	assert_int_equal(probe_cgroup(w->probe, 2, AMPLE, text, sizeof(text), NULL), 0);
	assert_string_equal(text, "/in");
	snprintf(text, sizeof(text), "ok");

	feed_fifo(w, "1/cmdline", "late");
	int r = -EBUSY;
	for (int i = 0; i < 1000 && r == -EBUSY; i++, usleep(1000))
		r = probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text));
	assert_int_equal(r, 0);
	assert_string_equal(text, "ok");
}

/* Who is protected must be told whatever is slow to walk; a walk can be done without. */
static void walks_leave_one_reader_to_the_others(void **state)
{
	struct world *w = *state;
	struct probe_shmem shmem;
	char text[32];

	write_fifo(w, "1/smaps");
	write_cmdline(w, "2/cmdline", "ok", 2);
	for (int stuck = 1; stuck <= 2; stuck++)
		assert_int_equal(probe_shmem(w->probe, 1, SOON, &shmem), -ETIMEDOUT);
	assert_int_equal(probe_shmem(w->probe, 1, AMPLE, &shmem), -EBUSY);
	assert_int_equal(probe_same_mm(w->probe, 1, 2, AMPLE), -EBUSY);
	assert_int_equal(probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text)), 0);
	assert_string_equal(text, "ok");
	feed_fifo(w, "1/smaps", "");
}

/* On a machine so short of CPUs that the deadline is over before a reader has begun. */
static void a_reader_that_had_no_time_to_begin_is_not_lost(void **state)
{
	struct world *w = *state;
	char text[32] = "before";
	int r = -EBUSY;

	write_cmdline(w, "2/cmdline", "ok", 2);
	for (int i = 0; i < 5000; i++)
		(void)probe_cmdline(w->probe, 2, 1, text, sizeof(text));
	for (int i = 0; i < 1000 && r == -EBUSY; i++, usleep(1000))
		r = probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text));
	assert_int_equal(r, 0);
	assert_string_equal(text, "ok");
}

static void without_time_nobody_is_sent(void **state)
{
	struct world *w = *state;
	char text[32] = "before";

	/* Each of them would be stuck there. */
	write_fifo(w, "1/cmdline");
	write_cmdline(w, "2/cmdline", "ok", 2);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(probe_cmdline(w->probe, 1, 0, text, sizeof(text)), -ETIMEDOUT);
	assert_string_equal(text, "before");
	assert_int_equal(probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text)), 0);
	assert_string_equal(text, "ok");
}

static void closing_does_not_wait_for_a_stuck_reader(void **state)
{
	struct world *w = *state;
	char text[32] = "before";

	write_fifo(w, "7/cmdline");
	assert_int_equal(probe_cmdline(w->probe, 7, SOON, text, sizeof(text)), -ETIMEDOUT);
	uint64_t start = now_usec();
	probe_close(w->probe);
	w->probe = NULL;
	assert_in_range(now_usec() - start, 0, USEC_PER_SEC);
	feed_fifo(w, "7/cmdline", "late"); /* the reader frees what it was left with */
	usleep(50 * 1000);
	assert_string_equal(text, "before");
}

/* --- killing a cgroup --- */

/* A cgroup2 tree beside /proc's files, with a cgroup of one process. */
static int setup_with_cgroups(void **state)
{
	static struct world w;
	struct cgroup_mounts *mounts;

	tree_open(&w.tree);
	tree_write(&w.tree, "v2/pod/cgroup.procs", "7777777\n");
	tree_write(&w.tree, "v2/pod/cgroup.kill", "0");
	assert_int_equal(cgroup_mounts_from_fds(
				 openat(w.tree.fd, "v2", O_PATH | O_CLOEXEC), -1, -1, &mounts),
		0);
	assert_int_equal(probe_open(w.tree.fd, mounts, "", &w.probe), 0);
	/* The owner's may be closed: those of the threads are their own. */
	cgroup_mounts_free(mounts);
	*state = &w;
	return 0;
}

/* Of a file, or what somebody who waits to write it writes. */
static const char *text_of(struct world *w, const char *path)
{
	static char text[16];
	_cleanup_(fd_closep) int fd = openat(w->tree.fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* What main must not open itself. */
static void files_of_cgroups_are_read_by_a_reader(void **state)
{
	struct world *w = *state;
	static pid_t pids[PROBE_PIDS_MAX];
	char group[32] = "before";
	uint64_t bytes = 0;
	unsigned before;

	tree_write(&w->tree, "v2/pod/memory.current", "12345\n");
	tree_write(&w->tree, "v2/pod/memory.oom.group", "1\n");
	tree_write(&w->tree, "v2/pod/cgroup.procs", "41\n42\n");
	before = malloc_count;
	assert_int_equal(probe_cgroup_pids(w->probe, "/pod", AMPLE, pids, NULL), 2);
	assert_int_equal(pids[0], 41);
	assert_int_equal(pids[1], 42);
	assert_int_equal(probe_cgroup_memory(w->probe, "/pod", AMPLE, &bytes), 0);
	assert_int_equal(bytes, 12345);
	assert_int_equal(probe_oom_group(w->probe, "/pod", "/", AMPLE, group, sizeof(group)), 1);
	assert_string_equal(group, "/pod");
	assert_int_equal(malloc_count, before);
	/* What is not there, and what is too long to be asked for. */
	assert_int_equal(probe_cgroup_pids(w->probe, "/none", AMPLE, pids, NULL), -ENOENT);
	assert_int_equal(probe_cgroup_memory(w->probe, "/none", AMPLE, &bytes), -ENOENT);
	assert_int_equal(bytes, 12345);
	tree_write(&w->tree, "v2/pod/memory.oom.group", "0\n");
	assert_int_equal(probe_oom_group(w->probe, "/pod", "/", AMPLE, group, sizeof(group)), 0);
	assert_int_equal(probe_cgroup_pids(w->probe, "", AMPLE, pids, NULL), -EINVAL);
}

/* More than can be listed: the first are there, and that there are more is said. */
static void a_crowded_cgroup_is_listed_in_part(void **state)
{
	struct world *w = *state;
	static pid_t pids[PROBE_PIDS_MAX];
	static char text[8 * (PROBE_PIDS_MAX + 1)];
	size_t length = 0;

	for (int i = 0; i <= PROBE_PIDS_MAX; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%d\n", 100 + i);
	tree_write(&w->tree, "v2/pod/cgroup.procs", text);
	assert_int_equal(probe_cgroup_pids(w->probe, "/pod", AMPLE, pids, NULL), -E2BIG);
	assert_int_equal(pids[0], 100);
	assert_int_equal(pids[PROBE_PIDS_MAX - 1], 99 + PROBE_PIDS_MAX);
}

/* It hangs, as an open does behind kernfs_rwsem; the caller goes on. */
static void a_cgroup_that_cannot_be_read_in_time_is_given_up(void **state)
{
	struct world *w = *state;
	static pid_t pids[PROBE_PIDS_MAX];
	uint64_t start = now_usec();

	write_fifo(w, "v2/pod/cgroup.procs");
	pids[0] = 7;
	assert_int_equal(probe_cgroup_pids(w->probe, "/pod", SOON, pids, NULL), -ETIMEDOUT);
	assert_in_range(now_usec() - start, SOON, SOON + 2 * USEC_PER_SEC);
	feed_fifo(w, "v2/pod/cgroup.procs", "9\n");
	usleep(50 * 1000);
	assert_int_equal(pids[0], 7);
}

/* A thread that had not the time to begin has given up nothing: then another try. */
static void get_killer_stuck(struct world *w)
{
	int r = -ETIMEDOUT;

	for (int i = 0; i < 100 && r == -ETIMEDOUT; i++)
		r = probe_kill_cgroup(w->probe, "/pod", 0, SOON);
	assert_int_equal(r, -EBUSY);
}

static void a_cgroup_is_killed_without_an_allocation(void **state)
{
	struct world *w = *state;
	unsigned before = malloc_count;
	char deep[600];

	assert_int_equal(probe_kill_cgroup(w->probe, "/pod", 0, AMPLE), 1);
	assert_int_equal(malloc_count, before);
	assert_string_equal(text_of(w, "v2/pod/cgroup.kill"), "1");
	assert_int_equal(probe_kill_cgroup(w->probe, "/none", 0, AMPLE), -ENOENT);
	assert_int_equal(probe_kill_cgroup(w->probe, "/", 0, AMPLE), -EINVAL);
	memset(deep, 'x', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	assert_int_equal(probe_kill_cgroup(w->probe, deep, 0, AMPLE), -ENAMETOOLONG);
}

/* As deep as cgroups are looked at: the thread's stack holds that. */
static void the_deepest_tree_fits_the_stack(void **state)
{
	struct world *w = *state;
	char path[128] = "v2/pod";

	for (int i = 1; i < 32; i++)
		strcat(path, "/d");
	strcat(path, "/cgroup.procs");
	tree_write(&w->tree, path, "7777778\n");
	assert_int_equal(probe_kill_cgroup(w->probe, "/pod", 0, AMPLE), 2);
}

static void a_kill_that_waits_in_the_kernel_holds_up_nobody_and_may_come_later(void **state)
{
	struct world *w = *state;
	uint64_t start;
	char text[8];
	int r = -EBUSY;

	write_fifo(w, "v2/pod/cgroup.kill");
	start = now_usec();
	assert_int_equal(probe_kill_cgroup(w->probe, "/pod", 0, SOON), -ETIMEDOUT);
	assert_in_range(now_usec() - start, SOON, SOON + 2 * USEC_PER_SEC);
	get_killer_stuck(w);
	/* The next one does not wait at all, and whoever reads is not concerned. */
	start = now_usec();
	assert_int_equal(probe_kill_cgroup(w->probe, "/pod", 0, AMPLE), -EBUSY);
	assert_in_range(now_usec() - start, 0, USEC_PER_SEC);
	write_cmdline(w, "2/cmdline", "ok", 2);
	assert_int_equal(probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text)), 0);

	assert_string_equal(text_of(w, "v2/pod/cgroup.kill"), "1");
	assert_int_equal(unlinkat(w->tree.fd, "v2/pod/cgroup.kill", 0), 0);
	tree_write(&w->tree, "v2/pod/cgroup.kill", "0");
	for (int i = 0; i < 1000 && r == -EBUSY; i++, usleep(1000))
		r = probe_kill_cgroup(w->probe, "/pod", 0, AMPLE);
	assert_int_equal(r, 1);
}

/* It was allowed for those who were in it then: later it might hit others. */
static void a_kill_that_was_given_up_before_its_write_never_happens(void **state)
{
	struct world *w = *state;
	int r = -EBUSY;

	write_fifo(w, "v2/pod/cgroup.procs");
	get_killer_stuck(w);
	feed_fifo(w, "v2/pod/cgroup.procs", "7777777\n");
	for (int i = 0; i < 1000 && r == -EBUSY; i++, usleep(1000))
		r = probe_kill_cgroup(w->probe, "/none", 0, AMPLE);
	assert_int_equal(r, -ENOENT); /* it is back */
	assert_string_equal(text_of(w, "v2/pod/cgroup.kill"), "0");
}

static void readers_that_are_stuck_keep_no_cgroup_alive(void **state)
{
	struct world *w = *state;
	char text[8];
	int r = -ETIMEDOUT;

	write_fifo(w, "1/cmdline");
	for (int i = 0; i < 100 && r == -ETIMEDOUT; i++)
		r = probe_cmdline(w->probe, 1, SOON, text, sizeof(text));
	assert_int_equal(r, -EBUSY);
	assert_int_equal(probe_kill_cgroup(w->probe, "/pod", 0, AMPLE), 1);
	feed_fifo(w, "1/cmdline", "late");
}

static void closing_does_not_wait_for_a_kill(void **state)
{
	struct world *w = *state;
	uint64_t start;

	write_fifo(w, "v2/pod/cgroup.kill");
	get_killer_stuck(w);
	start = now_usec();
	probe_close(w->probe);
	w->probe = NULL;
	assert_in_range(now_usec() - start, 0, USEC_PER_SEC);
	assert_string_equal(text_of(w, "v2/pod/cgroup.kill"), "1");
	usleep(50 * 1000); /* the thread frees what it was left with */
}

static void asking_allocates_nothing(void **state)
{
	struct world *w = *state;
	struct probe_shmem m;
	char text[32];

	write_cmdline(w, "2/cmdline", "ok", 2);
	tree_write(&w->tree, "2/smaps",
		VMA("rw-s", "00:01", "/dev/zero (deleted)") FIGURES(1, 1, 0, 1, 0));
	unsigned before = malloc_count;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(probe_cmdline(w->probe, 2, AMPLE, text, sizeof(text)), 0);
		assert_int_equal(probe_shmem(w->probe, 2, AMPLE, &m), 0);
	}
	assert_int_equal(malloc_count, before);
}

int main(void)
{
#define WITH_READERS(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define WITH_CGROUPS(f) cmocka_unit_test_setup_teardown(f, setup_with_cgroups, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_without_a_name_comes_back),
		cmocka_unit_test(what_others_map_too_counts_by_its_share),
		cmocka_unit_test(what_a_file_keeps_does_not_come_back),
		cmocka_unit_test(other_memory_is_no_shmem),
		cmocka_unit_test(private_copies_of_a_memfd_are_anonymous_memory),
		cmocka_unit_test(mappings_add_up_and_do_not_mix),
		cmocka_unit_test(a_very_long_path_keeps_its_end),
		WITH_READERS(a_command_line_is_one_string),
		WITH_READERS(a_long_command_line_is_cut),
		WITH_READERS(who_is_gone_is_gone),
		WITH_READERS(a_cgroup_is_read_with_a_deadline_too),
		WITH_READERS(smaps_larger_than_any_buffer_are_added_up),
		WITH_READERS(lines_over_the_border_of_the_buffer_are_whole),
		WITH_READERS(one_exclusive_page_in_both_is_one_mm),
		WITH_READERS(an_mm_that_goes_meanwhile_is_no_answer),
		WITH_READERS(equal_figures_alone_are_not_one_mm),
		WITH_READERS(any_difference_is_two_mms),
		WITH_READERS(the_deadline_holds_and_a_late_answer_goes_nowhere),
		WITH_READERS(a_stuck_reader_leaves_the_others_working_and_comes_back),
		WITH_READERS(walks_leave_one_reader_to_the_others),
		WITH_READERS(a_reader_that_had_no_time_to_begin_is_not_lost),
		WITH_READERS(without_time_nobody_is_sent),
		WITH_READERS(closing_does_not_wait_for_a_stuck_reader),
		WITH_READERS(asking_allocates_nothing),
		WITH_CGROUPS(files_of_cgroups_are_read_by_a_reader),
		WITH_CGROUPS(a_crowded_cgroup_is_listed_in_part),
		WITH_CGROUPS(a_cgroup_that_cannot_be_read_in_time_is_given_up),
		WITH_CGROUPS(a_cgroup_is_killed_without_an_allocation),
		WITH_CGROUPS(the_deepest_tree_fits_the_stack),
		WITH_CGROUPS(a_kill_that_waits_in_the_kernel_holds_up_nobody_and_may_come_later),
		WITH_CGROUPS(a_kill_that_was_given_up_before_its_write_never_happens),
		WITH_CGROUPS(readers_that_are_stuck_keep_no_cgroup_alive),
		WITH_CGROUPS(closing_does_not_wait_for_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
