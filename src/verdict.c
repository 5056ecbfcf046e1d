/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verdict.h"

#include "util.h"

#include <signal.h>

#define HELD_USEC          (100 * USEC_PER_MSEC)
#define WALK_USEC_PER_GIB  (20 * USEC_PER_MSEC)
#define PRESSURE_NEED_PART 64

static bool memory_low(const struct config_level *l, const struct meminfo *m)
{
	if (l->memory.kind == AMOUNT_OFF ||
		m->available_bytes > config_amount_bytes(&l->memory, m->total_bytes))
		return false;
	if (l->swap.kind == AMOUNT_OFF || m->swap_total_bytes == 0)
		return true;
	return m->swap_free_bytes <= config_amount_bytes(&l->swap, m->swap_total_bytes);
}

enum engine_level verdict_level(const struct config *c, const struct meminfo *m, bool pressure_warn,
	bool pressure_kill, enum engine_cause *ret_cause)
{
	/* Stalls with plenty of memory are a container at its own limit, or slow disks. */
	bool guard = c->pressure_guard.kind == AMOUNT_OFF ||
		m->available_bytes < config_amount_bytes(&c->pressure_guard, m->total_bytes);
	enum engine_level level = LEVEL_OK;

	*ret_cause = CAUSE_NONE;
	if (memory_low(&c->kill, m)) {
		level = LEVEL_KILL;
		*ret_cause = CAUSE_MEMORY;
	} else if (pressure_kill && guard) {
		level = LEVEL_KILL;
		*ret_cause = CAUSE_PRESSURE;
	} else if (memory_low(&c->warn, m)) {
		level = LEVEL_WARN;
		*ret_cause = CAUSE_MEMORY;
	} else if (pressure_warn && guard) {
		level = LEVEL_WARN;
		*ret_cause = CAUSE_PRESSURE;
	}
	return level;
}

static bool asks_for_swap(const struct config_level *l)
{
	return l->memory.kind != AMOUNT_OFF && l->swap.kind != AMOUNT_OFF;
}

bool verdict_swap_counts(const struct config *c)
{
	/* By pressure alone: who has much in swap may be who stalls. */
	bool by_memory = c->warn.memory.kind != AMOUNT_OFF || c->kill.memory.kind != AMOUNT_OFF;

	return !by_memory || asks_for_swap(&c->warn) || asks_for_swap(&c->kill);
}

/* From free up to an eighth above the amount; 0 when it is there already. */
static uint64_t missing_bytes(
	const struct config_amount *a, uint64_t total_bytes, uint64_t free_bytes)
{
	uint64_t target = config_amount_bytes(a, total_bytes);

	return sub_or_zero_u64(min_u64(add_sat_u64(target, target / 8), total_bytes), free_bytes);
}

/* What ends a level that holds; 0: it does not hold. A level needs memory and swap to be low:
 * lifting the nearer one ends it. */
static uint64_t level_need_bytes(const struct config_level *l, const struct meminfo *m)
{
	uint64_t need, swap;

	if (!memory_low(l, m))
		return 0;
	need = missing_bytes(&l->memory, m->total_bytes, m->available_bytes);
	if (l->swap.kind == AMOUNT_OFF || m->swap_total_bytes == 0)
		return need;
	swap = missing_bytes(&l->swap, m->swap_total_bytes, m->swap_free_bytes);
	return swap > 0 ? min_u64(need, swap) : need;
}

uint64_t verdict_need_bytes(const struct config *c, const struct meminfo *m)
{
	/* Either may be the farther one to end: a share and a size compare differently on each
	 * machine, and one may heed swap where the other does not. */
	return max_u64(max_u64(level_need_bytes(&c->warn, m), level_need_bytes(&c->kill, m)), 1);
}

uint64_t verdict_pressure_need_bytes(const struct meminfo *m)
{
	return max_u64(m->total_bytes / PRESSURE_NEED_PART, 1);
}

struct shortage verdict_shortage(const struct config *c, const struct meminfo *m)
{
	const struct config_level *l = c->kill.memory.kind == AMOUNT_OFF ? &c->warn : &c->kill;
	struct shortage s = { .at = *m, .pressure = l->memory.kind == AMOUNT_OFF };

	if (s.pressure) {
		s.need_bytes = verdict_pressure_need_bytes(m);
		return s;
	}
	s.at.available_bytes =
		min_u64(m->available_bytes, config_amount_bytes(&l->memory, m->total_bytes));
	s.at.swap_free_bytes =
		min_u64(m->swap_free_bytes, config_amount_bytes(&l->swap, m->swap_total_bytes));
	s.need_bytes = verdict_need_bytes(c, &s.at);
	return s;
}

uint64_t verdict_walk_usec(uint64_t bytes)
{
	return mul_div_u64(bytes, WALK_USEC_PER_GIB, GIB);
}

/* The mm itself is the first witness: see docs/DESIGN.md, "Verdict". */
enum verdict verdict_of(const struct attempt *a, const struct engine_observation *o,
	const struct config *c, uint64_t now_usec)
{
	bool teardown = o->handle_valid && o->mm_gone;
	uint64_t cap = add_sat_u64(a->signalled_usec, c->victim_cap_usec);
	/* All have exited and the mm has users still: somebody who is not dying holds it, and there
	 * is nothing left to wait for. The short wait is for those who hold an mm to read it. */
	bool held = o->handle_valid && o->all_exited && !o->mm_gone;
	uint64_t patience = held
		? min_u64(add_sat_u64(HELD_USEC, verdict_walk_usec(a->expected_bytes)),
			  c->victim_timeout_usec)
		: c->victim_timeout_usec;
	bool overdue = now_usec >= cap || now_usec >= add_sat_u64(a->progress_usec, patience);

	if (teardown && o->all_exited)
		return VERDICT_FREED;
	if (!o->handle_valid && o->all_exited && !o->mm_visible)
		return VERDICT_FREED; /* the weaker witness: all that the kernel lets us see */
	/* Reaping gives private memory back; shared memory waits for the last unmap. */
	if (o->reaped && add_sat_u64(o->rss_bytes, a->shmem_bytes) <= a->expected_bytes / 8)
		return VERDICT_FREED;
	/* Without users nothing can hold the memory; taking down a large mm takes its time (some 60
	 * ms a GiB), and cannot be seen until the task has exited, so only the cap ends this wait.
	 * Others are chosen long before, if they are needed (engine_is_spent). */
	if (teardown)
		return now_usec < cap ? VERDICT_FREEING : VERDICT_FREED;
	if (a->sig != SIGKILL)
		return VERDICT_FREEING; /* its grace is the engine's business */
	return overdue ? VERDICT_STUCK : VERDICT_FREEING;
}

/* What must be used up before a level is reached: memory and swap have to be low, so the farther
 * one counts. UINT64_MAX: memory alone never reaches it. */
static uint64_t headroom_bytes(const struct config_level *l, const struct meminfo *m)
{
	uint64_t memory = sub_or_zero_u64(
		m->available_bytes, config_amount_bytes(&l->memory, m->total_bytes));

	if (l->memory.kind == AMOUNT_OFF)
		return UINT64_MAX;
	if (l->swap.kind == AMOUNT_OFF || m->swap_total_bytes == 0)
		return memory;
	return max_u64(memory,
		sub_or_zero_u64(
			m->swap_free_bytes, config_amount_bytes(&l->swap, m->swap_total_bytes)));
}

uint64_t verdict_calm_usec(
	const struct config *c, const struct meminfo *m, uint64_t fastest_bytes_per_sec)
{
	return psi_next_look_usec(min_u64(headroom_bytes(&c->warn, m), headroom_bytes(&c->kill, m)),
		config_amount_bytes(&c->kill.memory, m->total_bytes), fastest_bytes_per_sec,
		c->max_sleep_usec);
}
