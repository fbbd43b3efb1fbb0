#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Plant each fault that layers.py is there to find in a copy of the sources: it must find it.
set -u
src=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
status=0

cp -r "$src/src" "$src/tools" "$src/examples" "$tmp/"

plant() { # FILE LINE WHAT
	cp "$tmp/$1" "$tmp/kept"
	echo "$2" >>"$tmp/$1"
	"$src/tests/meta/layers.py" "$tmp" >"$tmp/said"
	mv "$tmp/kept" "$tmp/$1"
	if grep -q "^$1: .*$3" "$tmp/said"; then
		echo "ok: $1 with $2"
	else
		echo "FAILED: $1 with $2 was not found"
		status=1
	fi
}

plant src/ringbuf/ring.h '#include "wire/wire.h"' 'ringbuf must not include wire'
plant src/wire/check.c '#include "jit/bpf.h"' 'wire must not include jit'
plant src/wire/wire.c '#include "client/client.h"' 'wire must not include client'
plant src/jit/bpf.h '#include <rte_mbuf.h>' 'may include DPDK'
plant src/base/base.h '#include "wire/wire.h"' 'base must not include wire'
plant src/api/read.c '#include "client/client_priv.h"' 'is private to client'
plant src/engine/port/port.c '#include "engine/session/session.h"' 'engine/port must not include engine/session'
plant src/txgen/run/tx.c '#include "engine/port/port.h"' 'txgen/run must not include engine/port'
exit $status
