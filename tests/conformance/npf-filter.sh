#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# npf-filter.sh NPF-FILTER CORPUS - the workbench does what its manual page says.
set -u
tool=$1 corpus=$2
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
unset NPF_JIT
failures=0

fail() {
	echo "not so: $*"
	failures=$((failures + 1))
}

for needed in tcpdump diff; do
	command -v "$needed" >/dev/null || {
		echo "$needed is not installed (scripts/setup.sh installs it)"
		exit 77
	}
done

filters=('' 'ip' 'arp' 'tcp' 'udp port 53' 'tcp port 80 or tcp port 5201' 'icmp or icmp6' 'ip6'
	'vlan' 'vlan and ip' 'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0' 'less 100' 'greater 1000'
	'host 10.0.0.1 or host 10.0.0.2 or host 192.168.0.1 or net 10.1.0.0/16' 'not port 22'
	'ip[6:2] & 0x1fff != 0' 'len > 60 and ip[8] > 1' 'broadcast or multicast' 'net 10.0.0.0/8'
	'ip6 protochain 58')

# Every savefile, every filter: as many packets as tcpdump accepts, and all back ends agree.
n_files=0
for file in "$corpus"/*.pcap; do
	n_files=$((n_files + 1))
	total=$(tcpdump --count -r "$file" 2>/dev/null | sed 's/[^0-9].*//')
	for filter in "${filters[@]}"; do
		want=$(tcpdump --count -r "$file" "$filter" 2>"$tmp/why" | sed 's/[^0-9].*//')
		if [ -z "$want" ]; then
			# A filter that this link type has no use for: the same complaint, no output.
			"$tool" -r "$file" "$filter" >"$tmp/out" 2>"$tmp/err" &&
				fail "$file: '$filter' is refused"
			[ ! -s "$tmp/out" ] || fail "$file: '$filter' is refused before any output"
			continue
		fi
		"$tool" --backend all -r "$file" "$filter" >"$tmp/out" 2>"$tmp/err" ||
			fail "$file: '$filter': all back ends agree: $(head -n 1 "$tmp/err")"
		got=$(grep -c -v '^0$' "$tmp/out")
		[ "$got" = "$want" ] || fail "$file: '$filter' accepts $want, not $got"
		[ "$(grep -c '^[0-9][0-9]*$' "$tmp/out")" = "$total" ] ||
			fail "$file: '$filter': $total lines"
		[ "$(wc -l <"$tmp/out")" = "$total" ] || fail "$file: '$filter': nothing but results"
		# The same from the program that tcpdump compiles for this file.
		tcpdump -r "$file" -ddd "$filter" 2>/dev/null |
			"$tool" --insns - -r "$file" >"$tmp/out2" 2>"$tmp/err"
		diff -q "$tmp/out" "$tmp/out2" >/dev/null || fail "$file: '$filter': --insns the same"
	done
done
[ "$n_files" -gt 5 ] || fail "there is a corpus in $corpus"

any=$(ls "$corpus"/*.pcap | head -n 1)

# -d prints what tcpdump prints; -ddd is what --insns reads.
for d in -d -dd -ddd; do
	"$tool" $d 'tcp port 80' >"$tmp/ours"
	tcpdump -y EN10MB $d 'tcp port 80' >"$tmp/theirs" 2>/dev/null
	diff -q "$tmp/ours" "$tmp/theirs" >/dev/null || fail "$d prints what tcpdump $d prints"
done

# With -r, explanations stay off standard output.
"$tool" -d -S asm -r "$any" ip 2>"$tmp/err" | grep -q '[^0-9]' &&
	fail "-r prints numbers only to standard output"
grep -q ret "$tmp/err" || fail "-d -r shows the program on standard error"

# What is kept is limited by the result and by the packet.
printf '1\n6 0 0 20\n' >"$tmp/twenty"
[ "$("$tool" --insns "$tmp/twenty" -r "$any" | sort -u)" = 20 ] || fail "ret #20 keeps 20 bytes"
[ "$("$tool" -s 30 -r "$any" '' | sort -u)" = 30 ] || fail "-s 30 keeps 30 bytes"
[ "$("$tool" --raw -r "$any" '' | sort -u)" = 262144 ] || fail "--raw prints the result"

# Stages.
"$tool" -S passes udp | grep -q '^-- flatten: ' || fail "-S passes names the passes"
"$tool" -S ir udp | grep -q 'return' || fail "-S ir shows decisions"
if [ "$(uname -m)" = x86_64 ]; then
	"$tool" -S asm udp | grep -q 'cmp .*byte ptr \[r14' || fail "-S asm disassembles"
	"$tool" --backend scalar -S asm udp | tail -n 1 | grep -q 'bytes in' || fail "-S asm ends"
fi
"$tool" udp | grep -c '^== ' | grep -q 4 || fail "without options four sections are shown"

# A set file is the filter that it describes.
cat >"$tmp/set" <<-END
	# comment
	10.0.0.1
	10.0.0.2   # another
	192.168.0.0/16

	2001:db8::1
	2001:db8:1::/48
	port 53
	port 5200-5300
END
expr='host 10.0.0.1 or host 10.0.0.2 or net 192.168.0.0/16 or host 2001:db8::1
	or net 2001:db8:1::/48 or port 53 or portrange 5200-5300'
for file in "$corpus"/*.pcap; do
	"$tool" --backend all --set "$tmp/set" -r "$file" >"$tmp/out" 2>"$tmp/err" || {
		grep -q 'describes Ethernet' "$tmp/err" || fail "$file: --set: $(cat "$tmp/err")"
		continue
	}
	"$tool" -r "$file" "$expr" >"$tmp/out2"
	diff -q "$tmp/out" "$tmp/out2" >/dev/null || fail "$file: --set is as the expression"
done

# inbound and outbound need a direction.
"$tool" -r "$any" outbound >"$tmp/out" 2>&1
[ "$("$tool" --sent -r "$any" outbound | grep -c -v '^0$')" = "$("$tool" -r "$any" '' | wc -l)" ] ||
	fail "--sent makes all packets outbound"
[ "$("$tool" --received -r "$any" outbound | sort -u)" = 0 ] || fail "--received makes none outbound"

# Filters that libpcap runs itself are told of, and run; a loop without end comes to one.
"$tool" -r "$any" 'ip6 protochain 17' 2>"$tmp/err" >"$tmp/out"
grep -q 'libpcap runs this filter itself.*jumps backward' "$tmp/err" || fail "a loop is told of"
"$tool" -S ir 'ip6 protochain 17' 2>"$tmp/err" | grep -q return || fail "-S ir shows what has no loop"
printf '2\n5 0 0 4294967295\n6 0 0 1\n' >"$tmp/loop"
[ "$("$tool" --insns "$tmp/loop" -r "$any" 2>"$tmp/err" | sort -u)" = 0 ] || fail "a loop without end rejects"
printf '2\n96 0 0 3\n22 0 0 0\n' >"$tmp/scratch"
[ "$("$tool" --backend all --insns "$tmp/scratch" -r "$any" 2>"$tmp/err" | sort -u)" = 0 ] ||
	fail "scratch memory that was not written is 0"

# What is wrong is said, with the exit status of the manual page.
wrong() { # STATUS TEXT ARGUMENTS...
	local status=$1 text=$2
	shift 2
	"$tool" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	local got=$?
	[ "$got" = "$status" ] || fail "$* exits with $status, not $got"
	grep -q -- "$text" "$tmp/err" || fail "$* says '$text', not '$(head -n 1 "$tmp/err")'"
	[ ! -s "$tmp/out" ] || fail "$* prints nothing to standard output"
}
wrong 2 'syntax error' 'tcp prot 80'
wrong 2 'no back end is called' --backend sse ip
wrong 2 'no back end is called' --backend avx2 -r "$any" ip
wrong 2 'usage:' --nonsense ip
wrong 2 'usage:'
wrong 2 'give one of' --set "$tmp/set" ip
wrong 2 'No such file' -r "$tmp/none.pcap" ip
wrong 2 'No such file' --insns "$tmp/none"
wrong 2 'there is no program' --insns -
wrong 2 'no link type is called' -y FOO ip
wrong 2 'no stage is called' -S tree ip
printf '2\n6 0 0 0\n' >"$tmp/short"
wrong 2 '2 instructions announced, 1 found' --insns "$tmp/short"
printf '1\n6 0 0 x\n' >"$tmp/bad"
wrong 2 'line 2: not an instruction' --insns "$tmp/bad"
printf '1\n135 0 0 0\n' >"$tmp/endless"
wrong 2 '(000) the last instruction does not return' --insns "$tmp/endless"
printf '10.0.0.1\n10.0.0.256\n' >"$tmp/badset"
wrong 2 'line 2: neither' --set "$tmp/badset"
head -c 60 "$any" >"$tmp/cut.pcap"
wrong 2 'truncated' -r "$tmp/cut.pcap" ip

# The filters of many clients: a set of them agrees with each alone, and says what became of it.
{
	echo '# a comment'
	printf '%s\n' "${filters[@]}" 'tcp port 80 or tcp port 5201' 'ip[ip[8]:1] > 3'
} >"$tmp/clients"
n_sets=0 # a few are enough
for file in "$corpus"/*.pcap; do
	[ "$n_sets" -lt 4 ] || break
	if "$tool" --clients "$tmp/clients" -r "$file" >"$tmp/out" 2>"$tmp/err"; then
		n_sets=$((n_sets + 1))
		grep -q '^each filter alone agrees on .* with plain' "$tmp/out" || fail "$file: --clients compares"
		grep -q "^$((${#filters[@]} + 2)) clients, $((${#filters[@]} + 1)) different filters" "$tmp/out" ||
			fail "$file: --clients counts: $(head -n 1 "$tmp/out")"
		grep -q 'line 21 runs alone: only libpcap runs it' "$tmp/out" || fail "$file: --clients gives reasons"
	else
		grep -q 'clients, line' "$tmp/err" || fail "$file: --clients: $(head -n 1 "$tmp/err")"
	fi
done
[ "$n_sets" = 4 ] || fail "most savefiles have packets for the clients' filters"
[ "$(grep -c 'ns a packet' "$tmp/out")" -le 6 ] || fail "--clients times 1, 2, 4 ... clients"
printf 'ip\n\ntcp prot 80\n' >"$tmp/badclients"
wrong 2 'line 3: ' --clients "$tmp/badclients"
printf '# nothing\n' >"$tmp/noclients"
wrong 2 'there are no filters' --clients "$tmp/noclients"
wrong 2 'give one of' --clients "$tmp/clients" ip
wrong 2 'for one filter' -d --clients "$tmp/clients"

# NPF_JIT chooses where --backend does not.
NPF_JIT=avx2 "$tool" ip >/dev/null 2>"$tmp/err" && fail "NPF_JIT=avx2 is refused"
NPF_JIT=foo "$tool" ip >/dev/null 2>"$tmp/err" && fail "NPF_JIT=foo is refused"
NPF_JIT=interp "$tool" -S asm ip | grep -q 'there is no code' || fail "NPF_JIT=interp interprets"

[ "$failures" = 0 ] || exit 1
echo "$n_files savefiles, ${#filters[@]} filters: as the manual page says"
