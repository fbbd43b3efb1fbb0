/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * savefile.c - load a savefile through libpcap.
 *
 * The packets lie back to back in one block, so that a replay reads memory in order. Time stamps
 * are in nanoseconds; libpcap scales those of microsecond files.
 *
 * No packet of a damaged file is loaded: those before the damage are rarely what the user wants to
 * send, and the replay would not show that packets are missing.
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
	bool full = f != NULL && fread(head, sizeof(head), 1, f) == 1;

	if (f != NULL)
		fclose(f);
	for (size_t i = 0; full && i < NPF_ARRAY_LEN(magics); i++) {
		if (memcmp(head, magics[i], sizeof(head)) == 0)
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
		size_t more = room->packets > 0 ? room->packets * 2 : 1024;
		void *p = reallocarray(s->packets, more, sizeof(*s->packets));

		if (p == NULL)
			return -ENOMEM;
		s->packets = p;
		room->packets = more;
	}
	if (room->data - s->bytes < h->caplen) {
		size_t more = room->data * 2 + h->caplen + ROOM;
		void *p = realloc(s->data, more);

		if (p == NULL)
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

/* Where the file is damaged, and how to save what stands before that. */
static int set_damage(const char *path, size_t n, long at, const char *why, struct npf_error *err)
{
	char place[32] = "";

	if (at >= 0)
		snprintf(place, sizeof(place), ", byte %ld", at);
	if (n == 0)
		return npf_error_set(
			err, -EINVAL, "%.60s: damaged at packet 1%s: %.120s", path, place, why);
	return npf_error_set(err, -EINVAL,
		"%.60s: damaged at packet %zu%s: %.80s (tcpdump -r FILE -c %zu -w GOOD saves what "
		"is before)",
		path, n + 1, place, why, n);
}

static int read_all(pcap_t *p, const char *path, struct npf_savefile *s,
	const struct npf_savefile_want *want, struct npf_error *err)
{
	FILE *f = pcap_file(p); /* ftell() fails on a pipe */
	long at = ftell(f);
	struct room room = {0};
	struct pcap_pkthdr *h;
	const uint8_t *bytes;
	int got = 1;

	while ((want->limit == 0 || s->n_packets < want->limit) &&
		(got = pcap_next_ex(p, &h, &bytes)) == 1) {
		if (append(s, &room, want, h, bytes) < 0)
			return -ENOMEM;
		at = ftell(f);
	}
	if (s->n_packets > 0)
		s->span_ns = s->packets[s->n_packets - 1].at_ns;
	if (s->n_packets > 1)
		s->span_ns += s->span_ns / (s->n_packets - 1);
	if (got != PCAP_ERROR)
		return 0;
	return set_damage(path, s->n_packets + s->n_skipped, at, pcap_geterr(p), err);
}

size_t npf_savefile_keep(struct npf_savefile *s,
	bool (*fits)(const void *arg, const void *frame, uint32_t len), const void *arg)
{
	size_t n = 0, left_out;
	uint64_t bytes = 0;
	uint32_t max_len = 0;

	for (size_t i = 0; i < s->n_packets; i++) {
		struct npf_saved k = s->packets[i];

		if (!fits(arg, s->data + k.off, k.len))
			continue;
		memmove(s->data + bytes, s->data + k.off, k.len);
		k.off = bytes;
		bytes += k.len;
		max_len = NPF_MAX(max_len, k.len);
		s->packets[n++] = k;
	}
	left_out = s->n_packets - n;
	s->n_packets = n;
	s->n_skipped += left_out;
	s->bytes = bytes;
	s->max_len = max_len;
	return left_out;
}

int npf_savefile_load(const char *path, const struct npf_savefile_want *want,
	struct npf_savefile **sp, struct npf_error *err)
{
	static const struct npf_savefile_want all = {.max_len = UINT32_MAX};
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
	struct npf_savefile *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (p == NULL) {
		free(s);
		/* libpcap names the file only when it can't be opened. */
		if (strncmp(why, path, strlen(path)) == 0)
			return npf_error_set(err, -EINVAL, "%s", why);
		return npf_error_set(err, -EINVAL, "%.60s: %s", path, why);
	}
	if (pcap_datalink(p) != DLT_EN10MB) {
		rc = npf_error_set(err, -EINVAL, "%.150s: its packets are %s, not Ethernet", path,
			pcap_datalink_val_to_description_or_dlt(pcap_datalink(p)));
	}
	if (rc == 0)
		rc = s != NULL ? read_all(p, path, s, want != NULL ? want : &all, err) : -ENOMEM;
	pcap_close(p);
	if (rc == -ENOMEM)
		npf_error_set(err, rc, "%.150s does not fit the memory", path);
	if (rc == 0 && s->n_packets == 0)
		rc = npf_error_set(err, -ENODATA, "%.150s: no packet that can be sent", path);
	if (rc < 0) {
		npf_savefile_free(s);
		return rc;
	}
	*sp = s;
	return 0;
}

struct npf_savefile *npf_savefile_free(struct npf_savefile *s)
{
	if (s != NULL) {
		free(s->data);
		free(s->packets);
		free(s);
	}
	return NULL;
}
