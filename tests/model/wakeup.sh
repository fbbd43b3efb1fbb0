#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# wakeup.sh SOURCE-ROOT - search the model of the wake-up exhaustively.
#
# The model as it is must have no error in any configuration; each of its weakened forms must have
# one. Some five million states at most, some ten seconds of CPU.
set -eu
model=$(cd "$1" && pwd)/tests/model/wakeup.pml

command -v spin >/dev/null || {
	echo "spin is not installed (scripts/setup.sh installs it)"
	exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# search NAME-OF-EXPECTED-RESULT OPTION...: "proved" or "refuted"
search() {
	local expected=$1 result=refuted
	shift
	spin -a "$@" "$model" >spin.log
	cc -O1 -w -DSAFETY -DCOLLAPSE -DMEMLIM=2048 -o pan pan.c
	./pan -m100000 >pan.log 2>&1 || true
	# An incomplete search proves nothing.
	! grep -q 'errors: 0' pan.log || result=proved
	! grep -qE 'out of memory|max search depth too small|Search not completed' pan.log ||
		[ $result = refuted ] || result=incomplete
	echo "$*: $result, $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1 states/p' pan.log)"
	[ $result = "$expected" ] || {
		cat pan.log
		exit 1
	}
}

for min in 1 2; do
	search proved -DMIN=$min -DN_RECORDS=1
	search proved -DMIN=$min -DN_RECORDS=3 -DONE_LANE
done
for fault in WEAK_LANE WEAK_READER NO_LOOK LATE_DRAIN HEAD_LAST; do
	search refuted -DMIN=1 -DN_RECORDS=1 -D$fault
done
