#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Carry every packet that arrives on one libpcap device to the other, and back, until killed.

    bridge.py DEVICE DEVICE

Plain libpcap through ctypes: immediate mode, incoming packets only, the selectable descriptor,
pcap_next_ex and pcap_sendpacket. Runs under npf-run on npf ports.
"""
import ctypes as c
import select
import sys

pcap = c.CDLL("libpcap.so.0.8")
pcap.pcap_create.restype = c.c_void_p
pcap.pcap_geterr.restype = c.c_char_p
PCAP_D_IN = 1


class Header(c.Structure):
    _fields_ = [("sec", c.c_long), ("usec", c.c_long), ("caplen", c.c_uint), ("len", c.c_uint)]


def check(p, rc):
    if rc < 0:
        sys.exit("bridge.py: " + pcap.pcap_geterr(p).decode())
    return rc


def open_device(name):
    err = c.create_string_buffer(256)
    p = pcap.pcap_create(name.encode(), err)
    if not p:
        sys.exit("bridge.py: " + err.value.decode())
    p = c.c_void_p(p)
    pcap.pcap_set_snaplen(p, 65535)
    pcap.pcap_set_immediate_mode(p, 1)
    check(p, pcap.pcap_activate(p))
    check(p, pcap.pcap_setdirection(p, PCAP_D_IN))
    check(p, pcap.pcap_setnonblock(p, 1, err))
    return p


def carry(source, sink):
    header, data = c.POINTER(Header)(), c.POINTER(c.c_ubyte)()
    while check(source, pcap.pcap_next_ex(source, c.byref(header), c.byref(data))) > 0:
        check(sink, pcap.pcap_sendpacket(sink, data, header.contents.caplen))


def main():
    a, b = (open_device(name) for name in sys.argv[1:])
    ways = {pcap.pcap_get_selectable_fd(a): (a, b), pcap.pcap_get_selectable_fd(b): (b, a)}
    while True:
        for fd in select.select(list(ways), [], [])[0]:
            carry(*ways[fd])


main()
