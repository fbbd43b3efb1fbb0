#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""npf-txgen beside dpdk-testpmd, and beside the bare driver.

    peers.py BUILD-DIR [ROUNDS [SECONDS]]

Each round runs every case once, one after the other, so that a noisy machine is unfair to all alike;
medians and the median of each round's ratios are printed. Rates are of one worker on the last CPU,
64-byte frames, burst 32, on net_null (which frees what it is given). Pacing is at 1 Mpps on net_null;
latency is net_ring's, from and to one worker. PREFIX in the environment goes before each command
(`PREFIX="chrt -f 10"` keeps other programs off the CPU). Needs root for hugepages.
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
PREFIX = os.environ.get("PREFIX", "").split()
LCORES = "0,1" if (os.cpu_count() or 1) > 1 else "0@0,1@0"
EAL = ["--in-memory", "--no-pci", "--no-telemetry", "--lcores", LCORES, "--log-level=1"]
NULL = "--vdev=net_null0,size=64,no-rx=1"
FOUR = "ip(src=10.0.0.1-10.0.0.254,dst=10.1.0.1-10.1.3.255)/udp(sport=1-1000,dport=1-1000)"
RANDOM = "ip(src=random,dst=random)/udp(sport=random,dport=random)"


def txgen(vdev, *options):
    p = subprocess.run([*PREFIX, BUILD / "tools/npf-txgen", *EAL, vdev, "--", "--json",
                        f"--duration={SECONDS}s", "--size=64", "--linger=0s", *options],
                       capture_output=True, text=True, timeout=SECONDS + 60)
    if not p.stdout:
        sys.exit(p.stderr)
    return json.loads(p.stdout)


def ours(*options):
    return lambda: txgen(NULL, *options)["tx"]["pps"] / 1e6


def testpmd(mode):
    def measure():
        p = subprocess.Popen([*PREFIX, "dpdk-testpmd", *EAL, NULL, "--", "-i",
                              f"--forward-mode={mode}", "--txpkts=64", "--total-num-mbufs=2048",
                              "--burst=32"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
        for line, wait in (("start", 0.3), ("show port stats 0", SECONDS), ("show port stats 0", 0),
                           ("stop", 0)):
            p.stdin.write(line + "\n")
            p.stdin.flush()
            time.sleep(wait)
        out = p.communicate("quit\n", timeout=60)[0]
        return int(re.findall(r"Tx-pps: +(\d+)", out)[-1]) / 1e6
    return measure


def pacing():
    r = txgen(NULL, "--rate=1Mpps")
    return r["pacing_error_ns"]["p99"], r["tx"]["packets"] - r["planned"]


def latency():
    r = txgen("--vdev=net_ring0", "--rate=200kpps", "--check", "--nb-cores=1")
    return r["latency_ns"]["p50"], r["latency_ns"]["p99"]


def pingpong():
    p = subprocess.run([*PREFIX, BUILD / "tests/bench/txgen/pingpong", *EAL, "--vdev=net_ring0", "--",
                        "2000000"], capture_output=True, text=True, timeout=120)
    return tuple(float(x) for x in p.stdout.split())


RATES = {
    "npf-txgen, one fixed packet": ours(),
    "testpmd txonly": testpmd("txonly"),
    "npf-txgen, four stepping fields": ours(f"--packet={FOUR}"),
    "npf-txgen, four random fields": ours(f"--packet={RANDOM}"),
    "testpmd flowgen (one field)": testpmd("flowgen"),
    "npf-txgen, fixed, numbered and stamped": ours("--check", "--drain=0s", "--max-loss=100"),
    "npf-txgen, sequence of three": ours("--packet=udp()", "--packet=tcp()", "--packet=icmp()"),
}
RATIOS = [
    ("npf-txgen, one fixed packet", "testpmd txonly"),
    ("npf-txgen, four stepping fields", "testpmd flowgen (one field)"),
    ("npf-txgen, four random fields", "testpmd flowgen (one field)"),
    ("npf-txgen, four stepping fields", "npf-txgen, one fixed packet"),
    ("npf-txgen, four random fields", "npf-txgen, one fixed packet"),
]

rates = {name: [] for name in RATES}
paced, lat, bare = [], [], []
for _ in range(ROUNDS):
    for name, measure in RATES.items():
        rates[name].append(measure())
    paced.append(pacing())
    lat.append(latency())
    bare.append(pingpong())

print(f"{ROUNDS} rounds of {SECONDS} s, Mpps: median (least to most)")
for name, v in rates.items():
    print(f"  {name:40} {statistics.median(v):7.1f}  ({min(v):.1f} to {max(v):.1f})")
print("ratios, median over rounds")
for a, b in RATIOS:
    r = [x / y for x, y in zip(rates[a], rates[b])]
    print(f"  {a} / {b}: {statistics.median(r):.2f}  ({min(r):.2f} to {max(r):.2f})")
p99 = [p for p, _ in paced]
print(f"pacing at 1 Mpps: p99 of |distance - distance due| {statistics.median(p99):.0f} ns "
      f"({min(p99):.0f} to {max(p99):.0f}); packets more or fewer than planned: "
      f"{[d for _, d in paced]}")
for i, what in enumerate(("p50", "p99")):
    a, b = [x[i] for x in lat], [x[i] for x in bare]
    added = [x - y for x, y in zip(a, b)]
    print(f"latency over net_ring, {what}: {statistics.median(a):.0f} ns, bare ping-pong "
          f"{statistics.median(b):.0f} ns, added {statistics.median(added):.0f} ns "
          f"({min(added):.0f} to {max(added):.0f})")
