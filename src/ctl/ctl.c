/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomfwdctl: looks at the machine, and at the daemon.
 */
#include "ctl.h"
#include "build-config.h"

#include <getopt.h>
#include <stdarg.h>

struct command {
	const char *name, *arguments, *summary;
	ctl_command *run;
};

static const struct command commands[] = {
	{ "status", "[--history FILE]", "levels, headroom, pressure, hidden mms, last episodes",
		ctl_status },
	{ "top", "[-d SECONDS] [-n COUNT] [--once]", "live table of the candidates as groups",
		ctl_top },
	{ "explain", "PID", "its sharing group, who pins it, whether and why it would be chosen",
		ctl_explain },
	{ "sharing", "", "all groups of processes that share an mm", ctl_sharing },
	{ "history", "[ID] [-n COUNT] [--file PATH]", "episodes, with what happened when",
		ctl_history },
	{ "simulate", "[--snapshot FILE] [--available AMOUNT] [--count N] [--config FILE]",
		"what would be killed, in order, with the reasons", ctl_simulate },
	{ "snapshot", "[--cmdline] FILE", "record the facts, for a bug report or a simulation",
		ctl_snapshot },
	{ "reload", "", "have the daemon read its configuration again", ctl_reload },
	{ "check", "[FILE]", "say what is wrong with a configuration file", ctl_check },
	{ "import-earlyoom", "[ARGUMENTS | FILE]", "the equal of an earlyoom configuration",
		ctl_import },
	{ "import-nohang", "[FILE]", "the equal of a nohang configuration", ctl_import },
	{ "import-systemd-oomd", "[FILE]", "the equal of an oomd.conf", ctl_import },
};

#define HELP_COLUMN 44

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int ctl_usage(const char *command, const char *format, ...)
{
	const struct command *c = find_command(command);
	va_list args;

	fputs("oomfwdctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nUsage: oomfwdctl %s %s\n", command, c ? c->arguments : "");
	return CTL_USAGE;
}

struct config *ctl_load_config(const struct ctl *c)
{
	struct config *config = NULL;

	(void)config_load(c->config_path, stderr, &config);
	return config;
}

static void print_command(const struct command *c)
{
	char left[128];
	int n = snprintf(left, sizeof(left), "%s %s", c->name, c->arguments);

	if (n > HELP_COLUMN) {
		printf("  %s\n", left);
		left[0] = '\0';
	}
	printf("  %-*s %s\n", HELP_COLUMN, left, c->summary);
}

static void print_help(void)
{
	puts("oomfwdctl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
	     "Looks at memory as oomfwd sees it, and at oomfwd.\n\nCommands:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		print_command(&commands[i]);
	puts("\nOptions:\n"
	     "  --json           one JSON document instead of text\n"
	     "  --config FILE    the configuration; default " CONFIG_PATH "\n"
	     "  --socket PATH    the daemon's socket; default /run/oomfwd/feed\n"
	     "  -h, --help       this, or after a command what it takes\n"
	     "  -V, --version\n\n"
	     "Exit status: 0 done, 1 failed, 2 wrong usage, 3 no daemon to talk to, 4 not found "
	     "or\n"
	     "not valid. See oomfwdctl(1).");
}

static bool is_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int main(int argc, char **argv)
{
	enum { JSON = 256, CONFIG, SOCKET };
	static const struct option options[] = {
		{ "json", no_argument, NULL, JSON },
		{ "config", required_argument, NULL, CONFIG },
		{ "socket", required_argument, NULL, SOCKET },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct ctl ctl = { .color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") };
	const struct command *command;
	int o;

	while ((o = getopt_long(argc, argv, "+hV", options, NULL)) >= 0) {
		switch (o) {
		case JSON:
			ctl.json = true;
			break;
		case CONFIG:
			ctl.config_path = optarg;
			break;
		case SOCKET:
			ctl.socket_path = optarg;
			break;
		case 'h':
			print_help();
			return CTL_OK;
		case 'V':
			puts("oomfwdctl " OOMFWD_VERSION);
			return CTL_OK;
		default:
			fputs("Try 'oomfwdctl --help'.\n", stderr);
			return CTL_USAGE;
		}
	}
	if (optind >= argc)
		return ctl_fail(CTL_USAGE, "which command? See 'oomfwdctl --help'.");
	command = find_command(argv[optind]);
	if (!command)
		return ctl_fail(CTL_USAGE, "there is no command \"%s\". See 'oomfwdctl --help'.",
			argv[optind]);
	argc -= optind;
	argv += optind;
	/* Those of other programs, whose arguments the imports take, have a -h of their own. */
	if (argc == 2 && command->run != ctl_import && is_help(argv[1])) {
		puts("Usage:");
		print_command(command);
		puts("See oomfwdctl(1).");
		return CTL_OK;
	}
	/* --json after the command's name is what people type as well. */
	for (int i = 1, n = argc; i < n; i++)
		if (strcmp(argv[i], "--json") == 0) {
			ctl.json = true;
			memmove(&argv[i], &argv[i + 1], (size_t)(argc - i) * sizeof(*argv));
			argc--;
			break;
		}
	optind = 0;
	return command->run(&ctl, argc, argv);
}
