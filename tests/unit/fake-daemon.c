/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays the daemon's part of wire.h for tests of who reads from it, well or badly. Prints "ready",
 * serves until standard input ends. Usage: fake-daemon SOCKET MODE [bus]
 *
 * A reload does what MODE says (default: it is taken). With "bus", it owns org.oomfwd1 on the
 * system bus (DBUS_SYSTEM_BUS_ADDRESS), prints "asked over the bus" and reloads.
 */
#include "build-config.h"
#include "clock.h"

#include "status-world.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>

#define CLIENTS 8

struct fake {
	const char *mode;
	struct wire_page *page;
	int page_fd, listen_fd;
	int client[CLIENTS];
	uint32_t clients;
	sd_bus *bus;
};

static bool is_mode(const struct fake *f, const char *mode)
{
	return strcmp(f->mode, mode) == 0;
}

static struct wire_state *begin(struct fake *f)
{
	atomic_fetch_add(&f->page->sequence, 1);
	return &f->page->state;
}

static void end(struct fake *f)
{
	atomic_fetch_add(&f->page->sequence, 1);
}

/* The file on disk was so before it is asked to read it again. */
static bool was_refused(const struct fake *f)
{
	return is_mode(f, "refuses-again") || is_mode(f, "refuses-in-episode");
}

static void make_page(struct fake *f)
{
	f->page_fd = memfd_create("fake-state", MFD_CLOEXEC);
	if (f->page_fd < 0 || ftruncate(f->page_fd, sizeof(*f->page)) < 0)
		exit(1);
	f->page = mmap(NULL, sizeof(*f->page), PROT_READ | PROT_WRITE, MAP_SHARED, f->page_fd, 0);
	if (f->page == MAP_FAILED)
		exit(1);
	if (is_mode(f, "young"))
		return; /* it has not looked yet */
	if (is_mode(f, "busy") || is_mode(f, "waits") || is_mode(f, "refuses-in-episode"))
		fill_busy_state(begin(f), monotonic_usec());
	else
		fill_calm_state(begin(f), monotonic_usec());
	f->page->state.reload_failed = is_mode(f, "busy") || was_refused(f);
	end(f);
	if (is_mode(f, "torn"))
		begin(f); /* and never ends */
}

static void make_socket(struct fake *f, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	copy_cut(sa.sun_path, sizeof(sa.sun_path), path);
	f->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (f->listen_fd < 0 || bind(f->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		listen(f->listen_fd, CLIENTS) < 0)
		exit(1);
}

static void send_hello(const struct fake *f, int fd)
{
	char control[CMSG_SPACE(sizeof(int))]
		__attribute__((aligned(sizeof(struct cmsghdr)))) = { 0 };
	struct wire_packet p = { .kind = WIRE_HELLO };
	struct iovec iov = { &p, sizeof(p) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	p.hello = (struct wire_hello){ .magic = WIRE_MAGIC,
		.event_size = sizeof(struct report_event),
		.state_size = sizeof(struct wire_state),
		.version = OOMFWD_VERSION,
		.pid = getpid() };
	if (is_mode(f, "version"))
		copy_cut(p.hello.version, sizeof(p.hello.version), "0.0.0-other");
	if (is_mode(f, "magic"))
		p.hello.magic++;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &f->page_fd, sizeof(int));
	if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		perror("fake-daemon: hello");
}

static void welcome(struct fake *f)
{
	int fd = accept4(f->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0 || f->clients == CLIENTS || is_mode(f, "full")) {
		fd_closep(&fd);
		return;
	}
	if (!is_mode(f, "mute"))
		send_hello(f, fd);
	f->client[f->clients++] = fd;
}

static void reload(struct fake *f)
{
	struct wire_state *s;

	if (is_mode(f, "silent"))
		return;
	if (is_mode(f, "dies"))
		exit(0);
	s = begin(f);
	s->at_usec = monotonic_usec();
	s->reload_failed = is_mode(f, "refuses") || was_refused(f);
	s->reload_pending = is_mode(f, "waits");
	if (!s->reload_failed && !s->reload_pending) {
		s->configured_usec = s->at_usec;
		s->rules = 12;
	}
	end(f);
}

static void hear(struct fake *f, uint32_t i)
{
	char request[16];
	ssize_t n = recv(f->client[i], request, sizeof(request), MSG_DONTWAIT);

	if (n == 1 && request[0] == WIRE_RELOAD)
		reload(f);
	if (n > 0)
		return;
	close(f->client[i]);
	f->client[i] = f->client[--f->clients];
}

/* --- the bus --- */

static int on_reload(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	puts("asked over the bus");
	fflush(stdout);
	if (is_mode(userdata, "denied"))
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "not you");
	reload(userdata);
	return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable methods[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Reload", "", "", on_reload, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static void join_bus(struct fake *f)
{
	int r = sd_bus_open_system(&f->bus);

	if (r >= 0)
		r = sd_bus_add_object_vtable(
			f->bus, NULL, "/org/oomfwd1", "org.oomfwd1.Manager", methods, f);
	if (r >= 0)
		r = sd_bus_request_name(f->bus, "org.oomfwd1", 0);
	if (r < 0) {
		fprintf(stderr, "fake-daemon: bus: %s\n", strerror(-r));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct fake f = { .mode = argc > 2 ? argv[2] : "calm" };
	struct pollfd p[3 + CLIENTS] = { { .fd = STDIN_FILENO, .events = POLLIN } };

	if (argc < 2)
		return 2;
	make_page(&f);
	make_socket(&f, argv[1]);
	if (argc > 3)
		join_bus(&f);
	puts("ready");
	fflush(stdout);
	while (p[0].revents == 0) {
		uint32_t clients = f.clients;

		p[1] = (struct pollfd){ .fd = f.listen_fd, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = f.bus ? sd_bus_get_fd(f.bus) : -1, .events = POLLIN };
		for (uint32_t i = 0; i < clients; i++)
			p[3 + i] = (struct pollfd){ .fd = f.client[i], .events = POLLIN };
		if (poll(p, 3 + clients, -1) < 0)
			return 1;
		for (uint32_t i = clients; i > 0; i--)
			if (p[2 + i].revents)
				hear(&f, i - 1);
		while (f.bus && sd_bus_process(f.bus, NULL) > 0)
			;
		if (p[1].revents)
			welcome(&f);
	}
	sd_bus_flush_close_unref(f.bus);
	unlink(argv[1]);
	return 0;
}
