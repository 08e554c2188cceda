#!/usr/bin/env bash
# A fuzzer that is guided by coverage (libFuzzer, with the address sanitizer), in a build of its own:
#   ./deploy/fuzz.sh screen 3600     the terminal model, for an hour
#   ./deploy/fuzz.sh screen --keep   what was found since into Tests/Fuzz/Corpus/screen, as few inputs as reach the same
# `screen` is a target of Package.swift (`fuzz-…`), built whole. The others, `wire`, `client`, `input`, `redis`, `http`,
# `docker`, `holder` (the whole holder, on a system that is played) and `held` (a node that is told things by a holder),
# take in what comes from a peer: only the files that do so are built for the fuzzer, by deploy/fuzz-build.sh, and linked
# with the rest of the ordinary debug build. An input that fails is printed and kept in .build-fuzz/failures; put it into
# Tests/Fuzz/Corpus once it is mended: the tests replay what is there.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-}
[ -n "$target" ] && [ -d "Tests/Fuzz/Corpus/$target" ] || {
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 64
}
. deploy/packages.sh
need libhiredis-dev libssl-dev
need_swift
./deploy/assets.sh
mkdir -p .build-fuzz
if [ "$target" = screen ]; then
  export FAIRLEAD_FUZZ=1
  build=(-c release --sanitize fuzzer --sanitize address --scratch-path .build-fuzz --product "fuzz-$target")
  swift build "${build[@]}" >&2
  fuzzer=$(swift build "${build[@]}" --show-bin-path)/fuzz-$target
else
  swift build --build-tests >&2
  fuzzer=.build-fuzz/fuzz-$target
  ./deploy/fuzz-build.sh "$target" "$fuzzer" >&2
fi
longest=192 merge=(-merge=1)
# One input for each place that is reached will do for these.
[ "$target" = screen ] || longest=512 merge=(-set_cover_merge=1 -use_counters=0)
found=.build-fuzz/corpus/$target
kept=Tests/Fuzz/Corpus/$target
mkdir -p "$found" .build-fuzz/failures
# Swift's own report of a crash takes longer than the fuzzer waits, and hides the input.
export SWIFT_BACKTRACE=enable=no
# libFuzzer's own allocations at its end are no leak of ours.
export ASAN_OPTIONS="detect_leaks=0 ${ASAN_OPTIONS:-}"
if [ "${2:-}" = --keep ]; then
  fresh=$(mktemp -d)
  "$fuzzer" "${merge[@]}" -max_len=$longest "$fresh" "$kept" "$found"
  rm -rf "$kept"
  mv "$fresh" "$kept"
  chmod 755 "$kept"
  exit
fi
exec "$fuzzer" "$found" "$kept" -max_total_time="${2:-600}" -max_len=$longest -timeout=20 -rss_limit_mb=4096 \
  -artifact_prefix=.build-fuzz/failures/ -print_final_stats=1
