/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "actor.h"

#include "clock.h"
#include "survive.h"
#include "util.h"
#include "wire.h"

#include <fcntl.h>
#include <string.h>

/* Room for twice the tasks that there are when the daemon starts, this much at least, and for twice
 * as many as there are when it grows; of more than fit the largest are seen. */
#define TABLE_MIN 512
/* More pids than a kernel gives out. */
#define TABLE_MAX (UINT32_C(1) << 22)
/* What sd-event and libproc2 take from the heap between two frees, and what regexec(3) does, which
 * keeps the states that it met: 0 to 15 KiB for an ordinary pattern, 1.1 MiB for a hostile one.
 * Those that the processes of this machine lead to exist after the rehearsal; who takes much there
 * is given as much again. */
#define HEAP_RESERVE_BYTES      (96 * KIB)
#define HEAP_RESERVE_RULE_BYTES (8 * KIB)

static int thaw(void *ctx, const struct proc_id *id)
{
	struct actor *a = ctx;

	return thawer_add(a->thawer, id);
}

static int find_newborn(void *ctx, snapshot_found_fn *found, void *found_ctx)
{
	struct actor *a = ctx;

	return reader_newborn(&a->reader, &a->snapshot, found, found_ctx);
}

static void set_kill_ops(struct actor *a)
{
	a->ops = a->dry_run ? kill_ops_dry_run : kill_ops_real;
	a->ops.ctx = a;
	a->ops.cmp = a->facts.kcmp ? kill_kcmp : NULL;
	a->ops.thaw = a->thawer ? thaw : NULL;
	a->ops.newborn = find_newborn;
}

static int allocate_tables(struct actor *a)
{
	uint32_t capacity = TABLE_MIN;
	int r = snapshot_open(&a->snapshot, a->proc_fd, capacity);

	if (r < 0)
		return r;
	/* Its pids would be other processes to pidfd_open(2) than to /proc. */
	if (snapshot_last_pid(&a->snapshot) == -EXDEV)
		return -EXDEV;
	r = reader_open(&a->reader, a->config->reader, &a->snapshot);
	if (r < 0)
		return r;
	while (capacity < 2 * (a->snapshot.count + a->snapshot.dropped))
		capacity *= 2;
	r = snapshot_reserve(&a->snapshot, capacity);
	if (r < 0)
		return r;
	r = sharedmm_new(capacity, &a->sharedmm);
	if (r < 0)
		return r;
	a->scratch = calloc(capacity, sizeof(*a->scratch));
	a->scope = calloc(capacity, sizeof(*a->scope));
	a->overdue = calloc(capacity, sizeof(*a->overdue));
	a->pids = calloc(PROBE_PIDS_MAX, sizeof(*a->pids));
	a->choice = calloc(1, sizeof(*a->choice));
	a->hidden = calloc(1, sizeof(*a->hidden));
	a->pins_said = calloc(1, sizeof(*a->pins_said));
	a->in_flight = calloc(1, sizeof(*a->in_flight));
	a->slots = calloc(KILL_SLOTS, sizeof(*a->slots));
	return a->scratch && a->scope && a->overdue && a->pids && a->choice && a->hidden &&
			a->pins_said && a->in_flight && a->slots
		? 0
		: -ENOMEM;
}

/* Fills a zeroed actor; what was opened before a failure is the caller's to free. */
static int open_all(struct actor *a, int *ret_wake_fd)
{
	int r;

	a->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->proc_fd < 0)
		return -errno;
	r = allocate_tables(a);
	if (r < 0)
		return r;
	r = cgroup_mounts_new(&a->mounts);
	if (r < 0)
		return r;
	r = facts_open(&a->facts, a->config, &a->snapshot, a->mounts);
	if (r < 0)
		return r;
	if (!a->dry_run) {
		r = thawer_new(a->mounts, a->proc_fd, &a->thawer);
		if (r < 0)
			return r;
	}
	a->fns = facts_victim_fns(&a->facts);
	set_kill_ops(a);
	r = killer_new(&a->ops, &a->snapshot, &a->killer, ret_wake_fd);
	if (r < 0)
		return r;
	a->escalation = (struct escalation){
		.probe = a->facts.probe,
		.pids = a->pids,
		.is_protected = facts_is_protected,
		.cgroup_of = facts_cgroup,
		.ctx = &a->facts,
		.dry_run = a->dry_run,
	};
	escalation_open(&a->escalation);
	return 0;
}

int actor_new(const struct config *c, bool dry_run, struct actor **ret, int *ret_wake_fd)
{
	struct actor *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->config = c;
	a->dry_run = dry_run;
	a->escalation.sysrq_fd = -EBADF;
	r = open_all(a, ret_wake_fd);
	if (r < 0) {
		actor_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

static void close_handles(struct hidden_list *h)
{
	for (uint32_t i = 0; i < h->count; i++)
		if (h->ids[i].handle_fd >= 0)
			close(h->ids[i].handle_fd);
	h->count = 0;
}

void actor_free(struct actor *a)
{
	if (!a)
		return;
	escalation_close(&a->escalation);
	if (a->killer)
		killer_free(a->killer);
	thawer_free(a->thawer);
	facts_close(&a->facts);
	cgroup_mounts_free(a->mounts);
	sharedmm_free(a->sharedmm);
	reader_close(&a->reader);
	snapshot_close(&a->snapshot);
	if (a->hidden)
		close_handles(a->hidden);
	fd_closep(&a->proc_fd);
	free(a->slots);
	free(a->in_flight);
	free(a->pins_said);
	free(a->hidden);
	free(a->choice);
	free(a->pids);
	free(a->overdue);
	free(a->scope);
	free(a->scratch);
	free(a);
}

void actor_set_config(struct actor *a, const struct config *c)
{
	a->config = c;
	facts_set_config(&a->facts, c);
	/* Its candidates point at rules of the old one. */
	a->choice->count = a->choice->candidate_count = 0;
	/* Other rules may pin other mms, and that is worth saying again. */
	a->pins_said->count = 0;
	whole_forget(&a->wholes, NULL); /* domains are made anew */
}

const char *actor_evidence(const struct actor *a)
{
	return a->reader.bpf ? "bpf" : a->facts.kcmp ? "kcmp" : "smaps";
}

const char *actor_cgroups(const struct actor *a)
{
	return cgroup_mounts_text(a->mounts);
}

void actor_enter(struct actor *a, const struct domain_place *place)
{
	a->facts.in_domain = place != NULL;
}

const struct cgroup_mounts *actor_mounts(const struct actor *a)
{
	return a->mounts;
}

/* Fewer than half as many again would fit: the next wave of processes might not. */
static bool is_tight(const struct actor *a, uint64_t tasks)
{
	return tasks + tasks / 2 > a->snapshot.capacity;
}

static void make_room(struct actor *a, uint64_t tasks)
{
	_cleanup_(freep) struct victim_scratch *scratch = NULL;
	_cleanup_(freep) uint8_t *scope = NULL, *overdue = NULL;
	uint32_t capacity = a->snapshot.capacity;
	struct sharedmm *sm;

	if (!is_tight(a, tasks) || tasks > TABLE_MAX)
		return;
	while (capacity < 2 * tasks)
		capacity *= 2;
	/* Without room the old table still serves: the smallest are left out. */
	scratch = calloc(capacity, sizeof(*scratch));
	scope = calloc(capacity, sizeof(*scope));
	overdue = calloc(capacity, sizeof(*overdue));
	if (!scratch || !scope || !overdue || sharedmm_new(capacity, &sm) < 0)
		return;
	if (snapshot_reserve(&a->snapshot, capacity) < 0) {
		sharedmm_free(sm);
		return;
	}
	sharedmm_free(a->sharedmm);
	a->sharedmm = sm;
	free(a->scratch);
	a->scratch = take_pointer(&scratch);
	free(a->scope);
	a->scope = take_pointer(&scope);
	free(a->overdue);
	a->overdue = take_pointer(&overdue);
	/* The groups of its candidates were in the old one. */
	a->choice->count = a->choice->candidate_count = 0;
	survive_reserve_heap(a->reserve_bytes);
}

void actor_calm(struct actor *a)
{
	reader_prepare(&a->reader);
	make_room(a, (uint64_t)a->snapshot.count + a->snapshot.dropped);
}

void actor_make_room(struct actor *a)
{
	int tasks;

	if (!is_tight(a, snapshot_tasks_at_most(&a->snapshot)))
		return;
	tasks = snapshot_count_tasks(&a->snapshot);
	if (tasks > 0)
		make_room(a, (uint64_t)tasks);
}

void actor_hide(struct actor *a, const struct mm_id *id)
{
	int replaced = hidden_add(a->hidden, id);

	if (replaced >= 0)
		close(replaced);
}

int actor_rehearse(struct actor *a, const struct meminfo *m)
{
	/* A need that one victim hardly covers makes the choice look at many. */
	struct victim_need need = {
		.bytes = m->total_bytes / 2,
		.alone_bytes = m->total_bytes / 2,
		.unread_protects = true,
		.total_bytes = add_sat_u64(m->total_bytes, m->swap_total_bytes),
	};
	uint64_t before = survive_heap_bytes(), taken;
	int r = actor_look_around(a, need, 0, NULL);

	if (r == 0)
		r = killer_rehearse(a->killer);
	taken = sub_or_zero_u64(survive_heap_bytes(), before);
	a->reserve_bytes =
		HEAP_RESERVE_BYTES + a->config->rule_count * HEAP_RESERVE_RULE_BYTES + taken;
	survive_reserve_heap(a->reserve_bytes);
	reader_prepare(&a->reader);
	return r;
}

void actor_warn_of_namespace(const struct actor *a)
{
	if (!a->facts.cgroup_known)
		report_line(REPORT_WARNING,
			"oomfwd is in a cgroup namespace of its own and does not find itself in "
			"the hierarchy mounted on /sys/fs/cgroup: rules by cgroup and unit match "
			"nothing outside its container; mount the host's /sys/fs/cgroup, or run "
			"it in the host's cgroup namespace");
}

void actor_warn_of_rivals(const struct actor *a)
{
	static const char *const rivals[] = { "earlyoom", "systemd-oomd", "oomd", "nohang",
		"bustd" };

	for (uint32_t i = 0; i < a->snapshot.count; i++) {
		const struct task *t = &a->snapshot.tasks[i];

		for (size_t k = 0; k < ARRAY_SIZE(rivals); k++)
			if (strncmp(t->comm, rivals[k], TASK_COMM_LEN) == 0 &&
				!(t->flags & (TASK_KTHREAD | TASK_NO_MM)))
				report_line(REPORT_WARNING,
					"%s (pid %d) runs as well: two that choose victims kill "
					"more than is needed; stop one (systemctl disable --now "
					"%s)",
					rivals[k], (int)t->id.pid, rivals[k]);
	}
}

int actor_print_choice(struct actor *a, const struct config *c, const struct meminfo *m,
	const struct domain_place *place, FILE *f)
{
	/* With memory to spare nothing is needed: show what would happen at the kill level. */
	struct shortage short_of = verdict_shortage(c, m);
	char available[32], total[32], level[32];
	struct victim_need need = {
		.bytes = short_of.need_bytes,
		.alone_bytes = short_of.need_bytes,
		.total_bytes = add_sat_u64(m->total_bytes, m->swap_total_bytes),
		.shmem_bytes = m->shmem_bytes,
		.no_swap = !verdict_swap_counts(c),
		.unread_protects = true, /* nobody asks again in a moment */
		.explain = true,
	};
	int r;

	actor_enter(a, place);
	r = actor_look_around(a, need, 0, place);
	if (r < 0)
		return r;
	if (place)
		fprintf(f, "In %s: ", place->path);
	fprintf(f, "%s of %s available now. At the kill level (%s):\n",
		report_bytes(m->available_bytes, available, sizeof(available)),
		report_bytes(m->total_bytes, total, sizeof(total)),
		short_of.pressure
			? "memory pressure"
			: report_bytes(short_of.at.available_bytes, level, sizeof(level)));
	report_choice(f, &a->snapshot, a->sharedmm, a->choice, &need);
	return 0;
}

void actor_show(const struct actor *a, struct wire_state *ret)
{
	ret->hidden_count = a->hidden->count;
	for (uint32_t i = 0; i < a->hidden->count && i < WIRE_HIDDEN; i++)
		ret->hidden[i] = (struct wire_victim){ .id = a->hidden->ids[i].ids[0],
			.members = a->hidden->ids[i].id_count };
	ret->flight_count = 0;
	for (int i = 0; i < KILL_SLOTS; i++) {
		const struct report_event *e = &a->slots[i].event;
		struct wire_victim *v = &ret->flight[ret->flight_count];

		if (!a->slots[i].used)
			continue;
		if (ret->flight_count++ >= WIRE_FLIGHT)
			continue;
		*v = (struct wire_victim){
			.id = e->victim, .members = e->members, .expected_bytes = e->expected_bytes
		};
		memcpy(v->comm, e->comm, sizeof(v->comm));
	}
}
