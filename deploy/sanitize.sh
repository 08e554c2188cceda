#!/usr/bin/env bash
# Tests under a sanitizer, in a build of its own. Not a part of test.sh: such a build takes as long as all
# of test.sh.
#   ./deploy/sanitize.sh thread    data races; in .build-tsan
#   ./deploy/sanitize.sh address   reads and writes out of bounds, and leaks: what a process cannot reach any
#                                  more when it ends, whether OpenSSL's or a cycle of Swift's; in .build-asan
# More arguments filter what is run: ./deploy/sanitize.sh thread --filter JudgeTests
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:-}
[ $# -eq 0 ] || shift
case $kind in
thread)
  scratch=.build-tsan
  modules='Wire|Screen|Sessions|Node|Links|Router|Client|Registry|Redis|Auth|TLS'
  ;;
address)
  scratch=.build-asan
  modules='Wire|Screen|Sessions|Node|Links|Redis|Auth|TLS'
  ;;
*)
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 64
  ;;
esac
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server haproxy nginx openssl python3
need_swift
./deploy/assets.sh
build=(--sanitize "$kind" --scratch-path "$scratch")
swift build --build-tests "${build[@]}"
export FAIRLEAD_PATIENCE=${FAIRLEAD_PATIENCE:-5}
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-$(nproc)}
. deploy/sanitizer.sh
[ $# -gt 0 ] || set -- --filter "^($modules)Tests\." --filter JudgeTests
sanitized swift test --skip-build "${build[@]}" "$@"
