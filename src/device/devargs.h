/* SPDX-License-Identifier: BSD-3-Clause */
/* devargs.h - a device's arguments as configured, made complete where a PMD's own defaults lose
 * packets. */
#ifndef NPF_DEVICE_DEVARGS_H
#define NPF_DEVICE_DEVARGS_H

#include "base/base.h"

#define NPF_DEVARGS_MAX 512

#define NPF_DEVARGS_IFACE "iface:" /* and an interface's name: a device of our own */

/* The kernel interface that a device stands on. Return: false: on none, or on one that the device
 * itself made and named. */
bool npf_devargs_iface(const char *devargs, char name[16]);

/*
 * npf_devargs_complete - copy devargs, adding what is missing.
 *
 * net_af_packet: its default frame size of 2048 cuts longer packets without a word, so framesz,
 * blocksz and framecnt follow the interface's MTU unless given.
 *
 * @data_room: bytes of packet data, headroom included, that one mbuf of this port must hold
 * Return: 0 or -E2BIG.
 */
int npf_devargs_complete(const char *devargs, char *out, size_t out_len, uint16_t *data_room);

/*
 * npf_devargs_tx_ifindex - the kernel's interface that the device sends through.
 * @if_index: the one that its driver names; 0: none
 * Return: its number; 0: none: a NIC, or net_pcap that writes what is sent to a file.
 */
unsigned int npf_devargs_tx_ifindex(const char *devargs, unsigned int if_index);

#endif
