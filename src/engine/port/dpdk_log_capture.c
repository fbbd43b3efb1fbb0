/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpdk_log_capture.c - a log stream that passes on to standard error and keeps the first line.
 *
 * The stream is made once and never closed: another thread of DPDK may be writing to it at any
 * time.
 */
#include "engine/port/dpdk_log_capture.h"

#include <pthread.h>
#include <rte_log.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char first[160];
static bool whole; /* first[] has a line, and the capture is over */

static ssize_t capture_write(void *cookie, const char *text, size_t n)
{
	size_t used, take;

	(void)cookie;
	pthread_mutex_lock(&lock);
	used = strlen(first);
	take = NPF_MIN(n, strcspn(text, "\n"));
	if (!whole && used < sizeof(first))
		snprintf(first + used, sizeof(first) - used, "%.*s", (int)take, text);
	whole |= take < n;
	pthread_mutex_unlock(&lock);
	return fwrite(text, 1, n, stderr) == n ? (ssize_t)n : -1;
}

void npf_dpdk_log_capture_begin(void)
{
	static FILE *stream;

	pthread_mutex_lock(&lock);
	first[0] = '\0';
	whole = false;
	pthread_mutex_unlock(&lock);
	if (stream == NULL) {
		stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = capture_write});
		if (stream == NULL)
			return;
		setvbuf(stream, NULL, _IOLBF, 0);
	}
	rte_openlog_stream(stream);
}

const char *npf_dpdk_log_capture_end(void)
{
	rte_openlog_stream(NULL);
	pthread_mutex_lock(&lock);
	whole = true;
	pthread_mutex_unlock(&lock);
	return first;
}
