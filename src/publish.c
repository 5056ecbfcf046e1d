/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "publish.h"
#include "clock.h"
#include "report.h"
#include "util.h"

void publish_open(struct publisher *p, const char *path, int *ret_reload_fd)
{
	int r = feed_new(path, &p->feed, ret_reload_fd);

	p->started_usec = monotonic_usec();
	if (r == 0)
		return;
	*ret_reload_fd = -EBADF;
	if (r == -EADDRINUSE)
		report_line(REPORT_WARNING,
			"another oomfwd serves %s: oomfwdctl status and the desk show that one",
			path);
	else
		report_line(REPORT_WARNING,
			"cannot listen at %s: %s; oomfwdctl status and the desk go without this "
			"daemon (systemd-tmpfiles --create makes /run/oomfwd)",
			path, strerror(-r));
}

void publish_close(struct publisher *p)
{
	feed_free(p->feed);
	p->feed = NULL;
}

void publish_configured(struct publisher *p, bool done)
{
	p->reload_failed = !done;
	if (done)
		p->configured_usec = monotonic_usec();
}

static void add_levels(struct wire_state *s, const struct config *c)
{
	s->rules = c->rule_count;
	s->warn_memory_bytes = config_amount_bytes(&c->warn.memory, s->mem.total_bytes);
	s->warn_swap_bytes = config_amount_bytes(&c->warn.swap, s->mem.swap_total_bytes);
	s->kill_memory_bytes = config_amount_bytes(&c->kill.memory, s->mem.total_bytes);
	s->kill_swap_bytes = config_amount_bytes(&c->kill.swap, s->mem.swap_total_bytes);
	s->warn_pressure = c->warn.pressure;
	s->kill_pressure = c->kill.pressure;
}

void publish_state(struct publisher *p, const struct watch *w, const struct actor *a,
	const struct domains *d, uint64_t next_look_usec)
{
	struct wire_state *s;

	p->looks++;
	if (!p->feed)
		return;
	s = feed_begin(p->feed);
	s->at_usec = monotonic_usec();
	s->started_usec = p->started_usec;
	s->configured_usec = p->configured_usec;
	s->next_look_usec = next_look_usec;
	s->dry_run = p->dry_run;
	s->trigger_armed = p->trigger_armed;
	s->reload_failed = p->reload_failed;
	s->reload_pending = p->reload_pending;
	copy_cut(s->evidence, sizeof(s->evidence), actor_evidence(a));
	copy_cut(s->cgroups, sizeof(s->cgroups), actor_cgroups(a));
	copy_cut(s->config_path, sizeof(s->config_path),
		p->config_path ? p->config_path : CONFIG_PATH);
	s->mem = w->mem;
	add_levels(s, w->config);
	s->in_episode = w->engine.in_episode;
	s->episode_began_usec = w->engine.in_episode ? w->engine.began_usec : 0;
	s->level = w->engine.level;
	s->cause = w->engine.cause;
	s->looks = p->looks;
	report_get_counts(&s->counts);
	actor_show(a, s);
	domains_show(d, s);
	feed_end(p->feed);
}
