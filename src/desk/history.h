/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Episodes on disk: one JSON object (episode_json) a line, the newest last. When the file reaches
 * HISTORY_FILE_BYTES it becomes PATH.1 (which goes) and a new one begins. For the desk, which
 * writes it, and oomfwdctl, which reads it.
 */
#pragma once

#include "episode.h"

#define HISTORY_PATH       CONFIG_DESK_HISTORY
#define HISTORY_FILE_BYTES (4 * MIB)

/* Appends one episode, with one write, and rotates. 0 or -errno. */
int history_append(const char *path, const struct episode *e);
/* The id after the newest one in path and path.1; 1 when there is none. */
uint64_t history_next_id(const char *path);
/*
 * The newest max episodes of both files, oldest first, as a JSON array for the caller. Lines that
 * are no episodes are skipped and, as far as the search came, counted in *ret_bad (may be NULL). 0,
 * -ENOENT when there is no file, or another -errno.
 */
int history_read(const char *path, size_t max, struct json **ret, uint32_t *ret_bad);
