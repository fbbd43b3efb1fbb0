#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the daemon may do is what devices and dumps need, in each of its threads, and nothing as npf.user; calls
# that are beyond that fail.
. "$(dirname "$0")/lib.sh"
need_root
[ $((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) & 1 << 8)) -ne 0 ] || skip "needs CAP_SETPCAP"

config '{name: npf0, device: "net_ring0", send: true}' >"$tmp/conf.yaml"
sed 's/^npf: {/&user: nobody, /' "$tmp/conf.yaml" >"$tmp/user.yaml"
chown nobody "$tmp" # the socket is to be removed at the end

start() { # ARGUMENT...: a daemon that tries what is forbidden when it is told to
	ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS-} LD_PRELOAD=$NPF_CLIENTS/tests/e2e/libforbidden.so \
		start_daemon "$@"
	"$npfctl" status >/dev/null || fail "the daemon does not answer"
	"$npfctl" send npf0 -r "$corpus/dns.pcap" >/dev/null || fail "nothing can be sent"
	kill -USR2 "$daemon"
	wait_for 30 grep -q 'forbidden:.*dumpable' "$tmp/daemon.log" || fail "the daemon does not try"
}

each_thread() { # FIELD PATTERN: of /proc/PID/task/*/status; threads that work for clients come and go
	local f status
	for f in "/proc/$daemon"/task/*/status; do
		status=$(cat "$f" 2>/dev/null) || continue
		grep -qxE "$1:"$'\t'"$2" <<<"$status" ||
			fail "a thread has $(grep "^$1:" <<<"$status"), not $2 ($(head -n 1 <<<"$status"))"
	done
}

caps() { # CAPABILITY...: the mask of these bits as status shows it
	local bit mask=0
	for bit in "$@"; do
		mask=$((mask | 1 << bit))
	done
	printf '%016x' "$((mask & 0x$(sed -n 's/^CapPrm:\t//p' /proc/self/status)))"
}
no_caps=$(caps)

tried() { # RESULT CALL...
	local call
	for call in "${@:2}"; do
		grep -qx "forbidden: $call: $1" "$tmp/daemon.log" ||
			fail "not $1: $(grep "^forbidden: $call:" "$tmp/daemon.log")"
	done
}

# ---- root ----

start -c "$tmp/conf.yaml"
# CHOWN DAC_OVERRIDE FOWNER NET_ADMIN NET_RAW IPC_LOCK SYS_ADMIN SYS_NICE PERFMON BPF
kept=$(caps 0 1 3 12 13 14 21 23 38 39)
each_thread NoNewPrivs 1
for set in CapPrm CapEff CapBnd; do
	each_thread $set "$kept"
done
each_thread CapAmb "$no_caps"
each_thread CapInh "$no_caps"
ok "without npf.user no thread has more than devices and dumps need: $kept"
tried EPERM setresuid setgroups chroot reboot
tried 'done' 'packet socket' 'not dumpable'
ok "what it does not need it can't do"
each_thread Seccomp 2
no_use=(execve process_vm_readv mount unshare clone keyctl clock_settime perf_event_open 'vsock socket' 'alg socket')
tried EPERM "${no_use[@]}"
tried ENOSYS clone3
ok "system calls that it has no use for fail in each thread"
stop_daemon

# ---- npf.user ----

start -c "$tmp/user.yaml"
each_thread NoNewPrivs 1
for set in CapPrm CapEff CapBnd CapAmb; do
	each_thread $set "$no_caps"
done
each_thread Uid "$(printf '%s\t' 65534 65534 65534)65534"
each_thread Gid "$(printf '%s\t' 65534 65534 65534)65534"
each_thread Groups '65534 ?'
ok "as npf.user no thread has any capability, bounding set or group of root's"
tried EPERM setresuid setgroups chroot reboot 'packet socket'
tried 'done' 'not dumpable'
tried EPERM "${no_use[@]}"
each_thread Seccomp 2
ok "what root may do it can't do"
! "${as_nobody[@]}" cat "/proc/$daemon/maps" >"$tmp/maps" 2>&1 || fail "its user can look into the daemon"
ok "other processes of its user can't look into it"
stop_daemon

start -c "$tmp/user.yaml" --dumpable
tried 'done' 'dumpable'
"${as_nobody[@]}" cat "/proc/$daemon/maps" >"$tmp/maps" 2>&1 || fail "a debugger can't look into the daemon"
ok "with --dumpable a debugger can"
stop_daemon
clean "$tmp/daemon.log"

# ---- the user npf, where there is one ----

grep -v '^npf:' /etc/passwd >"$tmp/passwd"
echo 'npf:x:64321:65534::/nonexistent:/usr/sbin/nologin' >>"$tmp/passwd"
cat >"$tmp/with-npf" <<-EOF
	#!/bin/sh
	exec unshare --mount --propagation private \\
		sh -c 'mount --bind "$tmp/passwd" /etc/passwd && exec "\$@"' sh "$dpdk" "\$@"
EOF
chmod 755 "$tmp/with-npf"
dpdk=$tmp/with-npf
chown 64321 "$tmp" # the socket is to be removed at the end
start_daemon -c "$tmp/conf.yaml"
each_thread Uid "$(printf '%s\t' 64321 64321 64321)64321"
each_thread CapPrm "$no_caps"
ok "a daemon that root starts becomes the user npf, if there is one"
stop_daemon
sed 's/^npf: {/&user: root, /' "$tmp/conf.yaml" >"$tmp/root.yaml"
start_daemon -c "$tmp/root.yaml"
each_thread Uid "$(printf '%s\t' 0 0 0)0"
each_thread CapPrm "$kept"
ok "or stays root when its configuration says so"
stop_daemon
clean "$tmp/daemon.log"
