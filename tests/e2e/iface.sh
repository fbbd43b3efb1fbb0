#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port on an interface of the kernel's (iface:NAME) shows what libpcap shows there. Stock tcpdump
# and tcpdump under npf-run capture on one interface at the same time: the same frames, bytes,
# lengths and times, whether fragments, frames of 64 KiB before their segmentation, tags of both
# kinds, jumbo frames, the kernel's own sends, or what loops back. What found no room while the
# daemon stood still is counted; what can't be sent is an error; nothing stays promiscuous.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq ip ethtool ping python3

. "$(dirname "$0")/iface-lib.sh"
ip netns exec "$id-a" python3 - tun9 <<-'EOF2' &
	import fcntl, struct, sys, time
	tun = open("/dev/net/tun", "r+b", buffering=0)
	fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH", sys.argv[1].encode(), 0x1001))
	while True:
	    tun.read(70000)
EOF2
add_background
wait_for 30 ip -n "$id-a" link show tun9 || fail "no tun device"
ip -n "$id-a" addr add 10.77.0.1/24 dev tun9
on a sysctl -q -w net.ipv6.conf.tun9.disable_ipv6=1
ip -n "$id-a" link set tun9 up
start_daemon "$id-a:" --iface wire --iface lo --iface tun9

# stamps FILE: bytes and time of each packet.
stamps() {
	"$packets" --stamps "$1" | awk '{ print $4, $1 }' | sort
}

# ---- what comes and what goes ----
begin fragments npf0 wire
on a ping -q -c 3 -i 0.05 -s 4000 10.76.0.2 >/dev/null
same_as_truth fragments 18 "fragments are three frames each"

# Where a frame comes without a time, each socket asks the clock by itself.
join <(stamps "$tmp/fragments.truth") <(stamps "$tmp/fragments.got") |
	awk '{ d = $2 - $3; if (d * d < 50e-6 ^ 2) near++ } END { exit near < NR / 2 || NR < 18 }' ||
	fail "the stamps are not the kernel's"
"$packets" --stamps "$tmp/fragments.got" | awk '$1 == last { same++ } { last = $1 } END { exit same > 0 }' ||
	fail "two packets have one stamp"
ok "stamps are the kernel's, in nanoseconds"

begin tags npf0 wire
raw 8100006488b5 88a8006481000065 88b5 8100e06488b5 810000c8 8100006588b5 88a8000088b5
same_as_truth tags 7 "tags of 802.1Q and 802.1ad are where they were"

begin big npf0 wire
transfer 4
same_as_truth big 40 "frames of up to 64 KiB are whole"
awk '$1 > 60000 { n++ } END { exit n < 3 }' <(printed "$tmp/big.got") || fail "there were no large frames"

begin in npf0 wire -Q in
on a ping -q -c 3 -i 0.05 10.76.0.2 >/dev/null
same_as_truth in 3 "-Q in has what came"
begin out npf0 wire -Q out
on a ping -q -c 3 -i 0.05 10.76.0.2 >/dev/null
same_as_truth out 3 "-Q out has what the kernel sent"

begin lo npf1 lo
on a ping -q -c 3 -i 0.05 127.0.0.1 >/dev/null
same_as_truth lo 6 "what loops back is there once"

begin tun npf2 tun9
says "$tmp/tun.err" 'link-type RAW' "a tun device has raw IP packets"
on a ping -q -c 2 -i 0.05 -W 0.1 10.77.0.2 >/dev/null || true
same_as_truth tun 2 "they are what libpcap has"

before=$(ctl ports | jq '.ports[0].rx_packets')
on a ping -q -c 5 -i 0.05 10.76.0.2 >/dev/null
[ $(($(ctl ports | jq '.ports[0].rx_packets') - before)) -eq 5 ] ||
	fail "the port counts other than the 5 replies as received"
ok "the kernel's own sends are not counted as received"

"$npfctl" monitor npf0 -i 50ms --json icmp >"$tmp/monitor" 2>&1 &
monitor=$!
add_background
wait_for 30 test -s "$tmp/monitor" || fail "the monitor does not start"
on a ping -q -c 5 -i 0.05 10.76.0.2 >/dev/null
counts_ten() {
	[ "$(jq -s 'map(.rows[0].packets) | add' "$tmp/monitor")" -eq 10 ]
}
wait_for 30 counts_ten || fail "a monitor counts other than 5 requests and 5 replies: $(cat "$tmp/monitor")"
kill $monitor
wait $monitor || true
ok "a monitor counts what comes and what goes"

# ---- MTU ----
for n in a b; do ip -n "$id-$n" link set wire mtu 9000; done
begin jumbo npf0 wire
on a ping -q -c 3 -i 0.05 -M do -s 8900 10.76.0.2 >/dev/null
same_as_truth jumbo 6 "an MTU raised while the daemon runs: frames are whole"
for n in a b; do ip -n "$id-$n" link set wire mtu 1500; done

# ---- losses ----
begin lost npf0 wire
kill -STOP "$daemon"
on b python3 -c 'import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("wire", 0))
for i in range(20000): s.send(bytes.fromhex("ffffffffffff02000000000288b5") + i.to_bytes(4, "big") + bytes(60))'
kill -CONT "$daemon"
drops() {
	local s
	s=$(ctl sessions)
	[ "$(jq '.sessions[0] | .accepted + .port_missed' <<<"$s")" -eq 20000 ] &&
		[ "$(jq '.sessions[0].port_missed' <<<"$s")" -gt 1000 ]
}
wait_for 30 drops || fail "20000 were sent, but: $(ctl sessions)"
kill $truth $client
wait $truth $client || true
says "$tmp/lost.err" '^1[0-9]{4} packets dropped by interface$' \
	"what found no room while the daemon stood still is counted, to the packet"

# ---- promiscuous mode ----
promiscuity() {
	ip -n "$id-a" -d link show wire | grep -o 'promiscuity [0-9]*'
}
[ "$(promiscuity)" = "promiscuity 1" ] || fail "the port is not promiscuous: $(promiscuity)"
"$npfctl" port del npf0 >/dev/null
[ "$(promiscuity)" = "promiscuity 0" ] || fail "port del leaves the interface promiscuous"
"$npfctl" port add npf0 iface:wire --send >/dev/null || fail "npfctl port add"
[ "$(promiscuity)" = "promiscuity 1" ] || fail "the port is not promiscuous again"

for pmd in net_af_packet net_af_xdp; do
	"$npfctl" port add npf5 ${pmd}5,iface=wire >/dev/null || fail "npfctl port add $pmd"
	"$npfctl" port del npf5 >/dev/null || fail "npfctl port del"
	[ "$(promiscuity)" = "promiscuity 1" ] || fail "port del of $pmd leaves the interface promiscuous"
	says "$tmp/daemon.log" "port npf5: on an interface $pmd loses: .*; iface:wire does not" \
		"the log says what $pmd loses"
done
ip -n "$id-a" link set wire promisc on
"$npfctl" port add npf5 net_af_packet5,iface=wire >/dev/null || fail "npfctl port add"
"$npfctl" port del npf5 >/dev/null || fail "npfctl port del"
[ "$(promiscuity)" = "promiscuity 2" ] || fail "port del takes back what somebody else ordered"
ip -n "$id-a" link set wire promisc off
stop_daemon
[ "$(promiscuity)" = "promiscuity 0" ] || fail "the stop leaves the interface promiscuous"
config '{name: npf0, device: "iface:wire", start: attach, overflow: wait}' >"$tmp/conf.yaml"
start_daemon "$id-a:" -c "$tmp/conf.yaml"
[ "$(promiscuity)" = "promiscuity 0" ] || fail "a port that waits for a client is promiscuous"
begin attach npf0 wire
[ "$(promiscuity)" = "promiscuity 2" ] || fail "the port or stock tcpdump is not promiscuous"
on a ping -q -c 3 -i 0.05 10.76.0.2 >/dev/null
same_as_truth attach 6 "a port that starts with its client, and waits for it"
wait_for 30 has_sessions 0 || fail "the session stays"
[ "$(promiscuity)" = "promiscuity 0" ] || fail "a port that has stopped is promiscuous"
stop_daemon
start_daemon "$id-a:" --iface wire
kill -9 "$daemon"
wait "$daemon" || true
[ "$(promiscuity)" = "promiscuity 0" ] || fail "a daemon that is killed leaves the interface promiscuous"
daemon=
on a "$NPF_BUILD/tools/npf-txgen" --no-huge --no-pci --no-shconf --no-telemetry -m 128 --lcores 0@0,1@0 \
	--vdev net_af_packet0,iface=wire -- --count=10 >"$tmp/said" 2>&1 || fail "npf-txgen: $(cat "$tmp/said")"
[ "$(promiscuity)" = "promiscuity 0" ] || fail "npf-txgen leaves the interface promiscuous"
ok "no interface stays promiscuous, however the port ends"
clean "$tmp/daemon.log"
