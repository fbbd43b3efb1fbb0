#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# test.sh - install what is missing, build in every way that must work, run every test.
#
#   scripts/test.sh           everything
#   scripts/test.sh default   only these builds: default, noengine, asan, clang
#
# The builds stay in build/, build-noengine/, build-asan/ and build-clang/, so that a second run
# is short. Tests with network namespaces and devices need root and are skipped without it; with
# CI=true in the environment a skipped test counts as failed, and so does a compiler's warning.
# The last line counts the tests of all builds; the exit status is 0 when none failed.
set -u
cd "$(dirname "$0")/.."

passed=0 failed=0 skipped=0
troubles=()
times=() since=$SECONDS
child=

# Tests that may be skipped even in CI, for what the machine is: a pattern of their names. Others may
# be where a build can't run them, once the same test has passed in an earlier build of this run.
MAY_SKIP='AVX-?512|AVX-?2'
declare -A has_passed

may_skip() {
	[ "${CI-}" != true ] || [ -n "${has_passed[$1]-}" ] || grep -qE "$MAY_SKIP" <<<"$1"
}

cleanup() {
	[ -z "$child" ] || kill "$child" 2>/dev/null
	wait 2>/dev/null
	tests/e2e/sweep.sh
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Run in the background and wait, so that a signal is acted upon at once.
run() {
	local status=0
	"$@" </dev/null &
	child=$!
	wait "$child" || status=$?
	child=
	return $status
}

# took WHAT: since the last such line.
took() {
	times+=("$(printf '%5d s  %s' $((SECONDS - since)) "$1")")
	since=$SECONDS
}

failure() {
	failed=$((failed + 1))
	troubles+=("FAILED  $*")
}

# build NAME ENV... -- MESON-OPTION...: configure and compile build directory "build[-NAME]".
build() {
	local name=$1 dir=build-$1 env=()
	[ "$name" != default ] || dir=build
	shift
	while [ "$1" != -- ]; do
		env+=("$1")
		shift
	done
	shift
	set -- "$@" -Dtests=true
	[ "${CI-}" != true ] || set -- "$@" --werror
	echo
	echo "== $name: build in $dir =="
	# A directory left half configured by an interrupted run is no use.
	if [ -e $dir/build.ninja ]; then
		set -- --reconfigure "$@"
	else
		rm -rf "$dir"
	fi
	run env "${env[@]}" meson setup "$dir" "$@" >"$dir.log" 2>&1 || {
		cat "$dir.log"
		failure "$name: meson setup"
		return 1
	}
	rm -f "$dir.log"
	run ninja -C "$dir" || {
		failure "$name: compilation"
		return 1
	}
	took "$name: build"
}

# check NAME ENV... -- MESON-TEST-ARG...: run tests there and count their results.
check() {
	local name=$1 dir=build-$1 env=() result test
	[ "$name" != default ] || dir=build
	shift
	while [ "$1" != -- ]; do
		env+=("$1")
		shift
	done
	shift
	echo
	echo "== $name: tests =="
	rm -f "$dir/meson-logs/testlog.json"
	# End-to-end tests wait more than they compute.
	run env "${env[@]}" meson test -C "$dir" --no-rebuild --print-errorlogs \
		--num-processes $(($(nproc) + 2)) "$@"
	took "$name: tests"
	[ -s "$dir/meson-logs/testlog.json" ] || {
		failure "$name: no test was run"
		return
	}
	while IFS=$'\t' read -r result test; do
		case $result in
		OK | EXPECTEDFAIL)
			passed=$((passed + 1))
			has_passed[$test]=1
			;;
		SKIP)
			if may_skip "$test"; then
				skipped=$((skipped + 1))
				troubles+=("skipped $name: $test")
			else
				failure "$name: $test (skipped, which CI must not)"
			fi
			;;
		*)
			failure "$name: $test ($result)"
			;;
		esac
	done < <(jq -r '[.result, .name] | @tsv' "$dir/meson-logs/testlog.json")
}

test_default() {
	build default -- -Dengine=enabled && check default --
}

test_noengine() {
	build noengine -- -Dengine=disabled && check noengine -- --no-suite meta --no-suite model
}

# What DPDK itself leaks is listed in lsan.supp. Stock programs get libasan preloaded, so that
# libnpfdp is watched inside them too.
# Programs as Debian ships them are not ours to check, and some do not bear a preloaded sanitizer.
test_asan() {
	build asan -- -Dengine=enabled -Db_sanitize=address,undefined -Db_lundef=false &&
		check asan ASAN_OPTIONS=strict_string_checks=1:detect_stack_use_after_return=1 \
			UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
			LSAN_OPTIONS=suppressions="$PWD/tests/lsan.supp":print_suppressions=0 \
			NPF_PRELOAD="$(gcc -print-file-name=libasan.so)" \
			-- --no-suite meta --no-suite model --no-suite programs -t 3
}

test_clang() {
	build clang CC=clang -- -Dengine=enabled && check clang -- --no-suite meta --no-suite model --no-suite e2e
}

# A function, so that bash has read all of it before it starts.
main() {
	builds=("$@")
	[ $# -gt 0 ] || builds=(default noengine asan clang)
	for b in "${builds[@]}"; do
		case $b in
		default | noengine | asan | clang) ;;
		*)
			echo "usage: test.sh [default | noengine | asan | clang]..." >&2
			exit 2
			;;
		esac
	done

	started=$SECONDS
	run scripts/setup.sh || exit 1
	took "what is missing is installed"
	for b in "${builds[@]}"; do
		"test_$b"
	done

	echo
	printf '%s\n' "${times[@]}"
	[ ${#troubles[@]} -eq 0 ] || printf '%s\n' "${troubles[@]}"
	echo "$((SECONDS - started)) s in all; the logs are in build*/meson-logs/testlog.txt"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed -eq 0 ]
	exit
}
main "$@"
