/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who dies with a victim, and when that is told: at once, too late, or never. The cgroups are
 * directories; who kills one writes a file. The pids are none that a kernel gives out.
 */
#include "act-cgroup.h"

#include "clock.h"
#include "kill-world.h"

#define INIT   1
#define VICTIM 4200100
#define MATE   4200101
#define OTHER  4200102 /* in a cgroup of its own */

static struct actor actor;
static const struct config config;
static const struct act_context context;
static struct task_detail room;
static pid_t pids[PROBE_PIDS_MAX];
static int precious; /* this pid is protected */

static int is_precious(void *ctx, const struct task *t)
{
	return t->id.pid == precious;
}

static void make_dir(struct world *w, const char *path)
{
	assert_int_equal(mkdirat(w->proc_fd, path, 0700), 0);
}

static void in_cgroup(struct world *w, pid_t pid, const char *cgroup)
{
	char text[64];

	snprintf(text, sizeof(text), "0::%s\n", cgroup);
	write_text(w, pid, "cgroup", text);
}

static void make_cgroups(struct world *w)
{
	char list[64];

	make_dir(w, "v2");
	make_dir(w, "v2/pod");
	snprintf(list, sizeof(list), "%d\n%d\n", VICTIM, MATE);
	write_file(w, "v2/pod/cgroup.procs", list);
	write_file(w, "v2/pod/cgroup.events", "populated 0\nfrozen 0\n");
	write_file(w, "v2/pod/cgroup.kill", "");
	write_file(w, "v2/pod/memory.oom.group", "1\n");
	make_dir(w, "v2/other");
	write_file(w, "v2/other/memory.oom.group", "0\n");
}

static void make_processes(struct world *w)
{
	born(w, INIT, 0, 1, 100)->marks = 1;
	born(w, VICTIM, INIT, 1000, 1);
	born(w, MATE, INIT, 1001, 2)->marks = 8;
	born(w, OTHER, INIT, 1002, 3)->marks = 9;
	for (int i = 0; i < w->proc_count; i++)
		show(w, &w->procs[i]);
	in_cgroup(w, VICTIM, "/pod");
	in_cgroup(w, MATE, "/pod");
	in_cgroup(w, OTHER, "/other");
	pass(w);
}

static int setup(void **state)
{
	struct cgroup_mounts *mounts;
	struct probe *probe;
	struct world *w;

	world_setup(state);
	w = *state;
	make_cgroups(w);
	make_processes(w);
	precious = 0;
	assert_int_equal(cgroup_mounts_from_fds(
				 openat(w->proc_fd, "v2", O_PATH | O_CLOEXEC), -1, -1, &mounts),
		0);
	assert_int_equal(probe_open(w->proc_fd, mounts, "", &probe), 0);
	actor = (struct actor){
		.snapshot = w->s,
		.sharedmm = w->sm,
		.killer = w->k,
		.config = &config,
		.mounts = mounts,
		.pids = pids,
		.facts = { .probe = probe },
		.escalation = { .probe = probe, .pids = pids, .is_protected = is_precious },
		.fns = { .ctx = w, .cmp = fake_cmp, .evidence = MM_EVIDENCE_KCMP, .room = &room },
		.choice = calloc(1, sizeof(*actor.choice)),
		.hidden = calloc(1, sizeof(*actor.hidden)),
		.in_flight = calloc(1, sizeof(*actor.in_flight)),
		.slots = calloc(KILL_SLOTS, sizeof(*actor.slots)),
	};
	return actor.choice && actor.hidden && actor.in_flight && actor.slots ? 0 : -1;
}

static int teardown(void **state)
{
	probe_close(actor.facts.probe);
	cgroup_mounts_free(actor.mounts);
	free(actor.choice);
	free(actor.hidden);
	free(actor.in_flight);
	free(actor.slots);
	return world_teardown(state);
}

/* --- what happens --- */

/* It is chosen, and has a slot. */
static int choose(struct world *w, pid_t pid, struct engine_outcome *o)
{
	struct candidate *c = &actor.choice->candidates[actor.choice->candidate_count];
	const struct task *t = snapshot_find(&w->s, pid);

	*c = (struct candidate){ .task = (uint32_t)(t - w->s.tasks), .yield_bytes = 200000 * KIB };
	c->group = *sharedmm_group_of(w->sm, c->task, fake_cmp, w, MM_EVIDENCE_KCMP);
	actor.choice->chosen[actor.choice->count++] = actor.choice->candidate_count++;
	o->slots[o->count] = act_prepare(&actor, c, NULL);
	assert_true(o->slots[o->count] >= 0);
	return o->slots[o->count++];
}

/* How many more are to be signalled; their slots in mates. */
static uint32_t find_mates(const struct engine_outcome *o, int *mates)
{
	static const struct action action = { .kind = ACTION_CHOOSE, .need.bytes = GIB };

	return act_cgroup_prepare(&actor, o, &action, &context, mates);
}

static bool pod_was_killed(struct world *w)
{
	char text[8] = "";
	int fd = openat(w->proc_fd, "v2/pod/cgroup.kill", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	return text[0] == '1';
}

/* Who opens the file waits, as one does behind kernfs_rwsem. */
static void nobody_can_read(struct world *w)
{
	assert_int_equal(unlinkat(w->proc_fd, "v2/pod/memory.oom.group", 0), 0);
	assert_int_equal(mkfifoat(w->proc_fd, "v2/pod/memory.oom.group", 0600), 0);
}

static void it_can_be_read_again(struct world *w)
{
	int fd = openat(w->proc_fd, "v2/pod/memory.oom.group", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1\n", 2), 2);
	usleep(50 * 1000); /* for the reader, which then is free again */
	close(fd);
	assert_int_equal(unlinkat(w->proc_fd, "v2/pod/memory.oom.group", 0), 0);
	write_file(w, "v2/pod/memory.oom.group", "1\n");
}

/* --- tests --- */

static void all_of_its_cgroup_die_with_a_victim(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose(w, VICTIM, &o), mates[VICTIM_SET_MAX];

	assert_int_equal(find_mates(&o, mates), 1);
	assert_int_equal(actor.slots[mates[0]].event.victim.pid, MATE);
	assert_true(actor.slots[mates[0]].event.along);
	assert_false(actor.slots[mates[0]].deaf);
	assert_string_equal(actor.slots[slot].whole, "/pod");
	assert_false(pod_was_killed(w));
	act_cgroup_kill(&actor, o.slots, o.count, &context);
	assert_true(pod_was_killed(w));
}

static void who_dies_with_the_deaf_is_not_waited_for_either(void **state)
{
	struct engine_outcome o = { 0 };
	int mates[VICTIM_SET_MAX];

	actor.slots[choose(*state, VICTIM, &o)].deaf = true;
	assert_int_equal(find_mates(&o, mates), 1);
	assert_true(actor.slots[mates[0]].deaf);
}

static void nobody_dies_with_a_victim_whose_cgroup_does_not_ask_for_it(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose(w, OTHER, &o), mates[VICTIM_SET_MAX];

	assert_int_equal(find_mates(&o, mates), 0);
	assert_false(actor.slots[slot].asks_whole);
	assert_string_equal(actor.slots[slot].whole, "");
	act_cgroup_kill(&actor, o.slots, o.count, &context);
	assert_false(pod_was_killed(w));
}

/* A machine under load: the victim has its signal, and the rest of its cgroup is not forgotten. */
static void what_could_not_be_told_in_time_is_asked_when_the_victim_is_dead(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose(w, VICTIM, &o), mates[VICTIM_SET_MAX];

	nobody_can_read(w);
	assert_int_equal(find_mates(&o, mates), 0);
	assert_true(actor.slots[slot].asks_whole);
	it_can_be_read_again(w);
	act_cgroup_finish(&actor, slot, &context);
	assert_true(pod_was_killed(w));
	assert_false(actor.slots[slot].asks_whole);
}

static void nobody_dies_of_what_cannot_be_told_at_all(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose(w, VICTIM, &o), mates[VICTIM_SET_MAX];

	nobody_can_read(w);
	assert_int_equal(find_mates(&o, mates), 0);
	act_cgroup_finish(&actor, slot, &context);
	assert_true(actor.slots[slot].asks_whole);
	assert_false(pod_was_killed(w));
	it_can_be_read_again(w);
}

/* Of a fork bomb all are in one cgroup, and none of them is worth another 100 ms. */
static void the_victims_of_one_cgroup_ask_together(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slots[] = { choose(w, VICTIM, &o), choose(w, MATE, &o) }, mates[VICTIM_SET_MAX];

	nobody_can_read(w);
	assert_int_equal(find_mates(&o, mates), 0);
	act_cgroup_finish(&actor, slots[0], &context);
	it_can_be_read_again(w);
	actor.asked_usec = monotonic_usec() + USEC_PER_SEC; /* however slow this test is */
	act_cgroup_finish(&actor, slots[1], &context);
	assert_false(pod_was_killed(w));
	actor.asked_usec = 0;
	act_cgroup_finish(&actor, slots[1], &context);
	assert_true(pod_was_killed(w));
}

static void who_is_protected_saves_the_others_also_then(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose(w, VICTIM, &o), mates[VICTIM_SET_MAX];

	nobody_can_read(w);
	assert_int_equal(find_mates(&o, mates), 0);
	it_can_be_read_again(w);
	precious = MATE;
	act_cgroup_finish(&actor, slot, &context);
	assert_false(pod_was_killed(w));
	assert_false(actor.slots[slot].asks_whole);
}

int main(void)
{
#define CGROUP(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CGROUP(all_of_its_cgroup_die_with_a_victim),
		CGROUP(who_dies_with_the_deaf_is_not_waited_for_either),
		CGROUP(nobody_dies_with_a_victim_whose_cgroup_does_not_ask_for_it),
		CGROUP(what_could_not_be_told_in_time_is_asked_when_the_victim_is_dead),
		CGROUP(nobody_dies_of_what_cannot_be_told_at_all),
		CGROUP(the_victims_of_one_cgroup_ask_together),
		CGROUP(who_is_protected_saves_the_others_also_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
