#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What each way onto an interface of the kernel's shows of it, beside stock tcpdump on the same interface: a
# table of drivers and kinds of traffic, which npf-dpdk(8) has in words ("What a driver loses"). iface:
# must show all; where a driver shows more than the table says, the manual is wrong.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump ip ethtool ping python3

. "$(dirname "$0")/iface-lib.sh"

# Each host knows the other's address for good: five seconds after a ping it would ask again, and of the two
# captures that begin then one may see it alone.
knows() { # HOST ADDRESS OTHER
	ip -n "$id-$1" neigh replace "$2" lladdr "$(on "$3" cat /sys/class/net/wire/address)" dev wire nud permanent
}
knows a 10.76.0.2 b
knows b 10.76.0.1 a

# traffic CELL: what the cell is about, and then a frame that ends it.
traffic() {
	case $1 in
	fragments) on a ping -q -c 3 -i 0.05 -s 4000 10.76.0.2 >/dev/null ;;
	tag) raw 8100006488b5 8100e06488b5 ;;
	qinq) raw 88a8006481000065 88b5 88a8000088b5 ;;
	large) transfer 4 ;;
	in | out) on a ping -q -c 3 -i 0.05 10.76.0.2 >/dev/null ;;
	lo) on a ping -q -c 3 -i 0.05 127.0.0.1 >/dev/null ;;
	jumbo)
		for n in a b; do ip -n "$id-$n" link set wire mtu 9000; done
		on a ping -q -c 3 -i 0.05 -M do -s 8900 10.76.0.2 >/dev/null
		for n in a b; do ip -n "$id-$n" link set wire mtu 1500; done
		;;
	esac
	case $1 in
	lo) on a ping -q -c 1 -s 999 127.0.0.1 >/dev/null ;;
	out) on a ping -q -c 1 -s 999 10.76.0.2 >/dev/null ;;
	*) on b ping -q -c 1 -s 999 10.76.0.1 >/dev/null ;;
	esac
}

# A capture ends with the ping of 999 bytes, in both directions if both are asked for.
n_ends() {
	case $1 in
	in | out) echo 1 ;;
	*) echo 2 ;;
	esac
}

# Nothing comes after the last of them, so that it can be told at once whether all before is there.
ends() {
	[ "$(tcpdump -nn -r "$1" greater 1041 and less 1041 2>/dev/null | wc -l)" -ge "$2" ]
}
decided() { # NAME N-ENDS
	both_have "$1" 1 || ends "$tmp/$1.got" "$2"
}

# cell NAME PORT IFACE ARG...: prints whether the port shows what stock tcpdump shows.
cell() {
	local name=$1 n
	begin "$@"
	traffic "${name#*-}"
	n=$(n_ends "${name#*-}")
	wait_for 30 ends "$tmp/$name.truth" "$n" || fail "$name: stock tcpdump does not see the end"
	# What a driver does not show at all does not end either.
	wait_for "$patience" decided "$name" "$n" || true
	# Strays may come behind the end, and to one capture first.
	wait_for "$grace" both_have "$name" 1 || true
	kill $truth $client
	wait $truth || true
	wait $client || true
	if cmp -s <(printed "$tmp/$name.truth") <(printed "$tmp/$name.got"); then
		same+=" ${name#*-}"
	else
		differ+=" ${name#*-}"
	fi
}

# shows PATIENCE GRACE DEVICE LO-DEVICE DRIVER: which cells, and which not, with so many seconds for the end
# of each, and for what may come behind it.
shows() {
	local same= differ= patience=$1 grace=$2
	shift 2
	"$npfctl" port add npf1 "$1" >/dev/null || fail "npfctl port add $1"
	"$npfctl" port add npf2 "$2" >/dev/null || fail "npfctl port add $2"
	for kind in fragments tag qinq large; do
		cell "$3-$kind" npf1 wire
	done
	cell "$3-in" npf1 wire -Q in
	cell "$3-out" npf1 wire -Q out
	cell "$3-lo" npf2 lo
	cell "$3-jumbo" npf1 wire
	"$npfctl" port del npf1 >/dev/null && "$npfctl" port del npf2 >/dev/null || fail "npfctl port del"
	shown=$same lost=$differ
}

start_daemon "$id-a:" --vdev net_null0
shows 30 30 iface:wire iface:lo iface
[ "$lost" = "" ] || fail "iface: does not show:$lost"
ok "iface: shows what stock tcpdump shows:$shown"

shows 5 1 net_af_packet1,iface=wire net_af_packet2,iface=lo af_packet
[ "$shown" = " tag" ] || fail "net_af_packet shows:$shown; not:$lost"
ok "net_af_packet loses what the manual says:$lost"

shows 5 1 net_pcap1,iface=wire net_pcap2,iface=lo pcap
[ "$lost" = " large in out" ] || fail "net_pcap shows:$shown; not:$lost"
ok "net_pcap loses what the manual says:$lost; it shows:$shown"
