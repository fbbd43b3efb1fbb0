#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Whatever an unprivileged client does to the descriptors that it shares with the daemon, no thread
# of the daemon waits for it: others capture, send, ask and end their dumps meanwhile, and lose
# nothing.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3

# What is sent on npf0 comes back on it.
config '{name: npf0, device: "net_ring0", send: true}' '{name: npf1, device: "net_null1,copy=1"}' \
	>"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
note_costs
mkdir -m 777 "$tmp/dumps"

"$run" tcpdump -Z root -i npf0 -Q in -B 65536 -U -w "$tmp/got.pcap" not ether proto 0x88b5 2>"$tmp/tcpdump" &
add_background
tcpdump=$!
wait_for 30 has_sessions 1 || fail "tcpdump does not attach"
"$npfctl" send npf0 -r "$corpus/web4.pcap" --rate 2kpps --loop 0 --json >"$tmp/sent" 2>"$tmp/sent.err" &
add_background
send=$!

mkfifo "$tmp/stay"
timeout 160 python3 "$NPF_SRC/tests/e2e/shared.py" "$NPF_SOCKET" npf0 npf1 "$tmp/dumps" \
	<"$tmp/stay" >"$tmp/shared" 2>&1 &
add_background
shared=$!
exec 3>"$tmp/stay"
settled() {
	grep -q 'left to be ended' "$tmp/shared" || ! kill -0 "$shared" 2>/dev/null
}
wait_for 160 settled || fail "the hostile client hangs: $(tail -n 3 "$tmp/shared")"
cat "$tmp/shared"
grep -q 'left to be ended' "$tmp/shared" || fail "see above"

timeout 20 "$npfctl" port del npf1 >"$tmp/del" || fail "a port whose dump a hostile client watches can't be removed"
says "$tmp/del" '1 dump' "a port goes, though its dump's descriptor is in a hostile client's hand"
exec 3>&-
wait_gone "$shared" 300 || fail "the hostile client does not end"
timeout 20 "$npfctl" status >/dev/null || fail "npfctl status gets no answer"

kill -INT "$send"
wait_gone "$send" 300 || fail "the sender does not end"
sent=$(jq -r .packets "$tmp/sent")
[ "$sent" -gt 1000 ] || fail "only $sent packets were sent beside the attacks"
ok "$sent packets were sent beside the attacks"
has_all() {
	[ "$(packets_of "$tmp/got.pcap")" -ge "$sent" ]
}
wait_for 30 has_all || fail "$(packets_of "$tmp/got.pcap") of $sent packets were captured"
kill -INT "$tcpdump"
wait_gone "$tcpdump" 300 || fail "tcpdump does not end"
says "$tmp/tcpdump" "^$sent packets captured" "all of them were captured"
says "$tmp/tcpdump" '^0 packets dropped' "none was dropped"
stop_daemon
clean "$tmp/daemon.log"
