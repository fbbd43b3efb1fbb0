#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# fuzz-filter-shapes.sh [PAIRS [SEED [BUILD]]] - the filter machine against bpf_filter(), for long.
#
# Runs the structured differential test of the suite (programs made of what the optimiser looks for,
# packets that lie on their edges) over PAIRS pairs of program and packet (a thousand million
# unless given), from program number SEED on, at low priority and in pieces, so that it can be
# interrupted and taken up again with the seed that was printed last. A build without sanitizers does
# about a million pairs a second. fuzz-filter-long.sh is the same for arbitrary programs.
set -eu
pairs=${1:-1000000000} seed=${2:-100000000} build=${3:-build}
test=$build/tests/conformance/test_structured
per_program=256 piece=80000
[ -x "$test" ] || {
	echo "$test is not there: build first" >&2
	exit 2
}
programs=$(((pairs + per_program - 1) / per_program))
while [ "$programs" -gt 0 ]; do
	n=$((programs < piece ? programs : piece))
	nice -n 19 "$test" "$n" "$seed" >/dev/null || {
		echo "a difference, see above: $test 1 PROGRAM runs that program alone" >&2
		exit 1
	}
	programs=$((programs - n))
	seed=$((seed + n))
	echo "$((programs * per_program)) pairs left, no difference; next seed $seed"
done
