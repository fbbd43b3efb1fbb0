/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_link.h - the kernel's interface behind a port: its state, its MTU, its promiscuous flag.
 *
 * Drivers on top of a kernel interface (net_af_packet, net_pcap, net_tap, net_af_xdp) take frames
 * whether it is up or not. No DPDK in here.
 */
#ifndef NPF_DEVICE_KERNEL_LINK_H
#define NPF_DEVICE_KERNEL_LINK_H

#include "base/base.h"

/*
 * npf_kernel_link_state - can frames leave through the interface?
 * @if_index: the kernel's number of it; 0: there is none, which is never down
 *
 * What can't be asked counts as up: then the driver says what becomes of a frame.
 *
 * Context: any thread; two system calls.
 * Return:  0; -ENETDOWN: it is down or has no carrier; -ENODEV: it is not in this network namespace
 *          any more.
 */
int npf_kernel_link_state(unsigned int if_index);

/* The interface's MTU; 0: it can't be read. */
unsigned int npf_kernel_link_mtu(unsigned int if_index);

/*
 * Was the interface made promiscuous by an administrator or a program? False for index 0.
 *
 * PMDs that stand on an interface set its flag and leave it set. Whoever starts such a PMD reads
 * the flag before, and afterwards takes back what was not set.
 */
bool npf_kernel_link_is_promiscuous(unsigned int if_index);

#endif
