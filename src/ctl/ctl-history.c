/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl.h"
#include "describe.h"
#include "history.h"
#include "past.h"
#include "procfs.h"

#include <getopt.h>

#define COUNT_DEFAULT 20

struct request {
	const char *path; /* NULL: where the desk writes it */
	uint64_t id;      /* 0: a list */
	uint64_t count;   /* 0: COUNT_DEFAULT */
};

static bool parse_number(const char *text, uint64_t *ret)
{
	const char *end = procfs_parse_u64(text, ret);

	return end && !*end && *ret > 0;
}

/* CTL_OK, or a status that has been explained. */
static int parse(int argc, char **argv, struct request *ret)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'n' },
		{ "file", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, ":n:", options, NULL)) >= 0) {
		if (o == 'f')
			ret->path = optarg;
		else if (o != 'n')
			return ctl_usage(argv[0], "%s is no option of it, or lacks its value",
				argv[optind - 1]);
		else if (!parse_number(optarg, &ret->count))
			return ctl_usage(argv[0], "how many episodes? -n takes a number from 1 on");
	}
	if (optind < argc && !parse_number(argv[optind++], &ret->id))
		return ctl_usage(argv[0],
			"which episode? Give the number in the column ID of \"oomfwdctl history\"");
	if (optind < argc)
		return ctl_usage(argv[0], "it takes one number at the most");
	return CTL_OK;
}

static int show_one(const struct ctl *c, const struct request *q, const struct json *episodes)
{
	for (size_t i = json_count(episodes); i > 0; i--) {
		const struct json *e = json_at(episodes, i - 1);

		if ((uint64_t)json_get_number(e, "id") != q->id)
			continue;
		if (c->json)
			return describe_write(e);
		past_print_timeline(stdout, e);
		return CTL_OK;
	}
	return ctl_fail(CTL_NOT_FOUND,
		"there is no episode %llu in %s; \"oomfwdctl history -n 1000\" lists those kept",
		(unsigned long long)q->id, q->path);
}

static int show_list(const struct ctl *c, const struct json *episodes, const char *path)
{
	if (c->json)
		return describe_write(episodes);
	if (json_count(episodes) == 0) {
		printf("There has been no episode yet: %s is empty.\n", path);
		return CTL_OK;
	}
	past_print_heading(stdout);
	for (size_t i = 0; i < json_count(episodes); i++)
		past_print_line(stdout, json_at(episodes, i));
	return CTL_OK;
}

static int show_none(const struct ctl *c, const struct request *q)
{
	_cleanup_(json_unrefp) struct json *none = json_array_new();

	if (q->id > 0)
		return show_one(c, q, none);
	if (c->json)
		return describe_write(none);
	printf("There has been no episode yet: there is no %s. oomfwd-desk writes it when the "
	       "first one ends.\n",
		q->path);
	return CTL_OK;
}

int ctl_history(const struct ctl *c, int argc, char **argv)
{
	char path[CONFIG_DESK_PATH_MAX];
	struct request q = { 0 };
	_cleanup_(json_unrefp) struct json *episodes = NULL;
	uint32_t bad = 0;
	int r = parse(argc, argv, &q);

	if (r != CTL_OK)
		return r;
	if (q.count == 0)
		q.count = COUNT_DEFAULT;
	if (!q.path) {
		past_path(c, path);
		if (!path[0])
			return ctl_fail(CTL_NOT_FOUND,
				"no history is kept: history = off in [desk]; --file PATH reads "
				"another");
		q.path = path;
	}
	r = history_read(q.path, q.id > 0 ? SIZE_MAX : q.count, &episodes, &bad);
	if (r == -ENOENT)
		return show_none(c, &q);
	if (r == -EACCES)
		return ctl_fail(CTL_FAILED,
			"%s may be read by root and the group oomfwd alone: use sudo, or join the "
			"group",
			q.path);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot read %s: %s", q.path, strerror(-r));
	if (bad > 0)
		fprintf(stderr, "oomfwdctl: %u line%s of %s %s no episode%s: skipped\n", bad,
			bad == 1 ? "" : "s", q.path, bad == 1 ? "is" : "are", bad == 1 ? "" : "s");
	return q.id > 0 ? show_one(c, &q, episodes) : show_list(c, episodes, q.path);
}
