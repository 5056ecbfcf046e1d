/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The configuration: what values mean, what a load takes, and what it refuses and says.
 */
#include "config-world.h"

/* --- values --- */

static void sizes_have_binary_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "1K", KIB },
		{ "512M", 512 * MIB },
		{ "2G", 2 * GIB },
		{ "3T", 3 * 1024 * GIB },
		{ "1.5G", 1536 * MIB },
		{ "0.125M", 128 * KIB },
		{ "64KiB", 64 * KIB },
		{ "7MiB", 7 * MIB },
		{ "7GiB", 7 * GIB },
		{ "7TiB", 7 * 1024 * GIB },
		{ "18446744073709551615", UINT64_MAX },
		{ "16777215T", UINT64_C(16777215) << 40 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t bytes = 1;
		assert_int_equal(config_parse_size(good[i].text, &bytes), 0);
		assert_int_equal(bytes, good[i].bytes);
	}
}

static void durations_need_a_unit(void **state)
{
	static const struct {
		const char *text;
		uint64_t usec;
	} good[] = {
		{ "0s", 0 },
		{ "5us", 5 },
		{ "250ms", 250000 },
		{ "1.5s", 1500000 },
		{ "0.001ms", 1 },
		{ "2m", 120000000 },
		{ "2min", 120000000 },
		{ "1h", UINT64_C(3600000000) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		uint64_t usec = 1;
		assert_int_equal(config_parse_duration(good[i].text, &usec), 0);
		assert_int_equal(usec, good[i].usec);
	}
}

static void a_bad_size_or_duration_changes_nothing(void **state)
{
	static const struct {
		const char *size, *duration;
		int error;
	} bad[] = {
		{ "", "", -EINVAL },
		{ "-1", "-1s", -EINVAL },
		{ "+1", "+1s", -EINVAL },
		{ " 1", " 1s", -EINVAL },
		{ "1 ", "1s ", -EINVAL },
		{ "1 G", "1 s", -EINVAL },
		{ "1g", "1S", -EINVAL },
		{ "1KB", "1sec", -EINVAL },
		{ "1Gx", "1sx", -EINVAL },
		{ "0x10", "0x10s", -EINVAL },
		{ "1e3", "1e3s", -EINVAL },
		{ ".5G", ".5s", -EINVAL },
		{ "1.G", "1.s", -EINVAL },
		{ "1.1234G", "1.1234s", -EINVAL },
		{ "1.5", "1.5us", -EINVAL },
		{ "G", "s", -EINVAL },
		{ "18446744073709551616", "18446744073709551616us", -ERANGE },
		{ "99999999999999999999999", "99999999999999999999999us", -ERANGE },
		{ "16777216T", "18446744073710s", -ERANGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t bytes = 7, usec = 7;
		assert_int_equal(config_parse_size(bad[i].size, &bytes), bad[i].error);
		assert_int_equal(config_parse_duration(bad[i].duration, &usec), bad[i].error);
		assert_int_equal(bytes, 7);
		assert_int_equal(usec, 7);
	}
	uint64_t usec = 7;
	assert_int_equal(config_parse_duration("5", &usec), -EINVAL);
	assert_int_equal(usec, 7);
}

static void an_amount_is_a_share_a_size_or_off(void **state)
{
	struct config_amount a = { AMOUNT_BYTES, 7 };

	assert_int_equal(config_parse_amount("10%", &a), 0);
	assert_int_equal(a.kind, AMOUNT_PERMILLE);
	assert_int_equal(a.value, 100);
	assert_int_equal(config_amount_bytes(&a, 1000), 100);
	assert_int_equal(config_parse_amount("2.5%", &a), 0);
	assert_int_equal(a.value, 25);
	assert_int_equal(config_parse_amount("100%", &a), 0);
	assert_int_equal(config_amount_bytes(&a, UINT64_MAX), UINT64_MAX);
	assert_int_equal(config_parse_amount("512M", &a), 0);
	assert_int_equal(a.kind, AMOUNT_BYTES);
	assert_int_equal(config_amount_bytes(&a, 1000), 512 * MIB);
	assert_int_equal(config_parse_amount("off", &a), 0);
	assert_int_equal(a.kind, AMOUNT_OFF);
	assert_int_equal(config_amount_bytes(&a, 1000), 0);
}

static void a_bad_amount_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "%", "10", "10 %", "10%%", "%10", "2.55%", "-1%",
		"100.1%", "101%", "99999999999999999999%", "10%G", "Off", "none", "10%x" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct config_amount a = { AMOUNT_BYTES, 7 };
		int r = config_parse_amount(bad[i], &a);

		if (strcmp(bad[i], "10") == 0) { /* ten bytes: the key's bounds refuse it */
			assert_int_equal(r, 0);
			continue;
		}
		assert_true(r == -EINVAL || r == -ERANGE);
		assert_int_equal(a.kind, AMOUNT_BYTES);
		assert_int_equal(a.value, 7);
	}
}

static void pressure_is_kind_share_and_span(void **state)
{
	struct config_pressure p;

	assert_int_equal(config_parse_pressure("full 60% 20s", &p), 0);
	assert_true(p.set && p.full);
	assert_int_equal(p.percent, 60);
	assert_int_equal(p.span_usec, 20 * USEC_PER_SEC);
	assert_int_equal(config_parse_pressure("some  90%\t1m", &p), 0);
	assert_true(p.set && !p.full);
	assert_int_equal(p.span_usec, 60 * USEC_PER_SEC);
	assert_int_equal(config_parse_pressure("off", &p), 0);
	assert_false(p.set);
}

static void a_bad_pressure_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "full", "full 60%", "full 60 20s", "full 60% 20",
		"all 60% 20s", "full 0% 20s", "full 101% 20s", "full 60.5% 20s", "full 60% 999ms",
		"full 60% 11m", "full 60% 20s x", "60% full 20s", "full 60% -20s",
		"full 99999999999999999999% 20s", "off 1" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct config_pressure p = { .set = true, .percent = 7 };
		assert_true(config_parse_pressure(bad[i], &p) < 0);
		assert_int_equal(p.percent, 7);
	}
}

/* --- every key --- */

#define OF_50  "12345678901234567890123456789012345678901234567890"
#define OF_250 OF_50 OF_50 OF_50 OF_50 OF_50

static const struct {
	const char *section, *key, *good[4], *bad[8];
} bounds[] = {
	{ "warn", "memory", { "90%", "5%", "off" }, { "90.1%", "0%", "0", "512", "1023K", "-5%" } },
	{ "warn", "swap", { "100%", "5%", "off", "1M" }, { "100.1%", "512", "-1", "5" } },
	{ "warn", "pressure", { "some 1% 1s", "full 100% 10m", "off" }, { "some 0% 1s", "on" } },
	{ "kill", "memory", { "0.1%", "10%", "1M" }, { "0%", "0.05%", "99999999T", "16777215T" } },
	{ "kill", "swap", { "0%", "0", "10%" }, { "", "one" } },
	{ "kill", "pressure", { "off", "full 1% 1s" }, { "full 1% 11m" } },
	{ "pressure", "guard", { "0.1%", "100%", "off", "1M" }, { "0%", "0", "500" } },
	{ "timing", "victim_timeout", { "50ms", "10s" }, { "49ms", "61s", "1", "0s" } },
	{ "timing", "victim_cap", { "1s", "10m" }, { "49ms", "601s", "off" } },
	{ "timing", "term_grace", { "100ms", "10m" }, { "99ms", "601s" } },
	{ "timing", "step_timeout", { "100ms", "60s" }, { "99ms", "61s" } },
	{ "timing", "fill_rate", { "16M", "1T", "auto" }, { "15M", "1025G", "10%", "0" } },
	{ "timing", "max_sleep", { "100ms", "10s" }, { "99ms", "10001ms" } },
	{ "escalate", "ladder", { "none", "final kernel cgroup avoided", "cgroup" },
		{ "cgroup cgroup", "none cgroup", "cgroup,kernel", "a" } },
	{ "escalate", "final", { "none", "reboot", "panic", "exec /bin/true" },
		{ "exec", "exec bin/true", "exec /etc/passwd", "exec /etc", "exec /bin/true x",
			"exec /no/such/program", "execute /bin/true", "halt" } },
	{ "victims", "prefer_points", { "0", "1000" }, { "1001", "-1", "3.5", "10%", "x" } },
	{ "victims", "reader", { "auto", "proc", "bpf" },
		{ "or", "BPF", "ebpf", "0", "auto bpf" } },
	{ "victims", "kernel_users", { "kill", "spare" }, { "or", "pin", "1", "kill," } },
	{ "desk", "post_kill", { "none", "/bin/true" },
		{ "off", "true", "/etc/passwd", "/etc", "/no/such/program", "/bin/true x", "" } },
	{ "desk", "hook_timeout", { "100ms", "10m" }, { "99ms", "601s", "off", "10" } },
	{ "desk", "metrics_file", { "off", "/x.prom", "/" OF_250 },
		{ "x.prom", "/x/", "/", "/1" OF_250, "" } },
	{ "desk", "metrics_socket", { "off", "/x", "/123456" OF_50 OF_50 },
		{ "x", "/x/", "/1234567" OF_50 OF_50 } },
	{ "desk", "history", { "off", "/x", "/12" OF_250 }, { "x", "none", "/123" OF_250 } },
	{ "desk", "bus", { "yes", "no" }, { "1", "on", "Yes", "true", "off" } },
	{ "protect r", "exe", { "^/x$", "a|b" }, { "(", "[a", "a{2,1}", "(a)\\1", "\"a\"" } },
	{ "protect r", "unit", { "x" }, { "'x'", "*(", "x # y" } },
	{ "protect r", "cgroup", { "x" }, { "x{1,99999}", "(a{40}){40}" } },
	{ "protect r", "comm", { "x" }, { "a ;b", "" } },
	{ "protect r", "cmdline", { "x" }, { "\\", "# x" } },
	{ "protect r", "uid", { "0", "root", "4294967294" },
		{ "4294967295", "-1", "no-such-user", "0x0", "99999999999999999999" } },
	{ "avoid r", "preference", { "omit", "avoid", "low" },
		{ "none", "Omit", "omit avoid", "1", "Low", "lower", "min" } },
	{ "cgroup d", "path", { "/a", "/*/b-[0-9]?", "/a\\x2d" },
		{ "a", "/", "/a/", "/../a", "/[" } },
	{ "cgroup d", "memory", { "0.1%", "90%", "1M", "off" },
		{ "0%", "90.1%", "1023K", "0", "16777215T", "on" } },
	{ "cgroup d", "pressure", { "full 1% 1s", "some 100% 10m" },
		{ "full 0% 1s", "full 1% 999ms", "full 1% 11m", "full 50%", "none" } },
	{ "cgroup d", "kill", { "process", "group", "cgroup" },
		{ "none", "Group", "cgroup group", "all", "off" } },
	{ "cgroup d", "preference", { "none", "avoid", "protect", "prefer" },
		{ "omit", "low", "Avoid", "avoid prefer", "off" } },
};

/* What a section needs besides the key. */
static const char *besides(size_t i)
{
	bool needs_path = strcmp(bounds[i].section, "cgroup d") == 0;

	return needs_path && strcmp(bounds[i].key, "path") != 0 ? "path = /x\n" : "";
}

static void every_key_takes_what_is_within_its_bounds(void **state)
{
	struct world *w = *state;
	const char *section;

	for (unsigned i = 0; config_key(i, &section); i++)
		assert_string_equal(config_key(i, &section), bounds[i].key);
	assert_null(config_key(ARRAY_SIZE(bounds), &section));
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(bounds[i].good) && bounds[i].good[j]; j++) {
			world_text(w, "[%s]\n%s = %s\n%s", bounds[i].section, bounds[i].key,
				bounds[i].good[j], besides(i));
			assert_int_equal(world_load(w), 0);
			assert_null(strstr(w->said, "error"));
		}
}

static void every_key_refuses_what_is_not_and_names_the_line(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(bounds[i].bad) && bounds[i].bad[j]; j++) {
			world_text(w, "[%s]\n%s = %s\n%s", bounds[i].section, bounds[i].key,
				bounds[i].bad[j], besides(i));
			assert_int_equal(world_load(w), -EINVAL);
			assert_int_equal(lines_of(w->said), 1);
			assert_says(w, "test.conf:2: ");
			assert_null(w->config);
		}
}

static void values_land_where_they_belong(void **state)
{
	struct world *w = *state;
	const struct config *c;

	world_text(w, "%s",
		"[warn]\nmemory=2M\nswap=off\npressure=some 10% 2s\n"
		"[kill]\nmemory : 1M\nswap=off\npressure=off\n"
		"[pressure]\nguard=off\n"
		"[timing]\nvictim_timeout=2s\nvictim_cap=3s\nterm_grace=4s\nstep_timeout=5s\n"
		"fill_rate=6G\nmax_sleep=7s\n"
		"[escalate]\nladder=final\tcgroup\nfinal=exec /bin/true\n"
		"[victims]\nprefer_points=8\nreader=proc\nkernel_users=spare\n"
		"[desk]\npost_kill=/bin/true\nhook_timeout=1s\nmetrics_file=/m\n"
		"metrics_socket=off\nhistory=/h\nbus=no\n"
		"[avoid a]\nexe=e\ncomm=c\ncmdline=l\nunit=u\ncgroup=g\nuid=9\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
	c = w->config;
	assert_int_equal(c->warn.memory.value, 2 * MIB);
	assert_int_equal(c->warn.swap.kind, AMOUNT_OFF);
	assert_int_equal(c->warn.pressure.percent, 10);
	assert_false(c->warn.pressure.full);
	assert_int_equal(c->kill.memory.value, MIB);
	assert_false(c->kill.pressure.set);
	assert_int_equal(c->pressure_guard.kind, AMOUNT_OFF);
	assert_int_equal(c->victim_timeout_usec, 2 * USEC_PER_SEC);
	assert_int_equal(c->victim_cap_usec, 3 * USEC_PER_SEC);
	assert_int_equal(c->term_grace_usec, 4 * USEC_PER_SEC);
	assert_int_equal(c->step_timeout_usec, 5 * USEC_PER_SEC);
	assert_int_equal(c->fill_rate_bytes, 6 * GIB);
	assert_int_equal(c->max_sleep_usec, 7 * USEC_PER_SEC);
	assert_int_equal(c->ladder_count, 2);
	assert_int_equal(c->ladder[0], LADDER_FINAL);
	assert_int_equal(c->ladder[1], LADDER_CGROUP);
	assert_int_equal(c->final, FINAL_EXEC);
	assert_string_equal(c->final_path, "/bin/true");
	assert_int_equal(c->prefer_points, 8);
	assert_string_equal(c->desk.post_kill, "/bin/true");
	assert_int_equal(c->desk.hook_timeout_usec, USEC_PER_SEC);
	assert_string_equal(c->desk.metrics_file, "/m");
	assert_string_equal(c->desk.metrics_socket, "");
	assert_string_equal(c->desk.history, "/h");
	assert_false(c->desk.bus);
	assert_int_equal(c->reader, READER_PROC);
	assert_int_equal(c->kernel_users, KERNEL_USERS_SPARE);
	assert_int_equal(c->rule_count, 1);
	assert_int_equal(c->rules[0].action, RULE_AVOID);
	assert_string_equal(c->rules[0].name, "a");
	assert_string_equal(c->rules[0].exe.text, "e");
	assert_string_equal(c->rules[0].comm.text, "c");
	assert_string_equal(c->rules[0].cmdline.text, "l");
	assert_string_equal(c->rules[0].unit.text, "u");
	assert_string_equal(c->rules[0].cgroup.text, "g");
	assert_true(c->rules[0].uid_set);
	assert_int_equal(c->rules[0].uid, 9);
}

/* --- between values --- */

static void levels_out_of_order_are_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "[warn]\nmemory = 4%\n", "test.conf:2: memory of [warn] is below" },
		{ "[warn]\nmemory = 8%\n[kill]\nmemory = 9%\n", "test.conf:4: memory of [warn]" },
		{ "[kill]\nmemory = 9M\n[warn]\nmemory = 8M\n", "test.conf:4: memory of [warn]" },
		{ "[kill]\nswap = 11%\n", "test.conf:2: swap of [warn] is below" },
		{ "[kill]\nmemory = off\npressure = off\n",
			"test.conf:3: [kill] has memory = off" },
		{ "[timing]\nvictim_cap = 900ms\n", "test.conf:2: victim_cap is below" },
		{ "[timing]\nvictim_cap = 2s\nvictim_timeout = 3s\n",
			"test.conf:3: victim_cap is" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		world_text(w, "%s", bad[i].text);
		assert_int_equal(world_load(w), -EINVAL);
		assert_int_equal(lines_of(w->said), 1);
		assert_says(w, bad[i].says);
	}
}

static void levels_in_good_order_are_taken(void **state)
{
	static const char *const good[] = {
		"[warn]\nmemory = off\n",
		/* A share above a size, on whatever machine this is. */
		"[warn]\nmemory = 90%\n[kill]\nmemory = 1M\n",
		"[kill]\nmemory = off\n",
		"[warn]\nmemory = 7%\n[kill]\nmemory = 7%\n",
		"[warn]\nswap = off\n",
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		world_text(w, "%s", good[i]);
		assert_int_equal(world_load(w), 0);
		assert_string_equal(w->said, "");
	}
}

static void what_is_only_doubtful_gives_a_warning(void **state)
{
	static const struct {
		const char *text, *says;
	} doubtful[] = {
		{ "[protect x]\ncomm = ^x$\n", ":1: [protect x] goes by comm alone" },
		{ "[protect x]\ncmdline = x\n", ":1: [protect x] goes by cmdline alone" },
		{ "[protect x]\ncmdline = x\ncomm = x\n", "goes by comm and cmdline alone" },
		{ "[avoid x]\nexe = .*\n", ":2: exe = \".*\" matches every process" },
		{ "[avoid x]\nexe = java|\n", "matches every process" },
		{ "[escalate]\nfinal = reboot\n", ":2: the final action is never taken" },
		{ "[kill]\nswap = off\n", ":2: [kill] ignores swap but [warn] does not" },
		/* 5% of any machine that this runs on is more. */
		{ "[warn]\nmemory = 1M\n", ":2: memory of [warn] is below that of [kill]" },
		{ "[kill]\nmemory = 90%\n[warn]\nmemory = 2M\n", ":4: memory of [warn] is" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(doubtful); i++) {
		world_text(w, "%s", doubtful[i].text);
		assert_int_equal(world_load(w), 0);
		assert_int_equal(lines_of(w->said), 1);
		assert_true(strncmp(w->said, "warning: ", 9) == 0);
		assert_says(w, doubtful[i].says);
	}
	/* ... and what is not does not. */
	world_text(w,
		"[avoid x]\ncomm = x\n[prefer x]\ncmdline = x\n[protect x]\ncomm = x\nuid = 0\n"
		"[protect y]\nexe = ^$\n[escalate]\nladder = final\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
}

/* --- lines --- */

static void all_errors_of_all_files_are_said_at_once(void **state)
{
	struct world *w = *state;
	_cleanup_(freep) char *expected = read_whole(fixture("errors.txt"));
	char *prefix = w->path; /* of every name in the messages */

	snprintf(prefix, sizeof(w->path), "%s/config/", getenv("OOMFWD_FIXTURES"));
	assert_int_equal(world_load_file(w, fixture("errors.conf")), -EINVAL);
	assert_null(w->config);
	for (char *p; (p = strstr(w->said, prefix));)
		memmove(p, p + strlen(prefix), strlen(p + strlen(prefix)) + 1);
	assert_string_equal(w->said, expected);
}

static void long_values_are_whole_and_lines_counted_right(void **state)
{
	struct world *w = *state;
	char pattern[4000];

	for (size_t i = 0; i < sizeof(pattern) - 1; i++)
		pattern[i] = "abc="[i % 4];
	memcpy(pattern + sizeof(pattern) - 6, ";tail", 6);
	world_text(w, "# %.3990s\n[avoid a]\nexe = %s\nuid = 1\n[timing]\nnonsense = 1\n", pattern,
		pattern);
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "test.conf:6: there is no key \"nonsense\"");
	world_text(w, "# %.3990s\n[avoid a]\nexe = %s\nuid = 1\n", pattern, pattern);
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->config->rules[0].exe.text, pattern);
	assert_int_equal(w->config->rules[0].uid, 1);
}

static void lines_over_the_limit_are_refused(void **state)
{
	struct world *w = *state;
	char blanks[4096];

	memset(blanks, ' ', sizeof(blanks));
	blanks[4095] = '\0';
	world_text(w, "%s\n[timing]\nmax_sleep = 1s\n", blanks);
	assert_int_equal(world_load(w), 0);
	world_text(w, "#%s\n[timing]\nmax_sleep = 1s\nx = 1\n", blanks);
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 2);
	assert_says(w, "test.conf:1: the line has 4096 bytes; at most 4095 are allowed");
	assert_says(w, "test.conf:4: there is no key");
	/* A key so far out that inih never sees its "=". */
	blanks[1000] = '\0';
	memset(blanks, 'k', 1000);
	world_text(w, "[timing]\n%s = 1s\n", blanks);
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "test.conf:2: ");
}

static void indented_lines_are_lines_of_their_own(void **state)
{
	struct world *w = *state;

	world_text(
		w, "[timing]\nvictim_timeout = 2s\n\tmax_sleep = 3s\n   # comment\n  ; comment\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->victim_timeout_usec, 2 * USEC_PER_SEC);
	assert_int_equal(w->config->max_sleep_usec, 3 * USEC_PER_SEC);
	world_text(w, "[avoid a]\nexe = ^/usr/(a|\n  b)$\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "test.conf:3: \"b)$\" is neither");
	assert_says(w, "a value cannot go on over more lines");
}

static void semicolons_and_hashes_inside_a_pattern_stay(void **state)
{
	struct world *w = *state;

	world_text(w, "[avoid a]\ncmdline = a;b#c [;][#]d\n");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->config->rules[0].cmdline.text, "a;b#c [;][#]d");
	assert_int_equal(regexec(&w->config->rules[0].cmdline.regex, "a;b#c ;#d", 0, NULL, 0), 0);
}

static void line_ends_of_other_systems_are_taken(void **state)
{
	struct world *w = *state;

	world_text(w, "\xEF\xBB\xBF[timing]\r\nmax_sleep = 3s \r\n\r\n[avoid a]\r\nuid=1");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->max_sleep_usec, 3 * USEC_PER_SEC);
	assert_int_equal(w->config->rules[0].uid, 1);
	world_text(w, "%s", "");
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->said, "");
}

static void names_are_known_by_their_nearest(void **state)
{
	static const struct {
		const char *text, *says;
	} unknown[] = {
		{ "[timing]\nmax_slep = 1s\n", "nearest is \"max_sleep\"" },
		{ "[warn]\nMemory = 5%\n", "nearest is \"memory\"" },
		{ "[protect a]\ncommand = x\nuid = 0\n", "nearest is \"comm\"" },
		{ "[protect a]\nuuid = x\nuid = 0\n", "nearest is \"uid\"" },
		{ "[timings]\nx = 1\n", "nearest is [timing]" },
		{ "[Protect a]\nx = 1\n", "nearest is [protect]" },
		{ "[escalate]\nladder = kernal\n", "nearest is \"kernel\"" },
		{ "[kill]\nguard = 1%\n", "not belong here but below [pressure]" },
		{ "[timing]\nuid = 1\n", "not belong here but below [protect NAME]" },
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		world_text(w, "%s", unknown[i].text);
		assert_int_equal(world_load(w), -EINVAL);
		assert_int_equal(lines_of(w->said), 1);
		assert_says(w, unknown[i].says);
	}
}

static void a_key_is_set_once_in_a_file(void **state)
{
	struct world *w = *state;

	world_text(w, "[warn]\nmemory = 20%%\n[timing]\n[warn]\nmemory = 30%%\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "test.conf:5: \"memory\" was set in line 2 already");
	world_text(w, "[avoid a]\nuid = 1\nuid = 2\n[avoid b]\nuid = 2\n");
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(lines_of(w->said), 1);
	assert_says(w, "test.conf:3: \"uid\" was set in line 2 already");
}

/* --- rules --- */

static void rules_have_room_and_names_have_limits(void **state)
{
	struct world *w = *state;
	char text[8192] = "";
	size_t at = 0;

	for (int i = 0; i < CONFIG_RULES_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "[avoid r%d]\nexe=x\n", i);
	world_text(w, "%s", text);
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->rule_count, CONFIG_RULES_MAX);
	world_text(w, "%s[avoid more]\nexe=(\nuid=1\n[protect r1]\nexe=x\n", text);
	assert_int_equal(world_load(w), -EINVAL);
	assert_int_equal(
		lines_of(w->said), 3); /* the bad pattern of the one too many is said too */
	assert_says(w, "test.conf:129: more than 64 rules");
	assert_says(w, "test.conf:130: exe = \"(\"");
	assert_says(w, "test.conf:132: more than 64 rules");
	world_text(w, "[avoid %.47s]\nuid=1\n", text_of('n', 47));
	assert_int_equal(world_load(w), 0);
	assert_string_equal(w->config->rules[0].name, text_of('n', 47));
	world_text(w, "[avoid %.48s]\nuid=1\n", text_of('n', 48));
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "cannot name a rule");
}

static void the_same_name_may_serve_two_kinds(void **state)
{
	struct world *w = *state;

	world_text(w, "[avoid a]\nuid=1\n[prefer a]\nuid=2\n[protect a]\nuid=3\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(w->config->rule_count, 3);
}

static void patterns_match_as_grep_does(void **state)
{
	static const char *const good[] = { "a{3}", "(a|b)+", "[])]+[^]{}[:alpha:]]", "ba{,3}",
		"^/usr/(s?bin|lib)/[^/]+$", "[0-9a-f]{64}", "\\{\\}\\(", "(a{20}){20}", "x{1000}",
		"[{9999}]", "((a+)+b+)+", "(a?){40}(b*){40}c", "a\\\\1" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		world_text(w, "[avoid a]\nexe = %s\n", good[i]);
		assert_int_equal(world_load(w), 0);
		assert_string_equal(w->said, "");
	}
	world_text(w, "[avoid a]\nexe = ab+$\n");
	assert_int_equal(world_load(w), 0);
	assert_int_equal(regexec(&w->config->rules[0].exe.regex, "/x/abbb", 0, NULL, 0), 0);
	assert_int_not_equal(regexec(&w->config->rules[0].exe.regex, "/x/abc", 0, NULL, 0), 0);
}

static void patterns_that_could_take_for_ever_are_refused(void **state)
{
	static const char *const bad[] = { "((a{1,50}){1,50}){1,50}", "a{1,32767}", "(a{999}){999}",
		"([a)]{40}){40}", "a{99999999999999999999}", "x(((a{11}){11})b){11}",
		"a{600}b{600}", "(.*)x\\1", "a{9}{9}{9}{9}",
		"((((((((((((a)+)+)+)+)+)+)+)+)+)+)+)+", "a+++++++++++",
		"(((((((((((a){1,}){1,}){1,}){1,}){1,}){1,}){1,}){1,}){1,}){1,}){1,}",
		"(a{40})*{40}" };
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		world_text(w, "[avoid a]\nexe = %s\n", bad[i]);
		assert_int_equal(world_load(w), -EINVAL);
		assert_int_equal(lines_of(w->said), 1);
		assert_true(strstr(w->said, "repeats too much") ||
			strstr(w->said, "has a back-reference"));
	}
	world_text(w, "[avoid a]\nexe = %.65sa%.65s\n", text_of('(', 65), text_of(')', 65));
	assert_int_equal(world_load(w), -EINVAL);
	assert_says(w, "is nested too deeply");
	world_text(w, "[avoid a]\nexe = %.64sa%.64s\n", text_of('(', 64), text_of(')', 64));
	assert_int_equal(world_load(w), 0);
}

int main(void)
{
#define world_test(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_have_binary_units),
		cmocka_unit_test(durations_need_a_unit),
		cmocka_unit_test(a_bad_size_or_duration_changes_nothing),
		cmocka_unit_test(an_amount_is_a_share_a_size_or_off),
		cmocka_unit_test(a_bad_amount_changes_nothing),
		cmocka_unit_test(pressure_is_kind_share_and_span),
		cmocka_unit_test(a_bad_pressure_changes_nothing),
		world_test(every_key_takes_what_is_within_its_bounds),
		world_test(every_key_refuses_what_is_not_and_names_the_line),
		world_test(values_land_where_they_belong),
		world_test(levels_out_of_order_are_refused),
		world_test(levels_in_good_order_are_taken),
		world_test(what_is_only_doubtful_gives_a_warning),
		world_test(all_errors_of_all_files_are_said_at_once),
		world_test(long_values_are_whole_and_lines_counted_right),
		world_test(lines_over_the_limit_are_refused),
		world_test(indented_lines_are_lines_of_their_own),
		world_test(semicolons_and_hashes_inside_a_pattern_stay),
		world_test(line_ends_of_other_systems_are_taken),
		world_test(names_are_known_by_their_nearest),
		world_test(a_key_is_set_once_in_a_file),
		world_test(rules_have_room_and_names_have_limits),
		world_test(the_same_name_may_serve_two_kinds),
		world_test(patterns_match_as_grep_does),
		world_test(patterns_that_could_take_for_ever_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
