/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"
#include "record.h"

#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

/* The names, owners and memory of all processes: for whoever took it alone. */
#define FILE_MODE 0600

static int open_file(const char *path, FILE **ret)
{
	_cleanup_(fd_closep) int fd = -EBADF;
	struct stat st;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, FILE_MODE);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* One that was there before may have been open to others. */
	if (strcmp(path, "-") != 0 && S_ISREG(st.st_mode) &&
		(fchmod(fd, FILE_MODE) < 0 || ftruncate(fd, 0) < 0))
		return -errno;
	*ret = fdopen(fd, "w");
	if (!*ret)
		return -errno;
	take_fd(&fd);
	return 0;
}

static int write_file(const struct json *j, const char *path)
{
	FILE *f = NULL;
	int r = open_file(path, &f);

	if (r < 0)
		return r;
	errno = 0;
	r = json_write(j, f, false);
	if (r == -EIO && ferror(f) && errno > 0)
		r = -errno;
	/* The disk may be full only now. */
	if (fflush(f) != 0 && r == 0)
		r = -errno;
	if (fclose(f) != 0 && r == 0)
		r = -errno;
	return r;
}

static int describe_file(const struct record *r, const char *path)
{
	_cleanup_(json_unrefp) struct json *j = json_object_new();

	json_set_text(j, "file", path);
	json_set_number(j, "tasks", r->snapshot.count);
	json_set_bool(j, "cmdlines", r->has_cmdlines);
	json_set_bool(j, "complete", r->can_ptrace && r->snapshot.unread == 0);
	return describe_write(j);
}

/* To stderr, for stdout may be the file. */
static void say_what_it_has(const struct record *r, const char *path)
{
	if (strcmp(path, "-") != 0)
		fprintf(stderr,
			"%s: %u tasks, mode 0600. It names all processes, their users and "
			"cgroups%s.\n",
			path, r->snapshot.count,
			r->has_cmdlines ? ", with their command lines, which may have secrets"
					: "; command lines are left out");
	if (!r->can_ptrace)
		fputs("Who shares memory with whom is not known for certain: this takes "
		      "CAP_SYS_PTRACE, as root has it.\n",
			stderr);
}

static int record_to(const struct ctl *c, const char *path, bool cmdlines)
{
	_cleanup_(look_freep) struct look *l = NULL;
	_cleanup_(record_freep) struct record *record = NULL;
	_cleanup_(json_unrefp) struct json *j = NULL;
	int r;

	r = look_new(c, &l);
	if (r < 0)
		return look_status(r);
	r = record_take(l, cmdlines, &record);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot read the processes: %s", strerror(-r));
	j = record_json(record);
	r = write_file(j, path);
	if (r == -ELOOP)
		return ctl_fail(CTL_FAILED, "%s is a symbolic link; give the name of a file", path);
	if (r < 0)
		return ctl_fail(CTL_FAILED, "cannot write %s: %s", path, strerror(-r));
	/* What is on stdout then is JSON already. */
	if (c->json && strcmp(path, "-") != 0)
		return describe_file(record, path);
	say_what_it_has(record, path);
	return CTL_OK;
}

int ctl_snapshot(const struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "cmdline", no_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	bool cmdlines = false;
	int o;

	opterr = 0;
	while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (o != 'c')
			return ctl_usage(argv[0], "there is no such option");
		cmdlines = true;
	}
	if (optind + 1 != argc)
		return ctl_usage(argv[0], "give one file; - is standard output");
	return record_to(c, argv[optind], cmdlines);
}
