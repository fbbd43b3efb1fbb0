/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timezone.h - local time for the tap, which must not call the C library: localtime_r() takes a
 * lock. All changes of the offset from UTC are found once, before the first packet.
 *
 * A table rather than today's offset: a dump runs across changes, and a replay has stamps of any
 * date.
 */
#ifndef NPF_WRITER_FEED_TIMEZONE_H
#define NPF_WRITER_FEED_TIMEZONE_H

#include "base/base.h"

/* An offset that holds until the next span. */
struct npf_writer_timezone_span {
	uint64_t from_ns;  /* since the epoch */
	int64_t offset_ns; /* local time less UTC */
};

struct npf_writer_timezone {
	unsigned int n;                          /* at least 1 */
	struct npf_writer_timezone_span spans[]; /* ascending; the first is from 0 */
};

/*
 * npf_writer_timezone_new - read the time zone of the C library, from 1970 to 2106, where the
 * seconds of a pcap file end. Later stamps get the last offset. Takes some milliseconds.
 * Return: 0 or -ENOMEM.
 */
int npf_writer_timezone_new(struct npf_writer_timezone **zp);
void npf_writer_timezone_free(struct npf_writer_timezone *z); /* NULL is fine */

/*
 * npf_writer_timezone_interval - find the interval of local time that has a stamp.
 * @z: NULL: UTC
 * @startp, @lastp: its first and its last nanosecond: *startp <= ts_ns <= *lastp whatever they are
 *
 * An interval in which the clock is changed is longer or shorter for it: a day of 23 or 25 hours is
 * one day. One that would end with the change ends there.
 *
 * Context: any thread; wait-free, no system call.
 */
void npf_writer_timezone_interval(const struct npf_writer_timezone *z, uint64_t ts_ns,
	uint64_t every_ns, uint64_t *startp, uint64_t *lastp);

#endif
