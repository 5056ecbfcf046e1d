/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import-systemd-oomd: its files, those that hold of several, and what units say.
 */
#include "import-systemd.h"
#include "import-world.h"

#define UNITS "/usr/lib/systemd/system"

static int import_file(struct import_world *i, struct world *w, const char *text)
{
	import_start(i, w);
	i->import.root = "";
	return import_end(i, import_systemd_oomd(&i->import, root_file(w, "/oomd.conf", text)));
}

/* All that is below the world's directory. */
static void import_system(struct import_world *i, struct world *w)
{
	import_start(i, w);
	if (import_end(i, import_systemd_oomd(&i->import, NULL)) < 0)
		fail_msg("%s", i->errors);
}

static const struct config_domain *domain_named(const struct world *w, const char *name)
{
	for (uint32_t i = 0; i < w->config->domain_count; i++)
		if (strcmp(w->config->domains[i].name, name) == 0)
			return &w->config->domains[i];
	fail_msg("there is no [cgroup %s]", name);
	return NULL;
}

static void assert_domain(const struct world *w, const char *name, const char *path,
	unsigned percent, unsigned seconds)
{
	const struct config_domain *d = domain_named(w, name);

	assert_string_equal(d->path, path);
	assert_true(d->pressure.set && d->pressure.full);
	assert_int_equal(d->pressure.percent, percent);
	assert_int_equal(d->pressure.span_usec, seconds * USEC_PER_SEC);
	assert_int_equal(d->kill, DOMAIN_KILL_GROUP);
	assert_int_equal(d->memory.kind, AMOUNT_OFF);
}

/* --- oomd.conf --- */

static void the_limit_is_what_is_left_of_memory_and_swap(void **state)
{
	static const struct {
		const char *text;
		uint64_t memory, swap; /* permille */
	} cases[] = {
		{ "", 100, 100 },
		{ "[OOM]\n#SwapUsedLimit=80%\n", 100, 100 },
		{ "[OOM]\nSwapUsedLimit=80%\n", 200, 200 },
		{ "[OOM]\n SwapUsedLimit = 97.5% \r\n", 25, 25 },
		{ "[OOM]\nSwapUsedLimit=855\xE2\x80\xB0\n", 145, 145 },
		{ "[OOM]\nSwapUsedLimit=9990\xE2\x80\xB1\n", 1, 1 },
		{ "[OOM]\nSwapUsedLimit=80%\nSwapUsedLimit=\n", 100, 100 },
		{ "[OOM]\nSwapUsedLimit=80%\nSwapUsedLimit=70%\n", 300, 300 },
		{ "[OOM]\nSwapUsedLimit=\\\n80%\n", 200, 200 },
		{ "[OOM]\nSwapUsedLimit=100%\n", 1, 0 },
		{ "[OOM]\nSwapUsedLimit=0%\n", 900, 1000 },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		struct import_world i;
		struct world *w = *state;

		assert_int_equal(import_file(&i, w, cases[n].text), 0);
		assert_string_equal(w->said, "");
		assert_same_amount(w->config->kill.memory,
			(struct config_amount){ AMOUNT_PERMILLE, cases[n].memory });
		assert_same_amount(w->config->kill.swap,
			(struct config_amount){ AMOUNT_PERMILLE, cases[n].swap });
		/* It never sends SIGTERM, and looks at cgroups only. */
		assert_int_equal(w->config->warn.memory.kind, AMOUNT_OFF);
		assert_false(w->config->warn.pressure.set);
		assert_false(w->config->kill.pressure.set);
		assert_int_equal(w->config->domain_count, 0);
		assert_notes(&i, "ManagedOOMSwap: which units systemd-oomd watches");
		import_free(&i);
	}
}

static void preferences_of_units_are_the_rules_that_we_ship(void **state)
{
	struct import_world i;
	struct world *w = *state;

	assert_int_equal(import_file(&i, w, ""), 0);
	assert_int_equal(w->config->rule_count, 2);
	assert_int_equal(
		rule_named(w, RULE_PROTECT, "omitted")->preference, CGROUP_PREFERENCE_OMIT);
	assert_int_equal(rule_named(w, RULE_AVOID, "avoided")->preference, CGROUP_PREFERENCE_AVOID);
	import_free(&i);
}

static void what_is_not_known_is_named_with_its_place(void **state)
{
	struct import_world i;

	assert_int_equal(import_file(&i, *state,
				 "[OOM]\nColour=green\nPrekillHookTimeoutSec=5s\n[Shed]\nA=b\n"),
		0);
	assert_notes(&i, "oomd.conf:2: Colour: is not known to be a key");
	assert_notes(&i, "oomd.conf:3: PrekillHookTimeoutSec: no program is asked");
	assert_notes(&i, "oomd.conf:5: A: is not below [OOM]");
	import_free(&i);
}

static void what_cannot_be_understood_is_refused_with_the_line(void **state)
{
	static const struct refused cases[] = {
		{ "[OOM]\n\nSwapUsedLimit=much\n", ":3: SwapUsedLimit=much is no share" },
		{ "[OOM]\nSwapUsedLimit=90\n", ":2: SwapUsedLimit=90 is no share" },
		{ "[OOM]\nSwapUsedLimit=101%\n", ":2: SwapUsedLimit=101% is no share" },
		{ "[OOM]\nSwapUsedLimit=-1%\n", ":2: SwapUsedLimit=-1% is no share" },
		{ "[OOM]\nDefaultMemoryPressureDurationSec=soon\n", ":2: Default" },
		{ "[OOM]\nDefaultMemoryPressureDurationSec=3 apples\n", "is no duration" },
		{ "[OOM]\nDefaultMemoryPressureDurationSec=500ms\n", "is less than a second" },
		{ "[OOM\n", ":1: \"[OOM\" lacks the closing ]" },
		{ "# x\nroot:x:0\n", ":2: \"root:x:0\" is neither a [section], nor" },
		{ "[OOM]\nSwap\\\nUsedLimit\n", ":2: \"Swap UsedLimit\" is neither" },
	};

	assert_refused(*state, import_systemd_oomd, cases, ARRAY_SIZE(cases));
}

static void spans_are_read_as_systemd_writes_them(void **state)
{
	static const struct {
		const char *text;
		double seconds;
	} good[] = {
		{ "30", 30 },
		{ "30s", 30 },
		{ "1min 30s", 90 },
		{ "1m30s", 90 },
		{ "2 minutes", 120 },
		{ "1.5h", 5400 },
		{ "1500ms", 1.5 },
		{ "1d", 86400 },
		{ "0", 0 },
	};
	static const char *const bad[] = { "", "s", "30x", "30 30x", "-1s", "1..2s", "1s,",
		"infinity", "\xFF" };
	double seconds;

	for (size_t n = 0; n < ARRAY_SIZE(good); n++) {
		assert_int_equal(systemd_parse_span(good[n].text, &seconds), 0);
		assert_true(seconds > good[n].seconds - 1e-9 && seconds < good[n].seconds + 1e-9);
	}
	for (size_t n = 0; n < ARRAY_SIZE(bad); n++)
		assert_int_equal(systemd_parse_span(bad[n], &seconds), -EINVAL);
}

static void drop_ins_of_a_file_override_it_by_name(void **state)
{
	struct import_world i;
	struct world *w = *state;

	root_file(w, "/oomd.conf.d/20-b.conf", "[OOM]\nSwapUsedLimit=70%\n");
	root_file(w, "/oomd.conf.d/10-a.conf", "[OOM]\nSwapUsedLimit=60%\n");
	root_file(w, "/oomd.conf.d/30-c.text", "[OOM]\nSwapUsedLimit=50%\n");
	assert_int_equal(import_file(&i, w, "[OOM]\nSwapUsedLimit=80%\n"), 0);
	assert_int_equal(w->config->kill.memory.value, 300);
	assert_non_null(strstr(i.text, "20-b.conf:2: SwapUsedLimit=70%"));
	import_free(&i);
}

static void a_name_in_etc_hides_that_name_elsewhere(void **state)
{
	struct import_world i;
	struct world *w = *state;
	char path[PATH_MAX];

	root_file(w, "/etc/systemd/oomd.conf", "[OOM]\nSwapUsedLimit=80%\n");
	root_file(w, "/usr/lib/systemd/oomd.conf", "[OOM]\nSwapUsedLimit=10%\n");
	root_file(w, "/usr/lib/systemd/oomd.conf.d/90-x.conf", "[OOM]\nSwapUsedLimit=20%\n");
	root_file(w, "/etc/systemd/oomd.conf.d/90-x.conf", "[OOM]\nSwapUsedLimit=70%\n");
	root_file(w, "/usr/lib/systemd/oomd.conf.d/95-y.conf", "[OOM]\nSwapUsedLimit=30%\n");
	/* As an administrator takes out what a package has. */
	snprintf(path, sizeof(path), "%s/etc/systemd/oomd.conf.d/95-y.conf", w->dir);
	assert_int_equal(symlink("/dev/null", path), 0);
	root_file(w, UNITS "/-.slice.d/10.conf", "[Slice]\nManagedOOMSwap=kill\n");
	import_system(&i, w);
	assert_int_equal(w->config->kill.memory.value, 300);
	import_free(&i);
}

/* --- units --- */

static void units_become_cgroup_sections(void **state)
{
	struct import_world i;
	struct world *w = *state;

	root_file(w, "/etc/systemd/oomd.conf",
		"[OOM]\nDefaultMemoryPressureLimit=55%\nDefaultMemoryPressureDurationSec=20s\n");
	root_file(w, UNITS "/user@.service",
		"[Unit]\nDescription=x\n[Service]\nSlice=user-%i.slice\n");
	root_file(w, UNITS "/user@.service.d/10-oomd.conf",
		"[Service]\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureLimit=50%\n");
	root_file(w, UNITS "/system.slice.d/10.conf", "[Slice]\nManagedOOMMemoryPressure=kill\n");
	root_file(w, "/etc/systemd/system/batch-night.slice",
		"[Slice]\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureDurationSec=5s\n");
	root_file(w, "/etc/systemd/system/db.service",
		"[Service]\nSlice=data-sql.slice\nManagedOOMMemoryPressure=kill\n");
	root_file(
		w, "/etc/systemd/system/web.service", "[Service]\nManagedOOMMemoryPressure=kill\n");
	root_file(w, UNITS "/quiet.service", "[Service]\nExecStart=/bin/true\n");
	import_system(&i, w);
	assert_string_equal(w->said, "");
	assert_int_equal(w->config->domain_count, 5);
	assert_domain(w, "user@.service", "/user.slice/user-*.slice/user@*.service", 50, 20);
	assert_domain(w, "system.slice", "/system.slice", 55, 20);
	assert_domain(w, "batch-night.slice", "/batch.slice/batch-night.slice", 55, 5);
	assert_domain(w, "db.service", "/data.slice/data-sql.slice/db.service", 55, 20);
	assert_domain(w, "web.service", "/system.slice/web.service", 55, 20);
	/* The first that matches holds, so what is for many comes last. */
	assert_string_equal(w->config->domains[4].name, "user@.service");
	assert_notes(&i, "ManagedOOMMemoryPressure: systemd-oomd ends a whole cgroup");
	assert_notes(&i, "no unit sets it to kill, so that systemd-oomd never acts on memory");
	/* Nothing is lost by the import: the defaults of ours stay. */
	assert_int_equal(w->config->kill.memory.value, 50);
	import_free(&i);
}

static void of_several_files_of_a_unit_the_right_ones_hold(void **state)
{
	struct import_world i;
	struct world *w = *state;
	char path[PATH_MAX];

	/* Hidden by the one in /etc. */
	root_file(w, UNITS "/a.service", "[Service]\nManagedOOMMemoryPressure=kill\n");
	root_file(w, "/etc/systemd/system/a.service", "[Service]\nSlice=x.slice\n");
	/* Taken back by a later drop-in. */
	root_file(w, UNITS "/b.service", "[Service]\nManagedOOMMemoryPressure=kill\n");
	root_file(w, "/run/systemd/system/b.service.d/9.conf",
		"[Service]\nManagedOOMMemoryPressure=auto\n");
	/* The drop-in of that name in /etc holds. */
	root_file(w, UNITS "/c.service.d/1.conf",
		"[Service]\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureLimit=10%\n");
	root_file(w, "/etc/systemd/system/c.service.d/1.conf",
		"[Service]\nManagedOOMMemoryPressure=kill\nManagedOOMMemoryPressureLimit=20%\n");
	/* Masked. */
	root_file(w, UNITS "/d.service", "[Service]\nManagedOOMMemoryPressure=kill\n");
	snprintf(path, sizeof(path), "%s/etc/systemd/system/d.service", w->dir);
	assert_int_equal(symlink("/dev/null", path), 0);
	/* Another name of a unit. */
	snprintf(path, sizeof(path), "%s/etc/systemd/system/alias.service", w->dir);
	assert_int_equal(symlink("c.service", path), 0);
	/* No unit. */
	root_file(w, UNITS "/README", "[Service]\nManagedOOMMemoryPressure=kill\n");
	root_file(w, UNITS "/x.target", "[Service]\nManagedOOMMemoryPressure=kill\n");
	import_system(&i, w);
	assert_int_equal(w->config->domain_count, 1);
	assert_domain(w, "c.service", "/system.slice/c.service", 20, 30);
	import_free(&i);
}

static void the_root_slice_is_the_machine(void **state)
{
	struct import_world i;
	struct world *w = *state;
	const struct config *c;

	root_file(w, "/etc/systemd/oomd.conf", "[OOM]\nSwapUsedLimit=80%\n");
	root_file(w, UNITS "/-.slice.d/10.conf",
		"[Slice]\nManagedOOMSwap=kill\nManagedOOMMemoryPressure=kill\n"
		"ManagedOOMMemoryPressureLimit=70%\n");
	import_system(&i, w);
	c = w->config;
	assert_int_equal(c->domain_count, 0);
	assert_int_equal(c->kill.memory.value, 200);
	assert_true(c->kill.pressure.set && c->kill.pressure.full);
	assert_int_equal(c->kill.pressure.percent, 70);
	assert_int_equal(c->kill.pressure.span_usec, 30 * USEC_PER_SEC);
	/* It acts on stalls however much memory is left. */
	assert_int_equal(c->pressure_guard.kind, AMOUNT_OFF);
	assert_false(import_notes(&i, "ManagedOOMSwap"));
	import_free(&i);
}

static void swap_of_a_part_of_the_machine_has_no_equal(void **state)
{
	struct import_world i;
	struct world *w = *state;

	root_file(w, UNITS "/user.slice", "[Slice]\nManagedOOMSwap=kill\n");
	import_system(&i, w);
	assert_int_equal(w->config->kill.memory.value, 100);
	assert_int_equal(w->config->domain_count, 0);
	assert_notes(&i, "ManagedOOMSwap: systemd-oomd ends cgroups below user.slice only");
	import_free(&i);
}

static void what_a_unit_says_wrongly_is_ignored_as_systemd_does(void **state)
{
	struct import_world i;
	struct world *w = *state;

	root_file(w, UNITS "/a.service",
		"no line\n[Service\nManagedOOMMemoryPressure=kill\n"
		"ManagedOOMMemoryPressureLimit=many\nManagedOOMMemoryPressureDurationSec=x\n");
	root_file(w, UNITS "/b.service", "[Service]\nManagedOOMMemoryPressure=yes\n");
	import_system(&i, w);
	assert_int_equal(w->config->domain_count, 1);
	assert_domain(w, "a.service", "/system.slice/a.service", 60, 30);
	import_free(&i);
}

static void a_unit_that_cannot_be_read_is_named(void **state)
{
	struct import_world i;
	struct world *w = *state;
	char path[PATH_MAX];

	root_file(w, UNITS "/b.service", "[Service]\nManagedOOMMemoryPressure=kill\n");
	snprintf(path, sizeof(path), "%s" UNITS "/a.service", w->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	import_system(&i, w);
	assert_notes(&i, "a.service: cannot be read");
	assert_int_equal(w->config->domain_count, 1);
	import_free(&i);
}

static void paths_are_those_that_systemd_makes(void **state)
{
	static const struct {
		const char *name, *slice, *path; /* path NULL: nothing tells */
	} cases[] = {
		{ "a.service", "", "/system.slice/a.service" },
		{ "a.service", "-.slice", "/a.service" },
		{ "a.service", "x-y-z.slice", "/x.slice/x-y.slice/x-y-z.slice/a.service" },
		{ "a-b@.service", "", "/system.slice/system-a\\x2db.slice/a-b@*.service" },
		{ "a@1.service", "", "/system.slice/system-a.slice/a@1.service" },
		{ "a@.service", "of-%i-%%.slice", "/of.slice/of-*.slice/of-*-*.slice/a@*.service" },
		{ "user@.service", "", "/user.slice/user-*.slice/user@*.service" },
		{ "session-.scope", "", "/user.slice/user-*.slice/session-*.scope" },
		{ "init.scope", "", "/init.scope" },
		{ "user-.slice", "", "/user.slice/user-*.slice" },
		{ "user-1000.slice", "", "/user.slice/user-1000.slice" },
		{ "-.slice", "", "" },
		{ "home.mount", "", "/system.slice/home.mount" },
		{ "a.service", "nonsense", NULL },
		{ "a.service", "../x.slice", NULL },
		{ "-x.slice", "", NULL },
	};

	for (size_t n = 0; n < ARRAY_SIZE(cases); n++) {
		struct systemd_unit u = { 0 };
		char path[PATH_MAX];
		int r;

		copy_cut(u.name, sizeof(u.name), cases[n].name);
		copy_cut(u.slice, sizeof(u.slice), cases[n].slice);
		r = systemd_unit_path(&u, path);
		assert_int_equal(r, cases[n].path ? 0 : -EINVAL);
		if (cases[n].path)
			assert_string_equal(path, cases[n].path);
	}
}

static void more_units_than_fit_are_left_out(void **state)
{
	struct import_world i;
	struct world *w = *state;
	char name[64];

	for (int n = 0; n < 20; n++) {
		snprintf(name, sizeof(name), UNITS "/n%02d.service", n);
		root_file(w, name, "[Service]\nManagedOOMMemoryPressure=kill\n");
	}
	import_system(&i, w);
	assert_int_equal(w->config->domain_count, CONFIG_DOMAINS_MAX);
	assert_notes(&i, "n16.service: left out: more than 16 cgroup sections");
	assert_false(import_notes(&i, "n15.service"));
	import_free(&i);
}

static void a_name_that_a_section_cannot_have_becomes_a_number(void **state)
{
	struct import_world i;
	struct world *w = *state;

	root_file(w, UNITS "/a\\x2db.service", "[Service]\nManagedOOMMemoryPressure=kill\n");
	root_file(w,
		UNITS "/a-name-that-goes-on-and-on-and-is-longer-than-a-section-may-be.service",
		"[Service]\nManagedOOMMemoryPressure=kill\n");
	import_system(&i, w);
	assert_int_equal(w->config->domain_count, 2);
	assert_string_equal(domain_named(w, "unit-2")->path, "/system.slice/a\\x2db.service");
	import_free(&i);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_limit_is_what_is_left_of_memory_and_swap),
		TEST(preferences_of_units_are_the_rules_that_we_ship),
		TEST(what_is_not_known_is_named_with_its_place),
		TEST(what_cannot_be_understood_is_refused_with_the_line),
		TEST(spans_are_read_as_systemd_writes_them),
		TEST(drop_ins_of_a_file_override_it_by_name),
		TEST(a_name_in_etc_hides_that_name_elsewhere),
		TEST(units_become_cgroup_sections),
		TEST(of_several_files_of_a_unit_the_right_ones_hold),
		TEST(the_root_slice_is_the_machine),
		TEST(swap_of_a_part_of_the_machine_has_no_equal),
		TEST(what_a_unit_says_wrongly_is_ignored_as_systemd_does),
		TEST(a_unit_that_cannot_be_read_is_named),
		TEST(paths_are_those_that_systemd_makes),
		TEST(more_units_than_fit_are_left_out),
		TEST(a_name_that_a_section_cannot_have_becomes_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
