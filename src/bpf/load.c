/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomfwd-bpf: puts the program that reads the tasks into the kernel and gives it a name, so that
 * the daemon has but to open a file: it needs neither libbpf nor the capabilities for that, nor the
 * bpf(2) call. The one file that knows libbpf.
 */
#include "build-config.h"
#include "snapshot-bpf.h"
#include "tasks.skel.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
	"Usage: oomfwd-bpf load|unload [FILE]\n"
	"Puts the BPF program that reads the tasks for oomfwd into the kernel, or takes it out\n"
	"again. FILE is its name in a bpffs: " SNAPSHOT_BPF_PATH " if none is given.\n"
	"See oomfwd-bpf(8).\n";

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static const char *reason(int error)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		return "this kernel has no BTF (CONFIG_DEBUG_INFO_BTF) in /sys/kernel/btf/vmlinux";
	switch (error) {
	case -EPERM:
		return "that needs CAP_BPF and CAP_PERFMON, and a kernel that is not locked down";
	case -ENOSYS:
		return "this kernel has no BPF (CONFIG_BPF_SYSCALL)";
	case -ESRCH:
	case -ENOENT:
		return "this kernel has no BPF iterator of tasks (Linux 5.8 brought it)";
	case -ENOMEM:
		return "there is no memory for it";
	default:
		return strerror(-error);
	}
}

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "oomfwd-bpf: %s: %s; oomfwd reads the tasks from /proc then\n", what, why);
	return EXIT_FAILURE;
}

static int pin(struct tasks_bpf *skel, const char *path)
{
	int r;

	/* Its predecessor's, of another version perhaps. Whoever has it open may go on. */
	if (unlink(path) < 0 && errno != ENOENT)
		return refuse("the old BPF program cannot be removed", strerror(errno));
	r = bpf_link__pin(skel->links.tasks, path);
	if (r == -ENOENT || r == -EINVAL || r == -EPERM)
		return refuse(path,
			"this is not in a bpffs that we may write to "
			"(mount -t bpf bpf /sys/fs/bpf)");
	return r < 0 ? refuse(path, strerror(-r)) : EXIT_SUCCESS;
}

static int load(const char *path)
{
	struct tasks_bpf *skel;
	int r;

	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(say_nothing);
	umask(0077);
	errno = 0;
	skel = tasks_bpf__open_and_load();
	if (!skel)
		return refuse("the BPF program cannot be loaded", reason(-errno));
	r = tasks_bpf__attach(skel);
	r = r < 0 ? refuse("the BPF program cannot be attached", reason(r)) : pin(skel, path);
	tasks_bpf__destroy(skel);
	return r;
}

static int unload(const char *path)
{
	if (unlink(path) == 0 || errno == ENOENT)
		return EXIT_SUCCESS;
	fprintf(stderr, "oomfwd-bpf: %s cannot be removed: %s\n", path, strerror(errno));
	return EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
	const char *path = argc > 2 ? argv[2] : SNAPSHOT_BPF_PATH;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("oomfwd-bpf " OOMFWD_VERSION);
		return EXIT_SUCCESS;
	}
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "load") == 0)
		return load(path);
	if ((argc == 2 || argc == 3) && strcmp(argv[1], "unload") == 0)
		return unload(path);
	fputs(usage, stderr);
	return 2;
}
