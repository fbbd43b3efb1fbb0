#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check that the rooms of the house include each other only as the plan allows.

    layers.py SOURCE-ROOT

    base <- {wire, ringbuf, jit, replay} <- {api, engine} <- {tools, examples}

Siblings never include each other. A room shows others only its doors: headers that call themselves
so in their opening comment. Only src/engine/ may include DPDK's headers.
"""
import pathlib
import re
import sys

MIDDLE = {"wire", "ringbuf", "jit", "replay"}
ALLOWED = {
    "base": set(),
    "wire": {"base"},
    "ringbuf": {"base"},
    "jit": {"base"},
    "replay": {"base"},
    "api": {"base"} | MIDDLE,
    "engine": {"base"} | MIDDLE,
}
OUTSIDE = {"tools", "examples"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
DPDK = re.compile(r"^(rte_|ethdev_|bus_|cmdline)")


def room_of(path):
    parts = path.parts
    return parts[1] if parts[0] == "src" and len(parts) > 2 else parts[0]


def is_door(root, header):
    text = (root / "src" / header).read_text(errors="replace")
    return header.startswith("base/") or "door" in text.split("*/")[1]


def faults_of(root, path):
    room = room_of(path)
    may = ALLOWED.get(room, {"base", "api", "engine"} | MIDDLE)
    for quote, name in INCLUDE.findall((root / path).read_text(errors="replace")):
        if quote == "<":
            if DPDK.match(name) and room != "engine":
                yield f"{path}: <{name}>: only src/engine/ may include DPDK"
            continue
        other = name.split("/")[0]
        if "/" not in name or other not in ALLOWED or other == room:
            continue
        if other not in may:
            yield f"{path}: \"{name}\": {room} must not include {other}"
        elif not (root / "src" / name).is_file():
            yield f"{path}: \"{name}\": no such file"
        elif not is_door(root, name):
            yield f"{path}: \"{name}\" is private to {other}: include its door"


def main():
    root = pathlib.Path(sys.argv[1])
    files = [p.relative_to(root) for top in ("src", "tools", "examples")
             for p in sorted((root / top).rglob("*.[ch]"))]
    rooms = {room_of(p) for p in files}
    faults = [f for p in files for f in faults_of(root, p)]
    faults += [f"src/{r}: a room that the plan does not know" for r in
               sorted(rooms - set(ALLOWED) - OUTSIDE)]
    if len(files) < 5 or "wire" not in rooms:
        faults.append(f"{root}: these are not the sources")
    print("\n".join(faults) or f"{len(files)} files keep to the plan")
    sys.exit(bool(faults))


main()
