#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What npfctl and npf-txgen paint on a terminal stays in its place, however narrow, low or resized
# that is: one table with a row for each filter or port, one line of progress. Without a terminal
# nothing is painted.
. "$(dirname "$0")/../lib.sh"
need_root
need tmux tcpdump jq python3

# Four packets, to be repeated; the load of a CPU for a second makes numbers long.
python3 - "$tmp/four.pcap" <<'PY'
import struct, sys
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for i in range(4):
        f.write(struct.pack("<IIII", i, 0, 64, 64) + bytes(64))
PY
config "{name: npf0, device: \"net_null0,no-rx=1\", send: true}" \
	"{name: npf1, device: \"net_ring0\", send: true}" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

n_terminals=0
tm() {
	tmux -S "$tmp/tmux$n_terminals" "$@"
}

# A command starts on a screen that shows something already, and its end can be seen there.
# terminal COLUMNS ROWS COMMAND: a shell command in a new terminal.
terminal() {
	tm kill-server 2>/dev/null || true
	n_terminals=$((n_terminals + 1)) # a server that ends might take the next one with it
	rm -f "$tmp/status"
	echo "trap : INT; printf 'before\n'; $3; echo \$? >$tmp/status; printf 'after\n'; sleep 600" >"$tmp/command"
	tm -f /dev/null new-session -d -x "$1" -y "$2" "sh $tmp/command" \; \
		set -g status off \; resize-window -x "$1" -y "$2"
	background+=("$(tm display-message -p '#{pid}')")
}

top=0 # "-": with what has scrolled out above
screen() {
	tm capture-pane -p -S "$top" >"$tmp/screen"
}

# shows COUNT PATTERN: so many lines of the screen have the pattern.
shows() {
	screen
	[ "$(grep -cE -- "$2" "$tmp/screen")" -eq "$1" ]
}

# expect COUNT PATTERN SENTENCE
expect() {
	shows "$1" "$2" || {
		echo "not $1 lines with /$2/ in:"
		cat "$tmp/screen"
		fail "$3"
	}
}

is_over() {
	[ -s "$tmp/status" ]
}

# Patterns of filters that the narrowest table shows whole, and others.
filters="'tcp port 80' udp 'ip or arp or (ip6 and not tcp port 443 and not host 10.0.0.1)'"
one_table() {
	expect 1 'PACKETS/s' "$1: one header"
	expect 1 ' tcp port 80$' "$1: one row of the first filter"
	expect 1 ' udp$' "$1: one row of the second filter"
	expect 1 ' ip or arp' "$1: one row of the third filter"
	expect 1 '^sizes up to: 64 ' "$1: one line of sizes"
}

for size in 80x24 60x20 200x50; do
	terminal ${size%x*} ${size#*x} "'$npfctl' monitor npf0 $filters -i 100ms -n 15"
	wait_for 30 shows 1 '^sizes' || fail "$size: no table"
	sleep 0.6
	one_table "$size, running"
	wait_for 30 is_over || fail "$size: the monitor does not end"
	[ "$(cat "$tmp/status")" -eq 0 ] || fail "$size: the monitor fails"
	wait_for 30 shows 1 '^(\^C)?after$' || fail "$size: the end"
	one_table "$size, at the end"
	expect 1 '^before$' "$size: what stood above"
	[ "$(grep -c . "$tmp/screen")" -eq 7 ] || fail "$size: more than the table is on the screen"
	ok "$size: a monitor shows one table, and leaves it complete"
done
expect 1 'ALL BYTES  FILTER' "a wide terminal has all columns"
expect 1 'host 10.0.0.1\)$' "a wide terminal has whole filters"

# Narrower, wider, lower, higher: painted anew within a second, whatever the interval.
terminal 200 30 "'$npfctl' monitor npf0 $filters -i 2s"
wait_for 30 shows 1 '^sizes' || fail "no table"
for size in 80x30 200x30 60x30 60x4 60x30 150x12 61x3 90x25; do
	tm resize-window -x ${size%x*} -y ${size#*x}
	sleep 1.5
	expect 1 'PACKETS/s' "resized to $size: one header"
	[ ${size#*x} -lt 10 ] || one_table "resized to $size"
done
tm send-keys C-c
wait_for 30 is_over || fail "the monitor can't be interrupted"
wait_for 30 shows 1 '^(\^C)?after$' || fail "the end"
one_table "interrupted"
ok "resized, the table is painted anew in its place"

# More filters than rows.
many=$(seq -f "'port %g'" 1 32 | tr '\n' ' ')
terminal 80 24 "'$npfctl' monitor npf0 $many -i 100ms"
wait_for 30 shows 1 '^\(11 more' || fail "no word of the rows that are left out"
sleep 0.5
expect 1 'PACKETS/s' "many filters: one header"
expect 21 ' port [0-9]+$' "many filters: a row for each for which there is room"
expect 1 ' port 21$' "many filters: the first ones"
tm resize-window -x 80 -y 40
wait_for 30 shows 32 ' port [0-9]+$' || fail "many filters: there is room for all now"
expect 1 'PACKETS/s' "many filters: one header in a higher terminal"
ok "more filters than rows: the first ones, and how many more there are"

# The bar: millions, whose words alone have 45 columns.
for size in 80x24 60x20 200x50 30x9; do
	terminal ${size%x*} ${size#*x} "'$npfctl' send npf0 -r $tmp/four.pcap --repeat 2000000"
	wait_for 60 is_over || fail "$size: sending does not end"
	[ "$(cat "$tmp/status")" -eq 0 ] || fail "$size: sending fails"
	wait_for 30 shows 1 '^(\^C)?after$' || fail "$size: the end"
	[ $size = 30x9 ] || expect 1 '100 %  8000000 packets, [0-9]+ a second$' "$size: the last line"
	expect 1 '^(\[#+\] )?100 %  8000000 packets' "$size: a full bar"
	expect 1 ' %  ' "$size: one line of progress"
	expect 1 '^before$' "$size: what stood above"
	ok "$size: one line of progress, complete"
done

# As many as nobody can count, resized and interrupted; 4 * 2^31 * 2^31 is 2^64.
terminal 100 10 "'$npfctl' send npf0 -r $tmp/four.pcap -l 2147483648 -n 2147483648"
wait_for 30 shows 1 ' 0 %  [0-9]+ packets' || fail "no bar for 2^64 packets: $(cat "$tmp/screen")"
for columns in 50 40 120 80; do
	tm resize-window -x $columns -y 10
	sleep 0.5
	expect 1 ' [0-9]+ packets, ' "$columns columns: one line of progress"
	expect 1 ' %' "$columns columns: one line of progress"
done
tm send-keys C-c
wait_for 30 is_over || fail "sending can't be interrupted"
[ "$(cat "$tmp/status")" -eq 1 ] || fail "the exit status of an interrupted send"
wait_for 30 shows 1 '^(\^C)?after$' || fail "the end"
expect 1 '^\[\.+\]   0 %  [0-9]+ packets, [0-9]+ a second$' "the last line of an interrupted send"
expect 1 '^[0-9]+ packets, [0-9]+ bytes in' "the report stands below"
ok "a bar for 2^64 packets, resized and interrupted"

# What goes wrong is said below the bar, on a line of its own.
terminal 80 24 "'$npfctl' send npf0 -r $tmp/four.pcap -l 0 -R 1kpps"
wait_for 30 shows 1 '^[0-9]+ packets, [0-9]+ a second$' || fail "an endless send: no progress"
kill -9 "$daemon"
wait_for 30 is_over || fail "npfctl send outlives the daemon"
wait_for 30 shows 1 '^(\^C)?after$' || fail "the end"
expect 1 '^npfctl: the npf-dpdk daemon has gone away$' "the daemon's end is said"
expect 1 '^[0-9]+ packets, [0-9]+ a second$' "the progress stays above"
ok "an error stands below the progress"
wait "$daemon" 2>/dev/null || true
rm -f "$NPF_SOCKET"
start_daemon -c "$tmp/conf.yaml"

# No terminal: no escapes, one header, whole rows.
long=$(seq -s ' or ' -f 'port %g' 1 100)
"$npfctl" monitor npf0 udp "$long" -i 50ms -n 3 >"$tmp/out"
[ "$(grep -c 'PACKETS/s' "$tmp/out") $(wc -l <"$tmp/out")" = "1 7" ] || fail "plain: a header and 6 rows"
[ "$(grep -c " port 100\$" "$tmp/out")" -eq 3 ] || fail "plain: filters are cut"
"$npfctl" send npf0 -r "$tmp/four.pcap" -R 10pps >"$tmp/out2" 2>&1
! grep -qE $'\033|\r|%  ' "$tmp/out" "$tmp/out2" || fail "plain: there are escapes"
ok "without a terminal everything is printed plain and whole"

# The generator: of two ports, and of more than a low terminal has rows.
txgen() {
	local n=$1 vdevs
	shift
	vdevs=$(seq -s ' ' -f '--vdev=net_null%g,no-rx=1' 0 $((n - 1)))
	echo "'$NPF_BUILD/tools/npf-txgen' --no-huge -m 128 --no-shconf --no-telemetry -l 0" \
		"--log-level=lib.eal:4 $vdevs -- --rate 1kpps $* 2>$tmp/txgen.log"
}

one_txgen_table() {
	expect 1 '^port device .*tx pps' "$1: one header"
	expect 1 'dropped$' "$1: a header that is not cut"
	expect 1 '^0 +net_null0 .* 0$' "$1: one row of the first port"
	expect 1 '^1 +net_null1 .* 0$' "$1: one row of the second port"
	expect 1 '^[0-9]+ s$' "$1: one line of time"
}

for size in 80x24 60x20 200x50; do
	terminal ${size%x*} ${size#*x} "$(txgen 2 --duration 2s --stats-period 100ms)"
	wait_for 30 shows 1 '^[0-9]+ s$' || fail "$size: no table: $(cat "$tmp/screen" "$tmp/txgen.log")"
	sleep 0.6
	one_txgen_table "$size, running"
	wait_for 30 is_over || fail "$size: npf-txgen does not end"
	[ "$(cat "$tmp/status")" -eq 0 ] || fail "$size: npf-txgen fails: $(cat "$tmp/txgen.log")"
	wait_for 30 shows 1 '^after$' || fail "$size: the end"
	top=- # the result may be higher than the terminal
	one_txgen_table "$size, at the end"
	expect 1 '^before$' "$size: what stood above"
	top=0
	ok "$size: npf-txgen shows one table, and its result below"
done
expect 1 'tx L1 Mb/s +tx L2 Mb/s +rx pps +rx L1 Mb/s' "a wide terminal has all columns"

terminal 200 30 "$(txgen 2 --stats-period 2s)"
wait_for 30 shows 1 '^[0-9]+ s$' || fail "no table: $(cat "$tmp/screen" "$tmp/txgen.log")"
for size in 80x30 200x30 60x4 60x30 61x3 90x25; do
	tm resize-window -x ${size%x*} -y ${size#*x}
	sleep 1
	expect 1 '^port' "resized to $size: one header"
	[ ${size#*x} -lt 10 ] || one_txgen_table "resized to $size"
done
tm send-keys C-c
wait_for 30 is_over || fail "npf-txgen can't be interrupted"
wait_for 30 shows 1 '^after$' || fail "the end"
one_txgen_table "interrupted"
ok "resized, the generator's table is painted anew in its place"

terminal 80 8 "$(txgen 8 --stats-period 100ms --total-num-mbufs 1024)"
wait_for 30 shows 1 '^[0-9]+ s, 3 more ports' || fail "no word of the ports that are left out: $(cat "$tmp/screen" "$tmp/txgen.log")"
sleep 0.5
expect 1 '^port' "many ports: one header"
expect 5 ' net_null[0-4] ' "many ports: the first ones, for which there is room"
tm resize-window -x 80 -y 20
wait_for 30 shows 8 ' net_null[0-7] ' || fail "many ports: there is room for all now"
expect 1 '^port' "many ports: one header in a higher terminal"
tm send-keys C-c
wait_for 30 is_over || fail "npf-txgen can't be interrupted"
ok "more ports than rows: the first ones, and how many more there are"

tm kill-server
stop_daemon
clean "$tmp/daemon.log"
