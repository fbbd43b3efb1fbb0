#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Through the kernel: af_packet over a veth pair into another namespace, and a TAP, whose driver
makes the checksums. tcpdump and the kernel's own counters are the witnesses."""
import os
import subprocess
import time

from txgen import check, command, need, need_root, run, run_json, tests, tshark

NS = f"npfg{os.getpid()}"
VETH, PEER, TAP = f"npfg{os.getpid() % 10000}a", f"npfg{os.getpid() % 10000}b", \
    f"npfg{os.getpid() % 10000}t"


def sh(line, fail=True):
    p = subprocess.run(line, shell=True, capture_output=True, text=True)
    check(p.returncode == 0 or not fail, f"{line}: {p.stderr}")
    return p.stdout


class Pair:
    def __enter__(self):
        sh(f"ip netns add {NS}")
        sh(f"ip link add {VETH} type veth peer name {PEER} netns {NS}")
        for where, dev in (("", VETH), (f"-n {NS}", PEER)):
            sh(f"ip {where} link set {dev} up mtu 1600")
        sh(f"sysctl -qw net.ipv6.conf.{VETH}.disable_ipv6=1", fail=False)
        sh(f"ip netns exec {NS} sysctl -qw net.ipv6.conf.{PEER}.disable_ipv6=1", fail=False)

    def __exit__(self, *_):
        sh(f"ip netns del {NS}", fail=False)
        sh(f"ip link del {VETH}", fail=False)


class Capture:
    def __init__(self, prefix, dev, path, count):
        self.p = subprocess.Popen(
            f"exec {prefix} tcpdump -i {dev} --immediate-mode -s 2048 -B 16384 -U -w {path} -c {count} udp",
            shell=True, stderr=subprocess.PIPE, text=True)
        for line in self.p.stderr:
            if "listening on" in line:
                return
        check(False, "tcpdump listens")

    def wait(self):
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.terminate()
            self.p.wait()


def wait_until_up(dev):
    for _ in range(200):
        try:
            with open(f"/sys/class/net/{dev}/flags") as f:
                if int(f.read(), 16) & 1:
                    return
        except FileNotFoundError:
            pass
        time.sleep(0.1)
    check(False, f"{dev} comes up")


def what_leaves_through_af_packet_arrives_in_another_namespace(d):
    path = os.path.join(d, "veth.pcap")
    with Pair():
        tcpdump = Capture(f"ip netns exec {NS}", PEER, path, 2000)
        time.sleep(0.3)
        r = run_json([f"net_af_packet0,iface={VETH},blocksz=4096,framesz=2048,framecnt=512"],
                     ["--count=2000", "--rate=5kpps", "--size=64|900|1500",
                      "--packet=ip(src=10.0.0.1,dst=10.0.0.2-10.0.0.9)/udp(sport=random,dport=9)"])
        tcpdump.wait()
    check(r["passed"], "all are sent")
    rows = tshark(path, ["ip.dst", "frame.len", "ip.checksum.status", "udp.checksum.status"])
    check(len(rows) == 2000, f"2000 arrive, not {len(rows)}")
    for i, row in enumerate(rows):
        check(row == [f"10.0.0.{2 + i % 8}", ["64", "900", "1500"][i % 3], "1", "1"],
              f"packet {i} arrives as sent, not as {row}")


def a_veth_pair_is_checked_both_ways(d):
    # Both ends here: what one port sends the other one receives.
    with Pair():
        sh(f"ip -n {NS} link set {PEER} netns 1")
        sh(f"ip link set {PEER} up mtu 1600")
        try:
            r = run_json([f"net_af_packet{i},iface={dev},blocksz=65536,framesz=2048,framecnt=1024"
                          for i, dev in enumerate((VETH, PEER))],
                         ["--check", "--count=3000", "--rate=5kpps", "--drain=2s"], status=None)
        finally:
            sh(f"ip link del {PEER}", fail=False)
    c = r["check"]
    # af_packet also receives what its own interface sends: duplicates are the socket's doing.
    check(c["received"] == c["sent"] == 6000, f"all arrive: {c}")
    check(c["lost"] == 0, "nothing is lost")


def packets_in(where, dev):
    return int(sh(f"{where} cat /sys/class/net/{dev}/statistics/rx_packets"))


def what_is_longer_than_the_mtu_is_refused_and_the_mix_is_not(d):
    device = f"net_af_packet0,iface={VETH},blocksz=4096,framesz=2048,framecnt=512"
    there = f"ip netns exec {NS}"
    with Pair():
        sh(f"ip link set {VETH} mtu 1500; ip -n {NS} link set {PEER} mtu 1500")
        for sizes in ("1515", "1518", "64|1516"):
            out, err = run([device], ["--count=10", f"--size={sizes}", "--json"], status=2)
            check("MTU of 1500 allows 14 to 1514" in err, f"{sizes}: refused with the limit: {err}")
            check(not out, "there is no result")
        before = packets_in(there, PEER)
        check(before < 10, "nothing of it has arrived")
        r = run_json([device], ["--count=120", "--size=imix"])
        check(r["passed"] and r["tx"]["packets"] == 120, f"the mix is sent: {r}")
        check(packets_in(there, PEER) - before == 120, "and all of it arrives")
        r = run_json([device], ["--count=20", "--packet=eth/vlan(id=5)/ip/udp/size=1518"])
        check(r["passed"], "a tag comes on top")
        check(packets_in(there, PEER) - before == 140, "and arrives")


def what_does_not_leave_does_not_pass(d):
    device = f"net_af_packet0,iface={VETH},blocksz=4096,framesz=2048,framecnt=512"
    with Pair():
        sh(f"ip link set {VETH} down")
        _, err = run([device], ["--count=10", "--link-wait=200ms"], status=2)
        check("no link" in err, "an interface that is down is no link")
        r = run_json([device], ["--count=10", "--disable-link-check"], status=1)
        check(not r["passed"] and r["tx"]["packets"] == 0, f"nothing was sent: {r}")
        check(r["ports"][0]["tx_lost"] == 10 and r["dropped"] == 10, f"all was lost: {r}")


def a_port_that_makes_checksums_makes_them_right(d):
    path = os.path.join(d, "tap.pcap")
    p = subprocess.Popen(command([f"net_tap0,iface={TAP}"], ["-i", "--csum=hw"]),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_until_up(TAP)
        tcpdump = Capture("", TAP, path, 300)
        for line in ("show port info 0", "set count 300", "set rate 2kpps",
                     "set packet ip(dst=10.0.0.1-10.0.0.9)/udp(sport=random)/size=64-99", "start",
                     "wait"):
            p.stdin.write(line + "\n")
        p.stdin.flush()
        tcpdump.wait()  # the interface goes with the program
        out = p.communicate("quit\n", timeout=30)[0]
    finally:
        p.kill()
    check("checksums by the port" in out, "the port is asked for checksums")
    rows = tshark(path, ["ip.checksum.status", "udp.checksum.status", "udp.checksum"])
    check(len(rows) == 300, f"300 arrive, not {len(rows)}")
    check(all(r[:2] == ["1", "1"] for r in rows), "all checksums are good")
    check(len({r[2] for r in rows}) > 200, "and made for each packet")


if __name__ == "__main__":
    need_root()
    need("ip", "tcpdump", "tshark")
    tests(what_leaves_through_af_packet_arrives_in_another_namespace,
          what_is_longer_than_the_mtu_is_refused_and_the_mix_is_not,
          what_does_not_leave_does_not_pass,
          a_veth_pair_is_checked_both_ways, a_port_that_makes_checksums_makes_them_right)
