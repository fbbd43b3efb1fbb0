#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Trouble, one clear error for each: devices that are not there, two daemons on one socket, a dead
# daemon's socket, no permission, an unknown port, no daemon, a daemon that hangs, and a daemon that
# dies while clients capture.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq setpriv python3 strace
install_clients
file=$corpus/web4.pcap

# refuses STATUS SECONDS PATTERN SENTENCE COMMAND...: it ends in time with that status and text.
refuses() {
	local want=$1 seconds=$2 pattern=$3 sentence=$4 status=0
	shift 4
	timeout -k 2 "$seconds" "$@" >"$tmp/said" 2>&1 || status=$?
	clean "$tmp/said"
	[ $status -eq "$want" ] || {
		cat "$tmp/said"
		fail "$sentence: exit status $status, not $want"
	}
	grep -qE -- "$pattern" "$tmp/said" || {
		cat "$tmp/said"
		fail "$sentence: no word of /$pattern/"
	}
	ok "$sentence: $(grep -E -- "$pattern" "$tmp/said" | tail -n 1 | cut -c 1-160)"
}

# ---- no daemon ----
refuses 1 5 "npf-dpdk.*(running|start)" "npfctl without a daemon" "$npfctl" status
refuses 1 5 "npf-dpdk.*(running|start)" "tcpdump -i npf0 without a daemon" \
	"$run" tcpdump -nn -i npf0 -c 1
refuses 0 5 "lo" "tcpdump -D without a daemon still lists the kernel's interfaces" "$run" tcpdump -D

# ---- devices ----
for device in net_bogus0 net_af_packet0,iface=nosuchiface net_af_packet0 \
	net_pcap0,rx_iface=nosuchiface; do
	refuses 1 20 "no such device.*${device%%,*}" "$device" "$dpdk" --vdev "$device"
	[ ! -e "$NPF_SOCKET" ] || fail "a daemon that did not start left its socket"
done
config '{name: npf0, device: "0000:ff:1f.7"}' >"$tmp/pci.yaml"
refuses 1 20 "npf0.*ff:1f.7" "a PCI device that is not there" "$dpdk" -c "$tmp/pci.yaml"
config '{name: npf0, device: "net_null0"}' | sed 's/memory: 96/memory: 96, lcores: "0@99"/' \
	>"$tmp/lcore.yaml"
refuses 1 20 "eal.lcores" "an lcore on a CPU that is not there" "$dpdk" -c "$tmp/lcore.yaml"
config '{name: npf0, device: "net_null0"}' | sed 's/memory: 96/memory: 1000000, hugepages: on/' \
	>"$tmp/huge.yaml"
refuses 1 20 "hugepages" "more hugepages than there are" "$dpdk" -c "$tmp/huge.yaml"
config '{name: npf0, device: "net_null0"}' | sed 's/group: any/group: nosuchgroup/' >"$tmp/group.yaml"
refuses 1 20 "nosuchgroup" "a group that does not exist" "$dpdk" -c "$tmp/group.yaml"
config '{name: npf0, device: "net_null0"}' | sed 's/group: any/user: nosuchuser/' >"$tmp/user.yaml"
refuses 1 20 "nosuchuser" "a user who does not exist" "$dpdk" -c "$tmp/user.yaml"

# ---- the socket ----
config "$(replay npf0 "$file")" >"$tmp/conf.yaml"
echo precious >"$NPF_SOCKET"
refuses 1 20 "not a socket" "a file where the socket should be" "$dpdk" -c "$tmp/conf.yaml"
[ "$(cat "$NPF_SOCKET")" = precious ] || fail "the file was touched"
rm "$NPF_SOCKET"
start_daemon -c "$tmp/conf.yaml"
refuses 1 20 "another npf-dpdk serves" "a second daemon on one socket" "$dpdk" -c "$tmp/conf.yaml"
"$npfctl" status >/dev/null || fail "the first daemon does not serve any more"
kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
[ -S "$NPF_SOCKET" ] || fail "the dead daemon's socket should still be there"
refuses 1 5 "npf-dpdk.*(running|start)" "npfctl on a dead daemon's socket" "$npfctl" status
start_daemon -c "$tmp/conf.yaml"
ok "a dead daemon's socket is taken over"
refuses 1 5 "npf9" "tcpdump on an unknown port" "$run" tcpdump -nn -i npf9 -c 1
refuses 1 5 "syntax error|parse" "a filter that is no filter" \
	"$run" tcpdump -nn -i npf0 -c 1 tcp prot 80
refuses 0 10 "77 packets captured" "a buffer of 1 KiB is as large as the smallest there is" \
	"$run" tcpdump -nn -B 1 -i npf0 -c 77 -w /dev/null
refuses 1 5 "out of file descriptors.*ulimit -n" "tcpdump with too few descriptors" \
	"$run" bash -c 'ulimit -n 7; exec tcpdump -nn -i npf0 -c 1'
refuses 2 5 "usage" "npfctl with an unknown command" "$npfctl" surprise
stop_daemon

# ---- permission ----
config "$(replay npf0 "$file")" | sed 's/group: any/group: daemon/' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
refuses 1 5 "[Pp]ermission|may not|group" "tcpdump of a user outside the group" \
	"${as_nobody[@]}" "$urun" tcpdump -nn -i npf0 -c 1
refuses 1 5 "[Pp]ermission|may not|group" "npfctl of a user outside the group" \
	"${as_nobody[@]}" "$unpfctl" status
refuses 0 10 "77 packets captured" "tcpdump of a user inside the group" \
	setpriv --reuid=nobody --regid=nogroup --groups=daemon "$urun" tcpdump -nn -i npf0 -c 77 \
	-w /dev/null
stop_daemon
config "$(replay npf0 "$file" | sed 's/}$/, allow: ["user:daemon"]}/')" \
	"$(replay npf1 "$file" | sed 's/send: true/send: false/')" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
refuses 1 5 "npf0.*allow|allow.*npf0" "tcpdump of a user whom the port does not allow" \
	"${as_nobody[@]}" "$urun" tcpdump -nn -i npf0 -c 1
refuses 0 10 "77 packets captured" "tcpdump of the same user on another port" \
	"${as_nobody[@]}" "$urun" tcpdump -nn -i npf1 -c 77 -w /dev/null
stop_daemon

# ---- a daemon that dies while a client captures ----
config "$(replay npf0 "$file")" "$(replay npf1 "$corpus/dns.pcap")" >"$tmp/conf.yaml"

# dies SIGNAL SENTENCE
dies() {
	local status=0 started
	start_daemon -c "$tmp/conf.yaml"
	rm -f "$tmp/err"
	"$run" tcpdump -nn -U -i npf0 -w "$tmp/got.pcap" 2>"$tmp/err" &
	local client=$!
	add_background
	wait_for 30 grep -q listening "$tmp/err" || fail "tcpdump does not start"
	wait_for 30 received_all || fail "the replay does not end"
	kill "-$1" "$daemon"
	started=$(date +%s%N)
	wait_gone $client 300 || fail "$2: tcpdump goes on"
	local ms=$((($(date +%s%N) - started) / 1000000))
	wait $client || status=$?
	[ $status -eq 1 ] || fail "$2: tcpdump's exit status is $status"
	grep -E 'npf-dpdk' "$tmp/err" >"$tmp/said" || {
		cat "$tmp/err"
		fail "$2: tcpdump does not say why it ends"
	}
	[ $ms -lt 1500 ] || fail "$2: it took $ms ms"
	ok "$2: $(cat "$tmp/said") ($ms ms)"
	tcpdump -nn -tt -e -v -r "$file" >"$tmp/expected" 2>/dev/null
	tcpdump -nn -tt -e -v -r "$tmp/got.pcap" >"$tmp/got" 2>/dev/null
	same "$tmp/expected" "$tmp/got" "$2: all that was captured is delivered first"
	wait "$daemon" 2>/dev/null || true
	daemon=
}

received_all() {
	[ "$(ctl ports | jq '.ports[0].rx_packets')" -eq 77 ]
}

dies KILL "the daemon is killed during a capture"
rm -f "$NPF_SOCKET"
dies TERM "the daemon is stopped during a capture"

# ---- a daemon that hangs ----
start_daemon -c "$tmp/conf.yaml"
kill -STOP "$daemon"
refuses 1 8 "answer|hung|respon" "npfctl when the daemon hangs" "$npfctl" status
refuses 1 8 "answer|hung|respon" "tcpdump when the daemon hangs" "$run" tcpdump -nn -i npf0 -c 1
kill -CONT "$daemon"
wait_for 30 has_sessions 0 || fail "clients that gave up left sessions"
ok "the daemon goes on, with nothing left of those who gave up"
stop_daemon
clean "$tmp/daemon.log"

# ---- hugepages that another process takes between the daemon's look and the EAL's ----
memory=32 config "{name: npf0, device: net_null0}" >"$tmp/taken.yaml"
strace -f -o /dev/null -e trace=ftruncate,fallocate -e inject=ftruncate,fallocate:error=ENOSPC \
	"$dpdk" -c "$tmp/taken.yaml" >/dev/null 2>"$tmp/taken.log" &
tracer=$!
add_background
wait_for 60 grep -q 'npf-dpdk: ready' "$tmp/taken.log" || fail "the daemon does not start: $(cat "$tmp/taken.log")"
kill -TERM "$(ctl status | jq .pid)"
wait_gone $tracer 300 || fail "the daemon does not stop"
if grep -q 'hugepages are free, ' "$tmp/taken.log"; then
	ok "no hugepages were free from the beginning"
else
	says "$tmp/taken.log" 'DPDK can.t have the hugepages that were free a moment ago: starting again on ordinary pages' \
		"hugepages that are gone when the EAL wants them are done without"
fi
