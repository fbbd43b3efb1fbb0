#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# npf-txgen sends through the port of a running daemon: what net_pcap writes there is byte for byte
# what it writes for npf-txgen's own port; the count is exact, so is the rate's. A port that does
# not allow sending, an unknown port, no daemon and a daemon that goes away are told, each with
# exit status 1 or 2.
. "$(dirname "$0")/../lib.sh"
need_root
need jq python3 tcpdump

txgen=$NPF_BUILD/tools/npf-txgen
eal=(--no-huge -m 128 --no-shconf --no-telemetry --no-pci -l 0 --log-level=lib.eal:4)
packet='eth(src=02:00:00:00:00:01)/ip(src=random,dst=10.0.0.2-10.0.0.9)/udp(sport=random,dport=53)'
traffic=("--packet=$packet" "--packet=tcp(flags=S)/size=99" --size=64-1500)

config "{name: npf0, device: \"net_pcap0,tx_pcap=$tmp/daemon.pcap\", send: true}" \
	"{name: npf1, device: net_null0, send: false}" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

own=$("$txgen" "${eal[@]}" --vdev="net_pcap0,tx_pcap=$tmp/own.pcap" -- \
	"${traffic[@]}" --count=5000 --json 2>"$tmp/txgen.log" | jq .tx.packets)
[ "$own" -eq 5000 ] || fail "5000 packets are written by the generator's own port"
timeout 60 "$txgen" -- --attach=npf0 --socket="$NPF_SOCKET" "${traffic[@]}" --count=5000 --json \
	>"$tmp/sent.json" 2>"$tmp/txgen.log" || {
	cat "$tmp/txgen.log" "$tmp/sent.json"
	fail "npf-txgen sends through npf0"
}
[ "$(jq .tx.packets "$tmp/sent.json")" -eq 5000 ] || fail "5000 packets are sent through npf0"
ok "5000 packets as fast as it goes: $(jq '.tx.pps | floor' "$tmp/sent.json") a second"
tcpdump -nn -t -r "$tmp/own.pcap" >"$tmp/own" 2>/dev/null
tcpdump -nn -t -r "$tmp/daemon.pcap" >"$tmp/daemon" 2>/dev/null
same "$tmp/own" "$tmp/daemon" "they leave as they would from a port of its own"

# A machine that stalls at the end of a run makes it fall behind, and it says so; not every time.
paced() {
	for _ in 1 2 3 4 5; do
		! timeout 60 "$txgen" -- --attach=npf0 --socket="$NPF_SOCKET" --rate=2kpps --duration=1s \
			--json >"$tmp/paced.json" 2>"$tmp/txgen.log" || return 0
	done
	cat "$tmp/txgen.log" "$tmp/paced.json"
	return 1
}
paced || fail "npf-txgen sends at a rate"
[ "$(jq .tx.packets "$tmp/paced.json")" -eq 2000 ] || fail "2 kpps for a second are 2000 packets"
ok "2 kpps for a second are 2000 packets"

# refused STATUS PATTERN SENTENCE OPTION...
refused() {
	local want=$1 pattern=$2 sentence=$3 status=0
	shift 3
	timeout 60 "$txgen" -- --socket="$NPF_SOCKET" "$@" >"$tmp/out" 2>&1 || status=$?
	[ $status -eq "$want" ] && grep -qiE "$pattern" "$tmp/out" || {
		cat "$tmp/out"
		fail "$sentence (exit status $status)"
	}
	ok "$sentence"
}
refused 2 'npf1' "a port that does not allow sending is told" --attach=npf1
refused 2 'npf7' "an unknown port is told" --attach=npf7
refused 2 'only be sent' "checking needs ports of one's own" --attach=npf0 --check

timeout 60 "$txgen" -- --attach=npf0 --socket="$NPF_SOCKET" --rate=1kpps >"$tmp/out" 2>&1 &
gone=$!
add_background
is_sending() {
	ctl sessions | jq -e '.sessions[] | select(.sent > 0)'
}
wait_for 60 is_sending || fail "npf-txgen sends nothing: $(cat "$tmp/out")"
stop_daemon
status=0
wait $gone || status=$?
[ $status -eq 1 ] && grep -q 'daemon has gone' "$tmp/out" || {
	cat "$tmp/out"
	fail "a daemon that goes away is told (exit status $status)"
}
ok "a daemon that goes away is told, after what was sent"
refused 2 'npf-dpdk' "no daemon is told" --attach=npf0
