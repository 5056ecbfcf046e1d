/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the administrator decided: etc/oomfwd.conf and its drop-ins, read whole or not at all.
 */
#pragma once

#include "cgroup.h"

#include <limits.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define CONFIG_PATH            "/etc/oomfwd.conf" /* drop-ins: CONFIG_PATH ".d/" + *.conf, by name */
#define CONFIG_RULES_MAX       64
#define CONFIG_NAME_MAX        48
#define CONFIG_LADDER_MAX      4
#define CONFIG_DOMAINS_MAX     16
#define CONFIG_DOMAIN_PATH_MAX 256
#define CONFIG_DESK_PATH_MAX   256
#define CONFIG_DESK_HISTORY    "/var/lib/oomfwd/history.jsonl"

/* A level of memory: a share of the total, or bytes. "10%", "512M", "off". */
struct config_amount {
	enum config_amount_kind { AMOUNT_OFF, AMOUNT_PERMILLE, AMOUNT_BYTES } kind;
	uint64_t value; /* permille (so 2.5% is 25) or bytes */
};

/* "full 60% 20s", "some 90% 1m", "off": stalled this share of this span. */
struct config_pressure {
	bool set;
	bool full; /* else some */
	uint16_t percent;
	uint64_t span_usec;
};

/* Memory AND swap at or below their amounts, or the pressure. swap = off: memory alone decides. */
struct config_level {
	struct config_amount memory, swap;
	struct config_pressure pressure;
};

enum rule_action { RULE_PROTECT, RULE_AVOID, RULE_PREFER };

struct config_domain;

struct rule_pattern {
	bool set;
	char *text;    /* as written */
	regex_t regex; /* POSIX extended, REG_NOSUB */
};

/* [protect NAME], [avoid NAME], [prefer NAME]: matches when every condition that is set does. */
struct rule {
	enum rule_action action;
	char name[CONFIG_NAME_MAX];
	struct rule_pattern comm, cmdline, exe, unit, cgroup;
	bool uid_set;
	uid_t uid;
	enum cgroup_preference preference; /* of the cgroup; NONE: no condition */
	/* Of a [cgroup] section's preference: its cgroups and those below. It is about a shortage
	 * of the machine, and says nothing where one inside the domain is to go. NULL: no
	 * condition. */
	const struct config_domain *domain;
};

/* Who dies with a victim inside a domain. */
enum domain_kill {
	DOMAIN_KILL_GROUP,   /* its whole cgroup where memory.oom.group is set, as in the kernel */
	DOMAIN_KILL_PROCESS, /* it and those who share its mm, whatever memory.oom.group says */
	DOMAIN_KILL_CGROUP,  /* the domain's cgroup as a whole */
};

/* [cgroup NAME]: each cgroup that path matches is a domain, watched by itself. */
struct config_domain {
	char name[CONFIG_NAME_MAX];
	char path[CONFIG_DOMAIN_PATH_MAX]; /* a glob, component by component, from the root on */
	struct config_amount memory; /* so little left below its memory.max or memory.high, or */
	struct config_pressure pressure; /* so much stall, means a kill */
	enum domain_kill kill;
};

/* What to do when no victim is left, in the order written. */
enum ladder_step { LADDER_AVOIDED, LADDER_CGROUP, LADDER_KERNEL, LADDER_FINAL };
enum final_action { FINAL_NONE, FINAL_REBOOT, FINAL_PANIC, FINAL_EXEC };

/* How the tasks are read. */
enum config_reader { READER_AUTO, READER_BPF, READER_PROC };
/* What becomes of a process whose mm a kernel thread uses as well. */
enum kernel_users { KERNEL_USERS_KILL, KERNEL_USERS_SPARE };
/* [desk]: what oomfwd-desk is to do. The daemon checks it, and has no other use for it. */
struct config_desk {
	char post_kill[CONFIG_DESK_PATH_MAX]; /* the hook; "": none */
	uint64_t hook_timeout_usec;
	char metrics_file[CONFIG_DESK_PATH_MAX];   /* "": off, as below */
	char metrics_socket[CONFIG_DESK_PATH_MAX]; /* short enough for a socket */
	char history[CONFIG_DESK_PATH_MAX];
	bool bus;
};

struct config {
	struct config_level warn;            /* SIGTERM */
	struct config_level kill;            /* SIGKILL */
	struct config_amount pressure_guard; /* pressure counts only while available is below */

	uint64_t victim_timeout_usec; /* no progress for so long after SIGKILL: stuck */
	uint64_t victim_cap_usec;     /* the longest wait while it does progress */
	uint64_t term_grace_usec;     /* SIGTERM to SIGKILL, unless the kill level comes first */
	uint64_t step_timeout_usec;   /* wait after each step of the ladder */

	uint64_t fill_rate_bytes; /* a second: the fastest plausible fill; 0: by CPUs */
	uint64_t max_sleep_usec;

	enum ladder_step ladder[CONFIG_LADDER_MAX];
	uint32_t ladder_count;
	enum final_action final;
	char final_path[PATH_MAX];

	enum config_reader reader; /* heeded at the start only */
	enum kernel_users kernel_users;
	uint32_t prefer_points; /* permille of total memory, as oom_score_adj counts */
	struct rule rules[CONFIG_RULES_MAX];
	uint32_t rule_count;
	struct config_domain domains[CONFIG_DOMAINS_MAX];
	uint32_t domain_count;
	struct config_desk desk;
};

/* The built-in defaults: those the shipped etc/oomfwd.conf documents, without its rules. */
void config_init(struct config *c);
void config_free(struct config *c);

/*
 * Reads path (NULL: CONFIG_PATH, which may be missing: then the defaults and a notice hold) and
 * its drop-in directory. A drop-in overrides values and replaces rules of the same kind and name.
 * All errors go to errors, one "file:line: what is wrong and what would be right" each, without
 * control characters. *ret is written only when there was none. Lines that begin with "warning: "
 * or "notice: " are no errors. Returns 0, -EINVAL when something in the files is wrong, or another
 * -errno (already explained in errors). For calm times: allocates, and reads /etc/passwd.
 */
int config_load(const char *path, FILE *errors, struct config **ret);
/* The same, with the lines in a text that the caller frees; NULL: there are none. */
int config_load_told(const char *path, char **ret_lines, struct config **ret);

/* Whether the section's path matches the cgroup or one above it; *ret_length is how much of cgroup
 * that one is. The glob goes component by component, and a backslash in it is one. Pure. */
bool config_domain_matches(const struct config_domain *d, const char *cgroup, size_t *ret_length);
/* The first [cgroup] section that matches. NULL: none. Pure. */
const struct config_domain *config_domain_of(
	const struct config *c, const char *cgroup, size_t *ret_length);

/* An amount of a total: AMOUNT_OFF gives 0. */
uint64_t config_amount_bytes(const struct config_amount *a, uint64_t total_bytes);

const char *config_ladder_name(enum ladder_step step);
/* The name of key i and its section ("timing"; of conditions "protect NAME"); NULL past the last.
 * Documentation is tested against it. */
const char *config_key(unsigned i, const char **ret_section);

/* Pure parsers (value text in; 0 or -EINVAL/-ERANGE out): "10%" or a size or "off"; "512M", "1.5G",
 * "64KiB"; "250ms", "1.5s", "2m" (us, ms, s, m, min, h); "full 60% 20s" or "off". */
int config_parse_amount(const char *text, struct config_amount *ret);
int config_parse_size(const char *text, uint64_t *ret_bytes);
int config_parse_duration(const char *text, uint64_t *ret_usec);
int config_parse_pressure(const char *text, struct config_pressure *ret);
