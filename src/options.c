/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include "build-config.h"
#include "config.h"
#include "wire.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(FILE *f)
{
	fputs("oomfwd - keeps a machine going when its memory runs out\n"
	      "\n"
	      "Usage: oomfwd [OPTION...]\n"
	      "\n"
	      "  -c, --config FILE   read FILE (and FILE.d/*.conf) instead of " CONFIG_PATH "\n"
	      "      --check-config  say what is wrong in the configuration, then exit: 0 "
	      "correct,\n"
	      "                      1 not\n"
	      "  -n, --dry-run       do everything but signal: say who would have been killed\n"
	      "      --once          look once, see an episode to its end if there is one, then "
	      "exit;\n"
	      "                      with --dry-run: print who would be chosen now, and why\n"
	      "      --domain PATH   with --once --dry-run: who would be chosen in this cgroup "
	      "alone\n"
	      "      --feed PATH     the socket that oomfwdctl and oomfwd-desk connect to, instead "
	      "of\n"
	      "                      " WIRE_SOCKET "; \"off\": none\n"
	      "  -v, --verbose       say more\n"
	      "  -V, --version       print the version\n"
	      "  -h, --help          print this\n"
	      "\n"
	      "Runs in the foreground and logs to standard error. SIGHUP reloads the "
	      "configuration.\n",
		f);
}

int options_parse(int argc, char **argv, struct options *ret)
{
	enum { OPT_CHECK = 256, OPT_ONCE, OPT_DOMAIN, OPT_FEED };
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "once", no_argument, NULL, OPT_ONCE },
		{ "domain", required_argument, NULL, OPT_DOMAIN },
		{ "feed", required_argument, NULL, OPT_FEED },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	ret->feed_path = WIRE_SOCKET;
	while ((c = getopt_long(argc, argv, "c:nvVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config_path = optarg;
			break;
		case OPT_CHECK:
			ret->check_config = true;
			break;
		case 'n':
			ret->dry_run = true;
			break;
		case OPT_ONCE:
			ret->once = true;
			break;
		case OPT_DOMAIN:
			ret->domain_path = optarg;
			break;
		case OPT_FEED:
			ret->feed_path = strcmp(optarg, "off") == 0 ? "" : optarg;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case 'V':
			puts("oomfwd " OOMFWD_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			fputs("Try 'oomfwd --help'.\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "oomfwd: unexpected argument '%s'\nTry 'oomfwd --help'.\n",
			argv[optind]);
		return 2;
	}
	if (ret->domain_path && !(ret->once && ret->dry_run)) {
		fputs("oomfwd: --domain shows what would be done; add --once --dry-run\n", stderr);
		return 2;
	}
	return -1;
}

int options_check_config(const char *path)
{
	struct config *c;
	int r = config_load(path, stderr, &c);

	if (r < 0)
		return EXIT_FAILURE;
	printf("%s: correct, %u rules", path ? path : CONFIG_PATH, c->rule_count);
	if (c->domain_count > 0)
		printf(", %u cgroup sections", c->domain_count);
	putchar('\n');
	config_free(c);
	return EXIT_SUCCESS;
}
