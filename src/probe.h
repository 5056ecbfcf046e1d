/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads that take the target's mmap lock and so may never return (cmdline, maps, smaps): done by
 * prepared threads, with a deadline for the caller. A thread that is stuck is lost until its read
 * returns; the others go on, and with none left every probe fails at once with -EBUSY.
 * A module of its own because snapshot.c must never block and kill.c must not wait for a reader.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct probe;

/* Starts the threads (small locked stacks, preallocated buffers). proc_fd is borrowed. */
int probe_open(int proc_fd, struct probe **ret);
/* Does not wait for threads that are stuck in a read: their memory is left to them. */
void probe_close(struct probe *p);

/* The command line, NULs as blanks, cut to size. 0, -ETIMEDOUT, -EBUSY, -ESRCH or another -errno.
 */
int probe_cmdline(struct probe *p, pid_t pid, uint64_t timeout_usec, char *ret, size_t size);

/* Resident shared memory of one mm, by what becomes of it when the mm goes (from smaps). */
struct probe_shmem {
	uint64_t private_bytes; /* mapped by this mm alone and kept by no file: comes back */
	uint64_t pss_bytes;     /* its share of what other mms map too (kept by no file) */
	uint64_t kept_bytes;    /* outlives it: linked tmpfs files, /SYSV... segments */
};

/* Walks the page tables of the target: some 10 ms a GiB of shared memory. Same errors. */
int probe_shmem(struct probe *p, pid_t pid, uint64_t timeout_usec, struct probe_shmem *ret);

/*
 * The weaker evidence of a shared mm, for kernels or sandboxes without kcmp: two readings of the
 * mm lines of status (VmPeak .. VmSwap) and of smaps are the same in both tasks, and there is
 * private memory to judge by. Returns 1 same, 0 different, or the errors above.
 */
int probe_same_mm(struct probe *p, pid_t a, pid_t b, uint64_t timeout_usec);

/* Pure halves, for tests and fuzzers. */
void probe_parse_shmem(const char *smaps_text, struct probe_shmem *ret);
