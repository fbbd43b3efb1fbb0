#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Monitors count exactly: whatever the interval, the sum over all intervals is what the port
# received and what each filter passes of it, at full speed; the schedule does not drift; and no
# packet is copied or buffered for it.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3

# A savefile of 400 000 packets of many sizes, a third of them to port 80.
n=400000
python3 - "$t/many.pcap" $n <<'EOF'
import struct, sys
path, n = sys.argv[1], int(sys.argv[2])
def frame(size, port):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, 0, 0, 64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    tcp = struct.pack(">HHIIBBHHH", 1024, port, 0, 0, 0x50, 0x10, 8192, 0, 0)
    return (bytes(12) + b"\x08\x00" + ip + tcp).ljust(size, b"\x00")
frames = [frame(54 + 7 * i, 80 if i % 3 == 0 else 443) for i in range(30)]
recs = [struct.pack("<IIII", 1, 0, len(f), len(f)) + f for f in frames]
with open(path, "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for i in range(0, n, 30):
        f.write(b"".join(recs[:min(30, n - i)]))
EOF
web=$(packets_of "$t/many.pcap" tcp port 80)
bytes=$((($(stat -c %s "$t/many.pcap") - 24) - 16 * n))

{
	config "$(replay npf0 "$t/many.pcap")" \
		"{name: npf1, device: \"net_pcap1,rx_pcap=$t/many.pcap\", start: attach}" \
		"$(replay npf2 "$corpus/web4.pcap")"
	echo "monitors:"
	echo "  - {name: web, port: npf0, filter: \"tcp port 80\", interval: 50ms, file: $t/web.json}"
	echo "  - {name: all, port: npf0, interval: 1ms}"
} >"$t/conf.yaml"
"$dpdk" --check -c "$t/conf.yaml" 2>/dev/null || fail "the configuration is not accepted"
start_daemon -c "$t/conf.yaml"

# sum FILTER-ROW FIELD FILE
sum() {
	jq -s "map(.rows[$1].$2) | add" "$3"
}

for port in npf0 npf1; do
	for interval in 1ms 7ms 100ms; do
		case $interval in
		1ms) count=1500 ;;
		7ms) count=200 ;;
		*) count=15 ;;
		esac
		"$npfctl" monitor $port '' 'tcp port 80' 'udp' 'len > 200' -i $interval -n $count \
			--json >"$t/out" || fail "npfctl monitor $port at $interval"
		[ "$(sum 0 packets "$t/out") $(sum 0 bytes "$t/out")" = "$n $bytes" ] ||
			fail "$port at $interval: $(sum 0 packets "$t/out") packets, not $n"
		[ "$(sum 1 packets "$t/out")" = "$web" ] || fail "$port at $interval: port 80"
		[ "$(sum 2 packets "$t/out")" = 0 ] || fail "$port at $interval: udp"
		[ "$(sum 0 'sizes | add' "$t/out")" = "$n" ] || fail "$port at $interval: sizes"
		jq -se '[.[] | select(.end_ns - .start_ns != .intervals * (.[0].end_ns - .[0].start_ns))?] == []
			and ([range(1; length) as $i | .[$i].start_ns == .[$i - 1].end_ns] | all)
			and ([range(1; length) as $i | .[$i].number == .[$i - 1].number + .[$i - 1].intervals] | all)' \
			"$t/out" >"$t/judged" || fail "$port at $interval: the schedule has gaps"
		jq -se 'map(.rows[0]) | all(.peak_packets <= .packets and
			(.packets == 0 or (.first_ns <= .last_ns and .peak_packets > 0)))' \
			"$t/out" >"$t/judged" || fail "$port at $interval: peaks and stamps"
		ok "$port, every $interval: all $n packets are in the sums, on an unbroken schedule"
	done
done

"$npfctl" monitor npf2 '' -i 200ms -n 3 --csv >"$t/out"
[ "$(tail -n +2 "$t/out" | awk -F, '{ n += $6 } END { print n }')" = "$(packets_of "$corpus/web4.pcap")" ] ||
	fail "CSV: the packets do not add up"
ok "CSV adds up"
"$npfctl" monitor npf2 'tcp' 'udp' -i 200ms -n 2 >"$t/out"
says "$t/out" 'PEAK PKTS/s' "a table for people"
! "$npfctl" monitor npf2 'no such filter' 2>"$t/err" || fail "a wrong filter is taken"
says "$t/err" 'no such filter' "a wrong filter is named"
! "$npfctl" monitor npf9 2>"$t/err" || fail "a wrong port is taken"
says "$t/err" 'npf9' "a wrong port is named"

# The standing ones counted every replay of npf0, too.
ctl monitors >/dev/null 2>&1 && fail "there is a report by that name"
"$npfctl" monitor --json >"$t/out"
[ "$(jq '.monitors[] | select(.name == "all") | .total.packets' "$t/out")" = $((3 * n)) ] ||
	fail "the standing monitor did not count three replays"
ok "a standing monitor counts whenever its port runs"
wait_for 5 sh -c "[ \$(jq -s 'map(.packets) | add' $t/web.json) = $((3 * web)) ]" ||
	fail "the standing monitor's file does not add up"
ok "its file adds up"

# Memory: no ring for packets.
huge() {
	awk '/HugetlbPages/ { print $2 }' "/proc/$daemon/status"
}
before=$(huge)
"$npfctl" monitor npf0 '' udp tcp icmp -i 1s --json >"$t/out" &
add_background
wait_for 5 has_sessions 1 || fail "no session"
wait_for 5 sh -c "'$npfctl' --json sessions | jq -e '.sessions[0].mode == \"monitor\"'" ||
	fail "the session does not monitor"
memory=$(ctl sessions | jq '.sessions[0] | .buffer.memory + .monitor.memory')
[ "$memory" -le $((128 << 10)) ] || fail "a monitor of four filters takes $memory bytes"
[ "$(huge)" -le "$before" ] || fail "it takes hugepages"
ok "a monitor of four filters takes $memory bytes, and no hugepage"

stop_daemon
clean "$t/daemon.log"
