/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * format.h - savefiles as bytes: pcap with micro- or nanoseconds, and pcapng.
 *
 * All in host byte order, which readers recognise by the magic. A record's header takes a few
 * stores, so that a tap can write records in place, as they will be in the file.
 */
#ifndef NPF_WRITER_FEED_FORMAT_H
#define NPF_WRITER_FEED_FORMAT_H

#include "base/base.h"
#include "base/clock.h"

#include <string.h>

enum npf_writer_format {
	NPF_WRITER_PCAP,    /* microseconds */
	NPF_WRITER_PCAP_NS, /* nanoseconds */
	NPF_WRITER_PCAPNG,  /* nanoseconds, with interface, statistics and comment */
	NPF_WRITER_N_FORMATS,
};

extern const char *const npf_writer_format_names[NPF_WRITER_N_FORMATS];

/* The contents of a file's header. Strings may be NULL: left out. */
struct npf_writer_header {
	enum npf_writer_format format;
	uint32_t linktype; /* LINKTYPE_* of the file formats, which is not always libpcap's DLT_*
			    */
	uint32_t snaplen;
	const char *if_name;
	const char *if_description;
	const char *filter; /* the expression */
	const char *comment;
};

/* The statistics of one file, for the block at the end of a pcapng file and for the index. */
struct npf_writer_file_stats {
	uint64_t first_ns, last_ns;
	uint64_t received;  /* packets that the tap handled */
	uint64_t missed;    /* lost by the port */
	uint64_t accepted;  /* passed the filter */
	uint64_t dropped;   /* accepted, and lost between tap and disk */
	uint64_t delivered; /* in the file */
};

#define NPF_WRITER_PCAP_RECORD   16u /* bytes before a packet's data */
#define NPF_WRITER_PCAPNG_RECORD 28u
#define NPF_WRITER_PCAPNG_FLAGS  12u  /* epb_flags and the end of options */
#define NPF_WRITER_TRAILER       112u /* the statistics block */

/*
 * npf_writer_encode_header - the bytes that a file starts with.
 * Return: the number of bytes, or -ENOMEM.
 * Owns:   *bufp is the caller's to free().
 */
int npf_writer_encode_header(const struct npf_writer_header *head, void **bufp);

/* Bytes of the trailer of a file; 0 but for pcapng. */
uint32_t npf_writer_trailer_size(enum npf_writer_format format);

/* Write the trailer. Return: npf_writer_trailer_size(). */
uint32_t npf_writer_encode_trailer(
	enum npf_writer_format format, uint8_t *dst, const struct npf_writer_file_stats *stats);

/* Bytes of a record. @outbound: the packet was sent; only pcapng has that */
static inline uint32_t npf_writer_record_size(
	enum npf_writer_format format, uint32_t caplen, bool outbound)
{
	if (format != NPF_WRITER_PCAPNG)
		return NPF_WRITER_PCAP_RECORD + caplen;
	return NPF_WRITER_PCAPNG_RECORD + NPF_ALIGN_UP(caplen, 4u) +
	       (outbound ? NPF_WRITER_PCAPNG_FLAGS : 0) + 4;
}

/*
 * npf_writer_encode_record - write a record without the packet's bytes.
 * @dst: npf_writer_record_size() bytes
 * Return: the place of the packet's caplen bytes.
 */
static inline uint8_t *npf_writer_encode_record(enum npf_writer_format format, uint8_t *dst,
	uint64_t ts_ns, uint32_t caplen, uint32_t len, bool outbound)
{
	if (format != NPF_WRITER_PCAPNG) {
		uint32_t s = (uint32_t)(ts_ns / NPF_NS_PER_S);
		uint32_t ns = (uint32_t)(ts_ns - s * NPF_NS_PER_S);
		uint32_t hdr[4] = {s, format == NPF_WRITER_PCAP ? ns / (uint32_t)NPF_NS_PER_US : ns,
			caplen, len};

		memcpy(dst, hdr, sizeof(hdr));
		return dst + sizeof(hdr);
	} else {
		uint32_t size = npf_writer_record_size(format, caplen, outbound);
		uint32_t padded = NPF_ALIGN_UP(caplen, 4u);
		/* Enhanced packet block, interface 0. */
		uint32_t hdr[7] = {
			6, size, 0, (uint32_t)(ts_ns >> 32), (uint32_t)ts_ns, caplen, len};
		uint32_t end[4] = {2u | 4u << 16, 2 /* outbound */, 0, size};
		uint8_t *data = dst + sizeof(hdr), *at = data + padded;

		memcpy(dst, hdr, sizeof(hdr));
		if (padded > caplen)
			memset(data + padded - 4, 0, 4); /* the packet's own bytes come after */
		if (outbound)
			memcpy(at, end, sizeof(end));
		else
			memcpy(at, &size, sizeof(size));
		return data;
	}
}

#endif
