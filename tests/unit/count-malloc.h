/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many times this thread has asked for memory: to show that a path never does. Included by one
 * .c of a program only, since it replaces malloc() (under a sanitizer, which has replaced it
 * already, it uses the sanitizer's hook).
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

static _Thread_local unsigned malloc_count;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNT_BY_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNT_BY_SANITIZER
#endif

#ifdef COUNT_BY_SANITIZER
int __sanitizer_install_malloc_and_free_hooks(
	void (*allocated)(const volatile void *, size_t), void (*freed)(const volatile void *));

static void count_allocated(const volatile void *p, size_t size)
{
	malloc_count++;
}

static void ignore_freed(const volatile void *p)
{
}

static __attribute__((constructor)) void count_from_now(void)
{
	__sanitizer_install_malloc_and_free_hooks(count_allocated, ignore_freed);
}
#else
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
	malloc_count++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	malloc_count++;
	return __libc_calloc(count, size);
}

void *realloc(void *p, size_t size)
{
	malloc_count++;
	return __libc_realloc(p, size);
}
#endif
