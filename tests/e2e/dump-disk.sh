#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Dumps and disks that give trouble: a full one costs packets that are counted, and nothing else, and
# so does a file that may not become larger; two dumps never meet in a directory; a power cut finds every file whole that was told of; neither a full disk nor one that does not answer
# keeps the daemon from stopping in time; and files are made by npf.user, or clearly refused.
. "$(dirname "$0")/lib.sh"
need_root
need capinfos tcpdump jq mkfs.ext4 fsfreeze losetup setpriv prlimit

# The socket's directory is npf.user's, as /run/npf is: he removes it at the end.
install -d -m 755 -o nobody "$tmp/run"
export NPF_SOCKET=$tmp/run/npf.sock

mounted=()
release() {
	local m
	for m in "${mounted[@]}"; do
		fsfreeze -u "$m" 2>/dev/null || true
		umount "$m" 2>/dev/null || umount -l "$m" || true
	done
}
at_end() {
	local status=$?
	release
	set +e
	(exit $status)
	cleanup
}
trap at_end EXIT

# disk NAME SIZE: a file system of its own, with O_DIRECT and a journal, in a file.
disk() {
	truncate -s "$2" "$tmp/$1.img"
	mkfs.ext4 -q "$tmp/$1.img"
	mount_disk "$1"
}
mount_disk() {
	mkdir -p "$tmp/$1"
	mount -o loop "$tmp/$1.img" "$tmp/$1" 2>"$tmp/err" || skip "nothing can be mounted here: $(cat "$tmp/err")"
	mounted+=("$tmp/$1")
}

value() {
	ctl dump list | jq -r --arg n "$1" ".dumps[] | select(.name == \$n) | .$2"
}
is() { # NAME CONDITION
	ctl dump list | jq -e --arg n "$1" ".dumps[] | select(.name == \$n) | $2"
}
readable() {
	local said
	said=$(capinfos -Mc "$1" 2>&1 >/dev/null) || fail "capinfos $1: $said"
	[ -z "$said" ] || fail "capinfos warns of $1: $said"
}

config '{name: npf0, device: "net_null0,size=1514"}' >"$tmp/conf.yaml"

# ---- a disk that does not answer, when the daemon stops: it takes its time while all else goes on ----

disk stuck 64M
sed "s,socket: [^,]*,socket: $tmp/stuck.sock," "$tmp/conf.yaml" >"$tmp/stuck.yaml"
"$dpdk" -c "$tmp/stuck.yaml" 2>"$tmp/stuck.log" &
stuck=$!
wait_for 30 grep -q 'npf-dpdk: ready' "$tmp/stuck.log" || fail "the daemon does not start"
"$npfctl" --socket "$tmp/stuck.sock" dump start npf0 -n held -w "$tmp/stuck/held-%N.pcap" -C 8MiB --keep 2 >/dev/null
wait_for 30 sh -c "'$npfctl' --socket '$tmp/stuck.sock' --json dump list | jq -e '.dumps[0].files > 2'" || fail "no files"
fsfreeze -f "$tmp/stuck"
kill -TERM $stuck
stuck_since=$SECONDS

# ---- a full disk ----

start_daemon -c "$tmp/conf.yaml"
disk small 32M
"$npfctl" dump start npf0 -n full -w "$tmp/small/full-%N.pcap" -C 8MiB >/dev/null || fail "dump start"
wait_for 30 is full '.error != null and .drop_disk > 0' || fail "a full disk is not told"
"$npfctl" dump list >"$tmp/out"
says "$tmp/out" 'error: .*No space left' "npfctl says that the disk is full"
before=$(value full received)
wait_for 30 is full ".received > $before" || fail "the tap waits for the disk"
files=$(value full files)
rm "$tmp"/small/full-00000[12].pcap
wait_for 30 is full ".files > $files" || fail "the dump does not go on when there is room again"
timeout 1 "$npfctl" dump stop full >/dev/null 2>&1 || true # would wait: the disk is full again by now
ended_or_room() { # what waits in memory is more than the disk holds
	local f
	is full '.state == "done"' && return
	for f in "$tmp"/small/full-*.pcap; do
		[ ! -e "$f" ] || readable "$f" >&3
		rm -f "$f"
	done
	return 1
}
wait_for 30 ended_or_room 3>&1 || fail "the dump does not end once there is room"
rm -f "$tmp"/small/*.pcap
[ "$(value full 'received - (.drop_disk + .drop_oversize + .written)')" = 0 ] ||
	fail "packets are neither written nor counted as dropped"
ok "a full disk drops and counts, and is used again when there is room"

# ---- a file that may not become larger (ulimit -f) ----

# Memory is files, too, so the ring must be smaller than that.
prlimit --pid "$daemon" --fsize=4194304:unlimited
"$npfctl" dump start npf0 -n large -w "$tmp/small/large.pcap" --buffer 2MiB --max-size 16MiB >/dev/null || fail "dump start"
wait_for 30 is large '.error != null and .drop_disk > 0' || fail "a file that is too large is not told"
"$npfctl" dump list >"$tmp/out"
says "$tmp/out" 'error: .*File too large' "npfctl says that a file may not become larger"
before=$(value large drop_disk)
wait_for 30 is large ".drop_disk > $before" || fail "drops are not counted any more"
prlimit --pid "$daemon" --fsize=unlimited
wait_for 30 is large '.state == "done"' || fail "the dump does not go on when it may"
readable "$tmp/small/large.pcap"
rm "$tmp/small/large.pcap"
ok "a limit on the size of files is like a disk that is full"

# ---- blocks that are kept for root ----

install_clients
truncate -s 64M "$tmp/kept.img"
mkfs.ext4 -q -m 50 "$tmp/kept.img"
mount_disk kept
chmod 777 "$tmp/kept"
blocks() { # FORMAT: f: free, a: free for everybody
	stat -f -c "%$1" "$tmp/kept"
}
reserved=$(($(blocks f) - $(blocks a)))
"${as_nobody[@]}" "$unpfctl" dump start npf0 -n theirs -w "$tmp/kept/theirs.pcap" >"$tmp/out" 2>&1 &
client=$!
add_background
wait_for 30 is theirs '.error != null and .drop_disk > 0' || fail "a user's dump is not told that the disk is full"
"$npfctl" dump list >"$tmp/out"
says "$tmp/out" 'error: .*No space left' "a user's dump finds the disk full ..."
sync -f "$tmp/kept"
[ "$(blocks f)" -ge "$reserved" ] || fail "of $reserved blocks that are kept for root $(blocks f) are left"
ok "... while there are all $reserved blocks that are kept for root"
kill $client
theirs_ended() {
	fallocate -p -o 0 -l 64MiB "$tmp/kept/theirs.pcap" # room for what is still in memory
	is theirs '.state == "done"'
}
wait_for 30 theirs_ended || fail "a user's dump does not end when there is room"
rm "$tmp/kept/theirs.pcap"

# ---- two dumps in one directory ----

"$npfctl" dump start npf0 -n ring -w "$tmp/small/ring-%N.pcap" -C 1MiB -W 2 tcp port 1 >/dev/null || fail "dump start"
for file in "$tmp//small/./ring-%N.pcap" "$tmp/small/ring-%s.pcap" "$tmp/small/ring-%N-%N.pcap"; do
	! "$npfctl" dump start npf0 -w "$file" tcp port 1 2>"$tmp/err" || fail "$file meets ring-%N.pcap"
	says "$tmp/err" 'dump "ring" writes to .*/ring-%N.pcap' "a dump that would meet another's files is refused"
done
"$npfctl" dump start npf0 -n apart -w "$tmp/small/rings-%N.pcap" -C 1MiB -W 2 tcp port 1 >/dev/null ||
	fail "rings-%N.pcap does not meet ring-%N.pcap"
"$npfctl" dump stop ring
"$npfctl" dump stop apart
rm -f "$tmp"/small/ring*

# ---- a power cut ----

# What stands on a disk is what its image holds: a copy of that, taken the moment a file is told of.
disk cut 64M
"$npfctl" dump start npf0 -n cut -w "$tmp/cut/cut.pcap" -c 5000 >/dev/null
wait_for 30 is cut '.state == "done"' || fail "a dump of 5000 packets does not end"
cp "$tmp/cut.img" "$tmp/after.img"
size=$(stat -c %s "$tmp/cut/cut.pcap")
mount_disk after
[ -e "$tmp/after/cut.pcap" ] || fail "after a power cut the file has lost its name: $(ls "$tmp/after")"
[ "$(stat -c %s "$tmp/after/cut.pcap")" = "$size" ] && cmp "$tmp/cut/cut.pcap" "$tmp/after/cut.pcap" ||
	fail "after a power cut the file is not what it was"
ok "a file that was told of is whole after a power cut"

# ---- a full disk when the daemon stops ----

"$npfctl" dump start npf0 -n last -w "$tmp/small/last-%N.pcap" -C 8MiB >/dev/null || fail "dump start"
wait_for 30 is last '.error != null' || fail "a full disk is not told"
since=$SECONDS
stop_daemon
[ $((SECONDS - since)) -le 6 ] || fail "a full disk holds the daemon for $((SECONDS - since)) s"
says "$tmp/daemon.log" "dump last: the disk did not take what was left: .*No space left.*; [1-9][0-9]* packets are lost by it" \
	"a full disk holds the daemon for two seconds, and is named with what is lost"
for f in "$tmp"/small/last-*.pcap; do
	readable "$f"
done
rm "$tmp"/small/*.pcap*

# ---- as npf.user ----

install -d -m 755 "$tmp/closed"
install -d -m 700 -o nobody "$tmp/open"
as_user() { # DUMP: a configuration of one standing dump, run as nobody
	sed 's/^npf: {/&user: nobody, /' "$tmp/conf.yaml"
	echo "dumps: [$1]"
}
as_user "{name: d, port: npf0, file: \"$tmp/open/d-%N.pcap\", mode: \"0604\", rotate: {packets: 1000, keep: 2}}" >"$tmp/user.yaml"
start_daemon -c "$tmp/user.yaml"
wait_for 30 is d '.files > 3' || fail "no files are made as npf.user"
"$npfctl" dump stop d
wait_for 30 is d '.state == "done"' || fail "the dump does not end"
find "$tmp/open" -type f ! -name '*.part' -printf '%u %m\n' | sort -u >"$tmp/out"
echo "nobody 604" | cmp - "$tmp/out" || fail "files are not npf.user's: $(cat "$tmp/out")"
[ "$(value d direct)" = true ] || [ "$(stat -f -c %T "$tmp/open")" = tmpfs ] || fail "not written past the page cache"
! "$npfctl" dump start npf0 -w "$tmp/closed/x.pcap" 2>"$tmp/err" || fail "nobody can write to root's directory"
says "$tmp/err" "can't make files in $tmp/closed: Permission denied" "a directory that npf.user can't write to is refused"
stop_daemon
refused() { # DUMP PATTERN SENTENCE
	as_user "$1" >"$tmp/user.yaml"
	! timeout 20 "$dpdk" -c "$tmp/user.yaml" 2>"$tmp/err" || fail "$3: the daemon starts"
	says "$tmp/err" "$2" "$3"
}
refused "{name: d, port: npf0, file: \"$tmp/closed/d.pcap\"}" "dump d: .*can't make files in $tmp/closed: Permission denied" \
	"a standing dump where npf.user can't write is refused at the start"
refused "{name: d, port: npf0, file: \"$tmp/open/d.pcap\", owner: root}" "dump d: owner: .*can't give files to user 0" \
	"so is an owner that npf.user can't give files to"

# ---- the disk that does not answer, again ----

gave_up() {
	grep -q 'dump held: the disk does not answer' "$tmp/stuck.log" && [ ! -e "$tmp/stuck.sock" ]
}
wait_for 20 gave_up && [ $((SECONDS - stuck_since)) -le 20 ] || {
	cat "$tmp/stuck.log"
	fail "a disk that does not answer holds the daemon for $((SECONDS - stuck_since)) s"
}
ok "a disk that does not answer holds the daemon for some ten seconds, and is named"
fsfreeze -u "$tmp/stuck"
wait_gone $stuck 300 || fail "the daemon is still there when the disk answers again"
status=0
wait $stuck || status=$?
[ $status -eq 0 ] || fail "the daemon's exit status is $status"
for f in "$tmp"/stuck/held-*.pcap; do
	readable "$f"
done
ok "files that were finished before are whole"
clean "$tmp/stuck.log"
