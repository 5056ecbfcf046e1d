/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What scenarios are made of: processes that grow, share, hide in cgroups. */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STACK_SIZE 65536

void lab_role(pid_t pid, enum lab_role role)
{
	unsigned at = __atomic_fetch_add(&lab->role_count, 1, __ATOMIC_SEQ_CST);

	if (at >= LAB_ROLES_MAX)
		return;
	lab->roles[at].role = role;
	__atomic_store_n(&lab->roles[at].pid, pid, __ATOMIC_SEQ_CST);
	if (role != LAB_EITHER && at < 16)
		lab_say("lab: %d is a %s\n", (int)pid, role == LAB_VICTIM ? "victim" : "survivor");
}

uint64_t lab_noise(uint64_t *x)
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
			*(uint64_t *)(p + k) = lab_noise(&x);
		if (mib_per_sec)
			lab_sleep_msec(1000 / mib_per_sec);
	}
}

void lab_sleep_for_ever(void)
{
	for (;;)
		pause();
}

void lab_hog(long mib_per_sec)
{
	lab->scenario_ready = 1;
	lab_grow(LAB_ALL, mib_per_sec, MAP_PRIVATE);
	lab_sleep_for_ever();
}

void lab_plain_hog(void)
{
	lab_hog(0);
}

pid_t lab_spawn(void (*run)(void), enum lab_role role)
{
	pid_t pid = fork();

	if (pid == 0) {
		lab_role(getpid(), role);
		run();
		lab_sleep_for_ever();
	}
	return pid;
}

pid_t lab_share_mm(int (*run)(void *), void *arg, int flags)
{
	char *stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = clone(run, stack + STACK_SIZE, CLONE_VM | SIGCHLD | flags, arg);

	if (pid < 0)
		lab_say("lab: clone: %s\n", strerror(errno));
	return pid;
}

int lab_sharer(void *arg)
{
	lab_sleep_for_ever();
}

static void hog_after_first(void)
{
	while (!lab->first_ready)
		lab_sleep_msec(20);
	lab_sleep_msec(300);
	lab_enter_cgroup("lab-hog");
	lab_hog(0);
}

void lab_with_hog(void (*first)(void), enum lab_role first_role)
{
	lab_spawn(hog_after_first, LAB_VICTIM);
	lab_spawn(first, first_role);
}

/* Where a cgroup of this name is, for its v2 or v1 file; false: no such hierarchy. */
static bool cgroup_path(const char *name, const char *file, bool v1, char *ret, size_t size)
{
	const char *root = v1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
	char slice[64];

	if (v1 != (access("/sys/fs/cgroup/cgroup.controllers", F_OK) < 0))
		return false;
	snprintf(slice, sizeof(slice), "%s/system.slice", root);
	if (access(slice, F_OK) < 0)
		snprintf(slice, sizeof(slice), "%s", root);
	snprintf(ret, size, "%s/%s", slice, name);
	mkdir(ret, 0755);
	if (file)
		snprintf(ret, size, "%s/%s/%s", slice, name, file);
	return true;
}

bool lab_enter_cgroup(const char *name)
{
	char path[256];

	return (cgroup_path(name, "cgroup.procs", false, path, sizeof(path)) ||
		       cgroup_path(name, "cgroup.procs", true, path, sizeof(path))) &&
		lab_write(path, "0");
}

pid_t lab_cgroup_pid(const char *name)
{
	char path[256];

	if (!cgroup_path(name, "cgroup.procs", false, path, sizeof(path)) &&
		!cgroup_path(name, "cgroup.procs", true, path, sizeof(path)))
		return -1;
	return (pid_t)lab_file_number(path, "");
}

bool lab_set_cgroup(const char *name, const char *v2_file, const char *v1_file, const char *text)
{
	char path[256];

	if (cgroup_path(name, v2_file, false, path, sizeof(path)))
		return lab_write(path, text);
	return v1_file && cgroup_path(name, v1_file, true, path, sizeof(path)) &&
		lab_write(path, text);
}
