/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that somebody sent: nothing in it is taken for granted.
 */
#include "record.h"

#include "procfs.h"
#include "util.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

#define FILE_MAX_BYTES (256 * MIB)

/* Where the parser is: the task, or none, and the first thing that is wrong. */
struct reading {
	bool in_task;
	size_t task; /* counted from 1 */
	char *why;   /* RECORD_WHY_SIZE; "" so far */
	int error;
};

static void _printf_(2, 3) refuse(struct reading *rd, const char *format, ...)
{
	size_t used;
	va_list args;

	if (rd->why[0])
		return;
	rd->error = -EINVAL;
	if (rd->in_task)
		snprintf(rd->why, RECORD_WHY_SIZE, "task %zu: ", rd->task);
	used = strlen(rd->why);
	va_start(args, format);
	vsnprintf(rd->why + used, RECORD_WHY_SIZE - used, format, args);
	va_end(args);
}

/* The value of the key, if it is there and of this kind; what is there and is not is refused. */
static const struct json *get(
	struct reading *rd, const struct json *j, const char *key, enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_BOOL] = "true or false",
		[JSON_WHOLE] = "a whole number",
		[JSON_TEXT] = "a text",
		[JSON_LIST] = "a list",
		[JSON_MAP] = "an object",
	};
	const struct json *value = json_get(j, key);

	if (!value || json_kind_of(value) == kind)
		return value;
	refuse(rd, "\"%s\" is not %s", key, names[kind]);
	return NULL;
}

static bool get_bool(struct reading *rd, const struct json *j, const char *key)
{
	return get(rd, j, key, JSON_BOOL) && json_get_bool(j, key);
}

/* A missing one is 0. */
static int64_t get_number(
	struct reading *rd, const struct json *j, const char *key, int64_t min, int64_t max)
{
	int64_t n = json_number(get(rd, j, key, JSON_WHOLE));

	if (json_has(j, key) && (n < min || n > max)) {
		refuse(rd, "\"%s\" is %lld: not from %lld to %lld", key, (long long)n,
			(long long)min, (long long)max);
		return min;
	}
	return n;
}

static void get_numbers(struct reading *rd, const struct json *j, void *base,
	const struct record_number *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct record_number *n = &numbers[i];
		void *at = (char *)base + n->offset;

		switch (n->type) {
		case RECORD_PID:
			*(pid_t *)at = (pid_t)get_number(rd, j, n->key, 0, INT_MAX);
			break;
		case RECORD_UID:
			*(uid_t *)at = (uid_t)get_number(rd, j, n->key, 0, UINT32_MAX);
			break;
		case RECORD_U32:
			*(uint32_t *)at = (uint32_t)get_number(rd, j, n->key, 0, UINT32_MAX);
			break;
		case RECORD_I16:
			*(int16_t *)at = (int16_t)get_number(rd, j, n->key, -1000, 1000);
			break;
		case RECORD_U64:
			*(uint64_t *)at = (uint64_t)get_number(rd, j, n->key, 0, INT64_MAX);
			break;
		}
	}
}

/* Which of the names; the first when the key is missing. */
static unsigned get_name(struct reading *rd, const struct json *j, const char *key,
	const char *const *names, size_t count)
{
	const struct json *value = get(rd, j, key, JSON_TEXT);

	for (unsigned i = 0; value && i < count; i++)
		if (strcmp(json_text(value), names[i]) == 0)
			return i;
	if (value)
		refuse(rd, "\"%s\" is none of those that this version knows", key);
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A string of the bytes that the digits stand for, or NULL. */
static char *unhex(struct reading *rd, const char *key, const char *hex)
{
	size_t length = strlen(hex) / 2;
	char *bytes = calloc(length + 1, 1);

	if (!bytes) {
		rd->error = -ENOMEM;
		return NULL;
	}
	for (size_t i = 0; i < length; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		bytes[i] = (char)(high * 16 + low);
		if (high >= 0 && low >= 0 && bytes[i])
			continue;
		refuse(rd, "\"%s\" is not hexadecimal, in small letters", key);
		break;
	}
	return bytes;
}

/* As record-write.c:set_bytes() has it; NULL when the key is missing. Owned. */
static char *get_bytes(struct reading *rd, const struct json *j, const char *key)
{
	const struct json *text = get(rd, j, key, JSON_TEXT), *hex;
	char *copy, name[32];

	snprintf(name, sizeof(name), "%s_hex", key);
	hex = get(rd, j, name, JSON_TEXT);
	if (hex)
		return unhex(rd, name, json_text(hex));
	if (!text)
		return NULL;
	copy = strdup(json_text(text));
	if (!copy)
		rd->error = -ENOMEM;
	return copy;
}

/* --- tasks --- */

static uint32_t get_flags(struct reading *rd, const struct json *j)
{
	const struct json *list = get(rd, j, "flags", JSON_LIST);
	uint32_t flags = 0;

	for (size_t i = 0; i < json_count(list); i++) {
		const char *name = json_text(json_at(list, i));
		unsigned bit = 0;

		while (bit < ARRAY_SIZE(record_flag_names) &&
			strcmp(record_flag_names[bit], name) != 0)
			bit++;
		if (bit == ARRAY_SIZE(record_flag_names))
			refuse(rd, "\"flags\" has one that this version does not know");
		flags |= 1u << bit;
	}
	return flags;
}

static void get_task(struct reading *rd, const struct json *j, struct task *t)
{
	_cleanup_(freep) char *comm = get_bytes(rd, j, "comm");
	const struct json *state = get(rd, j, "state", JSON_TEXT);

	get_numbers(rd, j, t, record_numbers, record_number_count);
	if (!json_has(j, "pid") || t->id.pid < 1)
		refuse(rd, "it has no \"pid\" from 1 on");
	if (!json_has(j, "mm_tid"))
		t->mm_tid = t->id.pid;
	t->flags = get_flags(rd, j);
	t->state = state && json_text(state)[0] ? json_text(state)[0] : '?';
	copy_cut(t->comm, sizeof(t->comm), comm ? comm : "");
}

static void get_shmem(struct reading *rd, const struct json *j, struct record_detail *d)
{
	d->shmem_error = -ENODATA;
	if (json_has(j, "shmem_error"))
		d->shmem_error = (int)get_number(rd, j, "shmem_error", -4095, -1);
	if (!json_has(j, "shmem_private_bytes"))
		return;
	d->shmem_error = 0;
	d->shmem.private_bytes = (uint64_t)get_number(rd, j, "shmem_private_bytes", 0, INT64_MAX);
	d->shmem.pss_bytes = (uint64_t)get_number(rd, j, "shmem_pss_bytes", 0, INT64_MAX);
}

static void get_detail(
	struct reading *rd, const struct json *j, const struct task *t, struct record_detail *d)
{
	d->pid = t->id.pid;
	d->mm = (pid_t)get_number(rd, j, "mm", 1, INT_MAX);
	/* Shared with nobody, if nothing is said. */
	if (d->mm == 0 && !(t->flags & (TASK_KTHREAD | TASK_NO_MM)))
		d->mm = t->id.pid;
	d->evidence = get_name(
		rd, j, "evidence", record_evidence_names, ARRAY_SIZE(record_evidence_names));
	d->gone = get_bool(rd, j, "gone");
	d->exe = get_bytes(rd, j, "exe");
	d->cgroup = get_bytes(rd, j, "cgroup");
	d->cmdline = get_bytes(rd, j, "cmdline");
	d->preference = get_name(
		rd, j, "preference", record_preference_names, ARRAY_SIZE(record_preference_names));
	d->exe_unread = get_bool(rd, j, "exe_unread");
	d->cgroup_unread = get_bool(rd, j, "cgroup_unread");
	d->cmdline_unread = get_bool(rd, j, "cmdline_unread");
	get_shmem(rd, j, d);
}

static void get_tasks(struct reading *rd, const struct json *list, struct record *r)
{
	rd->in_task = true;
	for (uint32_t i = 0; i < r->snapshot.count && rd->error == 0; i++) {
		const struct json *j = json_at(list, i);
		struct task *t = &r->snapshot.tasks[i];

		rd->task = (size_t)i + 1;
		if (json_kind_of(j) != JSON_MAP) {
			refuse(rd, "it is not an object");
			return;
		}
		get_task(rd, j, t);
		if (i > 0 && t->id.pid <= t[-1].id.pid)
			refuse(rd, "pid %d comes after pid %d; they must ascend", t->id.pid,
				t[-1].id.pid);
		get_detail(rd, j, t, &r->details[i]);
		/* None given: equal for those who share an mm, as it must be. */
		if (t->marks.start_code == 0 && !(t->flags & TASK_MARKS_HIDDEN))
			t->marks.start_code = (uint64_t)INT64_MAX + (uint64_t)r->details[i].mm;
	}
	rd->in_task = false;
}

/* --- whole --- */

static void get_text(
	struct reading *rd, const struct json *j, const char *key, char *ret, size_t size)
{
	copy_cut(ret, size, json_text(get(rd, j, key, JSON_TEXT)));
}

static void get_heading(struct reading *rd, const struct json *j, struct record *r)
{
	const struct json *memory = get(rd, j, "memory", JSON_MAP);

	get_text(rd, j, "oomfwd", r->version, sizeof(r->version));
	get_text(rd, j, "kernel", r->kernel, sizeof(r->kernel));
	r->taken_seconds = get_number(rd, j, "taken_seconds", 0, INT64_MAX / 4);
	if (json_has(j, "evidence"))
		r->evidence = get_name(rd, j, "evidence", record_evidence_names,
			ARRAY_SIZE(record_evidence_names));
	if (r->evidence != MM_EVIDENCE_KCMP && r->evidence != MM_EVIDENCE_SMAPS)
		refuse(rd, "\"evidence\" is neither \"kcmp\" nor \"smaps\"");
	r->can_ptrace = get_bool(rd, j, "can_ptrace");
	r->has_cmdlines = get_bool(rd, j, "cmdlines");
	r->self = (pid_t)get_number(rd, j, "self_pid", 0, INT_MAX);
	r->snapshot.vanished = (uint32_t)get_number(rd, j, "vanished", 0, UINT32_MAX);
	r->snapshot.unread = (uint32_t)get_number(rd, j, "unread", 0, UINT32_MAX);
	r->snapshot.dropped = (uint32_t)get_number(rd, j, "dropped", 0, UINT32_MAX);
	get_numbers(rd, memory, &r->mem, record_memory_numbers, record_memory_number_count);
	if (r->mem.total_bytes == 0)
		refuse(rd, "\"memory\" has no \"total_bytes\"");
}

/* Whether it is one of ours at all; its list of tasks then. */
static const struct json *find_tasks(struct reading *rd, const struct json *j)
{
	const struct json *tasks;
	int64_t version;

	if (json_kind_of(j) != JSON_MAP ||
		strcmp(json_get_text(j, "format"), "oomfwd-snapshot") != 0) {
		refuse(rd,
			"it is not a snapshot of oomfwdctl: \"format\" is not "
			"\"oomfwd-snapshot\"");
		return NULL;
	}
	version = json_get_number(j, "format_version");
	if (version != RECORD_VERSION) {
		refuse(rd, "it has format version %lld; this oomfwdctl reads %d",
			(long long)version, RECORD_VERSION);
		return NULL;
	}
	tasks = get(rd, j, "tasks", JSON_LIST);
	if (!tasks)
		refuse(rd, "it has no list \"tasks\"");
	else if (json_count(tasks) > RECORD_TASKS_MAX)
		refuse(rd, "it has more than %d tasks", RECORD_TASKS_MAX);
	return rd->error == 0 ? tasks : NULL;
}

int record_parse(const struct json *j, struct record **ret, char ret_why[RECORD_WHY_SIZE])
{
	struct reading rd = { .why = ret_why };
	_cleanup_(record_freep) struct record *r = NULL;
	const struct json *tasks;
	int e;

	ret_why[0] = '\0';
	tasks = find_tasks(&rd, j);
	if (!tasks)
		return rd.error;
	e = record_new((uint32_t)json_count(tasks), &r);
	if (e < 0) {
		refuse(&rd, "no memory is left for its tasks");
		return e;
	}
	get_heading(&rd, j, r);
	if (rd.error == 0)
		get_tasks(&rd, tasks, r);
	if (rd.error == -ENOMEM)
		snprintf(ret_why, RECORD_WHY_SIZE, "no memory is left for its tasks");
	if (rd.error == 0)
		*ret = take_pointer(&r);
	return rd.error;
}

int record_parse_text(
	const char *text, size_t length, struct record **ret, char ret_why[RECORD_WHY_SIZE])
{
	_cleanup_(json_unrefp) struct json *j = NULL;
	char what[128] = "";
	int line = 0, e = json_parse(text, length, &j, &line, what);

	if (e == 0)
		return record_parse(j, ret, ret_why);
	if (length == 0)
		snprintf(ret_why, RECORD_WHY_SIZE, "it is empty");
	else if (e == -ENOMEM)
		snprintf(ret_why, RECORD_WHY_SIZE, "no memory is left to read it");
	else
		snprintf(ret_why, RECORD_WHY_SIZE, "it is no JSON, or cut short: line %d: %s", line,
			what);
	return e;
}

/* All of it, for the caller to free. */
static int read_whole(int fd, char **ret, size_t *ret_length)
{
	_cleanup_(freep) char *text = NULL;
	size_t size = 0, length = 0;

	while (length == size) {
		char *more = size < FILE_MAX_BYTES ? realloc(text, 2 * size + 65536) : NULL;
		ssize_t n;

		if (!more)
			return size < FILE_MAX_BYTES ? -ENOMEM : -EFBIG;
		text = more;
		size = 2 * size + 65536;
		n = procfs_read_full(fd, text + length, size - length);
		if (n < 0)
			return (int)n;
		length += (size_t)n;
	}
	*ret = take_pointer(&text);
	*ret_length = length;
	return 0;
}

int record_read(const char *path, struct record **ret, char ret_why[RECORD_WHY_SIZE])
{
	bool standard = strcmp(path, "-") == 0;
	_cleanup_(fd_closep) int fd =
		standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *text = NULL;
	size_t length = 0;
	int e = fd < 0 ? -errno : read_whole(fd, &text, &length);

	if (e < 0) {
		snprintf(ret_why, RECORD_WHY_SIZE, "it cannot be read: %s", strerror(-e));
		return e;
	}
	return record_parse_text(text, length, ret, ret_why);
}
