# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# dump-lib.sh - what the stories of dumps share: a savefile to be replayed and dumped, a directory for the
# dumps, and what npfctl and other programs say of them. After lib.sh.
need tcpdump capinfos jq

dumps=$tmp/dumps
mkdir -m 777 "$dumps"

# many_packets: $tmp/many.pcap, a savefile of 20 000 packets of many sizes, one a millisecond.
n_many=20000
many_packets() {
	python3 - "$tmp/many.pcap" $n_many <<-'PY'
		import struct, sys
		path, n = sys.argv[1], int(sys.argv[2])
		def frame(size, port):
		    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, 0, 0, 64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
		    tcp = struct.pack(">HHIIBBHHH", 1024, port, 0, 0, 0x50, 0x10, 8192, 0, 0)
		    return (bytes(12) + b"\x08\x00" + ip + tcp).ljust(size, b"\x00")
		frames = [frame(60 + 50 * (i % 29), 80 if i % 3 == 0 else 443) for i in range(87)]
		with open(path, "wb") as f:
		    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
		    for i in range(n):
		        d = frames[i % 87]
		        s, us = divmod(1790000000999 + i, 1000)
		        f.write(struct.pack("<IIII", s, us * 1000, len(d), len(d)) + d)
	PY
}

files() {
	find "$dumps" -name "$1" | sort
}

# is_done NAME: has this dump ended, with all on disk?
is_done() {
	ctl dump list | jq -e --arg name "$1" '.dumps[] | select(.name == $name) | .state == "done"'
}

# has NAME FIELD VALUE
has() {
	ctl dump list | jq -e --arg name "$1" ".dumps[] | select(.name == \$name) | .$2 == $3"
}

value() {
	ctl dump list | jq -r --arg name "$1" ".dumps[] | select(.name == \$name) | .$2"
}

# readable FILE PACKETS: capinfos and tcpdump read it without a word of warning.
readable() {
	local said
	said=$(capinfos -Mc "$1" 2>&1 >"$tmp/capinfos") || fail "capinfos $1: $said"
	[ -z "$said" ] || fail "capinfos warns of $1: $said"
	grep -qE "^Number of packets: +$2\$" "$tmp/capinfos" || fail "$1: not $2 packets"
	said=$(tcpdump -nn -r "$1" 2>&1 >"$tmp/tcpdump" | grep -v '^reading from file' || true)
	[ -z "$said" ] || fail "tcpdump warns of $1: $said"
	[ "$(wc -l <"$tmp/tcpdump")" -ge "$2" ] || fail "tcpdump does not read all of $1"
}

# readable_by_all FILE PACKETS: tshark, which takes its time, does so, too.
readable_by_all() {
	local said
	readable "$1" "$2"
	said=$(tshark -n -r "$1" 2>&1 >"$tmp/tshark" | grep -v '^Running as user' || true)
	[ -z "$said" ] || fail "tshark warns of $1: $said"
	[ "$(wc -l <"$tmp/tshark")" -eq "$2" ] || fail "tshark does not read all of $1"
}

# first_dump PORT: a dump has been there, and ended: costs_come_back compares with what the daemon holds then.
first_dump() {
	"$npfctl" dump start "$1" -n first -w "$dumps/first.pcap" -c 1 --wait >/dev/null || fail "dump start"
	wait_for 30 is_done first || fail "the dump does not end"
	note_costs
}
costs_come_back() {
	wait_for 30 costs_as_before || fail "dumps leave something behind: $(daemon_fds) $(daemon_maps), before $costs"
	ok "dumps that have ended hold no descriptor and no memory"
}
