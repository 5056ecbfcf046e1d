/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"
#include "procfs.h"
#include "record.h"
#include "report.h"
#include "simulation.h"

#include <getopt.h>
#include <string.h>

/* Of those that are not killed, in text; JSON has them all. */
#define SPARED_SHOWN 20

/* What is simulated: the machine, or a record. */
struct source {
	struct ctl ctl; /* with the --config of the command */
	const char *path;
	struct look *look;     /* owned */
	struct record *record; /* owned */
	struct config *own;    /* owned: with a record */
	/* Borrowed from these: */
	const struct config *config;
	const struct snapshot *snapshot;
	struct meminfo mem;
	struct victim_fns fns;
	pid_t self;
};

static int open_record(struct source *s)
{
	char why[RECORD_WHY_SIZE], line[4 * RECORD_WHY_SIZE];

	if (record_read(s->path, &s->record, why) < 0)
		return ctl_fail(CTL_NOT_FOUND, "cannot use the snapshot %s: %s", s->path,
			report_escape(why, line, sizeof(line)));
	s->own = ctl_load_config(&s->ctl);
	if (!s->own)
		return CTL_NOT_FOUND;
	s->config = s->own;
	s->snapshot = &s->record->snapshot;
	s->mem = s->record->mem;
	s->fns = record_fns(s->record);
	s->self = s->record->self;
	return CTL_OK;
}

static int open_look(struct source *s)
{
	int status = look_begin(&s->ctl, &s->look);

	if (!s->look)
		return status;
	s->config = s->look->config;
	s->snapshot = &s->look->snapshot;
	s->mem = s->look->mem;
	s->fns = s->look->fns;
	s->self = s->look->facts.self;
	return CTL_OK;
}

static void source_close(struct source *s)
{
	look_free(s->look);
	record_free(s->record);
	config_free(s->own);
}

/* --- the document --- */

static const char *level_name(enum engine_level level)
{
	static const char *const names[] = {
		[LEVEL_OK] = "ok", [LEVEL_WARN] = "warn", [LEVEL_KILL] = "kill"
	};

	return names[level];
}

/* Those chosen go to victims, the others, in place of those of the choice before, to *spared. */
static void add_choice(const struct simulation *sim, struct json *victims, struct json **spared)
{
	const struct choice *c = sim->choice;
	uint32_t chosen = 0;

	json_unref(*spared);
	*spared = json_array_new();
	for (uint32_t i = 0; i < c->candidate_count; i++) {
		struct json *j = describe_candidate(
			&sim->snapshot, sim->sharedmm, &sim->fns, &c->candidates[i]);

		if (chosen == c->count || c->chosen[chosen] != i) {
			if (c->candidates[i].reason == REASON_CHOSEN) {
				json_set_text(j, "reason", "limit");
				json_set_text(j, "reason_text", "no more victims were asked for");
			}
			json_add(*spared, j);
			continue;
		}
		chosen++;
		json_set_number(j, "round", sim->rounds);
		json_set_text(j, "signal", sim->level == LEVEL_WARN ? "TERM" : "KILL");
		json_set_bool(j, "avoided_eligible", sim->avoided_eligible);
		json_add(victims, j);
	}
}

static void set_end(struct json *j, const struct simulation *sim)
{
	static const char *const names[] = {
		[SIMULATION_GOES_ON] = "",
		[SIMULATION_OVER] = "over",
		[SIMULATION_NOBODY] = "nobody",
		[SIMULATION_LIMIT] = "limit",
	};
	bool ladder = sim->end == SIMULATION_NOBODY && sim->level == LEVEL_KILL &&
		sim->step < sim->config->ladder_count;

	json_set_text(j, "result", names[sim->end]);
	json_set_text(j, "result_text",
		sim->end == SIMULATION_NOBODY ? victim_result_text(sim->choice->result) : NULL);
	json_set_text(
		j, "next_step", ladder ? config_ladder_name(sim->config->ladder[sim->step]) : NULL);
	json_set(j, "memory_after", describe_memory(&sim->mem));
	json_set_number(j, "rounds", sim->rounds);
}

static struct json *play(struct simulation *sim)
{
	struct json *j = json_object_new(), *victims = json_array_new(), *spared = NULL;
	uint64_t need_bytes = 0;
	enum engine_level level = LEVEL_OK;
	bool chosen;

	json_set(j, "memory_before", describe_memory(&sim->mem));
	do {
		chosen = simulation_choose(sim);
		if (sim->rounds <= 1 && level == LEVEL_OK && sim->level != LEVEL_OK) {
			level = sim->level;
			need_bytes = sim->need.bytes;
		}
		if (chosen || sim->end == SIMULATION_NOBODY)
			add_choice(sim, victims, &spared);
		if (chosen)
			simulation_kill(sim);
	} while (chosen);
	json_set_text(j, "level", level_name(level));
	json_set_u64(j, "need_bytes", need_bytes);
	json_set(j, "victims", victims);
	json_set(j, "spared", spared ? spared : json_array_new());
	set_end(j, sim);
	return j;
}

static bool asks_for_cmdlines(const struct config *c)
{
	for (uint32_t i = 0; i < c->rule_count; i++)
		if (c->rules[i].cmdline.set)
			return true;
	return false;
}

static void add_notes(struct json *j, const struct source *s, const struct meminfo *at)
{
	struct json *notes = json_array_new();

	if (at->swap_free_bytes < s->mem.swap_free_bytes)
		json_add_text(notes,
			"swap is taken to be as full as at the kill level: there is "
			"no shortage while it is not");
	if (s->record && !s->record->has_cmdlines && asks_for_cmdlines(s->config))
		json_add_text(notes,
			"the snapshot has no command lines: protect rules that ask "
			"for one are taken to match, others not");
	if (s->record ? !s->record->can_ptrace : !s->look->can_ptrace)
		json_add_text(notes,
			"who shares memory with whom is not known for certain: this "
			"takes CAP_SYS_PTRACE, as root has it");
	if (s->snapshot->unread + s->snapshot->dropped > 0)
		json_add_text(notes, "not all processes could be read");
	json_set(j, "notes", notes);
}

static int simulate(const struct source *s, const struct config_amount *available, uint32_t limit,
	struct json **ret)
{
	_cleanup_(simulation_freep) struct simulation *sim = NULL;
	struct meminfo at = simulation_start(s->config, &s->mem, available);
	int r = simulation_new(s->config, s->snapshot, &at, &s->fns, s->self, limit, &sim);

	if (r < 0)
		return r;
	*ret = play(sim);
	json_set_text(*ret, "snapshot", s->path);
	if (s->record) {
		json_set_text(*ret, "snapshot_oomfwd", s->record->version);
		json_set_text(*ret, "snapshot_kernel", s->record->kernel);
		json_set_number(*ret, "snapshot_taken_seconds", s->record->taken_seconds);
	}
	add_notes(*ret, s, &at);
	return 0;
}

/* --- text --- */

static void print_memory(const struct json *m)
{
	char bytes[4][DESCRIBE_SIZE];

	printf("%s of %s available", describe_bytes(m, "available_bytes", bytes[0]),
		describe_bytes(m, "total_bytes", bytes[1]));
	if (json_get_number(m, "swap_total_bytes") > 0)
		printf(" and %s of %s swap free", describe_bytes(m, "swap_free_bytes", bytes[2]),
			describe_bytes(m, "swap_total_bytes", bytes[3]));
}

static void print_victim(size_t number, const struct json *v)
{
	const struct json *members = json_get(json_get(v, "group"), "members");
	char bytes[3][DESCRIBE_SIZE], process[DESCRIBE_SIZE];

	printf("%3zu. SIG%s to %s: gives back %s", number, json_get_text(v, "signal"),
		describe_process(v, process), describe_bytes(v, "yield_bytes", bytes[0]));
	if (json_get_number(v, "yield_shmem_bytes") > 0)
		printf(", %s of it shared memory",
			describe_bytes(v, "yield_shmem_bytes", bytes[1]));
	printf("; badness %s", describe_bytes(v, "badness_bytes", bytes[2]));
	describe_print_rule(stdout, v);
	putchar('\n');
	for (size_t i = 0; i < json_count(members); i++) {
		const struct json *m = json_at(members, i);

		if (json_get_number(m, "pid") != json_get_number(v, "pid"))
			printf("     with %s, which shares its memory\n",
				describe_process(m, process));
	}
}

static void print_spared(const struct json *spared)
{
	size_t count = json_count(spared);

	if (count > 0)
		puts("\nNot killed:");
	for (size_t i = 0; i < count && i < SPARED_SHOWN; i++) {
		const struct json *c = json_at(spared, i);
		char bytes[DESCRIBE_SIZE], process[DESCRIBE_SIZE];

		printf("     %s, %s: %s", describe_process(c, process),
			describe_bytes(c, "yield_bytes", bytes), json_get_text(c, "reason_text"));
		if (strcmp(json_get_text(c, "reason"), "pinned") == 0)
			describe_print_pin(stdout, json_get(c, "group"));
		describe_print_rule(stdout, c);
		putchar('\n');
	}
	if (count > SPARED_SHOWN)
		printf("     and %zu more; --json has all that were looked at\n",
			count - SPARED_SHOWN);
}

static void print_end(const struct json *j)
{
	const char *result = json_get_text(j, "result"), *step = json_get_text(j, "next_step");

	fputs("\nThen there would be ", stdout);
	print_memory(json_get(j, "memory_after"));
	if (strcmp(result, "over") == 0)
		puts(": the shortage is over.");
	else if (strcmp(result, "limit") == 0)
		puts(". The shortage goes on; no more victims were asked for.");
	else
		printf(". Nobody is left to choose: %s.\n", json_get_text(j, "result_text"));
	if (step[0])
		printf("oomfwd would go on with the step \"%s\" of its ladder.\n", step);
}

static void print(const struct json *j)
{
	const struct json *victims = json_get(j, "victims"), *notes = json_get(j, "notes");
	char bytes[DESCRIBE_SIZE];

	fputs("With ", stdout);
	print_memory(json_get(j, "memory_before"));
	if (strcmp(json_get_text(j, "level"), "ok") == 0) {
		puts(" there is no shortage: nobody would be killed.");
	} else {
		printf(" (%s level) %s would be needed:\n", json_get_text(j, "level"),
			describe_bytes(j, "need_bytes", bytes));
		for (size_t i = 0; i < json_count(victims); i++)
			print_victim(i + 1, json_at(victims, i));
		if (json_count(victims) == 0)
			puts("  nobody would be killed");
		print_end(j);
		print_spared(json_get(j, "spared"));
	}
	for (size_t i = 0; i < json_count(notes); i++)
		printf("Note: %s.\n", json_text(json_at(notes, i)));
}

/* --- arguments --- */

struct arguments {
	struct config_amount available;
	bool has_available;
	uint32_t limit;
};

static bool parse_count(const char *text, uint32_t *ret)
{
	uint64_t v;
	const char *end = procfs_parse_u64(text, &v);

	if (!end || *end || v < 1 || v > UINT32_MAX)
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* CTL_OK, or what ctl_usage() says. */
static int parse(int argc, char **argv, struct source *s, struct arguments *ret)
{
	static const struct option options[] = {
		{ "snapshot", required_argument, NULL, 's' },
		{ "config", required_argument, NULL, 'c' },
		{ "available", required_argument, NULL, 'a' },
		{ "count", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	opterr = 0;
	while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (o) {
		case 's':
			s->path = optarg;
			break;
		case 'c':
			s->ctl.config_path = optarg;
			break;
		case 'a':
			ret->has_available = true;
			if (config_parse_amount(optarg, &ret->available) < 0 ||
				ret->available.kind == AMOUNT_OFF)
				return ctl_usage(argv[0],
					"--available %s is no amount: give a share of memory (3%%) "
					"or a size (500M)",
					optarg);
			break;
		case 'n':
			if (!parse_count(optarg, &ret->limit))
				return ctl_usage(argv[0],
					"--count %s is no number of victims from 1 on", optarg);
			break;
		default:
			return ctl_usage(argv[0], "an option is unknown, or lacks its value");
		}
	}
	return optind == argc ? CTL_OK : ctl_usage(argv[0], "unexpected \"%s\"", argv[optind]);
}

int ctl_simulate(const struct ctl *c, int argc, char **argv)
{
	_cleanup_(source_close) struct source s = { .ctl = *c };
	_cleanup_(json_unrefp) struct json *j = NULL;
	struct arguments a = { 0 };
	int r, status = parse(argc, argv, &s, &a);

	if (status == CTL_OK)
		status = s.path ? open_record(&s) : open_look(&s);
	if (status != CTL_OK)
		return status;
	r = simulate(&s, a.has_available ? &a.available : NULL, a.limit, &j);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "no memory is left to simulate");
	if (c->json)
		return describe_write(j);
	print(j);
	return CTL_OK;
}
