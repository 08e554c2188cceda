#!/usr/bin/env bash
# Measures what a keystroke costs: processor time, wake-ups and system calls of each process, and how long its echo takes;
# bulk output and attach storms too. Fairlead's cluster and `serve` beside HAProxy and nginx before terminado (and ttyd, where
# one is given), by turns in one run. Prints one table with ratios, which docs/performance.md shows.
#   ./deploy/bench-keystroke.sh --help      says what is measured, and how to compare two builds
set -euo pipefail
here=$PWD
cd "$(dirname "$0")/.."
bench=Tests/Benchmarks/Keystroke
export PYTHONDONTWRITEBYTECODE=1
binary=() terminado=1
for argument; do
  case $argument in
    -h | --help) exec python3 $bench/keystroke.py --help ;;
    --binary | --binary=*) binary=(given) ;;
    --without-terminado) terminado= ;;
  esac
done
. deploy/packages.sh
need gcc libc6-dev redis-server haproxy nginx strace python3
if [ ${#binary[@]} = 0 ]; then
  need libhiredis-dev libssl-dev
  need_swift
  ./deploy/assets.sh
  ./deploy/holder.sh
  fairlead=$(release_of fairlead)
  binary=(--binary "$fairlead")
else
  binary=()
fi
. deploy/background.sh
gcc -std=gnu2x -O2 -Wall -Wextra -o "$dir/typists" $bench/typists.c
gcc -std=gnu2x -O2 -Wall -Wextra -o "$dir/floor" $bench/floor.c
python=()
if [ -n "$terminado" ]; then
  python_with "$dir/venv" terminado==0.18.1 tornado==6.6.1 ptyprocess==0.7.0
  python=(--python "$dir/venv/bin/python")
fi
ulimit -n "$(ulimit -Hn)" # a typist is a connection or two, and a terminal
# In the background, so that it is ended with this script however that ends; the paths given are the caller's.
bench=$PWD/$bench
(cd "$here" && exec python3 "$bench/keystroke.py" --typists "$dir/typists" --floor "$dir/floor" "${binary[@]}" "${python[@]}" "$@") &
started+=($!)
wait $!
