#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# exports.sh LIBNPFDP LIBPCAP - what the shared library shows and what it needs.
#
# It exports every function of the installed libpcap, and nothing but pcap's, WinPcap's and its own
# names; it needs no DPDK, and does not link the libpcap that it stands in for.
set -eu
lib=$1 genuine=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
status=0

names() {
	nm -D --defined-only "$1" | awk '$2 ~ /[TWiBDR]/ { sub(/@.*/, "", $3); print $3 }' | sort -u
}

fault() {
	echo "FAILED: $*"
	status=1
}

names "$lib" >"$tmp/ours"
names "$genuine" >"$tmp/theirs"
[ "$(wc -l <"$tmp/theirs")" -gt 60 ] || fault "$genuine shows too few names to be libpcap"
missing=$(comm -13 "$tmp/ours" "$tmp/theirs")
[ -z "$missing" ] || fault "libpcap exports these, libnpfdp does not:" $missing
strange=$(grep -vE '^(pcap_|npfdp_|bpf_|Packet|eproto_db$|NPFDP_)' "$tmp/ours" |
	grep -vxFf "$tmp/theirs" || true)
[ -z "$strange" ] || fault "libnpfdp exports names that are not its business:" $strange

needed=$(readelf -d "$lib" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
for n in $needed; do
	case $n in
	librte_* | libpcap*) fault "libnpfdp needs $n" ;;
	esac
done
undefined=$(nm -D --undefined-only "$lib" | awk '{ print $2 }' | grep '^rte_' || true)
[ -z "$undefined" ] || fault "libnpfdp refers to DPDK:" $undefined
[ $status -ne 0 ] || echo "$(wc -l <"$tmp/ours") names, needs:" $needed
exit $status
