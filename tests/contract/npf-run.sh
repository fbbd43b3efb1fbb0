#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# npf-run.sh NPF_RUN - runs programs with our library, says what is wrong with a bad call.
set -u
run=$(readlink -f "$1")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail=0
expect() { # TEXT WANTED GOT
	if [ "$2" != "$3" ]; then
		echo "$1: expected '$2', got '$3'"
		fail=1
	fi
}

compat=$("$run" --print-dir)
expect "print-dir names a directory with the compat library" 0 \
	"$(test -e "$compat/libpcap.so.0.8"; echo $?)"
expect "the compat directory comes first" "$compat:/x" \
	"$(LD_LIBRARY_PATH=/x "$run" sh -c 'echo "$LD_LIBRARY_PATH"')"
expect "nothing is appended to an empty path" "$compat" \
	"$(LD_LIBRARY_PATH= "$run" sh -c 'echo "$LD_LIBRARY_PATH"')"
expect "--socket is passed on" "/a/b.sock" \
	"$("$run" --socket /a/b.sock sh -c 'echo "$NPF_SOCKET"')"
expect "a relative --socket is made absolute" "$dir/b.sock" \
	"$(cd "$dir" && "$run" -s b.sock sh -c 'cd / && echo "$NPF_SOCKET"')"
expect "NPF_SOCKET is left alone" "/c.sock" \
	"$(NPF_SOCKET=/c.sock "$run" sh -c 'echo "$NPF_SOCKET"')"
expect "options after the program are the program's" "--socket x" \
	"$("$run" echo --socket x)"
"$run" sh -c 'exit 42'
expect "the exit status is the program's" 42 $?
"$run" "$dir/none" 2>"$dir/err"
expect "a missing program gives 127" 127 $?
expect "... and a text" 1 "$(grep -c 'No such file' "$dir/err")"
"$run" "$dir" 2>/dev/null
expect "what can't be run gives 126" 126 $?
"$run" 2>/dev/null
expect "no program gives 125" 125 $?
"$run" --nonsense 2>/dev/null
expect "an unknown option gives 125" 125 $?
ln -s "$(readlink -f "$run")" "$dir/link"
expect "a link to npf-run finds the library too" "$compat" "$("$dir/link" --print-dir)"
exit $fail
