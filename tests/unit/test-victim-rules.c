/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What rules match, and what is remembered of an mm that is not to be chosen again. */
#include "victim-world.h"

/* --- rules --- */

static void test_each_condition_of_a_rule(void **state)
{
	static const struct {
		const char *comm, *cmdline, *exe, *unit, *cgroup;
		int uid; /* -1: any */
		bool matches;
		bool reads; /* more than the row was needed to tell */
	} cases[] = {
		{ .uid = -1, .matches = false }, /* no condition: nobody */
		{ .comm = "^data", .uid = -1, .matches = true },
		{ .comm = "^base", .uid = -1, .matches = false },
		{ .cmdline = "--config=/etc", .uid = -1, .matches = true, .reads = true },
		{ .cmdline = "--config=/home", .uid = -1, .matches = false, .reads = true },
		{ .exe = "^/usr/(s)?bin/", .uid = -1, .matches = true, .reads = true },
		{ .exe = "^/home/", .uid = -1, .matches = false, .reads = true },
		{ .unit = "^db\\.service$", .uid = -1, .matches = true, .reads = true },
		{ .unit = "system", .uid = -1, .matches = false, .reads = true },
		{ .cgroup = "^/system\\.slice/", .uid = -1, .matches = true, .reads = true },
		{ .cgroup = "^/user\\.slice/", .uid = -1, .matches = false, .reads = true },
		{ .uid = 26, .matches = true },
		{ .uid = 0, .matches = false },
		{ .comm = "data",
			.exe = "base$",
			.unit = "db",
			.uid = 26,
			.matches = true,
			.reads = true },
		{ .comm = "data", .exe = "base$", .unit = "no", .uid = 26, .reads = true },
		{ .comm = "data", .exe = "other$", .unit = "db", .uid = 26, .reads = true },
		{ .comm = "data", .exe = "base$", .unit = "db", .uid = 27 },
		{ .comm = "none", .cmdline = "base", .uid = 26 },
	};
	struct world *w = *state;
	struct task *t = process(w, "database", 4 * GIB);

	t->uid = 26;
	w->exe[t->id.pid] = "/usr/bin/database";
	w->cmdline[t->id.pid] = "database --config=/etc/db";
	w->cgroup[t->id.pid] = "/system.slice/db.service/worker";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rule *r;
		struct task_detail d;

		forget_rules(w);
		r = rule(w, RULE_PROTECT, "the rule");
		if (cases[i].comm)
			when(&r->comm, cases[i].comm);
		if (cases[i].cmdline)
			when(&r->cmdline, cases[i].cmdline);
		if (cases[i].exe)
			when(&r->exe, cases[i].exe);
		if (cases[i].unit)
			when(&r->unit, cases[i].unit);
		if (cases[i].cgroup)
			when(&r->cgroup, cases[i].cgroup);
		r->uid_set = cases[i].uid >= 0;
		r->uid = (uid_t)cases[i].uid;
		fake_detail(w, t, true, &d);
		assert_int_equal(victim_rule_matches(r, t, &d), cases[i].matches);
		assert_int_equal(choose(w), cases[i].matches ? VICTIM_NONE : VICTIM_CHOSEN);
		assert_int_equal(w->details > 0, cases[i].reads);
		assert_int_equal(w->cmdlines > 0, cases[i].reads && cases[i].cmdline);
	}
}

static void test_what_could_not_be_read_matches_nothing(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 4 * GIB);

	when(&rule(w, RULE_PROTECT, "all")->exe, ".*");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	w->exe[hog->id.pid] = "/bin/hog";
	assert_int_equal(choose(w), VICTIM_NONE);
}

/* A reader that is late must not make a protected process look like any other. */
static void test_what_could_not_be_read_in_time_protects_all_the_same(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 4 * GIB);
	struct task *other = process(w, "other", 3 * GIB);
	struct rule *r = rule(w, RULE_PROTECT, "base");

	hog->uid = 0;
	other->uid = 1000;
	r->uid_set = true;
	when(&r->cgroup, "^/system\\.slice/base\\.service$");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	w->late = true;
	/* It would die in the hog's stead, and the hog may be readable in a moment. */
	assert_int_equal(choose(w), VICTIM_UNREAD);
	assert_int_equal(w->choice.count, 0);
	assert_true(w->choice.unread);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_UNREAD);
	/* uid 1000 cannot be meant by the rule, whatever its cgroup is. */
	w->need.unread_protects = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_true(w->choice.unread);
	assert_chosen_alone(w, other);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_PROTECTED);
	/* With nobody else, the answer is not that all are protected. */
	other->uid = 0;
	assert_int_equal(choose(w), VICTIM_UNREAD);
	/* To be avoided or preferred, a task must be known to be. */
	r->action = RULE_AVOID;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
}

/* The thread of an exited leader that was to be asked has left: the next pass asks another. */
static void test_an_exe_that_was_not_read_protects_all_the_same(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 4 * GIB);
	struct rule *r = rule(w, RULE_PROTECT, "shop");

	when(&r->exe, "^/usr/bin/shop$");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	w->exe_unread[hog->id.pid] = true;
	assert_int_equal(choose(w), VICTIM_UNREAD);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_UNREAD);
	/* What else the rule asks for is known, and clears it. */
	when(&r->comm, "^shop$");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	memcpy(hog->comm, "shop", sizeof("shop"));
	assert_int_equal(choose(w), VICTIM_UNREAD);
	r->action = RULE_AVOID;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
}

/* Two rules may be meant: the one that needs no reading decides. */
static void test_what_is_protected_for_certain_is_not_waited_for(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 4 * GIB);
	struct task *sharer = sharer_of(w, hog);
	struct task *other = process(w, "other", 3 * GIB);

	when(&rule(w, RULE_PROTECT, "base")->cgroup, "^/base$");
	w->late = true;
	other->uid = hog->uid;
	assert_int_equal(choose(w), VICTIM_UNREAD);
	memcpy(sharer->comm, "guard", sizeof("guard"));
	when(&rule(w, RULE_PROTECT, "guards")->comm, "^guard$");
	assert_int_equal(choose(w), VICTIM_UNREAD);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_PROTECTED);
	assert_string_equal(verdict_on(w, hog)->rule->name, "guards");
	assert_int_equal(verdict_on(w, other)->reason, REASON_UNREAD);
	/* A rule that matches without what is missing is no doubt either. */
	when(&rule(w, RULE_PROTECT, "exe")->exe, "^/bin/other$");
	w->exe[other->id.pid] = "/bin/other";
	assert_int_equal(choose(w), VICTIM_NONE);
	assert_false(w->choice.unread);
}

static void test_who_was_signalled_already_is_not_chosen_again(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 4 * GIB);
	struct task *second = process(w, "second", 3 * GIB);
	static struct hidden_list in_flight;

	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	in_flight.count = 0;
	victim_mm_id(&w->s, w->sm, &victim(w, 0)->group, &in_flight.ids[0]);
	in_flight.count = 1;
	w->need.in_flight = &in_flight;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, second);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_DYING);
	w->need.in_flight = NULL;
}

static void test_a_comm_without_an_end_is_cut(void **state)
{
	struct world *w = *state;
	struct task *t = process(w, "", 4 * GIB);
	struct rule *r = rule(w, RULE_AVOID, "x");
	struct task_detail d = { 0 };

	memset(t->comm, 'x', sizeof(t->comm));
	when(&r->comm, "^x{16}$");
	assert_true(victim_rule_matches(r, t, &d));
}

/* The main class of a Java program comes last. */
static void test_a_command_line_that_is_not_whole_protects(void **state)
{
	struct world *w = *state;
	struct task *t = process(w, "java", 4 * GIB);
	struct rule *protect = rule(w, RULE_PROTECT, "search"), *avoid = rule(w, RULE_AVOID, "x");
	static struct task_detail d = { .cmdline = "java -Xmx4g -Dpath=" };

	when(&protect->cmdline, "org.elasticsearch");
	when(&avoid->cmdline, "org.elasticsearch");
	assert_false(victim_rule_matches(protect, t, &d));
	d.cmdline_cut = true;
	assert_true(victim_rule_matches(protect, t, &d));
	/* For good: nobody need ask again. */
	assert_false(victim_rule_doubts(protect, t, &d));
	assert_false(victim_rule_matches(avoid, t, &d));
}

static void test_avoided_until_nobody_else_is_left(void **state)
{
	struct world *w = *state;
	struct task *database = process(w, "database", 8 * GIB);
	struct task *hog = process(w, "hog", 2 * GIB);

	when(&rule(w, RULE_AVOID, "databases")->comm, "^database$");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_int_equal(verdict_on(w, database)->reason, REASON_AVOIDED);
	assert_string_equal(verdict_on(w, database)->rule->name, "databases");
	hide(w, victim(w, 0));
	assert_int_equal(choose(w), VICTIM_NONE);
	w->need.avoided_eligible = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, database);
	/* Eligible, but after all others. */
	w->hidden.count = 0;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
}

static void test_preferred_goes_first(void **state)
{
	struct world *w = *state;
	struct task *browser = process(w, "browser", 1100 * MIB);

	process(w, "server", 3 * GIB);
	w->exe[browser->id.pid] = "/opt/browser/browser";
	when(&rule(w, RULE_PREFER, "browsers")->exe, "^/opt/browser/");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, browser);
	assert_string_equal(victim(w, 0)->rule->name, "browsers");
	assert_int_equal(victim(w, 0)->badness, 1100 * MIB + TOTAL * 3 / 10);
}

static void test_the_small_are_not_read_for_a_prefer_rule(void **state)
{
	struct world *w = *state;
	struct task *hog;

	for (int i = 0; i < 5000; i++) {
		struct task *t = process(w, "small", 7 * MIB); /* 128 of them: less than a GiB */

		w->exe[t->id.pid] = "/opt/small";
	}
	hog = process(w, "hog", 2 * GIB);
	when(&rule(w, RULE_PREFER, "small")->exe, "^/opt/small");
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	assert_true(w->details < 10);
}

static void test_protect_goes_before_avoid_and_avoid_before_prefer(void **state)
{
	struct world *w = *state;
	struct task *t = process(w, "x", 2 * GIB), *y = process(w, "y", GIB);

	when(&rule(w, RULE_PREFER, "1")->comm, "x");
	when(&rule(w, RULE_AVOID, "2")->comm, "x");
	choose(w);
	assert_chosen_alone(w, y);
	assert_string_equal(verdict_on(w, t)->rule->name, "2");
	when(&rule(w, RULE_PROTECT, "3")->comm, "x");
	choose(w);
	assert_string_equal(verdict_on(w, t)->rule->name, "3");
}

static void test_what_a_unit_says_of_itself(void **state)
{
	struct world *w = *state;
	struct task *hog = process(w, "hog", 6 * GIB), *batch = process(w, "batch", 5 * GIB),
		    *other = process(w, "other", 4 * GIB);

	rule(w, RULE_PROTECT, "omitted")->preference = CGROUP_PREFERENCE_OMIT;
	rule(w, RULE_AVOID, "avoided")->preference = CGROUP_PREFERENCE_AVOID;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, hog);
	w->preference[hog->id.pid] = CGROUP_PREFERENCE_OMIT;
	w->preference[batch->id.pid] = CGROUP_PREFERENCE_AVOID;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, other);
	assert_int_equal(verdict_on(w, hog)->reason, REASON_PROTECTED);
	assert_string_equal(verdict_on(w, hog)->rule->name, "omitted");
	assert_int_equal(verdict_on(w, batch)->reason, REASON_AVOIDED);
	/* When nobody else is left, the avoided one goes, the omitted one never. */
	other->flags = TASK_NO_MM;
	w->need.avoided_eligible = true;
	assert_int_equal(choose(w), VICTIM_CHOSEN);
	assert_chosen_alone(w, batch);
}

/* A stronger word hides a weaker one: a rule goes by the one it names, not by all up to it. */
static void test_each_preference_is_matched_by_itself(void **state)
{
	static const enum cgroup_preference all[] = { CGROUP_PREFERENCE_NONE, CGROUP_PREFERENCE_LOW,
		CGROUP_PREFERENCE_AVOID, CGROUP_PREFERENCE_OMIT };
	struct world *w = *state;
	struct task *t = process(w, "x", 4 * GIB);
	struct rule *r = rule(w, RULE_AVOID, "x");

	for (size_t i = 1; i < ARRAY_SIZE(all); i++)
		for (size_t j = 0; j < ARRAY_SIZE(all); j++) {
			const struct task_detail d = { .preference = all[j] };

			assert_true(all[i] > all[i - 1]);
			r->preference = all[i];
			assert_int_equal(victim_rule_matches(r, t, &d), i == j);
		}
}

static void test_units(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ "/", "" },
		{ "/init.scope", "init.scope" },
		{ "/system.slice/ssh.service", "ssh.service" },
		{ "/system.slice/foo.service/sub", "foo.service" },
		{ "/system.slice/foo.service/sub/", "foo.service" },
		{ "/system.slice", "" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope",
			"app-x.scope" },
		{ "/user.slice/user-1000.slice/user@1000.service/app.slice", "user@1000.service" },
		{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service" },
		{ "/system.slice/dev-disk-by\\x2duuid-x.swap", "dev-disk-by\\x2duuid-x.swap" },
		{ "/system.slice/docker.socket", "docker.socket" },
		{ "/system.slice/boot-efi.mount", "boot-efi.mount" },
		{ "/kubepods.slice/kubepods-pod1.slice/cri-containerd-ab.scope",
			"cri-containerd-ab.scope" },
		{ "/docker/0123abc", "" },
		{ "/.service", "" },
		{ "/x.services", "" },
		{ "/a\n.service/\xff\x1b[2J", "a\n.service" },
		{ "////a.service////b", "a.service" },
	};
	char unit[64], small[8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(unit, 'x', sizeof(unit));
		victim_unit_of(cases[i][0], unit, sizeof(unit));
		assert_string_equal(unit, cases[i][1]);
	}
	/* A name that does not fit is none, rather than another one. */
	victim_unit_of("/system.slice/ssh.service", small, sizeof(small));
	assert_string_equal(small, "");
}

/* --- hidden mms --- */

static void test_the_oldest_hidden_makes_room(void **state)
{
	struct world *w = *state;
	struct mm_id id;

	for (int i = 0; i < VICTIM_HIDDEN_MAX; i++) {
		process(w, "x", MIB);
		assert_int_equal(sharedmm_classify(w->sm, &w->s, SELF), 0);
		victim_mm_id(&w->s, w->sm,
			sharedmm_group_of(w->sm, (uint32_t)i, fake_cmp, w, MM_EVIDENCE_KCMP), &id);
		assert_int_equal(id.handle_fd, -1);
		id.handle_fd = 1000 + i;
		assert_int_equal(hidden_add(&w->hidden, &id), -1);
	}
	/* The same mm again takes its own place. */
	id.handle_fd = 7;
	assert_int_equal(hidden_add(&w->hidden, &id), 1000 + VICTIM_HIDDEN_MAX - 1);
	assert_int_equal(w->hidden.count, VICTIM_HIDDEN_MAX);
	/* Another one that of the first. */
	id.ids[0].pid = 5;
	assert_int_equal(hidden_add(&w->hidden, &id), 1000);
	assert_int_equal(w->hidden.count, VICTIM_HIDDEN_MAX);
	assert_false(hidden_contains(&w->hidden, &w->tasks[0]));
	assert_true(hidden_contains(&w->hidden, &w->tasks[1]));
	hidden_remove(&w->hidden, 0);
	assert_false(hidden_contains(&w->hidden, &w->tasks[1]));
	assert_true(hidden_contains(&w->hidden, &w->tasks[2]));
}

static void test_hidden_as_long_as_a_member_lives(void **state)
{
	struct world *w = *state;
	struct task *a = process(w, "a", 2 * GIB), *b = sharer_of(w, a);

	choose(w);
	hide(w, victim(w, 0));
	assert_true(hidden_holds(&w->hidden, 0, &w->s));
	a->flags = TASK_NO_MM; /* one exited */
	assert_true(hidden_holds(&w->hidden, 0, &w->s));
	b->marks.start_stack++; /* the other called exec */
	assert_false(hidden_holds(&w->hidden, 0, &w->s));
	w->s.count = 0;
	assert_false(hidden_holds(&w->hidden, 0, &w->s));
}

static void test_a_group_of_many_is_known_by_its_first_members(void **state)
{
	struct world *w = *state;
	struct task *first = process(w, "many", 4 * GIB);

	for (int i = 0; i < 100; i++)
		sharer_of(w, first);
	choose(w);
	hide(w, victim(w, 0));
	assert_int_equal(w->hidden.ids[0].id_count, VICTIM_IDS_MAX);
	assert_int_equal(choose(w), VICTIM_NONE);
	assert_int_equal(verdict_on(w, first)->reason, REASON_HIDDEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_condition_of_a_rule),
		TEST(test_what_could_not_be_read_matches_nothing),
		TEST(test_what_could_not_be_read_in_time_protects_all_the_same),
		TEST(test_an_exe_that_was_not_read_protects_all_the_same),
		TEST(test_what_is_protected_for_certain_is_not_waited_for),
		TEST(test_who_was_signalled_already_is_not_chosen_again),
		TEST(test_a_comm_without_an_end_is_cut),
		TEST(test_a_command_line_that_is_not_whole_protects),
		TEST(test_avoided_until_nobody_else_is_left),
		TEST(test_preferred_goes_first),
		TEST(test_the_small_are_not_read_for_a_prefer_rule),
		TEST(test_protect_goes_before_avoid_and_avoid_before_prefer),
		TEST(test_what_a_unit_says_of_itself),
		TEST(test_each_preference_is_matched_by_itself),
		TEST(test_units),
		TEST(test_the_oldest_hidden_makes_room),
		TEST(test_hidden_as_long_as_a_member_lives),
		TEST(test_a_group_of_many_is_known_by_its_first_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
