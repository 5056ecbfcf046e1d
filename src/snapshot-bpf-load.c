/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts the BPF program into the kernel, in a child process; the one file that knows libbpf.
 */
#include "build-config.h"
#include "snapshot-bpf.h"
#include "util.h"

#if OOMFWD_BPF

#include "tasks.skel.h"

#include <bpf/libbpf.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#define LOAD_WAIT_SEC 10

/* What the child says; the fd comes beside it. */
struct loaded {
	int error; /* 0 or -errno */
	char why[160];
};

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* --- in the child --- */

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static void explain(struct loaded *l)
{
	const char *why = "the kernel refuses the BPF program";

	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		why = "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF) in /sys/kernel/btf/vmlinux";
	else if (l->error == -EPERM)
		why = "loading the BPF program needs CAP_BPF and CAP_PERFMON, and a kernel that is "
		      "not locked down";
	else if (l->error == -ENOSYS)
		why = "this kernel has no BPF (CONFIG_BPF_SYSCALL)";
	else if (l->error == -ESRCH || l->error == -ENOENT)
		why = "this kernel has no BPF iterator of tasks (Linux 5.8 brought it)";
	else if (l->error == -ENOMEM)
		why = "there is no memory to load the BPF program";
	else {
		snprintf(l->why, sizeof(l->why), "%s (%s)", why, strerror(-l->error));
		return;
	}
	snprintf(l->why, sizeof(l->why), "%s", why);
}

/* The link's fd or -errno. What it allocates goes with the process. */
static int load(void)
{
	struct tasks_bpf *skel;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(say_nothing);
	errno = 0;
	skel = tasks_bpf__open_and_load();
	if (!skel)
		return errno > 0 ? -errno : -EINVAL;
	int r = tasks_bpf__attach(skel);
	return r < 0 ? r : bpf_link__fd(skel->links.tasks);
}

static void send_loaded(int socket_fd)
{
	struct loaded l = { 0 };
	union control control = { 0 };
	struct iovec data = { .iov_base = &l, .iov_len = sizeof(l) };
	struct msghdr m = { .msg_iov = &data, .msg_iovlen = 1 };
	int fd = load();

	if (fd < 0) {
		l.error = fd;
		explain(&l);
	} else {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	(void)sendmsg(socket_fd, &m, MSG_NOSIGNAL);
}

/* --- in the daemon --- */

static int receive(int socket_fd, struct loaded *l)
{
	union control control = { 0 };
	struct iovec data = { .iov_base = l, .iov_len = sizeof(*l) };
	struct msghdr m = { .msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	const struct timeval wait = { .tv_sec = LOAD_WAIT_SEC };
	ssize_t n;
	int fd;

	(void)setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	do
		n = recvmsg(socket_fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(*l) && l->error < 0)
		return l->error;
	if (n != (ssize_t)sizeof(*l) || control.header.cmsg_len != CMSG_LEN(sizeof(int))) {
		snprintf(l->why, sizeof(l->why),
			n < 0 ? "loading the BPF program takes more than %d s"
			      : "the process that loads the BPF program has ended before its time",
			LOAD_WAIT_SEC);
		return -EIO;
	}
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

int snapshot_bpf_load(char *why, size_t size)
{
	_cleanup_(fd_closep) int ours = -EBADF, theirs = -EBADF;
	struct loaded l = { .why = "a child process to load the BPF program cannot be made" };
	int ends[2], r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		r = -errno;
		copy_cut(why, size, l.why);
		return r;
	}
	ours = ends[0];
	theirs = ends[1];
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		send_loaded(theirs);
		_exit(0);
	}
	r = -errno;
	if (pid > 0) {
		close(take_fd(&theirs));
		r = receive(ours, &l);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (r < 0)
		copy_cut(why, size, l.why);
	return r;
}

#else

int snapshot_bpf_load(char *why, size_t size)
{
	snprintf(why, size, "%s", "this oomfwd was built without BPF (meson setup -Dbpf=enabled)");
	return -EOPNOTSUPP;
}

#endif
