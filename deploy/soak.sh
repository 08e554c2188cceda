#!/usr/bin/env bash
# The judge's long run: sessions under cuts, delays, silent networks and dying routers, every byte
# compared. Prints a line every few seconds and the verdict at the end; exit code 1 if anything differed.
#   ./deploy/soak.sh [--sanitize thread] [MINUTES] [options of fairlead-judge, such as --on docker --seed 42]
# With --kill node, nodes are killed too, with --kill holder what holds their terminals, and with --kill machine both. With
# --move an operator drains nodes in turn, and with --upgrade replaces every node and router, again and again:
#   ./deploy/soak.sh 30 --kill node --on docker-cluster --sessions 40
#   ./deploy/soak.sh 30 --kill machine
#   ./deploy/soak.sh 30 --move --output 1500000
#   ./deploy/soak.sh 30 --upgrade --output 1500000
# --sanitize thread: judge, routers, nodes and generators are built with the thread sanitizer (in
# .build-tsan), and what it reports fails the run.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server haproxy docker.io busybox-static iproute2 curl
need_swift
build=()
if [ "${1:-}" = --sanitize ]; then
  build=(--sanitize "${2:?--sanitize thread}" --scratch-path .build-tsan)
  shift 2
fi
minutes=30
if [[ "${1:-}" =~ ^[0-9.]+$ ]]; then
  minutes=$1
  shift
fi
for product in fairlead fairlead-generator fairlead-judge; do
  swift build "${build[@]}" --product $product >&2
done
judge=$(swift build "${build[@]}" --show-bin-path)/fairlead-judge
[ ${#build[@]} -gt 0 ] || exec "$judge" --minutes "$minutes" "$@"

. deploy/sanitizer.sh
sanitized "$judge" --minutes "$minutes" "$@"
