#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Seed faults in the filter compiler, and see who finds each.

    seed-faults.py [-n PROGRAMS] [-j WORKERS] [-t TEST]... [--list] [WORD...]

A fault (seeded_faults.py) is a text of a file that is replaced by another: a guard left out or weakened, a table too
small, a register given away too early. Its file is compiled anew and the compiler linked with it, a library that the
tests share, which run one after another until one finds the fault: first the check of the programs, which runs none of them (conformance/test_check), then the
differential tests, then the unit tests; before these the tests that are aimed at the file, where no code is made. What the check does not pass while
another test runs counts as found by the check.

A test that takes more than ten times as long as without the fault hangs; that is a find, and a word of its own. With
words, only the faults whose files or names have one of them; with -t, only those tests. Fails if a fault is not found, does not compile, or if its
text is not in its file exactly once.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from seeded_faults import AIMED, FAULTS  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
CFLAGS = ["-std=gnu11", "-O1", "-w", "-fPIC", "-D_GNU_SOURCE", "-fno-strict-aliasing", "-I/usr/include/capstone"]
LIBS = ["-lpcap", "-lcmocka", "-lcapstone", "-lpthread"]
GEN = ["conformance/gen.c"]
SHAPES = ["conformance/made.c", "conformance/shape.c", "conformance/shape_value.c", *GEN]
SLACK = 10  # times as long as without a fault, and as many seconds more: it hangs
MEMORY = 4 << 30

Test = collections.namedtuple("Test", "kind sources args link", defaults=((), ()))

# The order is that in which they run. kind: who finds the fault if this test does.
TESTS = {
    "check": Test("check", ["conformance/test_check.c", *SHAPES], ("PROGRAMS",)),
    "algebra": Test("differential", ["conformance/test_algebra.c", *GEN], ("PROGRAMS",)),
    "cases": Test("differential", ["conformance/test_cases.c", *GEN], (ROOT / "tests/conformance/cases.txt",)),
    "structured": Test("differential", ["conformance/test_structured.c", "conformance/aim.c", *SHAPES], ("PROGRAMS",)),
    "random": Test("differential", ["conformance/test_random.c", *GEN], ("PAIRS",)),
    **{f"jit/{name}": Test("unit", [f"unit/jit/test_{name}.c"])
       for name in ("verify", "filter", "adapt", "ir", "loose", "passes", "rules", "work", "x86")},
    "expression/setfile": Test("unit", ["unit/expression/test_setfile.c"]),
    "spoiled": Test("differential", ["conformance/test_spoiled.c", "conformance/aim.c", *SHAPES], ("PROGRAMS",)),
    "jit/check": Test("unit", ["unit/jit/test_check.c"], (), ("-Wl,--wrap=check_program",)),
}
CHECK_SAYS = b"not shown to stay in bounds"


def find_source(tree, name):
    """The file of that name below src: in the jit, or wherever it went."""
    path = tree / "src/jit" / name
    if path.exists():
        return path
    found = sorted(p for p in (tree / "src").rglob(pathlib.Path(name).name) if str(p).endswith("/" + name))
    if len(found) != 1:
        sys.exit(f"{name}: there are {len(found)} files of that name")
    return found[0]


def spoil(good, pairs):
    """The text with each (old, new) replaced, or what is wrong with the fault."""
    for old, new in zip(pairs[::2], pairs[1::2]):
        if good.count(old) != 1:
            return None, f"the text is there {good.count(old)} times: {old!r}"
        good = good.replace(old, new)
    return good, None


class Suite:
    """The sources compiled once, without a fault, and how long each test takes then."""

    def __init__(self, tree, out, programs, workers):
        self.tree, self.out, self.programs = tree, out, programs
        self.files = {name: find_source(tree, name) for name in FAULTS}
        sources = sorted({*(tree / "src/jit").rglob("*.c"), *self.files.values()})
        tests = sorted({tree / "tests" / s for t in TESTS.values() for s in t.sources})
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            objects = dict(zip(sources + tests, pool.map(self.compile, sources + tests)))
        if None in objects.values():
            sys.exit("the sources do not compile")
        self.objects = {s: objects[s] for s in sources}
        self.test_objects = {t: [objects[tree / "tests" / s] for s in TESTS[t].sources] for t in TESTS}
        self.seconds = {}
        clean = self.link([], out)
        for test in TESTS:
            if not TESTS[test].link:
                run(["cc", *self.test_objects[test], clean, *LIBS, "-o", self.program(test, out)])

    def compile(self, source, to=None):
        """An object, or None. A source with a fault lies elsewhere, and has an object of its own."""
        obj = to or self.out / (str(source.relative_to(self.tree)).replace("/", "_") + ".o")
        r = subprocess.run(["cc", *CFLAGS, f"-I{self.tree}/src", f"-I{self.tree}/tests", "-c", source, "-o", obj],
                           stderr=subprocess.DEVNULL if to else None)
        return obj if r.returncode == 0 else None

    def program(self, test, scratch):
        """One for all faults, but for the test that replaces a function of the compiler."""
        return (scratch if TESTS[test].link else self.out) / test.replace("/", "_")

    def jit(self, instead):
        return [instead.get(s, o) for s, o in self.objects.items()]

    def link(self, instead, scratch):
        run(["cc", "-shared", "-Wl,-soname,libjit.so", *self.jit(dict(instead)), "-o", scratch / "libjit.so"])
        return scratch / "libjit.so"

    def run(self, test, instead, scratch):
        """Who finds the fault in this test: its kind, "check", "hangs" or None."""
        program = self.program(test, scratch)
        if TESTS[test].link:
            run(["cc", *TESTS[test].link, *self.test_objects[test], *self.jit(dict(instead)), *LIBS, "-o", program])
        args = [{"PROGRAMS": self.programs, "PAIRS": 100 * self.programs}.get(a, a) for a in TESTS[test].args]
        limit = SLACK * (self.seconds[test] + 1) if test in self.seconds else None
        try:
            r = subprocess.run([program, *map(str, args)], capture_output=True, timeout=limit, preexec_fn=confine,
                               env={**os.environ, "MALLOC_PERTURB_": "165", "LD_LIBRARY_PATH": str(scratch)})
        except subprocess.TimeoutExpired:
            return "hangs"
        if r.returncode == 0:
            return None
        return "check" if CHECK_SAYS in r.stderr + r.stdout else TESTS[test].kind

    def try_clean(self):
        for test in TESTS:
            begin = time.monotonic()
            if self.run(test, [], self.out) is not None:
                sys.exit(f"{test} fails without a fault")
            self.seconds[test] = time.monotonic() - begin

    def find(self, name, text, scratch):
        """(who finds the fault in this text of the file, in which test)."""
        source, obj = scratch / "fault.c", scratch / "fault.o"
        source.write_text(text)
        if self.compile(source, obj) is None:
            return "no code", ""
        instead = [(self.files[name], obj)]
        self.link(instead, scratch)
        for test in sorted(TESTS, key=(AIMED.get(name, []) + list(TESTS)).index):
            who = self.run(test, instead, scratch)
            if who is not None:
                return who, test
        return "nobody", ""


def run(command):
    subprocess.run(command, check=True)


def confine():
    """A fault may ask for all memory, and leave a core for each crash."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def chosen(words):
    """The faults that were asked for, as (file, what is wrong, texts)."""
    every = [(name, what, pairs) for name, faults in FAULTS.items() for what, *pairs in faults]
    twice = [key for key, n in collections.Counter((name, what) for name, what, _ in every).items() if n > 1]
    if twice:
        sys.exit(f"two faults are called {twice[0]}")
    return [f for f in every if not words or any(w in f[0] or w in f[1] for w in words)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-n", type=int, default=5000, metavar="PROGRAMS")
    parser.add_argument("-j", type=int, default=2, metavar="WORKERS")
    parser.add_argument("-t", action="append", choices=list(TESTS), metavar="TEST", help="only this test")
    parser.add_argument("--list", action="store_true", help="print the faults, run nothing")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    faults, errors = [], []
    for name, what, pairs in chosen(args.words):
        text, error = spoil(find_source(ROOT, name).read_text(), pairs)
        faults.append((name, what, text))
        errors += [f"{name}: {what}: {error}"] if error else []
        if args.list:
            print(f"{name}: {what}")
    if args.list or errors or not faults:
        print(f"{len(faults)} faults")
        sys.exit("\n".join(errors) or int(not faults))
    os.nice(5)
    with tempfile.TemporaryDirectory() as tmp:
        tree, out = pathlib.Path(tmp) / "tree", pathlib.Path(tmp) / "out"
        for top in ("src", "tests/conformance", "tests/unit/jit", "tests/unit/expression"):
            shutil.copytree(ROOT / top, tree / top)
        out.mkdir()
        for test in [t for t in TESTS if args.t and t not in args.t]:
            del TESTS[test]
        suite = Suite(tree, out, args.n, args.j)
        suite.try_clean()
        mine = threading.local()

        def one(fault):
            if not hasattr(mine, "scratch"):
                mine.scratch = pathlib.Path(tempfile.mkdtemp(dir=tmp))
            name, what, text = fault
            who, test = suite.find(name, text, mine.scratch)
            print(f"{who:12} {test:13} {name}: {what}", flush=True)
            return who

        with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
            found = collections.Counter(pool.map(one, faults))
    print(f"{len(faults)} faults: {found['check']} found by the check before anything ran, {found['differential']} by "
          f"differential tests, {found['unit']} by unit tests, {found['hangs']} hang, {found['nobody']} not found, "
          f"{found['no code']} do not compile")
    sys.exit(found["nobody"] + found["no code"] > 0)


if __name__ == "__main__":
    main()
