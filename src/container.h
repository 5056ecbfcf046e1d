/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the cgroup of a process to the names its operator knows: which container, of which runtime
 * and pod. Pure text work, apart from victim-rules.c because it is about other people's
 * conventions.
 *
 * Nothing here is proof of anything. Whoever owns a delegated cgroup (user@UID.service, a
 * container, a service with Delegate=) makes whatever names he likes below it: a process may say
 * that it is in a container that does not exist, or in that of somebody else, or in a monitor. The
 * names are for reports. Who spares a process because of is_monitor asks for uid 0 and !is_user as
 * well, and still relies on nobody but root having been given a cgroup to write to.
 *
 * Not told from plain services, because their cgroups do not say it: conmon of a Quadlet unit
 * (NAME.service/runtime), virtual machines of Incus and LXD, containers whose ids somebody chose
 * (ctr, runc by hand), and steps of docker build (their ids are shorter).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum container_runtime {
	CONTAINER_NONE,
	CONTAINER_DOCKER,
	CONTAINER_CONTAINERD, /* by CRI, or in the namespaces "k8s.io" and "default" */
	CONTAINER_NERDCTL,    /* containerd too, but this is the tool that lists it */
	CONTAINER_CRIO,
	CONTAINER_PODMAN,
	CONTAINER_LXC,        /* also of Incus, LXD, Proxmox and libvirt */
	CONTAINER_NSPAWN,     /* or any other that systemd-machined was told of */
	CONTAINER_QEMU,       /* a virtual machine of libvirt */
	CONTAINER_KUBERNETES, /* a pod, or a container in one that does not say its runtime */
	CONTAINER_OCI,        /* an id below a parent of the administrator's choice */
};

enum container_qos {
	CONTAINER_QOS_NONE, /* no pod of Kubernetes, or not said */
	CONTAINER_QOS_GUARANTEED,
	CONTAINER_QOS_BURSTABLE,
	CONTAINER_QOS_BESTEFFORT,
};

/* All texts are terminated and of letters, digits and "._+-" ("unit" also ":@\\"). */
struct container_name {
	enum container_runtime runtime;
	enum container_qos qos;
	/* 64 hexadecimal digits, or the name of an LXC container ("PROJECT_NAME" outside the
	 * default project of Incus and LXD) or a machine. "" for a pod itself, and where the name
	 * does not fit or has other characters: a name cut short might be another's. */
	char id[65];
	/* 8-4-4-4-12 for a pod of Kubernetes; 32 digits for one of a file on the node; 64 digits
	 * for one of Podman; "" if there is none, or its UID is of no such form. */
	char pod_uid[65];
	/* The innermost .service or .scope, "" if there is none or it does not fit. It may belong
	 * to the systemd inside the container. */
	char unit[128];
	bool is_monitor; /* of the runtime (conmon, lxc monitor, nspawn), not the workload */
	bool is_nested;  /* another container is around this one */
	bool is_user;    /* in a slice of a user: rootless, made by that user's own manager */
};

/*
 * cgroup: a path as in /proc/PID/cgroup, of any hierarchy, with "/.." in front where it lies
 * outside of our cgroup namespace; " (deleted)" at its end is ignored. True when it is in a
 * container, a pod or a virtual machine; ret is written then only. Where containers nest, the
 * innermost counts, and the innermost pod around it: the most precise name, and the one that is
 * most easily made up.
 *
 * A monitor counts outside of all containers only: inside one it is a part of that one's workload,
 * and its name that one's claim. Ids that their runtime does not make (64 small hexadecimal digits,
 * for all but LXC and machines) name nothing, and odd bytes are in no name, but neither hides what
 * is around it. A path that the kernel does not print (relative, with "//", "." or a
 * ".." that is not in front) is in no container.
 */
bool container_parse(const char *cgroup, struct container_name *ret);

/* "Docker", "systemd-nspawn"...; "none". */
const char *container_runtime_text(enum container_runtime runtime);

/* Holds the longest text of container_format(). */
#define CONTAINER_TEXT_SIZE 192

/*
 * As its tool lists it, ids in 12 digits: "Docker container 3f2a9c1b04de", "containerd container
 * 3f2a9c1b04de of pod 5d6b37ce-5df0-4e4c-8d1a-4f6f0d0b0b0e (burstable)", "LXC container web1",
 * "machine deb12", "virtual machine db", "monitor of Podman container 3f2a9c1b04de". Cut to size,
 * always terminated (unless size is 0); needs no escaping.
 */
void container_format(const struct container_name *c, char *ret, size_t size);
