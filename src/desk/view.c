/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"
#include "build-config.h"
#include "state-json.h"

#include <string.h>

#define WIDE(field)   offsetof(struct wire_state, field), true
#define NARROW(field) offsetof(struct wire_state, field), false

static const struct number {
	const char *name;
	size_t offset;
	bool wide; /* 64 bits, else 32 */
	bool told; /* when it changes; the others do at every look */
} numbers[VIEW_NUMBERS] = {
	{ "AvailableBytes", WIDE(mem.available_bytes), false },
	{ "TotalBytes", WIDE(mem.total_bytes), false },
	{ "SwapFreeBytes", WIDE(mem.swap_free_bytes), false },
	{ "SwapTotalBytes", WIDE(mem.swap_total_bytes), false },
	{ "VictimsInFlight", NARROW(flight_count), false },
	{ "WarnLevelBytes", WIDE(warn_memory_bytes), true },
	{ "KillLevelBytes", WIDE(kill_memory_bytes), true },
	{ "Episodes", WIDE(counts.episodes), true },
	{ "Kills", WIDE(counts.kills), true },
	{ "StuckVictims", WIDE(counts.stuck), true },
	{ "FreedBytes", WIDE(counts.freed_bytes), true },
	{ "HiddenMms", NARROW(hidden_count), true },
};

static uint64_t read_number(const struct number *n, const struct wire_state *s)
{
	const char *field = (const char *)s + n->offset;
	uint32_t narrow = 0;
	uint64_t wide = 0;

	if (n->wide)
		memcpy(&wide, field, sizeof(wide));
	else
		memcpy(&narrow, field, sizeof(narrow));
	return n->wide ? wide : narrow;
}

void view_make(const struct wire_state *s, struct view *ret)
{
	*ret = (struct view){ .running = s != NULL, .level = "" };
	if (!s)
		return;
	ret->in_episode = s->in_episode;
	ret->dry_run = s->dry_run;
	ret->level = state_level_name(s->level);
	for (size_t i = 0; i < VIEW_NUMBERS; i++)
		ret->number[i] = read_number(&numbers[i], s);
}

void view_get(const struct view *v, const char *name, struct view_value *ret)
{
	size_t i = 0;

	*ret = (struct view_value){ .type = 'b' };
	if (strcmp(name, "Version") == 0) {
		*ret = (struct view_value){ .type = 's', .text = OOMFWD_VERSION };
	} else if (strcmp(name, "Level") == 0) {
		*ret = (struct view_value){ .type = 's', .text = v->level };
	} else if (strcmp(name, "Running") == 0) {
		ret->number = v->running;
	} else if (strcmp(name, "InEpisode") == 0) {
		ret->number = v->in_episode;
	} else if (strcmp(name, "DryRun") == 0) {
		ret->number = v->dry_run;
	} else {
		while (strcmp(numbers[i].name, name) != 0)
			i++;
		ret->type = numbers[i].wide ? 't' : 'u';
		ret->number = v->number[i];
	}
}

size_t view_changes(
	const struct view *before, const struct view *now, const char *ret[VIEW_CHANGES_MAX + 1])
{
	size_t n = 0;

	if (now->running != before->running)
		ret[n++] = "Running";
	if (now->in_episode != before->in_episode)
		ret[n++] = "InEpisode";
	if (strcmp(now->level, before->level) != 0)
		ret[n++] = "Level";
	if (now->dry_run != before->dry_run)
		ret[n++] = "DryRun";
	for (size_t i = 0; i < VIEW_NUMBERS; i++)
		if (numbers[i].told && now->number[i] != before->number[i])
			ret[n++] = numbers[i].name;
	ret[n] = NULL;
	return n;
}
