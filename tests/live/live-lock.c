/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What survive_lock() leaves in memory: all that a kill needs, and not the libraries it does not.
 * Each case in a process of its own, whose memory it locks.
 */
#include "survive.h"

#include "children.h"
#include "psi.h"
#include "report.h"
#include "util.h"

#include <sys/mman.h>
#include <sys/resource.h>

/* So that the libraries are linked that the daemon has. */
static void *const volatile linked[] = { (void *)sensor_new, (void *)report_open };

/* Of one mapping, or summed up over several, in KiB. */
struct figures {
	unsigned long size, rss;
	unsigned count, partly, unlocked;
};

/* Mappings whose line has the text, or those but for the tables of the dynamic linker: read only,
 * at the beginning of the file. */
static struct figures mappings_of(const char *text, bool but_tables)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/self/smaps", "re");
	struct figures sum = { 0 };
	unsigned long size = 0, rss = 0;
	bool wanted = false;
	char line[4352];

	if (!f)
		abort();
	while (fgets(line, sizeof(line), f)) {
		if (strchr("0123456789abcdef", line[0])) {
			wanted = strstr(line, text) && !strstr(line, " ---p ") &&
				!(but_tables && strstr(line, " r--p 00000000 "));
			continue;
		}
		if (!wanted)
			continue;
		(void)sscanf(line, "Size: %lu", &size);
		if (sscanf(line, "Rss: %lu", &rss) == 1) {
			sum.count++;
			sum.size += size;
			sum.rss += rss;
			sum.partly += rss < size;
		}
		if (strncmp(line, "VmFlags:", 8) == 0)
			sum.unlocked += strstr(line, " lo") == NULL;
	}
	return sum;
}

static void in_a_process(int (*check)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("# not to be tried here: memory cannot be locked\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int lock_or_skip(void)
{
	if (!linked[0] || !linked[1])
		abort();
#ifdef __SANITIZE_ADDRESS__
	return 77; /* its shadow has terabytes */
#endif
	survive_prepare_heap();
	survive_reserve_heap(MIB);
	return survive_lock() == 0 ? 0 : 77;
}

/* Returns how many complaints there are. */
static int must_be_whole(const char *text)
{
	struct figures f = mappings_of(text, true);

	if (f.count > 0 && f.partly == 0 && f.unlocked == 0)
		return 0;
	fprintf(stderr, "# %s: %u mappings, %u of them not all there, %u not locked\n", text,
		f.count, f.partly, f.unlocked);
	return 1;
}

static int needed_is_whole(void)
{
	int r = lock_or_skip();

	return r ? r
		 : must_be_whole("live-lock") + must_be_whole("/libc.so") +
			must_be_whole("/libproc2.so") + must_be_whole("[heap]") +
			must_be_whole("[stack]");
}

static void the_program_libc_heap_and_stack_are_there_to_the_last_page(void **state)
{
	in_a_process(needed_is_whole);
}

static int others_are_gone(void)
{
	int r = lock_or_skip();
	struct figures f = mappings_of("/libgcrypt.so", false);

	if (r || f.count == 0) /* another build of libsystemd */
		return 77;
	if (f.unlocked > 0 || f.rss > f.size / 4) {
		fprintf(stderr, "# libgcrypt: %lu of %lu KiB there, %u not locked\n", f.rss, f.size,
			f.unlocked);
		return 1;
	}
	return 0;
}

static void a_library_that_is_not_used_takes_no_memory(void **state)
{
	in_a_process(others_are_gone);
}

static bool is_resident(const char *p, size_t size)
{
	unsigned char there[512];
	size_t pages = size / 4096;

	if (pages > sizeof(there) || mincore((void *)p, size, there) < 0)
		return false;
	for (size_t i = 0; i < pages; i++)
		if (!(there[i] & 1))
			return false;
	return true;
}

static int later_is_locked(void)
{
	int r = lock_or_skip();
	struct rusage before, after;
	char *p;

	if (r)
		return r;
	p = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || !is_resident(p, MIB))
		return 1;
	/* The reserve is there: half a megabyte costs no page. */
	getrusage(RUSAGE_SELF, &before);
	p = malloc(MIB / 2);
	if (!p)
		return 2;
	memset(p, 1, MIB / 2);
	getrusage(RUSAGE_SELF, &after);
	return after.ru_minflt == before.ru_minflt && after.ru_majflt == before.ru_majflt ? 0 : 3;
}

static void what_comes_later_is_there_without_a_page_fault(void **state)
{
	in_a_process(later_is_locked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_libc_heap_and_stack_are_there_to_the_last_page),
		cmocka_unit_test(a_library_that_is_not_used_takes_no_memory),
		cmocka_unit_test(what_comes_later_is_there_without_a_page_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
