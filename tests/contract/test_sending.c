/* SPDX-License-Identifier: BSD-3-Clause */
/* test_sending.c - inject, sendpacket, and who sees what was sent. */
#include "contract.h"

#include <string.h>

static const u_char *frame(uint8_t mark)
{
	static u_char pkt[1514] = "\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5";

	pkt[20] = mark;
	return pkt;
}

static void lengths(void)
{
	pcap_t *p = activated(fresh());

	finding("inject 100", "%d", pcap_inject(p, frame(11), 100));
	finding("inject 100: on the wire", "%d", wire_receive(11, 3000));
	finding("sendpacket 200", "%d", pcap_sendpacket(p, frame(12), 200));
	finding("sendpacket 200: on the wire", "%d", wire_receive(12, 3000));
	finding("sendpacket 1514", "%d", pcap_sendpacket(p, frame(13), 1514));
	finding("sendpacket 1514: on the wire", "%d", wire_receive(13, 3000));
	finding("inject 0", "%d", pcap_inject(p, frame(14), 0));
	finding("sendpacket 0", "%d", pcap_sendpacket(p, frame(14), 0));
	finding("sendpacket -1", "%d", pcap_sendpacket(p, frame(14), -1));
	finding("sendpacket 60000", "%d", pcap_sendpacket(p, frame(14), 60000));
	finding("sendpacket 60000 has a text", "%d", pcap_geterr(p)[0] != '\0');
	finding("still works", "%d", pcap_sendpacket(p, frame(15), 60));
	finding("still works: on the wire", "%d", wire_receive(15, 3000));
	pcap_close(p);
}

static void who_sees_it(void)
{
	pcap_t *sender = activated(fresh()), *other = activated(fresh());
	pcap_t *in = activated(fresh()), *out = activated(fresh());

	only_ours(sender);
	only_ours(other);
	only_ours(in);
	only_ours(out);
	finding("setdirection in", "%d", pcap_setdirection(in, PCAP_D_IN));
	finding("setdirection out", "%d", pcap_setdirection(out, PCAP_D_OUT));
	for (int i = 0; i < 4; i++)
		pcap_inject(sender, frame(21), 100);
	wire_send(3, 100, 22);
	finding("seen by the sender", "%u", gather(sender, 3));
	finding("seen by another handle", "%u", gather(other, 7));
	finding("seen by one that wants received packets", "%u", gather(in, 3));
	finding("seen by one that wants sent packets", "%u", gather(out, 4));
	finding("setdirection both", "%d", pcap_setdirection(in, PCAP_D_INOUT));
	pcap_inject(sender, frame(21), 100);
	finding("seen after that", "%u", gather(in, 1));
	pcap_close(sender);
	pcap_close(other);
	pcap_close(in);
	pcap_close(out);
}

static void by_filter(void)
{
	pcap_t *sender = activated(fresh()), *out = activated(fresh());

	filter(out, "outbound and ether proto 0x88b5");
	for (int i = 0; i < 20; i++)
		pcap_inject(sender, frame(30), 100);
	gather(out, 0);
	for (int i = 0; i < 4; i++)
		pcap_inject(sender, frame(31), 100);
	wire_send(3, 100, 32);
	finding("outbound: seen", "%u", gather_marked(out, 4, 31));
	pcap_close(sender);
	pcap_close(out);
}

void contract_sending(void)
{
	lengths();
	who_sees_it();
	by_filter();
}
