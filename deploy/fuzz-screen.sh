#!/usr/bin/env bash
# Random output to the terminal model. Half of the time against libghostty-vt (PyPI: pyghostty), which must
# show the same but for the list in Tests/ScreenDifferential/known.txt; half of the time bytes of every
# kind, which must not make it trap, grow or lose its way, and snapshots, which must bring all of it back.
# Prints seeds and how much it was.
#   ./deploy/fuzz-screen.sh [SECONDS, 120 if absent]
#   ./deploy/fuzz-screen.sh --same      the same 100 streams each time, for deploy/test.sh
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev python3
need_swift
same=
seconds=
if [ "${1:-}" = --same ]; then same=1; else seconds=$((${1:-120} / 2)); fi

./deploy/assets.sh
swift build --product fairlead-screen >&2
venv=.build/screen-differential
python_with "$venv" -r Tests/ScreenDifferential/requirements.txt
differential=("$venv/bin/python" Tests/ScreenDifferential/differential.py "$(swift build --show-bin-path)")
[ -z "$same" ] || exec "${differential[@]}" 300 1 100
"${differential[@]}" "$seconds"

swift build --build-tests >&2
# Three tests, on two cores two at a time.
FAIRLEAD_SCREEN_FUZZ_SECONDS=$((seconds / 2)) swift test --skip-build \
  --filter 'survivesRandomBytes|restoresRandomStreams|restoresAfterResizing'
