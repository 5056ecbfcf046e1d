/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events as sentences. Apart from report.c because it has no effect: what is said can be tested
 * without anybody to say it.
 */
#include "container.h"
#include "report-text.h"

#include <signal.h>
#include <string.h>

static void add_group(struct text *t, const struct report_event *e)
{
	text_process(t, e->victim.pid, e->comm);
	if (e->members > 1)
		text_add(t, " and %u sharer%s", e->members - 1, e->members > 2 ? "s" : "");
}

static void add_rule(struct text *t, const struct report_event *e)
{
	text_add(t, "rule \"");
	text_escaped(t, e->rule);
	text_add(t, "\"");
}

static void add_available(struct text *t, const struct report_event *e, uint64_t available_bytes)
{
	text_bytes(t, available_bytes);
	text_add(t, " of ");
	text_bytes(t, e->total_bytes);
	text_add(t, " available (");
	text_percent(t, available_bytes, e->total_bytes);
	text_add(t, ")");
}

static void add_available_change(struct text *t, const struct report_event *e)
{
	text_add(t, "; mem available ");
	text_percent(t, e->available_before_bytes, e->total_bytes);
	text_add(t, " -> ");
	text_percent(t, e->available_after_bytes, e->total_bytes);
}

/* A container by the name that its tool lists it by, anything else by its cgroup. */
static void add_cgroup(struct text *t, const char *cgroup)
{
	struct container_name c;
	char name[CONTAINER_TEXT_SIZE];

	if (container_parse(cgroup, &c)) {
		container_format(&c, name, sizeof(name));
		text_add(t, "%s", name);
	} else {
		text_escaped(t, cgroup);
	}
}

static void add_place(struct text *t, const char *cgroup)
{
	if (!cgroup[0])
		return;
	text_add(t, " in ");
	add_cgroup(t, cgroup);
}

/* Before what is about a domain. */
static void add_domain(struct text *t, const struct report_event *e)
{
	if (!e->domain_path[0])
		return;
	add_cgroup(t, e->domain_path);
	text_add(t, " [cgroup ");
	text_escaped(t, e->domain);
	text_add(t, "]: ");
}

static void add_level(struct text *t, const struct report_event *e)
{
	const char *level = e->level == LEVEL_KILL ? "kill" : "warn";
	const char *where = e->domain_path[0] ? "its " : "";

	switch (e->cause) {
	case CAUSE_PRESSURE:
		text_add(t, "%smemory pressure has reached the %s level", where, level);
		return;
	case CAUSE_NONE:
	case CAUSE_MEMORY:
		text_add(t, "%smemory is at the %s level", where, level);
		return;
	}
}

static void say_began(struct text *t, const struct report_event *e)
{
	add_domain(t, e);
	add_level(t, e);
	text_add(t, ": ");
	add_available(t, e, e->available_after_bytes);
	if (e->swap_total_bytes == 0) {
		text_add(t, ", no swap");
		return;
	}
	text_add(t, ", ");
	text_bytes(t, e->swap_free_bytes);
	text_add(t, " of ");
	text_bytes(t, e->swap_total_bytes);
	text_add(t, " swap free");
}

/* By what it is known who shares the mm; nothing where there is nothing to be known. */
static void add_evidence(struct text *t, const struct report_event *e)
{
	if (e->kthread_pid > 0) {
		text_add(t, ", its memory used by kernel thread ");
		text_process(t, e->kthread_pid, e->kthread_comm);
		text_add(t, " too");
	}
	switch (e->evidence) {
	case MM_EVIDENCE_SOLE:
		return;
	case MM_EVIDENCE_BPF:
		if (e->members > 1)
			text_add(t, ", sharers known by BPF");
		return;
	case MM_EVIDENCE_KCMP:
		if (e->members > 1)
			text_add(t, ", sharers known by kcmp");
		return;
	case MM_EVIDENCE_SMAPS:
		text_add(t, ", %s by smaps, the weaker evidence",
			e->members > 1 ? "sharers known" : "no sharer");
		return;
	case MM_EVIDENCE_UNKNOWN:
		text_add(t, ", more sharers are possible: not all could be compared");
		return;
	}
}

static const char *signal_name(int sig)
{
	const char *name = sigabbrev_np(sig);

	return name ? name : "?";
}

static void say_signalled(struct text *t, const struct report_event *e)
{
	text_add(t, "%s SIG%s to ", e->dry_run ? "would have sent" : "sent", signal_name(e->sig));
	add_group(t, e);
	text_add(t, " of uid %u", e->uid);
	add_place(t, e->cgroup);
	text_add(t, " to get back ");
	text_bytes(t, e->expected_bytes);
	if (e->shmem_bytes > 0) {
		text_add(t, " (");
		text_bytes(t, e->shmem_bytes);
		text_add(t, " of it shared memory)");
	}
	text_add(t, "; ");
	text_bytes(t, e->need_bytes);
	text_add(t, " are needed: %s, oom_score_adj %d",
		e->along ? "along with a victim whose cgroup dies whole"
			 : "the highest badness of those that may be killed",
		e->oom_score_adj);
	if (e->rule[0]) {
		text_add(t, ", ");
		add_rule(t, e);
	}
	add_evidence(t, e);
	if (e->newborn > 0)
		text_add(t, ", %u born meanwhile", e->newborn);
	if (e->outside > 0)
		text_add(t, ", %u of them in another cgroup", e->outside);
	if (e->ignores_term)
		text_add(t, ", %s ignores SIGTERM", e->members > 1 ? "one of them" : "it");
	text_add(t, "; ");
	add_domain(t, e);
	add_level(t, e);
	text_add(t, ", ");
	add_available(t, e, e->available_before_bytes);
	text_add(t, ", ");
	text_usec(t, e->detect_usec);
	text_add(t, " from detection to the last signal");
	if (e->major_faults > 0)
		text_add(t, ", with %llu major page faults", (unsigned long long)e->major_faults);
}

static void say_freed(struct text *t, const struct report_event *e)
{
	text_add(t, "%s%s ", e->dry_run ? "would have " : "",
		e->sig == SIGTERM ? "terminated" : "killed");
	add_group(t, e);
	text_add(t, ", freed ");
	text_bytes(t, e->freed_bytes);
	text_add(t, " in ");
	text_usec(t, e->latency_usec);
	add_available_change(t, e);
}

static void add_blame(struct text *t, const struct kill_blame *b)
{
	switch (b->kind) {
	case BLAME_UNKNOWN:
		text_add(t, " is stuck, for no reason that can be seen");
		return;
	case BLAME_PINNED:
		text_add(t, ": mm pinned by ");
		text_process(t, b->pid, b->comm);
		return;
	case BLAME_STATE:
		text_add(t, " is stuck: thread %d in %c state", b->pid, b->state);
		if (b->wchan[0]) {
			text_add(t, " at wchan ");
			text_escaped(t, b->wchan);
		}
		return;
	case BLAME_CORE_DUMP:
		text_add(t, " is stuck: its core is being dumped");
		return;
	case BLAME_KTHREAD:
		text_add(t, ": mm pinned by kernel thread ");
		text_process(t, b->pid, b->comm);
		return;
	case BLAME_HELD:
		text_add(t, " is stuck: all its processes are gone, but something still holds it");
		return;
	}
}

static void say_stuck(struct text *t, const struct report_event *e)
{
	text_add(t, "mm of ");
	add_group(t, e);
	add_blame(t, &e->blame);
	if (e->latency_usec > 0) {
		text_add(t, ", ");
		text_usec(t, e->latency_usec);
		text_add(t, " after SIG%s", signal_name(e->sig));
	}
	text_add(t, "; hidden, next victim");
}

static void say_pin(struct text *t, const struct report_event *e)
{
	text_add(t, "not killing ");
	add_group(t, e);
	text_add(t, ", for its ");
	text_bytes(t, e->expected_bytes);
	text_add(t, " would not come back: mm pinned by ");
	text_process(t, e->pin_pid, e->pin_comm);
	switch (e->pin) {
	case MM_PIN_NONE:
	case MM_PIN_INIT:
		return;
	case MM_PIN_SELF:
		text_add(t, ", which is oomfwd itself");
		return;
	case MM_PIN_ADJ:
		text_add(t, ", which has oom_score_adj -1000");
		return;
	case MM_PIN_KTHREAD:
		text_add(t, ", a kernel thread, and kernel_users = spare");
		return;
	case MM_PIN_PROTECTED:
		text_add(t, ", which is protected");
		if (e->rule[0]) {
			text_add(t, " by ");
			add_rule(t, e);
		}
		return;
	}
}

static void say_lost(struct text *t, const struct report_event *e)
{
	text_add(t, "could not kill ");
	add_group(t, e);
	text_add(t, ": ");
	if (e->error == -ENOSPC)
		text_add(t, "no room for it among the %d groups of %d processes in all in flight",
			KILL_SLOTS, KILL_MEMBERS_MAX);
	else if (e->error == -EAGAIN)
		text_add(t, "whether it is protected could not be read in time");
	else
		text_error(t, e->error);
	text_add(t, "%s",
		kill_may_be_tried_again(e->error, e->members) ? "; choosing again"
							      : "; hidden, next victim");
}

static void say_no_victim(struct text *t, const struct report_event *e)
{
	add_domain(t, e);
	switch (e->result) {
	case VICTIM_CHOSEN:
	case VICTIM_PARTIAL:
		text_add(
			t, "no victim: all that were chosen were gone before they could be killed");
		break;
	case VICTIM_NONE:
		text_add(t,
			"no victim: every process is protected, avoided, pinned or hidden "
			"(oomfwd --once --dry-run lists them)");
		break;
	case VICTIM_HOPELESS:
		text_add(t, "no victim: those that may be killed hold too little to matter");
		break;
	case VICTIM_ALL_DYING:
		text_add(t, "no new victim: what could be chosen is dying already");
		break;
	case VICTIM_UNREAD:
		text_add(t,
			"no victim yet: who is protected could not be read in time; asking again");
		break;
	}
	text_add(t, "; ");
	text_bytes(t, e->need_bytes);
	text_add(t, " needed, ");
	add_available(t, e, e->available_after_bytes);
	/* What killing cannot give back, somebody has to delete. */
	if (e->shmem_total_bytes > 0 && e->shmem_total_bytes >= e->total_bytes / 8) {
		text_add(t, "; ");
		text_bytes(t, e->shmem_total_bytes);
		text_add(t,
			" is held by shared memory and tmpfs files: free some under /dev/shm, /tmp "
			"or /run");
	}
}

static const char *step_done(enum ladder_step step)
{
	switch (step) {
	case LADDER_AVOIDED:
		return "made processes that avoid rules spare eligible";
	case LADDER_CGROUP:
		return "killed the whole cgroup ";
	case LADDER_KERNEL:
		return "called the kernel's OOM killer (sysrq f)";
	case LADDER_FINAL:
		return "taken the final action";
	}
	return "";
}

static void say_step(struct text *t, const struct report_event *e)
{
	add_domain(t, e);
	if (e->step == LADDER_CGROUP && e->error == -ETIMEDOUT) {
		text_add(t, "no victim is left, so oomfwd has asked for the kill of all of ");
		add_cgroup(t, e->cgroup);
		text_add(t, ", which the kernel has not confirmed yet");
		return;
	}
	if (e->error < 0) {
		text_add(t, "no victim is left, and step \"%s\" %s", config_ladder_name(e->step),
			e->error == -ENOENT ? "has nothing to do here" : "failed: ");
		if (e->error != -ENOENT)
			text_error(t, e->error);
		text_add(t, "; next step");
		return;
	}
	text_add(t, "%s%s", e->dry_run ? "would have " : "no victim is left, so oomfwd has ",
		step_done(e->step));
	if (e->cgroup[0]) {
		if (e->step == LADDER_FINAL)
			text_add(t, ", ");
		text_escaped(t, e->cgroup);
	}
	if (e->step == LADDER_CGROUP) {
		text_add(t, " of ");
		if (e->members > 0)
			text_add(t, "%u process%s and ", e->members, e->members > 1 ? "es" : "");
		text_bytes(t, e->expected_bytes);
	}
}

static void say_recovered(struct text *t, const struct report_event *e)
{
	add_domain(t, e);
	text_add(t, "memory has recovered after ");
	text_usec(t, e->latency_usec);
	if (e->victims > 0) {
		text_add(t, ": %u victim%s, ", e->victims, e->victims > 1 ? "s" : "");
		text_bytes(t, e->freed_bytes);
		text_add(t, " freed");
	} else {
		text_add(t, " without a victim");
	}
	add_available_change(t, e);
}

static void say_whole(struct text *t, const struct report_event *e)
{
	const char *why = e->kill == DOMAIN_KILL_CGROUP ? "kill = cgroup is set for it"
							: "its memory.oom.group is set";

	if (e->error == -EAGAIN) {
		text_add(t, "whether all of ");
		add_cgroup(t, e->cgroup[0] ? e->cgroup : "its cgroup");
		text_add(t,
			" are to die with a victim could not be read in time, nor after it: they "
			"live; restart what is of no use without the victim");
		return;
	}
	if (e->error < 0) {
		text_add(t, "not all of ");
		add_cgroup(t, e->cgroup);
		text_add(t, " is killed, though %s: ", why);
		if (e->error == -EBUSY || e->error == -ECANCELED)
			text_add(t, "a process in it is protected; %s",
				e->error == -EBUSY ? "those that may die were signalled"
						   : "its victim alone was signalled");
		else if (e->error == -ETIME)
			text_add(t,
				"whether all of it may die could not be read in time, nor after "
				"it; restart what is of no use without its victim");
		else if (e->error == -ENOSPC)
			text_add(t,
				"more cgroups are to die whole than oomfwd can watch at a time; "
				"only those it has signalled die");
		else if (e->error == -ETIMEDOUT)
			text_add(t, "the kernel has not confirmed it yet");
		else if (e->error == -EALREADY)
			text_add(t, "the kernel has not confirmed the kill of another one yet");
		else
			text_error(t, e->error);
		return;
	}
	text_add(t, "%s all of ", e->dry_run ? "would have killed" : "killed");
	add_cgroup(t, e->cgroup);
	if (e->members > 0)
		text_add(t, ", %u process%s,", e->members, e->members > 1 ? "es" : "");
	text_add(t, " with its victim: %s", why);
}

static void say_kernel_oom(struct text *t, const struct report_event *e)
{
	add_domain(t, e);
	text_add(t, "the kernel's own OOM killer has killed %llu process%s meanwhile: ",
		(unsigned long long)e->kernel_oom_kills, e->kernel_oom_kills == 1 ? "" : "es");
	if (e->domain_path[0])
		text_add(t, "it met its limit faster than its stalls could be measured");
	else
		text_add(t,
			"oomfwd was too late, or a cgroup met its own limit; if memory was short "
			"everywhere, raise the levels in %s",
			CONFIG_PATH);
}

void report_format(const struct report_event *e, char *ret, size_t size)
{
	struct text t = { ret, size };

	if (size == 0)
		return;
	*ret = '\0';
	switch (e->kind) {
	case REPORT_EPISODE_BEGAN:
		return say_began(&t, e);
	case REPORT_SIGNALLED:
		return say_signalled(&t, e);
	case REPORT_FREED:
		return say_freed(&t, e);
	case REPORT_STUCK:
		return say_stuck(&t, e);
	case REPORT_HIDDEN_PIN:
		return say_pin(&t, e);
	case REPORT_LOST:
		return say_lost(&t, e);
	case REPORT_NO_VICTIM:
		return say_no_victim(&t, e);
	case REPORT_STEP:
		return say_step(&t, e);
	case REPORT_RECOVERED:
		return say_recovered(&t, e);
	case REPORT_WHOLE:
		return say_whole(&t, e);
	case REPORT_KERNEL_OOM:
		return say_kernel_oom(&t, e);
	}
}
