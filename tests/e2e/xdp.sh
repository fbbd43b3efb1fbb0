#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# npf-dpdk takes packets from a veth through net_af_xdp, which takes them away from the kernel: an
# unprivileged client gets exactly what the other end of the wire sent.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq ip setpriv ping
install_clients
mkdir -m 777 "$tmp/out"
netns a
netns b
wire a b

config '{name: npf0, device: "net_af_xdp0,iface=wire", send: true}' >"$tmp/conf.yaml"
start_daemon "$id-a:" -c "$tmp/conf.yaml"
"${as_nobody[@]}" "$urun" tcpdump -U -i npf0 -Q in -w "$tmp/out/got.pcap" 2>"$tmp/err" &
client=$!
add_background
wait_for 30 grep -q listening "$tmp/err" || fail "tcpdump: $(cat "$tmp/err")"
ip netns exec "$id-b" tcpdump -Z root -U --immediate-mode -i wire -Q out -w "$tmp/truth.pcap" 2>"$tmp/truth.err" &
truth=$!
add_background
wait_for 30 grep -q listening "$tmp/truth.err" || fail "stock tcpdump does not start"

# Nobody answers: the kernel of the other side gets no packet.
on b ip neigh add 10.76.0.1 lladdr 02:00:00:00:00:01 dev wire
for size in 18 200 1472; do
	on b ping -q -c 20 -i 0.01 -W 1 -s $size 10.76.0.1 >"$tmp/ping" || true
	grep -q ' 0 received' "$tmp/ping" || fail "somebody answered: $(cat "$tmp/ping")"
done
caught_up() {
	"$packets" "$tmp/truth.pcap" >"$tmp/expected"
	"$packets" "$tmp/out/got.pcap" >"$tmp/got"
	[ "$(wc -l <"$tmp/expected")" -ge 60 ] && cmp -s "$tmp/expected" "$tmp/got"
}
wait_for 30 caught_up || same "$tmp/expected" "$tmp/got" "the client has what was sent"
ok "the client has exactly the $(wc -l <"$tmp/got") packets that were sent, byte for byte"

# And back: what a program sends through the port arrives at the other end.
cat >"$tmp/send.py" <<-'PY'
	import sys
	from scapy.all import conf, rdpcap, raw
	conf.use_pcap = True
	s = conf.L2socket(iface="npf0")
	for p in rdpcap(sys.argv[1]):
	    s.send(raw(p))
PY
kill $truth
wait $truth || true
rm -f "$tmp/truth.err"
ip netns exec "$id-b" tcpdump -Z root -U --immediate-mode -i wire -Q in -w "$tmp/truth.pcap" 2>"$tmp/truth.err" &
truth=$!
add_background
wait_for 30 grep -q listening "$tmp/truth.err" || fail "stock tcpdump does not start"
"${as_nobody[@]}" "$urun" /usr/bin/python3 "$tmp/send.py" "$ucorpus/dns.pcap" >"$tmp/out/send.log" 2>&1 ||
	fail "scapy: $(cat "$tmp/out/send.log")"
"$packets" "$corpus/dns.pcap" >"$tmp/expected"
arrived() {
	"$packets" "$tmp/truth.pcap" >"$tmp/got"
	cmp -s "$tmp/expected" "$tmp/got"
}
wait_for 30 arrived || same "$tmp/expected" "$tmp/got" "what is sent arrives"
ok "what an unprivileged program sends arrives at the other end, $(wc -l <"$tmp/got") packets"
kill $client $truth
wait $client $truth || true
wait_for 30 has_sessions 0 || fail "sessions stay"
stop_daemon
clean "$tmp/daemon.log"
