/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a path of a cgroup says of its container: of every runtime as it names them, and what a
 * process may write there to look like something else.
 */
#include "container.h"

#include "util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define A12          "3f2a9c1b04de"
#define B12          "0123456789ab"
#define REST_OF_A    "d2cf1f0a5b6c7d8e9f00112233445566778899aabbccddeeff01"
#define A            A12 REST_OF_A
#define B            B12 "00ffeeddccbbaa99887766554433221100f9e8d7c6b5a0f1fc2d"
#define POD          "5d6b37ce-5df0-4e4c-8d1a-4f6f0d0b0b0e"
#define POD_         "5d6b37ce_5df0_4e4c_8d1a_4f6f0d0b0b0e"
#define STATIC_POD   "8daa50c3a64c9ff60bb9eab7b44b56fd"
#define SLICES       "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" POD_ ".slice"
#define USER         "/user.slice/user-1000.slice/user@1000.service"
#define BURSTABLE    " of pod " POD " (burstable)"
#define GUARANTEED   " of pod " POD " (guaranteed)"
#define ALPHANUMERIC "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define INSIDE       " inside another container"
#define QUADLET      "/system.slice/web.service/libpod-payload-" A

struct example {
	const char *path;
	const char *text; /* of container_format(), NULL when it is in no container */
};

static void assert_plain(const char *text, size_t size, const char *others)
{
	size_t n = strnlen(text, size);

	assert_true(n < size);
	for (size_t i = 0; i < n; i++)
		assert_true(strchr(ALPHANUMERIC, text[i]) || strchr(others, text[i]));
}

/* In memory of just that size, so that a sanitizer sees a byte too many. */
static bool holds_for(const char *path, size_t length)
{
	char *exact = strndup(path, length), text[CONTAINER_TEXT_SIZE];
	struct container_name c;
	bool is_container;

	memset(&c, 0xff, sizeof(c));
	is_container = container_parse(exact, &c);
	free(exact);
	if (!is_container)
		return false;
	assert_in_range(c.runtime, CONTAINER_DOCKER, CONTAINER_OCI);
	assert_in_range(c.qos, CONTAINER_QOS_NONE, CONTAINER_QOS_BESTEFFORT);
	assert_plain(c.id, sizeof(c.id), "._+-");
	assert_plain(c.pod_uid, sizeof(c.pod_uid), "-");
	assert_plain(c.unit, sizeof(c.unit), "._+-:@\\");
	assert_false(c.is_monitor && c.is_nested);
	container_format(&c, text, sizeof(text));
	assert_plain(text, sizeof(text), " ()._+-");
	assert_true(strlen(text) < sizeof(text) - 1);
	return true;
}

/* Of the path and, for what holds always, of all that it may be cut to. The text shows names and
 * UIDs whole, so that only ids of 64 digits must be looked for. */
static struct container_name check(const struct example *e)
{
	char text[CONTAINER_TEXT_SIZE];
	struct container_name c, untouched;

	for (size_t n = 0; n <= strlen(e->path); n++)
		holds_for(e->path, n);
	memset(&c, 0x5a, sizeof(c));
	memcpy(&untouched, &c, sizeof(c));
	if (container_parse(e->path, &c) != (e->text != NULL))
		fail_msg("%s is in %s container", e->path, e->text ? "no" : "a");
	if (!e->text) {
		assert_memory_equal(&c, &untouched, sizeof(c));
		return c;
	}
	container_format(&c, text, sizeof(text));
	assert_string_equal(text, e->text);
	if (strlen(c.id) == 64)
		assert_non_null(strstr(e->path, c.id));
	if (strlen(c.pod_uid) == 64)
		assert_non_null(strstr(e->path, c.pod_uid));
	return c;
}

static void check_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check(&examples[i]);
}

static struct container_name parsed(const char *path)
{
	struct container_name c;

	if (!container_parse(path, &c))
		fail_msg("%s is in no container", path);
	return c;
}

static const struct example engines[] = {
	{ "/system.slice/docker-" A ".scope", "Docker container " A12 },
	{ "/web.slice/web-shop.slice/docker-" A ".scope/init", "Docker container " A12 },
	{ "/docker/" A, "Docker container " A12 },
	{ "/system.slice/docker.service/docker/" A "/sub", "Docker container " A12 },
	/* With a parent of the administrator's choice all engines look the same. */
	{ "/batch/" A, "OCI container " A12 },
	{ "/" A, "OCI container " A12 },
	{ "/k8s.io/" A, "containerd container " A12 },
	{ "/default/" A, "containerd container " A12 },
	{ "/system.slice/nerdctl-" A ".scope", "nerdctl container " A12 },
	{ "/system.slice/crio-" A ".scope/container", "CRI-O container " A12 },
	{ "/crio/crio-" A, "CRI-O container " A12 },
	{ "/machine.slice/libpod-" A ".scope/container", "Podman container " A12 },
	{ "/libpod_parent/libpod-" A, "Podman container " A12 },
	{ QUADLET, "Podman container " A12 },
	{ USER "/user.slice/libpod-" A ".scope/container", "Podman container " A12 },
};

static void test_containers_of_each_engine(void **state)
{
	check_all(engines, ARRAY_SIZE(engines));
}

static const struct example pods[] = {
	{ SLICES "/cri-containerd-" A ".scope", "containerd container " A12 BURSTABLE },
	{ SLICES "/crio-" A ".scope/container", "CRI-O container " A12 BURSTABLE },
	{ SLICES "/docker-" A ".scope", "Docker container " A12 BURSTABLE },
	{ "/kubepods.slice/kubepods-pod" POD_ ".slice/cri-containerd-" A ".scope",
		"containerd container " A12 GUARANTEED },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" POD_ ".slice",
		"Kubernetes pod " POD " (besteffort)" },
	/* cgroupfs does not say whose container it is. */
	{ "/kubepods/burstable/pod" POD "/" A, "Kubernetes container " A12 BURSTABLE },
	{ "/kubepods/besteffort/pod" POD "/" A "/sub",
		"Kubernetes container " A12 " of pod " POD " (besteffort)" },
	{ "/kubepods/pod" POD "/" A, "Kubernetes container " A12 GUARANTEED },
	{ "/kubepods/burstable/pod" POD "/crio-" A, "CRI-O container " A12 BURSTABLE },
	{ "/kubepods/burstable/pod" POD, "Kubernetes pod " POD " (burstable)" },
	{ "/system.slice/k3s.service/kubepods/burstable/pod" POD "/" A,
		"Kubernetes container " A12 BURSTABLE },
	{ "/kubelet/kubepods/pod" POD "/" A, "Kubernetes container " A12 GUARANTEED },
	{ "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
	  "kubelet-kubepods-burstable-pod" POD_ ".slice/cri-containerd-" A ".scope",
		"containerd container " A12 BURSTABLE },
	/* Pods of files on the node have a hash for a UID, or what the file says. */
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_POD
	  ".slice/cri-containerd-" A ".scope",
		"containerd container " A12 " of pod " STATIC_POD " (burstable)" },
	{ "/kubepods/burstable/podmy-proxy/" A, "Kubernetes container " A12 " of pod (burstable)" },
	/* The kubelet's driver is systemd, runc's cgroupfs. */
	{ "/system.slice/containerd.service/kubepods-burstable-pod" POD_ ".slice:cri-containerd:" A,
		"containerd container " A12 BURSTABLE },
	{ "/system.slice:docker:" A, "Docker container " A12 },
	/* Podman's own. */
	{ "/machine.slice/machine-libpod_pod_" B ".slice/libpod-" A ".scope",
		"Podman container " A12 " of pod " B12 },
	{ USER "/user.slice/user-libpod_pod_" B ".slice/libpod-" A ".scope/container",
		"Podman container " A12 " of pod " B12 },
	{ "/libpod_parent/" B "/libpod-" A, "Podman container " A12 " of pod " B12 },
	{ "/machine.slice/machine-libpod_pod_" B ".slice", "Podman pod " B12 },
};

static void test_pods_and_their_containers(void **state)
{
	check_all(pods, ARRAY_SIZE(pods));
	assert_int_equal(parsed("/kubepods/pod" POD "/" A).qos, CONTAINER_QOS_GUARANTEED);
	assert_int_equal(parsed("/kubepods/burstable/pod" POD).qos, CONTAINER_QOS_BURSTABLE);
	assert_int_equal(parsed("/kubepods/besteffort/pod" POD).qos, CONTAINER_QOS_BESTEFFORT);
}

static const struct example named[] = {
	{ "/lxc/web1", "LXC container web1" },
	{ "/lxc.payload/web1/init.scope", "LXC container web1" },
	{ "/lxc.payload.web1/system.slice/ssh.service", "LXC container web1" },
	{ "/lxc.payload.shop_web1", "LXC container shop_web1" }, /* of a project */
	{ "/lxc/101/ns/init.scope", "LXC container 101" },       /* Proxmox */
	{ "/lxc/lxc.payload.web1-2", "LXC container web1-2" },
	{ "/system.slice/libvirtd.service/libvirt/lxc/old", "LXC container old" },
	{ "/machine.slice/systemd-nspawn@deb12.service/payload", "machine deb12" },
	{ "/machine.slice/systemd-nspawn@my-deb.service", "machine my-deb" },
	{ "/machine.slice/machine-my\\x2ddeb.scope/payload/init.scope", "machine my-deb" },
	{ "/machine.slice/machine-a.slice/machine-b.scope", "machine b" },
	{ "/machine.slice/machine-qemu\\x2d1\\x2ddb\\x2d2.scope/libvirt/emulator",
		"virtual machine db-2" },
	{ "/machine.slice/machine-qemu\\x2d12\\x2d7.scope", "virtual machine 7" },
	{ "/machine.slice/machine-lxc\\x2d12345\\x2ddemo.scope", "LXC container demo" },
	{ "/machine.slice/machine-qemu\\x2d\\x2da.scope", "machine qemu--a" },
	{ "/machine.slice/machine-qemu\\x2d1.scope", "machine qemu-1" },
	/* A name is whole and plain, or none; the container is there all the same. */
	{ "/lxc.payload." B, "LXC container " B12 }, /* 64 fit */
	{ "/lxc.payload." B "x", "LXC container" },
	{ "/lxc.payload.a b", "LXC container" },
	{ "/kubepods/burstable/pod" POD "/lxc/a b", "LXC container" BURSTABLE },
	{ "/lxc.payload.a\x1b[2J\n\xc3\xbc", "LXC container" },
	{ "/machine.slice/machine-a\\x2fb.scope", "machine" },
	{ "/machine.slice/machine-a\\x00b.scope", "machine" },
	{ "/machine.slice/machine-a\\x2.scope", "machine" },
	{ "/machine.slice/machine-a\\.scope", "machine" },
	{ "/machine.slice/machine-a\\x2D.scope", "machine" },
};

static void test_lxc_and_machines_have_names(void **state)
{
	check_all(named, ARRAY_SIZE(named));
}

static const struct example monitors[] = {
	{ SLICES "/crio-conmon-" A ".scope", "monitor of CRI-O container " A12 BURSTABLE },
	{ "/kubepods/burstable/pod" POD "/crio-conmon-" A,
		"monitor of CRI-O container " A12 BURSTABLE },
	{ "/machine.slice/libpod-conmon-" A ".scope", "monitor of Podman container " A12 },
	{ USER "/user.slice/libpod-conmon-" A ".scope", "monitor of Podman container " A12 },
	{ "/libpod_parent/conmon", "monitor of Podman container" },
	{ "/libpod_parent/" B "/conmon", "monitor of Podman pod " B12 },
	{ "/lxc.monitor.web1", "monitor of LXC container web1" },
	{ "/lxc.monitor/web1", "monitor of LXC container web1" },
	{ "/machine.slice/systemd-nspawn@deb12.service/supervisor", "monitor of machine deb12" },
};

static void test_monitors_are_not_workload(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(monitors); i++)
		assert_true(check(&monitors[i]).is_monitor);
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		assert_false(check(&engines[i]).is_monitor);
	assert_false(parsed(QUADLET "/supervisor").is_monitor);
}

static void test_a_monitor_inside_a_container_is_not_believed(void **state)
{
	static const struct example examples[] = {
		{ "/docker/" A "/libpod-conmon-" B ".scope", "Docker container " A12 },
		{ "/lxc.payload.web1/lxc.monitor.x", "LXC container web1" },
		/* A container below a monitor is a container. */
		{ "/libpod-conmon-" A ".scope/libpod-" A ".scope", "Podman container " A12 },
		{ "/lxc.monitor.a/kubepods/pod" POD, "Kubernetes pod " POD " (guaranteed)" },
		{ SLICES "/cri-containerd-" A ".scope/crio-conmon-" B,
			"containerd container " A12 BURSTABLE },
		{ "/docker/" A "/libpod_parent/conmon", "Docker container " A12 },
		{ "/docker/" A "/systemd-nspawn@x.service/supervisor",
			"machine x inside another container" },
		{ "/docker/" A "/kubepods/pod" POD "/crio-conmon-" B,
			"Kubernetes pod " POD " (guaranteed) inside another container" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(examples); i++)
		assert_false(check(&examples[i]).is_monitor);
}

static void test_rootless_is_said(void **state)
{
	assert_true(parsed(USER "/user.slice/libpod-" A ".scope").is_user);
	assert_true(parsed("/../user@1000.service/libpod-conmon-" A ".scope").is_user);
	assert_true(parsed("/user.slice/user-0.slice/session-1.scope/lxc.payload.a").is_user);
	assert_false(parsed("/machine.slice/libpod-" A ".scope").is_user);
	assert_false(parsed("/user-db.slice/docker-" A ".scope").is_user);
	/* Users inside of a container are none of ours. */
	assert_false(parsed("/lxc.payload.a/user.slice/user-1000.slice").is_user);
}

static const struct example nested[] = {
	{ "/docker/" A "/docker/" B, "Docker container " B12 INSIDE },
	{ "/system.slice/docker-" A ".scope/docker/" B, "Docker container " B12 INSIDE },
	{ "/lxc.payload.web1/system.slice/docker-" B ".scope", "Docker container " B12 INSIDE },
	/* kind: a node is a container, and its pods are the innermost. */
	{ "/docker/" A "/kubelet/kubepods/burstable/pod" POD "/" B,
		"Kubernetes container " B12 BURSTABLE INSIDE },
	/* A container in a container of a pod is of that pod. */
	{ SLICES "/cri-containerd-" A ".scope/docker/" B,
		"Docker container " B12 BURSTABLE INSIDE },
	{ "/lxc.payload.a/lxc.payload.b", "LXC container b inside another container" },
	/* The same again is not another one. */
	{ "/docker/" A "/docker/" A, "Docker container " A12 },
	{ "/machine.slice/libpod-" A ".scope/libpod-payload-" A, "Podman container " A12 },
};

static void test_the_innermost_counts(void **state)
{
	check_all(nested, ARRAY_SIZE(nested));
}

static const struct example outside[] = {
	{ "/../../../system.slice/docker-" A ".scope", "Docker container " A12 },
	{ "/../crio-" A ".scope", "CRI-O container " A12 },
	{ "/../../pod" POD "/" A, "Kubernetes container " A12 " of pod " POD },
	{ "/../../../burstable/pod" POD "/" A, "Kubernetes container " A12 BURSTABLE },
	{ "/../../kubepods-burstable-pod" POD_ ".slice/cri-containerd-" A ".scope",
		"containerd container " A12 BURSTABLE },
	{ "/../" A, "OCI container " A12 },
	{ "/../machine-deb12.scope", "machine deb12" },
};

static void test_names_outside_of_our_cgroup_namespace(void **state)
{
	check_all(outside, ARRAY_SIZE(outside));
}

static const char *const none[] = { "", "/", "//", "/..", "/../..", "/init.scope",
	"/system.slice/docker.service", "/system.slice/k3s.service", USER "/app.slice/app-x.scope",
	/* Above all containers. */
	"/kubepods.slice", "/kubepods.slice/kubepods-burstable.slice", "/kubepods/burstable",
	"/machine.slice", "/lxc", "/lxc.payload", "/lxc.payload.", "/lxc.pivot", "/docker/",
	"/libpod_parent",
	/* The kernel prints no such path. */
	"docker/" A, "//docker/" A, "/docker//" A, "/docker/" A "//x", "/docker/" A "//",
	"/docker/./" A, "/docker/../" A, "/docker/" A "/..", " (deleted)", "/ (deleted)",
	/* No engine makes such ids: 63, 65, none, capitals, other letters. */
	"/docker/" REST_OF_A "3f2a9c1b04d", "/docker/" A "0", "/docker/3F2A9C1B04DE" REST_OF_A,
	"/docker/3f2a9c1b04dg" REST_OF_A, "/docker/3f2a9c1b04d\xe9" REST_OF_A,
	"/system.slice/docker-" A12 ".scope", "/system.slice/docker-" A "0.scope",
	"/system.slice/docker-.scope", "/system.slice/cri-containerd-web.scope",
	"/machine.slice/machine-libpod_pod_0123.slice", "/pod" POD "x", "/podcast/x",
	/* Nor such names around them; a service is a health check of Podman. */
	"/system.slice/docker-" A ".service", "/system.slice/docker-" A ".scope.x",
	"/system.slice/" A ".service", "/system.slice/xdocker-" A ".scope",
	"/system.slice/-" A ".scope", "/x:docker-" A, "/:" A, "/docker:" A,
	/* Anybody's cgroups. */
	"/user.slice/machine-learning.scope", "/machine-learning.scope", "/conmon", "/supervisor" };

static const struct example hostile[] = {
	{ "/docker/" A "/", "Docker container " A12 },
	{ "/docker/" A " (deleted)", "Docker container " A12 }, /* outlived its cgroup */
	/* Odd bytes name nothing, and hide nothing. */
	{ "/docker/" A "/\x01\x02\xff", "Docker container " A12 },
	{ "/\xf0\x9f\x90\xb3/docker-" A ".scope/\n\x1b[2J.service", "Docker container " A12 },
	{ "/kubepods/pod\x1b]0;x\x07", "Kubernetes pod (guaranteed)" },
	{ "/kubepods/pod5d6b37ce-5df0_4e4c-8d1a-4f6f0d0b0b0e", "Kubernetes pod (guaranteed)" },
	{ "/kubepods/pod5d6b37cea5df0a4e4ca8d1aa4f6f0d0b0b0e", "Kubernetes pod (guaranteed)" },
	{ "/kubepods/pod5D6B37CE-5df0-4e4c-8d1a-4f6f0d0b0b0e", "Kubernetes pod (guaranteed)" },
};

static void test_what_no_runtime_writes_is_no_container(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		check(&(struct example){ none[i], NULL });
}

static void test_odd_bytes_hide_nothing(void **state)
{
	check_all(hostile, ARRAY_SIZE(hostile));
}

static void test_the_innermost_unit(void **state)
{
	static const char *const cases[][2] = {
		{ "/docker/" A, "" },
		{ "/system.slice/docker-" A ".scope/container", "docker-" A ".scope" },
		{ "/system.slice/web.service/libpod-payload-" A, "web.service" },
		{ "/lxc.payload.a/system.slice/ssh.service", "ssh.service" },
		{ "/lxc.payload.a/system.slice/my@x.service/b.slice", "my@x.service" },
		{ "/machine.slice/machine-a\\x2db.scope/x", "machine-a\\x2db.scope" },
		{ "/lxc.payload.a/.service", "" },
		/* systemd makes none of such names. */
		{ "/lxc.payload.a/b.service/c\x1b[2J.service", "b.service" },
	};

	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(parsed(cases[i][0]).unit, cases[i][1]);
	/* One that does not fit is none. */
	for (int n = 100; n < 140; n++) {
		snprintf(path, sizeof(path), "/docker/" A "/%0*d.service", n, 0);
		assert_int_equal(strlen(parsed(path).unit), n + 8 < 128 ? n + 8 : 0);
	}
}

static void test_huge_paths(void **state)
{
	enum { DEPTH = 20000 };
	static char deep[DEPTH * 2 + 128], wide[1 << 20];

	for (size_t i = 0; i < DEPTH; i++)
		memcpy(deep + i * 2, "/a", 2);
	strcpy(deep + (size_t)DEPTH * 2, "/docker-" A ".scope");
	assert_string_equal(parsed(deep).id, A);
	memset(wide, 'a', sizeof(wide) - 1);
	memcpy(wide, "/docker/" A "/", strlen("/docker/" A "/"));
	assert_string_equal(parsed(wide).id, A);
	memcpy(wide, "/lxc.payload.", strlen("/lxc.payload."));
	wide[strlen("/docker/" A)] = 'a';
	assert_string_equal(parsed(wide).id, "");
}

static void test_a_text_is_cut_to_size(void **state)
{
	struct container_name c = parsed("/docker/" A "/kubepods/burstable/pod" POD "/lxc/" POD
					 "-123456789-123456789-123456");
	char whole[CONTAINER_TEXT_SIZE], text[CONTAINER_TEXT_SIZE + 1];

	container_format(&c, whole, sizeof(whole));
	assert_string_equal(whole,
		"LXC container " POD "-123456789-123456789-123456 of pod " POD
		" (burstable) inside another container");
	for (size_t size = 0; size <= sizeof(whole); size++) {
		memset(text, '#', sizeof(text));
		container_format(&c, text, size);
		for (size_t i = size; i < sizeof(text); i++)
			assert_int_equal(text[i], '#');
		if (size > 0) {
			assert_int_equal(strlen(text), min_u64(size - 1, strlen(whole)));
			assert_memory_equal(text, whole, strlen(text));
		}
	}
}

static void test_runtimes_have_names(void **state)
{
	assert_string_equal(container_runtime_text(CONTAINER_NSPAWN), "systemd-nspawn");
	for (int r = CONTAINER_NONE; r <= CONTAINER_OCI; r++)
		assert_string_not_equal(container_runtime_text((enum container_runtime)r), "?");
	assert_string_equal(container_runtime_text((enum container_runtime)99), "?");
}

static uint64_t next_random(uint64_t *r)
{
	*r ^= *r << 13;
	*r ^= *r >> 7;
	*r ^= *r << 17;
	return *r;
}

static const char *const words[] = { "/", "docker", "docker-", "lxc", "lxc.", "lxc.payload",
	"lxc.monitor", ".", "-", ":", "\\x2d", "\\x", "\\", A, B, POD, POD_, STATIC_POD, "kubepods",
	"burstable", "-besteffort", "pod", ".slice", ".scope", ".service", "libpod-",
	"/libpod-conmon-", "/libpod_parent/", "conmon", "libpod_pod_", "crio-", "crio-conmon-",
	":cri-containerd:", "/machine.slice/machine-", "qemu\\x2d1\\x2d", "/systemd-nspawn@",
	"/supervisor", "/user@1000", "/user-1", "/k8s.io/", "web1", " (deleted)", " ", "\x7f" };

/* Of words, so that some mean something, and of bytes. */
static size_t random_path(uint64_t *r, char *path, size_t size)
{
	size_t n = 0, end = next_random(r) % size;

	while (n < end) {
		const char *word = words[next_random(r) % ARRAY_SIZE(words)];

		if (n == 0 || next_random(r) % 4 == 0)
			word = "/";
		if (next_random(r) % 64 == 0)
			word = "/..";
		if (n > 0 && path[n - 1] == '/' && *word == '/')
			word++; /* "//" would end most */
		for (; n < end && *word; word++)
			path[n++] = *word;
		if (n < end && next_random(r) % 32 == 0)
			path[n++] = (char)(1 + next_random(r) % 255);
	}
	return n;
}

static void test_whatever_the_bytes(void **state)
{
	uint64_t r = UINT64_C(0x9e3779b97f4a7c15);
	unsigned containers = 0;
	char path[400];

	for (int i = 0; i < 200000; i++) {
		size_t n = random_path(&r, path, sizeof(path));
		containers += holds_for(path, n);
		for (size_t k = 0; k < n; k++)
			path[k] = (char)(1 + next_random(&r) % 255);
		holds_for(path, n);
	}
	assert_true(containers > 10000); /* or the words are the wrong ones */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_containers_of_each_engine),
		cmocka_unit_test(test_pods_and_their_containers),
		cmocka_unit_test(test_lxc_and_machines_have_names),
		cmocka_unit_test(test_monitors_are_not_workload),
		cmocka_unit_test(test_a_monitor_inside_a_container_is_not_believed),
		cmocka_unit_test(test_rootless_is_said),
		cmocka_unit_test(test_the_innermost_counts),
		cmocka_unit_test(test_names_outside_of_our_cgroup_namespace),
		cmocka_unit_test(test_what_no_runtime_writes_is_no_container),
		cmocka_unit_test(test_odd_bytes_hide_nothing),
		cmocka_unit_test(test_the_innermost_unit),
		cmocka_unit_test(test_huge_paths),
		cmocka_unit_test(test_a_text_is_cut_to_size),
		cmocka_unit_test(test_runtimes_have_names),
		cmocka_unit_test(test_whatever_the_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
