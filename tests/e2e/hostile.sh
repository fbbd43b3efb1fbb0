#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# No client keeps the daemon from others: not with descriptors that do not close, nor with many
# connections, large buffers or a lock; nor does it learn or write what is not its own.
. "$(dirname "$0")/lib.sh"
need_root
need python3 jq

netns a # for sockets on a loopback of our own
hostile() {
	on a timeout 150 python3 "$NPF_SRC/tests/e2e/hostile.py" "$NPF_SOCKET" "$@" ||
		fail "see above"
}

configure() { # LIMITS
	config '{name: npf0, device: "net_null0,copy=1", send: true}' \
		'{name: secret, device: "net_null1,copy=1", allow: ["user:root"]}' |
		sed "s/telemetry: false/telemetry: false, limits: $1/" >"$tmp/conf.yaml"
}

# ---- the lock of the start ----

configure '{connections: 20, memory: 64}'
"${as_nobody[@]}" flock -F "$tmp" sleep 600 &
add_background
wait_for 30 test -e "/proc/$!/fd/3"
start_daemon -c "$tmp/conf.yaml"
ok "a daemon starts though somebody has locked its directory"
[ ! -e "$NPF_SOCKET.lock" ] || fail "the lock of the start is left"
stop_daemon
flock -F "$NPF_SOCKET.lock" sleep 600 &
add_background
wait_for 30 test -e "$NPF_SOCKET.lock"
chmod 600 "$NPF_SOCKET.lock"
! "$dpdk" -c "$tmp/conf.yaml" >"$tmp/out" 2>&1 || fail "a daemon starts beside one that starts"
says "$tmp/out" 'sock.lock: another npf-dpdk that is starting holds this lock' "a lock that is held is named"
kill "$!"
rm -f "$NPF_SOCKET.lock"
install -m 600 -o nobody /dev/null "$NPF_SOCKET.lock"
! "$dpdk" -c "$tmp/conf.yaml" >"$tmp/out" 2>&1 || fail "somebody else's lock is taken for our own"
says "$tmp/out" 'not a lock that user 0 made.*remove it|sock.lock: can.t be made or opened' "a lock of somebody else is named"
rm -f "$NPF_SOCKET.lock"

# ---- connections, files, questions ----

mkdir -m 777 "$tmp/theirs"
start_daemon -c "$tmp/conf.yaml"
hostile one_account 64 "$tmp/theirs" # whatever the first session, lane and dump leave is there now
wait_for 30 has_sessions 0
note_costs
hostile connections 20
hostile files "$tmp/theirs"
hostile questions secret
wait_for 30 costs_as_before || fail "$(daemon_fds) descriptors and $(daemon_maps) mappings are left"
ok "no descriptor and no ring is left"
passrights=through
python3 -c 'import socket; socket.socket(socket.AF_UNIX).setsockopt(1, 83, 0)' 2>/dev/null && passrights=refused
hostile linger $passrights
hostile linger_in_files
stop_daemon

# ---- memory ----

configure '{memory: 600}'
start_daemon -c "$tmp/conf.yaml"
hostile memory 512
hostile dump_memory 512
python3 "$NPF_SRC/tests/e2e/hostile.py" "$NPF_SOCKET" in_work 512 >"$tmp/in_work" &
add_background
wait_for 30 grep -q asked "$tmp/in_work"
stop_daemon
ok "a daemon stops while a buffer is made"

# ---- a kernel that lets descriptors through ----

configure '{connections: 20}'
export ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS-}
LD_PRELOAD=$NPF_CLIENTS/tests/e2e/liboldkernel.so start_daemon -c "$tmp/conf.yaml"
hostile linger through
LD_PRELOAD='' stop_daemon
clean "$tmp/daemon.log"
