#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Programs that people use, as Debian ships them, on a wire with traffic on it: they see what
# passes now, send and get their answers, alone and two at once.
. "$(dirname "$0")/../lib.sh"
need_root
need tcpdump pmacctd tcpstat masscan curl jq ip
python3=/usr/bin/python3
$python3 -c 'import scapy' 2>/dev/null || skip "python3-scapy is not installed: run scripts/setup.sh"

netns near
netns far
wire near far
web far
far_mac=$(ip -n "$id-far" -j link show wire | jq -r '.[0].address')
{
	echo "npf: {socket: $NPF_SOCKET, group: any, telemetry: false}"
	echo "eal: {memory: 96}"
	echo "ports:"
	echo "  - {name: npf0, device: \"iface:wire\", send: on}"
} >"$tmp/conf.yaml"
start_daemon "$id-near:" -c "$tmp/conf.yaml"

# Traffic until the end of the test: a request every tenth of a second.
(while sleep 0.1; do on near curl -s -m 2 -o /dev/null http://10.76.0.2/small || true; done) &
traffic=$!
background+=($traffic)

timeout -s INT 20 ip netns exec "$id-near" "$run" pmacctd -i npf0 -P print -r 2 -O csv \
	-c src_host,dst_host,dst_port,proto >"$tmp/out" 2>&1 &
pmacct=$!
add_background
timeout -k 1 20 ip netns exec "$id-near" stdbuf -oL "$run" tcpstat -i npf0 -f 'tcp port 80' \
	-o 'n=%n\n' 1 >"$tmp/tcpstat" 2>"$tmp/err" &
tcpstat=$!
add_background
# Two programs at once, of different makers.
wait_for 30 grep -qE '^n=[1-9]' "$tmp/tcpstat" || fail "tcpstat: $(cat "$tmp/tcpstat" "$tmp/err")"
ok "tcpstat counts the traffic"
wait_for 30 grep -qE '10\.76\.0\.1,10\.76\.0\.2,80,tcp' "$tmp/out" || fail "pmacctd: $(cat "$tmp/out")"
ok "pmacctd, at the same time, accounts for it"
kill -INT $pmacct $tcpstat 2>/dev/null || true
wait_gone $pmacct 300 && wait_gone $tcpstat 300 || fail "pmacctd or tcpstat does not stop"

# 10.76.0.9 exists in the scanner alone, which answers ARP for it. Without other traffic it would
# wait for ever at its end, with either library.
timeout 60 ip netns exec "$id-near" "$run" masscan -e npf0 --adapter-ip 10.76.0.9 \
	--adapter-mac 02:00:00:00:00:09 --router-mac "${far_mac//:/-}" -p80,81 10.76.0.2 \
	--rate 50 --wait 3 >"$tmp/out" 2>"$tmp/err" || fail "masscan: $(tr "\r" "\n" <"$tmp/err" | tail -n 5)"
says "$tmp/out" 'open port 80/tcp on 10.76.0.2' "masscan finds the open port"
! grep -q '81/tcp' "$tmp/out" || fail "masscan finds a port that is closed"
kill $traffic

cat >"$tmp/ask.py" <<'PY'
import sys
from scapy.all import conf, ARP, Ether, ICMP, IP, TCP, Raw, srp, srp1
conf.use_pcap = True
conf.verb = 0
mac, us = sys.argv[1], "02:00:00:00:00:08"
got = srp1(Ether(src=us, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=us, psrc="10.76.0.8", pdst="10.76.0.2"),
	iface="npf0", timeout=5)
assert got and got[ARP].hwsrc == mac, "no answer to ARP"
got = srp1(Ether(src=us, dst=mac) / IP(src="10.76.0.1", dst="10.76.0.2") / ICMP(id=77, seq=5) / Raw(b"npf"),
	iface="npf0", timeout=5)
assert got and got[ICMP].type == 0 and got[Raw].load[:3] == b"npf", "no answer to the echo request"
answered, unanswered = srp([Ether(src=us, dst=mac) / IP(src="10.76.0.1", dst="10.76.0.2") / TCP(sport=4000, dport=p, flags="S")
	for p in (80, 81)], iface="npf0", timeout=5)
flags = {s[TCP].dport: str(r[TCP].flags) for s, r in answered}
assert flags == {80: "SA", 81: "RA"}, flags
print("all answered")
PY
timeout 60 ip netns exec "$id-near" "$run" $python3 "$tmp/ask.py" "$far_mac" >"$tmp/out" 2>&1 ||
	fail "scapy: $(cat "$tmp/out")"
says "$tmp/out" 'all answered' "scapy sends ARP, ICMP and TCP and gets its answers"

# Direction: what the port received, and what others sent through it.
ip netns exec "$id-near" "$run" tcpdump -nn -e -l -i npf0 -Q out -c 2 icmp >"$tmp/sent" 2>"$tmp/err" &
client=$!
add_background
wait_for 30 grep -q listening "$tmp/err" || fail "tcpdump -Q out"
timeout 30 ip netns exec "$id-near" "$run" $python3 - "$far_mac" >"$tmp/out" 2>&1 <<'PY' || fail "scapy: $(cat "$tmp/out")"
import sys
from scapy.all import conf, Ether, ICMP, IP, sendp
conf.use_pcap = True
for seq in (1, 2):
	sendp(Ether(dst=sys.argv[1]) / IP(src="10.76.0.1", dst="10.76.0.2") / ICMP(seq=seq), iface="npf0", verbose=0)
PY
wait_gone $client 300 || fail "tcpdump -Q out sees nothing"
[ "$(grep -c 'ICMP echo request' "$tmp/sent")" -eq 2 ] || fail "tcpdump -Q out: $(cat "$tmp/sent")"
ok "tcpdump -Q out shows what another program sent, and only that"

wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
stop_daemon
clean "$tmp/daemon.log"
