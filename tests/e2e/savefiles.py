#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Make savefiles of many kinds, whole and damaged.

    savefiles.py DIRECTORY

A line on standard output for each: its name and the number of packets that can be read from it.
"""
import pathlib
import struct
import sys

US, NS = 0xa1b2c3d4, 0xa1b23c4d
START = 1700000000
N = 10
ETHERNET, NULL, PPP, RAW, WLAN, LOOP, SLL, RADIO, SLL2, USER0 = (
    1, 0, 9, 101, 105, 108, 113, 127, 276, 147)

# What stands before an IPv4 packet.
BEFORE = {
    ETHERNET: bytes.fromhex("0200000000020200000000010800"),
    NULL: struct.pack("<I", 2),
    LOOP: struct.pack(">I", 2),
    PPP: bytes.fromhex("0021"),
    RAW: b"",
    WLAN: bytes.fromhex("08010000020000000002020000000001020000000003") + bytes(2) +
    bytes.fromhex("aaaa030000000800"),
    RADIO: struct.pack("<BBHI", 0, 0, 8, 0) +
    bytes.fromhex("08010000020000000002020000000001020000000003") + bytes(2) +
    bytes.fromhex("aaaa030000000800"),
    SLL: bytes.fromhex("0000000100060200000000010000" "0800"),
    SLL2: bytes.fromhex("0800" "0000" "00000003" "0001" "00" "06" "0200000000010000"),
    USER0: b"",
}


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(i, linktype=ETHERNET, size=30):
    payload = bytes((i * 7 + k) & 0xff for k in range(size))
    udp = struct.pack(">HHHH", 1000 + i, 9, (8 + size) & 0xffff, 0) + payload
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, (20 + len(udp)) & 0xffff, i, 0, 64, 17, 0,
                     bytes([10, 9, 0, 1]), bytes([10, 9, 0, 2]))
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return BEFORE[linktype] + ip + udp


def pcap(records, linktype=ETHERNET, magic=US, order="<", snaplen=262144):
    """records: (seconds, fraction, bytes, original length)"""
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, linktype)
    for s, frac, b, length in records:
        data += struct.pack(order + "IIII", s, frac, len(b), length) + b
    return data


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(
        order + "I", len(body) + 12)


def section(order="<"):
    return block(order, 0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1))


def interface(linktype, order="<", resolution=9):
    return block(order, 1, struct.pack(order + "HHIHHBxxxHH", linktype, 0, 0, 9, 1, resolution,
                                       0, 0))


def enhanced(ts, b, length, order="<", number=0):
    return block(order, 6, struct.pack(order + "IIIII", number, ts >> 32, ts & 0xffffffff,
                                       len(b), length) + b)


def pcapng(records, linktype=ETHERNET, order="<", resolution=9):
    data = section(order) + interface(linktype, order, resolution)
    for s, frac, b, length in records:
        data += enhanced(s * 10**resolution + frac, b, length, order)
    return data


def records(linktype=ETHERNET, step=1000, n=N):
    return [(START + i, (i * step + i) % 1000000, p, len(p))
            for i in range(n) for p in [packet(i, linktype)]]


def main():
    nano = [(s, 123456789 + 111 * i, b, n) for i, (s, _, b, n) in enumerate(records())]
    cut = [(s, f, b[:40 + i], n) for i, (s, f, b, n) in enumerate(records())]
    empty = records()[:2] + [(START + 2, 0, b"", 0), (START + 3, 5, b"", 1514),
                             (START + 4, 6, b"\x02", 60)] + records()[5:]
    large = [(START + i, 0, p, len(p) + extra)
             for i, (size, extra) in enumerate([(100, 0), (65493, 0), (65494, 0), (100000, 0),
                                                (2006, 0), (2007, 0), (100000, 900000),
                                                (262144 - 42, 0), (60, 0)])
             for p in [packet(i, size=size)]]
    good = pcap(records())
    whole = {f"link{t}.pcap": (pcap(records(t), t), N) for t in BEFORE}
    whole |= {
        "us-be.pcap": (pcap(records(), order=">"), N),
        "ns.pcap": (pcap(nano, magic=NS), N),
        "ns-be.pcap": (pcap(nano, magic=NS, order=">"), N),
        "us.pcapng": (pcapng(records(), resolution=6), N),
        "ns.pcapng": (pcapng(nano), N),
        "ns-be.pcapng": (pcapng(nano, order=">"), N),
        "sll2.pcapng": (pcapng(records(SLL2), SLL2), N),
        "cut.pcap": (pcap(cut), N),
        "cut.pcapng": (pcapng(cut), N),
        "empty.pcap": (pcap(empty), N),
        "large.pcap": (pcap(large), len(large)),
        "many.pcap": (pcap(records(n=3000)), 3000),
        "none.pcap": (pcap([]), 0),
    }
    bogus = bytearray(good)
    bogus[24 + 3 * 88 + 8:24 + 3 * 88 + 12] = struct.pack("<I", 0x01000040)
    other = pcapng(records()[:4]) + interface(SLL) + enhanced(0, packet(0, SLL), 60, number=1)
    damaged = {
        "bogus.pcap": (bytes(bogus), 3),
        "torn.pcap": (good[:-7], N - 1),
        "torn-head.pcap": (good[:-80], N - 1),
        "other.pcapng": (other, 4),
    }
    assert len(good) == 24 + N * 88
    at = pathlib.Path(sys.argv[1])
    for kind, files in ("whole", whole), ("damaged", damaged):
        for name, (data, n) in files.items():
            (at / name).write_bytes(data)
            print(kind, name, n)


main()
