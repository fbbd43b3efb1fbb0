#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench.sh [BENCHMARK ...] - build optimised and run the benchmarks, one after the other; the
# figures are in docs/benchmarks.md. Without arguments: all of them. Each runs its peers
# and us side by side and prints ratios; nothing else should run on the machine meanwhile.
#
# The names are those of `meson test -C build-release --benchmark --list`. What a benchmark
# printed stays in build-release/bench/NAME.txt.
set -eu
cd "$(dirname "$0")/.."
root=$PWD

scripts/setup.sh >/dev/null
[ -e build-release/build.ninja ] || meson setup build-release --buildtype=release >/dev/null
ninja -C build-release >/dev/null
mkdir -p build-release/bench

all() {
	meson test -C build-release --no-rebuild --benchmark --list 2>/dev/null | sed -n 's|.* / ||p'
}

[ $# -gt 0 ] || mapfile -t names < <(all)
[ $# -eq 0 ] || names=("$@")
status=0
for name in "${names[@]}"; do
	echo "== $name"
	meson test -C build-release --no-rebuild --benchmark "$name" >/dev/null 2>&1 || {
		echo "FAILED" >&2
		status=1
	}
	jq -r '.stdout // empty' build-release/meson-logs/testlog.json |
		tee "$root/build-release/bench/${name//[^A-Za-z0-9._-]/_}.txt"
done
exit $status
