#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# stress-attach.sh [CYCLES [SEED]] - kill that many clients (default 10 000) at random moments and look
# what the daemon has left of them. A few minutes; the default suite runs 400.
set -eu
root=$(realpath "$(dirname "$0")/..")
CYCLES=${1:-10000} SEED=${2:-$RANDOM} NPF_BUILD=${NPF_BUILD:-$root/build} exec "$root/tests/e2e/crash.sh"
