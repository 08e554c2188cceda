#!/usr/bin/env bash
# Builds the static fairlead-holder by Embedded Swift and musl, and puts it where the build embeds it into `fairlead`.
# Does nothing when it is there and no source of it has changed. Without musl or Embedded Swift it says so, and
# `fairlead holder` serves in its place on the machine itself; containers run unheld then.
set -euo pipefail
cd "$(dirname "$0")/.."
built=Sources/CHolderBinary/built
sources=(Sources/Holder/*.swift Sources/Holder/Static/* Sources/CHolder/*.c Sources/CHolder/include/* deploy/holder.sh)
stamp=$(cat "${sources[@]}" | sha256sum | cut -d' ' -f1)
[ "$(cat "$built/stamp" 2>/dev/null)" != "$stamp" ] || exit 0
. deploy/packages.sh
command -v musl-gcc >/dev/null || (need musl-tools) || true
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
architecture=$(uname -m)
echo "fairlead: building the holder for $architecture" >&2
mkdir -p "$built"
if swiftc -Osize -enable-experimental-feature Embedded -wmo -parse-as-library -swift-version 6 -module-name Holder \
  -warnings-as-errors -I Sources/CHolder/include Sources/Holder/*.swift Sources/Holder/Static/main.swift \
  -c -o "$work/holder.o" &&
  musl-gcc -Os -Wall -Wextra -Werror -static -ffunction-sections -fdata-sections -Wl,--gc-sections \
    -I Sources/CHolder/include -o "$work/holder" \
    "$work/holder.o" Sources/CHolder/CHolder.c Sources/Holder/Static/arc4random.c; then
  strip "$work/holder"
  mv "$work/holder" "$built/fairlead-holder-$architecture"
else
  echo "fairlead: no static holder could be built; sessions in containers will not outlive their node" >&2
  : >"$built/fairlead-holder-$architecture"
fi
echo "$stamp" >"$built/stamp"
touch Sources/CHolderBinary/binary.c
