/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring and the thread that empties it.
 *
 * One writes the ring (the main thread) and one reads it (the logger), so two counters are all
 * that they share; neither ever holds a lock. The logger may be stuck in a write for ever: it then
 * keeps the ring for itself, and the last of the two to leave frees it.
 */
#include "clock.h"
#include "container.h"
#include "report-text.h"
#include "survive.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-journal.h>
#include <time.h>

#define RING_SIZE   1024 /* entries of some 1 KiB */
#define LINE_SIZE   1000
#define TEXT_SIZE   2048
#define FIELDS_MAX  32
#define FIELDS_SIZE 8192
#define STACK_SIZE  (128 * KIB)

struct entry {
	bool is_event;
	enum report_level level;
	uint32_t dropped_before; /* that found the ring full since the entry before */
	union {
		struct report_event event;
		char line[LINE_SIZE];
	};
};

/* What the logger alone uses. */
struct output {
	bool to_journal;
	char text[TEXT_SIZE];
	char fields[FIELDS_SIZE];
	size_t fields_used;
	int field_count;
	struct iovec field[FIELDS_MAX];
};

struct logger {
	_Atomic uint32_t head, tail; /* written, read: counts that wrap */
	_Atomic uint32_t news;       /* the futex: changes with every entry, and to stop */
	_Atomic uint32_t done;       /* a futex: the logger has ended */
	atomic_bool stop;
	atomic_int owners;
	enum report_level max;
	uint32_t dropped; /* the producer's */
	struct output output;
	struct entry ring[RING_SIZE];
};

static struct logger *sink;

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

static const char *kind_name(enum report_kind kind)
{
	switch (kind) {
	case REPORT_EPISODE_BEGAN:
		return "began";
	case REPORT_SIGNALLED:
		return "signalled";
	case REPORT_FREED:
		return "freed";
	case REPORT_STUCK:
		return "stuck";
	case REPORT_HIDDEN_PIN:
		return "pinned";
	case REPORT_LOST:
		return "lost";
	case REPORT_NO_VICTIM:
		return "no-victim";
	case REPORT_STEP:
		return "step";
	case REPORT_RECOVERED:
		return "recovered";
	case REPORT_WHOLE:
		return "whole-cgroup";
	case REPORT_KERNEL_OOM:
		return "kernel-oom";
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

static void write_line(const struct output *o, enum report_level level, const char *text)
{
	char line[TEXT_SIZE + 32];
	int n;

	if (o->to_journal)
		n = snprintf(line, sizeof(line), "<%d>%s\n", (int)level, text);
	else
		n = snprintf(line, sizeof(line), "oomfwd: %s\n", text);
	write_all(line, (size_t)n);
}

static _printf_(2, 3) void add_field(struct output *o, const char *format, ...)
{
	char *at = o->fields + o->fields_used;
	size_t left = sizeof(o->fields) - o->fields_used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(at, left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= left || o->field_count >= FIELDS_MAX)
		return;
	o->field[o->field_count++] = (struct iovec){ at, (size_t)n };
	o->fields_used += (size_t)n + 1;
}

static void add_number(struct output *o, const char *name, uint64_t value)
{
	if (value > 0)
		add_field(o, "OOMFWD_%s=%llu", name, (unsigned long long)value);
}

static void add_text(struct output *o, const char *name, const char *text, size_t size)
{
	char whole[257], escaped[4 * sizeof(whole)];

	snprintf(whole, sizeof(whole), "%.*s", (int)size, text);
	if (whole[0])
		add_field(o, "OOMFWD_%s=%s", name, report_escape(whole, escaped, sizeof(escaped)));
}

static void add_container(struct output *o, const char *cgroup)
{
	struct container_name c;

	if (!container_parse(cgroup, &c))
		return;
	add_field(o, "OOMFWD_RUNTIME=%s", container_runtime_text(c.runtime));
	add_text(o, "CONTAINER", c.id, sizeof(c.id));
	add_text(o, "POD_UID", c.pod_uid, sizeof(c.pod_uid));
}

/* Numbers that are 0 and texts that are empty are left out: they mean that there is none. */
static void add_event_fields(struct output *o, const struct report_event *e)
{
	bool stuck = e->kind == REPORT_STUCK;

	add_field(o, "MESSAGE_ID=%s", message_id(e->kind));
	add_field(o, "OOMFWD_EVENT=%s", kind_name(e->kind));
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
static void send_text(struct output *o, enum report_level level, const struct report_event *e)
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

static void say_dropped(struct output *o, uint32_t dropped)
{
	if (dropped == 0)
		return;
	snprintf(o->text, sizeof(o->text),
		"%u message%s lost here: the log did not take them in time", dropped,
		dropped > 1 ? "s were" : " was");
	send_text(o, REPORT_WARNING, NULL);
}

static void send_entry(struct output *o, const struct entry *entry)
{
	say_dropped(o, entry->dropped_before);
	if (entry->is_event)
		report_format(&entry->event, o->text, sizeof(o->text));
	else
		snprintf(o->text, sizeof(o->text), "%s", entry->line);
	send_text(o, entry->level, entry->is_event ? &entry->event : NULL);
}

/* --- the thread --- */

static void wake(_Atomic uint32_t *futex)
{
	atomic_fetch_add(futex, 1);
	syscall(SYS_futex, futex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* As long as *futex is still that value; may return early. */
static void sleep_on(_Atomic uint32_t *futex, uint32_t value, const struct timespec *timeout)
{
	syscall(SYS_futex, futex, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
}

static void leave(struct logger *l)
{
	if (atomic_fetch_sub(&l->owners, 1) == 1)
		munmap(l, sizeof(*l));
}

static void *run_logger(void *ctx)
{
	struct logger *l = ctx;
	uint32_t tail = 0;

	pthread_setname_np(pthread_self(), "oomfwd-log");
	/* It is there before the main thread gives them up, which counts for later threads only. */
	(void)survive_drop_loading();
	for (;;) {
		uint32_t news = atomic_load(&l->news);
		bool stop = atomic_load(&l->stop);

		for (; tail != atomic_load(&l->head); atomic_store(&l->tail, tail))
			send_entry(&l->output, &l->ring[tail++ % RING_SIZE]);
		if (stop)
			break;
		sleep_on(&l->news, news, NULL);
	}
	say_dropped(&l->output, l->dropped);
	wake(&l->done);
	leave(l);
	return NULL;
}

/* No signal may meet the logger: SIGPIPE least of all. */
static int start_thread(struct logger *l)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return -r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* Detached: nobody could wait for it to be joined, if it hangs. */
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	r = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (r == 0)
		r = pthread_create(&thread, &attr, run_logger, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

int report_open(enum report_level max)
{
	struct logger *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int r;

	if (l == MAP_FAILED)
		return -errno;
	l->max = max;
	l->output.to_journal = stderr_is_journal();
	atomic_store(&l->owners, 2);
	r = start_thread(l);
	if (r < 0) {
		munmap(l, sizeof(*l));
		return r;
	}
	sink = l;
	return 0;
}

void report_set_level(enum report_level max)
{
	if (sink)
		sink->max = max;
}

void report_close(uint64_t timeout_usec)
{
	struct logger *l = sink;
	uint64_t deadline = add_sat_u64(monotonic_usec(), timeout_usec), now;

	if (!l)
		return;
	sink = NULL;
	atomic_store(&l->stop, true);
	wake(&l->news);
	while (atomic_load(&l->done) == 0 && (now = monotonic_usec()) < deadline) {
		uint64_t left = min_u64(deadline - now, 3600 * USEC_PER_SEC);
		struct timespec t = { .tv_sec = (time_t)(left / USEC_PER_SEC),
			.tv_nsec = (long)(left % USEC_PER_SEC * 1000) };
		sleep_on(&l->done, 0, &t);
	}
	leave(l);
}

/* --- the producer; never waits --- */

/* The next free entry, or NULL: this message is lost. */
static struct entry *begin_entry(enum report_level level)
{
	struct logger *l = sink;
	uint32_t head;
	struct entry *e;

	if (!l || level > l->max)
		return NULL;
	head = atomic_load_explicit(&l->head, memory_order_relaxed);
	if (head - atomic_load(&l->tail) >= RING_SIZE) {
		l->dropped++;
		return NULL;
	}
	e = &l->ring[head % RING_SIZE];
	e->level = level;
	e->dropped_before = l->dropped;
	l->dropped = 0;
	return e;
}

static void end_entry(void)
{
	atomic_fetch_add(&sink->head, 1);
	wake(&sink->news);
}

void report_line(enum report_level level, const char *format, ...)
{
	struct entry *e = begin_entry(level);
	va_list args;
	int n;

	if (!e)
		return;
	e->is_event = false;
	va_start(args, format);
	n = vsnprintf(e->line, sizeof(e->line), format, args);
	va_end(args);
	if (n >= (int)sizeof(e->line))
		e->line[text_whole(e->line, sizeof(e->line) - 1)] = '\0';
	for (char *p = e->line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	end_entry();
}

void report_event(const struct report_event *event)
{
	struct entry *e = begin_entry(report_level_of(event));

	if (!e)
		return;
	e->is_event = true;
	e->event = *event;
	end_entry();
}
