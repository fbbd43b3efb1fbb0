/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * code.c - W^X: fresh pages are filled while writable, then made read-only and executable.
 *
 * No page is ever both, in this or another mapping. So this works under SELinux and systemd's
 * MemoryDenyWriteExecute= wherever they allow generated code at all. Elsewhere the error is
 * returned, and the caller falls back to the interpreter.
 */
#include "jit/code/code.h"

#include <string.h>
#include <sys/mman.h>

#define GUARD_BEFORE ((size_t)64 << 10)
/* From largest to smallest: as far as 4 bytes times any index reaches, and a token. */
static const size_t guards_behind[] = {(size_t)16 << 30, (size_t)64 << 10};

static int reserve(struct code *c, size_t len)
{
	int rc = -ENOMEM;

	for (size_t i = 0; i < NPF_ARRAY_LEN(guards_behind); i++) {
		const size_t map_len = GUARD_BEFORE + len + guards_behind[i];
		void *map = mmap(NULL, map_len, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (map != MAP_FAILED) {
			*c = (struct code){.map = map, .map_len = map_len};
			return 0;
		}
		rc = -errno;
	}
	return rc;
}

static int fill(char *at, size_t len, const void *bytes, size_t n)
{
	if (mprotect(at, len, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	memcpy(at, bytes, n);
	memset(at + n, 0xcc, len - n);
	return mprotect(at, len, PROT_READ | PROT_EXEC) < 0 ? -errno : 0;
}

int code_map(struct code *c, const void *bytes, size_t n)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t len = NPF_ALIGN_UP(n, page);
	int rc;

	*c = (struct code){0};
	rc = reserve(c, len);
	if (rc < 0)
		return rc;
	c->at = (char *)c->map + GUARD_BEFORE;
	rc = fill(c->at, len, bytes, n);
	if (rc < 0)
		code_unmap(c);
	return rc;
}

void code_unmap(struct code *c)
{
	if (c->map != NULL)
		munmap(c->map, c->map_len);
	*c = (struct code){0};
}
