/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer in the benchmarks: how earlyoom looks for a victim. */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* As fopen(3), fscanf(3) and fclose(3) read one file: strace(1) shows openat, newfstatat, read,
 * close. *ret: the first number, and the second. */
static inline bool read_numbers(const char *pid, const char *file, long ret[2])
{
	char path[288];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, file);
	f = fopen(path, "r");
	if (!f)
		return false;
	n = fscanf(f, "%ld %ld", &ret[0], &ret[1]);
	fclose(f);
	return n > 0;
}

/*
 * What earlyoom 1.7 does, by strace(1) of Debian's: oom_score of each process but 1, and statm of
 * those whose score is not below the best so far; more only of a new best one. It learns neither
 * who shares an mm, nor what is swapped, nor who is dying.
 */
static inline uint32_t earlyoom_scan(void)
{
	DIR *proc = opendir("/proc");
	long best[2] = { 0, 0 };
	uint32_t count = 0;
	struct dirent *e;

	while (proc && (e = readdir(proc))) {
		long score[2] = { 0 }, statm[2] = { 0 };

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		count++;
		if (strcmp(e->d_name, "1") == 0 || !read_numbers(e->d_name, "oom_score", score) ||
			score[0] < best[0] || !read_numbers(e->d_name, "statm", statm))
			continue;
		if (statm[1] == 0 || (score[0] == best[0] && statm[1] <= best[1]))
			continue;
		best[0] = score[0];
		best[1] = statm[1];
	}
	if (proc)
		closedir(proc);
	return count;
}
