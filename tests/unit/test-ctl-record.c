/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots of oomfwdctl: what goes into the file comes out of it, and no file does harm. */
#include "record.h"
#include "simulation.h"

#include "victim-world.h"

/* The file, in memory. Owned by the caller. */
static char *write_text(const struct record *r, size_t *ret_length)
{
	_cleanup_(json_unrefp) struct json *j = record_json(r);
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_length);

	assert_non_null(f);
	assert_int_equal(json_write(j, f, false), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static struct record *read_text(const char *text, size_t length)
{
	char why[RECORD_WHY_SIZE];
	struct record *r = NULL;

	if (record_parse_text(text, length, &r, why) < 0)
		fail_msg("%s", why);
	return r;
}

static struct record *through_the_file(const struct record *r)
{
	size_t length;
	_cleanup_(freep) char *text = write_text(r, &length);

	return read_text(text, length);
}

static char *copy_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* --- made-up records --- */

/* One of everything, the odd included. */
static struct record *odd_record(void)
{
	static const struct task tasks[] = {
		{ .id = { 1, 0 }, .mm_tid = 1, .state = 'S', .oom_score_adj = -1000 },
		{ .id = { 2, 7 }, .mm_tid = 2, .flags = TASK_KTHREAD, .state = 'I' },
		{ .id = { 77, INT64_MAX },
			.mm_tid = 79,
			.ppid = 1,
			.uid = UINT32_MAX,
			.threads = UINT32_MAX,
			.flags = TASK_ZOMBIE_LEADER | TASK_CORE_DUMPING | TASK_KILL_PENDING,
			.state = 'Z',
			.comm = "a\xffz \n\"\\\x7f",
			.oom_score_adj = 1000,
			.mem = { 1, 2, 3, 4, 5, INT64_MAX },
			.marks = { .start_code = 12 } },
		{ .id = { 78, 9 }, .mm_tid = 78, .flags = TASK_NO_MM, .state = 'Z' },
		{ .id = { 4194304, 9 },
			.mm_tid = 4194304,
			.flags = TASK_MARKS_HIDDEN,
			.state = 'D',
			.comm = "caf\xc3\xa9" },
	};
	struct record *r;
	struct record_detail *d;

	assert_int_equal(record_new(ARRAY_SIZE(tasks), &r), 0);
	memcpy(r->snapshot.tasks, tasks, sizeof(tasks));
	d = r->details;
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++) {
		d[i].pid = tasks[i].id.pid;
		d[i].mm = tasks[i].flags & (TASK_KTHREAD | TASK_NO_MM) ? 0 : tasks[i].id.pid;
		d[i].shmem_error = -ENODATA;
	}
	r->snapshot.tasks[0].marks.start_code = 5;
	d[0].exe = strdup("/usr/lib/systemd/systemd");
	d[2] = (struct record_detail){
		.pid = 77,
		.mm = 77,
		.evidence = MM_EVIDENCE_SMAPS,
		.gone = true,
		.exe = strdup("/opt/\xfe"),
		.cgroup = strdup("/a.slice/\t"),
		.cmdline = strdup("x\x01 --password \x80"),
		.preference = CGROUP_PREFERENCE_OMIT,
		.exe_unread = true,
		.cgroup_unread = true,
		.cmdline_unread = true,
		.shmem = { 111, 222 },
	};
	d[4].evidence = MM_EVIDENCE_UNKNOWN;
	d[4].shmem_error = -ETIMEDOUT;
	r->mem = (struct meminfo){ 1000, 2, 3, 4, 5, 6, 7 };
	r->evidence = MM_EVIDENCE_SMAPS;
	r->can_ptrace = r->has_cmdlines = true;
	r->self = 77;
	r->taken_seconds = 1700000000;
	r->snapshot.unread = 8;
	strcpy(r->version, "9.9");
	strcpy(r->kernel, "6.1");
	return r;
}

/* The world as it would be recorded. */
static struct record *record_of(struct world *w)
{
	struct record *r;

	assert_int_equal(record_new(w->s.count, &r), 0);
	memcpy(r->snapshot.tasks, w->tasks, w->s.count * sizeof(w->tasks[0]));
	for (uint32_t i = 0; i < w->s.count; i++) {
		struct task *t = &r->snapshot.tasks[i];
		struct record_detail *d = &r->details[i];
		pid_t pid = t->id.pid;

		t->marks = (struct mm_marks){ .start_code = t->marks.start_stack };
		*d = (struct record_detail){
			.pid = pid,
			.mm = (pid_t)w->mm[pid],
			.evidence = MM_EVIDENCE_KCMP,
			.exe = copy_of(w->exe[pid]),
			.cgroup = copy_of(w->cgroup[pid]),
			.cmdline = copy_of(w->cmdline[pid]),
			.preference = w->preference[pid],
			.shmem_error = w->shmem_error[pid],
			.shmem = w->shmem[pid],
		};
	}
	r->mem.total_bytes = TOTAL;
	r->has_cmdlines = true;
	return r;
}

/* --- the round trip --- */

static void assert_same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_true(!a && !b);
}

static void assert_same_record(const struct record *a, const struct record *b)
{
	assert_string_equal(a->version, b->version);
	assert_string_equal(a->kernel, b->kernel);
	assert_int_equal(a->taken_seconds, b->taken_seconds);
	assert_memory_equal(&a->mem, &b->mem, sizeof(a->mem));
	assert_int_equal(a->evidence, b->evidence);
	assert_int_equal(a->can_ptrace, b->can_ptrace);
	assert_int_equal(a->has_cmdlines, b->has_cmdlines);
	assert_int_equal(a->self, b->self);
	assert_int_equal(a->snapshot.unread, b->snapshot.unread);
	assert_int_equal(a->snapshot.count, b->snapshot.count);
	for (uint32_t i = 0; i < a->snapshot.count; i++) {
		const struct record_detail *x = &a->details[i], *y = &b->details[i];
		const struct task *t = &a->snapshot.tasks[i], *u = &b->snapshot.tasks[i];

		assert_memory_equal(&t->id, &u->id, sizeof(t->id));
		assert_memory_equal(&t->mem, &u->mem, sizeof(t->mem));
		assert_memory_equal(t->comm, u->comm, sizeof(t->comm));
		assert_int_equal(t->mm_tid, u->mm_tid);
		assert_int_equal(t->ppid, u->ppid);
		assert_int_equal(t->uid, u->uid);
		assert_int_equal(t->flags, u->flags);
		assert_int_equal(t->threads, u->threads);
		assert_int_equal(t->oom_score_adj, u->oom_score_adj);
		assert_int_equal(t->state, u->state);
		if (x->mm > 0)
			assert_memory_equal(&t->marks, &u->marks, sizeof(t->marks));
		assert_same_text(x->exe, y->exe);
		assert_same_text(x->cgroup, y->cgroup);
		assert_same_text(x->cmdline, y->cmdline);
		assert_int_equal(x->pid, y->pid);
		assert_int_equal(x->mm, y->mm);
		assert_int_equal(x->evidence, y->evidence);
		assert_int_equal(x->gone, y->gone);
		assert_int_equal(x->preference, y->preference);
		assert_int_equal(x->exe_unread, y->exe_unread);
		assert_int_equal(x->cgroup_unread, y->cgroup_unread);
		assert_int_equal(x->cmdline_unread, y->cmdline_unread);
		assert_int_equal(x->shmem_error, y->shmem_error);
		assert_memory_equal(&x->shmem, &y->shmem, sizeof(x->shmem));
	}
}

static void test_all_that_is_recorded_is_read_again(void **state)
{
	_cleanup_(record_freep) struct record *a = odd_record(), *b = through_the_file(a);

	assert_same_record(a, b);
}

static void test_command_lines_stay_out_unless_asked_for(void **state)
{
	_cleanup_(record_freep) struct record *a = odd_record();
	size_t length;

	a->has_cmdlines = false;
	_cleanup_(freep) char *text = write_text(a, &length);
	_cleanup_(record_freep) struct record *b = read_text(text, length);
	assert_null(strstr(text, "password"));
	assert_null(b->details[2].cmdline);
}

static void test_an_empty_machine_is_a_record_too(void **state)
{
	_cleanup_(record_freep) struct record *a = NULL;

	assert_int_equal(record_new(0, &a), 0);
	a->mem.total_bytes = 1;
	_cleanup_(record_freep) struct record *b = through_the_file(a);
	assert_int_equal(b->snapshot.count, 0);
	assert_null(record_find(b, 1));
}

/* --- the same choice --- */

static void make_random_world(struct world *w, uint64_t *x)
{
	uint32_t count = 3 + (uint32_t)(next_random(x) % 40);

	w->s.count = 0;
	w->mms = 200; /* no pid is as low and no mm as high as to be taken for another's */
	for (uint32_t i = 0; i < count; i++) {
		uint64_t what = next_random(x) % 10;
		const struct task *other = i ? &w->tasks[next_random(x) % i] : NULL;
		struct task *t;

		if (other && what < 3)
			t = sharer_of(w, other);
		else if (other && what < 5)
			t = fork_of(w, other);
		else
			t = process(w, what == 9 ? "avoid" : "any", next_random(x) % GIB);
		t->oom_score_adj = (int16_t)(next_random(x) % 20 == 0 ? -1000 : 0);
		t->mem.shmem_bytes = what == 7 ? next_random(x) % GIB : 0;
		w->shmem[t->id.pid].private_bytes = t->mem.shmem_bytes / 2;
		w->shmem[t->id.pid].pss_bytes = t->mem.shmem_bytes / 4;
		w->exe[t->id.pid] = what == 8 ? "/usr/bin/kept" : "/usr/bin/other";
		if (next_random(x) % 15 == 0)
			t->flags = TASK_KILL_PENDING;
	}
	w->need.bytes = w->need.alone_bytes = 1 + next_random(x) % (4 * GIB);
}

static void assert_same_choice(struct world *w, struct record *r)
{
	struct victim_fns fns = record_fns(r);
	struct choice *again = calloc(1, sizeof(*again));

	assert_non_null(again);
	choose(w);
	assert_int_equal(sharedmm_classify(w->sm, &r->snapshot, SELF), 0);
	victim_choose(
		&r->snapshot, w->sm, &w->config, &w->hidden, &w->need, &fns, w->scratch, again);
	assert_int_equal(again->result, w->choice.result);
	assert_int_equal(again->count, w->choice.count);
	assert_int_equal(again->yield_bytes, w->choice.yield_bytes);
	assert_int_equal(again->candidate_count, w->choice.candidate_count);
	for (uint32_t i = 0; i < again->candidate_count; i++) {
		const struct candidate *a = &again->candidates[i], *b = &w->choice.candidates[i];

		assert_int_equal(a->task, b->task);
		assert_int_equal(a->reason, b->reason);
		assert_int_equal(a->badness, b->badness);
		assert_int_equal(a->yield_bytes, b->yield_bytes);
		assert_ptr_equal(a->rule, b->rule);
		assert_int_equal(a->group.count, b->group.count);
		assert_int_equal(a->group.pin, b->group.pin);
		assert_int_equal(a->group.evidence, b->group.evidence);
	}
	free(again);
}

static void test_a_record_leads_to_the_choice_of_the_machine(void **state)
{
	struct world *w = *state;
	uint64_t x = 20261123;

	when(&rule(w, RULE_PROTECT, "kept")->exe, "^/usr/bin/kept$");
	when(&rule(w, RULE_AVOID, "avoided")->comm, "^avoid$");
	w->need.explain = true;
	for (int i = 0; i < 300; i++) {
		make_random_world(w, &x);
		_cleanup_(record_freep) struct record *a = record_of(w), *b = through_the_file(a);

		assert_same_choice(w, b);
	}
}

static void test_who_could_not_be_compared_stays_uncertain(void **state)
{
	struct world *w = *state;
	const struct task *t = process(w, "worker", GIB);

	fork_of(w, t);
	fork_of(w, t);
	_cleanup_(record_freep) struct record *a = record_of(w);
	for (uint32_t i = 0; i < 3; i++)
		a->details[i].evidence = MM_EVIDENCE_UNKNOWN;
	_cleanup_(record_freep) struct record *b = through_the_file(a);
	struct victim_fns fns = record_fns(b);
	assert_int_equal(sharedmm_classify(w->sm, &b->snapshot, SELF), 0);
	for (uint32_t i = 0; i < 3; i++) {
		const struct mm_group *g =
			sharedmm_group_of(w->sm, i, fns.cmp, fns.ctx, fns.evidence);

		assert_int_equal(g->count, 1);
		assert_int_equal(g->evidence, MM_EVIDENCE_UNKNOWN);
	}
}

static void test_who_was_gone_counts_as_dying(void **state)
{
	struct world *w = *state;
	const struct task *t = process(w, "worker", GIB);

	fork_of(w, t);
	_cleanup_(record_freep) struct record *a = record_of(w);
	a->details[0].gone = true;
	_cleanup_(record_freep) struct record *b = through_the_file(a);
	struct victim_fns fns = record_fns(b);
	assert_int_equal(sharedmm_classify(w->sm, &b->snapshot, SELF), 0);
	assert_true(sharedmm_group_of(w->sm, 0, fns.cmp, fns.ctx, fns.evidence)->kill_pending);
	assert_false(sharedmm_group_of(w->sm, 1, fns.cmp, fns.ctx, fns.evidence)->kill_pending);
}

/* --- files that are wrong --- */

#define HEAD "{\"format\": \"oomfwd-snapshot\", \"format_version\": 1, "
#define MEM  "\"memory\": {\"total_bytes\": 1}, "

static void test_what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "", "empty" },
		{ "{", "cut short: line 1" },
		{ "\xff", "no JSON" },
		{ "[]", "not a snapshot" },
		{ "7", "no JSON" },
		{ "{\"format\": \"other\"}", "not a snapshot" },
		{ "{\"format\": \"oomfwd-snapshot\", \"format_version\": 2}", "version 2" },
		{ HEAD "\"tasks\": []}", "total_bytes" },
		{ HEAD MEM "\"tasks\": 1}", "\"tasks\" is not a list" },
		{ HEAD MEM "\"x\": []}", "no list \"tasks\"" },
		{ HEAD MEM "\"evidence\": \"sole\", \"tasks\": []}", "neither" },
		{ HEAD "\"memory\": [], \"tasks\": []}", "\"memory\" is not an object" },
		{ HEAD MEM "\"tasks\": [1]}", "task 1: it is not an object" },
		{ HEAD MEM "\"tasks\": [{}]}", "task 1: it has no \"pid\"" },
		{ HEAD MEM "\"tasks\": [{\"pid\": -1}]}", "task 1: \"pid\" is -1" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 2147483648}]}", "\"pid\" is 2147483648" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5}, {\"pid\": 5}]}",
			"task 2: pid 5 comes after pid 5" },
		{ HEAD MEM "\"tasks\": [{\"pid\": \"5\"}]}", "\"pid\" is not a whole number" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"oom_score_adj\": 1001}]}", "oom_score_adj" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"anon_bytes\": 1.5}]}", "anon_bytes" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"flags\": [\"odd\"]}]}", "flags" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"comm\": []}]}", "comm" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"comm_hex\": \"4x\"}]}", "comm_hex" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"preference\": \"most\"}]}", "preference" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"evidence\": \"faith\"}]}", "evidence" },
		{ HEAD MEM "\"tasks\": [{\"pid\": 5, \"gone\": 1}]}", "gone" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct record *r = NULL;
		char why[RECORD_WHY_SIZE] = "";
		int e = record_parse_text(bad[i].text, strlen(bad[i].text), &r, why);

		assert_int_equal(e, -EINVAL);
		assert_null(r);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: \"%s\", not \"%s\"", bad[i].text, why, bad[i].why);
	}
}

static void test_a_file_that_cannot_be_read_is_said(void **state)
{
	struct record *r = NULL;
	char why[RECORD_WHY_SIZE];

	assert_int_equal(record_read("/nonexistent", &r, why), -ENOENT);
	assert_non_null(strstr(why, "No such file"));
	assert_int_equal(record_read("/", &r, why), -EISDIR);
	assert_null(r);
}

/* Whatever is accepted can be simulated. */
static void use(struct world *w, struct record *r)
{
	struct victim_fns fns = record_fns(r);
	struct simulation *sim;

	assert_int_equal(
		simulation_new(&w->config, &r->snapshot, &r->mem, &fns, r->self, 0, &sim), 0);
	while (simulation_choose(sim))
		simulation_kill(sim);
	simulation_free(sim);
}

/* An exact copy, so that the sanitizer sees each byte read beyond it. */
static bool try_bytes(struct world *w, const char *text, size_t length)
{
	_cleanup_(freep) char *exact = malloc(length + (length == 0));
	_cleanup_(record_freep) struct record *r = NULL;
	char why[RECORD_WHY_SIZE] = "";

	assert_non_null(exact);
	memcpy(exact, text, length);
	if (record_parse_text(exact, length, &r, why) < 0) {
		assert_true(why[0]);
		return false;
	}
	use(w, r);
	return true;
}

static void test_a_file_cut_short_anywhere_is_refused(void **state)
{
	struct world *w = *state;
	_cleanup_(record_freep) struct record *r = odd_record();
	size_t length;
	_cleanup_(freep) char *text = write_text(r, &length);

	config_init(&w->config);
	for (size_t cut = 0; cut + 1 < length; cut++) /* the last byte is the line's end */
		assert_false(try_bytes(w, text, cut));
	assert_true(try_bytes(w, text, length));
}

static void test_a_damaged_file_never_does_harm(void **state)
{
	struct world *w = *state;
	_cleanup_(record_freep) struct record *r = odd_record();
	size_t length, accepted = 0;
	_cleanup_(freep) char *text = write_text(r, &length);
	uint64_t x = 4711;

	config_init(&w->config);
	for (int i = 0; i < 5000; i++) {
		_cleanup_(freep) char *damaged = malloc(length);

		assert_non_null(damaged);
		memcpy(damaged, text, length);
		for (uint64_t n = 1 + next_random(&x) % 3; n > 0; n--) {
			char with = "0123456789-\"{}[],:x\xff"[next_random(&x) % 20];

			damaged[next_random(&x) % length] = with;
		}
		accepted += try_bytes(w, damaged, length);
	}
	/* Digits for digits are a different truth, not damage. */
	assert_in_range(accepted, 100, 4900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_that_is_recorded_is_read_again),
		TEST(test_command_lines_stay_out_unless_asked_for),
		TEST(test_an_empty_machine_is_a_record_too),
		TEST(test_a_record_leads_to_the_choice_of_the_machine),
		TEST(test_who_could_not_be_compared_stays_uncertain),
		TEST(test_who_was_gone_counts_as_dying),
		TEST(test_what_is_wrong_is_said),
		TEST(test_a_file_that_cannot_be_read_is_said),
		TEST(test_a_file_cut_short_anywhere_is_refused),
		TEST(test_a_damaged_file_never_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
