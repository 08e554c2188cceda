#!/usr/bin/env bash
# Tests of the browser's side: the library under Node.js, then the page in headless Chromium against a
# cluster behind HAProxy. `deploy/test.sh` has built everything before. Arguments are passed on:
# ./deploy/browser-tests.sh --only phone --against serve
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
command -v node >/dev/null || need nodejs
need redis-server haproxy nginx chromium libnss3-tools vim htop fonts-noto-cjk fonts-noto-color-emoji

node --test Tests/JavaScriptTests/*.test.js

venv=.build/browser-tests
python_with "$venv" -r Tests/BrowserTests/requirements.txt
exec "$venv/bin/python" Tests/BrowserTests/run.py \
  --build "$(swift build --show-bin-path)" "$@"
