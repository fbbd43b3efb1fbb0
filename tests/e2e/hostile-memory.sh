#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Memory that takes long to make keeps nobody waiting, and is given back.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hostile-lib.sh"
need_root
netns a

configure '{memory: 600}'
start_daemon -c "$tmp/conf.yaml"
hostile memory memory 512
hostile memory dump_memory 512
python3 "$NPF_SRC/tests/e2e/hostile-memory.py" "$NPF_SOCKET" in_work 512 >"$tmp/in_work" &
add_background
wait_for 30 grep -q asked "$tmp/in_work"
stop_daemon
ok "a daemon stops while a buffer is made"
clean "$tmp/daemon.log"
