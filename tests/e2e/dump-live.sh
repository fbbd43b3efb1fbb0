#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# pcap_live_dump(): it filters, stops at its limits, is whole when its handle is closed, goes together with
# statistics, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump-lib.sh"
need_root
need setpriv
many_packets
install_clients
live=$NPF_BUILD/tests/e2e/live_dump
mkdir -m 777 "$dumps/theirs"

config "$(replay npf0 "$tmp/many.pcap")" '{name: npf3, device: "net_null3,size=1514"}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
first_dump npf3

last_has_all() { # from where the dump began, which is soon after the start
	local before
	before=$(ctl dump list | jq '.dumps[-1] | select(.state == "running") | .received')
	sleep 0.2
	[ "$before" -gt 0 ] && [ "$(ctl dump list | jq '.dumps[-1].received')" = "$before" ]
}

# pcap_live_dump(). The replay starts with the handle, so a dump begins somewhere in it: what
# counts is that from there on nothing is missing.
"${as_nobody[@]}" "$urun" "$live" npf0 "$dumps/theirs/live.pcap" 0 2000 "tcp port 443" >/dev/null || fail "pcap_live_dump"
readable "$dumps/theirs/live.pcap" 2000
tcpdump -nn -tt -S -r "$dumps/theirs/live.pcap" 2>/dev/null >"$tmp/got"
tcpdump -nn -tt -S -r "$tmp/many.pcap" tcp port 443 2>/dev/null |
	awk -v first="$(head -n 1 "$tmp/got")" '$0 == first { on = 1 } on && n++ < 2000' >"$tmp/expected"
same "$tmp/expected" "$tmp/got" "pcap_live_dump() stops at 2000 packets, waits, and filters"
"${as_nobody[@]}" "$urun" "$live" npf0 "$dumps/theirs/live.pcap" 100000 0 >/dev/null || fail "pcap_live_dump"
s=$(stat -c %s "$dumps/theirs/live.pcap")
[ "$s" -le 100000 ] && [ "$s" -gt 98000 ] || fail "$s bytes for a limit of 100000"
readable "$dumps/theirs/live.pcap" "$(packets_of "$dumps/theirs/live.pcap")"
ok "pcap_live_dump() never exceeds 100000 bytes"
{
	wait_for 30 last_has_all || true # the replay is over
	echo
} | "${as_nobody[@]}" "$urun" "$live" npf0 "$dumps/theirs/live.pcap" 0 0 >/dev/null || fail "pcap_live_dump"
s=$(stat -c %s "$dumps/theirs/live.pcap")
[ "$s" -gt 100000 ] || fail "the dump is too short for this test: $s bytes"
tail -c $((s - 24)) "$tmp/many.pcap" | cmp - <(tail -c +25 "$dumps/theirs/live.pcap") || fail "not the rest of the replay"
ok "a dump without limits is whole when its handle is closed"
echo | STAT=1 "${as_nobody[@]}" "$urun" "$live" npf0 "$dumps/theirs/live.pcap" 0 0 >"$tmp/out" || fail "with statistics"
[ "$(awk 'NF == 3 { if ($3 < last || $3 <= 0) exit 1; n += $1; last = $3 } END { print (n > 0) " " last }' "$tmp/out")" = \
	"1 $(stat -c %s "$dumps/theirs/live.pcap")" ] || {
	cat "$tmp/out"
	fail "statistics and dump together"
}
ok "statistics and dump go together: three counters, the last the file's offset"
AGAIN=$dumps/theirs/again.pcap "${as_nobody[@]}" "$urun" "$live" npf3 "$dumps/theirs/live.pcap" 0 500 >/dev/null ||
	fail "no second dump after the first"
readable "$dumps/theirs/live.pcap" 500
readable "$dumps/theirs/again.pcap" 500
ok "when a limit has ended a dump, another can begin on the same handle"
ended_dumps() {
	[ "$(ctl dump list | jq '.dumps | map(select(.state == "done")) | length')" -ge "$1" ]
}
rm "$dumps/theirs/live.pcap"
{
	wait_for 30 test -s "$dumps/theirs/live.pcap"
	wait_for 30 is_done "$(ctl dump list | jq -r '.dumps[-1].name')"
	for i in {1..66}; do
		"$npfctl" dump start npf3 -n "other-$i" -w "$dumps/other-$i.pcap" -c 1 --buffer 2MiB >/dev/null
	done
	wait_for 30 is_done other-66
	wait_for 30 ended_dumps 64
	echo
} | STAT=1 LATE=1 "${as_nobody[@]}" "$urun" "$live" npf3 "$dumps/theirs/live.pcap" 0 1000 >"$tmp/out" || fail "with statistics"
[ "$(tail -n 1 "$tmp/out" | cut -d' ' -f3)" = "$(stat -c %s "$dumps/theirs/live.pcap")" ] || {
	cat "$tmp/out"
	fail "the file's offset is forgotten"
}
ok "the file's offset stays when 66 other dumps have come and gone"
rm -f "$dumps"/other-*
wait_for 30 is_done "$(ctl dump list | jq -r '.dumps[-1].name')" || fail "the last dump does not end"
costs_come_back
stop_daemon
clean "$tmp/daemon.log"
