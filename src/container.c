/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "container.h"

#include "util.h"

#include <string.h>

#define DIGITS     "0123456789"
#define HEX_DIGITS DIGITS "abcdef"
#define NAME_CHARS HEX_DIGITS "ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._+-"
#define UNIT_CHARS NAME_CHARS ":@\\"

#define ID_LENGTH    64 /* of the engines: sha256 in hexadecimal */
#define SHORT_LENGTH 12 /* of which their tools print */

/* A component of a path, or what is left of it. */
struct part {
	const char *p;
	size_t n;
};

struct scan {
	struct container_name found;
	struct part previous; /* the component before this one */
	bool is_outside;      /* the path began with "/..": what is above is not known */
	bool in_container;    /* a container makes the names from here on */
	bool is_pod;          /* this component is a pod */
	bool after_pod;       /* the one before was */
};

static bool part_is(struct part t, const char *text)
{
	return t.n == strlen(text) && memcmp(t.p, text, t.n) == 0;
}

/* Both leave something of the part, or leave it alone. */
static bool skip_prefix(struct part *t, const char *prefix)
{
	size_t n = strlen(prefix);

	if (t->n <= n || memcmp(t->p, prefix, n) != 0)
		return false;
	*t = (struct part){ t->p + n, t->n - n };
	return true;
}

static bool skip_suffix(struct part *t, const char *suffix)
{
	size_t n = strlen(suffix);

	if (t->n <= n || memcmp(t->p + t->n - n, suffix, n) != 0)
		return false;
	t->n -= n;
	return true;
}

/* Splits at the last separator: head keeps what is before it. False when there is none. */
static bool split_last(struct part *head, char separator, struct part *ret_tail)
{
	for (size_t i = head->n; i > 0; i--) {
		if (head->p[i - 1] != separator)
			continue;
		*ret_tail = (struct part){ head->p + i, head->n - i };
		head->n = i - 1;
		return true;
	}
	return false;
}

/* How many of the first characters are of the set, which NUL never is: escapes may have hidden one.
 */
static size_t span(struct part t, const char *set)
{
	size_t i = 0;

	while (i < t.n && t.p[i] != '\0' && strchr(set, t.p[i]))
		i++;
	return i;
}

static bool is_id(struct part t)
{
	return t.n == ID_LENGTH && span(t, HEX_DIGITS) == ID_LENGTH;
}

/* All of it, or nothing. */
static void copy_part(struct part t, const char *set, char *ret, size_t size)
{
	size_t n = t.n < size && span(t, set) == t.n ? t.n : 0;

	memcpy(ret, t.p, n);
	ret[n] = '\0';
}

/* --- what was found --- */

static void enter(struct scan *s, enum container_runtime runtime, struct part name, bool is_monitor)
{
	struct container_name *c = &s->found;

	if (is_monitor && s->in_container)
		return;
	/* Some runtimes repeat the id in a cgroup of their own inside the first. */
	if (s->in_container && is_id(name) && memcmp(c->id, name.p, name.n) == 0)
		return;
	c->runtime = runtime;
	c->is_monitor = is_monitor;
	c->is_nested = s->in_container;
	copy_part(name, NAME_CHARS, c->id, sizeof(c->id));
	s->in_container = !is_monitor;
}

static void enter_pod(
	struct scan *s, enum container_runtime runtime, struct part uid, enum container_qos qos)
{
	struct container_name *c = &s->found;

	c->runtime = runtime;
	c->qos = qos;
	c->is_monitor = false;
	c->is_nested = s->in_container;
	c->id[0] = '\0';
	copy_part(uid, HEX_DIGITS "-_", c->pod_uid, sizeof(c->pod_uid));
	for (char *p = c->pod_uid; *p; p++)
		if (*p == '_')
			*p = '-';
	s->is_pod = true;
}

/* --- pods --- */

/* 8-4-4-4-12 with dashes, or with underscores as in the names of slices; or a hash of 32. */
static bool is_pod_uid(struct part t)
{
	if (t.n == 32)
		return span(t, HEX_DIGITS) == t.n;
	for (size_t i = 0; t.n == 36 && i < t.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;
		if (dash ? t.p[i] != t.p[8] : span((struct part){ t.p + i, 1 }, HEX_DIGITS) == 0)
			return false;
	}
	return t.n == 36 && (t.p[8] == '-' || t.p[8] == '_');
}

static void enter_kubernetes_pod(struct scan *s, struct part uid, enum container_qos qos)
{
	if (!is_pod_uid(uid))
		uid.n = 0;
	enter_pod(s, CONTAINER_KUBERNETES, uid, qos);
}

/* "[ROOT-]kubepods[-QOS]-podUID.slice" of the kubelet, "PARENT-libpod_pod_ID.slice" of Podman. */
static bool look_at_slice(struct scan *s, struct part t)
{
	enum container_qos qos = CONTAINER_QOS_GUARANTEED;
	struct part last;

	if (!skip_suffix(&t, ".slice") || !split_last(&t, '-', &last))
		return false;
	if (skip_prefix(&last, "libpod_pod_") && is_id(last)) {
		enter_pod(s, CONTAINER_PODMAN, last, CONTAINER_QOS_NONE);
		return true;
	}
	if (skip_suffix(&t, "-burstable"))
		qos = CONTAINER_QOS_BURSTABLE;
	else if (skip_suffix(&t, "-besteffort"))
		qos = CONTAINER_QOS_BESTEFFORT;
	if (!skip_prefix(&last, "pod") ||
		(!part_is(t, "kubepods") && !skip_suffix(&t, "-kubepods")))
		return false;
	enter_kubernetes_pod(s, last, qos);
	return true;
}

/* "kubepods[/QOS]/podUID" of the kubelet with cgroupfs. From another pod's cgroup namespace the
 * first of these are not seen, so that only the UID can tell. */
static bool look_at_pod(struct scan *s, struct part t)
{
	enum container_qos qos = CONTAINER_QOS_NONE;

	if (!skip_prefix(&t, "pod"))
		return false;
	if (part_is(s->previous, "kubepods"))
		qos = CONTAINER_QOS_GUARANTEED;
	else if (part_is(s->previous, "burstable"))
		qos = CONTAINER_QOS_BURSTABLE;
	else if (part_is(s->previous, "besteffort"))
		qos = CONTAINER_QOS_BESTEFFORT;
	else if (!is_pod_uid(t))
		return false;
	enter_kubernetes_pod(s, t, qos);
	return true;
}

/* --- engines whose ids are 64 digits --- */

static const struct engine {
	const char *prefix;
	enum container_runtime runtime;
	bool is_monitor;
} engines[] = {
	{ "cri-containerd", CONTAINER_CONTAINERD, false },
	{ "crio", CONTAINER_CRIO, false },
	{ "crio-conmon", CONTAINER_CRIO, true },
	{ "docker", CONTAINER_DOCKER, false },
	{ "libpod", CONTAINER_PODMAN, false },
	{ "libpod-conmon", CONTAINER_PODMAN, true },
	{ "libpod-payload", CONTAINER_PODMAN, false },
	{ "nerdctl", CONTAINER_NERDCTL, false },
};

/* "PREFIX-ID.scope" of the systemd drivers, "PREFIX-ID" of some with cgroupfs, and
 * "SLICE:PREFIX:ID", which runc makes when it uses cgroupfs and was handed a path for systemd. */
static bool look_at_engine(struct scan *s, struct part t)
{
	struct part id, prefix = t, slice = { "", 0 };

	skip_suffix(&prefix, ".scope");
	if (!split_last(&prefix, '-', &id) || !is_id(id)) {
		prefix = slice = t;
		if (!split_last(&slice, ':', &id) || !is_id(id) ||
			!split_last(&slice, ':', &prefix))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		if (!part_is(prefix, engines[i].prefix))
			continue;
		look_at_slice(s, slice);
		enter(s, engines[i].runtime, id, engines[i].is_monitor);
		return true;
	}
	return false;
}

/* "PARENT/ID" of the cgroupfs drivers: the parent may tell whose. */
static bool look_at_id(struct scan *s, struct part t)
{
	enum container_runtime runtime = CONTAINER_OCI;

	if (!is_id(t))
		return false;
	if (part_is(s->previous, "libpod_parent")) {
		enter_pod(s, CONTAINER_PODMAN, t, CONTAINER_QOS_NONE);
		return true;
	}
	if (s->after_pod)
		runtime = CONTAINER_KUBERNETES;
	else if (part_is(s->previous, "docker"))
		runtime = CONTAINER_DOCKER;
	else if (part_is(s->previous, "k8s.io") || part_is(s->previous, "default"))
		runtime = CONTAINER_CONTAINERD;
	enter(s, runtime, t, false);
	return true;
}

/* "libpod_parent[/POD]/conmon": one for all containers of that parent. */
static bool look_at_conmon(struct scan *s, struct part t)
{
	bool in_pod = s->after_pod && s->found.runtime == CONTAINER_PODMAN;

	if (!part_is(t, "conmon") || (!in_pod && !part_is(s->previous, "libpod_parent")))
		return false;
	enter(s, CONTAINER_PODMAN, (struct part){ "", 0 }, true);
	return true;
}

/* --- containers and machines that have names --- */

static bool look_at_lxc(struct scan *s, struct part t)
{
	if (skip_prefix(&t, "lxc.monitor.") || part_is(s->previous, "lxc.monitor"))
		enter(s, CONTAINER_LXC, t, true);
	else if (skip_prefix(&t, "lxc.payload.") || part_is(s->previous, "lxc.payload") ||
		part_is(s->previous, "lxc"))
		enter(s, CONTAINER_LXC, t, false);
	else
		return false;
	return true;
}

/* Undoes the "\xNN" of systemd. What does not fit, or is no escape, makes an empty name. */
static struct part unescape(struct part t, char *buffer, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];

		if (c == '\\') {
			struct part code = { t.p + i, t.n - i };
			if (!skip_prefix(&code, "\\x") || span(code, HEX_DIGITS) < 2)
				return (struct part){ "", 0 };
			c = (char)((strchr(HEX_DIGITS, code.p[0]) - HEX_DIGITS) << 4 |
				(strchr(HEX_DIGITS, code.p[1]) - HEX_DIGITS));
			i += 3;
		}
		if (n == size)
			return (struct part){ "", 0 };
		buffer[n++] = c;
	}
	return (struct part){ buffer, n };
}

/* libvirt tells machined "DRIVER-ID-NAME". */
static void enter_machine(struct scan *s, struct part name)
{
	enum container_runtime runtime = CONTAINER_NSPAWN;
	struct part rest = name;
	size_t digits;

	if (skip_prefix(&rest, "qemu-"))
		runtime = CONTAINER_QEMU;
	else if (skip_prefix(&rest, "lxc-"))
		runtime = CONTAINER_LXC;
	digits = span(rest, DIGITS);
	rest = (struct part){ rest.p + digits, rest.n - digits };
	if (runtime == CONTAINER_NSPAWN || digits == 0 || !skip_prefix(&rest, "-"))
		enter(s, CONTAINER_NSPAWN, name, false);
	else
		enter(s, runtime, rest, false);
}

static bool is_machine_slice(struct part t)
{
	return part_is(t, "machine.slice") ||
		(skip_prefix(&t, "machine-") && skip_suffix(&t, ".slice"));
}

/* "machine-NAME.scope" in machine.slice or one below it, "systemd-nspawn@NAME.service". */
static bool look_at_machine(struct scan *s, struct part t)
{
	struct part unit = t;
	char name[128];

	if (skip_suffix(&unit, ".service") && skip_prefix(&unit, "systemd-nspawn@")) {
		enter(s, CONTAINER_NSPAWN, unescape(unit, name, sizeof(name)), false);
		return true;
	}
	unit = t;
	if (!skip_suffix(&unit, ".scope") || !skip_prefix(&unit, "machine-"))
		return false;
	if (!is_machine_slice(s->previous) && !(s->is_outside && s->previous.n == 0))
		return false;
	enter_machine(s, unescape(unit, name, sizeof(name)));
	return true;
}

/* In a service nspawn itself stays in "supervisor", beside "payload". */
static bool look_at_supervisor(struct scan *s, struct part t)
{
	struct part unit = s->previous;

	if (!part_is(t, "supervisor") || !skip_suffix(&unit, ".service") ||
		!skip_prefix(&unit, "systemd-nspawn@"))
		return false;
	s->found.is_monitor = !s->found.is_nested;
	return true;
}

/* --- paths --- */

static void look_at_unit(struct scan *s, struct part t)
{
	struct part rest = t;

	if ((skip_suffix(&rest, ".service") || skip_suffix(&rest, ".scope")) &&
		span(t, UNIT_CHARS) == t.n)
		copy_part(t, UNIT_CHARS, s->found.unit, sizeof(s->found.unit));
	if (s->in_container)
		return;
	rest = t;
	if (((skip_prefix(&rest, "user@") && skip_suffix(&rest, ".service")) ||
		    (skip_prefix(&rest, "user-") && skip_suffix(&rest, ".slice"))) &&
		span(rest, DIGITS) == rest.n)
		s->found.is_user = true;
}

static void look_at(struct scan *s, struct part t)
{
	static bool (*const looks[])(struct scan *, struct part) = { look_at_slice, look_at_engine,
		look_at_lxc, look_at_pod, look_at_conmon, look_at_id, look_at_machine,
		look_at_supervisor };

	s->after_pod = s->is_pod;
	s->is_pod = false;
	look_at_unit(s, t);
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		if (looks[i](s, t))
			break;
	s->previous = t;
}

bool container_parse(const char *cgroup, struct container_name *ret)
{
	struct scan s = { .previous = { "", 0 } };
	struct part path = { cgroup, strlen(cgroup) };

	skip_suffix(&path, " (deleted)");
	if (*path.p != '/')
		return false;
	for (size_t at = 1; at < path.n;) {
		const char *p = path.p + at, *slash = memchr(p, '/', path.n - at);
		struct part t = { p, slash ? (size_t)(slash - p) : path.n - at };

		at += t.n + 1;
		if (t.n == 0 || part_is(t, ".") || (part_is(t, "..") && s.previous.n > 0))
			return false;
		if (part_is(t, ".."))
			s.is_outside = true;
		else
			look_at(&s, t);
	}
	if (s.found.runtime == CONTAINER_NONE)
		return false;
	*ret = s.found;
	return true;
}

/* --- texts --- */

const char *container_runtime_text(enum container_runtime runtime)
{
	switch (runtime) {
	case CONTAINER_NONE:
		return "none";
	case CONTAINER_DOCKER:
		return "Docker";
	case CONTAINER_CONTAINERD:
		return "containerd";
	case CONTAINER_NERDCTL:
		return "nerdctl";
	case CONTAINER_CRIO:
		return "CRI-O";
	case CONTAINER_PODMAN:
		return "Podman";
	case CONTAINER_LXC:
		return "LXC";
	case CONTAINER_NSPAWN:
		return "systemd-nspawn";
	case CONTAINER_QEMU:
		return "QEMU";
	case CONTAINER_KUBERNETES:
		return "Kubernetes";
	case CONTAINER_OCI:
		return "OCI";
	}
	return "?";
}

static const char *qos_text(enum container_qos qos)
{
	switch (qos) {
	case CONTAINER_QOS_NONE:
		return "";
	case CONTAINER_QOS_GUARANTEED:
		return " (guaranteed)";
	case CONTAINER_QOS_BURSTABLE:
		return " (burstable)";
	case CONTAINER_QOS_BESTEFFORT:
		return " (besteffort)";
	}
	return "";
}

static int shown_length(const char *id)
{
	size_t n = strlen(id);

	return is_id((struct part){ id, n }) ? SHORT_LENGTH : (int)n;
}

void container_format(const struct container_name *c, char *ret, size_t size)
{
	bool in_pod = c->pod_uid[0] || c->qos != CONTAINER_QOS_NONE;
	const char *runtime = container_runtime_text(c->runtime), *noun = " container";
	const char *of = in_pod ? " of pod" : "";

	if (c->runtime == CONTAINER_NSPAWN || c->runtime == CONTAINER_QEMU) {
		noun = c->runtime == CONTAINER_QEMU ? "virtual machine" : "machine";
		runtime = "";
	} else if (in_pod && !c->id[0] && c->runtime != CONTAINER_LXC) {
		noun = "";
		of = " pod";
	}
	snprintf(ret, size, "%s%s%s%s%.*s%s%s%.*s%s%s", c->is_monitor ? "monitor of " : "", runtime,
		noun, c->id[0] ? " " : "", shown_length(c->id), c->id, of, c->pod_uid[0] ? " " : "",
		shown_length(c->pod_uid), c->pod_uid, qos_text(c->qos),
		c->is_nested ? " inside another container" : "");
}
