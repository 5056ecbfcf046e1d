/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "domain.h"

#include "cgroup-find.h"
#include "clock.h"
#include "report.h"
#include "util.h"
#include "watch.h"

#include <limits.h>
#include <string.h>

#define TROUBLED_MAX 16
#define PATH_SIZE    512
/* The alarm: the cgroup above all of a section has a task that stalls for so much of a second. A
 * domain's own level is never below a hundredth of it. */
#define ALARM_STALL_USEC  (50 * USEC_PER_MSEC)
#define ALARM_WINDOW_USEC USEC_PER_SEC
/* After an alarm all domains of the section are read for so long, so often; reading them may take
 * this part of the time at most. */
#define SWEEP_FOR_USEC   (3 * USEC_PER_SEC)
#define SWEEP_EVERY_USEC (300 * USEC_PER_MSEC)
#define SWEEP_PART       50
/* Of the stall that a level asks for: this makes a domain worth an engine, and keeps it. */
#define TROUBLE_PART 2

struct domain {
	char *path;
	uint32_t section;
	uint64_t read_usec; /* when last was read; 0: never */
	struct pressure last;
};

/* One that is watched closely. */
struct troubled {
	bool used;
	char path[PATH_SIZE];
	uint32_t section;
	struct domain_place place;
	struct cgroup_handle *handle;
	const struct meminfo *machine;
	const struct config_pressure *pressure;
	uint64_t read_usec;
	struct pressure last;
	bool gone;
	struct watch watch;
};

struct section {
	struct config *config; /* what its engines go by */
	char base[PATH_SIZE];
	int trigger_fd;
	bool at_base; /* the trigger is where it belongs, not above */
	uint64_t alarmed_until_usec;
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

static uint64_t stall_usec(const struct config_pressure *p, const struct pressure *reading)
{
	return p->set && p->full ? reading->full_usec : reading->some_usec;
}

/* Whether what came to a reading since the last, so long ago, could lead to the level. */
static bool is_trouble(const struct config_pressure *p, const struct pressure *before,
	const struct pressure *now, uint64_t elapsed_usec)
{
	uint64_t stall = sub_or_zero_u64(stall_usec(p, now), stall_usec(p, before));
	uint64_t percent = p->set ? p->percent : 1;

	return stall > 0 &&
		mul_sat_u64(stall, 100 * TROUBLE_PART) >= mul_sat_u64(elapsed_usec, percent);
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
	char at[PATH_SIZE];
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
	/* Those that stall may be read at once. */
	if (s->alarmed_until_usec < now_usec)
		d->next_sweep_usec = now_usec;
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
	if (!d->section[section].at_base)
		arm(d, section);
}

static void on_found(void *ctx, uint32_t pattern, const char *path, bool appeared)
{
	struct domains *d = ctx;
	struct domain *known;

	if (strlen(path) >= PATH_SIZE)
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

/* --- those that stall --- */

static int read_domain(void *ctx, struct meminfo *ret, struct pressure *ret_pressure,
	bool want_pressure, bool *ret_has_pressure)
{
	struct troubled *t = ctx;
	struct cgroup_memory m = { .limit_bytes = UINT64_MAX, .swap_limit_bytes = UINT64_MAX };
	char text[256];
	int r = cgroup_handle_memory(t->handle, &m);

	*ret_has_pressure = want_pressure &&
		cgroup_handle_pressure(t->handle, text, sizeof(text)) == 0 &&
		psi_parse(text, ret_pressure) == 0;
	/* Where no figure is to be had the pressure alone decides; with neither it is gone, and
	 * then there is no shortage in it. */
	t->gone = r < 0 && !*ret_has_pressure;
	domain_meminfo(&m, t->machine, ret);
	if (!*ret_has_pressure)
		return 0;
	uint64_t now = monotonic_usec();

	if (now - t->read_usec < SWEEP_EVERY_USEC)
		return 0;
	if (is_trouble(t->pressure, &t->last, ret_pressure, now - t->read_usec))
		watch_alarm(&t->watch, now);
	t->last = *ret_pressure;
	t->read_usec = now;
	return 0;
}

static struct troubled *free_place(struct domains *d)
{
	for (uint32_t i = 0; i < TROUBLED_MAX; i++)
		if (!d->troubled[i].used)
			return &d->troubled[i];
	return NULL;
}

static bool is_troubled(const struct domains *d, const struct domain *known)
{
	for (uint32_t i = 0; i < TROUBLED_MAX; i++)
		if (d->troubled[i].used && d->troubled[i].section == known->section &&
			strcmp(d->troubled[i].path, known->path) == 0)
			return true;
	return false;
}

/* Gives a domain an engine, with what is known of its past. */
static void watch_closely(
	struct domains *d, const struct domain *known, const struct pressure *p, uint64_t now_usec)
{
	const struct config_domain *s = &d->config->domains[known->section];
	const struct config *c = d->section[known->section].config;
	struct troubled *t = free_place(d);

	if (!t || cgroup_handle_open(d->mounts, known->path, &t->handle) < 0)
		return; /* the next sweep finds it again */
	t->used = true;
	t->gone = false;
	t->section = known->section;
	memcpy(t->path, known->path, strlen(known->path) + 1);
	t->place = (struct domain_place){ .name = s->name, .path = t->path, .kill = s->kill };
	t->machine = d->machine;
	t->pressure = &s->pressure;
	t->last = *p;
	t->read_usec = now_usec;
	watch_init(&t->watch, c, &t->place, c->fill_rate_bytes, read_domain, t);
	if (s->pressure.set)
		psi_history_add(
			&t->watch.history, known->read_usec, &known->last, s->pressure.span_usec);
	watch_alarm(&t->watch, now_usec);
}

static void leave(struct troubled *t)
{
	cgroup_handle_close(t->handle);
	t->handle = NULL;
	t->used = false;
}

/* Reads one domain; gives it an engine if it stalls. */
static void check(struct domains *d, struct domain *known)
{
	uint64_t now = monotonic_usec(), elapsed = now - known->read_usec;
	const struct config_pressure *level = &d->config->domains[known->section].pressure;
	struct pressure p;
	char text[256];

	if (is_troubled(d, known) ||
		cgroup_pressure_text(d->mounts, known->path, text, sizeof(text)) < 0 ||
		psi_parse(text, &p) < 0)
		return;
	/* What came since long ago says nothing about now. */
	if (known->read_usec > 0 && elapsed < SWEEP_FOR_USEC &&
		is_trouble(level, &known->last, &p, elapsed))
		watch_closely(d, known, &p, now);
	known->last = p;
	known->read_usec = now;
}

/* Reads all domains of the sections that have an alarm. Returns when to do so again. */
static uint64_t sweep(struct domains *d, uint64_t now_usec)
{
	uint64_t alarmed = 0, took;

	for (uint32_t i = 0; i < d->config->domain_count; i++)
		if (now_usec < d->section[i].alarmed_until_usec)
			alarmed |= UINT64_C(1) << i;
	if (alarmed == 0)
		return USEC_NEVER;
	if (now_usec < d->next_sweep_usec)
		return d->next_sweep_usec;
	for (uint32_t i = 0; i < d->count; i++)
		if (alarmed & UINT64_C(1) << d->domain[i].section)
			check(d, &d->domain[i]);
	took = sub_or_zero_u64(monotonic_usec(), now_usec);
	d->next_sweep_usec = now_usec + max_u64(SWEEP_EVERY_USEC, took * SWEEP_PART);
	return d->next_sweep_usec;
}

uint64_t domains_look(struct domains *d, struct actor *a, bool hold, uint64_t detected_usec)
{
	uint64_t until;

	if (!d)
		return USEC_NEVER;
	until = sweep(d, monotonic_usec());
	for (uint32_t i = 0; i < TROUBLED_MAX; i++) {
		struct troubled *t = &d->troubled[i];
		uint64_t next = USEC_NEVER;

		if (!t->used)
			continue;
		watch_look(&t->watch, a, hold ? UINT64_MAX : 0, detected_usec, &next);
		if (!watch_is_busy(&t->watch) &&
			(t->gone || monotonic_usec() >= t->watch.stalling_until_usec))
			leave(t);
		else
			until = min_u64(until, next);
	}
	return until;
}

bool domains_are_busy(const struct domains *d)
{
	for (uint32_t i = 0; d && i < TROUBLED_MAX; i++)
		if (d->troubled[i].used && watch_is_busy(&d->troubled[i].watch))
			return true;
	return false;
}

uint64_t domains_coming_bytes(const struct domains *d)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; d && i < TROUBLED_MAX; i++) {
		const struct watch *w = &d->troubled[i].watch;

		if (d->troubled[i].used && w->input.mem)
			sum = add_sat_u64(sum, engine_coming_bytes(&w->engine, &w->input));
	}
	return sum;
}

/* --- start and end --- */

static int open_sections(struct domains *d)
{
	for (uint32_t i = 0; i < d->config->domain_count; i++) {
		const struct config_domain *s = &d->config->domains[i];

		d->section[i].config = domain_config(d->config, s);
		if (!d->section[i].config)
			return -ENOMEM;
		cgroup_pattern_base(s->path, d->section[i].base, sizeof(d->section[i].base));
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
			leave(&d->troubled[i]);
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
