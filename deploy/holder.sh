#!/usr/bin/env bash
# Builds the static fairlead-holder by Embedded Swift and musl, and puts it where the build embeds it into `fairlead`.
# Does nothing when it is there and no source of it has changed. Without musl or Embedded Swift it says so, and
# `fairlead holder` serves in its place on the machine itself; containers run unheld then.
set -euo pipefail
cd "$(dirname "$0")/.."
built=Sources/CHolderBinary/built
# In the order of their bytes, wherever this runs: the stamp is held against the sources by HolderTests, too.
export LC_ALL=C
sources=(Sources/Holder/*.swift Sources/Holder/Static/* Sources/CHolder/*.c Sources/CHolder/include/* deploy/holder.sh)
stamp=$(cat "${sources[@]}" | sha256sum | cut -d' ' -f1)
binary=$built/fairlead-holder-$(uname -m)
[ "$(cat "$built/stamp" 2>/dev/null)" != "$stamp" ] || [ ! -s "$binary" ] || exit 0
. deploy/packages.sh
command -v musl-gcc >/dev/null || (need musl-tools) || true
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
echo "fairlead: building the holder for $(uname -m)" >&2
if command -v musl-gcc >/dev/null &&
  swiftc -Osize -enable-experimental-feature Embedded -wmo -parse-as-library -swift-version 6 -module-name Holder \
    -warnings-as-errors -I Sources/CHolder/include Sources/Holder/*.swift Sources/Holder/Static/main.swift \
    -c -o "$work/holder.o" &&
  musl-gcc -Os -Wall -Wextra -Werror -static -ffunction-sections -fdata-sections -Wl,--gc-sections \
    -I Sources/CHolder/include -o "$work/holder" \
    "$work/holder.o" Sources/CHolder/CHolder.c Sources/Holder/Static/arc4random.c; then
  strip "$work/holder"
  mv "$work/holder" "$binary"
  echo "$stamp" >"$built/stamp"
else
  echo "fairlead: WARNING: no static holder could be built (it needs musl-gcc, and Embedded Swift in the toolchain):" >&2
  echo "fairlead: \`fairlead holder\` takes its place on this machine; sessions in containers will not outlive their node" >&2
  # One of older sources is not carried in its place. The next call tries again.
  [ -e "$binary" ] || [ -e "$built/stamp" ] || exit 0
  rm -f "$binary" "$built/stamp"
fi
touch Sources/CHolderBinary/binary.c
