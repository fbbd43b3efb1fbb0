#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A savefile of any kind is replayed as tcpdump -r reads it: link type, nanoseconds, original
# lengths, packets without bytes and of more than 64 KiB. Its end is told, and where it is damaged.
# What can't be replayed is refused in one line, at the start and by --check.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3
mkdir "$tmp/f"
"$NPF_SRC/tests/e2e/savefiles.py" "$tmp/f" >"$tmp/files"

config "$(replay npf0 "$tmp/f/link1.pcap")" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

add() { # NAME DEVICE [ARG...]
	"$npfctl" port add "$1" "$2" "${@:3}" >"$tmp/said" 2>&1 || fail "port add $2: $(cat "$tmp/said")"
}

del() {
	"$npfctl" port del "$1" >"$tmp/said" 2>&1 || fail "port del $1: $(cat "$tmp/said")"
}

replayed() { # FILTER: of the last port that was added
	ctl ports | jq -e ".ports[-1] | $1" >/dev/null
}

is_read() {
	ctl sessions | jq -e '.sessions[-1].buffer.used == 0' >/dev/null
}

tcpdump=(tcpdump -nn -tt -e -v -xx --nano)
while read -r kind name n; do
	file=$tmp/f/$name
	add npf1 "net_pcap1,rx_pcap=$file" --start attach --overflow wait --rx-desc 64
	"${tcpdump[@]}" -r "$file" >"$tmp/expected" 2>"$tmp/expected.err" || [ "$kind" = damaged ] ||
		fail "tcpdump -r $name"
	if [ "$n" -gt 0 ]; then
		timeout 30 "$run" "${tcpdump[@]}" -i npf1 -c "$n" >"$tmp/got" 2>"$tmp/got.err" ||
			fail "tcpdump -i npf1 ($name): $(cat "$tmp/got.err")"
		cmp -s "$tmp/expected" "$tmp/got" || {
			diff "$tmp/expected" "$tmp/got" | head -n 20
			fail "$name: not as tcpdump -r prints it"
		}
		[ "$(grep -o 'link-type [A-Z0-9_]*' "$tmp/expected.err")" = \
			"$(grep -o 'link-type [A-Z0-9_]*' "$tmp/got.err")" ] ||
			fail "$name: another link type"
	fi
	# Whoever captures on sees nothing more, and the port says why.
	"$run" tcpdump -nn -i npf1 -w "$tmp/all.pcap" 2>"$tmp/all.err" &
	all=$!
	add_background
	state=ended
	[ "$kind" = whole ] || state=damaged
	wait_for 30 grep -q listening "$tmp/all.err" || fail "tcpdump does not start"
	wait_for 30 replayed ".replay[0] | .state == \"$state\" and .packets == $n" ||
		fail "$name: $(ctl ports | jq -c '.ports[-1].replay')"
	[ "$kind" = whole ] || replayed '.rx_errors > 0' || fail "$name: damage is no error"
	wait_for 30 is_read || fail "$name: tcpdump has not read all"
	kill -INT $all
	wait $all || fail "tcpdump: $(cat "$tmp/all.err")"
	says "$tmp/all.err" "^$n packets captured" "$name: $n packets as tcpdump -r prints them, then $state"
	del npf1
done <"$tmp/files"

says "$tmp/daemon.log" 'npf1: .*/link276.pcap has ended after 10 packets$' "the end of a file is logged"
says "$tmp/daemon.log" 'bogus.pcap is damaged at packet 4, byte 288: .*16777280' "damage is logged with its place"
says "$tmp/daemon.log" 'torn.pcap is damaged at packet 10, byte 816: truncated' "so is a torn end"

# A port of another link type: filters, dumps and monitors take it for what it is.
file=$tmp/f/link105.pcap
add npf1 "net_pcap1,rx_pcap=$file" --start attach --overflow wait --send
"$run" tcpdump -L -i npf1 >"$tmp/types" 2>&1
says "$tmp/types" 'IEEE802_11 ' "tcpdump -L lists the file's link type"
"${tcpdump[@]}" -r "$file" 'type data and udp src port 1004' >"$tmp/expected" 2>/dev/null
[ -s "$tmp/expected" ] || fail "nothing passes the filter"
timeout 30 "$run" "${tcpdump[@]}" -i npf1 -c 1 'type data and udp src port 1004' >"$tmp/got" 2>/dev/null
same "$tmp/expected" "$tmp/got" "a filter is compiled for the link type"
for format in pcap pcap-ns pcapng; do
	timeout 30 "$npfctl" dump start npf1 --wait -w "$tmp/dump.$format" \
		--format $format -c 9 -- 'type data and not udp port 1004' >/dev/null ||
		fail "dump start as $format"
	"${tcpdump[@]}" -r "$file" 'not udp port 1004' >"$tmp/expected" 2>/dev/null
	"${tcpdump[@]}" -r "$tmp/dump.$format" >"$tmp/got" 2>/dev/null
	same "$tmp/expected" "$tmp/got" "a dump as $format has the link type"
done
"$npfctl" --json monitor --count 1 --interval 200ms npf1 'type data' >"$tmp/got" ||
	fail "a monitor with a filter of 802.11"
ok "npfctl monitor compiles for the link type"
! "$npfctl" send npf1 -r "$tmp/f/link1.pcap" >"$tmp/said" 2>&1 || fail "sending on an 802.11 port"
says "$tmp/said" 'another link type than Ethernet: nothing can be sent' "sending there is refused"
"$npfctl" ports >"$tmp/said"
says "$tmp/said" 'IEEE802_11, .* packets of .*link105.pcap: ' "npfctl ports tells of the replay"
del npf1

# What was sent beside a replay is in tx_pcap, as ever.
add npf1 "net_pcap1,rx_pcap=$tmp/f/ns.pcap,tx_pcap=$tmp/tx.pcap" --overflow wait --send
"$npfctl" send npf1 -r "$tmp/f/us.pcapng" >/dev/null || fail "sending beside a replay"
ctl ports | jq -e '.ports[-1] | .rx_packets == 10 and .tx_packets == 10' >/dev/null ||
	wait_for 30 replayed '.rx_packets == 10 and .tx_packets == 10' ||
	fail "counters of both: $(ctl ports | jq -c '.ports[-1]')"
del npf1
[ "$(packets_of "$tmp/tx.pcap")" -eq 10 ] || fail "tx_pcap has not what was sent"
ok "tx_pcap beside rx_pcap has what was sent"

# A file may change while it is replayed, and while nobody looks.
cp "$tmp/f/many.pcap" "$tmp/changing.pcap"
add npf1 "net_pcap1,rx_pcap=$tmp/changing.pcap" --start attach --overflow wait --rx-desc 64
timeout 30 "$run" tcpdump -nn -i npf1 -c 1 -w /dev/null -Z root 2>/dev/null
cp "$tmp/f/link113.pcap" "$tmp/changing.pcap"
! timeout 30 "$run" tcpdump -nn -i npf1 -c 1 >"$tmp/said" 2>&1 || fail "another link type came along"
says "$tmp/daemon.log" 'changing.pcap holds packets of another link type' "a file that has become another is refused"
cp "$tmp/f/ns.pcap" "$tmp/changing.pcap"
timeout 30 "$run" "${tcpdump[@]}" -i npf1 -c 10 >"$tmp/got" 2>/dev/null
"${tcpdump[@]}" -r "$tmp/f/ns.pcap" >"$tmp/expected" 2>/dev/null
same "$tmp/expected" "$tmp/got" "each first client gets what is in the file then"
wait_for 30 has_sessions 0 || fail "sessions stay"
stop_daemon
clean "$tmp/daemon.log"

# ---- refused ----
mkfifo "$tmp/fifo"
: >"$tmp/zero"
refused() { # PATTERN SENTENCE DEVICE [KEYS]
	config "{name: npf0, device: \"$3\"${4-}}" >"$tmp/bad.yaml"
	local args
	for args in --check ""; do
		! timeout 30 "$dpdk" -c "$tmp/bad.yaml" $args >"$tmp/said" 2>&1 || fail "accepted: $3"
		[ "$(grep -c 'npf-dpdk:' "$tmp/said")" -eq 1 ] || fail "not one line: $(cat "$tmp/said")"
		grep -qE -- "$1" "$tmp/said" || fail "$2: $(cat "$tmp/said")"
	done
	ok "$2"
}
r=net_pcap0,rx_pcap
refused 'npf0: /nonexistent: No such file' "a file that is not there" $r=/nonexistent
refused 'directory, not a savefile' "a directory" "$r=$tmp"
refused 'no regular file' "a FIFO" "$r=$tmp/fifo"
refused 'it is empty' "an empty file" "$r=$tmp/zero"
refused "unknown file format" "a file of another kind" "$r=$tmp/conf.yaml"
refused 'more than one link type' "two link types" "$r=$tmp/f/link1.pcap,rx_pcap=$tmp/f/link113.pcap"
refused 'leave tx_pcap' "tx_pcap beside another link type" "$r=$tmp/f/link113.pcap,tx_pcap=$tmp/tx2.pcap"
refused 'leave .shadow' "a shadow of another link type" "$r=$tmp/f/link113.pcap" ", send: true, shadow: true"

# ---- infinite_rx ----
python3 - "$tmp/f/link1.pcap" >"$tmp/large.pcap" <<-'END'
	import sys
	data = open(sys.argv[1], "rb").read()
	sys.stdout.buffer.write(data[:24] + data[24:] * 1000)
END
start_daemon --vdev "net_pcap0,rx_pcap=$tmp/large.pcap,infinite_rx=1"
timeout 30 "$run" tcpdump -nn -i npf0 -c 20000 -w "$tmp/got.pcap" 2>"$tmp/err" ||
	fail "tcpdump on infinite_rx: $(cat "$tmp/err")"
ok "infinite_rx repeats a file of 10 000 packets"
stop_daemon
! timeout 30 "$dpdk" --vdev "net_pcap0,rx_pcap=$tmp/f/large.pcap,infinite_rx=1" >"$tmp/said" 2>&1 ||
	fail "infinite_rx took packets that it can't repeat"
says "$tmp/said" 'infinite_rx repeats packets of up to' "infinite_rx refuses longer packets by name"
