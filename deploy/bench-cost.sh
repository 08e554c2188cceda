#!/usr/bin/env bash
# Counts what one keystroke and one megabyte of output cost a router and a node: system calls as strace
# sees them, heap allocations as a counter before malloc sees them. Counts, not times: the same on every
# machine. docs/performance.md quotes it.
set -euo pipefail
# Without, unless it is asked for: what a holder costs is measured beside that.
export FAIRLEAD_HOLDER=${FAIRLEAD_HOLDER:-off}
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev redis-server strace gcc python3
need_swift
fairlead=$(release_of fairlead)
keys=${1:-2000} megabytes=${2:-64}

. deploy/background.sh

gcc -O2 -shared -fPIC -o "$dir/count.so" Tests/Benchmarks/Cost/count_malloc.c
start_redis
role() { # NAME ARGUMENTS…
  local name=$1
  shift
  background "$name.log" env COUNT_MALLOC="$dir/$name.count" LD_PRELOAD="$dir/count.so" \
    "$fairlead" "$name" --redis "$redis" --listen 127.0.0.1:0 "$@"
  eval "${name}_pid=$!"
}
role node --id cost
until_line node.log "takes links on"
role router --id cost
until_line router.log "serves on"
at=$(port_in router.log)

counts() { # NAME: calls and bytes so far
  od -An -tu8 -w16 "$dir/$1.count"
}

# measure MODE AMOUNT UNITS NOUN: the counted part once with the allocation counter, once under strace.
measure() {
  local mode=$1 amount=$2 units=$3 noun=$4 pass
  for pass in heap calls; do
    coproc driver { python3 Tests/Benchmarks/Cost/driver.py "$at" "$mode" "$amount"; }
    local line in=${driver[0]} out=${driver[1]}
    read -r line <&"$in"
    sleep 0.5
    local traces=() name
    for name in router node; do
      if [ $pass = calls ]; then
        local pid=${name}_pid
        strace -c -f -qq -U name,calls -o "$dir/$name.strace" -p "${!pid}" 2>/dev/null &
        traces+=($!)
      else
        counts $name >"$dir/$name.before"
      fi
    done
    [ $pass = heap ] || sleep 1
    echo go >&"$out"
    read -r line <&"$in"
    for name in router node; do [ $pass = calls ] || counts $name >"$dir/$name.after"; done
    [ ${#traces[@]} = 0 ] || { kill -INT "${traces[@]}"; wait "${traces[@]}" || true; }
    echo go >&"$out"
    wait "$driver_PID" 2>/dev/null || true
  done
  for name in router node; do
    paste "$dir/$name.before" "$dir/$name.after" | awk -v n="$units" -v who="$name" -v noun="$noun" \
      '{printf "%-7s per %-9s heap allocations %8.2f   heap bytes %10.0f\n", who, noun, ($3-$1)/n, ($4-$2)/n}'
    awk -v n="$units" -v who="$name" -v noun="$noun" '$2 ~ /^[0-9]+$/ && $1 != "total" && $2/n >= 0.005 {
      text = text sprintf("  %s %.2f", $1, $2/n); sum += $2/n }
      END {printf "%-7s per %-9s system calls     %8.2f  %s\n", who, noun, sum, text}' "$dir/$name.strace"
  done
}

echo "$keys keystrokes, each waiting for its echo; then $megabytes MB of output"
measure keystrokes "$keys" "$keys" keystroke
measure output "$megabytes" "$megabytes" megabyte
