/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * savefile.c - load a savefile through libpcap.
 *
 * The packets lie back to back in one block, so that a replay reads memory in order. Time stamps
 * are asked for in nanoseconds; libpcap scales those of microsecond files.
 */
#include "replay/replay.h"

#include "base/clock.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

bool npf_savefile_is(const char *path)
{
	static const uint8_t magics[][4] = {
		{0xd4, 0xc3, 0xb2, 0xa1},
		{0xa1, 0xb2, 0xc3, 0xd4},
		{0x4d, 0x3c, 0xb2, 0xa1},
		{0xa1, 0xb2, 0x3c, 0x4d},
		{0x0a, 0x0d, 0x0d, 0x0a},
	};
	uint8_t head[4];
	FILE *f = fopen(path, "rb");
	bool full = f && fread(head, sizeof(head), 1, f) == 1;

	if (f)
		fclose(f);
	for (size_t i = 0; full && i < NPF_ARRAY_LEN(magics); i++) {
		if (!memcmp(head, magics[i], sizeof(head)))
			return true;
	}
	return false;
}

#define ROOM 65536 /* least bytes to grow by */

struct room {
	uint64_t first_ns; /* stamp of the first packet */
	size_t data;       /* bytes allocated */
	size_t packets;    /* entries allocated */
};

static int append(struct npf_savefile *s, struct room *room, const struct npf_savefile_want *want,
	const struct pcap_pkthdr *h, const uint8_t *bytes)
{
	uint64_t ns = (uint64_t)h->ts.tv_sec * NPF_NS_PER_S + (uint64_t)h->ts.tv_usec;
	uint64_t last;

	if (h->caplen < want->min_len || h->caplen > want->max_len) {
		s->n_skipped++;
		return 0;
	}
	if (s->n_packets == room->packets) {
		size_t more = room->packets ? room->packets * 2 : 1024;
		void *p = reallocarray(s->packets, more, sizeof(*s->packets));

		if (!p)
			return -ENOMEM;
		s->packets = p;
		room->packets = more;
	}
	if (room->data - s->bytes < h->caplen) {
		size_t more = room->data * 2 + h->caplen + ROOM;
		void *p = realloc(s->data, more);

		if (!p)
			return -ENOMEM;
		s->data = p;
		room->data = more;
	}
	memcpy(s->data + s->bytes, bytes, h->caplen);
	if (s->n_packets == 0)
		room->first_ns = ns;
	last = s->n_packets > 0 ? s->packets[s->n_packets - 1].at_ns : 0;
	s->packets[s->n_packets++] = (struct npf_saved){
		.off = s->bytes,
		.at_ns = ns > room->first_ns ? NPF_MAX(ns - room->first_ns, last) : last,
		.len = h->caplen,
	};
	s->bytes += h->caplen;
	s->max_len = NPF_MAX(s->max_len, h->caplen);
	if (h->caplen < h->len)
		s->n_cut++;
	return 0;
}

static int read_all(pcap_t *p, const char *path, struct npf_savefile *s,
	const struct npf_savefile_want *want, char *err)
{
	struct room room = {0};
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int got = 1;

	while ((want->limit == 0 || s->n_packets < want->limit) &&
		(got = pcap_next_ex(p, &h, &bytes)) == 1)
		if (append(s, &room, want, h, bytes) < 0)
			return -ENOMEM;
	if (s->n_packets > 0)
		s->span_ns = s->packets[s->n_packets - 1].at_ns;
	if (s->n_packets > 1)
		s->span_ns += s->span_ns / (s->n_packets - 1);
	if (got != PCAP_ERROR || !want->whole)
		return 0;
	snprintf(err, NPF_SAVEFILE_ERR, "%.60s: %s", path, pcap_geterr(p));
	return -EINVAL;
}

int npf_savefile_load(
	const char *path, const struct npf_savefile_want *want, struct npf_savefile **sp, char *err)
{
	static const struct npf_savefile_want all = {.max_len = UINT32_MAX, .whole = true};
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	struct npf_savefile *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (!p) {
		/* libpcap names the file only when it can't be opened. */
		snprintf(err, NPF_SAVEFILE_ERR,
			strncmp(why, path, strlen(path)) ? "%.60s: %s" : "%.0s%s", path, why);
		free(s);
		return -EINVAL;
	}
	if (pcap_datalink(p) != DLT_EN10MB) {
		snprintf(err, NPF_SAVEFILE_ERR, "%.150s: its packets are %s, not Ethernet", path,
			pcap_datalink_val_to_description_or_dlt(pcap_datalink(p)));
		rc = -EINVAL;
	}
	if (!rc)
		rc = s ? read_all(p, path, s, want ? want : &all, err) : -ENOMEM;
	pcap_close(p);
	if (rc == -ENOMEM)
		snprintf(err, NPF_SAVEFILE_ERR, "%.150s does not fit the memory", path);
	if (!rc && !s->n_packets) {
		snprintf(err, NPF_SAVEFILE_ERR, "%.150s: no packet that can be sent", path);
		rc = -ENODATA;
	}
	if (rc) {
		npf_savefile_free(s);
		return rc;
	}
	*sp = s;
	return 0;
}

struct npf_savefile *npf_savefile_free(struct npf_savefile *s)
{
	if (s) {
		free(s->data);
		free(s->packets);
		free(s);
	}
	return NULL;
}
