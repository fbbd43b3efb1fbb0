/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * setfile.h - a door beside bpf.h: long lists of hosts, nets and ports without libpcap's compiler.
 *
 * libpcap takes time quadratic in the length of `host a or host b or ...`: minutes for thousands.
 * A set file has one item a line, and is compiled in linear time.
 */
#ifndef NPF_JIT_SETFILE_H
#define NPF_JIT_SETFILE_H

#include "jit/bpf.h"

/*
 * npf_bpf_from_set - the program that accepts what any of the items describes.
 * @text, @len: lines, each one item; `#` begins a comment:
 *                10.0.0.1   2001:db8::1          a host, sender or receiver, in ARP and RARP too
 *                10.0.0.0/8   2001:db8::/32      a net
 *                port 80   port 1000-2000        TCP, UDP or SCTP, source or destination
 * @keep: bytes to keep of an accepted packet, the program's result
 * @insnsp: the program, to be freed by the caller
 *
 * The packets are Ethernet without tags. Each item means what `host`, `net` and `port` mean to
 * pcap_compile(). IPv4 hosts, nets of one size and single ports cost one lookup each however many
 * there are; IPv6 addresses and port ranges are compared one by one.
 *
 * Return: 0; -EINVAL with err->pc the line's number (from 1) and err->reason; -ENOMEM.
 */
int npf_bpf_from_set(const char *text, size_t len, uint32_t keep, struct npf_bpf_insn **insnsp,
	uint32_t *n_insnsp, struct npf_bpf_error *err);

#endif
