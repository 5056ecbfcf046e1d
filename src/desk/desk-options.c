/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "desk-options.h"
#include "build-config.h"
#include "config.h"
#include "wire.h"

#include <getopt.h>

static void usage(FILE *f)
{
	fputs("oomfwd-desk - keeps the history of oomfwd and tells others of it\n"
	      "\n"
	      "Usage: oomfwd-desk [OPTION...]\n"
	      "\n"
	      "  -c, --config FILE     read [desk] of FILE (and FILE.d/*.conf) instead "
	      "of " CONFIG_PATH "\n"
	      "      --socket PATH     where oomfwd listens, instead of " WIRE_SOCKET "\n"
	      "      --state-dir DIR   keep the history in DIR, unless it is configured\n"
	      "      --http PATH       serve HTTP on this Unix socket, whatever is configured\n"
	      "      --no-bus          keep off the system bus\n"
	      "  -V, --version         print the version\n"
	      "  -h, --help            print this\n"
	      "\n"
	      "Runs in the foreground beside oomfwd and logs to standard error. SIGHUP reloads "
	      "the\n"
	      "configuration.\n",
		f);
}

int desk_options_parse(int argc, char **argv, struct desk_options *ret)
{
	enum { OPT_SOCKET = 256, OPT_STATE, OPT_HTTP, OPT_NO_BUS };
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "socket", required_argument, NULL, OPT_SOCKET },
		{ "state-dir", required_argument, NULL, OPT_STATE },
		{ "http", required_argument, NULL, OPT_HTTP },
		{ "no-bus", no_argument, NULL, OPT_NO_BUS },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:Vh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config_path = optarg;
			break;
		case OPT_SOCKET:
			ret->socket_path = optarg;
			break;
		case OPT_STATE:
			ret->state_dir = optarg;
			break;
		case OPT_HTTP:
			ret->http_path = optarg;
			break;
		case OPT_NO_BUS:
			ret->no_bus = true;
			break;
		case 'V':
			puts("oomfwd-desk " OOMFWD_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			fputs("Try 'oomfwd-desk --help'.\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr,
			"oomfwd-desk: unexpected argument '%s'\n"
			"Try 'oomfwd-desk --help'.\n",
			argv[optind]);
		return 2;
	}
	return -1;
}
