/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An episode as others get to read it. Every key is described in docs/HISTORY.md; the test of this
 * file compares the two.
 */
#include "container.h"
#include "episode.h"

#include <string.h>
#include <time.h>

static const char *level_name(enum engine_level level)
{
	switch (level) {
	case LEVEL_OK:
		return NULL;
	case LEVEL_WARN:
		return "warn";
	case LEVEL_KILL:
		return "kill";
	}
	return NULL;
}

static const char *cause_name(enum engine_cause cause)
{
	switch (cause) {
	case CAUSE_NONE:
		return NULL;
	case CAUSE_MEMORY:
		return "memory";
	case CAUSE_PRESSURE:
		return "pressure";
	}
	return NULL;
}

static const char *evidence_name(enum mm_evidence evidence)
{
	switch (evidence) {
	case MM_EVIDENCE_SOLE:
		return "sole";
	case MM_EVIDENCE_KCMP:
		return "kcmp";
	case MM_EVIDENCE_SMAPS:
		return "smaps";
	case MM_EVIDENCE_UNKNOWN:
		return "unknown";
	case MM_EVIDENCE_BPF:
		return "bpf";
	}
	return NULL;
}

static const char *pin_name(enum mm_pin pin)
{
	switch (pin) {
	case MM_PIN_NONE:
		return NULL;
	case MM_PIN_INIT:
		return "init";
	case MM_PIN_SELF:
		return "oomfwd";
	case MM_PIN_ADJ:
		return "oom-score-adj";
	case MM_PIN_PROTECTED:
		return "protected";
	case MM_PIN_KTHREAD:
		return "kernel-thread";
	}
	return NULL;
}

static const char *blame_name(enum kill_blame_kind kind)
{
	switch (kind) {
	case BLAME_UNKNOWN:
		return "unknown";
	case BLAME_PINNED:
		return "pinned";
	case BLAME_STATE:
		return "state";
	case BLAME_CORE_DUMP:
		return "core-dump";
	case BLAME_KTHREAD:
		return "kernel-thread";
	case BLAME_HELD:
		return "held";
	}
	return NULL;
}

static const char *result_name(enum victim_result result)
{
	switch (result) {
	case VICTIM_CHOSEN:
	case VICTIM_PARTIAL:
		return "gone";
	case VICTIM_NONE:
		return "none";
	case VICTIM_HOPELESS:
		return "hopeless";
	case VICTIM_ALL_DYING:
		return "all-dying";
	case VICTIM_UNREAD:
		return "unread";
	}
	return NULL;
}

/* --- values --- */

/* Left out when there is none. */
static void set_text(struct json *j, const char *key, const char *text)
{
	if (text && text[0])
		json_set_text(j, key, text);
}

static void set_comm(struct json *j, const char comm[TASK_COMM_LEN])
{
	char whole[TASK_COMM_LEN + 1] = "";

	memcpy(whole, comm, TASK_COMM_LEN);
	json_set_text(j, "comm", whole);
}

static void set_container(struct json *j, const char *cgroup)
{
	struct container_name c;

	if (!container_parse(cgroup, &c))
		return;
	json_set_text(j, "runtime", container_runtime_text(c.runtime));
	set_text(j, "container", c.id);
	set_text(j, "pod_uid", c.pod_uid);
}

static void set_cgroup(struct json *j, const char *cgroup)
{
	set_text(j, "cgroup", cgroup);
	set_container(j, cgroup);
}

static void set_error(struct json *j, int error)
{
	if (error < 0)
		json_set_text(j, "error", strerrorname_np(-error));
}

static void set_signal(struct json *j, int sig)
{
	const char *name = sigabbrev_np(sig);
	char text[32];

	snprintf(text, sizeof(text), "SIG%s", name ? name : "?");
	json_set_text(j, "signal", text);
}

/* UTC, as RFC 3339 and ISO 8601 have it. */
static void set_time(struct json *j, const char *key, uint64_t realtime_usec)
{
	time_t seconds = (time_t)(realtime_usec / USEC_PER_SEC);
	char day[32], text[48];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return;
	snprintf(text, sizeof(text), "%s.%03uZ", day,
		(unsigned)(realtime_usec % USEC_PER_SEC / USEC_PER_MSEC));
	json_set_text(j, key, text);
}

/* --- a step --- */

static void set_group(struct json *j, const pid_t group[REPORT_GROUP_MAX])
{
	struct json *pids = json_array_new();

	for (int i = 0; i < REPORT_GROUP_MAX && group[i] > 0; i++)
		json_add_number(pids, group[i]);
	json_set(j, "group", pids);
}

static void set_victim(struct json *j, const struct report_event *e)
{
	json_set_number(j, "pid", e->victim.pid);
	set_comm(j, e->comm);
	json_set_number(j, "uid", e->uid);
	json_set_number(j, "oom_score_adj", e->oom_score_adj);
	json_set_number(j, "members", e->members);
	set_group(j, e->group);
	json_set_text(j, "evidence", evidence_name(e->evidence));
	json_set_u64(j, "expected_bytes", e->expected_bytes);
	json_set_u64(j, "shmem_bytes", e->shmem_bytes);
	json_set_bool(j, "along", e->along);
	set_text(j, "rule", e->rule);
	set_cgroup(j, e->cgroup);
}

static void set_readings(struct json *j, const struct report_event *e)
{
	json_set_u64(j, "available_after_bytes", e->available_after_bytes);
	json_set_u64(j, "total_bytes", e->total_bytes);
	json_set_u64(j, "swap_free_bytes", e->swap_free_bytes);
	json_set_u64(j, "swap_total_bytes", e->swap_total_bytes);
}

static void set_change(struct json *j, const struct report_event *e)
{
	json_set_u64(j, "available_before_bytes", e->available_before_bytes);
	set_readings(j, e);
}

static void set_level(struct json *j, const struct report_event *e)
{
	set_text(j, "level", level_name(e->level));
	set_text(j, "cause", cause_name(e->cause));
}

static void set_pinned_by(struct json *j, pid_t pid, const char comm[TASK_COMM_LEN])
{
	struct json *by = json_object_new();

	json_set_number(by, "pid", pid);
	set_comm(by, comm);
	json_set(j, "pinned_by", by);
}

static void set_signalled(struct json *j, const struct report_event *e)
{
	set_victim(j, e);
	set_level(j, e);
	set_change(j, e);
	set_signal(j, e->sig);
	json_set_u64(j, "need_bytes", e->need_bytes);
	json_set_u64(j, "detect_usec", e->detect_usec);
	json_set_u64(j, "major_faults", e->major_faults);
	json_set_number(j, "newborn", e->newborn);
	json_set_bool(j, "ignores_term", e->ignores_term);
	json_set_number(j, "outside", e->outside);
}

static void set_freed(struct json *j, const struct report_event *e)
{
	set_victim(j, e);
	set_change(j, e);
	set_signal(j, e->sig);
	json_set_u64(j, "freed_bytes", e->freed_bytes);
	json_set_u64(j, "latency_usec", e->latency_usec);
}

static void set_stuck(struct json *j, const struct report_event *e)
{
	const struct kill_blame *b = &e->blame;

	set_victim(j, e);
	set_change(j, e);
	set_signal(j, e->sig);
	json_set_u64(j, "latency_usec", e->latency_usec);
	json_set_text(j, "why", blame_name(b->kind));
	if (b->kind == BLAME_PINNED || b->kind == BLAME_KTHREAD)
		set_pinned_by(j, b->pid, b->comm);
	if (b->kind == BLAME_STATE) {
		char state[2] = { b->state, '\0' };

		json_set_number(j, "thread", b->pid);
		set_text(j, "state", state);
		set_text(j, "wchan", b->wchan);
	}
}

static void set_pin(struct json *j, const struct report_event *e)
{
	set_victim(j, e);
	set_text(j, "why", pin_name(e->pin));
	if (e->pin != MM_PIN_NONE)
		set_pinned_by(j, e->pin_pid, e->pin_comm);
}

static void set_no_victim(struct json *j, const struct report_event *e)
{
	set_level(j, e);
	set_readings(j, e);
	json_set_text(j, "result", result_name(e->result));
	json_set_u64(j, "need_bytes", e->need_bytes);
	json_set_u64(j, "shmem_total_bytes", e->shmem_total_bytes);
}

static void set_ladder(struct json *j, const struct report_event *e)
{
	set_level(j, e);
	set_readings(j, e);
	json_set_text(j, "step", config_ladder_name(e->step));
	set_error(j, e->error);
	if (e->step == LADDER_FINAL)
		set_text(j, "program", e->cgroup);
	else
		set_cgroup(j, e->cgroup);
	json_set_number(j, "members", e->members);
	json_set_u64(j, "expected_bytes", e->expected_bytes);
}

static void set_recovered(struct json *j, const struct report_event *e)
{
	set_change(j, e);
	json_set_number(j, "victims", e->victims);
	json_set_u64(j, "freed_bytes", e->freed_bytes);
	json_set_u64(j, "latency_usec", e->latency_usec);
	json_set_u64(j, "kernel_oom_kills", e->kernel_oom_kills);
}

static void set_whole(struct json *j, const struct report_event *e)
{
	set_cgroup(j, e->cgroup);
	json_set_number(j, "members", e->members);
	json_set_text(j, "kill", e->kill == DOMAIN_KILL_CGROUP ? "cgroup" : "group");
	set_error(j, e->error);
}

static void set_kind(struct json *j, const struct report_event *e)
{
	switch (e->kind) {
	case REPORT_EPISODE_BEGAN:
		set_level(j, e);
		return set_readings(j, e);
	case REPORT_SIGNALLED:
		return set_signalled(j, e);
	case REPORT_FREED:
		return set_freed(j, e);
	case REPORT_STUCK:
		return set_stuck(j, e);
	case REPORT_HIDDEN_PIN:
		return set_pin(j, e);
	case REPORT_LOST:
		set_victim(j, e);
		return set_error(j, e->error);
	case REPORT_NO_VICTIM:
		return set_no_victim(j, e);
	case REPORT_STEP:
		return set_ladder(j, e);
	case REPORT_RECOVERED:
		return set_recovered(j, e);
	case REPORT_WHOLE:
		return set_whole(j, e);
	case REPORT_KERNEL_OOM:
		return json_set_u64(j, "kernel_oom_kills", e->kernel_oom_kills);
	}
}

static struct json *step_json(const struct episode *episode, const struct report_event *e)
{
	struct json *j = json_object_new();
	char message[2048];

	report_format(e, message, sizeof(message));
	json_set_text(j, "event", report_kind_name(e->kind));
	json_set_u64(j, "offset_usec", sub_or_zero_u64(e->at_usec, episode->began_usec));
	json_set_text(j, "message", message);
	set_kind(j, e);
	return j;
}

/* --- the whole --- */

/* What the steps come to. */
struct sum {
	bool dry_run;
	enum engine_level level;
	enum engine_cause cause;
	uint32_t victims;
	uint64_t freed_bytes, kernel_oom_kills;
	uint64_t available_before_bytes, available_after_bytes, total_bytes;
};

/* Whether the victim of step i had a signal before: SIGTERM, or a newborn sharer with it. */
static bool had_signal(const struct episode *e, uint32_t i)
{
	const struct proc_id *id = &e->steps[i].event.victim;

	for (uint32_t n = 0; n < i; n++) {
		const struct report_event *before = &e->steps[n].event;

		if (before->kind == REPORT_SIGNALLED && before->victim.pid == id->pid &&
			before->victim.start_ticks == id->start_ticks)
			return true;
	}
	return false;
}

static void sum_readings(struct sum *s, const struct report_event *e)
{
	if (e->total_bytes == 0)
		return; /* of a kind without readings */
	if (s->total_bytes == 0)
		s->available_before_bytes = e->available_before_bytes > 0
			? e->available_before_bytes
			: e->available_after_bytes;
	s->total_bytes = e->total_bytes;
	s->available_after_bytes = e->available_after_bytes;
}

static void sum_up(const struct episode *e, struct sum *s)
{
	memset(s, 0, sizeof(*s));
	for (uint32_t i = 0; i < e->step_count; i++) {
		const struct report_event *event = &e->steps[i].event;

		s->dry_run = s->dry_run || event->dry_run;
		if (event->level > s->level)
			s->level = event->level;
		if (s->cause == CAUSE_NONE)
			s->cause = event->cause;
		sum_readings(s, event);
		if (event->kind == REPORT_SIGNALLED && !event->dry_run && !had_signal(e, i))
			s->victims++;
		if (event->kind == REPORT_FREED)
			s->freed_bytes = add_sat_u64(s->freed_bytes, event->freed_bytes);
		if (event->kind != REPORT_RECOVERED)
			continue;
		/* The daemon has counted also what was lost on the way here. */
		s->victims = event->victims;
		s->freed_bytes = event->freed_bytes;
		s->kernel_oom_kills = event->kernel_oom_kills;
	}
}

static void set_sum(struct json *j, const struct episode *e)
{
	struct sum s;

	sum_up(e, &s);
	json_set_bool(j, "dry_run", s.dry_run);
	json_set_text(j, "level", level_name(s.level));
	json_set_text(j, "cause", cause_name(s.cause));
	json_set_number(j, "victims", s.victims);
	json_set_u64(j, "freed_bytes", s.freed_bytes);
	json_set_u64(j, "kernel_oom_kills", s.kernel_oom_kills);
	json_set_u64(j, "available_before_bytes", s.available_before_bytes);
	json_set_u64(j, "available_after_bytes", s.available_after_bytes);
	json_set_u64(j, "total_bytes", s.total_bytes);
}

struct json *episode_json(const struct episode *e)
{
	struct json *j = json_object_new(), *steps = json_array_new();
	uint64_t end_usec = e->ended_usec;

	for (uint32_t i = 0; i < e->step_count; i++) {
		const struct report_event *event = &e->steps[i].event;

		json_add(steps, step_json(e, event));
		if (e->ended_usec == 0)
			end_usec = max_u64(end_usec, event->at_usec);
	}
	json_set_number(j, "id", (int64_t)e->id);
	set_time(j, "began", e->began_realtime_usec);
	json_set_u64(j, "duration_usec", sub_or_zero_u64(end_usec, e->began_usec));
	json_set_bool(j, "under_way", e->ended_usec == 0);
	json_set_bool(j, "recovered", e->recovered);
	json_set_text(j, "domain", e->domain_path[0] ? e->domain : NULL);
	json_set_text(j, "domain_path", e->domain_path[0] ? e->domain_path : NULL);
	set_container(j, e->domain_path);
	set_sum(j, e);
	json_set_number(j, "steps_lost", e->steps_lost);
	json_set(j, "steps", steps);
	return j;
}
