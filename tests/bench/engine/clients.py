#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What many clients at once cost the tap: nanoseconds a packet, over none.

    clients.py BUILD-DIR [ROUNDS [SECONDS]]

Each client is a capture with a filter that takes nearly nothing. Kinds: `host` of a different address each, as many
times the same filter, and ordinary filters that differ. Each round runs every case once. Inputs: net_null (64-byte
packets, raw cost) and net_pcap with infinite_rx (a web trace). The tap polls on the second CPU. Beside the tap without
a client: dpdk-testpmd that only receives. Needs root.
"""
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # nothing is left beside the sources
from vdev_daemon import Daemon  # noqa: E402

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
SOURCE = pathlib.Path(__file__).resolve().parents[3]
TRACE = SOURCE / "tests/corpus/web4.pcap"
DEVICES = {
    "net_null": "net_null0,copy=1",
    "net_pcap": f"net_pcap0,rx_pcap={TRACE},infinite_rx=1",
}
COUNTS = (0, 1, 2, 4, 8, 16, 32, 64)
tmp = tempfile.mkdtemp(prefix="npf-clients-")


def hosts(n):
    return [f"host 10.77.0.{i + 1}" for i in range(n)]


def same(n):
    return ["host 10.77.0.1"] * n


def different(n):
    """Of each a part differs; none is a `host`."""
    forms = ("tcp port {0}", "udp port {0}", "net 10.{1}.0.0/16", "src net 172.{1}.0.0/16 and tcp",
             "tcp dst port {0} and net 10.{1}.0.0/16", "icmp and host 10.66.{1}.1", "udp portrange {0}-{2}",
             "ether host 02:00:00:00:00:{3:02x}")
    return [forms[i % len(forms)].format(20000 + 3 * i, i + 1, 20003 + 3 * i, i) for i in range(n)]


KINDS = {"host x_i": hosts, "one filter": same, "different": different}


def tap_ns(daemon, filters):
    """Nanoseconds of the tap for a packet, while there are clients with these filters."""
    clients = None
    if filters:
        clients = subprocess.Popen(["taskset", "-c", "0", BUILD / "tools/npf-run", "--socket", f"{tmp}/s",
                                    BUILD / "tests/bench/engine/many", "600", "npf0", *filters],
                                   stdout=subprocess.PIPE, text=True)
        if clients.stdout.readline() != "open\n":
            raise RuntimeError("the clients do not come")
        time.sleep(0.3)
    first, start = daemon.tap_packets(), time.monotonic()
    time.sleep(SECONDS)
    ns = (time.monotonic() - start) / (daemon.tap_packets() - first) * 1e9
    if clients is not None:
        clients.terminate()
        clients.wait(20)
    return ns


def testpmd_ns(device):
    """Nanoseconds of testpmd's loop for a packet, when it only receives."""
    script = f"""
        (sleep 2; echo show port stats all; sleep {SECONDS}; echo show port stats all; echo quit) |
            dpdk-testpmd --in-memory --no-pci --no-telemetry -m 128 --lcores 0@0,1@1 --vdev {DEVICES[device]} -- \\
                -i -a --forward-mode=rxonly --total-num-mbufs=8192
    """
    r = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=SECONDS + 60, check=True)
    first, last = [int(n) for n in re.findall(r"RX-packets: (\d+)", r.stdout)][:2]
    return SECONDS / (last - first) * 1e9


def bench(device):
    added = {(kind, n): [] for kind in KINDS for n in COUNTS[1:]}
    none, peer = [], []
    for _ in range(ROUNDS):
        peer.append(testpmd_ns(device))
        with Daemon(BUILD, tmp, DEVICES[device]) as daemon:
            for kind, make in KINDS.items():
                base = tap_ns(daemon, [])
                none.append(base)
                for n in COUNTS[1:]:
                    added[kind, n].append(tap_ns(daemon, make(n)) - base)
    print(f"\n{device}, {ROUNDS} rounds of {SECONDS} s: ns a packet, min median max: without a client"
          + "".join(f" {f(none):.1f}" for f in (min, statistics.median, max)) + "; testpmd that only receives"
          + "".join(f" {f(peer):.1f}" for f in (min, statistics.median, max)) + "; what clients add")
    print(f"{'clients':>8}" + "".join(f"{kind:^27}" for kind in KINDS))
    for n in COUNTS[1:]:
        print(f"{n:8}" + "".join("".join(f"{f(added[kind, n]):9.1f}" for f in (min, statistics.median, max))
                                 for kind in KINDS), flush=True)


try:
    for name in DEVICES:
        bench(name)
finally:
    subprocess.run(["rm", "-rf", tmp], check=True)
