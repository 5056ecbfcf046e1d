/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "domain-internal.h"

#include "report.h"
#include "util.h"
#include "wire.h"

#include <limits.h>
#include <string.h>

/* The alarm: the cgroup above all of a section has a task that stalls for so much of a second. A
 * domain's own level is never below a hundredth of it. */
#define ALARM_STALL_USEC  (50 * USEC_PER_MSEC)
#define ALARM_WINDOW_USEC USEC_PER_SEC

/* --- what a section means --- */

struct config *domain_config(const struct config *c, const struct config_domain *section)
{
	struct config *own = malloc(sizeof(*own));

	if (!own)
		return NULL;
	*own = *c;
	own->rule_count = 0; /* they stay the other's; an engine asks for none */
	own->warn = (struct config_level){ 0 };
	own->kill = (struct config_level){
		.memory = section->memory, .swap = c->kill.swap, .pressure = section->pressure
	};
	own->pressure_guard.kind = AMOUNT_OFF; /* stalls at a limit of its own are what counts */
	own->ladder_count = 0;
	for (uint32_t i = 0; i < c->ladder_count; i++)
		if (c->ladder[i] == LADDER_AVOIDED || c->ladder[i] == LADDER_CGROUP)
			own->ladder[own->ladder_count++] = c->ladder[i];
	own->final = FINAL_NONE;
	return own;
}

void domain_meminfo(
	const struct cgroup_memory *c, const struct meminfo *machine, struct meminfo *ret)
{
	bool limited = c->limit_bytes < machine->total_bytes;
	uint64_t held = sub_or_zero_u64(c->current_bytes, c->reclaimable_bytes);

	*ret = (struct meminfo){
		/* Without a limit nothing is ever short but time: pressure decides. */
		.total_bytes = limited ? max_u64(c->limit_bytes, 1) : max_u64(c->current_bytes, 1),
		.available_bytes = limited ? sub_or_zero_u64(c->limit_bytes, held)
					   : max_u64(c->current_bytes, 1),
		.anon_bytes = c->anon_bytes,
		.shmem_bytes = c->shmem_bytes,
		.swap_total_bytes = min_u64(c->swap_limit_bytes, machine->swap_total_bytes),
		.swap_free_bytes = min_u64(sub_or_zero_u64(c->swap_limit_bytes, c->swap_bytes),
			machine->swap_free_bytes),
		.kernel_oom_kills = c->oom_kills,
	};
}

struct domain_place domain_place_of(const struct config *c, const char *path)
{
	size_t length;
	const struct config_domain *s = config_domain_of(c, path, &length);

	if (!s || path[length] != '\0')
		return (struct domain_place){ .name = "", .path = path };
	return (struct domain_place){ .name = s->name, .path = path, .kill = s->kill };
}

/* --- triggers --- */

/* The pressure file of a cgroup: the root's is the machine's. */
static int open_trigger(const struct cgroup_mounts *m, const char *path)
{
	char file[PATH_MAX];

	if (strcmp(path, "/") == 0)
		return psi_trigger_open(
			"/proc/pressure/memory", false, ALARM_STALL_USEC, ALARM_WINDOW_USEC);
	if (cgroup_file_path(m, path, "memory.pressure", file, sizeof(file)) < 0)
		return -ENOENT;
	return psi_trigger_open(file, false, ALARM_STALL_USEC, ALARM_WINDOW_USEC);
}

static void disarm(struct domains *d, uint32_t i)
{
	struct section *s = &d->section[i];

	if (s->trigger_fd < 0)
		return;
	d->fn(d->ctx, i, -1);
	fd_closep(&s->trigger_fd);
	s->trigger_fd = -EBADF;
	s->at_base = false;
}

/* Arms the trigger at the base, or at the nearest cgroup above it that is there. */
static void arm(struct domains *d, uint32_t i)
{
	struct section *s = &d->section[i];
	char at[DOMAIN_PATH_SIZE];
	int fd;

	memcpy(at, s->base, sizeof(at));
	while ((fd = open_trigger(d->mounts, at)) < 0 && strcmp(at, "/") != 0) {
		char *slash = strrchr(at, '/');

		slash[slash == at ? 1 : 0] = '\0';
	}
	if (fd < 0) {
		s->trigger_fd = fd;
		return;
	}
	disarm(d, i);
	s->trigger_fd = fd;
	s->at_base = strcmp(at, s->base) == 0;
	d->fn(d->ctx, i, fd);
}

void domains_alarm(struct domains *d, uint32_t section, bool gone, uint64_t now_usec)
{
	struct section *s = &d->section[section];

	if (gone) {
		disarm(d, section);
		arm(d, section);
	}
	if (s->alarmed_until_usec < now_usec) {
		s->alarmed_since_usec = now_usec;
		d->next_sweep_usec = now_usec; /* those that stall may be read at once */
	}
	s->alarmed_until_usec = now_usec + SWEEP_FOR_USEC;
}

/* --- cgroups that come and go --- */

static struct domain *find(struct domains *d, uint32_t section, const char *path)
{
	for (uint32_t i = 0; i < d->count; i++)
		if (d->domain[i].section == section && strcmp(d->domain[i].path, path) == 0)
			return &d->domain[i];
	return NULL;
}

static void add(struct domains *d, uint32_t section, const char *path)
{
	struct domain *grown;
	uint32_t capacity = d->capacity;

	if (d->count == capacity) {
		capacity = capacity > 0 ? 2 * capacity : 64;
		grown = reallocarray(d->domain, capacity, sizeof(*grown));
		if (!grown)
			return;
		d->domain = grown;
		d->capacity = capacity;
	}
	d->domain[d->count] = (struct domain){ .path = strdup(path), .section = section };
	if (d->domain[d->count].path)
		d->count++;
	if (!d->section[section].at_base && d->section[section].trigger_fd >= 0)
		arm(d, section);
}

static void on_found(void *ctx, uint32_t pattern, const char *path, bool appeared)
{
	struct domains *d = ctx;
	struct domain *known;

	if (strlen(path) >= DOMAIN_PATH_SIZE)
		return;
	if (appeared) {
		add(d, pattern, path);
		return;
	}
	known = find(d, pattern, path);
	if (!known)
		return;
	free(known->path);
	*known = d->domain[--d->count];
}

void domains_news(struct domains *d)
{
	int r = cgroup_finder_read(d->finder);

	if (r < 0)
		report_line(REPORT_WARNING,
			"cannot follow which cgroups come and go: %s; those known are watched on",
			strerror(-r));
}

/* --- start and end --- */

static bool has_level(const struct config_domain *s)
{
	return s->memory.kind != AMOUNT_OFF || s->pressure.set;
}

static int open_sections(struct domains *d)
{
	for (uint32_t i = 0; i < d->config->domain_count; i++) {
		const struct config_domain *s = &d->config->domains[i];

		d->section[i].config = domain_config(d->config, s);
		if (!d->section[i].config)
			return -ENOMEM;
		cgroup_pattern_base(s->path, d->section[i].base, sizeof(d->section[i].base));
		if (has_level(s)) /* else it is there for its preference */
			arm(d, i);
	}
	return 0;
}

static int open_finder(struct domains *d)
{
	const char *patterns[CONFIG_DOMAINS_MAX];
	int fd, r;

	for (uint32_t i = 0; i < d->config->domain_count; i++)
		patterns[i] = d->config->domains[i].path;
	r = cgroup_finder_new(
		d->mounts, patterns, d->config->domain_count, on_found, d, &d->finder, &fd);
	if (r == 0)
		d->fn(d->ctx, DOMAIN_NEWS, fd);
	return r;
}

int domains_new(const struct config *c, const struct cgroup_mounts *m,
	const struct meminfo *machine, domains_fd_fn *fn, void *ctx, struct domains **ret)
{
	struct domains *d;
	int r;

	*ret = NULL;
	if (c->domain_count == 0)
		return 0;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->config = c;
	d->mounts = m;
	d->machine = machine;
	d->fn = fn;
	d->ctx = ctx;
	for (uint32_t i = 0; i < CONFIG_DOMAINS_MAX; i++)
		d->section[i].trigger_fd = -EBADF;
	if ((r = open_sections(d)) < 0 || (r = open_finder(d)) < 0) {
		domains_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void domains_free(struct domains *d)
{
	if (!d)
		return;
	if (d->finder)
		d->fn(d->ctx, DOMAIN_NEWS, -1);
	cgroup_finder_free(d->finder);
	for (uint32_t i = 0; i < TROUBLED_MAX; i++)
		if (d->troubled[i].used)
			domain_leave(&d->troubled[i]);
	for (uint32_t i = 0; i < CONFIG_DOMAINS_MAX; i++) {
		disarm(d, i);
		free(d->section[i].config);
	}
	for (uint32_t i = 0; i < d->count; i++)
		free(d->domain[i].path);
	free(d->domain);
	free(d);
}

uint32_t domains_count(const struct domains *d)
{
	return d ? d->count : 0;
}

void domains_say(const struct domains *d)
{
	if (!d)
		return;
	for (uint32_t i = 0; i < d->config->domain_count; i++) {
		const struct config_domain *s = &d->config->domains[i];

		if (!has_level(s))
			continue;
		if (cgroup_finder_count(d->finder, i) == 0)
			report_line(REPORT_WARNING,
				"[cgroup %s]: no cgroup matches %s yet; one that does will be "
				"watched "
				"from when it appears",
				s->name, s->path);
		if (d->section[i].trigger_fd < 0)
			report_line(REPORT_WARNING,
				"[cgroup %s]: no pressure trigger is to be had (%s): it is not "
				"watched%s",
				s->name, strerror(-d->section[i].trigger_fd),
				d->section[i].trigger_fd == -EPERM ? "; it needs CAP_SYS_RESOURCE"
								   : "; boot with psi=1");
	}
	if (cgroup_finder_left_out(d->finder) > 0)
		report_line(REPORT_WARNING,
			"%u cgroups match a [cgroup] section but are not watched, for there is no "
			"room; raise fs.inotify.max_user_watches or narrow the paths",
			cgroup_finder_left_out(d->finder));
}

void domains_show(const struct domains *d, struct wire_state *ret)
{
	ret->domain_count = d ? d->config->domain_count : 0;
	for (uint32_t i = 0; i < ret->domain_count; i++) {
		const struct config_domain *section = &d->config->domains[i];
		struct wire_domain *w = &ret->domains[i];

		*w = (struct wire_domain){ .trigger_armed = d->section[i].trigger_fd >= 0 };
		memcpy(w->name, section->name, sizeof(w->name));
		memcpy(w->path, section->path, sizeof(w->path));
		for (uint32_t k = 0; k < d->count; k++)
			w->matched += d->domain[k].section == i;
		for (uint32_t k = 0; k < TROUBLED_MAX; k++)
			w->troubled += d->troubled[k].used && d->troubled[k].section == i;
	}
}
