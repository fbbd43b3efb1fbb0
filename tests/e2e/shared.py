#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client that turns what it shares with the daemon against it.

    shared.py SOCKET PORT DOOMED-PORT FOLDER

Opens sessions, send lanes and dumps, knows by name every descriptor that it is given (one more, or
one of another kind, fails the test: it wants an attack of its own), and does to each what would hurt
a daemon that reads, writes or waits on the other end. All the while it says in the words that it
may write that it sleeps and is due to be woken. After each attack the daemon has to answer.

Started as root it becomes user nobody first. At the end it leaves a dump of DOOMED-PORT behind, its descriptor attacked, says so, and stays until
its standard input ends.
"""
import array
import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time

MAGIC, VERSION = 0x3046504E, 2
HELLO, PORTS, OPEN, SEND_LANE, QUERY, DUMP, DUMP_CONTROL, FILE = 1, 2, 3, 14, 9, 11, 12, 17
IMMEDIATE, MANY = 2, 1 << 20
MADV_REMOVE = 9
ETHERTYPE = 0x88B5  # of frames that are ours: nobody counts them

path, port, doomed, folder = sys.argv[1:5]
children = []


def fail(text):
    print("FAILED: " + text)
    sys.exit(1)


def ok(text):
    print("ok: " + text, flush=True)


class Client:
    def __init__(self):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(20)
        self.s.connect(path)
        self.ask(HELLO, struct.pack("64s", b"shared"))

    def ask(self, kind, body=b"", may_fail=False):
        """The descriptors that come with the reply, and its body."""
        self.s.send(struct.pack("=IHHIi", MAGIC, VERSION, kind, 7, 0) + body)
        data, ancillary, _, _ = self.s.recvmsg(MANY, socket.CMSG_SPACE(64 * 4))
        got = array.array("i")
        for _, _, payload in ancillary:
            got.frombytes(payload[:len(payload) // 4 * 4])
        status = struct.unpack("=IHHIi", data[:16])[4]
        if status < 0 and not may_fail:
            fail(f"request {kind}: {status} {data[16:].split(bytes(1))[0].decode()}")
        return list(got), data[16:]


def answers(after):
    start = time.monotonic()
    try:
        (report,), _ = Client().ask(QUERY, struct.pack("64s", b"status"))
    except (TimeoutError, ConnectionError, BlockingIOError) as e:
        fail(f"{after}: the daemon does not answer: {e!r}")
    os.close(report)
    return time.monotonic() - start


def kind_of(fd):
    name = os.readlink(f"/proc/self/fd/{fd}") # socket:[123], anon_inode:[eventfd], /memfd:a (deleted)
    return name.removeprefix("anon_inode:").split(":[")[0].strip("[]").split(" ")[0]


def expect(request, fds, kinds):
    got = [kind_of(fd) for fd in fds]
    if got != kinds:
        fail(f"with the reply to {request} come {got}; this test knows {kinds}")


def dump(name, of):
    """(its connection, the descriptor that tells of its end)"""
    c = Client()
    file = os.open(f"{folder}/{name}.pcap", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    channel, _ = c.ask(FILE)
    expect("FILE", channel, ["socket"])
    with socket.socket(fileno=channel[0]) as s:
        socket.send_fds(s, [b"F"], [file])
        if struct.unpack("=i", s.recv(4096)[:4])[0] != 0:
            fail("the file for a dump is not taken")
    fds, _ = c.ask(DUMP, struct.pack("=64s64s1024s2048s1024s10Q6I", name.encode(), of.encode(), b"",
                                     b"", b"", *[0] * 7, 1 << 20, 0, 0, *[0] * 6))
    os.close(file)
    expect("DUMP", fds, ["socket"])
    return c, fds[0]


def end_dump(name, after):
    fds, _ = Client().ask(DUMP_CONTROL, struct.pack("=64sQII", name.encode(), 0, 0, 0))
    expect("DUMP_CONTROL", fds, ["socket"])
    start = time.monotonic()
    while name in running_dumps():
        if time.monotonic() - start > 20:
            fail(f"{after}: a dump does not end")
        time.sleep(0.05)
    os.close(fds[0])


def running_dumps():
    (report,), _ = Client().ask(QUERY, struct.pack("64s", b"dumps"))
    with os.fdopen(report, "rb") as f:
        f.seek(0)
        return [d["name"] for d in json.load(f)["dumps"] if d["state"] != "done"]


class Shared:
    """All that one client can share with the daemon."""

    def __init__(self, name):
        self.name = name
        self.c = Client()
        fds, _ = self.c.ask(OPEN, struct.pack("=64s4IQ4I", port.encode(), 0, 100, 0, IMMEDIATE,
                                              MANY, 65535, IMMEDIATE, 0, 0))
        expect("OPEN", fds, ["socket", "/memfd:npf-producer", "/memfd:npf-consumer",
                             "/memfd:npf-lane"])
        self.bell, self.words = fds[0], fds[2]
        self.memory = fds[1:]
        fds, _ = self.c.ask(SEND_LANE, struct.pack("=Q", 0))
        expect("SEND_LANE", fds, ["/memfd:npf-tx-engine", "/memfd:npf-tx-client",
                                  "/memfd:npf-tx-data", "eventfd", "socket"])
        self.tx_words, self.tx_data, self.kick, self.done = fds[1:]
        self.memory += fds[:3]
        self.dump, self.dump_done = dump(name, port)
        self.cw = mmap.mmap(self.words, 4096)
        self.txc = mmap.mmap(self.tx_words, 4096)
        self.data = mmap.mmap(self.tx_data, 65536)
        self.seq = 1
        self.head = 0

    def to_wait_on(self):
        return [self.bell, self.kick, self.done, self.dump_done]

    def be_due(self):
        """Asleep once more, a frame to send, and asleep until it is sent."""
        self.seq += 2
        struct.pack_into("=Q", self.cw, 0, self.seq)
        frame = bytes(12) + struct.pack(">H", ETHERTYPE) + bytes(46)
        if self.head + 88 <= 65536:
            struct.pack_into("=Q4I", self.data, self.head, 0, len(frame), 1, self.head == 0, 0)
            self.data[self.head + 24:self.head + 24 + len(frame)] = frame
            self.head += 24 + 64
            struct.pack_into("=Q", self.txc, 136, self.head)
            struct.pack_into("=Q", self.txc, 0, self.head)

    def be_due_for(self, seconds, also=lambda: None):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.be_due()
            also()
            time.sleep(0.0005)


def empty(fd):
    os.set_blocking(fd, False)
    try:
        while os.read(fd, 4096):
            pass
    except OSError:
        pass


def empty_and_blocking(s):
    for fd in s.to_wait_on():
        empty(fd)
        os.set_blocking(fd, True)
    s.be_due_for(0.3)


def full_and_blocking(s):
    for fd in s.to_wait_on():
        empty(fd)
        try:
            os.write(fd, struct.pack("=Q", 0xFFFFFFFFFFFFFFFE))
        except BrokenPipeError:
            pass  # it takes nothing
        os.set_blocking(fd, True)
    s.be_due_for(0.3)


def taken_back(s):
    def write():
        for fd in s.to_wait_on():
            if fd != s.kick:
                try:
                    os.write(fd, b"12345678")
                    fail("a client can write to what the daemon wakes it by")
                except (BrokenPipeError, BlockingIOError):
                    pass
    s.be_due_for(0.3, write)


def closed(s):
    for fd in s.to_wait_on() + s.memory:
        os.close(fd)
    s.be_due_for(0.3)


def shut(s):
    for fd in s.to_wait_on():
        if fd != s.kick:
            with socket.socket(fileno=os.dup(fd)) as x:
                x.shutdown(socket.SHUT_RDWR)
    s.be_due_for(0.3)


def copied(s):
    copies = [os.dup(fd) for fd in s.to_wait_on() + s.memory for _ in range(500)]
    s.be_due_for(0.3)
    for fd in copies:
        os.close(fd)


def watched(s):
    """Each watched 6 000 times: what the daemon does to it walks through them all."""
    copies = [os.dup(fd) for fd in s.to_wait_on() for _ in range(200)]
    sets = [select.epoll() for _ in range(30)]
    for e in sets:
        for fd in copies:
            e.register(fd, select.EPOLLIN | select.EPOLLOUT)
    rings = 0

    def listen():
        nonlocal rings
        try:
            rings += len(os.read(s.bell, 64))
        except BlockingIOError:
            pass
        os.write(s.kick, struct.pack("=Q", 1))
    os.set_blocking(s.bell, False)
    s.be_due_for(1, listen)
    for x in sets:
        x.close()
    for fd in copies:
        os.close(fd)
    # The first two are free; each of the others cost 50 us or more and buys a hundred times that.
    if rings > 300:
        fail(f"{rings} expensive wake-ups in a second")


def child(s):
    pid = os.fork()
    if pid == 0:
        while True:
            s.be_due_for(1)
    children.append(pid)
    return pid


def passed_on(s):
    child(s)
    ours, theirs = socket.socketpair()
    socket.send_fds(ours, [b"x"], s.to_wait_on() + s.memory)
    for fd in s.to_wait_on():
        if fd != s.kick:
            with socket.socket(fileno=os.dup(fd)) as x:
                try:
                    socket.send_fds(x, [b"x"], [theirs.fileno()])
                    fail("a client can send descriptors to the end that the daemon rings")
                except BrokenPipeError:
                    pass
    for fd in s.to_wait_on() + s.memory:
        os.close(fd)
    time.sleep(0.3)


def stopped(s):
    """In the middle of a read."""
    pid = os.fork()
    if pid == 0:
        os.set_blocking(s.bell, True)
        while True:
            os.read(s.bell, 64)
    children.append(pid)
    s.be_due_for(0.1)
    os.kill(pid, signal.SIGSTOP)
    s.be_due_for(0.3)


def punched(s):
    """Memory that the client can write can be emptied by it as well."""
    def punch():
        for memory in (s.cw, s.txc, s.data):
            memory.madvise(MADV_REMOVE)
    s.be_due_for(0.3, punch)


def main():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    answers("at first")
    for attack in (empty_and_blocking, full_and_blocking, taken_back, closed, shut, copied, watched,
                   passed_on, stopped, punched):
        text = f"descriptors {attack.__name__.replace('_', ' ')}"
        s = Shared(attack.__name__)
        attack(s)
        answers(text)
        end_dump(s.name, text)
        answers(text)
        s.c.s.close()
        answers(text)
        ok(f"{text}: the daemon answers")
    _, done = dump("doomed", doomed)
    empty(done)
    os.set_blocking(done, True)
    ok("a dump is left to be ended with its port")
    sys.stdin.read()


try:
    main()
finally:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
