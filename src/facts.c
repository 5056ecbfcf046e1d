/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "facts.h"

#include "kill.h"
#include "util.h"

/* Longest waits for facts that need the target's mmap lock, or cgroup_mutex. */
#define CGROUP_WAIT_USEC  (20 * USEC_PER_MSEC)
#define CMDLINE_WAIT_USEC (20 * USEC_PER_MSEC)
#define SHMEM_WAIT_USEC   (50 * USEC_PER_MSEC)
#define SMAPS_WAIT_USEC   (50 * USEC_PER_MSEC)
#define CGROUP_ROOT_MAX   1024

void facts_cgroup(void *ctx, const struct task *t, char *ret, size_t size)
{
	struct facts *f = ctx;

	if (probe_cgroup(f->probe, t->mm_tid, CGROUP_WAIT_USEC, ret, size, NULL) < 0)
		ret[0] = '\0';
}

/* What costs some calls, or a deadline, for each candidate is read only where a rule asks for it.
 */
void facts_set_config(struct facts *f, const struct config *c)
{
	f->config = c;
	f->wants_preference = f->wants_cmdline = false;
	for (uint32_t i = 0; i < c->rule_count; i++) {
		const struct rule *r = &c->rules[i];

		f->wants_preference |= r->preference != CGROUP_PREFERENCE_NONE;
		f->wants_cmdline |= r->action == RULE_PROTECT && r->cmdline.set;
	}
}

/* Of an exited leader another thread is asked, which may have left meanwhile (passing): that is not
 * to say that nothing is there. */
static bool is_unread(int r, bool passing)
{
	return r < 0 && (r != -ESRCH || passing);
}

static void read_detail(void *ctx, const struct task *t, bool want_cmdline, struct task_detail *ret)
{
	struct facts *f = ctx;
	bool passing = t->mm_tid != t->id.pid;
	int r;

	victim_detail_clear(ret);
	r = snapshot_read_exe(f->snapshot, t->mm_tid, ret->exe, sizeof(ret->exe));
	if (r < 0)
		ret->exe[0] = '\0';
	/* One that is too long to be told will never be read: no rule can name it. */
	ret->exe_unread = r != -ENAMETOOLONG && is_unread(r, passing);
	/* Of an exited leader a v1 hierarchy says "/", where its process is not. */
	r = probe_cgroup(f->probe, t->mm_tid, CGROUP_WAIT_USEC, ret->cgroup, sizeof(ret->cgroup),
		f->wants_preference ? &ret->preference : NULL);
	if (r < 0)
		ret->cgroup[0] = '\0';
	ret->cgroup_unread = is_unread(r, passing);
	if (!want_cmdline)
		return;
	r = probe_cmdline(
		f->probe, t->mm_tid, CMDLINE_WAIT_USEC, ret->cmdline, sizeof(ret->cmdline));
	if (r < 0)
		ret->cmdline[0] = '\0';
	ret->cmdline_unread = is_unread(r, passing);
	ret->cmdline_cut = r > 0;
}

static int read_shmem(void *ctx, const struct task *t, struct victim_shmem *ret)
{
	struct facts *f = ctx;
	struct probe_shmem s;
	int r = probe_shmem(f->probe, t->mm_tid, SHMEM_WAIT_USEC, &s);

	if (r < 0)
		return r;
	ret->private_bytes = s.private_bytes;
	ret->pss_bytes = s.pss_bytes;
	return 0;
}

static int compare_smaps(void *ctx, const struct task *x, const struct task *y)
{
	struct facts *f = ctx;
	int r = probe_same_mm(f->probe, x->mm_tid, y->mm_tid, SMAPS_WAIT_USEC);

	return r < 0 ? r : r == 1 ? 0 : 3;
}

int facts_is_protected(void *ctx, const struct task *t)
{
	struct facts *f = ctx;
	struct task_detail *d = &f->detail;
	struct task whole;
	bool unread = false;

	if (t->flags & TASK_LIGHT) {
		int r = snapshot_read_task(f->snapshot, t->id.pid, &whole);
		if (r < 0)
			return r == -ESRCH ? 0 : -EAGAIN;
		t = &whole;
	}
	if (t->id.pid <= 1 || t->id.pid == f->self || t->oom_score_adj == -1000 ||
		(t->flags & TASK_KTHREAD))
		return 1;
	read_detail(f, t, f->wants_cmdline, d);
	for (uint32_t i = 0; i < f->config->rule_count; i++) {
		const struct rule *r = &f->config->rules[i];

		if (r->action != RULE_PROTECT || (f->in_domain && r->domain) ||
			!victim_rule_matches(r, t, d))
			continue;
		if (!victim_rule_doubts(r, t, d))
			return 1;
		unread = true;
	}
	return unread ? -EAGAIN : 0;
}

int facts_open(struct facts *f, const struct config *c, struct snapshot *s,
	const struct cgroup_mounts *mounts)
{
	char root[CGROUP_ROOT_MAX];
	struct task me;

	*f = (struct facts){ .snapshot = s, .self = getpid() };
	facts_set_config(f, c);
	f->kcmp = snapshot_read_task(s, f->self, &me) == 0 && kill_kcmp(NULL, &me, &me) == 0;
	f->cgroup_known = cgroup_namespace_root(mounts, root, sizeof(root));
	return probe_open(s->proc_fd, mounts, root, &f->probe);
}

void facts_close(struct facts *f)
{
	probe_close(f->probe);
	f->probe = NULL;
}

struct victim_fns facts_victim_fns(struct facts *f)
{
	return (struct victim_fns){
		.ctx = f,
		.cmp = f->kcmp ? kill_kcmp : compare_smaps,
		.evidence = f->kcmp ? MM_EVIDENCE_KCMP : MM_EVIDENCE_SMAPS,
		.detail = read_detail,
		.shmem = read_shmem,
		.room = &f->room,
	};
}
