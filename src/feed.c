/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feed.h"
#include "build-config.h"
#include "thread.h"
#include "util.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define STACK_SIZE (64 * KIB)
#define BACKLOG    8

struct client {
	int fd;        /* -1: none */
	uint32_t lost; /* events that did not fit into its socket */
};

struct feed {
	struct wire_page *page;
	int page_fd, listen_fd, news_fd, reload_fd, stop_fd;
	struct sockaddr_un address;
	pthread_t thread;
	struct client client[FEED_CLIENTS_MAX];
	struct wire_packet packet; /* the thread's */
};

/* --- the page --- */

static int make_page(struct feed *f)
{
	void *page;

	f->page_fd = memfd_create("oomfwd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (f->page_fd < 0 || ftruncate(f->page_fd, sizeof(*f->page)) < 0)
		return -errno;
	page = mmap(NULL, sizeof(*f->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		f->page_fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	f->page = page;
	/* Our own mapping stays writable; no other can be. */
	return fcntl(f->page_fd, F_ADD_SEALS,
		       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0
		? -errno
		: 0;
}

struct wire_state *feed_begin(struct feed *f)
{
	uint32_t before = atomic_load_explicit(&f->page->sequence, memory_order_relaxed);

	atomic_store_explicit(&f->page->sequence, before + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return &f->page->state;
}

void feed_end(struct feed *f)
{
	atomic_fetch_add_explicit(&f->page->sequence, 1, memory_order_release);
}

/* --- the thread --- */

/* Whether it went, whole, at once. */
static bool send_packet(int fd, const struct wire_packet *p, int pass_fd)
{
	char control[CMSG_SPACE(sizeof(int))]
		__attribute__((aligned(sizeof(struct cmsghdr)))) = { 0 };
	struct iovec iov = { (void *)p, sizeof(*p) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (pass_fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
	}
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*p);
}

static void drop(struct client *c)
{
	close(c->fd);
	*c = (struct client){ .fd = -1 };
}

static void welcome(struct feed *f)
{
	int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = f->client;

	if (fd < 0)
		return;
	while (c < f->client + FEED_CLIENTS_MAX && c->fd >= 0)
		c++;
	memset(&f->packet, 0, sizeof(f->packet));
	f->packet.kind = WIRE_HELLO;
	f->packet.hello = (struct wire_hello){ .magic = WIRE_MAGIC,
		.event_size = sizeof(struct report_event),
		.state_size = sizeof(struct wire_state),
		.version = OOMFWD_VERSION,
		.pid = getpid() };
	if (c == f->client + FEED_CLIENTS_MAX || !send_packet(fd, &f->packet, f->page_fd))
		close(fd);
	else
		c->fd = fd;
}

static void send_to(struct client *c, struct wire_packet *p, uint32_t lost)
{
	c->lost += lost;
	p->lost = c->lost;
	if (send_packet(c->fd, p, -1))
		c->lost = 0;
	else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		c->lost++;
	else
		drop(c);
}

static void send_news(struct feed *f)
{
	uint32_t lost;

	memset(&f->packet, 0, sizeof(f->packet));
	f->packet.kind = WIRE_EVENT;
	while (report_tap_next(&f->packet.event, &lost))
		for (int i = 0; i < FEED_CLIENTS_MAX; i++)
			if (f->client[i].fd >= 0)
				send_to(&f->client[i], &f->packet, lost);
}

static void hear(struct feed *f, struct client *c)
{
	uint64_t one = 1;
	char request;
	ssize_t n = recv(c->fd, &request, 1, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		drop(c);
	else if (n == 1 && request == WIRE_RELOAD && write(f->reload_fd, &one, sizeof(one)) < 0)
		return;
}

static void drain(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
}

static void *serve(void *ctx)
{
	struct feed *f = ctx;
	struct pollfd p[3 + FEED_CLIENTS_MAX] = {
		{ .fd = f->stop_fd, .events = POLLIN },
		{ .fd = f->news_fd, .events = POLLIN },
		{ .fd = f->listen_fd, .events = POLLIN },
	};

	thread_go_ordinary();
	while (p[0].revents == 0) {
		for (int i = 0; i < FEED_CLIENTS_MAX; i++)
			p[3 + i] = (struct pollfd){ .fd = f->client[i].fd, .events = POLLIN };
		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;
		for (int i = 0; i < FEED_CLIENTS_MAX; i++)
			if (p[3 + i].revents && f->client[i].fd >= 0)
				hear(f, &f->client[i]);
		if (p[1].revents)
			drain(f->news_fd);
		send_news(f);
		if (p[2].revents)
			welcome(f);
	}
	return NULL;
}

/* --- the socket --- */

/* Whether somebody serves it. */
static bool is_served(const struct sockaddr_un *sa)
{
	_cleanup_(fd_closep) int fd =
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 &&
		(connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN);
}

/* The directory above path, if it is not there: for where systemd-tmpfiles has not made it. */
static void make_directory(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	copy_cut(dir, sizeof(dir), path);
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = '\0';
		(void)mkdir(dir, 0755);
	}
}

static int listen_at(struct feed *f, const char *path)
{
	if (strlen(path) >= sizeof(f->address.sun_path))
		return -ENAMETOOLONG;
	f->address.sun_family = AF_UNIX;
	copy_cut(f->address.sun_path, sizeof(f->address.sun_path), path);
	make_directory(path);
	if (is_served(&f->address))
		return -EADDRINUSE;
	(void)unlink(path);
	f->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->listen_fd < 0 ||
		bind(f->listen_fd, (struct sockaddr *)&f->address, sizeof(f->address)) < 0)
		return -errno;
	if (chmod(path, 0660) < 0 || listen(f->listen_fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

/* All but the thread. */
static void close_all(struct feed *f)
{
	for (int i = 0; i < FEED_CLIENTS_MAX; i++)
		if (f->client[i].fd >= 0)
			close(f->client[i].fd);
	if (f->news_fd >= 0)
		report_tap_close();
	fd_closep(&f->listen_fd);
	fd_closep(&f->page_fd);
	fd_closep(&f->reload_fd);
	fd_closep(&f->stop_fd);
	if (f->page)
		munmap(f->page, sizeof(*f->page));
	free(f);
}

int feed_new(const char *path, struct feed **ret, int *ret_reload_fd)
{
	struct feed *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	for (int i = 0; i < FEED_CLIENTS_MAX; i++)
		f->client[i].fd = -1;
	f->page_fd = f->listen_fd = f->news_fd = -EBADF;
	f->reload_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = f->reload_fd < 0 || f->stop_fd < 0 ? -errno : make_page(f);
	if (r == 0)
		r = listen_at(f, path);
	if (r == 0)
		r = f->news_fd = report_tap_open();
	if (r >= 0)
		r = thread_start(&f->thread, STACK_SIZE, "oomfwd-feed", serve, f);
	if (r < 0) {
		close_all(f);
		return r;
	}
	*ret = f;
	*ret_reload_fd = f->reload_fd;
	return 0;
}

void feed_free(struct feed *f)
{
	uint64_t one = 1;

	if (!f)
		return;
	if (write(f->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(f->thread, NULL);
	(void)unlink(f->address.sun_path);
	close_all(f);
}
