/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "figures.h"

#include "procfs.h"

#include <fcntl.h>

#define PRESSURE_PATH "/proc/pressure/memory"

/* --- pressure --- */

/* The three of a line that begins with name. */
static int parse_line(const char *text, const char *name, double ret[3])
{
	const char *line = strstr(text, name);

	if (!line ||
		sscanf(line + strlen(name), " avg10=%lf avg60=%lf avg300=%lf", &ret[0], &ret[1],
			&ret[2]) != 3)
		return -EINVAL;
	for (int i = 0; i < 3; i++)
		if (!(ret[i] >= 0 && ret[i] <= 100))
			return -EINVAL;
	return 0;
}

int averages_parse(const char *text, struct averages *ret)
{
	struct averages a;

	if (parse_line(text, "some", a.some) < 0 || parse_line(text, "full", a.full) < 0)
		return -EINVAL;
	*ret = a;
	return 0;
}

int averages_read(struct averages *ret)
{
	_cleanup_(fd_closep) int fd = open(PRESSURE_PATH, O_RDONLY | O_CLOEXEC);
	char text[256];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = procfs_read_full(fd, text, sizeof(text) - 1);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	return averages_parse(text, ret);
}

void averages_say(struct text *t, const struct averages *a, int error)
{
	if (error == -ENOENT || error == -EOPNOTSUPP) {
		text_add(t, "unknown: the kernel does not measure it (boot it with psi=1)");
		return;
	}
	if (error < 0) {
		text_add(t, "unknown: %s cannot be read: ", PRESSURE_PATH);
		text_error(t, error);
		return;
	}
	text_add(t, "some %.2f %% %.2f %% %.2f %%, full %.2f %% %.2f %% %.2f %%", a->some[0],
		a->some[1], a->some[2], a->full[0], a->full[1], a->full[2]);
}

static struct json *line_json(const double average[3])
{
	struct json *j = json_object_new();

	json_set_real(j, "avg10", average[0]);
	json_set_real(j, "avg60", average[1]);
	json_set_real(j, "avg300", average[2]);
	return j;
}

struct json *averages_json(const struct averages *a, int error)
{
	struct json *j;

	if (error < 0)
		return NULL;
	j = json_object_new();
	json_set(j, "some", line_json(a->some));
	json_set(j, "full", line_json(a->full));
	return j;
}

/* --- levels --- */

void figures_of_state(struct figures *ret, const struct wire_state *s)
{
	*ret = (struct figures){ .mem = s->mem,
		.warn = { s->warn_memory_bytes, s->warn_swap_bytes, s->warn_pressure },
		.kill = { s->kill_memory_bytes, s->kill_swap_bytes, s->kill_pressure } };
}

static struct figures_level level_of(const struct config_level *l, const struct meminfo *m)
{
	return (struct figures_level){ config_amount_bytes(&l->memory, m->total_bytes),
		config_amount_bytes(&l->swap, m->swap_total_bytes), l->pressure };
}

void figures_of_config(struct figures *ret, const struct config *c, const struct meminfo *m)
{
	*ret = (struct figures){
		.mem = *m, .warn = level_of(&c->warn, m), .kill = level_of(&c->kill, m)
	};
}

static void say_part(struct text *t, uint64_t part_bytes, uint64_t total_bytes, const char *what)
{
	text_bytes(t, part_bytes);
	text_add(t, " of ");
	text_bytes(t, total_bytes);
	text_add(t, " %s (", what);
	text_percent(t, part_bytes, total_bytes);
	text_add(t, ")");
}

void figures_say_memory(struct text *t, const struct meminfo *m)
{
	say_part(t, m->available_bytes, m->total_bytes, "available");
	text_add(t, ", ");
	if (m->swap_total_bytes > 0)
		say_part(t, m->swap_free_bytes, m->swap_total_bytes, "swap free");
	else
		text_add(t, "no swap");
}

/* Whether free swap has a say in the level. */
static bool counts_swap(const struct meminfo *m, const struct figures_level *l)
{
	return l->swap_bytes > 0 && m->swap_total_bytes > 0;
}

void figures_say_distance(struct text *t, const struct meminfo *m, const struct figures_level *l)
{
	uint64_t memory = sub_or_zero_u64(m->available_bytes, l->memory_bytes);
	uint64_t swap = counts_swap(m, l) ? sub_or_zero_u64(m->swap_free_bytes, l->swap_bytes) : 0;

	if (l->memory_bytes == 0) {
		text_add(t, l->pressure.set ? "pressure alone decides" : "off");
	} else if (memory > 0) {
		text_bytes(t, memory);
		text_add(t, " above it");
	} else if (swap > 0) {
		text_add(t, "memory is below it, ");
		text_bytes(t, swap);
		text_add(t, " of swap above it");
	} else {
		text_add(t, "reached");
	}
}

void figures_say_level(struct text *t, const struct meminfo *m, const struct figures_level *l)
{
	if (l->memory_bytes == 0 && !l->pressure.set)
		text_add(t, "off");
	if (l->memory_bytes > 0) {
		text_bytes(t, l->memory_bytes);
		text_add(t, " available");
		if (counts_swap(m, l)) {
			text_add(t, " and ");
			text_bytes(t, l->swap_bytes);
			text_add(t, " of swap free");
		}
	}
	if (!l->pressure.set)
		return;
	text_add(t, "%s%s stalls for %u %% of ", l->memory_bytes > 0 ? ", or " : "",
		l->pressure.full ? "full" : "some", l->pressure.percent);
	text_usec(t, l->pressure.span_usec);
}

struct json *figures_headroom_json(const struct meminfo *m, const struct figures_level *l)
{
	struct json *j = json_object_new();

	json_set_text(j, "memory_bytes", NULL);
	json_set_text(j, "swap_bytes", NULL);
	if (l->memory_bytes > 0)
		json_set_number(
			j, "memory_bytes", (int64_t)m->available_bytes - (int64_t)l->memory_bytes);
	if (counts_swap(m, l))
		json_set_number(
			j, "swap_bytes", (int64_t)m->swap_free_bytes - (int64_t)l->swap_bytes);
	return j;
}

void say_span(struct text *t, uint64_t usec)
{
	unsigned long long s = usec / USEC_PER_SEC, minutes = s / 60, hours = minutes / 60;
	unsigned long long days = hours / 24;

	if (minutes == 0)
		text_add(t, "%llu s", s);
	else if (hours == 0)
		text_add(t, "%llu min", minutes);
	else if (days == 0)
		text_add(t, "%llu h %llu min", hours, minutes % 60);
	else
		text_add(t, "%llu day%s %llu h", days, days == 1 ? "" : "s", hours % 24);
}
