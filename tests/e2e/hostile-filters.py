#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Filters that take the tap's time. See hostile_client.py."""
import struct
import sys

sys.dont_write_bytecode = True  # nothing is left beside the sources
from hostile_client import (Client, MIB, OPEN, SET_MODE, become_nobody, comparisons, fail, insn, open_body,
                            tell, text_of)


def hold(n_sessions):
    """Sessions that capture, and one that counts, with the longest filters, until standard input ends."""
    program = comparisons(49152)
    n = len(program) // 8
    become_nobody()
    held = [Client() for _ in range(int(n_sessions))]
    for c in held:
        status, body = c.ask(OPEN, open_body(MIB, n_insns=n) + program)
        if status != 0:
            fail(f"OPEN: {text_of(body)}")
    status, body = held[0].ask(SET_MODE, struct.pack("=6I2I", 1, 0, 60000, 1, n, 0, n, 0) + program)
    if status != 0:
        fail(f"SET_MODE: {text_of(body)}")
    print("holding", flush=True)
    sys.stdin.read()


def hold_modestly(uid):
    """A session of another user with a short filter, which accepts all, until standard input ends."""
    program = insn(0x30, 0) + insn(0x45, 1, 0, 1) + insn(6, 64) + insn(6, 96)
    become_nobody(int(uid))
    with Client() as c:
        status, body = c.ask(OPEN, open_body(4 * MIB, n_insns=len(program) // 8) + program)
        if status != 0:
            fail(f"OPEN: {text_of(body)}")
        print("holding", flush=True)
        sys.stdin.read()


tell(hold, hold_modestly)
