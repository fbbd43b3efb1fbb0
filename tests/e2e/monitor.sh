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
python3 - "$tmp/many.pcap" $n <<'EOF'
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
web=$(packets_of "$tmp/many.pcap" tcp port 80)
bytes=$((($(stat -c %s "$tmp/many.pcap") - 24) - 16 * n))

{
	config "$(replay npf0 "$tmp/many.pcap")" \
		"{name: npf1, device: \"net_pcap1,rx_pcap=$tmp/many.pcap\", start: attach}" \
		"$(replay npf2 "$corpus/web4.pcap")"
	echo "monitors:"
	echo "  - {name: web, port: npf0, filter: \"tcp port 80\", interval: 50ms, file: $tmp/web.json}"
	echo "  - {name: all, port: npf0, interval: 1ms}"
} >"$tmp/conf.yaml"
"$dpdk" --check -c "$tmp/conf.yaml" 2>/dev/null || fail "the configuration is not accepted"
start_daemon -c "$tmp/conf.yaml"

# sum FILTER-ROW FIELD FILE
sum() {
	jq -s "map(.rows[$1].$2) | add" "$3"
}

n_ended() { # PORT
	grep -c "port $1: .* has ended after $n packets" "$tmp/daemon.log" || true
}

# For COUNT intervals, but at least until the port's replay has ended and an interval has passed since, which takes
# longer on a busy machine.
monitor() { # PORT INTERVAL COUNT
	local count=$3 ended

	ended=$(n_ended "$1")
	for _ in 1 2 3; do
		"$npfctl" monitor "$1" '' 'tcp port 80' 'udp' 'len > 200' -i "$2" -n "$count" \
			--json >"$tmp/out" || fail "npfctl monitor $1 at $2"
		[ "$(n_ended "$1")" = "$ended" ] || [ "$(jq -s 'last.rows[0].packets' "$tmp/out")" != 0 ] || return 0
		count=$((5 * count))
	done
	fail "the replay of $1 does not end"
}

for port in npf0 npf1; do
	for interval in 1ms 7ms 100ms; do
		case $interval in
		1ms) count=1500 ;;
		7ms) count=200 ;;
		*) count=15 ;;
		esac
		monitor $port $interval $count
		[ "$(sum 0 packets "$tmp/out") $(sum 0 bytes "$tmp/out")" = "$n $bytes" ] ||
			fail "$port at $interval: $(sum 0 packets "$tmp/out") packets, not $n"
		[ "$(sum 1 packets "$tmp/out")" = "$web" ] || fail "$port at $interval: port 80"
		[ "$(sum 2 packets "$tmp/out")" = 0 ] || fail "$port at $interval: udp"
		[ "$(sum 0 'sizes | add' "$tmp/out")" = "$n" ] || fail "$port at $interval: sizes"
		jq -se '[.[] | select(.end_ns - .start_ns != .intervals * (.[0].end_ns - .[0].start_ns))?] == []
			and ([range(1; length) as $i | .[$i].start_ns == .[$i - 1].end_ns] | all)
			and ([range(1; length) as $i | .[$i].number == .[$i - 1].number + .[$i - 1].intervals] | all)' \
			"$tmp/out" >"$tmp/judged" || fail "$port at $interval: the schedule has gaps"
		jq -se 'map(.rows[0]) | all(.peak_packets <= .packets and
			(.packets == 0 or (.first_ns <= .last_ns and .peak_packets > 0)))' \
			"$tmp/out" >"$tmp/judged" || fail "$port at $interval: peaks and stamps"
		ok "$port, every $interval: all $n packets are in the sums, on an unbroken schedule"
	done
done

# CSV as others read it. Commas, quotes and ends of line in a filter separate nothing: a host is
# called so, for this one process.
printf '10.0.0.1 a,"b"\n' >"$tmp/hosts"
tricky=$'len > 0\nand not host \\a,"b"'
unshare -m sh -c 'mount --bind "$1" /etc/hosts; shift; exec "$@"' sh "$tmp/hosts" \
	"$npfctl" monitor npf2 '' 'tcp port 80' "$tricky" -i 100ms -n 6 --csv >"$tmp/out" ||
	fail "npfctl monitor --csv"
tcpdump -nn -r "$corpus/web4.pcap" -w "$tmp/web4-80.pcap" tcp port 80 2>/dev/null
python3 - "$tmp/out" "$tricky" "$corpus/web4.pcap" "$tmp/web4-80.pcap" <<'EOF' || fail "it is no CSV: $(cat "$tmp/out")"
import csv, sys
header = ("number,start_ns,end_ns,intervals,filter,packets,bytes,npf_bytes,first_ns,last_ns,peak_packets,"
          "peak_bytes,to_64,to_127,to_255,to_511,to_1023,to_1518,to_9018,longer")
filters = ["", "tcp port 80", sys.argv[2]]
def lengths(path):
    data, at, found = open(path, "rb").read(), 24, []
    while at < len(data):
        found.append(int.from_bytes(data[at + 12:at + 16], "little"))
        at += 16 + int.from_bytes(data[at + 8:at + 12], "little")
    return found
text = open(sys.argv[1], newline="").read()
assert text.endswith("\n") and text.splitlines()[0] == header
rows = list(csv.DictReader(text.splitlines(True), strict=True))
assert all(len(r) == 20 and None not in r and None not in r.values() for r in rows)
assert [r["filter"] for r in rows] == filters * (len(rows) // 3)
number = [int(r["number"]) for r in rows[::3]]
covers = [int(r["intervals"]) for r in rows[::3]]
assert sum(covers) >= 6 and number == [number[0] + sum(covers[:i]) for i in range(len(covers))]
for f, path in zip(filters, (sys.argv[3], sys.argv[4], sys.argv[3])):
    mine = [r for r in rows if r["filter"] == f]
    total = {k: sum(int(r[k]) for r in mine) for k in header.split(",") if k != "filter"}
    want = lengths(path)
    assert (total["packets"], total["bytes"]) == (len(want), sum(want)), (f, total)
    assert total["npf_bytes"] == sum(max(n, 60) + 12 for n in want), (f, total)
    sizes = (64, 127, 255, 511, 1023, 1518, 9018)
    for low, high in zip((0,) + sizes, sizes):
        assert total["to_%d" % high] == sum(low < n <= high for n in want), (f, high, total)
    assert total["longer"] == sum(n > 9018 for n in want)
    assert all(int(r["start_ns"]) < int(r["end_ns"]) for r in mine)
EOF
ok "CSV is read as CSV and adds up, whatever is in the filters"
"$npfctl" monitor npf2 '' "tcp port 80" -i 100ms -n 6 --json >"$tmp/out" || fail "npfctl monitor --json"
python3 - "$tmp/out" "$(packets_of "$corpus/web4.pcap")" <<'EOF' || fail "it is no JSON: $(cat "$tmp/out")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert lines and sum(j["intervals"] for j in lines) >= 6
assert all([r["filter"] for r in j["rows"]] == ["", "tcp port 80"] for j in lines)
assert sum(j["rows"][0]["packets"] for j in lines) == int(sys.argv[2])
EOF
ok "each line of JSON is a whole interval"
"$npfctl" monitor npf2 'tcp' 'udp' -i 200ms -n 2 >"$tmp/out"
says "$tmp/out" 'PEAK PKTS/s' "a table for people"
! "$npfctl" monitor npf2 'no such filter' 2>"$tmp/err" || fail "a wrong filter is taken"
says "$tmp/err" 'no such filter' "a wrong filter is named"
! "$npfctl" monitor npf9 2>"$tmp/err" || fail "a wrong port is taken"
says "$tmp/err" 'npf9' "a wrong port is named"

# The standing ones counted every replay of npf0, too.
ctl monitors >/dev/null 2>&1 && fail "there is a report by that name"
"$npfctl" monitor --json >"$tmp/out"
[ "$(jq '.monitors[] | select(.name == "all") | .total.packets' "$tmp/out")" = $((3 * n)) ] ||
	fail "the standing monitor did not count three replays"
ok "a standing monitor counts whenever its port runs"
wait_for 30 sh -c "[ \$(jq -s 'map(.packets) | add' $tmp/web.json) = $((3 * web)) ]" ||
	fail "the standing monitor's file does not add up"
ok "its file adds up"

# Memory: no ring for packets.
huge() {
	awk '/HugetlbPages/ { print $2 }' "/proc/$daemon/status"
}
before=$(huge)
"$npfctl" monitor npf0 '' udp tcp icmp -i 1s --json >"$tmp/out" &
add_background
wait_for 30 has_sessions 1 || fail "no session"
wait_for 30 sh -c "'$npfctl' --json sessions | jq -e '.sessions[0].mode == \"monitor\"'" ||
	fail "the session does not monitor"
memory=$(ctl sessions | jq '.sessions[0] | .buffer.memory + .monitor.memory')
[ "$memory" -le $((128 << 10)) ] || fail "a monitor of four filters takes $memory bytes"
[ "$(huge)" -le "$before" ] || fail "it takes hugepages"
ok "a monitor of four filters takes $memory bytes, and no hugepage"

stop_daemon
clean "$tmp/daemon.log"
