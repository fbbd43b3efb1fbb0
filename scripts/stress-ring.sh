#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# stress-ring.sh [BUILD-DIRECTORY [RECORDS]] - the ring's long tests.
#
# Two processes, a thousand million records (RECORDS) of random sizes with every byte checked, with
# one lane and with three, with buffers exchanged all the time; ten thousand readers killed; and a
# check that no hugepage was left behind. Some minutes, most of two cores. The short forms of all
# this are part of `meson test`.
set -eu
build=${1:-build}
records=${2:-1000000000}
here=$build/tests/unit/ringbuf

huge() {
	awk '/^HugePages_Free/ {print $2}' /proc/meminfo
}

before=$(huge)
"$here/test_stress" -s 86400 -l 1 -r $((records / 2)) -x "$RANDOM$RANDOM"
"$here/test_stress" -s 86400 -l 1 -m 16000 -r $((records / 4)) -x "$RANDOM$RANDOM"
"$here/test_stress" -s 86400 -l 3 -r $((records / 4)) -x "$RANDOM$RANDOM"
"$here/test_kill" 10000
after=$(huge)
[ "$after" -ge "$before" ] || {
	echo "$before hugepages free before, $after after: are they in use elsewhere?"
	exit 1
}
