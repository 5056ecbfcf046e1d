/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring and the thread that empties it.
 *
 * One writes the ring (the main thread) and one reads it (the logger), so two counters are all
 * that they share; neither ever holds a lock. The logger may be stuck in a write for ever: it then
 * keeps the ring for itself, and the last of the two to leave frees it.
 */
#include "clock.h"
#include "report-output.h"
#include "report-text.h"
#include "thread.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#define RING_SIZE  512 /* entries of some 1 KiB; a power of two. A full set of victims has 256 */
#define LINE_SIZE  1000
#define STACK_SIZE (64 * KIB)

struct entry {
	bool is_event;
	enum report_level level;
	uint32_t dropped_before; /* that found the ring full since the entry before */
	union {
		struct report_event event;
		char line[LINE_SIZE];
	};
};

struct logger {
	_Atomic uint32_t head, tail; /* written, read: counts that wrap */
	_Atomic uint32_t news;       /* the futex: changes with every entry, and to stop */
	_Atomic uint32_t done;       /* a futex: the logger has ended */
	atomic_bool stop;
	atomic_int owners;
	_Atomic uint32_t tap_tail;
	atomic_int tap_fd; /* -1: nobody taps */
	enum report_level max;
	uint32_t dropped; /* the producer's */
	struct report_counts counts;
	struct report_output output;
	struct entry ring[RING_SIZE];
};

static struct logger *sink;

static void say_dropped(struct report_output *o, uint32_t dropped)
{
	if (dropped == 0)
		return;
	snprintf(o->text, sizeof(o->text),
		"%u message%s lost here: the log did not take them in time", dropped,
		dropped > 1 ? "s were" : " was");
	report_output_send(o, REPORT_WARNING, NULL);
}

/* --- the logger's thread --- */

static void send_entry(struct report_output *o, const struct entry *entry)
{
	say_dropped(o, entry->dropped_before);
	if (entry->is_event)
		report_format(&entry->event, o->text, sizeof(o->text));
	else
		snprintf(o->text, sizeof(o->text), "%s", entry->line);
	report_output_send(o, entry->level, entry->is_event ? &entry->event : NULL);
}

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

	thread_go_ordinary();
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
int report_open(enum report_level max)
{
	struct logger *l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int r;

	if (l == MAP_FAILED)
		return -errno;
	l->max = max;
	atomic_store(&l->tap_fd, -1);
	report_output_init(&l->output);
	atomic_store(&l->owners, 2);
	/* Detached: nobody could wait for it to be joined, if it hangs. */
	r = thread_start(NULL, STACK_SIZE, "oomfwd-log", run_logger, l);
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
	if (head - atomic_load(&l->tail) >= RING_SIZE ||
		(atomic_load(&l->tap_fd) >= 0 && head - atomic_load(&l->tap_tail) >= RING_SIZE)) {
		l->dropped++;
		l->counts.lost++;
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
	int tap_fd = atomic_load(&sink->tap_fd);
	uint64_t one = 1;

	atomic_fetch_add(&sink->head, 1);
	wake(&sink->news);
	/* The count cannot overflow, so this does not wait. */
	if (tap_fd >= 0 && write(tap_fd, &one, sizeof(one)) < 0)
		return;
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

static void count_event(struct report_counts *c, const struct report_event *e)
{
	c->episodes += e->kind == REPORT_EPISODE_BEGAN;
	c->kills += e->kind == REPORT_SIGNALLED;
	c->freed += e->kind == REPORT_FREED;
	c->freed_bytes += e->kind == REPORT_FREED ? e->freed_bytes : 0;
	c->stuck += e->kind == REPORT_STUCK;
	c->pinned += e->kind == REPORT_HIDDEN_PIN;
	c->no_victim += e->kind == REPORT_NO_VICTIM;
	c->steps += e->kind == REPORT_STEP && e->error == 0;
	c->kernel_kills += e->kind == REPORT_KERNEL_OOM ? e->kernel_oom_kills : 0;
}

void report_get_counts(struct report_counts *ret)
{
	*ret = sink ? sink->counts : (struct report_counts){ 0 };
}

void report_event(const struct report_event *event)
{
	struct entry *e = begin_entry(report_level_of(event));

	if (sink)
		count_event(&sink->counts, event);
	if (!e)
		return;
	e->is_event = true;
	e->event = *event;
	end_entry();
}

/* --- the tap --- */

int report_tap_open(void)
{
	int fd;

	if (!sink)
		return -ENOTCONN;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	atomic_store(&sink->tap_tail, atomic_load(&sink->head));
	atomic_store(&sink->tap_fd, fd);
	return fd;
}

void report_tap_close(void)
{
	if (sink)
		close(atomic_exchange(&sink->tap_fd, -1));
}

bool report_tap_next(struct report_event *ret, uint32_t *ret_lost)
{
	struct logger *l = sink;
	uint32_t tail = atomic_load(&l->tap_tail);

	*ret_lost = 0;
	while (tail != atomic_load(&l->head)) {
		const struct entry *e = &l->ring[tail % RING_SIZE];
		bool is_event = e->is_event;

		*ret_lost += e->dropped_before;
		if (is_event)
			*ret = e->event;
		atomic_store(&l->tap_tail, ++tail);
		if (is_event)
			return true;
	}
	return false;
}
