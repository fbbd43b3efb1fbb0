# SPDX-License-Identifier: BSD-3-Clause
"""A client of the control protocol that means harm, and somebody else beside it. Every structure is packed here
by hand, apart from src/wire/, so that a change of the protocol is noticed.

    hostile-SUBJECT.py SOCKET STORY [ARGUMENT...]

A story becomes user nobody and tries to keep the daemon from serving others. Beside it runs, as whoever
started this, a client that asks the daemon something every few milliseconds; in the end it says how long the
longest answer took.
"""
import json
import os
import select
import socket
import struct
import sys
import time

MAGIC, VERSION = 0x3046504E, 2
(HELLO, PORTS, OPEN, SET_FILTER, SET_PARAMS, SET_BUFFER, STATS, SEND, QUERY, SET_MODE, DUMP,
 DUMP_CONTROL, DUMP_STATUS, SEND_LANE, PORT_ADD, PORT_DEL, FILE) = range(1, 18)
DUMP_LASTS = 4
EDQUOT, EINVAL, EPERM = 122, 22, 1
NOBODY = 65534
MIB = 1 << 20
GENEROUS = 2.5  # seconds for an answer, on a machine that has much else to do


class HungUp(Exception):
    pass


def fail(text):
    print("FAILED: " + text, flush=True)
    sys.exit(1)


def ok(text):
    print("ok: " + text, flush=True)


def header(kind):
    return struct.pack("=IHHIi", MAGIC, VERSION, kind, 7, 0)


def open_body(size=0, flags=0, name=b"npf0", n_insns=0):
    return struct.pack("=64s4IQ4I", name, 0, 1000, 0, 0, size, 65535, flags, n_insns, 0)


def dump_body(buffer=0, retro=0, file=b"", packets=0, name=b"", flags=0, insns=b""):
    return struct.pack("=64s64s1024s2048s1024s10Q6I", name, b"npf0", file, b"", b"", 0, 0, 0, 0,
                       packets, 0, 0, buffer, retro, 0, 0, 0, 0, flags, len(insns) // 8, 0) + insns


def insn(code, k, jt=0, jf=0):
    return struct.pack("=HBBI", code, jt, jf, k)


def comparisons(n):
    """A filter of some n instructions: one comparison after the other, none of which ends it."""
    return b"".join(insn(0x20, i % 40) + insn(0x15, (i + 1) * 0x9e3779b1 % (1 << 32), 0, 1) + insn(6, i + 1)
                    for i in range((n - 1) // 3)) + insn(6, 65535)


def text_of(body):
    return body.split(b"\0")[0].decode()


class Client:
    path = None  # of the socket

    def __init__(self, greet=True):
        self.fds = []
        self.connect(greet)

    def connect(self, greet=True):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.connect(self.path)
        self.s.settimeout(60)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MIB)  # for the longest filter
        if greet:
            self.ask(HELLO, struct.pack("64s", b"hostile"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.s.close()
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def say(self, data, fds=()):
        try:
            socket.send_fds(self.s, [data], fds)
        except BrokenPipeError as e:
            raise HungUp from e

    def hear(self):
        try:
            data, fds, _, _ = socket.recv_fds(self.s, 1 << 20, 64)
        except ConnectionResetError as e:
            raise HungUp from e
        self.fds += fds
        if not data:
            raise HungUp
        return struct.unpack("=IHHIi", data[:16])[4], data[16:]

    def ask(self, kind, body=b""):
        self.say(header(kind) + body)
        return self.hear()

    def has_answer(self):
        return bool(select.select([self.s], [], [], 0)[0])

    def query(self, what):
        status, _ = self.ask(QUERY, struct.pack("64s", what.encode()))
        if status != 0:
            fail(f"QUERY of {what}: {status}")
        with os.fdopen(self.fds.pop(), "rb") as f:
            f.seek(0)
            return json.load(f)


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
        except HungUp:
            time.sleep(0.1)
    return fail("a user whose connections have gone is still refused")


def wait_while_others_are_served(what, c, kind, body):
    """Is somebody else's request answered while this one is in work?"""
    for _ in range(8):
        c.say(header(kind) + body)
        ping()
        early = not c.has_answer()
        status, answer = c.hear()
        if status != 0:
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


def become_nobody(uid=NOBODY):
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


def file_channel(client):
    status, body = client.ask(FILE)
    if status != 0:
        fail(f"FILE: {status} {text_of(body)}")
    return socket.socket(fileno=client.fds.pop())


def hand_over(client, fd):
    with file_channel(client) as channel:
        channel.settimeout(30)
        socket.send_fds(channel, [b"F"], [fd])
        os.close(fd)
        answer = channel.recv(65536)
    return struct.unpack("=i", answer[:4])[0], text_of(answer[8:])


def stop_dump(client, name):
    status, body = client.ask(DUMP_CONTROL, struct.pack("=64sQII", name, 0, 0, 0))
    if status != 0:
        fail(f"a dump can't be stopped: {text_of(body)}")


def tell(*stories):
    """The one of them that the command line names."""
    Client.path = sys.argv[1]
    {f.__name__: f for f in stories}[sys.argv[2]](*sys.argv[3:])
