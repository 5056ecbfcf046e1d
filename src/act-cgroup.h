/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who dies with a victim though not sharing its memory: all of its cgroup, where memory.oom.group
 * or the section of its domain says so. Between act.c and act-cgroup.c.
 */
#pragma once

#include "actor.h"

/*
 * Finds the cgroups that die with those that were just chosen, notes them in the slots of ret, and
 * prepares a slot for each group in them that may be killed, as long as there is room: by slots
 * their memory is watched coming back, and those who share it elsewhere die too. Writes the slots,
 * VICTIM_SET_MAX at most, and returns how many.
 */
uint32_t act_cgroup_prepare(struct actor *a, const struct engine_outcome *ret,
	const struct action *action, const struct act_context *c, int *slots);

/*
 * Kills the rest of the cgroups of c->place that die whole and are due (whole.h), also those born
 * since, unless somebody in them is protected; by cgroup.kill, without a slot. Returns for how long
 * their memory is waited for before others are chosen. Takes 150 ms for one that cannot be dealt
 * with, longer each time that is tried again, up to 550 ms; and does nothing then for five times as
 * long.
 */
uint64_t act_cgroup_settle(struct actor *a, const struct act_context *c);
