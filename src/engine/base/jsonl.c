/* SPDX-License-Identifier: BSD-3-Clause */
/* jsonl.c - whole lines, in one write each. */
#include "engine/base/jsonl.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

int npf_jsonl_open(const char *path, int mode)
{
	npf_autofd int fd = open(path,
		O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, (mode_t)mode);
	struct stat st;

	/* ENXIO: a pipe without a reader, or a socket. */
	if (fd < 0)
		return errno == ENXIO ? -ENOTSUP : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? npf_steal_fd(&fd) : -ENOTSUP;
}

int npf_jsonl_append(int fd, const char *line)
{
	struct iovec iov[2] = {{npf_unconst(line), strlen(line)}, {npf_unconst("\n"), 1}};
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	n = writev(fd, iov, 2);
	if (n < 0)
		return -errno;
	if ((size_t)n == iov[0].iov_len + 1)
		return 0;
	/* Half a line that can't be removed is better than the same line twice. */
	return n == 0 || ftruncate(fd, st.st_size) == 0 ? -ENOSPC : 0;
}
