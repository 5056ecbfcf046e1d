/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * post_kill: a program that is run after each episode, one at a time, with the desk's own rights.
 *
 * It gets the episode as JSON on standard input and the most important of it in OOMFWD_*
 * variables, has a process group of its own, and is ended when it takes too long: SIGTERM to the
 * group, SIGKILL two seconds later. What it leaves behind in its group when it exits is killed too.
 */
#pragma once

#include "json.h"

#define HOOK_QUEUE_MAX 16

struct hooks;

int hooks_new(struct hooks **ret);
/* Kills what runs; what waits is forgotten. */
void hooks_free(struct hooks *h);
/* For those that start from now on. path "": none, and what waits is forgotten. */
void hooks_configure(struct hooks *h, const char *path, uint64_t timeout_usec);
/* Puts an episode (episode_json) in the queue; the oldest one in it falls out when it is full. */
void hooks_add(struct hooks *h, const struct json *episode);
/* While held, none is started: memory is short. */
void hooks_hold(struct hooks *h, bool held);

/* Readable when hooks_dispatch() has something to do; constant, borrowed. */
int hooks_fd(const struct hooks *h);
/* When it has to be called at the latest (CLOCK_MONOTONIC); USEC_NEVER. */
uint64_t hooks_next_usec(const struct hooks *h);
/* Sees to the one that runs, and starts the next. Never blocks. */
void hooks_dispatch(struct hooks *h, uint64_t now_usec);
