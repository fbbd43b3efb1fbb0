#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A savefile of any kind is replayed as tcpdump -r reads it: link type, nanoseconds, original
# lengths, packets without bytes and of more than 64 KiB. Its end is told, and where it is damaged.
# What can't be replayed is refused in one line, at the start and by --check.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq python3
mkdir "$t/f"
"$NPF_SRC/tests/e2e/savefiles.py" "$t/f" >"$t/files"

config "$(replay npf0 "$t/f/link1.pcap")" >"$t/conf.yaml"
start_daemon -c "$t/conf.yaml"

add() { # NAME DEVICE [ARG...]
	"$npfctl" port add "$1" "$2" "${@:3}" >"$t/said" 2>&1 || fail "port add $2: $(cat "$t/said")"
}

del() {
	"$npfctl" port del "$1" >"$t/said" 2>&1 || fail "port del $1: $(cat "$t/said")"
}

replayed() { # FILTER: of the last port that was added
	ctl ports | jq -e ".ports[-1] | $1" >/dev/null
}

is_read() {
	ctl sessions | jq -e '.sessions[-1].buffer.used == 0' >/dev/null
}

tcpdump=(tcpdump -nn -tt -e -v -xx --nano)
while read -r kind name n; do
	file=$t/f/$name
	add npf1 "net_pcap1,rx_pcap=$file" --start attach --overflow wait --rx-desc 64
	"${tcpdump[@]}" -r "$file" >"$t/expected" 2>"$t/expected.err" || [ "$kind" = damaged ] ||
		fail "tcpdump -r $name"
	if [ "$n" -gt 0 ]; then
		timeout 30 "$run" "${tcpdump[@]}" -i npf1 -c "$n" >"$t/got" 2>"$t/got.err" ||
			fail "tcpdump -i npf1 ($name): $(cat "$t/got.err")"
		cmp -s "$t/expected" "$t/got" || {
			diff "$t/expected" "$t/got" | head -n 20
			fail "$name: not as tcpdump -r prints it"
		}
		[ "$(grep -o 'link-type [A-Z0-9_]*' "$t/expected.err")" = \
			"$(grep -o 'link-type [A-Z0-9_]*' "$t/got.err")" ] ||
			fail "$name: another link type"
	fi
	# Whoever captures on sees nothing more, and the port says why.
	"$run" tcpdump -nn -i npf1 -w "$t/all.pcap" 2>"$t/all.err" &
	all=$!
	add_background
	state=ended
	[ "$kind" = whole ] || state=damaged
	wait_for 30 grep -q listening "$t/all.err" || fail "tcpdump does not start"
	wait_for 30 replayed ".replay[0] | .state == \"$state\" and .packets == $n" ||
		fail "$name: $(ctl ports | jq -c '.ports[-1].replay')"
	[ "$kind" = whole ] || replayed '.rx_errors > 0' || fail "$name: damage is no error"
	wait_for 30 is_read || fail "$name: tcpdump has not read all"
	kill -INT $all
	wait $all || fail "tcpdump: $(cat "$t/all.err")"
	says "$t/all.err" "^$n packets captured" "$name: $n packets as tcpdump -r prints them, then $state"
	del npf1
done <"$t/files"

says "$t/daemon.log" 'npf1: .*/link276.pcap has ended after 10 packets$' "the end of a file is logged"
says "$t/daemon.log" 'bogus.pcap is damaged at packet 4, byte 288: .*16777280' "damage is logged with its place"
says "$t/daemon.log" 'torn.pcap is damaged at packet 10, byte 816: truncated' "so is a torn end"

# A port of another link type: filters, dumps and monitors take it for what it is.
file=$t/f/link105.pcap
add npf1 "net_pcap1,rx_pcap=$file" --start attach --overflow wait --send
"$run" tcpdump -L -i npf1 >"$t/types" 2>&1
says "$t/types" 'IEEE802_11 ' "tcpdump -L lists the file's link type"
"${tcpdump[@]}" -r "$file" 'type data and udp src port 1004' >"$t/expected" 2>/dev/null
[ -s "$t/expected" ] || fail "nothing passes the filter"
timeout 30 "$run" "${tcpdump[@]}" -i npf1 -c 1 'type data and udp src port 1004' >"$t/got" 2>/dev/null
same "$t/expected" "$t/got" "a filter is compiled for the link type"
for format in pcap pcap-ns pcapng; do
	timeout 30 "$npfctl" dump start npf1 --wait -w "$t/dump.$format" \
		--format $format -c 9 -- 'type data and not udp port 1004' >/dev/null ||
		fail "dump start as $format"
	"${tcpdump[@]}" -r "$file" 'not udp port 1004' >"$t/expected" 2>/dev/null
	"${tcpdump[@]}" -r "$t/dump.$format" >"$t/got" 2>/dev/null
	same "$t/expected" "$t/got" "a dump as $format has the link type"
done
"$npfctl" --json monitor --count 1 --interval 200ms npf1 'type data' >"$t/got" ||
	fail "a monitor with a filter of 802.11"
ok "npfctl monitor compiles for the link type"
! "$npfctl" send npf1 -r "$t/f/link1.pcap" >"$t/said" 2>&1 || fail "sending on an 802.11 port"
says "$t/said" 'another link type than Ethernet: nothing can be sent' "sending there is refused"
"$npfctl" ports >"$t/said"
says "$t/said" 'IEEE802_11, .* packets of .*link105.pcap: ' "npfctl ports tells of the replay"
del npf1

# What was sent beside a replay is in tx_pcap, as ever.
add npf1 "net_pcap1,rx_pcap=$t/f/ns.pcap,tx_pcap=$t/tx.pcap" --overflow wait --send
"$npfctl" send npf1 -r "$t/f/us.pcapng" >/dev/null || fail "sending beside a replay"
ctl ports | jq -e '.ports[-1] | .rx_packets == 10 and .tx_packets == 10' >/dev/null ||
	wait_for 30 replayed '.rx_packets == 10 and .tx_packets == 10' ||
	fail "counters of both: $(ctl ports | jq -c '.ports[-1]')"
del npf1
[ "$(packets_of "$t/tx.pcap")" -eq 10 ] || fail "tx_pcap has not what was sent"
ok "tx_pcap beside rx_pcap has what was sent"

# A file may change while it is replayed, and while nobody looks.
cp "$t/f/many.pcap" "$t/changing.pcap"
add npf1 "net_pcap1,rx_pcap=$t/changing.pcap" --start attach --overflow wait --rx-desc 64
timeout 30 "$run" tcpdump -nn -i npf1 -c 1 -w /dev/null -Z root 2>/dev/null
cp "$t/f/link113.pcap" "$t/changing.pcap"
! timeout 30 "$run" tcpdump -nn -i npf1 -c 1 >"$t/said" 2>&1 || fail "another link type came along"
says "$t/daemon.log" 'changing.pcap holds packets of another link type' "a file that has become another is refused"
cp "$t/f/ns.pcap" "$t/changing.pcap"
timeout 30 "$run" "${tcpdump[@]}" -i npf1 -c 10 >"$t/got" 2>/dev/null
"${tcpdump[@]}" -r "$t/f/ns.pcap" >"$t/expected" 2>/dev/null
same "$t/expected" "$t/got" "each first client gets what is in the file then"
wait_for 30 has_sessions 0 || fail "sessions stay"
stop_daemon
clean "$t/daemon.log"

# ---- refused ----
mkfifo "$t/fifo"
: >"$t/zero"
refused() { # PATTERN SENTENCE DEVICE [KEYS]
	config "{name: npf0, device: \"$3\"${4-}}" >"$t/bad.yaml"
	local args
	for args in --check ""; do
		! timeout 30 "$dpdk" -c "$t/bad.yaml" $args >"$t/said" 2>&1 || fail "accepted: $3"
		[ "$(grep -c 'npf-dpdk:' "$t/said")" -eq 1 ] || fail "not one line: $(cat "$t/said")"
		grep -qE -- "$1" "$t/said" || fail "$2: $(cat "$t/said")"
	done
	ok "$2"
}
r=net_pcap0,rx_pcap
refused 'npf0: /nonexistent: No such file' "a file that is not there" $r=/nonexistent
refused 'directory, not a savefile' "a directory" "$r=$t"
refused 'no regular file' "a FIFO" "$r=$t/fifo"
refused 'it is empty' "an empty file" "$r=$t/zero"
refused "unknown file format" "a file of another kind" "$r=$t/conf.yaml"
refused 'more than one link type' "two link types" "$r=$t/f/link1.pcap,rx_pcap=$t/f/link113.pcap"
refused 'leave tx_pcap' "tx_pcap beside another link type" "$r=$t/f/link113.pcap,tx_pcap=$t/tx2.pcap"
refused 'leave .shadow' "a shadow of another link type" "$r=$t/f/link113.pcap" ", send: true, shadow: true"

# ---- infinite_rx ----
python3 - "$t/f/link1.pcap" >"$t/large.pcap" <<-'END'
	import sys
	data = open(sys.argv[1], "rb").read()
	sys.stdout.buffer.write(data[:24] + data[24:] * 1000)
END
start_daemon --vdev "net_pcap0,rx_pcap=$t/large.pcap,infinite_rx=1"
timeout 30 "$run" tcpdump -nn -i npf0 -c 20000 -w "$t/got.pcap" 2>"$t/err" ||
	fail "tcpdump on infinite_rx: $(cat "$t/err")"
ok "infinite_rx repeats a file of 10 000 packets"
stop_daemon
! timeout 30 "$dpdk" --vdev "net_pcap0,rx_pcap=$t/f/large.pcap,infinite_rx=1" >"$t/said" 2>&1 ||
	fail "infinite_rx took packets that it can't repeat"
says "$t/said" 'infinite_rx repeats packets of up to' "infinite_rx refuses longer packets by name"
