/* SPDX-License-Identifier: BSD-3-Clause */
/* setup.h - what every test of the library starts with: a fake daemon and a handle on npf0. */
#ifndef TESTS_UNIT_API_SETUP_H
#define TESTS_UNIT_API_SETUP_H

#include "fake_daemon.h"

#include "base/clock.h"
#include "one_packet.h"

#include <npfdp.h>

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define T0 1700000000000000000ull /* stamp of the first packet of most tests */

static char errbuf[PCAP_ERRBUF_SIZE];

static inline int start_daemon(void **state)
{
	*state = fake_start();
	return 0;
}

static inline int stop_daemon(void **state)
{
	fake_stop(*state);
	return 0;
}

/* A handle on npf0 that reads at once what is there. */
static inline pcap_t *open_npf0(bool immediate)
{
	pcap_t *p = pcap_create("npf0", errbuf);

	assert_non_null(p);
	assert_int_equal(npfdp_is_port(p), 1);
	assert_int_equal(pcap_set_timeout(p, 1000), 0);
	assert_int_equal(pcap_set_immediate_mode(p, immediate), 0);
	assert_int_equal(pcap_activate(p), 0);
	return p;
}

/* A UDP packet over IPv4 from port `port`, len bytes long in all. */
static inline const uint8_t *udp_packet(uint16_t port, uint32_t len)
{
	static uint8_t pkt[65536];

	memset(pkt, 0x55, len);
	memset(pkt, 0, 42);
	memcpy(pkt, "\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0\x45", 15);
	pkt[16] = (uint8_t)((len - 14) >> 8);
	pkt[17] = (uint8_t)(len - 14);
	pkt[22] = 64;
	pkt[23] = 17;
	memcpy(pkt + 26, "\x0a\0\0\1\x0a\0\0\2", 8);
	pkt[34] = (uint8_t)(port >> 8);
	pkt[35] = (uint8_t)port;
	pkt[37] = 53;
	return pkt;
}

static inline void arrive(struct fake_daemon *d, unsigned int i, uint16_t port, uint32_t len)
{
	fake_packet(d, T0 + i * NPF_NS_PER_US, udp_packet(port, len), len, 0, true);
}

static inline bool is_readable(int fd, int ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, ms) == 1;
}

static inline void set_filter(pcap_t *p, const char *text)
{
	struct bpf_program prog;

	assert_int_equal(pcap_compile(p, &prog, text, 1, PCAP_NETMASK_UNKNOWN), 0);
	assert_int_equal(pcap_setfilter(p, &prog), 0);
	pcap_freecode(&prog);
}

/* For a thread that does something after a while. */
struct later {
	struct fake_daemon *daemon;
	pcap_t *pcap;
	int ms;
};

#endif
