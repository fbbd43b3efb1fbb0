#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The first example of npf-dpdk(8), as it is written there, in a folder with a trace.pcap: tcpdump
# prints every packet of it, though it comes later than the daemon. (All of it by root, as there may be no
# group npf here.)
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq
file=$corpus/web4.pcap
n=$(packets_of "$file")
cp "$file" "$tmp/trace.pcap"
mkdir "$tmp/out"

awk '/^\.Sh EXAMPLES/ { on = 1 } on && /^\.Ed/ { exit } on && on++ > 1 && /^[#$] / { print }' \
	"$NPF_SRC/docs/npf-dpdk.8" >"$tmp/example"
root=$(sed -n 's/^# npf-dpdk \(.*\) &$/\1/p' "$tmp/example")
user=$(sed -n 's/^\$ npf-run //p' "$tmp/example")
[ -n "$root" ] && [ -n "$user" ] && [ "$(wc -l <"$tmp/example")" -eq 2 ] ||
	fail "the first example is another one: $(cat "$tmp/example")"

cd "$tmp"
# shellcheck disable=SC2086 # words
start_daemon $root
sleep 1 # as long as it takes to type the next line
# shellcheck disable=SC2086 # words
"$run" $user >"$tmp/out/lines" 2>"$tmp/out/err" &
client=$!
add_background
all_there() {
	ctl sessions | jq -e ".sessions[0].captured == $n and .sessions[0].buffer.used == 0"
}
wait_for 30 all_there || fail "tcpdump does not read all $n packets: $(ctl sessions) $(cat "$tmp/out/err")"
printed() {
	kill -INT $client 2>/dev/null || true
	wait_gone $client 1
}
wait_for 30 printed || fail "tcpdump does not end"
wait $client || true
[ "$(grep -cE '^[0-9:.]{15} ' "$tmp/out/lines")" -eq "$n" ] || fail "it prints $(wc -l <"$tmp/out/lines") lines, not $n"
ok "npf-dpdk $root, later npf-run $user: all $n packets are printed"
stop_daemon
clean "$tmp/daemon.log"
