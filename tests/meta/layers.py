#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check that the rooms of the house include each other only as the plan allows.

    layers.py SOURCE-ROOT

A room is a folder below src/. ROOMS says for each: its door, the one header that other rooms may
include; and the rooms that it may include itself. A library of parts has no door: each part is
included by itself. What a row does not allow is a fault. Only src/eal/, src/engine/ and src/txgen/
may include DPDK's headers.
"""
import pathlib
import re
import sys

PARTS = None  # in place of a door: a library of parts
DPDK_ROOMS = ("eal", "engine", "txgen")
MIDDLE = ["base", "wire", "ringbuf", "ringbuf/tx", "jit", "jit/set", "expression", "replay", "device", "eal", "writer/feed", "writer/disk"]

# The daemon's rooms, from the fast end to the slow one: each may include those before it.
ENGINE = [
    ("engine/syscalls", "syscalls.h"),
    ("engine/base", PARTS),
    ("engine/config", "config.h"),
    ("engine/port", "port.h"),
    ("engine/datapath", "datapath.h"),
    ("engine/users", "users.h"),
    ("engine/core", "core.h"),
    ("engine/handover", "passed_file.h"),
    ("engine/monitor", "monitor.h"),
    ("engine/send", "configured.h"),
    ("engine/dump", "dump.h"),
    ("engine/session", "session.h"),
    ("engine/lifecycle", "lifecycle.h"),
    ("engine/control", "control.h"),
    ("engine", "daemon.h"),
]

# room: (its door, rooms that it may include); "" is no door
ROOMS = {
    "base": (PARTS, []),
    "wire": ("wire.h", ["base"]),
    "ringbuf": ("ring.h", ["base"]),
    "ringbuf/tx": ("tx.h", ["base", "ringbuf"]),
    "jit": ("bpf.h", ["base", "jit/ir", "jit/passes", "jit/x86", "jit/code"]),
    "jit/ir": ("ir.h", ["base", "jit"]),
    "jit/inspect": ("explain.h", ["base", "jit", "jit/ir"]),
    "jit/passes": ("", ["base", "jit", "jit/ir"]),
    "jit/schedule": ("schedule.h", ["base", "jit/ir"]),
    "jit/check": ("check.h", ["base", "jit/ir", "jit/schedule"]),
    "jit/x86": ("emit.h", ["base", "jit/ir", "jit/schedule", "jit/check", "jit/code"]),
    "jit/code": ("code.h", ["base"]),
    "jit/set": ("set.h", ["base", "jit", "jit/ir", "jit/set/eval"]),
    "jit/set/eval": ("program.h", ["base", "jit/ir"]),
    "replay": ("replay.h", ["base"]),
    "device": (PARTS, ["base"]),
    "eal": ("eal.h", ["base"]),
    "expression": ("expression.h", ["base", "jit"]),
    "writer/feed": ("feed.h", ["base", "ringbuf"]),
    "writer/disk": ("worker.h", ["base", "ringbuf", "writer/feed"]),
    "client": ("client.h", ["base", "wire", "ringbuf", "ringbuf/tx", "jit"]),
    "api": ("", ["base", "client"]),
    "api/winpcap": ("", ["base", "client", "api"]),
    "api/compat": ("", []),
    "txgen/packet": ("packet.h", ["base", "replay"]),
    "txgen/program": ("source.h", ["base", "replay", "txgen/packet"]),
    "txgen/measure": (PARTS, ["base"]),
    "txgen/run": ("txgen.h", ["base", "wire", "replay", "device", "eal", "txgen/packet", "txgen/program", "txgen/measure"]),
    "txgen/attach": ("", ["base", "wire", "client", "txgen/packet", "txgen/program", "txgen/measure", "txgen/run"]),
    **{room: (door, MIDDLE + [r for r, _ in ENGINE[:i]]) for i, (room, door) in enumerate(ENGINE)},
}
OUTSIDE = {
    "tools": ["base", "wire", "ringbuf", "jit", "jit/inspect", "jit/set", "expression", "replay", "client", "engine", "engine/config",
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
        door = ROOMS[other][0]
        if other not in may:
            yield f"{path}: \"{name}\": {room} must not include {other}"
        elif not (root / "src" / name).is_file():
            yield f"{path}: \"{name}\": no such file"
        elif door is not PARTS and header != door and not room.startswith(other + "/"):
            yield f"{path}: \"{name}\" is private to {other}: include its door"


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
