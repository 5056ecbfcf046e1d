/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A desk that runs, and a daemon that is played: a socket with a page of state as in wire.h, and
 * events as the test sends them. All in a directory of its own.
 */
#pragma once

#include "build-config.h"
#include "clock.h"
#include "json.h"
#include "wire.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
/* cmocka wants these before itself: */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PATIENCE_USEC (15 * USEC_PER_SEC)

struct desk_stage {
	char dir[64];
	pid_t desk;
	int notify_fd;
	int listen_fd, client_fd, page_fd;
	struct wire_page *page;
	char text[16384]; /* what was read last */
};

/* Waits until something holds; the expression is tried every 5 ms. */
#define wait_until(condition)                                                                      \
	do {                                                                                       \
		uint64_t until_ = monotonic_usec() + PATIENCE_USEC;                                \
		while (!(condition)) {                                                             \
			assert_true(monotonic_usec() < until_);                                    \
			usleep(5000);                                                              \
		}                                                                                  \
	} while (0)

static _unused_ const char *in_dir(const struct desk_stage *st, const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", st->dir, name);
	return p;
}

static _unused_ const char *read_file(struct desk_stage *st, const char *name)
{
	_cleanup_(fd_closep) int fd = open(in_dir(st, name), O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, st->text, sizeof(st->text) - 1);

	st->text[n > 0 ? n : 0] = '\0';
	return st->text;
}

_printf_(3, 4) static _unused_
	void write_file(const struct desk_stage *st, const char *name, const char *format, ...)
{
	FILE *f = fopen(in_dir(st, name), "we");
	va_list args;

	assert_non_null(f);
	va_start(args, format);
	assert_true(vfprintf(f, format, args) >= 0);
	va_end(args);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(in_dir(st, name), 0755), 0);
}

static _unused_ int bind_in_dir(const struct desk_stage *st, const char *name, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", st->dir, name);
	(void)unlink(sa.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* --- the daemon that is played --- */

static _unused_ void daemon_appears(struct desk_stage *st)
{
	st->page_fd = memfd_create("page", MFD_CLOEXEC);
	assert_int_equal(ftruncate(st->page_fd, sizeof(*st->page)), 0);
	st->page =
		mmap(NULL, sizeof(*st->page), PROT_READ | PROT_WRITE, MAP_SHARED, st->page_fd, 0);
	assert_true(st->page != MAP_FAILED);
	st->page->state.mem.total_bytes = 16 * GIB;
	st->page->state.mem.available_bytes = 3 * GIB;
	st->page->state.kill_memory_bytes = 800 * MIB;
	st->page->state.counts.kills = 41;
	st->page->state.hidden_count = 2;
	st->page->state.at_usec = st->page->state.started_usec = monotonic_usec();
	st->listen_fd = bind_in_dir(st, "feed", SOCK_SEQPACKET);
	assert_int_equal(listen(st->listen_fd, 8), 0);
}

/* Takes the desk in; version NULL: our own. */
static _unused_ void daemon_says_hello(struct desk_stage *st, const char *version)
{
	char control[CMSG_SPACE(sizeof(int))]
		__attribute__((aligned(sizeof(struct cmsghdr)))) = { 0 };
	struct wire_packet p = { .kind = WIRE_HELLO };
	struct iovec iov = { &p, sizeof(p) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = (struct cmsghdr *)control;
	struct pollfd poll_fd = { .fd = st->listen_fd, .events = POLLIN };

	assert_int_equal(poll(&poll_fd, 1, (int)(PATIENCE_USEC / 1000)), 1);
	st->client_fd = accept4(st->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(st->client_fd >= 0);
	p.hello = (struct wire_hello){ .magic = WIRE_MAGIC,
		.event_size = sizeof(struct report_event),
		.state_size = sizeof(struct wire_state),
		.pid = 4711 };
	copy_cut(p.hello.version, sizeof(p.hello.version), version ? version : OOMFWD_VERSION);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &st->page_fd, sizeof(int));
	assert_int_equal(sendmsg(st->client_fd, &m, MSG_NOSIGNAL), sizeof(p));
}

static _unused_ void daemon_goes(struct desk_stage *st)
{
	if (st->listen_fd >= 0)
		close(st->listen_fd);
	if (st->client_fd >= 0)
		close(st->client_fd);
	if (st->page) {
		munmap(st->page, sizeof(*st->page));
		close(st->page_fd);
	}
	st->listen_fd = st->client_fd = -1;
	st->page = NULL;
	(void)unlink(in_dir(st, "feed"));
}

static _unused_ void daemon_tells(struct desk_stage *st, struct report_event e)
{
	struct wire_packet p = { .kind = WIRE_EVENT };

	e.at_usec = monotonic_usec();
	e.total_bytes = 16 * GIB;
	p.event = e;
	assert_int_equal(send(st->client_fd, &p, sizeof(p), MSG_NOSIGNAL), sizeof(p));
}

/* The four events of a kill that helps. */
static _unused_ void daemon_begins(struct desk_stage *st)
{
	daemon_tells(st,
		(struct report_event){
			.kind = REPORT_EPISODE_BEGAN, .level = LEVEL_KILL, .cause = CAUSE_MEMORY });
}

static _unused_ void daemon_kills(struct desk_stage *st)
{
	struct report_event e = { .kind = REPORT_SIGNALLED,
		.level = LEVEL_KILL,
		.cause = CAUSE_MEMORY,
		.victim = { 4242, 7 },
		.comm = "ja\033va",
		.cgroup = "/system.slice/app.service",
		.sig = SIGKILL,
		.members = 3,
		.expected_bytes = 2 * GIB };

	daemon_tells(st, e);
	e.kind = REPORT_FREED;
	e.freed_bytes = 2 * GIB;
	e.latency_usec = 84000;
	daemon_tells(st, e);
}

static _unused_ void daemon_recovers(struct desk_stage *st)
{
	daemon_tells(st,
		(struct report_event){ .kind = REPORT_RECOVERED,
			.victims = 1,
			.freed_bytes = 2 * GIB,
			.latency_usec = 1000 });
}

static _unused_ void whole_episode(struct desk_stage *st)
{
	daemon_begins(st);
	daemon_kills(st);
	daemon_recovers(st);
}

/* --- the desk --- */

static _unused_ bool was_notified(struct desk_stage *st, const char *what)
{
	char text[256] = "";
	ssize_t n;

	while ((n = recv(st->notify_fd, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		if (strstr(text, what))
			return true;
	}
	return false;
}

/* [desk] as configured; the paths it has by default are in the directory instead. */
static _unused_ void write_config(struct desk_stage *st, const char *more)
{
	write_file(st, "conf",
		"[desk]\nmetrics_file = %s/prom\nmetrics_socket = %s/http\nhistory = %s/history\n"
		"%s",
		st->dir, st->dir, st->dir, more);
	assert_int_equal(chmod(in_dir(st, "conf"), 0644), 0);
}

/* Its standard error goes to DIR/said. */
static _unused_ void desk_starts(struct desk_stage *st, const char *more)
{
	const char *program = getenv("OOMFWD_DESK");
	posix_spawn_file_actions_t files;
	char conf[128], feed[128];
	char *argv[] = { (char *)program, (char *)"--config", conf, (char *)"--socket", feed,
		NULL };
	char notify[128], bus[160];

	assert_non_null(program);
	write_config(st, more);
	snprintf(conf, sizeof(conf), "%s/conf", st->dir);
	snprintf(feed, sizeof(feed), "%s/feed", st->dir);
	snprintf(notify, sizeof(notify), "%s/notify", st->dir);
	snprintf(bus, sizeof(bus), "unix:path=%s/bus", st->dir);
	setenv("NOTIFY_SOCKET", notify, 1);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", bus, 1);
	unsetenv("JOURNAL_STREAM");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(
		&files, STDERR_FILENO, in_dir(st, "said"), O_WRONLY | O_CREAT | O_APPEND, 0644);
	assert_int_equal(posix_spawn(&st->desk, program, &files, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&files);
	wait_until(was_notified(st, "READY=1"));
}

static _unused_ bool has_said(struct desk_stage *st, const char *what)
{
	return strstr(read_file(st, "said"), what) != NULL;
}

/* The exit status, or -1 when it has not ended in time. */
static _unused_ int desk_ends(struct desk_stage *st)
{
	int status = 0;

	for (uint64_t until = monotonic_usec() + PATIENCE_USEC; monotonic_usec() < until;) {
		if (waitpid(st->desk, &status, WNOHANG) == st->desk) {
			st->desk = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
		}
		usleep(5000);
	}
	return -1;
}

static _unused_ int desk_is_ended(struct desk_stage *st)
{
	assert_int_equal(kill(st->desk, SIGTERM), 0);
	return desk_ends(st);
}

/* --- HTTP --- */

static _unused_ int http_connect(const struct desk_stage *st)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = { .tv_sec = (time_t)(PATIENCE_USEC / USEC_PER_SEC) };

	assert_true(fd >= 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/http", st->dir);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* Sends text, and reads all that comes until the end into st->text. */
static _unused_ const char *http_ask(struct desk_stage *st, const char *text)
{
	_cleanup_(fd_closep) int fd = http_connect(st);
	size_t used = 0;
	ssize_t n;

	(void)send(fd, text, strlen(text), MSG_NOSIGNAL);
	while (used < sizeof(st->text) - 1 &&
		(n = recv(fd, st->text + used, sizeof(st->text) - 1 - used, 0)) > 0)
		used += (size_t)n;
	st->text[used] = '\0';
	return st->text;
}

static _unused_ const char *http_body(struct desk_stage *st, const char *page)
{
	char request[64];
	const char *body;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", page);
	body = strstr(http_ask(st, request), "\r\n\r\n");
	return body ? body + 4 : "";
}

/* The page as JSON: the caller's. */
static _unused_ struct json *http_json(struct desk_stage *st, const char *page)
{
	const char *body = http_body(st, page);
	struct json *j = NULL;

	if (json_parse(body, strlen(body), &j, NULL, NULL) < 0)
		fail_msg("%s is no JSON: %s", page, st->text);
	return j;
}

static _unused_ bool is_running(struct desk_stage *st)
{
	_cleanup_(json_unrefp) struct json *j = http_json(st, "/status");

	return json_get_bool(j, "running");
}

static _unused_ size_t episode_count(struct desk_stage *st)
{
	_cleanup_(json_unrefp) struct json *j = http_json(st, "/history");

	return json_count(j);
}

/* --- whole --- */

static _unused_ int remove_file(const char *path, const struct stat *s, int type, struct FTW *ftw)
{
	return remove(path);
}

static _unused_ int desk_setup(void **state)
{
	static struct desk_stage st;

	signal(SIGPIPE, SIG_IGN);
	st = (struct desk_stage){
		.dir = "/tmp/live-desk-XXXXXX", .listen_fd = -1, .client_fd = -1, .page_fd = -1
	};
	*state = &st;
	if (!mkdtemp(st.dir) || chmod(st.dir, 0755) < 0)
		return -1;
	st.notify_fd = bind_in_dir(&st, "notify", SOCK_DGRAM);
	return 0;
}

static _unused_ int desk_teardown(void **state)
{
	struct desk_stage *st = *state;

	if (st->desk > 0) {
		kill(st->desk, SIGKILL);
		waitpid(st->desk, NULL, 0);
	}
	daemon_goes(st);
	close(st->notify_fd);
	return nftw(st->dir, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}
