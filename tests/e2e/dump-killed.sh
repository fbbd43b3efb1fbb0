#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# kill -9 leaves whole files and at most one short one; and no packet of a dump costs a system call.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump-lib.sh"
need_root
need strace

config '{name: npf3, device: "net_null3,size=1514"}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

# ---- kill -9 ----

writes() {
	[ "$(cat "$dumps"/kill-* | head -c 65536 | wc -c)" -eq 65536 ]
}
for round in 1 2; do
	rm -f "$dumps"/kill-*
	"$npfctl" dump start npf3 -n kill -w "$dumps/kill-%N.pcapng" -f pcapng -C 50MB >/dev/null
	wait_for 30 writes || fail "the dump does not begin"
	sleep 0.$((round * 3))
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null || true
	part=0
	for f in $(files 'kill-*' | tail -n 3); do
		said=$(capinfos -Mc "$f" 2>&1 >/dev/null) || true
		tcpdump -nn -r "$f" >"$tmp/tcpdump" 2>"$tmp/err" || true
		grep -qE 'truncated|cut short' "$tmp/err" && part=$((part + 1))
		[ "${f%.part}" != "$f" ] || [ -z "$said" ] || fail "$f is finished and not whole: $said"
		[ "$(wc -l <"$tmp/tcpdump")" -gt 0 ] || [ "$(stat -c %s "$f")" -lt 8192 ] || fail "$f is not readable"
	done
	[ "$part" -le 1 ] || fail "kill -9 left $part short files"
	start_daemon -c "$tmp/conf.yaml"
done
rm -f "$dumps"/kill-*
ok "kill -9 leaves whole files and at most one short one"

# ---- no system call per packet ----

"$npfctl" dump start npf3 -n calls -w "$dumps/calls.pcap" --max-size 4GiB >/dev/null
strace -f -c -o "$tmp/strace" -p "$daemon" 2>"$tmp/strace.on" &
tracer=$!
wait_for 30 test -s "$tmp/strace.on" || fail "strace does not attach"
a=$(value calls written)
wait_for 30 sh -c "[ \$('$npfctl' --json dump list | jq '.dumps[] | select(.name == \"calls\") | .written') -gt $((a + 500000)) ]" ||
	fail "the dump does not go on under strace"
b=$(value calls written)
kill -INT $tracer
wait $tracer 2>/dev/null || true
"$npfctl" dump stop calls
calls=$(awk '$NF == "total" { print $4 }' "$tmp/strace")
[ -n "$calls" ] && [ "$calls" -gt 0 ] || fail "strace saw nothing: $(cat "$tmp/strace")"
[ $((b - a)) -gt $((20 * calls)) ] || {
	cat "$tmp/strace"
	fail "$calls system calls for $((b - a)) packets"
}
ok "no system call per packet"
rm -f "$dumps"/calls*

stop_daemon
clean "$tmp/daemon.log"
