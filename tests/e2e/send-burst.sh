#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# npfctl send: what the port takes is what is in the file, in order and byte for byte; schedules are
# kept; the counts are true when the port is slow, stopped or takes nothing, and when the
# sender is killed; who watches sees each packet once.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3

corpus_file=$corpus/web4.pcap
n=$(packets_of "$corpus_file")
{
	config "{name: npf0, device: \"net_null0,no-rx=1\", send: true}" \
		"{name: npf1, device: \"net_pcap1,rx_pcap=$corpus_file,tx_pcap=$tmp/tx.pcap\", send: true, start: attach}" \
		"{name: npf2, device: \"net_ring0\", send: true}" \
		"{name: npf3, device: \"net_null1,no-rx=1\"}" \
		"{name: npf4, device: \"net_memif0,role=server,socket=$tmp/memif.sock\", send: true}"
} >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

# Refusals.
! "$npfctl" send npf3 -r "$corpus_file" 2>"$tmp/err" || fail "a port without send: true can be sent on"
says "$tmp/err" 'not allowed on port npf3' "who may not send is told so"
! "$npfctl" send npf1 -r "$corpus_file" >"$tmp/out" 2>"$tmp/err" || fail "a stopped port takes packets"
says "$tmp/err" 'packet 1 was not sent: the port is stopped' "a stopped port sends nothing and says so"
! "$npfctl" send npf0 -r "$tmp/conf.yaml" 2>"$tmp/err" || fail "a file that is none is sent"
"$npfctl" send npf0 2>/dev/null || [ $? -eq 2 ] || fail "the exit status of a wrong command line"
! "$npfctl" send npf0 -r "$corpus_file" --rate 5furlongs 2>/dev/null || fail "a wrong rate is taken"
for rate in "original 2pps" original100Mbps originalx3 0x10pps x0x10 x2k; do
	status=0
	"$npfctl" send npf0 -r "$corpus_file" --rate "$rate" 2>"$tmp/err" || status=$?
	[ $status -eq 2 ] || fail "--rate '$rate' is taken"
	grep -qF "\"$rate\" is not a rate" "$tmp/err" || fail "--rate '$rate' is refused without its name"
done
! "$npfctl" send npf0 -r "$corpus_file" --rate original x0 2>"$tmp/err" || fail "a factor of 0 is taken"
says "$tmp/err" '"x0" is not a rate' "wrong files and rates are refused"
for wrong in "loop 4294967296 0" "loop -1 0" "repeat 0 1" "repeat 4294967296 1"; do
	read -r option value least <<<"$wrong"
	! "$npfctl" send npf0 -r "$corpus_file" "--$option" "$value" 2>"$tmp/err" || fail "--$wrong is taken"
	grep -qF -- "--$option: a whole number is wanted, $least..4294967295" "$tmp/err" ||
		fail "--$option $value: no word of what is allowed: $(cat "$tmp/err")"
done
ok "who loops or repeats too often is told how often is allowed"

# Byte for byte. A client keeps the port running.
"$run" tcpdump -i npf1 -c $((8 * n)) -w "$tmp/seen.pcap" 2>"$tmp/tcpdump.err" &
add_background
watcher=$!
wait_for 30 has_sessions 1 || fail "tcpdump does not attach"
"$npfctl" send npf1 -r "$corpus_file" >"$tmp/out" || fail "npfctl send"
says "$tmp/out" "^$n packets, " "all $n packets are reported as sent"
"$npfctl" send npf1 -r "$corpus_file" --loop 3 --repeat 2 --rate x50 --json >"$tmp/out" ||
	fail "npfctl send --loop --repeat"
[ "$(jq .packets "$tmp/out")" -eq $((6 * n)) ] || fail "--loop 3 --repeat 2 sends $(jq .packets "$tmp/out")"
[ "$(jq '.late_p50_ns <= .late_p99_ns and .late_p99_ns <= .late_max_ns' "$tmp/out")" = true ] ||
	fail "the lateness makes no sense"
wait_gone "$watcher" 300 || fail "tcpdump has not seen $((8 * n)) packets: $(ctl sessions)"
python3 "$NPF_SRC/tests/e2e/packets.py" "$corpus_file" >"$tmp/expected1"
{
	cat "$tmp/expected1"
	for i in 1 2 3; do
		awk '{ print; print }' "$tmp/expected1"
	done
} >"$tmp/expected"
python3 "$NPF_SRC/tests/e2e/packets.py" "$tmp/tx.pcap" >"$tmp/got"
same "$tmp/expected" "$tmp/got" "the port got the file's packets, looped and repeated, byte for byte"
{
	cat "$tmp/expected1" "$tmp/expected"
} | sort >"$tmp/expected.all"
python3 "$NPF_SRC/tests/e2e/packets.py" "$tmp/seen.pcap" | sort >"$tmp/got"
same "$tmp/expected.all" "$tmp/got" "who watches sees each received and each sent packet once"

# A factor may be a word of its own, wherever it stands. Of the second packet the file holds only
# the beginning.
python3 - "$tmp/two.pcap" <<'EOF'
import struct, sys
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 64, 1))
    for i, length in enumerate((64, 1500)):
        f.write(struct.pack("<IIII", 4 * i, 0, 64, length) + bytes(64))
EOF
for words in "--rate original x16 npf0" "npf0 --rate original x16" "npf0 -R original x16 -l 1" "npf0 -R x16"; do
	# shellcheck disable=SC2086 # words
	"$npfctl" send $words -r "$tmp/two.pcap" --json >"$tmp/out" 2>"$tmp/err" ||
		fail "send $words: $(cat "$tmp/err")"
	jq -e '.packets == 2 and .seconds > 0.24 and .seconds < 3' "$tmp/out" >/dev/null ||
		fail "send $words: $(cat "$tmp/out")"
done
"$npfctl" send npf0 --rate "original x16" -r "$tmp/two.pcap" >"$tmp/out" 2>"$tmp/err" || fail "a quoted rate"
ok "original x16 may be one word or two"
says "$tmp/err" 'two.pcap: of 1 packets only the beginning was saved: sent so' "cut packets are told of"
"$npfctl" send npf0 -r "$tmp/two.pcap" --json >"$tmp/out" 2>/dev/null || fail "npfctl send"
jq -e '.file_cut == 1 and .packets == 2 and .bytes == 128' "$tmp/out" >/dev/null ||
	fail "cut packets in the report: $(cat "$tmp/out")"
"$npfctl" send npf0 -r "$corpus_file" --json >"$tmp/out" 2>"$tmp/err" || fail "npfctl send"
{ [ ! -s "$tmp/err" ] && jq -e '.file_cut == 0' "$tmp/out" >/dev/null; } || fail "whole packets count as cut"
ok "the report counts them"

# Rates: on a busy machine they can't be kept, but they must never be exceeded.
"$npfctl" send npf0 -r "$corpus_file" --loop 20 --rate 1kpps --json >"$tmp/out" || fail "--rate pps"
jq -e ".packets == $((20 * n)) and .seconds > $((20 * n - 1)) / 1000" "$tmp/out" >/dev/null ||
	fail "1000 packets a second: $(cat "$tmp/out")"
bits=$(($(awk '{ s += $1 } END { print s }' "$tmp/expected1") * 8))
"$npfctl" send npf0 -r "$corpus_file" --loop 10 --rate $((bits * 10))bps --json >"$tmp/out" || fail "--rate bps"
jq -e '.seconds > 0.9' "$tmp/out" >/dev/null || fail "bits a second: $(cat "$tmp/out")"
ok "rates in packets and in bits a second are not exceeded"

# A million from one packet, asap.
python3 - "$tmp/one.pcap" <<'EOF'
import struct, sys
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIIIIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1, 0, 0, 64, 64) + bytes(64))
EOF
before=$(ctl stats | jq '.ports[0].tx_packets')
"$npfctl" send npf0 -r "$tmp/one.pcap" --repeat 1000000 --json >"$tmp/out" || fail "--repeat"
[ "$(jq .packets "$tmp/out")" -eq 1000000 ] || fail "--repeat 1000000 sends $(jq .packets "$tmp/out")"
"$npfctl" send npf0 -r "$tmp/one.pcap" --loop 1000000 --json >"$tmp/out" || fail "--loop"
[ "$(jq .packets "$tmp/out")" -eq 1000000 ] || fail "--loop 1000000 sends $(jq .packets "$tmp/out")"
[ "$(ctl stats | jq '.ports[0].tx_packets')" -eq $((before + 2000000)) ] ||
	fail "the port's own count is another"
ok "a million repetitions and a million packets: the port counts the same"

# A port that takes nothing: an error within two seconds, with a true count. net_memif has no peer.
status=0
timeout 20 "$npfctl" send npf4 -r "$corpus_file" >"$tmp/out" 2>"$tmp/err" || status=$?
[ $status -eq 1 ] || fail "a port without a peer: exit status $status"
says "$tmp/out" '^0 packets' "a port that takes nothing gets nothing"
says "$tmp/err" 'takes nothing any more|is stopped' "... and that is said"

# Interrupted and killed senders.
"$npfctl" send npf0 -r "$corpus_file" --loop 0 --rate 10kpps --json >"$tmp/out" &
pid=$!
sleep 1
before=$(ctl stats | jq '.ports[0].tx_packets')
kill -INT $pid
wait $pid || fail "an endless loop, interrupted, has exit status $?"
sent=$(jq .packets "$tmp/out")
[ "$sent" -gt 0 ] || fail "nothing was sent before the interruption"
ok "an interrupted sender reports what went: $sent"
"$npfctl" send npf0 -r "$corpus_file" --loop 0 >"$tmp/out" 2>&1 &
pid=$!
wait_for 30 has_sessions 1 || fail "no session"
kill -9 $pid
wait_for 30 has_sessions 0 || fail "the session of a killed sender stays"
before=$(ctl stats | jq '.ports[0].tx_packets')
sleep 0.3
[ "$(ctl stats | jq '.ports[0].tx_packets')" -eq "$before" ] || fail "a dead sender's packets still go out"
ok "a killed sender stops at once"
has_fds() {
	[ "$(daemon_fds)" -eq "$fds" ]
}
fds=$(daemon_fds)
for _ in 1 2 3 4 5; do
	"$npfctl" send npf0 -r "$corpus_file" >"$tmp/out" || fail "npfctl send"
done
wait_for 30 has_fds || fail "lanes leave descriptors behind"
ok "lanes leave nothing behind"

stop_daemon
clean "$tmp/daemon.log"
