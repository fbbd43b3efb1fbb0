#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An interface of the kernel's captured in five ways: what is delivered, what is told lost, what is not.

    ifaces.py BUILD-DIR [ROUNDS [PACKETS]]

trafgen sends PACKETS frames of 64 bytes over a veth as fast as it can; a counting libpcap program
captures at the other end: on the interface itself, and on a port of npf-dpdk on iface:, net_af_packet,
net_pcap and net_af_xdp. Each round runs every way once. trafgen and a tap share the second CPU's time
as the kernel has it; the program runs on the first. Needs root.
"""
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
PACKETS = int(sys.argv[3]) if len(sys.argv) > 3 else 500000
NS = "npfe-ifaces"
PORTS = {"iface:in": "iface:in", "net_af_packet": "net_af_packet0,iface=in",
         "net_pcap,iface=": "net_pcap0,iface=in", "net_af_xdp": "net_af_xdp0,iface=in"}
tmp = pathlib.Path(tempfile.mkdtemp(prefix="npf-ifaces-"))


def inside(*args, **more):
    return subprocess.run(["ip", "netns", "exec", NS, *map(str, args)], check=True, capture_output=True,
                          text=True, **more)


def rx_packets():
    return int(inside("cat", "/sys/class/net/in/statistics/rx_packets").stdout)


def wait_for(path, words):
    for _ in range(400):
        if words in path.read_text():
            return
        time.sleep(0.05)
    raise RuntimeError(path.read_text())


def capture(command):
    """tcpdump's own counters are what a program is told; its file what it got."""
    log = tmp / "tcpdump.log"
    with open(log, "w") as err:
        p = subprocess.Popen(["taskset", "-c", "0", *map(str, command), "tcpdump", "-Z", "root", "-nn", "-s", "96",
                              "-B", "16384", "-w", "/dev/null"] + (["-i", "in"] if command[0] == "ip" else ["-i", "npf0"]),
                             stderr=err, stdout=subprocess.DEVNULL)
    wait_for(log, "listening")
    before, start = rx_packets(), time.monotonic()
    inside("trafgen", "--in", tmp / "frame.cfg", "--out", "out", "--num", PACKETS, "--cpus", "1")
    took = time.monotonic() - start
    time.sleep(1)
    p.send_signal(2)
    p.wait(20)
    sent, text = rx_packets() - before, log.read_text()
    got = int(re.search(r"(\d+) packets? captured", text)[1])
    told = sum(int(n) for n in re.findall(r"(\d+) packets? dropped by", text))
    return got / took / 1e6, 100 * got / sent, 100 * told / sent, 100 * (sent - got - told) / sent


def port(device):
    log = tmp / "daemon.log"
    with open(log, "w") as err:
        daemon = subprocess.Popen(["ip", "netns", "exec", NS, BUILD / "tools/npf-dpdk", "--vdev", device,
                                   "--socket", tmp / "s"], stderr=err)
    try:
        wait_for(log, "npf-dpdk: ready")
        return capture([BUILD / "tools/npf-run", "--socket", tmp / "s"])
    finally:
        daemon.terminate()
        daemon.wait(20)


def main():
    (tmp / "frame.cfg").write_text("{ 0x02,0,0,0,0,2, 0x02,0,0,0,0,1, 0x88,0xb5, fill(0, 50) }\n")
    rows = {"stock tcpdump": []} | {name: [] for name in PORTS}
    subprocess.run(["ip", "netns", "add", NS], check=True)
    try:
        inside("ip", "link", "add", "in", "type", "veth", "peer", "name", "out")
        for end in "in", "out":
            inside("sysctl", "-q", "-w", f"net.ipv6.conf.{end}.disable_ipv6=1")
            inside("ip", "link", "set", end, "up")
        for _ in range(ROUNDS):
            rows["stock tcpdump"].append(capture(["ip", "netns", "exec", NS]))
            for name, device in PORTS.items():
                rows[name].append(port(device))
    finally:
        subprocess.run(["ip", "netns", "del", NS], check=False)
    base = statistics.median(r[0] for r in rows["stock tcpdump"])
    print(f"{'':18}million packets/s        delivered %   told lost %   not told %   of stock tcpdump")
    for name, runs in rows.items():
        rate, got, told, untold = ([r[i] for r in runs] for i in range(4))
        print(f"{name:18}{min(rate):.2f} {statistics.median(rate):.2f} {max(rate):.2f}"
              f"{statistics.median(got):19.1f}{statistics.median(told):14.1f}{statistics.median(untold):13.1f}"
              f"{statistics.median(rate) / base:15.2f}")


main()
