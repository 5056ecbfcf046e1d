/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"
#include "describe.h"
#include "procfs.h"
#include "top.h"

#include <getopt.h>

#define DELAY_USEC     (2 * USEC_PER_SEC)
#define DELAY_MIN_USEC (100 * USEC_PER_MSEC) /* a look takes some 10 ms of CPU */

struct request {
	bool once;
	uint64_t delay_usec;
	uint64_t count; /* looks; 0: until it is told to end */
};

/* Seconds, "2" or "0.5", or with a unit. */
static bool parse_delay(const char *text, uint64_t *ret)
{
	char with_unit[64];

	if (config_parse_duration(text, ret) < 0) {
		snprintf(with_unit, sizeof(with_unit), "%ss", text);
		if (config_parse_duration(with_unit, ret) < 0)
			return false;
	}
	return *ret >= DELAY_MIN_USEC;
}

/* CTL_OK, or a status that has been explained. */
static int parse(int argc, char **argv, struct request *ret)
{
	static const struct option options[] = {
		{ "delay", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },
		{ "once", no_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	const char *end;
	int o;

	opterr = 0;
	while ((o = getopt_long(argc, argv, "d:n:", options, NULL)) >= 0) {
		switch (o) {
		case 'd':
			if (!parse_delay(optarg, &ret->delay_usec))
				return ctl_usage(argv[0],
					"-d %s is no time between looks: give seconds, 0.1 at "
					"the least",
					optarg);
			break;
		case 'n':
			end = procfs_parse_u64(optarg, &ret->count);
			if (!end || *end || ret->count == 0)
				return ctl_usage(
					argv[0], "-n %s is no number of looks from 1 on", optarg);
			break;
		case 'o':
			ret->once = true;
			break;
		default:
			return ctl_usage(argv[0], "an option is unknown, or lacks its value");
		}
	}
	return optind == argc ? CTL_OK : ctl_usage(argv[0], "unexpected \"%s\"", argv[optind]);
}

/* --- without a terminal --- */

static int write_json(struct look *l, const struct top *t)
{
	_cleanup_(json_unrefp) struct json *j = json_object_new();
	struct json *groups = json_array_new(), *headroom = json_object_new();

	json_set(j, "memory", describe_memory(&l->mem));
	json_set(headroom, "warn", figures_headroom_json(&l->mem, &t->figures.warn));
	json_set(headroom, "kill", figures_headroom_json(&l->mem, &t->figures.kill));
	json_set(j, "headroom", headroom);
	json_set_text(j, "pressure", NULL);
	json_set(j, "pressure", averages_json(&t->pressure, t->pressure_error));
	json_set_bool(j, "complete", t->complete);
	json_set_text(j, "result", describe_result(l->choice->result));
	json_set_u64(j, "need_bytes", l->need.bytes);
	for (uint32_t i = 0; i < t->count; i++) {
		struct json *g = describe_candidate(&l->snapshot, l->sharedmm, &l->fns,
			&l->choice->candidates[t->rows[i].candidate]);

		json_set_text(g, "place", t->rows[i].place);
		json_add(groups, g);
	}
	json_set(j, "groups", groups);
	return describe_write(j);
}

static int run_plain(const struct ctl *c, const struct request *q, struct top *t, struct look *l)
{
	uint64_t looks = q->once || q->count == 0 || c->json ? 1 : q->count;

	for (uint64_t i = 0; i < looks; i++) {
		int r;

		if (i > 0)
			usleep((useconds_t)min_u64(q->delay_usec, UINT32_MAX));
		r = look_now(l, 0);
		if (r < 0)
			return ctl_fail(CTL_FAILED, "cannot read the processes: %s", strerror(-r));
		top_take(t, l);
		if (c->json)
			return write_json(l, t);
		if (i > 0)
			putchar('\n');
		top_print(stdout, t);
		if (fflush(stdout) != 0)
			return ctl_fail(CTL_FAILED, "cannot write: %s", strerror(errno));
	}
	return CTL_OK;
}

/* --- on a terminal --- */

static int draw(const struct ctl *c, struct terminal *term, struct top *t)
{
	_cleanup_(freep) char *text = NULL;
	unsigned height, width;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return -ENOMEM;
	terminal_size(&height, &width);
	top_draw(f, t, height, width, c->color);
	if (fclose(f) != 0)
		return -ENOMEM;
	return terminal_draw(term, text);
}

static int look_again(struct top *t, struct look *l)
{
	int r = look_now(l, 0);

	if (r < 0)
		return r;
	top_take(t, l);
	return t->in_details ? top_take_details(t, l) : 0;
}

/* Until the next look is due. 1, 0: that is all; or -errno. */
static int serve_keys(const struct ctl *c, struct terminal *term, struct top *t, struct look *l,
	uint64_t until_usec)
{
	unsigned height, width;
	enum terminal_key key;
	enum top_outcome o;
	int r;

	for (;;) {
		r = draw(c, term, t);
		if (r < 0)
			return r;
		switch (terminal_wait(term, until_usec, &key)) {
		case TERMINAL_TIMEOUT:
			return 1;
		case TERMINAL_ENDED:
			return 0;
		case TERMINAL_RESIZED:
			break;
		case TERMINAL_KEY:
			terminal_size(&height, &width);
			o = top_press(t, key, height);
			if (o == TOP_QUIT)
				return 0;
			r = o == TOP_DETAILS ? top_take_details(t, l) : 0;
			if (r < 0)
				return r;
		}
	}
}

static int run_screen(const struct ctl *c, const struct request *q, struct terminal *term,
	struct top *t, struct look *l)
{
	int r = 1;

	for (uint64_t i = 0; r > 0 && (q->count == 0 || i < q->count); i++) {
		r = look_again(t, l);
		if (r < 0)
			return r;
		/* From the end of the look on: a slow machine is not kept busy. */
		r = serve_keys(c, term, t, l, add_sat_u64(monotonic_usec(), q->delay_usec));
	}
	return r < 0 ? r : 0;
}

static void top_freep(struct top **t)
{
	if (*t)
		free((*t)->details);
	free(*t);
}

int ctl_top(const struct ctl *c, int argc, char **argv)
{
	struct request q = { .delay_usec = DELAY_USEC };
	_cleanup_(terminal_closep) struct terminal *term = NULL;
	_cleanup_(look_freep) struct look *l = NULL;
	_cleanup_(top_freep) struct top *t = calloc(1, sizeof(*t));
	int r = parse(argc, argv, &q);
	bool screen = !q.once && !c->json && terminal_is_there();

	if (r != CTL_OK)
		return r;
	if (!t)
		return ctl_fail(CTL_FAILED, "no memory is left");
	/* Before look_new(), whose threads are not to take our signals. */
	r = screen ? terminal_open(&term) : 0;
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot use the terminal: %s", strerror(-r));
	r = look_new(c, &l);
	if (r < 0)
		return look_status(r);
	if (!screen)
		return run_plain(c, &q, t, l);
	r = run_screen(c, &q, term, t, l);
	terminal_close(take_pointer(&term));
	if (r == -EIO)
		return CTL_OK; /* the terminal has gone, and with it who would read more */
	return r < 0 ? ctl_fail(CTL_FAILED, "cannot go on: %s", strerror(-r)) : CTL_OK;
}
