#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# demo.sh - install what is missing, build, and show the main job: stock, unprivileged tcpdump
# captures from DPDK ports through npf-dpdk.
#
#   1. A recorded savefile is replayed by the daemon and captured by tcpdump under npf-run: what
#      it prints is compared, line by line, with what tcpdump -r prints of the file.
#   2. A web server and curl talk across two network namespaces; two tcpdumps of user nobody watch
#      through one DPDK port, each with its own filter; one is killed.
#
# Safe to run again and to interrupt: all that it starts and makes is removed at its end.
set -eu
top=$(realpath "$(dirname "$0")/..")
cd "$top"

title() {
	printf '\n\033[1m== %s\033[0m\n' "$*"
}

# Show a command, then run it.
show() {
	printf '\033[36m$ %s\033[0m\n' "$*"
}

trap 'exit 130' INT TERM

if [ "${1-}" != --built ]; then
	title "Installing what is missing"
	scripts/setup.sh --demo
	title "Building"
	[ -e build/build.ninja ] || rm -rf build
	[ -e build ] || meson setup build -Dengine=enabled -Dtests=false >build.log 2>&1 || {
		cat build.log
		exit 1
	}
	rm -f build.log
	ninja -C build
	if [ "$(id -u)" -ne 0 ]; then
		if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
			exec sudo -n "$0" --built
		fi
		echo "demo: the rest needs root: network namespaces, devices. Run it as root, or let" \
			"this user run sudo without a password." >&2
		exit 1
	fi
fi

. tests/e2e/lib.sh
install_clients
mkdir -m 777 "$tmp/out"

# ---- 1 ----
title "A savefile replayed through a DPDK port"
files=("$corpus"/*.pcap)
ports=()
for i in "${!files[@]}"; do
	ports+=("$(replay "npf$i" "${files[$i]}")")
done
memory=256
config "${ports[@]}" >"$tmp/replay.yaml"
show "npf-dpdk -c replay.yaml      # ${#files[@]} ports, each a savefile of tests/corpus/"
start_daemon -c "$tmp/replay.yaml"
grep -v ' port npf' "$tmp/daemon.log" || true

capture() { # PORT FILE: both outputs into expected and got
	local n
	tcpdump -nn -tt -e -v -r "$2" >"$tmp/expected" 2>/dev/null
	n=$(packets_of "$2")
	timeout 60 "${as_nobody[@]}" "$urun" tcpdump -nn -tt -e -v -i "$1" -c "$n" >"$tmp/got" \
		2>"$tmp/err" || fail "tcpdump on $1: $(cat "$tmp/err")"
}

for i in "${!files[@]}"; do
	[[ ${files[$i]} == *web4* ]] || continue
	show "npf-run tcpdump -nn -tt -e -v -i npf$i -c $(packets_of "${files[$i]}")     # as user nobody"
	capture "npf$i" "${files[$i]}"
	head -n 12 "$tmp/got" | cut -c 1-150
	echo "... $(wc -l <"$tmp/got") lines in all"
	grep -E 'packets (captured|received|dropped)' "$tmp/err"
done
echo
echo "And so for each file, compared line by line with what tcpdump -r prints of it:"
for i in "${!files[@]}"; do
	capture "npf$i" "${files[$i]}"
	cmp -s "$tmp/expected" "$tmp/got" || {
		diff "$tmp/expected" "$tmp/got" | head
		fail "$(basename "${files[$i]}") differs"
	}
	printf '  %-16s %4d packets, %5d lines: identical\n' "$(basename "${files[$i]}")" \
		"$(packets_of "${files[$i]}")" "$(wc -l <"$tmp/got")"
done
stop_daemon

# ---- 2 ----
title "Live traffic of two network namespaces, two unprivileged clients"
netns a
netns b
wire a b
web b
config '{name: npf0, device: "iface:wire"}' >"$tmp/live.yaml"
show "npf-dpdk -c live.yaml        # npf0 is iface:wire"
start_daemon "$id-a:" -c "$tmp/live.yaml"
declare -A client
watch() { # NAME FILTER...
	local name=$1
	shift
	show "npf-run tcpdump -nn -l -i npf0 $* > $name &     # as user nobody"
	"${as_nobody[@]}" "$urun" tcpdump -nn -l --immediate-mode -i npf0 "$@" >"$tmp/out/$name" 2>"$tmp/$name.err" &
	client[$name]=$!
	add_background
	wait_for 10 grep -q listening "$tmp/$name.err" || fail "$(cat "$tmp/$name.err")"
}
watch web tcp port 80
watch rest not tcp port 80
show "curl http://10.76.0.2/small; ping -c 2 10.76.0.2"
on a curl -s http://10.76.0.2/small | xargs
on a ping -c 2 -i 0.2 10.76.0.2 | grep 'bytes from' || true
wait_for 5 grep -q 'Flags \[F' "$tmp/out/web" || fail "the web client sees no connection"
wait_for 5 grep -q 'echo reply' "$tmp/out/rest" || fail "the other client sees no ping"
sleep 0.2
for name in web rest; do
	show "cat $name"
	cut -c 1-150 "$tmp/out/$name" | head -n 14
done
show "npfctl sessions"
"$unpfctl" sessions
show "kill -9 the first; ping -c 2 10.76.0.2; npfctl sessions"
kill -9 "${client[web]}"
wait "${client[web]}" 2>/dev/null || true
on a ping -q -c 2 -i 0.2 10.76.0.2 >/dev/null
wait_for 5 has_sessions 1 || fail "the killed client's session stays"
"$unpfctl" sessions
kill "${client[rest]}"
wait "${client[rest]}" || true
grep packets "$tmp/rest.err"
! grep -q 'port 80\|\.80 ' "$tmp/out/rest" || fail "the second client saw the first one's packets"
stop_daemon

title "Done"
echo "Stock tcpdump captured from DPDK ports, without root and without knowing."
