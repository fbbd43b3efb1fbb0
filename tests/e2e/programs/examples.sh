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
config "$(replay npf0 "$file" ",tx_pcap=$tmp/sent.pcap")" \
	"{name: npf1, device: \"net_pcap1,rx_pcap=$file,infinite_rx=1\", start: attach}" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

m=$(packets_of "$file" tcp port 80)
timeout 30 "$examples/example-capture" npf0 'tcp port 80' "$m" >"$tmp/out" 2>"$tmp/err" ||
	fail "capture: $(cat "$tmp/err")"
tcpdump -nn -tt -r "$file" tcp port 80 2>/dev/null | cut -d' ' -f1 >"$tmp/expected"
cut -d' ' -f1 "$tmp/out" >"$tmp/got"
same "$tmp/expected" "$tmp/got" "capture prints $m packets with their stamps"
# What came before the filter was set counts, too.
says "$tmp/err" "^[0-9]+ passed the filter, 0 of them found no room" "capture prints its counters"
! timeout 30 "$examples/example-capture" npf9 2>"$tmp/err" || fail "capture: npf9 is no port"
says "$tmp/err" 'npf9' "capture says why it fails"

timeout 30 "$examples/example-batch" npf0 3 >"$tmp/out" 2>&1 || fail "batch: $(cat "$tmp/out")"
says "$tmp/out" "^$n packets in [0-9]+ batches, 0 lost" "batch sees every packet"
says "$tmp/out" "^ethertype 0800: $(packets_of "$file" ip)\$" "batch counts them by ethertype"
timeout 30 "$examples/example-batch" npf1 2 >"$tmp/out" 2>&1 || fail "batch: $(cat "$tmp/out")"
awk '/packets in/ { got = $1; lost = $6 }
	/^port:/ { if (got == 0 || got + lost > $4) exit 1; found = 1 }
	END { exit !found }' "$tmp/out" || fail "batch does not count right: $(cat "$tmp/out")"
ok "batch, at full speed, counts what it gets and what it misses"

timeout 30 "$examples/example-meter" npf1 'tcp port 80' 100 5 >"$tmp/out" 2>&1 || fail "meter: $(cat "$tmp/out")"
[ "$(grep -c 'packets/s' "$tmp/out")" -eq 5 ] || fail "meter: $(cat "$tmp/out")"
awk '$2 == 0 { exit 1 }' "$tmp/out" || fail "meter counts nothing: $(cat "$tmp/out")"
ok "meter prints an interval's traffic in each line"

timeout 30 "$examples/example-dump" npf1 'tcp port 80' "$tmp/dump.pcap" 0 20 >"$tmp/out" 2>&1 ||
	fail "dump: $(cat "$tmp/out")"
says "$tmp/out" '^a limit was reached' "dump ends at its limit"
[ "$(packets_of "$tmp/dump.pcap" tcp port 80) $(packets_of "$tmp/dump.pcap")" = "20 20" ] ||
	fail "dump wrote $(packets_of "$tmp/dump.pcap") packets"
ok "dump wrote as many packets as it was to, and only those that pass"

timeout 30 "$examples/example-play" "$file" npf0 3 >"$tmp/out" 2>&1 || fail "play: $(cat "$tmp/out")"
says "$tmp/out" "^$n packets, 3 times" "play sends a file as a queue"
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
# net_pcap starts its file anew with each first session.
sent() {
	tcpdump -nn -e -x -t -r "$tmp/sent.pcap" >"$tmp/got" 2>/dev/null
}
tcpdump -nn -e -x -t -r "$file" >"$tmp/once" 2>/dev/null
cat "$tmp/once" "$tmp/once" "$tmp/once" >"$tmp/expected"
sent
same "$tmp/expected" "$tmp/got" "three times the file left the port, byte for byte"
timeout 30 "$examples/example-play" -s "$file" npf0 >"$tmp/out" 2>&1 || fail "play -s: $(cat "$tmp/out")"
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
stop_daemon
sent
same "$tmp/once" "$tmp/got" "and once with -s"
# With the distances of the stamps: as long as the file, within a tenth.
span() {
	tcpdump -nn -tt -r "$1" 2>/dev/null | awk '/^[0-9]+\./ { print $1 }' | tail -n "$n" |
		awk 'NR == 1 { first = $1 } END { printf "%d\n", ($1 - first) * 1000 }'
}
want=$(span "$file")
got=$(span "$tmp/sent.pcap")
[ "$got" -ge $((want * 9 / 10)) ] && [ "$got" -le $((want * 11 / 10 + 200)) ] ||
	fail "play -s took $got ms, the file $want ms"
ok "play -s kept the distances"
clean "$tmp/daemon.log"
