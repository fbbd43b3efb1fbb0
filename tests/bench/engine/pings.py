#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""How long others wait for an answer while a hostile user is at work.

    pings.py BUILD-DIR [SECONDS [ATTACK...]]

For each attack: user nobody does it over and over from one process, while root asks PORTS on a connection
that stays and on a new one, a pair every few milliseconds. Printed are percentiles of an answer in milliseconds,
and how often the attack was done. The first and the last row are without an attack: what the machine itself
does. The daemon's control thread and both clients share the first CPU with all else but the tap. Needs root.
"""
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
BUILD = pathlib.Path(sys.argv[1]).resolve()
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
SOURCE = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(SOURCE / "tests/e2e"))
from hostile_client import (Client, DUMP, EDQUOT, HungUp, MIB, OPEN, PORTS, SEND_LANE,  # noqa: E402
                            SET_BUFFER, SET_FILTER, become_nobody, comparisons, dump_body, file_channel,
                            hand_over, header, insn, open_body, stop_dump)

"host".encode("idna")  # loaded while the files of this interpreter can be read
GAP = 0.003
N_INSNS = 49152  # npf.limits.filter by default


def filter_body(insns):
    return struct.pack("=II", len(insns) // 8, 0) + insns


def jumps(n):
    """Two long chains of `ja +0` with many entries."""
    half = n * 2 // 10
    n_cmp = n - 2 * half - 6
    program = [(0x20, 0, 0, 0)]
    entries = []
    while len(program) < n_cmp:
        first = len(program)
        last = min(first + 200, n_cmp)
        for at in range(first, last):
            over = last + 1 if at & 1 else last + 2
            program.append((0x15, over - at - 1, over - at - 1, 1000000 + at))
        entries.append(last)
        program += [(5, 0, 0, 2), (5, 0, 0, 0), (5, 0, 0, 0)]
    program.append((6, 0, 0, 0))
    a = len(program)
    program += [(5, 0, 0, 0)] * half + [(6, 0, 0, 65535)]
    b = len(program)
    program += [(5, 0, 0, 0)] * half + [(6, 0, 0, 96)]
    for at in entries:
        program[at + 1] = (5, 0, 0, a - at - 2)
        program[at + 2] = (5, 0, 0, b - at - 3)
    return b"".join(insn(code, k, jt, jf) for code, jt, jf, k in program)


def opened(size=0):
    c = Client()
    status, _ = c.ask(OPEN, open_body(size or MIB))
    if status != 0:
        raise RuntimeError(f"OPEN: {status}")
    return c


# ---- attacks: each yields once it has done what it does once more ----

def nothing(_):
    while True:
        time.sleep(1)
        yield


def compile_bombs(_, program=None):
    body = filter_body(program or jumps(N_INSNS - 8))
    clients = [opened() for _ in range(4)]
    while True:
        for c in clients:
            c.say(header(SET_FILTER) + body)
        for c in clients:
            if c.hear()[0] != 0:
                raise RuntimeError("SET_FILTER is refused")
        yield


def long_filters(folder):
    yield from compile_bombs(folder, comparisons(N_INSNS - 8))


def large_rings(_):
    while True:
        c = Client()
        c.ask(OPEN, open_body(MIB))
        c.ask(SET_BUFFER, struct.pack("=Q", 256 * MIB))
        c.ask(SET_BUFFER, struct.pack("=Q", 128 * MIB))
        c.close()
        yield


def send_lanes(_):
    while True:
        with Client() as c:
            c.ask(OPEN, open_body(MIB))
            c.ask(SEND_LANE, struct.pack("=Q", 64 * MIB))
        yield


def connections(_):
    while True:
        held = []
        for _ in range(200):
            try:
                held.append(Client(greet=False))
            except OSError:
                break
        for c in held:
            c.close()
        yield


def sessions(_):
    while True:
        try:
            opened(64 << 10).close()
        except (RuntimeError, HungUp):
            pass
        yield


def questions(_):
    c = opened()
    while True:
        c.query("stats")
        yield


def unread_replies(_):
    while True:
        c = Client()
        try:
            for _ in range(10000):
                c.say(header(PORTS))
        except (HungUp, OSError):
            pass
        c.close()
        yield


def lingering(_):
    server = socket.create_server(("127.0.0.1", 0))
    while True:
        c = Client()
        fds, peers = [], []
        for _ in range(3):
            s = socket.create_connection(server.getsockname())
            peers.append(server.accept()[0])
            s.setblocking(False)
            try:
                while True:
                    s.send(b"x" * 65536)
            except BlockingIOError:
                pass
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1))
            fds.append(s.detach())
        try:
            with file_channel(c) as channel:
                socket.send_fds(channel, [b"F"], fds)
        except (HungUp, OSError, SystemExit):
            pass
        for fd in fds:
            os.close(fd)
        c.close()
        for s in peers:
            s.close()
        yield


def dumps(folder):
    n = 0
    while True:
        n += 1
        with Client() as c:
            fd = os.open(f"{folder}/{n % 8}.pcap", os.O_RDWR | os.O_CREAT, 0o600)
            if hand_over(c, fd)[0] == 0:
                status, body = c.ask(DUMP, dump_body(MIB))
                if status == 0:
                    stop_dump(c, body[8:72])
                elif status != -EDQUOT:
                    raise RuntimeError(f"DUMP: {status}")
        yield


ATTACKS = (nothing, compile_bombs, long_filters, large_rings, send_lanes, connections, sessions, questions,
           unread_replies, lingering, dumps, nothing)


# ---- who waits ----

def percentile(values, p):
    return values[min(len(values) - 1, int(len(values) * p / 100))] * 1e3


def answer(c):
    since = time.monotonic()
    c.ask(PORTS)
    return time.monotonic() - since


def measure():
    """Answers' times, for SECONDS; and those on a new connection each."""
    kept, fresh, end = [], [], time.monotonic() + SECONDS
    with Client() as c:
        while time.monotonic() < end:
            kept.append(answer(c))
            since = time.monotonic()
            with Client() as other:
                other.ask(PORTS)
            fresh.append(time.monotonic() - since)
            time.sleep(GAP)
    return sorted(kept), sorted(fresh)


def attacked(attack, folder):
    theirs, ours = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        os.sched_setaffinity(0, {0})
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        become_nobody()
        n, is_over = 0, []
        signal.signal(signal.SIGTERM, lambda *_: is_over.append(True))
        try:
            for _ in attack(folder):
                n += 1
                if is_over:
                    break
            theirs.sendall(struct.pack("=Q", n))
        except Exception as e:  # whoever starts this has to know
            print(f"{attack.__name__}: {e!r}", file=sys.stderr)
        os._exit(0)
    theirs.close()
    time.sleep(0.5)
    try:
        kept, fresh = measure()
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    answer_of_attacker = ours.recv(8)
    if len(answer_of_attacker) != 8:
        raise RuntimeError("the attacker gave up")
    return kept, fresh, struct.unpack("=Q", answer_of_attacker)[0]


def main():
    folder = tempfile.mkdtemp(prefix="npf-pings-")
    os.chmod(folder, 0o711)
    os.mkdir(f"{folder}/dumps")
    os.chown(f"{folder}/dumps", 65534, 65534)
    Client.path = f"{folder}/s"
    os.sched_setaffinity(0, {0})
    with open(f"{folder}/conf.yaml", "w") as f:
        f.write(f"npf: {{socket: {folder}/s, group: any, telemetry: false}}\neal: {{memory: 96}}\n"
                'ports:\n  - {name: npf0, device: "net_null0,copy=1", send: true}\n')
    with open(f"{folder}/log", "w") as log:
        daemon = subprocess.Popen([BUILD / "tools/npf-dpdk", "-c", f"{folder}/conf.yaml"], stderr=log,
                                  preexec_fn=lambda: os.sched_setaffinity(0, set(range(os.cpu_count()))))
    try:
        while "ready" not in open(f"{folder}/log").read():
            if daemon.poll() is not None:
                raise RuntimeError(open(f"{folder}/log").read())
            time.sleep(0.05)
        print(f"{'ms':16}{'':8}{'p50':>9}{'p99':>9}{'p99.9':>9}{'max':>9}{'answers':>9}{'attacks':>9}")
        for attack in (a for a in ATTACKS if a.__name__ in sys.argv[3:] or len(sys.argv) <= 3):
            kept, fresh, n = attacked(attack, f"{folder}/dumps")
            for what, values in (("kept", kept), ("new", fresh)):
                print(f"{attack.__name__:16}{what:8}" + "".join(
                    f"{percentile(values, p):9.2f}" for p in (50, 99, 99.9, 100)) +
                    f"{len(values):9}{n:9}", flush=True)
    finally:
        daemon.terminate()
        daemon.wait(60)
        subprocess.run(["rm", "-rf", folder], check=True)


if __name__ == "__main__":
    main()
