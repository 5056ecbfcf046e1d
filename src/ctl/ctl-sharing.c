/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"
#include "look.h"

#include <string.h>

/* Settles every class and adds its groups of more than one process. */
static struct json *describe_groups(struct look *l)
{
	struct json *list = json_array_new();
	const uint32_t *tasks;
	uint32_t count;

	for (uint32_t class = 0; (tasks = sharedmm_class(l->sharedmm, class, &count)); class ++) {
		for (uint32_t i = 0; i < count;) {
			const struct mm_group *g = NULL;

			/* Settling may put others at this place: only the second answer is about
			 * it. */
			for (int pass = 0; pass < 2; pass++)
				g = sharedmm_group_of(l->sharedmm, tasks[i], l->fns.cmp, l->fns.ctx,
					l->fns.evidence);
			if (g->count > 1)
				json_add(list, describe_group(&l->snapshot, l->sharedmm, g));
			i += g->count;
		}
	}
	return list;
}

/* Processes whose first thread has exited: to most tools they look dead and hold nothing. */
static struct json *describe_leaderless(struct look *l)
{
	struct json *list = json_array_new();

	for (uint32_t i = 0; i < l->snapshot.count; i++) {
		const struct mm_group *g;

		if (!(l->snapshot.tasks[i].flags & TASK_ZOMBIE_LEADER))
			continue;
		g = sharedmm_group_of(l->sharedmm, i, l->fns.cmp, l->fns.ctx, l->fns.evidence);
		if (g && g->count == 1)
			json_add(list, describe_group(&l->snapshot, l->sharedmm, g));
	}
	return list;
}

static struct json *describe(struct look *l)
{
	struct json *j = json_object_new();

	json_set(j, "groups", describe_groups(l));
	json_set(j, "leaderless", describe_leaderless(l));
	json_set_text(j, "evidence", l->facts.kcmp ? "kcmp" : "smaps");
	json_set_bool(j, "complete", l->can_ptrace && l->snapshot.unread == 0);
	return j;
}

static void print_held(const struct json *group)
{
	char bytes[5][DESCRIBE_SIZE];

	printf("%s anonymous, %s shared, %s of files, %s in swap, %s of page tables",
		describe_bytes(group, "anon_bytes", bytes[0]),
		describe_bytes(group, "shmem_bytes", bytes[1]),
		describe_bytes(group, "file_bytes", bytes[2]),
		describe_bytes(group, "swap_bytes", bytes[3]),
		describe_bytes(group, "pgtables_bytes", bytes[4]));
}

static void print_group(const struct json *group)
{
	printf("%zu processes share an mm", json_count(json_get(group, "members")));
	describe_print_evidence(stdout, group);
	if (json_get_bool(group, "vfork"))
		fputs("; one waits in vfork for another", stdout);
	describe_print_pin(stdout, group);
	fputs("\n  holding ", stdout);
	print_held(group);
	putchar('\n');
	describe_print_members(stdout, group);
	putchar('\n');
}

static void print(const struct json *j)
{
	const struct json *groups = json_get(j, "groups"), *leaderless = json_get(j, "leaderless");

	for (size_t i = 0; i < json_count(groups); i++)
		print_group(json_at(groups, i));
	if (json_count(groups) == 0)
		puts("No processes share an mm.");
	for (size_t i = 0; i < json_count(leaderless); i++) {
		fputs("One process whose first thread has exited holds ", stdout);
		print_held(json_at(leaderless, i));
		putchar('\n');
		describe_print_members(stdout, json_at(leaderless, i));
	}
	if (!json_get_bool(j, "complete"))
		puts("Not all could be seen: this takes CAP_SYS_PTRACE, as root has it.");
}

int ctl_sharing(const struct ctl *c, int argc, char **argv)
{
	_cleanup_(look_freep) struct look *l = NULL;
	_cleanup_(json_unrefp) struct json *j = NULL;
	int status;

	if (argc > 1)
		return ctl_usage(argv[0], "it takes no arguments");
	status = look_begin(c, &l);
	if (status != CTL_OK)
		return status;
	j = describe(l);
	if (c->json)
		return describe_write(j);
	print(j);
	return CTL_OK;
}
