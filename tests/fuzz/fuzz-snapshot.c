/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer over the parsers of what processes can influence in /proc. The first byte chooses one.
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc \
 *       tests/fuzz/fuzz-snapshot.c src/snapshot-parse.c src/probe-smaps.c src/procfs.c -o fuzz
 *   ./fuzz -max_total_time=60
 */
#include "probe.h"
#include "snapshot.h"
#include "util.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* On success a sound task, on failure an untouched one. */
static void fuzz_task(const char *text, int (*parse)(const char *text, struct task *ret))
{
	struct task t, before;

	memset(&t, 0x5a, sizeof(t));
	before = t;
	if (parse(text, &t) < 0) {
		require(memcmp(&t, &before, sizeof(t)) == 0);
		return;
	}
	require(t.id.pid > 0);
	require(t.threads <= INT32_MAX);
	if (parse == snapshot_parse_stat)
		require(t.comm[TASK_COMM_LEN - 1] == '\0' && t.ppid >= 0);
	else
		require(memcmp(&t.marks, &before.marks, sizeof(t.marks)) == 0);
}

static void fuzz_cgroup(const char *text)
{
	char path[16] = "before";

	if (snapshot_parse_cgroup(text, path, 8) < 0)
		require(strcmp(path, "before") == 0);
	else
		require(path[0] == '/' && strlen(path) < 8 && !strchr(path, '\n'));
	require(path[8] == '\0');
}

static void fuzz_shmem(const char *text)
{
	struct probe_shmem a, b;

	memset(&a, 0x5a, sizeof(a));
	memset(&b, 0xa5, sizeof(b));
	probe_parse_shmem(text, &a);
	probe_parse_shmem(text, &b);
	require(memcmp(&a, &b, sizeof(a)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size ? malloc(size) : NULL;

	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 4) {
	case 0:
		fuzz_task(text, snapshot_parse_stat);
		break;
	case 1:
		fuzz_task(text, snapshot_parse_status);
		break;
	case 2:
		fuzz_cgroup(text);
		break;
	case 3:
		fuzz_shmem(text);
		break;
	}
	free(text);
	return 0;
}
