#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fuzz-filter-set.sh [VERDICTS [SEED [BUILD]]] - filter sets against their members alone, for long.
#
# Runs the differential test of the suite until it has compared VERDICTS verdicts (a thousand million
# unless given; one is a member's for a packet by one kernel), from set number SEED on, at low
# priority and in pieces, so that it can be interrupted and taken up again with the seed that was
# printed last. A build without sanitizers does some ten million verdicts a second.
set -eu
verdicts=${1:-1000000000} seed=${2:-100000000} build=${3:-build}
test=$build/tests/conformance/test_filter_set
piece=500
[ -x "$test" ] || {
	echo "$test is not there: build first" >&2
	exit 2
}
done=0
while [ "$done" -lt "$verdicts" ]; do
	out=$(nice -n 19 "$test" "$piece" "$seed") || {
		echo "seed $seed and on, after $done verdicts: a difference, see above" >&2
		exit 1
	}
	n=${out#* sets, }
	done=$((done + ${n%% *}))
	seed=$((seed + piece))
	echo "$done verdicts, no difference; next seed $seed"
done
