#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What programs send through libpcap's calls leaves the port, byte for byte and in order: seen in
# the savefile that net_pcap writes, and by every other client of the port. Sending is a right of
# its own, and refusals say why.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq setpriv
python3=/usr/bin/python3
$python3 -c 'import scapy' 2>/dev/null || skip "python3-scapy is not installed: run scripts/setup.sh"
install_clients
mkdir -m 777 "$tmp/out"
file=$corpus/ping.pcap
n=$(packets_of "$file")

{
	config "{name: npf0, device: \"net_pcap0,rx_pcap=$corpus/dns.pcap,tx_pcap=$tmp/sent.pcap\", send: true}" \
		'{name: npf1, device: "net_null0"}' '{name: npf2, device: "net_null1", send: true, start: attach}'
} >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

# Another client sees what is sent, as outbound.
"${as_nobody[@]}" "$urun" tcpdump -U -i npf0 -Q out -w "$tmp/out/seen.pcap" 2>"$tmp/err" &
client=$!
add_background
wait_for 30 grep -q listening "$tmp/err" || fail "tcpdump -Q out: $(cat "$tmp/err")"

cat >"$tmp/send.py" <<-'PY'
	import sys
	from scapy.all import conf, rdpcap, raw
	conf.use_pcap = True
	s = conf.L2socket(iface="npf0")
	for p in rdpcap(sys.argv[1]):
	    if s.send(raw(p)) < 0:
	        sys.exit("a packet was not sent")
PY
"${as_nobody[@]}" "$urun" $python3 "$tmp/send.py" "$ucorpus/ping.pcap" >"$tmp/out/send.log" 2>&1 || {
	cat "$tmp/out/send.log"
	fail "scapy does not send"
}
"$packets" "$file" >"$tmp/expected"
sent_all() {
	"$packets" "$tmp/sent.pcap" >"$tmp/got" 2>/dev/null && [ "$(wc -l <"$tmp/got")" -ge "$n" ]
}
wait_for 30 sent_all || fail "only $(wc -l <"$tmp/got") of $n packets were sent"
same "$tmp/expected" "$tmp/got" "an unprivileged scapy sends $n packets: those leave the port"
seen_all() {
	"$packets" "$tmp/out/seen.pcap" >"$tmp/got" 2>/dev/null && [ "$(wc -l <"$tmp/got")" -ge "$n" ]
}
wait_for 30 seen_all || fail "the other client saw $(wc -l <"$tmp/got") of $n packets"
same "$tmp/expected" "$tmp/got" "another client sees them as outbound"
[ "$(ctl ports | jq '.ports[0].tx_packets')" -eq "$n" ] || fail "npfctl ports: $(ctl ports)"
ok "npfctl counts them"
kill $client
wait $client || true

# tries PORT BYTES: the length of a frame that an unprivileged program injects there.
cat >"$tmp/inject.py" <<-'PY'
	import ctypes, sys
	pcap = ctypes.CDLL("libpcap.so.0.8")
	pcap.pcap_create.restype = ctypes.c_void_p
	pcap.pcap_geterr.restype = ctypes.c_char_p
	for f in (pcap.pcap_activate, pcap.pcap_geterr, pcap.pcap_close):
	    f.argtypes = [ctypes.c_void_p]
	pcap.pcap_inject.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
	pcap.pcap_sendpacket.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
	err = ctypes.create_string_buffer(256)
	p = pcap.pcap_create(sys.argv[1].encode(), err)
	if not p or pcap.pcap_activate(p) < 0:
	    sys.exit("open: " + pcap.pcap_geterr(p).decode())
	size = int(sys.argv[2])
	n = pcap.pcap_inject(p, bytes(size), size)
	m = pcap.pcap_sendpacket(p, bytes(size), size)
	print(n, m, pcap.pcap_geterr(p).decode() if n < 0 else "")
	pcap.pcap_close(p)
PY
inject() {
	"${as_nobody[@]}" "$urun" $python3 "$tmp/inject.py" "$1" "$2" >"$tmp/said" 2>&1 || true
	clean "$tmp/said"
}
for size in 14 60 1514; do
	inject npf0 $size
	says "$tmp/said" "^$size 0 " "pcap_inject and pcap_sendpacket send a frame of $size bytes"
done
for size in 0 1 13 9000 70000 1000000; do
	inject npf0 $size
	says "$tmp/said" '^-1 -1 .......' "a frame of $size bytes is refused: $(cut -c7- "$tmp/said")"
done
inject npf1 60
says "$tmp/said" '^-1 -1 .*send' "a port without send: true refuses: $(cut -c7- "$tmp/said")"
inject npf2 60
says "$tmp/said" '^60 0 ' "a port that starts when somebody attaches sends too"
"$packets" "$tmp/sent.pcap" | tail -n +$((n + 1)) | awk '{ print $1 }' | xargs >"$tmp/got"
echo "14 14 60 60 1514 1514" >"$tmp/expected"
same "$tmp/expected" "$tmp/got" "nothing but the good frames left the port"
wait_for 30 has_sessions 0 || fail "sessions stay"
stop_daemon
clean "$tmp/daemon.log"
