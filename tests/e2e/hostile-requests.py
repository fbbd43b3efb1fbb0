#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Too many connections, files that are none to write into, and questions about others. See hostile_client.py."""
import json
import os
import resource
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the sources
from hostile_client import (Bystander, Client, DUMP, DUMP_LASTS, EDQUOT, EINVAL, EPERM, HELLO,
                            HungUp, MIB, NOBODY, OPEN, PORTS, QUERY, SET_FILTER, SET_MODE,
                            become_nobody, comparisons, dump_body, fail, hand_over, header, insn,
                            ok, open_body, ping, ping_at_last, text_of, tell,
                            wait_while_others_are_served)

NO_PACKET = struct.pack("=HBBI", 6, 0, 0, 0)  # ret #0


def files(directory):
    # A process that has not changed its user could open that as well.
    adjust = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    with Bystander(), Client() as c:
        opened = (("a file of /proc", adjust),
                  ("a memfd", os.memfd_create("x")),
                  ("a device", os.open("/dev/null", os.O_WRONLY)),
                  ("a pipe", os.pipe()[1]),
                  ("a socket", socket.socket().detach()),
                  ("a file open for reading", os.open("/etc/passwd", os.O_RDONLY)))
        for what, fd in opened:
            status, text = hand_over(c, fd)
            if status != -EINVAL or len(text) < 20:
                fail(f"{what} is taken for a dump: {status} {text}")
            ok(f"{what}: {text}")
            if c.ask(DUMP, dump_body(packets=1))[0] != -EINVAL:
                fail(f"a dump begins with {what}")
        fd = os.open(directory + "/good.pcap", os.O_RDWR | os.O_CREAT, 0o600)
        status, text = hand_over(c, fd)
        if status != 0:
            fail(f"a regular file is refused: {text}")
        if c.ask(DUMP, dump_body(packets=1))[0] != 0:
            fail("no dump into a regular file")
        ok("a regular file is taken, once")
        if c.ask(DUMP, dump_body(packets=1))[0] != -EINVAL:
            fail("one file serves two dumps")


def lifetimes(directory):
    """Dumps whose client leaves without a word."""
    become_nobody()
    with Client() as c:
        for n in range(4):
            fd = os.open(f"{directory}/left-{n}.pcap", os.O_RDWR | os.O_CREAT, 0o600)
            if hand_over(c, fd)[0] != 0:
                fail("a regular file is refused")
            status, body = c.ask(DUMP, dump_body(MIB, name=b"left-%d" % n, insns=NO_PACKET))
            if status != 0:
                fail(f"a dump: {text_of(body)}")
    with Client() as c:
        for _ in range(1000):
            left = [d["state"] for d in c.query("dumps")["dumps"] if d["name"].startswith("left-")]
            if left == ["done"] * 4:
                break
            time.sleep(0.02)
        else:
            fail(f"dumps outlive their client: {left}")
        ok("dumps end with their client")
        fd = os.open(f"{directory}/stays.pcap", os.O_RDWR | os.O_CREAT, 0o600)
        hand_over(c, fd)
        status, body = c.ask(DUMP, dump_body(MIB, flags=DUMP_LASTS, insns=NO_PACKET))
        if status != -EPERM or "npf.limits.lasting_dumps" not in text_of(body):
            fail(f"a dump that is to outlive its client: {status} {text_of(body)}")
        ok(text_of(body))


def flights():
    """Replies with descriptors that nobody takes, on connections that end and on some that do not."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    question = header(QUERY) + struct.pack("64s", b"status")
    with Bystander():
        held, n = [], 0
        for n in range(1000):
            c = Client(greet=False)
            try:
                if c.ask(HELLO, struct.pack("64s", b"x"))[0] != 0:
                    break
                c.say(question)
                c.s.recv(1, socket.MSG_PEEK)
            except HungUp:
                break
            c.s.shutdown(socket.SHUT_WR)
            held.append(c)
        if n >= 999:
            fail(f"{n} descriptors are on the way to a user who takes none")
        ok(f"{n} connections may end with a reply that was not taken")
        for c in held:
            c.close()
        ping_at_last()
        with_one = Client()
        for _ in range(3):
            with_one.say(question)
        for _ in range(3):
            if with_one.hear()[0] != 0:
                fail("a reply after one that was taken late")
        ok("who takes his replies late gets them all")


def connections(limit):
    limit = int(limit)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    with Bystander():
        held = [Client() for _ in range(limit)]
        for _ in range(3):
            with Client(greet=False) as c:
                status, body = c.ask(HELLO, struct.pack("64s", b"x"))
                text = text_of(body)
                if status != -EDQUOT or f"has {limit} connections" not in text:
                    fail(f"one more than {limit} connections: {status} {text}")
                try:
                    c.hear()
                    fail("a refused client is not hung up on")
                except HungUp:
                    pass
        ok(f"one more hears: {text}")
        for c in held:
            c.close()
        flood = [Client(greet=False) for _ in range(100 + 4 * limit)]
        enough = time.monotonic() + 1
        while time.monotonic() < enough:
            time.sleep(0.1)
        for c in flood:
            try:
                c.hear()
                fail("the daemon talks to one who says nothing")
            except HungUp:
                pass
            c.close()
        ok("who says nothing is hung up on")
        for _ in range(500):
            try:
                ping()
                break
            except HungUp:
                time.sleep(0.02)
        else:
            fail("a user whose connections have gone is still refused")
        ok("connections that have gone make room")
        for _ in range(40):
            flood = [Client(greet=False) for _ in range(200)]
            for c in flood:
                c.close()
        ok("many that are refused take nobody's place")


def questions(secret):
    """Root's session, dump and the port that only root may use are there."""
    with Client() as root:
        root.ask(OPEN, open_body(MIB, name=secret.encode()))
        status, body = root.ask(DUMP, dump_body(MIB, name=b"roots", packets=1, file=(
            os.path.dirname(Client.path) + "/roots.pcap").encode()))
        if status != 0:
            fail(f"root's dump: {text_of(body)}")
        before = {what: root.query(what) for what in ("ports", "sessions", "stats", "status")}
        pid = os.fork()
        if pid == 0:
            become_nobody()
            with Client() as c:
                c.ask(OPEN, open_body(MIB))
                mine = c.query("sessions")["sessions"]
                if [s["uid"] for s in mine] != [NOBODY]:
                    fail(f"sessions that nobody sees: {mine}")
                for what in ("status", "ports", "sessions", "stats", "dumps", "monitors", "sends"):
                    if secret in json.dumps(c.query(what)):
                        fail(f"{what} tells of a port that is denied")
                if "roots" in json.dumps(c.query("dumps")):
                    fail("others' dumps are told")
                status = c.query("status")
                if (status["sessions"], status["ports"], status["lcores"]) != (1, 1, []):
                    fail(f"status: {status}")
                _, ports = c.ask(PORTS)
                size = 64 + 256 + 64 + 24
                for at in range(0, len(ports), size):
                    entry = ports[at:at + size]
                    if entry.startswith(secret.encode()) and any(entry[64:390]):
                        fail("PORTS tells more than the name of a denied port")
            ok("a user is told of his own sessions, and of the ports that he may use")
            os._exit(0)
        if os.waitpid(pid, 0)[1] != 0:
            sys.exit(1)
        if "roots" not in json.dumps(root.query("dumps")):
            fail("root is not told of all dumps")
        for what in ("ports", "sessions", "stats"):
            if secret not in json.dumps(before[what]):
                fail(f"root is not told all: {what}")
        if not before["status"]["lcores"]:
            fail("root is not told of lcores")
    ok("root is told of all")


def filters(n):
    """The longest filters: one comparison after the other."""
    program = comparisons(int(n))
    n = len(program) // 8
    with Bystander():
        opening = open_body(MIB, n_insns=n) + program
        with Client() as c:
            wait_while_others_are_served("a filter is compiled for a session", c, OPEN, opening)
        with Client() as c:
            c.ask(OPEN, open_body(MIB))
            wait_while_others_are_served("a filter is replaced", c, SET_FILTER,
                                         struct.pack("=II", n, 0) + program)
            wait_while_others_are_served("a monitor's filter is compiled", c, SET_MODE, struct.pack(
                "=6I2I", 1, 0, 60000, 1, n, 0, n, 0) + program)
            status, body = c.ask(SET_FILTER, struct.pack("=II", n, 0) + program[:-8] + insn(0xff, 0))
            if status != -EINVAL or f"instruction {n - 1}" not in text_of(body):
                fail(f"a long filter that is none: {status} {text_of(body)}")
            ok(f"a bad one gets its text: {text_of(body)}")
        for _ in range(6):
            with Client() as c:
                c.say(header(OPEN) + opening)
                c.s.shutdown(socket.SHUT_WR)
        ok("clients may go while their filter is compiled")


def used_by(uid):
    """Seconds that a user's requests have taken of the daemon so far."""
    with Client() as c:
        return sum(u["requests_ns"] for u in c.query("users")["users"] if u["uid"] == uid) / 1e9


def set_filters_for_ever():
    program = comparisons(100)
    body = struct.pack("=II", len(program) // 8, 0) + program
    become_nobody()
    held = [Client() for _ in range(4)]
    for c in held:
        if c.ask(OPEN, open_body())[0] != 0:
            fail("OPEN")
    while True:
        for c in held:
            c.say(header(SET_FILTER) + body)
        for c in held:
            if c.hear()[0] != 0:
                fail("SET_FILTER")


def floods():
    """However much a user asks, others have most of the time."""
    pid = os.fork()
    if pid == 0:
        set_filters_for_ever()
    try:
        while used_by(NOBODY) < 0.1:
            pass
        since, used = time.monotonic(), used_by(NOBODY)
        while time.monotonic() - since < 2:
            ping()
        took, lasted = used_by(NOBODY) - used, time.monotonic() - since
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if took > lasted / 4 + 0.2:  # a request or two more, on a machine that is busy
        fail(f"a user's requests take {took:.2f} s of {lasted:.2f} s")
    ok("a user's requests take a part of the daemon's time")


tell(floods, files, connections, questions, filters, lifetimes, flights)
