/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which memory is locked: all of it, but for the libraries that are used at the start only
 * (libcgroup, whose table of mounts has 2.4 MB), or are here because a library that we use can do
 * more than we ask it for (libsystemd compresses and seals journals), and but for libsystemd
 * itself, of which sd-event is a tenth: what it takes to be woken is run through after the lock. Of
 * those the text leaves again, and so do the tables of all that the dynamic linker has read; what
 * is touched of them comes back, and is locked then.
 */
#include "survive.h"

#include "util.h"

#include <elf.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

/* The program itself has no name, and what the kernel maps into every process begins with "linux-".
 */
static const char *const used[] = { "libc.so", "libproc2.so", "linux-" };

static bool is_used(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < ARRAY_SIZE(used); i++)
		if (strncmp(name, used[i], strlen(used[i])) == 0)
			return true;
	return *name == '\0';
}

/* Whether the dynamic linker has written into its text: such pages cannot be read anew. */
static bool text_is_relocated(const struct dl_phdr_info *o)
{
	for (int i = 0; i < o->dlpi_phnum; i++) {
		if (o->dlpi_phdr[i].p_type != PT_DYNAMIC)
			continue;
		const ElfW(Dyn) *d = (const void *)(o->dlpi_addr + o->dlpi_phdr[i].p_vaddr);
		for (; d->d_tag != DT_NULL; d++)
			if (d->d_tag == DT_TEXTREL ||
				(d->d_tag == DT_FLAGS && d->d_un.d_val & DF_TEXTREL))
				return true;
	}
	return false;
}

/* --- what need not be there --- */

struct range {
	uintptr_t start, end;
	bool is_clean; /* the file has all that is in it */
};

#define IDLE_MAX 128

/* Those that find no room are locked like everything else. */
struct idle {
	struct range range[IDLE_MAX];
	uint32_t count;
};

/* What the linker reads to bind names, at the start only: linked with -z now. It is the piece with
 * the file's header, where that holds no code. */
static bool is_link_table(const ElfW(Phdr) * p)
{
	return p->p_offset == 0 && !(p->p_flags & (PF_W | PF_X));
}

static int note_object(struct dl_phdr_info *o, _unused_ size_t size, void *ctx)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	bool in_use = is_used(o->dlpi_name);
	struct idle *idle = ctx;

	if (text_is_relocated(o))
		return 0;
	for (int i = 0; i < o->dlpi_phnum && idle->count < IDLE_MAX; i++) {
		const ElfW(Phdr) *p = &o->dlpi_phdr[i];
		uintptr_t start = o->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || (in_use && !is_link_table(p)))
			continue;
		idle->range[idle->count++] = (struct range){
			.start = start & ~(page - 1),
			.end = (start + p->p_memsz + page - 1) & ~(page - 1),
			.is_clean = !(p->p_flags & PF_W),
		};
	}
	return 0;
}

static void find_idle(struct idle *ret)
{
	(void)dl_iterate_phdr(note_object, ret);
	/* Now only: it reads the headers that are in them. */
	for (uint32_t i = 0; i < ret->count; i++)
		if (ret->range[i].is_clean)
			(void)madvise((void *)ret->range[i].start,
				ret->range[i].end - ret->range[i].start, MADV_DONTNEED);
}

/* --- what must be there --- */

/* Where the piece of memory that begins at start and is all needed, or all not, ends. */
static uintptr_t piece_end(const struct idle *idle, struct range r, bool *ret_wanted)
{
	*ret_wanted = true;
	for (uint32_t i = 0; i < idle->count; i++) {
		const struct range *o = &idle->range[i];

		if (r.start >= o->start && r.start < o->end) {
			*ret_wanted = false;
			return o->end < r.end ? o->end : r.end;
		}
		if (o->start > r.start && o->start < r.end)
			r.end = o->start;
	}
	return r.end;
}

static bool lock_range(const struct idle *idle, struct range r)
{
	while (r.start < r.end) {
		bool wanted;
		uintptr_t end = piece_end(idle, r, &wanted);

		if (wanted && mlock((const void *)r.start, end - r.start) < 0)
			return false;
		r.start = end;
	}
	return true;
}

/* A line of /proc/self/maps. Guard pages and what is the kernel's cannot be locked. */
static bool lock_line(const struct idle *idle, const char *line)
{
	struct range r;
	char perms[5];

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &r.start, &r.end, perms) != 3)
		return false;
	if (strncmp(perms, "---", 3) == 0 || strstr(line, "[vvar") || strstr(line, "[vsyscall]"))
		return true;
	return lock_range(idle, r);
}

unsigned survive_lock(void)
{
	_cleanup_(fclosep) FILE *maps = fopen("/proc/self/maps", "re");
	struct idle idle = { .count = 0 };
	char line[PATH_MAX + 128];
	bool complete = maps != NULL;

	find_idle(&idle);
	/* What is touched is locked; then: what will be mapped is there and locked. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0 || mlockall(MCL_FUTURE) < 0)
		return LACK_MLOCK;
	while (maps && fgets(line, sizeof(line), maps))
		complete &= lock_line(&idle, line);
	if (complete)
		return 0;
	/* It is larger so, but as safe. */
	return mlockall(MCL_CURRENT | MCL_FUTURE) < 0 ? LACK_MLOCK : 0;
}
