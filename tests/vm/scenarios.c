/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hard cases. Each runs in a child of process 1; what must die and what must live is told with
 * lab_role().
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/vhost.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALL        3000 /* MiB: more than the machine has */
#define STACK_SIZE 65536

/* Cheap noise: pages that neither compress nor merge. */
static uint64_t noise(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

void lab_grow(long mib, long mib_per_sec, int flags)
{
	uint64_t x = 88172645463325252ULL ^ (uint64_t)getpid();

	for (long i = 0; i < mib; i++) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return;
		for (long k = 0; k < 1 << 20; k += 512)
			*(uint64_t *)(p + k) = noise(&x);
		if (mib_per_sec)
			lab_sleep_msec(1000 / mib_per_sec);
	}
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

/* Says that memory may be judged from now on, then eats all of it. */
static void hog(long mib_per_sec)
{
	lab->scenario_ready = 1;
	lab_grow(ALL, mib_per_sec, MAP_PRIVATE);
	sleep_for_ever();
}

static pid_t spawn(void (*run)(void), enum lab_role role)
{
	pid_t pid = fork();

	if (pid == 0) {
		lab_role(getpid(), role);
		run();
		sleep_for_ever();
	}
	return pid;
}

static pid_t share_mm(int (*run)(void *), void *arg, int flags)
{
	char *stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = clone(run, stack + STACK_SIZE, CLONE_VM | SIGCHLD | flags, arg);

	if (pid < 0)
		lab_say("lab: clone: %s\n", strerror(errno));
	return pid;
}

static int sharer(void *arg)
{
	sleep_for_ever();
	return 0;
}

/* Another name, another user, deaf to SIGTERM: nothing that a shared mm would not survive. */
static int stubborn_sharer(void *arg)
{
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_NAME, "bystander");
	if (setuid(1234) < 0)
		return 1;
	sleep_for_ever();
	return 0;
}

static void plain_hog(void)
{
	hog(0);
}

static void late_hog(void)
{
	lab_sleep_msec(6000);
	hog(0);
}

static void slow_hog(void)
{
	/* A head start, so that the slow part is the last 300 MiB. */
	lab_grow(500, 0, MAP_PRIVATE);
	hog(20);
}

static void deaf_hog(void)
{
	signal(SIGTERM, SIG_IGN);
	hog(0);
}

static void pair(void)
{
	lab_role(share_mm(sharer, NULL, 0), LAB_VICTIM);
	hog(0);
}

static void trio(void)
{
	lab_role(share_mm(sharer, NULL, CLONE_FILES), LAB_VICTIM);
	lab_role(share_mm(stubborn_sharer, NULL, 0), LAB_VICTIM);
	hog(0);
}

static void *grow_thread(void *arg)
{
	hog(0);
	return NULL;
}

static void zombie_leader(void)
{
	pthread_t t;

	pthread_create(&t, NULL, grow_thread, NULL);
	syscall(SYS_exit, 0); /* the leader alone */
}

static void shmem_hog(void)
{
	lab->scenario_ready = 1;
	lab_grow(ALL, 0, MAP_SHARED);
}

/* The parent waits in D state while the child, in its mm, goes on eating. */
static void vfork_hog(void)
{
	lab_grow(300, 0, MAP_PRIVATE);
	if (vfork() == 0) {
		lab_role(getpid(), LAB_VICTIM);
		hog(0);
	}
}

static void stopped_victim(void)
{
	lab_grow(450, 0, MAP_PRIVATE);
	raise(SIGSTOP);
}

static void frozen_victim(void)
{
	int fd;

	mkdir("/sys/fs/cgroup/frozen", 0755);
	fd = open("/sys/fs/cgroup/frozen/cgroup.procs", O_WRONLY | O_CLOEXEC);
	if (write(fd, "0", 1) != 1)
		lab_say("lab: cgroup.procs: %s\n", strerror(errno));
	close(fd);
	lab_grow(450, 0, MAP_PRIVATE);
	fd = open("/sys/fs/cgroup/frozen/cgroup.freeze", O_WRONLY | O_CLOEXEC);
	if (write(fd, "1", 1) != 1)
		lab_say("lab: cgroup.freeze: %s\n", strerror(errno));
}

/* ext4 on a loop device over /ext4.img, mounted on /mnt. */
static bool mount_loop(void)
{
	struct loop_config c = { 0 };
	int image = open("/ext4.img", O_RDWR | O_CLOEXEC);
	int loop = open("/dev/loop0", O_RDWR | O_CLOEXEC);

	c.fd = (uint32_t)image;
	if (image < 0 || loop < 0 || ioctl(loop, LOOP_CONFIGURE, &c) < 0 ||
		mount("/dev/loop0", "/mnt", "ext4", 0, NULL) < 0) {
		lab_say("lab: loop mount: %s\n", strerror(errno));
		return false;
	}
	return true;
}

static void write_to_frozen_filesystem(void)
{
	int fd;

	lab_grow(450, 0, MAP_PRIVATE);
	lab_say("lab: %d goes to D state\n", (int)getpid());
	fd = open("/mnt/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (write(fd, "x", 1) == 1)
		lab_say("lab: the write went through\n");
}

static void small_hog(void)
{
	lab_grow(40, 0, MAP_PRIVATE);
	lab_grow(ALL, 20, MAP_PRIVATE);
}

/* A clone of the mm every 2 ms, each of which leaves again after 20 ms. */
static int chain_link(void *arg)
{
	lab_sleep_msec(2);
	share_mm(chain_link, NULL, 0);
	lab_sleep_msec(20);
	return 0;
}

static void chain(void)
{
	share_mm(chain_link, NULL, 0);
	hog(0);
}

/* The owner of a vhost worker, which borrows its mm as long as somebody has the device open. */
static void vhost_owner(void)
{
	int fd = open("/dev/vhost-net", O_RDWR);

	if (fd < 0 || ioctl(fd, VHOST_SET_OWNER) < 0)
		lab_say("lab: vhost: %s\n", strerror(errno));
	if (fork() == 0) {
		lab_role(getpid(), LAB_SURVIVOR); /* keeps the device open, has no memory */
		sleep_for_ever();
	}
	lab_grow(450, 0, MAP_PRIVATE);
}

/* Runs in the mm of process 1. */
static int init_sharer(void *arg)
{
	lab_role(getpid(), LAB_SURVIVOR);
	lab_grow(480, 0, MAP_PRIVATE); /* more than is left for the hog: first in rank */
	sleep_for_ever();
	return 0;
}

/* A victim that is already big, then an ordinary hog once it is in place. */
static void with_hog(void (*first)(void), enum lab_role first_role)
{
	spawn(first, first_role);
	lab_sleep_msec(6000);
	spawn(plain_hog, LAB_VICTIM);
}

static void run_stopped(void)
{
	with_hog(stopped_victim, LAB_EITHER);
}

static void run_frozen(void)
{
	with_hog(frozen_victim, LAB_EITHER);
}

static void run_vhost(void)
{
	with_hog(vhost_owner, LAB_EITHER);
}

static void run_dstate(void)
{
	int fd;

	if (!mount_loop())
		return;
	fd = open("/mnt", O_RDONLY | O_CLOEXEC);
	if (ioctl(fd, FIFREEZE, 0) < 0)
		lab_say("lab: FIFREEZE: %s\n", strerror(errno));
	with_hog(write_to_frozen_filesystem, LAB_EITHER);
}

static void run_sixty(void)
{
	for (int i = 0; i < 60; i++)
		spawn(small_hog, LAB_EITHER);
	lab->scenario_ready = 1;
}

static const struct {
	const char *name;
	void (*run)(void); /* in a process of its own: a victim, unless alone is false */
	bool alone;        /* run is the one victim */
	bool wait_victims;
} scenarios[] = {
	{ "plain", plain_hog, true, true },
	{ "slow", slow_hog, true, true },
	{ "deaf", deaf_hog, true, true },
	{ "pair", pair, true, true },
	{ "trio", trio, true, true },
	{ "zombie", zombie_leader, true, true },
	{ "shmem", shmem_hog, true, true },
	{ "vfork", vfork_hog, true, true },
	{ "chain", chain, true, true },
	{ "stopped", run_stopped, false, true },
	{ "frozen", run_frozen, false, true },
	{ "dstate", run_dstate, false, true },
	{ "vhost", run_vhost, false, true },
	{ "sixty", run_sixty, false, false },
};

bool scenario_start(const char *name, bool *ret_wait_victims)
{
	if (strcmp(name, "init") == 0) {
		/* Process 1 itself must be the sharer. */
		/* The hog is forked first, so as not to have a copy of that memory. */
		spawn(late_hog, LAB_VICTIM);
		share_mm(init_sharer, NULL, 0);
		*ret_wait_victims = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (strcmp(scenarios[i].name, name) != 0)
			continue;
		*ret_wait_victims = scenarios[i].wait_victims;
		if (fork() == 0) {
			setsid();
			signal(SIGCHLD, SIG_IGN);
			if (scenarios[i].alone)
				lab_role(getpid(), LAB_VICTIM);
			scenarios[i].run();
			sleep_for_ever();
		}
		return true;
	}
	return false;
}
