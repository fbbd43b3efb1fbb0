#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plant one more of each thing that state.py counts in a copy of the sources: it must find it.
set -u
src=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
status=0
cp -r "$src/src" "$src/tools" "$tmp/"

# plant WHAT FILE: standard input goes to the end of the file for a while.
plant() {
	cp "$tmp/$2" "$tmp/kept"
	cat >>"$tmp/$2"
	"$src/tests/meta/state.py" "$tmp" >"$tmp/said"
	if grep -q "  $1  WORSE" "$tmp/said"; then
		echo "ok: $1"
	else
		echo "FAILED: one more of $1 was not found"
		status=1
	fi
	mv "$tmp/kept" "$tmp/$2"
}

if "$src/tests/meta/state.py" "$tmp" | grep WORSE; then
	echo "FAILED: it is worse without a fault"
	status=1
fi
plant 'files above 500 lines' src/wire/check.c < <(yes '' | head -n 501)
plant 'folders above 20 files or 2500 lines' src/wire/check.c < <(yes '' | head -n 2501)
plant 'functions above 80 lines' src/wire/check.c < <(
	printf 'static void f(void)\n{\n'
	yes '	;' | head -n 80
	echo '}'
)
plant 'functions above 6 parameters' src/wire/check.c < <(
	printf 'NPF_PRINTF(1, 2) static void f(int a, int (*b)(int, int), int c, int d, int e,\n\tint g, int h)\n{\n}\n'
)
plant 'casts of pointers' src/wire/check.c <<<'static int *p = (struct npf_wire_hdr *)f(1);'
plant 'other casts' src/wire/check.c <<<'static int i = (uint8_t)300;'
plant "functions that return an error's text by char \*" src/wire/check.c <<-'C'
	static int f(int a, char *err)
	{
	}
C
exit $status
