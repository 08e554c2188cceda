#!/usr/bin/env bash
# Installs what the build and the tests need (Redis, HAProxy, a Docker engine), and runs all tests.
# Arguments are passed on to `swift test`: ./deploy/test.sh --filter NodeTests
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server haproxy docker.io busybox-static iproute2 curl
need_swift
swift build --build-tests
exec swift test --skip-build "$@"
