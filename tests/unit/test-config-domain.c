/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: cgroup sections, what their globs match, and the rules they amount to.
 */
#include "config-world.h"
#include "options.h"

#define HEX "0123456789abcdef"

static bool rule_matches(const struct world *w, const char *cgroup)
{
	const struct rule *r = &w->config->rules[0];
	size_t length;

	assert_int_equal(w->config->rule_count, 1);
	assert_ptr_equal(r->domain, &w->config->domains[0]);
	return config_domain_matches(r->domain, cgroup, &length);
}

static void load_path(struct world *w, const char *path)
{
	world_text(w, "[cgroup x]\npath = %s\npreference = avoid\n", path);
	if (world_load(w) < 0)
		fail_msg("%s: %s", path, w->said);
	assert_string_equal(w->said, "");
	assert_string_equal(w->config->domains[0].path, path);
}

/* --- values --- */

static void what_is_not_said_has_its_default(void **state)
{
	struct world *w = *state;
	const struct config_domain *d;

	world_text(w, "[cgroup x]\npath = /a\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	assert_int_equal(w->config->domain_count, 1);
	assert_int_equal(w->config->rule_count, 0);
	d = &w->config->domains[0];
	assert_string_equal(d->name, "x");
	assert_string_equal(d->path, "/a");
	assert_int_equal(d->memory.kind, AMOUNT_OFF);
	assert_true(d->pressure.set && d->pressure.full);
	assert_int_equal(d->pressure.percent, 50);
	assert_int_equal(d->pressure.span_usec, 5 * USEC_PER_SEC);
	assert_int_equal(d->kill, DOMAIN_KILL_GROUP);
}

static void what_is_said_lands_where_it_belongs(void **state)
{
	struct world *w = *state;
	const struct config_domain *d;

	world_text(w, "%s",
		"[cgroup x]\nkill = process\npressure = some 7% 8s\nmemory = 2.5%\npath = /a\n"
		"preference = none\n"
		"[cgroup y]\npath : /b:=c d\nmemory=3M\npressure=off\nkill=cgroup\n"
		"[cgroup z]\nkill=group\npath=/c\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	assert_int_equal(w->config->domain_count, 3);
	assert_int_equal(w->config->rule_count, 0);
	d = w->config->domains;
	assert_int_equal(d[0].kill, DOMAIN_KILL_PROCESS);
	assert_int_equal(d[0].memory.kind, AMOUNT_PERMILLE);
	assert_int_equal(d[0].memory.value, 25);
	assert_false(d[0].pressure.full);
	assert_int_equal(d[0].pressure.percent, 7);
	assert_string_equal(d[1].path, "/b:=c d");
	assert_int_equal(d[1].memory.value, 3 * MIB);
	assert_false(d[1].pressure.set);
	assert_int_equal(d[1].kill, DOMAIN_KILL_CGROUP);
	assert_int_equal(d[2].kill, DOMAIN_KILL_GROUP);
	assert_int_equal(d[2].memory.kind, AMOUNT_OFF); /* nothing of those before */
	assert_int_equal(d[2].pressure.percent, 50);
}

static void the_levels_of_the_machine_are_not_touched(void **state)
{
	struct world *w = *state;
	struct config expected;

	world_text(w, "[cgroup x]\npath = /a\nmemory = 50%%\npressure = off\n");
	assert_int_equal(world_load(w), 0);
	config_init(&expected);
	assert_same_scalars(w->config, &expected);
}

/* --- paths --- */

static void bad_paths_are_refused_and_it_is_said_why(void **state)
{
	static const struct {
		const char *path, *says;
	} bad[] = {
		{ "", "is empty" },
		{ "kubepods.slice/*", "does not begin with a /" },
		{ "*", "does not begin with a /" },
		{ "./a", "does not begin with a /" },
		{ "/", "is the root" },
		{ "//", "has an empty component" },
		{ "//a", "has an empty component" },
		{ "/a//b", "has an empty component" },
		{ "/a/", "ends with a /" },
		{ "/a/*/", "ends with a /" },
		{ "/a//", "has an empty component" },
		{ "/.", "is . or .." },
		{ "/a/./b", "is . or .." },
		{ "/..", "is . or .." },
		{ "/a/../b", "is . or .." },
		{ "/a/..", "is . or .." },
		{ "/[", "has a [ that is not closed" },
		{ "/[]", "has a [ that is not closed" },
		{ "/[!]", "has a [ that is not closed" },
		{ "/[^]", "has a [ that is not closed" },
		{ "/[!]a", "has a [ that is not closed" },
		{ "/a[b/c]", "has a [ that is not closed" },
		{ "/[a]b[", "has a [ that is not closed" },
		{ "/a[b/c", "has a [ that is not closed" },
		{ "/[[:alpha:]", "has a [ that is not closed" },
		{ "/[a\\]", NULL },
		{ "/[z-a]", "has a [] that matches nothing" },
		{ "/[[.]", "has a [] that matches nothing" }, /* fnmatch(3) waits for .] */
		{ "/[[:nonsense:]]", "has a [] that matches nothing" },
		{ "/[[:ALPHA:]]", "has a [] that matches nothing" },
		{ "/a/[z-a]*", "has a [] that matches nothing" },
		{ "\"/a\"", "is quoted" },
		{ "/a # b", "holds a comment" },
		{ "/a ;b", "holds a comment" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		world_text(w, "[cgroup x]\npath = %s\npreference = avoid\n", bad[i].path);
		assert_int_equal(world_load(w), bad[i].says ? -EINVAL : 0);
		if (!bad[i].says)
			continue;
		assert_null(w->config);
		assert_int_equal(lines_of(w->said), 1);
		assert_says(w, "test.conf:2: path = \"");
		assert_says(w, bad[i].says);
		assert_says(w, "such as /kubepods.slice/*");
	}
}

static void a_path_has_up_to_255_bytes(void **state)
{
	struct world *w = *state;

	world_text(w, "[cgroup x]\npath = /%s\npreference = avoid\n", text_of('a', 254));
	assert_int_equal(world_load(w), 0);
	assert_int_equal(strlen(w->config->domains[0].path), 255);
	world_text(w, "[cgroup x]\npath = /%s\npreference = avoid\n", text_of('?', 254));
	assert_int_equal(world_load(w), 0);
	assert_true(rule_matches(w,
		"/" HEX HEX HEX HEX HEX HEX HEX HEX HEX HEX HEX HEX HEX HEX HEX "01234567890123"));
	world_text(w, "[cgroup x]\npath = /%s\n", text_of('a', 255));
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "is longer than 255 bytes");
	world_text(w, "[cgroup x]\npath = /[%s\n", text_of('a', 500));
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "is longer than 255 bytes");
}

/* --- what the glob matches, as a rule --- */

static void a_glob_matches_its_cgroups_and_those_below(void **state)
{
	static const struct {
		const char *path, *yes[6], *no[9];
	} cases[] = {
		{ "/system.slice/docker-*.scope",
			{ "/system.slice/docker-" HEX HEX HEX HEX ".scope",
				"/system.slice/docker-.scope",
				"/system.slice/docker-1.scope/init/x" },
			{ "/system.slice/docker-1.scope2", "/system.slice/docker-1.service",
				"/system.slice/docker.service", "/system.slice",
				"/systemXslice/docker-1.scope", "/system.slice/docker-1Xscope",
				"/system.slice/docker-a/b.scope", "/x/system.slice/docker-1.scope",
				"/user.slice/docker-1.scope" } },
		{ "/kubepods.slice/*",
			{ "/kubepods.slice/kubepods-burstable.slice",
				"/kubepods.slice/kubepods-burstable.slice/"
				"kubepods-burstable-pod1_2.slice/cri-containerd-0.scope" },
			{ "/kubepods.slice", "/kubepods.slice2/x", "/kubepods/x",
				"/a/kubepods.slice/x", "/" } },
		{ "/kubepods.slice/*/*pod*",
			{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-pod1.slice",
				"/kubepods.slice/a/pod/b" },
			{ "/kubepods.slice/kubepods-pod1.slice", "/kubepods.slice/a/b/pod" } },
		{ "/a", { "/a", "/a/b" }, { "/ab", "/b/a", "/", "/aa", "a", "/A" } },
		{ "/a.b", { "/a.b" }, { "/aXb", "/ab", "/a..b" } },
		{ "/machine.slice/libpod-[0-9a-f][0-9a-f]*.scope",
			{ "/machine.slice/libpod-" HEX ".scope" },
			{ "/machine.slice/libpod-conmon-" HEX ".scope",
				"/machine.slice/libpod-0.scope" } },
		{ "/system-x\\x2dy.slice/*", { "/system-x\\x2dy.slice/a" },
			{ "/system-x-y.slice/a", "/system-xx2dy.slice/a",
				"/system-x\\\\x2dy.slice/a" } },
		{ "/a\\*", { "/a\\", "/a\\b" }, { "/a*", "/a" } },
		{ "/a\\?b", { "/a\\xb" }, { "/a?b", "/ab" } },
		{ "/a[\\]b", { "/a\\b" }, { "/a]b", "/ab", "/a[\\]b" } },
		{ "/a[\\n]", { "/a\\", "/an" }, { "/a\n", "/a" } },
		{ "/a+b", { "/a+b" }, { "/aab", "/ab" } },
		{ "/a{2}(b|c)^$", { "/a{2}(b|c)^$" }, { "/aa(b|c)^$", "/aab", "/aa" } },
		{ "/[*]", { "/*" }, { "/a", "/" } },
		{ "/[?][.]", { "/?." }, { "/aa" } },
		{ "/[[]x]", { "/[x]" }, { "/x", "/[" } },
		{ "/[]x]", { "/]", "/x" }, { "/[]x]", "/[" } },
		{ "/a?c", { "/abc", "/a?c", "/a.c" }, { "/a/c", "/ac", "/abbc" } },
		{ "/a***b", { "/ab", "/aXXb" }, { "/a/b" } },
		{ "/[!a]", { "/b", "/!", "/^" }, { "/a", "//", "//x", "/bb" } },
		{ "/[^a]", { "/b", "/!", "/^" }, { "/a", "//" } },
		{ "/a[!b]c", { "/aac" }, { "/abc", "/a/c" } },
		{ "/a[!]]c", { "/aac", "/a[c" }, { "/a]c", "/a/c" } },
		{ "/a[!a-]c", { "/abc", "/a.c", "/a0c" }, { "/aac", "/a-c", "/a/c" } },
		{ "/a[!-a]c", { "/abc", "/a.c", "/a0c" }, { "/aac", "/a-c", "/a/c" } },
		{ "/a[+-9]c", { "/a+c", "/a-c", "/a.c", "/a0c" }, { "/a/c", "/a:c", "/a*c" } },
		{ "/a[[:punct:]]c", { "/a.c", "/a]c", "/a^c", "/a-c", "/a[c", "/a\\c" },
			{ "/a/c", "/aac" } },
		{ "/a[^^-]c", { "/abc" }, { "/a^c", "/a-c", "/a/c" } },
		{ "/a[-^]c", { "/a-c", "/a^c" }, { "/aac", "/a/c" } },
		{ "/[a-cx-z]", { "/b", "/y" }, { "/d", "/B", "/-" } },
		{ "/\xC3\xA4*", { "/\xC3\xA4", "/\xC3\xA4\xC3\xB6" }, { "/a" } },
		{ "/a b", { "/a b" }, { "/a" } },
		{ "/...", { "/..." }, { "/abc" } },
		{ "/.a", { "/.a" }, { "/ba" } },
		{ "/*", { "/a", "/a/b", "/.a" }, { "" } },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		load_path(w, cases[i].path);
		for (size_t j = 0; j < ARRAY_SIZE(cases[i].yes) && cases[i].yes[j]; j++)
			if (!rule_matches(w, cases[i].yes[j]))
				fail_msg("%s does not match %s", cases[i].path, cases[i].yes[j]);
		for (size_t j = 0; j < ARRAY_SIZE(cases[i].no) && cases[i].no[j]; j++)
			if (rule_matches(w, cases[i].no[j]))
				fail_msg("%s matches %s", cases[i].path, cases[i].no[j]);
	}
}

/* --- the rule --- */

static void a_preference_is_a_rule_of_that_name(void **state)
{
	struct world *w = *state;
	const struct config *c;

	world_text(w,
		"[cgroup a]\npath=/a\npreference=avoid\n"
		"[protect p]\nuid=0\n"
		"[cgroup b]\npath=/b\npreference=prefer\n"
		"[cgroup n]\npath=/n\npreference=none\n"
		"[cgroup c]\npath=/c\npreference=protect\npressure=off\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	c = w->config;
	assert_int_equal(c->domain_count, 4);
	assert_int_equal(c->rule_count, 4);
	assert_string_equal(c->rules[0].name, "p"); /* the rules written come first */
	assert_int_equal(c->rules[1].action, RULE_AVOID);
	assert_string_equal(c->rules[1].name, "a");
	assert_ptr_equal(c->rules[1].domain, &c->domains[0]);
	assert_int_equal(c->rules[2].action, RULE_PREFER);
	assert_string_equal(c->rules[2].name, "b");
	assert_int_equal(c->rules[3].action, RULE_PROTECT);
	assert_string_equal(c->rules[3].name, "c");
	for (uint32_t i = 1; i < 4; i++) {
		const struct rule *r = &c->rules[i];

		assert_non_null(r->domain);
		assert_false(r->comm.set || r->cmdline.set || r->exe.set || r->unit.set ||
			r->cgroup.set);
		assert_false(r->uid_set);
		assert_int_equal(r->preference, CGROUP_PREFERENCE_NONE);
	}
}

static void a_preference_does_not_take_the_name_of_a_rule(void **state)
{
	struct world *w = *state;

	world_text(w, "[cgroup db]\npath=/a\npreference=avoid\n[avoid db]\nuid=1\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w,
		"test.conf:1: preference = avoid of [cgroup db] makes a rule [avoid db], but there "
		"is one of that name already");
	world_text(w, "[cgroup db]\npath=/a\npreference=avoid\n");
	world_drop_in(w, "x.conf", "[avoid db]\nuid=1\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "test.conf:1: preference = avoid");
	/* Another kind is another rule. */
	world_drop_in(w, "x.conf", "[prefer db]\nuid=1\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->rule_count, 2);
	/* Nor is there one when the section that is in force has no preference. */
	world_drop_in(w, "x.conf", "[avoid db]\nuid=1\n[cgroup db]\npath=/b\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	assert_int_equal(w->config->rule_count, 1);
	assert_false(w->config->rules[0].cgroup.set);
}

static void a_preference_needs_room_among_the_rules(void **state)
{
	struct world *w = *state;
	char text[8192] = "";
	size_t at = 0;

	for (int i = 0; i < CONFIG_RULES_MAX - 1; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "[avoid r%d]\nuid=1\n", i);
	world_text(w, "[cgroup a]\npath=/a\npreference=avoid\n%s", text);
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->rule_count, CONFIG_RULES_MAX);
	world_text(w,
		"[cgroup a]\npath=/a\npreference=avoid\n[cgroup b]\npath=/b\npreference=avoid\n"
		"[cgroup c]\npath=/c\n%s",
		text);
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w,
		"test.conf:4: preference = avoid of [cgroup b] makes a rule, and there are "
		"64 already");
	/* A rule that is replaced takes no room, nor does a section that is. */
	world_text(w, "[cgroup a]\npath=/a\npreference=avoid\n%s", text);
	world_drop_in(w, "x.conf", "[avoid r7]\nuid=2\n[cgroup a]\npath=/b\npreference=protect\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->rule_count, CONFIG_RULES_MAX);
	assert_int_equal(w->config->rules[63].action, RULE_PROTECT);
	assert_string_equal(w->config->rules[63].domain->path, "/b");
}

/* --- sections --- */

static void a_later_file_replaces_a_section_whole(void **state)
{
	struct world *w = *state;
	const struct config *c;

	world_text(w,
		"[cgroup a]\npath=/a\nmemory=5M\npressure=off\nkill=cgroup\npreference=avoid\n"
		"[cgroup b]\npath=/b\n");
	world_drop_in(w, "1.conf", "[cgroup c]\npath=/c\n[cgroup a]\npath=/new\n");
	world_drop_in(w, "2.conf", "[cgroup c]\npath=/c2\nkill=process\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	c = w->config;
	assert_int_equal(c->rule_count, 0);
	assert_int_equal(c->domain_count, 3);
	assert_string_equal(c->domains[0].name, "a");
	assert_string_equal(c->domains[0].path, "/new");
	assert_int_equal(c->domains[0].memory.kind, AMOUNT_OFF);
	assert_true(c->domains[0].pressure.set);
	assert_int_equal(c->domains[0].kill, DOMAIN_KILL_GROUP);
	assert_string_equal(c->domains[1].path, "/b");
	assert_string_equal(c->domains[2].path, "/c2");
	assert_int_equal(c->domains[2].kill, DOMAIN_KILL_PROCESS);
	/* Whole: what is missing is not taken from the one before. */
	world_drop_in(w, "1.conf", "[cgroup a]\nmemory=5M\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "1.conf:1: [cgroup a] has no path");
}

static void sections_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "[cgroup]\npath=/a\n", ":1: [cgroup] lacks a name; write [cgroup NAME]" },
		{ "[cgroup a b]\npath=/a\n", ":1: \"a b\" cannot name a cgroup section" },
		{ "[cgroup /a]\npath=/a\n", ":1: \"/a\" cannot name a cgroup section" },
		{ "[Cgroup a]\npath=/a\n",
			":1: there is no section [Cgroup]; the nearest is "
			"[cgroup]" },
		{ "[cgroup a]\n", ":1: [cgroup a] has no path; say which" },
		{ "[cgroup a]\nmemory=5%\n[warn]\n", ":1: [cgroup a] has no path" },
		{ "[cgroup a]\npath=/a\n[cgroup b]\npath=/b\n[cgroup a]\npath=/c\n",
			":5: [cgroup a] began in line 1 already; take another name" },
		{ "[cgroup a]\npath=/a\npath=/b\n", ":3: \"path\" was set in line 2 already" },
		{ "[cgroup a]\npath=/a\npressure=off\n",
			":1: [cgroup a] has memory = off and pressure = off, so that nothing" },
		{ "[cgroup a]\npath=/a\nmemory=off\npressure=off\npreference=none\n",
			":1: [cgroup a] has memory = off and pressure = off" },
		{ "[cgroup a]\npath=/a\nswap=5%\n", ":3: \"swap\" does not belong here but below" },
		{ "[cgroup a]\npath=/a\nexe=x\n", "belong here but below [protect NAME]" },
		{ "[cgroup a]\npath=/a\npat=x\n", ":3: there is no key \"pat\"" },
		{ "[avoid a]\nuid=1\npath=/a\n",
			":3: \"path\" does not belong here but below "
			"[cgroup NAME]" },
		{ "[timing]\nkill=group\n", "belong here but below [cgroup NAME]" },
		/* What is wrong is said, and nothing that follows from it. */
		{ "[cgroup a]\npath=/a\nmemory=1\npressure=off\n", ":3: memory = \"1\"" },
		{ "[cgroup a]\npath=/a\npreference=low\npressure=off\n", ":3: preference" },
		{ "[cgroup a]\npath=a\npreference=avoid\n[avoid a]\nuid=1\n", ":2: path" },
		{ "[cgroup a]\npath=/a\nmemory=5%\npressure=of\n", ":4: pressure" },
		{ "[cgroup a]\npath=/a\nkill=Group\n[cgroup b]\npath=/b\n",
			":3: kill = \"Group\"" },
		/* Below a heading that is wrong keys are checked, too. */
		{ "[cgroup a]\npath=/a\n[cgroup a b]\npath=/b\n", ":3: \"a b\" cannot" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		world_text(w, "%s", bad[i].text);
		assert_int_equal(world_load(w), -EINVAL);
		assert_null(w->config);
		if (lines_of(w->said) != 1)
			fail_msg("%s: %s", bad[i].text, w->said);
		assert_says(w, bad[i].says);
	}
	world_text(w, "[cgroup]\npath=a\nmemory=1\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 3);
	/* The values of one section are not those of the next. */
	world_text(w, "[cgroup a]\npath=/a\n[cgroup b]\nmemory=5%%\n[cgroup c]\nmemory=x\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 3);
	assert_says(w, "test.conf:3: [cgroup b] has no path");
	assert_says(w, "test.conf:5: [cgroup c] has no path");
	assert_says(w, "test.conf:6: memory = \"x\"");
}

static void a_section_may_be_there_for_its_preference_alone(void **state)
{
	struct world *w = *state;

	world_text(w, "[cgroup a]\npath=/a\nmemory=off\npressure=off\npreference=protect\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	assert_int_equal(w->config->domain_count, 1);
	assert_false(w->config->domains[0].pressure.set);
	assert_int_equal(w->config->rule_count, 1);
}

static void sections_have_room_and_names_have_limits(void **state)
{
	struct world *w = *state;
	char text[2048] = "";
	size_t at = 0;

	for (int i = 0; i < CONFIG_DOMAINS_MAX; i++)
		at += (size_t)snprintf(
			text + at, sizeof(text) - at, "[cgroup d%d]\npath=/%d\n", i, i);
	world_text(w, "%s", text);
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->domain_count, CONFIG_DOMAINS_MAX);
	assert_string_equal(w->config->domains[15].path, "/15");
	world_drop_in(w, "x.conf", "[cgroup d3]\npath=/new\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->config->domains[3].path, "/new");
	world_drop_in(w, "x.conf", "[cgroup more]\npath=/new\nkill=x\n[cgroup more2]\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 3);
	assert_says(w, "x.conf:1: more than 16 cgroup sections");
	assert_says(w, "x.conf:3: kill = \"x\"");
	assert_says(w, "x.conf:4: more than 16 cgroup sections");
	world_drop_in(w, "x.conf", "%s", "");
	world_text(w, "[cgroup %.47s]\npath=/a\npreference=avoid\n", text_of('n', 47));
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->config->domains[0].name, text_of('n', 47));
	assert_string_equal(w->config->rules[0].name, text_of('n', 47));
	world_text(w, "[cgroup %.48s]\npath=/a\n", text_of('n', 48));
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "cannot name a cgroup section");
}

static void sections_of_the_same_path_give_a_warning(void **state)
{
	struct world *w = *state;

	world_text(w, "[cgroup a]\npath=/a\n[cgroup b]\npath=/b\n[cgroup c]\npath=/a\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(lines_of(w->said), 1);
	assert_true(strncmp(w->said, "warning: ", 9) == 0);
	assert_says(w,
		"test.conf:5: [cgroup c] has the same path as [cgroup a], which comes first "
		"and takes all");
	assert_int_equal(w->config->domain_count, 3);
	/* Not when one of them has been replaced. */
	world_drop_in(w, "x.conf", "[cgroup a]\npath=/new\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	world_drop_in(w, "x.conf", "[cgroup a]\npath=/b\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "test.conf:3: [cgroup b] has the same path as [cgroup a]");
}

/* --- what is said of it --- */

/* What --check-config prints. */
static char *check_config(const struct world *w, int expected)
{
	char path[sizeof(w->dir) + 16];
	int out = dup(STDOUT_FILENO);

	snprintf(path, sizeof(path), "%s/out", w->dir);
	fflush(stdout);
	assert_non_null(freopen(path, "we", stdout));
	assert_int_equal(options_check_config(w->path), expected);
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) >= 0);
	close(out);
	return read_whole(path);
}

static void the_sections_are_counted_when_there_are_any(void **state)
{
	struct world *w = *state;

	world_text(w, "[avoid a]\nuid=1\n");
	_cleanup_(freep) char *without = check_config(w, EXIT_SUCCESS);
	assert_non_null(strstr(without, "test.conf: correct, 1 rules\n"));
	world_text(w, "[avoid a]\nuid=1\n[cgroup a]\npath=/a\n[cgroup b]\npath=/b\n");
	_cleanup_(freep) char *with = check_config(w, EXIT_SUCCESS);
	assert_non_null(strstr(with, "test.conf: correct, 1 rules, 2 cgroup sections\n"));
}

int main(void)
{
#define world_test(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		world_test(what_is_not_said_has_its_default),
		world_test(what_is_said_lands_where_it_belongs),
		world_test(the_levels_of_the_machine_are_not_touched),
		world_test(bad_paths_are_refused_and_it_is_said_why),
		world_test(a_path_has_up_to_255_bytes),
		world_test(a_glob_matches_its_cgroups_and_those_below),
		world_test(a_preference_is_a_rule_of_that_name),
		world_test(a_preference_does_not_take_the_name_of_a_rule),
		world_test(a_preference_needs_room_among_the_rules),
		world_test(a_later_file_replaces_a_section_whole),
		world_test(sections_that_cannot_be_are_refused),
		world_test(a_section_may_be_there_for_its_preference_alone),
		world_test(sections_have_room_and_names_have_limits),
		world_test(sections_of_the_same_path_give_a_warning),
		world_test(the_sections_are_counted_when_there_are_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
