/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bus.h"
#include "say.h"
#include "state-json.h"
#include "view.h"

#include <stdarg.h>
#include <sys/epoll.h>
#include <systemd/sd-bus.h>

#define INTERFACE     "org.oomfwd1.Manager"
#define ERROR_ABSENT  "org.oomfwd1.Error.NoDaemon"
#define ACTION_RELOAD "org.oomfwd1.reload"

/* To the next attempt to reach the bus: twice as long each time. */
#define PAUSE_MIN_USEC USEC_PER_SEC
#define PAUSE_MAX_USEC (60 * USEC_PER_SEC)
/* With a person who types a password. */
#define POLKIT_USEC   (120 * USEC_PER_SEC)
#define ASKS_MAX      16
#define EPISODES_MAX  1000
#define INTERACTIVELY 1u /* of polkit */

struct bus {
	const struct bus_source *source;
	void *ctx;
	int epoll_fd;
	sd_bus *bus; /* NULL: none now */
	bool lost;   /* and to be closed */
	bool absence_said, name_refused_said;
	uint64_t retry_usec, pause_usec;
	uint32_t asks;
	struct view told; /* what the others have been told last */
};

/* Who wants to reload, while it is found out whether he may. */
struct ask {
	struct bus *bus;
	sd_bus_message *message;
};

/* --- properties --- */

static void look(const struct bus *b, struct view *ret)
{
	struct wire_state s;

	view_make(b->source->state(b->ctx, &s) ? &s : NULL, ret);
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
	sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct view_value value;
	struct view v;

	look(userdata, &v);
	view_get(&v, property, &value);
	if (value.type == 's')
		return sd_bus_message_append(reply, "s", value.text);
	if (value.type == 't')
		return sd_bus_message_append(reply, "t", value.number);
	/* A boolean or 32 bits: the same to the library. */
	return sd_bus_message_append(reply, value.type == 'b' ? "b" : "u", (uint32_t)value.number);
}

static bool is_up(const struct bus *b)
{
	return b->bus && !b->lost && sd_bus_is_ready(b->bus) > 0;
}

void bus_changed(struct bus *b)
{
	const char *names[VIEW_CHANGES_MAX + 1];
	struct view now;

	if (!is_up(b))
		return;
	look(b, &now);
	if (view_changes(&b->told, &now, names) > 0)
		(void)sd_bus_emit_properties_changed_strv(
			b->bus, BUS_PATH, INTERFACE, (char **)names);
	b->told = now;
}

/* --- methods --- */

static int reply_json(sd_bus_message *m, struct json *j)
{
	_cleanup_(json_unrefp) struct json *owned = j;
	_cleanup_(freep) char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int r = f ? json_write(owned, f, false) : -ENOMEM;

	if (f && fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	return r < 0 ? r : sd_bus_reply_method_return(m, "s", text);
}

static int method_dump(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;

	return reply_json(m, b->source->dump(b->ctx));
}

static int method_list_episodes(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;
	uint32_t max = 0;
	int r = sd_bus_message_read(m, "u", &max);

	if (r < 0)
		return r;
	return reply_json(m, b->source->episodes(b->ctx, (uint32_t)min_u64(max, EPISODES_MAX)));
}

static void free_ask(void *userdata)
{
	struct ask *a = userdata;

	a->bus->asks--;
	sd_bus_message_unref(a->message);
	free(a);
}

/* Sends the call; the answer is for the callback, and the ask is freed after it, or when the bus
 * goes. Takes over the ask. */
static int call_for(struct ask *a, sd_bus_message *call, sd_bus_message_handler_t callback,
	uint64_t timeout_usec)
{
	sd_bus_slot *slot = NULL;
	int r = sd_bus_call_async(a->bus->bus, &slot, call, callback, a, timeout_usec);

	if (r < 0) {
		free_ask(a);
		return r;
	}
	sd_bus_slot_set_destroy_callback(slot, free_ask);
	sd_bus_slot_set_floating(slot, true);
	sd_bus_slot_unref(slot);
	return 1;
}

static int new_ask(struct bus *b, sd_bus_message *m, struct ask **ret)
{
	struct ask *a;

	if (b->asks >= ASKS_MAX)
		return -EBUSY;
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	b->asks++;
	*a = (struct ask){ .bus = b, .message = sd_bus_message_ref(m) };
	*ret = a;
	return 0;
}

static int do_reload(const struct ask *a)
{
	int r = a->bus->source->reload(a->bus->ctx);

	if (r == -ENOTCONN)
		return sd_bus_reply_method_errorf(a->message, ERROR_ABSENT,
			"oomfwd does not run: there is nothing to reload");
	if (r < 0)
		return sd_bus_reply_method_errorf(a->message, SD_BUS_ERROR_FAILED,
			"oomfwd could not be asked to reload: %s", strerror(-r));
	return sd_bus_reply_method_return(a->message, "");
}

static int refuse(const struct ask *a, const char *why)
{
	return sd_bus_reply_method_errorf(a->message, SD_BUS_ERROR_ACCESS_DENIED, "%s", why);
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	const struct ask *a = userdata;
	int yes = false, may_ask = false;

	if (sd_bus_message_is_method_error(reply, NULL) ||
		sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
		sd_bus_message_read(reply, "bb", &yes, &may_ask) < 0)
		return refuse(a, "polkit does not answer: only root may reload oomfwd");
	if (yes)
		return do_reload(a);
	if (may_ask)
		return sd_bus_reply_method_errorf(a->message,
			SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
			"the action " ACTION_RELOAD " needs a password");
	return refuse(a, "polkit does not allow the action " ACTION_RELOAD " to you");
}

static int ask_polkit(struct ask *a)
{
	bool interactive = sd_bus_message_get_allow_interactive_authorization(a->message) > 0;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	struct ask *next;
	int r = sd_bus_message_new_method_call(a->bus->bus, &call, "org.freedesktop.PolicyKit1",
		"/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority",
		"CheckAuthorization");

	if (r >= 0)
		r = sd_bus_message_append(call, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
			"s", sd_bus_message_get_sender(a->message), ACTION_RELOAD, 0,
			interactive ? INTERACTIVELY : 0u, "");
	if (r >= 0)
		r = new_ask(a->bus, a->message, &next);
	return r < 0 ? r : call_for(next, call, on_polkit, interactive ? POLKIT_USEC : 0);
}

static int on_uid(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
	struct ask *a = userdata;
	uint32_t uid = UINT32_MAX;

	if (sd_bus_message_is_method_error(reply, NULL) ||
		sd_bus_message_read(reply, "u", &uid) < 0)
		return refuse(a, "the bus does not say who you are");
	if (uid == 0)
		return do_reload(a);
	return ask_polkit(a) < 0 ? refuse(a, "polkit cannot be asked") : 1;
}

/* Nothing here waits: for who it is, the bus is asked, for whether he may, polkit. */
static int method_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL;
	struct bus *b = userdata;
	struct ask *a;
	int r = new_ask(b, m, &a);

	if (r == -EBUSY)
		return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_LIMITS_EXCEEDED,
			"%d others wait to reload; try again later", ASKS_MAX);
	if (r < 0)
		return r;
	r = sd_bus_message_new_method_call(b->bus, &call, "org.freedesktop.DBus",
		"/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixUser");
	if (r >= 0)
		r = sd_bus_message_append(call, "s", sd_bus_message_get_sender(m));
	if (r < 0) {
		free_ask(a);
		return r;
	}
	return call_for(a, call, on_uid, 0);
}

/* --- signals --- */

/* What a process named so may be no text for the bus. */
static const char *escaped(const char *text, char ret[1024])
{
	return report_escape(text, ret, 1024);
}

static void emit_victim(struct bus *b, const struct report_event *e)
{
	char whole[TASK_COMM_LEN + 1] = "", comm[1024], cgroup[1024], sentence[1024], domain[1024];

	memcpy(whole, e->comm, TASK_COMM_LEN);
	escaped(whole, comm);
	report_format(e, sentence, sizeof(sentence));
	if (e->kind == REPORT_SIGNALLED)
		sd_bus_emit_signal(b->bus, BUS_PATH, INTERFACE, "Killed", "ussstui",
			(uint32_t)e->victim.pid, comm, escaped(e->cgroup, cgroup),
			escaped(e->domain, domain), e->expected_bytes, e->members, (int32_t)e->sig);
	else if (e->kind == REPORT_FREED)
		sd_bus_emit_signal(b->bus, BUS_PATH, INTERFACE, "Freed", "ustt",
			(uint32_t)e->victim.pid, comm, e->freed_bytes, e->latency_usec);
	else
		sd_bus_emit_signal(b->bus, BUS_PATH, INTERFACE, "Stuck", "uss",
			(uint32_t)e->victim.pid, comm, sentence);
}

void bus_event(struct bus *b, const struct report_event *e, uint64_t episode_id)
{
	char text[1024];

	if (!is_up(b))
		return;
	if (e->kind == REPORT_EPISODE_BEGAN) {
		sd_bus_emit_signal(b->bus, BUS_PATH, INTERFACE, "EpisodeBegan", "tss", episode_id,
			escaped(e->domain, text), state_level_name(e->level));
	} else if (e->kind == REPORT_STEP) {
		report_format(e, text, sizeof(text));
		sd_bus_emit_signal(b->bus, BUS_PATH, INTERFACE, "Escalated", "ss",
			config_ladder_name(e->step), text);
	} else if (!e->dry_run &&
		(e->kind == REPORT_SIGNALLED || e->kind == REPORT_FREED ||
			e->kind == REPORT_STUCK)) {
		emit_victim(b, e);
	}
}

void bus_ended(struct bus *b, const struct json *episode)
{
	if (is_up(b))
		sd_bus_emit_signal(b->bus, BUS_PATH, INTERFACE, "EpisodeEnded", "tbtu",
			(uint64_t)json_get_number(episode, "id"),
			(int)json_get_bool(episode, "recovered"),
			(uint64_t)json_get_number(episode, "freed_bytes"),
			(uint32_t)json_get_number(episode, "victims"));
}

/* --- the object --- */

#define CONST   SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define EXPIRES SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION
#define OPEN    SD_BUS_VTABLE_UNPRIVILEGED /* to all whom the bus lets through */

static const sd_bus_vtable object[] = { SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Version", "s", get_property, 0, CONST),
	SD_BUS_PROPERTY("Running", "b", get_property, 0, CHANGES),
	SD_BUS_PROPERTY("Level", "s", get_property, 0, CHANGES),
	SD_BUS_PROPERTY("InEpisode", "b", get_property, 0, CHANGES),
	SD_BUS_PROPERTY("DryRun", "b", get_property, 0, CHANGES),
	SD_BUS_PROPERTY("AvailableBytes", "t", get_property, 0, 0),
	SD_BUS_PROPERTY("TotalBytes", "t", get_property, 0, 0),
	SD_BUS_PROPERTY("SwapFreeBytes", "t", get_property, 0, 0),
	SD_BUS_PROPERTY("SwapTotalBytes", "t", get_property, 0, 0),
	SD_BUS_PROPERTY("VictimsInFlight", "u", get_property, 0, 0),
	SD_BUS_PROPERTY("WarnLevelBytes", "t", get_property, 0, EXPIRES),
	SD_BUS_PROPERTY("KillLevelBytes", "t", get_property, 0, EXPIRES),
	SD_BUS_PROPERTY("Episodes", "t", get_property, 0, EXPIRES),
	SD_BUS_PROPERTY("Kills", "t", get_property, 0, EXPIRES),
	SD_BUS_PROPERTY("StuckVictims", "t", get_property, 0, EXPIRES),
	SD_BUS_PROPERTY("FreedBytes", "t", get_property, 0, EXPIRES),
	SD_BUS_PROPERTY("HiddenMms", "u", get_property, 0, EXPIRES),
	SD_BUS_METHOD_WITH_ARGS("Reload", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reload, OPEN),
	SD_BUS_METHOD_WITH_ARGS(
		"Dump", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", json), method_dump, OPEN),
	SD_BUS_METHOD_WITH_ARGS("ListEpisodes", SD_BUS_ARGS("u", max), SD_BUS_RESULT("s", json),
		method_list_episodes, OPEN),
	SD_BUS_SIGNAL_WITH_ARGS("EpisodeBegan", SD_BUS_ARGS("t", id, "s", domain, "s", level), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Killed",
		SD_BUS_ARGS("u", pid, "s", comm, "s", cgroup, "s", domain, "t", expected_bytes, "u",
			members, "i", signal),
		0),
	SD_BUS_SIGNAL_WITH_ARGS(
		"Freed", SD_BUS_ARGS("u", pid, "s", comm, "t", freed_bytes, "t", latency_usec), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Stuck", SD_BUS_ARGS("u", pid, "s", comm, "s", message), 0),
	SD_BUS_SIGNAL_WITH_ARGS("Escalated", SD_BUS_ARGS("s", step, "s", message), 0),
	SD_BUS_SIGNAL_WITH_ARGS("EpisodeEnded",
		SD_BUS_ARGS("t", id, "b", recovered, "t", freed_bytes, "u", victims), 0),
	SD_BUS_VTABLE_END };

/* --- the connection --- */

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus *b = userdata;

	/* Not here, where the library is in the midst of it. */
	b->lost = true;
	return 0;
}

static int on_name(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const sd_bus_error *e = sd_bus_message_get_error(m);
	struct bus *b = userdata;
	uint32_t how = 0;

	if (!e && sd_bus_message_read(m, "u", &how) >= 0 && (how == 1 || how == 4)) {
		if (b->absence_said || b->name_refused_said)
			say(REPORT_NOTICE, "the system bus is there: serving " BUS_NAME);
		b->absence_said = b->name_refused_said = false;
		b->pause_usec = PAUSE_MIN_USEC;
		look(b, &b->told);
		return 0;
	}
	if (!b->name_refused_said)
		say(REPORT_WARNING, "the system bus does not give us the name " BUS_NAME ": %s",
			e ? e->message : "somebody else has it; is there another oomfwd-desk?");
	b->name_refused_said = true;
	/* The bus may learn of our policy later: a package that is being installed. */
	b->lost = true;
	return 0;
}

/* All of it answers later. */
static int connect_bus(struct bus *b)
{
	struct epoll_event watch = { 0 };
	int r = sd_bus_open_system_with_description(&b->bus, "oomfwd-desk");

	if (r >= 0)
		r = sd_bus_match_signal_async(b->bus, NULL, "org.freedesktop.DBus.Local",
			"/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local", "Disconnected",
			on_disconnected, NULL, b);
	if (r >= 0)
		r = sd_bus_add_object_vtable(b->bus, NULL, BUS_PATH, INTERFACE, object, b);
	if (r >= 0)
		r = sd_bus_request_name_async(b->bus, NULL, BUS_NAME, 0, on_name, b);
	if (r >= 0)
		r = sd_bus_get_fd(b->bus);
	if (r >= 0)
		r = epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, r, &watch) < 0 ? -errno : 0;
	return r;
}

static void give_up(struct bus *b, uint64_t now_usec, int error)
{
	b->bus = sd_bus_close_unref(b->bus);
	b->lost = false;
	b->retry_usec = now_usec + b->pause_usec;
	b->pause_usec = min_u64(b->pause_usec * 2, PAUSE_MAX_USEC);
	if (!b->absence_said && !b->name_refused_said)
		say(REPORT_NOTICE,
			"no system bus (%s): going on without, and trying again from time to time",
			strerror(-error));
	b->absence_said |= !b->name_refused_said;
}

int bus_fd(const struct bus *b)
{
	return b->epoll_fd;
}

uint64_t bus_next_usec(struct bus *b)
{
	struct epoll_event watch = { 0 };
	uint64_t until = USEC_NEVER;
	int events;

	if (!b->bus)
		return b->retry_usec;
	events = sd_bus_get_events(b->bus);
	watch.events = events > 0 ? (uint32_t)events : 0;
	if (events < 0 || epoll_ctl(b->epoll_fd, EPOLL_CTL_MOD, sd_bus_get_fd(b->bus), &watch) < 0)
		b->lost = true;
	return b->lost || sd_bus_get_timeout(b->bus, &until) < 0 ? 0 : until;
}

void bus_dispatch(struct bus *b, uint64_t now_usec)
{
	int r = 0;

	if (!b->bus && now_usec < b->retry_usec)
		return;
	if (!b->bus)
		r = connect_bus(b);
	while (r >= 0 && !b->lost && (r = sd_bus_process(b->bus, NULL)) > 0)
		;
	if (r < 0 || b->lost)
		give_up(b, now_usec, r < 0 ? r : -ECONNRESET);
}

int bus_new(const struct bus_source *source, void *ctx, struct bus **ret)
{
	struct bus *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->source = source;
	b->ctx = ctx;
	b->pause_usec = PAUSE_MIN_USEC;
	view_make(NULL, &b->told);
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll_fd < 0) {
		int r = -errno;

		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	sd_bus_close_unref(b->bus);
	fd_closep(&b->epoll_fd);
	free(b);
}
