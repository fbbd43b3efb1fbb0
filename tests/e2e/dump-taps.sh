#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port with two rx queues on two tap lcores: its dump is one file in time order that holds
# everything, limits are as exact as with one tap, what came before a trigger is there, and the counters
# of several files add up.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump capinfos jq setpriv
install_clients

cat >"$tmp/conf.yaml" <<-EOF2
	npf: {socket: $NPF_SOCKET, group: any, telemetry: false, limits: {memory: 64}}
	eal: {memory: 128, lcores: "0@0,1@1,2@0"}
	ports:
	  - {name: npf0, device: "net_null0,size=300,copy=1", rx_queues: 2, start: attach}
	  - {name: npf1, device: "net_pcap0,rx_pcap=$corpus/ping.pcap,rx_pcap=$corpus/web4.pcap", rx_queues: 2,
	     start: attach, overflow: wait}
	dumps:
	  - {name: both, port: npf1, file: "$tmp/both.pcap"}
	  - {name: tcp, port: npf1, file: "$tmp/tcp.pcapng", format: pcapng, filter: tcp}
	  - {name: cut, port: npf1, file: "$tmp/cut-%N.pcap", filter: tcp, rotate: {packets: 30}, index: "$tmp/cut.jsonl"}
EOF2
start_daemon -c "$tmp/conf.yaml"

value() {
	ctl dump list | jq -r --arg n "$1" ".dumps[] | select(.name == \$n) | .$2"
}
has() {
	[ "$(value "$1" "$2")" -eq "$3" ]
}

n1=$(packets_of "$corpus/ping.pcap") n2=$(packets_of "$corpus/web4.pcap")
wait_for 30 has both written $((n1 + n2)) || fail "$(value both written) packets of $((n1 + n2))"
wait_for 30 has tcp received $((n1 + n2)) || fail "$(value tcp received) received of $((n1 + n2))"
"$npfctl" dump stop both
"$npfctl" dump stop tcp
wait_for 30 has cut received $((n1 + n2)) || fail "$(value cut received) received of $((n1 + n2))"
"$npfctl" dump stop cut
[ "$(jq -s 'length' "$tmp/cut.jsonl")" -gt 1 ] &&
	jq -es 'all(.received >= .accepted and .accepted == .packets + .dropped)' "$tmp/cut.jsonl" >/dev/null || {
	cat "$tmp/cut.jsonl"
	fail "of a file less was received than it took"
}
[ "$(jq -s 'map(.received) | add' "$tmp/cut.jsonl")" -eq $((n1 + n2)) ] &&
	[ "$(jq -s 'map(.packets) | add' "$tmp/cut.jsonl")" -eq "$(packets_of "$corpus/web4.pcap" tcp)" ] || {
	cat "$tmp/cut.jsonl"
	fail "the files do not add up"
}
ok "the counters of two taps' files add up"
# Of one savefile: two have stamps of their own days, and which tap begins is left to the machine.
jq -es 'all(.first_ns <= .last_ns)' "$tmp/cut.jsonl" >/dev/null &&
	sed -n 's/^npf-dpdk: dump: {/{/p' "$tmp/daemon.log" |
	jq -es 'length == 2 and (.[] | select(.dump == "tcp") | .first_ns <= .last_ns)' >/dev/null ||
	fail "a file's first packet comes after its last"
for f in ping web4; do
	tcpdump -nn -tt -v -r "$corpus/$f.pcap" 2>/dev/null
done | sort >"$tmp/expected"
tcpdump -nn -tt -v -r "$tmp/both.pcap" 2>/dev/null | sort >"$tmp/got"
same "$tmp/expected" "$tmp/got" "a dump of two replayed queues is complete"
[ "$(packets_of "$tmp/tcp.pcapng")" -eq "$(packets_of "$corpus/web4.pcap" tcp)" ] || fail "its filter"
said=$(capinfos -Mc "$tmp/tcp.pcapng" 2>&1 >/dev/null)
[ -z "$said" ] || fail "capinfos warns: $said"

"$npfctl" dump start npf0 -n two -w "$tmp/two.pcap" -f pcap-ns -c 300000 --wait >/dev/null || fail "dump start"
[ "$(capinfos -Mc "$tmp/two.pcap" | awk '/packets/ { print $NF }')" -eq 300000 ] || fail "not 300000 packets"
capinfos -o "$tmp/two.pcap" >"$tmp/order"
says "$tmp/order" 'Strict time order: +True' "300000 packets of two taps come in time order"

"$npfctl" dump start npf0 -n past -w "$tmp/past-%N.pcap" --retro 8MiB >/dev/null
sleep 1
"$npfctl" dump trigger past
wait_for 30 test -e "$tmp/past-000001.pcap" || fail "the trigger makes no file"
size=$(stat -c %s "$tmp/past-000001.pcap")
[ "$size" -gt $((7 << 20)) ] && [ "$size" -le $(((8 << 20) + 24)) ] || fail "$size bytes were remembered"
"$npfctl" dump stop past
ok "what two taps saw before a trigger is written"

# What counts as a user's is what is allocated: a ring is a power of two, and lanes come on top.
chmod 755 "$tmp"
mkdir -m 777 "$tmp/theirs"
"${as_nobody[@]}" "$unpfctl" dump start npf0 -w "$tmp/theirs/x.pcap" --buffer 32MiB -c 100 --wait >/dev/null ||
	fail "32 MiB and lanes are refused"
! "${as_nobody[@]}" "$unpfctl" dump start npf0 -w "$tmp/theirs/x.pcap" --buffer 33MiB -c 100 2>"$tmp/err" ||
	fail "33 MiB take 128"
says "$tmp/err" 'would hold 128 MiB of buffers, the limit is 64 MiB' "a ring is counted as large as it is, with its lanes"

stop_daemon
clean "$tmp/daemon.log"
