/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"
#include "explain.h"
#include "procfs.h"

#include <limits.h>
#include <string.h>

static bool parse_pid(const char *text, pid_t *ret)
{
	uint64_t v;
	const char *end = procfs_parse_u64(text, &v);

	if (!end || *end || v < 1 || v > INT_MAX)
		return false;
	*ret = (pid_t)v;
	return true;
}

int ctl_explain(const struct ctl *c, int argc, char **argv)
{
	_cleanup_(look_freep) struct look *l = NULL;
	_cleanup_(json_unrefp) struct json *j = NULL;
	pid_t pid;
	int r;

	if (argc != 2)
		return ctl_usage(argv[0], "which process? Give one pid");
	if (!parse_pid(argv[1], &pid))
		return ctl_usage(argv[0], "\"%s\" is no pid: give a number from 1 on", argv[1]);
	r = look_begin(c, &l);
	if (r != CTL_OK)
		return r;
	r = explain_pid(l, pid, &j);
	if (r == -ESRCH)
		return ctl_fail(CTL_NOT_FOUND, "there is no process %d", (int)pid);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot read process %d: %s", (int)pid, strerror(-r));
	if (c->json)
		return describe_write(j);
	explain_print(stdout, j);
	return CTL_OK;
}
