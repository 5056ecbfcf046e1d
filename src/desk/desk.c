/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomfwd-desk: start-up and the event loop. Each part has one fd that is readable when it has
 * something to do and a time until when it can wait; whatever wakes the loop, all are asked. So
 * nothing here can block for long, and nothing runs while nothing happens.
 */
#include "build-config.h"
#include "bus.h"
#include "clock.h"
#include "config.h"
#include "desk-options.h"
#include "hook.h"
#include "http.h"
#include "ledger.h"
#include "say.h"
#include "survive.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#define HTTP_HISTORY_MAX 100 /* episodes */
#define DUMP_MAX         16

struct desk {
	struct desk_options options;
	struct config_desk config;
	struct ledger *ledger;
	struct hooks *hooks;
	struct http *http; /* NULL: off */
	struct bus *bus;   /* NULL: off */
	sd_event *event;
	sd_event_source *timer, *http_source, *bus_source;
	char http_path[CONFIG_DESK_PATH_MAX]; /* of the one that is open, or was tried */
	bool reload_asked;                    /* by the bus, which it may close */
};

static int fail(const char *what, int error)
{
	say(REPORT_ERROR, "%s: %s", what, strerror(-error));
	return error;
}

/* --- what the parts ask of each other --- */

static void on_event(void *ctx, const struct report_event *e, uint64_t episode_id)
{
	struct desk *d = ctx;

	if (d->bus)
		bus_event(d->bus, e, episode_id);
}

static void on_ended(void *ctx, const struct json *episode)
{
	struct desk *d = ctx;

	if (d->bus)
		bus_ended(d->bus, episode);
	hooks_add(d->hooks, episode);
}

static const struct ledger_listener listener = { .event = on_event, .ended = on_ended };

static bool give_state(void *ctx, struct wire_state *ret)
{
	struct desk *d = ctx;

	return ledger_state(d->ledger, ret);
}

static struct json *give_episodes(void *ctx, uint32_t max)
{
	struct desk *d = ctx;

	return ledger_episodes(d->ledger, max);
}

static struct json *give_dump(void *ctx)
{
	struct desk *d = ctx;
	struct json *j = json_object_new();

	json_set(j, "status", ledger_status(d->ledger));
	json_set(j, "episodes", ledger_episodes(d->ledger, DUMP_MAX));
	return j;
}

static int ask_reload(void *ctx)
{
	struct desk *d = ctx;
	int r = ledger_reload(d->ledger);

	/* Its part of the same file is ours to read. */
	if (r == 0)
		d->reload_asked = true;
	return r;
}

static const struct bus_source bus_source = {
	.state = give_state, .dump = give_dump, .episodes = give_episodes, .reload = ask_reload
};

static int answer_http(void *ctx, enum http_page page, FILE *f)
{
	struct desk *d = ctx;
	_cleanup_(json_unrefp) struct json *j = NULL;

	switch (page) {
	case HTTP_METRICS:
		return ledger_write_metrics(d->ledger, f);
	case HTTP_STATUS:
		j = ledger_status(d->ledger);
		break;
	case HTTP_HISTORY:
		j = ledger_episodes(d->ledger, HTTP_HISTORY_MAX);
		break;
	}
	return json_write(j, f, false);
}

/* --- work --- */

static void read_config_again(struct desk *d);

static void sleep_until(struct desk *d, uint64_t until_usec)
{
	sd_event_source_set_time(d->timer, until_usec);
	sd_event_source_set_enabled(
		d->timer, until_usec == USEC_NEVER ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void work(struct desk *d)
{
	uint64_t now = monotonic_usec(), until;

	ledger_dispatch(d->ledger, now);
	if (ledger_is_outdated(d->ledger))
		sd_event_exit(d->event, 0);
	hooks_hold(d->hooks, ledger_is_busy(d->ledger));
	hooks_dispatch(d->hooks, now);
	until = min_u64(ledger_next_usec(d->ledger), hooks_next_usec(d->hooks));
	if (d->http) {
		http_dispatch(d->http, now);
		until = min_u64(until, http_next_usec(d->http));
	}
	if (d->bus) {
		bus_changed(d->bus);
		bus_dispatch(d->bus, now);
		until = min_u64(until, bus_next_usec(d->bus));
	}
	if (d->reload_asked) {
		read_config_again(d);
		until = now; /* what it opened anew has to be asked, too */
	}
	sleep_until(d, until);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	work(userdata);
	return 0;
}

static int on_fd(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
	work(userdata);
	return 0;
}

/* --- configuration --- */

/* Lines of config_load(), as it marks them. */
static void say_lines(char *text)
{
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		say(strncmp(l, "notice: ", 8) == 0                ? REPORT_NOTICE
				: strncmp(l, "warning: ", 9) == 0 ? REPORT_WARNING
								  : REPORT_ERROR,
			"%s", l);
}

static int load_config(struct desk *d)
{
	_cleanup_(freep) char *text = NULL;
	struct config *c = NULL;
	int r = config_load_told(d->options.config_path, &text, &c);

	if (text)
		say_lines(text);
	if (r < 0)
		return r;
	d->config = c->desk;
	config_free(c);
	return 0;
}

static int add_fd(struct desk *d, int fd, sd_event_source **ret)
{
	return sd_event_add_io(d->event, ret, fd, EPOLLIN, on_fd, d);
}

/* Without it the rest goes on. */
static void use_http(struct desk *d)
{
	const char *path = d->options.http_path ? d->options.http_path : d->config.metrics_socket;
	int r = 0;

	if (d->http && strcmp(path, d->http_path) == 0)
		return;
	d->http_source = sd_event_source_disable_unref(d->http_source);
	http_close(d->http);
	d->http = NULL;
	copy_cut(d->http_path, sizeof(d->http_path), path);
	if (path[0])
		r = http_open(path, answer_http, d, &d->http);
	if (r == 0 && d->http)
		r = add_fd(d, http_fd(d->http), &d->http_source);
	if (r < 0)
		say(REPORT_WARNING, "cannot serve HTTP at %s: %s; set metrics_socket to %s", path,
			strerror(-r),
			r == -EEXIST ? "a path where no file is"
				     : "a path that this user can make a socket at, or to off");
}

static void use_bus(struct desk *d)
{
	bool wanted = d->config.bus && !d->options.no_bus;
	int r = 0;

	if (wanted == (d->bus != NULL))
		return;
	d->bus_source = sd_event_source_disable_unref(d->bus_source);
	bus_free(d->bus);
	d->bus = NULL;
	if (wanted)
		r = bus_new(&bus_source, d, &d->bus);
	if (r == 0 && d->bus)
		r = add_fd(d, bus_fd(d->bus), &d->bus_source);
	if (r < 0)
		fail("going on without the system bus", r);
}

static int use_config(struct desk *d)
{
	hooks_configure(d->hooks, d->config.post_kill, d->config.hook_timeout_usec);
	use_http(d);
	use_bus(d);
	return ledger_configure(d->ledger, &d->config);
}

static void read_config_again(struct desk *d)
{
	d->reload_asked = false;
	if (load_config(d) < 0)
		say(REPORT_ERROR,
			"the new configuration is not used, the old one stays in force; correct "
			"what is named above and reload again");
	else if (use_config(d) == 0)
		say(REPORT_NOTICE, "configuration reloaded");
}

static int on_reload(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	struct desk *d = userdata;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)monotonic_usec());
	read_config_again(d);
	sd_notify(0, "READY=1");
	work(d);
	return 0;
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata)
{
	sd_notify(0, "STOPPING=1");
	return sd_event_exit(sd_event_source_get_event(s), 0);
}

/* --- start --- */

static int add_sources(struct desk *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	int r = sd_event_default(&d->event);

	for (size_t i = 0; i < ARRAY_SIZE(signals) && r >= 0; i++)
		r = sd_event_add_signal(d->event, NULL, signals[i],
			signals[i] == SIGHUP ? on_reload : on_terminate, d);
	if (r >= 0)
		r = sd_event_add_time(
			d->event, &d->timer, CLOCK_MONOTONIC, monotonic_usec(), 0, on_timer, d);
	if (r >= 0)
		r = add_fd(d, ledger_fd(d->ledger), NULL);
	if (r >= 0)
		r = add_fd(d, hooks_fd(d->hooks), NULL);
	return r;
}

/* The directory that systemd made for us; the first, if there are more. */
static const char *state_dir(const struct desk *d)
{
	static char dir[PATH_MAX];
	const char *given = d->options.state_dir;

	if (given)
		return given;
	given = getenv("STATE_DIRECTORY");
	if (!given || !given[0])
		return NULL;
	copy_cut(dir, sizeof(dir), given);
	dir[strcspn(dir, ":")] = '\0';
	return dir;
}

static int desk_start(struct desk *d)
{
	struct config defaults;
	int r;

	config_init(&defaults);
	d->config = defaults.desk;
	if (load_config(d) < 0)
		say(REPORT_ERROR,
			"going on with the defaults, without a hook; correct what is named above "
			"and reload");
	r = ledger_new(d->options.socket_path, state_dir(d), &listener, d, &d->ledger);
	if (r == 0)
		r = hooks_new(&d->hooks);
	if (r == 0)
		r = add_sources(d);
	return r < 0 ? r : use_config(d);
}

static void desk_stop(struct desk *d)
{
	ledger_free(d->ledger);
	hooks_free(d->hooks);
	sd_event_source_unref(d->http_source);
	sd_event_source_unref(d->bus_source);
	sd_event_source_unref(d->timer);
	http_close(d->http);
	bus_free(d->bus);
	sd_event_unref(d->event);
}

int main(int argc, char **argv)
{
	static struct desk d;
	int r = desk_options_parse(argc, argv, &d.options);

	if (r >= 0)
		return r;
	survive_block_signals();
	r = desk_start(&d);
	if (r < 0) {
		fail("cannot start", r);
	} else {
		sd_notify(0, "READY=1");
		r = sd_event_loop(d.event);
		if (r < 0)
			fail("the event loop ended", r);
	}
	desk_stop(&d);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
