/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "import.h"
#include "procfs.h"

#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define COMMENT_COLUMNS 96

/* --- what is said --- */

char *import_quote(const char *text, char ret[IMPORT_QUOTE_MAX])
{
	static const char more[] = "...";
	size_t at = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= 0x20 && c < 0x7F;

		if (at + (plain ? 1 : 4) + sizeof(more) > IMPORT_QUOTE_MAX) {
			memcpy(ret + at, more, sizeof(more));
			return ret;
		}
		if (plain)
			ret[at++] = (char)c;
		else
			at += (size_t)sprintf(ret + at, "\\x%02X", c);
	}
	ret[at] = '\0';
	return ret;
}

/* A word that is longer than a line gets one of its own. */
static void put_wrapped(FILE *f, const char *text)
{
	size_t column = 0;

	while (*(text += strspn(text, " "))) {
		size_t length = strcspn(text, " ");

		if (column > 0 && column + 1 + length > COMMENT_COLUMNS) {
			putc('\n', f);
			column = 0;
		}
		if (column == 0)
			column = (size_t)fprintf(f, "#");
		column += (size_t)fprintf(f, " %.*s", (int)length, text);
		text += length;
	}
	putc('\n', f);
}

void import_comment(struct import *im, const char *format, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	if (n < 0)
		text = NULL;
	else
		put_wrapped(im->config, text);
}

void import_no_equal(struct import *im, const char *origin, const char *format, ...)
{
	_cleanup_(freep) char *sentence = NULL, *whole = NULL;
	char quoted[IMPORT_QUOTE_MAX];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&sentence, format, ap);
	va_end(ap);
	if (n < 0) {
		sentence = NULL;
		return;
	}
	if (asprintf(&whole, "%s: %s", import_quote(origin, quoted), sentence) < 0) {
		whole = NULL;
		return;
	}
	put_wrapped(im->config, whole);
	json_add_text(im->no_equal, whole);
}

int import_complain(struct import *im, const char *file, unsigned line, const char *format, ...)
{
	char quoted[IMPORT_QUOTE_MAX];
	va_list ap;

	fputs(import_quote(file, quoted), im->errors);
	if (line > 0)
		fprintf(im->errors, ":%u", line);
	fputs(": ", im->errors);
	va_start(ap, format);
	vfprintf(im->errors, format, ap);
	va_end(ap);
	putc('\n', im->errors);
	return -EINVAL;
}

void import_begin(struct import *im, const char *daemon, const char *from)
{
	char quoted[IMPORT_QUOTE_MAX];

	import_comment(
		im, "What %s was told by %s, for oomfwd.", daemon, import_quote(from, quoted));
	fputs("#\n", im->config);
	import_comment(im,
		"Meant for " CONFIG_PATH ".d/50-%s.conf: the rules of " CONFIG_PATH
		" stay in force then, which protect what a machine needs to be administered. "
		"\"oomfwdctl check\" says what is wrong with the whole, \"systemctl reload "
		"oomfwd\" "
		"puts it in force.",
		daemon);
}

/* --- what is read --- */

int import_read(struct import *im, const char *path, char **ret)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(fd_closep) int fd = -EBADF;
	struct stat st;
	ssize_t size;

	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return import_complain(im, path, 0, "cannot be read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return import_complain(im, path, 0, "must be a regular file, and is not");
	text = malloc(IMPORT_FILE_MAX + 2);
	size = text ? procfs_read_full(fd, text, (size_t)IMPORT_FILE_MAX + 1) : -ENOMEM;
	if (size < 0)
		return import_complain(im, path, 0, "cannot be read: %s", strerror((int)-size));
	if (size > IMPORT_FILE_MAX)
		return import_complain(im, path, 0, "is larger than 1 MiB; a configuration is not");
	if (memchr(text, '\0', (size_t)size))
		return import_complain(
			im, path, 0, "is binary (it holds a NUL byte); it must be text");
	text[size] = '\0';
	*ret = take_pointer(&text);
	return 0;
}

int import_parse_number(const char *text, double *ret)
{
	char *end;
	double value;

	if (!*text || text[strspn(text, "0123456789.")])
		return -EINVAL;
	value = strtod(text, &end);
	if (*end || !isfinite(value))
		return -EINVAL;
	*ret = value;
	return 0;
}

char *import_next_line(char **text)
{
	char *line = *text;
	size_t length;

	if (!*line)
		return NULL;
	length = strcspn(line, "\n");
	*text += length + (line[length] == '\n');
	line[length] = '\0';
	if (length > 0 && line[length - 1] == '\r')
		line[length - 1] = '\0';
	return line;
}

/* --- the whole --- */

void import_squeeze(char *text)
{
	char *to = text;
	unsigned ends = 0;

	for (; *text; text++) {
		ends = *text == '\n' ? ends + 1 : 0;
		if (ends <= 2)
			*to++ = *text;
	}
	*to = '\0';
}

int import_check(const char *text, FILE *errors)
{
	_cleanup_(fd_closep) int fd = memfd_create("oomfwd.conf", MFD_CLOEXEC);
	_cleanup_(fclosep) FILE *none = errors ? NULL : fopen("/dev/null", "we");
	struct config *config = NULL;
	char path[64];
	int r;

	/* Our parser warns of files that everybody may write, which a memfd is. */
	if (fd < 0 || fchmod(fd, 0600) < 0 || (!errors && !none))
		return -errno;
	for (size_t size = strlen(text), at = 0; at < size;) {
		ssize_t n = write(fd, text + at, size - at);

		if (n < 0)
			return -errno;
		at += (size_t)n;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_load(path, errors ? errors : none, &config);
	config_free(config);
	return r;
}
