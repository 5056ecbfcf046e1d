/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold between values, wherever each of them was set.
 */
#include "config-internal.h"
#include "report.h"

#include <string.h>
#include <sys/sysinfo.h>

/* Which of two values was set last: the one to complain about. NULL when one of them is wrong, so
 * that they cannot be compared, or when both are defaults. */
static const struct config_place *later(const struct config_loader *l, size_t x, size_t y)
{
	bool x_wrong = false, y_wrong = false;
	const struct config_place *a = config_key_place(l, x, &x_wrong);
	const struct config_place *b = config_key_place(l, y, &y_wrong);

	if (x_wrong || y_wrong)
		return NULL;
	if (!a || !b)
		return a ? a : b;
	if (a->file_number != b->file_number)
		return a->file_number > b->file_number ? a : b;
	return a->line > b->line ? a : b;
}

static bool is_below(const struct config_amount *warn, const struct config_amount *kill)
{
	return warn->kind == kill->kind && warn->kind != AMOUNT_OFF && warn->value < kill->value;
}

static bool is_below_here(
	const struct config_amount *warn, const struct config_amount *kill, uint64_t total_bytes)
{
	return warn->kind != kill->kind && warn->kind != AMOUNT_OFF && kill->kind != AMOUNT_OFF &&
		config_amount_bytes(warn, total_bytes) < config_amount_bytes(kill, total_bytes);
}

static void warn_of_total(struct config_loader *l, const struct config_place *at, const char *what,
	const struct config_amount *kill, uint64_t total_bytes, const char *of)
{
	char bytes[32], total[32];

	config_warn(l, at,
		"%s of [warn] is below that of [kill], which is %s of the %s of %s here, so that "
		"SIGKILL comes before SIGTERM; give both as a share or both as a size",
		what, report_bytes(config_amount_bytes(kill, total_bytes), bytes, sizeof(bytes)),
		report_bytes(total_bytes, total, sizeof(total)), of);
}

/* A share and a size compare by what this machine has. The file may be meant for others as well:
 * no error. */
static void check_levels_here(struct config_loader *l)
{
	const struct config *c = l->config;
	const struct config_place *at;
	struct sysinfo s;
	uint64_t total;

	if (sysinfo(&s) < 0)
		return;
	total = mul_sat_u64(s.totalram, s.mem_unit);
	at = later(l, offsetof(struct config, warn.memory), offsetof(struct config, kill.memory));
	if (at && is_below_here(&c->warn.memory, &c->kill.memory, total))
		warn_of_total(l, at, "memory", &c->kill.memory, total, "memory");
	total = mul_sat_u64(s.totalswap, s.mem_unit);
	at = later(l, offsetof(struct config, warn.swap), offsetof(struct config, kill.swap));
	if (at && is_below_here(&c->warn.swap, &c->kill.swap, total))
		warn_of_total(l, at, "swap", &c->kill.swap, total, "swap");
}

static void check_levels(struct config_loader *l)
{
	const struct config *c = l->config;
	const struct config_place *at;

	at = later(l, offsetof(struct config, warn.memory), offsetof(struct config, kill.memory));
	if (at && is_below(&c->warn.memory, &c->kill.memory))
		config_complain(l, at,
			"memory of [warn] is below that of [kill], so that SIGKILL would come "
			"before SIGTERM; raise [warn] or lower [kill]");
	at = later(l, offsetof(struct config, warn.swap), offsetof(struct config, kill.swap));
	if (at && is_below(&c->warn.swap, &c->kill.swap))
		config_complain(l, at,
			"swap of [warn] is below that of [kill], so that SIGKILL would come before "
			"SIGTERM; raise [warn] or lower [kill]");
	if (at && c->kill.swap.kind == AMOUNT_OFF && c->warn.swap.kind != AMOUNT_OFF)
		config_warn(l, at,
			"[kill] ignores swap but [warn] does not, so that SIGKILL may come without "
			"a SIGTERM before; set swap = off in both");
	at = later(l, offsetof(struct config, kill.memory), offsetof(struct config, kill.pressure));
	if (at && c->kill.memory.kind == AMOUNT_OFF && !c->kill.pressure.set)
		config_complain(l, at,
			"[kill] has memory = off and pressure = off, so that nothing would ever "
			"trigger it; set one of them");
}

void config_check(struct config_loader *l)
{
	const struct config *c = l->config;
	const struct config_place *at;

	check_levels(l);
	check_levels_here(l);
	at = later(l, offsetof(struct config, victim_timeout_usec),
		offsetof(struct config, victim_cap_usec));
	if (at && c->victim_cap_usec < c->victim_timeout_usec)
		config_complain(l, at,
			"victim_cap is below victim_timeout; it is the longest wait in all, so "
			"raise it or lower victim_timeout");
	at = later(l, offsetof(struct config, final), offsetof(struct config, ladder));
	if (!at || c->final == FINAL_NONE)
		return;
	for (uint32_t i = 0; i < c->ladder_count; i++)
		if (c->ladder[i] == LADDER_FINAL)
			return;
	config_warn(l, at, "the final action is never taken: ladder does not name the step final");
}
