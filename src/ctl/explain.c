/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain.h"

#include "container.h"
#include "describe.h"
#include "procfs.h"
#include "util.h"

#include <stdarg.h>
#include <string.h>

#define UNIT_SIZE 256

/* --- who it is --- */

/* The process that the thread belongs to, or -errno. */
static pid_t process_of(const struct look *l, pid_t tid)
{
	struct task t = { 0 };
	char text[4096];
	ssize_t n = procfs_read_file(
		l->proc_fd, procfs_path_of(tid, 0, "status").text, text, sizeof(text));

	if (n < 0)
		return (pid_t)n;
	/* The line Tgid is among the first; the rest does not matter. */
	return snapshot_parse_status(text, &t) < 0 ? -ESRCH : t.id.pid;
}

/* The row of the process; *ret_thread: the pid, if it is a thread's. */
static int find(const struct look *l, pid_t pid, const struct task **ret, pid_t *ret_thread)
{
	pid_t process;

	*ret_thread = 0;
	*ret = snapshot_find(&l->snapshot, pid);
	if (*ret)
		return 0;
	process = process_of(l, pid);
	if (process < 0)
		return process;
	*ret = snapshot_find(&l->snapshot, process);
	if (process != pid)
		*ret_thread = pid;
	return *ret ? 0 : -ESRCH;
}

static void describe_container(struct json *j, const char *cgroup)
{
	struct container_name name;
	struct json *container;
	char text[CONTAINER_TEXT_SIZE];

	if (!container_parse(cgroup, &name)) {
		json_set_text(j, "container", NULL);
		return;
	}
	container = json_object_new();
	container_format(&name, text, sizeof(text));
	json_set_text(container, "name", text);
	json_set_text(container, "runtime", container_runtime_text(name.runtime));
	json_set_text(container, "id", name.id);
	json_set_text(container, "pod_uid", name.pod_uid);
	json_set_bool(container, "monitor", name.is_monitor);
	json_set(j, "container", container);
}

static void describe_place(struct look *l, const struct task *t, struct json *j)
{
	char cgroup[512], unit[UNIT_SIZE], exe[512];

	if (snapshot_read_exe(&l->snapshot, t->mm_tid, exe, sizeof(exe)) == 0)
		json_set_text(j, "exe", exe);
	facts_cgroup(&l->facts, t, cgroup, sizeof(cgroup));
	if (!cgroup[0])
		return;
	victim_unit_of(cgroup, unit, sizeof(unit));
	json_set_text(j, "cgroup", cgroup);
	json_set_text(j, "unit", unit[0] ? unit : NULL);
	describe_container(j, cgroup);
}

/* --- what becomes of it --- */

/* As mm/oom_kill.c:oom_badness has it, and victim.h with the rest. */
static int64_t badness_of(const struct look *l, const struct candidate *c)
{
	const struct mm_group *g = &c->group;
	uint64_t all = sharedmm_yield_bytes(g, g->mem.shmem_bytes);
	__int128 points = g->oom_score_adj;

	if (c->rule && c->rule->action == RULE_PREFER && all >= victim_preferable_bytes(&l->need))
		points += l->config->prefer_points;
	points = points * l->need.total_bytes / 1000 + c->yield_bytes;
	return points > INT64_MAX ? INT64_MAX : (int64_t)points;
}

/* What the choice says of the group of the task; its place in the ranking from 1 on, 0: it was not
 * listed. */
static uint32_t find_candidate(struct look *l, uint32_t task, struct candidate *ret)
{
	const struct choice *c = l->choice;

	for (uint32_t i = 0; i < c->candidate_count; i++) {
		const struct mm_group *g = &c->candidates[i].group;
		const uint32_t *members = sharedmm_members(l->sharedmm, g);

		for (uint32_t k = 0; k < g->count; k++)
			if (members[k] == task) {
				*ret = c->candidates[i];
				return i + 1;
			}
	}
	if (victim_consider(&l->snapshot, l->sharedmm, l->config, l->hidden, &l->need, &l->fns,
		    task, ret) == REASON_CHOSEN)
		ret->reason = c->result == VICTIM_CHOSEN ? REASON_NOT_NEEDED : REASON_TOO_SMALL;
	ret->badness = badness_of(l, ret);
	return 0;
}

static void describe_shmem(struct look *l, const struct task *t, const struct mm_group *g,
	struct json *j, struct json *unseen)
{
	struct victim_shmem shmem;
	struct json *s;
	int r;

	if (g->mem.shmem_bytes == 0)
		return;
	r = l->fns.shmem(l->fns.ctx, t, &shmem);
	if (r < 0) {
		json_add_text(unseen,
			"how much of its shared memory nobody else maps: its smaps cannot be read");
		return;
	}
	s = json_object_new();
	json_set_u64(s, "mapped_bytes", g->mem.shmem_bytes);
	json_set_u64(s, "private_bytes", shmem.private_bytes);
	json_set_u64(s, "pss_bytes", shmem.pss_bytes);
	json_set(j, "shmem", s);
}

static struct json *describe_situation(const struct look *l)
{
	struct json *j = json_object_new();
	enum engine_cause cause;

	json_set(j, "memory", describe_memory(&l->mem));
	json_set_bool(j, "short_now",
		verdict_level(l->config, &l->mem, false, false, &cause) != LEVEL_OK);
	json_set_bool(j, "pressure_only", l->shortage.pressure);
	json_set_u64(j, "level_available_bytes", l->shortage.at.available_bytes);
	json_set_u64(j, "need_bytes", l->need.bytes);
	json_set_text(j, "result", describe_result(l->choice->result));
	json_set_text(j, "result_text", victim_result_text(l->choice->result));
	return j;
}

static void note_unseen(
	const struct look *l, const struct task *t, const struct json *j, struct json *unseen)
{
	if (t->flags & TASK_MARKS_HIDDEN)
		json_add_text(unseen,
			"whether it shares its memory: this takes "
			"CAP_SYS_PTRACE, as root has it");
	else if (!l->can_ptrace)
		json_add_text(unseen,
			"whether processes of other users share its memory: this "
			"takes CAP_SYS_PTRACE, as root has it");
	if (!l->facts.kcmp)
		json_add_text(unseen,
			"who shares memory for certain: kcmp(2) is not to be had "
			"here, figures in smaps must do");
	if (!json_has(j, "exe") && !(t->flags & (TASK_KTHREAD | TASK_NO_MM)))
		json_add_text(unseen, "its executable, which a rule may ask for");
	if (!json_has(j, "cgroup"))
		json_add_text(unseen, "its cgroup, which a rule may ask for");
}

static void describe_decision(
	struct look *l, const struct task *t, struct json *j, struct json *unseen)
{
	uint32_t rank, index = (uint32_t)(t - l->snapshot.tasks);
	struct candidate c;

	rank = find_candidate(l, index, &c);
	c.task = index;
	json_set_bool(j, "chosen", c.reason == REASON_CHOSEN);
	if (rank > 0)
		json_set_number(j, "rank", rank);
	else
		json_set_text(j, "rank", NULL);
	json_set_number(j, "ranked", l->choice->candidate_count);
	json_set(j, "candidate", describe_candidate(&l->snapshot, l->sharedmm, &l->fns, &c));
	describe_shmem(l, t, &c.group, j, unseen);
	json_set(j, "situation", describe_situation(l));
}

int explain_pid(struct look *l, pid_t pid, struct json **ret)
{
	struct json *j, *unseen;
	const struct task *t;
	pid_t thread;
	int r = find(l, pid, &t, &thread);

	if (r < 0)
		return r;
	j = describe_task(t);
	unseen = json_array_new();
	if (thread)
		json_set_number(j, "asked_thread", thread);
	if (!(t->flags & TASK_KTHREAD))
		describe_place(l, t, j);
	if (t->flags & TASK_KTHREAD) {
		json_set_text(j, "kind", "kernel_thread");
	} else if (t->flags & TASK_NO_MM) {
		json_set_text(j, "kind", "no_mm");
	} else {
		json_set_text(j, "kind", "process");
		describe_decision(l, t, j, unseen);
		note_unseen(l, t, j, unseen);
	}
	json_set(j, "unseen", unseen);
	*ret = j;
	return j ? 0 : -ENOMEM;
}

/* --- text --- */

static void print_who(FILE *f, const struct json *j)
{
	char process[DESCRIBE_SIZE];

	if (json_has(j, "asked_thread"))
		fprintf(f, "%lld is a thread of this process:\n",
			(long long)json_get_number(j, "asked_thread"));
	fprintf(f, "%s, uid %lld, oom_score_adj %lld\n", describe_process(j, process),
		(long long)json_get_number(j, "uid"),
		(long long)json_get_number(j, "oom_score_adj"));
	if (json_has(j, "thread"))
		fprintf(f, "Its first thread has exited; thread %lld holds the memory.\n",
			(long long)json_get_number(j, "thread"));
}

static void print_field(FILE *f, const char *title, const struct json *j, const char *key)
{
	if (!json_get_text(j, key)[0])
		return;
	fprintf(f, "%-11s ", title);
	describe_escaped(f, j, key);
	fputc('\n', f);
}

static void print_place(FILE *f, const struct json *j)
{
	print_field(f, "Executable", j, "exe");
	print_field(f, "Cgroup", j, "cgroup");
	print_field(f, "Unit", j, "unit");
	print_field(f, "Container", json_get(j, "container"), "name");
}

static void print_group(FILE *f, const struct json *group)
{
	size_t count = json_count(json_get(group, "members"));

	fputs("\nSharing     ", f);
	if (count == 1)
		fputs("nobody shares its memory", f);
	else
		fprintf(f, "%zu processes share this memory and die together", count);
	describe_print_evidence(f, group);
	if (json_get_bool(group, "vfork"))
		fputs("; one waits in vfork for another", f);
	describe_print_pin(f, group);
	fputc('\n', f);
	if (count > 1)
		describe_print_members(f, group);
}

static void print_memory(FILE *f, const struct json *j)
{
	const struct json *candidate = json_get(j, "candidate"), *shmem = json_get(j, "shmem");
	const struct json *group = json_get(candidate, "group");
	char bytes[5][DESCRIBE_SIZE];

	fprintf(f,
		"Memory      %s anonymous, %s of files, %s shared, %s in swap, %s of page tables\n",
		describe_bytes(group, "anon_bytes", bytes[0]),
		describe_bytes(group, "file_bytes", bytes[1]),
		describe_bytes(group, "shmem_bytes", bytes[2]),
		describe_bytes(group, "swap_bytes", bytes[3]),
		describe_bytes(group, "pgtables_bytes", bytes[4]));
	fprintf(f, "Gives back  %s if it dies, %s of it shared memory",
		describe_bytes(candidate, "yield_bytes", bytes[0]),
		describe_bytes(candidate, "yield_shmem_bytes", bytes[1]));
	if (shmem)
		fprintf(f, " (it alone maps %s; its share of what others map too is %s)",
			describe_bytes(shmem, "private_bytes", bytes[2]),
			describe_bytes(shmem, "pss_bytes", bytes[3]));
	fputc('\n', f);
}

static void print_situation(FILE *f, const struct json *s)
{
	const struct json *memory = json_get(s, "memory");
	char bytes[4][DESCRIBE_SIZE];

	fprintf(f, "\n%s of %s are available now, ",
		describe_bytes(memory, "available_bytes", bytes[0]),
		describe_bytes(memory, "total_bytes", bytes[1]));
	if (json_get_bool(s, "short_now"))
		fputs("which is a shortage. ", f);
	else if (json_get_bool(s, "pressure_only"))
		fputs("and only memory pressure would make a shortage. In one, ", f);
	else
		fprintf(f, "so nobody would be killed. At the kill level, with %s, ",
			describe_bytes(s, "level_available_bytes", bytes[2]));
	fprintf(f, "%s would be needed:\n", describe_bytes(s, "need_bytes", bytes[3]));
}

static void print_decision(FILE *f, const struct json *j)
{
	const struct json *candidate = json_get(j, "candidate");
	bool chosen = json_get_bool(j, "chosen");
	char bytes[DESCRIBE_SIZE];

	print_situation(f, json_get(j, "situation"));
	fprintf(f, "It would %sbe chosen", chosen ? "" : "not ");
	if (!chosen)
		fprintf(f, ": %s", json_get_text(candidate, "reason_text"));
	describe_print_rule(f, candidate);
	fprintf(f, ".\nBadness     %s, ", describe_bytes(candidate, "badness_bytes", bytes));
	if (json_kind_of(json_get(j, "rank")) == JSON_WHOLE)
		fprintf(f, "rank %lld", (long long)json_get_number(j, "rank"));
	else
		fprintf(f, "behind the first %lld", (long long)json_get_number(j, "ranked"));
	fputc('\n', f);
}

static void print_unseen(FILE *f, const struct json *list)
{
	for (size_t i = 0; i < json_count(list); i++)
		fprintf(f, "%sNot seen    %s.\n", i ? "" : "\n", json_text(json_at(list, i)));
}

void explain_print(FILE *f, const struct json *j)
{
	const char *kind = json_get_text(j, "kind");

	print_who(f, j);
	print_place(f, j);
	if (strcmp(kind, "kernel_thread") == 0) {
		fputs("It is a thread of the kernel: it has no mm, and there is nothing to kill.\n",
			f);
	} else if (strcmp(kind, "no_mm") == 0) {
		fputs("It has exited (a zombie, or about to be one): its memory is given back "
		      "already.\n",
			f);
	} else {
		print_group(f, json_get(json_get(j, "candidate"), "group"));
		print_memory(f, j);
		print_decision(f, j);
	}
	print_unseen(f, json_get(j, "unseen"));
}
