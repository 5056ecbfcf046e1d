/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: files that are merged, files that are none, and the file that is shipped.
 */
#include "config-world.h"
#include "victim.h"

static void drop_ins_override_values_and_replace_rules(void **state)
{
	struct world *w = *state;
	const struct config *c;

	assert_int_equal(world_load_file(w, fixture("merge.conf")), 0);
	assert_string_equal(w->said, "");
	c = w->config;
	assert_int_equal(c->warn.memory.value, 220); /* the last by name */
	assert_int_equal(c->warn.swap.value, 300);   /* only the main file sets it */
	assert_int_equal(c->max_sleep_usec, 4 * USEC_PER_SEC);
	assert_int_equal(c->rule_count, 4);
	assert_string_equal(c->rules[0].name, "one");
	assert_string_equal(c->rules[0].cgroup.text, "^/drop-in$");
	assert_false(c->rules[0].exe.set); /* replaced whole */
	assert_false(c->rules[0].uid_set);
	assert_int_equal(c->rules[1].action, RULE_AVOID); /* another kind: stays */
	assert_string_equal(c->rules[1].exe.text, "^/main$");
	assert_string_equal(c->rules[2].name, "two");
	assert_string_equal(c->rules[3].name, "three");
}

static void a_bad_drop_in_spoils_the_load(void **state)
{
	struct world *w = *state;

	world_text(w, "[timing]\nmax_sleep = 1s\n[warn]\nmemory = 20%%\n");
	world_drop_in(w, "a.conf", "[kill]\nmemory = 50%%\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_null(w->config);
	assert_says(w, "test.conf.d/a.conf:2: memory of [warn] is below that of [kill]");
	world_drop_in(w, "a.conf", "[warn]\nmemory = 60%%\n");
	world_drop_in(w, "b.conf", "[kill]\nmemory = 50%%\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->kill.memory.value, 500);
}

static void a_missing_file_is_an_error_unless_it_is_the_default(void **state)
{
	struct world *w = *state;
	char path[sizeof(w->dir) + 16];
	struct config expected;

	snprintf(path, sizeof(path), "%s/none.conf", w->dir);
	assert_int_equal(world_load_file(w, path), -ENOENT);
	assert_null(w->config);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "none.conf: there is no such file");
	assert_int_equal(world_load_optional(w, path), 0);
	assert_int_equal(lines_of(w->said), 1);
	assert_true(strncmp(w->said, "notice: ", 8) == 0);
	config_init(&expected);
	assert_same_scalars(w->config, &expected);
	assert_int_equal(w->config->rule_count, 0);
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
	struct world *w = *state;

	/* A reader that blocks on the FIFO would be ended by this. */
	alarm(10);
	assert_int_equal(world_load_file(w, w->dir), -EISDIR);
	assert_says(w, "is a directory; it must be a regular file");
	assert_int_equal(world_load_file(w, "/dev/zero"), -EINVAL);
	assert_says(w, "/dev/zero: is a device");
	assert_int_equal(mkfifo(w->path, 0600), 0);
	assert_int_equal(world_load_file(w, w->path), -EINVAL);
	assert_says(w, "is a FIFO");
	assert_int_equal(world_load_optional(w, w->path), -EINVAL);
	unlink(w->path);
	assert_int_equal(symlink("/nowhere", w->path), 0);
	assert_int_equal(world_load_file(w, w->path), -ENOENT);
	unlink(w->path);
	assert_int_equal(symlink(w->path, w->path), 0);
	assert_int_equal(world_load_optional(w, w->path), -ELOOP);
	unlink(w->path);
	world_text(w, "%s", "");
	world_drop_in(w, "x.conf", "%s", "");
	assert_int_equal(world_load(w), 0);
	snprintf(w->path + strlen(w->path), 16, ".d/x.conf");
	unlink(w->path);
	assert_int_equal(mkdir(w->path, 0700), 0);
	world_path(w);
	assert_int_equal(world_load(w), -EISDIR);
	assert_says(w, "test.conf.d/x.conf: is a directory");
	alarm(0);
}

static void a_file_in_place_of_the_drop_ins_is_refused(void **state)
{
	struct world *w = *state;
	char path[sizeof(w->path) + 2];

	world_text(w, "%s", "");
	snprintf(path, sizeof(path), "%s.d", w->path);
	write_whole(path, "", 0);
	assert_int_equal(world_load(w), -ENOTDIR);
	assert_says(w, "test.conf.d: Not a directory");
}

static void large_and_binary_files_are_refused(void **state)
{
	struct world *w = *state;
	_cleanup_(freep) char *big = calloc(1, 10 << 20);

	memset(big, '\n', 10 << 20);
	write_whole(w->path, big, 1 << 20);
	assert_int_equal(world_load(w), 0);
	write_whole(w->path, big, (1 << 20) + 1);
	assert_int_equal(world_load(w), -EFBIG);
	assert_says(w, "test.conf: is larger than 1 MiB");
	write_whole(w->path, big, 10 << 20);
	assert_int_equal(world_load(w), -EFBIG);
	write_whole(w->path, "[warn]\nmemory = 20%\n\0[kill]\n", 28);
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "test.conf: is binary");
	assert_null(w->config);
}

static void text_that_is_none_is_refused_by_line(void **state)
{
	static const char *const bad[] = { "\xFF", "\xC0\xAF", "\xC3", "\xE0\x81\xA1",
		"\xF0\x80\x81\xA1", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80",
		"\x80", "\x1B[31m", "\x7F", "\rb", "\v", "\xC2\x9B", "\xE2\x80\xA8", "\xE2\x80\xAE",
		"\xE2\x81\xA6" };
	static const char *const good[] = { "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x90\xA7",
		"\xE0\xA0\x80", "\xF4\x8F\xBF\xBF", "\t" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		world_text(w, "\n[avoid a]\nuid=1\nexe = x%sx\n", bad[i]);
		assert_int_equal(world_load(w), -EINVAL);
		assert_int_equal(lines_of(w->said), 1);
		assert_says(w, "test.conf:4: ");
		assert_says(w, "in column 8");
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		world_text(w, "\n[avoid a]\nexe = x%sx\n", good[i]);
		assert_int_equal(world_load(w), 0);
	}
}

/* world_load() checks every output for control characters. */
static void hostile_text_does_not_reach_the_terminal(void **state)
{
	struct world *w = *state;

	world_text(w,
		"[\x1B]0;title\x07]\n\x1B[2J = 1\n[warn]\nmemory = \x1B[31m\xC2\x9B\xE2\x80\xAE\n"
		"[avoid \x1B[31m]\nuid=1\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "test.conf:4: control character U+001B in column 10");
	world_text(w, "%s", "");
	world_drop_in(w, "\x1B[31m\n\xFFred.conf", "x\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "\\x1B[31m\\x0A\\xFFred.conf:1: \"x\" is neither");
	world_text(w, "[timing]\nmax_sleep = %.78s\xE2\x82\xAC%.400s\n", text_of('9', 75),
		text_of('9', 400));
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "999...\" is out of bounds"); /* cut before the Euro sign */
}

static void a_file_that_all_can_write_gives_a_warning(void **state)
{
	struct world *w = *state;

	world_text(w, "[timing]\nmax_sleep = 1s\n");
	chmod(w->path, 0666);
	assert_int_equal(world_load(w), 0);
	assert_int_equal(lines_of(w->said), 1);
	assert_true(strncmp(w->said, "warning: ", 9) == 0);
}

static void a_program_that_all_can_write_is_no_final_action(void **state)
{
	struct world *w = *state;
	char program[sizeof(w->dir) + 16];

	snprintf(program, sizeof(program), "%s/a program", w->dir);
	write_whole(program, "", 0);
	chmod(program, 0777);
	world_text(w, "[escalate]\nladder = final\nfinal = exec %s\n", program);
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "test.conf:3: ");
	assert_says(w, "every user can change");
	chmod(program, 0755);
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->config->final_path, program);
}

static void many_errors_are_cut_short(void **state)
{
	struct world *w = *state;
	_cleanup_(freep) char *text = malloc(3 * 5000 + 1);

	for (int i = 0; i < 5000; i++)
		memcpy(text + 3 * i, "x;\n", 4);
	world_text(w, "%s", text);
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 101);
	assert_says(w, "and 4900 more errors");
}

static void too_many_drop_ins_are_refused(void **state)
{
	struct world *w = *state;
	char name[16];

	world_text(w, "%s", "");
	for (int i = 0; i < 127; i++) {
		snprintf(name, sizeof(name), "%03d.conf", i);
		world_drop_in(w, name, "[timing]\nmax_sleep = %dms\n", 1000 + i);
	}
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->max_sleep_usec, 1126 * USEC_PER_MSEC);
	world_drop_in(w, "one-more.conf", "\n");
	assert_int_equal(world_load(w), -E2BIG);
	assert_says(w, "test.conf.d: holds more than 127");
}

/* --- what is shipped --- */

static const char *shipped(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", getenv("OOMFWD_SOURCE"), name);
	return path;
}

static void the_shipped_file_holds_the_defaults(void **state)
{
	struct world *w = *state;
	struct config expected;

	config_init(&expected);
	assert_int_equal(world_load_file(w, shipped("etc/oomfwd.conf")), 0);
	assert_string_equal(w->said, "");
	assert_same_scalars(w->config, &expected);
}

/* The part of the manual page whose heading names the section; it ends at *ret_end. */
static const char *man_part(const char *man, const char *section, const char **ret_end)
{
	char name[64];

	snprintf(name, sizeof(name), "[%s]", section);
	for (const char *at = man; (at = strstr(at, "\n.Ss ")); at++) {
		const char *line_end = strchr(at + 1, '\n'), *found = strstr(at, name);

		if (!found || found > line_end)
			continue;
		*ret_end = strstr(line_end, "\n.Ss ");
		if (!*ret_end)
			*ret_end = strstr(line_end, "\n.Sh ");
		return at;
	}
	fail_msg("[%s] is not in the manual page", section);
	return NULL;
}

/* Each key of the level's, timing's ... section is set in the file, so that the comparison above
 * compares something; each is described in the manual page. */
static void every_key_is_documented(void **state)
{
	_cleanup_(freep) char *conf = read_whole(shipped("etc/oomfwd.conf"));
	_cleanup_(freep) char *man = read_whole(shipped("man/oomfwd.conf.5"));
	const char *section, *key;

	for (unsigned i = 0; (key = config_key(i, &section)); i++) {
		char heading[64], text[64];
		const char *at, *end, *part_end = NULL;

		snprintf(text, sizeof(text), "\n.It Ic %s\n", key);
		at = strstr(man_part(man, section, &part_end), text);
		assert_true(at && at < part_end);
		snprintf(heading, sizeof(heading), "[%s]", section);
		if (strstr(section, "NAME")) {
			at = strstr(conf, heading);
			assert_non_null(at);
			snprintf(text, sizeof(text), "\n#   %-8s ", key);
			assert_non_null(strstr(at, text));
			continue;
		}
		snprintf(heading, sizeof(heading), "\n[%s]\n", section);
		at = strstr(conf, heading);
		assert_non_null(at);
		end = strstr(at + 2, "\n[");
		snprintf(text, sizeof(text), "\n%s = ", key);
		at = strstr(at, text);
		assert_non_null(at);
		assert_true(!end || at < end);
		/* Its comment is right above. */
		while (*--at != '\n')
			;
		assert_int_equal(at[1], '#');
	}
}

static const struct shipped_case {
	const char *cgroup, *exe, *comm;
	uid_t uid;
	bool is_protected;
} shipped_cases[] = {
	{ "/system.slice/systemd-journald.service", "/usr/lib/systemd/systemd-journald",
		"systemd-journal", 0, true },
	{ "/system.slice/systemd-udevd.service/udev", "/usr/bin/udevadm", "systemd-udevd", 0,
		true },
	{ "/system.slice/systemd-resolved.service", "/usr/lib/systemd/systemd-resolved",
		"systemd-resolve", 991, true },
	{ "/system.slice/dbus.service", "/usr/bin/dbus-daemon", "dbus-daemon", 100, true },
	{ "/system.slice/dbus-broker.service", "/usr/bin/dbus-broker", "dbus-broker", 100, true },
	{ "/system.slice/ssh.service", "/usr/sbin/sshd", "sshd", 0, true },
	{ "/system.slice/sshd.service", "/usr/libexec/openssh/sshd-session", "sshd", 0, true },
	{ "/system.slice/system-ssh.slice/ssh@1-192.0.2.1:22-192.0.2.2:40000.service",
		"/usr/sbin/sshd", "sshd", 0, true },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "/usr/sbin/agetty", "agetty", 0,
		true },
	{ "/system.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.service",
		"/usr/sbin/agetty", "agetty", 0, true },
	{ "/user.slice/user-1000.slice/session-1.scope", "/usr/bin/login", "login", 0, true },
	{ "/system.slice/NetworkManager.service", "/usr/sbin/NetworkManager", "NetworkManager", 0,
		true },
	{ "/system.slice/containerd.service", "/usr/bin/containerd-shim-runc-v2", "containerd-shim",
		0, true },
	{ "/system.slice/docker.service", "/usr/bin/dockerd", "dockerd", 0, true },
	{ "/system.slice/kubelet.service", "/usr/local/bin/kubelet", "kubelet", 0, true },
	{ "/system.slice/k3s-agent.service", "/usr/local/bin/k3s", "k3s", 0, true },
	{ "/machine.slice/libpod-conmon-0123456789abcdef.scope", "/usr/bin/conmon", "conmon", 0,
		true },
	/* What runs on the machine, not what runs it. */
	{ "/system.slice/postgresql@15-main.service", "/usr/lib/postgresql/15/bin/postgres",
		"postgres", 110, false },
	{ "/user.slice/user-0.slice/session-1.scope", "/usr/bin/bash", "bash", 0, false },
	{ "/system.slice/ssh.service", "/usr/bin/bash", "bash", 0, false },
	{ "/kubepods.slice/kubepods-burstable.slice/cri-containerd-0123.scope", "/usr/bin/java",
		"java", 0, false },
	{ "/system.slice/docker-0123456789abcdef.scope", "/usr/bin/dockerd", "dockerd", 0, false },
	{ "/machine.slice/libpod-0123456789abcdef.scope", "/usr/bin/conmon", "conmon", 0, false },
	{ "/", "/usr/sbin/sshd", "sshd", 0, false },
	/* Names that others than root of this machine choose. */
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/systemd-journald.service",
		"/usr/lib/systemd/systemd-journald", "systemd-journal", 1000, false },
	{ "/user.slice/user-1000.slice/user@1000.service/system.slice/dbus.service",
		"/usr/bin/dbus-daemon", "dbus-daemon", 1000, false },
	{ "/system.slice/docker-0123.scope/system.slice/systemd-logind.service",
		"/usr/lib/systemd/systemd-logind", "systemd-logind", 0, false },
	{ "/system.slice/containerd.service/evil", "/usr/bin/containerd", "containerd", 0, false },
	{ "/user.slice/user-1000.slice/session-1.scope", "/usr/bin/login", "login", 1000, false },
	{ "/system.slice/my-ssh.service", "/usr/sbin/sshd", "sshd", 0, false },
	{ "/user.slice/user-1000.slice/session-1.scope", "/home/u/sshd", "sshd", 1000, false },
};

static void the_shipped_rules_protect_what_runs_the_machine_and_no_more(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_load_file(w, shipped("etc/oomfwd.conf")), 0);
	for (uint32_t i = 0; i < w->config->rule_count; i++) {
		enum cgroup_preference p = w->config->rules[i].preference;
		bool avoids = p == CGROUP_PREFERENCE_AVOID || p == CGROUP_PREFERENCE_LOW;

		assert_int_equal(w->config->rules[i].action, avoids ? RULE_AVOID : RULE_PROTECT);
	}
	for (size_t n = 0; n < ARRAY_SIZE(shipped_cases); n++) {
		const struct shipped_case *s = &shipped_cases[n];
		struct task t = { .uid = s->uid };
		struct task_detail d = { .cmdline = "" };
		bool is_protected = false;

		snprintf(t.comm, sizeof(t.comm), "%s", s->comm);
		snprintf(d.exe, sizeof(d.exe), "%s", s->exe);
		snprintf(d.cgroup, sizeof(d.cgroup), "%s", s->cgroup);
		for (uint32_t i = 0; i < w->config->rule_count; i++)
			is_protected |= victim_rule_matches(&w->config->rules[i], &t, &d);
		if (is_protected != s->is_protected)
			fail_msg("%s in %s: protected %d", s->exe, s->cgroup, is_protected);
	}
}

static void the_examples_in_the_shipped_file_are_correct(void **state)
{
	struct world *w = *state;
	_cleanup_(freep) char *conf = read_whole(shipped("etc/oomfwd.conf"));
	uint32_t rules = 0;
	char *user;

	/* "#[kind name]" and "#key = value" become lines; prose has a blank after the sign. */
	for (char *p = conf; (p = strstr(p, "\n#")); p++)
		if (p[2] != ' ' && p[2] != '\n' && p[2] != '#')
			p[1] = ' ';
	user = strstr(conf, "uid = postgres"); /* is there only where the database is */
	assert_non_null(user);
	memcpy(user, "uid = root    ", 14);
	world_text(w, "%s", conf);
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	for (uint32_t i = 0; i < w->config->rule_count; i++)
		rules += w->config->rules[i].action != RULE_PROTECT;
	/* With those of preference = avoid and low, and that of a cgroup section. */
	assert_int_equal(rules, 5);
	assert_int_equal(w->config->domain_count, 3);
}

int main(void)
{
#define world_test(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		world_test(drop_ins_override_values_and_replace_rules),
		world_test(a_bad_drop_in_spoils_the_load),
		world_test(a_missing_file_is_an_error_unless_it_is_the_default),
		world_test(what_is_no_regular_file_is_refused_at_once),
		world_test(a_file_in_place_of_the_drop_ins_is_refused),
		world_test(large_and_binary_files_are_refused),
		world_test(text_that_is_none_is_refused_by_line),
		world_test(hostile_text_does_not_reach_the_terminal),
		world_test(a_file_that_all_can_write_gives_a_warning),
		world_test(a_program_that_all_can_write_is_no_final_action),
		world_test(many_errors_are_cut_short),
		world_test(too_many_drop_ins_are_refused),
		world_test(the_shipped_file_holds_the_defaults),
		cmocka_unit_test(every_key_is_documented),
		world_test(the_shipped_rules_protect_what_runs_the_machine_and_no_more),
		world_test(the_examples_in_the_shipped_file_are_correct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
