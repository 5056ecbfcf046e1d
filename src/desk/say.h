/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the desk tells people: lines on standard error, which is the journal's when systemd has
 * started it. Not report.h: that is for whom nothing may delay, and has a thread and a ring.
 */
#pragma once

#include "report.h"

/* Below the journal with a "<N>" prefix, else with "oomfwd-desk: ". Control characters become
 * blanks. */
void say(enum report_level level, const char *format, ...) _printf_(2, 3);
