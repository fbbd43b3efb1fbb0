#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The prompt, fed from a pipe and typed at on a terminal; options, errors and exit status."""
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import time

from pcapfile import read_pcap
from txgen import EAL, PROGRAM, check, command, run, run_json, tests

RING = ["net_ring0"]


def a_session_of_testpmds_commands_works(d):
    out, _ = run(RING, ["-i"], stdin="""
        # a comment
        show port info all
        set fwd txonly
        set txpkts 100
        set burst 16
        set count 500
        set check on
        show config
        start
        wait 10s
        show port stats all
        clear port stats all
        show port stats 0
        show fwd stats all
        port stop all
        start
        port start 0
        set packet tcp(flags=S)/size=80
        add packet udp()/size=90
        start
        wait
        quit
        """)
    check("net_ring0" in out and "started, link up" in out, "ports are shown")
    check("txonly packet forwarding - ports=1" in out, "settings are shown")
    check(re.search(r"tx +500 packets +50000 bytes", out), "500 packets of 100 bytes leave")
    check("check passed" in out, "and come back")
    stats = re.findall(r"TX-packets: (\d+)", out)
    check(stats == ["500", "0"], f"port counters count and are cleared: {stats}")
    check("port 0 is stopped" in out, "a stopped port refuses traffic")
    check(re.search(r"tx +500 packets +42500 bytes", out), "two templates take turns")


def mistakes_at_the_prompt_are_told_and_forgiven(d):
    out, _ = run(["net_null0"], ["-i"], stdin="""
        begin
        set rate fast
        set colour red
        set fwd sideways
        show port stats 7
        set packet ip(dst=1.2.3)
        stop
        start
        start
        set burst 9
        port stop 0
        stop
        """)
    for text in ("'begin' is not a command", "'fast' is not a rate", "set NAME VALUE",
                 "modes are txonly", "'7' is neither a port", "not an IPv4 address",
                 "no traffic is running", "traffic is running already",
                 "traffic is running: stop it first"):
        check(text in out, f"it says: {text}")


def tx_first_starts_forwarding(d):
    out, _ = run(RING, ["-i", "--forward-mode=macswap"],
                 stdin="start tx_first\nwait 300ms\nstop\n")
    sent = int(re.search(r"^tx +(\d+) packets", out, re.M).group(1))
    check(sent > 1000, "the first burst goes round")


class Terminal:
    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            # libedit never frees the name of a function that was added to it.
            os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
            os.execv(argv[0], argv)
        self.seen = ""

    def expect(self, text, timeout=20):
        end = time.monotonic() + timeout
        while text not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                check(False, f"'{text}' appears on the terminal; there is: {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                check(text in self.seen, f"'{text}' appears before the end: {self.seen!r}")
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def tab_completes_and_history_recalls(d):
    t = Terminal(command(["net_null0"], ["-i"]))
    t.expect("npf-txgen> ")
    t.type("sho\tp\ts\tal\t\n")
    t.expect("NIC statistics for port 0")
    t.expect("npf-txgen> ")
    t.type("set f\tmac\t\n")
    t.expect("npf-txgen> ")
    t.type("show c\t\n")
    t.expect("macswap packet forwarding")
    t.expect("npf-txgen> ")
    t.type("\x1b[A\n")
    t.expect("macswap packet forwarding")
    t.expect("npf-txgen> ")
    t.type("set fwd txonly\nstart\n")
    time.sleep(0.3)
    t.type("\x03")  # Ctrl-C ends the traffic, not the program
    time.sleep(0.3)
    t.type("stop\n")
    t.expect(" packets")
    t.type("quit\n")
    check(t.end() == 0, "it leaves with status 0")


def catches(pid, number):
    with open(f"/proc/{pid}/status") as f:
        caught = next(line for line in f if line.startswith("SigCgt:"))
    return int(caught.split()[1], 16) >> (number - 1) & 1


def ticks(pid):
    """Of the CPU that it has had."""
    with open(f"/proc/{pid}/stat") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))


def wait_until_it_works(pid):
    """It would end at a signal in good order, and has had a second of a CPU since then."""
    while not catches(pid, signal.SIGTERM):
        time.sleep(0.05)
    begun = ticks(pid)
    while ticks(pid) < begun + os.sysconf("SC_CLK_TCK"):
        time.sleep(0.05)


def interrupted_batches_report_what_they_did(d):
    out = os.path.join(d, "out")
    with open(out, "w") as f:
        p = subprocess.Popen(command(["net_null0"], ["--json"]), stdout=f,
                             stderr=subprocess.DEVNULL)
        wait_until_it_works(p.pid)
        p.terminate()
        check(p.wait(60) == 0, "a signal is an orderly end")
    with open(out) as f:
        text = f.read()
    check('"stopped":true' in text and '"packets":0,' not in text.split('"rx"')[0], "told as such")


def csv_has_a_heading_and_numbers(d):
    path = os.path.join(d, "out.csv")
    # By count: in a time a machine that is busy does not send all. For long enough that it tells of it on the way.
    run(["net_null0", "net_null1"], ["--csv", f"--output={path}", "--count=5000",
                                     "--rate=1kpps", "--stats-period=100ms"])
    with open(path) as f:
        rows = [line.strip().split(",") for line in f]
    check(len({len(r) for r in rows}) == 1 and rows[0][0] == "seconds", "it is a table")
    check(len(rows) >= 5, "with figures along the way")
    check([r[2] for r in rows[-2:]] == ["5000", "5000"], "and the totals at the end")


def wrong_usage_ends_with_status_2_and_a_reason(d):
    for options, why in ((["--rate=fast"], "is not a rate"), (["--packet=foo()"], "no header"),
                         (["--size=12"], "at least 14"), (["--pcap=/nonexistent"], "No such file"),
                         (["--pcap=/dev/null"], "npf-txgen:"), (["--bogus"], "bogus"),
                         (["surplus"], "not an option"), (["--rate=original"], "savefile"),
                         (["--packet=udp()/size=50", "--check"], "no room"),
                         (["--csum=hw"], "cannot make checksums")):
        _, err = run(["net_null0"], options, status=2)
        check(why in err, f"{options}: {why}; not: {err}")
    damaged = os.path.join(d, "damaged.pcap")
    for good, length in ((3, 0x7fffffff), (0, 60)):
        with open(damaged, "wb") as f:
            f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
            f.write((struct.pack("<IIII", 0, 0, 60, 60) + bytes(60)) * good)
            f.write(struct.pack("<IIII", 0, 0, length, length) + bytes(50))
        out, err = run(["net_null0"], [f"--pcap={damaged}"], status=2)
        check(f"damaged at packet {good + 1}, byte {24 + 76 * good}" in err and not out,
              f"a damaged savefile is refused with the place: {err}")
    _, err = run([], [], status=2)
    check("no ports" in err, "no port is an error")
    p = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True)
    check(p.returncode == 0 and "--packet=TEMPLATE" in p.stdout, "help needs no EAL")


def it_runs_without_privileges(d):
    eal = EAL + ["--no-pci"]
    os.chmod(d, 0o777)
    path = os.path.join(d, "out.pcap")
    prefix = ["setpriv", "--reuid=65534", "--clear-groups", "env", f"XDG_RUNTIME_DIR={d}"]
    if os.geteuid():
        prefix = []
    # The checkout may lie where nobody else may look.
    program = shutil.copy(PROGRAM, d)
    run([f"net_pcap0,tx_pcap={path}"], ["--count=10"], eal=eal, prefix=prefix, program=program)
    check(len(read_pcap(path)) == 10, "ten packets are written")


def defaults_need_no_eal_options(d):
    """With hugepages or, where none are free, without."""
    r = run_json(["net_ring0"], ["--count=1000", "--check"], eal=[])
    check(r["passed"], "the check passes")


if __name__ == "__main__":
    tests(a_session_of_testpmds_commands_works, mistakes_at_the_prompt_are_told_and_forgiven,
          tx_first_starts_forwarding, tab_completes_and_history_recalls,
          interrupted_batches_report_what_they_did, csv_has_a_heading_and_numbers,
          wrong_usage_ends_with_status_2_and_a_reason, it_runs_without_privileges,
          defaults_need_no_eal_options)
