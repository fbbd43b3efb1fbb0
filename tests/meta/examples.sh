#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# examples.sh NPF-DPDK SOURCE-ROOT - every configuration that the examples and the README show is
# one that the daemon takes, once the savefiles that it names are there.
set -eu
daemon=$(realpath "$1") src=$(realpath "$2")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp "$src"/examples/*.yaml "$tmp/"
sed -n '/^```yaml$/,/^```$/p' "$src/README.md" | grep -v '^```' >"$tmp/README.yaml"
cd "$tmp"
mkdir -p tests/corpus
cp "$src/tests/corpus/web4.pcap" tests/corpus/
cp "$src/tests/corpus/web4.pcap" trace.pcap
n=0
for f in "$tmp"/*.yaml; do
	[ -s "$f" ] || {
		echo "$(basename "$f") is empty"
		exit 1
	}
	"$daemon" -c "$f" --check
	n=$((n + 1))
done
[ $n -ge 4 ]
