#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A web server and curl in two network namespaces; npf-dpdk takes the traffic of the veth between
# them through net_af_packet. Two unprivileged tcpdumps, each with its own filter and snap length,
# get exactly what a stock tcpdump on the same veth sees; one killed by SIGKILL leaves the other
# untouched and the daemon with nothing leaked; and so again with two more.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump curl python3 jq ip ethtool setpriv ping

netns a
netns b
wire a b
web b
install_clients
mkdir -m 777 "$tmp/out"

config '{name: npf0, device: "net_af_packet0,iface=wire"}' >"$tmp/conf.yaml"
start_daemon "$id-a:" -c "$tmp/conf.yaml"
note_costs

# The truth: a stock tcpdump, as root, on the veth itself.
ip netns exec "$id-a" tcpdump -Z root -i wire -U --immediate-mode -B 16384 -w "$tmp/truth.pcap" \
	2>"$tmp/truth.err" &
truth=$!
add_background
wait_for 30 grep -q listening "$tmp/truth.err" || fail "stock tcpdump does not start"

# client NAME ARG...: an unprivileged tcpdump on npf0 that writes out/NAME.pcap.
declare -A client_pid
client() {
	local name=$1
	shift
	"${as_nobody[@]}" "$urun" tcpdump -nn -U -i npf0 -w "$tmp/out/$name.pcap" "$@" 2>"$tmp/$name.err" &
	client_pid[$name]=$!
	add_background
	wait_for 30 grep -q listening "$tmp/$name.err" || {
		cat "$tmp/$name.err"
		fail "client $name does not start"
	}
}

traffic() {
	on a curl -s -o /dev/null http://10.76.0.2/small http://10.76.0.2/big >/dev/null
	on a ping -q -c 5 -i 0.05 -s 600 10.76.0.2 >/dev/null
	on a curl -s -o /dev/null http://10.76.0.2/big
}

# has NAME FILTER...: the client's file has as many packets as the truth.
has_all() {
	local name=$1
	shift
	[ "$(packets_of "$tmp/out/$name.pcap")" -eq "$(packets_of "$tmp/truth.pcap" "$@")" ]
}

# done_with NAME: the client ends on SIGTERM and has dropped nothing.
done_with() {
	kill "${client_pid[$1]}"
	wait "${client_pid[$1]}" || true
	grep -q '^0 packets dropped by kernel' "$tmp/$1.err" || {
		cat "$tmp/$1.err"
		fail "client $1 dropped packets"
	}
}

# exactly NAME SNAPLEN FILTER...: its packets are those of the truth, byte for byte.
exactly() {
	local name=$1 snaplen=$2
	shift 2
	wait_for 30 has_all "$name" "$@" ||
		fail "client $name has $(packets_of "$tmp/out/$name.pcap") of $(packets_of "$tmp/truth.pcap" "$@") packets"
	tcpdump -r "$tmp/truth.pcap" -w "$tmp/part.pcap" "$@" 2>/dev/null
	"$packets" --cut "$snaplen" "$tmp/part.pcap" | sort >"$tmp/expected"
	"$packets" "$tmp/out/$name.pcap" | sort >"$tmp/got"
	same "$tmp/expected" "$tmp/got" \
		"$name ($*): exactly its $(wc -l <"$tmp/expected") packets, byte for byte"
}

client web tcp port 80
client rest -s 100 not tcp port 80
has_sessions 2 || fail "two clients, $(n_sessions) sessions"
ctl sessions | jq -e '[.sessions[] | select(.uid == 65534 and .program == "tcpdump")] | length == 2' \
	>/dev/null || fail "the sessions are not tcpdump's of user nobody: $(ctl sessions)"
traffic
exactly web 262144 tcp port 80
exactly rest 100 not tcp port 80
[ "$(packets_of "$tmp/truth.pcap" tcp port 80)" -gt 100 ] || fail "there was no traffic"

# The daemon's counters tell the same.
for name in web rest; do
	pid=${client_pid[$name]}
	ctl sessions | jq -e --argjson pid "$pid" --argjson n "$(packets_of "$tmp/out/$name.pcap")" \
		'.sessions[] | select(.pid == $pid) | .accepted == $n and .captured == $n and
		.drop_full == 0' >/dev/null || fail "counters of $name: $(ctl sessions)"
done
ok "npfctl counts for each session the packets that its client has"

# One is killed in the middle of a download; the other misses nothing.
client victim
on a curl -s -o /dev/null http://10.76.0.2/big &
download=$!
sleep 0.05
kill -9 "${client_pid[victim]}"
wait $download || fail "the download broke off"
traffic
wait_for 30 has_sessions 2 || fail "the killed client's session stays: $(n_sessions)"
ok "the session of a client killed by SIGKILL is gone"
exactly web 262144 tcp port 80
exactly rest 100 not tcp port 80

# A stopped client harms itself only, and is told what it lost.
"${as_nobody[@]}" "$urun" tcpdump -nn -i npf0 -B 64 -w "$tmp/out/stopped.pcap" tcp 2>"$tmp/stopped.err" &
stopped=$!
add_background
wait_for 30 grep -q listening "$tmp/stopped.err"
kill -STOP $stopped
traffic
kill -CONT $stopped
exactly web 262144 tcp port 80
kill $stopped
wait $stopped || true
lost=$(sed -n 's/ packets dropped by kernel//p' "$tmp/stopped.err")
got=$(sed -n 's/ packets received by filter//p' "$tmp/stopped.err")
[ "$lost" -gt 0 ] || fail "a stopped client with a small buffer lost nothing?"
ok "a client that was stopped lost $lost of $got packets, and is told so"

done_with web
done_with rest
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
wait_for 30 costs_as_before ||
	fail "leaked: $(daemon_fds) descriptors and $(daemon_maps) mappings, was $costs"
ok "the daemon holds the descriptors and mappings that it held before the first client"

kill $truth
wait $truth || true
stop_daemon
clean "$tmp/daemon.log"
