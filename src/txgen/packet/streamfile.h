/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * streamfile.h - traffic described in a YAML file instead of on the command line.
 *
 *     rate: 1Mpps
 *     duration: 10s
 *     streams:
 *       - {packet: "udp(dport=53)/size=128", weight: 7}
 *       - {packet: "tcp(flags=S)", size: 64, weight: 1}
 *       - {packet: "trace.pcap#3"}
 */
#ifndef NPF_TXGEN_PACKET_STREAMFILE_H
#define NPF_TXGEN_PACKET_STREAMFILE_H

#include "base/error.h"

struct npf_txgen_stream {
	char *packet;    /* a template or a file, as --packet takes it */
	char *size;      /* or NULL */
	uint32_t weight; /* packets in a row; 0 = 1 */
};

/* Texts are NULL when not given; they mean what the options of the same names do. */
struct npf_txgen_streamfile {
	char *rate;
	char *count;
	char *duration;
	char *size;
	char *train;
	char *gap;
	uint64_t seed;
	struct npf_txgen_stream *streams;
	uint32_t streams_count; /* named as libcyaml wants it */
};

/*
 * npf_txgen_streamfile_load - read and check the file's form; unknown keys are errors.
 * Return: 0, or -errno with a text (where possible with a line number) in err.
 */
int npf_txgen_streamfile_load(
	const char *path, struct npf_txgen_streamfile **fp, struct npf_error *err);
struct npf_txgen_streamfile *npf_txgen_streamfile_free(struct npf_txgen_streamfile *f);

#endif
