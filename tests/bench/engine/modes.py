#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What monitors cost the tap, and how fast and how punctually packets are sent, beside its peers.

    modes.py BUILD-DIR [ROUNDS [SECONDS [PART...]]]

PART: monitor, asap, queue, timed (all unless given). Each round runs every case once, one after the
other. All needs root.

  monitor  nanoseconds of the tap for each packet, without a session and with a monitor of four filters;
           net_null (64-byte packets, all alike) and net_pcap with infinite_rx (a web trace)
  asap     net_null, 64 bytes: packets a second of `npfctl send --repeat` and `--loop`, and of a
           program's pcap_setnumwrites() and pcap_sendqueue_transmit(); peer: dpdk-testpmd in txonly
           mode on the same device. Send worker and testpmd's forwarding lcore on the second CPU
  queue    pcap_sendqueue_transmit() of a program over veth (net_af_packet) and into net_null;
           peers over veth: tcpreplay --topspeed, trafgen
  timed    a file of 64-byte packets 10 us apart, sent over veth: how far each packet's arrival, as
           stamped by the kernel at the other end, is from the schedule; peer: tcpreplay. And what the
           send worker itself says of its departures, into net_null and over veth, beside a bare loop on the
           same CPU that waits for the same moments and does nothing: how punctual the machine lets anybody be
"""
import json
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 2.0
PARTS = sys.argv[4:] or ["monitor", "asap", "queue", "timed"]
TRACE = pathlib.Path(__file__).resolve().parents[3] / "tests/corpus/web4.pcap"
NPFCTL, NPF = BUILD / "tools/npfctl", BUILD / "tools/npf-dpdk"
SEND = BUILD / "tests/bench/engine/send"
FILTERS = ["tcp port 80", "udp", "host 10.0.0.1 and port 443", "ip6"]
NS = f"npfbench{__import__('os').getpid()}"
tmp = pathlib.Path(tempfile.mkdtemp(prefix="npf-modes-"))


def run(*args, check=True, **more):
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, check=check, timeout=300, **more)


def write_pcap(path, n, gap_us):
    frame = bytes.fromhex("020000000002020000000001") + b"\x88\xb5" + bytes(50)
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(n):
            at = i * gap_us
            f.write(struct.pack("<IIII", 1 + at // 1000000, at % 1000000, 64, 64) + frame)
    return path


class Daemon:
    """On a configuration of one port; tap and main lcore on the first CPU unless told otherwise."""

    def __init__(self, device, lcores="0@0,1@1", send_cpu=None, netns=None):
        cpu = "" if send_cpu is None else f", send_cpu: {send_cpu}"
        (tmp / "conf").write_text(
            f"npf: {{socket: {tmp}/s, group: any, telemetry: false{cpu}}}\n"
            f"eal: {{memory: 128, lcores: \"{lcores}\"}}\n"
            f"ports:\n  - {{name: npf0, device: \"{device}\", send: true}}\n")
        self.log = open(tmp / "log", "w+")
        prefix = ["ip", "netns", "exec", netns] if netns else []
        self.p = subprocess.Popen([*prefix, NPF, "-c", tmp / "conf"], stderr=self.log)

    def __enter__(self):
        for _ in range(400):
            if "npf-dpdk: ready" in (tmp / "log").read_text():
                return self
            time.sleep(0.05)
        raise RuntimeError((tmp / "log").read_text())

    def __exit__(self, *_):
        self.p.terminate()
        self.p.wait(20)


def ctl(*args, cpu=0):
    return json.loads(run("taskset", "-c", cpu, NPFCTL, "--socket", tmp / "s", "--json", *args).stdout)


def spread(values, width=10):
    return " ".join(f"{f(values):{width}.2f}" for f in (min, statistics.median, max))


def table(title, rows, reference=None, invert=False):
    print(f"\n{title}; {ROUNDS} rounds: min median max" + (f", and ratio to {reference}" if reference else ""))
    for name, values in rows.items():
        line = f"  {name:44} {spread(values)}"
        if reference and name != reference:
            line += "  " + spread([a / b for a, b in zip(values, rows[reference])])
        print(line)
    sys.stdout.flush()


# ---- monitor ----

def tap_ns():
    a, start = ctl("status")["lcores"][0]["packets"], time.monotonic()
    time.sleep(SECONDS)
    b, end = ctl("status")["lcores"][0]["packets"], time.monotonic()
    return (end - start) * 1e9 / (b - a)


def bench_monitor():
    for device in "net_null0,copy=1", f"net_pcap0,rx_pcap={TRACE},infinite_rx=1":
        monitor_on(device)


def monitor_on(device):
    rows = {"no session": [], "a monitor of four filters": []}
    with Daemon(device):
        for _ in range(ROUNDS):
            rows["no session"].append(tap_ns())
            with subprocess.Popen(["taskset", "-c", "0", NPFCTL, "--socket", tmp / "s", "monitor", "npf0", *FILTERS,
                                   "--json"], stdout=subprocess.DEVNULL) as m:
                time.sleep(0.5)
                rows["a monitor of four filters"].append(tap_ns())
                m.terminate()
    table(f"monitor, {device.split('0')[0]}: ns a packet on the tap", rows)
    added = [a - b for a, b in zip(rows["a monitor of four filters"], rows["no session"])]
    print(f"  {'added':44} {spread(added)}")


# ---- asap ----

def testpmd():
    r = run("timeout", "-s", "INT", "-k", "10", SECONDS + 5, "dpdk-testpmd", "--no-pci", "--in-memory", "-m", "128",
            "--lcores", "0@0,1@1", "--vdev", "net_null0,no-rx=1", "--", "--forward-mode=txonly", "-a",
            "--stats-period=1", check=False)
    rates = [int(x) for x in re.findall(r"Tx-pps:\s+(\d+)", r.stdout) if int(x) > 0][1:]
    if not rates:
        raise RuntimeError(r.stdout + r.stderr)
    return statistics.median(rates) / 1e6


def npfctl_send(how, n):
    with Daemon("net_null0,no-rx=1", lcores="0@0,1@0", send_cpu=1):
        r = ctl("send", "npf0", "-r", tmp / "one.pcap", how, n)
    return r["packets"] / r["seconds"] / 1e6


def program(*how, device="net_null0,no-rx=1", netns=None):
    """The rate of tests/bench/engine/send, million packets a second."""
    with Daemon(device, lcores="0@0,1@0", send_cpu=1, netns=netns):
        r = run("taskset", "-c", "0", SEND, "npf0", *how, env={"NPF_SOCKET": str(tmp / "s")})
    return float(r.stdout) / 1e6


def bench_asap():
    write_pcap(tmp / "one.pcap", 1, 0)
    write_pcap(tmp / "many.pcap", 10000, 1)
    cases = {
        "dpdk-testpmd txonly": testpmd,
        "npfctl send --repeat": lambda: npfctl_send("--repeat", int(5e7 * SECONDS)),
        "npfctl send --loop": lambda: npfctl_send("--loop", int(3e7 * SECONDS)),
        "pcap_setnumwrites": lambda: program("writes", int(5e7 * SECONDS)),
        "pcap_sendqueue_transmit": lambda: program("queue", tmp / "many.pcap", int(3e3 * SECONDS)),
    }
    rows = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            rows[name].append(case())
    table("asap, net_null, 64 bytes: million packets a second", rows, "dpdk-testpmd txonly")


# ---- veth ----

class Wire:
    """A namespace with a veth pair, a0 and b0."""

    def __enter__(self):
        run("ip", "netns", "add", NS)
        self.ip("link", "add", "a0", "type", "veth", "peer", "name", "b0")
        for name in ("a0", "b0"):
            run("ip", "netns", "exec", NS, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1")
            self.ip("link", "set", name, "up")
        return self

    def ip(self, *args):
        run("ip", "-n", NS, *args)

    def rx(self):
        r = json.loads(run("ip", "-n", NS, "-j", "-s", "link", "show", "b0").stdout)
        return r[0]["stats64"]["rx"]["packets"]

    def __exit__(self, *_):
        run("ip", "netns", "del", NS)


def inside(*args, check=True):
    return run("ip", "netns", "exec", NS, *args, check=check)


def tcpreplay():
    r = inside("taskset", "-c", "1", "tcpreplay", "--topspeed", "--preload-pcap", "--loop", "10", "-i", "a0",
               tmp / "many.pcap")
    return float(re.search(r"([\d.]+) pps", r.stdout)[1]) / 1e6


def trafgen(wire):
    (tmp / "t.cfg").write_text("{ 0x02,0,0,0,0,2, 0x02,0,0,0,0,1, 0x88,0xb5, fill(0, 50) }\n")
    first, start = wire.rx(), time.monotonic()
    inside("trafgen", "--in", tmp / "t.cfg", "--out", "a0", "--num", 500000, "--cpus", "1", "--qdisc-path")
    return (wire.rx() - first) / (time.monotonic() - start) / 1e6


def bench_queue():
    write_pcap(tmp / "many.pcap", 50000, 1)
    rows = {"tcpreplay --topspeed, veth": [], "trafgen, veth": [], "pcap_sendqueue_transmit, veth": [],
            "pcap_sendqueue_transmit, net_null": []}
    with Wire() as wire:
        for _ in range(ROUNDS):
            rows["tcpreplay --topspeed, veth"].append(tcpreplay())
            rows["trafgen, veth"].append(trafgen(wire))
            rows["pcap_sendqueue_transmit, veth"].append(
                program("queue", tmp / "many.pcap", 10, device="net_af_packet0,iface=a0,qdisc_bypass=1", netns=NS))
            rows["pcap_sendqueue_transmit, net_null"].append(program("queue", tmp / "many.pcap", 1000))
    table("queue, 64 bytes: million packets a second", rows, "tcpreplay --topspeed, veth")


# ---- timed ----

def arrivals(path):
    """Error of each packet against the schedule of one every 10 us, in us; the first one is the origin."""
    data = path.read_bytes()
    nano = data[:4] == b"\x4d\x3c\xb2\xa1"
    at, stamps = 24, []
    while at + 16 <= len(data):
        s, f, caplen, _ = struct.unpack_from("<IIII", data, at)
        stamps.append(s * 10**9 + f * (1 if nano else 1000))
        at += 16 + caplen
    return [((t - stamps[0]) - i * 10000) / 1000 for i, t in enumerate(stamps)]


def percentile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def captured(send):
    """What arrives at b0 while send() runs."""
    out = tmp / "seen.pcap"
    with subprocess.Popen(["ip", "netns", "exec", NS, "taskset", "-c", "0", "tcpdump", "-i", "b0", "-n", "-B",
                           "65536", "-s", "64", "--time-stamp-precision=nano", "-w", out, "ether proto 0x88b5"],
                          stderr=subprocess.DEVNULL) as dump:
        time.sleep(1)
        said = send()
        time.sleep(1)
        dump.terminate()
    errors = arrivals(out)
    return said, [abs(e) for e in errors], errors[-1]


def bench_timed():
    n = int(100000 * SECONDS)
    write_pcap(tmp / "timed.pcap", n, 10)
    ours = {"p50": [], "p99": [], "drift at the end": []}
    theirs = {"p50": [], "p99": [], "drift at the end": []}
    says = {"net_null p50": [], "net_null p99": [], "veth p50": [], "veth p99": [],
            "bare loop p50": [], "bare loop p99": []}

    def send():
        return ctl("send", "npf0", "-r", tmp / "timed.pcap", "--rate", "original")

    def replay():
        return inside("taskset", "-c", "1", "tcpreplay", "--preload-pcap", "-i", "a0", tmp / "timed.pcap")

    with Wire():
        for _ in range(ROUNDS):
            with Daemon("net_af_packet0,iface=a0,qdisc_bypass=1", lcores="0@0,1@0", send_cpu=1, netns=NS):
                said, errors, drift = captured(send)
            says["veth p50"].append(said["late_p50_ns"] / 1000)
            says["veth p99"].append(said["late_p99_ns"] / 1000)
            for name, value in (("p50", percentile(errors, 0.5)), ("p99", percentile(errors, 0.99)),
                                ("drift at the end", drift)):
                ours[name].append(value)
            _, errors, drift = captured(replay)
            for name, value in (("p50", percentile(errors, 0.5)), ("p99", percentile(errors, 0.99)),
                                ("drift at the end", drift)):
                theirs[name].append(value)
            with Daemon("net_null0,no-rx=1", lcores="0@0,1@0", send_cpu=1):
                said = send()
            bare = run("taskset", "-c", "1", BUILD / "tests/bench/engine/spin", n, 10000).stdout.split()
            says["bare loop p50"].append(int(bare[0]) / 1000)
            says["bare loop p99"].append(int(bare[1]) / 1000)
            says["net_null p50"].append(said["late_p50_ns"] / 1000)
            says["net_null p99"].append(said["late_p99_ns"] / 1000)
    table("timed, 100 k packets/s over veth, arrival against schedule, us: npfctl send", ours)
    table("timed, the same: tcpreplay", theirs)
    table("timed, departure errors as the send worker measures them, us", says)


try:
    for part in PARTS:
        {"monitor": bench_monitor, "asap": bench_asap, "queue": bench_queue, "timed": bench_timed}[part]()
finally:
    subprocess.run(["rm", "-rf", tmp])
    subprocess.run(["ip", "netns", "del", NS], stderr=subprocess.DEVNULL)
