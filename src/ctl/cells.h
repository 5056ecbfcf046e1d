/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text in columns of a terminal: how wide it is, and what of it fits. Pure; knows UTF-8 without the
 * locale, because what comes out of report_escape() is UTF-8 everywhere.
 */
#pragma once

#include "util.h"

/* Columns that valid UTF-8 without control characters takes. */
unsigned cells_width(const char *text);
/* The bytes of the longest beginning that takes width columns at the most. */
size_t cells_fit(const char *text, unsigned width);
/* Writes text in exactly width columns: cut at its end (or, for keep_end, at its beginning, with
 * ".." in place of what is cut), filled with blanks on the right or, for align_right, the left. */
void cells_put(FILE *f, const char *text, unsigned width, bool align_right, bool keep_end);
