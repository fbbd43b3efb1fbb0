/* SPDX-License-Identifier: BSD-3-Clause */
/* savefile.h - the file that a test writes and reads, and the bytes of its packets. */
#ifndef TESTS_UNIT_REPLAY_SAVEFILE_H
#define TESTS_UNIT_REPLAY_SAVEFILE_H

#include <pcap/pcap.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

static char path[] = "/tmp/npf-replay-XXXXXX";
static u_char bytes[300000];

static inline int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	npf_close(fd);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u_char)(i * 7 + i / 256);
	return fd < 0;
}

static inline int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

#endif
