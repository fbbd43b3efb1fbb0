#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# symbols.sh LIBNPFDP COMPAT GENUINE - everything that libpcap exports, we export.
# Names, kinds and, for data, sizes: a program that was linked with libpcap has them copied into
# itself. Nothing is versioned, as nothing is in libpcap.
set -eu
ours=$1 compat=$2 genuine=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail=0

# NAME KIND SIZE, the size only for objects
list() {
	readelf --dyn-syms -W "$1" | awk '
		$7 != "UND" && $5 == "GLOBAL" && $6 == "DEFAULT" && ($4 == "FUNC" || $4 == "OBJECT") {
			print $8, $4, $4 == "OBJECT" ? $3 : "-"
		}' | sort
}
list "$genuine" >"$dir/genuine"
list "$ours" >"$dir/ours"
n=$(wc -l <"$dir/genuine")
if [ "$n" -lt 90 ]; then
	echo "only $n symbols found in $genuine: the list is wrong"
	exit 1
fi
comm -23 "$dir/genuine" "$dir/ours" >"$dir/missing"
if [ -s "$dir/missing" ]; then
	echo "libpcap exports these, libnpfdp does not (or with another kind or size):"
	cat "$dir/missing"
	fail=1
fi

# libpcap 1.11's, which its header declares since 1.9
for name in pcap_open pcap_findalldevs_ex pcap_createsrcstr pcap_parsesrcstr pcap_setsampling; do
	if ! grep -q "^$name FUNC" "$dir/ours"; then
		echo "missing: $name"
		fail=1
	fi
done

# Nothing else leaks out.
if grep -Ev '^(pcap_|npfdp_|bpf_(dump|filter|image|validate) |eproto_db )' "$dir/ours"; then
	echo "the above should be hidden"
	fail=1
fi

# The compat library is found under libpcap's name and brings libnpfdp in.
soname() {
	readelf -d "$1" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p'
}
if [ "$(soname "$compat")" != libpcap.so.0.8 ] || [ "$(soname "$ours")" != libnpfdp.so.0 ]; then
	echo "wrong SONAME: $(soname "$compat"), $(soname "$ours")"
	fail=1
fi
if ! readelf -d "$compat" | grep -q 'NEEDED.*libnpfdp\.so\.0'; then
	echo "$compat does not need libnpfdp.so.0"
	fail=1
fi
if [ -n "$(list "$compat")" ]; then
	echo "$compat should be empty"
	fail=1
fi
for link in libpcap.so libpcap.so.1; do
	if [ ! -e "$(dirname "$compat")/$link" ]; then
		echo "no $link beside $compat"
		fail=1
	fi
done
# The library takes no DPDK along, nor the real libpcap, which it opens itself.
if readelf -d "$ours" | grep -E 'NEEDED.*(librte_|libpcap)'; then
	fail=1
fi
[ $fail = 0 ] && echo "$n symbols of $genuine are all there"
exit $fail
