/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace.h - savefiles that are read packet by packet, up to the end of the file or to
 * the first damaged record. Packets are as the file has them; a file may be of any size.
 */
#ifndef NPF_REPLAY_TRACE_H
#define NPF_REPLAY_TRACE_H

#include "base/error.h"

struct npf_trace;

struct npf_trace_packet {
	const uint8_t *data; /* Lifetime: until the next packet is read */
	uint64_t ts_ns;      /* since the epoch */
	uint32_t caplen;     /* bytes at data; 0 is possible */
	uint32_t len;        /* on the wire */
};

/*
 * npf_trace_open - begin to read a pcap or pcapng file of any link type.
 * @spare: -1, or a descriptor of the file, used where the path may not be opened any more
 * Return: 0; -errno of open(2); -EISDIR, -ENOTSUP: not a regular file; -EINVAL: not a savefile;
 *         with a text in err that names the file.
 * Owns:   *tp is the caller's. Its position is shared with the spare descriptor's.
 */
int npf_trace_open(const char *path, int spare, struct npf_trace **tp, struct npf_error *err);
struct npf_trace *npf_trace_close(struct npf_trace *t); /* NULL is fine; returns NULL */

/* DLT_* of libpcap. */
int npf_trace_linktype(const struct npf_trace *t);

/* A new descriptor of the file. Return: that or -errno. */
int npf_trace_dup(const struct npf_trace *t);

/*
 * npf_trace_next - read the next packet.
 * Return: 1; 0: the file has ended; -EBADMSG: it is damaged here, and npf_trace_error() says how.
 *         After 0 and -EBADMSG every call returns the same.
 * Context: one thread at a time; waits for the disk.
 */
int npf_trace_next(struct npf_trace *t, struct npf_trace_packet *p);

/* Packets read so far, and the byte of the file at which the next one begins. */
uint64_t npf_trace_packets(const struct npf_trace *t);
uint64_t npf_trace_offset(const struct npf_trace *t);
/* libpcap's text on the damage; "": none was found. */
const char *npf_trace_error(const struct npf_trace *t);

struct npf_trace_survey {
	int linktype;
	uint64_t n_packets;
	uint64_t n_cut;   /* packets that the file holds only in part */
	uint32_t longest; /* most bytes that the file holds of a packet */
};

/* Reads all of a file. Return: 0; as npf_trace_open() and npf_trace_next() do. */
int npf_trace_survey(const char *path, struct npf_trace_survey *s, struct npf_error *err);

/* LINKTYPE_* of the file formats for a DLT_* of libpcap; not all are the same number. */
uint32_t npf_trace_file_linktype(int dlt);

#endif
