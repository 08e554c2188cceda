#!/usr/bin/env bash
# The tests under the thread sanitizer, in a build of its own (.build-tsan). Not a part of test.sh: that
# build takes as long as all of test.sh. With arguments it runs what they filter:
#   ./deploy/sanitize.sh --filter JudgeTests
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server haproxy openssl python3
need_swift
./deploy/assets.sh
build=(--sanitize thread --scratch-path .build-tsan)
swift build --build-tests "${build[@]}"
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-$(nproc)}
. deploy/sanitizer.sh
[ $# -gt 0 ] ||
  set -- --filter '^(Wire|Screen|Node|Link|Router|Client|Cluster|Redis|Auth|TLS)Tests\.' --filter JudgeTests
sanitized swift test --skip-build "${build[@]}" "$@"
