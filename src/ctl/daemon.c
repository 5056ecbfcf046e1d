/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon.h"

#include "build-config.h"
#include "describe.h"
#include "report-text.h"
#include "state-json.h"

#define LOOK_TRIES 20
#define LOOK_USEC  (50 * USEC_PER_MSEC)

static const char still_works[] =
	"without it top, explain, sharing, simulate, snapshot, check and history still work, but "
	"nobody guards this machine";

static const char *explain(int error, const char *socket_path, char *ret, size_t size)
{
	struct text t = { ret, size };
	const char *path = socket_path ? socket_path : WIRE_SOCKET;

	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		text_add(&t, "no oomfwd serves %s: it is not running (systemctl start oomfwd); %s",
			path, still_works);
		break;
	case -EACCES:
	case -EPERM:
		text_add(&t,
			"you may not talk to oomfwd: use sudo, or join the group oomfwd (usermod "
			"-aG oomfwd NAME, then log in anew)");
		break;
	case -EPROTO:
		text_add(&t,
			"the oomfwd that runs is of another version than this "
			"oomfwdctl, " OOMFWD_VERSION ": restart it (systemctl restart oomfwd)");
		break;
	case -ETIMEDOUT:
		text_add(&t,
			"oomfwd does not answer at %s: it is stopped, or has no time; its log may "
			"say "
			"more (journalctl -u oomfwd)",
			path);
		break;
	case -ECONNRESET:
		text_add(&t,
			"oomfwd has hung up: as many read from it as it serves; end one of them "
			"(ss -xp | grep oomfwd lists them)");
		break;
	default:
		text_add(&t, "cannot talk to oomfwd at %s: ", path);
		text_error(&t, error);
		break;
	}
	return ret;
}

static const char *error_name(int error)
{
	switch (error) {
	case -ENOENT:
	case -ECONNREFUSED:
		return "not_running";
	case -EACCES:
	case -EPERM:
		return "not_permitted";
	case -EPROTO:
		return "other_version";
	case -ETIMEDOUT:
		return "no_answer";
	case -ECONNRESET:
		return "full";
	default:
		return "failed";
	}
}

int daemon_fail(const struct ctl *c, int error)
{
	_cleanup_(json_unrefp) struct json *j = NULL;
	char why[512];

	explain(error, c->socket_path, why, sizeof(why));
	if (c->json) {
		j = state_json(NULL, 0, 0);
		json_set_text(j, "error", error_name(error));
		json_set_text(j, "message", why);
		describe_write(j);
	}
	return ctl_fail(CTL_NO_DAEMON, "%s", why);
}

int daemon_open(const struct ctl *c, struct feed_client **ret)
{
	int r = feed_client_open(c->socket_path, ret);

	return r < 0 ? daemon_fail(c, r) : CTL_OK;
}

int daemon_state(const struct feed_client *f, struct wire_state *ret)
{
	/* The first look of a daemon that has just started takes a moment. */
	for (int i = 0; i < LOOK_TRIES; i++) {
		if (feed_client_state(f, ret) == 0 && ret->at_usec > 0)
			return CTL_OK;
		usleep(LOOK_USEC);
	}
	return ctl_fail(CTL_FAILED,
		"oomfwd, pid %d, runs, but has not looked at memory yet: try again in a moment",
		(int)feed_client_pid(f));
}
