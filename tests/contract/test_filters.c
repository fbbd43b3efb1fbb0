/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_filters.c - filters that no kernel takes, so that libpcap runs them itself: programs that
 * jump backward, that read scratch memory which they have not written. The real library says on
 * standard error that the kernel refuses them; that is not for a library of ours to copy.
 */
#include "contract.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LEN(a)  (sizeof(a) / sizeof((a)[0]))
#define BACK(n) ((bpf_u_int32) - (n))

/* Our packets whose mark is a multiple of 3, keeping 20 bytes; byte [3].k has to be there. */
static struct bpf_insn looping[] = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x88b5, 1, 0), BPF_STMT(BPF_RET | BPF_K, 0),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 250, 3, 0), BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 3),
	BPF_STMT(BPF_JMP | BPF_JA, BACK(4)), BPF_STMT(BPF_RET | BPF_K, 20),
	BPF_STMT(BPF_RET | BPF_K, 0)};

/* Our packets with mark 5, by way of memory whose content may not matter. */
static struct bpf_insn unwritten[] = {BPF_STMT(BPF_LDX | BPF_MEM, 3),
	BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0),
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 20), BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 65535), BPF_STMT(BPF_RET | BPF_K, 0)};

static int set(pcap_t *p, struct bpf_insn *insns, size_t n)
{
	struct bpf_program prog = {.bf_len = (u_int)n, .bf_insns = insns};
	int was = dup(2), null = open("/dev/null", O_WRONLY);
	int rc;

	dup2(null, 2);
	rc = pcap_setfilter(p, &prog);
	dup2(was, 2);
	close(was);
	close(null);
	return rc;
}

static void marks(unsigned int from, unsigned int to, unsigned int len)
{
	for (unsigned int i = from; i <= to; i++)
		wire_send(1, len, (uint8_t)i);
}

static void count(u_char *user, const struct pcap_pkthdr *hdr, const u_char *data)
{
	(void)hdr;
	(void)data;
	++*(int *)user;
}

static void loops(void)
{
	pcap_t *p = activated(fresh());
	struct pcap_pkthdr *hdr;
	struct pcap_stat ps;
	const u_char *data;
	int n = 0, rc;

	finding("a loop: setfilter", "%d", set(p, looping, LEN(looping)));
	marks(1, 30, 100);
	do
		rc = pcap_next_ex(p, &hdr, &data);
	while (rc == 0);
	finding("a loop: next_ex", "%d", rc);
	finding("a loop: first", "%d", data[20]);
	finding("a loop: lengths", "%u %u", hdr->caplen, hdr->len);
	finding("a loop: loop of 4", "%d", pcap_loop(p, 4, count, (u_char *)&n));
	finding("a loop: callbacks", "%d", n);
	finding("a loop: the rest", "%u", gather(p, 5));
	finding("a loop: stats", "%d", pcap_stats(p, &ps));
	finding("a loop: ps_recv", "%u", ps.ps_recv);
	finding("a loop: ps_drop", "%u", ps.ps_drop);
	pcap_close(p);
}

static void cut(void)
{
	pcap_t *p = fresh();
	struct bpf_insn probing[LEN(looping)];
	struct pcap_pkthdr *hdr;
	const u_char *data;

	memcpy(probing, looping, sizeof(probing));
	probing[3].k = 150; /* beyond the snap length */
	pcap_set_snaplen(p, 64);
	/* In immediate mode the real library takes slots from the kernel that are no larger. */
	pcap_set_immediate_mode(p, 0);
	pcap_set_timeout(p, 50);
	activated(p);
	set(p, probing, LEN(probing));
	wire_send(1, 100, 3);
	wire_send(1, 151, 6);
	while (pcap_next_ex(p, &hdr, &data) == 0)
		;
	finding("a filter that looks beyond the snap length: first", "%d", data[20]);
	finding("... lengths", "%u %u", hdr->caplen, hdr->len);
	pcap_close(p);
}

static void changes(void)
{
	pcap_t *p = activated(fresh());
	struct pcap_stat ps;

	only_ours(p);
	marks(1, 6, 100);
	finding("ordinary", "%u", gather(p, 6));
	finding("then a loop: setfilter", "%d", set(p, looping, LEN(looping)));
	marks(1, 30, 100);
	finding("then a loop", "%u", gather(p, 10));
	filter(p, "ether proto 0x88b5 and ether[20] = 7");
	warm_up(p);
	marks(1, 9, 100);
	finding("ordinary again", "%u", gather(p, 1));
	finding("and a bad one", "%d", set(p, looping, LEN(looping) - 3));
	marks(6, 8, 100);
	finding("which changes nothing", "%u", gather(p, 1));
	finding("changes: stats", "%d", pcap_stats(p, &ps));
	finding("changes: ps_drop", "%u", ps.ps_drop);
	pcap_close(p);
}

static void descriptor(void)
{
	pcap_t *p = activated(fresh());
	int fd = pcap_get_selectable_fd(p);
	int n = 0;

	pcap_setnonblock(p, 1, errbuf);
	set(p, looping, LEN(looping));
	marks(1, 2, 100);
	finding("all rejected: readable", "%d", is_readable(fd, 2000));
	usleep(100000);
	finding("all rejected: dispatch", "%d", pcap_dispatch(p, -1, count, (u_char *)&n));
	finding("all rejected: readable afterwards", "%d", is_readable(fd, 0));
	marks(3, 3, 100);
	finding("then one accepted: readable", "%d", is_readable(fd, 2000));
	finding("then one accepted: dispatch", "%d", pcap_dispatch(p, -1, count, (u_char *)&n));
	pcap_close(p);
}

static void scratch(void)
{
	pcap_t *p = activated(fresh());
	struct pcap_stat ps;

	finding("unwritten memory: setfilter", "%d", set(p, unwritten, LEN(unwritten)));
	marks(1, 8, 100);
	finding("unwritten memory: passed", "%u", gather(p, 1));
	pcap_stats(p, &ps);
	finding("unwritten memory: ps_recv", "%u", ps.ps_recv);
	pcap_close(p);
}

/* What libpcap's own compiler makes. */
static void protochain(void)
{
	/* UDP; UDP behind hop-by-hop options; TCP behind them; UDP over IPv4. */
	static const uint8_t chains[4][3] = {
		{0x60, 17, 0}, {0x60, 0, 17}, {0x60, 0, 6}, {0x45, 17, 0}};
	pcap_t *p = activated(fresh());
	struct bpf_program prog;

	pcap_compile(p, &prog, "ip6 protochain 17", 1, 0);
	finding("ip6 protochain 17: setfilter", "%d", set(p, prog.bf_insns, prog.bf_len));
	pcap_freecode(&prog);
	for (int i = 0; i < 4; i++) {
		uint8_t pkt[80] = "\x02\0\0\0\0\x01\x02\0\0\0\0\x02";

		pkt[12] = chains[i][0] == 0x60 ? 0x86 : 0x08;
		pkt[13] = chains[i][0] == 0x60 ? 0xdd : 0x00;
		pkt[14] = chains[i][0];
		pkt[20] = pkt[23] = chains[i][1];
		pkt[54] = chains[i][2];
		wire_send_raw(pkt, sizeof(pkt));
	}
	finding("ip6 protochain 17: passed", "%u", gather(p, 2));
	pcap_close(p);
}

void contract_filters(void)
{
	loops();
	cut();
	changes();
	descriptor();
	scratch();
	protochain();
}
