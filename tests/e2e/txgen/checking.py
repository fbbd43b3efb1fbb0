#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What is sent comes back and is checked: loss, order, duplicates, latency, exit status."""
import os

from txgen import check, run, run_json, tests
from pcapfile import read_pcap, write_pcap


def a_ring_gives_back_all_in_order(d):
    r = run_json(["net_ring0"], ["--check", "--count=300k"])
    c = r["check"]
    check(r["passed"] and c["done"] and c["by_sequence"], "the check passes")
    check(c["sent"] == c["received"] == 300000, "all come back")
    check(c["lost"] == c["reordered"] == c["duplicates"] == c["foreign"] == 0, "nothing is wrong")
    lat = r["latency_ns"]
    check(lat["samples"] == 300000, "each packet's latency is measured")
    check(0 < lat["min"] <= lat["avg"] <= lat["max"], "latencies are in order")
    check(lat["min"] <= lat["p50"] <= lat["p99"] <= lat["p99.9"] <= lat["max"], "so are quantiles")


def several_queues_and_sizes_are_checked_apart(d):
    r = run_json(["net_memif0,role=server,id=0,socket=@npfg-%d" % os.getpid(),
                  "net_memif1,role=client,id=0,socket=@npfg-%d" % os.getpid()],
                 ["--check", "--count=50k", "--rate=200kpps", "--size=random:64-1500",
                  "--packet=ip(dst=random)/udp()"])
    check(r["passed"], "the check passes")
    check(r["check"]["received"] == 100000, "both ports' packets cross")
    check([p["rx"]["packets"] for p in r["ports"]] == [50000, 50000], "in both directions")


def a_peer_that_closes_beside_it_harms_no_end(d):
    # Closing one of two connected ports interrupts the other: that once crashed one run of four.
    for i in range(12):
        socket = "socket=@npfg-%d-%d" % (os.getpid(), i)
        run(["net_memif0,role=server,id=0," + socket, "net_memif1,role=client,id=0," + socket],
            ["--check", "--count=100"])


def nothing_coming_back_fails_the_check(d):
    r = run_json(["net_null0,no-rx=1"], ["--check", "--count=1000", "--drain=20ms"], status=1)
    check(not r["passed"] and r["check"]["lost"] == 1000, "all are lost")
    check(r["check"]["loss_percent"] == 100, "that is 100 %")
    r = run_json(["net_null0,no-rx=1"], ["--check", "--count=1000", "--drain=20ms",
                                         "--max-loss=100"], status=1)
    check(not r["passed"], "whatever may be lost, something has to come")


def a_port_that_takes_no_more_ends_the_run(d):
    # Nobody reads the ring: it fills up.
    r = run_json(["net_ring0"], ["--count=5000"], status=1)
    check(r["stalled"] and 0 < r["tx"]["packets"] < 5000, "that is told, and what was sent")
    check(r["planned"] == 5000, "beside what was to be sent")


def mangled_traffic_is_told_exactly(d):
    """What an earlier run sent is mangled and comes in while the same is sent again: the first run
    of a process is always number 1."""
    first, mangled, again = (os.path.join(d, n) for n in ("a.pcap", "b.pcap", "c.pcap"))
    options = ["--check", "--count=1000", "--drain=300ms", "--packet=udp()/size=80"]
    run([f"net_pcap0,tx_pcap={first}"], options, status=1)
    p = read_pcap(first)
    check(len(p) == 1000, "1000 were sent")
    del p[100:150]                    # 50 lost
    p[200], p[201] = p[201], p[200]   # one reordered by one
    p.insert(300, p.pop(310))         # one early: ten reordered
    p.insert(400, p[350])             # two duplicates
    p.insert(500, p[499])
    p.append(p[0][:40] + bytes(40))   # one that is none of ours
    write_pcap(mangled, p)
    r = run_json([f"net_pcap0,rx_pcap={mangled},tx_pcap={again}"], options, status=1)
    c = r["check"]
    check(c["lost"] == 50, f"50 are lost, not {c['lost']}")
    check(c["received"] == 950, "950 came, each counted once")
    check(c["reordered"] == 11, f"11 are reordered, not {c['reordered']}")
    check(c["max_extent"] == 10, f"ten came one too late, not {c['max_extent']}")
    check(c["duplicates"] == 2, f"two are duplicates, not {c['duplicates']}")
    check(c["foreign"] == 1, "one is foreign")

    write_pcap(mangled, p[:200] + p[202:200] + read_pcap(first)[250:252][::-1])
    r = run_json([f"net_pcap0,rx_pcap={mangled},tx_pcap={again}"],
                 options + ["--max-loss=100"], status=1)
    check(r["check"]["reordered"] == 1 and not r["passed"], "reordering fails the check")
    run_json([f"net_pcap0,rx_pcap={mangled},tx_pcap={again}"],
             options + ["--max-loss=100", "--allow-reorder"])


def forwarding_modes_send_back_what_comes(d):
    got, sent = os.path.join(d, "in.pcap"), os.path.join(d, "out.pcap")
    run([f"net_pcap0,tx_pcap={got}"],
        ["--count=500", "--packet=eth(dst=02:00:00:00:00:02,src=02:00:00:00:00:01)/udp(sport=1-99)"])
    for mode, turn in (("io", lambda b: b), ("macswap", lambda b: b[6:12] + b[:6] + b[12:])):
        r = run_json([f"net_pcap0,rx_pcap={got},tx_pcap={sent}"],
                     [f"--forward-mode={mode}", "--duration=500ms"])
        check(r["tx"]["packets"] == r["rx"]["packets"] == 500, f"{mode} forwards all")
        check(read_pcap(sent) == [turn(b) for b in read_pcap(got)], f"{mode} does as it says")


def rxonly_counts_and_flowgen_varies(d):
    got = os.path.join(d, "in.pcap")
    run([f"net_pcap0,tx_pcap={got}"], ["--forward-mode=flowgen", "--count=3000"])
    flows = {b[30:34] for b in read_pcap(got)}
    check(len(flows) == 1024, f"flowgen sends 1024 flows, not {len(flows)}")
    r = run_json([f"net_pcap0,rx_pcap={got}"], ["--forward-mode=rxonly", "--count=3000"])
    check(r["rx"]["packets"] == 3000 and r["rx"]["bytes"] == 192000, "rxonly counts")


def tx_first_goes_round_and_round(d):
    r = run_json(["net_ring0"], ["--forward-mode=macswap", "--tx-first", "--duration=200ms"])
    check(r["rx"]["packets"] > 1000, "the first burst keeps coming back")


def a_search_finds_a_rate_without_loss(d):
    r = run_json(["net_ring0"], ["--search-loss=0", "--duration=100ms", "--search-precision=25",
                                 "--rate=400kpps"], status=None)
    check(r["check"]["lost"] == 0, "the confirming run loses nothing")
    check(0 < r["tx"]["pps"] <= 440000, "at no more than the rate given")
    out, err = run(["net_null0,no-rx=1"], ["--search-loss=0", "--duration=20ms", "--drain=5ms",
                                           "--rate=100kpps"], status=1)
    check("no rate passed" in err, "where all is lost no rate passes")


if __name__ == "__main__":
    tests(a_ring_gives_back_all_in_order, several_queues_and_sizes_are_checked_apart,
          a_peer_that_closes_beside_it_harms_no_end,
          nothing_coming_back_fails_the_check,
          a_port_that_takes_no_more_ends_the_run, mangled_traffic_is_told_exactly,
          forwarding_modes_send_back_what_comes, rxonly_counts_and_flowgen_varies,
          tx_first_goes_round_and_round, a_search_finds_a_rate_without_loss)
