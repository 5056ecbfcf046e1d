/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http.h"

#include <malloc.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define LISTENER    UINT32_MAX
#define LARGE_BYTES MIB
/* So long after accept(2) has failed for want of fds or memory. */
#define PAUSE_USEC USEC_PER_SEC

struct connection {
	int fd; /* -1: none */
	uint64_t end_usec;
	size_t in_length;
	char in[HTTP_REQUEST_MAX];
	char *out; /* the answer, once there is one */
	size_t out_length, out_sent;
};

struct http {
	int epoll_fd, listen_fd;
	bool listening;      /* the epoll fd knows of it */
	uint64_t pause_usec; /* not before; 0: no pause */
	struct sockaddr_un address;
	http_answer *answer;
	void *ctx;
	uint32_t count;
	struct connection connection[HTTP_CONNECTIONS_MAX];
};

/* --- requests --- */

/* The length of the head, with the empty line that ends it; 0: it has not ended. */
static size_t head_length(const char *text, size_t length)
{
	for (size_t i = 0; i + 1 < length; i++) {
		size_t next = i + 1 + (text[i + 1] == '\r');

		if (text[i] == '\n' && next < length && text[next] == '\n')
			return next + 1;
	}
	return 0;
}

static bool is_word(const char *at, size_t length, const char *word)
{
	return length == strlen(word) && memcmp(at, word, length) == 0;
}

/* Takes what is before a blank off the line; its length. */
static size_t take_word(const char **at, const char *end)
{
	const char *begin = *at;
	const char *blank = memchr(begin, ' ', (size_t)(end - begin));
	const char *stop = blank ? blank : end;

	*at = blank ? blank + 1 : end;
	return (size_t)(stop - begin);
}

static int find_page(const char *target, size_t length, enum http_page *ret)
{
	static const char *const pages[] = {
		[HTTP_METRICS] = "/metrics", [HTTP_STATUS] = "/status", [HTTP_HISTORY] = "/history"
	};
	const char *query = memchr(target, '?', length);

	if (query)
		length = (size_t)(query - target);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
		if (is_word(target, length, pages[i])) {
			*ret = (enum http_page)i;
			return 200;
		}
	return 404;
}

int http_parse(const char *text, size_t length, enum http_page *ret)
{
	size_t head = head_length(text, length);
	const char *at = text, *method = text, *end, *target;
	size_t method_length, target_length;

	if (head > HTTP_REQUEST_MAX || (head == 0 && length >= HTTP_REQUEST_MAX))
		return 431;
	if (head == 0)
		return 0;
	end = memchr(text, '\n', head);
	if (end > text && end[-1] == '\r')
		end--;
	method_length = take_word(&at, end);
	target = at;
	target_length = take_word(&at, end);
	if (method_length == 0 || target_length == 0 || end - at != 8 ||
		memcmp(at, "HTTP/", 5) != 0 || memchr(text, '\0', head))
		return 400;
	if (at[5] != '1' || at[6] != '.')
		return 505;
	if (!is_word(method, method_length, "GET"))
		return 405;
	return find_page(target, target_length, ret);
}

/* --- answers --- */

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}

/* What belongs to an error, for people. */
static const char *explain(int status)
{
	switch (status) {
	case 404:
		return "There is /metrics, /status and /history.";
	case 405:
		return "Only GET is answered.";
	case 431:
		return "A request may have 4096 bytes.";
	default:
		return reason(status);
	}
}

static const char *type_of(int status, enum http_page page)
{
	if (status != 200)
		return "text/plain; charset=utf-8";
	return page == HTTP_METRICS ? "text/plain; version=0.0.4" : "application/json";
}

/* The page into memory: 200, or 500. */
static int make_body(const struct http *h, enum http_page page, char **ret, size_t *ret_length)
{
	FILE *f = open_memstream(ret, ret_length);
	int r;

	if (!f)
		return 500;
	r = h->answer(h->ctx, page, f);
	return fclose(f) == 0 && r == 0 ? 200 : 500;
}

static void make_answer(const struct http *h, struct connection *c, int status, enum http_page page)
{
	_cleanup_(freep) char *body = NULL;
	size_t length = 0;
	FILE *f;

	if (status == 200)
		status = make_body(h, page, &body, &length);
	f = open_memstream(&c->out, &c->out_length);
	if (!f)
		return;
	fprintf(f, "HTTP/1.0 %d %s\r\nContent-Type: %s\r\nConnection: close\r\n", status,
		reason(status), type_of(status, page));
	if (status == 405)
		fputs("Allow: GET\r\n", f);
	if (status == 200) {
		fprintf(f, "Content-Length: %zu\r\n\r\n", length);
		fwrite(body, 1, length, f);
	} else {
		fprintf(f, "Content-Length: %zu\r\n\r\n%s\n", strlen(explain(status)) + 1,
			explain(status));
	}
	if (fclose(f) != 0) {
		free(c->out);
		c->out = NULL;
	}
}

/* --- connections --- */

static void drop(struct http *h, struct connection *c)
{
	bool large = c->out_length >= LARGE_BYTES;

	close(c->fd);
	free(c->out);
	/* A full history takes some 50 MiB to make, and is asked for now and then. */
	if (large)
		malloc_trim(0);
	*c = (struct connection){ .fd = -1 };
	h->count--;
}

static void send_more(struct http *h, struct connection *c)
{
	while (c->out_sent < c->out_length) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_length - c->out_sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		struct epoll_event watch = { .events = EPOLLOUT,
			.data.u32 = (uint32_t)(c - h->connection) };

		if (n > 0) {
			c->out_sent += (size_t)n;
		} else if (errno == EINTR) {
			continue;
		} else if (errno != EAGAIN ||
			epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, c->fd, &watch) < 0) {
			break;
		} else {
			return;
		}
	}
	drop(h, c);
}

static void read_more(struct http *h, struct connection *c)
{
	enum http_page page = HTTP_METRICS;
	ssize_t n = recv(c->fd, c->in + c->in_length, sizeof(c->in) - c->in_length, MSG_DONTWAIT);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(h, c);
		return;
	}
	c->in_length += (size_t)n;
	status = http_parse(c->in, c->in_length, &page);
	if (status == 0)
		return;
	make_answer(h, c, status, page);
	if (c->out)
		send_more(h, c);
	else
		drop(h, c);
}

static void accept_one(struct http *h, uint64_t now_usec)
{
	int fd = accept4(h->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct epoll_event watch = { .events = EPOLLIN };
	struct connection *c = h->connection;

	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			h->pause_usec = now_usec + PAUSE_USEC;
		return;
	}
	while (c->fd >= 0)
		c++;
	watch.data.u32 = (uint32_t)(c - h->connection);
	if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &watch) < 0) {
		close(fd);
		return;
	}
	*c = (struct connection){ .fd = fd, .end_usec = now_usec + HTTP_TIMEOUT_USEC };
	h->count++;
}

/* Those for whom there is no room wait in the socket's backlog. */
static void listen_or_not(struct http *h, uint64_t now_usec)
{
	struct epoll_event watch = { .events = EPOLLIN, .data.u32 = LISTENER };
	bool listening;

	if (now_usec >= h->pause_usec)
		h->pause_usec = 0;
	listening = h->count < HTTP_CONNECTIONS_MAX && h->pause_usec == 0;
	if (listening != h->listening &&
		epoll_ctl(h->epoll_fd, listening ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, h->listen_fd,
			&watch) == 0)
		h->listening = listening;
}

int http_fd(const struct http *h)
{
	return h->epoll_fd;
}

uint64_t http_next_usec(const struct http *h)
{
	uint64_t next = h->pause_usec > 0 ? h->pause_usec : USEC_NEVER;

	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (h->connection[i].fd >= 0)
			next = min_u64(next, h->connection[i].end_usec);
	return next;
}

void http_dispatch(struct http *h, uint64_t now_usec)
{
	struct epoll_event ready[HTTP_CONNECTIONS_MAX + 1];
	int n = epoll_wait(h->epoll_fd, ready, ARRAY_SIZE(ready), 0);

	for (int i = 0; i < n; i++) {
		uint32_t index = ready[i].data.u32;

		if (index == LISTENER)
			accept_one(h, now_usec);
		else if (h->connection[index].fd >= 0 && h->connection[index].out)
			send_more(h, &h->connection[index]);
		else if (h->connection[index].fd >= 0)
			read_more(h, &h->connection[index]);
	}
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (h->connection[i].fd >= 0 && now_usec >= h->connection[i].end_usec)
			drop(h, &h->connection[i]);
	listen_or_not(h, now_usec);
}

/* --- the socket --- */

static int make_socket(struct http *h, const char *path)
{
	struct stat st;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(h->address.sun_path))
		return -ENAMETOOLONG;
	h->address.sun_family = AF_UNIX;
	copy_cut(h->address.sun_path, sizeof(h->address.sun_path), path);
	if (lstat(path, &st) == 0 && (!S_ISSOCK(st.st_mode) || unlink(path) < 0))
		return S_ISSOCK(st.st_mode) ? -errno : -EEXIST;
	h->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->listen_fd < 0)
		return -errno;
	mask = umask(0117);
	r = bind(h->listen_fd, (struct sockaddr *)&h->address, sizeof(h->address)) < 0 ? -errno : 0;
	umask(mask);
	if (r == 0 && listen(h->listen_fd, HTTP_CONNECTIONS_MAX) < 0)
		r = -errno;
	if (r < 0)
		h->address.sun_path[0] = '\0';
	return r;
}

int http_open(const char *path, http_answer *answer, void *ctx, struct http **ret)
{
	struct http *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->answer = answer;
	h->ctx = ctx;
	h->listen_fd = -EBADF;
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		h->connection[i].fd = -1;
	h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = h->epoll_fd < 0 ? -errno : make_socket(h, path);
	if (r == 0) {
		listen_or_not(h, 0);
		r = h->listening ? 0 : -errno;
	}
	if (r < 0) {
		http_close(h);
		return r;
	}
	*ret = h;
	return 0;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	for (int i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (h->connection[i].fd >= 0)
			drop(h, &h->connection[i]);
	if (h->listen_fd >= 0 && h->address.sun_path[0])
		(void)unlink(h->address.sun_path);
	fd_closep(&h->listen_fd);
	fd_closep(&h->epoll_fd);
	free(h);
}
