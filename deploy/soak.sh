#!/usr/bin/env bash
# The judge's long run: sessions under cuts, delays, silent networks and dying routers, every byte
# compared. Prints a line every few seconds and the verdict at the end; exit code 1 if anything differed.
#   ./deploy/soak.sh [MINUTES] [options of fairlead-judge, such as --on serve --seed 42]
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server haproxy
need_swift
minutes=30
if [[ "${1:-}" =~ ^[0-9.]+$ ]]; then
  minutes=$1
  shift
fi
swift build --product fairlead >&2
swift build --product fairlead-generator >&2
swift build --product fairlead-judge >&2
exec "$(swift build --show-bin-path)/fairlead-judge" --minutes "$minutes" "$@"
