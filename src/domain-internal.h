/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between domain.c, which knows the domains there are, and domain-watch.c, which watches those that
 * stall. Nobody else includes this.
 */
#pragma once

#include "cgroup-find.h"
#include "domain.h"
#include "watch.h"

#define TROUBLED_MAX     16
#define DOMAIN_PATH_SIZE 512
/* After an alarm all domains of the section are read for so long. */
#define SWEEP_FOR_USEC (3 * USEC_PER_SEC)

struct domain {
	char *path;
	uint32_t section;
	uint64_t read_usec; /* when last was read; 0: never */
	struct pressure last;
};

/* One that is watched closely. */
struct troubled {
	bool used;
	char path[DOMAIN_PATH_SIZE];
	uint32_t section;
	struct domain_place place;
	struct cgroup_handle *handle;
	const struct meminfo *machine;
	const struct config_amount *memory;
	const struct config_pressure *pressure;
	uint64_t read_usec;
	struct pressure last;
	bool gone;
	bool limited; /* has a limit of its own */
	struct watch watch;
};

struct section {
	struct config *config; /* what its engines go by */
	char base[DOMAIN_PATH_SIZE];
	int trigger_fd;
	bool at_base; /* the trigger is where it belongs, not above */
	uint64_t alarmed_since_usec, alarmed_until_usec;
};

struct domains {
	const struct config *config;
	const struct cgroup_mounts *mounts;
	const struct meminfo *machine;
	struct cgroup_finder *finder;
	domains_fd_fn *fn;
	void *ctx;
	uint32_t count, capacity;
	struct domain *domain;
	uint64_t next_sweep_usec;
	struct section section[CONFIG_DOMAINS_MAX];
	struct troubled troubled[TROUBLED_MAX];
};

/* Watches this one no longer. */
void domain_leave(struct troubled *t);
