#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# An interface goes down, loses its carrier, is deleted and made again, under ports of three kinds.
# Ports tell so at once; programs hear what stock tcpdump hears on the interface itself; what is sent
# meanwhile is an error and counts as such; standing monitors stay; and each port goes on with the
# new interface by itself, one of our own also when the daemon has dropped its rights.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq ip ethtool ping

netns a
netns b
wire a b
{
	config '{name: npf0, device: "iface:wire", send: true}' \
		'{name: npf1, device: "net_af_packet1,iface=wire", send: true}' \
		'{name: npf2, device: "net_pcap2,iface=wire", send: true}'
	echo "monitors:"
	echo "  - {name: standing, port: npf0, interval: 100ms}"
} >"$tmp/conf.yaml"
start_daemon "$id-a:" -c "$tmp/conf.yaml"
all_ports="npf0 npf1 npf2"

# links WORD...: `link` of each port.
links() {
	[ "$(ctl ports | jq -c '[.ports[].link]')" = "$1" ]
}

declare -A pid
# watch NAME COMMAND...: a tcpdump that prints to NAME.out.
watch() {
	local name=$1
	shift
	: >"$tmp/$name.err" # not what the last one said
	"$@" -nn -l --immediate-mode >"$tmp/$name.out" 2>"$tmp/$name.err" &
	pid[$name]=$!
	add_background
	wait_for 30 grep -q listening "$tmp/$name.err" || fail "$name does not start: $(cat "$tmp/$name.err")"
}

watch_all() {
	local p
	watch stock ip netns exec "$id-a" tcpdump -Z root -i wire
	for p in $all_ports; do
		watch "$p" "$run" tcpdump -i "$p"
	done
}

# all_see N: N pings are in what each prints.
pings_in() {
	[ "$(grep -c 'echo reply' "$tmp/$1.out")" -eq "$2" ]
}
all_see() {
	local p
	for p in stock $all_ports; do
		wait_for 30 pings_in "$p" "$1" || fail "$p sees $(grep -c 'echo reply' "$tmp/$p.out") of $1 replies"
	done
}
ping_b() {
	wait_for 30 on a ping -q -c 1 -W 1 10.76.0.2 || fail "b does not answer"
}

wait_for 30 links '[true,true,true]' || fail "ports are not up: $(ctl ports)"
ping_b
watch_all
on a ping -q -c 2 -i 0.05 10.76.0.2 >/dev/null
all_see 2

# ---- down ----
ip -n "$id-a" link set wire down
links '[false,false,false]' || fail "ports are up on an interface that is down: $(ctl ports)"
ok "the link of each port is down at once"
for p in $all_ports; do
	says "$tmp/daemon.log" "port $p: interface wire is down\$" "the log has it: $p"
done
timeout 20 ip netns exec "$id-a" tcpdump -i wire >"$tmp/said" 2>&1 && fail "stock tcpdump starts"
says "$tmp/said" 'That device is not up' "stock tcpdump does not start there"
timeout 20 "$run" tcpdump -i npf0 >"$tmp/said" 2>&1 && fail "tcpdump starts"
says "$tmp/said" 'That device is not up' "nor does tcpdump on the port"
for p in $all_ports; do
	before=$(ctl stats | jq --arg p $p '.ports[] | select(.name == $p) | .tx_packets')
	timeout 20 "$npfctl" send $p -r "$corpus/dns.pcap" >"$tmp/said" 2>&1 && fail "$p sends"
	grep -q 'network is down' "$tmp/said" || fail "$p: $(cat "$tmp/said")"
	[ "$(ctl stats | jq --arg p $p '.ports[] | select(.name == $p) | .tx_packets')" -eq "$before" ] ||
		fail "$p counts as sent what did not go"
done
ok "what is sent meanwhile fails, and says why"

# ---- up ----
ip -n "$id-a" link set wire up
wait_for 30 links '[true,true,true]' || fail "ports stay down: $(ctl ports)"
ping_b
all_see 3
ok "captures go on when it is up again, as stock tcpdump's does"
# The kernel itself takes its time to tell of a carrier.
ip -n "$id-b" link set wire down
wait_for 30 links '[false,false,false]' || fail "ports are up without a carrier: $(ctl ports)"
ip -n "$id-b" link set wire up
wait_for 30 links '[true,true,true]' || fail "ports stay down: $(ctl ports)"
says "$tmp/daemon.log" 'port npf0: interface wire has no carrier' "a carrier that is lost is told of"

# ---- deleted, and made again ----
# ended NAME: the program has ended as stock tcpdump ends.
ended() {
	local status=0
	wait_gone "${pid[$1]}" 300 || fail "$1 goes on"
	wait "${pid[$1]}" || status=$?
	[ $status -eq 1 ] && grep -q 'pcap_loop: The interface disappeared' "$tmp/$1.err" &&
		grep -q 'packets received by filter' "$tmp/$1.err" || fail "$1: $status: $(cat "$tmp/$1.err")"
}

again() {
	on a ping -q -c 3 -i 0.01 10.76.0.2 >/dev/null
	ip -n "$id-a" link del wire
	for p in stock $all_ports; do
		ended "$p"
	done
	links '[false,false,false]' || fail "ports are up on an interface that is gone: $(ctl ports)"
	timeout 20 "$run" tcpdump -i npf0 >"$tmp/said" 2>&1 && fail "tcpdump starts"
	grep -q 'its interface wire has disappeared' "$tmp/said" || fail "$(cat "$tmp/said")"
	wire a b
}
again
for p in stock $all_ports; do
	[ "$(grep -c 'echo reply' "$tmp/$p.out")" -eq "$(grep -c 'echo reply' "$tmp/stock.out")" ] ||
		fail "$p has not all that came"
done
ok "captures end as stock tcpdump ends when the interface is deleted"
wait_for 30 links '[true,true,true]' || fail "ports do not come back: $(ctl ports)"
[ "$(grep -c 'interface wire is back' "$tmp/daemon.log")" -eq 3 ] || fail "not each port says that it is back"
ping_b
watch_all
on a ping -q -c 2 -i 0.05 10.76.0.2 >/dev/null
all_see 2
"$npfctl" send npf0 -r "$corpus/dns.pcap" >/dev/null || fail "npf0 can't send"
ok "each port goes on with the new interface by itself"
ctl monitor | jq -e '.monitors[0].port == "npf0"' >/dev/null || fail "the monitor is gone: $(ctl monitor)"
stop_daemon

# ---- without rights ----
chmod 777 "$tmp"
sed -i '1s/npf: {/npf: {user: nobody, /' "$tmp/conf.yaml"
start_daemon "$id-a:" -c "$tmp/conf.yaml"
watch_all
again
wait_for 30 links '[true,false,false]' || fail "the port does not come back: $(ctl ports)"
for p in npf1 npf2; do
	says "$tmp/daemon.log" "port $p: interface wire is back, but can't be used: .*restart npf-dpdk" \
		"$p needs rights that the daemon has dropped, and says so"
done
ping_b
watch npf0 "$run" tcpdump -i npf0
on a ping -q -c 2 -i 0.05 10.76.0.2 >/dev/null
wait_for 30 pings_in npf0 2 || fail "npf0 sees nothing"
ok "a port on iface:wire comes back without any rights"
stop_daemon
clean "$tmp/daemon.log"
