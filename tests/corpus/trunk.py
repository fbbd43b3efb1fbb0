#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A VLAN switch of two access ports and a trunk cable, in user space.

    trunk.py NAMESPACE-A NAMESPACE-B CABLE0 CABLE1 TAGS

Makes a TAP named "trunk" in each namespace. Frames of A leave tagged through CABLE0 (one end of a
veth pair), arrive at CABLE1, lose their tags and go to B; and the other way round. TAGS is a list
of [TPID:]VID with commas, outermost first; TPID is 8100 unless given. Ends when killed; the TAPs
go with it.
"""
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID = 0x10
libc = ctypes.CDLL(None, use_errno=True)


def enter(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        sys.exit("trunk.py: setns: " + os.strerror(ctypes.get_errno()))


def tap(namespace):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + namespace, os.O_RDONLY)
    enter(there)
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"trunk", IFF_TAP | IFF_NO_PI))
    enter(home)
    os.close(there)
    os.close(home)
    return fd


def cable(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.bind((name, ETH_P_ALL))
    return s


def receive(s):
    """A frame from the trunk, or b"" for one's own. The kernel moves the outer tag out of it."""
    frame, ancillary, _, address = s.recvmsg(65536, 64)
    if address[2] == socket.PACKET_OUTGOING:
        return b""
    for level, kind, data in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, tci, tpid = struct.unpack("I12xHH", data)
            if status & TP_STATUS_VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return frame


def encode(tags):
    shim = b""
    for tag in tags.split(","):
        tpid, _, vid = tag.rpartition(":")
        shim += struct.pack("!HH", int(tpid or "8100", 16), int(vid))
    return shim


def main():
    ns_a, ns_b, cable0, cable1, tags = sys.argv[1:]
    shim = encode(tags)
    taps = [tap(ns_a), tap(ns_b)]
    ends = [cable(cable0), cable(cable1)]
    while True:
        for ready in select.select(taps + ends, [], [])[0]:
            if ready in taps:
                frame = os.read(ready, 65536)
                ends[taps.index(ready)].send(frame[:12] + shim + frame[12:])
                continue
            frame = receive(ready)
            if frame[12:12 + len(shim)] == shim:
                try:
                    os.write(taps[ends.index(ready)], frame[:12] + frame[12 + len(shim):])
                except OSError:
                    pass  # that side is not up yet: the frame is lost, as on a wire


main()
