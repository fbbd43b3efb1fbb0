#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fuzz-filter-long.sh [PAIRS [SEED [BUILD]]] - the filter machine against bpf_filter(), for long.
#
# Runs the differential test of the suite over PAIRS pairs of random program and random packet (a
# thousand million unless given), from program number SEED on, at low priority and in pieces, so that
# it can be interrupted and taken up again with the seed that was printed last. A build without
# sanitizers does one to two million pairs a second.
set -eu
pairs=${1:-1000000000} seed=${2:-100000000} build=${3:-build}
test=$build/tests/conformance/test_random
piece=20000000
[ -x "$test" ] || {
	echo "$test is not there: build first" >&2
	exit 2
}
done=0
while [ "$done" -lt "$pairs" ]; do
	left=$((pairs - done))
	n=$((left < piece ? left : piece))
	out=$(nice -n 19 "$test" "$n" "$seed") || {
		echo "seed $seed and on, after $done pairs: a difference, see above" >&2
		exit 1
	}
	programs=${out%% *}
	done=$((done + n))
	seed=$((seed + programs))
	echo "$done pairs, no difference; next seed $seed"
done
