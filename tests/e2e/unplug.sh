#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A port is removed while everybody works on it: captures, monitors and dumps have all that came
# until then, the same number each, and are told why they end; of what was sent, the count is what
# left the port; and another port's capture loses nothing meanwhile.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq ip ethtool python3
unplug=$NPF_CLIENTS/tests/e2e/unplug
netns a
netns b
netns c
wire a b
ip -n "$id-a" link add wire2 type veth peer name wire netns "$id-c"
on a sysctl -q -w net.ipv6.conf.wire2.disable_ipv6=1
on c sysctl -q -w net.ipv6.conf.wire.disable_ipv6=1
ip -n "$id-a" link set wire2 up
ip -n "$id-c" link set wire up

# stream NAMESPACE RATE FILE: numbered frames until SIGTERM; their number is written to the file.
stream() {
	ip netns exec "$id-$1" python3 - "$2" "$3" <<-'EOF2' &
		import signal, socket, struct, sys, time
		rate, path = int(sys.argv[1]), sys.argv[2]
		going = True
		def stop(*_):
		    global going
		    going = False
		signal.signal(signal.SIGTERM, stop)
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind(("wire", 0))
		head = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5])
		n, start = 0, time.monotonic()
		while going:
		    due = int((time.monotonic() - start) * rate)
		    while n < min(due, n + 100):
		        s.send(head + struct.pack(">Q", n).ljust(100, b"x"))
		        n += 1
		    time.sleep(0.001)
		open(path, "w").write(f"{n}\n")
	EOF2
	add_background
}

# in_order FILE N: it holds frames 0 to N - 1 of a stream.
in_order() {
	"$NPF_SRC/tests/e2e/packets.py" "$1" | cut -d ' ' -f 3 | cut -c 29-44 >"$tmp/numbers"
	seq 0 $(($2 - 1)) | awk '{ printf "%016x\n", $1 }' | cmp -s - "$tmp/numbers" ||
		fail "$(basename "$1") has not the packets 0 to $2 in order"
}

mkdir "$tmp/st"
{
	# Room for seconds, as what else runs takes the CPU from a tap on a small machine.
	config "{name: npf0, device: \"net_af_packet0,iface=wire2,framesz=2048,blocksz=65536,framecnt=8192\"}" \
		"{name: npf1, device: \"net_af_packet1,iface=wire,framesz=2048,blocksz=65536,framecnt=32768\"}" \
		"{name: npf2, device: \"net_pcap2,iface=wire\", send: true}"
	echo "monitors:"
	echo "  - {name: standing, port: npf1, interval: 70ms, file: $tmp/st/standing.json}"
	echo "dumps:"
	echo "  - {name: standing, port: npf1, file: \"$tmp/standing-%N.pcapng\", format: pcapng}"
} >"$tmp/conf.yaml"
start_daemon "$id-a:" -c "$tmp/conf.yaml"

# ---- the other port, all the time ----
"$run" tcpdump -nn -U -i npf0 -w "$tmp/other.pcap" 2>"$tmp/other.err" &
other=$!
add_background
wait_for 30 grep -q listening "$tmp/other.err" || fail "tcpdump does not start"
stream c 3000 "$tmp/other.n"
other_stream=$!

# ---- readers ----
declare -A pid
start() {
	local name=$1
	shift
	"$@" >"$tmp/$name.out" 2>"$tmp/$name.err" &
	pid[$name]=$!
	add_background
}

start tcpdump "$run" tcpdump -nn -U -i npf1 -w "$tmp/got.pcap"
for work in capture poll stat; do
	start $work "$run" "$unplug" $work npf1
done
start live-dump "$run" "$unplug" dump npf1 "$tmp/live-dump.pcap"
start monitor "$npfctl" monitor npf1 -i 30ms --json
"$npfctl" dump start npf1 -n asked -w "$tmp/asked.pcap" >/dev/null || fail "no dump"
wait_for 30 has_sessions 7 || fail "not all sessions are there: $(ctl sessions)"
works() {
	[ "$(ctl sessions | jq '[.sessions[] | select(.mode == "monitor")] | length')" -eq 2 ]
}
has_dumps() {
	[ "$(ctl dump list | jq '[.dumps[] | select(.state == "running")] | length')" -eq 3 ]
}
wait_for 30 has_dumps || fail "not all dumps are there: $(ctl dump list)"
wait_for 30 works || fail "not all monitors are there"
stream b 10000 "$tmp/n"
stream=$!
has_many() {
	[ "$(jq -s 'map(.packets) | add' "$tmp/st/standing.json")" -gt 6000 ]
}
wait_for 30 has_many || fail "the standing monitor does not count"
timeout 40 "$npfctl" --json port del npf1 >"$tmp/del" || fail "npfctl port del"
jq -e '.sessions == 6 and .monitors == 1 and .dumps == 3' "$tmp/del" >/dev/null ||
	fail "what has ended: $(cat "$tmp/del")"
ok "the daemon says what has ended"
[ -s "$tmp/asked.pcap" ] && [ ! -e "$tmp/asked.pcap.part" ] || fail "the dump is not whole yet"

# ended NAME STATUS PATTERN
ended() {
	local status=0
	wait_gone "${pid[$1]}" 300 || fail "$1 goes on"
	wait "${pid[$1]}" || status=$?
	clean "$tmp/$1.err"
	cat "$tmp/$1.out" "$tmp/$1.err" >"$tmp/said"
	[ $status -eq "$2" ] || {
		cat "$tmp/said"
		fail "$1: exit status $status"
	}
	says "$tmp/said" "$3" "$1 is told why it ends"
}

ended tcpdump 1 'port npf1 was removed'
for work in capture poll stat live-dump; do
	ended $work 0 'port npf1 was removed'
done
ended monitor 1 'port npf1 was removed'
n=$(packets_of "$tmp/got.pcap")
[ "$n" -gt 5000 ] || fail "only $n packets"
says "$tmp/tcpdump.err" "^$n packets received by filter" "its counters stay: $n packets"
declare -A counts
for work in capture poll stat; do
	counts[$work]=$(awk '{ print $1 }' "$tmp/$work.out")
done
counts[monitor]=$(jq -s 'map(.rows[0].packets) | add' "$tmp/monitor.out")
counts[standing monitor]=$(jq -s 'map(.packets) | add' "$tmp/st/standing.json")
counts[pcap_live_dump]=$(packets_of "$tmp/live-dump.pcap")
counts[dump asked for]=$(packets_of "$tmp/asked.pcap")
counts[standing dump]=$(packets_of "$(ls "$tmp"/standing-*.pcapng)")
for who in "${!counts[@]}"; do
	[ "${counts[$who]}" = "$n" ] || fail "tcpdump got $n packets, $who ${counts[$who]}"
done
in_order "$tmp/got.pcap" "$n"
ok "three captures, three monitors and three dumps: the same $n packets, without a gap, to the last"
wait_for 30 has_sessions 1 || fail "a session stays: $(ctl sessions)"

# ---- the name comes again ----
mv "$tmp/st" "$tmp/away"
timeout 30 "$npfctl" port add npf1 net_af_packet1,iface=wire >"$tmp/said" 2>&1 &&
	fail "a port is added without its monitor"
says "$tmp/said" "monitor standing: can't write to" "what must begin with a port and can't is an error"
[ "$(ctl ports | jq -c '[.ports[].name]')" = '["npf0","npf2"]' ] || fail "half a port stays"
mv "$tmp/away" "$tmp/st"
timeout 30 "$npfctl" port add npf1 net_af_packet1,iface=wire >/dev/null || fail "npfctl port add"
"$npfctl" monitor --json | jq -e '.monitors | length == 1 and .[0].port == "npf1"' >/dev/null ||
	fail "the standing monitor does not begin again"
ctl dump list | jq -e '[.dumps[] | select(.name == "standing" and .state == "running")] | length == 1' \
	>/dev/null || fail "the standing dump does not begin again: $(ctl dump list)"
ok "what the configuration has for a port of that name begins again"
has_more() {
	[ "$(jq -s 'map(.packets) | add' "$tmp/st/standing.json")" -gt $((n + 100)) ]
}
wait_for 30 has_more || fail "the standing monitor counts nothing"
kill $stream
wait $stream || true
timeout 40 "$npfctl" port del npf1 >/dev/null || fail "npfctl port del"

# ---- senders ----
# What the far end of the wire got, and what the kernel dropped on its way there.
left() {
	echo $(($(on b cat /sys/class/net/wire/statistics/rx_packets) +
		$(on a cat /sys/class/net/wire/statistics/tx_dropped)))
}
before=$(left)
start asap "$npfctl" send npf2 -r "$corpus/dns.pcap" --loop 0 --json
start timed "$npfctl" send npf2 -r "$corpus/dns.pcap" --loop 0 --rate 5kpps --json
start inject "$run" "$unplug" inject npf2
start queue "$run" "$unplug" queue npf2
all_send() {
	[ "$(ctl sessions | jq '[.sessions[] | select(.port == "npf2" and .sent > 10)] | length')" -eq 4 ]
}
wait_for 60 all_send || fail "not all are sending: $(tail -n +1 "$tmp"/{asap,timed,inject,queue}.{out,err}) $(ctl sessions)"
timeout 40 "$npfctl" port del npf2 >"$tmp/said" || fail "npfctl port del"
says "$tmp/said" '^npf2 removed; with it ended: 4 sessions, 0 monitors, 0 dumps, 0 sends$' "a port is removed under four senders"
for work in asap timed; do
	ended $work 1 'was not sent: the port was removed'
done
for work in inject queue; do
	ended $work 0 'port npf2 was removed'
done
sum=0
for work in asap timed inject queue; do
	case $work in
	asap | timed) k=$(jq .packets "$tmp/$work.out") ;;
	*) k=$(awk '{ print $1 }' "$tmp/$work.out") ;;
	esac
	sum=$((sum + k))
	echo "$work: $k packets"
done
[ $(($(left) - before)) -eq $sum ] ||
	fail "they say that they sent $sum packets, $(($(left) - before)) left"
ok "what they say that they sent left the port: $sum packets"

# ---- rounds, for the other port's sake ----
for i in 1 2 3 4 5 6 7 8; do
	timeout 30 "$npfctl" port add npf3 "net_af_packet3,iface=wire" >/dev/null || fail "round $i"
	timeout 30 "$npfctl" port del npf3 >/dev/null || fail "round $i"
done
kill $other_stream
wait $other_stream || true
sent=$(cat "$tmp/other.n")
has_all() {
	[ "$(packets_of "$tmp/other.pcap")" -eq "$sent" ]
}
wait_for 30 has_all || fail "the other port's capture has $(packets_of "$tmp/other.pcap") of $sent packets"
kill $other
wait $other || true
in_order "$tmp/other.pcap" "$sent"
ok "the other port has lost nothing of $sent packets"
stop_daemon
clean "$tmp/daemon.log"
