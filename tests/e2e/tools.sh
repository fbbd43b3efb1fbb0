#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Programs of many makers, unmodified, under npf-run: each sees the npf ports beside the kernel's
# interfaces, captures from them what the savefile behind the port holds, and still gets kernel
# interfaces, `any` and savefiles from the genuine libpcap.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump tshark dumpcap ngrep nmap python3 curl jq ip ethtool
python3=/usr/bin/python3
$python3 -c 'import scapy' 2>/dev/null || skip "python3-scapy is not installed: run scripts/setup.sh"

file=$corpus/web4.pcap
n=$(packets_of "$file")
config "$(replay npf0 "$file")" "$(replay npf1 "$corpus/dns.pcap")" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
netns a
netns b
wire a b
web b

# in_a COMMAND...: under npf-run, in namespace a, so that its interfaces are known.
in_a() {
	timeout 60 ip netns exec "$id-a" "$run" "$@"
}

in_a tcpdump -D >"$tmp/out" || fail "tcpdump -D"
says "$tmp/out" '^[0-9]+\.npf0 ' "tcpdump -D lists npf0"
says "$tmp/out" '^[0-9]+\.npf1 ' "tcpdump -D lists npf1"
says "$tmp/out" '^[0-9]+\.wire ' "tcpdump -D lists the kernel's interface"
says "$tmp/out" '^[0-9]+\.any ' "tcpdump -D lists any"
ip netns exec "$id-a" tcpdump -D | sed 's/^[0-9]*\.//' | sort >"$tmp/expected"
sed 's/^[0-9]*\.//' "$tmp/out" | grep -v '^npf' | sort >"$tmp/got"
same "$tmp/expected" "$tmp/got" "tcpdump -D lists all else as without npf-run"

in_a tcpdump -nn -tt -e -v -r "$file" >"$tmp/got" 2>/dev/null
tcpdump -nn -tt -e -v -r "$file" >"$tmp/expected" 2>/dev/null
same "$tmp/expected" "$tmp/got" "tcpdump -r reads a savefile"
tcpdump --version 2>&1 | grep -i 'libpcap' >"$tmp/expected"
in_a tcpdump --version 2>&1 | grep -i 'libpcap' >"$tmp/got" || true
echo "   ($(cat "$tmp/got"))"
for dev in wire any; do
	rm -f "$tmp/err"
	in_a tcpdump -nn -i $dev -c 6 tcp port 80 >"$tmp/got" 2>"$tmp/err" &
	client=$!
	wait_for 30 grep -q listening "$tmp/err" || fail "tcpdump -i $dev"
	on a curl -s -o /dev/null http://10.76.0.2/small
	wait $client || fail "tcpdump -i $dev ends with status $?"
	[ "$(wc -l <"$tmp/got")" -eq 6 ] || fail "tcpdump -i $dev"
	ok "tcpdump -i $dev captures from the kernel"
done

with_tshark() {
	local fields=(-T fields -e frame.time_epoch -e frame.len -e frame.protocols -e ip.id
		-e tcp.seq_raw -e http.request.uri)
	in_a tshark -D >"$tmp/out" 2>"$tmp/err" || fail "tshark -D: $(cat "$tmp/err")"
	says "$tmp/out" 'npf0' "tshark -D lists npf0"
	says "$tmp/out" 'wire' "tshark -D lists the kernel's interface"
	tshark -r "$file" "${fields[@]}" >"$tmp/expected" 2>/dev/null
	in_a tshark -i npf0 -c "$n" "${fields[@]}" >"$tmp/got" 2>"$tmp/err" || fail "tshark: $(cat "$tmp/err")"
	same "$tmp/expected" "$tmp/got" "tshark dissects $n packets of npf0 as of the file"
	tshark -r "$corpus/dns.pcap" -Y 'dns and udp and ip' -T fields -e dns.qry.name >"$tmp/expected" 2>/dev/null
	in_a tshark -i npf1 -f 'udp and ip' -c "$(wc -l <"$tmp/expected")" -T fields -e dns.qry.name \
		>"$tmp/got" 2>"$tmp/err" || fail "tshark -f: $(cat "$tmp/err")"
	same "$tmp/expected" "$tmp/got" "tshark -f sets a filter"
}

# Stock tshark hangs as soon as libasan is loaded into it, with or without us.
[ -n "${NPF_PRELOAD-}" ] || with_tshark

in_a dumpcap -q -i npf0 -c "$n" -w "$tmp/dumpcap.pcapng" 2>"$tmp/err" || fail "dumpcap: $(cat "$tmp/err")"
tcpdump -nn -tt -e -v -x -r "$file" >"$tmp/expected" 2>/dev/null
tcpdump -nn -tt -e -v -x -r "$tmp/dumpcap.pcapng" >"$tmp/got" 2>/dev/null
same "$tmp/expected" "$tmp/got" "dumpcap writes $n packets of npf0, byte for byte"

ngrep -q -I "$file" -W byline 'GET|HTTP/1' 'tcp port 80' 2>/dev/null | grep -vE '^(input|filter):' >"$tmp/expected"
m=$(grep -c '^T ' "$tmp/expected")
[ "$m" -gt 5 ] || fail "ngrep finds nothing in the file"
in_a ngrep -q -d npf0 -n "$m" -W byline 'GET|HTTP/1' 'tcp port 80' 2>"$tmp/err" |
	grep -vE '^(interface|filter):' >"$tmp/got" || true
same "$tmp/expected" "$tmp/got" "ngrep finds in npf0 what it finds in the file, $m packets"

in_a nmap --iflist >"$tmp/out" 2>&1 || fail "nmap --iflist: $(cat "$tmp/out")"
says "$tmp/out" '^wire ' "nmap --iflist lists the kernel's interface"
clean "$tmp/out"

cat >"$tmp/sniff.py" <<-PY
	import sys
	from scapy.all import conf, rdpcap, sniff, raw
	conf.use_pcap = True
	expected = rdpcap(sys.argv[1])
	got = sniff(iface="npf0", count=len(expected), timeout=30)
	assert [raw(p) for p in got] == [raw(p) for p in expected], "the bytes differ"
	assert [round(p.time * 10**6) for p in got] == [round(p.time * 10**6) for p in expected], "the times differ"
	n = len([p for p in expected if p.haslayer("TCP") and p["TCP"].flags & 2])
	got = sniff(iface="npf0", filter="tcp[13] & 2 != 0", count=n, timeout=30)
	assert len(got) == n > 0, (len(got), n)
	# The timer ends it: no packet comes after the last one.
	assert len(sniff(iface="npf1", timeout=4)) == len(rdpcap(sys.argv[2]))
PY
in_a $python3 "$tmp/sniff.py" "$file" "$corpus/dns.pcap" >"$tmp/out" 2>&1 || {
	cat "$tmp/out"
	fail "scapy's sniff"
}
ok "scapy sniffs $n packets of npf0, byte for byte, and with a filter; its timer ends it"

wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
stop_daemon
clean "$tmp/daemon.log"
