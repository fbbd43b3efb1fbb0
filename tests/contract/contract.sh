#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# contract.sh CONTRACT NPF_DPDK NPF_RUN - one program, two libraries, the same findings.
#
# A veth in a network namespace of its own. The real libpcap captures on one end, then npf-dpdk
# captures at that end (iface:contract1) and libnpfdp captures on npf0; the program plays the other end
# of the wire both times.
set -u
contract=$1 daemon=$2 run=$3
ns=npf-contract-$$
dir=$(mktemp -d)
pid=

cleanup() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	wait 2>/dev/null
	ip netns del "$ns" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

skip() {
	echo "skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root for network namespaces and packet sockets"
ip netns add "$ns" 2>/dev/null || skip "can't make a network namespace"
inside() {
	ip netns exec "$ns" "$@"
}
ip -n "$ns" link add contract0 type veth peer name contract1 || skip "can't make a veth"
for i in contract0 contract1; do
	inside sysctl -qw "net.ipv6.conf.$i.disable_ipv6=1" 2>/dev/null
	# Offloads would put the work of the wire off.
	inside ethtool -K "$i" tx off rx off gso off gro off tso off >/dev/null 2>&1
	ip -n "$ns" link set "$i" up
done

# findings NAME COMMAND...
findings() {
	local name=$1
	shift
	inside env -u LD_LIBRARY_PATH timeout -k 1 60 "$@" >"$dir/$name"
	echo "exit status = $?" >>"$dir/$name"
}
equal() {
	if ! diff -u --label libpcap --label "$2" "$dir/libpcap" "$dir/$1"; then
		echo "--- daemon:"
		cat "$dir/daemon.log"
		exit 1
	fi
}

# The real library; ours on the same interface, which it hands over; ours on a port.
findings libpcap "$contract" contract1 contract0
findings kernel "$run" "$contract" contract1 contract0

# Not through inside(): the pid must be the daemon's own.
ip netns exec "$ns" "$daemon" --iface contract1 --socket "$dir/npf.sock" \
	>/dev/null 2>"$dir/daemon.log" &
pid=$!
for _ in $(seq 1200); do
	grep -q 'npf-dpdk: ready' "$dir/daemon.log" && break
	kill -0 $pid 2>/dev/null || break
	sleep 0.05
done
if ! grep -q 'npf-dpdk: ready' "$dir/daemon.log"; then
	echo "the daemon did not start:"
	cat "$dir/daemon.log"
	exit 1
fi
findings port "$run" --socket "$dir/npf.sock" "$contract" npf0 contract0

n=$(wc -l <"$dir/libpcap")
if [ "$n" -lt 150 ]; then
	echo "only $n findings: the test broke off"
	cat "$dir/libpcap"
	exit 1
fi
equal kernel "libnpfdp on a kernel interface"
equal port "libnpfdp on a port"
echo "$n findings, all equal"
