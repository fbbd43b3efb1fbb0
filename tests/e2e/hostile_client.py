# SPDX-License-Identifier: BSD-3-Clause
"""A client of the control protocol for hostile.py. Every structure is packed here by hand, apart
from src/wire/, so that a change of the protocol is noticed."""
import json
import os
import select
import socket
import struct
import sys

MAGIC, VERSION = 0x3046504E, 2
(HELLO, PORTS, OPEN, SET_FILTER, SET_PARAMS, SET_BUFFER, STATS, SEND, QUERY, SET_MODE, DUMP,
 DUMP_CONTROL, DUMP_STATUS, SEND_LANE, PORT_ADD, PORT_DEL, FILE) = range(1, 18)
EDQUOT, EINVAL = 122, 22


class HungUp(Exception):
    pass


def fail(text):
    print("FAILED: " + text, flush=True)
    sys.exit(1)


def ok(text):
    print("ok: " + text, flush=True)


def header(kind):
    return struct.pack("=IHHIi", MAGIC, VERSION, kind, 7, 0)


def open_body(size=0, flags=0, name=b"npf0"):
    return struct.pack("=64s4IQ4I", name, 0, 1000, 0, 0, size, 65535, flags, 0, 0)


def dump_body(buffer=0, retro=0, file=b"", packets=0, name=b""):
    return struct.pack("=64s64s1024s2048s1024s10Q6I", name, b"npf0", file, b"", b"", 0, 0, 0, 0,
                       packets, 0, 0, buffer, retro, 0, *[0] * 6)


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
        socket.send_fds(self.s, [data], fds)

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
