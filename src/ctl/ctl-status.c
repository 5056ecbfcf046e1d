/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"
#include "daemon.h"
#include "describe.h"
#include "history.h"
#include "past.h"
#include "status.h"

#include <getopt.h>

#define EPISODES 3

/* CTL_OK, or a status that has been explained. */
static int parse(int argc, char **argv, const char **ret_path)
{
	static const struct option options[] = {
		{ "history", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};

	opterr = 0;
	for (int o; (o = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		if (o != 'h')
			return ctl_usage(argv[0], "an option is unknown, or lacks its value");
		*ret_path = optarg;
	}
	return optind == argc ? CTL_OK : ctl_usage(argv[0], "unexpected \"%s\"", argv[optind]);
}

static void status_freep(struct status **s)
{
	if (*s)
		json_unref((*s)->episodes);
	free(*s);
}

int ctl_status(const struct ctl *c, int argc, char **argv)
{
	_cleanup_(feed_client_closep) struct feed_client *f = NULL;
	_cleanup_(status_freep) struct status *s = calloc(1, sizeof(*s));
	_cleanup_(json_unrefp) struct json *j = NULL;
	char path[CONFIG_DESK_PATH_MAX];
	const char *given = NULL;
	int r = parse(argc, argv, &given);

	if (r == CTL_OK)
		r = daemon_open(c, &f);
	if (r != CTL_OK)
		return r;
	if (!s)
		return ctl_fail(CTL_FAILED, "no memory is left");
	r = daemon_state(f, &s->state);
	if (r != CTL_OK)
		return r;
	s->pid = feed_client_pid(f);
	s->pressure_error = averages_read(&s->pressure);
	past_path(c, path);
	s->history_off = !given && !path[0];
	s->history_error = s->history_off
		? -ENOENT
		: history_read(given ? given : path, EPISODES, &s->episodes, NULL);
	s->now_usec = monotonic_usec();
	if (c->json) {
		j = status_json(s);
		return describe_write(j);
	}
	status_print(stdout, s);
	return CTL_OK;
}
