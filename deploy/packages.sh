# Sourced by the other scripts: `need PACKAGE…` installs the Debian packages that are missing,
# `python_with` those of Python in a folder of their own, `need_swift` says where to get the
# toolchain, and `release_of` builds with it. Says what it does; uses sudo when not root.

need() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  if ! command -v apt-get >/dev/null; then
    echo "fairlead: please install ${missing[*]} (or what they are called here), then try again" >&2
    exit 1
  fi
  echo "fairlead: installing ${missing[*]} with apt-get" >&2
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# python_with FOLDER ARGUMENTS…: a virtual environment in FOLDER with what pip is told to install.
python_with() {
  local venv=$1
  shift
  python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

need_swift() {
  if ! command -v swift >/dev/null; then
    echo "fairlead: needs a Swift 6.3 toolchain: https://www.swift.org/install/linux/" >&2
    exit 1
  fi
}

# release_of PRODUCT: builds its release, and prints where it is. Swift's library is linked into it, where the toolchain
# has that: one file to copy, and a keystroke costs a tenth less (docs/performance.md).
release_of() {
  local static=()
  [ ! -d "$(dirname "$(readlink -f "$(command -v swift)")")/../lib/swift_static" ] || static=(--static-swift-stdlib)
  swift build -c release --product "$1" "${static[@]}" >&2
  echo "$(swift build -c release "${static[@]}" --show-bin-path)/$1"
}
