/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The texts that sensing reads, what swap on zram is worth, the pressure of a span, and how soon to
 * look again.
 */
#include "psi.h"

#include "count-malloc.h"
#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void pressure_totals_are_read(void **state)
{
	struct pressure p;

	assert_int_equal(psi_parse("some avg10=0.00 avg60=0.12 avg300=1.00 total=123456\n"
				   "full avg10=0.00 avg60=0.00 avg300=0.00 total=7890\n",
				 &p),
		0);
	assert_int_equal(p.some_usec, 123456);
	assert_int_equal(p.full_usec, 7890);
}

static void a_bad_pressure_file_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"\n\n",
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n",
		"full avg10=0.00 total=1\nsome avg10=0.00 total=1\n",
		"some avg10=0.00 avg60=0.00\nfull avg10=0.00 total=1\n",
		"some avg10=0.00 total=\nfull avg10=0.00 total=1\n",
		"some avg10=0.00 total= 1\nfull avg10=0.00 total=1\n",
		"some avg10=0.00 total=-1\nfull avg10=0.00 total=1\n",
		"some avg10=0.00 total=1x\nfull avg10=0.00 total=1\n",
		"some avg10=0.00 total=18446744073709551616\nfull total=1\n",
		"something total=1\nfull total=1\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct pressure p = { 11, 22 };
		assert_int_equal(psi_parse(bad[i], &p), -EINVAL);
		assert_int_equal(p.some_usec, 11);
		assert_int_equal(p.full_usec, 22);
	}
}

static void the_arc_gives_back_what_is_over_its_minimum(void **state)
{
	uint64_t bytes = 5;

	assert_int_equal(
		psi_parse_arcstats("name type data\nc_min 4 100\nsize 4 350\n", &bytes), 0);
	assert_int_equal(bytes, 250);
	assert_int_equal(psi_parse_arcstats("size 4 50\nc_min 4 100\n", &bytes), 0);
	assert_int_equal(bytes, 0);
	/* Names that only begin or end alike are other values. */
	bytes = 5;
	assert_int_equal(psi_parse_arcstats("sizes 4 50\nc_min 4 100\n", &bytes), -EINVAL);
	assert_int_equal(psi_parse_arcstats("hdr_size 4 50\nc_min 4 100\n", &bytes), -EINVAL);
	assert_int_equal(psi_parse_arcstats("size 4\nc_min 4 100\n", &bytes), -EINVAL);
	assert_int_equal(psi_parse_arcstats("", &bytes), -EINVAL);
	assert_int_equal(bytes, 5);
}

static void swap_devices_are_read_line_by_line(void **state)
{
	const char *p = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
			"/dev/zram0                              partition\t8388604\t\t12\t\t100\n"
			"/swap\\040file\\040(deleted) file 1024 0 -2";
	struct swap_device d;

	assert_int_equal(psi_parse_swap(&p, &d), -EINVAL); /* the heading */
	assert_int_equal(psi_parse_swap(&p, &d), 1);
	assert_string_equal(d.path, "/dev/zram0");
	assert_int_equal(d.size_bytes, 8388604 * KIB);
	assert_int_equal(d.used_bytes, 12 * KIB);
	assert_int_equal(psi_parse_swap(&p, &d), 1);
	assert_string_equal(d.path, "/swap\\040file\\040(deleted)");
	assert_int_equal(psi_parse_swap(&p, &d), 0);
	assert_int_equal(psi_parse_swap(&p, &d), 0);
}

static void zram_saves_what_compression_takes_off(void **state)
{
	static const struct {
		uint64_t free, orig, used, saving;
	} table[] = {
		{ 0, 0, 0, 0 },
		{ 8 * GIB, 0, 0, 4 * GIB },        /* nothing known: half */
		{ 8 * GIB, 4096, 12288, 4 * GIB }, /* mkswap's page is no sample */
		{ 8 * GIB, 3 * GIB, 1 * GIB, 8 * GIB / 3 * 2 + 1 },
		{ 8 * GIB, 2 * GIB, 2 * GIB, 0 }, /* does not compress */
		{ 8 * GIB, 2 * GIB, 3 * GIB, 0 },
		{ 8 * GIB, 2 * GIB, 0, 8 * GIB }, /* all pages the same */
		{ UINT64_MAX, UINT64_MAX, 1, UINT64_MAX - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(psi_zram_saving(table[i].free, table[i].orig, table[i].used),
			table[i].saving);
}

static struct meminfo machine(uint64_t anon, uint64_t available, uint64_t total, uint64_t free)
{
	return (struct meminfo){ .total_bytes = 16 * GIB,
		.anon_bytes = anon,
		.available_bytes = available,
		.swap_total_bytes = total,
		.swap_free_bytes = free };
}

static void a_disk_beside_zram_counts_whole(void **state)
{
	struct meminfo m = machine(8 * GIB, 8 * GIB, 12 * GIB, 10 * GIB);
	struct zram z = { 8 * GIB, 2 * GIB, 2 * GIB, 1 * GIB, 0 };

	psi_count_zram(&m, &z, 1);
	/* 4 GiB disk free; zram: 1 GiB saved already, 6 GiB free slots save 3. */
	assert_int_equal(m.swap_free_bytes, 7 * GIB);
	assert_int_equal(m.swap_total_bytes, 8 * GIB);
}

static void incompressible_zram_is_no_swap(void **state)
{
	struct meminfo m = machine(8 * GIB, 8 * GIB, 8 * GIB, 6 * GIB);
	struct zram z = { 8 * GIB, 2 * GIB, 2 * GIB, 2 * GIB + 4096, 0 };

	psi_count_zram(&m, &z, 1);
	assert_int_equal(m.swap_free_bytes, 0);
	assert_int_equal(m.swap_total_bytes, 0);
}

/* A 64 GiB device on a 16 GiB machine can never be filled: its free share must fall all the same
 * when there is nothing left that could be moved there. */
static void an_oversized_zram_becomes_full(void **state)
{
	struct meminfo m = machine(512 * MIB, 256 * MIB, 64 * GIB, 24 * GIB);
	struct zram z = { 64 * GIB, 40 * GIB, 40 * GIB, 14 * GIB, 0 };

	psi_count_zram(&m, &z, 1);
	assert_true(m.swap_free_bytes < m.swap_total_bytes / 20);
	assert_true(m.swap_free_bytes > 0);
}

static void mem_limit_bounds_what_zram_takes(void **state)
{
	struct meminfo m = machine(8 * GIB, 8 * GIB, 8 * GIB, 6 * GIB);
	struct zram z = { 8 * GIB, 2 * GIB, 2 * GIB, 1 * GIB, 1 * GIB };

	psi_count_zram(&m, &z, 1);
	assert_int_equal(m.swap_free_bytes, 0); /* full, whatever SwapFree says */
	assert_int_equal(m.swap_total_bytes, 1 * GIB);

	m = machine(8 * GIB, 8 * GIB, 8 * GIB, 8 * GIB);
	z = (struct zram){ 8 * GIB, 0, 0, 0, 1 * GIB };
	psi_count_zram(&m, &z, 1);
	assert_int_equal(m.swap_free_bytes, 1 * GIB); /* 2 GiB at the assumed half */
}

static void two_zrams_do_not_move_the_same_memory_twice(void **state)
{
	struct meminfo m = machine(1 * GIB, 1 * GIB, 8 * GIB, 8 * GIB);
	struct zram z[] = { { 4 * GIB, 0, 0, 0, 0 }, { 4 * GIB, 0, 0, 0, 0 } };

	psi_count_zram(&m, z, 2);
	assert_int_equal(m.swap_free_bytes, 1 * GIB);
}

/* SwapFree is read first, the slots in use a moment later. */
static void a_zram_that_fills_between_two_readings_has_no_more_free_than_there_is(void **state)
{
	struct meminfo m = machine(8 * GIB, 8 * GIB, 8 * GIB, 6 * GIB);
	struct zram z = { 8 * GIB, 8 * GIB, 8 * GIB, 7 * GIB, 0 };

	psi_count_zram(&m, &z, 1);
	assert_int_equal(m.swap_total_bytes, 1 * GIB);
	assert_int_equal(m.swap_free_bytes, 1 * GIB);
}

static void absurd_zram_numbers_saturate(void **state)
{
	struct meminfo m = machine(UINT64_MAX, UINT64_MAX, 0, 0);
	struct zram z = { UINT64_MAX, 0, UINT64_MAX, 1, UINT64_MAX };

	psi_count_zram(&m, &z, 1);
	assert_int_equal(m.swap_free_bytes, UINT64_MAX - 1);
	assert_int_equal(m.swap_total_bytes, UINT64_MAX);
	assert_int_equal(psi_parse_mm_stat("1 2 3 x", &z), -EINVAL);
	assert_int_equal(psi_parse_mm_stat("1 2 3", &z), -EINVAL);
	assert_int_equal(z.orig_bytes, UINT64_MAX);
}

static const struct config_pressure full_half_10s = {
	.set = true, .full = true, .percent = 50, .span_usec = 10 * USEC_PER_SEC
};

static struct pressure stalled(uint64_t full_usec)
{
	return (struct pressure){ .some_usec = 2 * full_usec, .full_usec = full_usec };
}

static void no_history_never_reaches(void **state)
{
	struct psi_history h = { 0 };
	struct config_pressure off = full_half_10s, none = full_half_10s;
	struct pressure p = stalled(100 * USEC_PER_SEC);

	off.set = false;
	none.span_usec = 0;
	assert_false(psi_history_reaches(&h, &full_half_10s, 100 * USEC_PER_SEC));
	psi_history_add(&h, 100 * USEC_PER_SEC, &p, full_half_10s.span_usec);
	/* One reading, however large, says nothing of the span. */
	assert_false(psi_history_reaches(&h, &full_half_10s, 100 * USEC_PER_SEC));
	assert_false(psi_history_reaches(&h, &full_half_10s, 200 * USEC_PER_SEC));
	assert_false(psi_history_reaches(&h, &full_half_10s, 5 * USEC_PER_SEC));
	assert_false(psi_history_reaches(&h, &off, 100 * USEC_PER_SEC));
	assert_false(psi_history_reaches(&h, &none, 100 * USEC_PER_SEC));
}

/* Looks of any pace, from 10 ms to 4 s: a span stalled for 60 % reaches 50 % but not 70 %, and not
 * before the span is over. */
static void a_steady_stall_is_measured_at_any_pace(void **state)
{
	static const uint64_t pace_msec[] = { 10, 33, 100, 320, 1000, 4000 };
	struct config_pressure more = full_half_10s;

	more.percent = 70;
	for (size_t i = 0; i < ARRAY_SIZE(pace_msec); i++) {
		struct psi_history h = { 0 };
		uint64_t start = 7777, now = start;
		for (; now < start + 100 * USEC_PER_SEC; now += pace_msec[i] * USEC_PER_MSEC) {
			struct pressure p = stalled((now - start) / 100 * 60);
			psi_history_add(&h, now, &p, full_half_10s.span_usec);
			assert_int_equal(psi_history_reaches(&h, &full_half_10s, now),
				now - start >= full_half_10s.span_usec);
			assert_false(psi_history_reaches(&h, &more, now));
		}
	}
}

static void a_stall_that_ended_is_forgotten(void **state)
{
	struct psi_history h = { 0 };
	uint64_t now = 1000;
	bool reached = false;

	for (int i = 0; i < 400; i++, now += 100 * USEC_PER_MSEC) {
		/* 20 s stalled, then 20 s not */
		struct pressure p = stalled(min_u64(now, 20 * USEC_PER_SEC));
		psi_history_add(&h, now, &p, 10 * USEC_PER_SEC);
		reached |= psi_history_reaches(&h, &full_half_10s, now);
		if (i > 260)
			assert_false(psi_history_reaches(&h, &full_half_10s, now));
	}
	assert_true(reached);
}

static void the_clock_and_the_counter_may_misbehave(void **state)
{
	struct psi_history h = { 0 };
	struct pressure p = stalled(0);

	/* The same moment over and over must not push the past out of the ring. */
	psi_history_add(&h, 1000, &p, full_half_10s.span_usec);
	p = stalled(6 * USEC_PER_SEC);
	for (int i = 0; i < 1000; i++)
		psi_history_add(&h, 1000 + 10 * USEC_PER_SEC, &p, full_half_10s.span_usec);
	assert_true(psi_history_reaches(&h, &full_half_10s, 1000 + 10 * USEC_PER_SEC));
	/* A counter that begins anew is no stall. */
	p = stalled(0);
	psi_history_add(&h, 1000 + 20 * USEC_PER_SEC, &p, full_half_10s.span_usec);
	assert_false(psi_history_reaches(&h, &full_half_10s, 1000 + 20 * USEC_PER_SEC));
	/* A clock that goes back: begin anew. */
	p = stalled(UINT64_MAX);
	psi_history_add(&h, 500, &p, full_half_10s.span_usec);
	assert_int_equal(h.count, 1);
	psi_history_add(&h, UINT64_MAX, &p, full_half_10s.span_usec);
	assert_false(psi_history_reaches(&h, &full_half_10s, UINT64_MAX));
}

static void the_first_reading_is_no_growth(void **state)
{
	struct fill_rate f;

	fill_rate_init(&f, 4 * GIB);
	fill_rate_add(&f, 50 * USEC_PER_SEC, 8 * GIB);
	assert_int_equal(fill_rate_growth(&f, 50 * USEC_PER_SEC), 0);
	assert_int_equal(f.fastest_bytes, 4 * GIB);
	/* The same at time 0. */
	fill_rate_init(&f, 4 * GIB);
	fill_rate_add(&f, 0, 8 * GIB);
	fill_rate_add(&f, 0, 4 * GIB);
	assert_int_equal(fill_rate_growth(&f, 0), 0);
}

static void growth_is_the_worst_of_half_a_second(void **state)
{
	struct fill_rate f;
	uint64_t level = 100 * GIB, now = USEC_PER_SEC;

	fill_rate_init(&f, 8 * GIB);
	fill_rate_add(&f, now, level);
	fill_rate_add(&f, now += 100000, level -= 100 * MIB); /* 1000 MiB/s */
	for (int i = 0; i < 45; i++) {                        /* then calm, looked at often */
		fill_rate_add(&f, now += 10000, level -= MIB);
		assert_int_equal(fill_rate_growth(&f, now), 1000 * MIB);
	}
	for (int i = 0; i < 10; i++)
		fill_rate_add(&f, now += 10000, level -= MIB);
	assert_int_equal(fill_rate_growth(&f, now), 100 * MIB);
	assert_int_equal(fill_rate_growth(&f, now + 10 * USEC_PER_SEC), 0);
	assert_int_equal(f.fastest_bytes, 8 * GIB); /* nothing seen was faster */
}

static void memory_coming_back_is_no_growth(void **state)
{
	struct fill_rate f;

	fill_rate_init(&f, GIB);
	fill_rate_add(&f, 1000000, GIB);
	fill_rate_add(&f, 1100000, 5 * GIB);
	assert_int_equal(fill_rate_growth(&f, 1100000), 0);
	assert_int_equal(f.fastest_bytes, GIB);
}

static void the_fastest_is_learned_within_reason(void **state)
{
	struct fill_rate f;

	fill_rate_init(&f, GIB);
	fill_rate_add(&f, 1000000, 100 * GIB);
	fill_rate_add(&f, 2000000, 97 * GIB);
	assert_int_equal(f.fastest_bytes, 3 * GIB);
	fill_rate_add(&f, 3000000, 96 * GIB);
	assert_int_equal(f.fastest_bytes, 3 * GIB); /* never down */
	fill_rate_add(&f, 3010000, 0);              /* a balloon: not a speed to expect again */
	assert_int_equal(f.fastest_bytes, 8 * GIB);
	assert_true(fill_rate_growth(&f, 3010000) > 1000 * GIB); /* but now it is so */

	fill_rate_init(&f, 0);
	assert_int_equal(f.fastest_bytes, FILL_RATE_DEFAULT);
	fill_rate_init(&f, UINT64_MAX);
	fill_rate_add(&f, 0, UINT64_MAX);
	fill_rate_add(&f, 5000, 0);
	assert_int_equal(f.fastest_bytes, UINT64_MAX);
	assert_int_equal(fill_rate_growth(&f, 5000), UINT64_MAX);
}

/* Two looks a moment apart see a lump of folded counters, not a speed; what they saw is not lost
 * either. */
static void looks_in_quick_succession_are_put_together(void **state)
{
	struct fill_rate f;

	fill_rate_init(&f, GIB);
	fill_rate_add(&f, 1000000, 10 * GIB);
	fill_rate_add(&f, 1000000, 10 * GIB - 8 * MIB); /* a step of no time at all */
	fill_rate_add(&f, 1000050, 10 * GIB - 8 * MIB);
	assert_int_equal(fill_rate_growth(&f, 1000050), 0);
	assert_int_equal(f.fastest_bytes, GIB);
	fill_rate_add(&f, 1010000, 10 * GIB - 8 * MIB);
	assert_int_equal(fill_rate_growth(&f, 1010000), 800 * MIB);
	/* The clock goes back: no speed can be told. */
	fill_rate_add(&f, 500000, 9 * GIB);
	assert_int_equal(fill_rate_growth(&f, 500000), 0);
	assert_int_equal(f.fastest_bytes, GIB);
}

static void the_next_look_comes_before_memory_ends(void **state)
{
	static const struct {
		uint64_t headroom, reserve, fastest, max, look;
	} table[] = {
		{ 8 * GIB, 1 * GIB, 4 * GIB, 10000000, 2000000 },
		{ 100 * GIB, 1 * GIB, 4 * GIB, 10000000, 10000000 }, /* plenty: the longest */
		{ 4 * MIB, 2 * GIB, 4 * GIB, 10000000, 250000 }, /* half of the reserve's 500 ms */
		{ 0, 2 * GIB, 4 * GIB, 10000000, 250000 },
		{ 0, 0, 4 * GIB, 10000000, 10000 }, /* the shortest */
		{ MIB, 0, 4 * GIB, 10000000, 10000 },
		{ 0, 0, 4 * GIB, 5000, 5000 },           /* max is max */
		{ 8 * GIB, GIB, 0, 10000000, 10000000 }, /* nothing can fill it */
		{ UINT64_MAX, UINT64_MAX, 1, 10000000, 10000000 },
		{ UINT64_MAX, 0, UINT64_MAX, UINT64_MAX, 1000000 },
		{ UINT64_MAX, UINT64_MAX, 1, UINT64_MAX, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(psi_next_look_usec(table[i].headroom, table[i].reserve,
					 table[i].fastest, table[i].max),
			table[i].look);
}

static struct sensor *sensor_at(const char *tree)
{
	struct sensor *s;
	char root[256];

	snprintf(root, sizeof(root), "%s/psi/%s", getenv("OOMFWD_FIXTURES"), tree);
	assert_int_equal(sensor_new_at(root, &s), 0);
	return s;
}

static void a_machine_with_zram_is_read_without_allocation(void **state)
{
	struct sensor *s = sensor_at("zram");
	struct pressure p;
	struct meminfo m;
	unsigned before = malloc_count;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(sensor_read(s, &m), 0);
		assert_int_equal(sensor_read_pressure(s, &p), 0);
	}
	assert_int_equal(malloc_count, before);
	assert_int_equal(sensor_pressure_errno(s), 0);
	assert_int_equal(p.some_usec, 123456789);
	assert_int_equal(p.full_usec, 98765432);
	/* 2 GiB are stored in a third: two thirds are saved already, of whatever else is free some.
	 */
	assert_in_range(m.swap_total_bytes - m.swap_free_bytes, 4 * GIB / 3 - 1, UINT64_MAX / 2);
	assert_true(m.swap_free_bytes > 0);
	sensor_free(s);
}

static void the_arc_is_available(void **state)
{
	struct sensor *s = sensor_at("arc"), *plain;
	struct meminfo with, without;
	struct pressure p = { 1, 2 };

	assert_int_equal(sensor_new_at("/nonexistent", &plain), 0);
	assert_int_equal(sensor_read(s, &with), 0);
	assert_int_equal(sensor_read(plain, &without), 0);
	/* 128 MiB more, give or take what the machine does meanwhile, and never more than there is.
	 */
	assert_in_range(with.available_bytes,
		min_u64(without.available_bytes + 64 * MIB, with.total_bytes),
		min_u64(without.available_bytes + 192 * MIB, with.total_bytes));
	/* Its pressure file is cut off: an error, not a zero. */
	assert_int_equal(sensor_read_pressure(s, &p), -EINVAL);
	assert_int_equal(p.some_usec, 1);
	sensor_free(plain);
	sensor_free(s);
}

static void a_machine_without_psi_is_still_read(void **state)
{
	struct sensor *s;
	struct meminfo m, calm;
	struct pressure p;

	assert_int_equal(sensor_new_at("/nonexistent", &s), 0);
	assert_int_equal(sensor_pressure_errno(s), -ENOENT);
	assert_int_equal(sensor_read_pressure(s, &p), -ENOENT);
	assert_int_equal(sensor_read(s, &m), 0);
	assert_true(m.total_bytes > 0);
	/* In calm times it tells the same, with fewer files. */
	assert_int_equal(sensor_read_calm(s, &calm), 0);
	assert_int_equal(calm.total_bytes, m.total_bytes);
	assert_true(calm.available_bytes > m.available_bytes / 2);
	assert_in_range(calm.kernel_oom_kills, m.kernel_oom_kills, m.kernel_oom_kills + 100);
	sensor_refresh_devices(s);
	sensor_free(s);
	sensor_free(NULL);
}

static void growth_before_a_restart_is_forgotten_but_not_what_was_learned(void **state)
{
	struct fill_rate f;

	fill_rate_init(&f, 100 * MIB);
	fill_rate_add(&f, 1000000, 1000 * MIB);
	fill_rate_add(&f, 1010000, 998 * MIB);
	assert_int_equal(fill_rate_growth(&f, 1010000), 200 * MIB);
	fill_rate_restart(&f);
	assert_int_equal(fill_rate_growth(&f, 1010000), 0);
	assert_int_equal(f.fastest_bytes, 200 * MIB);
	fill_rate_add(&f, 1030000, 900 * MIB);
	assert_int_equal(fill_rate_growth(&f, 1030000), 0);
	fill_rate_add(&f, 1040000, 899 * MIB);
	assert_int_equal(fill_rate_growth(&f, 1040000), 100 * MIB);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(pressure_totals_are_read),
		cmocka_unit_test(a_bad_pressure_file_changes_nothing),
		cmocka_unit_test(the_arc_gives_back_what_is_over_its_minimum),
		cmocka_unit_test(swap_devices_are_read_line_by_line),
		cmocka_unit_test(zram_saves_what_compression_takes_off),
		cmocka_unit_test(a_disk_beside_zram_counts_whole),
		cmocka_unit_test(incompressible_zram_is_no_swap),
		cmocka_unit_test(an_oversized_zram_becomes_full),
		cmocka_unit_test(mem_limit_bounds_what_zram_takes),
		cmocka_unit_test(two_zrams_do_not_move_the_same_memory_twice),
		cmocka_unit_test(
			a_zram_that_fills_between_two_readings_has_no_more_free_than_there_is),
		cmocka_unit_test(absurd_zram_numbers_saturate),
		cmocka_unit_test(no_history_never_reaches),
		cmocka_unit_test(a_steady_stall_is_measured_at_any_pace),
		cmocka_unit_test(a_stall_that_ended_is_forgotten),
		cmocka_unit_test(the_clock_and_the_counter_may_misbehave),
		cmocka_unit_test(the_first_reading_is_no_growth),
		cmocka_unit_test(growth_is_the_worst_of_half_a_second),
		cmocka_unit_test(memory_coming_back_is_no_growth),
		cmocka_unit_test(the_fastest_is_learned_within_reason),
		cmocka_unit_test(looks_in_quick_succession_are_put_together),
		cmocka_unit_test(the_next_look_comes_before_memory_ends),
		cmocka_unit_test(a_machine_with_zram_is_read_without_allocation),
		cmocka_unit_test(the_arc_is_available),
		cmocka_unit_test(a_machine_without_psi_is_still_read),
		cmocka_unit_test(growth_before_a_restart_is_forgotten_but_not_what_was_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
