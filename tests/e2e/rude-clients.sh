#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Whatever bytes a client writes to the socket, it gets an error with a text or a hang-up; the
# daemon serves everybody else and keeps nothing of it.
. "$(dirname "$0")/lib.sh"
need_root
need python3 jq

config '{name: npf0, device: "net_null0,copy=1", send: true}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
"$npfctl" status >/dev/null
note_costs

timeout 120 python3 "$NPF_SRC/tests/e2e/rude.py" "$NPF_SOCKET" npf0 || fail "see above"

wait_for 30 has_sessions 0 || fail "sessions of clients that are gone: $(ctl sessions)"
ok "no session is left"
wait_for 30 costs_as_before || fail "$(daemon_fds) descriptors and $(daemon_maps) mappings are left"
ok "no descriptor and no ring is left"
stop_daemon
clean "$tmp/daemon.log"
