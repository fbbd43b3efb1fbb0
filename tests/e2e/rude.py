#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client of the control protocol that has no manners.

    rude.py SOCKET PORT

Says to the daemon what libnpfdp never would: filters that jump out of themselves, lengths that lie, other
versions, noise. Each time the daemon has to answer with an error that has a text, or hang up; and
has to serve the next client as if nothing had happened. Every structure is packed here by hand,
apart from src/wire/, so that a change of the protocol is noticed.
"""
import array
import os
import random
import resource
import socket
import struct
import sys

MAGIC, VERSION, REPLY = 0x3046504E, 2, 0x8000
HELLO, PORTS, OPEN, SET_FILTER, SET_PARAMS, SET_BUFFER, STATS, SEND, QUERY, SET_MODE = range(1, 11)
EPERM, E2BIG, ENOMEM, EBUSY, ENODEV, EINVAL, EPROTO, EPROTONOSUPPORT = 1, 7, 12, 16, 19, 22, 71, 93

SO_SNDBUFFORCE = 32

path, port = sys.argv[1:3]


class HungUp(Exception):
    pass


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def ok(text):
    print("ok: " + text)


def header(kind, seq=7, magic=MAGIC, version=VERSION, status=0):
    return struct.pack("=IHHIi", magic, version, kind, seq, status)


def insn(code, jt=0, jf=0, k=0):
    return struct.pack("=HBBI", code, jt, jf, k)


def hello_body(name=b"rude"):
    return struct.pack("64s", name)


def open_body(name=None, params=(0, 1000, 0, 0), size=0, snaplen=65535, flags=0, insns=b"",
              n_insns=None, reserved=0):
    if n_insns is None:
        n_insns = len(insns) // 8
    return struct.pack("=64s4IQ4I", (name or port.encode()), *params, size, snaplen, flags, n_insns,
                       reserved) + insns


class Client:
    def __init__(self, greet=True):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20)
        self.s.settimeout(10)
        self.s.connect(path)
        self.fds = []
        if greet:
            status, _ = self.ask(HELLO, hello_body())
            if status != 0:
                fail(f"HELLO is refused: {status}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()
        for fd in self.fds:
            os.close(fd)

    def say(self, data, fds=()):
        ancillary = []
        if fds:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        try:
            self.s.sendmsg([data], ancillary)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise HungUp from e

    def hear(self, kind=None, seq=7):
        """The next reply: (status, body). Raises HungUp."""
        try:
            data, ancillary, _, _ = self.s.recvmsg(1 << 20, socket.CMSG_SPACE(64 * 4))
        except ConnectionResetError as e:
            raise HungUp from e
        for level, what, payload in ancillary:
            if (level, what) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self.fds += array.array("i", payload[:len(payload) // 4 * 4])
        if not data:
            raise HungUp
        magic, version, got_kind, got_seq, status = struct.unpack("=IHHIi", data[:16])
        if magic != MAGIC or version != VERSION:
            fail(f"a reply with magic {magic:#x}, version {version}")
        if kind is not None and (got_kind, got_seq) != (kind | REPLY, seq):
            fail(f"the reply to type {kind}, seq {seq} is type {got_kind:#x}, seq {got_seq}")
        return status, data[16:]

    def ask(self, kind, body=b"", **more):
        self.say(header(kind, **more) + body)
        return self.hear(kind, more.get("seq", 7))


def text_of(body):
    if len(body) != 256 or b"\0" not in body:
        fail(f"an error without its text: {body!r}")
    text = body.split(b"\0")[0].decode()
    if len(text) < 8:
        fail(f"an error that says too little: {text!r}")
    return text


def refused(sentence, ask, *errnos, hang_up=False):
    """ask(client) gets an error with a text; then the connection is dead or alive as told."""
    with Client() as c:
        status, body = ask(c)
        if -status not in errnos:
            fail(f"{sentence}: the status is {status}")
        text = text_of(body)
        try:
            status, _ = c.ask(PORTS)
            gone = False
        except HungUp:
            gone = True
        if gone != hang_up:
            fail(f"{sentence}: hung up: {gone}")
    ok(f"{sentence}: {text}")


def hung_up(sentence, data, fds=(), greet=True):
    """After these bytes the daemon hangs up, with or without a last word."""
    with Client(greet) as c:
        try:
            c.say(data, fds)
            for _ in range(3):
                c.hear()
            fail(f"{sentence}: the daemon keeps answering")
        except HungUp:
            pass
        except TimeoutError:
            fail(f"{sentence}: the daemon neither answers nor hangs up")
    ok(sentence)


RET = insn(0x06, k=65535)
BAD_FILTERS = {
    "does not end in a return": insn(0x00, k=1),
    "jumps beyond its end": insn(0x15, jt=200, jf=0, k=1) + RET,
    "jumps backward beyond its beginning": insn(0x00, k=1) + insn(0x05, k=0xFFFFFFFD) + RET,
    "divides by zero": insn(0x34, k=0) + RET,
    "takes a remainder by zero": insn(0x94, k=0) + RET,
    "has an unknown opcode": insn(0xFFFF) + RET,
    "loads a scratch word that does not exist": insn(0x60, k=16) + RET,
    "stores to a scratch word that does not exist": insn(0x02, k=0xFFFFFFFF) + RET,
}

# No kernel takes these, so that libpcap runs them itself; the daemon has to live with them.
LOOSE_FILTERS = {
    "jumps backward for ever": insn(0x00, k=1) + insn(0x05, k=0xFFFFFFFE) + RET,
    "jumps to itself": insn(0x05, k=0xFFFFFFFF) + RET,
    "reads scratch that it never wrote": insn(0x60, k=3) + insn(0x16),
    "shifts by 32": insn(0x80) + insn(0x64, k=32) + insn(0x16),
}


def bad_filters():
    for what, insns in BAD_FILTERS.items():
        refused(f"OPEN with a filter that {what}",
                lambda c, i=insns: c.ask(OPEN, open_body(insns=i)), EINVAL)

    def replace(c):
        status, _ = c.ask(OPEN, open_body(insns=RET))
        if status != 0:
            fail(f"OPEN with a good filter: {status}")
        for what, insns in BAD_FILTERS.items():
            status, body = c.ask(SET_FILTER, struct.pack("=II", len(insns) // 8, 0) + insns)
            if status != -EINVAL:
                fail(f"SET_FILTER with a filter that {what}: {status}")
            text_of(body)
        return c.ask(SET_FILTER, struct.pack("=II", 1, 0) + insn(0x05, k=9))

    refused("SET_FILTER with each bad filter", replace, EINVAL)
    refused("OPEN that promises more instructions than it brings",
            lambda c: c.ask(OPEN, open_body(insns=RET, n_insns=2)), EPROTO, hang_up=True)
    refused("OPEN that promises 2^32-1 instructions",
            lambda c: c.ask(OPEN, open_body(n_insns=0xFFFFFFFF)), EPROTO, hang_up=True)
    refused("OPEN with a megabyte of instructions promised in 32 bits that wrap",
            lambda c: c.ask(OPEN, open_body(insns=RET, n_insns=0x20000001)), EPROTO, hang_up=True)


def loose_filters():
    for what, insns in LOOSE_FILTERS.items():
        n = len(insns) // 8
        with Client() as c, Client() as other:
            for kind, body in ((OPEN, open_body(insns=insns)), (SET_FILTER, struct.pack("=II", n, 0) + insns)):
                status, body = c.ask(kind, body)
                if status != 0:
                    fail(f"a filter that {what} is refused: {text_of(body)}")
            if struct.unpack("=4H", body)[1] != 1:
                fail(f"the reader is not told to run a filter that {what}")
            # Counting runs it in the daemon, on each packet, here twice.
            row = struct.pack("=II", n, 0)
            status, body = c.ask(SET_MODE, struct.pack("=6I", 1, 0, 10, 2, 2 * n, 0) + 2 * row + 2 * insns)
            if status != 0:
                fail(f"a monitor with a filter that {what} is refused: {text_of(body)}")
            for _ in range(20):
                if other.ask(PORTS)[0] != 0 or c.ask(STATS)[0] != 0:
                    fail(f"a filter that {what} costs other requests their answer")
        ok(f"a filter that {what} is taken, and the daemon lives on")


def bad_messages():
    for version in (0, 1, 3, 0xFFFF):
        with Client(greet=False) as c:
            status, body = c.ask(HELLO, hello_body(), version=version)
            text = text_of(body)
            if status != -EPROTONOSUPPORT or "version" not in text:
                fail(f"version {version}: {status} {text}")
            ok(f"a client of protocol version {version}: {text}")
    refused("a request of unknown type", lambda c: c.ask(99), EPROTO, hang_up=True)
    refused("a request of type 0", lambda c: c.ask(0), EPROTO, hang_up=True)
    refused("a HELLO that is too short", lambda c: c.ask(HELLO, b"x"), EPROTO, hang_up=True)
    refused("a HELLO whose name does not end", lambda c: c.ask(HELLO, b"x" * 64), EPROTO,
            hang_up=True)
    refused("STATS with a body", lambda c: c.ask(STATS, b"x"), EPROTO, hang_up=True)
    refused("a SEND that promises more than it brings",
            lambda c: c.ask(SEND, struct.pack("=II", 60, 0)), EPROTO, hang_up=True)
    refused("a SEND of 4 GiB", lambda c: c.ask(SEND, struct.pack("=II", 0xFFFFFFFF, 0)), EPROTO,
            hang_up=True)
    refused("a QUERY whose name does not end", lambda c: c.ask(QUERY, b"q" * 64), EPROTO,
            hang_up=True)
    hung_up("wrong magic", header(HELLO, magic=0x12345678) + hello_body(), greet=False)
    hung_up("a message shorter than a header", b"abc")
    hung_up("a message longer than any may be", header(SET_FILTER) + b"\0" * (600 << 10))
    hung_up("a request before HELLO", header(PORTS), greet=False)
    fd = os.open("/dev/null", os.O_RDONLY)
    for n in (1, 20, 253):
        try:
            hung_up(f"a request that brings {n} descriptors", header(PORTS), fds=[fd] * n)
        except PermissionError:
            ok(f"the kernel lets nobody bring {n} descriptors (SO_PASSRIGHTS)")
    os.close(fd)


def bad_requests():
    refused("OPEN of an unknown port", lambda c: c.ask(OPEN, open_body(name=b"npf99")), ENODEV)
    refused("OPEN of a port with an empty name", lambda c: c.ask(OPEN, open_body(name=b"\0")),
            ENODEV)
    refused("OPEN of a name that does not end", lambda c: c.ask(OPEN, open_body(name=b"n" * 64)),
            EPROTO, hang_up=True)
    refused("OPEN with unknown flags", lambda c: c.ask(OPEN, open_body(flags=0x8000)), EPROTO,
            hang_up=True)
    refused("OPEN with an unknown direction",
            lambda c: c.ask(OPEN, open_body(params=(0, 0, 9, 0))), EPROTO, hang_up=True)
    refused("OPEN with a reserved field set", lambda c: c.ask(OPEN, open_body(reserved=1)), EPROTO,
            hang_up=True)
    for size in (1 << 40, (1 << 64) - 1):
        refused(f"OPEN with a buffer of {size} bytes",
                lambda c, s=size: c.ask(OPEN, open_body(size=s)), E2BIG, EINVAL, ENOMEM, EPERM)
    refused("QUERY of something unknown",
            lambda c: c.ask(QUERY, struct.pack("64s", b"../../etc/passwd")), EINVAL)
    for kind, body, name in ((SET_FILTER, struct.pack("=II", 1, 0) + RET, "SET_FILTER"),
                             (SET_PARAMS, struct.pack("=4I", 0, 0, 0, 0), "SET_PARAMS"),
                             (SET_BUFFER, struct.pack("=Q", 1 << 20), "SET_BUFFER"),
                             (STATS, b"", "STATS"),
                             (SEND, struct.pack("=II", 60, 0) + b"\0" * 60, "SEND")):
        refused(f"{name} without a session", lambda c, k=kind, b=body: c.ask(k, b), EPROTO)

    def twice(c):
        status, _ = c.ask(OPEN, open_body())
        if status != 0:
            fail(f"OPEN: {status}")
        return c.ask(OPEN, open_body())

    refused("a second OPEN on one connection", twice, EBUSY)

    def oversize(c):
        c.ask(OPEN, open_body())
        return c.ask(SET_BUFFER, struct.pack("=Q", (1 << 64) - 1))

    refused("SET_BUFFER to 2^64-1 bytes", oversize, E2BIG, EINVAL, ENOMEM, EPERM)


def rude_clients():
    """They misbehave in time, not in bytes."""
    for _ in range(50):
        c = Client(greet=False)
        c.s.close()
    ok("50 clients come and go without a word")
    for _ in range(50):
        with Client() as c:
            c.say(header(OPEN) + open_body())
    ok("50 clients go without waiting for the answer to OPEN")
    idle = [Client() for _ in range(20)]
    with Client() as c:
        if c.ask(PORTS)[0] != 0:
            fail("PORTS beside idle clients")
    ok("20 clients that say nothing keep nobody waiting")
    for c in idle:
        c.s.close()
    deaf = Client()
    deaf.s.setblocking(False)
    try:
        for _ in range(20000):
            deaf.say(header(PORTS))
        fail("a client that takes no replies may send for ever")
    except (BlockingIOError, HungUp):
        pass
    with Client() as c:
        if c.ask(PORTS)[0] != 0:
            fail("PORTS beside a client that takes no replies")
    deaf.s.close()
    ok("a client that takes no replies keeps nobody waiting")


def noise():
    rng = random.Random(1)
    for i in range(2000):
        with Client(greet=rng.random() < 0.8) as c:
            try:
                for _ in range(rng.randrange(1, 6)):
                    kind = rng.randrange(0, 12)
                    body = rng.choice((
                        lambda: rng.randbytes(rng.randrange(0, 300)),
                        lambda: open_body(insns=rng.randbytes(8 * rng.randrange(0, 9))),
                        lambda: struct.pack("=II", n := rng.randrange(0, 9), 0) +
                        rng.randbytes(8 * n),
                        lambda: struct.pack("=II", n := rng.randrange(0, 99), 0) + rng.randbytes(n),
                        lambda: rng.randbytes(64)))()
                    c.say(header(kind, seq=rng.randrange(1 << 32)) + body)
                    c.hear()
            except HungUp:
                pass
            except TimeoutError:
                fail(f"noise {i}: no answer")
    ok("2000 connections full of noise")


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    bad_messages()
    bad_requests()
    bad_filters()
    loose_filters()
    rude_clients()
    noise()
    with Client() as c:
        status, body = c.ask(OPEN, open_body(insns=RET))
        if status != 0:
            fail(f"after all that a good client is refused: {status} {body[:256]}")
        if c.ask(SET_FILTER, struct.pack("=II", 0, 0), seq=0xDEADBEEF)[0] != 0:
            fail("after all that SET_FILTER fails")
    ok("after all that a good client is served")


main()
