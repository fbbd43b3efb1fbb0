/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - memfds: allocation, seals, double mapping.
 *
 * An object is mapped writable, then all pages are allocated, then it is sealed.
 * F_SEAL_FUTURE_WRITE leaves the maker's mapping writable and forbids later writable mappings, also
 * by /proc/PID/fd, as well as write(2) and punching holes. A read-only descriptor would forbid none
 * of these. F_SEAL_SHRINK keeps one side from making the other fault. F_SEAL_SEAL keeps the seals.
 */
#include "ringbuf/memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <linux/magic.h>
#include <linux/memfd.h>

#ifndef MADV_POPULATE_READ
#	define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#	define MADV_POPULATE_WRITE 23
#endif

/* Part of the available memory that is left to others, since the figure is an estimate. */
#define NPF_MEM_MARGIN_SHIFT 5

/* The kernel locks the address space of the process during a call, so that other threads wait to
 * map or unmap. So each call works on this many bytes. A multiple of every page size. */
#define NPF_MEM_STRIDE (32ul << 20)

/* Fill in the page tables, so that the datapath has no page faults. May fail: the pages are there
 * anyway, and kernels before 5.14 do not have this advice. */
static void populate(uint8_t *addr, size_t len, bool writable)
{
	int advice = writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ;

	for (size_t at = 0; at < len; at += NPF_MEM_STRIDE)
		(void)madvise(addr + at, NPF_MIN(len - at, NPF_MEM_STRIDE), advice);
}

/* Map fd once or twice at an address aligned to its pages. */
static int map_fd(struct npf_mem *m, int fd, bool twice, int prot)
{
	size_t mapped = twice ? 2 * m->size : m->size;
	size_t slack = m->page_size;
	uint8_t *room, *addr;
	int rc;

	/* Address space only: inaccessible, so it is not accounted for. */
	room = mmap(NULL, mapped + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return -errno;
	addr = room + (-(uintptr_t)room & (slack - 1));

	for (size_t at = 0; at < mapped; at += m->size) {
		if (mmap(addr + at, m->size, prot, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
			rc = -errno;
			munmap(room, mapped + slack);
			return rc;
		}
	}
	/* Give back what the alignment did not need; harmless when it fails. */
	if (addr > room)
		munmap(room, (size_t)(addr - room));
	if (slack > (size_t)(addr - room))
		munmap(addr + mapped, slack - (size_t)(addr - room));

	m->addr = addr;
	m->mapped = mapped;
	return 0;
}

/* Take all pages now: a hole filled later could end in SIGBUS. */
static int allocate(int fd, size_t size)
{
	while (fallocate(fd, 0, 0, (off_t)size) < 0)
		if (errno != EINTR)
			return errno == ENOSPC ? -ENOMEM : -errno;
	return 0;
}

int npf_mem_new(struct npf_mem *m, const char *name, size_t size, unsigned int flags)
{
	unsigned int memfd_flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	npf_autofd int fd = -1;
	int rc;

	*m = (struct npf_mem){.fd = -1};
	if (flags & NPF_MEM_HUGE) {
		memfd_flags |= MFD_HUGETLB | MFD_HUGE_2MB;
		m->page_size = NPF_MEM_HUGE_SIZE;
	} else {
		m->page_size = (size_t)sysconf(_SC_PAGESIZE);
	}
	m->size = NPF_ALIGN_UP(size, m->page_size);

	fd = memfd_create(name, memfd_flags);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)m->size) < 0)
		return -errno;
	/* Mapping comes first: hugepages are reserved by it, all or none, without clearing any. */
	rc = map_fd(m, fd, flags & NPF_MEM_TWICE, PROT_READ | PROT_WRITE);
	if (rc < 0)
		return rc;
	if (flags & NPF_MEM_READONLY)
		seals |= F_SEAL_FUTURE_WRITE;
	rc = allocate(fd, m->size);
	if (rc == 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
		rc = -errno;
	if (rc < 0) {
		npf_mem_fini(m);
		return rc;
	}
	populate(m->addr, m->mapped, true);
	m->fd = npf_steal_fd(&fd);
	return 0;
}

int npf_mem_stat(int fd, size_t *sizep, size_t *page_sizep)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -EPROTO;
	if (fs.f_type != TMPFS_MAGIC && fs.f_type != HUGETLBFS_MAGIC)
		return -EPROTO;
	*page_sizep =
		fs.f_type == HUGETLBFS_MAGIC ? (size_t)fs.f_bsize : (size_t)sysconf(_SC_PAGESIZE);
	*sizep = (size_t)st.st_size;
	if (st.st_size <= 0 || *sizep % *page_sizep)
		return -EPROTO;
	return 0;
}

int npf_mem_map(struct npf_mem *m, int fd, size_t size, unsigned int flags)
{
	int prot = flags & NPF_MEM_READONLY ? PROT_READ : PROT_READ | PROT_WRITE;
	int seals, rc;

	*m = (struct npf_mem){.fd = -1};
	rc = npf_mem_stat(fd, &m->size, &m->page_size);
	if (rc < 0)
		return rc;
	seals = fcntl(fd, F_GET_SEALS);
	if (m->size != size || seals < 0 || !(seals & F_SEAL_SHRINK))
		return -EPROTO;
	rc = map_fd(m, fd, flags & NPF_MEM_TWICE, prot);
	if (rc == 0)
		populate(m->addr, m->mapped, prot & PROT_WRITE);
	return rc;
}

void npf_mem_fini(struct npf_mem *m)
{
	for (size_t at = 0; m->addr != NULL && at < m->mapped; at += NPF_MEM_STRIDE)
		munmap(m->addr + at, NPF_MIN(m->mapped - at, NPF_MEM_STRIDE));
	m->addr = NULL;
	if (m->page_size)
		m->fd = npf_close(m->fd);
}

/* The number after key ("": at the start) on a line of its own in a file; UINT64_MAX when there is
 * none: no such file, no such line, or "max" in place of a number. */
static uint64_t read_number(const char *path, const char *key)
{
	npf_autofree char *line = NULL;
	FILE *f = fopen(path, "re");
	size_t room = 0, len = strlen(key);
	uint64_t n = UINT64_MAX;

	while (f != NULL && n == UINT64_MAX && getline(&line, &room, f) > 0) {
		char *end;
		unsigned long long value;

		if (strncmp(line, key, len) != 0)
			continue;
		value = strtoull(line + len, &end, 10);
		if (end > line + len)
			n = value;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

/* What the control group (version 2) that we are in, or one above it, still allows. */
static uint64_t cgroup_available(void)
{
	static const char root[] = "/sys/fs/cgroup";
	char group[1024] = "", path[1200];
	uint64_t available = UINT64_MAX;
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1024];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "0::%1023[^\n]", group) == 1)
			break;
	if (f != NULL)
		fclose(f);

	for (char *slash; (slash = strrchr(group, '/')) != NULL; *slash = '\0') {
		uint64_t max, used, cache;

		snprintf(path, sizeof(path), "%s%s/memory.max", root, group);
		max = read_number(path, "");
		snprintf(path, sizeof(path), "%s%s/memory.current", root, group);
		used = read_number(path, "");
		if (max == UINT64_MAX || used == UINT64_MAX)
			continue;
		/* Files that were not touched lately make room when it is needed. */
		snprintf(path, sizeof(path), "%s%s/memory.stat", root, group);
		cache = read_number(path, "inactive_file ");
		if (cache != UINT64_MAX)
			used -= NPF_MIN(cache, used);
		max -= NPF_MIN(max, used);
		available = NPF_MIN(available, max);
	}
	return available;
}

uint64_t npf_mem_available(void)
{
	uint64_t kib = read_number("/proc/meminfo", "MemAvailable:");
	uint64_t available = cgroup_available();

	if (kib != UINT64_MAX)
		available = NPF_MIN(available, kib << 10);

	return available - (available >> NPF_MEM_MARGIN_SHIFT);
}
