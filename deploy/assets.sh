#!/usr/bin/env bash
# Brings xterm.js and its addons into Sources/Web/Vendor, from where the build puts them into the
# binary. They come from a wheel on PyPI that carries the files of @xterm/xterm 6.0.0, pinned by its
# hash. Does nothing when they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh

wheel=tinyterminal==0.1.0
sha256=1ac2eae5a7f727fa222599b3ef1da97d0419df1ab32763ad6dbcdb7744b18e54
files=(xterm.js xterm.css addon-fit.js addon-web-links.js addon-webgl.js)
vendor=Sources/Web/Vendor

[ "$(cat "$vendor/.wheel" 2>/dev/null)" != "$sha256" ] || exit 0
if ! python3 -m pip --version >/dev/null 2>&1; then need python3-pip; fi
echo "fairlead: fetching xterm.js ($wheel)" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$wheel --hash=sha256:$sha256" >"$work/requirements.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
  --require-hashes -r "$work/requirements.txt" -d "$work" >&2
python3 -m zipfile -e "$work"/*.whl "$work"
for file in "${files[@]}"; do
  cp "$work/tinyterminal/static/vendor/$file" "$vendor/$file"
  gzip -9nc "$vendor/$file" >"$vendor/$file.gz"
done
echo "$sha256" >"$vendor/.wheel"
# The compiler knows which files it embedded, not which ones it missed.
touch Sources/CWebFiles/files.c
