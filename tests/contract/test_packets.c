/* SPDX-License-Identifier: BSD-3-Clause */
/* test_packets.c - what a packet looks like; filters; files made of packets. */
#include "contract.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static unsigned int checksum(const u_char *data, unsigned int len)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < len; i++)
		sum = sum * 31 + data[i];
	return sum;
}

static void contents(void)
{
	pcap_t *p = activated(fresh());
	struct pcap_pkthdr *hdr, *next_hdr;
	const u_char *data, *next;
	struct pcap_stat ps;
	u_char before[1514];

	only_ours(p);
	wire_send(1, 1514, 1);
	wire_send(1, 60, 2);
	wire_send(1, 14 + 7, 3); /* shorter than Ethernet's minimum: a wire without one */
	finding("next_ex", "%d", pcap_next_ex(p, &hdr, &data));
	finding("largest: lengths", "%u %u", hdr->caplen, hdr->len);
	finding("largest: content", "%u", checksum(data, hdr->caplen));
	finding("largest: stamp is now", "%d", labs((long)(hdr->ts.tv_sec - time(NULL))) <= 1);
	memcpy(before, data, hdr->caplen);
	pcap_stats(p, &ps);
	wire_send(5, 1000, 4);
	usleep(50000);
	finding("unchanged until the next read", "%d", memcmp(before, data, hdr->caplen) == 0);
	/* Programs do this. */
	memset((void *)(uintptr_t)data, 0, hdr->caplen);
	finding("next_ex 2", "%d", pcap_next_ex(p, &next_hdr, &next));
	finding("small: lengths", "%u %u", next_hdr->caplen, next_hdr->len);
	finding("small: content", "%u", checksum(next, next_hdr->caplen));
	finding("next_ex 3", "%d", pcap_next_ex(p, &hdr, &data));
	finding("short: lengths", "%u %u", hdr->caplen, hdr->len);
	pcap_close(p);
}

static void snap_length(void)
{
	pcap_t *p = fresh();
	struct bpf_insn keep30 = BPF_STMT(BPF_RET | BPF_K, 30);
	struct bpf_program prog = {.bf_len = 1, .bf_insns = &keep30};
	struct pcap_pkthdr *hdr;
	const u_char *data;

	pcap_set_snaplen(p, 64);
	activated(p);
	only_ours(p);
	wire_send(1, 200, 1);
	pcap_next_ex(p, &hdr, &data);
	finding("snaplen 64: lengths", "%u %u", hdr->caplen, hdr->len);
	finding("snaplen 64: content", "%u", checksum(data, hdr->caplen));
	finding("filter that keeps 30", "%d", pcap_setfilter(p, &prog));
	wire_send(1, 200, 1);
	pcap_next_ex(p, &hdr, &data);
	finding("keeps 30: lengths", "%u %u", hdr->caplen, hdr->len);
	pcap_close(p);
}

static void precision(void)
{
	pcap_t *p = fresh();
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int fine = 0, wild = 0;

	pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	activated(p);
	only_ours(p);
	wire_send(50, 100, 1);
	for (int i = 0; i < 50 && pcap_next_ex(p, &hdr, &data) == 1; i++) {
		fine |= hdr->ts.tv_usec % 1000 != 0;
		wild |= hdr->ts.tv_usec < 0 || hdr->ts.tv_usec > 999999999;
	}
	finding("nanoseconds: finer than a microsecond", "%d", fine);
	finding("nanoseconds: out of range", "%d", wild);
	finding("nanoseconds: precision", "%d", pcap_get_tstamp_precision(p));
	pcap_close(p);
}

static void changing_the_filter(void)
{
	pcap_t *p = activated(fresh());
	struct bpf_program prog;
	struct pcap_pkthdr *hdr;
	const u_char *data;
	int wrong = 0, right = 0;

	only_ours(p);
	wire_send(10, 100, 1);
	wire_send(10, 100, 2);
	is_readable(pcap_get_selectable_fd(p), 2000);
	usleep(100000);
	/* All twenty wait. */
	filter(p, "ether proto 0x88b5 and ether[20] = 2");
	wire_send(5, 100, 1);
	wire_send(5, 100, 2);
	usleep(100000);
	pcap_setnonblock(p, 1, errbuf);
	while (is_readable(pcap_get_selectable_fd(p), 200) && pcap_next_ex(p, &hdr, &data) == 1)
		*(data[20] == 2 ? &right : &wrong) += 1;
	finding("refused by the new filter, delivered", "%d", wrong);
	finding("accepted by the new filter, delivered since", "%d", right >= 5);
	finding("compile nonsense", "%d", pcap_compile(p, &prog, "ip host", 1, 0));
	finding("compile nonsense: text", "%s", pcap_geterr(p));
	pcap_close(p);
}

/* Filters whose code is special on Linux. */
static void special_filters(void)
{
	static const struct {
		const char *text;
		unsigned int expect;
	} filters[] = {
		{"inbound and ether proto 0x88b5", 3},
		{"outbound and ether proto 0x88b5", 0},
		{"ether proto 0x88b5 and not inbound", 0},
		{"ether proto 0x88b5 and less 100", 3},
		{"ether proto 0x88b5 and greater 101", 0},
		{"ether src 02:00:00:00:00:02 and ether[12:2] = 0x88b5", 3},
	};

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		pcap_t *p = activated(fresh());

		filter(p, filters[i].text);
		warm_up(p);
		wire_send(3, 100, 1);
		finding(filters[i].text, "%u", gather_marked(p, filters[i].expect, 1));
		pcap_close(p);
	}
}

static void vlan_tags(void)
{
	pcap_t *p = activated(fresh()), *other = activated(fresh());
	struct pcap_pkthdr *hdr;
	const u_char *data;

	filter(p, "vlan 7 and ether proto 0x88b5");
	filter(other, "vlan 8");
	wire_send_tagged(7, 100, 1);
	finding("vlan 7: next_ex", "%d", pcap_next_ex(p, &hdr, &data));
	finding("vlan 7: lengths", "%u %u", hdr->caplen, hdr->len);
	finding("vlan 7: tag", "%02x%02x %02x%02x %02x%02x", data[12], data[13], data[14], data[15],
		data[16], data[17]);
	finding("vlan 8: none", "%u", gather(other, 0));
	pcap_close(p);
	pcap_close(other);
}

static void files(void)
{
	char path[] = "/tmp/npf-contract-XXXXXX";
	pcap_t *p = activated(fresh()), *back;
	struct pcap_pkthdr *hdr, first = {0};
	pcap_dumper_t *dumper;
	const u_char *data;
	int n = 0;

	close(mkstemp(path));
	only_ours(p);
	wire_send(4, 300, 1);
	dumper = pcap_dump_open(p, path);
	finding("dump_open", "%d", dumper != NULL);
	for (int i = 0; i < 4 && pcap_next_ex(p, &hdr, &data) == 1; i++) {
		if (i == 0)
			first = *hdr;
		pcap_dump((u_char *)dumper, hdr, data);
	}
	finding("dump_flush", "%d", pcap_dump_flush(dumper));
	finding("dump_ftell", "%ld", pcap_dump_ftell(dumper));
	pcap_dump_close(dumper);
	dumper = pcap_dump_open_append(p, path);
	finding("dump_open_append", "%d", dumper != NULL);
	if (dumper != NULL) {
		pcap_dump((u_char *)dumper, hdr, data);
		pcap_dump_close(dumper);
	}
	finding("dump_open nowhere", "%d", pcap_dump_open(p, "/nonexistent/x") != NULL);
	finding("dump_open nowhere: text", "%s", pcap_geterr(p));
	back = pcap_open_offline(path, errbuf);
	finding("read back: snapshot", "%d", pcap_snapshot(back));
	finding("read back: datalink", "%d", pcap_datalink(back));
	while (pcap_next_ex(back, &hdr, &data) == 1)
		if (n++ == 0)
			finding("read back: as captured", "%d",
				hdr->len == first.len && hdr->ts.tv_sec == first.ts.tv_sec &&
					hdr->ts.tv_usec == first.ts.tv_usec &&
					checksum(data, hdr->caplen) != 0);
	finding("read back: packets", "%d", n);
	pcap_close(back);
	pcap_close(p);
	unlink(path);
}

void contract_packets(void)
{
	contents();
	snap_length();
	precision();
	changing_the_filter();
	special_filters();
	vlan_tags();
	files();
}
