#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# curl fetches from a web server in another network namespace through two net_tap ports, and what
# carries every packet between them is an unprivileged libpcap program, that captures on one port
# and sends on the other. Two more clients look on, each with its own filter; one is killed.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump curl jq ip setpriv
python3=/usr/bin/python3
[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
$python3 -c 'import scapy' 2>/dev/null || skip "python3-scapy is not installed: run scripts/setup.sh"
install_clients
mkdir -m 777 "$tmp/out"
install -m 644 "$NPF_SRC/tests/e2e/bridge.py" "$tmp/inst/"
netns d
netns a
netns b

config '{name: npf0, device: "net_tap0,iface=wa", send: true}' \
	'{name: npf1, device: "net_tap1,iface=wb", send: true}' >"$tmp/conf.yaml"
start_daemon "$id-d:" -c "$tmp/conf.yaml"
# The send worker comes with the first frame that is sent, and stays.
"$npfctl" send npf0 -r "$corpus/ping.pcap" >/dev/null || fail "nothing can be sent"
wait_for 30 has_sessions 0 || fail "the sender's session stays"
note_costs
for side in a:1 b:2; do
	ns=$id-${side%:*}
	ip -n "$id-d" link set "w${side%:*}" netns "$ns"
	ip -n "$ns" link set "w${side%:*}" name wire
	ip netns exec "$ns" sysctl -q -w net.ipv6.conf.wire.disable_ipv6=1
	ip -n "$ns" addr add "10.76.0.${side#*:}/24" dev wire
	ip -n "$ns" link set wire up
done
web b

"${as_nobody[@]}" "$urun" $python3 "$tmp/inst/bridge.py" npf0 npf1 >"$tmp/out/bridge.log" 2>&1 &
bridge=$!
add_background
wait_for 30 has_sessions 2 || fail "the bridge does not start: $(cat "$tmp/out/bridge.log")"
rm -f "$tmp/web.err" "$tmp/all.err"
"${as_nobody[@]}" "$urun" tcpdump -U -i npf0 -w "$tmp/out/web.pcap" tcp port 80 2>"$tmp/web.err" &
web=$!
add_background
"${as_nobody[@]}" "$urun" tcpdump -U -i npf0 -w "$tmp/out/all.pcap" 2>"$tmp/all.err" &
all=$!
add_background
wait_for 30 grep -q listening "$tmp/web.err" || fail "tcpdump: $(cat "$tmp/web.err")"
wait_for 30 grep -q listening "$tmp/all.err" || fail "tcpdump: $(cat "$tmp/all.err")"

on a curl -s --max-time 20 -o "$tmp/fetched" http://10.76.0.2/big ||
	fail "curl through two ports: status $? $(cat "$tmp/out/bridge.log")"
same "$tmp/www/big" "$tmp/fetched" "curl fetches $(stat -c %s "$tmp/fetched") bytes across two ports, carried by a libpcap program"
on a ping -q -c 3 -i 0.2 -W 5 10.76.0.2 >"$tmp/ping" || fail "ping: $(cat "$tmp/ping")"
ok "ping is answered"

caught_up() {
	tcpdump -nn -r "$tmp/out/all.pcap" -w "$tmp/part.pcap" tcp port 80 2>/dev/null || true
	"$packets" "$tmp/part.pcap" | sort >"$tmp/expected"
	"$packets" "$tmp/out/web.pcap" | sort >"$tmp/got"
	[ -s "$tmp/got" ] && cmp -s "$tmp/expected" "$tmp/got"
}
pinged() {
	[ "$(packets_of "$tmp/out/all.pcap" icmp)" -eq 6 ]
}
wait_for 30 pinged || fail "the client without a filter misses pings"
wait_for 30 caught_up || fail "the client with a filter has not what the one without has of it"
ok "a client with a filter has exactly its $(wc -l <"$tmp/got") packets, sent and received"

kill -9 $web
wait $web 2>/dev/null || true
wait_for 30 has_sessions 3 || fail "the killed client's session stays"
on a curl -s --max-time 20 -o "$tmp/fetched" http://10.76.0.2/big || fail "curl after the kill"
same "$tmp/www/big" "$tmp/fetched" "a client killed by SIGKILL disturbs nobody"
kill $bridge $all
wait_gone $bridge 300 || fail "the bridge does not end"
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
wait_for 30 costs_as_before || fail "leaked: $(daemon_fds) $(daemon_maps), was $costs"
ok "nothing is left of four clients"
stop_daemon
clean "$tmp/daemon.log"
