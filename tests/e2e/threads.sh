#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Each kind of thread has its list of system calls on top of the one that all have, from its start.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump python3

filters_of() { # TASK-DIRECTORY: how many filters the thread has
	sed -n 's/^Seccomp_filters:\t//p' "$1/status"
}
[ -n "$(filters_of /proc/self)" ] || skip "needs Linux 5.9, whose /proc counts filters"

# More than is read ahead and fits into a client's buffer.
python3 - "$tmp/long.pcap" <<'EOF'
import struct, sys
with open(sys.argv[1], "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    record = struct.pack("<IIII", 1, 0, 1500, 1500) + b"\x02" * 12 + b"\x08\x00" + bytes(1486)
    for _ in range(64):
        f.write(record * 1000)
EOF

{
	config "$(replay npf0 "$tmp/long.pcap")" '{name: npf1, device: net_ring1, send: true}'
	cat <<-END
		dumps: [{name: standing, port: npf1, file: $tmp/standing.pcap}]
		monitors: [{name: counts, port: npf1, interval: 50ms, file: $tmp/counts.json}]
		sends: [{name: again, port: npf0, file: $corpus/dns.pcap}]
	END
} >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
mkfifo "$tmp/pipe"
"$run" tcpdump -i npf0 -w - >"$tmp/pipe" 2>"$tmp/tcpdump.err" &
add_background
exec 5<"$tmp/pipe" # nobody reads it, so the replay stands still

has_thread() { # NAME
	grep -qx "$1" "/proc/$daemon"/task/*/comm
}

base=$(filters_of "/proc/$daemon")
[ "$base" -gt "$(filters_of /proc/self)" ] || fail "the daemon's main thread has no list"

have_more() { # NAME: threads of that name have a list of their own
	local task n=0
	for task in "/proc/$daemon"/task/*; do
		grep -qx "$1" "$task/comm" 2>/dev/null || continue
		[ "$(filters_of "$task")" = $((base + 1)) ] || return 1
		n=$((n + 1))
	done
	[ $n -gt 0 ]
}

expect_more() { # NAME...: a new thread has its name a moment before its list
	local name
	for name in "$@"; do
		wait_for 30 has_thread "$name" || fail "there is no thread $name"
		wait_for 10 have_more "$name" || fail "a thread $name has no list of its own"
	done
}

expect_more npf-dump npf-monitor npf-feed npf-replay npf-task
ok "threads of disks, monitors, sends, replays and tasks may call what they need"
expect_more npf-send rte-worker-1
ok "threads that drivers run in may not use io_uring"
! grep -q 'does without' "$tmp/daemon.log" || fail "a list was not loaded"

"$npfctl" send npf1 -r "$corpus/dns.pcap" >/dev/null || fail "nothing can be sent"
wait_for 30 test -s "$tmp/counts.json" || fail "the monitor does not write"
stop_daemon
[ "$(packets_of "$tmp/standing.pcap")" -gt 0 ] || fail "the dump does not write"
clean "$tmp/daemon.log"
ok "with these lists they do their work"
