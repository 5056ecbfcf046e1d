/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Episodes on disk, and what a crash or a stranger may leave there.
 */
#include "desk-world.h"
#include "history.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>

struct world {
	char dir[64], path[96], rotated[104];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	snprintf(w->dir, sizeof(w->dir), "/tmp/test-history-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/history.jsonl", w->dir);
	snprintf(w->rotated, sizeof(w->rotated), "%s.1", w->path);
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	nftw(w->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static int append_kills(const struct world *w, uint64_t id, uint32_t kills)
{
	struct episode *e = made_episode(id, kills);
	int r = history_append(w->path, e);

	free(e);
	return r;
}

static void append(const struct world *w, uint64_t id)
{
	assert_int_equal(append_kills(w, id, 1), 0);
}

static void write_raw(const char *path, const char *text)
{
	FILE *f = fopen(path, "ae");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

/* "3 4 5" */
static const char *ids(const struct world *w, size_t max, uint32_t *ret_bad)
{
	static char text[256];
	struct json *j = NULL;
	int n = 0;

	assert_int_equal(history_read(w->path, max, &j, ret_bad), 0);
	text[0] = '\0';
	for (size_t i = 0; i < json_count(j); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%d", i > 0 ? " " : "",
			(int)json_get_number(json_at(j, i), "id"));
	json_unref(j);
	return text;
}

static void what_is_appended_is_read_the_newest_last(void **state)
{
	struct world *w = *state;
	struct json *j = NULL;
	uint32_t bad = 9;

	append(w, 1);
	append(w, 2);
	append(w, 3);
	assert_string_equal(ids(w, 10, &bad), "1 2 3");
	assert_int_equal(bad, 0);
	assert_string_equal(ids(w, 2, NULL), "2 3");
	assert_string_equal(ids(w, 0, NULL), "");
	assert_string_equal(ids(w, SIZE_MAX, NULL), "1 2 3");
	assert_int_equal(history_read(w->path, 1, &j, NULL), 0);
	assert_string_equal(
		json_get_text(json_at(json_get(json_at(j, 0), "steps"), 1), "comm"), "hog");
	json_unref(j);
}

static void ids_go_on_where_the_file_ends(void **state)
{
	struct world *w = *state;

	assert_int_equal(history_next_id(w->path), 1);
	append(w, 1);
	append(w, 17);
	assert_int_equal(history_next_id(w->path), 18);
	write_raw(w->path, "{\"id\":99, torn");
	assert_int_equal(history_next_id(w->path), 18);
	assert_int_equal(rename(w->path, w->rotated), 0);
	assert_int_equal(history_next_id(w->path), 18);
	write_raw(w->path, "");
	assert_int_equal(history_next_id(w->path), 18);
}

static void others_may_not_read_it_whatever_the_umask(void **state)
{
	struct world *w = *state;
	mode_t before = umask(0);
	struct stat st;

	append(w, 1);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	unlink(w->path);
	umask(077);
	append(w, 2);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	umask(before);
	/* What the administrator sets stays. */
	assert_int_equal(chmod(w->path, 0600), 0);
	append(w, 3);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_torn_line_damages_neither_neighbour(void **state)
{
	struct world *w = *state;
	uint32_t bad;

	append(w, 1);
	append(w, 2);
	assert_int_equal(truncate(w->path, size_of(w->path) - 40), 0);
	assert_string_equal(ids(w, 10, &bad), "1");
	assert_int_equal(bad, 1);
	append(w, 3);
	append(w, 4);
	assert_string_equal(ids(w, 10, &bad), "1 3 4");
	assert_int_equal(bad, 1);
}

/* Only the end of the line is missing: the episode is whole. */
static void a_line_without_its_end_is_one(void **state)
{
	struct world *w = *state;
	uint32_t bad;

	append(w, 1);
	assert_int_equal(truncate(w->path, size_of(w->path) - 1), 0);
	assert_string_equal(ids(w, 10, &bad), "1");
	append(w, 2);
	assert_string_equal(ids(w, 10, &bad), "1 2");
	assert_int_equal(bad, 0);
}

static void lines_that_are_no_episodes_are_skipped_and_counted(void **state)
{
	struct world *w = *state;
	int zeros = open(w->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
	uint32_t bad;

	/* As some file systems leave it after a power cut. */
	assert_int_equal(write(zeros, "\0\0\0\0\n", 5), 5);
	close(zeros);
	append(w, 1);
	write_raw(w->path, "\n\nhello\n[]\n4\n{}\n{\"id\":5}\n{\"id\":\"5\",\"steps\":[]}\n");
	append(w, 2);
	write_raw(w->path, "{\"id\":-1,\"steps\":[]}\n{\"id\":3,\"id\":3,\"steps\":[]}\n");
	assert_string_equal(ids(w, 10, &bad), "1 2");
	assert_int_equal(bad, 9);
}

static void a_full_file_makes_room(void **state)
{
	struct world *w = *state;
	uint64_t id = 0;
	off_t line;

	append_kills(w, ++id, EPISODE_STEPS_MAX - 2);
	line = size_of(w->path);
	assert_in_range(line, 64 * KIB, HISTORY_FILE_BYTES / 4);
	while (size_of(w->rotated) < 0) {
		assert_in_range(++id, 2, HISTORY_FILE_BYTES / (64 * KIB) + 1);
		assert_int_equal(append_kills(w, id, EPISODE_STEPS_MAX - 2), 0);
	}
	assert_in_range(size_of(w->rotated), HISTORY_FILE_BYTES - 2 * line, HISTORY_FILE_BYTES);
	assert_in_range(size_of(w->path), line - 8, line + 8);
	append(w, id + 1);
	/* Over the seam. */
	struct json *j = NULL;

	assert_int_equal(history_read(w->path, 4, &j, NULL), 0);
	assert_int_equal(json_count(j), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(json_get_number(json_at(j, i), "id"), id - 2 + i);
	json_unref(j);
}

static void the_file_before_the_last_goes(void **state)
{
	struct world *w = *state;

	write_raw(w->rotated, "{\"id\":1,\"steps\":[]}\n");
	append(w, 2);
	assert_int_equal(truncate(w->path, (off_t)HISTORY_FILE_BYTES), 0);
	append(w, 3);
	assert_int_equal(size_of(w->rotated), HISTORY_FILE_BYTES);
	assert_string_equal(ids(w, 10, NULL), "2 3");
}

static void a_link_to_the_same_file_is_not_shown_twice(void **state)
{
	struct world *w = *state;
	struct json *j = NULL;

	append(w, 1);
	assert_int_equal(link(w->path, w->rotated), 0);
	assert_int_equal(history_read(w->path, 10, &j, NULL), -EAGAIN);
	assert_null(j);
}

static void what_is_missing_or_no_file_is_said(void **state)
{
	struct world *w = *state;
	struct json *j = NULL;

	assert_int_equal(history_read(w->path, 10, &j, NULL), -ENOENT);
	assert_int_equal(mkdir(w->path, 0755), 0);
	assert_int_equal(append_kills(w, 1, 1), -EISDIR);
	assert_int_equal(history_read(w->path, 10, &j, NULL), -EINVAL);
	assert_int_equal(rmdir(w->path), 0);
	/* Nobody would ever read from it. */
	assert_int_equal(mkfifo(w->path, 0600), 0);
	assert_int_equal(append_kills(w, 1, 1), -EINVAL);
	unlink(w->path);
	assert_int_equal(symlink("/nowhere", w->path), 0);
	assert_int_equal(append_kills(w, 1, 1), -ELOOP);
	unlink(w->path);
	assert_int_equal(rmdir(w->dir), 0);
	assert_int_equal(append_kills(w, 1, 1), -ENOENT);
	assert_int_equal(history_read(w->path, 10, &j, NULL), -ENOENT);
	assert_int_equal(history_next_id(w->path), 1);
	assert_null(j);
}

/* A limit on the size of files cuts a write short, as a full disk does. */
static void no_room_leaves_the_file_as_it_was(void **state)
{
	struct world *w = *state;
	struct rlimit before, small;
	uint32_t bad;
	off_t size;

	append(w, 1);
	size = size_of(w->path);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = (rlim_t)size + 100;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(append_kills(w, 2, 1), -ENOSPC);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(size_of(w->path), size);
	append(w, 3);
	assert_string_equal(ids(w, 10, &bad), "1 3");
	assert_int_equal(bad, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_is_appended_is_read_the_newest_last),
		TEST(ids_go_on_where_the_file_ends),
		TEST(others_may_not_read_it_whatever_the_umask),
		TEST(a_torn_line_damages_neither_neighbour),
		TEST(a_line_without_its_end_is_one),
		TEST(lines_that_are_no_episodes_are_skipped_and_counted),
		TEST(a_full_file_makes_room),
		TEST(the_file_before_the_last_goes),
		TEST(a_link_to_the_same_file_is_not_shown_twice),
		TEST(what_is_missing_or_no_file_is_said),
		TEST(no_room_leaves_the_file_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
