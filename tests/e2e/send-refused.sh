#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What counts as sent arrives, and what can't arrive is refused: frames longer than the MTU, with
# their VLAN tags; frames for an interface that is down; the packets of a savefile that no port can
# send, of which those around them lose nothing; damaged savefiles. The other end of a veth counts.
. "$(dirname "$0")/lib.sh"
need_root
need jq ip ethtool python3
netns a
netns b
wire a b

# savefile FILE BYTES...: a packet of each length.
savefile() {
	python3 - "$@" <<-'EOF2'
		import struct, sys
		with open(sys.argv[1], "wb") as f:
		    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
		    for i, n in enumerate(map(int, sys.argv[2:])):
		        data = (b"\x02" * 12 + b"\x88\xb5").ljust(n, b"\x55")[:n]
		        f.write(struct.pack("<IIII", i, 0, n, n) + data)
	EOF2
}

cat >"$tmp/inject.py" <<-'PY'
	# inject.py PORT TYPES BYTES [COMMAND]: TYPES, in hex, stand behind the MAC addresses; COMMAND
	# runs between the opening and the frame.
	import ctypes, os, sys
	pcap = ctypes.CDLL("libpcap.so.0.8")
	pcap.pcap_create.restype = ctypes.c_void_p
	pcap.pcap_geterr.restype = ctypes.c_char_p
	for f in (pcap.pcap_activate, pcap.pcap_geterr, pcap.pcap_close):
	    f.argtypes = [ctypes.c_void_p]
	pcap.pcap_inject.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
	err = ctypes.create_string_buffer(256)
	p = pcap.pcap_create(sys.argv[1].encode(), err)
	if not p or pcap.pcap_activate(p) < 0:
	    sys.exit("open: " + pcap.pcap_geterr(p).decode())
	if len(sys.argv) > 4 and os.system(sys.argv[4]) != 0:
	    sys.exit("failed: " + sys.argv[4])
	size = int(sys.argv[3])
	frame = (b"\x02" * 12 + bytes.fromhex(sys.argv[2])).ljust(size, b"\x55")
	n = pcap.pcap_inject(p, frame, size)
	print(n, pcap.pcap_geterr(p).decode() if n < 0 else "")
	pcap.pcap_close(p)
PY

arrived() {
	on b cat /sys/class/net/wire/statistics/rx_packets
}
came=0
# arrives N SENTENCE: so many more than before.
arrives() {
	came=$((came + $1))
	wait_for 30 sh -c "[ \$(ip netns exec $id-b cat /sys/class/net/wire/statistics/rx_packets) -ge $came ]" ||
		fail "$2: only $(arrived) of $came have arrived"
	[ "$(arrived)" -eq $came ] || fail "$2: $(arrived) have arrived, not $came"
	ok "$2"
}
inject() {
	on a "$run" python3 "$tmp/inject.py" "$@" >"$tmp/said" 2>&1 || fail "inject: $(cat "$tmp/said")"
	clean "$tmp/said"
}
sent() {
	ctl ports | jq ".ports[] | select(.name == \"$1\") | .tx_packets"
}

plain=88b5 tag=8100000188b5 qinq=88a80001$tag
for device in net_af_packet0,iface=wire net_pcap0,iface=wire; do
	config "{name: npf0, device: \"$device\", send: true}" >"$tmp/conf.yaml"
	start_daemon "$id-a:" -c "$tmp/conf.yaml"
	driver=${device%%0,*}
	came=$(arrived)
	for frame in "$plain 1514" "$tag 1518"; do
		# shellcheck disable=SC2086 # words
		inject npf0 $frame
		says "$tmp/said" "^${frame#* } " "$driver: a frame of ${frame#* } bytes is sent"
	done
	arrives 2 "... and arrives"
	for frame in "$plain 1515" "$plain 1518" "$plain 1522" "$tag 1519" "$tag 1522" "$qinq 1522"; do
		# shellcheck disable=SC2086 # words
		inject npf0 $frame
		says "$tmp/said" "^-1 .*${frame#* } bytes.* 14 to 1514 .*MTU 1500.* VLAN" "$driver: $frame bytes are refused"
	done
	[ "$(sent npf0)" -eq 2 ] || fail "the port counts $(sent npf0) frames as sent"
	arrives 0 "what was refused does not arrive and does not count"

	# A savefile with packets that can't be sent among others: those are sent, all of them.
	savefile "$tmp/mixed.pcap" 60 60 60 0 60 10 60 1515 60
	status=0
	"$npfctl" send npf0 -r "$tmp/mixed.pcap" --json >"$tmp/out" 2>"$tmp/err" || status=$?
	jq -e '.packets == 6 and .bytes == 360 and .file_left_out == 3 and .complete == false' "$tmp/out" \
		>/dev/null || fail "npfctl send: $(cat "$tmp/out" "$tmp/err")"
	[ $status -eq 1 ] || fail "npfctl send: exit status $status"
	says "$tmp/err" '3 packets are left out: port npf0 sends 14 to 1514 bytes' "what a port can't send is left out and said"
	arrives 6 "nothing around it is lost"

	# Down at the kernel: by every way to send.
	inject npf0 $plain 60 "ip link set wire down"
	says "$tmp/said" '^-1 .*network is down' "$driver: a frame for an interface that is down is refused"
	savefile "$tmp/three.pcap" 60 60 60
	! timeout 20 "$npfctl" send npf0 -r "$tmp/three.pcap" >"$tmp/out" 2>"$tmp/err" ||
		fail "npfctl send says that all was sent"
	says "$tmp/out" '^0 packets' "npfctl send sends nothing"
	says "$tmp/err" 'packet 1 was not sent: .*network is down' "... and says why"
	ip -n "$id-a" link set wire up
	wait_for 30 sh -c "ip -n $id-a link show wire | grep -q LOWER_UP"
	arrives 0 "nothing arrives of it, neither later"
	# The other end is down: no carrier.
	ip -n "$id-b" link set wire down
	wait_for 30 sh -c "ip -n $id-a link show wire | grep -q NO-CARRIER"
	inject npf0 $plain 60
	says "$tmp/said" '^-1 .*network is down' "$driver: no carrier is down, too"
	ip -n "$id-b" link set wire up
	wait_for 30 sh -c "ip -n $id-a link show wire | grep -q LOWER_UP"
	# net_af_packet hears of the interruption with the first frame after it, and says so.
	inject npf0 $plain 60
	[ "$driver" = net_pcap ] || says "$tmp/said" '^-1 .*its driver lost it' "what the driver could not send did not go"
	came=$(arrived)
	inject npf0 $plain 60
	says "$tmp/said" '^60 ' "... and up again"
	wait_for 30 sh -c "[ \$(ip netns exec $id-b cat /sys/class/net/wire/statistics/rx_packets) -gt $came ]" ||
		fail "nothing arrives"
	came=$(arrived)

	# A tool that refuses a damaged file, with its place.
	head -c 200 "$tmp/three.pcap" >"$tmp/cut.pcap"
	! "$npfctl" send npf0 -r "$tmp/cut.pcap" 2>"$tmp/err" || fail "a damaged file is sent"
	says "$tmp/err" 'cut.pcap: damaged at packet 3, byte 176: ' "a damaged file is refused, with the place"
	arrives 0 "... nothing of it is sent"
	stop_daemon
	clean "$tmp/daemon.log"
done
