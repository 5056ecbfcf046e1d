/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * systemd-oomd, of systemd 247 to 261: oomd.conf, its drop-ins, and ManagedOOM*= of units.
 */
#include "import-systemd.h"

#include <math.h>

#define DEFAULT_LIMIT 60 /* percent */
#define DEFAULT_SPAN  30 /* seconds */

static const char *const conf_dirs[] = { "/etc/systemd", "/run/systemd", "/usr/local/lib/systemd",
	"/usr/lib/systemd", NULL };

/* A value and where it comes from. */
struct setting {
	bool set;
	double value; /* percent or seconds */
	char from[IMPORT_QUOTE_MAX];
};

struct oomd {
	struct import *im;
	struct setting used, limit, span;
	struct systemd_units units;
};

/* --- oomd.conf --- */

static int take_value(struct oomd *o, struct setting *s, bool share, const char *key,
	const char *value, const char *path, unsigned line)
{
	char quoted[IMPORT_QUOTE_MAX], from[2 * IMPORT_QUOTE_MAX];
	struct setting taken = { .set = true };

	/* What is empty is as if never said. */
	if (!*value) {
		*s = (struct setting){ 0 };
		return 0;
	}
	if ((share ? systemd_parse_share(value, &taken.value)
		   : systemd_parse_span(value, &taken.value)) < 0)
		return import_complain(o->im, path, line, "%s=%s is no %s", key,
			import_quote(value, quoted),
			share ? "share from 0% to 100%" : "duration such as 30s");
	if (!share && taken.value != 0 && taken.value < 1)
		return import_complain(
			o->im, path, line, "%s=%s is less than a second", key, value);
	snprintf(from, sizeof(from), "%s:%u: %s=%s", path, line, key, import_quote(value, quoted));
	import_quote(from, taken.from);
	*s = taken;
	return 0;
}

static int take_key(void *context, const char *section, const char *key, const char *value,
	const char *path, unsigned line)
{
	struct oomd *o = context;
	char origin[2 * IMPORT_QUOTE_MAX];

	snprintf(origin, sizeof(origin), "%s:%u: %.64s", path, line, key);
	if (strcmp(section, "OOM") != 0)
		import_no_equal(o->im, origin, "is not below [OOM], and not known here.");
	else if (strcmp(key, "SwapUsedLimit") == 0)
		return take_value(o, &o->used, true, key, value, path, line);
	else if (strcmp(key, "DefaultMemoryPressureLimit") == 0)
		return take_value(o, &o->limit, true, key, value, path, line);
	else if (strcmp(key, "DefaultMemoryPressureDurationSec") == 0)
		return take_value(o, &o->span, false, key, value, path, line);
	else if (strcmp(key, "PrekillHookTimeoutSec") == 0)
		import_no_equal(o->im, origin,
			"no program is asked before a kill, since memory is short then.");
	else
		import_no_equal(o->im, origin, "is not known to be a key of oomd.conf.");
	return 0;
}

static int read_file(struct oomd *o, const char *path)
{
	_cleanup_(freep) char *dir = strdup(path), *sub = NULL;
	const char *dirs[] = { dir, NULL };
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int r;

	if (!dir || asprintf(&sub, "%s.d", slash ? slash + 1 : dir) < 0) {
		sub = NULL;
		return import_complain(o->im, path, 0, "no memory is left to read it");
	}
	if (slash)
		slash[slash == dir] = '\0';
	else
		dirs[0] = ".";
	r = systemd_read(o->im, path, true, take_key, o);
	if (r == -ENOENT)
		return import_complain(o->im, path, 0, "there is no such file");
	return r < 0 ? r : systemd_read_drop_ins(o->im, dirs, sub, true, take_key, o);
}

static int read_system(struct oomd *o)
{
	char path[PATH_MAX];
	int r = systemd_find(o->im, conf_dirs, "oomd.conf", path);

	if (r == 0)
		r = systemd_read(o->im, path, true, take_key, o);
	if (r < 0 && r != -ENOENT)
		return r;
	r = systemd_read_drop_ins(o->im, conf_dirs, "oomd.conf.d", true, take_key, o);
	return r < 0 ? r : systemd_units_read(o->im, &o->units);
}

/* --- the machine --- */

static const struct systemd_unit *root_slice(const struct oomd *o)
{
	for (uint32_t i = 0; i < o->units.count; i++)
		if (strcmp(o->units.list[i].name, "-.slice") == 0)
			return &o->units.list[i];
	return NULL;
}

static const struct systemd_unit *first_by_swap(const struct oomd *o)
{
	for (uint32_t i = 0; i < o->units.count; i++)
		if (o->units.list[i].kill_by_swap)
			return &o->units.list[i];
	return NULL;
}

/* Of the unit's own, or of all. */
static struct config_pressure pressure_of(
	struct oomd *o, const struct systemd_unit *u, const char *origin)
{
	double limit = o->limit.set ? o->limit.value : DEFAULT_LIMIT;
	double span = o->span.set && o->span.value > 0 ? o->span.value : DEFAULT_SPAN;

	return import_fit_pressure(o->im, origin, true,
		u->limit_percent > 0 ? u->limit_percent : limit,
		u->duration_sec > 0 ? u->duration_sec : span);
}

/* Which units it watches by swap, where they have been looked at. */
static void put_who_by_swap(struct oomd *o, bool live)
{
	const struct systemd_unit *root = root_slice(o), *first = first_by_swap(o);

	if (!live)
		import_no_equal(o->im, "ManagedOOMSwap",
			"which units systemd-oomd watches is in the units, not in this file; give "
			"no FILE to have them looked at. oomfwd watches the machine.");
	else if (!first)
		import_no_equal(o->im, "ManagedOOMSwap",
			"no unit sets it to kill, so that systemd-oomd never acts on memory and "
			"swap; oomfwd does, at its own defaults, for else it would be left to the "
			"kernel.");
	else if (!root || !root->kill_by_swap)
		import_no_equal(o->im, "ManagedOOMSwap",
			"systemd-oomd ends cgroups below %s%s only; oomfwd chooses over the whole "
			"machine. A [cgroup] section with preference = prefer makes those go "
			"first.",
			first->name, o->units.count > 1 ? " and the like" : "");
	import_no_equal(o->im, "swap",
		"systemd-oomd ends the cgroup with the most swap, and nothing on a machine without "
		"swap; oomfwd ends whoever brings back the most memory, and takes no swap for swap "
		"that is used up.");
}

static void put_machine(struct oomd *o, bool live)
{
	const char *used_from = o->used.set ? o->used.from : "SwapUsedLimit=90%, the default";
	const struct systemd_unit *root = root_slice(o);
	const char *from[3] = { used_from, NULL, "No unit asks for that of the machine." };
	const char *const off[3] = { "systemd-oomd sends no SIGTERM.", NULL, NULL };
	struct import_amount left = { false, 100 - (o->used.set ? o->used.value : 90) };
	struct config_level warn = { 0 }, kill = { 0 };
	char pressure[PATH_MAX + 32];

	if (live && !first_by_swap(o)) {
		left.value = 5;
		from[0] = "The default of oomfwd.";
	}
	fputc('\n', o->im->config);
	kill.memory = import_fit(o->im, used_from, IMPORT_MEMORY, left);
	kill.swap = import_fit(o->im, used_from, IMPORT_SWAP, left);
	if (root && root->kill_by_pressure) {
		snprintf(pressure, sizeof(pressure), "-.slice: %s", root->from);
		kill.pressure = pressure_of(o, root, pressure);
		from[2] = pressure;
	}
	put_who_by_swap(o, live);
	import_put_level(o->im, "warn", &warn, off);
	import_put_level(o->im, "kill", &kill, from);
	if (kill.pressure.set) {
		fputs("\n[pressure]\n", o->im->config);
		import_comment(o->im, "systemd-oomd does not look at how much memory is left.");
		fputs("guard = off\n", o->im->config);
	}
}

/* --- units --- */

/* A name for the section: that of the unit, or a number where ours cannot have it. */
static void section_name(const struct systemd_unit *u, uint32_t number, char ret[CONFIG_NAME_MAX])
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@:+-";

	if (strlen(u->name) < CONFIG_NAME_MAX && !u->name[strspn(u->name, letters)])
		memcpy(ret, u->name, strlen(u->name) + 1);
	else
		snprintf(ret, CONFIG_NAME_MAX, "unit-%u", number);
}

static void put_unit(struct oomd *o, const struct systemd_unit *u)
{
	char path[PATH_MAX], name[CONFIG_NAME_MAX], quoted[IMPORT_QUOTE_MAX];
	struct config_pressure pressure;

	fputc('\n', o->im->config);
	if (systemd_unit_path(u, path) < 0 || strlen(path) >= CONFIG_DOMAIN_PATH_MAX) {
		import_no_equal(o->im, u->name, "left out: which cgroup it has cannot be told.");
		return;
	}
	if (o->im->domains == CONFIG_DOMAINS_MAX) {
		import_no_equal(o->im, u->name,
			"left out: more than %d cgroup sections; join some whose path can be one "
			"with a *.",
			CONFIG_DOMAINS_MAX);
		return;
	}
	pressure = pressure_of(o, u, u->name);
	section_name(u, ++o->im->domains, name);
	import_comment(o->im, "%s", import_quote(u->from, quoted));
	fprintf(o->im->config, "[cgroup %s]\npath = %s\n", name, path);
	import_put_pressure(o->im, &pressure);
	fputs("kill = group\n", o->im->config);
}

/* A section holds for a cgroup if no earlier one does, so that globs come last. */
static void put_units(struct oomd *o)
{
	uint32_t before = o->im->domains;

	for (int globs = 0; globs < 2; globs++)
		for (uint32_t i = 0; i < o->units.count; i++) {
			const struct systemd_unit *u = &o->units.list[i];
			const char *dot = strrchr(u->name, '.');
			bool is_glob = dot > u->name && strchr("@-", dot[-1]);

			if (u->kill_by_pressure && strcmp(u->name, "-.slice") != 0 &&
				is_glob == (globs == 1))
				put_unit(o, u);
		}
	fputc('\n', o->im->config);
	if (o->units.lost > 0)
		import_no_equal(o->im, "units", "%u more than fit were left out.", o->units.lost);
	if (o->im->domains > before)
		import_no_equal(o->im, "ManagedOOMMemoryPressure",
			"systemd-oomd ends a whole cgroup below the unit, that with the most "
			"reclaim; oomfwd ends the processes in the unit that bring back the most, "
			"and whole cgroups where memory.oom.group is set (OOMPolicy=kill).");
}

static void put_preferences(struct oomd *o)
{
	fputc('\n', o->im->config);
	import_comment(o->im,
		"ManagedOOMPreference= of units, as in " CONFIG_PATH
		"; oomfwd reads what systemd writes to the cgroups for it.");
	fputs("[protect omitted]\npreference = omit\n\n"
	      "[avoid avoided]\npreference = avoid\n",
		o->im->config);
}

int import_systemd_oomd(struct import *im, const char *path)
{
	_cleanup_(freep) struct oomd *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return import_complain(im, "oomd.conf", 0, "no memory is left to read it");
	o->im = im;
	import_begin(im, "systemd-oomd", path ? path : "its configuration and the units");
	r = path ? read_file(o, path) : read_system(o);
	if (r < 0)
		return r;
	put_machine(o, !path);
	put_units(o);
	put_preferences(o);
	return 0;
}
