/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import-earlyoom, import-nohang, import-systemd-oomd: what they print has been through our own
 * parser.
 */
#include "ctl.h"
#include "import.h"

#include <sys/sysinfo.h>

#define ROOT "--root"

/* Between the command and what it does. */
struct request {
	const char *command, *root;
	int argc; /* behind the command and --root; argv[0] is the command */
	char **argv;
};

static bool is_help(const struct request *r)
{
	return r->argc == 2 && (strcmp(r->argv[1], "-h") == 0 || strcmp(r->argv[1], "--help") == 0);
}

static void print_help(const char *command)
{
	const char *daemon = command + strlen("import-");

	printf("Usage: oomfwdctl %s %s\n\n"
	       "Writes the equal of a configuration of %s to standard output.\n"
	       "What has no equal is in comments there, and said on standard error.\n",
		command,
		strcmp(daemon, "earlyoom") == 0         ? "[ARGUMENTS | FILE]"
			: strcmp(daemon, "nohang") == 0 ? "[FILE]"
							: "[" ROOT " DIRECTORY] [FILE]",
		daemon);
}

/* Takes what may stand in front of the arguments off. 0, or CTL_USAGE after a complaint. */
static int parse_request(int argc, char **argv, struct request *ret)
{
	bool takes_root = strcmp(argv[0], "import-systemd-oomd") == 0;

	*ret = (struct request){ .command = argv[0], .root = "", .argc = argc, .argv = argv };
	if (takes_root && argc > 1 && strcmp(argv[1], ROOT) == 0) {
		if (argc == 2)
			return ctl_usage(argv[0], ROOT " lacks its directory");
		ret->root = argv[2];
		ret->argc -= 2;
		ret->argv += 2;
	}
	if (ret->argc > 1 && strcmp(ret->argv[1], "--") == 0) {
		ret->argc--;
		ret->argv++;
	}
	ret->argv[0] = argv[0];
	return 0;
}

/* CTL_OK, CTL_USAGE or CTL_NOT_FOUND; the last two have been explained. */
static int run(struct import *im, const struct request *q)
{
	const char *file = q->argc == 2 && q->argv[1][0] != '-' ? q->argv[1] : NULL;
	int r;

	if (strcmp(q->command, "import-earlyoom") == 0 && q->argc > 1 && !file) {
		r = import_earlyoom(im, q->argc, q->argv);
		return r < 0 ? CTL_USAGE : CTL_OK;
	}
	if (q->argc > 1 && !file)
		return ctl_usage(q->command,
			q->argc > 2 ? "give one file at most" : "there is no such option");
	r = strcmp(q->command, "import-earlyoom") == 0     ? import_earlyoom_file(im, file)
		: strcmp(q->command, "import-nohang") == 0 ? import_nohang(im, file)
							   : import_systemd_oomd(im, file);
	return r < 0 ? CTL_NOT_FOUND : CTL_OK;
}

static void say_no_equal(const struct import *im)
{
	size_t count = json_count(im->no_equal);

	if (count == 0)
		return;
	fprintf(stderr, "%zu %s not the same with oomfwd; the comments say so, too:\n", count,
		count == 1 ? "thing is" : "things are");
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "- %s\n", json_text(json_at(im->no_equal, i)));
}

/* Takes the sentences over. */
static int print(const struct ctl *c, const char *config, struct import *im)
{
	_cleanup_(json_unrefp) struct json *j = NULL;
	int r;

	if (!c->json) {
		fputs(config, stdout);
		/* In their order for those who see both. */
		r = fflush(stdout);
		say_no_equal(im);
		return r == 0 ? CTL_OK : ctl_fail(CTL_FAILED, "cannot write: %s", strerror(errno));
	}
	j = json_object_new();
	json_set_text(j, "config", config);
	json_set(j, "no_equal", take_pointer(&im->no_equal));
	r = json_write(j, stdout, true);
	return r < 0 ? ctl_fail(CTL_FAILED, "cannot write: %s", strerror(-r)) : CTL_OK;
}

/* Nothing that oomfwd would refuse is handed out: that would be a fault of ours. */
static int check(const char *config)
{
	_cleanup_(freep) char *said = NULL;
	size_t size;
	FILE *f = open_memstream(&said, &size);
	int r = f ? import_check(config, f) : -errno;

	if (f)
		fclose(f);
	if (r == 0)
		return CTL_OK;
	fputs(said ? said : "", stderr);
	return ctl_fail(CTL_FAILED,
		"what came out is not correct (above, by its line), so it is not printed; please "
		"report this with the file");
}

int ctl_import(const struct ctl *c, int argc, char **argv)
{
	_cleanup_(freep) char *config = NULL;
	struct sysinfo machine = { 0 };
	struct request request;
	struct import im;
	size_t size;
	int r;

	r = parse_request(argc, argv, &request);
	if (r != 0)
		return r;
	if (is_help(&request)) {
		print_help(argv[0]);
		return CTL_OK;
	}
	(void)sysinfo(&machine);
	im = (struct import){
		.config = open_memstream(&config, &size),
		.errors = stderr,
		.no_equal = json_array_new(),
		.root = request.root,
		.memory_bytes = mul_sat_u64(machine.totalram, machine.mem_unit),
		.swap_bytes = mul_sat_u64(machine.totalswap, machine.mem_unit),
	};
	if (!im.config || !im.no_equal)
		r = ctl_fail(CTL_FAILED, "no memory is left");
	else
		r = run(&im, &request);
	if (im.config && fclose(im.config) != 0)
		r = ctl_fail(CTL_FAILED, "no memory is left");
	if (r == CTL_OK) {
		import_squeeze(config);
		r = check(config);
	}
	if (r == CTL_OK)
		r = print(c, config, &im);
	json_unref(im.no_equal);
	return r;
}
