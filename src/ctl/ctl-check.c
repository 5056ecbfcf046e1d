/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "describe.h"

#include <errno.h>
#include <string.h>

struct finding {
	const char *file; /* the argument, or the default */
	char *messages;   /* a line each, as config_load() writes them; owned */
	struct config *config;
	int error;
};

static int load(const char *path, struct finding *ret)
{
	size_t size;
	FILE *f = open_memstream(&ret->messages, &size);

	if (!f)
		return -errno;
	ret->file = path ? path : CONFIG_PATH;
	ret->error = config_load(path, f, &ret->config);
	return fclose(f) == 0 ? 0 : -errno;
}

static const char *skip(const char *line, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(line, prefix, length) == 0 ? line + length : NULL;
}

/* "warning: FILE:LINE: sentence": what comes before the sentence goes into keys of its own, where
 * it is there. */
static struct json *describe_message(const char *line)
{
	const char *warning = skip(line, "warning: "), *notice = skip(line, "notice: ");
	const char *text = warning ? warning : notice ? notice : line;
	struct json *j = json_object_new();

	json_set_text(j, "level", warning ? "warning" : notice ? "notice" : "error");
	for (const char *p = notice ? NULL : strchr(text, ':'); p; p = strchr(p + 1, ':')) {
		_cleanup_(freep) char *file = NULL;
		char *end;
		long number = strtol(p + 1, &end, 10);

		if (number <= 0 || skip(end, ": ") == NULL)
			continue;
		file = strndup(text, (size_t)(p - text));
		json_set_text(j, "file", file);
		json_set_number(j, "line", number);
		text = end + 2;
		break;
	}
	json_set_text(j, "text", text);
	return j;
}

static struct json *describe_finding(const struct finding *found)
{
	struct json *j = json_object_new(), *messages = json_array_new();
	_cleanup_(freep) char *lines = strdup(found->messages);
	char *at = lines;

	for (const char *line; at && (line = strsep(&at, "\n"));)
		if (*line)
			json_add(messages, describe_message(line));
	json_set_text(j, "file", found->file);
	json_set_bool(j, "valid", found->error == 0);
	if (found->config) {
		json_set_number(j, "rules", found->config->rule_count);
		json_set_number(j, "cgroup_sections", found->config->domain_count);
	}
	json_set(j, "messages", messages);
	return j;
}

static const char *plural(uint32_t n)
{
	return n == 1 ? "" : "s";
}

static int answer(const struct ctl *c, const struct finding *found)
{
	const struct config *config = found->config;
	int status;

	if (c->json) {
		_cleanup_(json_unrefp) struct json *j = describe_finding(found);

		status = describe_write(j);
		return status == CTL_OK && found->error < 0 ? CTL_NOT_FOUND : status;
	}
	fputs(found->messages, stderr);
	if (found->error < 0)
		return CTL_NOT_FOUND;
	printf("%s: %u rule%s, %u cgroup section%s, no errors\n", found->file, config->rule_count,
		plural(config->rule_count), config->domain_count, plural(config->domain_count));
	return CTL_OK;
}

int ctl_check(const struct ctl *c, int argc, char **argv)
{
	struct finding found = { 0 };
	int r, status;

	if (argc > 2)
		return ctl_usage(argv[0], "one file at a time");
	if (argc == 2 && argv[1][0] == '-')
		return ctl_usage(argv[0], "there is no option %s", argv[1]);
	r = load(argc == 2 ? argv[1] : c->config_path, &found);
	status = r < 0 ? ctl_fail(CTL_FAILED, "no memory is left to read it: %s", strerror(-r))
		       : answer(c, &found);
	free(found.messages);
	config_free(found.config);
	return status;
}
