/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which section a cgroup belongs to. Apart from the loader because it is asked in an episode.
 */
#include "config.h"

#include <fnmatch.h>
#include <string.h>

static unsigned components(const char *path)
{
	unsigned n = 0;

	for (; *path; path++)
		n += path[0] == '/' && path[1] && path[1] != '/';
	return n;
}

/* The length of the first n components; 0: there are not so many. */
static size_t length_of(const char *path, unsigned n)
{
	const char *p = path;

	for (; n > 0; n--) {
		if (*p != '/' || !p[1])
			return 0;
		p += 1 + strcspn(p + 1, "/");
	}
	return (size_t)(p - path);
}

bool config_domain_matches(const struct config_domain *d, const char *cgroup, size_t *ret_length)
{
	char prefix[PATH_MAX];
	size_t length = length_of(cgroup, components(d->path));

	if (length == 0 || length >= sizeof(prefix))
		return false;
	memcpy(prefix, cgroup, length);
	prefix[length] = '\0';
	if (fnmatch(d->path, prefix, FNM_PATHNAME | FNM_NOESCAPE) != 0)
		return false;
	*ret_length = length;
	return true;
}

const struct config_domain *config_domain_of(
	const struct config *c, const char *cgroup, size_t *ret_length)
{
	for (uint32_t i = 0; i < c->domain_count; i++)
		if (config_domain_matches(&c->domains[i], cgroup, ret_length))
			return &c->domains[i];
	return NULL;
}
