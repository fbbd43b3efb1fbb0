#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Filters with loops, which libpcap runs itself: stock tcpdump captures with them as it reads with
# them, and what is run in the daemon (monitors, dumps, statistics mode) counts and writes the same.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3

filter='ip6 protochain 58'
file=$corpus/fragments.pcap # 18 packets of 101, 12 of them behind a fragment header
n=$(packets_of "$file")
want=$(packets_of "$file" "$filter")
[ "$want" -gt 10 ] && [ "$(packets_of "$file" "ip6[6] = 58")" -lt "$want" ] ||
	fail "a file whose packets need the loop"

{
	config "$(replay npf0 "$file")" \
		"{name: npf1, device: \"net_pcap1,rx_pcap=$file\", start: attach}" \
		"$(replay npf2 "$file")" \
		"{name: npf3, device: \"net_pcap3,rx_pcap=$file,infinite_rx=1\", start: attach}"
	echo "monitors:"
	echo "  - {name: chain, port: npf2, filter: \"$filter\", interval: 50ms}"
	echo "dumps:"
	echo "  - {name: chain, port: npf2, filter: \"$filter\", file: \"$tmp/standing.pcap\"}"
} >"$tmp/conf.yaml"
"$dpdk" --check -c "$tmp/conf.yaml" 2>"$tmp/err" || fail "the configuration is not accepted"
start_daemon -c "$tmp/conf.yaml"

# Of a port that waits and of one that drops; whole and cut.
tcpdump -r "$file" -w "$tmp/expected.pcap" "$filter" 2>/dev/null
for args in 'npf0 262144' 'npf1 262144' 'npf0 60'; do
	read -r port snaplen <<<"$args"
	python3 "$packets" --cut "$snaplen" "$tmp/expected.pcap" >"$tmp/expected"
	timeout 60 "$run" tcpdump -nn -i "$port" -s "$snaplen" -c "$want" -w "$tmp/got.pcap" "$filter" \
		2>"$tmp/err" || fail "tcpdump -i $port: $(cat "$tmp/err")"
	python3 "$packets" "$tmp/got.pcap" >"$tmp/got"
	same "$tmp/expected" "$tmp/got" "tcpdump -i $port -s $snaplen captures what it reads from the file"
	says "$tmp/err" '^0 packets dropped by kernel' "and loses nothing"
done

# The daemon passes on what only the loop can decide, and says so.
timeout 60 "$run" tcpdump -nn -i npf1 -w "$tmp/got.pcap" "$filter" 2>"$tmp/err" &
add_background
tcpdump=$!
wait_for 30 sh -c "'$npfctl' --json sessions | jq -e '.sessions[0] | .received == $n and .buffer.used == 0'" ||
	fail "the session does not see all, or tcpdump does not read it"
ctl sessions | jq -e ".sessions[0] | .filter_in_reader and .accepted + .screened == .received
	and .accepted >= $want" >/dev/null || fail "$(ctl sessions)"
ok "a session whose reader runs the filter is told from others, and each packet is accounted for"
kill -INT $tcpdump
wait $tcpdump || fail "tcpdump: $(cat "$tmp/err")"
says "$tmp/err" "^$n packets received by filter" "tcpdump counts as with a filter that libpcap runs"
says "$tmp/err" "^$want packets captured" "and captures what passed"

# In the daemon: a monitor, and with statistics mode.
"$npfctl" monitor npf1 "$filter" "not $filter" -i 100ms -n 6 --json >"$tmp/out" || fail "npfctl monitor"
[ "$(jq -s 'map(.rows[0].packets) | add' "$tmp/out") $(jq -s 'map(.rows[1].packets) | add' "$tmp/out")" = \
	"$want $((n - want))" ] || fail "the monitor counts $(cat "$tmp/out")"
ok "a monitor counts what passes, and what does not"
read -r counted _ < <("$NPF_CLIENTS/tests/e2e/modes" stat npf1 100 6 "$filter") || fail "statistics mode"
[ "$counted" = "$want" ] || fail "statistics mode counts $counted"
ok "statistics mode counts what passes"
"$npfctl" monitor --json >"$tmp/out"
[ "$(jq '.monitors[] | select(.name == "chain") | .total.packets' "$tmp/out")" = "$want" ] ||
	fail "the standing monitor: $(cat "$tmp/out")"
ok "a standing monitor counts what passes"

# Dumps: a program's, npfctl's, of a port that replays the file for ever; and the one that stands.
python3 "$packets" "$tmp/expected.pcap" | sort -u >"$tmp/expected"
"$NPF_CLIENTS/tests/e2e/live_dump" npf3 "$tmp/got.pcap" 0 $((20 * want)) "$filter" >"$tmp/out" ||
	fail "pcap_live_dump: $(cat "$tmp/out")"
python3 "$packets" "$tmp/got.pcap" | sort -u >"$tmp/got"
same "$tmp/expected" "$tmp/got" "pcap_live_dump writes what passes and nothing else"
"$npfctl" dump start npf3 -w "$tmp/one.pcap" -c $((20 * want)) --wait "$filter" >"$tmp/out" ||
	fail "npfctl dump"
python3 "$packets" "$tmp/one.pcap" | sort -u >"$tmp/got"
same "$tmp/expected" "$tmp/got" "so does npfctl dump"
python3 "$packets" "$tmp/expected.pcap" >"$tmp/expected"
stop_daemon
python3 "$packets" "$tmp/standing.pcap" >"$tmp/got"
same "$tmp/expected" "$tmp/got" "a standing dump writes what tcpdump -r reads"
clean "$tmp/daemon.log"
