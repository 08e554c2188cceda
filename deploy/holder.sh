#!/usr/bin/env bash
# Builds the static fairlead-holder by Embedded Swift and musl, for this machine's processor and for the other one that
# engines run on (x86-64, arm64), and puts both where the build embeds them into `fairlead`.
# Does nothing when they are there and no source of them has changed. Without musl or Embedded Swift it says so, and
# `fairlead holder` serves in its place on the machine itself; containers run unheld then. Without the other one, those on
# engines of that processor do.
set -euo pipefail
cd "$(dirname "$0")/.."
built=Sources/CHolderBinary/built
# In the order of their bytes, wherever this runs: the stamp is held against the sources by HolderTests, too.
export LC_ALL=C
sources=(Sources/Holder/*.swift Sources/Holder/Static/* Sources/CHolder/*.c Sources/CHolder/include/* deploy/holder.sh)
stamp=$(cat "${sources[@]}" | sha256sum | cut -d' ' -f1)
native=$(uname -m)
case $native in aarch64) foreign=x86_64 ;; *) foreign=aarch64 ;; esac
is_new() { [ "$(cat "$built/stamp" 2>/dev/null)" = "$stamp" ] && [ -s "$built/fairlead-holder-$1" ]; }
! is_new "$native" || ! is_new "$foreign" || exit 0
. deploy/packages.sh
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

compile() { # TRIPLE OBJECT FLAGS…
  local target=() object=$2
  [ -z "$1" ] || target=(-target "$1")
  swiftc "${target[@]}" -Osize -enable-experimental-feature Embedded -wmo -parse-as-library -swift-version 6 \
    -module-name Holder -warnings-as-errors -I Sources/CHolder/include "${@:3}" \
    Sources/Holder/*.swift Sources/Holder/Static/main.swift -c -o "$object"
}
c_files=(Sources/CHolder/CHolder.c Sources/Holder/Static/arc4random.c)
c_flags=(-Os -Wall -Wextra -Werror -static -ffunction-sections -fdata-sections -Wl,--gc-sections -I Sources/CHolder/include)

build_native() {
  command -v musl-gcc >/dev/null || (need musl-tools) || return 1
  compile "" "$work/native.o" &&
    musl-gcc "${c_flags[@]}" -o "$work/$native" "$work/native.o" "${c_files[@]}" && strip "$work/$native"
}

# The other processor's musl (headers, libc.a): Debian's musl-dev of it, unpacked here and not installed, by lists of its own.
get_musl() { # DEBIAN-PROCESSOR FOLDER
  [ ! -s "$2/libc.a" ] || return 0
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  local apt=$work/apt options
  mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/here"
  options=(-qq -o "APT::Architecture=$1" -o "APT::Architectures=$1" -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt"
    -o Acquire::Languages=none -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o APT::Sandbox::User=)
  apt-get "${options[@]}" update >&2 || true
  (cd "$apt/here" && apt-get "${options[@]}" download musl-dev >&2 && dpkg-deb -x musl-dev_*.deb .) || return 1
  mkdir -p "$2"
  cp -r "$apt/here/usr/include/$foreign-linux-musl" "$2/include"
  cp "$apt/here/usr/lib/$foreign-linux-musl"/*.o "$2"
  cp "$apt/here/usr/lib/$foreign-linux-musl/libc.a" "$2"
}

build_foreign() {
  local musl=.build-musl/$foreign triple debian flags=()
  case $foreign in
  aarch64) triple=aarch64-none-none-elf debian=arm64 flags=(-mno-outline-atomics) ;;
  x86_64) triple=x86_64-unknown-none-elf debian=amd64 ;;
  esac
  command -v clang >/dev/null || return 1
  get_musl "$debian" "$musl" || return 1
  compile "$triple" "$work/foreign.o" -Xcc "-isystem$musl/include" || return 1
  local own
  own=$(clang -print-resource-dir)/include
  # musl's start files and libc are all that it needs: no library of a compiler's for that processor is here.
  clang --target="$foreign-linux-musl" -fuse-ld=lld -nostdinc -nostdlib -isystem "$musl/include" -isystem "$own" \
    "${flags[@]}" "${c_flags[@]}" -Wl,-s -o "$work/$foreign" "$musl/crt1.o" "$musl/crti.o" "$work/foreign.o" \
    "${c_files[@]}" "$musl/libc.a" "$musl/crtn.o"
}

put() { mv "$work/$1" "$built/fairlead-holder-$1"; }
# One of older sources is not carried in its place.
[ "$(cat "$built/stamp" 2>/dev/null)" = "$stamp" ] || rm -f "$built"/fairlead-holder-* "$built/stamp"
touch Sources/CHolderBinary/binary.c
if ! is_new "$foreign"; then
  build_foreign >"$work/foreign.log" 2>&1 &
  building=$!
fi
if ! is_new "$native"; then
  echo "fairlead: building the holder for $native" >&2
  if ! build_native; then
    echo "fairlead: WARNING: no static holder could be built (it needs musl-gcc, and Embedded Swift in the toolchain):" >&2
    echo "fairlead: \`fairlead holder\` takes its place on this machine; sessions in containers will not outlive their node" >&2
    [ -z "${building:-}" ] || wait "$building" || true
    exit 0
  fi
  put "$native"
  echo "$stamp" >"$built/stamp"
fi
[ -n "${building:-}" ] || exit 0
if wait "$building"; then
  put "$foreign"
else
  grep -m 3 -i -E 'error|^E:' "$work/foreign.log" >&2 || true
  echo "fairlead: none for engines of $foreign could be built (it needs clang, lld, Embedded Swift for it, and Debian's musl-dev of it): sessions in containers there will not outlive their node" >&2
fi
