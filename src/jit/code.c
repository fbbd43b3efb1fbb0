/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * code.c - W^X: fresh pages are filled while writable, then made read-only and executable.
 *
 * At no time are they both, in this or another mapping, so it works under SELinux and systemd's
 * MemoryDenyWriteExecute= wherever those allow code to be generated at all; where they don't, the
 * error is reported and the caller falls back to the interpreter.
 */
#include "jit/code.h"

#include <string.h>
#include <sys/mman.h>

int code_map(struct code *c, const void *bytes, size_t n)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t len = NPF_ALIGN_UP(n, page);
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*c = (struct code){0};
	if (at == MAP_FAILED)
		return -errno;
	memcpy(at, bytes, n);
	memset((char *)at + n, 0xcc, len - n);
	if (mprotect(at, len, PROT_READ | PROT_EXEC) < 0) {
		int rc = -errno;

		munmap(at, len);
		return rc;
	}
	*c = (struct code){.at = at, .len = len};
	return 0;
}

void code_unmap(struct code *c)
{
	if (c->at != NULL)
		munmap(c->at, c->len);
	*c = (struct code){0};
}
