/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said, word by word. That saying it keeps nobody waiting: test-logger.c.
 */
#include "report.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Everything set, so that a sentence shows only what belongs to it. */
static struct report_event sample(enum report_kind kind)
{
	struct report_event e = { .kind = kind,
		.victim = { 4242, 1 },
		.comm = "java",
		.cgroup = "/system.slice/shop.service",
		.uid = 1000,
		.sig = SIGKILL,
		.members = 2,
		.evidence = MM_EVIDENCE_KCMP,
		.expected_bytes = 3328 * MIB,
		.freed_bytes = 3174 * MIB,
		.latency_usec = 84 * USEC_PER_MSEC,
		.detect_usec = 12 * USEC_PER_MSEC,
		.available_before_bytes = 656 * MIB,
		.available_after_bytes = 9760 * MIB,
		.total_bytes = 16000 * MIB,
		.swap_total_bytes = 2 * GIB,
		.swap_free_bytes = 0,
		.need_bytes = 2 * GIB,
		.oom_score_adj = 300,
		.level = LEVEL_KILL,
		.cause = CAUSE_MEMORY,
		.victims = 2,
		.kernel_oom_kills = 1 };

	return e;
}

static void assert_said(const struct report_event *e, const char *expected)
{
	char text[2048];

	report_format(e, text, sizeof(text));
	assert_string_equal(text, expected);
}

/* Among other things. */
static void assert_says(const struct report_event *e, const char *part)
{
	char text[2048];

	report_format(e, text, sizeof(text));
	assert_non_null(strstr(text, part));
}

static void put_in_domain(struct report_event *e)
{
	snprintf(e->domain, sizeof(e->domain), "docker");
	snprintf(e->domain_path, sizeof(e->domain_path),
		"/system.slice/docker-"
		"3f00aa11bb223f00aa11bb223f00aa11bb223f00aa11bb223f00aa11bb22cafe.scope");
}

static void the_beginning_of_an_episode(void **state)
{
	struct report_event e = sample(REPORT_EPISODE_BEGAN);

	e.available_after_bytes = 656 * MIB;
	assert_said(&e,
		"memory is at the kill level: 656 MiB of 16 GiB available (4.1 %), "
		"0 B of 2.0 GiB swap free");
	e.swap_total_bytes = 0;
	e.level = LEVEL_WARN;
	e.cause = CAUSE_PRESSURE;
	assert_said(&e,
		"memory pressure has reached the warn level: 656 MiB of 16 GiB available "
		"(4.1 %), no swap");
}

static void a_signal_is_explained(void **state)
{
	struct report_event e = sample(REPORT_SIGNALLED);

	assert_said(&e,
		"sent SIGKILL to 4242 (java) and 1 sharer of uid 1000 in "
		"/system.slice/shop.service to get back 3.3 GiB; 2.0 GiB are needed: the "
		"highest badness of those that may be killed, oom_score_adj 300, sharers "
		"known by kcmp; memory is at the kill level, 656 MiB of 16 GiB available "
		"(4.1 %), 12 ms from detection to the last signal");
	e.dry_run = true;
	e.sig = SIGTERM;
	e.members = 1;
	e.evidence = MM_EVIDENCE_UNKNOWN;
	e.shmem_bytes = GIB;
	e.newborn = 3;
	e.major_faults = 2;
	e.cgroup[0] = '\0';
	strcpy(e.rule, "batch");
	assert_said(&e,
		"would have sent SIGTERM to 4242 (java) of uid 1000 to get back 3.3 GiB "
		"(1.0 GiB of it shared memory); 2.0 GiB are needed: the highest badness "
		"of those that may be killed, oom_score_adj 300, rule \"batch\", more "
		"sharers are possible: not all could be compared, 3 born meanwhile; memory "
		"is at the kill level, 656 MiB of 16 GiB available (4.1 %), 12 ms from "
		"detection to the last signal, with 2 major page faults");
}

static void why_sigkill_follows_at_once(void **state)
{
	struct report_event e = sample(REPORT_SIGNALLED);

	e.ignores_term = true;
	assert_says(&e, "oom_score_adj 300, sharers known by kcmp, one of them ignores SIGTERM; ");
	e.members = 1;
	assert_says(&e, "oom_score_adj 300, it ignores SIGTERM; ");
}

static void a_container_is_named_as_its_tool_does(void **state)
{
	struct report_event e = sample(REPORT_SIGNALLED);

	strcpy(e.cgroup,
		"/system.slice/docker-"
		"3f2a9c1b04de5566778899aabbccddeeff00112233445566778899aabbccddee.scope");
	assert_said(&e,
		"sent SIGKILL to 4242 (java) and 1 sharer of uid 1000 in Docker container "
		"3f2a9c1b04de to get back 3.3 GiB; 2.0 GiB are needed: the highest badness of "
		"those "
		"that may be killed, oom_score_adj 300, sharers known by kcmp; memory is at the "
		"kill level, 656 MiB of 16 GiB available (4.1 %), 12 ms from detection to the last "
		"signal");
}

static void freed_says_what_and_how_fast(void **state)
{
	struct report_event e = sample(REPORT_FREED);

	assert_said(&e,
		"killed 4242 (java) and 1 sharer, freed 3.1 GiB in 84 ms; "
		"mem available 4.1 % -> 61 %");
	e.members = 4;
	e.sig = SIGTERM;
	e.latency_usec = 1234567;
	assert_said(&e,
		"terminated 4242 (java) and 3 sharers, freed 3.1 GiB in 1.2 s; "
		"mem available 4.1 % -> 61 %");
	e.members = 1;
	e.dry_run = true;
	e.sig = SIGKILL;
	e.total_bytes = 0; /* not to divide by */
	assert_said(&e,
		"would have killed 4242 (java), freed 3.1 GiB in 1.2 s; "
		"mem available 100 % -> 100 %");
}

static void stuck_names_the_culprit(void **state)
{
	static const struct {
		struct kill_blame blame;
		const char *text;
	} table[] = {
		{ { BLAME_UNKNOWN, 0, "", 0, "" },
			"mm of 4242 (java) and 1 sharer is stuck, for no reason that can be seen, "
			"84 ms after SIGKILL; hidden, next victim" },
		{ { BLAME_PINNED, 1, "systemd", 0, "" },
			"mm of 4242 (java) and 1 sharer: mm pinned by 1 (systemd), "
			"84 ms after SIGKILL; hidden, next victim" },
		{ { BLAME_STATE, 4243, "", 'D', "percpu_rwsem_wait" },
			"mm of 4242 (java) and 1 sharer is stuck: thread 4243 in D state at wchan "
			"percpu_rwsem_wait, 84 ms after SIGKILL; hidden, next victim" },
		{ { BLAME_STATE, 4243, "", 'D', "" },
			"mm of 4242 (java) and 1 sharer is stuck: thread 4243 in D state, "
			"84 ms after SIGKILL; hidden, next victim" },
		{ { BLAME_CORE_DUMP, 0, "", 0, "" },
			"mm of 4242 (java) and 1 sharer is stuck: its core is being dumped, "
			"84 ms after SIGKILL; hidden, next victim" },
		{ { BLAME_KTHREAD, 99, "vhost-4242", 0, "" },
			"mm of 4242 (java) and 1 sharer: mm pinned by kernel thread 99 "
			"(vhost-4242), 84 ms after SIGKILL; hidden, next victim" },
		{ { BLAME_HELD, 0, "", 0, "" },
			"mm of 4242 (java) and 1 sharer is stuck: all its processes are gone, but "
			"something still holds it, 84 ms after SIGKILL; hidden, next victim" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct report_event e = sample(REPORT_STUCK);
		e.blame = table[i].blame;
		assert_said(&e, table[i].text);
	}
}

static void a_pin_is_named(void **state)
{
	struct report_event e = sample(REPORT_HIDDEN_PIN);

	e.pin = MM_PIN_INIT;
	e.pin_pid = 1;
	strcpy(e.pin_comm, "systemd");
	assert_said(&e,
		"not killing 4242 (java) and 1 sharer, for its 3.3 GiB would not come back: "
		"mm pinned by 1 (systemd)");
	e.pin = MM_PIN_PROTECTED;
	strcpy(e.rule, "base");
	assert_said(&e,
		"not killing 4242 (java) and 1 sharer, for its 3.3 GiB would not come back: "
		"mm pinned by 1 (systemd), which is protected by rule \"base\"");
	e.pin = MM_PIN_ADJ;
	assert_said(&e,
		"not killing 4242 (java) and 1 sharer, for its 3.3 GiB would not come back: "
		"mm pinned by 1 (systemd), which has oom_score_adj -1000");
	e.pin = MM_PIN_SELF;
	assert_said(&e,
		"not killing 4242 (java) and 1 sharer, for its 3.3 GiB would not come back: "
		"mm pinned by 1 (systemd), which is oomfwd itself");
	e.pin = MM_PIN_KTHREAD;
	e.pin_pid = 99;
	strcpy(e.pin_comm, "vhost-4242");
	assert_said(&e,
		"not killing 4242 (java) and 1 sharer, for its 3.3 GiB would not come back: "
		"mm pinned by 99 (vhost-4242), a kernel thread, and kernel_users = spare");
}

/* Known before the kill by BPF alone; no pin, for it mostly lets go. */
static void a_kernel_thread_that_uses_the_memory_is_named_before_the_kill(void **state)
{
	struct report_event e = sample(REPORT_SIGNALLED);
	char text[1024];

	e.evidence = MM_EVIDENCE_BPF;
	e.kthread_pid = 99;
	strcpy(e.kthread_comm, "vhost-4242");
	report_format(&e, text, sizeof(text));
	assert_non_null(strstr(text, ", its memory used by kernel thread 99 (vhost-4242) too"));
	assert_non_null(strstr(text, ", sharers known by BPF"));
	e.kthread_pid = 0;
	report_format(&e, text, sizeof(text));
	assert_null(strstr(text, "kernel thread"));
}

static void a_kill_that_failed(void **state)
{
	struct report_event e = sample(REPORT_LOST);

	e.error = -ESRCH;
	assert_said(&e, "could not kill 4242 (java) and 1 sharer: No such process; choosing again");
	e.error = -EPERM;
	assert_said(&e,
		"could not kill 4242 (java) and 1 sharer: Operation not permitted; hidden, "
		"next victim");
	e.error = -EMFILE;
	assert_said(
		&e, "could not kill 4242 (java) and 1 sharer: Too many open files; choosing again");
	e.error = -ENOSPC;
	assert_said(&e,
		"could not kill 4242 (java) and 1 sharer: no room for it among the 256 "
		"groups of 2048 processes in all in flight; choosing again");
	e.members = KILL_MEMBERS_MAX + 1;
	assert_said(&e,
		"could not kill 4242 (java) and 2048 sharers: no room for it among the "
		"256 groups of 2048 processes in all in flight; hidden, next victim");
}

static void nobody_left_says_what_to_do(void **state)
{
	struct report_event e = sample(REPORT_NO_VICTIM);

	e.available_after_bytes = 656 * MIB;
	e.result = VICTIM_NONE;
	assert_said(&e,
		"no victim: every process is protected, avoided, pinned or hidden (oomfwd "
		"--once --dry-run lists them); 2.0 GiB needed, 656 MiB of 16 GiB available "
		"(4.1 %)");
	e.result = VICTIM_HOPELESS;
	e.shmem_total_bytes = 2150 * MIB;
	assert_said(&e,
		"no victim: those that may be killed hold too little to matter; 2.0 GiB "
		"needed, 656 MiB of 16 GiB available (4.1 %); 2.1 GiB is held by shared "
		"memory and tmpfs files: free some under /dev/shm, /tmp or /run");
	e.shmem_total_bytes = 100 * MIB; /* not the trouble: not mentioned */
	e.result = VICTIM_ALL_DYING;
	assert_said(&e,
		"no new victim: what could be chosen is dying already; 2.0 GiB needed, "
		"656 MiB of 16 GiB available (4.1 %)");
}

static void the_steps_of_the_ladder(void **state)
{
	static const struct {
		enum ladder_step step;
		const char *cgroup;
		int error;
		bool dry_run;
		const char *text;
	} table[] = {
		{ LADDER_AVOIDED, "", 0, false,
			"no victim is left, so oomfwd has made processes that avoid rules spare "
			"eligible" },
		{ LADDER_CGROUP, "/shop", 0, false,
			"no victim is left, so oomfwd has killed the whole cgroup /shop of 2 "
			"processes and 3.3 GiB" },
		{ LADDER_CGROUP, "/shop", 0, true,
			"would have killed the whole cgroup /shop of 2 processes and 3.3 GiB" },
		{ LADDER_KERNEL, "", 0, false,
			"no victim is left, so oomfwd has called the kernel's OOM killer (sysrq "
			"f)" },
		{ LADDER_FINAL, "/sbin/rescue", 0, false,
			"no victim is left, so oomfwd has taken the final action, /sbin/rescue" },
	};
	char text[512], expected[512];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct report_event e = sample(REPORT_STEP);
		e.step = table[i].step;
		e.error = table[i].error;
		e.dry_run = table[i].dry_run;
		strcpy(e.cgroup, table[i].cgroup);
		assert_said(&e, table[i].text);
		e.error = -EACCES;
		snprintf(expected, sizeof(expected),
			"no victim is left, and step \"%s\" failed: Permission denied; next step",
			config_ladder_name(e.step));
		assert_said(&e, expected);
		e.error = -ENOENT;
		report_format(&e, text, sizeof(text));
		assert_non_null(strstr(text, "has nothing to do here; next step"));
	}
}

static void the_end_of_an_episode(void **state)
{
	struct report_event e = sample(REPORT_RECOVERED);

	assert_said(&e,
		"memory has recovered after 84 ms: 2 victims, 3.1 GiB freed; "
		"mem available 4.1 % -> 61 %");
	e.victims = 0;
	assert_said(&e,
		"memory has recovered after 84 ms without a victim; "
		"mem available 4.1 % -> 61 %");
}

static void the_kernel_was_faster(void **state)
{
	struct report_event e = sample(REPORT_KERNEL_OOM);

	assert_said(&e,
		"the kernel's own OOM killer has killed 1 process meanwhile: oomfwd was too "
		"late, or a cgroup met its own limit; if memory was short everywhere, raise the "
		"levels in " CONFIG_PATH);
	put_in_domain(&e);
	e.kernel_oom_kills = 2;
	assert_said(&e,
		"Docker container 3f00aa11bb22 [cgroup docker]: the kernel's own OOM killer has "
		"killed 2 "
		"processes meanwhile: it met its limit faster than its stalls could be measured");
}

static void what_is_about_a_domain_names_it(void **state)
{
	struct report_event e = sample(REPORT_EPISODE_BEGAN);

	put_in_domain(&e);
	e.available_after_bytes = 656 * MIB;
	e.swap_total_bytes = 0;
	e.cause = CAUSE_PRESSURE;
	assert_said(&e,
		"Docker container 3f00aa11bb22 [cgroup docker]: its memory pressure has reached "
		"the kill "
		"level: 656 MiB of 16 GiB available (4.1 %), no swap");
	e = sample(REPORT_RECOVERED);
	put_in_domain(&e);
	assert_said(&e,
		"Docker container 3f00aa11bb22 [cgroup docker]: memory has recovered after 84 ms: "
		"2 "
		"victims, 3.1 GiB freed; mem available 4.1 % -> 61 %");
}

static void who_dies_in_another_cgroup_is_said(void **state)
{
	struct report_event e = sample(REPORT_SIGNALLED);
	char text[2048];

	put_in_domain(&e);
	e.outside = 1;
	report_format(&e, text, sizeof(text));
	assert_non_null(strstr(
		text, ", 1 of them in another cgroup; Docker container 3f00aa11bb22 [cgroup"));
	assert_int_equal(report_level_of(&e), REPORT_WARNING);
	assert_non_null(strstr(text, " are needed: the highest badness of those"));
	e.along = true; /* one of many in a cgroup that dies whole */
	report_format(&e, text, sizeof(text));
	assert_non_null(strstr(text, " are needed: along with a victim whose cgroup dies whole, "));
	assert_int_equal(report_level_of(&e), REPORT_DEBUG);
}

static void a_cgroup_that_dies_whole(void **state)
{
	struct report_event e = { .kind = REPORT_WHOLE, .members = 5 };

	snprintf(e.cgroup, sizeof(e.cgroup), "/pod");
	assert_said(&e,
		"killed all of /pod, 5 processes, with its victim: its memory.oom.group is set");
	e.kill = DOMAIN_KILL_CGROUP;
	e.members = 1;
	e.dry_run = true;
	assert_said(&e,
		"would have killed all of /pod, 1 process, with its victim: kill = cgroup is set "
		"for it");
	e.error = -EBUSY;
	assert_said(&e,
		"not all of /pod is killed, though kill = cgroup is set for it: a process "
		"in it is protected; those that may die were signalled");
	e.error = -ECANCELED;
	assert_said(&e,
		"not all of /pod is killed, though kill = cgroup is set for it: a process "
		"in it is protected; its victim alone was signalled");
	e.error = -ETIME;
	assert_said(&e,
		"not all of /pod is killed, though kill = cgroup is set for it: whether all of it "
		"may die could not be read in time, nor after it; restart what is of no use "
		"without its victim");
	e.error = -ENOSPC;
	assert_said(&e,
		"not all of /pod is killed, though kill = cgroup is set for it: more cgroups are "
		"to die whole than oomfwd can watch at a time; only those it has signalled die");
	e.error = -EAGAIN;
	assert_said(&e,
		"whether all of /pod are to die with a victim could not be read in time, nor "
		"after it: they live; restart what is of no use without the victim");
	e.error = -ETIMEDOUT;
	assert_said(&e,
		"not all of /pod is killed, though kill = cgroup is set for it: the kernel has "
		"not confirmed it yet");
	e.error = -EALREADY;
	assert_said(&e,
		"not all of /pod is killed, though kill = cgroup is set for it: the kernel has "
		"not confirmed the kill of another one yet");
	e.kind = REPORT_STEP;
	e.step = LADDER_CGROUP;
	e.error = -ETIMEDOUT;
	assert_said(&e,
		"no victim is left, so oomfwd has asked for the kill of all of /pod, which the "
		"kernel has not confirmed yet");
}

static bool is_harmless(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || (unsigned char)*s >= 0x80)
			return false;
	return true;
}

static void hostile_names_break_nothing(void **state)
{
	for (int kind = REPORT_EPISODE_BEGAN; kind <= REPORT_KERNEL_OOM; kind++) {
		struct report_event e = sample((enum report_kind)kind);
		char text[2048];

		memcpy(e.comm, "\n\033[2J\r\"\x80\x9b\xff\\x\t)(", sizeof(e.comm));
		memset(e.comm + 14, '\a', 2); /* no NUL at all */
		memcpy(e.pin_comm, e.comm, sizeof(e.comm));
		memcpy(e.blame.comm, e.comm, sizeof(e.comm));
		e.blame.kind = BLAME_PINNED;
		e.pin = MM_PIN_PROTECTED;
		memset(e.cgroup, '\n', sizeof(e.cgroup) - 1);
		memset(e.rule, 0x1b, sizeof(e.rule) - 1);
		memset(e.domain, '\r', sizeof(e.domain) - 1);
		memset(e.domain_path, 0x9b, sizeof(e.domain_path) - 1);
		report_format(&e, text, sizeof(text));
		assert_true(is_harmless(text));
		for (size_t size = 1; size < 200; size++) {
			char *cut = malloc(size); /* for ASan to watch the end of */
			report_format(&e, cut, size);
			assert_true(strlen(cut) < size);
			assert_memory_equal(cut, text, strlen(cut));
			free(cut);
		}
	}
}

static void what_is_escaped_and_what_is_not(void **state)
{
	static const struct {
		const char *text, *escaped;
	} table[] = {
		{ "", "" }, { "java", "java" }, { "a b(c)\"d'", "a b(c)\"d'" },
		{ "a\nb\tc\x1b[0m", "a\\x0Ab\\x09c\\x1B[0m" }, { "\x7f", "\\x7F" },
		{ "a\\x41", "a\\x5Cx41" },
		{ "caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\xa7",
			"caf\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x90\xa7" },
		{ "\xc2\x9b"
		  "31m",
			"\\xC2\\x9B31m" }, /* C1: CSI */
		{ "\x9b"
		  "31m",
			"\\x9B31m" },                           /* the same as a raw byte */
		{ "\xc0\xaf", "\\xC0\\xAF" },                   /* "/" the long way */
		{ "\xe0\x80\xaf", "\\xE0\\x80\\xAF" },          /* and longer */
		{ "\xed\xa0\x80", "\\xED\\xA0\\x80" },          /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80" }, /* over U+10FFFF */
		{ "\xf8\x88\x80\x80\x80", "\\xF8\\x88\\x80\\x80\\x80" },
		{ "a\xe6\xbc", "a\\xE6\\xBC" }, /* cut, as the kernel cuts comm */
		{ "\xc3", "\\xC3" }, { "\xc3(", "\\xC3(" },
		{ "\xe2\x80\xa8", "\\xE2\\x80\\xA8" }, /* line separator */
		{ "\xe2\x80\xae"
		  "exe",
			"\\xE2\\x80\\xAEexe" }, /* right to left */
	};
	char text[128];

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_string_equal(
			report_escape(table[i].text, text, sizeof(text)), table[i].escaped);
}

static void a_cut_never_goes_through_a_character(void **state)
{
	static const char *const whole = "a\xc3\xa9\n\xe6\xbc\xa2\xf0\x9f\x90\xa7";
	static const char *const by_size[] = { NULL, "", "a", "a", "a\xc3\xa9", "a\xc3\xa9",
		"a\xc3\xa9", "a\xc3\xa9", "a\xc3\xa9\\x0A", "a\xc3\xa9\\x0A", "a\xc3\xa9\\x0A",
		"a\xc3\xa9\\x0A\xe6\xbc\xa2", "a\xc3\xa9\\x0A\xe6\xbc\xa2",
		"a\xc3\xa9\\x0A\xe6\xbc\xa2", "a\xc3\xa9\\x0A\xe6\xbc\xa2",
		"a\xc3\xa9\\x0A\xe6\xbc\xa2\xf0\x9f\x90\xa7" };

	for (size_t size = 1; size < ARRAY_SIZE(by_size); size++) {
		char *text = malloc(size);
		assert_string_equal(report_escape(whole, text, size), by_size[size]);
		free(text);
	}
}

static void numbers_have_units(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} bytes[] = { { 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" },
		{ 412 * MIB, "412 MiB" }, { 3174 * MIB, "3.1 GiB" }, { 10 * GIB - 1, "10 GiB" },
		{ GIB - 1, "1.0 GiB" }, { 1023 * MIB, "1023 MiB" }, { UINT64_MAX, "16 EiB" } };
	static const struct {
		uint64_t usec;
		const char *text;
	} times[] = { { 0, "0 us" }, { 999, "999 us" }, { 84000, "84 ms" }, { 999499, "999 ms" },
		{ 999500, "1.0 s" }, { 1234567, "1.2 s" }, { 9949999, "9.9 s" },
		{ 9950000, "10 s" }, { 75499999, "75 s" }, { UINT64_MAX, "18446744073710 s" } };
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++)
		assert_string_equal(
			report_bytes(bytes[i].bytes, text, sizeof(text)), bytes[i].text);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		assert_string_equal(report_usec(times[i].usec, text, sizeof(text)), times[i].text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_beginning_of_an_episode),
		cmocka_unit_test(a_signal_is_explained),
		cmocka_unit_test(why_sigkill_follows_at_once),
		cmocka_unit_test(a_container_is_named_as_its_tool_does),
		cmocka_unit_test(freed_says_what_and_how_fast),
		cmocka_unit_test(stuck_names_the_culprit),
		cmocka_unit_test(a_pin_is_named),
		cmocka_unit_test(a_kernel_thread_that_uses_the_memory_is_named_before_the_kill),
		cmocka_unit_test(a_kill_that_failed),
		cmocka_unit_test(nobody_left_says_what_to_do),
		cmocka_unit_test(the_steps_of_the_ladder),
		cmocka_unit_test(the_end_of_an_episode),
		cmocka_unit_test(the_kernel_was_faster),
		cmocka_unit_test(what_is_about_a_domain_names_it),
		cmocka_unit_test(who_dies_in_another_cgroup_is_said),
		cmocka_unit_test(a_cgroup_that_dies_whole),
		cmocka_unit_test(hostile_names_break_nothing),
		cmocka_unit_test(what_is_escaped_and_what_is_not),
		cmocka_unit_test(a_cut_never_goes_through_a_character),
		cmocka_unit_test(numbers_have_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
