#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every savefile of the corpus, replayed and captured by unmodified tcpdump under npf-run, prints
# line for line what tcpdump prints of the file itself.
#
# A client hears nothing of the end of a file, so it ends by packet count; that nothing comes after
# the last packet is seen in the port's own counter.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq

files=("$corpus"/*.pcap)
[ ${#files[@]} -ge 10 ] || fail "the corpus is not there"

# All files as ports of one daemon.
ports=()
for i in "${!files[@]}"; do
	ports+=("$(replay "npf$i" "${files[$i]}")")
done
memory=256
config "${ports[@]}" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

# compare PORT FILE SENTENCE [FILTER...]
compare() {
	local port=$1 file=$2 sentence=$3 n
	shift 3
	tcpdump -nn -tt -e -v -r "$file" "$@" >"$tmp/expected" 2>/dev/null
	n=$(packets_of "$file" "$@")
	[ "$n" -gt 0 ] || fail "nothing to compare in $file"
	timeout 60 "$run" tcpdump -nn -tt -e -v -i "$port" -c "$n" "$@" >"$tmp/got" 2>"$tmp/got.err" ||
		{
			cat "$tmp/got.err"
			wc -l "$tmp/got" "$tmp/expected"
			fail "tcpdump on $port (exit status $?)"
		}
	same "$tmp/expected" "$tmp/got" "$(basename "$file"): $n packets $sentence"
}

for i in "${!files[@]}"; do
	compare "npf$i" "${files[$i]}" "print as they do from the file"
	n=$(packets_of "${files[$i]}")
	rx=$(ctl ports | jq ".ports[$i].rx_packets")
	[ "$rx" -eq "$n" ] || fail "npf$i received $rx packets of $n"
done

compare npf0 "${files[0]}" "replay again for the next client"
compare npf0 "${files[0]}" "pass a filter as they do from the file" udp port 53 and ip6

# With a large and with the smallest buffer: overflow: wait loses nothing.
for kib in 64 32768; do
	i=0
	for i in "${!files[@]}"; do
		[[ ${files[$i]} != *offload* ]] || break
	done
	n=$(packets_of "${files[$i]}")
	timeout 60 "$run" tcpdump -nn -i "npf$i" -B $kib -c "$n" -w "$tmp/got.pcap" 2>"$tmp/got.err" ||
		fail "tcpdump -B $kib"
	says "$tmp/got.err" '^0 packets dropped by kernel' "a buffer of $kib KiB drops nothing"
	tcpdump -nn -tt -e -v -r "$tmp/got.pcap" >"$tmp/got" 2>/dev/null
	tcpdump -nn -tt -e -v -r "${files[$i]}" >"$tmp/expected" 2>/dev/null
	same "$tmp/expected" "$tmp/got" "a capture written to a file is the file (buffer $kib KiB)"
done

wait_for 30 has_sessions 0 || fail "sessions stay behind"
stop_daemon
clean "$tmp/daemon.log"
