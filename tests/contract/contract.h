/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * contract.h - one program, two libraries: what every part of the contract test uses.
 *
 * The program is linked with libpcap and run twice, on a veth with the real library and on a port
 * with ours. It prints one line per finding, "what = value"; the two outputs must be equal. A
 * finding is what a program can rely on, so nothing here depends on speed alone.
 */
#ifndef TESTS_CONTRACT_CONTRACT_H
#define TESTS_CONTRACT_CONTRACT_H

#include <pcap/pcap.h>

#include <stdbool.h>
#include <stdint.h>

extern const char *device;  /* under test */
extern const char *unknown; /* no such device, of the same kind */
extern char errbuf[PCAP_ERRBUF_SIZE];

/* One line of the result. Standard output is for this alone. */
void finding(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Exits with a message: the test itself can't go on. */
void give_up(const char *why) __attribute__((noreturn));

uint64_t now_ms(void);

/* Packets of an experimental ethertype enter the wire at the other end: number i of `len` bytes,
 * whose byte 20 is `mark`. */
void wire_send(unsigned int n, unsigned int len, uint8_t mark);

/* Any packet. */
void wire_send_raw(const void *pkt, unsigned int len);

/* One such packet with a VLAN tag. */
void wire_send_tagged(uint16_t vlan, unsigned int len, uint8_t mark);

/* Waits up to ms for a packet of ours with that mark to leave the wire at the other end; bytes, or
 * -1. */
int wire_receive(uint8_t mark, int ms);

/* A handle that is not activated: everything captured at once, 1000 ms, ours only by filter. */
pcap_t *fresh(void);
pcap_t *activated(pcap_t *p);
void only_ours(pcap_t *p); /* filter: our ethertype */
void filter(pcap_t *p, const char *text);

/* Lets some packets through and reads them: libpcap runs a fresh filter in user space for a while,
 * where it does not know Linux's special loads and rejects what they are to find. */
void warm_up(pcap_t *p);

/* Reads until n packets are there or 3 s have passed; how many there were. Any more that come
 * within 50 ms count too. */
unsigned int gather(pcap_t *p, unsigned int n);
/* The same, of those with that mark. */
unsigned int gather_marked(pcap_t *p, unsigned int n, uint8_t mark);

bool is_readable(int fd, int ms);

/* The parts. */
void contract_states(void);
void contract_reading(void);
void contract_packets(void);
void contract_filters(void);
void contract_waiting(void);
void contract_polling(void);
void contract_breaking(void);
void contract_sending(void);
void contract_confined(void);

#endif
