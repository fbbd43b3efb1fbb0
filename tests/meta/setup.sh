#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# setup.sh ROOT - scripts/setup.sh waits for apt's locks, as long as it says and no longer; any other
# failure ends it at once. Nothing is installed: apt-get, dpkg-query, sudo and id are ours.
set -eu
root=$1
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
mkdir "$t/bin"

cat >"$t/bin/id" <<-'FAKE'
	#!/bin/sh
	echo 1000
FAKE
cat >"$t/bin/sudo" <<-'FAKE'
	#!/bin/sh
	shift # -n
	[ "$1" != env ] || exec "$@"
FAKE
cat >"$t/bin/sleep" <<-'FAKE'
	#!/bin/sh
	exec /bin/sleep 0.1
FAKE
# All is there once apt-get has installed.
cat >"$t/bin/dpkg-query" <<-FAKE
	#!/bin/sh
	[ -e $t/installed ] || exit 1
	shift 3
	printf 'installed %s\n' "\$@"
FAKE
# Fails as often as the file \`busy\` says, with the words in \`why\`.
cat >"$t/bin/apt-get" <<-FAKE
	#!/bin/sh
	echo "\$*" >>$t/asked
	n=\$(cat $t/busy)
	if [ "\$n" -gt 0 ]; then
		echo \$((n - 1)) >$t/busy
		cat $t/why >&2
		exit 100
	fi
	case "\$*" in *install*) touch $t/installed ;; esac
FAKE
chmod +x "$t"/bin/*

# run BUSY WHY [PATIENCE]
run() {
	rm -f "$t/installed" "$t/asked"
	echo "$1" >"$t/busy"
	echo "$2" >"$t/why"
	PATH=$t/bin:$PATH NPF_APT_PATIENCE=${3-60} "$root/scripts/setup.sh" --demo >"$t/out" 2>&1
}
fail() {
	echo "FAILED: $*"
	cat "$t/out" "$t/asked"
	exit 1
}
held="E: Could not get lock /var/lib/apt/lists/lock. It is held by process 321 (apt-get)"
run 3 "$held" || fail "it gives up while another apt holds the lock"
[ "$(grep -c 'another apt is at work.*process 321' "$t/out")" -eq 1 ] || fail "it does not say once for what it waits"
grep -q 'Lock::Timeout=[1-9].*install' "$t/asked" || fail "apt-get is not told to wait for dpkg"
! run 1000000 "$held" 1 || fail "it waits for ever"
grep -q 'for longer than 1 s' "$t/out" || fail "it does not say how long it has waited"
! run 1 "E: The repository is not signed." || fail "another failure is no reason to wait"
[ "$(wc -l <"$t/asked")" -eq 1 ] || fail "it tries again after another failure"
grep -q 'not signed' "$t/out" || fail "it keeps apt-get's words to itself"
