#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Rates and replays: counts are exact, times follow the schedule as far as a busy machine lets."""
import functools
import os

from pcapfile import read_pcap, read_stamped, write_pcap
from txgen import Failed, check, run, run_json, tests

NULL = ["net_null0,no-rx=1"]
RUNS = 5


def in_one_of_some_runs(test):
    """A machine that stalls makes a run late; only a wrong schedule makes all of them wrong."""
    @functools.wraps(test)
    def repeated(*args):
        for n in range(RUNS):
            try:
                return test(*args)
            except Failed:
                if n == RUNS - 1:
                    raise
    return repeated


def sent(options, vdevs=None, **kw):
    return run_json(vdevs or NULL, options, **kw)["tx"]["packets"]


@in_one_of_some_runs
def rates_count_to_the_packet(d):
    check(sent(["--rate=10kpps", "--duration=1s"]) == 10000, "10 kpps for 1 s")
    check(sent(["--rate=123456", "--duration=500ms"]) == 61728, "123456 pps for half a second")
    check(sent(["--rate=3", "--duration=1100ms"]) == 4, "3 pps for 1.1 s: 0, 1/3, 2/3, 1 s")
    check(sent(["--rate=50kpps", "--count=777", "--duration=5s"]) == 777, "the count comes first")


@in_one_of_some_runs
def bits_per_second_follow_the_layer(d):
    # 64 bytes take 88 on the wire (704 bits), 512 bits at layer 2; one packet more or less.
    for rate, want in (("51.2Mbps", 50000), ("70.4MbpsL1", 50000), ("51.2MbpsL2", 50000),
                       ("0.704%", 50000)):
        got = sent([f"--rate={rate}", "--duration=500ms"])
        check(abs(got - want) <= 1, f"{rate} for half a second: {got} packets, not {want}")
    got = sent(["--rate=10MbpsL2", "--duration=1s", "--size=1250"])
    check(abs(got - 1000) <= 1, f"10 Mbit/s of 1250-byte frames: {got} packets, not 1000")


@in_one_of_some_runs
def every_mode_and_queue_keeps_to_the_rate(d):
    check(sent(["--rate=40kpps", "--duration=500ms", "--txq=4"]) == 20000, "four queues")
    check(sent(["--rate=40kpps", "--duration=500ms", "--forward-mode=flowgen"]) == 20000, "flowgen")
    check(sent(["--rate=40kpps", "--duration=500ms", "--size=imix", "--packet=udp()",
                "--packet=tcp()"]) == 20000, "sequences")
    r = run_json(["net_ring0"], ["--rate=40kpps", "--duration=500ms", "--check"])
    check(r["check"]["received"] == 20000, "with checking")
    r = run_json(["net_null0,no-rx=1", "net_null1,no-rx=1"], ["--rate=40kpps", "--duration=500ms"])
    check([p["tx"]["packets"] for p in r["ports"]] == [20000, 20000], "each port")


@in_one_of_some_runs
def packets_leave_on_schedule_from_the_first_on(d):
    path = os.path.join(d, "out.pcap")
    r = run_json([f"net_pcap0,tx_pcap={path}"], ["--rate=1kpps", "--count=400"])
    stamps = [t / 1e6 for t, _ in read_stamped(path)]
    begin = min(t - i for i, t in enumerate(stamps))  # of the schedule: nothing is early
    late = sorted(t - i - begin for i, t in enumerate(stamps))
    check(399 <= stamps[-1] - begin < 600, "400 packets take 399 ms")
    check(late[200] < 50, f"half of them are on time even on a busy machine, not {late[200]} ms")
    check(r["pacing_error_ns"]["samples"] == 399, "each distance is measured")


@in_one_of_some_runs
def trains_leave_with_gaps(d):
    path = os.path.join(d, "out.pcap")
    run([f"net_pcap0,tx_pcap={path}"], ["--train=10", "--gap=20ms", "--count=50"])
    stamps = [t for t, _ in read_stamped(path)]
    gaps = [(b - a) / 1e6 for a, b in zip(stamps, stamps[1:])]
    check(all(gaps[i] > 19 for i in (9, 19, 29, 39)), "a gap of 20 ms after each tenth packet")
    check(sum(gaps) < 400, "and none elsewhere")


def a_savefile_is_replayed_byte_for_byte_and_in_rounds(d):
    src, out = os.path.join(d, "in.pcap"), os.path.join(d, "out.pcap")
    packets = [bytes([i % 251]) * (60 + 13 * i % 1400) for i in range(500)]
    write_pcap(src, packets)
    vdev = [f"net_pcap0,tx_pcap={out}"]
    for options, want in ((["--rate=asap"], packets), (["--loop=3"], packets * 3),
                          (["--rate=20kpps", "--loop=2"], packets * 2),
                          (["--loop=0", "--count=1234"], (packets * 3)[:1234]),
                          (["--loop=2", "--count=600"], (packets * 2)[:600])):
        r = run_json(vdev, [f"--pcap={src}"] + options)
        check(r["passed"] and r["tx"]["packets"] == len(want), f"{options}: {len(want)} packets")
        check(read_pcap(out) == want, f"{options}: the same bytes in the same order")


@in_one_of_some_runs
def replay_at(d, rate, factor, loop):
    src, out = os.path.join(d, "in.pcap"), os.path.join(d, "out.pcap")
    at = [0, 50, 50, 80, 200, 400]  # ms
    write_pcap(src, [bytes([i]) * 60 for i in range(6)], stamps=[t * 1000000 for t in at])
    run([f"net_pcap0,tx_pcap={out}"], [f"--pcap={src}", f"--rate={rate}", f"--loop={loop}"])
    stamps = [t for t, _ in read_stamped(out)]
    want = [(r * 480 + t) / factor for r in range(loop) for t in at]  # mean gap 80 ms
    got = [(t - stamps[0]) / 1e6 for t in stamps]
    check(len(got) == len(want), f"{rate}: all are sent")
    # Never early but for the first one's own delay; late by what a loaded machine makes it.
    bad = [(g, w) for g, w in zip(got, want) if not w - 40 < g < w + 60]
    check(not bad, f"{rate}: (sent, due) in ms: {bad}")


def a_replay_keeps_the_files_timing_times_k(d):
    for rate, factor, loop in (("original", 1, 1), ("original*4", 4, 1), ("original*2", 2, 2)):
        replay_at(d, rate, factor, loop)


def three_queues_replay_the_whole_file(d):
    src = os.path.join(d, "in.pcap")
    outs = [os.path.join(d, f"{q}.pcap") for q in range(3)]
    packets = [i.to_bytes(2, "big") * 30 for i in range(100)]
    write_pcap(src, packets)
    run(["net_pcap0," + ",".join(f"tx_pcap={o}" for o in outs)], [f"--pcap={src}", "--txq=3"])
    for q, o in enumerate(outs):
        check(read_pcap(o) == packets[q::3], f"queue {q} has every third packet")


if __name__ == "__main__":
    tests(rates_count_to_the_packet, bits_per_second_follow_the_layer,
          every_mode_and_queue_keeps_to_the_rate, packets_leave_on_schedule_from_the_first_on,
          trains_leave_with_gaps, a_savefile_is_replayed_byte_for_byte_and_in_rounds,
          a_replay_keeps_the_files_timing_times_k, three_queues_replay_the_whole_file)
