# SPDX-License-Identifier: BSD-3-Clause
"""Handles that only look, and handles that read, in one program: looking.py DEVICE PACKETS STORY.

libpcap by ctypes, so that the test says when each call is made. Prints what it found.
"""
import ctypes
import sys
import time

pcap = ctypes.CDLL("libpcap.so.0.8")
pcap.pcap_create.restype = ctypes.c_void_p
pcap.pcap_geterr.restype = ctypes.c_char_p
errbuf = ctypes.create_string_buffer(256)


class Header(ctypes.Structure):
    _fields_ = [("sec", ctypes.c_long), ("usec", ctypes.c_long),
                ("caplen", ctypes.c_uint32), ("len", ctypes.c_uint32)]


def opened(device):
    p = ctypes.c_void_p(pcap.pcap_create(device.encode(), errbuf))
    pcap.pcap_set_snaplen(p, 65535)
    pcap.pcap_set_timeout(p, 10)
    pcap.pcap_set_buffer_size(p, 65536)
    if pcap.pcap_activate(p) < 0:
        sys.exit(pcap.pcap_geterr(p).decode())
    return p


def number(p):
    """The number that a packet's last four bytes hold; None: there is no packet now."""
    header, data = ctypes.POINTER(Header)(), ctypes.POINTER(ctypes.c_ubyte)()
    rc = pcap.pcap_next_ex(p, ctypes.byref(header), ctypes.byref(data))
    if rc < 0:
        sys.exit(pcap.pcap_geterr(p).decode())
    caplen = header[0].caplen
    return int.from_bytes(bytes(data[caplen - 4:caplen]), "big") if rc == 1 else None


def numbers(p, n):
    """Of the next n packets; blocks until they are there."""
    got = []
    while len(got) < n:
        i = number(p)
        got += [] if i is None else [i]
    return got


def waiting(p):
    """Of all packets that are there."""
    got = []
    while (i := number(p)) is not None:
        got.append(i)
    return got


def main():
    device, n, story = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    first, second = opened(device), opened(device)
    if story == "second-reads":
        assert numbers(second, n) == list(range(n))
    elif story == "first-joins":
        # So many are more than the rings hold: the port waits for the second one.
        assert numbers(second, 10) == list(range(10))
        pcap.pcap_setnonblock(first, 1, errbuf)
        pcap.pcap_setnonblock(second, 1, errbuf)
        joined, rest = waiting(first), []
        while len(rest) < n - 10 or not joined or joined[-1] < n - 1:
            rest += waiting(second)
            joined += waiting(first)
            time.sleep(0.001)
        assert rest == list(range(10, n))
        assert joined == list(range(joined[0], n)), (joined[:1], len(joined))
        print("joined at", joined[0])
    elif story == "first-sends":
        frame = bytes(60)
        for _ in range(10):
            assert pcap.pcap_inject(first, frame, 60) == 60, pcap.pcap_geterr(first)
        assert numbers(second, n) == list(range(n))
    print("all", n)


main()
