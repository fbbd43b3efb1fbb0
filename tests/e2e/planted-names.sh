#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Where names lead that others make, the daemon changes and removes nothing: in the place of its socket, and in
# /tmp, where a daemon of a user that has no runtime directory keeps files. /tmp is one of our own here.
. "$(dirname "$0")/lib.sh"
need_root
need unshare
install_clients
dpdk=$(find "$tmp/inst" -name npf-dpdk -type f -perm /111 | head -n 1)
txgen=$(find "$tmp/inst" -name npf-txgen -type f -perm /111 | head -n 1)
# The sources, and what sanitizers read of them, may lie in the other /tmp.
cp "$NPF_SRC/tests/lsan.supp" "$tmp/"
export LSAN_OPTIONS=${LSAN_OPTIONS-}
LSAN_OPTIONS=${LSAN_OPTIONS//$NPF_SRC\/tests/$tmp}
no_pid=999999999 # above any pid there can be: a daemon that was killed long ago

config '{name: npf0, device: "net_null0"}' >"$tmp/conf.yaml"
chown nobody "$tmp"
chmod 711 "$tmp"

# The daemon, or the program that is named, as nobody, in a /tmp with $tmp and the file tree that
# $tmp/prepare makes in /tmp/dpdk.
cat >"$tmp/in-own-tmp" <<-EOF
	#!/bin/bash
	set -e
	mount --bind $tmp /mnt
	mount -t tmpfs -o mode=1777 none /tmp
	mkdir $tmp
	mount --move /mnt $tmp
	mkdir /tmp/dpdk
	. $tmp/prepare
	unset XDG_RUNTIME_DIR
	[ \$# -gt 0 ] || set -- "$dpdk" -c $tmp/conf.yaml
	exec ${as_nobody[*]} "\$@"
EOF
chmod 755 "$tmp/in-own-tmp"

victim() {
	rm -rf "$tmp/victim"
	install -d -o nobody "$tmp/victim"
	install -o nobody /dev/null "$tmp/victim/precious"
}
own_tmp=(unshare --mount --propagation private "$tmp/in-own-tmp")

# ---- a link in the place of the socket ----

victim
chmod 600 "$tmp/victim/precious"
! ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS-} VICTIM=$tmp/victim/precious \
	LD_PRELOAD=$NPF_CLIENTS/tests/e2e/libswapped.so timeout 20 "$dpdk" -c "$tmp/conf.yaml" >"$tmp/out" 2>&1 ||
	fail "a daemon starts though its socket is no longer there"
[ "$(stat -c %a "$tmp/victim/precious")" = 600 ] || fail "a file has become everybody's through a link"
says "$tmp/out" "npf.sock: can't set its group and mode" "a link in the place of the socket is not followed"
rm -f "$NPF_SOCKET"

# ---- the directory is somebody else's ----

victim
cat >"$tmp/prepare" <<-EOF
	chmod 777 /tmp/dpdk
	chown daemon /tmp/dpdk
	ln -s $tmp/victim /tmp/dpdk/npf-$no_pid
EOF
timeout 60 "${own_tmp[@]}" >"$tmp/out" 2>&1 &
pid=$!
add_background
done_or_ready() {
	grep -q 'npf-dpdk: ready' "$tmp/out" || ! kill -0 $pid 2>/dev/null
}
wait_for 60 done_or_ready
kill -TERM $pid 2>/dev/null || true
wait $pid && fail "a daemon starts with somebody else's runtime directory"
[ -e "$tmp/victim/precious" ] || fail "a file was removed through a link in somebody else's directory"
says "$tmp/out" "/tmp/dpdk is not a directory of user 65534's.*set XDG_RUNTIME_DIR" \
	"somebody else's runtime directory is refused, and nothing is removed"
! timeout 60 "${own_tmp[@]}" "$txgen" --vdev net_null0 -- --count 1 >"$tmp/out" 2>&1 ||
	fail "npf-txgen starts with somebody else's runtime directory"
says "$tmp/out" "/tmp/dpdk is not a directory of user 65534's.*set XDG_RUNTIME_DIR" \
	"npf-txgen refuses it, too"

# ---- a link in its place ----

victim
mkdir "$tmp/victim/npf-$no_pid"
chown nobody "$tmp/victim/npf-$no_pid"
install -o nobody /dev/null "$tmp/victim/npf-$no_pid/precious"
echo "rmdir /tmp/dpdk; ln -s $tmp/victim /tmp/dpdk" >"$tmp/prepare"
timeout 60 "${own_tmp[@]}" >"$tmp/out" 2>&1 &
pid=$!
add_background
wait_for 60 done_or_ready
kill -TERM $pid 2>/dev/null || true
wait $pid && fail "a daemon starts with a link as its runtime directory"
[ -e "$tmp/victim/npf-$no_pid/precious" ] || fail "a file was removed through a link in the directory's place"
ok "a link in the directory's place is refused, and nothing is removed"

# ---- a link in our own directory ----

victim
cat >"$tmp/prepare" <<-EOF
	chown nobody /tmp/dpdk
	chmod 700 /tmp/dpdk
	ln -s $tmp/victim /tmp/dpdk/npf-$no_pid
	install -d -o nobody -m 700 /tmp/dpdk/npf-$((no_pid - 1))
	touch /tmp/dpdk/npf-$((no_pid - 1))/socket
EOF
dpdk=$tmp/in-own-tmp-as-daemon
printf '#!/bin/sh\nexec %s\n' "${own_tmp[*]}" >"$dpdk"
chmod 755 "$dpdk"
start_daemon
exec 4<"/proc/$daemon/root/tmp/dpdk"
stop_daemon
left=$(find /proc/self/fd/4/ -mindepth 1 -maxdepth 1 -printf '%f ')
[ -e "$tmp/victim/precious" ] || fail "a file was removed through a link"
[ "$left" = "npf-$no_pid " ] || fail "not what should be left in the runtime directory: $left"
ok "a link in the runtime directory is not followed; what is ours and dead is removed"
clean "$tmp/daemon.log"
