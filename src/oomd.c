/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomfwd: options, start-up and the event loop. Sources only wake the loop; look() senses, lets the
 * engine decide and carries its actions out, until it says to wait, and for how long.
 */
#include "act.h"
#include "build-config.h"
#include "clock.h"
#include "config.h"
#include "engine.h"
#include "options.h"
#include "psi.h"
#include "report.h"
#include "survive.h"
#include "util.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

/* More steps than all slots can need; then the loop gets its turn. */
#define STEPS_MAX 512
/* The alarm: stalls this short come before any level is reached. */
#define ALARM_STALL_USEC  (70 * USEC_PER_MSEC)
#define ALARM_WINDOW_USEC USEC_PER_SEC
/* A core touches new pages at about this rate; the fastest fill is by all of them. */
#define FILL_PER_CPU_BYTES (1 * GIB)
/* zram devices come and go rarely; looking for them costs some file reads. */
#define DEVICES_EVERY_USEC (30 * USEC_PER_SEC)
#define REPORT_FLUSH_USEC  USEC_PER_SEC
#define SENSE_FAILED_USEC  USEC_PER_SEC

struct daemon {
	struct options options;
	struct config *config;
	struct sensor *sensor;
	struct actor *actor;
	struct engine engine;
	struct engine_input input;
	struct engine_outcome outcome;
	struct action action;
	struct meminfo mem;
	struct psi_history history;
	struct fill_rate fill;
	sd_event *event;
	sd_event_source *timer;
	int wake_fd, alarm_fd;
	uint64_t stalling_until_usec;
	uint64_t growth_from_usec; /* growth is measured from here on */
	uint64_t devices_usec;     /* when zram devices were looked for last */
	uint64_t watchdog_usec;    /* ping at least so often; 0: no watchdog */
	uint64_t pinged_usec;
	bool sense_failed_said;
	bool reload_pending; /* asked for in an episode: it reads files and allocates */
};

/* --- sense, decide, act --- */

static uint64_t longest_span_usec(const struct config *c)
{
	uint64_t warn = c->warn.pressure.set ? c->warn.pressure.span_usec : 0;
	uint64_t kill = c->kill.pressure.set ? c->kill.pressure.span_usec : 0;

	return max_u64(warn, kill);
}

/* Fills the input with the readings of now. 0 or -errno. */
static int sense(struct daemon *d, bool observe)
{
	struct engine_input *in = &d->input;
	uint64_t span = longest_span_usec(d->config);
	struct pressure p;
	int r = sensor_read(d->sensor, &d->mem);

	if (r < 0)
		return r;
	in->now_usec = monotonic_usec();
	in->mem = &d->mem;
	if (d->growth_from_usec != d->engine.growth_from_usec &&
		in->now_usec >= d->engine.growth_from_usec) {
		d->growth_from_usec = d->engine.growth_from_usec;
		fill_rate_restart(&d->fill);
	}
	fill_rate_add(&d->fill, in->now_usec,
		add_sat_u64(d->mem.available_bytes, d->mem.swap_free_bytes));
	in->fastest_bytes_per_sec = d->fill.fastest_bytes;
	in->growth_bytes_per_sec = fill_rate_growth(&d->fill, in->now_usec);
	if (span > 0 && sensor_read_pressure(d->sensor, &p) == 0)
		psi_history_add(&d->history, in->now_usec, &p, span);
	in->pressure_warn = d->config->warn.pressure.set &&
		psi_history_reaches(&d->history, &d->config->warn.pressure, in->now_usec);
	in->pressure_kill = d->config->kill.pressure.set &&
		psi_history_reaches(&d->history, &d->config->kill.pressure, in->now_usec);
	in->stalling = in->now_usec < d->stalling_until_usec;
	in->seen_count = 0;
	if (observe)
		actor_observe(d->actor, &d->engine, in);
	return 0;
}

/* Stalls from before a death say nothing about the time after it. */
static void after_action(struct daemon *d)
{
	if (d->action.kind == ACTION_FREED)
		d->history.count = 0;
	if (d->action.kind == ACTION_RECOVERED) {
		actor_calm(d->actor);
	}
}

static void init_fill(struct daemon *d)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t rate = d->config->fill_rate_bytes;

	if (rate == 0)
		rate = FILL_PER_CPU_BYTES * (uint64_t)(cpus > 0 ? cpus : 1);
	fill_rate_init(&d->fill, rate);
}

/* Writes the lines that config_load collected, each as an entry of its own. */
static void report_lines(enum report_level level, char *text)
{
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		report_line(level, "%s", l);
}

/* The configuration, or NULL: what is wrong has been logged. */
static struct config *load_config(const char *path)
{
	_cleanup_(freep) char *text = NULL;
	struct config *c = NULL;
	size_t size = 0;
	FILE *errors = open_memstream(&text, &size);
	int r;

	if (!errors)
		return NULL;
	r = config_load(path, errors, &c);
	fclose(errors);
	if (text)
		report_lines(r < 0 ? REPORT_ERROR : REPORT_WARNING, text);
	return r < 0 ? NULL : c;
}

static void reload(struct daemon *d)
{
	struct config *fresh, *old = d->config;
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)monotonic_usec());
	survive_notify(state);
	fresh = load_config(d->options.config_path);
	if (!fresh) {
		report_line(REPORT_ERROR,
			"the new configuration is not used, the old one stays in force; correct "
			"what is named above and reload again");
	} else {
		d->config = fresh;
		actor_set_config(d->actor, fresh);
		engine_set_config(&d->engine, fresh);
		init_fill(d);
		config_free(old);
		if (actor_rehearse(d->actor, &d->mem) < 0)
			report_line(REPORT_WARNING, "the rehearsal after the reload failed");
		report_line(REPORT_NOTICE, "configuration reloaded, %u rules in force",
			fresh->rule_count);
	}
	survive_notify("READY=1");
}

static void keep_house(struct daemon *d, uint64_t now)
{
	if (!d->engine.in_episode && d->reload_pending) {
		d->reload_pending = false;
		reload(d);
	}
	if (!d->engine.in_episode && now - d->devices_usec >= DEVICES_EVERY_USEC) {
		sensor_refresh_devices(d->sensor);
		d->devices_usec = now;
	}
	if (d->watchdog_usec > 0 && now - d->pinged_usec >= d->watchdog_usec / 4) {
		survive_notify("WATCHDOG=1");
		d->pinged_usec = now;
	}
}

static void arm_timer(struct daemon *d, uint64_t until_usec)
{
	uint64_t now = monotonic_usec();

	/* A watchdog that was promised a ping must not depend on how calm it is. */
	if (d->watchdog_usec > 0)
		until_usec = min_u64(until_usec, now + d->watchdog_usec / 3);
	sd_event_source_set_time(d->timer, until_usec);
	sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

static void look(struct daemon *d)
{
	uint64_t detected = monotonic_usec(), faults = survive_major_faults();
	uint64_t until = detected;
	bool observe = true;

	/* The outcome of the last action may yet have to be told, if sensing failed after it. */
	for (int i = 0; i < STEPS_MAX; i++) {
		int r = sense(d, observe);

		if (r < 0) {
			if (!d->sense_failed_said)
				report_line(REPORT_ERROR,
					"cannot read the memory figures in /proc: %s; trying again "
					"every second",
					strerror(-r));
			d->sense_failed_said = true;
			until = monotonic_usec() + SENSE_FAILED_USEC;
			break;
		}
		d->sense_failed_said = false;
		engine_step(&d->engine, &d->input, &d->action);
		d->input.outcome = NULL;
		if (d->action.kind == ACTION_WAIT) {
			until = d->action.deadline_usec;
			break;
		}
		actor_carry_out(
			d->actor, &d->engine, &d->input, &d->action, detected, faults, &d->outcome);
		d->input.outcome = &d->outcome;
		/* What has been seen once a look need not be looked at for each that is done. */
		observe = d->action.kind == ACTION_CHOOSE || d->action.kind == ACTION_UPGRADE ||
			d->action.kind == ACTION_STEP;
		after_action(d);
	}
	keep_house(d, monotonic_usec());
	arm_timer(d, until);
	if (d->options.once && d->sense_failed_said)
		sd_event_exit(d->event, -EIO);
	else if (d->options.once && !d->engine.in_episode)
		sd_event_exit(d->event, 0);
}

/* --- event sources --- */

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	look(userdata);
	return 0;
}

static int on_wake(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) > 0)
		look(userdata);
	return 0;
}

static int on_alarm(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct daemon *d = userdata;

	if (revents & EPOLLERR) {
		report_line(
			REPORT_WARNING, "the pressure trigger is gone; going on by timer alone");
		sd_event_source_set_enabled(s, SD_EVENT_OFF);
		return 0;
	}
	d->stalling_until_usec =
		monotonic_usec() + 2 * max_u64(longest_span_usec(d->config), ALARM_WINDOW_USEC);
	look(d);
	return 0;
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	survive_notify("STOPPING=1");
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	struct daemon *d = userdata;

	d->reload_pending = true;
	if (d->engine.in_episode)
		report_line(
			REPORT_NOTICE, "asked to reload; that waits until memory has recovered");
	look(d);
	return 0;
}

/* --- start --- */

static int open_alarm(struct daemon *d)
{
	int r;

	d->alarm_fd = psi_trigger_open(
		"/proc/pressure/memory", false, ALARM_STALL_USEC, ALARM_WINDOW_USEC);
	if (d->alarm_fd < 0) {
		report_line(REPORT_WARNING,
			"no pressure trigger on /proc/pressure/memory (%s); going on by timer "
			"alone%s",
			strerror(-d->alarm_fd),
			d->alarm_fd == -EPERM                ? "; it needs CAP_SYS_RESOURCE"
				: d->alarm_fd == -EOPNOTSUPP ? "; boot with psi=1 to switch it on"
							     : "");
		return 0;
	}
	r = sd_event_add_io(d->event, NULL, d->alarm_fd, EPOLLPRI, on_alarm, d);
	return r < 0 ? r : 0;
}

static int add_sources(struct daemon *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	int r = sd_event_default(&d->event);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		r = sd_event_add_signal(d->event, NULL, signals[i],
			signals[i] == SIGHUP ? on_reload : on_terminate, d);
		if (r < 0)
			return r;
	}
	/* Its default accuracy of 250 ms would be most of the time there is. */
	r = sd_event_add_time(
		d->event, &d->timer, CLOCK_MONOTONIC, monotonic_usec(), 1, on_timer, d);
	if (r < 0)
		return r;
	r = sd_event_add_io(d->event, NULL, d->wake_fd, EPOLLIN, on_wake, d);
	if (r < 0)
		return r;
	return d->options.once ? 0 : open_alarm(d);
}

/* Every thread must have them blocked before it starts, for sd-event's signalfd to get them. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void say_lacks(unsigned lack)
{
	if (lack & LACK_MLOCK)
		report_line(REPORT_WARNING,
			"cannot lock memory: %s; a kill may have to wait for the disk (needs "
			"CAP_IPC_LOCK)",
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

static void say_started(const struct daemon *d)
{
	char total[32], available[32];

	assert(d->config);
	report_line(REPORT_NOTICE,
		"oomfwd %s%s: %s of %s available, %u rules, shared mms by %s, cgroups %s, %s",
		OOMFWD_VERSION, d->options.dry_run ? " (dry run: nobody is signalled)" : "",
		report_bytes(d->mem.available_bytes, available, sizeof(available)),
		report_bytes(d->mem.total_bytes, total, sizeof(total)), d->config->rule_count,
		actor_evidence(d->actor), actor_cgroups(d->actor),
		d->alarm_fd >= 0 ? "pressure trigger armed" : "no pressure trigger");
}

static int fail(const char *what, int error)
{
	report_line(REPORT_ERROR, "%s: %s", what, strerror(-error));
	return error;
}

/* For a table to look at, nothing needs to survive. */
static bool just_a_table(const struct daemon *d)
{
	return d->options.once && d->options.dry_run;
}

static int daemon_start(struct daemon *d)
{
	uint64_t interval;
	int r;

	d->config = load_config(d->options.config_path);
	if (!d->config)
		return -EINVAL;
	init_fill(d);
	engine_init(&d->engine, d->config);
	r = sensor_new(&d->sensor);
	if (r < 0)
		return fail("cannot open the memory figures in /proc", r);
	r = sensor_read(d->sensor, &d->mem);
	if (r < 0)
		return fail("cannot read the memory figures in /proc", r);
	if (!just_a_table(d))
		say_lacks(survive_raise());
	r = actor_new(d->config, d->options.dry_run, &d->actor, &d->wake_fd);
	if (r == -EXDEV) {
		report_line(REPORT_ERROR,
			"/proc shows another pid namespace than the one oomfwd runs in; mount the "
			"/proc of its own, or run it in the host's (hostPID)");
		return r;
	}
	if (r < 0)
		return fail("cannot prepare for a kill", r);
	r = add_sources(d);
	if (r < 0)
		return fail("cannot set up the event loop", r);
	if (!just_a_table(d))
		say_lacks(survive_lock());
	r = actor_rehearse(d->actor, &d->mem);
	if (r < 0)
		return fail("the rehearsal of a kill failed", r);
	if (sd_watchdog_enabled(0, &interval) > 0)
		d->watchdog_usec = interval;
	d->pinged_usec = d->devices_usec = monotonic_usec();
	return 0;
}

static void daemon_stop(struct daemon *d)
{
	fd_closep(&d->alarm_fd);
	sd_event_source_unref(d->timer);
	sd_event_unref(d->event);
	actor_free(d->actor);
	sensor_free(d->sensor);
	config_free(d->config);
}

static int run(struct daemon *d)
{
	int r = daemon_start(d);

	if (r == 0 && just_a_table(d)) {
		r = actor_print_choice(d->actor, &d->mem, stdout);
		if (r < 0)
			fail("cannot read the processes in /proc", r);
	} else if (r == 0) {
		say_started(d);
		actor_warn_of_namespace(d->actor);
		actor_warn_of_rivals(d->actor);
		survive_notify("READY=1");
		r = sd_event_loop(d->event);
		if (r < 0)
			fail("the event loop ended", r);
	}
	daemon_stop(d);
	return r;
}

int main(int argc, char **argv)
{
	static struct daemon d = { .wake_fd = -EBADF, .alarm_fd = -EBADF };
	int r = options_parse(argc, argv, &d.options);

	if (r >= 0)
		return r;
	if (d.options.check_config)
		return options_check_config(d.options.config_path);
	survive_prepare_heap();
	block_signals();
	r = report_open(d.options.verbose ? REPORT_DEBUG : REPORT_INFO);
	if (r < 0) {
		fprintf(stderr, "oomfwd: cannot start the log: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	r = run(&d);
	report_close(REPORT_FLUSH_USEC);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
