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

/* After the slots have had SIGKILL: the rest of their cgroups, also those born since, unless
 * somebody in it is protected. */
void act_cgroup_kill(
	struct actor *a, const int *slots, uint32_t count, const struct act_context *c);

/* The victim of a slot is dead, or does not die. What dies with it is asked once more where that
 * could not be told in time when it was signalled, and then gets SIGKILL, without a slot. */
void act_cgroup_finish(struct actor *a, int slot, const struct act_context *c);
