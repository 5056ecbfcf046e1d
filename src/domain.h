/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domains: cgroups that a [cgroup NAME] section matches, each with a shortage of its own.
 *
 * One pressure trigger a section, on the cgroup above all that it can match, carries the alarm:
 * with a trigger for each of 1,000 cgroups the kernel would start 1,000 threads (psimon), and every
 * pass over the tasks would read them (docs/DESIGN.md has the figures). On an alarm the sections'
 * domains are read in turn; those that stall are watched closely, each by an engine of its own,
 * until they are calm. While nothing stalls, nothing runs, however many there are.
 *
 * File descriptors: one a section, one for inotify, 12 for each that is watched closely.
 */
#pragma once

#include "act.h"
#include "cgroup.h"
#include "config.h"
#include "psi.h"

#define DOMAIN_SOURCES (CONFIG_DOMAINS_MAX + 1)
#define DOMAIN_NEWS    CONFIG_DOMAINS_MAX

struct domains;

/* What the event loop is to watch as source index: a trigger (EPOLLPRI), or for DOMAIN_NEWS the
 * fd of the finder (EPOLLIN). fd is negative when there is none any more. */
typedef void domains_fd_fn(void *ctx, uint32_t index, int fd);

/*
 * Finds the domains there are and arms the triggers. c, m and machine are borrowed; machine is
 * looked at with every reading. Without sections *ret is NULL, which all functions below take for
 * "no domains". 0 or -errno.
 */
int domains_new(const struct config *c, const struct cgroup_mounts *m,
	const struct meminfo *machine, domains_fd_fn *fn, void *ctx, struct domains **ret);
/* While house may be kept only: an episode without a victim in flight ends by it, and where its
 * domain is found again it begins anew. */
void domains_free(struct domains *d);

/* How many there are now. */
uint32_t domains_count(const struct domains *d);
/* Says which sections match nothing yet, and what did not fit. */
void domains_say(const struct domains *d);

/* The trigger of a section has fired; gone: it will not again. */
void domains_alarm(struct domains *d, uint32_t section, bool gone, uint64_t now_usec);
/* Cgroups have come or gone. Allocates: while house may be kept only. */
void domains_news(struct domains *d);

/* Whether all of them may keep house (engine.h). */
bool domains_may_keep_house(const struct domains *d, uint64_t now_usec);
/* What is on its way back from victims in all of them. */
uint64_t domains_coming_bytes(const struct domains *d);
/* Who chooses nobody, for victims of the machine's shortage are in flight. */
enum domains_hold {
	DOMAINS_GO_ON,
	DOMAINS_HOLD_UNLIMITED, /* those without a limit of their own: they stall with the machine
				 */
	DOMAINS_HOLD_ALL,       /* all: the victims are on their way out, and may be theirs */
};

/*
 * Reads those that may stall, and lets the engines of those that do act, unless they are held.
 * Returns until when to wait.
 */
uint64_t domains_look(
	struct domains *d, struct actor *a, enum domains_hold hold, uint64_t detected_usec);

/* The place of a cgroup path for --domain: by its section if one matches, else of no name. */
struct domain_place domain_place_of(const struct config *c, const char *path);
/* The configuration of an engine in the domains of a section: for --domain. Caller frees. */
struct config *domain_config(const struct config *c, const struct config_domain *section);
/* What a domain's figures mean to an engine. */
void domain_meminfo(
	const struct cgroup_memory *c, const struct meminfo *machine, struct meminfo *ret);

/* Fills in the sections. d may be NULL. */
struct wire_state;
void domains_show(const struct domains *d, struct wire_state *ret);
