#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Weaken the ring's memory orders one by one and demand that ThreadSanitizer notices.

    ring-weaken.py SOURCE-ROOT COMPILER...

A test that finds nothing proves something only if it would find a fault. The orders that keep record
bytes apart are made relaxed in a copy of the source, one side at a time; the test of threads,
compiled with each copy, must then fail with a race, and must pass with the source as it is. (W1 R1
are nearly always backed by W3 R3 right after them, so these go with them. As orders of the wake-up,
W3 R3 and W4 R4 are the business of the model: tests/model.)
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-std=gnu11", "-O1", "-g", "-D_GNU_SOURCE", "-DNPF_TEST_LIGHT", "-fsanitize=thread",
         "-fno-strict-aliasing", "-w"]
SOURCES = ["ringbuf/memory", "ringbuf/buffer", "ringbuf/lane", "ringbuf/reader",
           "ringbuf/reader_map", "ringbuf/walk", "base/doorbell"]
RACE = 66


def weaken(text, label):
    """Make the operation right below the label relaxed."""
    pattern = re.compile(r"(/\* " + label + r": .*?\*/.*?memory_order_)\w+", re.S)
    return pattern.subn(r"\1relaxed", text, count=1)


def outcome(compiler, root, labels, into):
    src = pathlib.Path(into) / "src"
    shutil.copytree(root / "src", src, ignore=shutil.ignore_patterns("engine", "api", "jit"))
    for label in labels:
        # R1 and R3 also stand where lanes sum up, which reads no record: take the reader's.
        path = src / "ringbuf" / ("walk.c" if label in ("R1", "R3", "W2") else "lane.c")
        text, n = weaken(path.read_text(), label)
        if not n:
            sys.exit(f"{label} is not in {path.name}")
        path.write_text(text)
    test = str(pathlib.Path(into) / "test")
    subprocess.run([*compiler, *FLAGS, f"-I{src}", str(root / "tests/unit/ringbuf/test_threads.c"),
                    *[str(src / f"{name}.c") for name in SOURCES],
                    "-o", test, "-lcmocka", "-lpthread"], check=True)
    run = subprocess.run([test], env={"TSAN_OPTIONS": f"halt_on_error=1:exitcode={RACE}"},
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300)
    return run.returncode, "data race" in run.stderr


def main():
    root, compiler = pathlib.Path(sys.argv[1]), sys.argv[2:]
    bad = 0
    for labels in ((), ("W1", "W3"), ("R1", "R3"), ("W2",), ("R2",)):
        with tempfile.TemporaryDirectory() as into:
            code, race = outcome(compiler, root, labels, into)
        good = (code, race) == ((RACE, True) if labels else (0, False))
        bad += not good
        print(f"{' '.join(labels) or 'as it is'}: exit {code}, {'race' if race else 'no race'}"
              f"{'' if good else '  <-- not as it should be'}", flush=True)
    sys.exit(bool(bad))


main()
