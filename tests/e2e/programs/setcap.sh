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
config "$(replay npf0 "$file")" >"$t/conf.yaml"
start_daemon -c "$t/conf.yaml"

cp "$(command -v dumpcap)" "$t/dumpcap"
setcap cap_net_raw,cap_net_admin=eip "$t/dumpcap" 2>/dev/null || skip "no file capabilities in /tmp"
mkdir -m 777 "$t/out.d"

# in_private COMMAND...: with the compat library in the linker's cache and the socket at its
# default place.
cat >"$t/private.sh" <<-EOF
	set -eu
	mount -t tmpfs none /run
	mkdir -m 755 /run/npf
	ln -s "$NPF_SOCKET" /run/npf/npf.sock
	if [ "\$1" = with ]; then
		cp -r /etc/ld.so.conf.d "$t/conf.d"
		echo "$compat" >"$t/conf.d/000-npfdp.conf"
		mount --bind "$t/conf.d" /etc/ld.so.conf.d
		ldconfig -C "$t/ld.so.cache"
		mount --bind "$t/ld.so.cache" /etc/ld.so.cache
	fi
	shift
	exec "\$@"
EOF
user=(setpriv --reuid=nobody --regid=nogroup --clear-groups)

timeout 30 unshare -m bash "$t/private.sh" without "${user[@]}" "$t/dumpcap" -D >"$t/out" 2>&1 || true
! grep -q npf0 "$t/out" || fail "npf0 is there without the entry"
ok "without the entry the program is as it was"
timeout 30 unshare -m bash "$t/private.sh" with "${user[@]}" "$t/dumpcap" -D >"$t/out" 2>&1 ||
	fail "dumpcap -D: $(cat "$t/out")"
says "$t/out" 'npf0' "with it, dumpcap of an unprivileged user lists npf0"
timeout 60 unshare -m bash "$t/private.sh" with "${user[@]}" "$t/dumpcap" -q -i npf0 -c "$n" \
	-w "$t/out.d/cap.pcapng" >"$t/out" 2>&1 || fail "dumpcap: $(cat "$t/out")"
tcpdump -nn -tt -e -v -x -r "$file" >"$t/expected" 2>/dev/null
tcpdump -nn -tt -e -v -x -r "$t/out.d/cap.pcapng" >"$t/got" 2>/dev/null
same "$t/expected" "$t/got" "and captures its $n packets, byte for byte"
stop_daemon
clean "$t/daemon.log"
