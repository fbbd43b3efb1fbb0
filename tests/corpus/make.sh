#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# make.sh - record the savefiles of this directory anew.
#
#   tests/corpus/make.sh [DIRECTORY]     (as root; needs scripts/setup.sh --corpus)
#
# Real programs talk to each other across three network namespaces, a - router - b, joined by veth;
# stock tcpdump records what a's interface sees. Nothing touches the host's own network.
#
# veth never computes a checksum or cuts a segment unless told to, so both are switched on: these
# are packets as a wire would carry them. Only offload.pcap and loopback.pcap are recorded with
# the offloads on, for their 64 KiB "packets" and unfinished checksums, which a capture must
# carry through as well.
#
# The kernel stamps in microseconds here and packets are not cut off; tests make savefiles of other
# kinds themselves.
set -eu

out=$(realpath "${1:-$(dirname "$0")}")
here=$(realpath "$(dirname "$0")")
id=npfc$$
A=$id-a R=$id-r B=$id-b
tmp=$(mktemp -d)
pids=()
cap_pid=

cleanup() {
	local p ns
	for p in $cap_pid "${pids[@]}"; do
		kill "$p" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	for ns in $A $R $B; do
		ip netns del "$ns" 2>/dev/null || true
	done
	rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die() {
	echo "make.sh: $*" >&2
	exit 1
}

on() {
	local ns=$1
	shift
	ip netns exec "$ns" "$@"
}

# serve NAMESPACE PROGRAM...: run in the background until cleanup.
serve() {
	local ns=$1
	shift
	ip netns exec "$ns" "$@" >>"$tmp/serve.log" 2>&1 &
	pids+=($!)
}

# wait_port NAMESPACE PORT: until something listens there.
wait_port() {
	local i
	for i in $(seq 100); do
		on "$1" ss -Hltn "sport = :$2" | grep -q . && return
		sleep 0.1
	done
	die "nothing listens on port $2: $(tail -5 "$tmp/serve.log")"
}

# record NAME [INTERFACE [NAMESPACE]]: begin a savefile.
record() {
	local i
	cap_file=$out/$1.pcap
	ip netns exec "${3:-$A}" tcpdump -Z root -nn -U --immediate-mode -j host --time-stamp-precision micro \
		-s 0 -B 8192 -i "${2:-va}" -w "$cap_file" 2>"$tmp/tcpdump.log" &
	cap_pid=$!
	for i in $(seq 100); do
		grep -q 'listening on' "$tmp/tcpdump.log" && return
		sleep 0.05
	done
	die "tcpdump does not start: $(cat "$tmp/tcpdump.log")"
}

recorded() {
	sleep 0.4
	kill "$cap_pid"
	wait "$cap_pid" || true
	cap_pid=
	grep -q '^0 packets dropped by kernel' "$tmp/tcpdump.log" ||
		die "tcpdump dropped packets: $(cat "$tmp/tcpdump.log")"
	printf '%-16s %5d packets %8d bytes\n' "$(basename "$cap_file")" \
		"$(tcpdump -nn -r "$cap_file" 2>/dev/null | wc -l)" "$(stat -c %s "$cap_file")"
}

mtu() {
	ip -n $A link set va mtu "$1"
	ip -n $R link set ra mtu "$1"
	ip -n $R link set rb mtu "$1"
	ip -n $B link set vb mtu "$1"
}

offloads() {
	local pair
	for pair in $A:va $R:ra $R:rb $B:vb; do
		on "${pair%:*}" ethtool -K "${pair#*:}" rx "$1" tx "$1" sg "$1" tso "$1" gso "$1" \
			gro "$1" >/dev/null 2>&1 || true
	done
}

network() {
	local ns
	for ns in $A $R $B; do
		ip netns add $ns
		ip -n $ns link set lo up
		on $ns sysctl -q -w net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.all.accept_dad=0
	done
	ip -n $A link add va address 02:00:00:00:0a:02 type veth \
		peer name ra netns $R address 02:00:00:00:0a:01
	ip -n $B link add vb address 02:00:00:00:0b:02 type veth \
		peer name rb netns $R address 02:00:00:00:0b:01
	ip -n $A addr add 10.77.1.2/24 dev va
	ip -n $A addr add fd77:1::2/64 dev va nodad
	ip -n $R addr add 10.77.1.1/24 dev ra
	ip -n $R addr add fd77:1::1/64 dev ra nodad
	ip -n $R addr add 10.77.2.1/24 dev rb
	ip -n $R addr add fd77:2::1/64 dev rb nodad
	ip -n $B addr add 10.77.2.2/24 dev vb
	ip -n $B addr add fd77:2::2/64 dev vb nodad
	on $R sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for ns in $A:va $R:ra $R:rb $B:vb; do
		ip -n "${ns%:*}" link set "${ns#*:}" up
	done
	ip -n $A route add default via 10.77.1.1
	ip -n $A -6 route add default via fd77:1::1
	ip -n $B route add default via 10.77.2.1
	ip -n $B -6 route add default via fd77:2::1
	offloads off
	sleep 1
}

servers() {
	mkdir "$tmp/www"
	echo '<html><body><h1>npf-dpdk</h1><img src="noise.bin"></body></html>' >"$tmp/www/index.html"
	head -c 12000 /dev/urandom >"$tmp/www/noise.bin"
	head -c 60000 /dev/urandom >"$tmp/www/big.bin"
	serve $B /usr/bin/python3 -m http.server 80 --bind :: --directory "$tmp/www"

	serve $B dnsmasq --no-daemon --user=root --conf-file=/dev/null --no-resolv --no-hosts \
		--pid-file= --bind-interfaces --interface=vb --local=/test/ \
		--host-record=www.npf.test,10.77.2.2,fd77:2::2 --mx-host=npf.test,mail.npf.test,10 \
		--txt-record=txt.npf.test,"the quick brown fox" \
		--srv-host=_http._tcp.npf.test,www.npf.test,80 \
		--cname=alias.npf.test,www.npf.test $(for i in $(seq 9); do
			echo "--txt-record=long.npf.test,$(printf "%0200d" "$i")"
		done)
	# A DHCP server on a's own link, for the broadcasts.
	serve $R dnsmasq --no-daemon --user=root --conf-file=/dev/null --port=0 --pid-file= \
		--interface=ra --bind-interfaces --dhcp-range=10.77.1.100,10.77.1.150,255.255.255.0 \
		--dhcp-leasefile="$tmp/leases" --dhcp-range=fd77:1::,ra-only --enable-ra

	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -C npf -f "$tmp/hostkey"
	ssh-keygen -q -t ed25519 -N '' -C npf -f "$tmp/key"
	cat >"$tmp/sshd.conf" <<-CONF
		HostKey $tmp/hostkey
		AuthorizedKeysFile $tmp/key.pub
		PidFile none
		StrictModes no
		UsePAM no
		PermitRootLogin yes
	CONF
	serve $B /usr/sbin/sshd -D -f "$tmp/sshd.conf"
	serve $B iperf3 -s
	wait_port $B 80
	wait_port $B 53
	wait_port $B 22
	wait_port $B 5201
}

get() {
	on $A curl -s -g --max-time 10 "$@" >/dev/null
}

web() {
	record web4
	get http://10.77.2.2/ http://10.77.2.2/noise.bin
	get http://10.77.2.2/missing
	get -I http://10.77.2.2/
	get --data 'a=1&b=2' http://10.77.2.2/
	recorded
	record web6
	get 'http://[fd77:2::2]/' 'http://[fd77:2::2]/noise.bin'
	recorded
}

dns() {
	local q
	record dns
	for q in "www.npf.test A" "www.npf.test AAAA" "npf.test MX" "txt.npf.test TXT" \
		"_http._tcp.npf.test SRV" "alias.npf.test A" "nothing.npf.test A" \
		"long.npf.test TXT" "-x 10.77.2.2"; do
		on $A dig +tries=1 +time=2 @10.77.2.2 $q >/dev/null
		on $A dig +tries=1 +time=2 @fd77:2::2 $q >/dev/null
	done
	on $A dig +tcp @10.77.2.2 long.npf.test TXT >/dev/null
	recorded
}

ssh_session() {
	record ssh
	on $A ssh -F none -i "$tmp/key" -o UserKnownHostsFile=/dev/null \
		-o StrictHostKeyChecking=no -o LogLevel=ERROR root@10.77.2.2 'seq 200' >/dev/null
	recorded
}

pings() {
	local s
	ip -n $A neigh flush dev va
	record ping
	for s in 0 1 56 1000 1472; do
		on $A ping -q -c 2 -i 0.05 -s $s 10.77.2.2 >/dev/null
		on $A ping -q -c 2 -i 0.05 -s $s fd77:2::2 >/dev/null || true
	done
	on $A ping -q -c 2 -i 0.05 -R 10.77.2.2 >/dev/null
	on $A ping -q -c 2 -i 0.05 -T tsonly -Q 0x2e 10.77.2.2 >/dev/null
	on $A ping -q -c 1 fe80::ff:fe00:a01%va >/dev/null
	recorded

	record fragments
	on $A ping -q -c 3 -i 0.05 -s 4000 10.77.2.2 >/dev/null
	on $A ping -q -c 3 -i 0.05 -s 4000 fd77:2::2 >/dev/null
	on $A ping -q -c 1 -s 12000 10.77.2.2 >/dev/null
	on $A iperf3 -c 10.77.2.2 -u -l 5000 -b 2M -n 20000 >/dev/null
	recorded
}

jumbo() {
	mtu 9000
	record jumbo
	get http://10.77.2.2/big.bin
	on $A ping -q -c 2 -i 0.05 -s 8900 10.77.2.2 >/dev/null
	on $A ping -q -c 2 -i 0.05 -s 8900 fd77:2::2 >/dev/null
	recorded
	mtu 1500
}

iperf() {
	record iperf3
	on $A iperf3 -c 10.77.2.2 -n 40000 >/dev/null
	on $A iperf3 -c fd77:2::2 -n 20000 -R >/dev/null
	on $A iperf3 -c 10.77.2.2 -u -b 4M -n 10000 >/dev/null
	recorded
}

# Unreachable ports, hosts and networks, expired lifetimes, too large packets.
errors() {
	local t
	ip -n $A neigh flush dev va
	ip -n $R route add unreachable 10.99.0.0/16
	ip -n $R -6 route add unreachable fd99::/16
	on $R sysctl -q -w net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
	record errors
	on $A dig +tries=1 +time=1 -p 9 @10.77.2.2 x.test >/dev/null || true
	on $A dig +tries=1 +time=1 -p 9 @fd77:2::2 x.test >/dev/null || true
	for t in 1 2; do
		on $A ping -q -c 1 -W 1 -t $t 10.77.2.2 >/dev/null || true
		on $A ping -q -c 1 -W 1 -t $t fd77:2::2 >/dev/null || true
	done
	on $A ping -q -c 1 -W 1 10.99.0.1 >/dev/null || true
	on $A ping -q -c 1 -W 1 fd99::1 >/dev/null || true
	on $A ping -q -c 2 -W 1 -i 0.2 10.77.1.77 >/dev/null || true # nobody answers this ARP
	get http://10.77.2.2:81/ || true                            # nobody listens: RST
	ip -n $R link set rb mtu 1280
	on $A ping -q -c 2 -W 1 -i 0.2 -M do -s 1400 10.77.2.2 >/dev/null || true
	on $A ping -q -c 2 -W 1 -i 0.2 -M do -s 1400 fd77:2::2 >/dev/null || true
	ip -n $R link set rb mtu 1500
	recorded
	ip -n $A route flush cache
	ip -n $A -6 route flush cache
}

scan() {
	record scan
	on $A nmap -n -sS -sU -p T:21-23,80,U:53,69 -Pn 10.77.2.2 >/dev/null
	on $A nmap -n -sX -p 22,81 -Pn 10.77.2.2 >/dev/null
	on $A nmap -n -6 -sS -p 79-80 -Pn fd77:2::2 >/dev/null
	on $A nmap -n -O -p 80,81 -Pn --max-os-tries 1 10.77.2.2 >/dev/null
	on $A nmap -n -sO -p 1,6,17,132 -Pn 10.77.2.2 >/dev/null
	recorded
}

multicast() {
	record multicast
	on $A ping -q -c 2 -i 0.2 -b 10.77.1.255 >/dev/null 2>&1 || true
	on $A ping -q -c 2 -i 0.2 ff02::1%va >/dev/null
	on $A nmap -n -e va --script broadcast-dhcp-discover >/dev/null 2>&1
	on $A /usr/bin/python3 - <<-'PY'
		import socket, time
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("", 5353))
		s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
		             socket.inet_aton("224.0.0.251") + socket.inet_aton("10.77.1.2"))
		s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
		s.sendto(bytes.fromhex("000000000001000000000000055f68747470045f746370056c6f63616c00000c0001"),
		         ("224.0.0.251", 5353))
		time.sleep(0.5)
	PY
	# A bridge that speaks spanning tree: IEEE 802.3 frames with LLC.
	ip -n $R link add br0 type bridge stp_state 1 hello_time 100 forward_delay 200
	ip -n $R link set ra master br0
	ip -n $R link set br0 up
	sleep 3
	ip -n $R link del br0
	sleep 1
	recorded
}

vxlan() {
	ip -n $A link add vx type vxlan id 77 dstport 4789 remote 10.77.2.2 local 10.77.1.2
	ip -n $B link add vx type vxlan id 77 dstport 4789 remote 10.77.1.2 local 10.77.2.2
	ip -n $A addr add 10.78.0.1/24 dev vx
	ip -n $B addr add 10.78.0.2/24 dev vx
	ip -n $A link set vx up
	ip -n $B link set vx up
	record vxlan
	on $A ping -q -c 2 -i 0.1 10.78.0.2 >/dev/null
	get http://10.78.0.2/
	recorded
	ip -n $A link del vx
	ip -n $B link del vx
}

# VLANs without the kernel's help, which not every kernel has: a and b each get a TAP, and a small
# switch in the router's namespace carries their frames over a trunk, tagging and untagging.
vlan() {
	local tags
	ip -n $R link add t0 type veth peer name t1
	on $R ethtool -K t0 rxvlan off txvlan off rx off tx off tso off gso off gro off \
		>/dev/null 2>&1 || true
	on $R sysctl -q -w net.ipv6.conf.t0.disable_ipv6=1 net.ipv6.conf.t1.disable_ipv6=1
	ip -n $R link set t0 up
	ip -n $R link set t1 up
	record vlan t0 $R
	for tags in 100 88a8:7,200 4094; do
		ip netns exec $R /usr/bin/python3 "$here/trunk.py" $A $B t0 t1 $tags >>"$tmp/serve.log" 2>&1 &
		local sw=$!
		pids+=($sw)
		sleep 0.7
		ip -n $A addr add 10.79.0.1/24 dev trunk
		ip -n $B addr add 10.79.0.2/24 dev trunk
		ip -n $A addr add fd79::1/64 dev trunk nodad
		ip -n $B addr add fd79::2/64 dev trunk nodad
		ip -n $A link set trunk mtu 1480 up
		ip -n $B link set trunk mtu 1480 up
		sleep 0.2
		on $A ping -q -c 2 -i 0.1 10.79.0.2 >/dev/null
		on $A ping -q -c 2 -i 0.1 fd79::2 >/dev/null
		get http://10.79.0.2/
		kill $sw
		wait $sw || true
	done
	recorded
	ip -n $R link del t0
}

offload() {
	offloads on
	record offload
	get http://10.77.2.2/big.bin
	on $A iperf3 -c 10.77.2.2 -n 60000 >/dev/null
	recorded
	offloads off

	record loopback lo $B
	on $B curl -s -g http://127.0.0.1/big.bin 'http://[::1]/' >/dev/null
	recorded
}

[ "$(id -u)" -eq 0 ] || die "needs root, for network namespaces"
network
servers
web
dns
ssh_session
pings
jumbo
iperf
errors
scan
multicast
vxlan
vlan
offload
