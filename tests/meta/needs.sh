#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# needs.sh LIBNPFDP NPF-DPDK - what each side of the process boundary loads.
#
# No DPDK comes with libnpfdp, not even by way of another library, and the daemon does not
# link libnpfdp; the genuine libpcap compiles its configuration's filters. (The names that libnpfdp exports are the contract tests' business.)
set -eu
lib=$1 daemon=$2

closure=$(ldd "$lib")
if grep 'librte_' <<<"$closure"; then
	echo "the above comes with $lib"
	exit 1
fi
grep -q 'libc\.so' <<<"$closure" || {
	echo "ldd says nothing of $lib"
	exit 1
}
needed=$(readelf -d "$daemon" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
if grep '^libnpfdp' <<<"$needed"; then
	echo "the daemon links the above"
	exit 1
fi
grep -q '^librte_' <<<"$needed" || {
	echo "$daemon links no DPDK: is it the daemon?"
	exit 1
}
