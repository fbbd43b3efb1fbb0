#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A dump's name and its file's: text or not, they are shown as text; a name that is made up is no other
# dump's.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump-lib.sh"
need_root
need setpriv
install_clients
mkdir -m 777 "$dumps/theirs"

config '{name: npf3, device: "net_null3,size=1514"}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
first_dump npf3

# Names that are no text. (A multi-byte character cut in half is what an error may end with.)
! "${as_nobody[@]}" "$unpfctl" dump start npf3 -n $'bad\xff' -w "$dumps/theirs/b.pcap" 2>"$tmp/err" || fail "a name that is no text"
says "$tmp/err" 'not UTF-8' "a dump's name must be UTF-8"
"$npfctl" dump start npf3 -n naïve -w "$dumps/"$'f\xff.pcap' -c 10 --wait >/dev/null || fail "a file's name in Latin-1"
wait_for 30 is_done naïve || fail "dump naïve is not listed"
[ "$(value naïve file)" = "$dumps/f�.pcap" ] && [ "$(value naïve last)" = "$dumps/f�.pcap" ] || fail "its file: $(value naïve file)"
readable "$dumps/"$'f\xff.pcap' 10
says "$tmp/daemon.log" '"file":"[^"]*/f�.pcap".*"packets":10,' "a file whose name is no text has its summary, too"
for pad in '' x; do
	dir=$dumps/$pad$(printf 'ä%.0s' {1..60})
	mkdir "$dir"
	"$npfctl" dump start npf3 -n "cut$pad" -w "$dir/%N.pcap" --packets 1000 --buffer 2MiB >/dev/null
	mv "$dir" "$dumps/moved"
	wait_for 30 has "cut$pad" 'error // "" | test("^can.t make a file as .*: No such file")' true ||
		fail "error $(value "cut$pad" error)"
	[ "$(value "cut$pad" file)" = "$dir/%N.pcap" ] || fail "file $(value "cut$pad" file)"
	mkdir "$dir"
	"$npfctl" dump stop "cut$pad" || fail "dump stop"
	rm -rf "$dir" "$dumps/moved"
done
ok "an error that ends within a character is shown"

# A name is one dump's.
first=$("$npfctl" dump start npf3 -w "$dumps/a.pcap" -c 1 --wait)
taken=dump-$((${first#dump-} + 2))
"$npfctl" dump start npf3 -n "$taken" -w "$dumps/b.pcap" --max-size 1TiB -s 64 >/dev/null
second=$("$npfctl" dump start npf3 -w "$dumps/c.pcap" -c 1 --wait)
[ "$second" != "$taken" ] && [ "$second" != "$first" ] || fail "two dumps are called $second"
! "$npfctl" dump start npf3 -n "$taken" -w "$dumps/e.pcap" 2>"$tmp/err" || fail "a name twice"
says "$tmp/err" "a dump \"$taken\" already" "the name of a running dump is refused"
"$npfctl" dump stop "$taken"
ok "a name that is made up is no other dump's"
rm -f "$dumps"/?.pcap

costs_come_back
stop_daemon
clean "$tmp/daemon.log"
