#!/usr/bin/env bash
# Measures how long a keystroke takes to come back, quiet and beside a flood on the same link: 100
# typists, one router loop, one node loop, release build. The goal: p99 beside the flood ≤ 2 × quiet.
# The rival in the same run is terminado (JupyterLab's terminals, PyPI), bare, with the same client.
#   ./deploy/bench-echo.sh [TYPISTS] [SECONDS]
# FAIRLEAD names a built executable to measure instead of building one.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server python3 python3-venv
typists=${1:-100} seconds=${2:-5}
if [ -z "${FAIRLEAD:-}" ]; then
  need_swift
  swift build -c release --product fairlead >&2
  FAIRLEAD=$(swift build -c release --show-bin-path)/fairlead
fi

dir=$(mktemp -d)
started=()
finish() {
  kill "${started[@]}" 2>/dev/null || true
  wait "${started[@]}" 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT
until_line() { # FILE TEXT
  for _ in $(seq 600); do
    grep -q "$2" "$1" 2>/dev/null && return
    sleep 0.05
  done
  echo "never saw '$2' in:" >&2
  cat "$1" >&2
  exit 1
}

python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
  terminado==0.18.1 tornado==6.6.1 ptyprocess==0.7.0
export PYTHONDONTWRITEBYTECODE=1
measure() { # KIND PORT
  "$dir/venv/bin/python" Benchmarks/Echo/typists.py "$1" "$2" "$typists" "$seconds"
}

port=$((20000 + RANDOM % 10000))
redis-server --port $port --bind 127.0.0.1 --save "" --dir "$dir" >"$dir/redis.log" &
started+=($!)
until_line "$dir/redis.log" "Ready to accept"
# One loop each, so that there is exactly one link.
export NIO_SINGLETON_GROUP_LOOP_COUNT=1
redis=(--redis redis://127.0.0.1:$port/0)
"$FAIRLEAD" node --id n "${redis[@]}" --listen 127.0.0.1:0 >"$dir/node.log" 2>&1 &
started+=($!)
until_line "$dir/node.log" "takes links on"
"$FAIRLEAD" router --id r "${redis[@]}" --listen 127.0.0.1:0 >"$dir/router.log" 2>&1 &
started+=($!)
until_line "$dir/router.log" "serves on"
rival=$((port + 1))
"$dir/venv/bin/python" Benchmarks/Echo/terminado_server.py $rival >"$dir/rival.log" 2>&1 &
started+=($!)
until_line "$dir/rival.log" "serves"

echo "$typists typists; load $(cut -d' ' -f1-3 /proc/loadavg) on $(nproc) cores"
echo "           milliseconds       p50      p99     keys  flood MB/s"
measure fairlead "$(grep -o 'serves on .*' "$dir/router.log" | grep -o '[0-9]*$')"
measure terminado $rival
