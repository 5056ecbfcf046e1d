/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The candidates as a table, for --dry-run and --once.
 */
#include "report-text.h"

#include <string.h>

#define COLUMNS 8

struct row {
	char cell[COLUMNS][192];
};

static const struct row heading = { { "RANK", "PID", "COMM", "GIVES BACK", "BADNESS", "ADJ",
	"SHARERS", "REASON" } };
static const bool right_aligned[COLUMNS] = { true, true, false, true, true, true, false, false };

/* Characters, not bytes: good enough for a column of names. */
static unsigned width(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += (unsigned char)*text >> 6 != 2;
	return n;
}

static const char *evidence_name(const struct mm_group *g)
{
	switch (g->evidence) {
	case MM_EVIDENCE_SOLE:
		return "";
	case MM_EVIDENCE_BPF:
		return " (bpf)";
	case MM_EVIDENCE_KCMP:
		return " (kcmp)";
	case MM_EVIDENCE_SMAPS:
		return " (smaps)";
	case MM_EVIDENCE_UNKNOWN:
		return " (or more)";
	}
	return "";
}

static struct text cell(struct row *r, int column)
{
	return (struct text){ r->cell[column], sizeof(r->cell[column]) };
}

/* With the name to the reason: its memory is pinned by 1 (systemd), rule "base" */
static void fill_reason(struct row *r, const struct snapshot *s, const struct candidate *c)
{
	struct text t = cell(r, 7);

	text_add(&t, "%s", victim_reason_text(c->reason));
	if (c->reason == REASON_PINNED && c->group.pin != MM_PIN_NONE) {
		const struct task *p = &s->tasks[c->group.pinned_by];

		text_add(&t, " by ");
		text_process(&t, p->id.pid, p->comm);
	}
	if (c->group.kthreads > 0 && c->group.pin == MM_PIN_NONE) {
		const struct task *k = &s->tasks[c->group.kthread];

		text_add(&t, ", used by kernel thread ");
		text_process(&t, k->id.pid, k->comm);
	}
	if (c->rule) {
		text_add(&t, ", rule \"");
		text_escaped(&t, c->rule->name);
		text_add(&t, "\"");
	}
}

static void fill_row(
	struct row *r, const struct snapshot *s, const struct candidate *c, uint32_t rank)
{
	const struct task *task = &s->tasks[c->task];
	char comm[TASK_COMM_LEN + 1] = "";
	uint64_t magnitude = c->badness < 0 ? 0 - (uint64_t)c->badness : (uint64_t)c->badness;
	struct text t;

	memset(r, 0, sizeof(*r));
	memcpy(comm, task->comm, TASK_COMM_LEN);
	t = cell(r, 0);
	text_add(&t, "%u", rank);
	t = cell(r, 1);
	text_add(&t, "%d", task->id.pid);
	t = cell(r, 2);
	text_escaped(&t, comm);
	t = cell(r, 3);
	text_bytes(&t, c->yield_bytes);
	t = cell(r, 4);
	text_add(&t, "%s", c->badness < 0 ? "-" : "");
	text_bytes(&t, magnitude);
	t = cell(r, 5);
	text_add(&t, "%d", c->group.oom_score_adj);
	t = cell(r, 6);
	if (c->group.count > 1 || c->group.evidence == MM_EVIDENCE_UNKNOWN)
		text_add(&t, "%u%s", c->group.count - 1, evidence_name(&c->group));
	else
		text_add(&t, "none");
	fill_reason(r, s, c);
}

static void print_row(FILE *f, const struct row *r, const unsigned widths[COLUMNS])
{
	for (int i = 0; i < COLUMNS; i++) {
		int pad = (int)(widths[i] - width(r->cell[i]));
		bool last = i == COLUMNS - 1;

		fprintf(f, "%*s%s%*s%s", right_aligned[i] ? pad : 0, "", r->cell[i],
			right_aligned[i] || last ? 0 : pad, "", last ? "\n" : "  ");
	}
}

static void print_summary(FILE *f, const struct choice *c, const struct victim_need *need)
{
	char needed[32], yield[32];

	fprintf(f, "%s: %s needed", victim_result_text(c->result),
		report_bytes(need->bytes, needed, sizeof(needed)));
	if (c->count > 0)
		fprintf(f, ", %s would come back from %u group%s",
			report_bytes(c->yield_bytes, yield, sizeof(yield)), c->count,
			c->count > 1 ? "s" : "");
	fputs("\n", f);
}

void report_choice(FILE *f, const struct snapshot *s, const struct sharedmm *sm,
	const struct choice *c, const struct victim_need *need)
{
	unsigned widths[COLUMNS];
	struct row r;

	print_summary(f, c, need);
	if (c->candidate_count == 0)
		return;
	for (int i = 0; i < COLUMNS; i++)
		widths[i] = width(heading.cell[i]);
	for (uint32_t n = 0; n < c->candidate_count; n++) {
		fill_row(&r, s, &c->candidates[n], n + 1);
		for (int i = 0; i < COLUMNS; i++)
			widths[i] = (unsigned)max_u64(widths[i], width(r.cell[i]));
	}
	print_row(f, &heading, widths);
	for (uint32_t n = 0; n < c->candidate_count; n++) {
		fill_row(&r, s, &c->candidates[n], n + 1);
		print_row(f, &r, widths);
	}
}
