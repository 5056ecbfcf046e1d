/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static int rotated_path(const char *path, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s.1", path);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* --- writing --- */

/* The episode as one line. 0 or -errno; the line is the caller's to free. */
static int format_line(const struct episode *e, char **ret, size_t *ret_length)
{
	struct json *j = episode_json(e);
	FILE *f = open_memstream(ret, ret_length);
	int r;

	if (!f) {
		json_unref(j);
		return -ENOMEM;
	}
	/* For the end of a line that a crash has torn; skipped when there is none. */
	putc('\n', f);
	r = json_write(j, f, false);
	if (fclose(f) != 0 && r == 0)
		r = -ENOMEM;
	json_unref(j);
	return r;
}

/* -errno or an fd, and the size of the file. */
static int open_to_append(const char *path, uint64_t *ret_size)
{
	_cleanup_(fd_closep) int fd =
		open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	struct stat st;

	*ret_size = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* Whatever the umask is; but a mode that somebody chose stays. */
	if (st.st_size == 0 && fchmod(fd, 0640) < 0)
		return -errno;
	*ret_size = (uint64_t)st.st_size;
	return take_fd(&fd);
}

/* -errno or an fd of a file that has room for so many bytes more. */
static int open_with_room(const char *path, size_t length, uint64_t *ret_size)
{
	char rotated[PATH_MAX];
	int fd = open_to_append(path, ret_size);
	int r;

	if (fd < 0 || *ret_size == 0 || *ret_size + length <= HISTORY_FILE_BYTES)
		return fd;
	close(fd);
	r = rotated_path(path, rotated);
	if (r < 0)
		return r;
	if (rename(path, rotated) < 0)
		return -errno;
	return open_to_append(path, ret_size);
}

static bool ends_torn(int fd, uint64_t size)
{
	char last = '\n';

	return size > 0 && pread(fd, &last, 1, (off_t)size - 1) == 1 && last != '\n';
}

int history_append(const char *path, const struct episode *e)
{
	_cleanup_(freep) char *line = NULL;
	_cleanup_(fd_closep) int fd = -EBADF;
	size_t length, skip;
	uint64_t size;
	ssize_t n;
	int r = format_line(e, &line, &length);

	if (r < 0)
		return r;
	fd = open_with_room(path, length, &size);
	if (fd < 0)
		return fd;
	skip = ends_torn(fd, size) ? 0 : 1;
	n = write(fd, line + skip, length - skip);
	if (n == (ssize_t)(length - skip))
		return 0;
	r = n < 0 ? -errno : -ENOSPC;
	/* Half a line is worth nothing, and takes room. */
	if (n > 0)
		(void)!ftruncate(fd, (off_t)size);
	return r;
}

/* --- reading --- */

/* A file in memory, and where in it the next line (from the end on) ends. */
struct lines {
	char *text;
	size_t end;
};

static void lines_free(struct lines *l)
{
	free(l->text);
}

static int open_to_read(const char *path, struct stat *ret)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret) < 0)
		return -errno;
	return S_ISREG(ret->st_mode) ? take_fd(&fd) : -EINVAL;
}

/* Of a file that is larger than any of ours the end. 0 or -errno. */
static int lines_read(struct lines *ret, int fd, uint64_t size)
{
	uint64_t from = sub_or_zero_u64(size, 2 * HISTORY_FILE_BYTES);
	size_t want = (size_t)(size - from), have = 0;

	ret->end = 0;
	ret->text = malloc(want + 1);
	if (!ret->text)
		return -ENOMEM;
	while (have < want) {
		ssize_t n = pread(fd, ret->text + have, want - have, (off_t)(from + have));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		have += n > 0 ? (size_t)n : 0;
	}
	ret->end = have;
	return 0;
}

/* Both files as they are at one moment. A rotation meanwhile would show one of them twice. 0,
 * -ENOENT when there is neither, or another -errno. */
static int read_both(const char *path, struct lines ret[2])
{
	char rotated[PATH_MAX];
	struct stat now = { 0 }, before = { 0 };
	int r = rotated_path(path, rotated);

	if (r < 0)
		return r;
	for (int i = 0; i < 10; i++) {
		_cleanup_(fd_closep) int newer = open_to_read(path, &now);
		_cleanup_(fd_closep) int older = open_to_read(rotated, &before);

		if (newer < 0 && newer != -ENOENT)
			return newer;
		if (older < 0 && (older != -ENOENT || newer < 0))
			return older;
		if (newer >= 0 && older >= 0 && now.st_ino == before.st_ino)
			continue;
		if (newer >= 0)
			r = lines_read(&ret[0], newer, (uint64_t)now.st_size);
		if (r == 0 && older >= 0)
			r = lines_read(&ret[1], older, (uint64_t)before.st_size);
		return r;
	}
	return -EAGAIN;
}

/* The last line that was not taken yet, without its end; NULL: none is left. */
static const char *last_line(struct lines *l, size_t *ret_length)
{
	const char *newline;
	size_t end = l->end;

	if (end == 0)
		return NULL;
	if (l->text[end - 1] == '\n')
		end--;
	newline = end > 0 ? memrchr(l->text, '\n', end) : NULL;
	l->end = newline ? (size_t)(newline - l->text) + 1 : 0;
	*ret_length = end - l->end;
	return l->text + l->end;
}

/* The newest episode that was not taken yet, for the caller; NULL: none is left, or no memory. */
static struct json *last_episode(struct lines both[2], uint32_t *bad)
{
	size_t length;

	for (int i = 0; i < 2; i++) {
		const char *line;

		while ((line = last_line(&both[i], &length))) {
			struct json *j = NULL;

			if (length > 0 && json_parse(line, length, &j, NULL, NULL) == 0 &&
				json_get_number(j, "id") > 0 && json_has(j, "steps"))
				return j;
			json_unref(j);
			*bad += length > 0;
		}
	}
	return NULL;
}

static void free_both(struct lines (*both)[2])
{
	lines_free(&(*both)[0]);
	lines_free(&(*both)[1]);
}

uint64_t history_next_id(const char *path)
{
	_cleanup_(free_both) struct lines both[2] = { 0 };
	_cleanup_(json_unrefp) struct json *newest = NULL;
	uint32_t bad = 0;

	if (read_both(path, both) < 0)
		return 1;
	newest = last_episode(both, &bad);
	return (uint64_t)json_get_number(newest, "id") + 1;
}

/* How many lines there can be. */
static size_t count_lines(const struct lines both[2])
{
	size_t n = 0;

	for (int i = 0; i < 2; i++) {
		n += both[i].end > 0;
		for (size_t at = 0; at < both[i].end; at++)
			n += both[i].text[at] == '\n';
	}
	return n;
}

int history_read(const char *path, size_t max, struct json **ret, uint32_t *ret_bad)
{
	_cleanup_(free_both) struct lines both[2] = { 0 };
	_cleanup_(freep) struct json **newest = NULL;
	struct json *episode, *array;
	size_t count = 0;
	uint32_t bad = 0;
	int r = read_both(path, both);

	if (r < 0)
		return r;
	max = min_u64(max, count_lines(both));
	newest = calloc(max + 1, sizeof(struct json *));
	array = json_array_new();
	if (!newest || !array) {
		json_unref(array);
		return -ENOMEM;
	}
	while (count < max && (episode = last_episode(both, &bad)))
		newest[count++] = episode;
	while (count > 0)
		json_add(array, newest[--count]);
	if (ret_bad)
		*ret_bad = bad;
	*ret = array;
	return 0;
}
