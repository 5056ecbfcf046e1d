/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files below /proc: names, texts and directories, without allocation, stdio or locale, because
 * they are read between detection and kill. A module of its own because snapshot.c reads so in the
 * daemon's thread and probe.c in threads that may get stuck.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "PID/FILE", or "PID/task/TID/FILE" when tid is not 0; FILE of 20 bytes at most. */
struct procfs_path {
	char text[64];
};
struct procfs_path procfs_path_of(pid_t pid, pid_t tid, const char *file);

/* Opens for reading. An fd, -ESRCH when it is not there, or another -errno. */
int procfs_open(int proc_fd, const char *path);

/* Reads a small file that ends with a newline: until size - 1 bytes, a newline at the end of what
 * came (so that one read does), or the end. Terminates. Returns the length or -errno. */
ssize_t procfs_read_text(int fd, char *text, size_t size);
/* Both: open, and read as procfs_read_text. */
ssize_t procfs_read_file(int proc_fd, const char *path, char *text, size_t size);

/* Reads until size bytes or the end; does not terminate. Returns the length or -errno. */
ssize_t procfs_read_full(int fd, char *data, size_t size);

/* The numeric names of a directory: opendir(3) would allocate. buffer is the caller's, aligned to 8
 * bytes. */
struct procfs_dir {
	int fd;
	char *buffer;
	size_t size, at, end;
};
int procfs_dir_open(
	int proc_fd, const char *path, char *buffer, size_t size, struct procfs_dir *ret);
void procfs_dir_close(struct procfs_dir *d); /* for _cleanup_ */
/* 1 and the next number, 0 at the end, or -errno. */
int procfs_dir_next(struct procfs_dir *d, pid_t *ret);

/* A decimal number at p: returns where it ends, or NULL when there is none or it does not fit. */
const char *procfs_parse_u64(const char *p, uint64_t *ret);
const char *procfs_parse_i64(const char *p, int64_t *ret);
/* Hexadecimal in small letters; stops at UINT64_MAX's width: what does not fit is cut at the top.
 */
const char *procfs_parse_hex(const char *p, uint64_t *ret);
