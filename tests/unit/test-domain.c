/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains on a made-up cgroup tree, with the real clock and an actor that only notes what it is
 * asked to do: who is watched, who is acted upon, and that nothing is held afterwards.
 */
#include "clock.h"
#include "domain.h"
#include "util.h"
#include "watch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#define STEP_USEC (20 * USEC_PER_MSEC)
#define NAMES_MAX 4

/* --- the actor --- */

struct actor {
	uint32_t chosen, began, recovered, steps;
	char chosen_path[512], chosen_name[CONFIG_NAME_MAX];
	uint64_t chosen_usec;
	enum domain_kill chosen_kill;
	bool victim_is_gone;
	bool nobody;
	const struct domain_place *entered;
};
static struct actor actor;

void actor_enter(struct actor *a, const struct domain_place *place)
{
	a->entered = place;
}

void actor_observe(struct actor *a, const struct engine *e, struct engine_input *in)
{
	in->seen_count = 0;
	for (uint32_t i = 0; i < e->victim_count; i++) {
		in->seen[in->seen_count].slot = e->victim[i].slot;
		in->seen[in->seen_count++].o = (struct engine_observation){ .handle_valid = true,
			.mm_gone = a->victim_is_gone,
			.all_exited = a->victim_is_gone,
			.mm_visible = !a->victim_is_gone,
			.rss_bytes = a->victim_is_gone ? 0 : 50 * MIB };
	}
}

uint64_t actor_settle(struct actor *a, const struct act_context *c)
{
	return UINT64_MAX;
}

void actor_forget(struct actor *a, const struct domain_place *place)
{
}

void actor_carry_out(struct actor *a, const struct act_context *c, const struct action *action,
	struct engine_outcome *ret)
{
	*ret = (struct engine_outcome){ .result = VICTIM_NONE };
	a->began += action->kind == ACTION_BEGAN;
	a->recovered += action->kind == ACTION_RECOVERED;
	a->steps += action->kind == ACTION_STEP;
	if (action->kind != ACTION_CHOOSE || a->nobody)
		return;
	assert_non_null(c->place);
	assert_ptr_equal(a->entered, c->place);
	copy_cut(a->chosen_path, sizeof(a->chosen_path), c->place->path);
	copy_cut(a->chosen_name, sizeof(a->chosen_name), c->place->name);
	a->chosen_kill = c->place->kill;
	a->chosen_usec = monotonic_usec();
	a->chosen++;
	ret->result = VICTIM_CHOSEN;
	ret->count = 1;
	ret->slots[0] = 5;
	ret->expected_bytes[0] = 50 * MIB;
}

/* --- the world --- */

struct world {
	char root[64];
	struct cgroup_mounts *mounts;
	struct config config;
	struct meminfo machine;
	struct domains *domains;
	int fds[DOMAIN_SOURCES];
	uint64_t full_usec[NAMES_MAX];
	uint64_t stepped_usec;
};

static const char *const names[NAMES_MAX] = { "a", "b", "c", "d" };

static void put(const struct world *w, const char *path, const char *format, ...) _printf_(3, 4);

static void put(const struct world *w, const char *path, const char *format, ...)
{
	char whole[256];
	va_list args;
	FILE *f;

	snprintf(whole, sizeof(whole), "%s%s", w->root, path);
	f = fopen(whole, "w");
	assert_non_null(f);
	va_start(args, format);
	vfprintf(f, format, args);
	va_end(args);
	fclose(f);
}

static void make_dir(const struct world *w, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s%s", w->root, path);
	assert_int_equal(mkdir(whole, 0755), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void remove_dir(const struct world *w, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s%s", w->root, path);
	nftw(whole, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put_pressure(const struct world *w, const char *path, uint64_t usec)
{
	put(w, path,
		"some avg10=0.00 avg60=0.00 avg300=0.00 total=%llu\n"
		"full avg10=0.00 avg60=0.00 avg300=0.00 total=%llu\n",
		(unsigned long long)usec, (unsigned long long)usec);
}

/* A container of 100 MiB with 60 MiB in use. */
static void make_container(struct world *w, const char *name)
{
	char path[128], file[160];
	static const struct {
		const char *name, *text;
	} files[] = { { "memory.current", "62914560\n" }, { "memory.max", "104857600\n" },
		{ "memory.high", "max\n" }, { "memory.swap.current", "0\n" },
		{ "memory.swap.max", "0\n" }, { "memory.stat", "anon 52428800\nfile 8388608\n" },
		{ "memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n" },
		{ "cgroup.events", "populated 1\nfrozen 0\n" }, { "cgroup.procs", "" } };

	snprintf(path, sizeof(path), "/containers/%s", name);
	make_dir(w, path);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(file, sizeof(file), "%s/%s", path, files[i].name);
		put(w, file, "%s", files[i].text);
	}
	snprintf(file, sizeof(file), "%s/memory.pressure", path);
	put_pressure(w, file, 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fd;

	assert_non_null(w);
	memset(&actor, 0, sizeof(actor));
	snprintf(w->root, sizeof(w->root), "/tmp/oomfwd-domain-XXXXXX");
	assert_non_null(mkdtemp(w->root));
	put(w, "/cgroup.procs", "%s", "");
	put_pressure(w, "/memory.pressure", 0);
	fd = open(w->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(cgroup_mounts_from_fds(fd, -1, -1, &w->mounts), 0);
	config_init(&w->config);
	w->config.victim_timeout_usec = 20 * USEC_PER_SEC; /* this victim takes its time */
	w->config.victim_cap_usec = 60 * USEC_PER_SEC;
	w->config.domain_count = 1;
	w->config.domains[0] = (struct config_domain){ .name = "containers",
		.path = "/containers/*",
		.pressure = { .set = true, .full = true, .percent = 50, .span_usec = USEC_PER_SEC },
		.kill = DOMAIN_KILL_CGROUP };
	w->machine = (struct meminfo){ .total_bytes = GIB, .available_bytes = GIB };
	for (int i = 0; i < DOMAIN_SOURCES; i++)
		w->fds[i] = -1;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	domains_free(w->domains);
	cgroup_mounts_free(w->mounts);
	remove_dir(w, "");
	free(w);
	return 0;
}

static void note_fd(void *ctx, uint32_t index, int fd)
{
	struct world *w = ctx;

	assert_in_range(index, 0, DOMAIN_SOURCES - 1);
	w->fds[index] = fd;
}

static void start(struct world *w)
{
	assert_int_equal(
		domains_new(&w->config, w->mounts, &w->machine, note_fd, w, &w->domains), 0);
	assert_non_null(w->domains);
}

static void start_with_two(struct world *w)
{
	make_dir(w, "/containers");
	put_pressure(w, "/containers/memory.pressure", 0);
	make_container(w, "a");
	make_container(w, "b");
	start(w);
}

static void sleep_usec(uint64_t usec)
{
	struct timespec t = { .tv_sec = (time_t)(usec / USEC_PER_SEC),
		.tv_nsec = (long)(usec % USEC_PER_SEC * 1000) };

	nanosleep(&t, NULL);
}

/* Time passes, in which the containers named stall without a break and the trigger fires. */
static void stall_for(struct world *w, const char *who, uint64_t usec, enum domains_hold hold)
{
	uint64_t begin = monotonic_usec(), now = begin;

	while (now - begin < usec) {
		uint64_t last = now;

		sleep_usec(STEP_USEC);
		now = monotonic_usec();
		for (int i = 0; i < NAMES_MAX; i++) {
			char path[64];

			if (!strstr(who, names[i]))
				continue;
			w->full_usec[i] += now - last;
			snprintf(path, sizeof(path), "/containers/%s/memory.pressure", names[i]);
			put_pressure(w, path, w->full_usec[i]);
		}
		if (who[0])
			domains_alarm(w->domains, 0, false, now);
		domains_look(w->domains, &actor, hold, now);
	}
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* --- scenarios --- */

static void test_without_sections_there_is_nothing(void **state)
{
	struct world *w = *state;

	w->config.domain_count = 0;
	assert_int_equal(
		domains_new(&w->config, w->mounts, &w->machine, note_fd, w, &w->domains), 0);
	assert_null(w->domains);
	assert_int_equal(domains_count(NULL), 0);
	assert_true(domains_may_keep_house(NULL, 1));
	assert_int_equal(domains_coming_bytes(NULL), 0);
	assert_int_equal(domains_look(NULL, &actor, DOMAINS_GO_ON, 1), USEC_NEVER);
	domains_say(NULL);
	domains_free(NULL);
}

static void test_a_domain_that_stalls_is_acted_upon_and_its_neighbour_not(void **state)
{
	struct world *w = *state;
	uint64_t begin;

	start_with_two(w);
	assert_int_equal(domains_count(w->domains), 2);
	begin = monotonic_usec();
	stall_for(w, "a", 2500 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 1);
	assert_string_equal(actor.chosen_path, "/containers/a");
	assert_string_equal(actor.chosen_name, "containers");
	assert_int_equal(actor.chosen_kill, DOMAIN_KILL_CGROUP);
	/* The level is reached after 0.5 s of stall, known after the span of 1 s. */
	assert_in_range(actor.chosen_usec - begin, 900 * USEC_PER_MSEC, 2000 * USEC_PER_MSEC);
	assert_false(domains_may_keep_house(w->domains, monotonic_usec()));
	assert_int_equal(domains_coming_bytes(w->domains), 50 * MIB);
}

static void test_a_calm_domain_costs_nothing(void **state)
{
	struct world *w = *state;
	int before;

	start_with_two(w);
	before = count_fds();
	assert_int_equal(
		domains_look(w->domains, &actor, DOMAINS_GO_ON, monotonic_usec()), USEC_NEVER);
	/* Less stall than could ever be the level: read now and then, but never closely. */
	domains_alarm(w->domains, 0, false, monotonic_usec());
	put_pressure(w, "/containers/a/memory.pressure", 1000);
	for (int i = 0; i < 50; i++) {
		uint64_t until;

		sleep_usec(STEP_USEC);
		put_pressure(w, "/containers/a/memory.pressure", 1000 + (uint64_t)i * 1000);
		until = domains_look(w->domains, &actor, DOMAINS_GO_ON, monotonic_usec());
		assert_true(until != USEC_NEVER);
	}
	assert_int_equal(count_fds(), before);
	assert_int_equal(actor.began, 0);
}

static void test_after_the_death_it_is_calm_and_all_is_given_back(void **state)
{
	struct world *w = *state;
	int before;

	start_with_two(w);
	before = count_fds();
	stall_for(w, "a", 2200 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 1);
	assert_true(count_fds() > before);
	actor.victim_is_gone = true;
	stall_for(w, "", 500 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.recovered, 1);
	assert_true(domains_may_keep_house(w->domains, monotonic_usec()));
	/* The last alarm and two spans later it is not even read any more. */
	stall_for(w, "", 3500 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(count_fds(), before);
	assert_int_equal(
		domains_look(w->domains, &actor, DOMAINS_GO_ON, monotonic_usec()), USEC_NEVER);
	assert_int_equal(actor.chosen, 1);
}

static void test_nobody_is_chosen_while_the_machine_waits_for_its_victims(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	stall_for(w, "a", 2200 * USEC_PER_MSEC, DOMAINS_HOLD_ALL);
	assert_int_equal(actor.began, 1);
	assert_int_equal(actor.chosen, 0);
	/* It stalls at a limit of its own. */
	stall_for(w, "a", 100 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 1);
}

/* It stalls with the machine, as everybody does: who dies for the machine ends that too. */
static void test_who_has_no_limit_waits_for_the_machines_victims(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	put(w, "/containers/b/memory.max", "max\n");
	stall_for(w, "b", 2200 * USEC_PER_MSEC, DOMAINS_HOLD_UNLIMITED);
	assert_int_equal(actor.began, 0);
	assert_int_equal(actor.chosen, 0);
	/* They are gone: what it stalled before says nothing, what it stalls from now on does. */
	stall_for(w, "", 300 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 0);
	stall_for(w, "b", 2200 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 1);
	/* One at its own limit has a shortage of its own. */
	stall_for(w, "a", 2200 * USEC_PER_MSEC, DOMAINS_HOLD_UNLIMITED);
	assert_int_equal(actor.chosen, 2);
}

/* A size for all of a section: what a small one could never have left is no shortage of it. */
static void test_a_size_beyond_the_limit_is_not_applied(void **state)
{
	struct world *w = *state;
	int before;

	w->config.domains[0].pressure.set = false;
	w->config.domains[0].memory = (struct config_amount){ AMOUNT_BYTES, 200 * MIB };
	start_with_two(w);
	before = count_fds();
	put(w, "/containers/b/memory.max", "max\n");
	stall_for(w, "ab", 1000 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_true(count_fds() > before); /* they are watched closely, and nothing is wrong */
	assert_int_equal(actor.began, 0);
	/* Nor is it one where the cgroup is gone. */
	remove_dir(w, "/containers/a");
	stall_for(w, "b", 1000 * USEC_PER_MSEC, DOMAINS_GO_ON);
	stall_for(w, "", 3500 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.began, 0);
	assert_int_equal(count_fds(), before);
	/* With one that fits there is. */
	w->config.domains[0].memory.value = 60 * MIB;
	stall_for(w, "b", 300 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.began, 0);
	put(w, "/containers/b/memory.max", "104857600\n");
	stall_for(w, "b", 1000 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.began, 1);
}

static void test_two_that_stall_are_served_side_by_side(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	stall_for(w, "ab", 2200 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.began, 2);
	assert_int_equal(actor.chosen, 2);
	assert_int_equal(domains_coming_bytes(w->domains), 100 * MIB);
}

static void test_a_domain_removed_in_mid_kill_ends_its_episode(void **state)
{
	struct world *w = *state;
	int before;

	start_with_two(w);
	before = count_fds();
	stall_for(w, "a", 2200 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 1);
	/* On a real kernel reads fail then: a file that is no longer one says as much. */
	put(w, "/containers/a/memory.pressure", "%s", "");
	put(w, "/containers/a/memory.current", "%s", "");
	remove_dir(w, "/containers/a");
	domains_news(w->domains);
	actor.victim_is_gone = true;
	stall_for(w, "", 300 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_true(domains_may_keep_house(w->domains, monotonic_usec()));
	assert_int_equal(domains_count(w->domains), 1);
	assert_int_equal(count_fds(), before);
}

static void test_a_base_that_appears_gets_its_own_trigger(void **state)
{
	struct world *w = *state;
	int above;

	start(w);
	assert_int_equal(domains_count(w->domains), 0);
	above = w->fds[0]; /* on the machine's, if that is allowed here */
	make_dir(w, "/containers");
	put_pressure(w, "/containers/memory.pressure", 0);
	make_container(w, "a");
	domains_news(w->domains);
	assert_int_equal(domains_count(w->domains), 1);
	assert_true(w->fds[0] >= 0);
	stall_for(w, "a", 2200 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 1);
	/* The kernel says that the trigger is gone: another one above, or none. */
	remove_dir(w, "/containers");
	domains_news(w->domains);
	domains_alarm(w->domains, 0, true, monotonic_usec());
	assert_true(above < 0 ? w->fds[0] < 0 : w->fds[0] >= 0);
	assert_int_equal(domains_count(w->domains), 0);
}

static void test_nobody_to_choose_takes_the_ladder_of_a_domain(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	actor.nobody = true;
	stall_for(w, "a", 3000 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 0);
	/* avoided and cgroup, of the default ladder: the kernel is not asked for a domain. */
	assert_in_range(actor.steps, 2, 4);
}

/* Whoever could go is protected: without this no container that appears afterwards is ever watched,
 * and no correction of the rule put in force. */
static void test_an_episode_without_end_lets_house_be_kept(void **state)
{
	struct world *w = *state;
	int before;

	start_with_two(w);
	before = count_fds();
	actor.nobody = true;
	stall_for(w, "a", 8000 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.began, 1);
	/* It may yet come to a kill. */
	assert_false(domains_may_keep_house(w->domains, monotonic_usec()));
	stall_for(w, "a", 4500 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.recovered, 0);
	assert_true(domains_may_keep_house(w->domains, monotonic_usec()));
	make_container(w, "c");
	domains_news(w->domains);
	assert_int_equal(domains_count(w->domains), 3);
	/* A reload: the domain is found again, and whom the new rules give away dies. */
	domains_free(w->domains);
	start(w);
	assert_int_equal(count_fds(), before);
	actor.nobody = false;
	stall_for(w, "a", 2500 * USEC_PER_MSEC, DOMAINS_GO_ON);
	assert_int_equal(actor.chosen, 1);
	assert_false(domains_may_keep_house(w->domains, monotonic_usec()));
}

/* --- what the figures mean --- */

static void test_what_is_left_counts_to_the_limit_and_cache_as_left(void **state)
{
	struct meminfo machine = { .total_bytes = GIB,
		.swap_total_bytes = 100 * MIB,
		.swap_free_bytes = 30 * MIB },
		       m;
	struct cgroup_memory c = { .limit_bytes = 200 * MIB,
		.current_bytes = 190 * MIB,
		.reclaimable_bytes = 40 * MIB,
		.swap_limit_bytes = UINT64_MAX,
		.swap_bytes = 5 * MIB };

	domain_meminfo(&c, &machine, &m);
	assert_int_equal(m.total_bytes, 200 * MIB);
	assert_int_equal(m.available_bytes, 50 * MIB);
	assert_int_equal(m.swap_total_bytes, 100 * MIB);
	assert_int_equal(m.swap_free_bytes, 30 * MIB); /* the machine has no more */
	c.swap_limit_bytes = 20 * MIB;
	domain_meminfo(&c, &machine, &m);
	assert_int_equal(m.swap_total_bytes, 20 * MIB);
	assert_int_equal(m.swap_free_bytes, 15 * MIB);
}

static void test_without_a_limit_memory_is_never_short(void **state)
{
	struct meminfo machine = { .total_bytes = GIB }, m;
	struct cgroup_memory c = { .limit_bytes = UINT64_MAX, .current_bytes = 300 * MIB };

	domain_meminfo(&c, &machine, &m);
	assert_int_equal(m.total_bytes, 300 * MIB);
	assert_int_equal(m.available_bytes, 300 * MIB);
	c = (struct cgroup_memory){ .limit_bytes = UINT64_MAX };
	domain_meminfo(&c, &machine, &m);
	assert_int_equal(m.total_bytes, 1);
	c = (struct cgroup_memory){ .limit_bytes = 0, .current_bytes = MIB };
	domain_meminfo(&c, &machine, &m);
	assert_int_equal(m.total_bytes, 1);
	assert_int_equal(m.available_bytes, 0);
}

static void test_an_engine_of_a_domain_never_goes_beyond_it(void **state)
{
	struct world *w = *state;
	struct config *own;

	w->config.ladder_count = 4;
	w->config.ladder[0] = LADDER_KERNEL;
	w->config.ladder[1] = LADDER_AVOIDED;
	w->config.ladder[2] = LADDER_FINAL;
	w->config.ladder[3] = LADDER_CGROUP;
	w->config.final = FINAL_REBOOT;
	w->config.domains[0].memory = (struct config_amount){ AMOUNT_PERMILLE, 70 };
	own = domain_config(&w->config, &w->config.domains[0]);
	assert_int_equal(own->ladder_count, 2);
	assert_int_equal(own->ladder[0], LADDER_AVOIDED);
	assert_int_equal(own->ladder[1], LADDER_CGROUP);
	assert_int_equal(own->final, FINAL_NONE);
	assert_int_equal(own->warn.memory.kind, AMOUNT_OFF);
	assert_false(own->warn.pressure.set);
	assert_int_equal(own->kill.memory.value, 70);
	assert_true(own->kill.pressure.set);
	assert_int_equal(own->pressure_guard.kind, AMOUNT_OFF);
	free(own);
}

static void test_the_place_of_a_path_is_that_of_its_section(void **state)
{
	struct world *w = *state;
	struct domain_place p = domain_place_of(&w->config, "/containers/a");

	assert_string_equal(p.name, "containers");
	assert_int_equal(p.kill, DOMAIN_KILL_CGROUP);
	p = domain_place_of(&w->config, "/containers/a/below");
	assert_string_equal(p.name, "");
	assert_int_equal(p.kill, DOMAIN_KILL_GROUP);
	p = domain_place_of(&w->config, "/containers");
	assert_string_equal(p.name, "");
}

static void test_a_section_takes_what_is_below_its_cgroups(void **state)
{
	struct world *w = *state;
	size_t n = 0;

	w->config.domain_count = 2;
	memcpy(w->config.domains[1].path, "/system.slice/docker-*.scope", 29);
	assert_ptr_equal(config_domain_of(&w->config, "/containers/a", &n), &w->config.domains[0]);
	assert_int_equal(n, strlen("/containers/a"));
	assert_ptr_equal(
		config_domain_of(&w->config, "/containers/a/b/c", &n), &w->config.domains[0]);
	assert_int_equal(n, strlen("/containers/a"));
	assert_ptr_equal(config_domain_of(&w->config, "/system.slice/docker-1f.scope/init", &n),
		&w->config.domains[1]);
	assert_int_equal(n, strlen("/system.slice/docker-1f.scope"));
	assert_null(config_domain_of(&w->config, "/containers", &n));
	assert_null(config_domain_of(&w->config, "/containers/", &n));
	assert_null(config_domain_of(&w->config, "/containersx/a", &n));
	assert_null(config_domain_of(&w->config, "/system.slice/docker-1f.service", &n));
	assert_null(config_domain_of(&w->config, "/", &n));
	assert_null(config_domain_of(&w->config, "", &n));
}

#define domain_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		domain_test(test_without_sections_there_is_nothing),
		domain_test(test_a_domain_that_stalls_is_acted_upon_and_its_neighbour_not),
		domain_test(test_a_calm_domain_costs_nothing),
		domain_test(test_after_the_death_it_is_calm_and_all_is_given_back),
		domain_test(test_nobody_is_chosen_while_the_machine_waits_for_its_victims),
		domain_test(test_who_has_no_limit_waits_for_the_machines_victims),
		domain_test(test_two_that_stall_are_served_side_by_side),
		domain_test(test_a_size_beyond_the_limit_is_not_applied),
		domain_test(test_a_domain_removed_in_mid_kill_ends_its_episode),
		domain_test(test_a_base_that_appears_gets_its_own_trigger),
		domain_test(test_nobody_to_choose_takes_the_ladder_of_a_domain),
		domain_test(test_an_episode_without_end_lets_house_be_kept),
		domain_test(test_what_is_left_counts_to_the_limit_and_cache_as_left),
		domain_test(test_without_a_limit_memory_is_never_short),
		domain_test(test_an_engine_of_a_domain_never_goes_beyond_it),
		domain_test(test_the_place_of_a_path_is_that_of_its_section),
		domain_test(test_a_section_takes_what_is_below_its_cgroups),
	};

	return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
