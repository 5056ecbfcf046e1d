/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "say.h"

#include <stdarg.h>

#define LINE_SIZE 1000

void say(enum report_level level, const char *format, ...)
{
	char line[LINE_SIZE], prefix[8] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	if (getenv("JOURNAL_STREAM"))
		snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
	fprintf(stderr, "%s%s\n", prefix[0] ? prefix : "oomfwd-desk: ", line);
}
