/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * iface_ring.c - see iface_ring.h.
 *
 * Nothing of the ring's memory is trusted less than the kernel is. A slot is the kernel's or the
 * reader's by its status word: acquire when it is taken, release when it is given back.
 */
#include "device/iface_ring.h"

#include "base/shared.h"

#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pcap/dlt.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define SLOT_SMALL  2048u  /* an Ethernet frame of MTU 1500, two tags, what the kernel adds */
#define SLOT_JUMBO  16384u /* of MTU 9000 */
#define SLOT_HEAD   128u   /* more than the kernel puts before a frame, link header included */
#define BLOCK       65536u
#define LONG_FRAME  (512u << 10) /* more than the kernel's largest packet (BIG TCP) */
#define LONG_MEMORY (32 << 20)   /* bytes of long frames that may wait, as the kernel counts */
#define SEND_FRAMES 64
#define TAG_PLACE   12 /* bytes before a VLAN tag: two addresses */
#define NS_PER_S    1000000000ull

int npf_iface_get_info(const char *name, struct npf_iface_info *info)
{
	npf_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	*info = (struct npf_iface_info){0};
	if (fd < 0)
		return -errno;
	if (strlen(name) >= sizeof(ifr.ifr_name))
		return -ENODEV;
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, SIOCGIFINDEX, &ifr) < 0)
		return -errno;
	info->index = ifr.ifr_ifindex;
	if (ioctl(fd, SIOCGIFMTU, &ifr) < 0)
		return -errno;
	info->mtu = (uint32_t)ifr.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	info->up = (ifr.ifr_flags & IFF_UP) != 0;
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		return -errno;
	info->arphrd = ifr.ifr_hwaddr.sa_family;
	memcpy(info->mac, ifr.ifr_hwaddr.sa_data, sizeof(info->mac));
	return 0;
}

uint32_t npf_iface_speed(const char *name)
{
	npf_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_cmd cmd = {.cmd = ETHTOOL_GSET};
	struct ifreq ifr = {.ifr_data = (void *)&cmd};
	uint32_t speed;

	if (fd < 0 || strlen(name) >= sizeof(ifr.ifr_name))
		return 0;
	strcpy(ifr.ifr_name, name);
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0)
		return 0;
	speed = ethtool_cmd_speed(&cmd);
	return speed != (uint32_t)SPEED_UNKNOWN ? speed : 0;
}

int npf_iface_linktype(uint16_t arphrd)
{
	switch (arphrd) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return DLT_EN10MB;
	case ARPHRD_NONE: /* tun, WireGuard */
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_SIT:
	case ARPHRD_SLIP:
	case ARPHRD_CSLIP:
	case ARPHRD_SLIP6:
	case ARPHRD_CSLIP6:
		return DLT_RAW;
	default:
		return -ENOTSUP;
	}
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* As much memory with slots for jumbo frames as with small ones. */
static int make_ring(struct npf_iface_ring *r, unsigned int n_small)
{
	const unsigned int n_slots = n_small / (unsigned int)(r->slot_size / SLOT_SMALL);
	const unsigned int per_block = BLOCK / (unsigned int)r->slot_size;
	struct tpacket_req req = {
		.tp_block_size = BLOCK,
		.tp_block_nr = NPF_MAX(n_slots / per_block, 1u),
		.tp_frame_size = (unsigned int)r->slot_size,
	};
	void *at;

	req.tp_frame_nr = req.tp_block_nr * per_block;
	if (setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -errno;
	r->n_slots = req.tp_frame_nr;
	r->map_len = (size_t)req.tp_block_nr * BLOCK;
	at = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	r->map = at;
	return 0;
}

int npf_iface_ring_open(
	struct npf_iface_ring *r, unsigned int n_slots, const struct npf_iface_info *info)
{
	const uint32_t mtu = info->mtu;
	int rc;

	*r = (struct npf_iface_ring){.offer = TPACKET_ALIGN(sizeof(struct tpacket2_hdr))};
	r->slot_size = mtu + SLOT_HEAD > SLOT_SMALL && mtu + SLOT_HEAD <= SLOT_JUMBO ? SLOT_JUMBO
										     : SLOT_SMALL;
	r->has_tags = npf_iface_linktype(info->arphrd) == DLT_EN10MB;
	/* Protocol 0: no frame comes before the socket is bound. */
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0)
		return -errno;
	r->long_frame = malloc(LONG_FRAME);
	if (r->long_frame == NULL)
		return -ENOMEM;
	rc = set(r->fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
	if (rc == 0)
		rc = set(r->fd, SOL_PACKET, PACKET_COPY_THRESH, 1);
	/* Without CAP_NET_ADMIN, as much as anybody may have. */
	if (rc == 0 && set(r->fd, SOL_SOCKET, SO_RCVBUFFORCE, LONG_MEMORY) < 0)
		rc = set(r->fd, SOL_SOCKET, SO_RCVBUF, LONG_MEMORY);
	return rc == 0 ? make_ring(r, n_slots) : rc;
}

void npf_iface_ring_close(struct npf_iface_ring *r)
{
	if (r->map != NULL)
		munmap(r->map, r->map_len);
	r->map = NULL;
	free(r->long_frame);
	r->long_frame = NULL;
	npf_close(r->fd);
	r->fd = -1;
}

int npf_iface_ring_bind(
	struct npf_iface_ring *r, const struct npf_iface_info *info, bool promiscuous)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ETH_P_ALL),
		.sll_ifindex = info->index,
	};
	struct packet_mreq promisc = {.mr_ifindex = info->index, .mr_type = PACKET_MR_PROMISC};
	int rc;

	/* What loops back is received as well: libpcap shows it once. */
	rc = set(r->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, info->arphrd == ARPHRD_LOOPBACK);
	if (rc < 0)
		return rc;
	if (r->paused && set(r->fd, SOL_SOCKET, SO_DETACH_FILTER, 0) == 0)
		r->paused = false;
	if (bind(r->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	r->index = info->index;
	if (promiscuous &&
		setsockopt(r->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promisc, sizeof(promisc)) < 0)
		return 1;
	return 0;
}

/* There is no way to take a binding back: a filter that accepts nothing does as well. */
void npf_iface_ring_pause(struct npf_iface_ring *r)
{
	struct packet_mreq promisc = {.mr_ifindex = r->index, .mr_type = PACKET_MR_PROMISC};
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = {1, &nothing};

	setsockopt(r->fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &promisc, sizeof(promisc));
	r->paused = setsockopt(r->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0;
}

/* ---- frames that came ---- */

static struct tpacket2_hdr *slot(const struct npf_iface_ring *r)
{
	return (struct tpacket2_hdr *)(r->map + r->next * r->slot_size);
}

/* The whole frame is in the socket's queue, in the order of the slots that say so. */
static void take_long(struct npf_iface_ring *r)
{
	ssize_t n = recv(r->fd, r->long_frame, LONG_FRAME, MSG_DONTWAIT);

	if (n < 0 && errno == ENETDOWN) /* the interface was down meanwhile: told once */
		n = recv(r->fd, r->long_frame, LONG_FRAME, MSG_DONTWAIT);
	r->long_len = n > 0 ? (uint32_t)n : 0;
}

bool npf_iface_ring_peek(struct npf_iface_ring *r, struct npf_iface_frame *f)
{
	struct tpacket2_hdr *h = slot(r);
	/* Acquire: the frame is whole before its status says so. */
	uint32_t status = npf_shared_load32(&h->tp_status, memory_order_acquire);
	const struct sockaddr_ll *from = (const void *)((const uint8_t *)h + r->offer);

	if ((status & TP_STATUS_USER) == 0)
		return false;
	*f = (struct npf_iface_frame){
		.data = (const uint8_t *)h + h->tp_mac,
		.caplen = h->tp_snaplen,
		.len = h->tp_len,
		.ts_ns = h->tp_sec * NS_PER_S + h->tp_nsec,
		.sent = from->sll_pkttype == PACKET_OUTGOING,
		.has_tag = r->has_tags && h->tp_snaplen >= TAG_PLACE &&
			   ((status & TP_STATUS_VLAN_VALID) != 0 || h->tp_vlan_tci != 0),
		.tci = h->tp_vlan_tci,
		.tpid = (status & TP_STATUS_VLAN_TPID_VALID) != 0 && h->tp_vlan_tpid != 0
				? h->tp_vlan_tpid
				: ETH_P_8021Q,
	};
	if (NPF_LIKELY((status & TP_STATUS_COPY) == 0))
		return true;
	if (r->long_len == 0)
		take_long(r);
	if (r->long_len > 0) {
		f->data = r->long_frame;
		f->caplen = r->long_len;
	}
	return true;
}

void npf_iface_ring_release(struct npf_iface_ring *r)
{
	/* Release: the frame was read before the kernel may write there. */
	npf_shared_store32(&slot(r)->tp_status, TP_STATUS_KERNEL, memory_order_release);
	r->long_len = 0;
	if (++r->next == r->n_slots)
		r->next = 0;
}

uint64_t npf_iface_ring_missed(struct npf_iface_ring *r)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	/* The kernel's counter starts over each time it is read. */
	if (r->fd >= 0 && getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		atomic_fetch_add_explicit(&r->missed, st.tp_drops, memory_order_relaxed);
	return atomic_load_explicit(&r->missed, memory_order_relaxed);
}

/* ---- frames that go ---- */

int npf_iface_ring_send(
	struct npf_iface_ring *r, struct iovec *parts, const uint8_t *n_parts, unsigned int n)
{
	struct mmsghdr msgs[SEND_FRAMES] = {0};
	int sent;

	n = NPF_MIN(n, (unsigned int)SEND_FRAMES);
	for (unsigned int i = 0; i < n; i++) {
		msgs[i].msg_hdr.msg_iov = parts;
		msgs[i].msg_hdr.msg_iovlen = n_parts[i];
		parts += n_parts[i];
	}
	sent = sendmmsg(r->fd, msgs, n, MSG_DONTWAIT);
	if (sent < 0 && errno == ENETDOWN) /* the interface was down meanwhile: told once */
		sent = sendmmsg(r->fd, msgs, n, MSG_DONTWAIT);
	if (sent >= 0)
		return sent;
	switch (errno) {
	case EAGAIN:
	case ENOBUFS: /* the interface's own queue is full */
	case EINTR:
		return 0;
	case ENXIO:
	case ENODEV:
		return -ENETDOWN;
	default:
		return -errno;
	}
}
