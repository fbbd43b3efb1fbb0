/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rotation.h - where one file ends and the next begins: limits in bytes, packets and time.
 *
 * All limits are exact: a record is put only where it fits, and the file's header and trailer
 * count. Files end by the packets' time stamps, at multiples of the interval in local time: with an
 * interval of 60 s files begin at full minutes, with one of a day at midnight of the packets'
 * dates.
 *
 * A file that was opened for a record takes this record, whatever its stamp.
 *
 * Pure arithmetic: touches no memory but the struct.
 */
#ifndef NPF_WRITER_FEED_ROTATION_H
#define NPF_WRITER_FEED_ROTATION_H

#include "writer/feed/params.h"
#include "writer/feed/timezone.h"

struct npf_writer_rotation {
	/* what the open file may still take; all 0 when none is open, so that nothing fits */
	uint64_t room;             /* bytes of records */
	uint64_t left;             /* packets */
	uint64_t from_ns, last_ns; /* stamps, both included */

	struct npf_writer_limits limits;
	uint32_t head, trailer;                     /* bytes of each file around the records */
	const struct npf_writer_timezone *timezone; /* NULL: UTC */
	bool open;
	uint64_t bytes, packets;             /* of the open file, trailer not counted */
	uint64_t total_bytes, total_packets; /* of the files before it */
};

/* What to do before a record can be put. */
enum npf_writer_rotation_step {
	NPF_ROTATION_PUT,   /* nothing */
	NPF_ROTATION_OPEN,  /* a file must be opened */
	NPF_ROTATION_CLOSE, /* the open file must be closed */
	NPF_ROTATION_SKIP,  /* it is larger than any file may be */
	NPF_ROTATION_END,   /* the dump has reached its limit */
};

/* Does a record of this size and stamp go into the open file? */
static inline bool npf_writer_rotation_fits(
	const struct npf_writer_rotation *r, uint64_t size, uint64_t ts_ns)
{
	return size <= r->room && r->left > 0 && ts_ns <= r->last_ns && ts_ns >= r->from_ns;
}

/* Count a record that was put into the open file. */
static inline void npf_writer_rotation_put(struct npf_writer_rotation *r, uint64_t size)
{
	r->room -= size;
	r->left--;
	r->bytes += size;
	r->packets++;
}

/*
 * npf_writer_rotation_init - no file is open yet.
 * @tz: of the intervals; NULL: UTC. Lifetime: the rotation's
 * Return: 0, or -EINVAL: not even an empty file fits the limits.
 */
int npf_writer_rotation_init(struct npf_writer_rotation *r, const struct npf_writer_limits *limits,
	uint32_t head, uint32_t trailer, const struct npf_writer_timezone *tz);

/* The next step for a record of this size and stamp; to be repeated until it is
 * NPF_ROTATION_PUT. */
enum npf_writer_rotation_step npf_writer_rotation_next(
	const struct npf_writer_rotation *r, uint64_t size, uint64_t ts_ns);

void npf_writer_rotation_open(struct npf_writer_rotation *r, uint64_t ts_ns);
void npf_writer_rotation_close(struct npf_writer_rotation *r);

/* Has the open file taken its last packet? Then it can be closed at once. */
static inline bool npf_writer_rotation_is_full(const struct npf_writer_rotation *r)
{
	return r->open && r->left == 0;
}

/* Has the dump taken its last packet? */
static inline bool npf_writer_rotation_is_over(const struct npf_writer_rotation *r)
{
	return r->limits.max_packets != 0 && r->total_packets + r->packets >= r->limits.max_packets;
}

#endif
