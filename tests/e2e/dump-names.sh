#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A dump makes regular files: what is there and none (a device, a FIFO, a directory, a link) is
# refused by that name, by everybody who can name a file, and nothing is made beside it. Standard
# output is taken when it is a file. A handle whose packets go into a dump counts them.
. "$(dirname "$0")/lib.sh"
need_root
need jq tcpdump
mkfifo "$tmp/fifo"
mkdir "$tmp/folder"
ln -s "$tmp/nowhere" "$tmp/link"
n=$(packets_of "$corpus/web4.pcap")

config "$(replay npf0 "$corpus/web4.pcap")" '{name: npf1, device: "net_null0,no-rx=1"}' \
	'{name: npf2, device: "net_ring0", send: true}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
for what in /dev/null /dev/stdout "$tmp/fifo" "$tmp/folder" "$tmp/link"; do
	! "$npfctl" dump start npf1 -w "$what" >"$tmp/out" 2>"$tmp/err" || fail "npfctl dumps into $what"
	says "$tmp/err" "\"$what\" is a (device|symbolic link|FIFO|directory): a dump goes into a regular file" \
		"npfctl does not dump into $what"
	for beside in "$what"-1 "$what"-1.part "$what".part; do
		[ ! -e "$beside" ] || fail "$beside was made"
	done
	{
		cat "$tmp/conf.yaml"
		echo "dumps: [{name: d, port: npf1, file: \"$what\"}]"
	} >"$tmp/bad.yaml"
	! "$dpdk" --check -c "$tmp/bad.yaml" 2>"$tmp/err" || fail "--check takes $what"
	says "$tmp/err" "\"$what\" is a .*: a dump goes into a regular file" "... nor does the configuration"
done
for what in /dev/null "$tmp/fifo" "$tmp/folder"; do
	! timeout 20 "$NPF_CLIENTS/examples/example-dump" npf1 tcp "$what" >"$tmp/out" 2>&1 ||
		fail "pcap_live_dump() dumps into $what"
	says "$tmp/out" "$what: a dump goes into a regular file, and this is none" "nor does a program into $what"
done
! "$npfctl" dump start npf1 -w - 2>"$tmp/err" | cat || fail "-w - takes a pipe"
says "$tmp/err" 'standard output is no regular file: .*npf-run tcpdump' "-w - does not take a pipe, and says what would"
[ "$(ctl dump list | jq '.dumps | length')" -eq 0 ] || fail "a dump was started: $(ctl dump list)"

"$npfctl" dump start npf0 -n out -w - >"$tmp/out.pcap" 2>"$tmp/err" || fail "-w - > FILE: $(cat "$tmp/err")"
says "$tmp/err" '^out$' "-w - takes a file, and names the dump elsewhere"
written() {
	ctl dump list | jq -e ".dumps[] | select(.name == \"out\") | .written == $n"
}
wait_for 30 written || fail "not all is dumped: $(ctl dump list)"
"$npfctl" dump stop out || fail "dump stop"
[ "$(packets_of "$tmp/out.pcap")" -eq "$n" ] || fail "$(packets_of "$tmp/out.pcap") of $n packets in it"
ok "... which has all $n packets"

# Statistics of a handle in dump mode. The port gives back what is sent: each packet goes by twice.
"$NPF_CLIENTS/examples/example-dump" npf2 tcp "$tmp/some.pcap" >"$tmp/out" 2>&1 &
dumper=$!
add_background
of_port() {
	ctl dump list | jq -e ".dumps[] | select(.port == \"npf2\") | .$1 == $2"
}
wait_for 30 of_port state '"running"' || fail "the program does not dump: $(cat "$tmp/out")"
"$npfctl" send npf2 -r "$corpus/web4.pcap" >/dev/null || fail "npfctl send"
wait_for 30 of_port received $((2 * n)) || fail "not all goes by: $(ctl dump list)"
tcp=$((2 * $(packets_of "$corpus/web4.pcap" tcp)))
[ "$(ctl sessions | jq -c '.sessions[0] | [.received, .accepted, .captured]')" = "[$((2 * n)),$tcp,$tcp]" ] ||
	fail "npfctl sessions: $(ctl sessions)"
ok "npfctl sessions counts what goes into a session's dump"
# Until it has its handler: in the background the signal is ignored.
interrupted() {
	kill -INT $dumper 2>/dev/null || true
	wait_gone $dumper 1
}
wait_for 30 interrupted || fail "the program does not stop"
wait $dumper || fail "examples/dump: $(cat "$tmp/out")"
says "$tmp/out" "^stopped: $tcp packets accepted\$" "so does the program itself: $tcp packets"
[ "$(packets_of "$tmp/some.pcap")" -eq "$tcp" ] || fail "$(packets_of "$tmp/some.pcap") packets in the file"
"$npfctl" dump >"$tmp/out"
says "$tmp/out" 'BYTES +ON DISK' "the table tells bytes put into files from bytes on disk"
stop_daemon
clean "$tmp/daemon.log"
