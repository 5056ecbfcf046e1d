/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The finder's directories. The buckets are of a fixed number: four to a bucket when all is full,
 * and nothing to be moved in the midst of a walk.
 */
#include "cgroup-find-internal.h"
#include "util.h"

#include <string.h>

const char *node_name(const struct node *n)
{
	return (const char *)(n->onward + n->onward_count);
}

const char *node_path(struct cgroup_finder *f, const struct node *n)
{
	char *p = f->path + sizeof(f->path) - 1;

	*p = '\0';
	if (!n->parent)
		*--p = '/';
	for (; n->parent; n = n->parent) {
		size_t length = strlen(node_name(n));

		if ((size_t)(p - f->path) < length + 1)
			return NULL;
		p -= length;
		memcpy(p, node_name(n), length);
		*--p = '/';
	}
	return p;
}

/* FNV-1a; the parent's address makes it differ from run to run. */
static uint32_t name_bucket(const struct node *parent, const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ (uintptr_t)parent;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
	return (uint32_t)(hash ^ hash >> 32) % BUCKETS;
}

static uint32_t wd_bucket(int wd)
{
	return (uint32_t)wd % BUCKETS; /* the kernel counts upward */
}

struct node *node_child(const struct cgroup_finder *f, const struct node *parent, const char *name)
{
	struct node *n = f->by_name[name_bucket(parent, name)];

	while (n && (n->parent != parent || strcmp(node_name(n), name) != 0))
		n = n->next_of_name;
	return n;
}

struct node *node_of_wd(const struct cgroup_finder *f, int wd)
{
	struct node *n = wd < 0 ? NULL : f->by_wd[wd_bucket(wd)];

	while (n && n->wd != wd)
		n = n->next_of_wd;
	return n;
}

struct node *node_add(struct cgroup_finder *f, struct node *parent, const char *name)
{
	size_t onward_size = f->onward_count * sizeof(f->onward[0]), name_size = strlen(name) + 1;
	struct node *n = malloc(sizeof(*n) + onward_size + name_size);
	struct node **bucket = &f->by_name[name_bucket(parent, name)];

	if (!n)
		return NULL;
	*n = (struct node){
		.parent = parent,
		.pattern = NO_PATTERN,
		.wd = -1,
		.onward_count = f->onward_count,
		.next_of_name = *bucket,
	};
	memcpy(n->onward, f->onward, onward_size);
	memcpy((char *)n->onward + onward_size, name, name_size);
	*bucket = n;
	if (parent) {
		n->depth = (uint16_t)(parent->depth + 1);
		n->next = parent->children;
		n->link_to_this = &parent->children;
		if (n->next)
			n->next->link_to_this = &n->next;
		parent->children = n;
	}
	f->node_count++;
	return n;
}

void node_remove(struct cgroup_finder *f, struct node *n)
{
	struct node **link = &f->by_name[name_bucket(n->parent, node_name(n))];

	node_set_wd(f, n, -1);
	while (*link != n)
		link = &(*link)->next_of_name;
	*link = n->next_of_name;
	if (n->parent) {
		*n->link_to_this = n->next;
		if (n->next)
			n->next->link_to_this = n->link_to_this;
	}
	f->node_count--;
	free(n);
}

static void forget_wd(struct cgroup_finder *f, struct node *n)
{
	struct node **link = &f->by_wd[wd_bucket(n->wd)];

	while (*link != n)
		link = &(*link)->next_of_wd;
	*link = n->next_of_wd;
	n->wd = -1;
	f->watched_count--;
}

void node_set_wd(struct cgroup_finder *f, struct node *n, int wd)
{
	struct node *other = node_of_wd(f, wd);

	if (other == n && n->wd == wd && wd >= 0)
		return;
	if (other)
		forget_wd(f, other);
	if (n->wd >= 0)
		forget_wd(f, n);
	if (wd < 0)
		return;
	n->wd = wd;
	n->next_of_wd = f->by_wd[wd_bucket(wd)];
	f->by_wd[wd_bucket(wd)] = n;
	f->watched_count++;
}
