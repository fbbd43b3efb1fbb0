#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What one user's filters take of the tap is a share of its time: others lose nothing, and he is told.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hostile-lib.sh"
need_root
need tcpdump

n=5000
config '{name: npf0, device: "net_ring0", send: true}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
mkfifo "$tmp/end"
python3 "$NPF_SRC/tests/e2e/hostile-filters.py" "$NPF_SOCKET" hold 6 <"$tmp/end" >"$tmp/hold" 2>&1 &
add_background
exec 5>"$tmp/end"
wait_for 60 grep -q holding "$tmp/hold" || fail "filters: $(cat "$tmp/hold")"
mkfifo "$tmp/modest.end"
python3 "$NPF_SRC/tests/e2e/hostile-filters.py" "$NPF_SOCKET" hold_modestly 65533 <"$tmp/modest.end" >"$tmp/modest" 2>&1 &
add_background
exec 6>"$tmp/modest.end"
wait_for 60 grep -q holding "$tmp/modest" || fail "the other user: $(cat "$tmp/modest")"

capture() { # its standard error
	"$run" tcpdump -i npf0 -Q in --immediate-mode -w "$tmp/got.pcap" 2>"$1" &
	tcpdump=$!
	add_background
	wait_for 30 grep -q 'listening on' "$1" || fail "tcpdump: $(cat "$1")"
}
of() { # UID FIELD: the sum over his sessions
	ctl sessions | jq "[.sessions[] | select(.uid == $1) | .$2 // 0] | add"
}

tcpdump -nn -r "$corpus/web4.pcap" -c 1 -w "$tmp/one.pcap" 'greater 100' 2>/dev/null
capture "$tmp/tcpdump.err"
"$npfctl" send npf0 -r "$tmp/one.pcap" --loop $n --rate 200kpps >/dev/null || fail "npfctl send"
got_all() {
	ctl sessions | jq -e --argjson n $n '.sessions[] | select(.program == "tcpdump") | .accepted >= $n'
}
wait_for 60 got_all || fail "$(ctl stats)"
for i in 1 2 3 4 5 6 7 8 9 10; do
	kill -INT "$tcpdump" 2>/dev/null || break
	wait_gone "$tcpdump" 5 && break
	[ "$i" -lt 10 ] || fail "tcpdump does not end"
done
says "$tmp/tcpdump.err" "^$n packets captured" "another user's session gets all $n packets"
says "$tmp/tcpdump.err" "^0 packets dropped by kernel" "and is told of no loss"
[ "$(of 65534 over_budget)" -gt 0 ] || fail "long filters have all the time that they want: $(ctl sessions)"
[ "$(of 65534 over_budget)" -le "$(of 65534 received)" ] || fail "more was passed by than came: $(ctl sessions)"
[ "$(of 65533 accepted)" -ge $n ] || fail "another user, who came later, does not get all $n packets: $(ctl sessions)"
[ "$(of 65533 over_budget)" = 0 ] || fail "another user has no time: $(ctl sessions)"
[ "$(of 65534 accepted)" -gt 0 ] || fail "they have no time at all: $(ctl sessions)"
says "$tmp/daemon.log" "uid 65534.: its user's filters and copies take more time of a tap" "who asks too much is told of in the log"
exec 5>&- 6>&-
stop_daemon
