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
	sed -nE 's/^([0-9.]+) .*\(0x0800\), length ([0-9]+): .*/\1 \2/p' >"$tmp/expected"
[ "$(wc -l <"$tmp/expected")" -eq "$n" ] || fail "the test reads tcpdump wrongly"

PKG_CONFIG_PATH=$(dirname "$(find "$tmp/inst" -name npfdp.pc)")
export PKG_CONFIG_PATH
flags=$(pkg-config --cflags --libs npfdp)
# shellcheck disable=SC2086
cc -Wall -Werror "$NPF_SRC/examples/capture.c" $flags $san -o "$tmp/linked" || fail "cc with $flags"
cc -Wall -Werror "$NPF_SRC/examples/capture.c" -lpcap -o "$tmp/stock" || fail "cc with -lpcap"
readelf -d "$tmp/linked" >"$tmp/needs"
says "$tmp/needs" 'NEEDED.*libnpfdp\.so\.0' "a program linked as pkg-config says needs libnpfdp.so.0"
! grep -q 'NEEDED.*libpcap' "$tmp/needs" || fail "it needs libpcap as well"
lib=$(dirname "$(find "$tmp/inst" -name libnpfdp.so)")

config "$(replay npf0 "$file")" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
captures() { # SENTENCE COMMAND...: the times and lengths of the file's packets
	local sentence=$1
	shift
	timeout 20 "$@" npf0 'tcp port 80' "$n" >"$tmp/out" 2>"$tmp/err" || fail "$sentence: $(cat "$tmp/err")"
	awk '{ print $1, $2 }' "$tmp/out" >"$tmp/got"
	same "$tmp/expected" "$tmp/got" "$sentence captures its $n packets"
}
captures "a program linked with libnpfdp" env LD_LIBRARY_PATH="$lib" "$tmp/linked"
captures "the same linked with libpcap, under npf-run," "$run" "$tmp/stock"
stop_daemon
