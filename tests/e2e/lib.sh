# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# lib.sh - what the end-to-end tests share; sourced, not run.
#
# A test is a story told in bash: it starts a daemon on virtual devices, lets real programs use it
# and says `ok SENTENCE` for each thing seen to hold; the first thing that does not ends it with
# `fail SENTENCE` and the daemon's log. Everything a test makes is named npfe<pid>... and removed
# at its end, however it ends (sweep.sh removes what a SIGKILL left).
#
# Environment: NPF_SRC (source root), NPF_BUILD (build directory of the daemon), NPF_CLIENTS
# (build directory of the library and tools, NPF_BUILD unless given), NPF_PRELOAD (a library that
# programs under npf-run need first: libasan, when libnpfdp is built with it).
set -eu -o pipefail

# meson puts the build's libraries there, our libpcap.so.0.8 among them: stock programs are stock.
unset LD_LIBRARY_PATH

: "${NPF_SRC:=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")}"
: "${NPF_BUILD:=$NPF_SRC/build}"
: "${NPF_CLIENTS:=$NPF_BUILD}"

dpdk=$NPF_BUILD/tools/npf-dpdk
npfctl=$NPF_CLIENTS/tools/npfctl
run=$NPF_CLIENTS/tools/npf-run
corpus=$NPF_SRC/tests/corpus
packets=$NPF_SRC/tests/e2e/packets.py
id=npfe$$
tmp=/tmp/$id
export NPF_SOCKET=$tmp/npf.sock

daemon= # pid of the daemon that start_daemon started
background=()
namespaces=()

skip() {
	echo "SKIP: $*"
	exit 77
}

ok() {
	echo "ok: $*"
}

fail() {
	echo "FAILED: $*"
	if [ -s "$tmp/daemon.log" ]; then
		echo "--- the daemon's log:"
		tail -n 40 "$tmp/daemon.log"
	fi
	exit 1
}

need_root() {
	[ "$(id -u)" -eq 0 ] || skip "needs root, for devices and network namespaces"
}

need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "$tool is not installed: run scripts/setup.sh"
	done
}

cleanup() {
	local status=$? pid ns
	trap '' INT TERM
	for pid in "${background[@]}" $daemon; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${background[@]}" $daemon; do
		wait_gone "$pid" 30 || kill -9 "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	for ns in "${namespaces[@]}"; do
		ip netns del "$ns" 2>/dev/null || true
	done
	rm -rf "$tmp"
	exit $status
}
trap cleanup EXIT
trap 'exit 130' INT TERM
mkdir -m 755 "$tmp"

# preloading NPF-RUN: the same, with NPF_PRELOAD loaded first into the program. That program's own
# leaks are not our business.
preloading() {
	[ -n "${NPF_PRELOAD-}" ] || {
		echo "$1"
		return
	}
	local wrapper
	wrapper=$(mktemp -p "$tmp" npf-run.XXXX)
	cat >"$wrapper" <<-EOF
		#!/bin/sh
		ASAN_OPTIONS=detect_leaks=0:\$ASAN_OPTIONS LD_PRELOAD=$NPF_PRELOAD exec $1 "\$@"
	EOF
	chmod 755 "$wrapper"
	echo "$wrapper"
}
run=$(preloading "$run")

# daemon_preloads LIBRARY: daemons start with one of tests/e2e/ in front, which lies to them.
daemon_preloads() {
	cat >"$tmp/daemon" <<-EOF
		#!/bin/sh
		ASAN_OPTIONS=verify_asan_link_order=0:\$ASAN_OPTIONS LD_PRELOAD=$NPF_CLIENTS/tests/e2e/$1 exec "$dpdk" "\$@"
	EOF
	chmod +x "$tmp/daemon"
	dpdk=$tmp/daemon
}

# wait_gone PID TENTHS: until the process has ended (a zombie has).
wait_gone() {
	local i
	for ((i = 0; i < $2; i++)); do
		[ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# wait_for SECONDS COMMAND...: until the command succeeds. The seconds are a bound for a machine that has much
# else to do; no test passes because of them. A command that has not succeeded for a while is tried more rarely.
wait_for() {
	local end=$((SECONDS + $1)) tries=0
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep $((tries++ < 20 ? 5 : 20))e-2
	done
}

# config PORT...: a configuration on standard output; each PORT is a YAML flow mapping.
config() {
	local port
	echo "npf: {socket: $NPF_SOCKET, group: any, telemetry: false}"
	echo "eal: {memory: ${memory:-96}}"
	echo "ports:"
	for port in "$@"; do
		echo "  - $port"
	done
}

# replay NAME FILE [MORE]: a port that replays a savefile, without loss, to who attaches first.
replay() {
	echo "{name: $1, device: \"net_pcap${1#npf},rx_pcap=$2${3-}\", start: attach, overflow: wait, send: true}"
}

# start_daemon [NAMESPACE:] ARG...: and wait until it is ready.
start_daemon() {
	local in=()
	if [[ ${1-} == *: ]]; then
		in=(ip netns exec "${1%:}")
		shift
	fi
	: >"$tmp/daemon.log" # not the last daemon's `ready`, should the new one be slow
	"${in[@]}" "$dpdk" "$@" >"$tmp/daemon.out" 2>"$tmp/daemon.log" &
	daemon=$!
	wait_for 30 daemon_is_ready_or_gone
	grep -q 'npf-dpdk: ready' "$tmp/daemon.log" || fail "the daemon does not start"
}

daemon_is_ready_or_gone() {
	grep -q 'npf-dpdk: ready' "$tmp/daemon.log" || ! kill -0 "$daemon"
}

# Orderly stop; anything but exit status 0 fails the test.
stop_daemon() {
	local status=0
	kill -TERM "$daemon"
	wait_gone "$daemon" 100 || fail "the daemon does not stop within 10 s of SIGTERM"
	wait "$daemon" || status=$?
	daemon=
	[ $status -eq 0 ] || fail "the daemon's exit status after SIGTERM is $status"
	[ ! -s "$tmp/daemon.out" ] || fail "the daemon wrote to standard output"
	[ ! -e "$NPF_SOCKET" ] || fail "the daemon left its socket behind"
}

# background COMMAND...: run until cleanup or end; its pid is in $! (the caller redirects).
add_background() {
	background+=($!)
}

# Things that a session costs the daemon: descriptors and mappings.
daemon_fds() {
	find "/proc/$daemon/fd" -mindepth 1 | wc -l
}

daemon_maps() {
	grep -c memfd "/proc/$daemon/maps" || true
}

# A client that has gone is cleared away by and by.
note_costs() {
	local before=
	costs="$(daemon_fds) $(daemon_maps)"
	until [ "$costs" = "$before" ]; do
		before=$costs
		sleep 0.1
		costs="$(daemon_fds) $(daemon_maps)"
	done
}

costs_as_before() {
	[ "$(daemon_fds) $(daemon_maps)" = "$costs" ]
}

ctl() {
	"$npfctl" --json "$@"
}

n_sessions() {
	ctl sessions | jq '.sessions | length'
}

has_sessions() {
	[ "$(n_sessions)" -eq "$1" ]
}

# same EXPECTED GOT SENTENCE: two files are the same, line by line.
same() {
	cmp -s "$1" "$2" || {
		diff "$1" "$2" | head -n 20 || true
		echo "($(wc -l <"$1") lines expected, $(wc -l <"$2") there)"
		fail "$3"
	}
	ok "$3"
}

# says FILE PATTERN SENTENCE: the file has a line with the pattern.
says() {
	grep -qE -- "$2" "$1" || {
		echo "no line with /$2/ in:"
		cat "$1"
		fail "$3"
	}
	ok "$3"
}

# clean FILE: what a program said holds no sign of a crash.
clean() {
	! grep -qiE 'sanitizer|runtime error|segfault|assert|core dumped' "$1" || {
		cat "$1"
		fail "a sign of a crash in $(basename "$1")"
	}
}

packets_of() {
	tcpdump -nn -tt -r "$1" "${@:2}" 2>/dev/null | grep -cE '^[0-9]+\.[0-9]{6} ' || true
}

# netns NAME: a namespace of this test, with its loopback up; full name in $id-NAME.
netns() {
	ip netns add "$id-$1"
	namespaces+=("$id-$1")
	ip -n "$id-$1" link set lo up
}

on() {
	local ns=$1
	shift
	ip netns exec "$id-$ns" "$@"
}

# wire A B: a veth between the namespaces, "wire" in both, 10.76.0.1 and .2, offloads off.
wire() {
	local n
	ip -n "$id-$1" link add wire type veth peer name wire netns "$id-$2"
	ip -n "$id-$1" addr add 10.76.0.1/24 dev wire
	ip -n "$id-$2" addr add 10.76.0.2/24 dev wire
	for n in "$1" "$2"; do
		on "$n" sysctl -q -w net.ipv6.conf.wire.disable_ipv6=1
		on "$n" ethtool -K wire rx off tx off sg off tso off gso off gro off >/dev/null 2>&1
		ip -n "$id-$n" link set wire up
	done
}

# web NAMESPACE: a web server on port 80 with /small and /big (300 kB).
web() {
	mkdir -p "$tmp/www"
	seq 20 >"$tmp/www/small"
	seq 50000 >"$tmp/www/big"
	ip netns exec "$id-$1" python3 -m http.server 80 --directory "$tmp/www" >"$tmp/web.log" 2>&1 &
	add_background
	wait_for 30 on "$1" curl -s -o /dev/null http://127.0.0.1/small ||
		fail "the web server does not start"
}

# A tree that an unprivileged user can read, as `meson install` makes it, wherever the checkout is;
# its root is $prefix. A copy of the corpus beside it.
install_clients() {
	DESTDIR=$tmp/inst meson install -C "$NPF_CLIENTS" --no-rebuild --quiet
	prefix=$(dirname "$(dirname "$(find "$tmp/inst" -name npf-run)")")
	ucorpus=$tmp/inst/corpus
	cp -r "$corpus" "$ucorpus"
	chmod -R go+rX "$tmp/inst"
	urun=$(preloading "$prefix/bin/npf-run")
	unpfctl=$prefix/bin/npfctl
}

# Prefix of a command for user nobody: no group, no capability and no way back. (An array, not a
# function, so that in the background $! is the command's own pid.)
as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs
	--bounding-set=-all --inh-caps=-all)
