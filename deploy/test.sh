#!/usr/bin/env bash
# Installs what the build and the tests need (Redis, HAProxy, a Docker engine, podman, Node.js, Chromium), and
# runs all tests. With arguments it runs those of Swift only, and passes them on to `swift test`:
# ./deploy/test.sh --filter NodeTests
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server haproxy nginx docker.io busybox-static iproute2 curl openssl python3
# Podman and an emulator of arm64 take long to install; tests of them are skipped without.
[ $# -gt 0 ] || need podman catatonit qemu-user-static
need_swift
./deploy/assets.sh
./deploy/holder.sh
[ $# -gt 0 ] || ./deploy/limits.py --check
swift build --build-tests
# How many times longer than usual something may take before it counts as a hang.
export FAIRLEAD_PATIENCE=${FAIRLEAD_PATIENCE:-4}
# Most tests run processes of their own: more than a few at a time on a small machine measure patience.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH:-$(nproc)}
[ $# = 0 ] || exec swift test --skip-build "$@"
swift test --skip-build
./deploy/browser-tests.sh
./deploy/fuzz-screen.sh --same
