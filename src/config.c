/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conf file and its drop-ins into a struct config, by inih.
 *
 * inih 55 cuts lines at 200 bytes and section names at 49, hands the cut text over, reports only
 * the first wrong line, takes an indented line for more of the value before, cuts values at " ;",
 * and is silent about sections without keys. So it gets its lines from read_line(), which checks
 * them, keeps the line as it is written, and remembers where it is; and what it hands over is only
 * trusted for which line is a key, and its name. That holds whichever way inih was built.
 */
#include "config-internal.h"

#include <dirent.h>
#include <ini.h>
#include <string.h>

struct source {
	struct config_loader *loader;
	char *next;      /* the rest of the text */
	char *line;      /* without blanks around it; as long as the file has it */
	bool unanswered; /* inih has not called on_key() for it yet */
};

struct file_list {
	char *paths[CONFIG_FILES_MAX];
	uint32_t count;
};

/* --- lines --- */

static enum config_section find_section(struct config_loader *l, const char *kind)
{
	static const struct {
		const char *name;
		enum config_section section;
	} sections[] = {
		{ "warn", SECTION_WARN },
		{ "kill", SECTION_KILL },
		{ "pressure", SECTION_PRESSURE },
		{ "timing", SECTION_TIMING },
		{ "escalate", SECTION_ESCALATE },
		{ "victims", SECTION_VICTIMS },
		{ "desk", SECTION_DESK },
		{ "protect", SECTION_RULE },
		{ "avoid", SECTION_RULE },
		{ "prefer", SECTION_RULE },
		{ "cgroup", SECTION_DOMAIN },
	};
	struct config_nearest n = { .word = kind };
	char quoted[CONFIG_QUOTE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		if (strcmp(kind, sections[i].name) == 0)
			return sections[i].section;
		config_nearest_offer(&n, sections[i].name);
	}
	config_complain(l, &l->at, "there is no section [%s]; the nearest is [%s]",
		config_quote(kind, quoted), n.name);
	return SECTION_UNKNOWN;
}

/* text: what is between "[" and "]"; changed. */
static void begin_section(struct config_loader *l, char *text)
{
	char *kind = trim_blanks(text), *name = kind + strcspn(kind, " \t");
	char quoted[CONFIG_QUOTE_MAX];

	if (*name)
		*name++ = '\0';
	name = trim_blanks(name);
	l->section = find_section(l, kind);
	if (l->section == SECTION_RULE) {
		enum rule_action a = RULE_PROTECT;

		while (strcmp(config_rule_action_name(a), kind) != 0)
			a++;
		config_rule_begin(l, a, name);
	} else if (l->section == SECTION_DOMAIN) {
		config_domain_begin(l, name);
	} else if (l->section != SECTION_UNKNOWN && *name) {
		config_complain(l, &l->at, "[%s] takes no name; leave \"%s\" out", kind,
			config_quote(name, quoted));
	}
}

static void end_section(struct config_loader *l)
{
	config_rule_end(l);
	config_domain_end(l);
}

static void section_line(struct config_loader *l, const char *line)
{
	char copy[CONFIG_LINE_MAX + 1], quoted[CONFIG_QUOTE_MAX];
	char *end;

	end_section(l);
	snprintf(copy, sizeof(copy), "%s", line);
	end = strchr(copy, ']');
	if (!end || end[1]) {
		l->section = SECTION_UNKNOWN;
		config_complain(l, &l->at,
			end ? "\"%s\" goes on after the ]; give what follows a line of its own"
			    : "\"%s\" lacks the closing ]",
			config_quote(line, quoted));
		return;
	}
	*end = '\0';
	begin_section(l, copy + 1);
}

/* What inih made nothing of. */
static void complain_unanswered(struct source *s)
{
	struct config_loader *l = s->loader;
	char quoted[CONFIG_QUOTE_MAX];

	if (!s->unanswered)
		return;
	s->unanswered = false;
	config_complain(l, &l->at,
		"\"%s\" is neither a [section], nor key = value, nor a comment; a value cannot go "
		"on over more lines",
		config_quote(s->line, quoted));
}

/*
 * Hands the next line to inih, as fgets() would: without its indentation, which would make it a
 * continuation, and cut to the room there is, but always ended.
 */
static char *read_line(char *ret, int room, void *stream)
{
	struct source *s = stream;
	struct config_loader *l = s->loader;
	size_t length;

	complain_unanswered(s);
	if (!*s->next)
		return NULL;
	s->line = s->next;
	length = strcspn(s->line, "\n");
	s->next += length + (s->line[length] == '\n');
	s->line[length] = '\0';
	if (length > 0 && s->line[length - 1] == '\r')
		s->line[--length] = '\0';
	l->at.line++;
	if (!config_text_check(l, s->line, length))
		s->line[0] = '\0';
	s->line = trim_blanks(s->line);
	if (s->line[0] == '[')
		section_line(l, s->line);
	else
		s->unanswered = s->line[0] && s->line[0] != '#' && s->line[0] != ';';
	snprintf(ret, (size_t)room - 1, "%s", s->line);
	length = strlen(ret);
	ret[length] = '\n';
	ret[length + 1] = '\0';
	return ret;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct source *s = user;
	const char *text = s->line + strcspn(s->line, "=:");

	if (!s->unanswered || !*text)
		return 0;
	s->unanswered = false;
	text++;
	config_key_set(s->loader, name, text + strspn(text, " \t"));
	return 1;
}

static void load_text(struct config_loader *l, char *text)
{
	static const char mark[] = "\xEF\xBB\xBF"; /* some editors begin UTF-8 with it */
	struct source s = { .loader = l, .next = text };
	int r;

	if (strncmp(text, mark, strlen(mark)) == 0)
		s.next += strlen(mark);
	l->section = SECTION_NONE;
	r = ini_parse_stream(read_line, &s, on_key, &s);
	complain_unanswered(&s); /* if it stopped there */
	/* It may give up early only for lack of memory; a line it does not like is ours to tell. */
	if (r == -2) {
		l->error = -ENOMEM;
		config_complain(l, &l->at, "no memory is left to read on");
	}
	end_section(l);
}

/* --- files --- */

static void load_file(struct config_loader *l, const char *path, bool optional)
{
	_cleanup_(freep) char *text = NULL;
	uint32_t number = l->at.file_number + 1;
	int r;

	l->at = (struct config_place){ .file = path, .file_number = number };
	r = config_text_read(l, path, &text);
	if (r == -ENOENT && optional) {
		fprintf(l->errors,
			"notice: there is no %s; the built-in defaults hold, without any rule\n",
			path);
	} else if (r == -ENOENT) {
		l->error = l->error ? l->error : r;
		config_complain(l, &l->at, "there is no such file");
	} else if (r == 0) {
		load_text(l, text);
	}
}

static int by_name(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static bool is_drop_in(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".conf") == 0;
}

static void fail_dir(struct config_loader *l, const char *dir, int error, const char *why)
{
	struct config_place at = { .file = dir };

	config_complain(l, &at, "%s", why);
	l->error = l->error ? l->error : error;
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* Adds dir's drop-ins to the list, by name. */
static void list_drop_ins(struct config_loader *l, const char *dir, struct file_list *ret)
{
	_cleanup_(closedirp) DIR *d = opendir(dir);
	uint32_t first = ret->count;
	const struct dirent *e;

	if (!d) {
		if (errno != ENOENT)
			fail_dir(l, dir, -errno, strerror(errno));
		return;
	}
	/* cppcheck-suppress readdirCalled ; nobody else reads this stream */
	while ((errno = 0, e = readdir(d))) {
		char *path = NULL;

		if (!is_drop_in(e->d_name))
			continue;
		if (ret->count == CONFIG_FILES_MAX) {
			fail_dir(l, dir, -E2BIG, "holds more than 127 drop-ins; join some of them");
			break;
		}
		if (asprintf(&path, "%s/%s", dir, e->d_name) < 0) {
			fail_dir(l, dir, -ENOMEM, "no memory is left to read it");
			break;
		}
		ret->paths[ret->count++] = path;
	}
	if (!e && errno != 0)
		fail_dir(l, dir, -errno, strerror(errno));
	qsort(ret->paths + first, ret->count - first, sizeof(char *), by_name);
}

static int load_files(struct config_loader *l, const char *path, bool optional)
{
	struct file_list files = { .paths = { strdup(path) }, .count = 1 };
	_cleanup_(freep) char *dir = NULL;

	if (!files.paths[0] || asprintf(&dir, "%s.d", path) < 0) {
		dir = NULL;
		free(files.paths[0]);
		fputs("no memory is left to read the configuration\n", l->errors);
		return -ENOMEM;
	}
	list_drop_ins(l, dir, &files);
	for (uint32_t i = 0; i < files.count; i++)
		load_file(l, files.paths[i], optional && i == 0);
	config_check(l);
	config_domain_finish(l);
	for (uint32_t i = 0; i < files.count; i++)
		free(files.paths[i]);
	if (l->error_count > CONFIG_ERRORS_MAX)
		fprintf(l->errors, "and %u more errors\n", l->error_count - CONFIG_ERRORS_MAX);
	return l->error_count == 0 ? 0 : l->error < 0 ? l->error : -EINVAL;
}

/* --- whole --- */

int config_read(const char *path, bool optional, FILE *errors, struct config **ret)
{
	_cleanup_(freep) struct config_loader *l = calloc(1, sizeof(*l));
	struct config *c = malloc(sizeof(*c));
	int r;

	if (!l || !c) {
		free(c);
		fputs("no memory is left to read the configuration\n", errors);
		return -ENOMEM;
	}
	config_init(c);
	l->errors = errors;
	l->config = c;
	r = load_files(l, path, optional);
	config_rule_clear(&l->spare);
	if (r < 0)
		config_free(c);
	else
		*ret = c;
	return r;
}

int config_load(const char *path, FILE *errors, struct config **ret)
{
	return config_read(path ? path : CONFIG_PATH, !path, errors, ret);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->rule_count; i++)
		config_rule_clear(&c->rules[i]);
	free(c);
}

int config_load_told(const char *path, char **ret_lines, struct config **ret)
{
	size_t size = 0;
	FILE *errors = open_memstream(ret_lines, &size);
	int r;

	if (!errors)
		return -ENOMEM;
	r = config_load(path, errors, ret);
	fclose(errors);
	return r;
}
