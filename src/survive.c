/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "survive.h"

#include "util.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

/* What is asked from the system beyond the need of the moment. */
#define HEAP_PAD_BYTES ((size_t)(16 * KIB))
/* pidfds and mm handles of a full set, with room to spare. */
#define FDS_WANTED 4096

void survive_prepare_heap(void)
{
	/* One arena: the others would each reserve and lock address space of their own. */
	mallopt(M_ARENA_MAX, 1);
	/* What is freed stays with us: the next allocation must not need a new page. */
	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TOP_PAD, (int)HEAP_PAD_BYTES);
}

uint64_t survive_heap_bytes(void)
{
	return mallinfo2().uordblks;
}

void survive_reserve_heap(uint64_t size_bytes)
{
	void *reserve = malloc(size_bytes);

	if (reserve)
		memset(reserve, 0, size_bytes);
	/* gcc must not see that nobody reads it. */
	__asm__ volatile("" : : "r"(reserve) : "memory");
	free(reserve);
}

static bool write_self(const char *path, const char *text)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The lowest real-time priority beats every ordinary task; nice is the next best. */
static bool raise_priority(void)
{
	struct sched_param p = { .sched_priority = 1 };
	int policy = sched_getscheduler(0);

	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return true;
	if (sched_setscheduler(0, SCHED_FIFO, &p) == 0)
		return true;
	errno = 0;
	return getpriority(PRIO_PROCESS, 0) == -20 || setpriority(PRIO_PROCESS, 0, -20) == 0;
}

static bool raise_fd_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return false;
	if (l.rlim_cur >= FDS_WANTED)
		return true;
	l.rlim_cur = FDS_WANTED;
	if (l.rlim_max < FDS_WANTED)
		l.rlim_max = FDS_WANTED;
	return setrlimit(RLIMIT_NOFILE, &l) == 0;
}

unsigned survive_raise(void)
{
	unsigned lack = 0;

	if (!raise_fd_limit())
		lack |= LACK_FDS;
	if (!write_self("/proc/self/oom_score_adj", "-1000"))
		lack |= LACK_ADJ;
	if (!raise_priority())
		lack |= LACK_PRIORITY;
	return lack;
}

uint64_t survive_major_faults(void)
{
	struct rusage u;

	return getrusage(RUSAGE_SELF, &u) < 0 ? 0 : (uint64_t)u.ru_majflt;
}

int survive_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_(fd_closep) int fd = -EBADF;
	size_t length;

	if (!path)
		return 0;
	length = strlen(path);
	if (length < 2 || length >= sizeof(addr.sun_path) || (path[0] != '/' && path[0] != '@'))
		return -EINVAL;
	memcpy(addr.sun_path, path, length);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
		    (const struct sockaddr *)&addr,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
		return -errno;
	return 1;
}

void survive_block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}
