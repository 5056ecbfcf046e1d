/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hard cases of memory that does not come back. Each runs in a child of process 1; what must
 * die and what must live is told with lab_role().
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
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Another name, another user, deaf to SIGTERM: nothing that a shared mm would not survive. */
static int stubborn_sharer(void *arg)
{
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_NAME, "bystander");
	if (setuid(1234) < 0)
		return 1;
	lab_sleep_for_ever();
}

static void slow_hog(void)
{
	/* A head start, so that the slow part is the last 300 MiB. */
	lab_grow(500, 0, MAP_PRIVATE);
	lab_hog(20);
}

/* One byte of each page, and nothing else: the fastest way to use memory up. */
static void *touch_pages(void *arg)
{
	const size_t size = (size_t)2 << 30;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	for (size_t at = 0; p != MAP_FAILED && at < size; at += 4096)
		p[at] = 1;
	lab_sleep_for_ever();
}

static void race_hog(void)
{
	pthread_t thread;

	lab->scenario_ready = 1;
	for (long i = sysconf(_SC_NPROCESSORS_ONLN); i > 1; i--)
		pthread_create(&thread, NULL, touch_pages, NULL);
	touch_pages(NULL);
}

static void deaf_hog(void)
{
	signal(SIGTERM, SIG_IGN);
	lab_hog(0);
}

static void pair(void)
{
	lab_role(lab_share_mm(lab_sharer, NULL, 0), LAB_VICTIM);
	lab_hog(0);
}

static void trio(void)
{
	lab_role(lab_share_mm(lab_sharer, NULL, CLONE_FILES), LAB_VICTIM);
	lab_role(lab_share_mm(stubborn_sharer, NULL, 0), LAB_VICTIM);
	lab_hog(0);
}

static int sharer_elsewhere(void *arg)
{
	lab_enter_cgroup("lab-elsewhere");
	return stubborn_sharer(arg);
}

/* One mm in two cgroups, of two users. */
static void spread(void)
{
	lab_role(lab_share_mm(sharer_elsewhere, NULL, 0), LAB_VICTIM);
	lab_hog(0);
}

static void *grow_thread(void *arg)
{
	lab_hog(0);
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
	lab_grow(LAB_ALL, 0, MAP_SHARED);
}

/* The parent waits in D state while the child, in its mm, goes on eating. */
static void vfork_hog(void)
{
	lab_grow(300, 0, MAP_PRIVATE);
	if (vfork() == 0) {
		lab_role(getpid(), LAB_VICTIM);
		lab_hog(0);
	}
}

/* A clone of the mm every 2 ms, each of which leaves again after 20 ms. */
static int chain_link(void *arg)
{
	lab_sleep_msec(2);
	lab_share_mm(chain_link, NULL, 0);
	lab_sleep_msec(20);
	return 0;
}

static void chain(void)
{
	lab_share_mm(chain_link, NULL, 0);
	lab_hog(0);
}

static void stopped_victim(void)
{
	lab_grow(450, 0, MAP_PRIVATE);
	lab->first_ready = 1;
	raise(SIGSTOP);
}

static void run_stopped(void)
{
	lab_with_hog(stopped_victim, LAB_EITHER);
}

static void freeze_myself(void)
{
	if (access("/sys/fs/cgroup/freezer", F_OK) == 0) {
		mkdir("/sys/fs/cgroup/freezer/lab-frozen", 0755);
		if (!lab_write("/sys/fs/cgroup/freezer/lab-frozen/cgroup.procs", "0") ||
			!lab_write("/sys/fs/cgroup/freezer/lab-frozen/freezer.state", "FROZEN"))
			lab_break("freezer");
	} else if (!lab_set_cgroup("lab-frozen", "cgroup.freeze", NULL, "1")) {
		lab_break("freezer");
	}
}

static void frozen_victim(void)
{
	lab_enter_cgroup("lab-frozen");
	lab_grow(450, 0, MAP_PRIVATE);
	lab->first_ready = 1;
	freeze_myself();
}

static void run_frozen(void)
{
	lab_with_hog(frozen_victim, LAB_EITHER);
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
		lab_break("loop mount");
		return false;
	}
	return true;
}

static void write_to_frozen_filesystem(void)
{
	int fd;

	lab_grow(450, 0, MAP_PRIVATE);
	lab_say("lab: %d goes to D state\n", (int)getpid());
	lab->first_ready = 1;
	fd = open("/mnt/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (write(fd, "x", 1) == 1)
		lab_break("the write went through");
}

static void run_dstate(void)
{
	int fd;

	if (!mount_loop())
		return;
	fd = open("/mnt", O_RDONLY | O_CLOEXEC);
	if (ioctl(fd, FIFREEZE, 0) < 0)
		lab_break("FIFREEZE");
	lab_with_hog(write_to_frozen_filesystem, LAB_EITHER);
}

/* The owner of a vhost worker, which borrows its mm as long as somebody has the device open. */
static void vhost_owner(void)
{
	int fd = open("/dev/vhost-net", O_RDWR);

	if (fd < 0 || ioctl(fd, VHOST_SET_OWNER) < 0)
		lab_break("/dev/vhost-net");
	if (fork() == 0) {
		lab_role(getpid(), LAB_SURVIVOR); /* keeps the device open, has no memory */
		lab_sleep_for_ever();
	}
	lab_grow(450, 0, MAP_PRIVATE);
	lab->first_ready = 1;
}

static void run_vhost(void)
{
	lab_with_hog(vhost_owner, LAB_EITHER);
}

int lab_slow_core(void)
{
	char buffer[65536];

	lab_sleep_msec(15000);
	while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0)
		;
	return 0;
}

static void crash(void)
{
	lab_grow(450, 0, MAP_PRIVATE);
	lab->first_ready = 1;
	abort();
}

static void run_core(void)
{
	if (!lab_write("/proc/sys/kernel/core_pattern",
		    access("/usr/local/bin/lab", X_OK) == 0 ? "|/usr/local/bin/lab slow-core"
							    : "|/init slow-core"))
		lab_break("core pattern");
	lab_with_hog(crash, LAB_EITHER);
}

static void small_hog(void)
{
	lab_grow(40, 0, MAP_PRIVATE);
	lab_grow(LAB_ALL, 20, MAP_PRIVATE);
}

static void run_sixty(void)
{
	for (int i = 0; i < 60; i++)
		lab_spawn(small_hog, LAB_EITHER);
	lab->scenario_ready = 1;
}

/* Runs in the mm of process 1. */
static int init_sharer(void *arg)
{
	lab_role(getpid(), LAB_SURVIVOR);
	lab_grow(480, 0, MAP_PRIVATE); /* more than is left for the hog: first in rank */
	lab->first_ready = 1;
	lab_sleep_for_ever();
}

static void late_hog(void)
{
	while (!lab->first_ready)
		lab_sleep_msec(20);
	lab_hog(0);
}

static void run_init(void)
{
	/* The hog is forked first, so as not to have a copy of that memory. */
	lab_spawn(late_hog, LAB_VICTIM);
	lab_share_mm(init_sharer, NULL, 0);
}

const struct scenario lab_scenarios[] = {
	{ "plain", lab_plain_hog, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "race", race_hog, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "slow", slow_hog, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "deaf", deaf_hog, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "pair", pair, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "trio", trio, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "spread", spread, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "zombie", zombie_leader, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "shmem", shmem_hog, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "vfork", vfork_hog, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "chain", chain, SCENARIO_ALONE | SCENARIO_ALL_DIE },
	{ "stopped", run_stopped, SCENARIO_ALL_DIE },
	{ "frozen", run_frozen, SCENARIO_ALL_DIE },
	{ "dstate", run_dstate, SCENARIO_ALL_DIE },
	{ "core", run_core, SCENARIO_ALL_DIE },
	{ "vhost", run_vhost, SCENARIO_ALL_DIE },
	{ "sixty", run_sixty, 0 },
	{ "init", run_init, SCENARIO_IN_INIT | SCENARIO_ALL_DIE },
	{ NULL, NULL, 0 },
};
