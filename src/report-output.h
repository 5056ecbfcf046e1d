/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To the journal, with fields, or to standard error. For report.c alone.
 */
#pragma once

#include "report.h"

#include <sys/uio.h>

#define REPORT_TEXT_SIZE   2048
#define REPORT_FIELDS_MAX  40
#define REPORT_FIELDS_SIZE 8192

struct report_output {
	bool to_journal;
	char text[REPORT_TEXT_SIZE]; /* what is to be sent */
	char fields[REPORT_FIELDS_SIZE];
	size_t fields_used;
	int field_count;
	struct iovec field[REPORT_FIELDS_MAX];
};

/* Finds out where to: structured entries when stderr is the journal (JOURNAL_STREAM). */
void report_output_init(struct report_output *o);
/* Sends o->text, with the fields of the event unless that is NULL. Waits as long as it takes. */
void report_output_send(
	struct report_output *o, enum report_level level, const struct report_event *e);
