#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# house.sh CHECK SOURCE-ROOT - the checks of style that a machine can do.
#
#   licence   every source file names its licence in its first lines
#   format    clang-format would change nothing
#   atomics   the product's code uses C11's atomics, no builtins of the compiler and no volatile
#   spelling  codespell finds nothing
#   man       mandoc finds nothing to say about the manual pages
#   shell     bash can parse every shell script, and shellcheck finds no error in it
#   security  every row of SECURITY.md that says what holds names a test, and these tests exist
#   python    pyflakes finds nothing in the Python programs
#   all       all of them, to the end, whatever one finds
set -eu
self=$(realpath "$0")
cd "$2"

# What is the project's: what git does not ignore, or, in an unpacked release, all but the build
# directories. Files that git tracks but that are deleted in the working copy are left out.
files() {
	{ git ls-files --cached --others --exclude-standard 2>/dev/null || find . -name .git -prune -o -path './build*' -prune -o \
		-type f -print | sed 's|^\./||'; } | while read -r f; do
		[ ! -f "$f" ] || echo "$f"
	done
}

c_files() {
	files | grep -E '\.[ch]$'
}

need() {
	command -v "$1" >/dev/null || {
		echo "$1 is not installed (scripts/setup.sh installs it)"
		exit 77
	}
}

case $1 in
licence)
	bad=$(files | grep -E '(\.([chly]|sh|py|build|ya?ml|map|in|pc|[1-9])|meson_options.txt|\.ci/run)$' |
		xargs awk 'FNR == 1 && file { print file }
			FNR == 1 { file = FILENAME }
			/SPDX-License-Identifier: BSD-3-Clause/ { file = "" }
			FNR == 5 { if (file) print file; file = ""; nextfile }
			END { if (file) print file }')
	[ -z "$bad" ] || {
		echo "no SPDX line in the first five lines of:" $bad
		exit 1
	}
	;;
format)
	need clang-format
	c_files | xargs clang-format --dry-run -Werror
	;;
atomics)
	bad=$(c_files | grep '^src/' | xargs grep -nE '\b(__atomic_|__sync_|__ATOMIC_|volatile\b)' | grep -v '__asm__ volatile' || true)
	[ -z "$bad" ] || {
		echo "use <stdatomic.h>, or base/shared.h for a word of somebody else's layout:"
		echo "$bad"
		exit 1
	}
	;;
spelling)
	need codespell
	files | grep -vE '\.pcap(ng)?$|/corpus/.*/' | xargs codespell \
		--ignore-words=tests/meta/words.txt
	;;
man)
	need mandoc
	pages=$(files | grep -E '\.[1-9]$' || true)
	[ -n "$pages" ] || {
		echo "there is no manual page yet"
		exit 77
	}
	said=$(mandoc -T lint -W style $pages | grep -vE 'referenced manual not found|outdated mandoc.db' || true)
	[ -z "$said" ] || {
		echo "$said"
		exit 1
	}
	;;
shell)
	need shellcheck
	# Those that say so in their first line, and those that others source: shellcheck reads each once.
	scripts=$(files | xargs awk 'FNR == 1 && /^#!.*[/ ](ba)?sh$/ || FNR == 2 && /^# shellcheck shell=/ { print FILENAME }
		FNR == 2 { nextfile }')
	for f in $scripts; do
		bash -n "$f"
	done
	echo "$scripts" | xargs shellcheck -S error
	;;
security)
	bad=$(sed -n '/^## What is defended/,/^## What is not/p' SECURITY.md | grep '^| [^-]' | grep -v '^| what holds' |
		grep -v '`tests/' || true)
	[ -z "$bad" ] || {
		echo "no test is named in:"
		echo "$bad"
		exit 1
	}
	grep -o '`tests/[^`]*`' SECURITY.md | tr -d '\`' | while read -r f; do
		[ -f "$f" ] || {
			echo "SECURITY.md names $f, which is not there"
			exit 1
		}
	done
	;;
python)
	need pyflakes3
	files | grep '\.py$' | xargs pyflakes3
	;;
all)
	bad=0
	for check in licence format atomics spelling man security shell python; do
		echo "$check"
		"$self" $check . || bad=1
	done
	exit $bad
	;;
*)
	exit 2
	;;
esac
