#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port with two rx queues on two tap lcores: the client sees one stream in time order, and a busy
# queue can fill the whole of the session's buffer while the other is idle.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump capinfos jq

# An idle queue: a savefile with a header and no packet.
head -c 24 "$corpus/web4.pcap" >"$tmp/empty.pcap"
idle=net_pcap0,rx_pcap=$corpus/iperf3.pcap,rx_pcap=$tmp/empty.pcap,infinite_rx=1
cat >"$tmp/conf.yaml" <<-EOF
	npf: {socket: $NPF_SOCKET, group: any, telemetry: false}
	eal: {memory: 128, lcores: "0@0,1@1,2@0"}
	ports:
	  - {name: npf0, device: "net_null0,copy=1", rx_queues: 2, start: attach}
	  - {name: npf1, device: "net_pcap0,rx_pcap=$corpus/ping.pcap,rx_pcap=$corpus/web4.pcap", rx_queues: 2,
	     start: attach, overflow: wait}
EOF
start_daemon -c "$tmp/conf.yaml"

"$run" tcpdump -nn -i npf0 -w /dev/null >/dev/null 2>&1 &
add_background
client=$!
wait_for 30 has_sessions 1 || fail "no session"
[ "$(ctl sessions | jq '.sessions[0].buffer.lanes')" -eq 2 ] || fail "two taps do not feed two lanes"
kill -TERM "$client"
wait_for 30 has_sessions 0 || fail "a session is left"
timeout 60 "$run" tcpdump -nn -i npf0 --nano -c 300000 -w "$tmp/two.pcap" 2>"$tmp/tcpdump" ||
	fail "tcpdump: $(cat "$tmp/tcpdump")"
capinfos -o "$tmp/two.pcap" >"$tmp/order"
says "$tmp/order" 'Strict time order: +True' "300000 packets of two lanes come in time order"

n1=$(packets_of "$corpus/ping.pcap") n2=$(packets_of "$corpus/web4.pcap")
timeout 60 "$run" tcpdump -nn -i npf1 -c $((n1 + n2)) -w "$tmp/both.pcap" 2>"$tmp/tcpdump" ||
	fail "tcpdump: $(cat "$tmp/tcpdump")"
for f in ping web4; do
	tcpdump -nn -tt -v -r "$corpus/$f.pcap" 2>/dev/null
done | sort >"$tmp/expected"
tcpdump -nn -tt -v -r "$tmp/both.pcap" 2>/dev/null | sort >"$tmp/got"
same "$tmp/expected" "$tmp/got" "two replayed queues come completely"
stop_daemon

# ---- the budget
sed -i "/name: npf/,\$d" "$tmp/conf.yaml"
echo "  - {name: npf0, device: \"$idle\", rx_queues: 2, start: attach}" >>"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml" || fail "an empty savefile is refused"
"$run" tcpdump -nn -i npf0 -B 4096 -w /dev/null >/dev/null 2>&1 &
add_background
client=$!
wait_for 30 has_sessions 1 || fail "no session"
kill -STOP "$client"
dropping() {
	[ "$(ctl sessions | jq '.sessions[0].drop_full')" -gt 100000 ]
}
wait_for 30 dropping || fail "a stopped reader's lane does not fill"
size=$(ctl sessions | jq '.sessions[0].buffer.size')
[ "$size" -ge 4194304 ] || fail "the buffer has $size bytes"
# iperf3's packets are large: up to one of them may not fit at the end.
full() {
	used=$(ctl sessions | jq '.sessions[0].buffer.used')
	[ $((used * 100)) -ge $((size * 99)) ]
}
wait_for 30 full || fail "full at $used of $size bytes"
ok "the busy queue's lane filled $used of the session's $size bytes"
kill -CONT "$client"
kill -TERM "$client"
wait_gone "$client" 300
stop_daemon
