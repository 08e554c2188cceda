#!/usr/bin/env bash
# Measures how long a keystroke takes to come back, quiet and beside a flood on the same link: 100
# typists, one router loop, one node loop, release build. The goal: p99 beside the flood ≤ 2 × quiet.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server
need_swift
swift build -c release --product fairlead >&2
swift build -c release --product fairlead-judge >&2
exec "$(swift build -c release --show-bin-path)/fairlead-judge" echo "$@"
