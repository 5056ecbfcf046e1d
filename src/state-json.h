/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's state as JSON. For the programs beside it.
 */
#pragma once

#include "json.h"
#include "wire.h"

/* "ok", "warn", "kill". */
const char *state_level_name(enum engine_level level);

/* s NULL: {"running": false} and the version. Sizes in _bytes, spans in _usec, reckoned from
 * now_usec (CLOCK_MONOTONIC). The caller's; NULL: no memory. */
struct json *state_json(const struct wire_state *s, pid_t pid, uint64_t now_usec);
