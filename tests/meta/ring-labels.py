#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Check the ring's memory orders against the tables in its layout headers.

    ring-labels.py SOURCE-ROOT

Each edge of a table has a storing side Wn and a loading side Rn. Both must be in the code, as a
comment "/* Wn: ORDER, pairs with Rn. ..." right above the operation, which must have that ORDER; and
every operation stronger than relaxed must bear such a label.
"""
import pathlib
import re
import sys

ROW = re.compile(r"^ \*  (W(\d+)) (R(\d+))  ", re.M)
LABEL = re.compile(r"/\* ([WR]\d+): ([a-z_]+)( fence)?, pairs with ([WR]\d+)\.")
ORDER = re.compile(r"memory_order_(\w+)")
NEAR = 7  # lines from the end of a label's comment to its operation


def table_of(layout):
    edges = {}
    for w, w_number, r, r_number in ROW.findall(layout):
        if w_number != r_number or w in edges:
            sys.exit(f"layout: the row of {w} and {r} makes no sense")
        edges[w], edges[r] = r, w
    return edges


def labels_of(lines):
    """(label, order, mate, line of the operation) for each label of a file."""
    for at, line in enumerate(lines):
        found = LABEL.search(line)
        if not found:
            continue
        end = next(i for i in range(at, len(lines)) if "*/" in lines[i])
        op = next((i for i in range(end + 1, min(end + NEAR, len(lines)))
                   if ORDER.search(lines[i])), None)
        yield found[1], found[2], found[4], at, op


def main():
    root = pathlib.Path(sys.argv[1]) / "src/ringbuf"
    edges = table_of("".join(p.read_text() for p in sorted(root.glob("*layout.h"))))
    faults = [] if edges else ["layout.h: no table of orders found"]
    seen = set()
    for path in sorted(root.glob("*.[ch]")):
        lines = path.read_text().splitlines()
        labelled = set()
        for label, order, mate, at, op in labels_of(lines):
            where = f"{path.name}:{at + 1}"
            if edges.get(label) != mate:
                faults.append(f"{where}: the table does not pair {label} with {mate}")
            if op is None:
                faults.append(f"{where}: {label} has no operation below it")
                continue
            found = ORDER.search(lines[op])
            if found[1] != order:
                faults.append(f"{where}: {label} says {order}, its operation does not")
            seen.add(label)
            labelled.add(op)
            if "fence" in lines[at]:  # it orders the access beside it, which may be strong itself
                labelled.update((op - 1, op + 1))
        for i, line in enumerate(lines):
            found = ORDER.search(line)
            if found and found[1] != "relaxed" and i not in labelled:
                faults.append(f"{path.name}:{i + 1}: a strong order without a label")
    faults += [f"{label} is in the table, but not in the code" for label in edges.keys() - seen]
    print("\n".join(faults) or f"{len(edges) // 2} edges, both sides of each in the code")
    sys.exit(bool(faults))


main()
