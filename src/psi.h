/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sensing: PSI triggers, what is available, and when to look next. sensor.c is the half that has
 * effects, psi.c the pure one.
 */
#pragma once

#include "config.h"

#include <stdbool.h>
#include <stdint.h>

struct meminfo {
	uint64_t total_bytes;     /* MemTotal less what hugetlb holds */
	uint64_t available_bytes; /* MemAvailable plus the part of the ZFS ARC that gives way */
	uint64_t anon_bytes;      /* AnonPages */
	uint64_t shmem_bytes;
	/* What swap has taken off memory and can yet: zram is counted by what it saves, see
	 * psi_count_zram(). A total of 0: no swap. */
	uint64_t swap_total_bytes, swap_free_bytes;
	uint64_t kernel_oom_kills; /* vmstat oom_kill, since boot */
};

/* Cumulative stall, µs since boot, of one pressure file. */
struct pressure {
	uint64_t some_usec, full_usec;
};

/* All fds the looks need, opened once. */
struct sensor;

/* Opens meminfo (libproc2), the pressure file and, where there are, zram and ARC statistics.
 * A missing pressure file is no error (sensor_pressure_errno tells). 0 or -errno. */
int sensor_new(struct sensor **ret);
/* As sensor_new, with root before every path but those of libproc2, which knows /proc only: for
 * tests. */
int sensor_new_at(const char *root, struct sensor **ret);
void sensor_free(struct sensor *s);
/* Looks again which swap devices are zram; now and then, never in an episode. */
void sensor_refresh_devices(struct sensor *s);
/* No allocation, no blocking; every call reads anew. 0 or -errno. A zram device that has gone away
 * since the last refresh is left out. */
int sensor_read(struct sensor *s, struct meminfo *ret);
/* The same for calm times: while a quarter of memory is available kernel_oom_kills stays as it was
 * read last, for it comes from a file that costs more than all else of a look (the kernel adds up
 * the counters of all CPUs). */
int sensor_read_calm(struct sensor *s, struct meminfo *ret);
int sensor_read_pressure(struct sensor *s, struct pressure *ret);
/* Why there is no pressure file: 0 when there is, else -errno (-ENOENT, -EOPNOTSUPP: no PSI or
 * switched off). */
int sensor_pressure_errno(const struct sensor *s);

/*
 * Arms a trigger on a pressure file ("/proc/pressure/memory" or a cgroup's memory.pressure):
 * POLLPRI on the fd returned when stalled stall_usec within window_usec; POLLERR: the source is
 * gone. The window is rounded up to a multiple of 2 s, stall in proportion, when the kernel
 * refuses it without CAP_SYS_RESOURCE (kernel/sched/psi.c:psi_trigger_create). Returns the fd, or
 * -errno: -ENOENT/-EOPNOTSUPP no PSI or switched off (psi=1), -EPERM not allowed, -EINVAL (also
 * when path is no pressure file: nothing is written to it then).
 */
int psi_trigger_open(const char *path, bool full, uint64_t stall_usec, uint64_t window_usec);

/* --- pure from here on --- */

int psi_parse(const char *text, struct pressure *ret); /* 0 or -EINVAL */
/* What came to the stall between two readings that a level looks at: of all tasks (full), or of
 * some, as for one that is off. */
uint64_t psi_stall_usec(const struct config_pressure *c, const struct pressure *before,
	const struct pressure *after);
/* "size" less "c_min" of arcstats: what the ARC gives back under pressure. 0 or -EINVAL. */
int psi_parse_arcstats(const char *text, uint64_t *ret_reclaimable_bytes);
/* What free bytes on a zram device save, given mm_stat's original and used sizes. */
uint64_t psi_zram_saving(uint64_t free_bytes, uint64_t orig_bytes, uint64_t used_bytes);

/* One line of /proc/swaps. */
struct swap_device {
	char path[64]; /* cut; " (deleted)" and octal escapes as the kernel writes them */
	uint64_t size_bytes, used_bytes;
};
/* Parses the line at *text and moves *text to the next. 1, 0 at the end, -EINVAL for a line that is
 * no device (the heading), which is skipped too. */
int psi_parse_swap(const char **text, struct swap_device *ret);

/* One zram device in use as swap. */
struct zram {
	uint64_t size_bytes, slots_used_bytes;          /* as swap sees it */
	uint64_t orig_bytes, stored_bytes, limit_bytes; /* mm_stat; limit 0: none */
};
int psi_parse_mm_stat(const char *text, struct zram *ret); /* its part; 0 or -EINVAL */
/*
 * Turns SwapTotal and SwapFree of m into what swap can take off memory. A disk's bytes count whole.
 * A zram device counts, as used, what it saves already (original less stored) and, as free, what
 * its free slots would save at the present ratio (psi_zram_saving). Of the free slots no more
 * counts than can ever be filled: all that memory holds or has room for and could be moved there
 * (anonymous, shared, available), or what mem_limit lets in. Else a device made larger than memory
 * would for ever look half empty, and its share of free swap never reach a level.
 */
void psi_count_zram(struct meminfo *m, const struct zram *z, uint32_t count);

/* A ring of readings, to tell the share of a span that was stalled. */
#define PSI_HISTORY 64
struct psi_history {
	uint32_t head, count;
	struct {
		uint64_t at_usec;
		struct pressure p;
	} ring[PSI_HISTORY];
};
/* Keeps readings at least span/32 apart, and the newest always, so that the ring reaches back over
 * the longest span. A clock that goes back empties it. */
void psi_history_add(struct psi_history *h, uint64_t now_usec, const struct pressure *p,
	uint64_t longest_span_usec);
/* Whether the stall over the last span reaches the percentage; between two readings it is taken to
 * be even. False while the ring does not reach back that far. */
bool psi_history_reaches(
	const struct psi_history *h, const struct config_pressure *c, uint64_t now_usec);

/*
 * How fast memory can fill and does: fastest is learned upward from the configured rate, growth is
 * the current speed (bytes a second) of available plus free swap going down, the worst within the
 * last half second. Readings closer than 5 ms are put off to the next, since the kernel folds its
 * per-CPU counters in lumps. Not more than eight times the configured rate is learned: a huge page
 * pool or a balloon takes memory at a stroke, and no program fills it at that speed.
 */
#define FILL_RATE_DEFAULT (UINT64_C(1) << 30) /* for a configured rate of 0 */
struct fill_rate {
	uint64_t fastest_bytes, limit_bytes; /* a second */
	uint64_t last_usec, last_level_bytes;
	uint32_t head;
	struct {
		uint64_t at_usec, bytes_per_sec;
	} recent[8];
};
void fill_rate_init(struct fill_rate *f, uint64_t configured_bytes_per_sec);
void fill_rate_add(struct fill_rate *f, uint64_t now_usec, uint64_t level_bytes);
uint64_t fill_rate_growth(const struct fill_rate *f, uint64_t now_usec);
/* Forgets the growth so far, not what was learned: after a kill it was mostly the victim's. */
void fill_rate_restart(struct fill_rate *f);

/*
 * The longest sleep that the headroom above a level allows: the time in which the fastest plausible
 * fill uses it up, no less than half the time it would take for the reserve below the level (so
 * that the level is seen before memory ends), within [10 ms, max_usec].
 */
uint64_t psi_next_look_usec(uint64_t headroom_bytes, uint64_t reserve_bytes,
	uint64_t fastest_bytes_per_sec, uint64_t max_usec);
