/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "record.h"

#include "util.h"

#include <string.h>
#include <time.h>

static int64_t number_at(const void *base, const struct record_number *n)
{
	const void *at = (const char *)base + n->offset;

	switch (n->type) {
	case RECORD_PID:
		return *(const pid_t *)at;
	case RECORD_UID:
		return *(const uid_t *)at;
	case RECORD_U32:
		return *(const uint32_t *)at;
	case RECORD_I16:
		return *(const int16_t *)at;
	case RECORD_U64:
		return (int64_t)min_u64(*(const uint64_t *)at, INT64_MAX);
	}
	return 0;
}

static void set_numbers(
	struct json *j, const void *base, const struct record_number *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_set_number(j, numbers[i].key, number_at(base, &numbers[i]));
}

/*
 * Names are any bytes. What is no UTF-8 is escaped for who reads it, which may also be what some
 * other name really is: KEY_hex has the bytes then.
 */
static void set_bytes(struct json *j, const char *key, const char *text)
{
	_cleanup_(freep) char *hex = NULL;
	size_t length = strlen(text);
	char name[32];

	json_set_text(j, key, text);
	if (strcmp(json_get_text(j, key), text) == 0)
		return;
	hex = malloc(2 * length + 1);
	if (!hex)
		return;
	for (size_t i = 0; i < length; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)text[i]);
	snprintf(name, sizeof(name), "%s_hex", key);
	json_set_text(j, name, hex);
}

static void set_comm(struct json *j, const struct task *t)
{
	char comm[TASK_COMM_LEN + 1] = "";

	memcpy(comm, t->comm, TASK_COMM_LEN);
	set_bytes(j, "comm", comm);
}

static void set_flags(struct json *j, uint32_t flags)
{
	struct json *list = json_array_new();

	for (size_t i = 0; i < ARRAY_SIZE(record_flag_names); i++)
		if (flags & 1u << i)
			json_add_text(list, record_flag_names[i]);
	json_set(j, "flags", list);
}

static void set_detail(struct json *j, const struct record_detail *d, bool cmdlines)
{
	if (d->mm > 0) {
		json_set_number(j, "mm", d->mm);
		json_set_text(j, "evidence", record_evidence_names[d->evidence]);
	}
	if (d->gone)
		json_set_bool(j, "gone", true);
	if (d->exe)
		set_bytes(j, "exe", d->exe);
	if (d->exe_unread)
		json_set_bool(j, "exe_unread", true);
	if (d->cgroup)
		set_bytes(j, "cgroup", d->cgroup);
	if (d->cgroup_unread)
		json_set_bool(j, "cgroup_unread", true);
	if (d->preference != CGROUP_PREFERENCE_NONE)
		json_set_text(j, "preference", record_preference_names[d->preference]);
	if (cmdlines && d->cmdline)
		set_bytes(j, "cmdline", d->cmdline);
	if (cmdlines && d->cmdline_unread)
		json_set_bool(j, "cmdline_unread", true);
	if (d->shmem_error == 0) {
		json_set_number(j, "shmem_private_bytes", (int64_t)d->shmem.private_bytes);
		json_set_number(j, "shmem_pss_bytes", (int64_t)d->shmem.pss_bytes);
	} else if (d->shmem_error != -ENODATA) {
		json_set_number(j, "shmem_error", d->shmem_error);
	}
}

static struct json *task_json(const struct task *t, const struct record_detail *d, bool cmdlines)
{
	struct json *j = json_object_new();
	char state[2] = { t->state, '\0' };

	set_numbers(j, t, record_numbers, record_number_count);
	json_set_text(j, "state", state);
	set_comm(j, t);
	set_flags(j, t->flags);
	set_detail(j, d, cmdlines);
	return j;
}

static void set_heading(struct json *j, const struct record *r)
{
	struct tm tm;
	time_t taken = (time_t)r->taken_seconds;
	char date[32] = "";

	if (gmtime_r(&taken, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_set_text(j, "format", "oomfwd-snapshot");
	json_set_number(j, "format_version", RECORD_VERSION);
	json_set_text(j, "oomfwd", r->version);
	json_set_text(j, "kernel", r->kernel);
	json_set_text(j, "taken", date);
	json_set_number(j, "taken_seconds", r->taken_seconds);
	json_set_text(j, "evidence", record_evidence_names[r->evidence]);
	json_set_bool(j, "can_ptrace", r->can_ptrace);
	json_set_bool(j, "cmdlines", r->has_cmdlines);
	json_set_number(j, "self_pid", r->self);
	json_set_number(j, "vanished", r->snapshot.vanished);
	json_set_number(j, "unread", r->snapshot.unread);
	json_set_number(j, "dropped", r->snapshot.dropped);
}

struct json *record_json(const struct record *r)
{
	struct json *j = json_object_new(), *memory = json_object_new(), *tasks = json_array_new();

	set_heading(j, r);
	set_numbers(memory, &r->mem, record_memory_numbers, record_memory_number_count);
	json_set(j, "memory", memory);
	for (uint32_t i = 0; i < r->snapshot.count; i++)
		json_add(tasks, task_json(&r->snapshot.tasks[i], &r->details[i], r->has_cmdlines));
	json_set(j, "tasks", tasks);
	return j;
}
