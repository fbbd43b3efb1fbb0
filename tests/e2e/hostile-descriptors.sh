#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Descriptors that do not close when the daemon closes them keep nobody waiting, whether the kernel refuses to
# pass them or not.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hostile-lib.sh"
need_root
netns a
configure '{connections: 20, memory: 64}'
start_daemon -c "$tmp/conf.yaml"
passrights=through
python3 -c 'import socket; socket.socket(socket.AF_UNIX).setsockopt(1, 83, 0)' 2>/dev/null && passrights=refused
hostile descriptors linger $passrights
hostile descriptors linger_in_files
stop_daemon

# ---- a kernel that lets descriptors through ----

configure '{connections: 20}'
export ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS-}
LD_PRELOAD=$NPF_CLIENTS/tests/e2e/liboldkernel.so start_daemon -c "$tmp/conf.yaml"
hostile descriptors linger through
LD_PRELOAD='' stop_daemon
clean "$tmp/daemon.log"
