/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of [desk]: paths, and yes or no.
 */
#include "config-internal.h"

/* The key has room for the path: its longest was checked. */
static bool set_text(void *field, const char *text)
{
	memcpy(field, text, strlen(text) + 1);
	return true;
}

bool config_desk_set_hook(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	const char *why;

	if (strcmp(text, "none") == 0)
		return set_text(field, "");
	why = config_why_not_run(text);
	if (!why && strlen(text) >= CONFIG_DESK_PATH_MAX)
		why = "is longer than 255 bytes";
	return why ? config_key_refuse(l, k, text, why) : set_text(field, text);
}

bool config_desk_set_path(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	char why[64];

	if (strcmp(text, "off") == 0)
		return set_text(field, "");
	if (text[0] != '/')
		return config_key_refuse(l, k, text, "is no absolute path");
	if (text[strlen(text) - 1] == '/')
		return config_key_refuse(l, k, text, "names a directory, not a file in it");
	if (strlen(text) > k->max) {
		snprintf(why, sizeof(why), "is longer than %u bytes", (unsigned)k->max);
		return config_key_refuse(l, k, text, why);
	}
	return set_text(field, text);
}

bool config_desk_set_bool(
	struct config_loader *l, const struct config_key *k, const char *text, void *field)
{
	bool yes = strcmp(text, "yes") == 0;

	if (!yes && strcmp(text, "no") != 0)
		return config_key_refuse(l, k, text, "is neither");
	*(bool *)field = yes;
	return true;
}
