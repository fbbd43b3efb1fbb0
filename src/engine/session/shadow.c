/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shadow.c - a TAP interface on one side, a session of the engine's own on the other.
 *
 * The control thread carries the frames, a bounded number a turn: this is for the tools' own
 * traffic (ARP, probes, replies), not for bulk. What does not fit is dropped and counted as in any
 * session.
 */
#include "engine/session/shadow.h"

#include "base/eventfd.h"
#include "base/log.h"
#include "engine/session/session.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define BUFFER_BYTES  (256u << 10)
#define FRAMES_A_TURN 64

struct npf_shadow {
	struct npf_engine *engine;
	struct npf_session *session;
	struct npf_reader *reader;
	int tap_fd, epoll_fd;
};

static int shadow_error(
	struct npf_error *err, const struct npf_engine_port *port, int rc, const char *what)
{
	return npf_error_set(err, rc, "port %s: shadow interface: %s: %s", port->port.conf->name,
		what, strerror(-rc));
}

static int make_tap(const struct npf_port *port)
{
	npf_autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", port->conf->name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return -errno;
	return npf_steal_fd(&fd);
}

/* Disable the automatic link-local address: the interface sends nothing unless it is used. */
static void disable_link_local(const char *name)
{
	npf_autofd int fd = -1;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) < 0)
		npf_warn("port %s: its shadow interface makes itself an IPv6 address: %s", name,
			strerror(errno));
}

static int bring_up(const struct npf_port *port)
{
	npf_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", port->conf->name);
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, &port->mac, sizeof(port->mac));
	if (rte_is_valid_assigned_ether_addr(&port->mac) && ioctl(fd, SIOCSIFHWADDR, &ifr) < 0)
		return -errno;
	ifr.ifr_mtu = port->mtu;
	if (ioctl(fd, SIOCSIFMTU, &ifr) < 0)
		return -errno;
	disable_link_local(port->conf->name);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	ifr.ifr_flags |= IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

/* A session that receives what the kernel should see: frames to the port's address or to a group.
 */
static int open_session(struct npf_shadow *s, struct npf_engine_port *port, struct npf_error *err)
{
	const uint8_t *mac = port->port.mac.addr_bytes;
	const uint32_t mac_high =
		(uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	const struct npf_bpf_insn for_us[] = {
		{0x20, 0, 0, 0},                              /* ld [0] */
		{0x15, 0, 2, mac_high},                       /* jeq: else to ldb */
		{0x28, 0, 0, 4},                              /* ldh [4] */
		{0x15, 2, 0, (uint32_t)mac[4] << 8 | mac[5]}, /* jeq: accept */
		{0x30, 0, 0, 0},                              /* ldb [0] */
		{0x45, 0, 1, 1},                              /* jset: group bit */
		{0x06, 0, 0, NPF_REC_MAXCAP},                 /* ret: accept */
		{0x06, 0, 0, 0},                              /* ret: reject */
	};
	struct npf_peer peer = {
		.pid = getpid(), .uid = geteuid(), .gid = getegid(), .program = "shadow"};
	struct npf_wire_open req = {
		.params = {.direction = NPF_WIRE_IN},
		.buffer_size = BUFFER_BYTES,
		.snaplen = NPF_REC_MAXCAP,
		.flags = NPF_WIRE_OPEN_IMMEDIATE,
		.n_insns = NPF_ARRAY_LEN(for_us),
	};
	const struct npf_session_spec spec = {.peer = &peer, .req = &req, .insns = for_us};
	int fds[NPF_BUFFER_NFDS];
	int rc;

	snprintf(req.port, sizeof(req.port), "%s", port->port.conf->name);
	rc = npf_session_open(s->engine, &spec, &s->session, err);
	if (rc < 0)
		return rc;
	rc = npf_reader_new(s->session->bell.wait_fd, &s->reader);
	if (rc == 0)
		rc = npf_reader_add(
			s->reader, fds, npf_buffer_fds(s->session->consumer.buffer, fds));
	if (rc < 0)
		return npf_error_set(err, rc, "can't read its ring");
	npf_reader_arm(s->reader, 0);
	return 0;
}

int npf_shadow_open(struct npf_engine *e, struct npf_engine_port *port, struct npf_shadow **sp,
	struct npf_error *err)
{
	struct npf_shadow *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	s->engine = e;
	s->epoll_fd = -1;
	s->tap_fd = make_tap(&port->port);
	if (s->tap_fd < 0) {
		rc = shadow_error(
			err, port, s->tap_fd, "can't make it (is its name free, and may we?)");
		goto fail;
	}
	rc = bring_up(&port->port);
	if (rc < 0) {
		shadow_error(err, port, rc, "can't bring it up");
		goto fail;
	}
	rc = open_session(s, port, err);
	if (rc < 0) {
		shadow_error(err, port, rc, err->text);
		goto fail;
	}
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	rc = s->epoll_fd < 0 ? -errno : npf_epoll_add(s->epoll_fd, s->tap_fd, EPOLLIN, NULL);
	if (rc == 0)
		rc = npf_epoll_add(s->epoll_fd, s->session->bell.wait_fd, EPOLLIN, NULL);
	if (rc < 0) {
		shadow_error(err, port, rc, "can't wait for it");
		goto fail;
	}
	*sp = s;
	return 0;
fail:
	npf_shadow_close(s);
	return rc;
}

struct npf_shadow *npf_shadow_close(struct npf_shadow *s)
{
	if (s == NULL)
		return NULL;
	npf_reader_free(s->reader);
	if (s->session != NULL)
		npf_session_close(s->engine, s->session);
	npf_close(s->epoll_fd);
	npf_close(s->tap_fd);
	free(s);
	return NULL;
}

int npf_shadow_fd(const struct npf_shadow *s)
{
	return s->epoll_fd;
}

static void from_kernel(struct npf_shadow *s)
{
	uint8_t frame[NPF_WIRE_MAXFRAME];
	struct npf_error err;

	for (unsigned int i = 0; i < FRAMES_A_TURN; i++) {
		ssize_t n = read(s->tap_fd, frame, sizeof(frame));

		if (n <= 0)
			return;
		/* What the port does not take is lost, as on any interface; the session counts it.
		 */
		npf_session_send(s->engine, s->session, frame, (uint32_t)n, &err);
	}
}

static void to_kernel(struct npf_shadow *s)
{
	struct npf_view v;

	for (unsigned int i = 0; i < FRAMES_A_TURN;) {
		int rc = npf_reader_next(s->reader, &v);

		if (rc < 0)
			return;
		if (rc == 0) {
			if (npf_reader_arm(s->reader, 0))
				return;
			continue;
		}
		i++;
		if (write(s->tap_fd, v.data, v.caplen) < 0 && errno == EAGAIN)
			return; /* dropped: the kernel does not keep up */
	}
	/* More is there: stay readable. */
	if (npf_doorbell_ring(&s->session->bell) > 0)
		s->session->owes_ring = true;
}

void npf_shadow_serve(struct npf_shadow *s)
{
	from_kernel(s);
	to_kernel(s);
}
