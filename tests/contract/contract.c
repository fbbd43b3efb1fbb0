/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * contract.c DEVICE PEER - see contract.h. PEER is the kernel interface at the other end of the
 * wire that DEVICE is on. Needs the right to open packet sockets.
 */
#include "contract.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ETHERTYPE 0x88b5 /* local experimental */

const char *device;
const char *unknown;
char errbuf[PCAP_ERRBUF_SIZE];

static FILE *out;
static int wire = -1;

void finding(const char *what, const char *fmt, ...)
{
	va_list ap;

	fprintf(out, "%s = ", what);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
	fflush(out);
}

void give_up(const char *why)
{
	fprintf(out, "GAVE UP: %s (%s)\n", why, strerror(errno));
	fflush(out);
	_exit(2);
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void open_wire(const char *peer)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE),
		.sll_ifindex = (int)if_nametoindex(peer),
	};

	wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETHERTYPE));
	if (wire < 0 || bind(wire, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		give_up("can't open a packet socket on the peer");
}

void wire_send(unsigned int n, unsigned int len, uint8_t mark)
{
	uint8_t pkt[1514];

	for (unsigned int i = 0; i < n; i++) {
		memset(pkt, (int)i, sizeof(pkt));
		memcpy(pkt, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5", 14);
		pkt[20] = mark;
		if (send(wire, pkt, len, 0) != (ssize_t)len)
			give_up("can't send on the peer");
	}
}

void wire_send_raw(const void *pkt, unsigned int len)
{
	if (send(wire, pkt, len, 0) != (ssize_t)len)
		give_up("can't send on the peer");
}

void wire_send_tagged(uint16_t vlan, unsigned int len, uint8_t mark)
{
	uint8_t pkt[1514] = "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x81\0\0\0\x88\xb5";

	pkt[14] = (uint8_t)(vlan >> 8);
	pkt[15] = (uint8_t)vlan;
	pkt[24] = mark;
	if (send(wire, pkt, len, 0) != (ssize_t)len)
		give_up("can't send on the peer");
}

int wire_receive(uint8_t mark, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;

	while (now_ms() < end) {
		uint8_t pkt[2048];
		ssize_t n;

		if (!is_readable(wire, (int)(end - now_ms())))
			continue;
		n = recv(wire, pkt, sizeof(pkt), MSG_DONTWAIT);
		if (n > 20 && pkt[20] == mark)
			return (int)n;
	}
	return -1;
}

pcap_t *fresh(void)
{
	pcap_t *p = pcap_create(device, errbuf);

	if (p == NULL)
		give_up(errbuf);
	pcap_set_snaplen(p, 65535);
	pcap_set_promisc(p, 1);
	pcap_set_timeout(p, 1000);
	pcap_set_immediate_mode(p, 1);
	return p;
}

pcap_t *activated(pcap_t *p)
{
	if (pcap_activate(p) < 0)
		give_up(pcap_geterr(p));
	return p;
}

void filter(pcap_t *p, const char *text)
{
	struct bpf_program prog;

	if (pcap_compile(p, &prog, text, 1, PCAP_NETMASK_UNKNOWN) < 0 ||
		pcap_setfilter(p, &prog) < 0)
		give_up(pcap_geterr(p));
	pcap_freecode(&prog);
}

void only_ours(pcap_t *p)
{
	filter(p, "ether proto 0x88b5");
}

struct harvest {
	unsigned int n;
	int mark; /* -1: any */
};

static void count(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	struct harvest *h = (struct harvest *)user;

	h->n += h->mark < 0 || (hdr->caplen > 20 && data[20] == h->mark);
}

static unsigned int harvest(pcap_t *p, unsigned int n, int mark)
{
	struct harvest h = {.mark = mark};
	uint64_t end = now_ms() + 3000;

	pcap_setnonblock(p, 1, errbuf);
	while (h.n < n && now_ms() < end) {
		is_readable(pcap_get_selectable_fd(p), 20);
		if (pcap_dispatch(p, -1, count, (u_char *)&h) < 0)
			break;
	}
	usleep(50000);
	pcap_dispatch(p, -1, count, (u_char *)&h);
	return h.n;
}

unsigned int gather(pcap_t *p, unsigned int n)
{
	return harvest(p, n, -1);
}

unsigned int gather_marked(pcap_t *p, unsigned int n, uint8_t mark)
{
	return harvest(p, n, mark);
}

void warm_up(pcap_t *p)
{
	wire_send(10, 60, 0xff);
	gather(p, 0);
	wire_send(10, 60, 0xff);
	gather(p, 0);
}

bool is_readable(int fd, int ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, ms) == 1;
}

/* Libraries never print: whatever reaches descriptors 1 and 2 from now on is a finding. */
static int silence(void)
{
	char path[] = "/tmp/npf-contract-XXXXXX";
	int fd = mkstemp(path);

	out = fdopen(dup(1), "w");
	if (fd < 0 || out == NULL || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		exit(2);
	unlink(path);
	return fd;
}

int main(int argc, char **argv)
{
	struct stat printed;
	int fd;

	if (argc != 3)
		return 2;
	fd = silence();
	device = argv[1];
	unknown = strncmp(device, "npf", 3) == 0 ? "npf99" : "nosuch99";
	open_wire(argv[2]);

	contract_states();
	contract_reading();
	contract_packets();
	contract_filters();
	contract_waiting();
	contract_polling();
	contract_breaking();
	contract_sending();
	contract_confined();

	fflush(NULL);
	fstat(fd, &printed);
	finding("bytes that the library printed", "%ld", (long)printed.st_size);
	fclose(out);
	return 0;
}
