#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors that do not close when the daemon closes them. See hostile_client.py."""
import array
import os
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the sources
from hostile_client import (Bystander, Client, FILE, HELLO, HungUp, PORTS, fail, file_channel,
                            header, ok, ping_at_last, tell)


LINGER = 4  # seconds that such a socket holds whoever closes it


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
    except HungUp:
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
                # While too many connections of this user wait for their sockets to be closed, the daemon
                # hangs up at once, which may come before HELLO.
                try:
                    c = Client(greet)
                except HungUp:
                    time.sleep(0.1)
                    continue
                # At garbage it hangs up, before it reads the next one.
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


tell(linger, linger_in_files)
