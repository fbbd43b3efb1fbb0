#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test-upstream.sh - nothing else has changed: the makers' own tests, run with our library.
#
#   scripts/test-upstream.sh [BUILD]
#
# Fetches the source packages of the installed tcpdump and libpcap (apt-get source, with a sources
# list of its own), runs tcpdump's test suite with the installed binary without and under
# npf-run, and libpcap's test programs on npf0. Some minutes; needs the network, libssl-dev and
# dpkg-dev. Sources stay in BUILD/upstream, so that a second run fetches nothing.
set -eu
cd "$(dirname "$0")/.."
build=$(realpath "${1:-build}")
dir=$build/upstream
run=$build/tools/npf-run
corpus=$PWD/tests/corpus
mkdir -p "$dir"
daemon=
failed=0

cleanup() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null
	wait 2>/dev/null || true
	rm -f "$dir/npf.sock"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

ok() {
	echo "ok: $*"
}
bad() {
	echo "FAILED: $*"
	failed=1
}

# fetch SOURCE VERSION: the unpacked source, in $dir/SOURCE.
fetch() {
	[ ! -d "$dir/$1" ] || return 0
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/parts" "$dir/new"
	(. /etc/os-release
	echo "deb-src http://deb.debian.org/debian $VERSION_CODENAME main"
	echo "deb-src http://deb.debian.org/debian-security $VERSION_CODENAME-security main") \
		>"$dir/apt/sources.list"
	(
		cd "$dir/new"
		opts=(-qq -o "Dir::Etc::sourcelist=$dir/apt/sources.list"
			-o "Dir::Etc::sourceparts=$dir/apt/parts"
			-o "Dir::State::lists=$dir/apt/lists" -o APT::Sandbox::User=root)
		apt-get "${opts[@]}" update
		apt-get "${opts[@]}" source "$1=$2"
	) >"$dir/fetch.log" 2>&1 || {
		cat "$dir/fetch.log"
		exit 1
	}
	mv "$(find "$dir/new" -mindepth 1 -maxdepth 1 -type d)" "$dir/$1"
	rm -rf "$dir/new"
}

version_of() {
	dpkg-query -W -f '${source:Version}' "$1"
}

# ---- tcpdump's suite ----

fetch tcpdump "$(version_of tcpdump)"
(
	cd "$dir/tcpdump"
	# Its list of tests asks config.h what the binary was built with.
	[ -e config.h ] || ./configure --with-crypto=yes --with-user=tcpdump >configure.log 2>&1
)
suite() { # NAME TCPDUMP
	(cd "$dir/tcpdump" && TCPDUMP_BIN=$2 ./tests/TESTrun) >"$dir/$1.log" 2>&1 || true
	awk '/tests (failed|passed)$/ { printf "%s%s %s", sep, $1, $3; sep = ", " }' "$dir/$1.log"
}
tcpdump=$(command -v tcpdump)
without=$(suite without "$tcpdump")
with=$(suite with "$run $tcpdump")
if [ "$with" = "$without" ] && [[ $with == "0 failed, "* ]]; then
	ok "tcpdump's own tests, without and under npf-run: $with"
else
	bad "tcpdump's own tests: without npf-run $without, under it $with"
	diff "$dir/without.log" "$dir/with.log" | head -n 20 || true
fi

# ---- libpcap's test programs ----

fetch libpcap "$(version_of libpcap0.8)"
programs="capturetest selpolltest nonblocktest threadsignaltest reactivatetest writecaptest
	can_set_rfmon_test"
# This one waits for a minute before it does what it is for.
sed -i 's/sleep_secs(60)/sleep_secs(3)/' "$dir/libpcap/testprogs/threadsignaltest.c"
for p in $programs; do
	cc -w -pthread -I"$dir/libpcap" -o "$dir/$p" "$dir/libpcap/testprogs/$p.c" -lpcap
done

export NPF_SOCKET=$dir/npf.sock
cat >"$dir/conf.yaml" <<EOF
npf: {socket: $NPF_SOCKET, group: any, telemetry: false}
eal: {memory: 64}
ports:
  - {name: npf0, device: "net_pcap0,rx_pcap=$corpus/web4.pcap", start: attach, overflow: wait}
EOF
"$build/tools/npf-dpdk" -c "$dir/conf.yaml" >/dev/null 2>"$dir/daemon.log" &
daemon=$!
for _ in $(seq 200); do
	grep -q 'npf-dpdk: ready' "$dir/daemon.log" && break
	sleep 0.1
done
n=$(tcpdump -nn -t -r "$corpus/web4.pcap" 2>/dev/null | grep -c '^[A-Z]')

# seen N COMMAND...: the program reports N packets in all before it is interrupted.
seen() {
	local want=$1 got
	shift
	timeout -s INT "${seconds:-5}" stdbuf -oL "$run" "$dir/$1" "${@:2}" >"$dir/out" 2>&1 || true
	got=$(sed -n 's/^\([0-9]*\) packets seen, \1 packets counted.*/\1/p; s/^\([0-9]*\) packets seen$/\1/p' \
		"$dir/out" | awk '{ n += $1 } END { print n + 0 }')
	if [ "$got" -eq "$want" ]; then
		ok "$*: $got packets"
	else
		bad "$*: $got packets, not $want"
		cat "$dir/out"
	fi
}
seen "$n" capturetest -i npf0 -t 100
seen "$n" capturetest -n -i npf0 -t 100
seen "$n" selpolltest -s -i npf0
seen "$n" selpolltest -p -i npf0
seen "$n" selpolltest -p -n -q -i npf0
seen "$n" selpolltest -i npf0
seen "$n" writecaptest -i npf0 -w "$dir/writecap.pcap"
cmp -s <(tcpdump -nn -tt -e -v -r "$dir/writecap.pcap" 2>/dev/null) \
	<(tcpdump -nn -tt -e -v -r "$corpus/web4.pcap" 2>/dev/null) ||
	bad "writecaptest: the file differs"

# says PATTERN COMMAND...: exits by itself, with status 0, and says so.
says() {
	local pattern=$1 status=0
	shift
	timeout -s INT 90 stdbuf -oL "$run" "$dir/$1" "${@:2}" >"$dir/out" 2>&1 || status=$?
	if [ $status -eq 0 ] && [[ -z $pattern || $(cat "$dir/out") == *"$pattern"* ]]; then
		ok "$*"
	else
		bad "$*: status $status"
		cat "$dir/out"
	fi
}
says 'failed as expected: Could not open eventfd' nonblocktest -i npf0
says 'Loop got broken' threadsignaltest -i npf0
says 'Loop got broken' threadsignaltest -n -i npf0
says '' reactivatetest -i npf0
says 'Monitor mode cannot be set' can_set_rfmon_test npf0

exit $failed
