/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "escalate.h"

#include "clock.h"
#include "util.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/vfs.h>
#include <time.h>

/* The largest tasks whose cgroups are considered, and the youngest; the memory is there if it is
 * anywhere. */
#define CGROUP_TASKS_MAX 16
#define CGROUP_YOUNG_MAX 4
/* All members of all candidates are checked for protection within this time, or not killed. */
#define CGROUP_CHECK_USEC (500 * USEC_PER_MSEC)
#define CGROUP_YOUNG_USEC (250 * USEC_PER_MSEC)
/* A kill that the kernel has not confirmed by then is under way without us: a kill takes 0.1 ms, so
 * it waits for cgroup_mutex, and levels want to be read meanwhile. */
#define CGROUP_KILL_USEC  (50 * USEC_PER_MSEC)
#define CGROUP_RETRY_NSEC 2000000L
#define CGROUP_READ_USEC  (50 * USEC_PER_MSEC)
/* Emergency sync is asynchronous: what is not written by then is lost to the reboot. */
#define SYNC_WAIT_MSEC 1500

static bool is_procfs(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) == 0 && s.f_type == PROC_SUPER_MAGIC;
}

/* The unit has it in the /dev that it makes for us, for its own place is read-only there, as is all
 * that tunes the kernel. */
static int open_sysrq(void)
{
	static const char *const paths[] = { "/dev/sysrq-trigger", "/proc/sysrq-trigger" };
	int error = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_(fd_closep) int fd = open(paths[i], O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && is_procfs(fd))
			return take_fd(&fd);
		error = fd < 0 ? -errno : -ENOTSUP;
	}
	return error;
}

void escalation_open(struct escalation *e)
{
	e->sysrq_fd = e->dry_run ? -EBADF : open_sysrq();
}

void escalation_close(struct escalation *e)
{
	fd_closep(&e->sysrq_fd);
	e->sysrq_fd = -EBADF;
}

static int sysrq(const struct escalation *e, char key)
{
	if (e->sysrq_fd < 0)
		return e->sysrq_fd;
	return pwrite(e->sysrq_fd, &key, 1, 0) == 1 ? 0 : -errno;
}

/* Who in a cgroup forbids that all of it dies. */
struct cgroup_check {
	const struct escalation *e;
	struct snapshot *s;
	uint64_t until_usec;
};

/* Whom nothing could save is no reason to save the others. */
static bool is_dying(const struct task *t)
{
	return (t->flags & TASK_KILL_PENDING) ||
		((t->flags & TASK_EXITING) && !(t->flags & TASK_ZOMBIE_LEADER) && t->threads <= 1);
}

/* Tries again while there is time: the processes of a cgroup that begins to die are just those of
 * whom things cannot be read for a moment. */
static int is_protected(const struct cgroup_check *c, const struct task *t)
{
	const struct timespec pause = { .tv_nsec = CGROUP_RETRY_NSEC };
	int r;

	while ((r = c->e->is_protected(c->e->ctx, t)) == -EAGAIN &&
		monotonic_usec() < c->until_usec)
		nanosleep(&pause, NULL);
	return r;
}

/* Always read anew: by the table, which may be as old as the grace of SIGTERM, it was perhaps
 * another program, had another oom_score_adj, or was not this process at all. Returns as
 * escalation_may_kill(). */
static int may_die(const struct cgroup_check *c, pid_t pid, uint64_t *oldest_ticks)
{
	struct task t;
	int r = snapshot_read_task(c->s, pid, &t);

	if (r >= 0)
		*oldest_ticks = min_u64(*oldest_ticks, t.id.start_ticks);
	/* Who has left, or is about to, needs no clearing; whom we cannot see we cannot clear. */
	if (r == -ESRCH || (r >= 0 && is_dying(&t)))
		return 1;
	if (r >= 0)
		r = is_protected(c, &t);
	return r > 0 ? 0 : r == 0 ? 1 : -EAGAIN;
}

/* Who is in the cgroup, if it is the one that is meant: as probe_cgroup_pids(). */
static int list_pids(
	const struct cgroup_check *c, const char *cgroup, const struct whole_instance *which)
{
	uint64_t id = 0;
	int count = probe_cgroup_pids(
		c->e->probe, cgroup, time_left_usec(c->until_usec), c->e->pids, &id);

	if (probe_is_late(count))
		return -EAGAIN;
	return which && which->id != 0 && id != 0 && which->id != id ? -ENOENT : count;
}

int escalation_may_kill(const struct escalation *e, struct snapshot *s, const char *cgroup,
	const struct whole_instance *which, uint64_t until_usec)
{
	const struct cgroup_check c = { .e = e, .s = s, .until_usec = until_usec };
	uint64_t oldest_ticks = UINT64_MAX;
	int r = 1, count = list_pids(&c, cgroup, which);

	/* What could not be seen whole cannot be cleared. */
	if (count < 0)
		return count;
	for (int i = 0; i < count && r > 0; i++) {
		r = may_die(&c, e->pids[i], &oldest_ticks);
		if (r > 0 && monotonic_usec() >= until_usec)
			r = -EAGAIN;
	}
	if (r >= 0 && which && which->id == 0 && which->youngest_ticks > 0 &&
		oldest_ticks > which->youngest_ticks)
		return -ENOENT;
	return r;
}

static uint64_t task_bytes(const struct task *t)
{
	/* A cgroup whose processes die already, or cannot, is none to kill again. */
	if ((t->flags & (TASK_KTHREAD | TASK_NO_MM)) || is_dying(t))
		return 0;
	return add_sat_u64(t->mem.anon_bytes, t->mem.swap_bytes);
}

/* A fork family holds the memory in tasks of which none is large: its last ones are the youngest.
 */
static uint64_t task_birth(const struct task *t)
{
	return task_bytes(t) > 0 ? t->id.start_ticks : 0;
}

typedef uint64_t task_key_fn(const struct task *t);

/* The index of the task with the highest key below the limit; ties go by index, so that each is
 * seen once. */
static uint32_t next_highest(
	const struct snapshot *s, task_key_fn *key_of, uint64_t limit, uint32_t after)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < s->count; i++) {
		uint64_t key = key_of(&s->tasks[i]);

		if (key == 0 || key > limit || (key == limit && i <= after))
			continue;
		if (best == UINT32_MAX || key > key_of(&s->tasks[best]))
			best = i;
	}
	return best;
}

int escalation_kill(const struct escalation *e, const char *cgroup, uint64_t id)
{
	int r = probe_kill_cgroup(e->probe, cgroup, id, CGROUP_KILL_USEC);

	return r == -EBUSY ? -EALREADY : r;
}

static void kill_cgroup(struct escalation *e, struct escalation_result *ret)
{
	ret->processes = e->dry_run ? 0 : escalation_kill(e, ret->what, 0);
	ret->error = ret->processes < 0 ? ret->processes : 0;
	/* What may happen yet is waited for as if it had: the next step hits harder. */
	ret->acted = ret->error == 0 || ret->error == -ETIMEDOUT;
}

/* How the cgroups of some tasks are looked for. */
struct cgroup_search {
	const struct escalation *e;
	struct snapshot *s;
	task_key_fn *key_of; /* those with the highest */
	int tasks;
	uint64_t least_bytes; /* that the cgroup must hold */
	uint64_t until_usec;
};

/* Takes note of a cgroup that has more memory than the one before, and nobody who is protected. */
static void consider_cgroup(
	const struct cgroup_search *q, const char *path, struct escalation_result *ret)
{
	uint64_t bytes;

	if (path[0] == '\0' || strcmp(path, "/") == 0 || strcmp(path, ret->what) == 0 ||
		probe_cgroup_memory(q->e->probe, path, CGROUP_READ_USEC, &bytes) < 0)
		return;
	if (bytes <= max_u64(ret->bytes, q->least_bytes) ||
		escalation_may_kill(q->e, q->s, path, NULL, q->until_usec) <= 0)
		return;
	ret->bytes = bytes;
	copy_cut(ret->what, sizeof(ret->what), path);
}

static void consider_cgroups(const struct cgroup_search *q, struct escalation_result *ret)
{
	char path[sizeof(ret->what)];
	uint64_t limit = UINT64_MAX;
	uint32_t at = UINT32_MAX;

	for (int n = 0; n < q->tasks; n++) {
		at = next_highest(q->s, q->key_of, limit, at);
		if (at == UINT32_MAX)
			break;
		limit = q->key_of(&q->s->tasks[at]);
		q->e->cgroup_of(q->e->ctx, &q->s->tasks[at], path, sizeof(path));
		consider_cgroup(q, path, ret);
	}
}

/* Kills the cgroup with the most memory that holds nobody who is protected. */
static void kill_largest_cgroup(
	struct escalation *e, struct snapshot *s, struct escalation_result *ret)
{
	uint32_t largest = next_highest(s, task_bytes, UINT64_MAX, UINT32_MAX);
	struct cgroup_search q = { .e = e, .s = s };

	if (largest != UINT32_MAX) {
		q.key_of = task_bytes;
		q.tasks = CGROUP_TASKS_MAX;
		q.until_usec = monotonic_usec() + CGROUP_CHECK_USEC;
		consider_cgroups(&q, ret);
		/* Who has just begun is no cause if one task alone has more than all of his
		 * cgroup. A family of thousands has time of its own. */
		q.key_of = task_birth;
		q.tasks = CGROUP_YOUNG_MAX;
		q.least_bytes = task_bytes(&s->tasks[largest]);
		q.until_usec += CGROUP_YOUNG_USEC;
		consider_cgroups(&q, ret);
	}
	if (ret->bytes == 0)
		ret->error = -ENOENT;
	else
		kill_cgroup(e, ret);
}

/* Kills the cgroup that is short of memory, unless somebody in it is protected. */
static void kill_domain(
	struct escalation *e, struct snapshot *s, const char *path, struct escalation_result *ret)
{
	copy_cut(ret->what, sizeof(ret->what), path);
	if (strcmp(ret->what, path) != 0)
		ret->error = -ENAMETOOLONG;
	else if (escalation_may_kill(e, s, path, NULL, monotonic_usec() + CGROUP_CHECK_USEC) <= 0)
		ret->error = -ENOENT;
	else
		kill_cgroup(e, ret);
	(void)probe_cgroup_memory(e->probe, path, CGROUP_READ_USEC, &ret->bytes);
}

/* It inherits our -1000, which is ours alone. */
static void make_killable(pid_t pid)
{
	char path[48];
	_cleanup_(fd_closep) int fd = -EBADF;

	/* It is in a process group of its own, unless it is gone and its pid somebody else's. */
	if (getpgid(pid) != pid)
		return;
	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0", 1) != 1)
		return; /* it has exited already */
}

static int run_program(const char *path)
{
	char *const argv[] = { (char *)path, NULL };
	struct sigaction reap = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT };
	posix_spawnattr_t attr;
	struct sched_param ordinary = { .sched_priority = 0 };
	sigset_t none, all;
	pid_t pid;
	int r;

	sigaction(SIGCHLD, &reap, NULL);
	sigemptyset(&none);
	sigfillset(&all);
	if (posix_spawnattr_init(&attr) != 0)
		return -ENOMEM;
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setschedpolicy(&attr, SCHED_OTHER);
	posix_spawnattr_setschedparam(&attr, &ordinary);
	posix_spawnattr_setflags(&attr,
		POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP |
			POSIX_SPAWN_SETSCHEDULER);
	r = posix_spawn(&pid, path, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (r == 0)
		make_killable(pid);
	return -r;
}

static int reboot_machine(struct escalation *e)
{
	struct timespec wait = { .tv_sec = SYNC_WAIT_MSEC / 1000,
		.tv_nsec = SYNC_WAIT_MSEC % 1000 * 1000000L };
	int r;

	sysrq(e, 's');
	nanosleep(&wait, NULL);
	r = sysrq(e, 'b');
	/* Without a sysrq trigger the plain call serves as well. */
	if (reboot(RB_AUTOBOOT) < 0 && r < 0)
		return -errno;
	return 0;
}

static int take_final(struct escalation *e, const struct config *c, struct escalation_result *ret)
{
	switch (c->final) {
	case FINAL_NONE:
		return -ENOENT;
	case FINAL_REBOOT:
		return reboot_machine(e);
	case FINAL_PANIC:
		return sysrq(e, 'c');
	case FINAL_EXEC:
		copy_cut(ret->what, sizeof(ret->what), c->final_path);
		return run_program(c->final_path);
	}
	return -EINVAL;
}

void escalation_take(struct escalation *e, enum ladder_step step, const struct config *c,
	struct snapshot *s, const char *domain, struct escalation_result *ret)
{
	*ret = (struct escalation_result){ 0 };
	switch (step) {
	case LADDER_AVOIDED:
		ret->acted = true;
		return;
	case LADDER_CGROUP:
		if (domain)
			kill_domain(e, s, domain, ret);
		else
			kill_largest_cgroup(e, s, ret);
		return;
	case LADDER_KERNEL:
		ret->error = e->dry_run ? 0 : sysrq(e, 'f');
		break;
	case LADDER_FINAL:
		ret->error = e->dry_run ? 0 : take_final(e, c, ret);
		break;
	}
	ret->acted = ret->error == 0;
}
