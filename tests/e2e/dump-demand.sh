#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Dumps on demand: limits are exact, a file that is there stays, everybody may dump into a file of his own
# and nowhere else, and what is refused leaves the file as it was.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/dump-lib.sh"
need_root
need setpriv
many_packets
install_clients
live=$NPF_BUILD/tests/e2e/live_dump

config "$(replay npf0 "$tmp/many.pcap")" '{name: npf3, device: "net_null3,size=1514"}' >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
"$npfctl" dump start npf0 -n limited -w "$dumps/limited.pcap" -c 12345 --wait >/dev/null || fail "dump start"
readable "$dumps/limited.pcap" 12345
cmp -n "$(stat -c %s "$dumps/limited.pcap")" "$dumps/limited.pcap" "$tmp/many.pcap" || fail "other bytes"
ok "a dump of 12345 packets has 12345"
"$npfctl" dump start npf0 -n bounded -w "$dumps/bounded.pcap" --max-size 1234567 --wait >/dev/null
s=$(stat -c %s "$dumps/bounded.pcap")
[ "$s" -le 1234567 ] && [ "$s" -gt $((1234567 - 1514 - 16)) ] || fail "$s bytes for a limit of 1234567"
cmp -n "$s" "$dumps/bounded.pcap" "$tmp/many.pcap" || fail "other bytes"
readable "$dumps/bounded.pcap" "$(packets_of "$dumps/bounded.pcap")"
ok "a dump of at most 1234567 bytes has $s"
wait_for 30 is_done bounded || fail "the dump does not end"
note_costs

"$npfctl" dump start npf0 -n again -w "$dumps/limited.pcap" -c 1 --wait >/dev/null
[ -e "$dumps/limited-1.pcap" ] && [ "$(packets_of "$dumps/limited.pcap")" = 12345 ] || fail "overwritten"
ok "a name that is taken is not overwritten"

# Somebody else may dump into a file of his own, and nowhere else.
mkdir -m 777 "$dumps/theirs"
"${as_nobody[@]}" "$unpfctl" dump start npf0 -n theirs -w "$dumps/theirs/x.pcap" -c 100 --wait tcp port 80 >/dev/null ||
	fail "nobody can't dump into a file of his own"
readable "$dumps/theirs/x.pcap" 100
[ "$(stat -c %U "$dumps/theirs/x.pcap")" = nobody ] || fail "the file is not his"
(
	ulimit -S -f 100 # KiB
	"${as_nobody[@]}" "$unpfctl" dump start npf0 -n small -w "$dumps/theirs/small.pcap" --wait >/dev/null
) || fail "nobody can't dump under a limit"
s=$(stat -c %s "$dumps/theirs/small.pcap")
[ "$s" -le 102400 ] && [ "$s" -gt $((102400 - 1514 - 16)) ] || fail "$s bytes by a process that may write 102400"
readable "$dumps/theirs/small.pcap" "$(packets_of "$dumps/theirs/small.pcap")"
ok "a limit on the size of files holds for whom the daemon writes"
! "${as_nobody[@]}" "$unpfctl" dump start npf0 -w "$dumps/x-%N.pcap" -C 1MB 2>"$tmp/err" || fail "nobody may rotate"
says "$tmp/err" 'only root' "the daemon makes files for root only"
! "${as_nobody[@]}" "$unpfctl" dump start npf0 -w /etc/npfe-x 2>"$tmp/err" || fail "nobody writes to /etc"
"$npfctl" dump start npf3 -n mine -w "$dumps/mine.pcap" >/dev/null
! "${as_nobody[@]}" "$unpfctl" dump stop mine 2>"$tmp/err" || fail "nobody stops root's dump"
says "$tmp/err" 'belongs to user 0' "a dump is its owner's to stop"
"$npfctl" dump stop mine || fail "dump stop"
! "$npfctl" dump start npf0 -w "$dumps/x.pcap" no such filter 2>"$tmp/err" || fail "a wrong filter is taken"
says "$tmp/err" 'syntax error|no such|parse' "a wrong filter is named"
! "$npfctl" dump start npf0 -w "$dumps/x.pcap" --max-size 10 2>"$tmp/err" || fail "a limit of 10 bytes"
says "$tmp/err" 'smaller than the header' "a limit smaller than a header is refused"
! "$npfctl" dump start npf0 -w /no/such/dir/x.pcap 2>"$tmp/err" || fail "a dump into a directory that is not there"
says "$tmp/err" "can't make files in /no/such/dir: No such file" "a directory that is not there is refused at once"

# A dump of somebody else ends with its client, however that ends.
nobody_dumps() { # NAME: the client's pid is $client
	"${as_nobody[@]}" "$unpfctl" dump start npf3 -n "$1" -w "$dumps/theirs/$1.pcap" tcp port 1 >"$tmp/$1.out" 2>&1 &
	client=$!
	add_background
	wait_for 30 grep -q 'ends with this command' "$tmp/$1.out" || fail "npfctl does not stay: $(cat "$tmp/$1.out")"
	has "$1" state '"running"' >"$tmp/out" || fail "dump $1 does not run"
}
# A signal may come before npfctl has its handler: then it dies of it, and the dump ends as well.
for signal in INT TERM KILL; do
	nobody_dumps "by-$signal"
	interrupted() {
		kill -"$signal" $client 2>/dev/null || true
		wait_gone $client 1
	}
	wait_for 30 interrupted || fail "npfctl stays after SIG$signal"
	wait_for 30 is_done "by-$signal" || fail "a dump outlives its client, which got SIG$signal"
	readable "$dumps/theirs/by-$signal.pcap" 0
done
ok "a dump ends with its client, and its file is whole"
nobody_dumps by-stop
"$npfctl" dump stop by-stop || fail "dump stop"
wait_gone $client 300 || fail "npfctl stays when its dump has ended"
wait $client || fail "npfctl fails when its dump is stopped: $(cat "$tmp/by-stop.out")"
! "${as_nobody[@]}" "$unpfctl" dump start npf3 --detach -w "$dumps/theirs/stays.pcap" 2>"$tmp/err" || fail "nobody's dump may stay"
says "$tmp/err" 'npf.limits.lasting_dumps.*leave the client running' "a dump that is to stay is refused, with what to do"

# What is refused leaves the file as it was.
echo precious >"$dumps/theirs/precious"
chmod 666 "$dumps/theirs/precious"
! "${as_nobody[@]}" "$unpfctl" dump start nosuch -w "$dumps/theirs/precious" 2>"$tmp/err" || fail "a dump of no port"
says "$tmp/err" 'no port nosuch' "a port that is not there is named"
! "${as_nobody[@]}" "$urun" "$live" npf3 "$dumps/theirs/precious" 10 0 >/dev/null 2>"$tmp/err" || fail "a limit of 10 bytes"
says "$tmp/err" 'smaller than the header' "pcap_live_dump() says why it was refused"
[ "$(cat "$dumps/theirs/precious")" = precious ] || fail "a refused dump has emptied the file"
ok "a dump that is refused leaves the file as it was"
for args in '--retro-time 0s' '-G 0s' '--max-size 9223372036854775808' '--max-size 8388608TiB' \
	'-c 9223372036854775808'; do
	# shellcheck disable=SC2086
	! "$npfctl" dump start npf3 -w "$dumps/x-%N.pcap" $args 2>"$tmp/err" || fail "$args is taken"
	says "$tmp/err" 'is not a (duration|size|number)' "$args is refused"
done

# offer FLAGS: a client that has opened its file so offers it for a dump; the daemon's answer.
offer() {
	python3 - "$NPF_SOCKET" "$dumps/theirs/offered" "$1" <<-'PY'
		import os, socket, struct, sys
		path, file, flags = sys.argv[1:]
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect(path)
		def text(body):
		    return body.split(b"\0")[0].decode(errors="replace")
		def ask(kind, body):
		    global fds
		    s.send(struct.pack("=IHHIi", 0x3046504E, 2, kind, 7, 0) + body)
		    answer, fds, _, _ = socket.recv_fds(s, 65536, 9)
		    return struct.unpack("=IHHIi", answer[:16])[4], text(answer[16:])
		ask(1, struct.pack("64s", b"offer"))
		fd = os.open(file, eval(flags, dict(vars(os))), 0o600)
		ask(17, b"")
		with socket.socket(fileno=fds[0]) as channel:
		    socket.send_fds(channel, [b"F"], [fd])
		    answer = channel.recv(65536)
		if struct.unpack("=i", answer[:4])[0] != 0:
		    sys.exit(print(struct.unpack("=i", answer[:4])[0], text(answer[8:])))
		body = struct.pack("=64s64s1024s2048s1024s10Q6I", b"offered", b"npf3", b"", b"", b"", 0, 0, 0, 0, 1, *[0] * 11)
		status, why = ask(11, body)
		print(status, why if status else "")
	PY
}
echo kept >"$dumps/theirs/offered"
for flags in O_RDONLY O_PATH 'O_RDWR | O_APPEND'; do
	offer "$flags" >"$tmp/out"
	says "$tmp/out" '^-22 .*open for' "a file opened with $flags is refused"
done
[ "$(cat "$dumps/theirs/offered")" = kept ] || fail "an offered file was changed"
[ "$(offer 'O_WRONLY')" = '0 ' ] || fail "a file opened for writing only is refused"
wait_for 30 is_done offered || fail "the dump into an offered file does not end"
readable "$dumps/theirs/offered" 1
ok "a file opened for writing is taken"

costs_come_back
stop_daemon

# ---- an administrator lets a user's dumps stay ----

sed 's/^npf: {/&limits: {lasting_dumps: 1}, /' "$tmp/conf.yaml" >"$tmp/lasting.yaml"
start_daemon -c "$tmp/lasting.yaml"
"${as_nobody[@]}" "$unpfctl" dump start npf3 -n stays --detach -w "$dumps/theirs/stays.pcap" tcp port 1 >/dev/null ||
	fail "a dump that may stay"
! "${as_nobody[@]}" "$unpfctl" dump start npf3 --detach -w "$dumps/theirs/two.pcap" tcp port 1 2>"$tmp/err" || fail "two stay"
says "$tmp/err" 'dumps 1 may outlive' "one dump may stay, and a second may not"
nobody_dumps ends
kill $client
wait_for 30 is_done ends || fail "a dump that is not detached stays"
has stays state '"running"' >/dev/null || fail "the dump that may stay has ended with another"
"${as_nobody[@]}" "$unpfctl" dump stop stays || fail "a user can't stop his own dump"
readable "$dumps/theirs/stays.pcap" 0
stop_daemon

# ---- names of the configuration stay free for it, also while their port is away ----

{
	cat "$tmp/lasting.yaml"
	echo "dumps: [{name: standing, port: npf3, file: \"$dumps/standing-%N.pcap\", filter: tcp port 1}]"
} >"$tmp/standing.yaml"
start_daemon -c "$tmp/standing.yaml"
"$npfctl" port del npf3 >/dev/null || fail "port del"
! "${as_nobody[@]}" "$unpfctl" dump start npf0 -n standing --detach -w "$dumps/theirs/s.pcap" tcp port 1 2>"$tmp/err" ||
	fail "a user takes a name of the configuration"
says "$tmp/err" 'the configuration has a dump "standing"' "a name of the configuration is nobody's"
"$npfctl" port add npf3 "net_null3,size=1514" >/dev/null || fail "the port does not come back"
stop_daemon
clean "$tmp/daemon.log"
