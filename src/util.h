/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership by scope and checked arithmetic: what every module needs and none owns.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))
#define ARRAY_SIZE(a)  (sizeof(a) / sizeof((a)[0]))

#define USEC_PER_MSEC UINT64_C(1000)
#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_NEVER    UINT64_MAX
#define KIB           UINT64_C(1024)
#define MIB           (KIB * 1024)
#define GIB           (MIB * 1024)

/* Closes *fd unless it is negative, keeps errno; for _cleanup_(fd_closep). */
static inline void fd_closep(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;
		close(*fd);
		errno = saved;
	}
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Cuts blanks off both ends. */
static inline char *trim_blanks(char *text)
{
	size_t length;

	text += strspn(text, " \t\r");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r", text[length - 1]))
		text[--length] = '\0';
	return text;
}

/* A string of which as much is copied as there is room for. */
static inline void copy_cut(char *ret, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	memcpy(ret, text, n);
	ret[n] = '\0';
}

/* Hands the fd over to the caller: the variable no longer owns it. */
static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -EBADF;
	return taken;
}

/* The same of a pointer whose address is given. */
static inline void *take_pointer(void *p)
{
	void *taken = *(void **)p;
	*(void **)p = NULL;
	return taken;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint64_t sub_or_zero_u64(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* a + b, a * b and a * b / c that stop at UINT64_MAX instead of wrapping. */
static inline uint64_t add_sat_u64(uint64_t a, uint64_t b)
{
	uint64_t r;
	return __builtin_add_overflow(a, b, &r) ? UINT64_MAX : r;
}

static inline uint64_t mul_sat_u64(uint64_t a, uint64_t b)
{
	uint64_t r;
	return __builtin_mul_overflow(a, b, &r) ? UINT64_MAX : r;
}

static inline uint64_t mul_div_u64(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 r = (unsigned __int128)a * b / c;
	return r > UINT64_MAX ? UINT64_MAX : (uint64_t)r;
}
