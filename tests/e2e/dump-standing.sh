#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Dumps hold what came, exactly: byte for byte what was replayed, in every format, filtered, cut to the byte
# and to the packet.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump-lib.sh"
need_root
need tshark zstdcat
many_packets

web=$(packets_of "$tmp/many.pcap" tcp port 80)

{
	config "$(replay npf0 "$tmp/many.pcap")" "$(replay npf1 "$corpus/web4.pcap")"
	cat <<-CONF
		dumps:
		  - {name: all, port: npf0, file: "$dumps/all.pcap", mode: "0604"}
		  - {name: ns, port: npf0, file: "$dumps/ns.pcap", format: pcap-ns}
		  - {name: web, port: npf0, filter: "tcp port 80", file: "$dumps/web.pcapng", format: pcapng,
		     comment: "of a test"}
		  - {name: size, port: npf0, file: "$dumps/size-%N.pcap", rotate: {size: 1MB}, index: $tmp/size.jsonl}
		  - {name: time, port: npf0, file: "$dumps/time-%s.pcap", rotate: {time: 10s}}
		  - {name: packets, port: npf0, file: "$dumps/packets-%N.pcapng", format: pcapng,
		     rotate: {packets: 3000, keep: 3}}
		  - {name: both, port: npf0, file: "$dumps/both-%N.pcap", rotate: {size: 2MB, time: 60s, keep_size: 6MB}}
		  - {name: zip, port: npf0, file: "$dumps/zip.pcap.zst", compress: zstd, snaplen: 100}
		  - {name: wire, port: npf1, file: "$dumps/wire.pcap"}
	CONF
} >"$tmp/conf.yaml"
"$dpdk" --check -c "$tmp/conf.yaml" 2>"$tmp/err" || fail "the configuration is refused: $(cat "$tmp/err")"
start_daemon -c "$tmp/conf.yaml"
for name in all ns web size time packets both zip; do
	wait_for 60 has $name received $n_many || fail "$name: $(value $name received) of $n_many packets"
	has $name drop_disk 0 >/dev/null || fail "$name: dropped packets of a port that waits"
done
stop_daemon
clean "$tmp/daemon.log"

cmp "$tmp/many.pcap" "$dumps/all.pcap" || fail "the dump is not the file that was replayed"
ok "a dump of a replay is the replayed file, byte for byte"
cmp "$corpus/web4.pcap" "$dumps/wire.pcap" || fail "the dump of real traffic is not the file"
ok "so is one of real traffic"
[ "$(stat -c %a "$dumps/all.pcap")" = 604 ] || fail "mode $(stat -c %a "$dumps/all.pcap")"
[ -z "$(files '*.part')" ] || fail "there are .part files left"
readable_by_all "$dumps/all.pcap" $n_many
readable_by_all "$dumps/ns.pcap" $n_many
readable_by_all "$dumps/web.pcapng" "$web"
capinfos "$dumps/ns.pcap" | grep -q 'precision:  nanoseconds' || fail "no nanoseconds"
capinfos "$dumps/web.pcapng" >"$tmp/capinfos"
for line in 'Capture comment: +of a test' 'Name = npf0' 'Filter string = tcp port 80' \
	'Time precision = nanoseconds' 'Number of stat entries = 1'; do
	grep -qE "$line" "$tmp/capinfos" || fail "the pcapng file does not say: $line"
done
tcpdump -nn -tt -r "$tmp/many.pcap" tcp port 80 2>/dev/null >"$tmp/expected"
tcpdump -nn -tt -r "$dumps/web.pcapng" 2>/dev/null >"$tmp/got"
same "$tmp/expected" "$tmp/got" "pcapng holds the filtered packets, interface, filter and comment"

# Rotation: nothing lost in between, no limit exceeded.
i=0
for f in $(files 'size-*.pcap'); do
	i=$((i + 1))
	[ "$f" = "$(printf '%s/size-%06d.pcap' "$dumps" $i)" ] || fail "a gap in the numbers before $f"
	[ "$(stat -c %s "$f")" -le 1000000 ] || fail "$f is larger than its limit"
	tail -c +25 "$f"
done >"$tmp/joined"
tail -c +25 "$tmp/many.pcap" >"$tmp/expected"
cmp "$tmp/expected" "$tmp/joined" || fail "the files together are not the whole"
ok "files of at most 1 MB together hold everything, in order"
[ "$(jq -s 'map(.packets) | add' "$tmp/size.jsonl")" = $n_many ] &&
	[ "$(jq -s 'map(.bytes) | add' "$tmp/size.jsonl")" = "$(files 'size-*' | xargs cat | wc -c)" ] ||
	fail "the index does not add up"
ok "the index has a line for each file, and adds up"
for f in $(files 'time-*.pcap'); do
	second=${f##*-}
	second=${second%.pcap}
	tcpdump -nn -tt -r "$f" 2>/dev/null | awk -v from=$((second / 10 * 10)) \
		'{ if ($1 < from || $1 >= from + 10) exit 1 }' || fail "$f holds a packet of another time"
done
[ "$(files 'time-*.pcap' | wc -l)" -eq 3 ] || fail "$(files 'time-*.pcap' | wc -l) files, not 3"
ok "files of 10 s hold 10 s, from one multiple to the next"
[ "$(files 'packets-*' | tr '\n' ' ')" = "$dumps/packets-000005.pcapng $dumps/packets-000006.pcapng $dumps/packets-000007.pcapng " ] ||
	fail "kept: $(files 'packets-*')"
readable "$dumps/packets-000005.pcapng" 3000
readable "$dumps/packets-000007.pcapng" 2000
ok "of files of 3000 packets the last three stay"
[ "$(files 'both-*' | xargs cat | wc -c)" -le 6000000 ] || fail "more than 6 MB are kept"
[ "$(files 'both-*' | xargs ls -S | head -n 1 | xargs stat -c %s)" -le 2000000 ] || fail "over 2 MB"
ok "size, time and total size hold together"
tcpdump -nn -tt -r "$tmp/many.pcap" 2>/dev/null | cut -d' ' -f1 >"$tmp/expected"
zstdcat "$dumps/zip.pcap.zst" | tcpdump -nn -tt -r - 2>/dev/null | cut -d' ' -f1 >"$tmp/got"
same "$tmp/expected" "$tmp/got" "zstdcat | tcpdump reads a compressed dump"
