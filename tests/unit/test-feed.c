/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon tells others: events in order, a state that is never torn, and whoever does not
 * read costs himself events and the daemon nothing.
 */
#include "feed-client.h"
#include "feed.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

static struct {
	char dir[32], path[64];
	struct feed *feed;
	int reload_fd, saved_stderr;
} t;

static int setup(void **state)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	/* Events are logged too. */
	t.saved_stderr = dup(STDERR_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
	strcpy(t.dir, "/tmp/test-feed-XXXXXX");
	if (!mkdtemp(t.dir) || report_open(REPORT_DEBUG) < 0)
		return -1;
	snprintf(t.path, sizeof(t.path), "%s/run/feed", t.dir);
	return feed_new(t.path, &t.feed, &t.reload_fd);
}

static int teardown(void **state)
{
	char run[64];

	feed_free(t.feed);
	report_close(USEC_PER_SEC);
	dup2(t.saved_stderr, STDERR_FILENO);
	close(t.saved_stderr);
	snprintf(run, sizeof(run), "%s/run", t.dir);
	rmdir(run);
	return rmdir(t.dir); /* fails when the socket was left behind */
}

/* Whether the ring took it: the logger may not keep up with us. */
static bool report_number(uint32_t number)
{
	struct report_counts before, after;
	struct report_event e = {
		.kind = REPORT_SIGNALLED, .sig = 9, .victim.pid = 4242, .members = number
	};

	strcpy(e.comm, "hog");
	report_get_counts(&before);
	report_event(&e);
	report_get_counts(&after);
	return after.lost == before.lost;
}

/* The next event within 20 s (machines are shared); fails when there is none. */
static void expect_next(struct feed_client *c, struct report_event *ret, uint32_t *ret_lost)
{
	struct pollfd p = { .fd = feed_client_fd(c), .events = POLLIN };
	int r = feed_client_next(c, ret, ret_lost);

	for (int i = 0; r == 0 && i < 20; i++) {
		poll(&p, 1, 1000);
		r = feed_client_next(c, ret, ret_lost);
	}
	assert_int_equal(r, 1);
}

static bool is_readable(int fd, int msec)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, msec) == 1;
}

static void a_reader_gets_the_events_in_order_from_then_on(void **state)
{
	_cleanup_(feed_client_closep) struct feed_client *a = NULL, *b = NULL;
	struct report_event e;
	uint32_t lost;

	report_number(1000); /* before anybody reads */
	assert_int_equal(feed_client_open(t.path, &a), 0);
	assert_int_equal(feed_client_open(t.path, &b), 0);
	assert_int_equal(feed_client_pid(a), getpid());
	assert_int_equal(feed_client_next(a, &e, &lost), 0);
	report_line(REPORT_NOTICE, "lines are not events");
	for (uint32_t i = 1; i <= 20; i++)
		report_number(i);
	for (uint32_t i = 1; i <= 20; i++) {
		expect_next(a, &e, &lost);
		assert_int_equal(e.members, i);
		assert_int_equal(lost, 0);
		assert_string_equal(e.comm, "hog");
		expect_next(b, &e, &lost);
		assert_int_equal(e.members, i);
	}
}

static void who_does_not_read_loses_events_and_is_told_how_many(void **state)
{
	_cleanup_(feed_client_closep) struct feed_client *lazy = NULL, *keen = NULL;
	struct report_event e;
	uint32_t lost, sum = 0, got = 0, kept = 0, last = 0, all = 3000;

	assert_int_equal(feed_client_open(t.path, &lazy), 0);
	assert_int_equal(feed_client_open(t.path, &keen), 0);
	for (uint32_t i = 1; i <= 3000; i++) {
		if (!report_number(i))
			continue;
		expect_next(keen, &e, &lost);
		assert_int_equal(e.members, i);
		kept++;
	}
	while (is_readable(feed_client_fd(lazy), 100) && feed_client_next(lazy, &e, &lost) == 1)
		got++;
	assert_in_range(got, 1, kept - 1);
	do
		usleep(1000);
	while (!report_number(++all));
	while (last != all) {
		expect_next(lazy, &e, &lost);
		last = e.members;
		sum += lost;
		got++;
	}
	assert_int_equal(sum + got, all);
}

struct writer {
	_Atomic bool stop;
	pthread_t thread;
};

static void *write_states(void *ctx)
{
	struct writer *w = ctx;

	for (uint64_t i = 1; !atomic_load(&w->stop); i++) {
		struct wire_state *s = feed_begin(t.feed);

		s->at_usec = i;
		for (int k = 0; k < WIRE_HIDDEN; k++)
			s->hidden[k].expected_bytes = i;
		s->domains[WIRE_DOMAINS - 1].matched = (uint32_t)i;
		feed_end(t.feed);
		if (i % 8 == 0)
			usleep(1); /* the daemon looks ten times a second at most */
	}
	return NULL;
}

static void the_state_is_never_torn(void **state)
{
	_cleanup_(feed_client_closep) struct feed_client *c = NULL;
	struct writer w = { 0 };
	static struct wire_state s;
	uint32_t whole = 0;

	assert_int_equal(feed_client_open(t.path, &c), 0);
	pthread_create(&w.thread, NULL, write_states, &w);
	for (int i = 0; i < 20000; i++) {
		if (feed_client_state(c, &s) < 0)
			continue; /* never met a whole one: allowed, if rare */
		whole++;
		for (int k = 0; k < WIRE_HIDDEN; k++)
			assert_int_equal(s.hidden[k].expected_bytes, s.at_usec);
		assert_int_equal(s.domains[WIRE_DOMAINS - 1].matched, (uint32_t)s.at_usec);
	}
	atomic_store(&w.stop, true);
	pthread_join(w.thread, NULL);
	assert_true(whole > 100);
	assert_int_equal(feed_client_state(c, &s), 0);
}

static void a_reload_can_be_asked_for(void **state)
{
	_cleanup_(feed_client_closep) struct feed_client *c = NULL;

	assert_int_equal(feed_client_open(t.path, &c), 0);
	assert_false(is_readable(t.reload_fd, 50));
	assert_int_equal(feed_client_reload(c), 0);
	assert_true(is_readable(t.reload_fd, 2000));
}

static void readers_that_leave_make_room_and_a_ninth_is_refused(void **state)
{
	struct feed_client *c[FEED_CLIENTS_MAX], *extra = NULL;
	int r;

	for (int i = 0; i < FEED_CLIENTS_MAX; i++)
		assert_int_equal(feed_client_open(t.path, &c[i]), 0);
	assert_int_equal(feed_client_open(t.path, &extra), -ECONNRESET);
	feed_client_close(c[3]);
	for (int i = 0; (r = feed_client_open(t.path, &extra)) == -ECONNRESET && i < 100; i++)
		usleep(10000);
	assert_int_equal(r, 0);
	c[3] = extra;
	for (int i = 0; i < FEED_CLIENTS_MAX; i++)
		feed_client_close(c[i]);
}

static void a_second_daemon_does_not_take_the_socket_away(void **state)
{
	_cleanup_(feed_client_closep) struct feed_client *c = NULL;
	struct feed *second = NULL;
	int fd;

	assert_int_equal(feed_new(t.path, &second, &fd), -EADDRINUSE);
	assert_int_equal(feed_client_open(t.path, &c), 0);
}

static void the_socket_of_a_daemon_that_died_is_replaced(void **state)
{
	_cleanup_(feed_client_closep) struct feed_client *c = NULL;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[64];
	struct feed *second = NULL;
	struct stat st;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), reload_fd;

	snprintf(path, sizeof(path), "%s/dead", t.dir);
	strcpy(sa.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	/* One tap there is: the first daemon of this test must go before. */
	feed_free(t.feed);
	t.feed = NULL;
	assert_int_equal(feed_new(path, &second, &reload_fd), 0);
	assert_int_equal(feed_client_open(path, &c), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	feed_free(second);
}

static void nobody_else_can_write_to_the_page(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char control[CMSG_SPACE(sizeof(int))], text[2048];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), page_fd = -1;

	strcpy(sa.sun_path, t.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_true(recvmsg(fd, &m, 0) > 0);
	memcpy(&page_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	assert_true(write(page_fd, "x", 1) < 0);
	assert_true(ftruncate(page_fd, 0) < 0);
	close(page_fd);
	close(fd);
}

static void a_reader_of_another_version_is_told_apart(void **state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct wire_packet p = { .kind = WIRE_HELLO };
	struct feed_client *c = NULL;
	char path[64];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), peer;
	pid_t child;

	snprintf(path, sizeof(path), "%s/other", t.dir);
	strcpy(sa.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	child = fork();
	if (child == 0) {
		peer = accept(fd, NULL, NULL);
		_exit(send(peer, &p, sizeof(p), 0) > 0 && recv(peer, &p, 1, 0) == 0 ? 0 : 1);
	}
	assert_int_equal(feed_client_open(path, &c), -EPROTO);
	close(fd);
	unlink(path);
	assert_int_equal(feed_client_open(path, &c), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_reader_gets_the_events_in_order_from_then_on),
		TEST(who_does_not_read_loses_events_and_is_told_how_many),
		TEST(the_state_is_never_torn),
		TEST(a_reload_can_be_asked_for),
		TEST(readers_that_leave_make_room_and_a_ninth_is_refused),
		TEST(a_second_daemon_does_not_take_the_socket_away),
		TEST(the_socket_of_a_daemon_that_died_is_replaced),
		TEST(nobody_else_can_write_to_the_page),
		TEST(a_reader_of_another_version_is_told_apart),
	};

	return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
