#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# packaging.sh BUILD - what an installation is good for: programs build against npfdp.pc, and
# unmodified ones, by pkg-config, pcap-config, -lpcap or CMake, against the shadow of libpcap.
set -u
build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset LD_LIBRARY_PATH
fail() {
	echo "FAILED: $*"
	exit 1
}

# Where it was installed must not matter: it is moved afterwards.
DESTDIR=$dir/first meson install -C "$build" --no-rebuild >"$dir/log" 2>&1 || {
	cat "$dir/log"
	fail "meson install"
}
mv "$dir/first" "$dir/root"
run=$(find "$dir/root" -name npf-run -type f)
lib=$(dirname "$(find "$dir/root" -name libnpfdp.so.0)")
[ -x "$run" ] && [ -n "$lib" ] || fail "npf-run or libnpfdp.so.0 is not installed"
shadow=$lib/npfdp/dev
compat=$("$run" --print-dir) || fail "npf-run does not find its library"
[ "$(realpath "$compat")" = "$(realpath "$lib/npfdp")" ] || fail "npf-run finds $compat"
for f in libpcap.so libpcap.so.1 libpcap.so.0.8; do
	[ -e "$compat/$f" ] || fail "no $f in $compat"
done
[ "$(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --variable=shadowdir npfdp |
	xargs realpath)" = "$(realpath "$shadow")" ] || fail "npfdp.pc does not name its shadowdir"

# Every symbol is found in the moved tree, by a stock program's eyes.
ldd_out=$("$run" ldd "$(command -v tcpdump)") || fail "ldd"
grep -q "libpcap.so.0.8 => $compat" <<<"$ldd_out" || fail "tcpdump finds another libpcap: $ldd_out"
"$run" tcpdump --version 2>&1 | grep -q '^libpcap version' || fail "tcpdump does not start"

cat >"$dir/ours.c" <<'EOF'
#include <npfdp.h>
#include <stdio.h>
int main(void)
{
	return puts(npfdp_version()) < 0 || npfdp_libpcap() == NULL;
}
EOF
cat >"$dir/plain.c" <<'EOF'
#include <pcap.h>
#include <stdio.h>
int main(void)
{
	char e[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_create("npf0", e);
	if (p == NULL || pcap_activate(p) != PCAP_ERROR_NO_SUCH_DEVICE)
		return 1;
	puts(pcap_geterr(p));
	pcap_close(p);
	return 0;
}
EOF
# links TITLE PROGRAM: the program needs libnpfdp, not libpcap, and runs.
links() {
	readelf -d "$2" | grep -q 'NEEDED.*libnpfdp\.so\.0' || fail "$1: does not need libnpfdp.so.0"
	! readelf -d "$2" | grep -q 'NEEDED.*libpcap' || fail "$1: needs libpcap"
	LD_LIBRARY_PATH=$lib NPF_SOCKET=$dir/none "$2" >"$dir/out" || fail "$1: does not run"
	echo "ok: $1"
}
: "${CC:=cc}"
$CC -o "$dir/ours" "$dir/ours.c" $(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --cflags --libs npfdp) ||
	fail "can't build with npfdp.pc"
links "npfdp.pc" "$dir/ours"
$CC -o "$dir/pc" "$dir/plain.c" $(PKG_CONFIG_PATH=$shadow pkg-config --cflags --libs libpcap) ||
	fail "can't build with the shadow libpcap.pc"
links "shadow libpcap.pc" "$dir/pc"
grep -q 'start npf-dpdk' "$dir/out" || fail "the program does not know npf0: $(cat "$dir/out")"
$CC -o "$dir/config" "$dir/plain.c" $(PATH=$shadow:$PATH pcap-config --cflags --libs) ||
	fail "can't build with the shadow pcap-config"
links "shadow pcap-config" "$dir/config"
[ "$("$shadow/pcap-config" --version)" = "$(PKG_CONFIG_PATH=$shadow pkg-config --modversion libpcap)" ] ||
	fail "two versions of libpcap"
$CC -o "$dir/lpcap" "$dir/plain.c" -L"$shadow/lib" -L"$lib" -lpcap || fail "can't build with -lpcap"
links "-lpcap" "$dir/lpcap"
if command -v cmake >/dev/null; then
	mkdir "$dir/cmake"
	cp "$dir/plain.c" "$dir/cmake/"
	cat >"$dir/cmake/CMakeLists.txt" <<-'EOF'
		cmake_minimum_required(VERSION 3.10)
		project(plain C)
		find_path(PCAP_INCLUDE_DIR pcap.h)
		find_library(PCAP_LIBRARY pcap)
		add_executable(plain plain.c)
		target_include_directories(plain PRIVATE ${PCAP_INCLUDE_DIR})
		target_link_libraries(plain ${PCAP_LIBRARY})
	EOF
	cmake -S "$dir/cmake" -B "$dir/cmake/build" -DCMAKE_PREFIX_PATH="$shadow" >"$dir/log" 2>&1 &&
		cmake --build "$dir/cmake/build" >>"$dir/log" 2>&1 || {
		cat "$dir/log"
		fail "CMake can't build it"
	}
	links "CMake" "$dir/cmake/build/plain"
else
	echo "not tried: CMake is not installed"
fi

# The manuals that the others refer to are there.
for page in man1/npf-run.1 man3/npfdp.3; do
	find "$dir/root" -path "*/$page" | grep -q . || fail "$page is not installed"
done
