/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show.h"

#include "build-config.h"
#include "cgroup.h"
#include "report.h"
#include "survive.h"
#include "util.h"

#include <string.h>

void show_lacks(unsigned lack)
{
	if (lack & LACK_MLOCK)
		report_line(REPORT_WARNING,
			"cannot lock memory: %s; a kill may have to wait for the disk (needs "
			"CAP_IPC_LOCK, or no limit of locked memory)",
			strerror(errno));
	if (lack & LACK_ADJ)
		report_line(REPORT_WARNING,
			"cannot set oom_score_adj to -1000: the kernel may choose oomfwd (needs "
			"CAP_SYS_RESOURCE)");
	if (lack & LACK_PRIORITY)
		report_line(REPORT_WARNING,
			"cannot raise the priority: a kill may have to wait for a CPU (needs "
			"CAP_SYS_NICE)");
	if (lack & LACK_FDS)
		report_line(REPORT_WARNING,
			"cannot raise the limit of open files: fewer victims in one go (needs "
			"CAP_SYS_RESOURCE)");
}

/* The figures of the cgroup that --domain names. */
static int read_domain(
	struct actor *a, const char *path, const struct meminfo *machine, struct meminfo *ret)
{
	struct cgroup_memory m = { .limit_bytes = UINT64_MAX, .swap_limit_bytes = UINT64_MAX };
	struct cgroup_handle *h;
	int r = cgroup_handle_open(actor_mounts(a), path, &h);

	if (r < 0) {
		report_line(REPORT_ERROR,
			"there is no cgroup %s: %s; give its path as /proc/PID/cgroup shows it, "
			"from the first / on",
			path, strerror(-r));
		return r;
	}
	r = cgroup_handle_memory(h, &m);
	cgroup_handle_close(h);
	domain_meminfo(&m, machine, ret);
	return r == -ENODATA ? 0 : r;
}

int show_choice(struct actor *a, const struct config *c, const struct meminfo *m, const char *path)
{
	_cleanup_(freep) struct config *own = NULL;
	const struct config_domain *section;
	struct domain_place place;
	struct meminfo inside;
	size_t length;
	int r;

	if (!path)
		return actor_print_choice(a, c, m, NULL, stdout);
	r = read_domain(a, path, m, &inside);
	if (r < 0)
		return r;
	place = domain_place_of(c, path);
	section = config_domain_of(c, path, &length);
	own = section ? domain_config(c, section) : NULL;
	return actor_print_choice(a, own ? own : c, &inside, &place, stdout);
}

/* Writes the lines that config_load collected, each as an entry of its own. */
static void report_lines(enum report_level level, char *text)
{
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		report_line(level, "%s", l);
}

struct config *show_load_config(const char *path)
{
	_cleanup_(freep) char *text = NULL;
	struct config *c = NULL;
	int r = config_load_told(path, &text, &c);

	if (text)
		report_lines(r < 0 ? REPORT_ERROR : REPORT_WARNING, text);
	return r < 0 ? NULL : c;
}

void show_started(const struct actor *a, const struct config *c, const struct meminfo *m,
	const struct domains *d, bool dry_run, bool trigger_armed)
{
	char total[32], available[32], domains[48] = "";

	if (c->domain_count > 0)
		snprintf(domains, sizeof(domains), ", %u cgroups by themselves", domains_count(d));
	report_line(REPORT_NOTICE,
		"oomfwd %s%s: %s of %s available, %u rules, shared mms by %s, cgroups %s, %s%s",
		OOMFWD_VERSION, dry_run ? " (dry run: nobody is signalled)" : "",
		report_bytes(m->available_bytes, available, sizeof(available)),
		report_bytes(m->total_bytes, total, sizeof(total)), c->rule_count,
		actor_evidence(a), actor_cgroups(a),
		trigger_armed ? "pressure trigger armed" : "no pressure trigger", domains);
}
