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

editcap -F pcap -s 70 "$file" "$t/cut.pcap" 2>/dev/null
head -c -10 "$file" >"$t/torn.pcap"

forever() { # NAME FILE
	echo "{name: $1, device: \"net_pcap${1#npf},rx_pcap=$2,infinite_rx=1\", start: attach, overflow: wait}"
}

config "$(forever npf0 "$file")" "$(forever npf1 "$t/cut.pcap")" >"$t/conf.yaml"
start_daemon -c "$t/conf.yaml"
says "$t/daemon.log" "npf1: [1-9][0-9]* packets of .*cut.pcap were cut" "cut packets are told of at the start"

capture() { # PORT: twice the file
	timeout 30 "$run" tcpdump -nn -i "$1" -c $((2 * n)) -w "$t/got.pcap" 2>"$t/err" ||
		fail "tcpdump -i $1: $(cat "$t/err")"
	"$packets" "$t/got.pcap" >"$t/got"
}

before=$(date +%s)
capture npf0
"$packets" "$file" | sort >"$t/expected"
sort -u "$t/expected" >"$t/kinds"
sort -u "$t/got" >"$t/got.kinds"
same "$t/kinds" "$t/got.kinds" "infinite_rx: every byte of every packet"
first=$(tcpdump -nn -tt -c 1 -r "$t/got.pcap" 2>/dev/null | cut -d. -f1)
[ "$first" -ge "$before" ] || fail "a stamp of the file: $first"
ok "infinite_rx: the stamps are the clock's"

capture npf1
"$packets" "$t/cut.pcap" | awk '{ print $2, $2, $3 }' | sort -u >"$t/kinds"
sort -u "$t/got" >"$t/got.kinds"
same "$t/kinds" "$t/got.kinds" "infinite_rx: the captured length of a cut packet as the original one"
stop_daemon
clean "$t/daemon.log"

! timeout 30 "$dpdk" --vdev "net_pcap0,rx_pcap=$t/torn.pcap,infinite_rx=1" >"$t/said" 2>&1 ||
	fail "the daemon repeats a torn file"
says "$t/said" "torn.pcap: damaged at packet $n, byte [0-9]*: truncated" "a torn file is refused"
