#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# No client keeps the daemon from others with a lock, with many connections, with files that are none to write
# into, or with dumps that stay when it goes; nor does it learn what is not its own.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hostile-lib.sh"
need_root
netns a

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
hostile memory one_account 64 "$tmp/theirs" # whatever the first session, lane and dump leave is there now
wait_for 30 has_sessions 0
note_costs
hostile requests connections 20
hostile requests files "$tmp/theirs"
hostile requests questions secret
hostile requests filters 49152
hostile requests flights
hostile requests floods
hostile requests lifetimes "$tmp/theirs"
wait_for 30 costs_as_before || fail "$(daemon_fds) descriptors and $(daemon_maps) mappings are left"
ok "no descriptor and no ring is left"
stop_daemon
clean "$tmp/daemon.log"
