/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sensing on the kernel at hand: readings are fresh, triggers arm (or say why not).
 */
#include "psi.h"

#include "util.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define PRESSURE_PATH "/proc/pressure/memory"

static uint64_t meminfo_bytes(const char *name)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/meminfo", "re");
	char line[128];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, name, strlen(name)) == 0)
			return strtoull(line + strlen(name), NULL, 10) * KIB;
	return 0;
}

/* libproc2 caches for up to a second in some calls: a second look at once must see the new page
 * table all the same. */
static void each_reading_is_fresh(void **state)
{
	const size_t size = 128 * MIB;
	struct meminfo before, with, after;
	struct sensor *s;
	void *p;

	assert_int_equal(sensor_new(&s), 0);
	assert_int_equal(sensor_read(s, &before), 0);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
		0);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(sensor_read(s, &with), 0);
	munmap(p, size);
	assert_int_equal(sensor_read(s, &after), 0);
	/* Others use memory too: three quarters of ours must be seen. */
	assert_true(with.anon_bytes >= before.anon_bytes + size / 4 * 3);
	assert_true(after.anon_bytes + size / 4 * 3 <= with.anon_bytes);
	sensor_free(s);
}

static void the_numbers_are_those_of_meminfo(void **state)
{
	struct sensor *s;
	struct meminfo m;

	assert_int_equal(sensor_new(&s), 0);
	assert_int_equal(sensor_read(s, &m), 0);
	assert_int_equal(m.total_bytes, meminfo_bytes("MemTotal:") - meminfo_bytes("Hugetlb:"));
	assert_in_range(m.available_bytes, 1, m.total_bytes);
	assert_in_range(m.shmem_bytes, sub_or_zero_u64(meminfo_bytes("Shmem:"), 64 * MIB),
		meminfo_bytes("Shmem:") + 64 * MIB);
	assert_true(m.swap_free_bytes <= m.swap_total_bytes);
	if (meminfo_bytes("SwapTotal:") == 0)
		assert_int_equal(m.swap_total_bytes, 0);
	sensor_free(s);
}

static void pressure_only_rises(void **state)
{
	struct pressure first, second;
	struct sensor *s;

	assert_int_equal(sensor_new(&s), 0);
	if (sensor_pressure_errno(s) < 0) {
		sensor_free(s);
		skip();
	}
	assert_int_equal(sensor_read_pressure(s, &first), 0);
	assert_int_equal(sensor_read_pressure(s, &second), 0);
	assert_true(second.some_usec >= first.some_usec);
	assert_true(second.full_usec >= first.full_usec);
	assert_true(first.full_usec <= first.some_usec);
	sensor_free(s);
}

static void a_trigger_is_armed_and_quiet(void **state)
{
	struct pollfd p = { .events = POLLPRI };

	if (access(PRESSURE_PATH, R_OK) < 0)
		skip();
	/* Half a second, which without CAP_SYS_RESOURCE has to become two. */
	p.fd = psi_trigger_open(PRESSURE_PATH, true, 450000, 500000);
	if (p.fd == -EPERM)
		skip(); /* kernels before 6.5 want the capability for any window */
	assert_true(p.fd >= 0);
	assert_true(fcntl(p.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(p.fd, F_GETFL) & O_NONBLOCK);
	/* No source is gone, and 90 % of stall is nothing that this test causes. */
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_equal(close(p.fd), 0);
}

static void nonsense_arms_nothing(void **state)
{
	assert_int_equal(psi_trigger_open(PRESSURE_PATH, false, 0, 2000000), -EINVAL);
	assert_int_equal(psi_trigger_open(PRESSURE_PATH, false, 3000000, 2000000), -EINVAL);
	assert_int_equal(psi_trigger_open("/proc/pressure/nonesuch", false, 1, 2000000), -ENOENT);
	assert_int_equal(
		psi_trigger_open("/nonexistent/memory.pressure", false, 1, 2000000), -ENOENT);
	if (access(PRESSURE_PATH, R_OK) < 0)
		skip();
	/* Longer than the kernel's 10 s. */
	assert_int_equal(psi_trigger_open(PRESSURE_PATH, false, 100000, 60000000), -EINVAL);
}

/* A path that is some other file is not written to. */
static void a_file_that_is_not_pressure_stays_as_it_is(void **state)
{
	char path[] = "/tmp/oomfwd-live-psi-XXXXXX", text[32] = "";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "precious\n", 9), 9);
	assert_int_equal(psi_trigger_open(path, false, 100000, 2000000), -EINVAL);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 9);
	assert_string_equal(text, "precious\n");
	unlink(path);
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reading_is_fresh),
		cmocka_unit_test(the_numbers_are_those_of_meminfo),
		cmocka_unit_test(pressure_only_rises),
		cmocka_unit_test(a_trigger_is_armed_and_quiet),
		cmocka_unit_test(nonsense_arms_nothing),
		cmocka_unit_test(a_file_that_is_not_pressure_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
