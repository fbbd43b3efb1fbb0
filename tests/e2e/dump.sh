#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Dumps hold what came, exactly: byte for byte what was replayed, in every format, cut to the byte
# and to the packet; a full disk costs packets that are counted, and nothing else; kill -9 leaves
# whole files and one short one; what was before a trigger is there; and no packet costs a system
# call.
. "$(dirname "$0")/lib.sh"
need_root
need tcpdump tshark capinfos jq setpriv zstdcat strace
install_clients
live=$NPF_BUILD/tests/e2e/live_dump
d=$t/dumps
mkdir -m 777 "$d"

# A savefile of 20 000 packets of many sizes, one a millisecond.
n=20000
python3 - "$t/many.pcap" $n <<'PY'
import struct, sys
path, n = sys.argv[1], int(sys.argv[2])
def frame(size, port):
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, 0, 0, 64, 6, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    tcp = struct.pack(">HHIIBBHHH", 1024, port, 0, 0, 0x50, 0x10, 8192, 0, 0)
    return (bytes(12) + b"\x08\x00" + ip + tcp).ljust(size, b"\x00")
frames = [frame(60 + 50 * (i % 29), 80 if i % 3 == 0 else 443) for i in range(87)]
with open(path, "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
    for i in range(n):
        d = frames[i % 87]
        s, us = divmod(1790000000999 + i, 1000)
        f.write(struct.pack("<IIII", s, us * 1000, len(d), len(d)) + d)
PY
size=$(stat -c %s "$t/many.pcap")
web=$(packets_of "$t/many.pcap" tcp port 80)

files() {
	find "$d" -name "$1" | sort
}

# finished NAME: has this dump ended, with all on disk?
is_done() {
	ctl dump list | jq -e --arg n "$1" '.dumps[] | select(.name == $n) | .state == "done"'
}

# has NAME FIELD VALUE
has() {
	ctl dump list | jq -e --arg n "$1" ".dumps[] | select(.name == \$n) | .$2 == $3"
}

value() {
	ctl dump list | jq -r --arg n "$1" ".dumps[] | select(.name == \$n) | .$2"
}

# readable FILE PACKETS: capinfos and tcpdump read it without a word of warning.
readable() {
	local said
	said=$(capinfos -Mc "$1" 2>&1 >"$t/capinfos") || fail "capinfos $1: $said"
	[ -z "$said" ] || fail "capinfos warns of $1: $said"
	grep -qE "^Number of packets: +$2\$" "$t/capinfos" || fail "$1: not $2 packets"
	said=$(tcpdump -nn -r "$1" 2>&1 >"$t/tcpdump" | grep -v '^reading from file' || true)
	[ -z "$said" ] || fail "tcpdump warns of $1: $said"
	[ "$(wc -l <"$t/tcpdump")" -ge "$2" ] || fail "tcpdump does not read all of $1"
}

# readable_by_all FILE PACKETS: tshark, which takes its time, does so, too.
readable_by_all() {
	local said
	readable "$1" "$2"
	said=$(tshark -n -r "$1" 2>&1 >"$t/tshark" | grep -v '^Running as user' || true)
	[ -z "$said" ] || fail "tshark warns of $1: $said"
	[ "$(wc -l <"$t/tshark")" -eq "$2" ] || fail "tshark does not read all of $1"
}

# ---- standing dumps: every format, filter, rotation ----

{
	config "$(replay npf0 "$t/many.pcap")" "$(replay npf1 "$corpus/web4.pcap")"
	cat <<-CONF
		dumps:
		  - {name: all, port: npf0, file: "$d/all.pcap", mode: "0604"}
		  - {name: ns, port: npf0, file: "$d/ns.pcap", format: pcap-ns}
		  - {name: web, port: npf0, filter: "tcp port 80", file: "$d/web.pcapng", format: pcapng,
		     comment: "of a test"}
		  - {name: size, port: npf0, file: "$d/size-%N.pcap", rotate: {size: 1MB}, index: $t/size.jsonl}
		  - {name: time, port: npf0, file: "$d/time-%s.pcap", rotate: {time: 10s}}
		  - {name: packets, port: npf0, file: "$d/packets-%N.pcapng", format: pcapng,
		     rotate: {packets: 3000, keep: 3}}
		  - {name: both, port: npf0, file: "$d/both-%N.pcap", rotate: {size: 2MB, time: 60s, keep_size: 6MB}}
		  - {name: zip, port: npf0, file: "$d/zip.pcap.zst", compress: zstd, snaplen: 100}
		  - {name: wire, port: npf1, file: "$d/wire.pcap"}
	CONF
} >"$t/conf.yaml"
"$dpdk" --check -c "$t/conf.yaml" 2>"$t/err" || fail "the configuration is refused: $(cat "$t/err")"
start_daemon -c "$t/conf.yaml"
for name in all ns web size time packets both zip; do
	wait_for 60 has $name received $n || fail "$name: $(value $name received) of $n packets"
	has $name drop_disk 0 >/dev/null || fail "$name: dropped packets of a port that waits"
done
stop_daemon
clean "$t/daemon.log"

cmp "$t/many.pcap" "$d/all.pcap" || fail "the dump is not the file that was replayed"
ok "a dump of a replay is the replayed file, byte for byte"
cmp "$corpus/web4.pcap" "$d/wire.pcap" || fail "the dump of real traffic is not the file"
ok "so is one of real traffic"
[ "$(stat -c %a "$d/all.pcap")" = 604 ] || fail "mode $(stat -c %a "$d/all.pcap")"
[ -z "$(files '*.part')" ] || fail "there are .part files left"
readable_by_all "$d/all.pcap" $n
readable_by_all "$d/ns.pcap" $n
readable_by_all "$d/web.pcapng" "$web"
capinfos "$d/ns.pcap" | grep -q 'precision:  nanoseconds' || fail "no nanoseconds"
capinfos "$d/web.pcapng" >"$t/capinfos"
for line in 'Capture comment: +of a test' 'Name = npf0' 'Filter string = tcp port 80' \
	'Time precision = nanoseconds' 'Number of stat entries = 1'; do
	grep -qE "$line" "$t/capinfos" || fail "the pcapng file does not say: $line"
done
tcpdump -nn -tt -r "$t/many.pcap" tcp port 80 2>/dev/null >"$t/expected"
tcpdump -nn -tt -r "$d/web.pcapng" 2>/dev/null >"$t/got"
same "$t/expected" "$t/got" "pcapng holds the filtered packets, interface, filter and comment"

# Rotation: nothing lost in between, no limit exceeded.
i=0
for f in $(files 'size-*.pcap'); do
	i=$((i + 1))
	[ "$f" = "$(printf '%s/size-%06d.pcap' "$d" $i)" ] || fail "a gap in the numbers before $f"
	[ "$(stat -c %s "$f")" -le 1000000 ] || fail "$f is larger than its limit"
	tail -c +25 "$f"
done >"$t/joined"
tail -c +25 "$t/many.pcap" >"$t/expected"
cmp "$t/expected" "$t/joined" || fail "the files together are not the whole"
ok "files of at most 1 MB together hold everything, in order"
[ "$(jq -s 'map(.packets) | add' "$t/size.jsonl")" = $n ] &&
	[ "$(jq -s 'map(.bytes) | add' "$t/size.jsonl")" = "$(files 'size-*' | xargs cat | wc -c)" ] ||
	fail "the index does not add up"
ok "the index has a line for each file, and adds up"
for f in $(files 'time-*.pcap'); do
	second=${f##*-}
	second=${second%.pcap}
	tcpdump -nn -tt -r "$f" 2>/dev/null | awk -v from=$((second / 10 * 10)) \
		'{ if ($1 < from || $1 >= from + 10) exit 1 }' || fail "$f holds a packet of another time"
done
[ "$(files 'time-*.pcap' | wc -l)" -eq 3 ] || fail "$(files 'time-*.pcap' | wc -l) files, not 3"
ok "files of 10 s hold 10 s, from one multiple to the next"
[ "$(files 'packets-*' | tr '\n' ' ')" = "$d/packets-000005.pcapng $d/packets-000006.pcapng $d/packets-000007.pcapng " ] ||
	fail "kept: $(files 'packets-*')"
readable "$d/packets-000005.pcapng" 3000
readable "$d/packets-000007.pcapng" 2000
ok "of files of 3000 packets the last three stay"
[ "$(files 'both-*' | xargs cat | wc -c)" -le 6000000 ] || fail "more than 6 MB are kept"
[ "$(files 'both-*' | xargs ls -S | head -n 1 | xargs stat -c %s)" -le 2000000 ] || fail "over 2 MB"
ok "size, time and total size hold together"
tcpdump -nn -tt -r "$t/many.pcap" 2>/dev/null | cut -d' ' -f1 >"$t/expected"
zstdcat "$d/zip.pcap.zst" | tcpdump -nn -tt -r - 2>/dev/null | cut -d' ' -f1 >"$t/got"
same "$t/expected" "$t/got" "zstdcat | tcpdump reads a compressed dump"
rm -rf "${d:?}"/*

# ---- on demand: limits, rights, retrospective, pcap_live_dump() ----

{
	config "$(replay npf0 "$t/many.pcap")" "$(replay npf1 "$t/many.pcap")" \
		"{name: npf2, device: \"net_pcap2,rx_pcap=$t/many.pcap,infinite_rx=0\", start: attach}" \
		'{name: npf3, device: "net_null3,size=1514"}'
} >"$t/conf.yaml"
start_daemon -c "$t/conf.yaml"
"$npfctl" dump start npf0 -n limited -w "$d/limited.pcap" -c 12345 --wait >/dev/null || fail "dump start"
readable "$d/limited.pcap" 12345
cmp -n "$(stat -c %s "$d/limited.pcap")" "$d/limited.pcap" "$t/many.pcap" || fail "other bytes"
ok "a dump of 12345 packets has 12345"
"$npfctl" dump start npf0 -n bounded -w "$d/bounded.pcap" --max-size 1234567 --wait >/dev/null
s=$(stat -c %s "$d/bounded.pcap")
[ "$s" -le 1234567 ] && [ "$s" -gt $((1234567 - 1514 - 16)) ] || fail "$s bytes for a limit of 1234567"
cmp -n "$s" "$d/bounded.pcap" "$t/many.pcap" || fail "other bytes"
readable "$d/bounded.pcap" "$(packets_of "$d/bounded.pcap")"
ok "a dump of at most 1234567 bytes has $s"
wait_for 10 is_done bounded || fail "the dump does not end"
note_costs

"$npfctl" dump start npf0 -n again -w "$d/limited.pcap" -c 1 --wait >/dev/null
[ -e "$d/limited-1.pcap" ] && [ "$(packets_of "$d/limited.pcap")" = 12345 ] || fail "overwritten"
ok "a name that is taken is not overwritten"

# Somebody else may dump into a file of his own, and nowhere else.
mkdir -m 777 "$d/theirs"
"${as_nobody[@]}" "$unpfctl" dump start npf0 -n theirs -w "$d/theirs/x.pcap" -c 100 --wait tcp port 80 >/dev/null ||
	fail "nobody can't dump into a file of his own"
readable "$d/theirs/x.pcap" 100
[ "$(stat -c %U "$d/theirs/x.pcap")" = nobody ] || fail "the file is not his"
! "${as_nobody[@]}" "$unpfctl" dump start npf0 -w "$d/x-%N.pcap" -C 1MB 2>"$t/err" || fail "nobody may rotate"
says "$t/err" 'only root' "the daemon makes files for root only"
! "${as_nobody[@]}" "$unpfctl" dump start npf0 -w /etc/npfe-x 2>"$t/err" || fail "nobody writes to /etc"
"$npfctl" dump start npf3 -n mine -w "$d/mine.pcap" >/dev/null
! "${as_nobody[@]}" "$unpfctl" dump stop mine 2>"$t/err" || fail "nobody stops root's dump"
says "$t/err" 'belongs to user 0' "a dump is its owner's to stop"
"$npfctl" dump stop mine || fail "dump stop"
! "$npfctl" dump start npf0 -w "$d/x.pcap" no such filter 2>"$t/err" || fail "a wrong filter is taken"
says "$t/err" 'syntax error|no such|parse' "a wrong filter is named"
! "$npfctl" dump start npf0 -w "$d/x.pcap" --max-size 10 2>"$t/err" || fail "a limit of 10 bytes"
says "$t/err" 'smaller than the header' "a limit smaller than a header is refused"
! "$npfctl" dump start npf0 -w /no/such/dir/x.pcap 2>"$t/err" || fail "a dump into a directory that is not there"
says "$t/err" "can't make files in /no/such/dir: No such file" "a directory that is not there is refused at once"

# What is refused leaves the file as it was.
echo precious >"$d/theirs/precious"
chmod 666 "$d/theirs/precious"
! "${as_nobody[@]}" "$unpfctl" dump start nosuch -w "$d/theirs/precious" 2>"$t/err" || fail "a dump of no port"
says "$t/err" 'no port nosuch' "a port that is not there is named"
! "${as_nobody[@]}" "$urun" "$live" npf3 "$d/theirs/precious" 10 0 >/dev/null 2>"$t/err" || fail "a limit of 10 bytes"
says "$t/err" 'smaller than the header' "pcap_live_dump() says why it was refused"
[ "$(cat "$d/theirs/precious")" = precious ] || fail "a refused dump has emptied the file"
ok "a dump that is refused leaves the file as it was"
for args in '--retro-time 0s' '-G 0s' '--max-size 9223372036854775808' '--max-size 8388608TiB' \
	'-c 9223372036854775808'; do
	# shellcheck disable=SC2086
	! "$npfctl" dump start npf3 -w "$d/x-%N.pcap" $args 2>"$t/err" || fail "$args is taken"
	says "$t/err" 'is no (duration|size|number)' "$args is refused"
done

# offer FLAGS: a client that has opened its file so offers it for a dump; the daemon's answer.
offer() {
	python3 - "$NPF_SOCKET" "$d/theirs/offered" "$1" <<-'PY'
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
echo kept >"$d/theirs/offered"
for flags in O_RDONLY O_PATH 'O_RDWR | O_APPEND'; do
	offer "$flags" >"$t/out"
	says "$t/out" '^-22 .*open for' "a file opened with $flags is refused"
done
[ "$(cat "$d/theirs/offered")" = kept ] || fail "an offered file was changed"
[ "$(offer 'O_WRONLY')" = '0 ' ] || fail "a file opened for writing only is refused"
wait_for 10 is_done offered || fail "the dump into an offered file does not end"
readable "$d/theirs/offered" 1
ok "a file opened for writing is taken"

# Names that are no text. (A multi-byte character cut in half is what an error may end with.)
! "${as_nobody[@]}" "$unpfctl" dump start npf3 -n $'bad\xff' -w "$d/theirs/b.pcap" 2>"$t/err" || fail "a name that is no text"
says "$t/err" 'not UTF-8' "a dump's name must be UTF-8"
"$npfctl" dump start npf3 -n naïve -w "$d/"$'f\xff.pcap' -c 10 --wait >/dev/null || fail "a file's name in Latin-1"
wait_for 10 is_done naïve || fail "dump naïve is not listed"
[ "$(value naïve file)" = "$d/f�.pcap" ] && [ "$(value naïve last)" = "$d/f�.pcap" ] || fail "its file: $(value naïve file)"
readable "$d/"$'f\xff.pcap' 10
says "$t/daemon.log" '"file":"[^"]*/f�.pcap".*"packets":10,' "a file whose name is no text has its summary, too"
for pad in '' x; do
	dir=$d/$pad$(printf 'ä%.0s' {1..60})
	mkdir "$dir"
	"$npfctl" dump start npf3 -n "cut$pad" -w "$dir/%N.pcap" --packets 1000 --buffer 2MiB >/dev/null
	mv "$dir" "$d/moved"
	wait_for 10 has "cut$pad" 'error // "" | test("^can.t make a file as .*: No such file")' true ||
		fail "error $(value "cut$pad" error)"
	[ "$(value "cut$pad" file)" = "$dir/%N.pcap" ] || fail "file $(value "cut$pad" file)"
	mkdir "$dir"
	"$npfctl" dump stop "cut$pad" || fail "dump stop"
	rm -rf "$dir" "$d/moved"
done
ok "an error that ends within a character is shown"

# A name is one dump's.
first=$("$npfctl" dump start npf3 -w "$d/a.pcap" -c 1 --wait)
taken=dump-$((${first#dump-} + 2))
"$npfctl" dump start npf3 -n "$taken" -w "$d/b.pcap" --max-size 1TiB -s 64 >/dev/null
second=$("$npfctl" dump start npf3 -w "$d/c.pcap" -c 1 --wait)
[ "$second" != "$taken" ] && [ "$second" != "$first" ] || fail "two dumps are called $second"
! "$npfctl" dump start npf3 -n "$taken" -w "$d/e.pcap" 2>"$t/err" || fail "a name twice"
says "$t/err" "a dump \"$taken\" already" "the name of a running dump is refused"
"$npfctl" dump stop "$taken"
ok "a name that is made up is no other dump's"
rm -f "$d"/?.pcap

# Retrospective: what came before the trigger. The replay is over by then.
"$npfctl" dump start npf0 -n past -w "$d/past-%N.pcap" --retro 4MiB >/dev/null || fail "--retro"
wait_for 30 has past received $n || fail "not all was received"
"$npfctl" dump trigger past || fail "trigger"
wait_for 10 test -e "$d/past-000001.pcap" || fail "the trigger makes no file"
s=$(stat -c %s "$d/past-000001.pcap")
[ "$s" -gt $((3 << 20)) ] && [ "$s" -le $(((4 << 20) + 24)) ] || fail "$s bytes were remembered"
tail -c $((s - 24)) "$t/many.pcap" | cmp - <(tail -c +25 "$d/past-000001.pcap") || fail "not the last $s bytes"
"$npfctl" dump stop past
"$npfctl" dump start npf0 -n recent -w "$d/recent-%N.pcapng" -f pcapng --retro 64MiB --retro-time 10s >/dev/null
wait_for 30 has recent received $n || fail "not all was received"
"$npfctl" dump trigger recent
wait_for 10 test -e "$d/recent-000001.pcapng" || fail "the trigger makes no file"
readable "$d/recent-000001.pcapng" 10001
"$npfctl" dump stop recent
ok "a trigger writes the last 4 MiB, or the last 10 s"

last_has_all() { # from where the dump began, which is soon after the start
	local before
	before=$(ctl dump list | jq '.dumps[-1] | select(.state == "running") | .received')
	sleep 0.2
	[ "$before" -gt 0 ] && [ "$(ctl dump list | jq '.dumps[-1].received')" = "$before" ]
}

# pcap_live_dump(). The replay starts with the handle, so a dump begins somewhere in it: what
# counts is that from there on nothing is missing.
"${as_nobody[@]}" "$urun" "$live" npf0 "$d/theirs/live.pcap" 0 2000 "tcp port 443" >/dev/null || fail "pcap_live_dump"
readable "$d/theirs/live.pcap" 2000
tcpdump -nn -tt -S -r "$d/theirs/live.pcap" 2>/dev/null >"$t/got"
tcpdump -nn -tt -S -r "$t/many.pcap" tcp port 443 2>/dev/null |
	awk -v first="$(head -n 1 "$t/got")" '$0 == first { on = 1 } on && n++ < 2000' >"$t/expected"
same "$t/expected" "$t/got" "pcap_live_dump() stops at 2000 packets, waits, and filters"
"${as_nobody[@]}" "$urun" "$live" npf0 "$d/theirs/live.pcap" 100000 0 >/dev/null || fail "pcap_live_dump"
s=$(stat -c %s "$d/theirs/live.pcap")
[ "$s" -le 100000 ] && [ "$s" -gt 98000 ] || fail "$s bytes for a limit of 100000"
readable "$d/theirs/live.pcap" "$(packets_of "$d/theirs/live.pcap")"
ok "pcap_live_dump() never exceeds 100000 bytes"
{
	wait_for 20 last_has_all || true # the replay is over
	echo
} | "${as_nobody[@]}" "$urun" "$live" npf0 "$d/theirs/live.pcap" 0 0 >/dev/null || fail "pcap_live_dump"
s=$(stat -c %s "$d/theirs/live.pcap")
[ "$s" -gt 100000 ] || fail "the dump is too short for this test: $s bytes"
tail -c $((s - 24)) "$t/many.pcap" | cmp - <(tail -c +25 "$d/theirs/live.pcap") || fail "not the rest of the replay"
ok "a dump without limits is whole when its handle is closed"
echo | STAT=1 "${as_nobody[@]}" "$urun" "$live" npf0 "$d/theirs/live.pcap" 0 0 >"$t/out" || fail "with statistics"
[ "$(awk 'NF == 3 { if ($3 < last || $3 <= 0) exit 1; n += $1; last = $3 } END { print (n > 0) " " last }' "$t/out")" = \
	"1 $(stat -c %s "$d/theirs/live.pcap")" ] || {
	cat "$t/out"
	fail "statistics and dump together"
}
ok "statistics and dump go together: three counters, the last the file's offset"
AGAIN=$d/theirs/again.pcap "${as_nobody[@]}" "$urun" "$live" npf3 "$d/theirs/live.pcap" 0 500 >/dev/null ||
	fail "no second dump after the first"
readable "$d/theirs/live.pcap" 500
readable "$d/theirs/again.pcap" 500
ok "when a limit has ended a dump, another can begin on the same handle"
ended_dumps() {
	[ "$(ctl dump list | jq '.dumps | map(select(.state == "done")) | length')" -ge "$1" ]
}
rm "$d/theirs/live.pcap"
{
	wait_for 10 test -s "$d/theirs/live.pcap"
	wait_for 10 is_done "$(ctl dump list | jq -r '.dumps[-1].name')"
	for i in {1..66}; do
		"$npfctl" dump start npf3 -n "other-$i" -w "$d/other-$i.pcap" -c 1 --buffer 2MiB >/dev/null
	done
	wait_for 20 is_done other-66
	wait_for 20 ended_dumps 64
	echo
} | STAT=1 LATE=1 "${as_nobody[@]}" "$urun" "$live" npf3 "$d/theirs/live.pcap" 0 1000 >"$t/out" || fail "with statistics"
[ "$(tail -n 1 "$t/out" | cut -d' ' -f3)" = "$(stat -c %s "$d/theirs/live.pcap")" ] || {
	cat "$t/out"
	fail "the file's offset is forgotten"
}
ok "the file's offset stays when 66 other dumps have come and gone"
rm -f "$d"/other-*
wait_for 10 is_done "$(ctl dump list | jq -r '.dumps[-1].name')" || fail "the last dump does not end"
wait_for 10 costs_as_before || fail "dumps leave something behind: $(daemon_fds) $(daemon_maps), before $costs"
ok "dumps that have ended hold no descriptor and no memory"

# ---- the index ----

stop_daemon
clean "$t/daemon.log"
cp "$t/conf.yaml" "$t/on-demand.yaml"
cat >>"$t/conf.yaml" <<-CONF
	dumps:
	  - {name: past, port: npf1, file: "$d/past-%N.pcap", retrospective: {size: 4MiB}, index: $t/no/such/index}
CONF
status=0
timeout 20 "$dpdk" -c "$t/conf.yaml" 2>"$t/err" || status=$?
[ $status = 1 ] || fail "an index that can't be written: exit status $status"
says "$t/err" "dump past: index: .*can't append to $t/no/such/index: No such file" "an index that can't be written is named at the start"
sed -i "s|$t/no/such/index|$t/index.jsonl|" "$t/conf.yaml"
start_daemon -c "$t/conf.yaml"
rm "$t/index.jsonl"
mkdir "$t/index.jsonl"
wait_for 30 has past received $n || fail "not all was received"
"$npfctl" dump trigger past || fail "trigger"
wait_for 10 has past index_error '"Is a directory"' || fail "index_error $(value past index_error)"
"$npfctl" dump list >"$t/out"
says "$t/out" "can't append to $t/index.jsonl: Is a directory" "an index that can't be written any more is shown"
rmdir "$t/index.jsonl"
"$npfctl" dump trigger past || fail "trigger"
wait_for 10 has past index_error null || fail "index_error $(value past index_error)"
[ "$(wc -l <"$t/index.jsonl")" = 1 ] || fail "the index: $(cat "$t/index.jsonl")"
ok "and is no error any more when it can"
stop_daemon
clean "$t/daemon.log"
cp "$t/on-demand.yaml" "$t/conf.yaml"
start_daemon -c "$t/conf.yaml"

# ---- kill -9 ----

for round in 1 2; do
	rm -f "$d"/kill-*
	"$npfctl" dump start npf3 -n kill -w "$d/kill-%N.pcapng" -f pcapng -C 50MB >/dev/null
	sleep 0.$((round * 3))
	kill -9 "$daemon"
	wait "$daemon" 2>/dev/null || true
	part=0
	for f in $(files 'kill-*' | tail -n 3); do
		said=$(capinfos -Mc "$f" 2>&1 >/dev/null) || true
		tcpdump -nn -r "$f" >"$t/tcpdump" 2>"$t/err" || true
		grep -qE 'truncated|cut short' "$t/err" && part=$((part + 1))
		[ "${f%.part}" != "$f" ] || [ -z "$said" ] || fail "$f is finished and not whole: $said"
		[ "$(wc -l <"$t/tcpdump")" -gt 0 ] || [ "$(stat -c %s "$f")" -lt 8192 ] || fail "$f is not readable"
	done
	[ "$part" -le 1 ] || fail "kill -9 left $part short files"
	start_daemon -c "$t/conf.yaml"
done
rm -f "$d"/kill-*
ok "kill -9 leaves whole files and at most one short one"

# ---- no system call per packet ----

"$npfctl" dump start npf3 -n calls -w "$d/calls.pcap" --max-size 4GiB >/dev/null
strace -f -c -o "$t/strace" -p "$daemon" 2>"$t/strace.on" &
tracer=$!
wait_for 5 test -s "$t/strace.on" || fail "strace does not attach"
a=$(value calls written)
wait_for 10 sh -c "[ \$('$npfctl' --json dump list | jq '.dumps[] | select(.name == \"calls\") | .written') -gt $((a + 500000)) ]" ||
	fail "the dump does not go on under strace"
b=$(value calls written)
kill -INT $tracer
wait $tracer 2>/dev/null || true
"$npfctl" dump stop calls
calls=$(awk '$NF == "total" { print $4 }' "$t/strace")
[ -n "$calls" ] && [ "$calls" -gt 0 ] || fail "strace saw nothing: $(cat "$t/strace")"
[ $((b - a)) -gt $((20 * calls)) ] || {
	cat "$t/strace"
	fail "$calls system calls for $((b - a)) packets"
}
ok "no system call per packet"
rm -f "$d"/calls*

stop_daemon
clean "$t/daemon.log"
