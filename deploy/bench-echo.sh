#!/usr/bin/env bash
# Measures how long a keystroke takes to come back, quiet and beside a flood on the same link: 100
# typists, one router loop, one node loop, release build. The goal: p99 beside the flood ≤ 2 × quiet.
# The rival in the same run is terminado (JupyterLab's terminals, PyPI), bare, with the same client.
# By turns, several rounds of each; the medians count.
#   ./deploy/bench-echo.sh [TYPISTS] [SECONDS of each] [ROUNDS]
# FAIRLEAD names a built executable to measure instead of building one; WITHOUT_RIVAL=1 leaves terminado out.
set -euo pipefail
# Without, unless it is asked for: what a holder costs is measured beside that.
export FAIRLEAD_HOLDER=${FAIRLEAD_HOLDER:-off}
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server python3
typists=${1:-100} seconds=${2:-5} rounds=${3:-5}
if [ -z "${FAIRLEAD:-}" ]; then
  need_swift
  FAIRLEAD=$(release_of fairlead)
fi

patience=600 # Python starts slowly on a busy machine
. deploy/background.sh

python_with "$dir/venv" terminado==0.18.1 tornado==6.6.1 ptyprocess==0.7.0
export PYTHONDONTWRITEBYTECODE=1
measure() { # KIND PORT
  "$dir/venv/bin/python" Tests/Benchmarks/Echo/typists.py "$1" "$2" "$typists" "$seconds" "$rounds"
}

start_redis
# One loop each, so that there is exactly one link.
export NIO_SINGLETON_GROUP_LOOP_COUNT=1
background node.log "$FAIRLEAD" node --id n --redis "$redis" --listen 127.0.0.1:0
until_line node.log "takes links on"
background router.log "$FAIRLEAD" router --id r --redis "$redis" --listen 127.0.0.1:0
until_line router.log "serves on"
rival=$((30000 + RANDOM % 2000))
background rival.log "$dir/venv/bin/python" Tests/Benchmarks/Echo/terminado_server.py $rival
until_line rival.log "serves"

echo "$typists typists; load $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
echo "           milliseconds       p50      p99     keys  flood MB/s"
measure fairlead "$(port_in router.log)"
[ -n "${WITHOUT_RIVAL:-}" ] || measure terminado $rival
