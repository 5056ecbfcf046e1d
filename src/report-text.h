/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sentence that grows, for the parts of report.c. What does not fit is left off, at the end of a
 * character.
 */
#pragma once

#include "report.h"

struct text {
	char *at;    /* where it goes on; always terminated */
	size_t left; /* at least 1 */
};

void text_add(struct text *t, const char *format, ...) _printf_(2, 3);
/* The length of text without a last character that was cut. */
size_t text_whole(const char *text, size_t length);
void text_bytes(struct text *t, uint64_t bytes);
void text_usec(struct text *t, uint64_t usec);
void text_percent(struct text *t, uint64_t part, uint64_t whole);
/* The reason that a negative errno stands for. */
void text_error(struct text *t, int error);
/* Under the control of a process; up to 255 bytes of it. */
void text_escaped(struct text *t, const char *text);
/* "4242 (java)" */
void text_process(struct text *t, pid_t pid, const char comm[TASK_COMM_LEN]);
