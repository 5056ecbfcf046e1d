/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files in, sentences out: reads a file that may be anything, and says what is wrong where.
 */
#include "config-internal.h"
#include "procfs.h"
#include "report.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define WORD_MAX 64

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+-"

/* --- what is said --- */

static void say_place(const struct config_loader *l, const struct config_place *at)
{
	char file[1024];

	/* File names can be anything; who reads this may sit at a terminal. */
	fputs(report_escape(at->file, file, sizeof(file)), l->errors);
	if (at->line > 0)
		fprintf(l->errors, ":%u", at->line);
	fputs(": ", l->errors);
}

void config_complain(
	struct config_loader *l, const struct config_place *at, const char *format, ...)
{
	va_list ap;

	if (++l->error_count > CONFIG_ERRORS_MAX)
		return;
	say_place(l, at);
	va_start(ap, format);
	vfprintf(l->errors, format, ap);
	va_end(ap);
	fputc('\n', l->errors);
}

void config_warn(struct config_loader *l, const struct config_place *at, const char *format, ...)
{
	va_list ap;

	fputs("warning: ", l->errors);
	say_place(l, at);
	va_start(ap, format);
	vfprintf(l->errors, format, ap);
	va_end(ap);
	fputc('\n', l->errors);
}

char *config_quote(const char *text, char ret[CONFIG_QUOTE_MAX])
{
	static const char more[] = "...";
	size_t length = strnlen(text, CONFIG_QUOTE_MAX);

	if (length < CONFIG_QUOTE_MAX) {
		memcpy(ret, text, length + 1);
		return ret;
	}
	length = CONFIG_QUOTE_MAX - sizeof(more);
	while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
		length--;
	memcpy(ret, text, length);
	memcpy(ret + length, more, sizeof(more));
	return ret;
}

/* Letters to insert, delete or change (Levenshtein), of words that are not too long. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t b_length = strnlen(b, WORD_MAX);

	for (size_t j = 0; j <= b_length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= WORD_MAX && a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned change = corner + (a[i - 1] != b[j - 1]);
			unsigned least = row[j - 1] < row[j] ? row[j - 1] + 1 : row[j] + 1;

			corner = row[j];
			row[j] = change < least ? change : least;
		}
	}
	return row[b_length];
}

void config_nearest_offer(struct config_nearest *n, const char *name)
{
	unsigned d = distance(n->word, name);

	if (!n->name || d < n->distance) {
		n->name = name;
		n->distance = d;
	}
}

/* --- what is read --- */

static const char *kind_of_file(mode_t mode)
{
	if (S_ISDIR(mode))
		return "a directory";
	if (S_ISFIFO(mode))
		return "a FIFO";
	if (S_ISSOCK(mode))
		return "a socket";
	return "a device";
}

static int refuse_file(struct config_loader *l, int error, const char *why)
{
	config_complain(l, &l->at, "%s", why);
	if (l->error == 0)
		l->error = error;
	return error;
}

static int refuse_unreadable(struct config_loader *l, int error)
{
	char why[160];

	snprintf(why, sizeof(why), "cannot be read: %s", strerror(-error));
	return refuse_file(l, error, why);
}

static int check_regular(struct config_loader *l, int fd, struct stat *ret)
{
	char why[160];

	if (fstat(fd, ret) < 0)
		return refuse_unreadable(l, -errno);
	if (S_ISREG(ret->st_mode))
		return 0;
	snprintf(why, sizeof(why), "is %s; it must be a regular file", kind_of_file(ret->st_mode));
	return refuse_file(l, S_ISDIR(ret->st_mode) ? -EISDIR : -EINVAL, why);
}

int config_text_read(struct config_loader *l, const char *path, char **ret)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(fd_closep) int fd = -EBADF;
	struct stat st = { 0 };
	ssize_t size;
	int r;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : refuse_unreadable(l, -errno);
	r = check_regular(l, fd, &st);
	if (r < 0)
		return r;
	if (st.st_size > CONFIG_FILE_MAX)
		return refuse_file(l, -EFBIG, "is larger than 1 MiB; a configuration is not");
	/* No more than it takes: the daemon's heap never shrinks. */
	text = malloc((size_t)st.st_size + 2);
	if (!text)
		return refuse_unreadable(l, -ENOMEM);
	size = procfs_read_full(fd, text, (size_t)st.st_size + 1);
	if (size < 0)
		return refuse_unreadable(l, (int)size);
	if (size > st.st_size)
		return refuse_file(
			l, -EAGAIN, "grew while it was read; reload when it is complete");
	if (memchr(text, '\0', (size_t)size))
		return refuse_file(l, -EINVAL, "is binary (it holds a NUL byte); it must be text");
	if (st.st_mode & S_IWOTH)
		config_warn(
			l, &l->at, "can be written by every user; take that away with chmod o-w");
	text[size] = '\0';
	*ret = text;
	text = NULL;
	return 0;
}

/* The length of the character at s, 0 if it is not UTF-8; s is terminated. */
static size_t utf8_length(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	size_t more = s[0] < 0x80 ? 0 : s[0] < 0xC2 ? 9 : s[0] < 0xE0 ? 1 : s[0] < 0xF0 ? 2 : 3;
	uint32_t c = s[0];

	if (more == 9 || s[0] > 0xF4)
		return 0;
	if (more > 0)
		c &= 0x3Fu >> more;
	for (size_t i = 1; i <= more; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3F);
	}
	if (c < least[more] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	*ret = c;
	return more + 1;
}

/* Moves the cursor, ends a line or turns the direction of writing: shows something else than is
 * there. */
static bool is_control(uint32_t c)
{
	return (c < 0x20 && c != '\t') || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 ||
		(c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

bool config_text_check(struct config_loader *l, const char *line, size_t length)
{
	const unsigned char *s = (const unsigned char *)line;

	if (length > CONFIG_LINE_MAX) {
		config_complain(l, &l->at, "the line has %zu bytes; at most %d are allowed", length,
			CONFIG_LINE_MAX);
		return false;
	}
	for (size_t i = 0; i < length;) {
		uint32_t c = 0;
		size_t n = utf8_length(s + i, &c);

		if (n == 0) {
			config_complain(l, &l->at,
				"byte 0x%02X in column %zu is not UTF-8 text; save the file as "
				"UTF-8",
				s[i], i + 1);
			return false;
		}
		if (is_control(c)) {
			config_complain(l, &l->at,
				"control character U+%04X in column %zu; only text is allowed", c,
				i + 1);
			return false;
		}
		i += n;
	}
	return true;
}

bool config_name_check(
	struct config_loader *l, const char *kind, const char *what, const char *name)
{
	char quoted[CONFIG_QUOTE_MAX];

	if (!*name) {
		config_complain(l, &l->at,
			"[%s] lacks a name; write [%s NAME], with a name of "
			"your choice for the log",
			kind, kind);
		return false;
	}
	if (strlen(name) >= CONFIG_NAME_MAX || name[strspn(name, NAME_LETTERS)]) {
		config_complain(l, &l->at,
			"\"%s\" cannot name a %s; take up to %d letters, digits and . _ @ : + -",
			config_quote(name, quoted), what, CONFIG_NAME_MAX - 1);
		return false;
	}
	return true;
}
