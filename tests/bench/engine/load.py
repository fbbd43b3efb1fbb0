#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Packets a second from a port into one client, and what is dropped: npf-dpdk beside dpdk-dumpcap.

    load.py BUILD-DIR [ROUNDS [SECONDS]]

Each round runs every case once, one after the other, so that a noisy machine is unfair to all alike.
Clients: npf-dpdk into a counting libpcap program and into stock `tcpdump -w /dev/null`; dpdk-testpmd's
rx loop captured by `dpdk-dumpcap -w /dev/null`. Then what a session costs the tap, with its filter
rejecting or accepting all.
Inputs: net_null (64-byte packets, raw cost) and net_pcap with infinite_rx (a web trace). The tap (or
testpmd) polls on the second CPU, the client runs on the first. Needs root.
"""
import glob
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
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 2.0
SOURCE = pathlib.Path(__file__).resolve().parents[3]
TRACE = SOURCE / "tests/corpus/web4.pcap"
DEVICES = {
    "net_null": "net_null0,copy=1",
    "net_pcap": f"net_pcap0,rx_pcap={TRACE},infinite_rx=1",
}
tmp = tempfile.mkdtemp(prefix="npf-load-")


def client(seconds, *args):
    return subprocess.run(["taskset", "-c", "0", BUILD / "tools/npf-run", "--socket", f"{tmp}/s", *args],
                          capture_output=True, text=True, timeout=seconds + 20)


def npf_count(device, *filter_):
    with Daemon(BUILD, tmp, DEVICES[device]):
        r = client(SECONDS, BUILD / "tests/bench/engine/count", str(SECONDS), "npf0", *filter_)
        if r.returncode != 0:
            raise RuntimeError(r.stderr)
        packets, _, dropped, ns = map(int, r.stdout.split())
    return packets / ns * 1e3, dropped / ns * 1e3


def npf_tcpdump(device):
    with Daemon(BUILD, tmp, DEVICES[device]):
        start = time.monotonic()
        r = client(SECONDS, "timeout", "-s", "INT", str(SECONDS), "tcpdump", "-nn", "-i", "npf0", "-w", "/dev/null")
        took = time.monotonic() - start
    captured = int(re.search(r"(\d+) packets captured", r.stderr)[1])
    dropped = int(re.search(r"(\d+) packets dropped", r.stderr)[1])
    return captured / took / 1e6, dropped / took / 1e6


def dumpcap(device):
    """dpdk-dumpcap on a testpmd that only receives; the hugetlbfs it needs is mounted for this run alone."""
    # dumpcap finds no packet memory unless it knows the very mempool drivers that its primary has.
    preload = sorted(glob.glob("/usr/lib/*/librte_mempool_dpaa.so.2*"))[0]
    script = f"""
        mkdir -p {tmp}/huge && mount -t hugetlbfs none {tmp}/huge
        dpdk-testpmd --huge-dir {tmp}/huge --file-prefix npfload --no-pci -m 128 --lcores 0@0,1@1 \\
            --vdev {DEVICES[device]} -- --forward-mode=rxonly --total-num-mbufs=8192 -a \\
            < <(sleep {SECONDS + 4}) > {tmp}/testpmd.log 2>&1 &
        sleep 2
        LD_PRELOAD={preload} timeout -s INT {SECONDS} taskset -c 0 dpdk-dumpcap --file-prefix npfload \\
            -i {device}0 -w /dev/null > {tmp}/dumpcap.log 2>&1
        wait
        umount {tmp}/huge
    """
    subprocess.run(["unshare", "-m", "bash", "-c", script], check=True, timeout=SECONDS + 30)
    log = open(f"{tmp}/dumpcap.log").read()
    received, dropped = map(int, re.search(r"received/dropped on interface .*: (\d+)/(\d+)", log).groups())
    return (received - dropped) / SECONDS / 1e6, dropped / SECONDS / 1e6


def tap_rate(device, *filter_):
    """Packets that the tap handles, million a second: alone (no filter given), or with one session."""
    with Daemon(BUILD, tmp, DEVICES[device]) as daemon:
        reader = None
        if filter_:
            reader = subprocess.Popen(["taskset", "-c", "0", BUILD / "tools/npf-run", "--socket", f"{tmp}/s",
                                       BUILD / "tests/bench/engine/count", str(SECONDS + 2), "npf0",
                                       *[f for f in filter_ if f]], stdout=subprocess.DEVNULL)
            time.sleep(0.7)
        first, start = daemon.tap_packets(), time.monotonic()
        time.sleep(SECONDS)
        rate = (daemon.tap_packets() - first) / (time.monotonic() - start) / 1e6
        if reader is not None:
            reader.wait(20)
    return rate


CLIENTS = {
    "npf-dpdk -> counting program": npf_count,
    "npf-dpdk -> tcpdump -w /dev/null": npf_tcpdump,
    "testpmd -> dpdk-dumpcap -w /dev/null": dumpcap,
}
TAPS = {
    "no session": (),
    "one session, filter rejects all": ("tcp port 9",),
    "one session, no filter": ("",),
}


def spread(values, width=8):
    return " ".join(f"{f(values):{width}.2f}" for f in (min, statistics.median, max))


def bench_clients(device):
    rates = {name: [] for name in CLIENTS}
    drops = {name: [] for name in CLIENTS}
    for _ in range(ROUNDS):
        for name, run in CLIENTS.items():
            rate, drop = run(device)
            rates[name].append(rate)
            drops[name].append(drop)
    peer = rates["testpmd -> dpdk-dumpcap -w /dev/null"]
    print(f"\n{device}, {ROUNDS} rounds of {SECONDS} s: million packets a second, min median max")
    print(f"{'':38} {'delivered':^26} {'dropped':^26} {'ratio to dumpcap':^26}")
    for name in CLIENTS:
        ratio = [a / b for a, b in zip(rates[name], peer)]
        print(f"{name:38} {spread(rates[name])} {spread(drops[name])} {spread(ratio)}")


def bench_taps(device):
    ns = {name: [] for name in TAPS}
    for _ in range(ROUNDS):
        for name, filter_ in TAPS.items():
            ns[name].append(1e3 / tap_rate(device, *filter_))
    print(f"\n{device}: nanoseconds of the tap for each packet, min median max; and what the session adds")
    for name in TAPS:
        added = [a - b for a, b in zip(ns[name], ns["no session"])]
        print(f"{name:38} {spread(ns[name])} {spread(added)}")


def main():
    for device in DEVICES:
        bench_clients(device)
        bench_taps(device)


try:
    main()
finally:
    subprocess.run(["rm", "-rf", tmp])
