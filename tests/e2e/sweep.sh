#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# sweep.sh - remove what end-to-end tests left behind that could not clean up after themselves.
#
# Each test names its namespaces, links and directories npfe<pid>...; what belongs to a process
# that is no more is nobody's. Quiet, and harmless beside a test that is running.
[ "$(id -u)" -eq 0 ] || exit 0

gone() {
	local pid=${1#npfe}
	pid=${pid%%[!0-9]*}
	[ -n "$pid" ] && ! [ -d "/proc/$pid" ]
}

for ns in $(ip netns list 2>/dev/null | sed -n 's/^\(npfe[0-9][^ ]*\).*/\1/p'); do
	! gone "$ns" || ip netns del "$ns" 2>/dev/null
done
for link in $(ip -o link show 2>/dev/null | sed -n 's/^[0-9]*: \(npfe[0-9][^@:]*\).*/\1/p'); do
	! gone "$link" || ip link del "$link" 2>/dev/null
done
for dir in /tmp/npfe[0-9]*; do
	[ ! -d "$dir" ] || ! gone "$(basename "$dir")" || rm -rf "$dir"
done
exit 0
