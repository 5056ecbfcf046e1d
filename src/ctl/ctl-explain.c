/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl.h"

int ctl_explain(const struct ctl *c, int argc, char **argv)
{
	return ctl_fail(CTL_FAILED, "%s is not there yet", argv[0]);
}
