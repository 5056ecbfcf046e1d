/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between import-nohang.c, which reads the file, and import-nohang-lines.c.
 */
#pragma once

#include "import.h"

/* A value, or a whole line; of the text that was read. */
struct nohang_line {
	const char *value; /* NULL: not set */
	unsigned line;
};

/* The lines that begin with "@", in their order, as rules and notes. 0, or -EINVAL after a
 * complaint. */
int nohang_put_lines(
	struct import *im, const char *path, const struct nohang_line *lines, uint32_t count);
