#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Packets to disk: npf-dpdk's dump beside dpdk-dumpcap, tcpdump -w, netsniff-ng and bare writes.

    dump.py BUILD-DIR [ROUNDS [SECONDS [DIRECTORY [CASE]]]]

Each round runs every case once, one after the other, so that a noisy machine is unfair to all alike; before each,
what the last one left is synchronised, and the disk, which may be throttled, rests as long as it will work.
64-byte packets: what reached the file, a second, and what was lost on the way. npf-dpdk and testpmd
with dpdk-dumpcap take them from net_null; tcpdump and netsniff-ng from a veth that trafgen floods, since
they can't read a DPDK port. net_null makes packets as fast as they are taken, so npf-dpdk's port is
set to wait for the disk (overflow: wait): what it writes is then the rate that it writes without loss. The
same with a port that drops shows what an overload costs. What the others wrote while they lost packets
is more than they could write without loss. 1514-byte packets: bytes a second beside fio's sequential direct writes
(io_uring, 1 MiB, depth 8) into the same directory, and into a tmpfs beside a loop of write(2) of 1 MiB from a
buffer as large as npf-dpdk's, of 256 MiB: so both copy bytes that no cache holds into pages of the tmpfs that this
machine has used before (fresh ones are several times slower on a virtual machine).
CPU: seconds of processor time for each GB written, of the dump's worker alone, of the whole daemon
(the tap polls all the time, and makes up the packets), and of the others' processes.
The tap (or testpmd, or the capturing program) runs on the second CPU, all else on the first. Needs root.
"""
import glob
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 3.0
DIRECTORY = sys.argv[4] if len(sys.argv) > 4 else "/var/tmp"
ONLY = sys.argv[5] if len(sys.argv) > 5 else ""  # cases whose names have this in them
tmp = tempfile.mkdtemp(prefix="npf-dump-", dir=DIRECTORY)
shm = tempfile.mkdtemp(prefix="npf-dump-", dir="/dev/shm")


def ctl(*args):
    r = subprocess.run([BUILD / "tools/npfctl", "--socket", f"{tmp}/s", "--json", *args],
                       capture_output=True, text=True)
    if r.returncode != 0:
        raise RuntimeError(r.stderr)
    return r.stdout


def look(name):
    return next(d for d in json.loads(ctl("dump", "list"))["dumps"] if d["name"] == name)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def npf(size, directory, overflow="wait"):
    """Return packets/s and bytes/s in files, packets/s lost, CPU s/GB of worker and daemon."""
    pathlib.Path(f"{tmp}/conf.yaml").write_text(
        f"npf: {{socket: {tmp}/s, telemetry: false}}\n"
        f"ports: [{{name: npf0, device: \"net_null0,size={size},copy=1\", overflow: {overflow}}}]\n")
    with open(f"{tmp}/daemon.log", "w") as log:
        daemon = subprocess.Popen([BUILD / "tools/npf-dpdk", "-c", f"{tmp}/conf.yaml"], stderr=log)
    for _ in range(200):
        if "npf-dpdk: ready" in open(f"{tmp}/daemon.log").read():
            break
        time.sleep(0.05)
    ctl("dump", "start", "npf0", "-n", "d", "-w", f"{directory}/d-%N.pcap", "-C", "4GiB", "--keep", "1",
        "--buffer", "256MiB")
    time.sleep(0.5)
    cpu, before, start = cpu_of(daemon.pid), look("d"), time.monotonic()
    time.sleep(SECONDS)
    after, took = look("d"), time.monotonic() - start
    cpu = cpu_of(daemon.pid) - cpu
    ctl("dump", "stop", "d")
    done = look("d")
    daemon.terminate()
    daemon.wait(30)
    assert done["error"] is None and done["disk_bytes"] == done["bytes"], done
    assert overflow == "drop" or done["drop_disk"] == 0, done
    gb = (after["disk_bytes"] - before["disk_bytes"]) / 1e9
    for f in glob.glob(f"{directory}/d-*"):
        os.unlink(f)
    return {
        "Mpps": (after["written"] - before["written"]) / took / 1e6,
        "GB/s": gb / took,
        "lost Mpps": (after["drop_disk"] - before["drop_disk"]) / took / 1e6,
        "worker s/GB": (after["worker_cpu_ns"] - before["worker_cpu_ns"]) / 1e9 / gb,
        "CPU s/GB": cpu / gb,
    }


def dumpcap(size):
    """dpdk-dumpcap on a testpmd that only receives; the hugetlbfs it needs is mounted for this run alone."""
    # dumpcap finds no packet memory unless it knows the very mempool drivers that its primary has.
    preload = sorted(glob.glob("/usr/lib/*/librte_mempool_dpaa.so.2*"))[0]
    script = f"""
        mkdir -p {tmp}/huge && mount -t hugetlbfs none {tmp}/huge
        dpdk-testpmd --huge-dir {tmp}/huge --file-prefix npfdump --no-pci -m 128 --lcores 0@0,1@1 \\
            --vdev net_null0,size={size},copy=1 -- --forward-mode=rxonly --total-num-mbufs=8192 -a \\
            < <(sleep {SECONDS + 4}) > {tmp}/testpmd.log 2>&1 &
        sleep 2
        LD_PRELOAD={preload} timeout -s INT {SECONDS} taskset -c 0 dpdk-dumpcap --file-prefix npfdump -P \\
            -i net_null0 -w {tmp}/dumpcap.pcap > {tmp}/dumpcap.log 2>&1
        wait
        umount {tmp}/huge
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["unshare", "-m", "bash", "-c", script], check=True, timeout=SECONDS + 60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    received, dropped = map(int, re.search(r"received/dropped on interface .*: (\d+)/(\d+)",
                                           open(f"{tmp}/dumpcap.log").read()).groups())
    gb = os.path.getsize(f"{tmp}/dumpcap.pcap") / 1e9
    os.unlink(f"{tmp}/dumpcap.pcap")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"Mpps": (received - dropped) / SECONDS / 1e6, "GB/s": gb / SECONDS,
            "lost Mpps": dropped / SECONDS / 1e6, "CPU s/GB": cpu / gb}


def flooded(size, *capture):
    """A program on a veth that trafgen floods from another namespace."""
    a, b = f"npfd{os.getpid()}a", f"npfd{os.getpid()}b"
    packet = f"{{ 0x02,0,0,0,0,2, 0x02,0,0,0,0,1, 0x88,0xb5, fill(0x5a, {size - 14}) }}"
    pathlib.Path(f"{tmp}/trafgen").write_text(packet)
    subprocess.run(["bash", "-c", f"""
        ip netns add {a} && ip netns add {b}
        ip -n {a} link add wire type veth peer name wire netns {b}
        ip -n {a} link set wire up; ip -n {b} link set wire up
        """], check=True)
    flood = None
    try:
        flood = subprocess.Popen(["ip", "netns", "exec", a, "taskset", "-c", "0", "trafgen", "-o", "wire", "-i",
                                  f"{tmp}/trafgen", "-P", "1", "--no-cpu-stats", "-q"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(1)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        r = subprocess.run(["ip", "netns", "exec", b, "timeout", "-s", "INT", str(SECONDS), "taskset", "-c", "1",
                            *capture, f"{tmp}/flooded.pcap"], capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    finally:
        if flood is not None:
            os.killpg(flood.pid, signal.SIGKILL)  # trafgen takes a SIGTERM for the end of a round only
            flood.wait(20)
        for ns in (a, b):
            subprocess.run(["ip", "netns", "del", ns], check=False)
    said = r.stdout + r.stderr
    lost = re.search(r"(\d+)\s+packets (?:dropped by kernel|failed filter \(out of space\))", said)
    n_bytes = os.path.getsize(f"{tmp}/flooded.pcap")
    os.unlink(f"{tmp}/flooded.pcap")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"Mpps": (n_bytes - 24) / (size + 16) / SECONDS / 1e6, "GB/s": n_bytes / SECONDS / 1e9,
            "lost Mpps": int(lost[1]) / SECONDS / 1e6 if lost else float("nan"), "CPU s/GB": cpu / (n_bytes / 1e9)}


def fio(directory, *options):
    r = subprocess.run(["taskset", "-c", "0", "fio", "--name=d", f"--directory={directory}", "--rw=write", "--bs=1M",
                        "--size=4G", f"--runtime={SECONDS}", "--output-format=json", *options],
                       capture_output=True, text=True, check=True)
    job = json.loads(r.stdout[r.stdout.index("{"):])["jobs"][0]
    for f in glob.glob(f"{directory}/d.*"):
        os.unlink(f)
    gb = job["write"]["io_bytes"] / 1e9
    return {"GB/s": job["write"]["bw_bytes"] / 1e9,
            "CPU s/GB": (job["usr_cpu"] + job["sys_cpu"]) / 100 * job["job_runtime"] / 1e3 / gb}


def bare(directory):
    """A loop of write(2), on the first CPU, in a process of its own."""
    script = f"""
import mmap, os, time
size = 256 << 20
m = mmap.mmap(-1, size)
for i in range(0, size, 4096):
    m[i] = 1
v, n, start = memoryview(m), 0, time.monotonic()
fd = os.open("{directory}/bare", os.O_WRONLY | os.O_CREAT)
while time.monotonic() - start < {SECONDS}:
    at = (n << 20) % size
    os.write(fd, v[at:at + (1 << 20)])
    n += 1
took = time.monotonic() - start
print(n * (1 << 20) / took / 1e9, time.process_time() / (n * (1 << 20) / 1e9))
"""
    r = subprocess.run(["taskset", "-c", "0", sys.executable, "-c", script], capture_output=True, text=True, check=True)
    os.unlink(f"{directory}/bare")
    rate, cpu = map(float, r.stdout.split())
    return {"GB/s": rate, "CPU s/GB": cpu}


def warmed(case):
    """After pages enough for it have been written to the tmpfs once."""
    with open(f"{shm}/warm", "wb", buffering=0) as f:
        for _ in range(int(3 * 1024 * SECONDS)):
            f.write(bytes(1 << 20))
    os.unlink(f"{shm}/warm")
    return case()


CASES = {
    "64 B, disk: npf-dpdk": lambda: npf(64, tmp),
    "64 B, disk: npf-dpdk, a port that drops": lambda: npf(64, tmp, "drop"),
    "64 B, disk: testpmd + dpdk-dumpcap": lambda: dumpcap(64),
    "64 B, disk: veth, tcpdump -w": lambda: flooded(64, "tcpdump", "-i", "wire", "-B", "65536", "-w"),
    "64 B, disk: veth, netsniff-ng": lambda: flooded(64, "netsniff-ng", "--in", "wire", "-S", "64MiB", "--silent", "--out"),
    "1514 B, disk: npf-dpdk": lambda: npf(1514, tmp),
    "1514 B, disk: testpmd + dpdk-dumpcap": lambda: dumpcap(1514),
    "1514 B, disk: veth, tcpdump -w": lambda: flooded(1514, "tcpdump", "-i", "wire", "-B", "65536", "-w"),
    "disk: fio, io_uring, direct, depth 8": lambda: fio(tmp, "--ioengine=io_uring", "--direct=1", "--iodepth=8"),
    "1514 B, tmpfs: npf-dpdk": lambda: warmed(lambda: npf(1514, shm)),
    "tmpfs: a loop of write(2) of 1 MiB": lambda: warmed(lambda: bare(shm)),
}
COLUMNS = ("Mpps", "GB/s", "lost Mpps", "worker s/GB", "CPU s/GB")


def spread(values):
    return " / ".join(f"{f(values):.2f}" for f in (min, statistics.median, max))


def ratio(results, what, column, name, *peers, peer_column=None):
    """min / median / max over the rounds of name's figure by the best of its peers'."""
    best = [max(results[p][i][peer_column or column] for p in peers) for i in range(ROUNDS)]
    print(f"{what}: {spread([r[column] / b for r, b in zip(results[name], best)])}")


def main():
    results = {name: [] for name in CASES if ONLY in name}
    for _ in range(ROUNDS):
        for name in results:
            subprocess.run(["sync"], check=True)
            time.sleep(SECONDS)
            results[name].append(CASES[name]())
    print(f"{ROUNDS} rounds of {SECONDS} s in {DIRECTORY}; min / median / max")
    print(f"{'':40}" + "".join(f"{c:>22}" for c in COLUMNS))
    for name, rounds in results.items():
        print(f"{name:40}" + "".join(f"{spread([r[c] for r in rounds]) if c in rounds[0] else '-':>22}" for c in COLUMNS))
    if ONLY:
        return
    ours, tcpdump = "64 B, disk: npf-dpdk", "64 B, disk: veth, tcpdump -w"
    print("Ratios, min / median / max:")
    ratio(results, "64 B packets/s without loss, npf-dpdk / best other", "Mpps", ours, *list(CASES)[2:5])
    ratio(results, "1514 B bytes/s to disk, npf-dpdk / fio", "GB/s", "1514 B, disk: npf-dpdk",
          "disk: fio, io_uring, direct, depth 8")
    ratio(results, "1514 B bytes/s to tmpfs, npf-dpdk / bare writes", "GB/s", "1514 B, tmpfs: npf-dpdk",
          "tmpfs: a loop of write(2) of 1 MiB")
    ratio(results, "CPU for a GB of 64 B packets, tcpdump -w / npf-dpdk's whole daemon", "CPU s/GB", tcpdump, ours)
    ratio(results, "... / its worker alone", "CPU s/GB", tcpdump, ours, peer_column="worker s/GB")


try:
    main()
finally:
    shutil.rmtree(tmp, ignore_errors=True)
    shutil.rmtree(shm, ignore_errors=True)
