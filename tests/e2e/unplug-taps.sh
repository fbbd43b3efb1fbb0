#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port that two taps poll, and that waits for its readers, is removed in the middle of a burst
# that had no room: who read from it has all that was put into its rings. And two kinds of senders
# that a removal finds in the middle: one frame sent over and over, one that finds no room.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq ip ethtool
unplug=$NPF_CLIENTS/tests/e2e/unplug
netns a
netns b
wire a b

{
	memory=192 config "{name: npf0, device: \"net_pcap0,rx_pcap=$corpus/ping.pcap,rx_pcap=$corpus/web4.pcap,infinite_rx=1\",
		rx_queues: 2, start: attach, overflow: wait}" \
		"{name: npf1, device: \"net_pcap1,iface=wire\", send: true}" \
		"{name: npf2, device: \"net_memif2,role=server,socket=$tmp/memif.sock\", send: true}"
} | sed 's/memory: 192/memory: 192, lcores: "0@0,1@1,2@0"/; s/group: any/group: any, send_cpu: 1/' \
	>"$tmp/conf.yaml" # a sender without end must not take the CPU from the control thread
start_daemon "$id-a:" -c "$tmp/conf.yaml"

# remove PORT: with what ends in time.
remove() {
	timeout 40 "$npfctl" port del "$1" >"$tmp/removed" || fail "npfctl port del $1"
	wait_gone "$client" 300 || fail "the client of $1 goes on"
}

captured() {
	[ "$(ctl sessions | jq '.sessions[0].captured')" -gt "$1" ]
}

"$run" "$unplug" capture npf0 >"$tmp/out" 2>"$tmp/err" &
client=$!
add_background
wait_for 30 captured 10000 || fail "nothing is captured"
[ "$(ctl sessions | jq '.sessions[0].buffer.lanes')" -eq 2 ] || fail "there are not two lanes"
"$npfctl" dump start npf0 -s 64 -n taps -w "$tmp/taps.pcap" >/dev/null
# A reader that is stopped fills its rings, and then the taps wait.
kill -STOP $client
filled() {
	local now
	now=$(ctl sessions | jq '.sessions[0].captured')
	[ "$now" = "${was-}" ] || {
		was=$now
		return 1
	}
}
wait_for 30 filled || fail "the rings do not fill up"
timeout 40 "$npfctl" port del npf0 >"$tmp/removed" || fail "npfctl port del"
kill -CONT $client
wait_gone $client 300 || fail "the capture goes on"
wait $client || fail "the capture ends otherwise: $(cat "$tmp/out" "$tmp/err")"
says "$tmp/out" "^$was received $was dropped 0: port npf0 was removed" \
	"a reader that slept through the removal gets all $was packets that its rings had"
written=$(ctl dump list | jq '.dumps[] | select(.name == "taps") | .written')
[ "$(packets_of "$tmp/taps.pcap")" -eq "$written" ] && [ "$written" -gt 0 ] ||
	fail "the dump has $(packets_of "$tmp/taps.pcap") of $written packets"
ok "the dump of both taps has all its $written packets"

# ---- one frame, over and over ----
sent() {
	[ "$(ctl sessions | jq "[.sessions[] | select(.port == \"$1\")][0].sent")" -gt "$2" ]
}
"$npfctl" send npf1 -r "$corpus/ping.pcap" --repeat 4000000000 --json >"$tmp/out" 2>"$tmp/err" &
client=$!
add_background
wait_for 30 sent npf1 1000 || fail "nothing is sent"
remove npf1
wait_for 30 has_sessions 0 || fail "a session stays"
! wait $client || fail "it says that all was sent"
says "$tmp/err" "was not sent: the port was removed" "a frame sent over and over is cut short"
# What the far end of the wire got, and what the kernel dropped on its way there.
left() {
	echo $(($(on b cat /sys/class/net/wire/statistics/rx_packets) +
		$(on a cat /sys/class/net/wire/statistics/tx_dropped)))
}
n=$(jq .packets "$tmp/out")
[ "$(left)" -eq "$n" ] || fail "$n packets sent, $(left) left"
ok "its count is what left: $n times"

# ---- no room ----
"$npfctl" send npf2 -r "$corpus/ping.pcap" --json >"$tmp/out" 2>"$tmp/err" &
client=$!
add_background
sleep 0.2
remove npf2
! wait $client || fail "it says that all was sent"
cat "$tmp/err" >>"$tmp/out"
says "$tmp/out" 'packet 1 was not sent: the port (was removed|takes nothing any more)' \
	"a sender that waits for room is told"

[ "$(ctl ports | jq '.ports | length')" -eq 0 ] || fail "ports stay"
"$npfctl" ports >"$tmp/out" || fail "npfctl ports without a port"
"$run" tcpdump -D >"$tmp/out" 2>&1 || fail "tcpdump -D without a port"
ok "a daemon without ports is one"
timeout 30 "$npfctl" port add npf0 net_null0,copy=1 --rx-queues 2 >/dev/null || fail "npfctl port add"
"$run" tcpdump -c 1000 -i npf0 -w /dev/null 2>/dev/null || fail "no capture on the new port"
ok "and can have one again"
stop_daemon
clean "$tmp/daemon.log"
