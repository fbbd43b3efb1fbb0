#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What net_pcap cannot replay is lost as npf-dpdk(8) says, and no more than that: nanoseconds, and
# the original length of a packet that was cut off when it was captured. A savefile that itself ends
# within a packet is replayed as far as it goes.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump editcap jq
file=$corpus/web4.pcap
n=$(packets_of "$file")

editcap -F nsecpcap -t 0.000000789 "$file" "$t/nano.pcap" 2>/dev/null
editcap -F pcap -s 70 "$file" "$t/cut.pcap" 2>/dev/null
head -c -10 "$file" >"$t/torn.pcap"
head -c 24 "$file" >"$t/none.pcap"
tcpdump -nn -tt --time-stamp-precision=nano -r "$t/nano.pcap" 2>/dev/null |
	grep -c '789 IP' >/dev/null || fail "the file with nanoseconds has none"
tcpdump -nn -e -r "$t/cut.pcap" 2>/dev/null | grep -c 'length 1514' >/dev/null ||
	fail "the cut file has no original lengths"
[ "$(packets_of "$t/torn.pcap")" -eq $((n - 1)) ] || fail "the torn file is not torn"

config "$(replay npf0 "$t/nano.pcap")" "$(replay npf1 "$t/cut.pcap")" \
	"$(replay npf2 "$t/torn.pcap")" "$(replay npf3 "$t/none.pcap")" >"$t/conf.yaml"
start_daemon -c "$t/conf.yaml"

capture() { # PORT COUNT
	timeout 30 "$run" tcpdump -nn -i "$1" -c "$2" --time-stamp-precision=nano -w "$t/got.pcap" \
		2>"$t/err" || fail "tcpdump -i $1: $(cat "$t/err")"
	"$packets" "$t/got.pcap" >"$t/got"
}

capture npf0 "$n"
"$packets" "$file" >"$t/expected"
same "$t/expected" "$t/got" "a file with nanoseconds: every byte of every packet"
tcpdump -nn -tt -r "$t/got.pcap" --time-stamp-precision=nano 2>/dev/null | grep -E '^[0-9]' |
	cut -d' ' -f1 >"$t/got"
tcpdump -nn -tt -r "$file" 2>/dev/null | grep -E '^[0-9]' | sed 's/ .*/000/' >"$t/expected"
same "$t/expected" "$t/got" "a file with nanoseconds: its stamps, cut to microseconds"

capture npf1 "$n"
"$packets" "$t/cut.pcap" | awk '{ print $2, $2, $3 }' >"$t/expected"
same "$t/expected" "$t/got" "a file of cut packets: every byte there is, the captured length as the original one"

capture npf2 $((n - 1))
"$packets" "$file" | sed '$d' >"$t/expected"
same "$t/expected" "$t/got" "a file that ends within a packet: all packets before that"

timeout 2 "$run" tcpdump -nn -i npf3 -c 1 -w "$t/got.pcap" 2>"$t/err" || true
[ "$(ctl ports | jq '.ports[3].rx_packets')" -eq 0 ] || fail "an empty file has packets"
says "$t/err" '^0 packets captured' "an empty file: nothing, and no harm"
wait_for 5 has_sessions 0 || fail "sessions stay"
stop_daemon
clean "$t/daemon.log"
