/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulation.h"

#include "util.h"

#include <string.h>

static bool is_pressure_only(const struct config *c)
{
	return c->kill.memory.kind == AMOUNT_OFF && c->warn.memory.kind == AMOUNT_OFF;
}

int simulation_new(const struct config *c, const struct snapshot *s, const struct meminfo *m,
	const struct victim_fns *fns, pid_t self, uint32_t limit, struct simulation **ret)
{
	_cleanup_(simulation_freep) struct simulation *sim = calloc(1, sizeof(*sim));
	size_t n = s->count > 0 ? s->count : 1;

	if (!sim)
		return -ENOMEM;
	sim->config = c;
	sim->fns = *fns;
	sim->self = self;
	sim->mem = *m;
	sim->pressure = is_pressure_only(c);
	sim->pressure_need_bytes = verdict_pressure_need_bytes(m);
	sim->limit = limit > 0 ? limit : UINT32_MAX;
	sim->snapshot = (struct snapshot){ .count = s->count, .capacity = s->count };
	sim->snapshot.proc_fd = -EBADF;
	sim->snapshot.tasks = calloc(n, sizeof(*s->tasks));
	sim->hidden = calloc(1, sizeof(*sim->hidden));
	sim->scratch = calloc(n, sizeof(*sim->scratch));
	sim->choice = calloc(1, sizeof(*sim->choice));
	if (!sim->snapshot.tasks || !sim->hidden || !sim->scratch || !sim->choice ||
		sharedmm_new(s->count, &sim->sharedmm) < 0)
		return -ENOMEM;
	if (s->count > 0)
		memcpy(sim->snapshot.tasks, s->tasks, s->count * sizeof(*s->tasks));
	*ret = take_pointer(&sim);
	return 0;
}

void simulation_free(struct simulation *sim)
{
	if (!sim)
		return;
	sharedmm_free(sim->sharedmm);
	free(sim->snapshot.tasks);
	free(sim->hidden);
	free(sim->scratch);
	free(sim->choice);
	free(sim);
}

struct meminfo simulation_start(
	const struct config *c, const struct meminfo *m, const struct config_amount *available)
{
	struct meminfo at = verdict_shortage(c, m).at;

	if (available)
		at.available_bytes =
			min_u64(config_amount_bytes(available, m->total_bytes), m->total_bytes);
	return at;
}

/* The level of now and what it needs. False: it is left. */
static bool is_short(struct simulation *sim)
{
	enum engine_cause cause;
	uint64_t bytes;

	if (sim->pressure) {
		sim->level = sim->pressure_need_bytes > 0 ? LEVEL_KILL : LEVEL_OK;
		bytes = sim->pressure_need_bytes;
	} else {
		sim->level = verdict_level(sim->config, &sim->mem, false, false, &cause);
		bytes = verdict_need_bytes(sim->config, &sim->mem);
	}
	sim->need = (struct victim_need){
		.bytes = bytes,
		.alone_bytes = bytes,
		.total_bytes = add_sat_u64(sim->mem.total_bytes, sim->mem.swap_total_bytes),
		.shmem_bytes = sim->mem.shmem_bytes,
		.avoided_eligible = sim->avoided_eligible,
		.no_swap = !verdict_swap_counts(sim->config),
		.unread_protects = true, /* nobody asks again in a moment */
		.explain = true,
	};
	return sim->level != LEVEL_OK;
}

/* The next step of the ladder, if it gives more to choose from; it begins at the kill level. */
static bool climb(struct simulation *sim)
{
	if (sim->level != LEVEL_KILL || sim->step >= sim->config->ladder_count ||
		sim->config->ladder[sim->step] != LADDER_AVOIDED)
		return false;
	sim->step++;
	sim->avoided_eligible = sim->need.avoided_eligible = true;
	return true;
}

bool simulation_choose(struct simulation *sim)
{
	if (!is_short(sim))
		sim->end = SIMULATION_OVER;
	else if (sim->victims >= sim->limit)
		sim->end = SIMULATION_LIMIT;
	if (sim->end != SIMULATION_GOES_ON)
		return false;
	do {
		/* As large as the arena is: it cannot fail. */
		(void)sharedmm_classify(sim->sharedmm, &sim->snapshot, sim->self);
		victim_choose(&sim->snapshot, sim->sharedmm, sim->config, sim->hidden, &sim->need,
			&sim->fns, sim->scratch, sim->choice);
	} while (sim->choice->count == 0 && climb(sim));
	if (sim->choice->count == 0) {
		sim->end = SIMULATION_NOBODY;
		return false;
	}
	sim->choice->count =
		(uint32_t)min_u64(sim->choice->count, (uint64_t)sim->limit - sim->victims);
	sim->rounds++;
	return true;
}

static void give_back(struct simulation *sim, const struct candidate *c)
{
	struct meminfo *m = &sim->mem;
	uint64_t swap = min_u64(c->group.mem.swap_bytes, c->yield_bytes);
	uint64_t memory = sim->need.no_swap ? c->yield_bytes : c->yield_bytes - swap;

	m->available_bytes = min_u64(add_sat_u64(m->available_bytes, memory), m->total_bytes);
	m->swap_free_bytes = min_u64(add_sat_u64(m->swap_free_bytes, swap), m->swap_total_bytes);
	m->shmem_bytes = sub_or_zero_u64(m->shmem_bytes, c->shmem_bytes);
	m->anon_bytes = sub_or_zero_u64(m->anon_bytes, c->group.mem.anon_bytes);
	sim->pressure_need_bytes = sub_or_zero_u64(sim->pressure_need_bytes, c->yield_bytes);
}

void simulation_kill(struct simulation *sim)
{
	struct task *tasks = sim->snapshot.tasks;
	uint32_t left = 0;

	for (uint32_t i = 0; i < sim->choice->count; i++) {
		const struct candidate *c = &sim->choice->candidates[sim->choice->chosen[i]];
		const uint32_t *members = sharedmm_members(sim->sharedmm, &c->group);

		give_back(sim, c);
		for (uint32_t k = 0; k < c->group.count; k++)
			tasks[members[k]].id.pid = 0;
		sim->victims++;
	}
	for (uint32_t i = 0; i < sim->snapshot.count; i++)
		if (tasks[i].id.pid > 0)
			tasks[left++] = tasks[i];
	sim->snapshot.count = left;
	sim->snapshot.generation++;
	sim->choice->candidate_count = sim->choice->count = 0;
}
