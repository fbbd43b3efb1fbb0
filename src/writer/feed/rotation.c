/* SPDX-License-Identifier: BSD-3-Clause */
/* rotation.c - the slow path: runs for the first record of a file and for the one that ends it.
 */
#include "writer/feed/rotation.h"

/* The smaller of two limits of which 0 means none. */
static uint64_t tighter(uint64_t limit, uint64_t n)
{
	return limit == 0 ? n : NPF_MIN(limit, n);
}

/* Bytes that all files may still take. */
static uint64_t total_room(const struct npf_writer_rotation *r)
{
	if (r->limits.max_size == 0)
		return UINT64_MAX;
	return r->limits.max_size - NPF_MIN(r->total_bytes, r->limits.max_size);
}

int npf_writer_rotation_init(struct npf_writer_rotation *r, const struct npf_writer_limits *limits,
	uint32_t head, uint32_t trailer, const struct npf_writer_timezone *tz)
{
	uint64_t least = (uint64_t)head + trailer;

	if ((limits->file_size != 0 && limits->file_size < least) ||
		(limits->max_size != 0 && limits->max_size < least))
		return -EINVAL;
	*r = (struct npf_writer_rotation){
		.limits = *limits,
		.head = head,
		.trailer = trailer,
		.timezone = tz,
	};
	return 0;
}

enum npf_writer_rotation_step npf_writer_rotation_next(
	const struct npf_writer_rotation *r, uint64_t size, uint64_t ts_ns)
{
	uint64_t alone = r->head + size + r->trailer;

	if (npf_writer_rotation_is_over(r))
		return NPF_ROTATION_END;
	if (npf_writer_rotation_fits(r, size, ts_ns))
		return NPF_ROTATION_PUT;
	/* First, so that no file is closed in vain for such a record. */
	if (r->limits.file_size != 0 && alone > r->limits.file_size)
		return NPF_ROTATION_SKIP;
	if (r->open) {
		/* Would it fit without the limit on all files? */
		if (size > r->room && r->bytes + size + r->trailer > total_room(r))
			return NPF_ROTATION_END;
		return NPF_ROTATION_CLOSE;
	}
	return alone > total_room(r) ? NPF_ROTATION_END : NPF_ROTATION_OPEN;
}

void npf_writer_rotation_open(struct npf_writer_rotation *r, uint64_t ts_ns)
{
	uint64_t every = r->limits.file_time_ns;

	r->open = true;
	r->bytes = r->head;
	r->packets = 0;
	r->room = tighter(r->limits.file_size, total_room(r)) - r->head - r->trailer;
	r->left = UINT64_MAX;
	if (r->limits.max_packets != 0)
		r->left = r->limits.max_packets - r->total_packets;
	r->left = tighter(r->limits.file_packets, r->left);
	r->from_ns = 0;
	r->last_ns = UINT64_MAX;
	if (every != 0) {
		uint64_t start;

		npf_writer_timezone_interval(r->timezone, ts_ns, every, &start, &r->last_ns);
		/* Stamps are not quite in order: a record of the interval before goes in, too. Only
		 * a clock that was set back makes a new file. */
		r->from_ns = start - NPF_MIN(every, start);
	}
}

void npf_writer_rotation_close(struct npf_writer_rotation *r)
{
	if (!r->open)
		return;
	r->open = false;
	r->total_bytes += r->bytes + r->trailer;
	r->total_packets += r->packets;
	r->bytes = r->packets = 0;
	r->room = r->left = 0;
	r->from_ns = r->last_ns = 0;
}
