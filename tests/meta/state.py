#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measure the state of the house, print it, and fail where it got worse.

    state.py SOURCE-ROOT [BUILD-ROOT]

A row: what is counted below src/ and tools/, how many there are, how many there may be. Bounds that are not
where they should be yet only sink: whoever makes a number smaller lowers its bound here. Circles and symbols
defined twice are counted in the objects of a build, and left out without one.
"""
import pathlib
import re
import sys

import circles
import layers

MAX_FOLDER_FILES = 20
MAX_FOLDER_LINES = 2500
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 80
MAX_PARAMETERS = 6

# What is counted: how many there may be.
BOUNDS = {
    "circles of files": 0,
    "circles of rooms": 0,
    "symbols defined twice": 0,
    "prefixes of two rooms": 0,
    "folders above 20 files or 2500 lines": 0,
    "doors beyond one a room": 21,
    "files above 500 lines": 0,
    "functions above 80 lines": 0,
    "functions above 6 parameters": 0,
    "casts of pointers": 103,
    "other casts": 900,
    "functions that return an error's text by char *": 0,
}

# ROOM: FUNCTION of more than 80 lines, and why.
LONG = {
    "src/jit: run": "one switch, an instruction a case",
    "src/jit/ir: run_line": "one switch, an instruction a case",
}
# ... of more than 6 parameters, and why. pcap's own need no row.
WIDE = {}

# A definition begins at the first column, as clang-format has it, and its braces stand there, too.
FUNCTION = re.compile(r"^([a-zA-Z_][^\n;{}=#]*(?:\n[ \t][^\n;{}=#]*)*\))\n\{\n(.*?)^\}", re.M | re.S)
SIGNATURE = re.compile(r"(\w+)(\(.*\))$", re.S)
TYPE = r"(?:(?:const|unsigned|signed|volatile|struct|union|enum) )*(?:\w+_t|u_char|u_int|u_short|char|int|long|" \
       r"short|double|float|bool|unsigned|(?<=struct )\w+|(?<=union )\w+|(?<=enum )\w+|void(?= ?\*)|__typeof__\([^)]*\))"
CAST = re.compile(r"(?<![\w)\]])\((" + TYPE + r"(?: const)?)( ?\*[ *]*)?\)(?=[\w(&*~\"'!-])")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
ATTRIBUTE = re.compile(r"__attribute__\(\((?:[^()]|\([^()]*\))*\)\)\s*|\bNPF_PRINTF\([^)]*\)\s*")
ERROR_TEXT = re.compile(r"(?<!const )\bchar \*(?:err|why)\b")


def blank(match):
    """A comment's lines stay, so that lines can be counted."""
    return "\n" * match.group().count("\n")


def parameters(text):
    """How many a list in parentheses has: a comma inside is another's."""
    depth = n = 0
    for c in text:
        depth += (c == "(") - (c == ")")
        n += c == "," and depth == 1
    return n + 1


def measure_sources(root):
    """{what: [those that count]}, from the text alone."""
    state = {what: [] for what in BOUNDS if not what.startswith(("circles", "symbols", "prefixes"))}
    folders = {}
    for path in sorted(p for top in ("src", "tools") for p in (root / top).rglob("*.[ch]")):
        name, room = (str(p.relative_to(root)) for p in (path, path.parent))
        raw = path.read_text()
        code = ATTRIBUTE.sub("", COMMENT.sub(blank, raw))
        lines = raw.count("\n")
        folders.setdefault(room, []).append(lines)
        if lines > MAX_FILE_LINES:
            state["files above 500 lines"].append(f"{name} {lines}")
        for _, pointer in CAST.findall(code):
            state["casts of pointers" if pointer else "other casts"].append(room)
        for head, body in FUNCTION.findall(code):
            function, params = SIGNATURE.search(head).groups()
            n = head.count("\n") + body.count("\n") + 3
            if n > MAX_FUNCTION_LINES and f"{room}: {function}" not in LONG:
                state["functions above 80 lines"].append(f"{name}: {function} {n}")
            n = parameters(params)
            if n > MAX_PARAMETERS and f"{room}: {function}" not in WIDE and not function.startswith("pcap_"):
                state["functions above 6 parameters"].append(f"{name}: {function} {n}")
            if ERROR_TEXT.search(params):
                state["functions that return an error's text by char *"].append(room)
    state["folders above 20 files or 2500 lines"] = [
        f"{folder} {len(lines)} files, {sum(lines)} lines" for folder, lines in folders.items()
        if len(lines) > MAX_FOLDER_FILES or sum(lines) > MAX_FOLDER_LINES]
    for room in (room for room, (door, _) in layers.ROOMS.items() if door is layers.PARTS):
        parts = sorted(p.name for p in (root / "src" / room).glob("*.h"))
        state["doors beyond one a room"] += [f"{room}: {', '.join(parts)}"] * (len(parts) - 1)
    return state


def measure_build(root, build):
    """... and from a build's objects."""
    _, files, rooms, _, twice, shared = circles.arrows(root, build)
    return {
        "circles of files": [" ".join(sorted(c)) for c in circles.components(files)],
        "circles of rooms": [" ".join(sorted(c)) for c in circles.components(rooms)],
        "symbols defined twice": twice,
        "prefixes of two rooms": shared,
    }


def main():
    root, *build = map(pathlib.Path, sys.argv[1:])
    state = measure_sources(root)
    if build:
        state = {**measure_build(root, build[0]), **state}
    worse = False
    for what, those in state.items():
        bound = BOUNDS[what]
        remark = "  WORSE" if len(those) > bound else "  lower its bound" if len(those) < bound else ""
        worse |= len(those) > bound
        print(f"{len(those):4} of at most {bound:4}  {what}{remark}")
        for line in sorted(set(those)):
            n = those.count(line)
            print(f"{'':18}{line}" + (f": {n}" if n > 1 else ""))
    for what, table in (("lines", LONG), ("parameters", WIDE)):
        for function, why in table.items():
            print(f"{function} may have more {what}: {why}")
    sys.exit(worse)


if __name__ == "__main__":
    main()
