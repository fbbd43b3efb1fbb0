#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A libpcap program captures from an npf port in both ways: linked with libnpfdp as pkg-config says,
# from an installed tree; and linked with the genuine libpcap, under npf-run.
. "$(dirname "$0")/lib.sh"
need_root
need cc pkg-config tcpdump jq
# A library built with ASan wants a program built with it.
san=${NPF_PRELOAD:+-fsanitize=address,undefined}
install_clients
file=$corpus/web4.pcap
n=$(packets_of "$file" tcp port 80)
tcpdump -nn -tt -e -r "$file" tcp port 80 2>/dev/null |
	sed -nE 's/^([0-9.]+) .*\(0x0800\), length ([0-9]+): .*/\1 \2/p' >"$t/expected"
[ "$(wc -l <"$t/expected")" -eq "$n" ] || fail "the test reads tcpdump wrongly"

PKG_CONFIG_PATH=$(dirname "$(find "$t/inst" -name npfdp.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs npfdp)
# shellcheck disable=SC2086
cc -Wall -Werror "$NPF_SRC/examples/capture.c" $flags $san -o "$t/linked" || fail "cc with $flags"
cc -Wall -Werror "$NPF_SRC/examples/capture.c" -lpcap -o "$t/stock" || fail "cc with -lpcap"
readelf -d "$t/linked" >"$t/needs"
says "$t/needs" 'NEEDED.*libnpfdp\.so\.0' "a program linked as pkg-config says needs libnpfdp.so.0"
! grep -q 'NEEDED.*libpcap' "$t/needs" || fail "it needs libpcap as well"
lib=$(dirname "$(find "$t/inst" -name libnpfdp.so)")

config "$(replay npf0 "$file")" >"$t/conf.yaml"
start_daemon -c "$t/conf.yaml"
captures() { # SENTENCE COMMAND...: the times and lengths of the file's packets
	local sentence=$1
	shift
	timeout 20 "$@" npf0 'tcp port 80' "$n" >"$t/out" 2>"$t/err" || fail "$sentence: $(cat "$t/err")"
	awk '{ print $1, $2 }' "$t/out" >"$t/got"
	same "$t/expected" "$t/got" "$sentence captures its $n packets"
}
captures "a program linked with libnpfdp" env LD_LIBRARY_PATH="$lib" "$t/linked"
captures "the same linked with libpcap, under npf-run," "$run" "$t/stock"
stop_daemon
