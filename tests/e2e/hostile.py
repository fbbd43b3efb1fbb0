#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client that means harm.

    hostile.py SOCKET STORY [ARGUMENT...]

Becomes user nobody and tries to keep the daemon from serving others. Beside it runs, as whoever
started this, a client that asks the daemon something every few milliseconds; in the end it says
how long the longest answer took.
"""
import array
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the sources
from hostile_client import (Client, DUMP, DUMP_CONTROL, EDQUOT, EINVAL, FILE, HELLO, HungUp, OPEN,
                            PORTS, SEND_LANE, SET_BUFFER, STATS, dump_body, fail, header, ok,
                            open_body, text_of)

NOBODY = 65534
MIB = 1 << 20
GENEROUS = 2.5  # seconds for an answer, on a machine that has much else to do
LINGER = 4      # seconds that such a socket holds whoever closes it

Client.path = path = sys.argv[1]


def ping():
    """Seconds that somebody else waits for an answer."""
    since = time.monotonic()
    with Client() as c:
        if c.ask(PORTS)[0] != 0:
            fail("PORTS of somebody else")
    return time.monotonic() - since


def ping_at_last():
    """As ping(), by a user whose own connections may still be too many: their sockets linger."""
    for _ in range(200):
        try:
            return ping()
        except (HungUp, BrokenPipeError):
            time.sleep(0.1)
    return fail("a user whose connections have gone is still refused")


class Bystander:
    """Somebody else, who keeps asking."""

    def __enter__(self):
        self.end, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.end.close()
            worst, n = ping(), 1
            while not select.select([theirs], [], [], 0.02)[0]:
                worst, n = max(worst, ping()), n + 1
            theirs.sendall(struct.pack("=dI", worst, n))
            os._exit(0)
        theirs.close()
        become_nobody()
        return self

    def __exit__(self, kind, *_):
        self.end.sendall(b"x")
        self.end.settimeout(60)
        worst, n = struct.unpack("=dI", self.end.recv(12))
        os.waitpid(self.pid, 0)
        if kind is None:
            print(f"(somebody else: {n} answers, the longest took {worst * 1000:.1f} ms)",
                  flush=True)
            if worst > GENEROUS:
                fail(f"somebody else waited {worst:.1f} s for an answer")


def become_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


# ---- descriptors that do not close ----

class Lingering:
    """A TCP socket that keeps whoever closes it last for LINGER seconds."""

    def __init__(self):
        self.listening = socket.socket()
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listening.bind(("127.0.0.1", 0))
        self.listening.listen(8)
        self.peers = []

    def make(self):
        s = socket.socket()
        s.connect(self.listening.getsockname())
        self.peers.append(self.listening.accept()[0])
        s.setblocking(False)
        try:
            while True:
                s.send(b"x" * 65536)
        except BlockingIOError:
            pass
        s.setblocking(True)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LINGER))
        return s.detach()


def give(client, data, fds):
    """True: the kernel lets descriptors through; None: the daemon has hung up already."""
    passed = True
    try:
        client.say(data, fds)
    except PermissionError:
        passed = False
    except BrokenPipeError:
        passed = None
    for fd in fds:
        if not passed:  # we are who closes it last
            with socket.socket(fileno=os.dup(fd)) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(fd)
    return passed


def linger(expected):
    with Bystander():
        lingering = Lingering()
        # how, is HELLO said before, what, does the daemon read it
        ways = (("before HELLO", False, header(HELLO) + struct.pack("64s", b"x"), True),
                ("with a request", True, header(PORTS), True),
                ("with garbage", True, b"garbage", True),
                ("with an empty message", True, b"", True),
                ("in a message that is never read", True, header(PORTS), False))
        through = []
        for _, greet, data, wait in ways:
            passed = None
            while passed is None:
                c = Client(greet)
                # At garbage the daemon hangs up, before it reads the next one. It also does so at once
                # while too many connections of this user wait for their sockets to be closed.
                if not wait and give(c, b"garbage", []) is None:
                    time.sleep(0.1)
                    continue
                passed = give(c, data, [lingering.make()])
            through.append(passed)
            if wait and passed:
                try:
                    while True:
                        c.hear()
                except HungUp:
                    pass
            c.close()
        ping_at_last()
        if through != [expected == "through"] * len(ways):
            fail(f"descriptors pass: {through}, expected: {expected}")
        ok("descriptors that do not close " +
           ("are closed where nobody waits" if through[0] else "do not come in"))


def linger_in_files(*_):
    with Bystander():
        lingering = Lingering()
        with Client() as c:
            channel = file_channel(c)
            channel.sendmsg([b"F"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                      array.array("i", [lingering.make() for _ in range(3)]))])
            channel.close()
        ping_at_last()
        with Client() as c:
            channels = [file_channel(c)]
            if c.ask(FILE)[0] != -16:
                fail("a second file is awaited beside the first")
            channels[0].close()
        ok("nobody waits for a file that does not come, or does not close")


def file_channel(client):
    status, body = client.ask(FILE)
    if status != 0:
        fail(f"FILE: {status} {text_of(body)}")
    return socket.socket(fileno=client.fds.pop())


# ---- files that a dump must not be written into ----

def hand_over(client, fd):
    with file_channel(client) as channel:
        channel.settimeout(30)
        socket.send_fds(channel, [b"F"], [fd])
        os.close(fd)
        answer = channel.recv(65536)
    return struct.unpack("=i", answer[:4])[0], text_of(answer[8:])


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


# ---- too many ----

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


# ---- much memory ----

def wait_while_others_are_served(what, c, kind, body, good=0):
    """Is somebody else's request answered while this one is in work?"""
    for _ in range(8):
        c.say(header(kind) + body)
        ping()
        early = not c.has_answer()
        status, answer = c.hear()
        if status != good:
            fail(f"{what}: {status} {text_of(answer)}")
        if early:
            ok(f"others are served while {what}")
            return
        if kind in (OPEN, SEND_LANE):
            c.close()
            c.connect()
            if kind == SEND_LANE:
                c.ask(OPEN, open_body())
    fail(f"nobody is served while {what}")


def memory(size):
    size = int(size) * MIB
    with Bystander():
        with Client() as c:
            wait_while_others_are_served("a large buffer is made", c, OPEN, open_body(size))
        with Client() as c:
            c.ask(OPEN, open_body())
            wait_while_others_are_served("a buffer is replaced", c, SET_BUFFER,
                                         struct.pack("=Q", size // 2))
        with Client() as c:
            c.ask(OPEN, open_body())
            wait_while_others_are_served("a send lane is made", c, SEND_LANE,
                                         struct.pack("=Q", min(size, 1 << 30)))
        with Client() as c:
            c.say(header(OPEN) + open_body(size))
            c.say(header(STATS))
            c.say(header(PORTS))
            for kind in (OPEN, STATS, PORTS):
                status, body = c.hear()
                if status != 0:
                    fail(f"request {kind} behind an OPEN: {status} {text_of(body)}")
            ok("requests behind one that takes long are answered in order")
        for _ in range(6):
            with Client() as c:
                c.say(header(OPEN) + open_body(size))
                c.s.shutdown(socket.SHUT_WR)
        with Client() as c:
            for _ in range(3000):
                if c.ask(OPEN, open_body(size))[0] == 0:
                    break
                time.sleep(0.02)
            else:
                fail("memory of clients that went meanwhile is not given back")
        ok("clients may go while their buffer is made")


def dump_memory(size):
    """As root, who may let the daemon make files."""
    with Client() as c:
        for retro, what in ((0, "a dump's ring"), (int(size) * MIB // 4, "what a dump remembers")):
            for i in range(8):
                file = f"{os.path.dirname(path)}/dump-{retro}-{i}-%N.pcap"
                c.say(header(DUMP) + dump_body(int(size) * MIB // 2 if not retro else 0, retro,
                                               file.encode()))
                ping()
                early = not c.has_answer()
                status, body = c.hear()
                if status != 0:
                    fail(f"{what}: {status} {text_of(body)}")
                stop_dump(c, body[8:72])
                if early:
                    ok(f"others are served while {what} is made")
                    break
            else:
                fail(f"nobody is served while {what} is made")


def one_account(mib, directory):
    """Sessions, send lanes and dumps together hold what the limit says, in any order."""
    mib = int(mib)
    become_nobody()
    with Client() as a, Client() as b, Client() as d:
        if a.ask(OPEN, open_body(mib // 2 * MIB))[0] != 0:
            fail("half of the limit")
        b.ask(OPEN, open_body(MIB))
        if b.ask(SEND_LANE, struct.pack("=Q", mib // 4 * MIB))[0] != 0:
            fail("a quarter of the limit")
        fd = os.open(directory + "/account.pcap", os.O_RDWR | os.O_CREAT, 0o600)
        if hand_over(d, fd)[0] != 0:
            fail("a regular file is refused")
        status, body = d.ask(DUMP, dump_body(mib // 2 * MIB))
        if status != -EDQUOT or "npf.limits.memory" not in text_of(body):
            fail(f"a dump beyond the limit: {status} {text_of(body)}")
        ok(f"a dump beside sessions: {text_of(body)}")
        a.close()
        # The daemon may have seen nothing of that yet.
        for _ in range(1000):
            status, body = d.ask(DUMP, dump_body(mib // 2 * MIB))
            if status == 0:
                break
            time.sleep(0.02)
        else:
            fail(f"memory of a session that has gone is not given back: {text_of(body)}")
        with Client() as c:
            status, body = c.ask(OPEN, open_body(mib // 2 * MIB))
            if status != -EDQUOT:
                fail(f"a session beside a dump: {status}")
        ok(f"a session beside a dump: {text_of(body)}")
        stop_dump(d, newest_dump(d))


def newest_dump(client):
    return client.query("dumps")["dumps"][-1]["name"].encode()


def stop_dump(client, name):
    status, body = client.ask(DUMP_CONTROL, struct.pack("=64sQII", name, 0, 0, 0))
    if status != 0:
        fail(f"a dump can't be stopped: {text_of(body)}")


# ---- what is whose business ----

def questions(secret):
    """Root's session, dump and the port that only root may use are there."""
    with Client() as root:
        root.ask(OPEN, open_body(MIB, name=secret.encode()))
        status, body = root.ask(DUMP, dump_body(MIB, name=b"roots", packets=1, file=(
            os.path.dirname(path) + "/roots.pcap").encode()))
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


def in_work(size):
    """Leaves an OPEN in work."""
    become_nobody()
    c = Client()
    c.say(header(OPEN) + open_body(int(size) * MIB))
    print("asked", flush=True)
    signal.pause()


STORIES = {f.__name__: f for f in (linger, linger_in_files, files, connections, memory, dump_memory,
                                   one_account, questions, in_work)}
STORIES[sys.argv[2]](*sys.argv[3:])
