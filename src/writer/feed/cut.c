/* SPDX-License-Identifier: BSD-3-Clause */
/* cut.c - the slow half of the limits: run at most twice a file, and for records that end one. */
#include "writer/feed/cut.h"

/* The smaller of two limits of which 0 means none. */
static uint64_t tighter(uint64_t limit, uint64_t n)
{
	return limit == 0 ? n : NPF_MIN(limit, n);
}

/* Bytes that all files may still take. */
static uint64_t total_room(const struct npf_dump_cut *c)
{
	if (c->limits.max_size == 0)
		return UINT64_MAX;
	return c->limits.max_size - NPF_MIN(c->total_bytes, c->limits.max_size);
}

int npf_dump_cut_init(struct npf_dump_cut *c, const struct npf_dump_limits *limits, uint32_t head,
	uint32_t trailer, const struct npf_dump_zone *zone)
{
	uint64_t least = (uint64_t)head + trailer;

	if ((limits->file_size != 0 && limits->file_size < least) ||
		(limits->max_size != 0 && limits->max_size < least))
		return -EINVAL;
	*c = (struct npf_dump_cut){
		.limits = *limits,
		.head = head,
		.trailer = trailer,
		.zone = zone,
	};
	return 0;
}

enum npf_dump_step npf_dump_cut_next(const struct npf_dump_cut *c, uint64_t size, uint64_t ts_ns)
{
	uint64_t alone = c->head + size + c->trailer;

	if (npf_dump_cut_is_over(c))
		return NPF_CUT_END;
	if (npf_dump_cut_fits(c, size, ts_ns))
		return NPF_CUT_PUT;
	/* Before a good file is closed for it in vain. */
	if (c->limits.file_size != 0 && alone > c->limits.file_size)
		return NPF_CUT_SKIP;
	if (c->open) {
		/* Would it fit without the limit on all files? */
		if (size > c->room && c->bytes + size + c->trailer > total_room(c))
			return NPF_CUT_END;
		return NPF_CUT_CLOSE;
	}
	return alone > total_room(c) ? NPF_CUT_END : NPF_CUT_OPEN;
}

void npf_dump_cut_open(struct npf_dump_cut *c, uint64_t ts_ns)
{
	uint64_t every = c->limits.file_time_ns;

	c->open = true;
	c->bytes = c->head;
	c->packets = 0;
	c->room = tighter(c->limits.file_size, total_room(c)) - c->head - c->trailer;
	c->left = UINT64_MAX;
	if (c->limits.max_packets != 0)
		c->left = c->limits.max_packets - c->total_packets;
	c->left = tighter(c->limits.file_packets, c->left);
	c->from_ns = 0;
	c->last_ns = UINT64_MAX;
	if (every != 0) {
		uint64_t start;

		npf_dump_zone_interval(c->zone, ts_ns, every, &start, &c->last_ns);
		/* Stamps are not quite in order, so what is a little older goes in, too; only a
		 * clock that was set back makes a new file. */
		c->from_ns = start - NPF_MIN(every, start);
	}
}

void npf_dump_cut_close(struct npf_dump_cut *c)
{
	if (!c->open)
		return;
	c->open = false;
	c->total_bytes += c->bytes + c->trailer;
	c->total_packets += c->packets;
	c->bytes = c->packets = 0;
	c->room = c->left = 0;
	c->from_ns = c->last_ns = 0;
}
