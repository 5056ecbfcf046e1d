/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cgroups that are to die with a victim: from when one of their processes is signalled to when the
 * rest is killed, or spared. Pure, time is an argument; a module of its own because that outlives
 * the slots of those signalled.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WHOLE_MAX        64  /* cgroups at a time */
#define CGROUP_PATH_SIZE 512 /* with the final '\0' */

struct domain_place;

enum whole_state {
	WHOLE_FREE,
	WHOLE_ASKED, /* whether it dies could not be told in time; its path is that of the victim */
	WHOLE_DUE,
	WHOLE_DONE, /* killed, or not to be: only slots know it still */
};

/* Another cgroup may have been made under the path meanwhile. */
struct whole_instance {
	uint64_t id;             /* of the directory, 0: not known; then, if not 0: */
	uint64_t youngest_ticks; /* one of its processes at least was born no later */
};

struct whole {
	enum whole_state state;
	char path[CGROUP_PATH_SIZE];      /* "": could not be read either */
	const struct domain_place *place; /* in whose name; only compared */
	struct whole_instance which;
	uint32_t slots;            /* of its processes */
	bool begun;                /* one of them is dead */
	bool killed;               /* or has had SIGKILL: the others need not be waited for */
	bool alone;                /* nobody but the victim had a signal */
	bool told;                 /* that the kernel has not confirmed the kill */
	uint64_t grace_until_usec; /* of those who have had SIGTERM */
	uint64_t retry_usec;       /* not tried before */
	uint64_t until_usec;       /* given up then; 0: not tried yet */
	uint32_t failed;           /* tries */
};

struct whole_table {
	struct whole at[WHOLE_MAX];
	uint64_t pause_usec; /* nothing is tried before */
};

/* The index of a cgroup in the table, or -ENOSPC. known: it dies whole; else that is to be asked.
 * youngest_ticks: struct whole_instance. */
int whole_note(struct whole_table *t, const char *path, const struct domain_place *place,
	bool known, uint64_t youngest_ticks, uint64_t grace_until_usec);

/* Another slot is one of its processes; and is one no more. Where the last one leaves and nobody is
 * dead the cgroup is forgotten. i < 0: nothing happens, here and below. */
void whole_join(struct whole_table *t, int i);
void whole_leave(struct whole_table *t, int i);

/*
 * The directory as just listed, with the slot of the caller's in it. Where it is another one than
 * before, of the same path, that slot is moved to an entry of its own: the index of that, or
 * -ENOSPC. Which one it was before may not be known: then nobody has died here.
 */
int whole_seen(struct whole_table *t, int i, uint64_t id, uint64_t grace_until_usec);

void whole_has_begun(struct whole_table *t, int i);
void whole_has_sigkill(struct whole_table *t, int i);

/* The next one of a place that is to be seen to now, or -1; and when that is, UINT64_MAX: never, if
 * nothing else happens. */
int whole_next(const struct whole_table *t, const struct domain_place *place, uint64_t now_usec);
uint64_t whole_next_usec(const struct whole_table *t, const struct domain_place *place);

/* What dies with the victim of one that was WHOLE_ASKED: path, NULL: nothing else. Where another
 * one is that cgroup already, it sees to both. */
void whole_answered(struct whole_table *t, int i, const char *path);

/* It was killed, or cannot be. Its path may still be read until another one is noted. */
void whole_done(struct whole_table *t, int i);

/* What was tried came to nothing for now. Returns whether to try again: not after timeout_usec, and
 * then it is as done. */
bool whole_failed(struct whole_table *t, int i, uint64_t timeout_usec, uint64_t now_usec);

/* A try took so long: after a slow one nothing is tried for five times as long. */
void whole_took(struct whole_table *t, uint64_t took_usec, uint64_t now_usec);

/* All of a domain, NULL: of all domains, which have no slots any more. */
void whole_forget(struct whole_table *t, const struct domain_place *place);
