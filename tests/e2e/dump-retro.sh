#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What came before a trigger is there; an index that can't be written is named, and no error any more when it
# can.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump-lib.sh"
need_root
many_packets

config "$(replay npf0 "$tmp/many.pcap")" "$(replay npf1 "$tmp/many.pcap")" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
first_dump npf0

# Retrospective: what came before the trigger. The replay is over by then.
"$npfctl" dump start npf0 -n past -w "$dumps/past-%N.pcap" --retro 4MiB >/dev/null || fail "--retro"
wait_for 30 has past received $n_many || fail "not all was received"
"$npfctl" dump trigger past || fail "trigger"
wait_for 30 test -e "$dumps/past-000001.pcap" || fail "the trigger makes no file"
s=$(stat -c %s "$dumps/past-000001.pcap")
[ "$s" -gt $((3 << 20)) ] && [ "$s" -le $(((4 << 20) + 24)) ] || fail "$s bytes were remembered"
tail -c $((s - 24)) "$tmp/many.pcap" | cmp - <(tail -c +25 "$dumps/past-000001.pcap") || fail "not the last $s bytes"
"$npfctl" dump stop past
"$npfctl" dump start npf0 -n recent -w "$dumps/recent-%N.pcapng" -f pcapng --retro 64MiB --retro-time 10s >/dev/null
wait_for 30 has recent received $n_many || fail "not all was received"
"$npfctl" dump trigger recent
wait_for 30 test -e "$dumps/recent-000001.pcapng" || fail "the trigger makes no file"
readable "$dumps/recent-000001.pcapng" 10001
"$npfctl" dump stop recent
ok "a trigger writes the last 4 MiB, or the last 10 s"
costs_come_back

# ---- the index ----

stop_daemon
clean "$tmp/daemon.log"
cat >>"$tmp/conf.yaml" <<-CONF
	dumps:
	  - {name: past, port: npf1, file: "$dumps/past-%N.pcap", retrospective: {size: 4MiB}, index: $tmp/no/such/index}
CONF
status=0
timeout 20 "$dpdk" -c "$tmp/conf.yaml" 2>"$tmp/err" || status=$?
[ $status = 1 ] || fail "an index that can't be written: exit status $status"
says "$tmp/err" "dump past: index: .*can't append to $tmp/no/such/index: No such file" "an index that can't be written is named at the start"
sed -i "s|$tmp/no/such/index|$tmp/index.jsonl|" "$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
rm "$tmp/index.jsonl"
mkdir "$tmp/index.jsonl"
wait_for 30 has past received $n_many || fail "not all was received"
"$npfctl" dump trigger past || fail "trigger"
wait_for 30 has past index_error '"Is a directory"' || fail "index_error $(value past index_error)"
"$npfctl" dump list >"$tmp/out"
says "$tmp/out" "can't append to $tmp/index.jsonl: Is a directory" "an index that can't be written any more is shown"
rmdir "$tmp/index.jsonl"
# The error is shown from within the end of that file, and until it has ended a second trigger is refused.
wait_for 30 "$npfctl" dump trigger past || fail "trigger"
wait_for 30 has past index_error null || fail "index_error $(value past index_error)"
[ "$(wc -l <"$tmp/index.jsonl")" = 1 ] || fail "the index: $(cat "$tmp/index.jsonl")"
ok "and is no error any more when it can"
stop_daemon
clean "$tmp/daemon.log"
