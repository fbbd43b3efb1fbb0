/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * handle.h - our pcap_t, and how it differs from the real library's.
 *
 * A handle of ours starts with the address of a private object. A handle of the real library starts
 * with a pointer to one of its functions. One comparison decides.
 */
#ifndef NPF_API_HANDLE_H
#define NPF_API_HANDLE_H

#include "client/client.h"
#include "api/genuine.h"
#include "npfdp.h"

#include <pcap/pcap.h>
#include <stdatomic.h>
#include <sys/types.h>

#define NPF_SNAPLEN_MAX 262144
#define NPF_MINTOCOPY   16000u  /* as NPF */
#define NPF_USERBUFFER  256000u /* as NPF */
/* ms, when to_ms is 0: libpcap then lets a packet wait until others fill a block, for ever
 * if need be. Nobody wants that. */
#define NPF_TIMEOUT_UNSET 100

/* Bytes of the longest record of MODE_STAT | MODE_DUMP, which no snap length cuts. */
#define NPF_COUNTS_SIZE 24u

extern const char npf_handle_tag;

struct npf_handle {
	const void *tag; /* &npf_handle_tag */
	char *device;
	struct npf_client *client; /* NULL: not activated */

	/* Set before activation. */
	int snaplen;
	int timeout_ms;
	int buffer_size; /* 0: the daemon's default */
	int precision;   /* PCAP_TSTAMP_PRECISION_* */
	int protocol;
	bool promisc;
	bool rfmon;
	bool immediate;
	uint32_t open_flags; /* NPF_WIRE_OPEN_* beyond those */
	uint32_t mintocopy;

	/* At any time. */
	bool nonblock;
	bool selected;        /* the program has the descriptor: keep its state right */
	bool holding;         /* a batch is out: npfdp_next_batch() */
	int mode;             /* MODE_* */
	int dump_fd;          /* readable once the dump is on disk; -1: there is none */
	int64_t dump_offset;  /* bytes of its file, by the daemon's last report */
	pid_t dump_pid;       /* who began it: a forked child does not end it */
	bool timeout_returns; /* a read returns 0 at the timeout */
	bool winpcap;         /* opened by pcap_open(): NPF's meaning of a timeout of 0 */
	uint32_t userbuffer;  /* most bytes that one read delivers */
	unsigned int n_writes;
	_Atomic bool break_loop;   /* the next read ends */
	_Atomic uint32_t n_breaks; /* calls of pcap_breakloop(): a send under way ends */
	struct pcap_samp samp;
	uint64_t samp_n;  /* packets seen since the last one taken */
	uint64_t samp_ns; /* time of the next one to take */

	uint8_t *data;          /* the packet handed out last: the program's to scribble on */
	uint32_t data_size;     /* at least snaplen and NPF_COUNTS_SIZE */
	struct pcap_pkthdr hdr; /* its header, for pcap_next_ex() */
	uint64_t second_ns;     /* start of the second of the last stamp; 0: none */
	time_t second;

	pcap_t *dead; /* the real library's companion: compiles and dumps for us */
	uint64_t delivered;
	char errbuf[PCAP_ERRBUF_SIZE];
	struct pcap_stat_ex stat_ex;
};

/* Our handle behind p, or NULL: the real library's. */
static inline struct npf_handle *npf_handle_of(pcap_t *p)
{
	struct npf_handle *h = (struct npf_handle *)p;

	return h->tag == &npf_handle_tag ? h : NULL;
}

/* Sets the handle's error text; returns PCAP_ERROR. */
int npf_handle_error(struct npf_handle *h, const char *fmt, ...) NPF_PRINTF(2, 3);

/* "Not activated": the text, and PCAP_ERROR_NOT_ACTIVATED. */
int npf_handle_inactive(struct npf_handle *h);

/* The daemon's error as a pcap code, its text on the handle. */
int npf_handle_fail(struct npf_handle *h, int rc, const struct npf_error *err);

/* After a read or a new buffer: set the state of the descriptor, if the program has it. */
void npf_handle_settle(struct npf_handle *h);

/* The handle's read timeout as the daemon gets it, ms; 0: none. */
uint32_t npf_handle_timeout(const struct npf_handle *h);

/* The text that an open call gives for a failed activation, as the real library words it. */
void npf_handle_explain(const char *device, int status, const char *text, char *errbuf);

/* Ends the dump, if there is one, and waits a while for the disk. */
void npf_handle_end_dump(struct npf_handle *h);

/* Bytes of the dump's file so far: the third counter of MODE_STAT | MODE_DUMP. */
int64_t npf_handle_dump_offset(struct npf_handle *h);

/* A handle of ours, not activated; NULL with errbuf filled. */
struct npf_handle *npf_handle_new(const char *device, char *errbuf);

/* Is this name a port of ours? The daemon is queried only where the name leaves it open. */
bool npf_handle_is_port(const char *name);

#endif
