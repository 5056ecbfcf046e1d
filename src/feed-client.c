/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feed-client.h"
#include "build-config.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define HELLO_MSEC 1000
/* A write takes microseconds: who never meets a whole page in so many tries is out of luck. */
#define READ_TRIES 1000

struct feed_client {
	int fd;
	pid_t pid;
	const struct wire_page *page;
};

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -EBADF;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	copy_cut(sa.sun_path, sizeof(sa.sun_path), path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return take_fd(&fd);
}

/* The first packet, with the fd that comes along in *ret_fd. */
static int receive_hello(int fd, struct wire_packet *ret, int *ret_fd)
{
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(struct cmsghdr))));
	struct iovec iov = { ret, sizeof(*ret) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct cmsghdr *c;
	ssize_t n;

	if (poll(&p, 1, HELLO_MSEC) <= 0)
		return -ETIMEDOUT;
	n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	if (n == 0)
		return -ECONNRESET;
	return (size_t)n == sizeof(*ret) && ret->kind == WIRE_HELLO && *ret_fd >= 0 ? 0 : -EPROTO;
}

static bool is_of_this_version(const struct wire_hello *h, int page_fd)
{
	struct stat st;

	return h->magic == WIRE_MAGIC && h->event_size == sizeof(struct report_event) &&
		h->state_size == sizeof(struct wire_state) &&
		strncmp(h->version, OOMFWD_VERSION, sizeof(h->version)) == 0 &&
		fstat(page_fd, &st) == 0 && (size_t)st.st_size >= sizeof(struct wire_page);
}

int feed_client_open(const char *path, struct feed_client **ret)
{
	_cleanup_(fd_closep) int fd = connect_to(path ? path : WIRE_SOCKET), page_fd = -EBADF;
	_cleanup_(freep) struct feed_client *f = NULL;
	struct wire_packet hello;
	void *page;
	int r;

	if (fd < 0)
		return fd;
	r = receive_hello(fd, &hello, &page_fd);
	if (r < 0)
		return r;
	if (!is_of_this_version(&hello.hello, page_fd))
		return -EPROTO;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	page = mmap(NULL, sizeof(*f->page), PROT_READ, MAP_SHARED, page_fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	f->page = page;
	f->pid = hello.hello.pid;
	f->fd = take_fd(&fd);
	*ret = take_pointer(&f);
	return 0;
}

void feed_client_close(struct feed_client *f)
{
	if (!f)
		return;
	munmap((void *)f->page, sizeof(*f->page));
	close(f->fd);
	free(f);
}

int feed_client_fd(const struct feed_client *f)
{
	return f->fd;
}

pid_t feed_client_pid(const struct feed_client *f)
{
	return f->pid;
}

int feed_client_state(const struct feed_client *f, struct wire_state *ret)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint32_t before = atomic_load_explicit(&f->page->sequence, memory_order_acquire);

		if (before % 2 == 1)
			continue;
		memcpy(ret, &f->page->state, sizeof(*ret));
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&f->page->sequence, memory_order_relaxed) == before)
			return 0;
	}
	return -EAGAIN;
}

int feed_client_next(struct feed_client *f, struct report_event *ret, uint32_t *ret_lost)
{
	struct wire_packet p;
	ssize_t n = recv(f->fd, &p, sizeof(p), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	if ((size_t)n != sizeof(p) || p.kind != WIRE_EVENT)
		return -EPROTO;
	*ret = p.event;
	*ret_lost = p.lost;
	return 1;
}

int feed_client_reload(struct feed_client *f)
{
	static const char request = WIRE_RELOAD;

	return send(f->fd, &request, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
}
