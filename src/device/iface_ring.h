/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iface_ring.h - a kernel interface as libpcap sees it: a packet socket with a ring of frames, and
 * sends through the same socket. No DPDK in here.
 *
 * One ring of TPACKET_V2, no fan-out: so the kernel hands over each frame as it came, at once,
 * with its own stamp, its VLAN tag beside it, and which way it went; what found no room in the ring
 * is counted. A frame longer than a slot (GRO, TSO, a raised MTU) comes whole through the socket's
 * queue, to which its slot points (PACKET_COPY_THRESH).
 *
 * What is sent goes through the same socket. The kernel does not show a socket its own frames, but
 * shows them to all others: other programs on the interface see what was sent, this ring does not.
 *
 * The socket is bound again when its interface comes back, which needs no capability; opening one
 * does (CAP_NET_RAW).
 *
 * Contexts: peek and release belong to one thread, the reader; send to one at a time; all else to
 * the control thread, beside both.
 */
#ifndef NPF_DEVICE_IFACE_RING_H
#define NPF_DEVICE_IFACE_RING_H

#include "base/base.h"

#include <stdatomic.h>
#include <sys/uio.h>

#define NPF_IFACE_NAME 16 /* bytes of an interface's name, the terminating 0 included */

/* What the kernel says of an interface. */
struct npf_iface_info {
	int index;
	uint32_t mtu;
	uint16_t arphrd; /* ARPHRD_* */
	bool up;         /* IFF_UP: somebody wants it up */
	uint8_t mac[6];
};

struct npf_iface_ring {
	int fd;
	int index;          /* of the interface; 0: not bound */
	unsigned int offer; /* bytes from a slot's start to where the kernel's address stands */
	uint8_t *map;
	size_t map_len;
	unsigned int n_slots;
	size_t slot_size;
	unsigned int next;   /* slot that the reader looks at */
	uint8_t *long_frame; /* that the slot at next points to */
	uint32_t long_len;   /* 0: not taken yet */
	bool paused;
	bool has_tags; /* frames have a place for a VLAN tag */
	_Atomic uint64_t missed;
};

/* Valid until the frame is released. */
struct npf_iface_frame {
	const uint8_t *data;
	uint32_t caplen; /* bytes at data */
	uint32_t len;    /* of the frame, without its tag */
	uint64_t ts_ns;
	bool sent; /* by the kernel: it went out through the interface */
	bool has_tag;
	uint16_t tpid, tci; /* host order */
};

/* npf_iface_get_info - read the state of an interface. Return: 0; -ENODEV: there is none. */
int npf_iface_get_info(const char *name, struct npf_iface_info *info);

/* Megabits a second, as the interface says; 0: it does not. */
uint32_t npf_iface_speed(const char *name);

/* The DLT_* of an interface's frames, as libpcap has it; -ENOTSUP: none that is known here. */
int npf_iface_linktype(uint16_t arphrd);

/*
 * npf_iface_ring_open - a ring for such an interface; it is not bound yet.
 * @n_slots: frames that wait there at most; an eighth where the MTU is more than 1900, up to 16000
 * Return:   0; -EPERM: CAP_NET_RAW is needed; -errno. After a failure close() is fine.
 */
int npf_iface_ring_open(
	struct npf_iface_ring *r, unsigned int n_slots, const struct npf_iface_info *info);
void npf_iface_ring_close(struct npf_iface_ring *r);

/*
 * npf_iface_ring_bind - frames of this interface come from now on; of an earlier one no more do.
 * @promiscuous: frames for other stations, too; undone by the kernel when the socket closes or the
 *               interface goes. An interface that can't is bound nevertheless.
 * Return: 0; 1: it is not promiscuous; -errno.
 */
int npf_iface_ring_bind(
	struct npf_iface_ring *r, const struct npf_iface_info *info, bool promiscuous);

/* Frames come no more until it is bound again; those in the ring stay. */
void npf_iface_ring_pause(struct npf_iface_ring *r);

/* The next frame, if there is one. It stays the reader's until it is released. */
bool npf_iface_ring_peek(struct npf_iface_ring *r, struct npf_iface_frame *f);
void npf_iface_ring_release(struct npf_iface_ring *r);

/* Frames that found no room, since open. */
uint64_t npf_iface_ring_missed(struct npf_iface_ring *r);

/*
 * npf_iface_ring_send - frames to the kernel, each in n_parts[i] parts of those that follow in
 * parts[].
 * Return: how many were taken, from the first on; 0: there is no room now; -errno: the first one
 *         can't be sent: -EMSGSIZE: longer than the MTU; -ENETDOWN: the interface is down or gone.
 */
int npf_iface_ring_send(
	struct npf_iface_ring *r, struct iovec *parts, const uint8_t *n_parts, unsigned int n);

#endif
