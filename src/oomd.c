/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomfwd: options, start-up and the event loop. Sources only wake the loop; look() has the machine
 * and the domains watched, and sleeps as long as they say.
 */
#include "act.h"
#include "clock.h"
#include "config.h"
#include "domain.h"
#include "options.h"
#include "psi.h"
#include "publish.h"
#include "report.h"
#include "show.h"
#include "survive.h"
#include "util.h"
#include "watch.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

/* The alarm: stalls this short come before any level is reached. */
#define ALARM_STALL_USEC  (70 * USEC_PER_MSEC)
#define ALARM_WINDOW_USEC USEC_PER_SEC
/* zram devices come and go rarely, and looking for them costs some file reads; the tables have room
 * for the processes of some minutes. */
#define CHORES_EVERY_USEC (30 * USEC_PER_SEC)
#define REPORT_FLUSH_USEC USEC_PER_SEC
#define SENSE_FAILED_USEC USEC_PER_SEC

struct daemon {
	struct options options;
	struct config *config;
	struct sensor *sensor;
	struct actor *actor;
	struct watch watch; /* of the machine */
	struct domains *domains;
	sd_event *event;
	sd_event_source *timer;
	sd_event_source *domain_source[DOMAIN_SOURCES];
	int wake_fd, alarm_fd;
	uint64_t chores_usec;   /* when they were done last */
	uint64_t watchdog_usec; /* ping at least so often; 0: no watchdog */
	uint64_t pinged_usec;
	struct publisher publisher;
	bool sense_failed_said;
	bool reload_pending; /* asked for, but house may not be kept yet */
	bool news_pending;   /* cgroups came or went meanwhile */
};

/* No episode can begin by a stall that nobody has told us of. */
static bool is_calm(const struct daemon *d)
{
	return d->alarm_fd >= 0 && !watch_is_busy(&d->watch) &&
		monotonic_usec() >= d->watch.stalling_until_usec;
}

static int read_machine(void *ctx, struct meminfo *ret, struct pressure *ret_pressure,
	bool want_pressure, bool *ret_has_pressure)
{
	struct daemon *d = ctx;
	int r = is_calm(d) ? sensor_read_calm(d->sensor, ret) : sensor_read(d->sensor, ret);

	*ret_has_pressure =
		r == 0 && want_pressure && sensor_read_pressure(d->sensor, ret_pressure) == 0;
	return r;
}

/* Whether what reads files, allocates or takes its time may be done now; else it waits. */
static bool may_keep_house(const struct daemon *d, uint64_t now)
{
	return watch_may_keep_house(&d->watch, now) && domains_may_keep_house(d->domains, now);
}

/* --- configuration --- */

static void open_domains(struct daemon *d);

static void use_config(struct daemon *d, struct config *fresh)
{
	struct config *old = d->config;

	domains_free(d->domains);
	d->domains = NULL;
	d->config = fresh;
	actor_set_config(d->actor, fresh);
	watch_set_config(&d->watch, fresh, watch_fill_rate_bytes(fresh));
	open_domains(d);
	config_free(old);
}

static void reload(struct daemon *d)
{
	struct config *fresh;
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)monotonic_usec());
	survive_notify(state);
	fresh = show_load_config(d->options.config_path);
	publish_configured(&d->publisher, fresh != NULL);
	if (!fresh) {
		report_line(REPORT_ERROR,
			"the new configuration is not used, the old one stays in force; correct "
			"what is named above and reload again");
	} else {
		use_config(d, fresh);
		if (actor_rehearse(d->actor, &d->watch.mem) < 0)
			report_line(REPORT_WARNING, "the rehearsal after the reload failed");
		report_line(REPORT_NOTICE,
			"configuration reloaded, %u rules in force, %u cgroups watched",
			fresh->rule_count, domains_count(d->domains));
		domains_say(d->domains);
	}
	survive_notify("READY=1");
}

/* --- look --- */

/* What must not be done while somebody may have to be killed. */
static void keep_house(struct daemon *d, uint64_t now, bool was_busy)
{
	if (may_keep_house(d, now)) {
		if (was_busy)
			actor_calm(d->actor);
		if (d->news_pending) {
			d->news_pending = false;
			domains_news(d->domains);
			sd_event_source_set_enabled(d->domain_source[DOMAIN_NEWS], SD_EVENT_ON);
		}
		if (d->reload_pending) {
			d->reload_pending = false;
			reload(d);
		}
		if (now - d->chores_usec >= CHORES_EVERY_USEC) {
			sensor_refresh_devices(d->sensor);
			actor_make_room(d->actor);
			d->chores_usec = now;
		}
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

/* Returns until when the machine as a whole can wait. */
static uint64_t look_at_machine(struct daemon *d, uint64_t detected)
{
	uint64_t until;
	int r = watch_look(&d->watch, d->actor, domains_coming_bytes(d->domains), detected, &until);

	if (r < 0 && !d->sense_failed_said)
		report_line(REPORT_ERROR,
			"cannot read the memory figures in /proc: %s; trying again every second",
			strerror(-r));
	d->sense_failed_said = r < 0;
	return r < 0 ? monotonic_usec() + SENSE_FAILED_USEC : until;
}

static void look(struct daemon *d)
{
	uint64_t detected = monotonic_usec(), until;
	bool was_busy = !may_keep_house(d, detected);
	enum domains_hold hold = DOMAINS_GO_ON;

	until = look_at_machine(d, detected);
	/* The machine's victims may be a domain's: whether they suffice there shows when they are
	 * gone. Who was only asked to go may take longer than a domain can wait. */
	if (engine_is_killing(&d->watch.engine, detected))
		hold = DOMAINS_HOLD_ALL;
	else if (engine_waits_for_victims(&d->watch.engine, detected))
		hold = DOMAINS_HOLD_UNLIMITED;
	until = min_u64(until, domains_look(d->domains, d->actor, hold, detected));
	keep_house(d, monotonic_usec(), was_busy);
	arm_timer(d, until);
	d->publisher.reload_pending = d->reload_pending;
	publish_state(&d->publisher, &d->watch, d->actor, d->domains, until);
	if (d->options.once && d->sense_failed_said)
		sd_event_exit(d->event, -EIO);
	else if (d->options.once && !watch_is_busy(&d->watch))
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
	watch_alarm(&d->watch, monotonic_usec());
	look(d);
	return 0;
}

static int on_domain(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct daemon *d = userdata;
	uint32_t i = 0;

	while (i < CONFIG_DOMAINS_MAX && d->domain_source[i] != s)
		i++;
	if (i < CONFIG_DOMAINS_MAX)
		domains_alarm(d->domains, i, revents & EPOLLERR, monotonic_usec());
	look(d);
	return 0;
}

static int on_domain_news(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	struct daemon *d = userdata;

	/* The kernel keeps them until there is time to allocate. */
	d->news_pending = !may_keep_house(d, monotonic_usec());
	if (d->news_pending)
		sd_event_source_set_enabled(s, SD_EVENT_OFF);
	else
		domains_news(d->domains);
	return 0;
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	survive_notify("STOPPING=1");
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

static void ask_for_reload(struct daemon *d)
{
	d->reload_pending = true;
	look(d);
	if (d->reload_pending)
		report_line(REPORT_NOTICE,
			"asked to reload; that waits until memory has recovered, or, 10 s into the "
			"episode, until nobody is left to be killed");
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	ask_for_reload(userdata);
	return 0;
}

static int on_reload_asked(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) > 0)
		ask_for_reload(userdata);
	return 0;
}

/* --- start --- */

static void watch_domain_fd(void *ctx, uint32_t index, int fd)
{
	struct daemon *d = ctx;
	bool news = index == DOMAIN_NEWS;

	d->domain_source[index] = sd_event_source_disable_unref(d->domain_source[index]);
	if (fd < 0)
		return;
	if (sd_event_add_io(d->event, &d->domain_source[index], fd, news ? EPOLLIN : EPOLLPRI,
		    news ? on_domain_news : on_domain, d) < 0)
		report_line(REPORT_WARNING, "cannot watch for the pressure of cgroups");
}

/* Without its domains the daemon still serves the machine. */
static void open_domains(struct daemon *d)
{
	int r = domains_new(
		d->config, actor_mounts(d->actor), &d->watch.mem, watch_domain_fd, d, &d->domains);

	if (r < 0)
		report_line(REPORT_ERROR,
			"cannot watch the cgroups of the [cgroup] sections: %s; the machine as a "
			"whole is watched",
			strerror(-r));
}

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

/* For those who look at us from outside; the guard is whole without. */
static void open_feed(struct daemon *d)
{
	int fd;

	d->publisher = (struct publisher){ .config_path = d->options.config_path,
		.dry_run = d->options.dry_run,
		.trigger_armed = d->alarm_fd >= 0 };
	publish_configured(&d->publisher, true);
	if (!d->options.feed_path[0])
		return;
	publish_open(&d->publisher, d->options.feed_path, &fd);
	if (fd >= 0 && sd_event_add_io(d->event, NULL, fd, EPOLLIN, on_reload_asked, d) < 0)
		report_line(REPORT_WARNING, "reloads can be asked for by SIGHUP alone");
}

static int fail(const char *what, int error)
{
	report_line(REPORT_ERROR, "%s: %s", what, strerror(-error));
	return error;
}

/* The first thing that the loop meets is what a reaper will send it: that part of sd-event, too, is
 * there when it matters. */
static void rehearse_wake(const struct daemon *d)
{
	if (eventfd_write(d->wake_fd, 1) < 0)
		report_line(REPORT_DEBUG, "the rehearsal of a wake-up failed: %m");
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

	d->config = show_load_config(d->options.config_path);
	if (!d->config)
		return -EINVAL;
	watch_init(&d->watch, d->config, NULL, watch_fill_rate_bytes(d->config), read_machine, d);
	r = sensor_new(&d->sensor);
	if (r < 0)
		return fail("cannot open the memory figures in /proc", r);
	r = sensor_read(d->sensor, &d->watch.mem);
	if (r < 0)
		return fail("cannot read the memory figures in /proc", r);
	if (!just_a_table(d))
		show_lacks(survive_raise());
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
		show_lacks(survive_lock());
	r = actor_rehearse(d->actor, &d->watch.mem);
	if (r < 0)
		return fail("the rehearsal of a kill failed", r);
	if (!d->options.once) {
		open_domains(d);
		open_feed(d);
	}
	if (sd_watchdog_enabled(0, &interval) > 0)
		d->watchdog_usec = interval;
	d->pinged_usec = d->chores_usec = monotonic_usec();
	return 0;
}

static void daemon_stop(struct daemon *d)
{
	fd_closep(&d->alarm_fd);
	publish_close(&d->publisher);
	domains_free(d->domains);
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
		r = show_choice(d->actor, d->config, &d->watch.mem, d->options.domain_path);
		if (r < 0)
			fail("cannot say who would be chosen", r);
	} else if (r == 0) {
		show_started(d->actor, d->config, &d->watch.mem, d->domains, d->options.dry_run,
			d->alarm_fd >= 0);
		domains_say(d->domains);
		actor_warn_of_namespace(d->actor);
		actor_warn_of_rivals(d->actor);
		rehearse_wake(d);
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
	survive_block_signals();
	r = report_open(d.options.verbose ? REPORT_DEBUG : REPORT_INFO);
	if (r < 0) {
		fprintf(stderr, "oomfwd: cannot start the log: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	r = run(&d);
	report_close(REPORT_FLUSH_USEC);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
