/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "look.h"

#include "util.h"

#include <fcntl.h>
#include <string.h>

/* Some hundred tasks are usual. */
#define TABLE_MIN 1024

/* Tables for twice the tasks that were seen. */
static int make_room(struct look *l)
{
	uint32_t capacity = TABLE_MIN;
	struct victim_scratch *scratch;
	struct sharedmm *sm;
	int r;

	while (capacity < 2 * (l->snapshot.count + l->snapshot.dropped))
		capacity *= 2;
	r = snapshot_reserve(&l->snapshot, capacity);
	if (r < 0)
		return r;
	r = sharedmm_new(capacity, &sm);
	if (r < 0)
		return r;
	sharedmm_free(l->sharedmm);
	l->sharedmm = sm;
	scratch = calloc(capacity, sizeof(*scratch));
	if (!scratch)
		return -ENOMEM;
	free(l->scratch);
	l->scratch = scratch;
	return 0;
}

static int open_tables(struct look *l)
{
	int r = snapshot_open(&l->snapshot, l->proc_fd, TABLE_MIN);

	if (r < 0)
		return r;
	/* Its pids would be other processes to kcmp(2) than to /proc. */
	if (snapshot_last_pid(&l->snapshot) == -EXDEV)
		return -EXDEV;
	l->hidden = calloc(1, sizeof(*l->hidden));
	l->choice = calloc(1, sizeof(*l->choice));
	return l->hidden && l->choice ? make_room(l) : -ENOMEM;
}

/* *ret_what: what could not be had. */
static int open_all(struct look *l, const char **ret_what)
{
	int r;

	*ret_what = "the processes in /proc";
	l->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l->proc_fd < 0)
		return -errno;
	r = open_tables(l);
	if (r < 0)
		return r;
	*ret_what = "the memory figures in /proc/meminfo";
	r = sensor_new(&l->sensor);
	if (r < 0)
		return r;
	*ret_what = "the cgroup hierarchies";
	r = cgroup_mounts_new(&l->mounts);
	if (r < 0)
		return r;
	*ret_what = "the details of processes";
	r = facts_open(&l->facts, l->config, &l->snapshot, l->mounts);
	if (r < 0)
		return r;
	l->fns = facts_victim_fns(&l->facts);
	return 0;
}

int look_new(const struct ctl *c, struct look **ret)
{
	_cleanup_(look_freep) struct look *l = calloc(1, sizeof(*l));
	const char *what;
	int r;

	if (!l) {
		ctl_fail(CTL_FAILED, "no memory is left");
		return -ENOMEM;
	}
	l->proc_fd = -EBADF;
	l->snapshot.proc_fd = -EBADF;
	l->config = ctl_load_config(c);
	if (!l->config)
		return -EBADMSG;
	r = open_all(l, &what);
	if (r == -EXDEV)
		ctl_fail(CTL_FAILED,
			"/proc belongs to another pid namespace than oomfwdctl: run it where "
			"/proc was mounted");
	else if (r < 0)
		ctl_fail(CTL_FAILED, "cannot read %s: %s", what, strerror(-r));
	if (r == 0)
		*ret = take_pointer(&l);
	return r;
}

void look_free(struct look *l)
{
	if (!l)
		return;
	if (l->facts.probe)
		facts_close(&l->facts);
	cgroup_mounts_free(l->mounts);
	sensor_free(l->sensor);
	sharedmm_free(l->sharedmm);
	snapshot_close(&l->snapshot);
	fd_closep(&l->proc_fd);
	config_free(l->config);
	free(l->scratch);
	free(l->choice);
	free(l->hidden);
	free(l);
}

static int read_tasks(struct look *l)
{
	int r = snapshot_refresh(&l->snapshot);

	if (r < 0 || l->snapshot.dropped == 0)
		return r;
	r = make_room(l);
	return r < 0 ? r : snapshot_refresh(&l->snapshot);
}

static bool any_marks_hidden(const struct snapshot *s)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (s->tasks[i].flags & TASK_MARKS_HIDDEN)
			return true;
	return false;
}

int look_now(struct look *l, uint64_t need_bytes)
{
	int r = sensor_read(l->sensor, &l->mem);

	if (r < 0)
		return r;
	l->shortage = verdict_shortage(l->config, &l->mem);
	if (need_bytes == 0)
		need_bytes = l->shortage.need_bytes;
	l->need = (struct victim_need){
		.bytes = need_bytes,
		.no_swap = !verdict_swap_counts(l->config),
		.unread_protects = true, /* nobody asks again in a moment */
		.alone_bytes = need_bytes,
		.total_bytes = add_sat_u64(l->mem.total_bytes, l->mem.swap_total_bytes),
		.shmem_bytes = l->mem.shmem_bytes,
		.explain = true,
	};
	r = read_tasks(l);
	if (r < 0)
		return r;
	l->can_ptrace = !any_marks_hidden(&l->snapshot);
	r = sharedmm_classify(l->sharedmm, &l->snapshot, l->facts.self);
	if (r < 0)
		return r;
	victim_choose(&l->snapshot, l->sharedmm, l->config, l->hidden, &l->need, &l->fns,
		l->scratch, l->choice);
	return 0;
}

int look_begin(const struct ctl *c, struct look **ret)
{
	_cleanup_(look_freep) struct look *l = NULL;
	int r = look_new(c, &l);

	if (!l)
		return look_status(r);
	r = look_now(l, 0);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot read the processes: %s", strerror(-r));
	*ret = take_pointer(&l);
	return CTL_OK;
}
