/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * format.c - the bytes before the first record of a file and after the last one.
 *
 * pcapng: one section of unknown length (so that a file cut short stays readable), one
 * interface in nanoseconds, at the end one statistics block. See the IETF's
 * draft-ietf-opsawg-pcapng.
 */
#include "writer/feed/format.h"

#include <stdio.h>

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du

#define BLOCK_SECTION    0x0a0d0d0au
#define BLOCK_INTERFACE  1u
#define BLOCK_STATISTICS 5u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

#define OPT_END          0
#define OPT_COMMENT      1
#define SHB_USERAPPL     4
#define IF_NAME          2
#define IF_DESCRIPTION   3
#define IF_TSRESOL       9
#define IF_FILTER        11
#define ISB_STARTTIME    2
#define ISB_ENDTIME      3
#define ISB_IFRECV       4
#define ISB_IFDROP       5
#define ISB_FILTERACCEPT 6
#define ISB_OSDROP       7
#define ISB_USRDELIV     8

/* Longest text that goes into an option; its length has 16 bits. */
#define TEXT_MAX 0xff00u

const char *const npf_writer_format_names[NPF_WRITER_N_FORMATS] = {
	[NPF_WRITER_PCAP] = "pcap",
	[NPF_WRITER_PCAP_NS] = "pcap-ns",
	[NPF_WRITER_PCAPNG] = "pcapng",
};

/* Bytes being put one after the other into a buffer that is large enough. */
struct out {
	uint8_t *start, *at;
};

static void put(struct out *o, const void *bytes, size_t n)
{
	memcpy(o->at, bytes, n);
	o->at += n;
}

static void put_u16(struct out *o, uint16_t v)
{
	put(o, &v, sizeof(v));
}

static void put_u32(struct out *o, uint32_t v)
{
	put(o, &v, sizeof(v));
}

static void put_option(struct out *o, uint16_t code, const void *value, size_t len)
{
	static const uint8_t zero[4];

	put_u16(o, code);
	put_u16(o, (uint16_t)len);
	put(o, value, len);
	put(o, zero, -len & 3);
}

static void put_text(struct out *o, uint16_t code, const char *text)
{
	if (text != NULL && text[0] != '\0')
		put_option(o, code, text, NPF_MIN(strlen(text), (size_t)TEXT_MAX));
}

/* A block has its length twice: in front, where end_block() fills it in, and at the end. */
static uint8_t *begin_block(struct out *o, uint32_t type)
{
	uint8_t *block = o->at;

	put_u32(o, type);
	put_u32(o, 0);
	return block;
}

static void end_block(struct out *o, uint8_t *block)
{
	uint32_t len;

	put_option(o, OPT_END, "", 0);
	len = (uint32_t)(o->at - block) + 4;
	memcpy(block + 4, &len, sizeof(len));
	put_u32(o, len);
}

static size_t text_room(const char *text)
{
	return text != NULL ? NPF_MIN(strlen(text), (size_t)TEXT_MAX) + 8 : 0;
}

static void put_pcapng_head(struct out *o, const struct npf_writer_header *h)
{
	static const uint8_t nanoseconds = 9;
	/* if_filter: a byte that says "text", then the text */
	size_t filter_len = h->filter != NULL ? strlen(h->filter) : 0;
	uint8_t *block = begin_block(o, BLOCK_SECTION);

	put_u32(o, BYTE_ORDER_MAGIC);
	put_u16(o, 1); /* version 1.0 */
	put_u16(o, 0);
	put_u32(o, UINT32_MAX); /* length of the section: unknown */
	put_u32(o, UINT32_MAX);
	put_text(o, OPT_COMMENT, h->comment);
	put_text(o, SHB_USERAPPL, "npf-dpdk " NPF_VERSION);
	end_block(o, block);

	block = begin_block(o, BLOCK_INTERFACE);
	put_u16(o, (uint16_t)h->linktype);
	put_u16(o, 0);
	put_u32(o, h->snaplen);
	put_text(o, IF_NAME, h->if_name);
	put_text(o, IF_DESCRIPTION, h->if_description);
	put_option(o, IF_TSRESOL, &nanoseconds, 1);
	/* A part of an expression is another expression: one too long for an option is left out. */
	if (filter_len > 0 && filter_len < TEXT_MAX) {
		uint8_t *at = o->at;

		put_option(o, IF_FILTER, "", 0);
		put(o, "", 1);
		put(o, h->filter, filter_len);
		memset(o->at, 0, 3);
		o->at += -(filter_len + 1) & 3;
		at[2] = (uint8_t)((filter_len + 1) & 0xff);
		at[3] = (uint8_t)((filter_len + 1) >> 8);
	}
	end_block(o, block);
}

static void put_pcap_head(struct out *o, const struct npf_writer_header *h)
{
	put_u32(o, h->format == NPF_WRITER_PCAP ? MAGIC_US : MAGIC_NS);
	put_u16(o, 2); /* version 2.4 */
	put_u16(o, 4);
	put_u32(o, 0); /* UTC */
	put_u32(o, 0);
	put_u32(o, h->snaplen);
	put_u32(o, h->linktype);
}

int npf_writer_encode_header(const struct npf_writer_header *head, void **bufp)
{
	struct out o;

	o.start = o.at = malloc(512 + text_room(head->if_name) + text_room(head->if_description) +
				text_room(head->filter) + text_room(head->comment));
	if (o.start == NULL)
		return -ENOMEM;
	if (head->format == NPF_WRITER_PCAPNG)
		put_pcapng_head(&o, head);
	else
		put_pcap_head(&o, head);
	*bufp = o.start;
	return (int)(o.at - o.start);
}

uint32_t npf_writer_trailer_size(enum npf_writer_format format)
{
	return format == NPF_WRITER_PCAPNG ? NPF_WRITER_TRAILER : 0;
}

uint32_t npf_writer_encode_trailer(
	enum npf_writer_format format, uint8_t *dst, const struct npf_writer_file_stats *stats)
{
	struct out o = {dst, dst};
	uint32_t stamps[3][2] = {
		{(uint32_t)(stats->last_ns >> 32), (uint32_t)stats->last_ns},
		{(uint32_t)(stats->first_ns >> 32), (uint32_t)stats->first_ns},
	};
	uint8_t *block;

	if (format != NPF_WRITER_PCAPNG)
		return 0;
	block = begin_block(&o, BLOCK_STATISTICS);
	put_u32(&o, 0);
	put(&o, stamps[0], 8);
	put_option(&o, ISB_STARTTIME, stamps[1], 8);
	put_option(&o, ISB_ENDTIME, stamps[0], 8);
	put_option(&o, ISB_IFRECV, &stats->received, 8);
	put_option(&o, ISB_IFDROP, &stats->missed, 8);
	put_option(&o, ISB_FILTERACCEPT, &stats->accepted, 8);
	put_option(&o, ISB_OSDROP, &stats->dropped, 8);
	put_option(&o, ISB_USRDELIV, &stats->delivered, 8);
	end_block(&o, block);
	return (uint32_t)(o.at - dst);
}
