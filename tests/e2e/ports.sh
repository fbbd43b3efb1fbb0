#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Ports come and go while the daemon runs: an added one is like any other, what can't be added gets
# one clear error, and 50 rounds of adding and removing leave nothing behind.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq ip ethtool setpriv nping
install_clients
netns a
netns b
wire a b
file=$corpus/web4.pcap
n=$(packets_of "$file")

config '{name: npf0, device: "net_null0,no-rx=1"}' >"$tmp/conf.yaml"
start_daemon "$id-a:" -c "$tmp/conf.yaml"

port() {
	timeout 30 "$npfctl" port "$@" 2>&1
}

# refused STATUS PATTERN SENTENCE ARG...: npfctl port says no.
refused() {
	local want=$1 pattern=$2 sentence=$3 status=0
	shift 3
	port "$@" >"$tmp/said" || status=$?
	clean "$tmp/said"
	[ $status -eq "$want" ] || {
		cat "$tmp/said"
		fail "$sentence: exit status $status, not $want"
	}
	says "$tmp/said" "$pattern" "$sentence"
}

# ---- what can't be added ----
refused 1 'there is a port npf0 already' "a name that is taken" add npf0 net_null1
refused 1 '"net_null0" is already used by port npf0' "a device that is taken" add npf1 net_null0
refused 1 'name: "np f"' "a name with a blank" add "np f" net_null1
refused 1 'name: "lo"' "a name of the kernel's" add lo net_null1
refused 1 'name: "" ' "no name" add "" net_null1
refused 1 'name: "npf0123456789012"' "a long name" add npf0123456789012 net_null1
refused 1 'device: "eth7"' "a device that is none" add npf1 eth7
refused 1 'npf1: /nonexistent: No such file' "a file that is not there" \
	add npf1 net_pcap1,rx_pcap=/nonexistent
refused 1 'no such device.*net_af_packet1' "an interface that is not there" \
	add npf1 net_af_packet1,iface=nosuchiface
refused 1 'no such device.*net_bogus1' "a driver that is not there" add npf1 net_bogus1
refused 1 'without PCI' "a PCI device, to a daemon without PCI" add npf1 0000:ff:1f.7
refused 1 'rx_queues: 40' "too many queues" add npf1 net_null1 --rx-queues 40
refused 1 'allow\[1\]: "everybody"' "a rule that is none" add npf1 net_null1 --allow any --allow everybody
refused 1 'shadow: it needs' "a shadow without send" add npf1 net_null1 --shadow
refused 2 'usage' "a start that is none" add npf1 net_null1 --start soon
refused 2 'usage' "a switch that is none" add npf1 net_null1 --send=perhaps
refused 2 'usage' "no device" add npf1
refused 2 'usage' "settings for a removal" del npf0 --send
refused 2 'usage' "another command" move npf0
refused 1 'there is no port npf1' "removing a port that is not there" del npf1
"${as_nobody[@]}" "$unpfctl" port add npf1 net_null1 >"$tmp/said" 2>&1 && fail "anybody may add a port"
says "$tmp/said" "only root and the daemon's own user" "adding a port is not for everybody"
"${as_nobody[@]}" "$unpfctl" port del npf0 >"$tmp/said" 2>&1 && fail "anybody may remove a port"
says "$tmp/said" "only root and the daemon's own user" "nor is removing one"
[ "$(ctl ports | jq -c '[.ports[].name]')" = '["npf0"]' ] || fail "a refused port is there"
ok "nothing has come of all that"

# ---- an added port's life ----
port add npf1 "net_pcap1,rx_pcap=$file" --start attach --overflow=wait --rx-desc 512 --mtu 1400 \
	--promiscuous=no --allow user:root --allow user:daemon >"$tmp/said" || fail "$(cat "$tmp/said")"
says "$tmp/said" '^npf1 added: net_pcap, MTU 1400$' "a port is added"
ctl ports | jq -e '.ports[1] | .name == "npf1" and .state == "waiting" and .start == "attach" and
	.overflow == "wait" and .mtu == 1400 and (.send | not) and (.promiscuous | not)' >/dev/null ||
	fail "npfctl ports: $(ctl ports)"
ok "npfctl ports shows it with its settings"
[ "$(ctl status | jq .ports)" -eq 2 ] || fail "npfctl status does not count it"
"$run" tcpdump -D >"$tmp/list" 2>/dev/null
says "$tmp/list" 'npf1 ' "pcap_findalldevs() has it"
"$run" tcpdump -nn -tt -i npf1 -c "$n" >"$tmp/got" 2>/dev/null || fail "tcpdump on an added port"
tcpdump -nn -tt -r "$file" >"$tmp/expected" 2>/dev/null
same "$tmp/expected" "$tmp/got" "a replay on it is complete"
"${as_nobody[@]}" "$urun" tcpdump -i npf1 -c 1 >"$tmp/said" 2>&1 && fail "its allow list is not heeded"
says "$tmp/said" 'may not use port npf1' "its allow list is heeded"
wait_for 30 has_sessions 0 || fail "a session stays"

# Live, with a shadow.
port add npf2 net_af_packet2,iface=wire --send --shadow >"$tmp/said" || fail "$(cat "$tmp/said")"
on a test -e /sys/class/net/npf2 || fail "its shadow interface is not there"
mac=$(ip -n "$id-b" -j link show wire | jq -r '.[0].address')
ip -n "$id-a" addr flush dev wire
ip -n "$id-a" addr add 10.76.0.1/24 dev npf2
"$run" tcpdump -nn -i npf2 -w "$tmp/live.pcap" -c 6 icmp 2>"$tmp/err" &
add_background
client=$!
wait_for 30 grep -q listening "$tmp/err" || fail "tcpdump does not start: $(cat "$tmp/err")"
on a ping -q -n -c 3 -i 0.05 10.76.0.2 >"$tmp/said" || fail "no ping through the shadow: $(cat "$tmp/said")"
wait_gone "$client" 300 || fail "tcpdump has not seen the ping: $(cat "$tmp/err")"
[ "$(packets_of "$tmp/live.pcap" icmp)" -eq 6 ] || fail "the ping is not in the capture"
ok "live traffic and the shadow interface work on an added port ($mac answers)"
port del npf2 >"$tmp/said" || fail "$(cat "$tmp/said")"
says "$tmp/said" '^npf2 removed; with it ended: 0 sessions' "it is removed"
on a test -e /sys/class/net/npf2 && fail "its shadow interface stays"
[ "$(ctl ports | jq -c '[.ports[].name]')" = '["npf0","npf1"]' ] || fail "the port stays"
"$run" tcpdump -i npf2 -c 1 >"$tmp/said" 2>&1 && fail "a removed port can be captured from"
says "$tmp/said" 'no port npf2|No such device' "a removed port is none"
port del npf1 >/dev/null

# The indices of ports that were are not given again.
port --json add npf1 net_null1 >"$tmp/one"
port del npf1 >/dev/null
port --json add npf1 net_null1 >"$tmp/two"
[ "$(jq .index "$tmp/one")" -lt "$(jq .index "$tmp/two")" ] || fail "an index was given twice"
ok "a port of the same name is another port"
port --json del npf1 >"$tmp/said"
jq -e '. == {"name": "npf1", "sessions": 0, "monitors": 0, "dumps": 0, "sends": 0}' "$tmp/said" >/dev/null ||
	fail "npfctl --json port del: $(cat "$tmp/said")"

# ---- 50 rounds ----
rounds() {
	local i device
	for ((i = 0; i < $1; i++)); do
		case $((i % 3)) in
		0) device=net_null1,copy=1 ;;
		1) device=net_af_packet1,iface=wire ;;
		2) device=net_pcap1,iface=wire ;;
		esac
		port add npf1 "$device" --send >"$tmp/said" || fail "round $i: $(cat "$tmp/said")"
		[ $((i % 5)) -ne 0 ] || "$npfctl" monitor npf1 -i 1ms -n 2 >/dev/null ||
			fail "round $i: no monitor"
		port del npf1 >"$tmp/said" || fail "round $i: $(cat "$tmp/said")"
	done
}

memory() {
	awk '/^Rss:|^Private_Hugetlb:|^Shared_Hugetlb:/ { n += $2 } END { print n }' \
		"/proc/$daemon/smaps_rollup"
}

costs_nothing_more() {
	[ "$(daemon_fds) $(daemon_maps)" = "$costs" ]
}

rounds 6
wait_for 30 has_sessions 0 || fail "a session stays"
note_costs
before=$(memory)
rounds 50
wait_for 30 has_sessions 0 || fail "a session stays"
wait_for 30 costs_nothing_more || fail "descriptors and mappings were $costs, are $(daemon_fds) $(daemon_maps)"
after=$(memory)
# What an allocator keeps varies by some pages; a pool of one port takes 11 MiB. A sanitizer keeps
# what was freed in quarantine, and looks for leaks at the end.
grep -q libasan "/proc/$daemon/maps" || [ $((after - before)) -lt 2048 ] ||
	fail "50 rounds took $((after - before)) KiB"
ok "50 rounds of adding and removing leave nothing behind ($((after - before)) KiB)"
stop_daemon
clean "$tmp/daemon.log"

# ---- after the rights are gone ----
sed 's/group: any/group: any, user: nobody/' "$tmp/conf.yaml" >"$tmp/user.yaml"
chown nobody "$tmp" # the socket is to be removed at the end
start_daemon "$id-a:" -c "$tmp/user.yaml"
refused 1 'no such device.*may user [1-9].*AF_PACKET' "a device for which rights are missing" \
	add npf1 net_af_packet1,iface=wire
port add npf1 net_null1 >"$tmp/said" || fail "$(cat "$tmp/said")"
ok "a device that needs no rights can be added without any"
refused 1 'shadow interface: can.t make it' "a shadow for which rights are missing" \
	add npf2 net_null2 --send --shadow
[ "$(ctl ports | jq -c '[.ports[].name]')" = '["npf0","npf1"]' ] || fail "half a port stays"
"${as_nobody[@]}" "$unpfctl" port del npf1 >"$tmp/said" 2>&1 || fail "$(cat "$tmp/said")"
ok "the daemon's own user may remove it"
stop_daemon
clean "$tmp/daemon.log"
