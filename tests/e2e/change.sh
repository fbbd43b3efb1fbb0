#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Buffer size, user buffer, mintocopy and filter of a running capture change hundreds of times: no
# packet is lost, doubled or out of order, and no packet of a filter that was replaced comes after.
# A buffer too large is refused and the old one stays.
. "$(dirname "$0")/lib.sh"
need_root

count=${COUNT:-300000}
change=$NPF_CLIENTS/tests/e2e/change
export LD_LIBRARY_PATH=$NPF_CLIENTS/src/api

# Frames with their number; the last one's is ffffffff.
/usr/bin/python3 - "$tmp/numbers.pcap" "$count" <<-'EOF'
	import struct, sys
	with open(sys.argv[1], "wb") as f:
	    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
	    for n in list(range(int(sys.argv[2]))) + [0xffffffff]:
	        size = 60 + n * 7919 % 200
	        f.write(struct.pack("<IIII", 1700000000 + n // 1000000, n % 1000000, size, size))
	        f.write(b"\2\0\0\0\0\2\2\0\0\0\0\1\x88\xb5" + struct.pack(">I", n % 2**32) + bytes(size - 18))
EOF
{
	config "$(replay npf0 "$tmp/numbers.pcap")"
} | sed 's/telemetry: false/telemetry: false, limits: {buffer: 64}/' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
for seed in ${SEEDS:-1 2 3}; do
	timeout 100 "$change" npf0 "$count" "$seed" >"$tmp/change" 2>&1 || {
		cat "$tmp/change"
		fail "seed $seed: a change disturbs the capture"
	}
	ok "seed $seed: $(cat "$tmp/change"), nothing lost, doubled or out of order"
done
wait_for 30 has_sessions 0 || fail "a session is left"

timeout 20 "$run" tcpdump -nn -i npf0 -B 1000000 -c 1 >"$tmp/large" 2>&1 &&
	fail "a buffer of 1 GB is given where 64 MiB are the limit"
says "$tmp/large" 'limit of 64 MiB' "a buffer beyond the limit is refused with the limit named"
stop_daemon
