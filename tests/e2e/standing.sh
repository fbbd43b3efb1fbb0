#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Sends that stand in the configuration: what leaves the port is the file, each packet once a round,
# in order and not before its time, and the report says the same; they wait for a port that does not
# run and go on where they were; a port that takes nothing or is removed harms nobody; who watches
# sees each packet exactly once.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3 ip ethtool

# savefile FILE N GAP-US [LINKTYPE [BYTES]]: N packets that carry their numbers.
savefile() {
	python3 - "$@" <<-'EOF'
		import struct, sys
		path, n, gap = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		link, size = (list(map(int, sys.argv[4:])) + [1, 60][len(sys.argv) - 4:])[:2]
		with open(path, "wb") as f:
		    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link))
		    for i in range(n):
		        us = 5000000 + i * gap
		        data = (b"\x02" * 12 + b"\x88\xb5" + struct.pack(">I", i)).ljust(size + i % 7, b"\x55")[:size + i % 7]
		        f.write(struct.pack("<IIII", us // 1000000, us % 1000000, len(data), len(data)) + data)
	EOF
}
# numbers FILE: of the packets in it, one a line.
numbers() {
	python3 "$packets" "$1" | python3 -c '
import sys
for line in sys.stdin:
    print(int(line.split()[2][28:36], 16))'
}
# standing NAME FIELD: of the report.
standing() {
	ctl send | jq -r ".sends[] | select(.name == \"$1\") | .$2"
}
is() {
	[ "$(standing "$1" "$2")" = "$3" ]
}

savefile "$tmp/slow.pcap" 50 10000
savefile "$tmp/many.pcap" 200 1000
savefile "$tmp/one.pcap" 1 0

# ---- Mistakes ----
ports='{name: npf0, device: net_null0, send: true, mtu: 1500}'
savefile "$tmp/raw.pcap" 3 1 101
savefile "$tmp/empty.pcap" 0 1
savefile "$tmp/short.pcap" 3 1 1 10
savefile "$tmp/long.pcap" 3 1 1 2000
head -c 150 "$tmp/many.pcap" >"$tmp/cut.pcap"
# refused WHAT PATTERN SENTENCE [PORT]
refused() {
	{
		config "${4-$ports}"
		echo "sends:"
		echo "  - $1"
	} >"$tmp/bad.yaml"
	! timeout 20 "$dpdk" --check -c "$tmp/bad.yaml" 2>"$tmp/err" || fail "$3: --check says it is good"
	says "$tmp/err" "$2" "$3"
}
refused '{name: a, port: npf0, file: /nonexistent.pcap}' 'send a: .*nonexistent' "a file that is not there"
refused "{name: a, port: npf0, file: $tmp/bad.yaml}" "send a: " "a file that is no savefile"
refused "{name: a, port: npf0, file: $tmp/raw.pcap}" 'send a: .*not Ethernet' "packets that are no frames"
refused "{name: a, port: npf0, file: $tmp/empty.pcap}" 'send a: .*no packet' "an empty file"
refused "{name: a, port: npf0, file: $tmp/cut.pcap}" 'send a: .*damaged at packet 2, byte 100: .*truncated' "a file that is cut off"
refused "{name: a, port: npf0, file: $tmp/short.pcap}" 'send a: packet 1 .* 10 bytes' "a packet that is too short"
refused "{name: a, port: npf9, file: $tmp/one.pcap}" 'sends\[0\].port: there is no port' "an unknown port"
refused "{name: a, port: npf0, file: $tmp/one.pcap}" 'sends\[0\].port: .*send: true' \
	"a port that does not allow it" '{name: npf0, device: net_null0}'
refused "{name: a, port: npf0, file: one.pcap}" 'sends\[0\].file: .*absolute' "a relative path"
refused "{name: a, port: npf0, file: $tmp/one.pcap, rate: soon}" 'sends\[0\].rate: "soon"' "a wrong rate"
refused "{name: a, port: npf0, file: $tmp/one.pcap, speed: 1}" 'line: 5|line: 6' "an unknown key, by its line"
{
	config "$ports"
	echo "sends: [{name: a, port: npf0, file: $tmp/long.pcap}]"
} >"$tmp/bad.yaml"
! timeout 20 "$dpdk" -c "$tmp/bad.yaml" 2>"$tmp/err" || fail "a packet that is too long is taken"
says "$tmp/err" 'send a: packet 1 .* 2000 bytes: on port npf0 14 to 1514' "a packet that is too long for its port"

# ---- On a wire, seen from its other end ----
netns a
netns b
wire a b
ip netns exec "$id-b" tcpdump -Z root -i wire -U --immediate-mode -B 16384 -w "$tmp/far.pcap" \
	ether proto 0x88b5 2>"$tmp/far.err" &
far=$!
add_background
wait_for 30 grep -q listening "$tmp/far.err" || fail "stock tcpdump does not start"
{
	config '{name: npf0, device: "net_af_packet0,iface=wire", send: true}'
	echo "sends:"
	echo "  - {name: beacon, port: npf0, file: $tmp/slow.pcap, rate: x2, loop: 3, repeat: 2}"
} >"$tmp/conf.yaml"
"$dpdk" --check -c "$tmp/conf.yaml" 2>/dev/null || fail "the configuration is not accepted"
start_daemon "$id-a:" -c "$tmp/conf.yaml"
rm "$tmp/slow.pcap"
wait_for 30 is beacon state 'done' || fail "the beacon does not end: $(ctl send)"
wait_for 30 sh -c "[ \$(python3 $packets $tmp/far.pcap 2>/dev/null | wc -l) -ge 300 ]" || true # else what is missing is shown
kill $far
wait $far || true
numbers "$tmp/far.pcap" >"$tmp/got"
for _ in 1 2 3; do
	seq 0 49 | awk '{ print; print }'
done >"$tmp/expected"
same "$tmp/expected" "$tmp/got" "the other end gets each packet as often as said, in order"
bytes=$(python3 "$packets" "$tmp/far.pcap" | awk '{ s += $1 } END { print s }')
[ "$(ctl send | jq -r '.sends[0] | "\(.packets) \(.bytes) \(.loops) \(.failed)"')" = "300 $bytes 3 0" ] ||
	fail "the report says otherwise: $(ctl send)"
ok "the report counts the same: 300 packets, $bytes bytes, 3 rounds"
# Packet i of round r is due 5 ms * i + 250 ms * r after the first. The first one's own stamp may be late.
tcpdump -tt -nn -r "$tmp/far.pcap" 2>/dev/null | awk '$1 ~ /^[0-9]+\.[0-9]+$/ { print $1 }' | python3 -c '
import sys
at = [float(x) for x in sys.stdin][::2]
late = [t - at[0] - (i % 50 * 0.005 + i // 50 * 0.25) for i, t in enumerate(at)]
assert min(late) > -0.003, f"a packet left {-min(late)} s before its time"
assert sorted(late)[len(late) // 2] < 0.1, "half of them are late by 100 ms and more"
' || fail "the gaps are not those of the file at twice its speed"
ok "the gaps are those of the file at twice its speed, across rounds too"
ctl stats | jq -e '.sends[0].packets == 300 and .sends[0].late_p50_ns <= .sends[0].late_p99_ns' \
	>/dev/null || fail "npfctl stats: $(ctl stats)"
"$npfctl" send >"$tmp/out"
says "$tmp/out" '^beacon +npf0 +done +300 ' "npfctl send prints it for people"
stop_daemon
clean "$tmp/daemon.log"

# ---- A port that stops and starts; who watches ----
{
	config "{name: npf0, device: \"net_null0,no-rx=1\", send: true, start: attach}" \
		"{name: npf1, device: \"net_memif0,role=server,socket=$tmp/memif.sock\", send: true}" \
		"{name: npf2, device: \"net_null1,no-rx=1\", send: true}"
	echo "sends:"
	echo "  - {name: pausing, port: npf0, file: $tmp/many.pcap, rate: 400pps}"
	echo "  - {name: stuck, port: npf1, file: $tmp/many.pcap, rate: asap}"
	echo "  - {name: flood, port: npf2, file: $tmp/many.pcap, rate: asap, loop: 100, repeat: 5}"
	echo "  - {name: endless, port: npf2, file: $tmp/many.pcap, rate: 2kpps}"
} >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
is pausing state waiting || fail "a port that waits is sent on: $(ctl send)"
[ "$(standing pausing packets)" = 0 ] || fail "a port that waits takes packets"
ok "on a port that waits for a client nothing is sent"
# watch NAME [TCPDUMP-OPTION...]
watch() {
	"$run" tcpdump -Z root -U --immediate-mode -i npf0 -Q out -w "$tmp/$1.pcap" "${@:2}" 2>"$tmp/$1.err" &
	watcher=$!
	add_background
	wait_for 30 grep -q listening "$tmp/$1.err" || fail "tcpdump: $(cat "$tmp/$1.err")"
}
watch first -c 100
wait_gone "$watcher" 300 || fail "100 packets are not sent"
wait_for 30 is pausing state waiting || fail "the port has stopped, the send has not: $(ctl send)"
before=$(standing pausing packets)
watch second
second=$watcher
watch third
sees() {
	[ "$(numbers "$tmp/$1.pcap" 2>/dev/null | wc -l)" -ge "$2" ]
}
wait_for 30 sees third 250 || fail "it does not go on: $(ctl send)"
kill "$second" "$watcher"
wait "$second" "$watcher" || true
numbers "$tmp/first.pcap" >"$tmp/got"
seq 0 99 >"$tmp/expected"
same "$tmp/expected" "$tmp/got" "it begins with its first packet when the port starts"
# follows FIRST FILE: the numbers from there on, as many as are in the file.
follows() {
	awk -v n="$1" '{ print n++ % 200 }' "$2"
}
numbers "$tmp/second.pcap" >"$tmp/got"
follows "$before" "$tmp/got" >"$tmp/expected"
same "$tmp/expected" "$tmp/got" "a port that starts again gets the rest, from where it was ($before)"
numbers "$tmp/third.pcap" >"$tmp/got"
follows "$(head -n 1 "$tmp/got")" "$tmp/got" >"$tmp/expected"
same "$tmp/expected" "$tmp/got" "a second watcher, who came later, sees each packet once, too"

# ---- A port that takes nothing ----
wait_for 30 is stuck state stalled || fail "memif without a peer takes packets: $(ctl send)"
ctl send | jq -e '((.time_ns - .sends[1].started_ns) / 1e9) as $seconds | .sends[1] |
	.packets == 0 and .failed >= 1 and .failed <= 40 + 2 * $seconds and (.error | test("takes no packets"))' \
	>/dev/null || fail "the report on a stalled port: $(ctl send)"
ok "a port that takes nothing is tried now and then, one packet at a time, and the report says why"

# ---- Removal ----
wait_for 30 is flood state 'done' || fail "not all is sent as fast as it goes: $(ctl send)"
[ "$(standing flood packets)" = 100000 ] || fail "not 100 000 packets: $(ctl send)"
[ "$(standing endless packets)" -gt 0 ] || fail "nothing is sent: $(ctl send)"
"$npfctl" port del npf2 >"$tmp/out" || fail "npfctl port del"
says "$tmp/out" ' 2 sends' "a port that is removed ends its send"
is endless state removed || fail "the report on a removed port: $(ctl send)"
is flood packets 100000 || fail "what was sent is forgotten with the port: $(ctl send)"
before=$(standing endless packets)
sleep 0.2
[ "$(standing endless packets)" = "$before" ] || fail "a removed port takes packets"
"$npfctl" port add npf2 net_null1,no-rx=1 --send >"$tmp/out" || fail "npfctl port add"
wait_for 30 is endless state sending || fail "a port of that name that comes back: $(ctl send)"
ok "one of that name that is added begins it anew"

# ---- The end ----
begin=$SECONDS
stop_daemon
[ $((SECONDS - begin)) -le 5 ] || fail "the daemon takes $((SECONDS - begin)) s to stop"
ok "the daemon stops with sends under way, stalled and done"
clean "$tmp/daemon.log"
