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
static struct config config;
static struct meminfo mem;
static const struct engine_input input = { .mem = &mem };
static struct engine engine = { .config = &config };
static const struct act_context context = { .engine = &engine, .in = &input };
static struct task_detail room;
static pid_t pids[PROBE_PIDS_MAX];
static int precious;          /* this pid is protected */
static bool nothing_is_known; /* of who is protected */

static int is_precious(void *ctx, const struct task *t)
{
	return nothing_is_known ? -EAGAIN : t->id.pid == precious;
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
	nothing_is_known = false;
	config.term_grace_usec = 10 * USEC_PER_SEC;
	config.victim_timeout_usec = 10 * USEC_PER_SEC;
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
		.facts = { .probe = probe, .config = &config, .snapshot = &actor.snapshot },
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

/* On a busy machine a reader may not have been heard in time. */
static bool all_is_known(const struct engine_outcome *o)
{
	for (uint32_t i = 0; i < o->count; i++) {
		int whole = actor.slots[o->slots[i]].whole;

		if (whole >= 0 && actor.wholes.at[whole].which.id == 0)
			return false;
	}
	return true;
}

static void forget(const struct engine_outcome *o)
{
	for (uint32_t i = 0; i < o->count; i++) {
		whole_leave(&actor.wholes, actor.slots[o->slots[i]].whole);
		actor.slots[o->slots[i]].whole = -1;
	}
}

static uint32_t look_for_mates(const struct engine_outcome *o, int *mates)
{
	static const struct action action = {
		.kind = ACTION_CHOOSE, .sig = SIGTERM, .need.bytes = GIB
	};

	return act_cgroup_prepare(&actor, o, &action, &context, mates);
}

/* How many more are to be signalled; their slots in mates. */
static uint32_t find_mates(const struct engine_outcome *o, int *mates)
{
	uint32_t count = look_for_mates(o, mates);

	for (int i = 0; i < 100 && !all_is_known(o); i++) {
		forget(o);
		count = look_for_mates(o, mates);
	}
	return count;
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

/* What the engine decides of a slot. */
static void carry_out(enum action_kind kind, int slot)
{
	struct action action = { .kind = kind, .slot = slot };
	struct engine_outcome o;

	actor_carry_out(&actor, &context, &action, &o);
}

static void sigkill(int slot)
{
	struct action action = {
		.kind = ACTION_UPGRADE, .sig = SIGKILL, .slots = { slot }, .slot_count = 1
	};
	struct engine_outcome o;

	actor_carry_out(&actor, &context, &action, &o);
}

static void observe(int slot)
{
	struct engine_input in = { .mem = &mem };

	engine.victim[0].slot = slot;
	engine.victim_count = 1;
	actor_observe(&actor, &engine, &in);
	engine.victim_count = 0;
}

/* It is dead, which a look has seen. */
static void ends(struct world *w, int slot)
{
	dies(w, by_pid(w, actor.slots[slot].event.victim.pid));
	observe(slot);
	carry_out(ACTION_FREED, slot);
}

static uint64_t settle(void)
{
	return actor_settle(&actor, &context);
}

/* A second, and the pause after what failed. */
static void time_goes_by(void)
{
	actor.wholes.pause_usec = 0;
	for (int i = 0; i < WHOLE_MAX; i++)
		actor.wholes.at[i].retry_usec = 0;
}

static void time_is_over(void)
{
	for (int i = 0; i < WHOLE_MAX; i++)
		if (actor.wholes.at[i].until_usec > 0)
			actor.wholes.at[i].until_usec = 1;
	time_goes_by();
}

/* On a busy machine perhaps only when it is tried again. */
static void pod_dies(struct world *w)
{
	for (int i = 0; i < 50 && !pod_was_killed(w); i++) {
		settle();
		time_goes_by();
	}
	assert_true(pod_was_killed(w));
}

/* Until nothing is left to be done; the same. */
static void settle_all(void)
{
	for (int i = 0; i < 50 && settle() < UINT64_MAX; i++)
		time_goes_by();
	assert_int_equal(settle(), UINT64_MAX);
}

static int wholes(void)
{
	int n = 0;

	for (int i = 0; i < WHOLE_MAX; i++)
		n += actor.wholes.at[i].state != WHOLE_FREE;
	return n;
}

/* A machine under load: the victim has its signal, and what dies with it could not be told. */
static int choose_without_knowing(struct world *w, struct engine_outcome *o)
{
	int slot = choose(w, VICTIM, o), mates[VICTIM_SET_MAX];

	nobody_can_read(w);
	assert_int_equal(look_for_mates(o, mates), 0);
	assert_int_equal(wholes(), 1);
	return slot;
}

/* The victim and its mate have had SIGTERM. The slot of the mate. */
static int choose_both(struct world *w, struct engine_outcome *o)
{
	int mates[VICTIM_SET_MAX];

	choose(w, VICTIM, o);
	assert_int_equal(find_mates(o, mates), 1);
	return mates[0];
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
	assert_int_equal(settle(), UINT64_MAX); /* they have their grace */
	assert_false(pod_was_killed(w));
	sigkill(slot);
	pod_dies(w);
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
	assert_true(actor.slots[slot].whole < 0);
	sigkill(slot);
	settle();
	assert_false(pod_was_killed(w));
	assert_int_equal(wholes(), 0);
}

/* More than there are slots for, or born since: they have had no signal at all. */
static void who_has_no_slot_dies_with_the_last_who_has_one(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);

	ends(w, o.slots[0]);
	settle();
	assert_false(pod_was_killed(w)); /* the mate has its grace */
	ends(w, mate);
	pod_dies(w);
	assert_int_equal(wholes(), 0);
}

static void who_is_born_all_the_time_dies_when_the_grace_is_over(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	uint64_t until;

	config.term_grace_usec = 300 * USEC_PER_MSEC;
	choose_both(w, &o);
	ends(w, o.slots[0]);
	until = settle();
	assert_false(pod_was_killed(w));
	while (monotonic_usec() < until)
		usleep(10 * 1000);
	pod_dies(w);
}

static void who_does_not_go_dies_when_the_others_are_dead(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);

	ends(w, o.slots[0]);
	carry_out(ACTION_SPARE, mate);
	pod_dies(w);
}

/* Memory came back for another reason, and both take their time to end. */
static void a_cgroup_of_which_nobody_died_lives(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);

	carry_out(ACTION_SPARE, o.slots[0]);
	carry_out(ACTION_SPARE, mate);
	settle();
	assert_false(pod_was_killed(w));
	assert_int_equal(wholes(), 0);
}

/* It may not have SIGKILL any more: it has not died. */
static void a_victim_that_was_refused_brings_nobodys_death(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);

	by_pid(w, VICTIM)->eperm = true;
	sigkill(o.slots[0]);
	assert_int_equal(sent_to(w, VICTIM, SIGKILL), 0);
	carry_out(ACTION_STUCK, o.slots[0]);
	carry_out(ACTION_SPARE, mate);
	settle();
	assert_false(pod_was_killed(w));
}

/* Something holds the mm of one, so that his slot is spared with the rest. */
static void who_was_seen_dead_is_dead_though_he_is_spared(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);

	dies(w, by_pid(w, VICTIM));
	observe(o.slots[0]);
	carry_out(ACTION_SPARE, o.slots[0]);
	carry_out(ACTION_SPARE, mate);
	pod_dies(w);
}

static void who_calls_exec_has_not_died(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);
	struct kill_result k;

	by_pid(w, VICTIM)->mrelease[0] = -EINVAL; /* it handles SIGTERM */
	kill_one(w, o.slots[0], SIGTERM, NULL, NULL, &k);
	by_pid(w, VICTIM)->marks = 5;
	by_pid(w, VICTIM)->mm = 50;
	show(w, by_pid(w, VICTIM));
	observe(o.slots[0]);
	carry_out(ACTION_FREED, o.slots[0]);
	carry_out(ACTION_SPARE, mate);
	settle();
	assert_false(pod_was_killed(w));
}

static void a_cgroup_that_was_killed_is_not_killed_again(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);

	sigkill(o.slots[0]);
	settle();
	write_file(w, "v2/pod/cgroup.kill", "");
	ends(w, o.slots[0]);
	ends(w, mate);
	settle();
	assert_false(pod_was_killed(w));
	assert_int_equal(wholes(), 0);
}

/* The service is started anew. */
static void make_anew(struct world *w)
{
	assert_int_equal(renameat(w->proc_fd, "v2/pod", w->proc_fd, "v2/gone"), 0);
	make_dir(w, "v2/pod");
	write_file(w, "v2/pod/cgroup.procs", "4200103\n");
	write_file(w, "v2/pod/cgroup.kill", "");
	write_file(w, "v2/pod/memory.oom.group", "1\n");
	show(w, born(w, 4200103, INIT, 5000, 4));
}

static void another_cgroup_of_that_path_lives(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int mate = choose_both(w, &o);

	ends(w, o.slots[0]);
	make_anew(w);
	ends(w, mate);
	settle_all();
	assert_false(pod_was_killed(w));
	assert_int_equal(wholes(), 0);
}

static void it_does_so_where_the_first_was_not_known(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose_without_knowing(w, &o);

	it_can_be_read_again(w);
	make_anew(w);
	ends(w, slot);
	settle_all();
	assert_false(pod_was_killed(w));
	assert_int_equal(wholes(), 0);
}

static void who_is_protected_saves_the_rest(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;

	choose_both(w, &o);
	precious = MATE;
	sigkill(o.slots[0]);
	settle_all();
	assert_false(pod_was_killed(w));
}

static void who_could_not_be_looked_at_is_looked_at_again(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	uint64_t began = monotonic_usec(), next;

	choose_both(w, &o);
	nothing_is_known = true;
	sigkill(o.slots[0]);
	next = settle();
	nothing_is_known = false;
	assert_true(next > began && next < monotonic_usec() + 2 * USEC_PER_SEC);
	assert_false(pod_was_killed(w));
	time_goes_by();
	pod_dies(w);
}

static void who_cannot_be_looked_at_is_given_up(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;

	choose_both(w, &o);
	nothing_is_known = true;
	sigkill(o.slots[0]);
	assert_true(settle() < UINT64_MAX);
	time_is_over();
	assert_int_equal(settle(), UINT64_MAX);
	assert_false(pod_was_killed(w));
}

static void what_could_not_be_told_in_time_is_asked_when_the_victim_is_dead(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose_without_knowing(w, &o);

	it_can_be_read_again(w);
	assert_int_equal(settle(), UINT64_MAX);
	assert_false(pod_was_killed(w));
	ends(w, slot);
	pod_dies(w);
	assert_int_equal(wholes(), 0);
}

static void nobody_dies_of_what_cannot_be_told_at_all(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose_without_knowing(w, &o);

	ends(w, slot);
	assert_true(settle() < UINT64_MAX);
	time_is_over();
	assert_int_equal(settle(), UINT64_MAX);
	assert_false(pod_was_killed(w));
	assert_int_equal(wholes(), 0);
	it_can_be_read_again(w);
}

/* Of a fork bomb all are in one cgroup, and none of them is worth another 100 ms. */
static void the_victims_of_one_cgroup_ask_together(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slots[] = { choose(w, VICTIM, &o), choose(w, MATE, &o) }, mates[VICTIM_SET_MAX];

	nobody_can_read(w);
	assert_int_equal(look_for_mates(&o, mates), 0);
	assert_int_equal(actor.slots[slots[0]].whole, actor.slots[slots[1]].whole);
	ends(w, slots[0]);
	settle();
	it_can_be_read_again(w);
	ends(w, slots[1]);
	settle();
	assert_false(pod_was_killed(w));
	time_goes_by();
	pod_dies(w);
}

static void who_is_protected_saves_the_others_also_then(void **state)
{
	struct engine_outcome o = { 0 };
	struct world *w = *state;
	int slot = choose_without_knowing(w, &o);

	it_can_be_read_again(w);
	precious = MATE;
	ends(w, slot);
	settle_all();
	assert_false(pod_was_killed(w));
	assert_int_equal(wholes(), 0);
}

int main(void)
{
#define CGROUP(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CGROUP(all_of_its_cgroup_die_with_a_victim),
		CGROUP(who_dies_with_the_deaf_is_not_waited_for_either),
		CGROUP(nobody_dies_with_a_victim_whose_cgroup_does_not_ask_for_it),
		CGROUP(who_has_no_slot_dies_with_the_last_who_has_one),
		CGROUP(who_is_born_all_the_time_dies_when_the_grace_is_over),
		CGROUP(who_does_not_go_dies_when_the_others_are_dead),
		CGROUP(a_cgroup_of_which_nobody_died_lives),
		CGROUP(a_victim_that_was_refused_brings_nobodys_death),
		CGROUP(who_was_seen_dead_is_dead_though_he_is_spared),
		CGROUP(who_calls_exec_has_not_died),
		CGROUP(a_cgroup_that_was_killed_is_not_killed_again),
		CGROUP(another_cgroup_of_that_path_lives),
		CGROUP(it_does_so_where_the_first_was_not_known),
		CGROUP(who_is_protected_saves_the_rest),
		CGROUP(who_could_not_be_looked_at_is_looked_at_again),
		CGROUP(who_cannot_be_looked_at_is_given_up),
		CGROUP(what_could_not_be_told_in_time_is_asked_when_the_victim_is_dead),
		CGROUP(nobody_dies_of_what_cannot_be_told_at_all),
		CGROUP(the_victims_of_one_cgroup_ask_together),
		CGROUP(who_is_protected_saves_the_others_also_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
