/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What engine.c (decides) and engine-outcome.c (takes note of what came of it) share; nobody else
 * includes it.
 */
#pragma once

#include "engine.h"

#define ENGINE_KILL_TIME_MAX_USEC (2 * USEC_PER_SEC)

/* Takes in the outcome of the pending action, if there is one, and what is seen of the victims. */
void engine_absorb(struct engine *e, const struct engine_input *in);
