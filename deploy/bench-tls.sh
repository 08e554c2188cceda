#!/usr/bin/env bash
# Measures what TLS costs: handshakes and bytes of `fairlead serve` beside HAProxy with the same certificate,
# in one run, release build.
set -euo pipefail
# Without, unless it is asked for: what a holder costs is measured beside that.
export FAIRLEAD_HOLDER=${FAIRLEAD_HOLDER:-off}
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev haproxy openssl curl python3
need_swift
./deploy/assets.sh
fairlead=$(release_of fairlead)
exec python3 Tests/Benchmarks/tls.py "$fairlead"
