#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print the packets of a savefile, a line each: original length, captured length, bytes in hex.

    packets.py [--stamps] [--cut SNAPLEN] FILE

With --cut, as a capture with that snap length would have them. With --stamps, each line begins with
the time, in the file's own precision. Without, so that two
captures of one wire can be compared after sorting (two sockets on an interface may see packets that
two CPUs handle at the same time in either order).
"""
import struct
import sys

ORDERS = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">",
          b"\xa1\xb2\x3c\x4d": ">"}


def main():
    args = sys.argv[1:]
    snaplen = 1 << 30
    stamps = args[0] == "--stamps"
    if stamps:
        args = args[1:]
    if args[0] == "--cut":
        snaplen = int(args[1])
        args = args[2:]
    with open(args[0], "rb") as f:
        order = ORDERS[f.read(24)[:4]]
        while header := f.read(16):
            sec, part, caplen, length = struct.unpack(order + "4I", header)
            data = f.read(caplen)
            if len(data) != caplen:
                sys.exit(f"{args[0]}: ends within a packet")
            if stamps:
                print(f"{sec}.{part:09}", end=" ")
            print(length, min(caplen, snaplen), data[:snaplen].hex())


main()
