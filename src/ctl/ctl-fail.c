/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Apart from ctl.c so that tests of the commands' parts need no main(). */
#include "ctl.h"

#include <stdarg.h>

int ctl_fail(int status, const char *format, ...)
{
	va_list args;

	fputs("oomfwdctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}
