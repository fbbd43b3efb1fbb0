#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What net_pcap's infinite_rx loses is what npf-dpdk(8) says, and no more than that: time stamps, and
# the original length of a packet that was cut off when it was captured. What it can't repeat whole
# is refused.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump editcap jq
file=$corpus/web4.pcap
n=$(packets_of "$file")

editcap -F pcap -s 70 "$file" "$tmp/cut.pcap" 2>/dev/null
head -c -10 "$file" >"$tmp/torn.pcap"

forever() { # NAME FILE
	echo "{name: $1, device: \"net_pcap${1#npf},rx_pcap=$2,infinite_rx=1\", start: attach, overflow: wait}"
}

config "$(forever npf0 "$file")" "$(forever npf1 "$tmp/cut.pcap")" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
says "$tmp/daemon.log" "npf1: [1-9][0-9]* packets of .*cut.pcap were cut" "cut packets are told of at the start"

capture() { # PORT: twice the file
	timeout 30 "$run" tcpdump -nn -i "$1" -c $((2 * n)) -w "$tmp/got.pcap" 2>"$tmp/err" ||
		fail "tcpdump -i $1: $(cat "$tmp/err")"
	"$packets" "$tmp/got.pcap" >"$tmp/got"
}

before=$(date +%s)
capture npf0
"$packets" "$file" | sort >"$tmp/expected"
sort -u "$tmp/expected" >"$tmp/kinds"
sort -u "$tmp/got" >"$tmp/got.kinds"
same "$tmp/kinds" "$tmp/got.kinds" "infinite_rx: every byte of every packet"
first=$(tcpdump -nn -tt -c 1 -r "$tmp/got.pcap" 2>/dev/null | cut -d. -f1)
[ "$first" -ge "$before" ] || fail "a stamp of the file: $first"
ok "infinite_rx: the stamps are the clock's"

capture npf1
"$packets" "$tmp/cut.pcap" | awk '{ print $2, $2, $3 }' | sort -u >"$tmp/kinds"
sort -u "$tmp/got" >"$tmp/got.kinds"
same "$tmp/kinds" "$tmp/got.kinds" "infinite_rx: the captured length of a cut packet as the original one"
stop_daemon
clean "$tmp/daemon.log"

! timeout 30 "$dpdk" --vdev "net_pcap0,rx_pcap=$tmp/torn.pcap,infinite_rx=1" >"$tmp/said" 2>&1 ||
	fail "the daemon repeats a torn file"
says "$tmp/said" "torn.pcap: damaged at packet $n, byte [0-9]*: truncated" "a torn file is refused"
