#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Ports are for whom their allow lists name, and the directory that knows these names may be away: everybody is
# served meanwhile.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq setpriv python3
install_clients

# directory AWAY ID SECONDS: is it away, fakeuser's number, how far the daemon's clock is ahead.
directory() {
	python3 -c 'import os, struct, sys
away, number, ahead = map(int, sys.argv[2:])
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
os.pwrite(fd, struct.pack("=qqq", away, number, ahead * 10**9), 0)' "$tmp/directory" "$@"
}

directory 0 0 0
export FAKEUSERS=$tmp/directory
daemon_preloads libfakeusers.so
config '{name: npf0, device: "net_null0,copy=1", allow: ["user:daemon", "user:nobody"]}' \
	'{name: npf1, device: "net_null1,copy=1", allow: ["group:nogroup"]}' \
	'{name: npf2, device: "net_null2,copy=1", allow: ["user:daemon", "group:daemon"]}' \
	'{name: npf3, device: "net_null3,copy=1", allow: ["user:fakeuser"]}' \
	'{name: npf4, device: "net_null4,copy=1", allow: ["group:fakeuser"]}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

# may PORT: can user nobody capture on it?
may() {
	timeout 30 "${as_nobody[@]}" "$urun" tcpdump -i "$1" -c 1 >"$tmp/said" 2>&1
}

# may_use PORT...: these, and no others, are what user nobody can see.
may_use() {
	timeout 30 "${as_nobody[@]}" "$unpfctl" --json ports >"$tmp/json" || return 1
	[ "$(jq -r '[.ports[].name] | join(" ")' "$tmp/json")" = "$*" ]
}

# ---- names that are known, and one that is not yet ----
may npf0 || fail "user:nobody: $(cat "$tmp/said")"
may npf1 || fail "group:nogroup: $(cat "$tmp/said")"
ok "a user and a group on the list may use the port"
for port in npf2 npf3 npf4; do
	! may $port || fail "$port is for others"
	says "$tmp/said" "may not use port $port" "who is not on the list of $port may not"
done
may_use npf0 npf1 || fail "npfctl ports: $(cat "$tmp/json")"
ok "nor see it"
for kind in user group; do
	[ "$(grep -c "allow: there is no $kind \"fakeuser\"" "$tmp/daemon.log")" -eq 1 ] ||
		fail "a $kind that is not known is not warned of once"
done
ok "names that are not known are warned of once"

# ---- the directory goes away ----
directory 1 0 61
sleep 0.5 # the daemon looks the names up again
may_use npf0 npf1 || fail "npfctl ports, the directory being away: $(cat "$tmp/json")"
may npf0 || fail "the directory is away: $(cat "$tmp/said")"
"$npfctl" port add npf5 net_null5,copy=1 --allow user:fakeuser >"$tmp/added" 2>&1 &
adding=$!
add_background
sleep 0.5
may npf1 || fail "the directory is away, and a port is being added: $(cat "$tmp/said")"
timeout 30 "$npfctl" port add npf6 net_null6,copy=1 --allow user:nobody >"$tmp/said" 2>&1 ||
	fail "another port is not added: $(cat "$tmp/said")"
[ "$(ctl ports | jq '.ports | length')" -eq 6 ] || fail "npf5 is there before its names are known"
kill -0 $adding || fail "port add does not wait: $(cat "$tmp/added")"
ok "everybody is served while the directory is away"

# ---- it comes back, and the user is there now ----
directory 0 65534 61
wait_gone $adding 300 || fail "port add goes on waiting"
wait $adding || fail "port add: $(cat "$tmp/added")"
says "$tmp/added" '^npf5 added' "the port is added when its names are known"
directory 0 65534 122
wait_for 30 may_use npf0 npf1 npf3 npf4 npf6 npf5 || fail "npfctl ports: $(cat "$tmp/json")"
may npf3 || fail "user:fakeuser: $(cat "$tmp/said")"
says "$tmp/daemon.log" 'npf3: allow: user "fakeuser" is known now' "a user made later is known after a while"

# ---- who adds a port and leaves ----
directory 1 65534 122
"$npfctl" port add npf7 net_null7,copy=1 --allow user:fakeuser >"$tmp/added" 2>&1 &
adding=$!
add_background
sleep 0.5
kill $adding
wait $adding || true
directory 0 65534 122
sleep 0.5
[ "$(ctl ports | jq '.ports | length')" -eq 7 ] || fail "the port of a client that left is there"
ok "a port whose client has left is not added"

# ---- the end ----
directory 1 65534 183
sleep 0.5 # the daemon looks the names up again
stop_daemon
ok "the daemon stops while the directory is away"
clean "$tmp/daemon.log"
