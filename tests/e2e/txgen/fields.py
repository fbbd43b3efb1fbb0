#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every field that a template can set, as tshark reads it from what was sent."""
import ipaddress
import os

from txgen import Failed, check, need, run, run_json, tests, tshark

GOOD = {"ip.checksum.status", "udp.checksum.status", "tcp.checksum.status", "icmp.checksum.status",
        "icmpv6.checksum.status"}


def send(d, options, n, name="tx.pcap"):
    path = os.path.join(d, name)
    r = run_json([f"net_pcap0,tx_pcap={path}"], options + [f"--count={n}"])
    check(r["tx"]["packets"] == n, f"{n} packets are sent")
    check(r["passed"], "the run passes")
    return path


def ip(first, i, n):
    return str(ipaddress.ip_address(first) + i % n)


def mac(v):
    return ":".join(f"{v >> s & 255:02x}" for s in range(40, -1, -8))


# template, {tshark's field: what packet i must have}
CASES = [
    ("eth(dst=02:00:00:00:00:02)/vlan(id=5)/ip(src=10.0.0.1,dst=10.0.0.2-10.0.0.9)/"
     "udp(sport=random,dport=53)/size=128",
     {"eth.dst": "02:00:00:00:00:02", "vlan.id": "5", "ip.src": "10.0.0.1",
      "ip.dst": lambda i: ip("10.0.0.2", i, 8), "udp.dstport": "53", "frame.len": "128",
      "ip.len": "110", "udp.length": "90", "ip.checksum.status": "1",
      "udp.checksum.status": "1"}),
    ("eth(dst=02:00:00:00:01:fe-02:00:00:00:02:01,src=02:aa:00:00:00:09-02:aa:00:00:00:01)/udp()",
     {"eth.dst": lambda i: mac(0x0200000001fe + i % 4),
      "eth.src": lambda i: mac(0x02aa00000009 - i % 9), "frame.len": "64"}),
    ("vlan(id=100-109,pcp=7)/vlan(id=1-4094+1000,pcp=0-7,dei=1)/ip()/udp()",
     {"eth.type": "0x88a8", "ieee8021ad.id": lambda i: str(100 + i % 10),
      "ieee8021ad.priority": "7", "vlan.id": lambda i: str(1 + i % 5 * 1000),
      "vlan.priority": lambda i: str(i % 8), "vlan.dei": lambda i: ("True", "1"),
      "ip.checksum.status": "1", "udp.checksum.status": "1"}),
    ("ip(src=10.1.0.0/24,dst=10.2.0.9-10.2.0.0+3,ttl=1-255,dscp=0-63,ecn=1,id=0-65535+257,df=1)/"
     "udp(sport=1000-1009+3,dport=5|7|7)/size=64-99",
     {"ip.src": lambda i: ip("10.1.0.0", i, 256),
      "ip.dst": lambda i: str(ipaddress.ip_address("10.2.0.9") - i % 4 * 3),
      "ip.ttl": lambda i: str(1 + i % 255), "ip.dsfield.dscp": lambda i: str(i % 64),
      "ip.dsfield.ecn": "1", "ip.id": lambda i: f"0x{i % 256 * 257:04x}",
      "ip.flags.df": lambda i: ("True", "1"), "udp.srcport": lambda i: str(1000 + i % 4 * 3),
      "udp.dstport": lambda i: "577"[i % 3], "frame.len": lambda i: str(64 + i % 36),
      "ip.len": lambda i: str(50 + i % 36), "udp.length": lambda i: str(30 + i % 36),
      "ip.checksum.status": "1", "udp.checksum.status": "1"}),
    ("ip(frag=0,mf=0,tos=0xb8)/tcp(sport=80,dport=1024-1033,seq=1000-5000+1000,ack=7,flags=S|SA|A|F,"
     "win=100-200,urg=3)/payload=random/size=80|81|1500",
     {"tcp.srcport": "80", "tcp.dstport": lambda i: str(1024 + i % 10),
      "tcp.seq_raw": lambda i: str(1000 + i % 5 * 1000), "tcp.ack_raw": "7",
      "tcp.flags": lambda i: ["0x0002", "0x0012", "0x0010", "0x0001"][i % 4],
      "tcp.window_size_value": lambda i: str(100 + i % 101), "tcp.urgent_pointer": "3",
      "ip.dsfield": "0xb8", "frame.len": lambda i: ["80", "81", "1500"][i % 3],
      "ip.checksum.status": "1", "tcp.checksum.status": "1"}),
    ("icmp(type=8,code=0,id=1-9,seq=100-200)/payload=inc/size=98",
     {"icmp.type": "8", "icmp.code": "0", "icmp.ident": lambda i: f"{1 + i % 9}",
      "icmp.seq": lambda i: str(100 + i % 101), "icmp.checksum.status": "1",
      "ip.proto": "1", "data.data": lambda i: bytes(range(56)).hex()}),
    ("ip6(src=2001:db8::1-2001:db8::ff,dst=2001:db8:1::,hlim=64-1,tc=3-200,flow=0-0xfffff+4097)/"
     "udp(sport=1-9,dport=4000)/size=90-99",
     {"ipv6.src": lambda i: ip("2001:db8::1", i, 255), "ipv6.dst": "2001:db8:1::",
      "ipv6.hlim": lambda i: str(64 - i % 64), "ipv6.tclass": lambda i: f"0x{3 + i % 198:08x}",
      "ipv6.flow": lambda i: f"0x{i % 256 * 4097:06x}", "ipv6.plen": lambda i: str(36 + i % 10),
      "udp.srcport": lambda i: str(1 + i % 9), "udp.checksum.status": "1"}),
    ("ip6()/tcp(flags=PA)/payload=\"hello\"/size=99",
     {"tcp.flags": "0x0018", "tcp.payload": ("hello" * 5).encode().hex(),
      "tcp.checksum.status": "1"}),
    ("icmp6(type=128,seq=1-65535)/size=70",
     {"icmpv6.type": "128", "icmpv6.echo.sequence_number": lambda i: str(1 + i),
      "icmpv6.checksum.status": "1"}),
    ("eth(dst=ff:ff:ff:ff:ff:ff)/arp(op=1|2,sha=02:00:00:00:00:07,spa=10.0.0.1-10.0.0.3,"
     "tha=00:00:00:00:00:00,tpa=10.0.1.0/24)",
     {"arp.opcode": lambda i: "12"[i % 2], "arp.src.hw_mac": "02:00:00:00:00:07",
      "arp.src.proto_ipv4": lambda i: ip("10.0.0.1", i, 3),
      "arp.dst.hw_mac": "00:00:00:00:00:00", "arp.dst.proto_ipv4": lambda i: ip("10.0.1.0", i, 256),
      "eth.dst": "ff:ff:ff:ff:ff:ff"}),
    ("ip(proto=89,len=40,csum=0x1234)/size=70",
     {"ip.proto": "89", "ip.len": "40", "ip.checksum": "0x1234", "ip.checksum.status": "0"}),
    ("udp(csum=0)/size=imix", {"udp.checksum": "0x0000", "frame.len": lambda i: str(
        [64, 594, 64, 64, 594, 64, 1514, 64, 594, 64, 64, 594][i % 12])}),
]


def compare(path, n, want):
    names = list(want)
    rows = tshark(path, names)
    check(len(rows) == n, f"tshark reads {n} packets")
    for i, row in enumerate(rows):
        for name, got in zip(names, row):
            expected = want[name](i) if callable(want[name]) else want[name]
            if not isinstance(expected, tuple):
                expected = (expected,)
            if got not in expected:
                raise Failed(f"packet {i}: {name} is {got}, not {expected[0]}")


def tshark_reads_every_field_as_the_template_says(d):
    for template, want in CASES:
        path = send(d, [f"--packet={template}"], 300)
        try:
            compare(path, 300, want)
        except Failed as e:
            raise Failed(f"{template}: {e}")


def signed_packets_have_right_checksums(d):
    # Nothing comes back, so the check fails; what was sent is looked at.
    for template, status in (("ip(dst=random)/udp(sport=random)/size=64-101", "udp"),
                             ("ip6(dst=random)/tcp(seq=random)/size=random:90-1500", "tcp"),
                             ("vlan(id=1-9)/icmp(seq=1-99)/size=80", "icmp"),
                             ("icmp6(seq=1-99)/size=random:78-1500", "icmpv6")):
        path = os.path.join(d, "signed.pcap")
        run([f"net_pcap0,tx_pcap={path}"],
            [f"--packet={template}", "--count=400", "--check", "--drain=10ms"], status=1)
        compare(path, 400, {f"{status}.checksum.status": "1"})


def random_fields_repeat_with_the_seed_and_only_then(d):
    template = "--packet=ip(src=random,dst=random:10.0.0.0-10.0.0.255)/udp(sport=random)/size=random"
    files = []
    for i, seed in enumerate((7, 7, 8)):
        path = send(d, [template, f"--seed={seed}"], 500, f"{i}.pcap")
        files.append(tshark(path, ["ip.src", "ip.dst", "udp.srcport", "frame.len"]))
    check(files[0] == files[1], "the same seed gives the same packets")
    check(files[0] != files[2], "another seed gives others")
    check(len({r[0] for r in files[0]}) > 490, "sources are spread")
    check(all(r[1].startswith("10.0.0.") for r in files[0]), "destinations stay in their range")
    check(len({r[3] for r in files[0]}) > 250, "sizes are spread")


def templates_take_turns_by_weight(d):
    spec = os.path.join(d, "s.yaml")
    with open(spec, "w") as f:
        f.write("size: 100\nstreams:\n"
                "  - {packet: 'udp(sport=1-9)', weight: 3}\n"
                "  - {packet: 'tcp(sport=500-509)', size: '70', weight: 1}\n")
    path = send(d, [f"--streams={spec}"], 40)
    rows = tshark(path, ["udp.srcport", "tcp.srcport", "frame.len"])
    want = []
    for k in range(10):
        want += [[str(1 + (3 * k + j) % 9), "", "100"] for j in range(3)]
        want.append(["", str(500 + k), "70"])
    check(rows == want, "three of the first, one of the second, each stepping by itself")


def hex_files_and_savefiles_serve_as_templates(d):
    source = send(d, ["--packet=ip(dst=10.9.0.1-10.9.0.5)/udp(sport=1-5)/payload=inc/size=77"], 5,
                  "source.pcap")
    again = send(d, [f"--packet={source}#2-3"], 4)
    compare(again, 4, {"ip.dst": lambda i: f"10.9.0.{2 + i % 2}", "frame.len": "77",
                       "udp.checksum.status": "1"})
    hexfile = os.path.join(d, "p.hex")
    with open(hexfile, "w") as f:
        f.write("# an ARP request\nffffffffffff 020000000001 0806\n0001 0800 06 04 0001\n"
                "020000000001 0a000001 000000000000 0a000002\n")
    compare(send(d, [f"--packet={hexfile}"], 3), 3, {"arp.dst.proto_ipv4": "10.0.0.2",
                                                    "frame.len": "42"})
    changed = send(d, [f"--packet=raw(file={source},n=1)/ip(src=1.1.1.1-1.1.1.4)/udp(dport=99)"], 8)
    compare(changed, 8, {"ip.src": lambda i: f"1.1.1.{1 + i % 4}", "udp.dstport": "99",
                         "ip.dst": "10.9.0.1", "ip.checksum.status": "1",
                         "udp.checksum.status": "1", "frame.len": "77"})


def queues_share_the_packets_of_a_template(d):
    paths = [os.path.join(d, f"q{q}.pcap") for q in range(2)]
    run([f"net_pcap0,tx_pcap={paths[0]},tx_pcap={paths[1]}"],
        ["--packet=udp(sport=1-1000)", "--count=101", "--txq=2"])
    rows = [tshark(p, ["udp.srcport"]) for p in paths]
    check([len(r) for r in rows] == [51, 50], "each has its half")
    check([int(r[0]) for r in rows[0]] == list(range(1, 102, 2)), "the first has the odd ones")
    check([int(r[0]) for r in rows[1]] == list(range(2, 102, 2)), "the second has the even ones")


if __name__ == "__main__":
    need("tshark")
    tests(tshark_reads_every_field_as_the_template_says, signed_packets_have_right_checksums,
          random_fields_repeat_with_the_seed_and_only_then, templates_take_turns_by_weight,
          hex_files_and_savefiles_serve_as_templates, queues_share_the_packets_of_a_template)
