#!/usr/bin/env bash
# Builds Fairlead and runs `fairlead serve`, which needs neither Redis nor Docker. Arguments are
# passed on: ./deploy/run.sh --listen 127.0.0.1:8080
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh
need libhiredis-dev libssl-dev
need_swift
./deploy/assets.sh
./deploy/holder.sh
echo "fairlead: building (the first time takes a quarter of an hour on two cores)" >&2
fairlead=$(release_of fairlead)
exec "$fairlead" serve "$@"
