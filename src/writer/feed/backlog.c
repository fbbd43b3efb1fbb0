/* SPDX-License-Identifier: BSD-3-Clause */
/* backlog.c - follows records by their lengths, which count only if they lead to the end exactly.
 */
#include "writer/feed/backlog.h"

#include "ringbuf/ring.h"

#include <string.h>

/* Bytes of the pcap record that has this header, if it can be one of a packet with bytes; 0: it is
 * not one. */
static uint32_t pcap_record(const struct npf_writer_backlog *l, const uint32_t hdr[7])
{
	uint64_t unit = l->format == NPF_WRITER_PCAP ? NPF_NS_PER_US : 1;
	bool good = hdr[1] * unit < NPF_NS_PER_S && hdr[2] > 0 && hdr[2] <= NPF_REC_MAXCAP &&
		    hdr[3] >= hdr[2];

	return good ? NPF_WRITER_PCAP_RECORD + hdr[2] : 0;
}

static uint32_t pcapng_record(const uint32_t hdr[7])
{
	bool good = hdr[0] == 6 && hdr[5] > 0 && hdr[5] <= NPF_REC_MAXCAP && hdr[6] >= hdr[5] &&
		    (hdr[1] == npf_writer_record_size(NPF_WRITER_PCAPNG, hdr[5], false) ||
			    hdr[1] == npf_writer_record_size(NPF_WRITER_PCAPNG, hdr[5], true));

	return good ? hdr[1] : 0;
}

/* Can there be a record? Return: its bytes; 0: no. */
static uint32_t record_at(const struct npf_writer_backlog *l, uint64_t pos, uint64_t end)
{
	const bool ng = l->format == NPF_WRITER_PCAPNG;
	uint32_t hdr[7] = {0}, size;
	size_t n = ng ? NPF_WRITER_PCAPNG_RECORD : NPF_WRITER_PCAP_RECORD;

	if (end - pos <= n)
		return 0;
	memcpy(hdr, npf_writer_ring_at(l->ring, pos), n);
	size = ng ? pcapng_record(hdr) : pcap_record(l, hdr);
	return size <= end - pos ? size : 0;
}

/* Number of records from pos to the end; -1: they do not end there. */
static int64_t walk(const struct npf_writer_backlog *l, uint64_t pos, uint64_t end)
{
	int64_t n = 0;

	for (; pos < end; n++) {
		uint32_t size = record_at(l, pos, end);

		if (size == 0)
			return -1;
		pos += size;
	}
	return n;
}

static uint64_t left_of_file(const struct npf_writer_backlog *l, const struct npf_writer_file *f)
{
	uint64_t start = f->start + l->head, end = f->end - l->trailer;
	uint64_t from = NPF_MAX(start, l->at);

	if (f->end < f->start + l->head + l->trailer || from >= end)
		return 0;
	for (uint64_t pos = from; pos < end; pos++) {
		int64_t n = walk(l, pos, end);

		if (n > 0)
			return (uint64_t)n + (pos > from);
	}
	return 1; /* the rest of one record */
}

uint64_t npf_writer_backlog_count(const struct npf_writer_backlog *l)
{
	const struct npf_writer_ring *r = l->ring;
	uint64_t n = atomic_load_explicit(&r->n_done, memory_order_relaxed), left = 0;
	/* D3: acquire. */
	uint64_t ended = atomic_load_explicit(&r->n_ended, memory_order_acquire);

	for (; n < ended; n++)
		left += left_of_file(l, &r->files[n % NPF_WRITER_FILES]);
	return left;
}
