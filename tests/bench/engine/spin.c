/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spin.c - how punctual this machine lets anybody be: spin N DISTANCE_NS
 *
 * A loop that does nothing but wait for N moments, DISTANCE_NS apart on an absolute schedule, and
 * notes how late it was for each. A sender's errors can't be smaller. Prints p50, p99 and the
 * greatest error in ns.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	size_t n = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	uint64_t distance = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	uint64_t *late = n > 0 ? calloc(n, sizeof(*late)) : NULL;
	uint64_t start;

	if (late == NULL)
		return 2;
	for (size_t i = 0; i < n; i++)
		late[i] = 1; /* touched: no page fault is timed */
	start = now_ns();
	for (size_t i = 0; i < n; i++) {
		uint64_t due = start + i * distance, now;

		do
			now = now_ns();
		while (now < due);
		late[i] = now - due;
	}
	qsort(late, n, sizeof(*late), compare);
	printf("%llu %llu %llu\n", (unsigned long long)late[n / 2],
		(unsigned long long)late[n - 1 - n / 100], (unsigned long long)late[n - 1]);
	free(late);
	return 0;
}
