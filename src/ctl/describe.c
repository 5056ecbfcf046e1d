/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"

#include "record.h"
#include "report.h"
#include "util.h"

#include <string.h>

const char *describe_reason(enum victim_reason r)
{
	static const char *const names[] = {
		[REASON_CHOSEN] = "chosen",
		[REASON_REDUNDANT] = "redundant",
		[REASON_NOT_NEEDED] = "not_needed",
		[REASON_AVOIDED] = "avoided",
		[REASON_PINNED] = "pinned",
		[REASON_PROTECTED] = "protected",
		[REASON_UNREAD] = "unread",
		[REASON_HIDDEN] = "hidden",
		[REASON_DYING] = "dying",
		[REASON_NO_YIELD] = "no_yield",
		[REASON_TOO_SMALL] = "too_small",
		[REASON_NO_ROOM] = "no_room",
	};

	return names[r];
}

const char *describe_result(enum victim_result r)
{
	static const char *const names[] = {
		[VICTIM_CHOSEN] = "covered",
		[VICTIM_PARTIAL] = "partial",
		[VICTIM_NONE] = "none",
		[VICTIM_HOPELESS] = "hopeless",
		[VICTIM_ALL_DYING] = "all_dying",
		[VICTIM_UNREAD] = "unread",
	};

	return names[r];
}

static const char *pin_name(enum mm_pin pin)
{
	static const char *const names[] = {
		[MM_PIN_NONE] = "none",
		[MM_PIN_INIT] = "init",
		[MM_PIN_SELF] = "self",
		[MM_PIN_ADJ] = "oom_score_adj",
		[MM_PIN_PROTECTED] = "protected",
		[MM_PIN_KTHREAD] = "kthread",
	};

	return names[pin];
}

static void set_name(struct json *j, const struct task *t)
{
	char comm[TASK_COMM_LEN + 1] = "";

	memcpy(comm, t->comm, TASK_COMM_LEN);
	json_set_number(j, "pid", t->id.pid);
	json_set_text(j, "comm", comm);
}

struct json *describe_task(const struct task *t)
{
	struct json *j = json_object_new();
	char state[2] = { t->state, '\0' };

	set_name(j, t);
	json_set_number(j, "uid", t->uid);
	json_set_number(j, "ppid", t->ppid);
	json_set_text(j, "state", state);
	json_set_number(j, "oom_score_adj", t->oom_score_adj);
	if (t->mm_tid != t->id.pid)
		json_set_number(j, "thread", t->mm_tid);
	return j;
}

static void set_counters(struct json *j, const struct mm_counters *m)
{
	json_set_u64(j, "anon_bytes", m->anon_bytes);
	json_set_u64(j, "file_bytes", m->file_bytes);
	json_set_u64(j, "shmem_bytes", m->shmem_bytes);
	json_set_u64(j, "swap_bytes", m->swap_bytes);
	json_set_u64(j, "pgtables_bytes", m->pgtables_bytes);
	json_set_u64(j, "vsize_bytes", m->vsize_bytes);
}

/* The key, with JSON's null if there is no value. */
static void set_or_null(struct json *j, const char *key, struct json *value)
{
	if (value)
		json_set(j, key, value);
	else
		json_set_text(j, key, NULL);
}

static struct json *describe_pin(const struct snapshot *s, const struct mm_group *g)
{
	struct json *j;

	if (g->pin == MM_PIN_NONE)
		return NULL;
	j = json_object_new();
	json_set_text(j, "why", pin_name(g->pin));
	json_set_text(j, "why_text", victim_pin_text(g->pin));
	set_name(j, &s->tasks[g->pinned_by]);
	return j;
}

struct json *describe_group(
	const struct snapshot *s, const struct sharedmm *sm, const struct mm_group *g)
{
	struct json *j = json_object_new(), *members = json_array_new();
	const uint32_t *tasks = sharedmm_members(sm, g);

	for (uint32_t i = 0; i < g->count; i++)
		json_add(members, describe_task(&s->tasks[tasks[i]]));
	json_set(j, "members", members);
	json_set_text(j, "evidence", record_evidence_names[g->evidence]);
	json_set_bool(j, "vfork", g->vfork);
	json_set_bool(j, "dying", g->kill_pending);
	json_set_bool(j, "dying_partly", g->dying_partly);
	json_set_number(j, "oom_score_adj", g->oom_score_adj);
	set_counters(j, &g->mem);
	set_or_null(j, "pin", describe_pin(s, g));
	return j;
}

/* --- candidates --- */

/* The member that the rule is about. */
static const struct task *matched_by(const struct snapshot *s, const struct sharedmm *sm,
	const struct victim_fns *fns, const struct candidate *c)
{
	const uint32_t *members = sharedmm_members(sm, &c->group);

	if (c->reason == REASON_PROTECTED || c->reason == REASON_UNREAD)
		return &s->tasks[c->group.pinned_by];
	for (uint32_t i = 0; i < c->group.count; i++) {
		const struct task *t = &s->tasks[members[i]];
		struct task_detail d;

		fns->detail(fns->ctx, t, c->rule->cmdline.set, &d);
		if (victim_rule_matches(c->rule, t, &d))
			return t;
	}
	return NULL;
}

static struct json *describe_rule(const struct snapshot *s, const struct sharedmm *sm,
	const struct victim_fns *fns, const struct candidate *c)
{
	static const char *const actions[] = { "protect", "avoid", "prefer" };
	const struct task *t;
	struct json *j;

	if (!c->rule)
		return NULL;
	j = json_object_new();
	json_set_text(j, "action", actions[c->rule->action]);
	json_set_text(j, "name", c->rule->name);
	t = matched_by(s, sm, fns, c);
	if (t)
		set_name(j, t);
	return j;
}

struct json *describe_candidate(const struct snapshot *s, const struct sharedmm *sm,
	const struct victim_fns *fns, const struct candidate *c)
{
	struct json *j = json_object_new();

	set_name(j, &s->tasks[c->task]);
	json_set_text(j, "reason", describe_reason(c->reason));
	json_set_text(j, "reason_text", victim_reason_text(c->reason));
	set_or_null(j, "rule", describe_rule(s, sm, fns, c));
	json_set_number(j, "badness_bytes", c->badness);
	json_set_u64(j, "yield_bytes", c->yield_bytes);
	json_set_u64(j, "yield_shmem_bytes", c->shmem_bytes);
	json_set(j, "group", describe_group(s, sm, &c->group));
	return j;
}

struct json *describe_memory(const struct meminfo *m)
{
	struct json *j = json_object_new();

	json_set_u64(j, "total_bytes", m->total_bytes);
	json_set_u64(j, "available_bytes", m->available_bytes);
	json_set_u64(j, "swap_total_bytes", m->swap_total_bytes);
	json_set_u64(j, "swap_free_bytes", m->swap_free_bytes);
	json_set_u64(j, "anon_bytes", m->anon_bytes);
	json_set_u64(j, "shmem_bytes", m->shmem_bytes);
	return j;
}

/* --- text --- */

char *describe_bytes(const struct json *j, const char *key, char ret[DESCRIBE_SIZE])
{
	int64_t bytes = json_get_number(j, key);

	ret[0] = '-';
	report_bytes(bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes, ret + (bytes < 0),
		DESCRIBE_SIZE - (bytes < 0));
	return ret;
}

char *describe_process(const struct json *j, char ret[DESCRIBE_SIZE])
{
	char comm[4 * TASK_COMM_LEN + 1];

	report_escape(json_get_text(j, "comm"), comm, sizeof(comm));
	snprintf(ret, DESCRIBE_SIZE, "%lld (%s)", (long long)json_get_number(j, "pid"), comm);
	return ret;
}

void describe_escaped(FILE *f, const struct json *j, const char *key)
{
	const char *text = json_get_text(j, key);
	size_t size = 4 * strlen(text) + 1;
	_cleanup_(freep) char *escaped = malloc(size);

	if (escaped)
		fputs(report_escape(text, escaped, size), f);
}

void describe_print_members(FILE *f, const struct json *group)
{
	const struct json *members = json_get(group, "members");

	fprintf(f, "  %8s %8s  STATE  COMM\n", "PID", "UID");
	for (size_t i = 0; i < json_count(members); i++) {
		const struct json *m = json_at(members, i);

		fprintf(f, "  %8lld %8lld  %-5s  ", (long long)json_get_number(m, "pid"),
			(long long)json_get_number(m, "uid"), json_get_text(m, "state"));
		describe_escaped(f, m, "comm");
		if (json_has(m, "thread"))
			fprintf(f, " (its leader has exited; thread %lld lives)",
				(long long)json_get_number(m, "thread"));
		fputc('\n', f);
	}
}

void describe_print_pin(FILE *f, const struct json *group)
{
	const struct json *pin = json_get(group, "pin");
	const char *why = json_get_text(pin, "why");
	char process[DESCRIBE_SIZE];

	if (json_kind_of(pin) != JSON_MAP)
		return;
	describe_process(pin, process);
	if (strcmp(why, "init") == 0)
		fputs("; pinned by pid 1", f);
	else if (strcmp(why, "self") == 0)
		fprintf(f, "; pinned by %s itself", process);
	else if (strcmp(why, "oom_score_adj") == 0)
		fprintf(f, "; pinned by the oom_score_adj -1000 of %s", process);
	else if (strcmp(why, "kthread") == 0)
		fprintf(f, "; pinned by %s, a kernel thread", process);
	else
		fprintf(f, "; pinned by %s, which is protected", process);
}

void describe_print_evidence(FILE *f, const struct json *group)
{
	const char *evidence = json_get_text(group, "evidence");

	if (strcmp(evidence, "kcmp") == 0)
		fputs(", told by kcmp", f);
	else if (strcmp(evidence, "smaps") == 0)
		fputs(", told by smaps, which is weaker than kcmp", f);
	else if (strcmp(evidence, "unknown") == 0)
		fputs(", but not all could be compared: there may be more", f);
}

void describe_print_rule(FILE *f, const struct json *candidate)
{
	const struct json *rule = json_get(candidate, "rule");
	char process[DESCRIBE_SIZE];

	if (json_kind_of(rule) != JSON_MAP)
		return;
	fprintf(f, ", rule [%s %s]", json_get_text(rule, "action"), json_get_text(rule, "name"));
	if (json_has(rule, "pid"))
		fprintf(f, ", which matches %s", describe_process(rule, process));
}

int describe_write(const struct json *document)
{
	int r = json_write(document, stdout, true);

	if (r == 0 && fflush(stdout) != 0)
		r = -errno;
	return r < 0 ? ctl_fail(CTL_FAILED, "cannot write the answer: %s", strerror(-r)) : CTL_OK;
}
