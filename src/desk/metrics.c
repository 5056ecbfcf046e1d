/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "metrics.h"

#include "build-config.h"
#include "clock.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

/* Upper bounds, in µs. */
static const uint64_t episode_bounds[METRICS_BUCKETS] = { 100000, 250000, 500000, 1000000, 2500000,
	5000000, 10000000, 30000000, 60000000, 120000000, 300000000, 600000000 };
static const uint64_t signal_bounds[METRICS_BUCKETS] = { 1000, 2500, 5000, 10000, 25000, 50000,
	100000, 250000, 500000, 1000000, 2500000, 5000000 };

static double seconds(uint64_t usec)
{
	return (double)usec / (double)USEC_PER_SEC;
}

/* --- counting --- */

static void count(
	uint64_t bucket[METRICS_BUCKETS + 1], const uint64_t bounds[METRICS_BUCKETS], uint64_t usec)
{
	int i = 0;

	while (i < METRICS_BUCKETS && usec > bounds[i])
		i++;
	bucket[i]++;
}

void metrics_take(struct metrics *m, const struct episode *ended)
{
	uint64_t usec = sub_or_zero_u64(ended->ended_usec, ended->began_usec);

	count(m->episode_bucket, episode_bounds, usec);
	m->episode_seconds_sum += seconds(usec);
	m->episodes++;
	for (uint32_t i = 0; i < ended->step_count; i++) {
		const struct report_event *e = &ended->steps[i].event;

		if (e->kind != REPORT_SIGNALLED || e->dry_run)
			continue;
		count(m->signal_bucket, signal_bounds, e->detect_usec);
		m->signal_seconds_sum += seconds(e->detect_usec);
		m->signals++;
	}
}

/* --- the format --- */

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP oomfwd_%s %s\n# TYPE oomfwd_%s %s\n", name, help, name, type);
}

static void put_number(
	FILE *f, const char *name, const char *type, const char *help, uint64_t value)
{
	head(f, name, type, help);
	fprintf(f, "oomfwd_%s %llu\n", name, (unsigned long long)value);
}

static void put_gauge(FILE *f, const char *name, const char *help, uint64_t value)
{
	put_number(f, name, "gauge", help, value);
}

static void put_counter(FILE *f, const char *name, const char *help, uint64_t value)
{
	put_number(f, name, "counter", help, value);
}

/* In quotes. What may not be in a label is written as in the log; then the backslashes of that, and
 * quotes, need one more. */
static void put_label_value(FILE *f, const char *text)
{
	char escaped[4 * 256];

	putc('"', f);
	for (const char *p = report_escape(text, escaped, sizeof(escaped)); *p; p++) {
		if (*p == '\\' || *p == '"')
			putc('\\', f);
		putc(*p, f);
	}
	putc('"', f);
}

static void put_labelled(
	FILE *f, const char *name, const char *label, const char *text, uint64_t value)
{
	fprintf(f, "oomfwd_%s{%s=", name, label);
	put_label_value(f, text);
	fprintf(f, "} %llu\n", (unsigned long long)value);
}

static void put_histogram(FILE *f, const char *name, const char *help,
	const uint64_t bucket[METRICS_BUCKETS + 1], const uint64_t bounds[METRICS_BUCKETS],
	double sum, uint64_t total)
{
	uint64_t so_far = 0;

	head(f, name, "histogram", help);
	for (int i = 0; i < METRICS_BUCKETS; i++) {
		so_far += bucket[i];
		fprintf(f, "oomfwd_%s_bucket{le=\"%g\"} %llu\n", name, seconds(bounds[i]),
			(unsigned long long)so_far);
	}
	fprintf(f, "oomfwd_%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)total);
	fprintf(f, "oomfwd_%s_sum %.6f\n", name, sum);
	fprintf(f, "oomfwd_%s_count %llu\n", name, (unsigned long long)total);
}

/* A time of CLOCK_MONOTONIC as seconds since 1970; left out when there was no such time yet. */
static void put_time(FILE *f, const char *name, const char *help, uint64_t at_usec)
{
	struct timespec t;
	int64_t usec;

	if (at_usec == 0 || at_usec == USEC_NEVER)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	usec = (int64_t)t.tv_sec * (int64_t)USEC_PER_SEC + t.tv_nsec / 1000;
	usec += (int64_t)(at_usec - monotonic_usec());
	head(f, name, "gauge", help);
	/* A tenth is more than is asked for, and the same in each scrape. */
	fprintf(f, "oomfwd_%s %.1f\n", name, (double)usec / (double)USEC_PER_SEC);
}

/* --- what there is to tell --- */

static void put_counts(FILE *f, const struct wire_state *state)
{
	const struct report_counts *c = &state->counts;

	put_counter(f, "looks_total", "Readings of the machine's memory.", state->looks);
	put_counter(f, "episodes_total",
		"Shortages of memory that began, of the machine and of domains.", c->episodes);
	put_counter(f, "kills_total",
		"Groups of processes with one mm that were signalled; SIGTERM and SIGKILL to the "
		"same group count once.",
		c->kills);
	put_counter(f, "freed_groups_total", "Groups signalled whose memory came back.", c->freed);
	put_counter(f, "freed_bytes_total", "Memory that came back from groups signalled.",
		c->freed_bytes);
	put_counter(f, "stuck_total",
		"Groups signalled whose memory did not come back in time; their mm was hidden and "
		"the next victim chosen.",
		c->stuck);
	put_counter(f, "pinned_total",
		"Mms not chosen because a process that may not be killed shares them, each counted "
		"once.",
		c->pinned);
	put_counter(f, "no_victim_total", "Choices that found nobody to kill.", c->no_victim);
	put_counter(f, "ladder_steps_total", "Steps of the ladder taken when no victim was left.",
		c->steps);
	put_counter(f, "kernel_oom_kills_total",
		"Kills of the kernel's own OOM killer during episodes.", c->kernel_kills);
	put_counter(f, "events_lost_total", "Events that the log did not take in time.", c->lost);
}

static void put_level(FILE *f, const char *level, const char *resource, uint64_t bytes)
{
	if (bytes > 0)
		fprintf(f, "oomfwd_level_bytes{level=\"%s\",resource=\"%s\"} %llu\n", level,
			resource, (unsigned long long)bytes);
}

static void put_memory(FILE *f, const struct wire_state *s)
{
	put_gauge(f, "memory_available_bytes",
		"Memory that can be had without swapping, as oomfwd counts it.",
		s->mem.available_bytes);
	put_gauge(f, "memory_total_bytes", "Memory of the machine, less what hugetlb holds.",
		s->mem.total_bytes);
	put_gauge(f, "swap_free_bytes",
		"Swap that can be had, zram counted by what it saves in memory.",
		s->mem.swap_free_bytes);
	put_gauge(f, "swap_total_bytes", "Swap in all, counted in the same way. 0: none.",
		s->mem.swap_total_bytes);
	head(f, "level_bytes", "gauge",
		"At or below this much available memory (and free swap, if both are set) oomfwd "
		"acts. A level that is off is left out.");
	put_level(f, "warn", "memory", s->warn_memory_bytes);
	put_level(f, "warn", "swap", s->warn_swap_bytes);
	put_level(f, "kill", "memory", s->kill_memory_bytes);
	put_level(f, "kill", "swap", s->kill_swap_bytes);
}

static void put_now(FILE *f, const struct wire_state *s)
{
	put_gauge(f, "in_episode", "1 while the machine is short of memory.", s->in_episode);
	put_gauge(f, "victims_in_flight", "Groups signalled whose memory is not back yet.",
		s->flight_count);
	put_gauge(f, "pinned_mms",
		"Mms hidden now, because a kill freed nothing: they are not chosen again while "
		"they are there.",
		s->hidden_count);
	put_gauge(f, "dry_run", "1 when nobody is signalled, whatever happens (--dry-run).",
		s->dry_run);
	put_gauge(f, "pressure_trigger_armed",
		"1 when the kernel wakes oomfwd for stalls of the machine; 0: it has a timer only.",
		s->trigger_armed);
	put_gauge(f, "config_reload_failed",
		"1 when the configuration on disk was refused; the one before is in force.",
		s->reload_failed);
	put_time(f, "config_loaded_timestamp_seconds", "When the configuration in force was read.",
		s->configured_usec);
	put_time(f, "process_start_time_seconds", "When the daemon has started.", s->started_usec);
	put_time(f, "last_look_timestamp_seconds", "When the machine's memory was read last.",
		s->at_usec);
	put_time(f, "next_look_timestamp_seconds",
		"When it is read again at the latest. In the past: the daemon hangs.",
		s->next_look_usec);
}

static void put_domains(FILE *f, const struct wire_state *s)
{
	uint32_t n = (uint32_t)min_u64(s->domain_count, WIRE_DOMAINS);

	if (n == 0)
		return;
	head(f, "domain_cgroups", "gauge", "Cgroups that a [cgroup] section matches now.");
	for (uint32_t i = 0; i < n; i++)
		put_labelled(
			f, "domain_cgroups", "section", s->domains[i].name, s->domains[i].matched);
	head(f, "domain_troubled", "gauge",
		"Of the cgroups that a [cgroup] section matches, those that stall and are watched "
		"closely.");
	for (uint32_t i = 0; i < n; i++)
		put_labelled(f, "domain_troubled", "section", s->domains[i].name,
			s->domains[i].troubled);
	head(f, "domain_trigger_armed", "gauge",
		"1 when the kernel wakes oomfwd for stalls in the cgroups of a [cgroup] section.");
	for (uint32_t i = 0; i < n; i++)
		put_labelled(f, "domain_trigger_armed", "section", s->domains[i].name,
			s->domains[i].trigger_armed);
}

int metrics_write(const struct metrics *m, const struct wire_state *state, FILE *f)
{
	put_gauge(f, "up", "1 when the daemon runs and can be asked.", state != NULL);
	head(f, "build_info", "gauge", "The version of oomfwd; always 1.");
	put_labelled(f, "build_info", "version", OOMFWD_VERSION, 1);
	if (state) {
		put_now(f, state);
		put_memory(f, state);
		put_counts(f, state);
		put_domains(f, state);
	}
	put_histogram(f, "episode_seconds",
		"How long episodes took, of the machine and of domains.", m->episode_bucket,
		episode_bounds, m->episode_seconds_sum, m->episodes);
	put_histogram(f, "signal_seconds",
		"From the reading that showed the shortage to the last signal, of each group "
		"signalled.",
		m->signal_bucket, signal_bounds, m->signal_seconds_sum, m->signals);
	return ferror(f) ? -EIO : 0;
}

static int write_and_close(const struct metrics *m, const struct wire_state *state, int *fd)
{
	FILE *f = fdopen(*fd, "w");
	int r;

	if (!f)
		return -errno;
	(void)take_fd(fd);
	r = metrics_write(m, state, f);
	return fclose(f) != 0 ? -errno : r;
}

int metrics_write_file(const struct metrics *m, const struct wire_state *state, const char *path)
{
	_cleanup_(fd_closep) int fd = -EBADF;
	char tmp[PATH_MAX];
	int r;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd < 0)
		return -errno;
	/* node_exporter has a user of its own, and our umask may be anything. */
	r = fchmod(fd, 0644) < 0 ? -errno : write_and_close(m, state, &fd);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(tmp);
	return r;
}
