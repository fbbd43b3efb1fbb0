#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Programs that people use, as Debian ships them, on a port that replays a savefile: each finds in
# the port what it finds in the file.
. "$(dirname "$0")/../lib.sh"
need_root
need tcpdump httpry ssldump tcpflow p0f daemonlogger softflowd softflowctl darkstat bittwist \
	perl jq curl
perl -MNet::Pcap -e 1 2>/dev/null || skip "libnet-pcap-perl is not installed: run scripts/setup.sh"

file=$corpus/web4.pcap
n=$(packets_of "$file")
config "$(replay npf0 "$file" ",tx_pcap=$tmp/sent.pcap")" >"$tmp/conf.yaml"
start_daemon -c "$tmp/conf.yaml"
mkdir -m 777 "$tmp/d"

# with SECONDS COMMAND...: under npf-run, interrupted after that time; line by line.
with() {
	local seconds=$1
	shift
	timeout -s INT -k 5 "$seconds" stdbuf -oL "$run" "$@" || true
}

# Written by the programs themselves: from npf0 and from the file alike.
httpry -r "$file" 2>/dev/null | grep -v '^#' >"$tmp/expected"
[ "$(wc -l <"$tmp/expected")" -ge 6 ] || fail "httpry finds nothing in the file"
with 20 httpry -i npf0 -F -n "$(wc -l <"$tmp/expected")" 2>"$tmp/err" | grep -v '^#' >"$tmp/got"
same "$tmp/expected" "$tmp/got" "httpry logs the same requests (it writes into its packets)"

ssldump -n -r "$file" 2>/dev/null >"$tmp/expected"
[ -s "$tmp/expected" ] || fail "ssldump finds nothing in the file"
with 4 ssldump -n -i npf0 >"$tmp/got" 2>"$tmp/err"
same "$tmp/expected" "$tmp/got" "ssldump follows the same connections"

mkdir "$tmp/flows-file" "$tmp/flows-port"
(cd "$tmp/flows-file" && tcpflow -q -r "$file" >/dev/null 2>&1)
(cd "$tmp/flows-port" && with 4 tcpflow -q -i npf0 >/dev/null 2>&1)
rm -f "$tmp"/flows-*/report.xml
[ "$(find "$tmp/flows-file" -type f | wc -l)" -ge 4 ] || fail "tcpflow finds nothing in the file"
diff -r "$tmp/flows-file" "$tmp/flows-port" || fail "tcpflow: the flows differ"
ok "tcpflow writes the same flows"

# p0f's reports, less what is reckoned from the clock.
reports() {
	grep -E '^(\.-\[|\| (client|server|os|dist|params|raw_sig|link|raw_mtu|app|lang))' | sort
}
p0f -r "$file" 2>/dev/null | reports >"$tmp/expected"
[ -s "$tmp/expected" ] || fail "p0f finds nothing in the file"
with 4 p0f -i npf0 2>"$tmp/err" | reports >"$tmp/got"
same "$tmp/expected" "$tmp/got" "p0f recognises the same systems"

with 20 daemonlogger -i npf0 -l "$tmp/d" -n dl -c "$n" >"$tmp/out" 2>&1
tcpdump -nn -tt -e -v -x -r "$file" >"$tmp/expected" 2>/dev/null
tcpdump -nn -tt -e -v -x -r "$tmp"/d/dl.* >"$tmp/got" 2>/dev/null || fail "daemonlogger: $(cat "$tmp/out")"
same "$tmp/expected" "$tmp/got" "daemonlogger logs the same packets"

ip=$(packets_of "$file" ip) # it leaves IPv6 out unless told
"$run" softflowd -i npf0 -d -c "$tmp/sf.ctl" -p "$tmp/sf.pid" >"$tmp/out" 2>&1 &
client=$!
add_background
processed() {
	softflowctl -c "$tmp/sf.ctl" statistics 2>&1 | grep -q "^Packets processed: $ip\$"
}
wait_for 30 processed || fail "softflowd: $(softflowctl -c "$tmp/sf.ctl" statistics 2>&1)"
softflowctl -c "$tmp/sf.ctl" statistics >"$tmp/out" 2>&1
says "$tmp/out" "^Packets received by libpcap: $n\$" "softflowd processes every IPv4 packet"
kill $client
wait_gone $client 300 || fail "softflowd does not stop"

"$run" darkstat -i npf0 --no-daemon -b 127.0.0.1 -p 18667 --no-dns >"$tmp/out" 2>&1 &
client=$!
add_background
knows() {
	curl -s http://127.0.0.1:18667/hosts/ | grep -q "$1"
}
for host in $(tcpdump -nn -r "$file" tcp 2>/dev/null | awk '{ print $3; print $5 }' |
	grep -oE '^([0-9]+\.){3}[0-9]+' | sort -u); do
	wait_for 30 knows ">$host<" || fail "darkstat does not know $host: $(cat "$tmp/out")"
done
ok "darkstat knows every host"
kill $client
wait_gone $client 300 || fail "darkstat does not stop"

cat >"$tmp/count.pl" <<'PL'
use Net::Pcap qw(:functions);
my ($err, %dev, %stats, $bytes);
my ($device, $n) = @ARGV;
die "not listed" unless grep { $_ eq $device } findalldevs(\%dev, \$err);
my $p = open_live($device, 65535, 1, 200, \$err) or die $err;
my $filter;
compile($p, \$filter, "tcp port 80", 1, 0) == 0 or die geterr($p);
setfilter($p, $filter) == 0 or die geterr($p);
loop($p, $n, sub { $bytes += $_[1]{len} }, "");
stats($p, \%stats);
print "$bytes $stats{ps_drop}\n";
PL
m=$(packets_of "$file" tcp port 80)
bytes=$(tcpdump -nn -e -r "$file" tcp port 80 2>/dev/null | sed 's/.*(0x0800), length \([0-9]*\): .*/\1/' |
	awk '{ n += $1 } END { print n }')
with 20 perl "$tmp/count.pl" npf0 "$m" >"$tmp/out" 2>&1
says "$tmp/out" "^$bytes 0\$" "Net::Pcap reads $m packets of $bytes bytes"

# tcpdump's own ways to write, and to lay down its rights.
with 20 tcpdump -i npf0 -c "$n" -w "$tmp/d/z.pcap" -Z nobody >"$tmp/out" 2>&1
tcpdump -nn -tt -e -v -x -r "$tmp/d/z.pcap" >"$tmp/got" 2>/dev/null
same "$tmp/expected" "$tmp/got" "tcpdump -w -Z writes the same packets as another user"
with 20 tcpdump -i npf0 -c "$n" -C 1 -W 3 -w "$tmp/d/ring" -Z root >"$tmp/out" 2>&1
tcpdump -nn -tt -e -v -x -r "$tmp/d/ring0" >"$tmp/got" 2>/dev/null || fail "tcpdump -C -W: $(cat "$tmp/out")"
same "$tmp/expected" "$tmp/got" "tcpdump -C -W writes a ring of files"
with 3 tcpdump -i npf0 -G 60 -w "$tmp/d/g-%s.pcap" -Z root >"$tmp/out" 2>&1
tcpdump -nn -tt -e -v -x -r "$(find "$tmp/d" -name 'g-*' | head -n 1)" >"$tmp/got" 2>/dev/null || true
same "$tmp/expected" "$tmp/got" "tcpdump -G writes what it has when it is stopped"
with 3 tcpdump -nn -Q out -i npf0 >"$tmp/out" 2>"$tmp/err"
! grep -q "IP" "$tmp/out" || fail "tcpdump -Q out shows received packets: $(head -n 3 "$tmp/out")"
says "$tmp/err" '^0 packets captured' "tcpdump -Q out shows no received packet"

with 20 bittwist -i npf0 -m 0 "$file" >"$tmp/out" 2>&1
says "$tmp/out" "^$n packets .* sent" "bittwist sends the file"
wait_for 30 has_sessions 0 || fail "sessions stay: $(ctl sessions)"
stop_daemon
tcpdump -nn -e -x -t -r "$file" >"$tmp/expected" 2>/dev/null
tcpdump -nn -e -x -t -r "$tmp/sent.pcap" >"$tmp/got" 2>/dev/null
same "$tmp/expected" "$tmp/got" "what bittwist sent left the port, byte for byte"
clean "$tmp/daemon.log"
