#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# npfctl status, ports, sessions, users and stats tell the truth, for people and as JSON, and do not
# disturb a capture that is going on.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq setpriv
install_clients
file=$corpus/web4.pcap
n=$(packets_of "$file")
bytes=$("$packets" "$file" | awk '{ sum += $2 } END { print sum }')
short=$("$packets" --cut 60 "$file" | awk '{ sum += $2 } END { print sum }')

config "$(replay npf0 "$file")" '{name: npf1, device: "net_null0,copy=1", start: attach}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

# truth REPORT JQ-CONDITION SENTENCE
truth() {
	ctl "$1" >"$tmp/json" || fail "npfctl --json $1"
	jq -e "$2" "$tmp/json" >/dev/null || {
		cat "$tmp/json"
		fail "$3"
	}
	ok "$3"
}

truth status ".pid == $daemon and .ports == 2 and .sessions == 0 and .protocol == 2 and
	.socket == \"$NPF_SOCKET\" and (.version | length) > 0 and (.hugepages | type) == \"boolean\" and
	(.lcores | length) >= 1 and .uptime_s >= 0" "status describes the daemon"
truth ports '(.ports | length) == 2 and .ports[0].name == "npf0" and .ports[0].driver == "net_pcap"
	and .ports[0].state == "waiting" and .ports[0].start == "attach" and
	.ports[0].overflow == "wait" and .ports[1].overflow == "drop" and .ports[0].mtu > 0' \
	"ports describes the ports"
truth sessions '.sessions == []' "no sessions"
truth stats '.sessions == [] and (.ports | length) == 2 and .time_ns > 1e18' "stats of no sessions"

rm -f "$tmp/err"
"$run" tcpdump -nn -s 60 -i npf0 -w "$tmp/got.pcap" 2>"$tmp/err" &
client=$!
add_background
wait_for 30 grep -q listening "$tmp/err" || fail "tcpdump does not start"
replayed() {
	[ "$(ctl ports | jq '.ports[0].rx_packets')" -eq "$n" ]
}
wait_for 30 replayed || fail "the replay does not end"
truth ports ".ports[0].state == \"running\" and .ports[0].captures == 1 and
	.ports[0].rx_packets == $n and .ports[0].rx_bytes == $bytes and .ports[0].rx_missed == 0" \
	"ports counts $n packets, $bytes bytes"
truth sessions "(.sessions | length) == 1 and (.sessions[0] |
	.port == \"npf0\" and .program == \"tcpdump\" and .pid == $client and .uid == 0 and
	.snaplen == 60 and .received == $n and .accepted == $n and .captured == $n and
	.captured_bytes == $short and .drop_full == 0 and .drop_other == 0 and
	.buffer.size > 0 and .buffer.lanes >= 1)" \
	"sessions counts $n captured, $short bytes kept"
truth stats "(.sessions | length) == 1 and .sessions[0].accepted == $n and .sessions[0].sent == 0" \
	"stats counts the same"

truth users '(.users | length) == 1 and (.users[0] | .uid == 0 and .connections >= 2 and
	.sessions == 1 and .dumps == 0 and .memory >= 65536 and .memory_releasing == 0 and
	.connections_limit == 320 and .sessions_limit == 256 and .dumps_limit == 256 and
	.memory_limit == 4294967296 and .wakeups_ns >= 0 and .wakeups_limit_ns == 5000000)' \
	"users accounts for the capture and for npfctl"
memory=$(jq '.users[0].memory' "$tmp/json")
[ "$memory" -eq "$(ctl sessions | jq '.sessions[0].buffer.memory')" ] || fail "users: $memory bytes of memory"
for c in status ports sessions users stats; do
	"$npfctl" $c >"$tmp/text" || fail "npfctl $c"
	[ -s "$tmp/text" ] && ! grep -q '[{}]' "$tmp/text" || fail "npfctl $c prints no plain text"
done
"$npfctl" sessions >"$tmp/text"
says "$tmp/text" "npf0.*tcpdump.*$client" "npfctl sessions names program and process"
"$npfctl" users >"$tmp/text"
says "$tmp/text" '^ +0 +[0-9]+/320 +1/256 +0/256 +[0-9]+/512 +[0-9]+ % +[0-9.]+ s +[0-9.]+ s  .* of 4 GiB$' "npfctl users shows what is held and the limits"
"${as_nobody[@]}" "$unpfctl" --json users >"$tmp/json" || fail "npfctl users, for a user"
jq -e '(.users | length) == 1 and (.users[0] | .uid == 65534 and .connections == 1 and .memory == 0)' \
	"$tmp/json" >/dev/null || fail "a user is not told of his own account alone: $(cat "$tmp/json")"
ok "a user sees his own account"
has_connections() {
	[ "$(ctl users | jq '.users[0].connections')" -eq "$1" ]
}
wait_for 30 has_connections 2 || fail "a connection that is closed goes on counting"
"$npfctl" ports >"$tmp/text"
says "$tmp/text" "npf0.*running" "npfctl ports shows the state"
"$npfctl" stats >"$tmp/text"
says "$tmp/text" "accepted +$n\$" "npfctl stats shows the counters"
"$npfctl" status >"$tmp/text"
says "$tmp/text" "$daemon" "npfctl status shows the process"

"$npfctl" --socket "$tmp/none.sock" status >"$tmp/text" 2>&1 && fail "a socket that is not there"
says "$tmp/text" 'none.sock' "the error names the socket"

has_read_all() {
	[ "$(ctl sessions | jq '.sessions[0].buffer.used')" -eq 0 ]
}
wait_for 30 has_read_all || fail "tcpdump does not read what is there"
kill $client
wait $client || true
says "$tmp/err" "^$n packets received by filter" "tcpdump counts $n packets received by filter"
[ "$(packets_of "$tmp/got.pcap")" -eq "$n" ] || fail "the capture was disturbed"
ok "the capture was not disturbed"
wait_for 30 has_sessions 0 || fail "the session stays"
truth ports '.ports[0].state == "waiting" and .ports[0].captures == 0' "the port waits again"
stop_daemon
clean "$tmp/daemon.log"
