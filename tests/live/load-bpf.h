/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Has the built oomfwd-bpf load its program, under a name of our own: in a bpffs that only this
 * process and its children see, and that goes with them.
 */
#pragma once

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BPFFS       "/tmp/oomfwd-bpffs"
#define LOADED_PATH BPFFS "/oomfwd-tasks"

/* The program is two directories away from whoever includes this, or where the environment says. */
static inline void find_loader(char *path, size_t size)
{
	const char *given = getenv("OOMFWD_BPF");
	char self[512] = "", *slash;

	if (given) {
		snprintf(path, size, "%s", given);
		return;
	}
	(void)!readlink("/proc/self/exe", self, sizeof(self) - 1);
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(path, size, "%s/../src/bpf/oomfwd-bpf", self);
}

/* What it says goes to why, without the end of its line. */
static inline bool run_loader(const char *program, const char *path, char *why, size_t size)
{
	int ends[2], status = -1;
	ssize_t n;
	pid_t pid;

	if (pipe(ends) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		execl(program, program, "load", path, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	n = read(ends[0], why, size - 1);
	why[n > 0 ? n : 0] = '\0';
	why[strcspn(why, "\n")] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return status == 0;
}

/* directory: where the bpffs is mounted. */
static inline bool load_bpf(const char *directory, char *why, size_t size)
{
	char program[600], path[256];

	find_loader(program, sizeof(program));
	if (access(program, X_OK) < 0) {
		snprintf(why, size, "this oomfwd was built without BPF");
		return false;
	}
	if (unshare(CLONE_NEWNS) < 0) {
		snprintf(why, size, "no mount namespace: %s", strerror(errno));
		return false;
	}
	(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	(void)mkdir(directory, 0700);
	if (mount("bpf", directory, "bpf", 0, NULL) < 0) {
		snprintf(why, size, "no bpffs: %s", strerror(errno));
		return false;
	}
	snprintf(path, sizeof(path), "%s/oomfwd-tasks", directory);
	return run_loader(program, path, why, size);
}
