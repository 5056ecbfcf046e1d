/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * org.oomfwd1 on a bus of the test's own, with the policy that is shipped. Polkit is played.
 * Callers are processes of their own, where it matters who they are.
 */
#include "desk-stage.h"

#include <systemd/sd-bus.h>

#define MANAGER     "org.oomfwd1.Manager"
#define NOBODY      65534
#define NOT_ALLOWED 77 /* exit statuses of a caller */
#define NO_DAEMON   78

struct bus_stage {
	struct desk_stage st; /* first: the setup of that is used */
	pid_t bus;
	sd_bus *us;
	char seen[4096]; /* signals and what they say, one a line */
};

static struct bus_stage stage;

static bool is_there(const char *socket_path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	copy_cut(sa.sun_path, sizeof(sa.sun_path), socket_path);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static void bus_starts(struct bus_stage *b)
{
	char conf[128], option[160], path[128];
	char *argv[] = { (char *)"dbus-daemon", option, (char *)"--nofork", NULL };

	snprintf(conf, sizeof(conf), "%s/bus.conf", b->st.dir);
	snprintf(path, sizeof(path), "%s/bus", b->st.dir);
	snprintf(option, sizeof(option), "--config-file=%s", conf);
	/* What the system bus allows before the policies of services are read. */
	write_file(&b->st, "bus.conf",
		"<busconfig><type>system</type><listen>unix:path=%s</listen>"
		"<auth>EXTERNAL</auth>"
		"<policy context='default'><allow user='*'/><deny own='*'/>"
		"<deny send_type='method_call'/><allow send_type='signal'/>"
		"<allow send_requested_reply='true' send_type='method_return'/>"
		"<allow send_requested_reply='true' send_type='error'/>"
		"<allow receive_type='method_call'/><allow receive_type='method_return'/>"
		"<allow receive_type='error'/><allow receive_type='signal'/>"
		"<allow send_destination='org.freedesktop.DBus'/>"
		"<allow own='org.freedesktop.PolicyKit1'/>"
		"<allow send_destination='org.freedesktop.PolicyKit1'/></policy>"
		"<policy user='%u'><allow own='org.oomfwd1'/></policy>"
		"<include>%s/deploy/dbus/org.oomfwd1.conf</include></busconfig>",
		path, getuid(), getenv("OOMFWD_SOURCE"));
	assert_int_equal(posix_spawnp(&b->bus, argv[0], NULL, NULL, argv, environ), 0);
	wait_until(is_there(path));
}

static void bus_goes(struct bus_stage *b)
{
	b->us = sd_bus_close_unref(b->us);
	if (b->bus > 0) {
		kill(b->bus, SIGKILL);
		waitpid(b->bus, NULL, 0);
		b->bus = 0;
	}
	(void)unlink(in_dir(&b->st, "bus"));
}

static sd_bus *join_bus(const struct bus_stage *b)
{
	char address[160];
	sd_bus *bus = NULL;

	snprintf(address, sizeof(address), "unix:path=%s/bus", b->st.dir);
	assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_address(bus, address) >= 0);
	assert_true(sd_bus_set_bus_client(bus, true) >= 0 && sd_bus_start(bus) >= 0);
	return bus;
}

static int bus_setup(void **state)
{
	void *inner;
	int r = desk_setup(&inner);

	stage = (struct bus_stage){ .st = *(struct desk_stage *)inner };
	*state = &stage;
	return r;
}

static int bus_teardown(void **state)
{
	struct bus_stage *b = *state;
	void *inner = &b->st;

	bus_goes(b);
	return desk_teardown(&inner);
}

static bool has_name(sd_bus *bus)
{
	return sd_bus_get_name_creds(bus, "org.oomfwd1", 0, NULL) >= 0;
}

/* What only root shows is a part of a test: the rest of it is for everybody. */
static bool is_root(void)
{
	if (getuid() != 0)
		print_message("# not shown: that takes root\n");
	return getuid() == 0;
}

/* All of it runs, and the test listens. */
static void all_run(struct bus_stage *b)
{
	bus_starts(b);
	daemon_appears(&b->st);
	desk_starts(&b->st, "");
	daemon_says_hello(&b->st, NULL);
	b->us = join_bus(b);
	wait_until(has_name(b->us));
	wait_until(is_running(&b->st));
}

static uint64_t get_number(const struct bus_stage *b, const char *name, char type)
{
	uint64_t value = 0;
	uint32_t narrow = 0;
	bool wide = type == 't';

	assert_true(sd_bus_get_property_trivial(b->us, "org.oomfwd1", "/org/oomfwd1", MANAGER, name,
			    NULL, type, wide ? (void *)&value : (void *)&narrow) >= 0);
	return wide ? value : narrow;
}

static bool property_is(const struct bus_stage *b, const char *name, const char *text)
{
	char *value = NULL;
	bool is;

	assert_true(sd_bus_get_property_string(b->us, "org.oomfwd1", "/org/oomfwd1", MANAGER, name,
			    NULL, &value) >= 0);
	is = strcmp(value, text) == 0;
	free(value);
	return is;
}

static void properties_show_the_state(void **state)
{
	struct bus_stage *b = *state;

	all_run(b);
	assert_true(property_is(b, "Version", OOMFWD_VERSION));
	assert_true(property_is(b, "Level", "ok"));
	assert_int_equal(get_number(b, "Running", 'b'), true);
	assert_int_equal(get_number(b, "InEpisode", 'b'), false);
	assert_int_equal(get_number(b, "DryRun", 'b'), false);
	assert_int_equal(get_number(b, "AvailableBytes", 't'), 3 * GIB);
	assert_int_equal(get_number(b, "TotalBytes", 't'), 16 * GIB);
	assert_int_equal(get_number(b, "KillLevelBytes", 't'), 800 * MIB);
	assert_int_equal(get_number(b, "Kills", 't'), 41);
	assert_int_equal(get_number(b, "HiddenMms", 'u'), 2);
	daemon_goes(&b->st);
	wait_until(get_number(b, "Running", 'b') == false);
	assert_true(property_is(b, "Level", ""));
	assert_int_equal(get_number(b, "TotalBytes", 't'), 0);
}

/* Notes a signal as "Name|argument|argument". */
static int note_signal(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct bus_stage *b = userdata;
	size_t used = strlen(b->seen);
	FILE *f = fmemopen(b->seen + used, sizeof(b->seen) - used, "w");
	const char *text;
	uint64_t t = 0;
	uint32_t u = 0;
	char type;

	fputs(sd_bus_message_get_member(m), f);
	while (sd_bus_message_peek_type(m, &type, NULL) > 0 && strchr("stuib", type)) {
		if (type == 's' && sd_bus_message_read_basic(m, type, &text) > 0)
			fprintf(f, "|%s", text);
		else if (type == 't' && sd_bus_message_read_basic(m, type, &t) > 0)
			fprintf(f, "|%llu", (unsigned long long)t);
		else if (strchr("uib", type) && sd_bus_message_read_basic(m, type, &u) > 0)
			fprintf(f, "|%u", u);
	}
	fputc('\n', f);
	fclose(f);
	return 0;
}

static bool has_seen(struct bus_stage *b, const char *text)
{
	while (sd_bus_process(b->us, NULL) > 0)
		;
	return strstr(b->seen, text) != NULL;
}

static void listen_for(struct bus_stage *b, const char *interface)
{
	assert_true(sd_bus_match_signal(b->us, NULL, "org.oomfwd1", "/org/oomfwd1", interface, NULL,
			    note_signal, b) >= 0);
}

static void an_episode_is_told_as_it_happens(void **state)
{
	struct bus_stage *b = *state;
	struct report_event e = { .kind = REPORT_STUCK,
		.level = LEVEL_KILL,
		.victim = { 77, 1 },
		.comm = "st\xFFuck",
		.expected_bytes = GIB };

	all_run(b);
	listen_for(b, MANAGER);
	daemon_begins(&b->st);
	daemon_kills(&b->st);
	daemon_tells(&b->st, e);
	e.kind = REPORT_STEP;
	e.step = LADDER_CGROUP;
	daemon_tells(&b->st, e);
	wait_until(has_seen(b, "Escalated|"));
	assert_null(strstr(b->seen, "EpisodeEnded"));
	daemon_recovers(&b->st);
	wait_until(has_seen(b, "EpisodeEnded|"));
	assert_ptr_equal(strstr(b->seen,
				 "EpisodeBegan|1||kill\n"
				 "Killed|4242|ja\\x1Bva|/system.slice/app.service||2147483648|3|9\n"
				 "Freed|4242|ja\\x1Bva|2147483648|84000\n"
				 "Stuck|77|st\\xFFuck|"),
		b->seen);
	assert_non_null(strstr(b->seen, "\nEscalated|cgroup|"));
	assert_non_null(strstr(b->seen, "\nEpisodeEnded|1|1|2147483648|1\n"));
}

static void nobody_is_killed_in_a_dry_run(void **state)
{
	struct bus_stage *b = *state;
	struct report_event e = {
		.kind = REPORT_SIGNALLED, .dry_run = true, .level = LEVEL_KILL, .victim = { 77, 1 }
	};

	all_run(b);
	listen_for(b, MANAGER);
	daemon_begins(&b->st);
	daemon_tells(&b->st, e);
	daemon_recovers(&b->st);
	wait_until(has_seen(b, "EpisodeEnded|"));
	assert_null(strstr(b->seen, "Killed"));
}

static void changes_of_the_level_are_told_with_their_value(void **state)
{
	struct bus_stage *b = *state;

	all_run(b);
	listen_for(b, "org.freedesktop.DBus.Properties");
	daemon_begins(&b->st);
	wait_until(has_seen(b, "PropertiesChanged|" MANAGER));
	assert_true(property_is(b, "Level", "kill"));
	assert_int_equal(get_number(b, "InEpisode", 'b'), true);
	b->seen[0] = '\0';
	daemon_recovers(&b->st);
	wait_until(has_seen(b, "PropertiesChanged|" MANAGER));
	assert_true(property_is(b, "Level", "ok"));
}

static struct json *call_for_json(struct bus_stage *b, const char *method, int max)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	struct json *j = NULL;
	const char *text;
	int r = max < 0 ? sd_bus_call_method(b->us, "org.oomfwd1", "/org/oomfwd1", MANAGER, method,
				  NULL, &reply, "")
			: sd_bus_call_method(b->us, "org.oomfwd1", "/org/oomfwd1", MANAGER, method,
				  NULL, &reply, "u", (uint32_t)max);

	assert_true(r >= 0);
	assert_true(sd_bus_message_read(reply, "s", &text) > 0);
	assert_int_equal(json_parse(text, strlen(text), &j, NULL, NULL), 0);
	return j;
}

static void episodes_and_the_dump_are_json(void **state)
{
	struct bus_stage *b = *state;
	_cleanup_(json_unrefp) struct json *two = NULL;
	_cleanup_(json_unrefp) struct json *dump = NULL;

	if (!is_root())
		return;
	all_run(b);
	for (int i = 0; i < 3; i++)
		whole_episode(&b->st);
	wait_until(episode_count(&b->st) == 3);
	two = call_for_json(b, "ListEpisodes", 2);
	assert_int_equal(json_count(two), 2);
	assert_int_equal(json_get_number(json_at(two, 1), "id"), 3);
	dump = call_for_json(b, "Dump", -1);
	assert_true(json_get_bool(json_get(dump, "status"), "running"));
	assert_int_equal(json_count(json_get(dump, "episodes")), 3);
}

/* --- reloading --- */

/* In a child: calls a method, as nobody if it is not to be root. Its pid. */
static pid_t call_as(const struct bus_stage *b, bool root, const char *method)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		sd_bus_error error = SD_BUS_ERROR_NULL;
		sd_bus *bus;
		int r;

		if (!root && getuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(99);
		bus = join_bus(b);
		r = sd_bus_call_method(
			bus, "org.oomfwd1", "/org/oomfwd1", MANAGER, method, &error, NULL, "");
		_exit(r >= 0 ? 0
				: sd_bus_error_has_name(&error, "org.oomfwd1.Error.NoDaemon")
				? NO_DAEMON
				: sd_bus_error_has_name(&error, SD_BUS_ERROR_ACCESS_DENIED)
				? NOT_ALLOWED
				: 1);
	}
	return pid;
}

/* Its exit status; meanwhile the test's own services answer. */
static int status_of(const struct bus_stage *b, pid_t pid)
{
	int status = 0;

	for (uint64_t until = monotonic_usec() + PATIENCE_USEC; monotonic_usec() < until;) {
		while (b->us && sd_bus_process(b->us, NULL) > 0)
			;
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WEXITSTATUS(status);
		usleep(2000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static bool daemon_was_asked(struct desk_stage *st)
{
	char request = 0;

	return recv(st->client_fd, &request, 1, MSG_DONTWAIT) == 1 && request == WIRE_RELOAD;
}

static void root_reloads_without_being_asked(void **state)
{
	struct bus_stage *b = *state;

	if (!is_root())
		return;
	all_run(b);
	assert_int_equal(status_of(b, call_as(b, true, "Reload")), 0);
	assert_true(daemon_was_asked(&b->st));
	wait_until(has_said(&b->st, "configuration reloaded")); /* the desk's part as well */
	daemon_goes(&b->st);
	wait_until(!is_running(&b->st));
	assert_int_equal(status_of(b, call_as(b, true, "Reload")), NO_DAEMON);
}

static void without_polkit_only_root_reloads(void **state)
{
	struct bus_stage *b = *state;

	all_run(b);
	assert_int_equal(status_of(b, call_as(b, false, "Reload")), NOT_ALLOWED);
	assert_false(daemon_was_asked(&b->st));
}

static bool polkit_says_yes;
static char polkit_was_asked[64];

static int check_authorization(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	const char *kind, *key, *sender, *action;

	if (sd_bus_message_enter_container(m, 'r', "sa{sv}") < 0 ||
		sd_bus_message_read(m, "s", &kind) < 0 ||
		sd_bus_message_enter_container(m, 'a', "{sv}") < 0 ||
		sd_bus_message_enter_container(m, 'e', "sv") < 0 ||
		sd_bus_message_read(m, "s", &key) < 0 ||
		sd_bus_message_read(m, "v", "s", &sender) < 0 ||
		sd_bus_message_exit_container(m) < 0 || sd_bus_message_exit_container(m) < 0 ||
		sd_bus_message_exit_container(m) < 0 || sd_bus_message_read(m, "s", &action) < 0)
		return -EINVAL;
	if (strcmp(kind, "system-bus-name") == 0 && strcmp(key, "name") == 0 && sender[0] == ':')
		copy_cut(polkit_was_asked, sizeof(polkit_was_asked), action);
	return sd_bus_reply_method_return(m, "(bba{ss})", (int)polkit_says_yes, 0, 0);
}

static const sd_bus_vtable authority[] = { SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("CheckAuthorization", "(sa{sv})sa{ss}us", "(bba{ss})", check_authorization,
		SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END };

static void polkit_decides_about_others(void **state)
{
	struct bus_stage *b = *state;

	all_run(b);
	assert_true(sd_bus_add_object_vtable(b->us, NULL, "/org/freedesktop/PolicyKit1/Authority",
			    "org.freedesktop.PolicyKit1.Authority", authority, NULL) >= 0);
	assert_true(sd_bus_request_name(b->us, "org.freedesktop.PolicyKit1", 0) >= 0);
	polkit_says_yes = false;
	polkit_was_asked[0] = '\0';
	assert_int_equal(status_of(b, call_as(b, false, "Reload")), NOT_ALLOWED);
	assert_string_equal(polkit_was_asked, "org.oomfwd1.reload");
	assert_false(daemon_was_asked(&b->st));
	polkit_says_yes = true;
	assert_int_equal(status_of(b, call_as(b, false, "Reload")), 0);
	assert_true(daemon_was_asked(&b->st));
}

static void the_history_is_not_for_everybody(void **state)
{
	struct bus_stage *b = *state;

	if (!is_root())
		return;
	all_run(b);
	assert_int_equal(status_of(b, call_as(b, false, "Dump")), NOT_ALLOWED);
	assert_int_equal(status_of(b, call_as(b, true, "Dump")), 0);
}

/* --- the bus itself --- */

static void the_bus_may_go_and_come_back(void **state)
{
	struct bus_stage *b = *state;

	all_run(b);
	bus_goes(b);
	wait_until(has_said(&b->st, "no system bus"));
	assert_true(is_running(&b->st));
	whole_episode(&b->st);
	wait_until(episode_count(&b->st) == 1);
	bus_starts(b);
	b->us = join_bus(b);
	wait_until(has_name(b->us));
	assert_true(property_is(b, "Level", "ok"));
	listen_for(b, MANAGER);
	whole_episode(&b->st);
	wait_until(has_seen(b, "EpisodeEnded|2|"));
}

/* Every name on the bus is in the documentation. */
static void what_there_is_is_documented(void **state)
{
	struct bus_stage *b = *state;
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	_cleanup_(freep) char *doc = calloc(1, 65536);
	const char *xml, *at;
	char path[512];
	FILE *f;
	int names = 0;

	snprintf(path, sizeof(path), "%s/docs/DBUS.md", getenv("OOMFWD_SOURCE"));
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fread(doc, 1, 65535, f) > 0);
	fclose(f);
	all_run(b);
	assert_true(sd_bus_call_method(b->us, "org.oomfwd1", "/org/oomfwd1",
			    "org.freedesktop.DBus.Introspectable", "Introspect", NULL, &reply,
			    "") >= 0);
	assert_true(sd_bus_message_read(reply, "s", &xml) > 0);
	at = strstr(xml, "<interface name=\"" MANAGER "\">");
	assert_non_null(at);
	while ((at = strstr(at, " name=\""))) {
		char quoted[64];
		size_t length = strcspn(at += 7, "\"");

		snprintf(quoted, sizeof(quoted), "%.*s", (int)length, at);
		/* Annotations are the library's. */
		if (strncmp(quoted, "org.", 4) == 0)
			continue;
		if (!strstr(doc, quoted))
			fail_msg("%s is not in docs/DBUS.md", quoted);
		names++;
	}
	assert_true(names > 40);
}

int main(void)
{
#define bus_test(f) cmocka_unit_test_setup_teardown(f, bus_setup, bus_teardown)
	const struct CMUnitTest tests[] = {
		bus_test(properties_show_the_state),
		bus_test(an_episode_is_told_as_it_happens),
		bus_test(nobody_is_killed_in_a_dry_run),
		bus_test(changes_of_the_level_are_told_with_their_value),
		bus_test(episodes_and_the_dump_are_json),
		bus_test(root_reloads_without_being_asked),
		bus_test(without_polkit_only_root_reloads),
		bus_test(polkit_decides_about_others),
		bus_test(the_history_is_not_for_everybody),
		bus_test(the_bus_may_go_and_come_back),
		bus_test(what_there_is_is_documented),
	};

	if (system("dbus-daemon --version >/dev/null 2>&1") != 0) {
		puts("1..0 # SKIP no dbus-daemon");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
