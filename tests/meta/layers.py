#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check that the rooms of the house include each other only as the plan allows.

    layers.py SOURCE-ROOT

A room is a folder below src/. ROOMS says for each: its doors, the headers that other rooms may
include; and the rooms that it may include itself. What a row does not allow is a fault. Only
src/eal/, src/engine/ and src/txgen/ may include DPDK's headers.
"""
import pathlib
import re
import sys

ALL = None  # every header is a door
DPDK_ROOMS = ("eal", "engine", "txgen")
MIDDLE = ["base", "wire", "ringbuf", "ringbuf/tx", "jit", "expression", "replay", "device", "eal", "writer/feed", "writer/disk"]

# The daemon's rooms, from the fast end to the slow one: each may include those before it.
ENGINE = [
    ("engine/base", ["jsonl.h", "json_text.h", "tasks.h"]),
    ("engine/config", ["config.h", "port.h", "replayed.h"]),
    ("engine/port", ["port.h", "eal.h"]),
    ("engine/datapath", ["plan.h", "tap.h", "txq.h", "count.h", "meter.h", "tsc.h"]),
    ("engine/core", ["engine.h", "consumer.h", "plan.h", "access.h", "account.h", "filter_pair.h", "memory.h"]),
    ("engine/monitor", ["monitor.h"]),
    ("engine/send", ["configured.h"]),
    ("engine/dump", ["dump.h", "make.h"]),
    ("engine/session", ["session.h", "shadow.h"]),
    ("engine/lifecycle", ["lifecycle.h", "ports.h", "links.h"]),
    ("engine/control", ["control.h"]),
    ("engine", ["daemon.h"]),
]

# room: (doors, rooms that it may include)
ROOMS = {
    "base": (ALL, []),
    "wire": (["wire.h"], ["base"]),
    "ringbuf": (["ring.h", "memory.h"], ["base"]),
    "ringbuf/tx": (["tx.h"], ["base", "ringbuf"]),
    "jit": (["bpf.h", "setfile.h", "explain.h"], ["base", "jit/ir", "jit/passes", "jit/x86", "jit/code", "jit/inspect"]),
    "jit/ir": (["ir.h"], ["base", "jit"]),
    "jit/inspect": (["inspect.h"], ["base", "jit", "jit/ir"]),
    "jit/passes": ([], ["base", "jit", "jit/ir"]),
    "jit/schedule": (["schedule.h"], ["base", "jit/ir"]),
    "jit/check": (["check.h"], ["base", "jit/ir", "jit/schedule"]),
    "jit/x86": (["emit.h"], ["base", "jit/ir", "jit/schedule", "jit/check", "jit/code"]),
    "jit/code": (["code.h", "debug.h"], ["base"]),
    "replay": (["replay.h", "trace.h", "ahead.h"], ["base"]),
    "device": (ALL, ["base"]),
    "eal": (["eal.h"], ["base"]),
    "expression": (ALL, ["base", "jit"]),
    "writer/feed": (["producer.h", "params.h", "retro.h", "rotation.h", "ring.h", "backlog.h"], ["base", "ringbuf"]),
    "writer/disk": (["worker.h", "pattern.h"], ["base", "ringbuf", "writer/feed"]),
    "client": (["client.h"], ["base", "wire", "ringbuf", "ringbuf/tx", "jit"]),
    "api": ([], ["base", "client"]),
    "api/winpcap": ([], ["base", "client", "api"]),
    "api/compat": ([], []),
    "txgen/packet": (ALL, ["base", "replay"]),
    "txgen/program": (["program.h", "source.h"], ["base", "replay", "txgen/packet"]),
    "txgen/measure": (ALL, ["base"]),
    "txgen/run": (["txgen.h"], ["base", "wire", "replay", "device", "eal", "txgen/packet", "txgen/program", "txgen/measure"]),
    "txgen/attach": ([], ["base", "wire", "client", "txgen/packet", "txgen/program", "txgen/measure", "txgen/run"]),
    **{room: (doors, MIDDLE + [r for r, _ in ENGINE[:i]]) for i, (room, doors) in enumerate(ENGINE)},
}
OUTSIDE = {
    "tools": ["base", "wire", "ringbuf", "jit", "expression", "replay", "client", "engine", "engine/config",
              "txgen/packet", "txgen/program", "txgen/measure", "txgen/run"],
    "examples": [],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
DPDK = re.compile(r"^(rte_|ethdev_|bus_|cmdline)")


def room_of(path):
    parts = path.parts
    return "/".join(parts[1:-1]) if parts[0] == "src" else parts[0]


def faults_of(root, path):
    room = room_of(path)
    may = OUTSIDE[room] if room in OUTSIDE else ROOMS.get(room, (None, []))[1]
    for quote, name in INCLUDE.findall((root / path).read_text(errors="replace")):
        if quote == "<":
            if DPDK.match(name) and room.split("/")[0] not in DPDK_ROOMS:
                yield f"{path}: <{name}>: only src/eal/, src/engine/ and src/txgen/ may include DPDK"
            continue
        other, _, header = name.rpartition("/")
        if other == room or other not in ROOMS:
            continue
        doors = ROOMS[other][0]
        if other not in may:
            yield f"{path}: \"{name}\": {room} must not include {other}"
        elif not (root / "src" / name).is_file():
            yield f"{path}: \"{name}\": no such file"
        elif doors is not ALL and header not in doors and not room.startswith(other + "/"):
            yield f"{path}: \"{name}\" is private to {other}: include a door of it"


def main():
    root = pathlib.Path(sys.argv[1])
    files = [p.relative_to(root) for top in ("src", "tools", "examples")
             for p in sorted((root / top).rglob("*.[ch]"))]
    rooms = {room_of(p) for p in files}
    faults = [f for p in files for f in faults_of(root, p)]
    faults += [f"src/{r}: a room that the plan does not know" for r in
               sorted(rooms - set(ROOMS) - set(OUTSIDE))]
    faults += [f"src/{r}: the plan has a room that is not there" for r in sorted(set(ROOMS) - rooms)]
    if len(files) < 5 or "wire" not in rooms:
        faults.append(f"{root}: these are not the sources")
    print("\n".join(faults) or f"{len(files)} files keep to the plan")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
