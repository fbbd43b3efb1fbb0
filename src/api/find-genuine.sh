#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# find-genuine.sh - where is the real libpcap, and how large are its two data symbols?
# usage: find-genuine.sh COMPILER...   prints: PATH VERSION_SIZE EPROTO_SIZE
# The path ends in the SONAME, which outlives a minor upgrade of the library.
set -eu
link=$("$@" -print-file-name=libpcap.so)
real=$(readlink -f "$link")
soname=$(readelf -d "$real" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
path=$(dirname "$real")/$soname
test -e "$path"
size() {
	readelf --dyn-syms -W "$path" | awk -v n="$1" '$8 == n { print $3 }'
}
echo "$path $(size pcap_version) $(size eproto_db)"
