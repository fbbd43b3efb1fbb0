# SPDX-License-Identifier: BSD-3-Clause
"""Run npf-txgen in tests: on ordinary pages, so that nobody's hugepages are taken."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM = os.path.join(os.environ["NPF_BUILD"], "tools", "npf-txgen")
LCORES = "0,1" if (os.cpu_count() or 1) > 1 else "0"
EAL = ["--no-huge", "-m", "128", "--no-shconf", "--no-telemetry", "-l", LCORES,
       "--log-level=lib.eal:4"]

# meson puts the build's libraries there, our libpcap.so.0.8 among them: stock programs are stock.
os.environ.pop("LD_LIBRARY_PATH", None)


class Failed(Exception):
    pass


def check(ok, sentence):
    if not ok:
        raise Failed(sentence)


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            skip(f"{p} is not installed")


def need_root():
    if os.geteuid():
        skip("needs root")


def command(vdevs, options, eal=None, program=PROGRAM):
    return ([program] + (EAL if eal is None else eal) + [f"--vdev={v}" for v in vdevs] + ["--"] +
            options)


def run(vdevs, options, status=0, eal=None, stdin=None, timeout=60, prefix=(), program=PROGRAM):
    """Run it; the exit status must be as expected. Gives stdout and stderr."""
    argv = list(prefix) + command(vdevs, options, eal, program)
    p = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout)
    if status is not None and p.returncode != status:
        print(" ".join(argv), p.stdout, p.stderr, sep="\n")
        raise Failed(f"exit status {p.returncode} instead of {status}")
    return p.stdout, p.stderr


def run_json(vdevs, options, **kw):
    out, _ = run(vdevs, options + ["--json"], **kw)
    return json.loads(out)


def tests(*functions):
    """Run each test; its name is its sentence. Each gets a directory of its own."""
    failed = 0
    for f in functions:
        with tempfile.TemporaryDirectory(prefix="npfg-") as d:
            try:
                f(d)
                print("ok  ", f.__name__)
            except Failed as e:
                failed += 1
                print("FAIL", f.__name__, "-", e)
        sys.stdout.flush()
    sys.exit(1 if failed else 0)


def tshark(path, fields, options=()):
    """Rows of fields of every packet, checksums verified by tshark."""
    argv = ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
    for proto in ("ip", "udp", "tcp"):
        argv += ["-o", f"{proto}.check_checksum:TRUE"]
    # What the tests send is test traffic: no guessing of protocols by ports.
    argv += ["-o", "udp.try_heuristic_first:FALSE", *options]
    for f in fields:
        argv += ["-e", f]
    p = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    if p.returncode:
        raise Failed("tshark: " + p.stderr)
    return [line.split("|") for line in p.stdout.splitlines()]
