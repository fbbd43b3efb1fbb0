#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A replay starts for programs that read, not for those that look: Wireshark's start screen, which
# opens every device for its counters, neither uses it up nor holds it up; of two handles that a
# program opens the one that reads gets everything.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump dumpcap jq
python3=/usr/bin/python3

file=$corpus/web4.pcap
n=$(packets_of "$file")
# More than a ring of 64 KiB holds: packets of 1000 bytes that bear their number.
many=1000
$python3 - "$tmp/many.pcap" $many <<'PY'
import struct, sys
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for i in range(int(sys.argv[2])):
        data = bytes(12) + b"\x88\xb5" + bytes(982) + struct.pack(">I", i)
        f.write(struct.pack("<IIII", 1700000000 + i, 0, len(data), len(data)) + data)
PY
config "$(replay npf0 "$file")" "$(replay npf1 "$tmp/many.pcap" ",tx_pcap=$tmp/sent.pcap")" \
	"$(replay npf2 "$file" | sed 's/overflow: wait/overflow: drop/')" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

port() {
	ctl ports | jq -e --arg name "$1" ".ports[] | select(.name == \$name) | $2" >/dev/null
}

# ---- Wireshark's start screen ----
"$run" dumpcap -S -i npf0 -i npf1 -i npf2 >/dev/null 2>"$tmp/err" &
looker=$!
add_background
wait_for 30 has_sessions 3 || fail "dumpcap -S: $(cat "$tmp/err")"
port npf0 '.state == "waiting" and .captures == 1 and .readers == 0' || fail "the replay has started"
ok "a port that is looked at waits"

tcpdump -nn -tt -e -v -r "$file" >"$tmp/expected" 2>/dev/null
for port in npf0 npf2; do
	for i in 1 2; do
		timeout 20 "$run" tcpdump -nn -tt -e -v -i $port -c "$n" >"$tmp/got" 2>"$tmp/err" || true
		same "$tmp/expected" "$tmp/got" "beside it a capture of $port, number $i, gets all of the replay"
	done
done
wait_for 30 port npf0 '.state == "waiting" and .captures == 1' || fail "the replay goes on"
[ "$(ctl sessions | jq '[.sessions[] | select(.reads)] | length')" -eq 0 ] ||
	fail "dumpcap reads: $(ctl sessions)"

# ---- two handles in one program ----
look() {
	timeout -k 2 60 "$run" $python3 "$NPF_SRC/tests/e2e/looking.py" "$@" >"$tmp/got" 2>&1 || {
		cat "$tmp/got"
		fail "looking.py $*"
	}
}
look npf1 $many second-reads
says "$tmp/got" "^all $many\$" "opened twice, the handle that reads gets all; none that looks holds it up"
look npf1 $many first-joins
says "$tmp/got" "^joined at [1-9]" "a handle that reads later joins at the packet where the replay is"
look npf1 $many first-sends
says "$tmp/got" "^all $many\$" "a handle that only sends uses nothing up"

[ "$(ctl sessions | jq '[.sessions[] | select(.program == "dumpcap")] | length')" -eq 3 ] ||
	fail "dumpcap -S has ended: $(cat "$tmp/err")"
ok "dumpcap -S has looked all the while"
kill -KILL $looker
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
stop_daemon
[ "$(packets_of "$tmp/sent.pcap")" -eq 10 ] || fail "$(packets_of "$tmp/sent.pcap") packets were sent, not 10"
ok "what was sent before anybody read left the port"
clean "$tmp/daemon.log"
