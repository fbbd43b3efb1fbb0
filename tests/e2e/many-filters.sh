#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The filters of many clients run as one, and each client gets exactly its packets, whoever comes and goes.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump

config '{name: npf0, device: "net_ring0", send: true}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
savefiles=(web4 dns ping fragments multicast scan)
filters=(tcp udp icmp arp ip6 'tcp port 80' 'udp port 53' 'host 10.77.1.1' 'host 10.77.2.2' 'src net 10.77.0.0/16'
	'ip[6:2] & 0x1fff != 0' 'tcp[tcpflags] & tcp-syn != 0' 'less 100' 'not tcp' 'vlan or ether multicast'
	'len > 200 and udp' 'ip6 protochain 17')
pids=()

# open_client NUMBER: it captures by filter NUMBER.
open_client() {
	"$run" tcpdump -nn -i npf0 -Q in --immediate-mode -w "$tmp/$1.pcap" "${filters[$1]}" 2>"$tmp/$1.err" &
	pids[$1]=$!
	add_background
	wait_for 60 grep -q 'listening on' "$tmp/$1.err" || fail "tcpdump ${filters[$1]}: $(cat "$tmp/$1.err")"
}

# matching NUMBER: packets of all savefiles that its filter accepts.
matching() {
	local n=0 f
	for f in "${savefiles[@]}"; do
		n=$((n + $(tcpdump -nn -r "$corpus/$f.pcap" "${filters[$1]}" 2>/dev/null | wc -l)))
	done
	echo $n
}

send_all() {
	local f
	for f in "${savefiles[@]}"; do
		"$npfctl" send npf0 -r "$corpus/$f.pcap" --rate 20kpps >/dev/null || fail "npfctl send $f"
	done
}

# accepted NUMBER COUNT: has its session accepted so many?
accepted() {
	ctl sessions | jq -e --argjson pid "${pids[$1]}" --argjson n "$2" \
		'.sessions[] | select(.pid == $pid) | .accepted >= $n'
}

close_client() {
	local i
	for i in 1 2 3 4 5 6 7 8 9 10; do
		kill -INT "${pids[$1]}" 2>/dev/null || return 0
		wait_gone "${pids[$1]}" 20 && return 0
	done
	fail "tcpdump ${filters[$1]} does not end"
}

# check NUMBER ROUNDS: it has all that matched in so many rounds, and nothing else.
check() {
	local n=$((want[$1] * $2)) bad
	wait_for 60 accepted "$1" "$n" || fail "${filters[$1]}: not $n packets: $(ctl stats)"
	close_client "$1"
	[ "$(packets_of "$tmp/$1.pcap")" = "$n" ] || fail "${filters[$1]}: $(packets_of "$tmp/$1.pcap") packets, not $n"
	bad=$(tcpdump -nn -r "$tmp/$1.pcap" "not (${filters[$1]})" 2>/dev/null | wc -l)
	[ "$bad" = 0 ] || fail "${filters[$1]}: $bad packets that it does not accept"
	grep -q '^0 packets dropped by kernel' "$tmp/$1.err" || fail "${filters[$1]}: $(cat "$tmp/$1.err")"
}

packets_of() {
	tcpdump -nn -r "$1" 2>/dev/null | wc -l
}

in_set() { # COUNT
	ctl sessions | jq -e --argjson n "$1" '[.sessions[] | select(.in_set)] | length >= $n'
}

want=()
for i in "${!filters[@]}"; do
	want[i]=$(matching "$i")
done
last=$((${#filters[@]} - 1))
for i in $(seq 0 $((last - 4))); do
	open_client "$i"
done
wait_for 60 in_set 8 || fail "filters do not run together: $(ctl sessions)"
ok "the filters of clients run together"
send_all
for i in 0 3 5 8; do
	check "$i" 1
done
ok "each of 4 clients that go has exactly its packets"
for i in $(seq $((last - 3)) "$last"); do
	open_client "$i"
done
send_all
for i in $(seq $((last - 3)) "$last"); do
	check "$i" 1
done
ok "so have 4 that have come"
for i in 1 2 4 6 7 9 10 11 12; do
	check "$i" 2
done
ok "and those that stayed all the time, of both rounds"
stop_daemon
clean "$tmp/daemon.log"
