/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pure half of sensing: what the texts say, what swap is worth, how long to sleep.
 */
#include "psi.h"

#include "util.h"

#include <string.h>

/* Below this a zram device has no ratio yet: mkswap's one page makes orig 4096 and used 12288,
 * which would read as incompressible. */
#define ZRAM_SAMPLE_BYTES MIB

#define RATE_MIN_USEC    (5 * USEC_PER_MSEC)
#define RATE_WINDOW_USEC (500 * USEC_PER_MSEC)
#define RATE_LEARN_MAX   8

#define LOOK_MIN_USEC (10 * USEC_PER_MSEC)

/* Blanks, then a decimal number that must end at a blank, a line end or the end. */
static bool take_number(const char **text, uint64_t *ret)
{
	const char *p = *text + strspn(*text, " \t");
	const char *start = p;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
			__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n))
			return false;
	if (p == start || !strchr(" \t\n", *p))
		return false;
	*text = p;
	*ret = n;
	return true;
}

static const char *next_line(const char *text)
{
	text += strcspn(text, "\n");
	return *text ? text + 1 : text;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static bool parse_pressure_line(const char *line, const char *name, uint64_t *ret_usec)
{
	size_t length = strlen(name);
	const char *end = line + strcspn(line, "\n"), *total;

	if (strncmp(line, name, length) != 0 || line[length] != ' ')
		return false;
	total = strstr(line, " total=");
	if (!total || total >= end)
		return false;
	total += strlen(" total=");
	return *total >= '0' && *total <= '9' && take_number(&total, ret_usec) && total == end;
}

int psi_parse(const char *text, struct pressure *ret)
{
	struct pressure p;

	if (!parse_pressure_line(text, "some", &p.some_usec) ||
		!parse_pressure_line(next_line(text), "full", &p.full_usec))
		return -EINVAL;
	*ret = p;
	return 0;
}

/* "c_min                           4    1040187392": name, type, value. */
static bool arcstat_line(const char *line, const char *name, uint64_t *ret)
{
	size_t length = strlen(name);
	uint64_t type;

	if (strncmp(line, name, length) != 0 || !strchr(" \t", line[length]))
		return false;
	line += length;
	return take_number(&line, &type) && take_number(&line, ret);
}

int psi_parse_arcstats(const char *text, uint64_t *ret_reclaimable_bytes)
{
	uint64_t size = 0, c_min = 0;
	bool has_size = false, has_c_min = false;

	for (; *text; text = next_line(text)) {
		has_size |= arcstat_line(text, "size", &size);
		has_c_min |= arcstat_line(text, "c_min", &c_min);
	}
	if (!has_size || !has_c_min)
		return -EINVAL;
	*ret_reclaimable_bytes = sub_or_zero_u64(size, c_min);
	return 0;
}

int psi_parse_swap(const char **text, struct swap_device *ret)
{
	const char *p = *text;
	struct swap_device d;
	size_t length;

	if (!*p)
		return 0;
	*text = next_line(p);
	length = strcspn(p, " \t\n");
	if (length == 0)
		return -EINVAL;
	snprintf(d.path, sizeof(d.path), "%.*s", (int)min_u64(length, sizeof(d.path) - 1), p);
	p += length;
	p += strspn(p, " \t");
	p += strcspn(p, " \t\n"); /* "partition" or "file" */
	if (!take_number(&p, &d.size_bytes) || !take_number(&p, &d.used_bytes))
		return -EINVAL;
	d.size_bytes = mul_sat_u64(d.size_bytes, KIB);
	d.used_bytes = mul_sat_u64(d.used_bytes, KIB);
	*ret = d;
	return 1;
}

/* orig_data_size compr_data_size mem_used_total mem_limit ..., in bytes */
int psi_parse_mm_stat(const char *text, struct zram *ret)
{
	uint64_t orig, compressed, used, limit;

	if (!take_number(&text, &orig) || !take_number(&text, &compressed) ||
		!take_number(&text, &used) || !take_number(&text, &limit))
		return -EINVAL;
	ret->orig_bytes = orig;
	ret->stored_bytes = used;
	ret->limit_bytes = limit;
	return 0;
}

uint64_t psi_zram_saving(uint64_t free_bytes, uint64_t orig_bytes, uint64_t used_bytes)
{
	if (orig_bytes < ZRAM_SAMPLE_BYTES)
		return free_bytes / 2;
	if (used_bytes >= orig_bytes)
		return 0;
	return mul_div_u64(free_bytes, orig_bytes - used_bytes, orig_bytes);
}

/* How many more bytes mem_limit lets in, at the present ratio. */
static uint64_t zram_room(const struct zram *z)
{
	uint64_t left = sub_or_zero_u64(z->limit_bytes, z->stored_bytes);

	if (z->limit_bytes == 0)
		return UINT64_MAX;
	if (z->orig_bytes < ZRAM_SAMPLE_BYTES || z->stored_bytes == 0)
		return mul_sat_u64(left, 2);
	return mul_div_u64(left, z->orig_bytes, z->stored_bytes);
}

void psi_count_zram(struct meminfo *m, const struct zram *z, uint32_t count)
{
	uint64_t movable =
		add_sat_u64(add_sat_u64(m->anon_bytes, m->shmem_bytes), m->available_bytes);
	uint64_t saved = 0, saving = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t slots = sub_or_zero_u64(z[i].size_bytes, z[i].slots_used_bytes);
		uint64_t fillable = min_u64(min_u64(slots, zram_room(&z[i])), movable);

		m->swap_total_bytes = sub_or_zero_u64(m->swap_total_bytes, z[i].size_bytes);
		m->swap_free_bytes = sub_or_zero_u64(m->swap_free_bytes, slots);
		movable -= fillable;
		saved = add_sat_u64(saved, sub_or_zero_u64(z[i].orig_bytes, z[i].stored_bytes));
		saving = add_sat_u64(
			saving, psi_zram_saving(fillable, z[i].orig_bytes, z[i].stored_bytes));
	}
	m->swap_total_bytes = add_sat_u64(m->swap_total_bytes, add_sat_u64(saved, saving));
	/* SwapFree was read before the slots, which may have been filled since. */
	m->swap_free_bytes = min_u64(add_sat_u64(m->swap_free_bytes, saving), m->swap_total_bytes);
}

/* The i-th newest reading. */
static uint32_t history_index(const struct psi_history *h, uint32_t i)
{
	return (h->head + PSI_HISTORY - 1 - i) % PSI_HISTORY;
}

void psi_history_add(struct psi_history *h, uint64_t now_usec, const struct pressure *p,
	uint64_t longest_span_usec)
{
	uint32_t newest = history_index(h, 0), settled = history_index(h, 1);

	if (h->count > 0 && now_usec < h->ring[newest].at_usec)
		h->count = 0;
	/* The newest moves on with the clock until it is far enough from the one before it. */
	if (h->count >= 2 &&
		h->ring[newest].at_usec - h->ring[settled].at_usec < longest_span_usec / 32) {
		h->ring[newest].at_usec = now_usec;
		h->ring[newest].p = *p;
		return;
	}
	h->ring[h->head].at_usec = now_usec;
	h->ring[h->head].p = *p;
	h->head = (h->head + 1) % PSI_HISTORY;
	if (h->count < PSI_HISTORY)
		h->count++;
}

uint64_t psi_stall_usec(const struct config_pressure *c, const struct pressure *before,
	const struct pressure *after)
{
	return c->set && c->full ? sub_or_zero_u64(after->full_usec, before->full_usec)
				 : sub_or_zero_u64(after->some_usec, before->some_usec);
}

bool psi_history_reaches(
	const struct psi_history *h, const struct config_pressure *c, uint64_t now_usec)
{
	uint32_t newest = history_index(h, 0), before, after, i;
	uint64_t start, gap, part, stalled;

	if (!c->set || c->span_usec == 0 || now_usec < c->span_usec)
		return false;
	start = now_usec - c->span_usec;
	for (i = 0; i < h->count && h->ring[history_index(h, i)].at_usec > start; i++)
		;
	if (i == 0 || i == h->count)
		return false; /* nothing within the span, or nothing from before it */
	before = history_index(h, i);
	after = history_index(h, i - 1);
	gap = h->ring[after].at_usec - h->ring[before].at_usec;
	part = h->ring[after].at_usec - start;
	stalled = psi_stall_usec(c, &h->ring[before].p, &h->ring[after].p);
	stalled = add_sat_u64(mul_div_u64(stalled, part, gap),
		psi_stall_usec(c, &h->ring[after].p, &h->ring[newest].p));
	return stalled >= mul_div_u64(c->span_usec, c->percent, 100);
}

void fill_rate_init(struct fill_rate *f, uint64_t configured_bytes_per_sec)
{
	if (configured_bytes_per_sec == 0)
		configured_bytes_per_sec = FILL_RATE_DEFAULT;
	*f = (struct fill_rate){
		.fastest_bytes = configured_bytes_per_sec,
		.limit_bytes = mul_sat_u64(configured_bytes_per_sec, RATE_LEARN_MAX),
		.last_usec = USEC_NEVER,
	};
}

/* Keeps the worst of every sixteenth of a second, so that eight of them hold half a second however
 * often we look. */
static void keep_recent(struct fill_rate *f, uint64_t now_usec, uint64_t rate)
{
	uint32_t newest = (f->head + ARRAY_SIZE(f->recent) - 1) % ARRAY_SIZE(f->recent);

	if (f->recent[newest].at_usec > 0 &&
		now_usec - f->recent[newest].at_usec < RATE_WINDOW_USEC / ARRAY_SIZE(f->recent)) {
		if (rate < f->recent[newest].bytes_per_sec)
			return;
	} else {
		newest = f->head;
		f->head = (f->head + 1) % ARRAY_SIZE(f->recent);
	}
	f->recent[newest].at_usec = now_usec;
	f->recent[newest].bytes_per_sec = rate;
}

void fill_rate_add(struct fill_rate *f, uint64_t now_usec, uint64_t level_bytes)
{
	uint64_t used, rate, elapsed;

	if (f->last_usec == USEC_NEVER || now_usec < f->last_usec) {
		memset(f->recent, 0, sizeof(f->recent)); /* a clock that went back */
		f->last_usec = now_usec;
		f->last_level_bytes = level_bytes;
		return;
	}
	elapsed = now_usec - f->last_usec;
	if (elapsed < RATE_MIN_USEC)
		return;
	used = sub_or_zero_u64(f->last_level_bytes, level_bytes);
	rate = mul_div_u64(used, USEC_PER_SEC, elapsed);
	f->last_usec = now_usec;
	f->last_level_bytes = level_bytes;
	f->fastest_bytes = max_u64(f->fastest_bytes, min_u64(rate, f->limit_bytes));
	keep_recent(f, now_usec, rate);
}

uint64_t fill_rate_growth(const struct fill_rate *f, uint64_t now_usec)
{
	uint64_t worst = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(f->recent); i++)
		if (f->recent[i].at_usec > 0 &&
			sub_or_zero_u64(now_usec, f->recent[i].at_usec) <= RATE_WINDOW_USEC)
			worst = max_u64(worst, f->recent[i].bytes_per_sec);
	return worst;
}

void fill_rate_restart(struct fill_rate *f)
{
	memset(f->recent, 0, sizeof(f->recent));
	f->last_usec = USEC_NEVER;
}

uint64_t psi_next_look_usec(uint64_t headroom_bytes, uint64_t reserve_bytes,
	uint64_t fastest_bytes_per_sec, uint64_t max_usec)
{
	uint64_t until_level, until_end;

	if (fastest_bytes_per_sec == 0)
		return max_usec;
	until_level = mul_div_u64(headroom_bytes, USEC_PER_SEC, fastest_bytes_per_sec);
	until_end = mul_div_u64(reserve_bytes, USEC_PER_SEC, fastest_bytes_per_sec);
	return min_u64(max_u64(max_u64(until_level, until_end / 2), LOOK_MIN_USEC), max_usec);
}
