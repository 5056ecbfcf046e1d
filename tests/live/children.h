/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes for live tests: each says when it is ready, then waits to be killed; none outlives the
 * test.
 */
#pragma once

#include "util.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#define CHILDREN_MAX 32

/* Pages shared by the test and its children: what they have to tell. */
struct child_board {
	volatile int ready[CHILDREN_MAX];
	volatile pid_t tid;
	volatile uintptr_t address;
	volatile bool go;
};

static struct child_board *board;
static pid_t children[CHILDREN_MAX];
static int child_count;
static int sharer_fd; /* of a child's child, which is not ours to wait for */

static inline int children_setup(void **state)
{
	board = mmap(
		NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(board, MAP_FAILED);
	child_count = 0;
	sharer_fd = -EBADF;
	return 0;
}

static inline void child_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	for (int i = 0; i < child_count; i++)
		if (children[i] == pid)
			children[i] = 0;
}

static inline int children_teardown(void **state)
{
	for (int i = 0; i < child_count; i++)
		child_end(children[i]);
	if (sharer_fd >= 0)
		syscall(SYS_pidfd_send_signal, sharer_fd, SIGKILL, NULL, 0);
	fd_closep(&sharer_fd);
	munmap(board, sizeof(*board));
	return 0;
}

static inline void wait_until(const volatile int *flag)
{
	for (int i = 0; i < 5000 && !*flag; i++)
		usleep(1000);
	assert_true(*flag);
}

/* Runs in the child. Leaves nothing but system calls to do afterwards. */
static inline void child_ready(int index)
{
	board->ready[index] = 1;
	for (;;)
		pause();
}

typedef void child_fn(int index);

/* A forked child that runs body(index) and is to call child_ready(index) in it. */
static inline pid_t child_fork(child_fn *body)
{
	int index = child_count++;

	assert_true(index < CHILDREN_MAX);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_DFL); /* whatever whoever runs the tests has made of it */
		body(index);
		_exit(1);
	}
	assert_true(pid > 0);
	children[index] = pid;
	wait_until(&board->ready[index]);
	return pid;
}

/* The child's child, as it has told: ends with the test even if it misses its parent's death. */
static inline pid_t sharer_of_child(void)
{
	sharer_fd = (int)syscall(SYS_pidfd_open, board->tid, 0);
	assert_true(sharer_fd >= 0);
	return board->tid;
}

/* From a child that shares its mm with the one it makes: a process of its own (no CLONE_THREAD). */
static inline pid_t clone_sharer(int (*body)(void *), void *arg)
{
	const size_t size = 64 * 1024;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED)
		return -1;
	return clone(body, stack + size, CLONE_VM | SIGCHLD, arg);
}

static inline int sleep_for_ever(void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
	return 0;
}

static inline char *touch_memory(size_t size, int kind)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(2);
	memset(p, 1, size);
	return p;
}
