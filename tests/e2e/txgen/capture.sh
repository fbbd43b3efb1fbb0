#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# npf-dpdk captures what npf-txgen sends, from shared memory to shared memory (net_memif): at a
# stated rate no packet of 100 000 is lost, and each is byte for byte what the template makes (as
# written by net_pcap, the same seed). Then as fast as both can, so that what the daemon counts
# as received is what the generator counts as sent.
. "$(dirname "$0")/../lib.sh"
need_root
need tcpdump jq python3

txgen=$NPF_BUILD/tools/npf-txgen
rate=${NPF_TEST_RATE:-50kpps}
count=100000
eal=(--no-huge -m 128 --no-shconf --no-telemetry --no-pci -l 0 --log-level=lib.eal:4)
packet='eth(src=02:00:00:00:00:01)/ip(src=random,dst=10.0.0.2-10.0.0.9)/udp(sport=random,dport=53)'
traffic=("--packet=$packet" --size=64-1500 "--count=$count" --json)

config "{name: npf0, device: \"net_memif0,role=server,id=0,socket=@$id,socket-abstract=yes\"}" \
	>"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

"$txgen" "${eal[@]}" --vdev="net_pcap0,tx_pcap=$tmp/expected.pcap" -- "${traffic[@]}" \
	>"$tmp/expected.json" 2>"$tmp/txgen.log" || fail "npf-txgen writes the savefile"

timeout 100 "$run" tcpdump -B 65536 -i npf0 -c $count -w "$tmp/got.pcap" udp 2>"$tmp/got.err" &
add_background
tcpdump=$!
wait_for 30 grep -q listening "$tmp/got.err" || fail "tcpdump does not start"

memif="net_memif0,role=client,id=0,socket=@$id,socket-abstract=yes"
timeout 100 "$txgen" "${eal[@]}" --vdev="$memif" -- "${traffic[@]}" "--rate=$rate" --linger=3s \
	>"$tmp/sent.json" 2>"$tmp/txgen.log" || {
	cat "$tmp/txgen.log" "$tmp/sent.json"
	fail "npf-txgen sends to the daemon"
}
[ "$(jq .tx.packets "$tmp/sent.json")" -eq $count ] || fail "$count packets are sent"
wait $tcpdump || {
	cat "$tmp/got.err"
	ctl stats
	fail "tcpdump captures $count packets"
}
cat >"$tmp/compare.py" <<-'END'
	import sys
	from pcapfile import read_pcap
	want, got = (read_pcap(path) for path in sys.argv[1:3])
	differ = [i for i, (a, b) in enumerate(zip(want, got)) if a != b]
	if len(want) != len(got) or differ:
	    sys.exit(f"{len(want)} packets made, {len(got)} captured, other ones: {differ[:10]}")
END
PYTHONPATH=$NPF_SRC/tests/e2e/txgen PYTHONDONTWRITEBYTECODE=1 \
	python3 "$tmp/compare.py" "$tmp/expected.pcap" "$tmp/got.pcap" ||
	fail "what is captured is not what was sent"
ok "$count packets at $rate arrive as they were made, none is lost"

# The driver shows its counters only while a peer is there, so it is asked while this one lingers;
# they go on from the first run's.
received() {
	echo $(($(ctl ports | jq '.ports[0].rx_packets') - count))
}
settled() {
	[ -s "$tmp/fast.json" ] && [ "$(received)" -eq "$(jq .tx.packets "$tmp/fast.json")" ]
}
timeout 60 "$txgen" "${eal[@]}" --vdev="$memif" -- --duration=1s --json --linger=20s \
	>"$tmp/fast.json" 2>"$tmp/txgen.log" &
add_background
wait_for 30 settled || {
	cat "$tmp/txgen.log" "$tmp/fast.json"
	fail "the daemon received $(received) packets"
}
ok "all $(received) packets of a second as fast as it goes are received"
stop_daemon
