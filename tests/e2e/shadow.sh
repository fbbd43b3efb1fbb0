#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port with a shadow interface serves the tools that also ask the kernel about an interface:
# they find its address and MAC there, and their frames leave through the port.
. "$(dirname "$0")/lib.sh"
need_root
need nmap nping arp-scan arping tcpreplay argus ra nethogs tcpdump jq

netns near
netns far
wire near far
# The far end answers; at the near end only the port has an address.
ip -n "$id-near" addr flush dev wire
web far
cat >"$tmp/conf.yaml" <<-EOF
	npf: {socket: $NPF_SOCKET, group: any, telemetry: false}
	eal: {memory: 96}
	ports:
	  - {name: npf0, device: "net_af_packet0,iface=wire", send: on, shadow: on}
EOF
start_daemon "$id-near:" -c "$tmp/conf.yaml"
note_costs
ip -n "$id-near" addr add 10.76.0.1/24 dev npf0
on near "$run" tcpdump -D >"$tmp/list" 2>/dev/null
[ "$(grep -cE '^[0-9]+\.npf0 ' "$tmp/list")" -eq 1 ] || fail "tcpdump -D lists npf0 other than once: $(cat "$tmp/list")"
ok "npf0 is listed once"

far_mac=$(ip -n "$id-far" -j link show wire | jq -r '.[0].address')
on near timeout 60 "$run" nmap -sn -n 10.76.0.2 >"$tmp/out" 2>&1 || fail "nmap -sn: $(cat "$tmp/out")"
says "$tmp/out" "MAC Address: ${far_mac^^}" "nmap -sn finds the other end by ARP"
on near timeout 60 "$run" nmap -sS -n -p 22,80 10.76.0.2 >"$tmp/out" 2>&1 || fail "nmap -sS: $(cat "$tmp/out")"
says "$tmp/out" '^80/tcp +open' "nmap -sS finds the open port"
says "$tmp/out" '^22/tcp +closed' "nmap -sS finds the closed port"
on near timeout 60 "$run" arp-scan -I npf0 10.76.0.2 >"$tmp/out" 2>&1 || fail "arp-scan: $(cat "$tmp/out")"
says "$tmp/out" "^10.76.0.2.*$far_mac" "arp-scan finds the other end"
on near timeout 60 "$run" arping -c 2 -I npf0 10.76.0.2 >"$tmp/out" 2>&1 || fail "arping: $(cat "$tmp/out")"
says "$tmp/out" "bytes from $far_mac" "arping gets its replies"
on near timeout 60 "$run" nping -c 2 --icmp -e npf0 10.76.0.2 >"$tmp/out" 2>&1 || fail "nping: $(cat "$tmp/out")"
says "$tmp/out" 'Echo reply' "nping gets its replies"

# tcpreplay sends by the library, the far end sees it all.
n=$(packets_of "$corpus/ping.pcap")
on far timeout 60 tcpdump -nn -i wire --immediate-mode -c "$n" -w "$tmp/replayed.pcap" ether src 02:00:00:00:0a:02 or ether src 02:00:00:00:0a:01 \
	>"$tmp/far" 2>&1 &
add_background
far=$!
wait_for 30 grep -q listening "$tmp/far" || fail "tcpdump at the far end"
on near timeout 60 "$run" tcpreplay -i npf0 --topspeed "$corpus/ping.pcap" >"$tmp/out" 2>&1 || fail "tcpreplay: $(cat "$tmp/out")"
says "$tmp/out" "Successful packets: +$n" "tcpreplay sends $n packets"
wait "$far" || fail "the far end saw fewer than $n packets: $(cat "$tmp/far")"
ok "the far end receives them"

ip netns exec "$id-near" "$run" argus -i npf0 -w "$tmp/argus" >"$tmp/argus.log" 2>&1 &
add_background
argus=$!
wait_for 30 has_sessions 2 || fail "argus does not attach: $(cat "$tmp/argus.log")"
on far ping -c 3 -i 0.2 10.76.0.1 >/dev/null || true
on far curl -s -m 5 -o /dev/null http://10.76.0.1/ || true
sleep 1
kill -TERM "$argus"
wait_gone "$argus" 300 || fail "argus does not end"
ra -nr "$tmp/argus" >"$tmp/out" 2>&1 || true
says "$tmp/out" '10\.76\.0\.2' "argus accounts the flows of the port"

timeout -s INT 15 ip netns exec "$id-near" "$run" nethogs -t -c 3 -d 1 npf0 >"$tmp/out" 2>&1 || true
says "$tmp/out" 'Refreshing' "nethogs runs on the port"
wait_for 30 has_sessions 1 || fail "sessions are left"
stop_daemon
! ip -n "$id-near" link show npf0 >/dev/null 2>&1 || fail "the shadow interface outlives the daemon"
ok "the shadow interface goes with the daemon"
