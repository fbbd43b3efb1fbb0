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
	echo "  - {name: chain, port: npf2, filter: \"$filter\", file: \"$t/standing.pcap\"}"
} >"$t/conf.yaml"
"$dpdk" --check -c "$t/conf.yaml" 2>"$t/err" || fail "the configuration is not accepted"
start_daemon -c "$t/conf.yaml"

# Of a port that waits and of one that drops; whole and cut.
tcpdump -r "$file" -w "$t/expected.pcap" "$filter" 2>/dev/null
for args in 'npf0 262144' 'npf1 262144' 'npf0 60'; do
	read -r port snaplen <<<"$args"
	python3 "$packets" --cut "$snaplen" "$t/expected.pcap" >"$t/expected"
	timeout 60 "$run" tcpdump -nn -i "$port" -s "$snaplen" -c "$want" -w "$t/got.pcap" "$filter" \
		2>"$t/err" || fail "tcpdump -i $port: $(cat "$t/err")"
	python3 "$packets" "$t/got.pcap" >"$t/got"
	same "$t/expected" "$t/got" "tcpdump -i $port -s $snaplen captures what it reads from the file"
	says "$t/err" '^0 packets dropped by kernel' "and loses nothing"
done

# The daemon passes on what only the loop can decide, and says so.
timeout 60 "$run" tcpdump -nn -i npf1 -w "$t/got.pcap" "$filter" 2>"$t/err" &
add_background
tcpdump=$!
wait_for 30 sh -c "'$npfctl' --json sessions | jq -e '.sessions[0] | .received == $n and .buffer.used == 0'" ||
	fail "the session does not see all, or tcpdump does not read it"
ctl sessions | jq -e ".sessions[0] | .filter_in_reader and .accepted + .screened == .received
	and .accepted >= $want" >/dev/null || fail "$(ctl sessions)"
ok "a session whose reader runs the filter is told from others, and each packet is accounted for"
kill -INT $tcpdump
wait $tcpdump || fail "tcpdump: $(cat "$t/err")"
says "$t/err" "^$n packets received by filter" "tcpdump counts as with a filter that libpcap runs"
says "$t/err" "^$want packets captured" "and captures what passed"

# In the daemon: a monitor, and with statistics mode.
"$npfctl" monitor npf1 "$filter" "not $filter" -i 100ms -n 6 --json >"$t/out" || fail "npfctl monitor"
[ "$(jq -s 'map(.rows[0].packets) | add' "$t/out") $(jq -s 'map(.rows[1].packets) | add' "$t/out")" = \
	"$want $((n - want))" ] || fail "the monitor counts $(cat "$t/out")"
ok "a monitor counts what passes, and what does not"
read -r counted _ < <("$NPF_CLIENTS/tests/e2e/modes" stat npf1 100 6 "$filter") || fail "statistics mode"
[ "$counted" = "$want" ] || fail "statistics mode counts $counted"
ok "statistics mode counts what passes"
"$npfctl" monitor --json >"$t/out"
[ "$(jq '.monitors[] | select(.name == "chain") | .total.packets' "$t/out")" = "$want" ] ||
	fail "the standing monitor: $(cat "$t/out")"
ok "a standing monitor counts what passes"

# Dumps: a program's, npfctl's, of a port that replays the file for ever; and the one that stands.
python3 "$packets" "$t/expected.pcap" | sort -u >"$t/expected"
"$NPF_CLIENTS/tests/e2e/live_dump" npf3 "$t/got.pcap" 0 $((20 * want)) "$filter" >"$t/out" ||
	fail "pcap_live_dump: $(cat "$t/out")"
python3 "$packets" "$t/got.pcap" | sort -u >"$t/got"
same "$t/expected" "$t/got" "pcap_live_dump writes what passes and nothing else"
"$npfctl" dump start npf3 -w "$t/one.pcap" -c $((20 * want)) --wait "$filter" >"$t/out" ||
	fail "npfctl dump"
python3 "$packets" "$t/one.pcap" | sort -u >"$t/got"
same "$t/expected" "$t/got" "so does npfctl dump"
python3 "$packets" "$t/expected.pcap" >"$t/expected"
stop_daemon
python3 "$packets" "$t/standing.pcap" >"$t/got"
same "$t/expected" "$t/got" "a standing dump writes what tcpdump -r reads"
clean "$t/daemon.log"
