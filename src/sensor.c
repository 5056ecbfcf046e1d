/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The half of sensing that has effects: fds opened once, read again and again (psi.h).
 *
 * Of libproc2 the select calls are used, since each of them reads its file anew (lseek and read)
 * and, asked for the same items, allocates in its first call only; the get calls answer from a
 * cache up to a second old. Its _exit(47) is in fatal_proc_unmounted(), which it never calls by
 * itself and we do not.
 */
#include "psi.h"

#include "util.h"

#include <fcntl.h>
#include <libproc2/meminfo.h>
#include <libproc2/vmstat.h>
#include <limits.h>
#include <string.h>

#define ZRAM_MAX         16
#define WINDOW_UNIT_USEC (2 * USEC_PER_SEC) /* without CAP_SYS_RESOURCE only multiples of this */

struct zram_device {
	char path[64]; /* as in /proc/swaps */
	int mm_stat_fd;
};

struct sensor {
	struct meminfo_info *meminfo;
	struct vmstat_info *vmstat;
	char root[256];
	int pressure_fd, pressure_errno;
	int swaps_fd, arcstats_fd;
	uint64_t kernel_oom_kills; /* as read last */
	uint32_t zram_count;
	struct zram_device zram[ZRAM_MAX];
	char text[16384]; /* arcstats has 7 KiB; /proc/swaps some 80 bytes a device */
};

/* In the order of enum below. */
static enum meminfo_item meminfo_items[] = { MEMINFO_MEM_TOTAL, MEMINFO_MEM_HUGETBL,
	MEMINFO_MEM_AVAILABLE, MEMINFO_MEM_ANON, MEMINFO_MEM_SHARED, MEMINFO_SWAP_TOTAL,
	MEMINFO_SWAP_FREE };
enum {
	ITEM_TOTAL,
	ITEM_HUGETLB,
	ITEM_AVAILABLE,
	ITEM_ANON,
	ITEM_SHMEM,
	ITEM_SWAP_TOTAL,
	ITEM_SWAP_FREE
};
static enum vmstat_item vmstat_items[] = { VMSTAT_OOM_KILL };

static int open_under(const char *root, const char *path)
{
	char whole[PATH_MAX];
	int fd;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	fd = open(whole, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The whole file from its beginning, as a string. */
static int read_text(int fd, char *text, size_t size)
{
	size_t length = 0;

	while (length < size - 1) {
		ssize_t n = pread(fd, text + length, size - 1 - length, (off_t)length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	text[length] = '\0';
	return 0;
}

/* "/dev/zram3" has its statistics in /sys/block/zram3/mm_stat. */
static int open_mm_stat(const char *root, const char *device)
{
	const char *name = strrchr(device, '/');
	char path[128];

	if (!name || strncmp(++name, "zram", 4) != 0 || !name[4] ||
		name[4 + strspn(name + 4, "0123456789")])
		return -ENODEV;
	snprintf(path, sizeof(path), "/sys/block/%s/mm_stat", name);
	return open_under(root, path);
}

static void close_zram(struct sensor *s)
{
	while (s->zram_count > 0)
		fd_closep(&s->zram[--s->zram_count].mm_stat_fd);
}

void sensor_refresh_devices(struct sensor *s)
{
	const char *p = s->text;
	struct swap_device d;
	int r, fd;

	close_zram(s);
	if (s->swaps_fd < 0 || read_text(s->swaps_fd, s->text, sizeof(s->text)) < 0)
		return;
	while ((r = psi_parse_swap(&p, &d)) != 0 && s->zram_count < ZRAM_MAX) {
		if (r < 0 || (fd = open_mm_stat(s->root, d.path)) < 0)
			continue;
		memcpy(s->zram[s->zram_count].path, d.path, sizeof(d.path));
		s->zram[s->zram_count++].mm_stat_fd = fd;
	}
}

int sensor_new_at(const char *root, struct sensor **ret)
{
	struct sensor *s = calloc(1, sizeof(*s));
	struct meminfo m;
	int r;

	if (!s)
		return -ENOMEM;
	s->pressure_fd = s->swaps_fd = s->arcstats_fd = -EBADF;
	if (strlen(root) >= sizeof(s->root)) {
		r = -ENAMETOOLONG;
		goto fail;
	}
	memcpy(s->root, root, strlen(root));
	if ((r = procps_meminfo_new(&s->meminfo)) < 0 || (r = procps_vmstat_new(&s->vmstat)) < 0)
		goto fail;
	s->pressure_fd = open_under(root, "/proc/pressure/memory");
	s->swaps_fd = open_under(root, "/proc/swaps");
	s->arcstats_fd = open_under(root, "/proc/spl/kstat/zfs/arcstats");
	sensor_refresh_devices(s);

	/* The first select allocates, so let it be this one. A kernel without PSI in this boot
	 * opens the file but does not read. */
	if ((r = sensor_read(s, &m)) < 0)
		goto fail;
	s->pressure_errno = s->pressure_fd < 0
		? s->pressure_fd
		: read_text(s->pressure_fd, s->text, sizeof(s->text));
	*ret = s;
	return 0;
fail:
	sensor_free(s);
	return r;
}

int sensor_new(struct sensor **ret)
{
	return sensor_new_at("", ret);
}

void sensor_free(struct sensor *s)
{
	if (!s)
		return;
	close_zram(s);
	fd_closep(&s->pressure_fd);
	fd_closep(&s->swaps_fd);
	fd_closep(&s->arcstats_fd);
	if (s->meminfo)
		procps_meminfo_unref(&s->meminfo);
	if (s->vmstat)
		procps_vmstat_unref(&s->vmstat);
	free(s);
}

static uint64_t item_bytes(const struct meminfo_stack *stack, int item)
{
	return mul_sat_u64(stack->head[item].result.ul_int, KIB);
}

/* libproc2 says NULL for an error, and the reason in errno if there is one. */
static int library_error(void)
{
	return errno > 0 ? -errno : -EIO;
}

static void add_arc(struct sensor *s, struct meminfo *m)
{
	uint64_t reclaimable;

	if (s->arcstats_fd < 0 || read_text(s->arcstats_fd, s->text, sizeof(s->text)) < 0 ||
		psi_parse_arcstats(s->text, &reclaimable) < 0)
		return;
	m->available_bytes = min_u64(add_sat_u64(m->available_bytes, reclaimable), m->total_bytes);
}

/* Which of the swap devices is one of ours, its statistics read. */
static bool read_zram(struct sensor *s, const struct swap_device *d, struct zram *ret)
{
	char text[256];

	for (uint32_t i = 0; i < s->zram_count; i++) {
		if (strcmp(s->zram[i].path, d->path) != 0)
			continue;
		ret->size_bytes = d->size_bytes;
		ret->slots_used_bytes = d->used_bytes;
		return read_text(s->zram[i].mm_stat_fd, text, sizeof(text)) == 0 &&
			psi_parse_mm_stat(text, ret) == 0;
	}
	return false;
}

static void count_zram(struct sensor *s, struct meminfo *m)
{
	struct zram zram[ZRAM_MAX];
	struct swap_device d;
	const char *p = s->text;
	uint32_t count = 0;
	int r;

	if (s->zram_count == 0 || read_text(s->swaps_fd, s->text, sizeof(s->text)) < 0)
		return;
	while ((r = psi_parse_swap(&p, &d)) != 0 && count < ZRAM_MAX)
		if (r > 0 && read_zram(s, &d, &zram[count]))
			count++;
	psi_count_zram(m, zram, count);
}

static int read_vmstat(struct sensor *s)
{
	struct vmstat_stack *vm =
		procps_vmstat_select(s->vmstat, vmstat_items, ARRAY_SIZE(vmstat_items));

	if (!vm)
		return library_error();
	s->kernel_oom_kills = vm->head[0].result.ul_int;
	return 0;
}

static int read_figures(struct sensor *s, struct meminfo *ret, bool calm)
{
	struct meminfo_stack *mem;
	struct meminfo m;
	int r;

	errno = 0;
	mem = procps_meminfo_select(s->meminfo, meminfo_items, ARRAY_SIZE(meminfo_items));
	if (!mem)
		return library_error();
	m = (struct meminfo){
		.total_bytes =
			sub_or_zero_u64(item_bytes(mem, ITEM_TOTAL), item_bytes(mem, ITEM_HUGETLB)),
		.available_bytes = item_bytes(mem, ITEM_AVAILABLE),
		.anon_bytes = item_bytes(mem, ITEM_ANON),
		.shmem_bytes = item_bytes(mem, ITEM_SHMEM),
		.swap_total_bytes = item_bytes(mem, ITEM_SWAP_TOTAL),
		.swap_free_bytes = item_bytes(mem, ITEM_SWAP_FREE),
	};
	add_arc(s, &m);
	count_zram(s, &m);
	r = calm && m.available_bytes >= m.total_bytes / 4 ? 0 : read_vmstat(s);
	if (r < 0)
		return r;
	m.kernel_oom_kills = s->kernel_oom_kills;
	*ret = m;
	return 0;
}

int sensor_read(struct sensor *s, struct meminfo *ret)
{
	return read_figures(s, ret, false);
}

int sensor_read_calm(struct sensor *s, struct meminfo *ret)
{
	return read_figures(s, ret, true);
}

int sensor_pressure_errno(const struct sensor *s)
{
	return s->pressure_errno;
}

int sensor_read_pressure(struct sensor *s, struct pressure *ret)
{
	int r;

	if (s->pressure_fd < 0)
		return s->pressure_errno;
	r = read_text(s->pressure_fd, s->text, sizeof(s->text));
	return r < 0 ? r : psi_parse(s->text, ret);
}

static int write_trigger(int fd, bool full, uint64_t stall_usec, uint64_t window_usec)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "%s %llu %llu", full ? "full" : "some",
		(unsigned long long)stall_usec, (unsigned long long)window_usec);
	/* With the NUL: the kernel cuts the last byte off. */
	return write(fd, text, (size_t)length + 1) < 0 ? -errno : 0;
}

int psi_trigger_open(const char *path, bool full, uint64_t stall_usec, uint64_t window_usec)
{
	_cleanup_(fd_closep) int fd = -EBADF;
	struct pressure p;
	uint64_t whole;
	char text[256];
	int r;

	if (stall_usec == 0 || stall_usec > window_usec)
		return -EINVAL;
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* No word into a file that is something else. */
	if ((r = read_text(fd, text, sizeof(text))) < 0 || (r = psi_parse(text, &p)) < 0)
		return r;
	r = write_trigger(fd, full, stall_usec, window_usec);
	whole = add_sat_u64(window_usec, WINDOW_UNIT_USEC - 1) / WINDOW_UNIT_USEC *
		WINDOW_UNIT_USEC;
	if ((r == -EINVAL || r == -EPERM) && whole != window_usec)
		r = write_trigger(fd, full, mul_div_u64(stall_usec, whole, window_usec), whole);
	return r < 0 ? r : take_fd(&fd);
}
