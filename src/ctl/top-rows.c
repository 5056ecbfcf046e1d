/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "container.h"
#include "explain.h"
#include "record.h"
#include "top.h"

#include <time.h>

static bool is_same(const struct proc_id *a, const struct proc_id *b)
{
	return a->pid == b->pid && a->start_ticks == b->start_ticks;
}

/* --- order --- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int by_rank(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;

	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static int by_freed(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int r = compare_u64(x->yield_bytes, y->yield_bytes);

	return r ? r : by_rank(a, b);
}

static int by_members(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int r = compare_u64(x->members, y->members);

	return r ? r : by_rank(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct top_row *x = a, *y = b;
	int r = strcmp(x->comm, y->comm);

	return r ? r : by_rank(a, b);
}

/* Whether the selected process is still there. */
static bool find_selected(struct top *t)
{
	for (uint32_t i = 0; i < t->count; i++)
		if (is_same(&t->rows[i].id, &t->selected_id)) {
			t->selected = i;
			return true;
		}
	return false;
}

void top_sort(struct top *t)
{
	static int (*const orders[])(
		const void *, const void *) = { by_rank, by_freed, by_members, by_name };

	qsort(t->rows, t->count, sizeof(t->rows[0]), orders[t->sort]);
	if (!find_selected(t)) {
		/* Whoever took its place, but not its details. */
		t->in_details = false;
		t->selected = t->count == 0 ? 0 : (uint32_t)min_u64(t->selected, t->count - 1);
	}
	if (t->count > 0)
		t->selected_id = t->rows[t->selected].id;
}

/* --- rows --- */

static void say_reason(struct text *t, const struct snapshot *s, const struct candidate *c)
{
	static const char *const actions[] = { "protect", "avoid", "prefer" };

	text_add(t, "%s", victim_reason_text(c->reason));
	if (c->reason == REASON_PINNED && c->group.pin != MM_PIN_NONE) {
		const struct task *p = &s->tasks[c->group.pinned_by];

		text_add(t, " by ");
		text_process(t, p->id.pid, p->comm);
	}
	if (c->rule) {
		text_add(t, " [%s ", actions[c->rule->action]);
		text_escaped(t, c->rule->name);
		text_add(t, "]");
	}
}

static void say_place(struct text *t, struct look *l, const struct task *task)
{
	char cgroup[512], name[CONTAINER_TEXT_SIZE];
	struct container_name c;

	facts_cgroup(&l->facts, task, cgroup, sizeof(cgroup));
	if (container_parse(cgroup, &c)) {
		container_format(&c, name, sizeof(name));
		text_add(t, "%s", name);
	} else {
		text_escaped(t, cgroup);
	}
}

static void take_row(struct top_row *r, struct look *l, uint32_t index)
{
	const struct candidate *c = &l->choice->candidates[index];
	const struct task *task = &l->snapshot.tasks[c->task];
	char comm[TASK_COMM_LEN + 1] = "";

	memset(r, 0, sizeof(*r));
	memcpy(comm, task->comm, TASK_COMM_LEN);
	report_escape(comm, r->comm, sizeof(r->comm));
	r->id = task->id;
	r->candidate = index;
	r->rank = index + 1;
	r->yield_bytes = c->yield_bytes;
	r->badness = c->badness;
	r->oom_score_adj = c->group.oom_score_adj;
	r->members = c->group.count;
	r->evidence = record_evidence_names[c->group.evidence];
	r->chosen = c->reason == REASON_CHOSEN;
	r->barred = c->reason == REASON_PINNED || c->reason == REASON_PROTECTED ||
		c->reason == REASON_UNREAD || c->reason == REASON_HIDDEN;
	say_reason(&(struct text){ r->reason, sizeof(r->reason) }, &l->snapshot, c);
	say_place(&(struct text){ r->place, sizeof(r->place) }, l, task);
}

static void say_verdict(struct text *t, const struct look *l)
{
	const struct choice *c = l->choice;
	bool is_now = l->shortage.at.available_bytes == l->mem.available_bytes &&
		l->shortage.at.swap_free_bytes == l->mem.swap_free_bytes && !l->shortage.pressure;

	text_add(t, "%s: %s: ",
		is_now                         ? "Memory is short"
			: l->shortage.pressure ? "If it stalled"
					       : "If it were short",
		victim_result_text(c->result));
	text_bytes(t, l->need.bytes);
	text_add(t, " needed");
	if (c->count == 0)
		return;
	text_add(t, ", ");
	text_bytes(t, c->yield_bytes);
	text_add(t, " would come back from %u group%s", c->count, c->count == 1 ? "" : "s");
}

static void take_clock(char *ret, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	ret[0] = '\0';
	if (localtime_r(&now, &tm))
		strftime(ret, size, "%T", &tm);
}

void top_take(struct top *t, struct look *l)
{
	figures_of_config(&t->figures, l->config, &l->mem);
	t->pressure_error = averages_read(&t->pressure);
	t->complete = l->can_ptrace && l->snapshot.unread == 0;
	say_verdict(&(struct text){ t->verdict, sizeof(t->verdict) }, l);
	take_clock(t->clock, sizeof(t->clock));
	t->count = l->choice->candidate_count;
	for (uint32_t i = 0; i < t->count; i++)
		take_row(&t->rows[i], l, i);
	top_sort(t);
}

/* --- details --- */

int top_take_details(struct top *t, struct look *l)
{
	_cleanup_(json_unrefp) struct json *j = NULL;
	size_t size;
	FILE *f;
	int r = explain_pid(l, t->rows[t->selected].id.pid, &j);

	free(t->details);
	t->details = NULL;
	if (r < 0)
		return r;
	f = open_memstream(&t->details, &size);
	if (!f)
		return -ENOMEM;
	explain_print(f, j);
	return fclose(f) == 0 ? 0 : -ENOMEM;
}
