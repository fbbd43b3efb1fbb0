#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# WinPcap's statistics mode and its ways to send, through libnpfdp: the records' sums are the
# packets of the replay, whatever the interval; queues come out whole, in order, and synchronised
# ones not too early; one packet sent N times is N packets.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3
modes=$NPF_CLIENTS/tests/e2e/modes

file=$corpus/web4.pcap
n=$(packets_of "$file")
config "$(replay npf0 "$file")" \
	"{name: npf1, device: \"net_pcap1,rx_pcap=$file,tx_pcap=$tmp/tx.pcap\", send: true, start: attach}" \
	"{name: npf2, device: \"net_null0,no-rx=1\", send: true}" \
	"{name: npf3, device: \"net_memif0,role=server,socket=$tmp/memif.sock\", send: true}" \
	>"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

python3 "$NPF_SRC/tests/e2e/packets.py" "$file" >"$tmp/lines"
npf_bytes=$(awk '{ s += ($1 < 60 ? 60 : $1) + 12 } END { print s }' "$tmp/lines")
for interval in 1 10 200; do
	read -r packets bytes _ off < <("$modes" stat npf0 $interval $((600 / interval))) ||
		fail "statistics mode at $interval ms"
	[ "$packets $bytes" = "$n $npf_bytes" ] ||
		fail "at $interval ms: $packets packets, $bytes bytes; not $n, $npf_bytes"
	[ "$off" -le 2 ] || [ "$interval" -eq 1 ] ||
		fail "at $interval ms a stamp is $off us off the schedule"
	ok "statistics mode, every $interval ms: the sum is the replay, bytes as NPF counted"
done
read -r packets _ < <("$modes" stat npf0 100 5 'tcp port 80') || fail "with a filter"
[ "$packets" -eq "$(packets_of "$file" tcp port 80)" ] || fail "tcp port 80: $packets packets"
ok "a filter counts as tcpdump -r does"

read -r sent len _ p50 p99 max < <("$modes" queue npf1 "$file" asap) || fail "a queue"
[ "$sent" -eq "$len" ] || fail "asap: $sent bytes of $len"
[ "$p50 $p99 $max" = "0 0 0" ] || fail "asap: packets without a schedule were late: $p50 $p99 $max"
python3 "$NPF_SRC/tests/e2e/packets.py" "$tmp/tx.pcap" >"$tmp/got"
same "$tmp/lines" "$tmp/got" "a queue comes out whole and in order"
span=$(tcpdump -tt -nn -r "$file" 2>/dev/null | awk 'NR == 1 { a = $1 } $1 ~ /^[0-9]+\.[0-9]+$/ { b = $1 } END { printf "%d", (b - a) * 1000 }')
read -r sent len ms p50 p99 max < <("$modes" queue npf2 "$file" sync) || fail "a synchronised queue"
[ "$sent" -eq "$len" ] || fail "sync: $sent bytes of $len"
[ "$ms" -ge "$span" ] || fail "a synchronised queue of $span ms took $ms ms"
ok "a synchronised queue keeps its distances"
[ "$max" -gt 0 ] && [ "$p50" -le "$p99" ] && [ "$p99" -le "$max" ] ||
	fail "a synchronised queue was late by $p50, $p99, $max ns"
ok "and its sender learns how late its packets left"

before=$(ctl stats | jq '.ports[2].tx_packets')
"$modes" repeat npf2 12345 || fail "pcap_setnumwrites"
[ "$(ctl stats | jq '.ports[2].tx_packets')" -eq $((before + 12345)) ] || fail "not sent 12345 times"
ok "one call with pcap_setnumwrites(12345) sends 12345 packets"

# With as many repetitions as there can be, until pcap_breakloop() in a signal handler.
before=$(ctl stats | jq '.ports[2].tx_packets')
read -r ms text < <("$modes" endless npf2 200) || fail "pcap_breakloop of a send"
[ "$ms" -lt 2000 ] || fail "pcap_breakloop ended a send after $ms ms"
sent=$(($(ctl stats | jq '.ports[2].tx_packets') - before))
[ "$text" = "sending was interrupted ($sent of 2147483647 times sent)" ] ||
	fail "$sent packets were sent, but: $text"
ok "pcap_breakloop ends a send under way, which says exactly how far it came"

# One packet a call. net_memif without a peer takes nothing.
before=$(ctl stats | jq '.ports[2].tx_packets')
for how in block nonblock; do
	read -r sent _ < <("$modes" inject npf2 1000 $how) || fail "pcap_inject, $how"
	[ "$sent" -eq 1000 ] || fail "pcap_inject, $how: $sent of 1000 packets were sent"
done
[ "$(ctl stats | jq '.ports[2].tx_packets')" -eq $((before + 2000)) ] || fail "the port's own count"
read -r sent us error < <("$modes" inject npf3 3 nonblock 2>"$tmp/err") || fail "a full port"
[ "$sent $error" = "0 EAGAIN" ] || fail "a full port, non-blocking: $sent sent, $error"
[ "$us" -lt 900000 ] || fail "a non-blocking pcap_inject waits: 3 calls took $us us"
says "$tmp/err" 'Resource temporarily unavailable' "a full port ends a non-blocking pcap_inject at once"
read -r sent us error < <("$modes" inject npf3 1 block 2>"$tmp/err") || fail "a full port"
[ "$sent $error" = "0 ENOBUFS" ] || fail "a full port, blocking: $sent sent, $error"
[ "$us" -ge 900000 ] || fail "a blocking pcap_inject gave up after $us us"
ok "a blocking one waits a second for it"

# What a handle sends itself is not in its dump, as it would not be in its capture.
mkfifo "$tmp/go"
SEND=7 "$NPF_CLIENTS/tests/e2e/live_dump" npf2 "$tmp/own.pcap" 0 0 <"$tmp/go" >"$tmp/out" &
dumper=$!
add_background
exec 3>"$tmp/go"
wait_for 30 grep -q dumping "$tmp/out" || fail "pcap_live_dump does not begin"
"$npfctl" send npf2 -r "$corpus/ping.pcap" >/dev/null || fail "npfctl send"
echo >&3
exec 3>&-
wait $dumper || fail "pcap_live_dump of a program that sends"
python3 "$NPF_SRC/tests/e2e/packets.py" "$corpus/ping.pcap" >"$tmp/lines"
python3 "$NPF_SRC/tests/e2e/packets.py" "$tmp/own.pcap" >"$tmp/got"
same "$tmp/lines" "$tmp/got" "a program's dump has what others send, and not its own packets"

wait_for 30 has_sessions 0 || fail "sessions stay behind"
stop_daemon
clean "$tmp/daemon.log"
