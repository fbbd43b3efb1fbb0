/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * savefile.h - all packets of a savefile in memory, for replay at any rate.
 */
#ifndef NPF_ENGINE_GEN_SAVEFILE_H
#define NPF_ENGINE_GEN_SAVEFILE_H

#include "base/base.h"

struct npf_saved {
	uint64_t off;   /* of its bytes in data */
	uint64_t ts_ns; /* as in the file, since the Unix epoch */
	uint32_t len;   /* bytes that the file holds of it */
};

struct npf_savefile {
	uint8_t *data;
	struct npf_saved *packets;
	size_t n_packets;
	uint64_t bytes;   /* of all packets */
	uint32_t max_len; /* longest packet */
	size_t n_cut;     /* packets of which the file holds only the beginning: sent as they are */
	size_t n_skipped; /* packets too short or too long to send: left out */
};

#define NPF_SAVEFILE_ERR 320 /* PCAP_ERRBUF_SIZE and a file name */

/*
 * npf_savefile_load - read a pcap or pcapng file of Ethernet packets.
 * @limit: stop after so many packets; 0 = all
 * Return: 0; -EINVAL: no such savefile, or not of Ethernet; -ENODATA: no packet in it; -ENOMEM;
 *         with a text in err (NPF_SAVEFILE_ERR bytes). A file cut off in a packet counts up to
 *         there.
 */
int npf_savefile_load(const char *path, size_t limit, struct npf_savefile **sp, char *err);
struct npf_savefile *npf_savefile_free(struct npf_savefile *s);

/* Does the file begin like a pcap or pcapng savefile? */
bool npf_savefile_is(const char *path);

#endif
