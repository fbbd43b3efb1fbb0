#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Find circles: who calls whom, by the symbols of the objects of a build.

    circles.py SOURCE-ROOT BUILD-ROOT

Each object below src/ is a source file; a symbol that it needs and another defines is an arrow. No
symbol may be defined twice, no files and no rooms may stand in a circle, and what a symbol begins with
(npf_port of npf_port_open) belongs to one room; txgen/, writer/ and jit/ are one each.
"""
import collections
import pathlib
import re
import subprocess
import sys


def source_of(obj, root):
    """build/src/engine/libnpf_engine.a.p/core_engine.c.o -> engine/core/engine.c"""
    folder = "/".join(obj.parts[obj.parts.index("src") + 1:-2])
    words = obj.name.removesuffix(".o").split("_")
    for n in range(len(words)):
        path = "/".join(filter(None, [folder, *words[:n], "_".join(words[n:])]))
        if (root / "src" / path).is_file():
            return path
    return None


def symbols(objs):
    """{object: (defined, needed)}"""
    out = subprocess.check_output(["nm", "-A", "-g", "-P", *map(str, objs)], text=True)
    table = collections.defaultdict(lambda: (set(), set()))
    for line in out.splitlines():
        where, symbol, kind = line.split()[:3]
        obj = where.rstrip(":")
        table[obj][kind in "Uw"].add(symbol)
    return table


def components(graph):
    """Tarjan's strongly connected components, those of more than one node."""
    index, low, stack, out, on = {}, {}, [], [], set()

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on.add(v)
        for w in graph[v]:
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in on:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = set()
            while v not in part:
                part.add(stack.pop())
            on.difference_update(part)
            if len(part) > 1:
                out.append(part)

    sys.setrecursionlimit(10000)
    for v in list(graph):
        if v not in index:
            visit(v)
    return out


def arrows(root, build):
    """Who calls whom in a build: (objects, files, rooms, why, defined twice,
    prefixes shared). files and rooms are graphs;
    why[a, b] has the calls from room a to room b; the last two have a line for each symbol or prefix."""
    objs = {o: source_of(o, root) for o in sorted((build / "src").rglob("*.c.o"))}
    objs = {str(o): s for o, s in objs.items() if s is not None}
    table = symbols(objs)
    where = collections.defaultdict(set)
    for obj, (defined, _) in table.items():
        for symbol in defined:
            where[symbol].add(objs[obj])
    files, rooms = collections.defaultdict(set), collections.defaultdict(set)
    why = collections.defaultdict(set)
    for obj, (_, needed) in table.items():
        for symbol in needed:
            for other in where.get(symbol, ()):
                if other == objs[obj]:
                    continue
                files[objs[obj]].add(other)
                a, b = (str(pathlib.PurePath(p).parent) for p in (objs[obj], other))
                if a != b:
                    rooms[a].add(b)
                    why[a, b].add(f"{objs[obj]} -> {other}: {symbol}")
    twice = [f"{s}: {', '.join(sorted(w))}" for s, w in sorted(where.items()) if len(w) > 1]
    return objs, files, rooms, why, twice, shared_nouns(where)


# Of two words: the first alone is another room's.
NOUNS = ("npf_filter_pair", "npf_meter_consumer")


def noun_of(symbol):
    for noun in NOUNS:
        if symbol.startswith(noun + "_"):
            return noun
    word = re.match(r"npf_[a-z0-9]+", symbol)
    return word.group() if word else None


def shared_nouns(where):
    """{symbol: files that define it} -> a line for each beginning that two rooms use."""
    rooms = collections.defaultdict(set)
    for symbol, files in where.items():
        for path in files:
            top, *rest = pathlib.PurePath(path).parent.parts
            if noun_of(symbol) is not None:
                rooms[noun_of(symbol)].add(f"{top}/{rest[0]}" if rest and top == "engine" else top)
    return [f"{noun}_* in {', '.join(sorted(r))}" for noun, r in sorted(rooms.items()) if len(r) > 1]


def main():
    root, build = map(pathlib.Path, sys.argv[1:])
    objs, files, rooms, why, twice, shared = arrows(root, build)
    faults = [f"defined twice: {line}" for line in twice]
    faults += [f"the prefix of two rooms: {line}" for line in shared]
    for what, graph in (("files", files), ("rooms", rooms)):
        for part in components(graph):
            faults.append(f"a circle of {what}: " + " ".join(sorted(part)))
            faults += [f"    {w}" for a in sorted(part) for b in sorted(part) for w in sorted(why[a, b])]
    print("\n".join(faults) or f"{len(objs)} objects, no circle, no symbol defined twice")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
