#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A configuration that is wrong in any key is refused with exit status 1 and a text that names the
# file and either the line or the key. --check says the same without touching a device, and the
# daemon itself refuses it too.
. "$(dirname "$0")/lib.sh"

good() {
	cat <<-EOF
		npf:
		  socket: $NPF_SOCKET
		  group: any
		  user: nobody
		  poll: adaptive
		  telemetry: false
		  buffer: 1024
		  limits: {sessions: 10, memory: 64, buffer: 64, filter: 4096}
		eal:
		  lcores: "0@0,1@0"
		  memory: 64
		  hugepages: auto
		  args: ["--no-pci"]
		ports:
		  - name: npf0
		    device: net_null0
		    start: always
		    overflow: drop
		    rx_queues: 1
		    rx_desc: 256
		    mtu: 1500
		    promiscuous: true
		    send: true
		    allow: ["group:root", "user:nobody", "any"]
	EOF
}

good >"$tmp/good.yaml"
timeout 10 "$dpdk" -c "$tmp/good.yaml" --check >"$tmp/out" 2>&1 || {
	cat "$tmp/out"
	fail "a good configuration with every key is refused"
}
says "$tmp/out" 'good' "a good configuration with every key is good"

# check PATTERN SENTENCE: $tmp/bad.yaml is refused with a text that has the pattern.
n=0
check() {
	local status=0
	n=$((n + 1))
	timeout 10 "$dpdk" -c "$tmp/bad.yaml" --check >"$tmp/out" 2>&1 || status=$?
	clean "$tmp/out"
	[ $status -eq 1 ] || {
		cat "$tmp/bad.yaml" "$tmp/out"
		fail "$2: --check ends with status $status"
	}
	grep -q "bad.yaml" "$tmp/out" && grep -qE -- "$1" "$tmp/out" || {
		cat "$tmp/bad.yaml" "$tmp/out"
		fail "$2: the text does not say where (/$1/)"
	}
	[ "$(wc -l <"$tmp/out")" -le 12 ] || {
		cat "$tmp/out"
		fail "$2: that is not one clear error"
	}
	echo "ok: $2: $(grep 'bad.yaml' "$tmp/out" | head -n 1 | sed "s|.*bad.yaml: *||")"
}

# set_to KEY VALUE: the good configuration with one key changed.
set_to() {
	good | sed "s|^\([ -]*\)$1: .*|\1$1: $2|" >"$tmp/bad.yaml"
	! good | cmp -s - "$tmp/bad.yaml" || fail "the test changes nothing: $1"
}

bad() {
	set_to "$1" "$2"
	check "line|$1" "$1: $2"
}

bad socket '[a, b]'
bad socket 'relative.sock'
bad socket "/$(printf '%0120d' 0)"
bad socket '""'
bad group '{}'
bad user '[]'
bad poll 'sometimes'
bad telemetry 'perhaps'
bad buffer '-1'
bad buffer '1'
bad buffer 'large'
bad limits '7'
bad limits '{sessions: many}'
bad limits '{memory: -5}'
bad limits '{buffer: 99999999999}'
bad limits '{filter: x}'
bad limits '{surprise: 1}'
bad lcores '[0, 1]'
bad memory '1'
bad memory 'all'
bad memory '999999999'
bad hugepages 'maybe'
bad args '"--no-pci"'
bad args '[{a: b}]'
bad name 'a/b'
bad name '""'
bad name 'any'
bad name 'abcdefghijklmnop'
bad device 'nothing0'
bad device '"../../etc/passwd"'
bad device '[]'
bad device '""'
bad start 'later'
bad overflow 'flood'
bad rx_queues '33'
bad rx_queues '-1'
bad rx_desc '1'
bad rx_desc '70000'
bad mtu '5'
bad mtu 'big'
bad promiscuous '2'
bad send 'nope'
bad allow '["world"]'
bad allow 'any'
bad allow '[[any]]'

for key in npf eal ports; do
	good | sed "s|^$key:.*|&\n  surprise: 1|" >"$tmp/bad.yaml"
	check 'line|surprise' "an unknown key in $key"
done
good | sed 's|^    start:|    surprise: 1\n&|' >"$tmp/bad.yaml"
check 'line' "an unknown key in a port"
{
	good
	echo 'surprise: {}'
} >"$tmp/bad.yaml"
check 'line' "an unknown key at the top"
{
	good
	echo '  - {name: npf0, device: net_null1}'
} >"$tmp/bad.yaml"
check 'name' "two ports of one name"
{
	good
	echo '  - {name: npf1, device: net_null0}'
} >"$tmp/bad.yaml"
check 'device' "two ports on one device"
# A dump whose limits make no sense together.
for wrong in 'rotate.size rotate: {size: 10}' 'limit.size limit: {size: 5}' \
	'limit.size format: pcapng, limit: {size: 100}' \
	'limit.size limit: {size: 9223372036854775808}' \
	'retrospective rotate: {packets: 9}, retrospective: {size: 1MiB}' \
	'retrospective limit: {packets: 9}, retrospective: {time: 1s}' \
	'retrospective.time retrospective: {time: 0s}'; do
	{
		good
		echo "dumps: [{name: d, port: npf0, file: /tmp/$id-%N.pcap, ${wrong#* }}]"
	} >"$tmp/bad.yaml"
	check "dumps\[0\].${wrong%% *}: " "a dump with ${wrong#* }"
done
good | grep -v 'device:' >"$tmp/bad.yaml"
check 'line|device' "a port without a device"
good | sed '/^ports:/,$d' >"$tmp/bad.yaml"
check 'ports' "no ports at all"
echo 'ports: []' >"$tmp/bad.yaml"
check 'line|ports' "an empty list of ports"
: >"$tmp/bad.yaml"
check 'empty' "an empty file"
echo 'ports: [{name: npf0, device: net_null0' >"$tmp/bad.yaml"
check 'line' "a bracket left open"
printf 'ports:\n\t- {name: npf0, device: net_null0}\n' >"$tmp/bad.yaml"
check 'line' "a tab for indentation"
printf 'ports: \377\376garbage\001' >"$tmp/bad.yaml"
check 'line|YAML' "bytes that are no text"
head -c 5000 "$dpdk" >"$tmp/bad.yaml"
check 'line|YAML' "a program"
printf 'a: &a [*a, *a]\nports: *a\n' >"$tmp/bad.yaml"
check 'line|YAML|alias' "an alias within itself"
head -c 2000000 /dev/zero | tr '\0' '#' >"$tmp/bad.yaml"
check 'MiB' "a file of 2 MB"
rm "$tmp/bad.yaml"
check 'No such file' "no file"
mkdir "$tmp/bad.yaml"
check 'not a configuration' "a directory"
rmdir "$tmp/bad.yaml"

# The daemon refuses what --check refuses; a wrong command line is status 2.
set_to start later
status=0
timeout 20 "$dpdk" -c "$tmp/bad.yaml" >"$tmp/out" 2>&1 || status=$?
[ $status -eq 1 ] || fail "the daemon itself: exit status $status"
says "$tmp/out" 'line' "the daemon refuses what --check refuses"
for args in "" "--surprise" "-c" "-c $tmp/good.yaml --vdev net_null0" "-c $tmp/good.yaml extra"; do
	status=0
	# shellcheck disable=SC2086
	timeout 20 "$dpdk" $args >"$tmp/out" 2>&1 || status=$?
	[ $status -eq 2 ] || fail "npf-dpdk $args: exit status $status, not 2"
	grep -q 'usage' "$tmp/out" || fail "npf-dpdk $args does not say how it is used"
done
ok "a wrong command line has exit status 2 and says how it is used"
echo "$n configurations"
