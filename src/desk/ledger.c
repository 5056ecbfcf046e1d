/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ledger.h"
#include "clock.h"
#include "feed-client.h"
#include "history.h"
#include "metrics.h"
#include "say.h"
#include "state-json.h"

#include <sys/epoll.h>

/* To the next attempt to reach the daemon: twice as long each time. */
#define PAUSE_MIN_USEC (100 * USEC_PER_MSEC)
#define PAUSE_MAX_USEC (5 * USEC_PER_SEC)
/* The metrics file: so soon after news, and so often without. */
#define FILE_NEWS_USEC (15 * USEC_PER_SEC)
#define FILE_CALM_USEC (60 * USEC_PER_SEC)
/* Taken in one go, so that others have their turn. */
#define EVENTS_MAX 256

struct ledger {
	const char *socket_path, *state_dir;
	const struct ledger_listener *listener;
	void *ctx;
	int epoll_fd;
	struct feed_client *feed; /* NULL: no daemon */
	uint64_t retry_usec, pause_usec;
	int failure; /* said last: why there is no daemon */
	char history[PATH_MAX], metrics_file[CONFIG_DESK_PATH_MAX];
	int history_failure, metrics_failure; /* said last */
	struct episodes *episodes;
	struct metrics metrics;
	uint64_t write_usec, written_usec; /* the metrics file: when next, when last */
	/* The machine, by its last event; the page may be older. */
	uint64_t heard_usec;
	bool in_episode;
	enum engine_level level;
	enum engine_cause cause;
};

/* --- configuration --- */

int ledger_configure(struct ledger *l, const struct config_desk *c)
{
	if (l->state_dir && strcmp(c->history, HISTORY_PATH) == 0)
		snprintf(l->history, sizeof(l->history), "%s%s", l->state_dir,
			strrchr(HISTORY_PATH, '/'));
	else
		snprintf(l->history, sizeof(l->history), "%s", c->history);
	copy_cut(l->metrics_file, sizeof(l->metrics_file), c->metrics_file);
	l->history_failure = l->metrics_failure = 0;
	l->write_usec = 0;
	if (l->episodes)
		return 0;
	return episodes_new(l->history[0] ? history_next_id(l->history) : 1, &l->episodes);
}

static const char *socket_path(const struct ledger *l)
{
	return l->socket_path ? l->socket_path : WIRE_SOCKET;
}

/* --- the metrics file --- */

static void write_file(struct ledger *l, uint64_t now_usec)
{
	struct wire_state s;
	int r = metrics_write_file(&l->metrics, ledger_state(l, &s) ? &s : NULL, l->metrics_file);

	if (r < 0 && r != l->metrics_failure)
		say(REPORT_WARNING, "cannot write the metrics to %s: %s", l->metrics_file,
			strerror(-r));
	l->metrics_failure = r;
	l->written_usec = now_usec;
	l->write_usec = now_usec + FILE_CALM_USEC;
}

static void want_file(struct ledger *l, bool at_once)
{
	uint64_t soonest = l->written_usec + FILE_NEWS_USEC;

	l->write_usec = at_once ? 0 : min_u64(l->write_usec, soonest);
}

/* --- episodes --- */

static void take_ended(struct ledger *l, const struct episode *e)
{
	_cleanup_(json_unrefp) struct json *j = episode_json(e);
	int r = 0;

	metrics_take(&l->metrics, e);
	if (l->history[0])
		r = history_append(l->history, e);
	if (r < 0 && r != l->history_failure)
		say(REPORT_WARNING,
			"cannot add to the history %s: %s; episodes are lost until that is over",
			l->history, strerror(-r));
	l->history_failure = r;
	want_file(l, true);
	if (j)
		l->listener->ended(l->ctx, j);
}

/* The one under way that an event of this domain belongs to; 0: none. */
static uint64_t id_of(const struct ledger *l, const struct report_event *event)
{
	const struct episode *e;

	for (uint32_t i = 0; (e = episodes_open(l->episodes, i)); i++)
		if (strcmp(e->domain_path, event->domain_path) == 0)
			return e->id;
	return 0;
}

static void note_machine(struct ledger *l, const struct report_event *e)
{
	if (e->domain_path[0])
		return;
	if (e->kind == REPORT_EPISODE_BEGAN || e->kind == REPORT_SIGNALLED) {
		l->in_episode = true;
		l->level = e->level;
		l->cause = e->cause;
		l->heard_usec = e->at_usec;
	} else if (e->kind == REPORT_RECOVERED) {
		l->in_episode = false;
		l->level = LEVEL_OK;
		l->cause = CAUSE_NONE;
		l->heard_usec = e->at_usec;
	}
}

static void take_event(struct ledger *l, const struct report_event *e, uint32_t lost)
{
	uint64_t id = id_of(l, e);
	struct timespec t;
	const struct episode *ended;

	clock_gettime(CLOCK_REALTIME, &t);
	ended = episodes_take(l->episodes, e, lost, monotonic_usec(),
		(uint64_t)t.tv_sec * USEC_PER_SEC + (uint64_t)t.tv_nsec / 1000);
	note_machine(l, e);
	if (id == 0 || (ended && e->kind != REPORT_RECOVERED))
		id = id_of(l, e);
	l->listener->event(l->ctx, e, id);
	if (ended)
		take_ended(l, ended);
	want_file(l, false);
}

static void end_all(struct ledger *l, uint64_t now_usec)
{
	const struct episode *e;

	while ((e = episodes_end(l->episodes, now_usec)))
		take_ended(l, e);
}

/* --- the daemon --- */

static void say_absent(struct ledger *l, int error)
{
	if (error == l->failure)
		return;
	l->failure = error;
	if (error == -EPROTO)
		say(REPORT_NOTICE,
			"the oomfwd at %s is of another version: ending, to be started in that one",
			socket_path(l));
	else if (error == -EACCES || error == -EPERM)
		say(REPORT_WARNING,
			"may not talk to oomfwd at %s; run as a member of the group oomfwd",
			socket_path(l));
	else if (error == -ENOENT || error == -ECONNREFUSED)
		say(REPORT_NOTICE, "no oomfwd at %s; waiting for it", socket_path(l));
	else
		say(REPORT_WARNING, "cannot talk to oomfwd at %s: %s; trying again", socket_path(l),
			strerror(-error));
}

static void try_to_connect(struct ledger *l, uint64_t now_usec)
{
	struct epoll_event watch = { .events = EPOLLIN };
	int r = feed_client_open(l->socket_path, &l->feed);

	if (r == 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, feed_client_fd(l->feed), &watch) < 0) {
		r = -errno;
		feed_client_close(l->feed);
		l->feed = NULL;
	}
	if (r < 0) {
		say_absent(l, r);
		l->retry_usec = now_usec + l->pause_usec;
		l->pause_usec = min_u64(l->pause_usec * 2, PAUSE_MAX_USEC);
		return;
	}
	say(REPORT_INFO, "listening to oomfwd, pid %d", (int)feed_client_pid(l->feed));
	l->failure = 0;
	l->pause_usec = PAUSE_MIN_USEC;
	l->retry_usec = USEC_NEVER;
	l->heard_usec = 0;
	want_file(l, true);
}

static void lose(struct ledger *l, uint64_t now_usec, int error)
{
	if (error == -ECONNRESET)
		say(REPORT_NOTICE, "oomfwd has gone; waiting for it to come back");
	else
		say(REPORT_WARNING, "the connection to oomfwd failed: %s; trying anew",
			strerror(-error));
	feed_client_close(l->feed);
	l->feed = NULL;
	l->failure = -ECONNREFUSED;
	l->retry_usec = now_usec + l->pause_usec;
	end_all(l, now_usec);
	want_file(l, true);
}

static void hear(struct ledger *l, uint64_t now_usec)
{
	struct report_event e;
	uint32_t lost;
	int r = 1;

	for (int n = 0; n < EVENTS_MAX && r > 0; n++) {
		r = feed_client_next(l->feed, &e, &lost);
		if (r > 0)
			take_event(l, &e, lost);
	}
	if (r < 0)
		lose(l, now_usec, r);
}

bool ledger_is_outdated(const struct ledger *l)
{
	return l->failure == -EPROTO;
}

bool ledger_is_busy(const struct ledger *l)
{
	return episodes_open(l->episodes, 0) != NULL;
}

bool ledger_state(const struct ledger *l, struct wire_state *ret)
{
	if (!l->feed || feed_client_state(l->feed, ret) < 0)
		return false;
	if (l->heard_usec > ret->at_usec) {
		ret->in_episode = l->in_episode;
		ret->level = l->level;
		ret->cause = l->cause;
	}
	return true;
}

int ledger_reload(struct ledger *l)
{
	return l->feed ? feed_client_reload(l->feed) : -ENOTCONN;
}

/* --- what others are told --- */

struct json *ledger_status(const struct ledger *l)
{
	struct wire_state s;
	bool running = ledger_state(l, &s);

	return state_json(
		running ? &s : NULL, running ? feed_client_pid(l->feed) : 0, monotonic_usec());
}

struct json *ledger_episodes(const struct ledger *l, size_t max)
{
	struct json *array = NULL;
	const struct episode *e;
	uint32_t open = 0;
	int r = -ENOENT;

	while (open < max && episodes_open(l->episodes, open))
		open++;
	if (l->history[0] && max > open)
		r = history_read(l->history, max - open, &array, NULL);
	if (r < 0 && r != -ENOENT)
		say(REPORT_WARNING, "cannot read the history %s: %s", l->history, strerror(-r));
	if (r < 0)
		array = json_array_new();
	for (uint32_t i = 0; i < open && (e = episodes_open(l->episodes, i)); i++)
		json_add(array, episode_json(e));
	return array;
}

int ledger_write_metrics(const struct ledger *l, FILE *f)
{
	struct wire_state s;

	return metrics_write(&l->metrics, ledger_state(l, &s) ? &s : NULL, f);
}

/* --- whole --- */

int ledger_fd(const struct ledger *l)
{
	return l->epoll_fd;
}

uint64_t ledger_next_usec(const struct ledger *l)
{
	return min_u64(l->retry_usec, l->metrics_file[0] ? l->write_usec : USEC_NEVER);
}

void ledger_dispatch(struct ledger *l, uint64_t now_usec)
{
	if (l->feed)
		hear(l, now_usec);
	else if (now_usec >= l->retry_usec)
		try_to_connect(l, now_usec);
	if (l->metrics_file[0] && now_usec >= l->write_usec)
		write_file(l, now_usec);
}

int ledger_new(const char *path, const char *state_dir, const struct ledger_listener *listener,
	void *ctx, struct ledger **ret)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*l = (struct ledger){ .socket_path = path,
		.state_dir = state_dir,
		.listener = listener,
		.ctx = ctx,
		.pause_usec = PAUSE_MIN_USEC };
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void ledger_free(struct ledger *l)
{
	if (!l)
		return;
	if (l->episodes)
		end_all(l, monotonic_usec());
	feed_client_close(l->feed);
	episodes_free(l->episodes);
	fd_closep(&l->epoll_fd);
	free(l);
}
