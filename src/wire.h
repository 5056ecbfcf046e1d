/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon lets others on this machine know: the socket, its packets and the page of state.
 * Its readers (oomfwd-desk, oomfwdctl) come in the same package: they are of one version or do not
 * talk (wire_hello).
 *
 * The socket is a SOCK_SEQPACKET one. To whom connects the daemon sends one packet of kind HELLO
 * with the fd of the state page attached (SCM_RIGHTS, sealed against writing by others), then a
 * packet of kind EVENT for each event from then on, as long as the reader takes them: to a full
 * socket nothing is sent, and the next packet that fits says how many were lost. A reader may send
 * WIRE_RELOAD.
 */
#pragma once

#include "report.h"

#include <stdatomic.h>

#define WIRE_SOCKET  "/run/oomfwd/feed"
#define WIRE_MAGIC   0x64667731u /* changes with this file */
#define WIRE_RELOAD  'r'         /* the one request: a packet of this byte. No answer */
#define WIRE_DOMAINS CONFIG_DOMAINS_MAX
#define WIRE_HIDDEN  64
#define WIRE_FLIGHT  32

enum wire_kind { WIRE_HELLO, WIRE_EVENT };

struct wire_hello {
	uint32_t magic, event_size, state_size;
	char version[32]; /* OOMFWD_VERSION */
	pid_t pid;        /* the daemon's */
};

struct wire_packet {
	uint32_t kind; /* enum wire_kind */
	uint32_t lost; /* events before this one that did not fit into the socket */
	union {
		struct wire_hello hello;
		struct report_event event;
	};
};

/* A process that is hidden, or in flight. */
struct wire_victim {
	struct proc_id id;
	char comm[TASK_COMM_LEN]; /* in flight only */
	uint32_t members;
	uint64_t expected_bytes; /* in flight only */
};

/* A section [cgroup NAME]. */
struct wire_domain {
	char name[CONFIG_NAME_MAX];
	char path[CONFIG_DOMAIN_PATH_MAX];
	uint32_t matched;   /* cgroups that it matches now */
	uint32_t troubled;  /* of them, those that are watched closely */
	bool trigger_armed; /* PSI */
};

/* As of the last look. Sizes in bytes, times of CLOCK_MONOTONIC. */
struct wire_state {
	uint64_t at_usec, started_usec;
	uint64_t next_look_usec; /* at the latest */
	bool dry_run;
	bool trigger_armed;           /* on /proc/pressure/memory */
	bool in_episode;              /* of the machine */
	char evidence[8], cgroups[8]; /* actor_evidence(), actor_cgroups() */
	char config_path[256];
	uint32_t rules;
	uint64_t configured_usec; /* when the configuration in force was read */
	bool reload_failed;       /* the file on disk was refused since */
	bool reload_pending;      /* it was asked for, and waits for the episode */
	struct meminfo mem;
	/* The levels in bytes of this machine; 0: off. */
	uint64_t warn_memory_bytes, warn_swap_bytes, kill_memory_bytes, kill_swap_bytes;
	struct config_pressure warn_pressure, kill_pressure;
	uint64_t episode_began_usec; /* in an episode */
	enum engine_level level;
	enum engine_cause cause;
	uint64_t looks; /* readings of the machine's memory, since the start */
	struct report_counts counts;
	uint32_t hidden_count, flight_count,
		domain_count; /* all there are; the arrays hold the first */
	struct wire_victim hidden[WIRE_HIDDEN];
	struct wire_victim flight[WIRE_FLIGHT];
	struct wire_domain domains[WIRE_DOMAINS];
};

/* The page: written by one, read by many without a lock. Odd while it is written to. */
struct wire_page {
	_Atomic uint32_t sequence;
	struct wire_state state;
};
