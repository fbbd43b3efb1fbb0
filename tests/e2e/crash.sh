#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Clients that crash, hang or are too many cost the daemon nothing that it does not get back, and
# cost other clients nothing at all. CYCLES (default 400) clients are killed at random moments;
# scripts/stress-attach.sh runs this with 10 000.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump jq prlimit

attach=$NPF_CLIENTS/tests/e2e/attach
device=net_pcap0,rx_pcap=$corpus/web4.pcap,infinite_rx=1

# ---- killed at any moment
start_daemon --vdev "$device"
note_costs
few_fds=$(($(daemon_fds) + 40))
"$attach" "$NPF_SOCKET" npf0 "${CYCLES:-400}" "${SEED:-1}" >"$tmp/attach" 2>&1 || {
	cat "$tmp/attach"
	fail "clients that are killed fail before that"
}
clean "$tmp/attach"
wait_for 30 has_sessions 0 || fail "$(n_sessions) sessions are left of clients that were killed"
wait_for 30 costs_as_before || fail "the daemon had $costs descriptors and mappings, now $(daemon_fds) $(daemon_maps)"
ok "$(cat "$tmp/attach"); no session, descriptor or mapping is left"

# ---- stopped for a while: only its own packets are lost
"$run" tcpdump -nn -i npf0 -w /dev/null >/dev/null 2>&1 &
add_background
stopped=$!
wait_for 30 has_sessions 1 || fail "the first client does not attach"
kill -STOP "$stopped"
timeout 20 "$run" tcpdump -nn -i npf0 -c 200000 -w /dev/null 2>"$tmp/other" ||
	fail "a client that is stopped holds up another"
says "$tmp/other" '^200000 packets captured' "a client that is stopped does not hold up another"
[ "$(ctl sessions | jq '.sessions[0].drop_full')" -gt 0 ] || fail "what the stopped client loses is not counted"
ok "what the stopped client loses is counted"
kill -CONT "$stopped"
kill -TERM "$stopped"
wait_gone "$stopped" 300 || fail "the stopped client does not end once it goes on"
wait_for 30 has_sessions 0 || fail "the stopped client's session is left"
stop_daemon

# ---- too many for the daemon's descriptors
dpdk_alone=$dpdk
cat >"$tmp/few-fds" <<-EOF
	#!/bin/sh
	exec prlimit --nofile=$few_fds "$dpdk_alone" "\$@"
EOF
chmod +x "$tmp/few-fds"
dpdk=$tmp/few-fds
# A quiet port, so that 24 clients are about descriptors and not about CPU time.
start_daemon --vdev net_null0,no-rx=1
note_costs
many=()
for i in $(seq 24); do
	"$run" tcpdump -nn -i npf0 -w /dev/null >"$tmp/many.$i" 2>&1 &
	add_background
	many+=($!)
done
some_fail() {
	grep -lE 'out of descriptors|does not answer|npf-dpdk' "$tmp"/many.* >/dev/null
}
wait_for 40 some_fail || fail "24 clients found room in 40 descriptors"
kill -0 "$daemon" || fail "the daemon died of too many clients"
alive=0
for pid in "${many[@]}"; do
	! kill -0 "$pid" 2>/dev/null || alive=$((alive + 1))
done
[ "$alive" -gt 0 ] || fail "no client at all was served"
clean "$tmp/daemon.log"
# Again and again: on a busy machine one may still be this shell, which loses the signal when it becomes npf-run.
many_end() {
	local pid status=0

	for pid in "${many[@]}"; do
		! kill -TERM "$pid" 2>/dev/null || status=1
	done
	return $status
}
wait_for 30 many_end || fail "clients do not end"
wait_for 30 has_sessions 0 || fail "sessions are left"
wait_for 30 costs_as_before || fail "the daemon had $costs descriptors and mappings, now $(daemon_fds) $(daemon_maps)"
"$run" tcpdump -nn -i npf0 -w /dev/null >"$tmp/after" 2>&1 &
add_background
wait_for 30 has_sessions 1 || fail "no client is served once the many have gone: $(cat "$tmp/after")"
ok "out of descriptors: a clear error for some, the others go on, and all is well once they have gone"
stop_daemon
