#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Monitors count exactly, come what may: what is sent as fast as it goes by several at once, also
# when the CPUs are busy; while the system's clock is set; when a program changes from capture to
# counting in the middle of a replay; on a full disk; and up to the daemon's end.
. "$(dirname "$0")/lib.sh"
need_root
need jq mount
file=$corpus/web4.pcap
n=$(packets_of "$file")
python3 - "$file" "$tmp/many.pcap" 400 <<'PY'
import sys
data = open(sys.argv[1], "rb").read()
open(sys.argv[2], "wb").write(data[:24] + data[24:] * int(sys.argv[3]))
PY
many=$((400 * n))
mkdir "$tmp/small"
mount -t tmpfs -o size=32k none "$tmp/small"
on_small_disk() {
	local status=$?
	umount -l "$tmp/small" 2>/dev/null || true # the daemon, which may write there, ends in cleanup
	(exit $status)
	cleanup
}
trap on_small_disk EXIT

{
	config "{name: npf0, device: \"net_null0,no-rx=1\", send: true}" \
		"$(replay npf1 "$tmp/many.pcap")" \
		"{name: npf2, device: \"net_null1,copy=1,size=60\"}"
	echo "monitors:"
	echo "  - {name: long, port: npf1, interval: 1h, file: $tmp/long.json}"
	echo "  - {name: full, port: npf2, interval: 2ms, file: $tmp/small/full.json}"
} >"$tmp/conf.yaml"
printf '\0\0\0\0\0\0\0\0' >"$tmp/ahead"
export FAKECLOCK=$tmp/ahead
daemon_preloads libfakeclock.so
start_daemon -c "$tmp/conf.yaml"

# ---- sent ----
"$npfctl" monitor npf0 '' 'len < 100' -i 10ms --json >"$tmp/sent.json" &
monitor=$!
add_background
is_monitored() {
	[ "$(ctl sessions | jq '[.sessions[] | select(.mode == "monitor")] | length')" -eq 1 ]
}
wait_for 30 is_monitored || fail "npfctl monitor does not begin"
hogs=()
for i in 1 2; do
	timeout 60 sh -c 'while :; do :; done' &
	hogs+=($!)
	add_background
done
senders=()
for how in "--loop 20000" "--repeat 10000" "--rate 20kpps"; do
	"$npfctl" send npf0 -r "$file" $how --json >"$tmp/send.${#senders[@]}" &
	senders+=($!)
	add_background
done
for pid in "${senders[@]}"; do
	wait "$pid" || fail "npfctl send"
done
kill "${hogs[@]}"
sent=$(jq -s 'map(.packets) | add' "$tmp"/send.*)
[ "$sent" -eq $((30001 * n)) ] || fail "$sent packets were sent, not $((30001 * n))"
counts_all() {
	[ "$(jq -s "map(.rows[0].packets) | add" "$tmp/sent.json")" -eq "$sent" ]
}
wait_for 30 counts_all ||
	fail "$(jq -s "map(.rows[0].packets) | add" "$tmp/sent.json") of $sent sent packets were counted"
short=$("$packets" "$file" | awk '$1 < 100' | wc -l)
[ "$(jq -s "map(.rows[1].packets) | add" "$tmp/sent.json")" -eq $((30001 * short)) ] || fail "with a filter"
[ "$(ctl ports | jq '.ports[0].tx_unseen')" -eq 0 ] || fail "packets were copied for a monitor"
ok "all $sent packets that three senders sent on busy CPUs were counted, and none copied"
kill -INT $monitor
wait $monitor || true

# ---- the clock is set ----
"$npfctl" monitor npf2 -i 20ms --json >"$tmp/clock.json" &
add_background
goes_on() {
	local before
	before=$(wc -l <"$tmp/clock.json")
	sleep 0.3
	tail -n 1 "$tmp/clock.json" | jq -e '.rows[0].packets > 0' && [ "$(wc -l <"$tmp/clock.json")" -gt $((before + 5)) ]
}
wait_for 30 goes_on || fail "npfctl monitor counts nothing"
for ahead in 3600 -86400 0.05 400000000 0; do
	python3 -c "import struct, sys; open(sys.argv[1], 'r+b').write(struct.pack('<q', int(float(sys.argv[2]) * 1e9)))" \
		"$tmp/ahead" $ahead
	wait_for 30 goes_on || fail "monitors stand still when the clock is set to be $ahead s ahead"
done
jq -se '[range(1; length) as $i | .[$i].number == .[$i - 1].number + .[$i - 1].intervals] | all' \
	"$tmp/clock.json" >"$tmp/judged" || fail "intervals are missing"
ok "intervals follow one another while the clock is set forth and back"

# ---- from capture to counting ----
# What is not read from the ring counts, too.
for delay in 0 30 100 300; do
	got=$("$run" "$NPF_CLIENTS/tests/e2e/counted" npf1 $delay 5 "$many") || fail "counted"
	[ "$got" -eq "$many" ] || fail "after $delay ms of capture $got of $many packets are counted"
done
ok "a program that goes from capture to counting in the middle of a burst misses no packet"

# ---- a full disk ----
is_full() {
	[ "$(df --output=avail "$tmp/small" | tail -n 1)" -eq 0 ]
}
wait_for 30 is_full || fail "the disk does not get full"
sleep 0.2
jq -c . "$tmp/small/full.json" >"$tmp/judged" || fail "a full disk leaves half a line"
mount -o remount,size=4m "$tmp/small"
grows() {
	[ "$(wc -l <"$tmp/small/full.json")" -gt $(($(wc -l <"$tmp/judged") + 10)) ]
}
wait_for 30 grows || fail "no lines come when the disk has room again"
jq -se '[range(1; length) as $i | .[$i].start_ns == .[$i - 1].end_ns] | all' "$tmp/small/full.json" >"$tmp/judged" ||
	fail "lines are missing"
ok "a full disk costs no count and leaves no half of a line"

# ---- the end ----
cp "$tmp/small/full.json" "$tmp/before.json"
total=$("$npfctl" monitor --json | jq '.monitors[] | select(.name == "long") | .total.packets')
[ "$total" -eq 0 ] || fail "an interval of an hour has ended"
stop_daemon
[ "$(jq -s 'map(.packets) | add' "$tmp/long.json")" -eq $((4 * many)) ] ||
	fail "the interval that the daemon's end cut short is missing: $(cat "$tmp/long.json")"
jq -c . "$tmp/small/full.json" >"$tmp/judged" || fail "the last line is not whole"
ok "what was counted up to the daemon's end is in the files"
clean "$tmp/daemon.log"

# ---- no file for a monitor ----
mkfifo "$tmp/pipe"
{
	config "{name: npf0, device: \"net_null0\"}"
	echo "monitors: [{name: piped, port: npf0, file: $tmp/pipe}]"
} >"$tmp/conf.yaml"
timeout 20 "$dpdk" -c "$tmp/conf.yaml" 2>"$tmp/err" && fail "a pipe is taken for a file"
says "$tmp/err" 'monitor piped: .*it is no regular file' "a pipe, which might block, is refused"
