#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# setup.sh - install what is missing to build, demonstrate and test npf-dpdk on Debian 12.
#
#   scripts/setup.sh           what building, the demo and the tests need
#   scripts/setup.sh --demo    only what building and scripts/demo.sh need
#   scripts/setup.sh --corpus  also the programs whose traffic tests/corpus/make.sh records
#
# Asks dpkg first and does nothing when all is there, so every other script can afford to call it.
# Works as root, or through sudo. Waits while another apt is at work, as it is on a machine that has
# just been started (NPF_APT_PATIENCE seconds, 900 unless given). Then reserves hugepages where the machine lets it; without them
# everything still works on plain pages, only slower.
set -eu

# 2 MiB pages, reserved until the next boot: 1 GiB, but never more than an eighth of the memory.
HUGEPAGES=${NPF_HUGEPAGES:-512}
PATIENCE=${NPF_APT_PATIENCE:-900}

BUILD="build-essential pkgconf meson ninja-build git
	libdpdk-dev libpcap-dev libcmocka-dev libcyaml-dev libyaml-dev libjansson-dev libcapstone-dev
	libcap-ng-dev libseccomp-dev libedit-dev libncurses-dev liburing-dev libzstd-dev
	libsystemd-dev"
DEMO="tcpdump curl python3 iproute2 iputils-ping ethtool procps util-linux jq"
TESTS="clang clang-format libclang-rt-14-dev dpdk-dev tshark ngrep nmap python3-scapy
	mandoc codespell shellcheck pyflakes3 spin libcap2-bin binutils arp-scan arping nethogs argus-server argus-client
	tcpreplay netsniff-ng fio e2fsprogs pmacct tcpstat masscan httpry ssldump tcpflow-nox p0f daemonlogger
	softflowd darkstat bittwist perl libnet-pcap-perl zstd strace tmux"
CORPUS="iperf3 dnsmasq-base bind9-dnsutils openssh-server openssh-client"

say() {
	echo "setup: $*"
}

die() {
	echo "setup: $*" >&2
	exit 1
}

# While a file of this name says 101, packages do not start their services.
policy=/usr/sbin/policy-rc.d
made_policy=
cleanup() {
	[ -z "$made_policy" ] || as_root rm -f $policy
}
trap cleanup EXIT
trap 'exit 130' INT TERM

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

can_be_root() {
	[ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }
}

missing_packages() {
	local have
	have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		sed -n 's/^installed //p' | sort -u) || true
	printf '%s\n' "$@" | sort -u | comm -23 - <(printf '%s\n' "$have")
}

# apt_get ARG...: waits while somebody else holds one of apt's locks. For dpkg's apt can wait
# itself; for that of the lists, which `update` needs, it gives up at once.
apt_get() {
	local end=$((SECONDS + PATIENCE)) errors said=
	errors=$(mktemp)
	until as_root env LC_ALL=C DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o DPkg::Lock::Timeout=$((end > SECONDS ? end - SECONDS : 0)) "$@" 2>"$errors"; do
		if ! grep -qE 'Could not get lock|Unable to lock|Unable to acquire' "$errors" ||
			[ $SECONDS -ge $end ]; then
			cat "$errors" >&2
			rm -f "$errors"
			return 1
		fi
		[ -n "$said" ] || say "another apt is at work (automatic updates?):" \
			"waiting for it, at most $PATIENCE s: $(grep -m 1 -i lock "$errors")"
		said=1
		sleep 2
	done
	cat "$errors" >&2
	rm -f "$errors"
}

install_packages() {
	local missing
	mapfile -t missing < <(missing_packages "$@")
	if [ ${#missing[@]} -eq 0 ]; then
		say "all $# packages are there"
		return
	fi
	say "missing: ${missing[*]}"
	can_be_root || die "these packages are missing and this is neither root nor a user who may" \
		"run sudo without a password. Install them with: apt-get install ${missing[*]}"
	apt_get update || die "apt-get update failed: is this machine online, or does another apt" \
		"hold its lock for longer than $PATIENCE s (NPF_APT_PATIENCE)?"
	if [ ! -e $policy ]; then
		made_policy=1
		as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
	fi
	apt_get -y --no-install-recommends install "${missing[@]}" ||
		die "apt-get could not install: ${missing[*]}"
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -eq 0 ] || die "still missing after apt-get: ${missing[*]}"
}

set_hugepages() {
	local file=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	local total_kb have want=$HUGEPAGES

	if [ ! -e $file ]; then
		say "no 2 MiB hugepages in this kernel: going on with plain pages"
		return
	fi
	total_kb=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
	[ "$want" -le $((total_kb / 2048 / 8)) ] || want=$((total_kb / 2048 / 8))
	have=$(cat $file)
	if [ "$have" -ge "$want" ]; then
		say "$have hugepages of 2 MiB are there"
		return
	fi
	if can_be_root; then
		as_root sh -c "echo $want >$file" 2>/dev/null || true
	fi
	have=$(cat $file)
	if [ "$have" -ge "$want" ]; then
		say "reserved $have hugepages of 2 MiB (until the next boot, or: echo 0 > $file)"
	else
		say "only $have of $want hugepages of 2 MiB could be had: what is missing is taken" \
			"from plain pages, which works but is slower"
	fi
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
	die "this script knows Debian's package manager only; the packages needed are:" \
		"$(echo $BUILD $DEMO $TESTS)"
case ${1-} in
"") install_packages $BUILD $DEMO $TESTS ;;
--demo) install_packages $BUILD $DEMO ;;
--corpus) install_packages $BUILD $DEMO $TESTS $CORPUS ;;
*) die "usage: setup.sh [--demo | --corpus]" ;;
esac
set_hugepages
