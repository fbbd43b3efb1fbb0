# SPDX-License-Identifier: BSD-3-Clause
"""Savefiles, read and written the plain way."""
import struct


def read_stamped(path):
    """(ns, bytes) of each packet of a little-endian pcap file."""
    with open(path, "rb") as f:
        data = f.read()
    scale = {0xa1b2c3d4: 1000, 0xa1b23c4d: 1}[struct.unpack_from("<I", data)[0]]
    at, out = 24, []
    while at < len(data):
        sec, frac, caplen, _ = struct.unpack_from("<IIII", data, at)
        out.append((sec * 10**9 + frac * scale, data[at + 16:at + 16 + caplen]))
        at += 16 + caplen
    return out


def read_pcap(path):
    return [b for _, b in read_stamped(path)]


def write_pcap(path, packets, step_ns=1000, stamps=None):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
        for i, b in enumerate(packets):
            ns = 10**18 + (stamps[i] if stamps else i * step_ns)
            f.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(b), len(b)) + b)
