#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The examples do what they say.
. "$(dirname "$0")/../lib.sh"
need_root
need tcpdump jq
examples=$NPF_CLIENTS/examples

file=$corpus/web4.pcap
n=$(packets_of "$file")
config "$(replay npf0 "$file" ",tx_pcap=$t/sent.pcap")" \
	"{name: npf1, device: \"net_pcap1,rx_pcap=$file,infinite_rx=1\", start: attach}" >"$t/conf.yaml"
start_daemon -c "$t/conf.yaml"

m=$(packets_of "$file" tcp port 80)
timeout 30 "$examples/example-capture" npf0 'tcp port 80' "$m" >"$t/out" 2>"$t/err" ||
	fail "capture: $(cat "$t/err")"
tcpdump -nn -tt -r "$file" tcp port 80 2>/dev/null | cut -d' ' -f1 >"$t/expected"
cut -d' ' -f1 "$t/out" >"$t/got"
same "$t/expected" "$t/got" "capture prints $m packets with their stamps"
# What came before the filter was set counts, too.
says "$t/err" "^[0-9]+ passed the filter, 0 of them found no room" "capture prints its counters"
! timeout 30 "$examples/example-capture" npf9 2>"$t/err" || fail "capture: npf9 is no port"
says "$t/err" 'npf9' "capture says why it fails"

timeout 30 "$examples/example-batch" npf0 3 >"$t/out" 2>&1 || fail "batch: $(cat "$t/out")"
says "$t/out" "^$n packets in [0-9]+ batches, 0 lost" "batch sees every packet"
says "$t/out" "^ethertype 0800: $(packets_of "$file" ip)\$" "batch counts them by ethertype"
timeout 30 "$examples/example-batch" npf1 2 >"$t/out" 2>&1 || fail "batch: $(cat "$t/out")"
awk '/packets in/ { got = $1; lost = $6 }
	/^port:/ { if (got == 0 || got + lost > $4) exit 1; found = 1 }
	END { exit !found }' "$t/out" || fail "batch does not count right: $(cat "$t/out")"
ok "batch, at full speed, counts what it gets and what it misses"

timeout 30 "$examples/example-meter" npf1 'tcp port 80' 100 5 >"$t/out" 2>&1 || fail "meter: $(cat "$t/out")"
[ "$(grep -c 'packets/s' "$t/out")" -eq 5 ] || fail "meter: $(cat "$t/out")"
awk '$2 == 0 { exit 1 }' "$t/out" || fail "meter counts nothing: $(cat "$t/out")"
ok "meter prints an interval's traffic in each line"

timeout 30 "$examples/example-dump" npf1 'tcp port 80' "$t/dump.pcap" 0 20 >"$t/out" 2>&1 ||
	fail "dump: $(cat "$t/out")"
says "$t/out" '^a limit was reached' "dump ends at its limit"
[ "$(packets_of "$t/dump.pcap" tcp port 80) $(packets_of "$t/dump.pcap")" = "20 20" ] ||
	fail "dump wrote $(packets_of "$t/dump.pcap") packets"
ok "dump wrote as many packets as it was to, and only those that pass"

timeout 30 "$examples/example-play" "$file" npf0 3 >"$t/out" 2>&1 || fail "play: $(cat "$t/out")"
says "$t/out" "^$n packets, 3 times" "play sends a file as a queue"
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
# net_pcap starts its file anew with each first session.
sent() {
	tcpdump -nn -e -x -t -r "$t/sent.pcap" >"$t/got" 2>/dev/null
}
tcpdump -nn -e -x -t -r "$file" >"$t/once" 2>/dev/null
cat "$t/once" "$t/once" "$t/once" >"$t/expected"
sent
same "$t/expected" "$t/got" "three times the file left the port, byte for byte"
timeout 30 "$examples/example-play" -s "$file" npf0 >"$t/out" 2>&1 || fail "play -s: $(cat "$t/out")"
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
stop_daemon
sent
same "$t/once" "$t/got" "and once with -s"
# With the distances of the stamps: as long as the file, within a tenth.
span() {
	tcpdump -nn -tt -r "$1" 2>/dev/null | awk '/^[0-9]+\./ { print $1 }' | tail -n "$n" |
		awk 'NR == 1 { first = $1 } END { printf "%d\n", ($1 - first) * 1000 }'
}
want=$(span "$file")
got=$(span "$t/sent.pcap")
[ "$got" -ge $((want * 9 / 10)) ] && [ "$got" -le $((want * 11 / 10 + 200)) ] ||
	fail "play -s took $got ms, the file $want ms"
ok "play -s kept the distances"
clean "$t/daemon.log"
