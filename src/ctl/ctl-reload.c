/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"
#include "daemon.h"
#include "describe.h"
#include "report.h"

#include <systemd/sd-bus.h>

#define ANSWER_USEC (5 * USEC_PER_SEC)
#define POLL_USEC   (20 * USEC_PER_MSEC)
#define BUS_USEC    (5 * USEC_PER_SEC)
/* A request is taken at once, or said to wait: after so long it has been. */
#define TAKEN_AFTER_USEC USEC_PER_SEC

enum outcome {
	RELOAD_PENDING,
	RELOAD_DONE,
	RELOAD_REFUSED,
	RELOAD_WAITS,  /* for an episode */
	RELOAD_SILENT, /* no answer in time */
	RELOAD_GONE,   /* the daemon has ended */
	RELOAD_UNSEEN, /* asked over the bus; we may not see what came of it */
};

/* --- asking --- */

/* Through oomfwd-desk, where polkit decides who may. 0 or -errno. */
static int ask_by_bus(void)
{
	_cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0)
		return r;
	sd_bus_set_method_call_timeout(bus, BUS_USEC);
	r = sd_bus_call_method(bus, "org.oomfwd1", "/org/oomfwd1", "org.oomfwd1.Manager", "Reload",
		NULL, NULL, "");
	return r < 0 ? r : 0;
}

/* CTL_OK, or a status that has been explained. f is NULL when the socket refused us with error. */
static int ask(const struct ctl *c, struct feed_client *f, int error)
{
	/* Who names a socket means the daemon behind it, which need not be the one on the bus. */
	int r = c->socket_path ? -ENOENT : ask_by_bus();

	if (r == 0)
		return CTL_OK;
	if (!f)
		return daemon_fail(c, error);
	r = feed_client_reload(f);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot ask oomfwd to reload: %s", strerror(-r));
	return CTL_OK;
}

/* --- what came of it --- */

static enum outcome judge(const struct wire_state *before, const struct wire_state *now,
	uint64_t asked_usec, uint64_t waited_usec)
{
	if (now->configured_usec != before->configured_usec)
		return RELOAD_DONE;
	if (now->reload_failed && !before->reload_failed)
		return RELOAD_REFUSED;
	/* Refused before and after: only a look since we asked tells that it was read again. */
	if (now->reload_failed && now->at_usec > asked_usec && waited_usec > TAKEN_AFTER_USEC &&
		!now->reload_pending)
		return RELOAD_REFUSED;
	if (waited_usec < ANSWER_USEC)
		return RELOAD_PENDING;
	return now->reload_pending ? RELOAD_WAITS : RELOAD_SILENT;
}

/* Takes in what the daemon sends meanwhile. Whether it is still there. */
static bool is_there(struct feed_client *f)
{
	struct report_event e;
	uint32_t lost;
	int r;

	do
		r = feed_client_next(f, &e, &lost);
	while (r > 0);
	return r == 0;
}

static enum outcome wait_for(struct feed_client *f, const struct wire_state *before,
	uint64_t asked_usec, struct wire_state *ret_now)
{
	for (;;) {
		enum outcome o = RELOAD_PENDING;

		if (!is_there(f))
			return RELOAD_GONE;
		if (feed_client_state(f, ret_now) == 0)
			o = judge(before, ret_now, asked_usec, monotonic_usec() - asked_usec);
		else if (monotonic_usec() - asked_usec >= ANSWER_USEC)
			o = RELOAD_SILENT;
		if (o != RELOAD_PENDING)
			return o;
		usleep(POLL_USEC);
	}
}

/* --- saying it --- */

static const char *outcome_name(enum outcome o)
{
	static const char *const names[] = {
		[RELOAD_DONE] = "done",
		[RELOAD_REFUSED] = "refused",
		[RELOAD_WAITS] = "waits",
		[RELOAD_SILENT] = "no_answer",
		[RELOAD_GONE] = "gone",
		[RELOAD_UNSEEN] = "unseen",
	};

	return names[o];
}

static void say_outcome(enum outcome o, const struct wire_state *now, char *ret, size_t size)
{
	char path[4 * sizeof(now->config_path)];

	report_escape(now->config_path, path, sizeof(path));
	switch (o) {
	case RELOAD_DONE:
		snprintf(ret, size, "oomfwd has read %s again: %u rule%s in force", path,
			now->rules, now->rules == 1 ? " is" : "s are");
		return;
	case RELOAD_REFUSED:
		snprintf(ret, size,
			"oomfwd has refused %s: the configuration before stays in force; "
			"\"oomfwdctl check %s\" says what is wrong",
			path, path);
		return;
	case RELOAD_WAITS:
		snprintf(ret, size,
			"oomfwd was asked, and will read %s when memory has recovered or nobody is "
			"left to be killed: an episode is under way (oomfwdctl status)",
			path);
		return;
	case RELOAD_GONE:
		snprintf(ret, size, "oomfwd has ended meanwhile: see journalctl -u oomfwd");
		return;
	case RELOAD_UNSEEN:
		snprintf(ret, size,
			"oomfwd was asked; what came of it is for root and the group oomfwd to "
			"see, or in journalctl -u oomfwd");
		return;
	case RELOAD_PENDING:
	case RELOAD_SILENT:
		snprintf(ret, size,
			"oomfwd was asked, but has not answered within 5 s: see journalctl -u "
			"oomfwd");
		return;
	}
}

static int tell(const struct ctl *c, enum outcome o, const struct wire_state *now)
{
	bool good = o == RELOAD_DONE || o == RELOAD_WAITS || o == RELOAD_UNSEEN;
	_cleanup_(json_unrefp) struct json *j = NULL;
	char text[4096];

	say_outcome(o, now, text, sizeof(text));
	if (c->json) {
		j = json_object_new();
		json_set_text(j, "outcome", outcome_name(o));
		json_set_text(j, "message", text);
		describe_write(j);
	} else if (good) {
		puts(text);
	}
	return good ? CTL_OK : ctl_fail(CTL_FAILED, "%s", text);
}

/* f: may be NULL, see ask(). */
static int reload(const struct ctl *c, struct feed_client *f, int error)
{
	_cleanup_(freep) struct wire_state *before = calloc(1, sizeof(*before));
	_cleanup_(freep) struct wire_state *now = calloc(1, sizeof(*now));
	enum outcome o = RELOAD_UNSEEN;
	uint64_t asked_usec;
	int r;

	if (!before || !now)
		return ctl_fail(CTL_FAILED, "no memory is left");
	r = f ? daemon_state(f, before) : CTL_OK;
	if (r != CTL_OK)
		return r;
	asked_usec = monotonic_usec();
	r = ask(c, f, error);
	if (r != CTL_OK)
		return r;
	if (f)
		o = wait_for(f, before, asked_usec, now);
	return tell(c, o, now);
}

int ctl_reload(const struct ctl *c, int argc, char **argv)
{
	_cleanup_(feed_client_closep) struct feed_client *f = NULL;
	int r;

	if (argc > 1)
		return ctl_usage(argv[0], "it takes no arguments");
	r = feed_client_open(c->socket_path, &f);
	/* The bus may let us in where the socket does not. */
	if (r < 0 && r != -EACCES)
		return daemon_fail(c, r);
	return reload(c, f, r);
}
