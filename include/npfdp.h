/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * npfdp.h - what libnpfdp offers beyond libpcap.
 *
 * libnpfdp is libpcap: include this header in place of (or after) <pcap.h>, link with -lnpfdp.
 * All of libpcap's functions are there and work on every device; those below work on handles
 * of DPDK ports (npf0, npf1, ...) and fail with PCAP_ERROR or NULL on others, unless said
 * otherwise. Functions that return int return 0 for success, PCAP_ERROR_NOT_ACTIVATED for a handle
 * that is not activated, or PCAP_ERROR with a text for pcap_geterr(). See npfdp(3).
 */
#ifndef NPFDP_H
#define NPFDP_H

#include <pcap/pcap.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#	define NPFDP_API extern __attribute__((visibility("default")))
#else
#	define NPFDP_API extern
#endif

/* Version of libnpfdp, such as "0.1.0". */
NPFDP_API const char *npfdp_version(void);

/* The file of the real libpcap, to which all but DPDK ports is left; NULL when there is none. */
NPFDP_API const char *npfdp_libpcap(void);

/* Is this a handle on a DPDK port? 1 or 0; any handle will do. */
NPFDP_API int npfdp_is_port(pcap_t *p);

/* ---- 64-bit statistics, by cause ---- */

/* All since activation. Later releases may add fields at the end. */
struct npfdp_stats {
	uint64_t received;         /* packets that the port handled, whatever the filter said */
	uint64_t accepted;         /* passed the filter and the direction; see screened */
	uint64_t captured;         /* written to this handle's buffer */
	uint64_t captured_bytes;   /* bytes of those, as cut by snap length and filter */
	uint64_t delivered;        /* handed to the program */
	uint64_t drop_full;        /* accepted, but the buffer was full */
	uint64_t drop_overwritten; /* pushed out by newer packets (overwrite mode) */
	uint64_t drop_other;       /* accepted, too large for the buffer */
	uint64_t port_missed;      /* dropped by the port before anybody saw them: ps_ifdrop */
	uint64_t port_errors;      /* received in error by the port */
	uint64_t sent;             /* packets sent through this handle */
	uint64_t send_failed;      /* packets that could not be sent */
	/* How late packets that pcap_sendqueue_transmit() sent with sync left, ns after their
	 * times; 0: there were none. While a queue is being sent: as of a tenth of a second ago. */
	uint64_t late_p50_ns; /* half of them: no later; rounded up, by a quarter at most */
	uint64_t late_p99_ns; /* 99 % of them, the same way */
	uint64_t late_max_ns; /* the latest */
	/* Rejected by a filter that libpcap runs itself: ps_recv counts these, too. What waits in
	 * the buffer is counted as accepted until it is read. */
	uint64_t screened;
};

/* @size: sizeof(*stats), so that programs and libraries of different releases fit together. */
NPFDP_API int npfdp_stats(pcap_t *p, struct npfdp_stats *stats, size_t size);

/*
 * npfdp_set_timeout_returns - what a blocking read does at the read timeout with nothing there.
 * @on: 0: goes on waiting, as libpcap on Linux (default of pcap_create() and pcap_open_live());
 *      1: returns 0, as libpcap's manual has it and WinPcap did (default of pcap_open())
 * At any time. Return: 0.
 */
NPFDP_API int npfdp_set_timeout_returns(pcap_t *p, int on);

/* Before activation: when the buffer is full, keep the newest packets, not the oldest. */
NPFDP_API int npfdp_set_overwrite(pcap_t *p, int on);

/*
 * Before activation: does this handle capture what it sends itself? Other handles on the port do in
 * any case. Default: no, as libpcap on Linux; yes for pcap_open(), as WinPcap, unless
 * PCAP_OPENFLAG_NOCAPTURE_LOCAL is given.
 */
NPFDP_API int npfdp_set_own_sends(pcap_t *p, int on);

/* ---- Many packets at once, without a copy ---- */

#define NPFDP_OUTBOUND  0x0001u /* sent through the port, not received on it */
#define NPFDP_VLAN      0x0002u /* the port had stripped the outer VLAN tag: it was put back */
#define NPFDP_CSUM_GOOD 0x0004u /* the port checked the L4 checksum: correct */
#define NPFDP_CSUM_BAD  0x0008u /* the port checked the L4 checksum: wrong */
#define NPFDP_HW_STAMP  0x0010u /* the time stamp is the port's own */

struct npfdp_pkt {
	uint64_t ts_ns;      /* since the Unix epoch */
	const uint8_t *data; /* caplen bytes, read-only: in the shared buffer itself */
	uint32_t caplen;
	uint32_t len;   /* on the wire */
	uint32_t gap;   /* packets dropped for want of room right before this one */
	uint16_t flags; /* NPFDP_* */
	uint16_t port;  /* index of the port */
	uint16_t queue; /* rx queue */
	uint16_t reserved[3];
};

/*
 * npfdp_next_batch - the next packets, at most max, as they lie in the shared buffer.
 *
 * Waits as pcap_dispatch() does, and gives at most the user buffer's bytes. The packets stay where
 * they are, and take room in the buffer, until the next read on this handle. In overwrite mode a
 * batch is one packet, a copy.
 * Return: packets; 0: non-blocking and nothing there; PCAP_ERROR; PCAP_ERROR_BREAK.
 */
NPFDP_API int npfdp_next_batch(pcap_t *p, struct npfdp_pkt *pkts, int max);

/* ---- WinPcap's extensions; its manual's meaning unless said ---- */

#define MODE_CAPT 0
#define MODE_STAT 1
#define MODE_MON  2
#define MODE_DUMP 0x10

/* struct pcap_stat has three fields on Linux; pcap_stats_ex() returns this one behind its pointer.
 */
struct pcap_stat_ex {
	u_int ps_recv;
	u_int ps_drop;
	u_int ps_ifdrop;
	u_int ps_capt;    /* handed to the program */
	u_int ps_sent;    /* sent through this handle */
	u_int ps_netdrop; /* lost between capture host and here: always 0 */
};

/* The library's own, valid until the next call on this handle; *size is set. NULL: an error. */
NPFDP_API struct pcap_stat *pcap_stats_ex(pcap_t *p, int *size);

/* Size of the kernel buffer, bytes. Unlike NPF's, the change loses no packet and no count. */
NPFDP_API int pcap_setbuff(pcap_t *p, int bytes);

/* Most bytes that one read delivers (default 256000); a larger packet still comes, alone. */
NPFDP_API int pcap_setuserbuffer(pcap_t *p, int bytes);

/* Least bytes that end a wait before the read timeout (default 16000); 0: at once. */
NPFDP_API int pcap_setmintocopy(pcap_t *p, int bytes);

/* MODE_CAPT, MODE_STAT, MODE_DUMP, MODE_STAT | MODE_DUMP. */
NPFDP_API int pcap_setmode(pcap_t *p, int mode);

/* The read event: here the descriptor of pcap_get_selectable_fd(). */
NPFDP_API int pcap_getevent(pcap_t *p);

/* Every packet given to pcap_sendpacket() and pcap_inject() is sent n times. */
NPFDP_API int pcap_setnumwrites(pcap_t *p, int n);

typedef struct pcap_send_queue {
	u_int maxlen; /* bytes that the queue was made for */
	u_int len;    /* bytes in the queue: headers and packets */
	char *buffer;
} pcap_send_queue;

/*
 * A queue of memsize bytes. Programs size it by a savefile, whose packet headers have 16 bytes
 * where struct pcap_pkthdr has 24: room for the difference is there beyond memsize.
 */
NPFDP_API pcap_send_queue *pcap_sendqueue_alloc(u_int memsize);
NPFDP_API void pcap_sendqueue_destroy(pcap_send_queue *queue);

/* Fills a queue: from its beginning again after len = 0. Return: 0, or -1: no room. */
NPFDP_API int pcap_sendqueue_queue(
	pcap_send_queue *queue, const struct pcap_pkthdr *hdr, const u_char *data);

/*
 * Sends the queue; sync: with the distances of the packets' time stamps, else as fast as it goes.
 * Return: bytes of the queue that were sent, headers included: less than queue->len is an error.
 */
NPFDP_API u_int pcap_sendqueue_transmit(pcap_t *p, pcap_send_queue *queue, int sync);

/*
 * pcap_live_dump - write what passes the filter to a file, without the program's doing; returns at
 * once. The handle is in MODE_DUMP then (with MODE_STAT, if it was in that) and delivers no
 * packets. pcap_close() and pcap_setmode(p, MODE_CAPT) end the dump, and the file is whole then.
 * @maxsize:  bytes that the file never exceeds, its header counted in; 0: no limit
 * @maxpacks: packets after which the dump ends; 0: no limit
 */
NPFDP_API int pcap_live_dump(pcap_t *p, char *file, int maxsize, int maxpacks);

/*
 * pcap_live_dump_ended - has a limit been reached, and is everything on disk?
 * @sync: not 0: wait until it is
 * Return: 1, 0, or PCAP_ERROR.
 */
NPFDP_API int pcap_live_dump_ended(pcap_t *p, int sync);

/* For programs that call them: there is no AirPcap here, no NDIS and no OEM to start. */
struct _AirpcapHandle;
typedef struct _AirpcapHandle *PAirpcapHandle;
NPFDP_API PAirpcapHandle pcap_get_airpcap_handle(pcap_t *p);
NPFDP_API int pcap_oid_get_request(pcap_t *p, bpf_u_int32 oid, void *data, size_t *len);
NPFDP_API int pcap_oid_set_request(pcap_t *p, bpf_u_int32 oid, const void *data, size_t *len);
NPFDP_API int pcap_start_oem(char *errbuf, int flags);

#ifdef __cplusplus
}
#endif

#endif
