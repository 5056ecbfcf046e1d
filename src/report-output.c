/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events and lines on their way out. The logger's thread: it may wait here.
 */
#include "report-output.h"
#include "container.h"
#include "report-text.h"

#include <poll.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

/* One for each kind, for `journalctl MESSAGE_ID=`. Never to be changed. */
static const char *message_id(enum report_kind kind)
{
	switch (kind) {
	case REPORT_EPISODE_BEGAN:
		return "3c770e4f002a4e41b24b37325e139d6a";
	case REPORT_SIGNALLED:
		return "db7630248a2f4543a33f83ba14f7d651";
	case REPORT_FREED:
		return "dda3e6777d1445a59b0b1980b133d62a";
	case REPORT_STUCK:
		return "5f65fa20ea124192bac0e9f1d7b6ce86";
	case REPORT_HIDDEN_PIN:
		return "311f827c2a33463dadb8c273c07eb9a3";
	case REPORT_LOST:
		return "f166101b15b049b5a95cbee5c2bdb4c9";
	case REPORT_NO_VICTIM:
		return "8c6a1035dd00493081afe4f252e3a93a";
	case REPORT_STEP:
		return "15fef54042d84fdd8f5be1418e74ba50";
	case REPORT_RECOVERED:
		return "246e8e0659e947cc837aa698921e1a84";
	case REPORT_WHOLE:
		return "869eec5591d1435a921c73233e691e01";
	case REPORT_KERNEL_OOM:
		return "1ce614dea53d4702aed80af62c4dd671";
	}
	return "";
}

/* --- out to the journal or stderr; the logger's thread --- */

/* Whether stderr is the journal's stream (systemd.exec(5), $JOURNAL_STREAM). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* Waits as long as it takes: nobody waits for us but report_close(), and that has a deadline. */
static void write_all(const char *text, size_t length)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	while (length > 0) {
		ssize_t n = write(STDERR_FILENO, text, length);

		if (n > 0) {
			text += n;
			length -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			poll(&p, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return;
		}
	}
}

static void write_line(const struct report_output *o, enum report_level level, const char *text)
{
	char line[REPORT_TEXT_SIZE + 32];
	int n;

	if (o->to_journal)
		n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
	else
		n = snprintf(line, sizeof(line), "oomfwd: %s\n", text);
	write_all(line, (size_t)n);
}

static _printf_(2, 3) void add_field(struct report_output *o, const char *format, ...)
{
	char *at = o->fields + o->fields_used;
	size_t left = sizeof(o->fields) - o->fields_used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(at, left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= left || o->field_count >= REPORT_FIELDS_MAX)
		return;
	o->field[o->field_count++] = (struct iovec){ at, (size_t)n };
	o->fields_used += (size_t)n + 1;
}

static void add_number(struct report_output *o, const char *name, uint64_t value)
{
	if (value > 0)
		add_field(o, "OOMFWD_%s=%llu", name, (unsigned long long)value);
}

static void add_text(struct report_output *o, const char *name, const char *text, size_t size)
{
	char whole[257], escaped[4 * sizeof(whole)];

	snprintf(whole, sizeof(whole), "%.*s", (int)size, text);
	if (whole[0])
		add_field(o, "OOMFWD_%s=%s", name, report_escape(whole, escaped, sizeof(escaped)));
}

static void add_container(struct report_output *o, const char *cgroup)
{
	struct container_name c;

	if (!container_parse(cgroup, &c))
		return;
	add_field(o, "OOMFWD_RUNTIME=%s", container_runtime_text(c.runtime));
	add_text(o, "CONTAINER", c.id, sizeof(c.id));
	add_text(o, "POD_UID", c.pod_uid, sizeof(c.pod_uid));
}

/* OOMFWD_GROUP=4242 4243 */
static void add_group(struct report_output *o, const struct report_event *e)
{
	char pids[REPORT_GROUP_MAX * 12] = "";
	struct text t = { pids, sizeof(pids) };

	for (int i = 0; i < REPORT_GROUP_MAX && e->group[i] > 0; i++)
		text_add(&t, "%s%d", i > 0 ? " " : "", (int)e->group[i]);
	if (pids[0])
		add_field(o, "OOMFWD_GROUP=%s", pids);
}

/* Numbers that are 0 and texts that are empty are left out: they mean that there is none. */
static void add_event_fields(struct report_output *o, const struct report_event *e)
{
	bool stuck = e->kind == REPORT_STUCK;

	add_field(o, "MESSAGE_ID=%s", message_id(e->kind));
	add_field(o, "OOMFWD_EVENT=%s", report_kind_name(e->kind));
	add_field(o, "OOMFWD_DRY_RUN=%d", e->dry_run);
	add_number(o, "MONOTONIC_USEC", e->at_usec);
	if (e->victim.pid > 0) {
		add_number(o, "VICTIM_PID", (uint64_t)e->victim.pid);
		add_number(o, "VICTIM_START_TICKS", e->victim.start_ticks);
		add_field(o, "OOMFWD_VICTIM_UID=%u", e->uid);
		add_field(o, "OOMFWD_VICTIM_OOM_SCORE_ADJ=%d", e->oom_score_adj);
	}
	add_text(o, "VICTIM_COMM", e->comm, sizeof(e->comm));
	add_text(o, "CGROUP", e->cgroup, sizeof(e->cgroup));
	add_text(o, "DOMAIN", e->domain, sizeof(e->domain));
	add_text(o, "DOMAIN_CGROUP", e->domain_path, sizeof(e->domain_path));
	add_container(o, e->cgroup[0] ? e->cgroup : e->domain_path);
	add_text(o, "RULE", e->rule, sizeof(e->rule));
	add_number(o, "MEMBERS", e->members);
	add_group(o, e);
	add_number(o, "SIGNAL", (uint64_t)e->sig);
	add_number(o, "PINNED_BY", (uint64_t)(stuck ? e->blame.pid : e->pin_pid));
	add_text(o, "PINNED_BY_COMM", stuck ? e->blame.comm : e->pin_comm, TASK_COMM_LEN);
	add_number(o, "EXPECTED_BYTES", e->expected_bytes);
	add_number(o, "FREED_BYTES", e->freed_bytes);
	add_number(o, "LATENCY_USEC", e->latency_usec);
	add_number(o, "DETECT_USEC", e->detect_usec);
	add_number(o, "MAJOR_FAULTS", e->major_faults);
	add_number(o, "AVAILABLE_BEFORE_BYTES", e->available_before_bytes);
	add_number(o, "AVAILABLE_AFTER_BYTES", e->available_after_bytes);
	add_number(o, "NEED_BYTES", e->need_bytes);
	add_number(o, "VICTIMS", e->victims);
	if (e->error < 0)
		add_field(o, "ERRNO=%d", -e->error);
}

/* A journal that takes no entries still reads the stream that stderr is. */
void report_output_send(
	struct report_output *o, enum report_level level, const struct report_event *e)
{
	if (!o->to_journal) {
		write_line(o, level, o->text);
		return;
	}
	o->fields_used = 0;
	o->field_count = 0;
	add_field(o, "MESSAGE=%s", o->text);
	add_field(o, "PRIORITY=%d", (int)level);
	add_field(o, "SYSLOG_IDENTIFIER=oomfwd");
	if (e)
		add_event_fields(o, e);
	if (sd_journal_sendv(o->field, o->field_count) < 0)
		write_line(o, level, o->text);
}

void report_output_init(struct report_output *o)
{
	o->to_journal = stderr_is_journal();
}
