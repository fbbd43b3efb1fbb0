# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# hostile-lib.sh - a daemon whose clients mean harm; after lib.sh.
need python3 jq

# hostile SUBJECT STORY [ARGUMENT...]: in a namespace, for sockets on a loopback of its own.
hostile() {
	on a timeout 150 python3 "$NPF_SRC/tests/e2e/hostile-$1.py" "$NPF_SOCKET" "${@:2}" ||
		fail "see above"
}

configure() { # LIMITS
	config '{name: npf0, device: "net_null0,copy=1", send: true}' \
		'{name: secret, device: "net_null1,copy=1", allow: ["user:root"]}' |
		sed "s/telemetry: false/telemetry: false, limits: $1/" >"$tmp/conf.yaml"
}
