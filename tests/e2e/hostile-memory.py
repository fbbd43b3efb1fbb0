#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Much memory, which takes long to make. See hostile_client.py."""
import os
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the sources
from hostile_client import (Bystander, Client, DUMP, EDQUOT, MIB, OPEN, PORTS, SEND_LANE,
                            SET_BUFFER, STATS, become_nobody, dump_body, fail, hand_over, header,
                            ok, open_body, ping, stop_dump, text_of, tell,
                            wait_while_others_are_served)


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
                file = f"{os.path.dirname(Client.path)}/dump-{retro}-{i}-%N.pcap"
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


def in_work(size):
    """Leaves an OPEN in work."""
    become_nobody()
    c = Client()
    c.say(header(OPEN) + open_body(int(size) * MIB))
    print("asked", flush=True)
    signal.pause()


tell(memory, dump_memory, one_account, in_work)
