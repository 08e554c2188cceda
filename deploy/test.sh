#!/usr/bin/env bash
# Installs what the build and the tests need, and runs all tests.
set -euo pipefail
cd "$(dirname "$0")/.."
sudo=(); [ "$(id -u)" = 0 ] || sudo=(sudo)
missing=()
for package in libhiredis-dev libssl-dev; do
  dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
exec swift test "$@"
