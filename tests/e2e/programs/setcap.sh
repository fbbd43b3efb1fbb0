#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A program with file capabilities, as dumpcap is for members of group wireshark, ignores
# LD_LIBRARY_PATH and the environment. With the documented entry for the system's linker it captures
# from a port, as an unprivileged user; without it, it is as it was. All in a mount namespace:
# this machine's linker learns nothing of it.
. "$(dirname "$0")/../lib.sh"
need_root
need dumpcap tcpdump setcap unshare setpriv ldconfig jq
[ -z "${NPF_PRELOAD-}" ] || skip "nothing can be loaded into a program with capabilities"

file=$corpus/web4.pcap
n=$(packets_of "$file")
install_clients
compat=$("$urun" --print-dir)
config "$(replay npf0 "$file")" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"

cp "$(command -v dumpcap)" "$tmp/dumpcap"
setcap cap_net_raw,cap_net_admin=eip "$tmp/dumpcap" 2>/dev/null || skip "no file capabilities in /tmp"
mkdir -m 777 "$tmp/out.d"

# in_private COMMAND...: with the compat library in the linker's cache and the socket at its
# default place.
cat >"$tmp/private.sh" <<-EOF
	set -eu
	mount -t tmpfs none /run
	mkdir -m 755 /run/npf
	ln -s "$NPF_SOCKET" /run/npf/npf.sock
	if [ "\$1" = with ]; then
		cp -r /etc/ld.so.conf.d "$tmp/conf.d"
		echo "$compat" >"$tmp/conf.d/000-npfdp.conf"
		mount --bind "$tmp/conf.d" /etc/ld.so.conf.d
		ldconfig -C "$tmp/ld.so.cache"
		mount --bind "$tmp/ld.so.cache" /etc/ld.so.cache
	fi
	shift
	exec "\$@"
EOF
user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

timeout 30 unshare -m bash "$tmp/private.sh" without "${user[@]}" "$tmp/dumpcap" -D >"$tmp/out" 2>&1 || true
! grep -q npf0 "$tmp/out" || fail "npf0 is there without the entry"
ok "without the entry the program is as it was"
timeout 30 unshare -m bash "$tmp/private.sh" with "${user[@]}" "$tmp/dumpcap" -D >"$tmp/out" 2>&1 ||
	fail "dumpcap -D: $(cat "$tmp/out")"
says "$tmp/out" 'npf0' "with it, dumpcap of an unprivileged user lists npf0"
timeout 60 unshare -m bash "$tmp/private.sh" with "${user[@]}" "$tmp/dumpcap" -q -i npf0 -c "$n" \
	-w "$tmp/out.d/cap.pcapng" >"$tmp/out" 2>&1 || fail "dumpcap: $(cat "$tmp/out")"
tcpdump -nn -tt -e -v -x -r "$file" >"$tmp/expected" 2>/dev/null
tcpdump -nn -tt -e -v -x -r "$tmp/out.d/cap.pcapng" >"$tmp/got" 2>/dev/null
same "$tmp/expected" "$tmp/got" "and captures its $n packets, byte for byte"
stop_daemon
clean "$tmp/daemon.log"
