/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration file: whatever it holds, it is taken or refused with words, and nothing leaks.
 */
#include "engine/config/config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct npf_config *c = NULL;
	struct npf_config_faults faults;
	char path[64];
	int fd, rc;

	if (size > 4096)
		return 0;
	fd = memfd_create("config", MFD_CLOEXEC);
	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		rc = npf_config_load(path, &c, &faults);
		if (rc < 0 && faults.lines[0] == '\0')
			abort(); /* a refusal always says why */
		npf_config_free(c);
	}
	close(fd);
	return 0;
}
