/* SPDX-License-Identifier: BSD-3-Clause */
/* test_reading.c - counts, the descriptor, blocking and not. */
#include "contract.h"

#include <string.h>
#include <unistd.h>

static void count(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	(void)hdr;
	(void)data;
	++*(int *)user;
}

/* Waits until n packets are surely there, without reading them. */
static void let_come(pcap_t *p, unsigned int n)
{
	(void)n;
	is_readable(pcap_get_selectable_fd(p), 2000);
	usleep(100000);
}

static void counts(void)
{
	pcap_t *p = activated(fresh());
	int n = 0, rest = 0, rc;

	only_ours(p);
	wire_send(10, 100, 1);
	let_come(p, 10);
	finding("dispatch 3 of 10", "%d", pcap_dispatch(p, 3, count, (u_char *)&n));
	finding("dispatch 1 of 7", "%d", pcap_dispatch(p, 1, count, (u_char *)&n));
	finding("callbacks so far", "%d", n);
	finding("loop 4 of 6", "%d", pcap_loop(p, 4, count, (u_char *)&n));
	finding("callbacks so far 2", "%d", n);
	pcap_setnonblock(p, 1, errbuf);
	while ((rc = pcap_dispatch(p, -1, count, (u_char *)&n)) > 0)
		rest += rc;
	finding("dispatch the rest", "%d", rest);
	finding("callbacks in all", "%d", n);
	finding("dispatch with nothing there", "%d", rc);
	pcap_close(p);
}

static void descriptor(void)
{
	pcap_t *p = activated(fresh());
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	only_ours(p);
	pcap_setnonblock(p, 1, errbuf);
	pcap_dispatch(p, -1, count, (u_char *)&n);
	n = 0;
	finding("readable when empty", "%d", is_readable(fd, 0));
	wire_send(5, 100, 2);
	finding("readable with packets", "%d", is_readable(fd, 2000));
	usleep(100000);
	finding("still readable, unread", "%d", is_readable(fd, 0));
	finding("dispatch 2 of 5", "%d", pcap_dispatch(p, 2, count, (u_char *)&n));
	finding("readable with 3 left", "%d", is_readable(fd, 0));
	while (pcap_dispatch(p, -1, count, (u_char *)&n) > 0)
		;
	finding("read in all", "%d", n);
	finding("readable when drained", "%d", is_readable(fd, 0));
	finding("dispatch when drained", "%d", pcap_dispatch(p, -1, count, (u_char *)&n));
	finding("readable after an empty dispatch", "%d", is_readable(fd, 0));
	wire_send(1, 100, 2);
	finding("readable again", "%d", is_readable(fd, 2000));
	pcap_close(p);
}

static void nonblocking(void)
{
	pcap_t *p = fresh();
	struct pcap_pkthdr hdr;
	int n = 0;

	finding("setnonblock before activation", "%d", pcap_setnonblock(p, 1, errbuf));
	activated(p);
	only_ours(p);
	finding("getnonblock", "%d", pcap_getnonblock(p, errbuf));
	finding("nonblocking dispatch", "%d", pcap_dispatch(p, -1, count, (u_char *)&n));
	finding("nonblocking next", "%d", pcap_next(p, &hdr) != NULL);
	finding("setnonblock 0", "%d", pcap_setnonblock(p, 0, errbuf));
	finding("getnonblock 0", "%d", pcap_getnonblock(p, errbuf));
	finding("setnonblock 1", "%d", pcap_setnonblock(p, 1, errbuf));
	finding("nonblocking dispatch again", "%d", pcap_dispatch(p, -1, count, (u_char *)&n));
	wire_send(1, 100, 3);
	finding("nonblocking, readable", "%d", is_readable(pcap_get_selectable_fd(p), 2000));
	finding("nonblocking, one", "%d", pcap_dispatch(p, -1, count, (u_char *)&n));
	pcap_close(p);
}

static void statistics(void)
{
	pcap_t *p = activated(fresh());
	struct pcap_stat ps;

	filter(p, "ether proto 0x88b5 and ether[20] = 7");
	wire_send(20, 100, 7);
	wire_send(30, 100, 8);
	finding("passed the filter", "%u", gather(p, 20));
	memset(&ps, 0xee, sizeof(ps));
	finding("stats", "%d", pcap_stats(p, &ps));
	finding("stats: ps_recv", "%u", ps.ps_recv);
	finding("stats: ps_drop", "%u", ps.ps_drop);
	finding("stats: ps_ifdrop", "%u", ps.ps_ifdrop);
	pcap_close(p);
}

static void two_at_once(void)
{
	pcap_t *a = activated(fresh()), *b = activated(fresh());

	filter(a, "ether proto 0x88b5 and ether[20] = 1");
	filter(b, "ether proto 0x88b5 and ether[20] = 2");
	wire_send(7, 100, 1);
	wire_send(9, 200, 2);
	finding("two handles: the first's", "%u", gather(a, 7));
	finding("two handles: the second's", "%u", gather(b, 9));
	pcap_close(a);
	wire_send(3, 100, 2);
	finding("two handles: after the first has closed", "%u", gather(b, 3));
	pcap_close(b);
}

void contract_reading(void)
{
	counts();
	descriptor();
	nonblocking();
	statistics();
	two_at_once();
}
