/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "survive.h"

#include "util.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* What regexec(3), sd-event and libproc2 may take from the heap between two frees. regexec caches
 * states: measured at 0 to 15 KiB for patterns of ordinary rules, 1.1 MiB for hostile ones. */
#define HEAP_RESERVE_BYTES ((size_t)(2 * MIB))
/* pidfds and mm handles of a full set, with room to spare. */
#define FDS_WANTED 4096

void survive_prepare_heap(void)
{
	void *reserve;

	/* One arena: the others would each reserve and lock address space of their own. */
	mallopt(M_ARENA_MAX, 1);
	/* What is freed stays with us: the next allocation must not need a new page. */
	mallopt(M_TRIM_THRESHOLD, INT32_MAX);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TOP_PAD, (int)HEAP_RESERVE_BYTES);
	reserve = malloc(HEAP_RESERVE_BYTES);
	if (reserve)
		memset(reserve, 0, HEAP_RESERVE_BYTES);
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

unsigned survive_lock(void)
{
	return mlockall(MCL_CURRENT | MCL_FUTURE) < 0 ? LACK_MLOCK : 0;
}

static void drop_capability(struct __user_cap_data_struct *data, int capability)
{
	const uint32_t bit = CAP_TO_MASK(capability);
	struct __user_cap_data_struct *d = &data[CAP_TO_INDEX(capability)];

	d->effective &= ~bit;
	d->permitted &= ~bit;
	d->inheritable &= ~bit;
}

int survive_drop_loading(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	drop_capability(data, CAP_BPF);
	drop_capability(data, CAP_PERFMON);
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
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
