#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# iface-lib.sh - two hosts on a wire, and captures by stock tcpdump and through a port of one interface at
# the same time. Sourced behind lib.sh.

netns a
netns b
wire a b
for n in a b; do
	# As interfaces are: what TCP sends comes in pieces of 64 KiB.
	on $n ethtool -K wire rx on tx on sg on tso on gso on gro on >/dev/null 2>&1
	ip -n "$id-$n" link set wire mtu 1500
done

# begin NAME PORT IFACE ARG...: both capture.
begin() {
	local name=$1 port=$2 iface=$3
	shift 3
	: >"$tmp/$name.truth.err" # not the last ones' words
	: >"$tmp/$name.err"
	ip netns exec "$id-a" tcpdump -Z root -nn -U -i "$iface" -B 16384 -w "$tmp/$name.truth" \
		--time-stamp-precision=nano "$@" 2>"$tmp/$name.truth.err" &
	truth=$!
	add_background
	"$run" tcpdump -nn -U -i "$port" -B 16384 -w "$tmp/$name.got" --time-stamp-precision=nano \
		"$@" 2>"$tmp/$name.err" &
	client=$!
	add_background
	wait_for 30 grep -q listening "$tmp/$name.truth.err" || fail "stock tcpdump does not start"
	wait_for 30 grep -q listening "$tmp/$name.err" || fail "tcpdump does not start: $(cat "$tmp/$name.err")"
}

printed() {
	"$packets" "$1" 2>/dev/null | sort
}

# What is the same in both makes files of one size: only then the packets are compared.
both_have() {
	[ "$(stat -c %s "$tmp/$1.truth")" = "$(stat -c %s "$tmp/$1.got")" ] && [ "$(printed "$tmp/$1.truth" | wc -l)" -ge "$2" ] && cmp -s <(printed "$tmp/$1.truth") <(printed "$tmp/$1.got")
}

# same_as_truth NAME N SENTENCE: both have at least N packets, and the same; they end.
same_as_truth() {
	wait_for 30 both_have "$1" "$2" || {
		diff <(printed "$tmp/$1.truth" | cut -c 1-150) <(printed "$tmp/$1.got" | cut -c 1-150) | head -n 20
		fail "$3 ($2 packets expected; $(packets_of "$tmp/$1.truth"), $(packets_of "$tmp/$1.got"))"
	}
	kill $truth $client
	wait $truth || true
	wait $client || true
	ok "$3: $(packets_of "$tmp/$1.got") packets"
}

# raw HEX...: from b, each a frame from its Ethernet type on, filled up to 60 bytes.
raw() {
	on b python3 - "$@" <<-'EOF2'
		import socket, sys
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind(("wire", 0))
		for frame in sys.argv[1:]:
		    s.send((bytes.fromhex("ffffffffffff020000000002" + frame)).ljust(60, b"x"))
	EOF2
}

# transfer MiB: from a to b by TCP.
transfer() {
	: >"$tmp/server" # not the last server's word
	ip netns exec "$id-b" python3 -c 'import socket
s = socket.create_server(("10.76.0.2", 99)); print("up", flush=True); c = s.accept()[0]
while c.recv(1 << 20): pass' >"$tmp/server" &
	local server=$!
	add_background
	wait_for 30 grep -q up "$tmp/server" || fail "no server"
	on a python3 -c 'import socket, sys
s = socket.create_connection(("10.76.0.2", 99))
s.sendall(bytes(int(sys.argv[1]) << 20))' "$1"
	wait $server
}
